//! What a name of the graph stands for, as far as it is known before a net runs.
//!
//! ```text
//! axis     fixed: a size that belongs to what a step is (features, layers, gates, an axis of one)
//!          outer: batch or time, of which a stream has one at a time
//! data     laid out over the fixed axes alone, row-major: numbers, sizes, or elements
//! element  number `index` of what an operation makes, or of an input of the graph
//! ```
//! So a transpose or reshape that only moves batch and time changes nothing, and one that moves
//! features is followed element by element.

use std::rc::Rc;

/// Where a number comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Source {
    /// An input of the graph.
    Input(usize),
    /// What an operation makes; h of a recurrent one.
    Op(usize),
    /// c of an LSTM.
    Cell(usize),
}

/// One number of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Element {
    pub(super) source: Source,
    pub(super) index: usize,
}

/// `len` elements of a source from its first on.
pub(super) fn elements(source: Source, len: usize) -> Vec<Element> {
    let element = |index| Element { source, index };
    (0..len).map(element).collect()
}

/// A whole number that may depend on the sizes of outer axes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Num {
    Known(i64),
    /// `times * (the product of these outer axes' sizes) + plus`.
    Size {
        times: i64,
        of: Vec<usize>,
        plus: i64,
    },
    /// Depends on sizes in another way.
    Unknown,
}

/// An axis of an input of the graph: which input, which axis.
pub(super) type Origin = (usize, usize);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Axis {
    Fixed {
        len: usize,
        origin: Option<Origin>,
    },
    /// Outer axes, the first varying slowest.
    Outer(Vec<usize>),
}

impl Axis {
    pub(super) const ONE: Self = Self::fixed(1);

    pub(super) const fn fixed(len: usize) -> Self {
        Self::Fixed { len, origin: None }
    }

    /// Its size, where that is fixed.
    pub(super) const fn len(&self) -> Option<usize> {
        match self {
            Self::Fixed { len, .. } => Some(*len),
            Self::Outer(_) => None,
        }
    }
}

#[derive(Clone, Debug)]
pub(super) enum Data {
    Floats(Rc<Vec<f32>>),
    Ints(Rc<Vec<Num>>),
    Elements(Rc<Vec<Element>>),
}

/// Numbers, sizes or elements with their axes.
#[derive(Clone, Debug)]
pub(super) struct Tensor {
    pub(super) axes: Vec<Axis>,
    pub(super) data: Data,
    /// The tensors of the file that it was made of.
    pub(super) names: Vec<String>,
    /// Only what the last step gives.
    pub(super) last: bool,
    /// The state that a recurrent node leaves, not its outputs.
    pub(super) state: bool,
}

fn pick<T: Clone>(from: &[T], indices: &[usize]) -> Rc<Vec<T>> {
    let all = indices.iter().filter_map(|k| from.get(*k).cloned());
    Rc::new(all.collect())
}

/// Every sum of `index * stride`, the last of `dims` varying fastest.
pub(super) fn indices(dims: &[usize], strides: &[usize]) -> Vec<usize> {
    let mut all = vec![0];
    for (len, stride) in dims.iter().zip(strides) {
        let next = all.iter().flat_map(|base| {
            let base = *base;
            (0..*len).map(move |k| base + k * stride)
        });
        all = next.collect();
    }
    all
}

impl Tensor {
    pub(super) fn new(axes: Vec<Axis>, data: Data) -> Self {
        Self {
            axes,
            data,
            names: Vec::new(),
            last: false,
            state: false,
        }
    }

    pub(super) fn ints(all: Vec<Num>) -> Self {
        let axes = vec![Axis::fixed(all.len())];
        Self::new(axes, Data::Ints(Rc::new(all)))
    }

    pub(super) fn elements(axes: Vec<Axis>, all: Vec<Element>) -> Self {
        Self::new(axes, Data::Elements(Rc::new(all)))
    }

    /// Sizes of the fixed axes.
    pub(super) fn dims(&self) -> Vec<usize> {
        self.axes.iter().filter_map(Axis::len).collect()
    }

    /// Numbers over the fixed axes.
    pub(super) fn count(&self) -> usize {
        match &self.data {
            Data::Floats(all) => all.len(),
            Data::Ints(all) => all.len(),
            Data::Elements(all) => all.len(),
        }
    }

    /// How far apart neighbours along each axis lie; 0 along outer axes.
    pub(super) fn strides(&self) -> Vec<usize> {
        let mut strides = vec![0; self.axes.len()];
        let mut step = 1;
        for (stride, axis) in strides.iter_mut().zip(&self.axes).rev() {
            if let Axis::Fixed { len, .. } = axis {
                *stride = step;
                step *= len;
            }
        }
        strides
    }

    /// The same data with other axes.
    #[must_use]
    pub(super) fn with_axes(&self, axes: Vec<Axis>) -> Self {
        Self {
            axes,
            ..self.clone()
        }
    }

    /// Other axes, and the data at these indices.
    #[must_use]
    pub(super) fn picked(&self, axes: Vec<Axis>, indices: &[usize]) -> Self {
        let data = match &self.data {
            Data::Floats(all) => Data::Floats(pick(all, indices)),
            Data::Ints(all) => Data::Ints(pick(all, indices)),
            Data::Elements(all) => Data::Elements(pick(all, indices)),
        };
        Self {
            data,
            ..self.with_axes(axes)
        }
    }

    /// The axes in another order.
    #[must_use]
    pub(super) fn transposed(&self, order: &[usize]) -> Self {
        let axes: Vec<Axis> = order.iter().map(|k| self.axes[*k].clone()).collect();
        let strides = self.strides();
        let fixed = order.iter().filter(|k| self.axes[**k].len().is_some());
        let strides: Vec<usize> = fixed.map(|k| strides[*k]).collect();
        let dims: Vec<usize> = axes.iter().filter_map(Axis::len).collect();
        self.picked(axes, &indices(&dims, &strides))
    }

    /// Only some entries along a fixed axis, which takes the axes `instead`.
    #[must_use]
    pub(super) fn taken(&self, axis: usize, chosen: &[usize], instead: &[Axis]) -> Self {
        let before: usize = self.axes[..axis].iter().filter_map(Axis::len).product();
        let after: usize = self.axes[axis + 1..].iter().filter_map(Axis::len).product();
        let len = self.axes[axis].len().unwrap_or(1);
        let mut indices = Vec::with_capacity(before * chosen.len() * after);
        for outer in 0..before {
            for chosen in chosen {
                let first = (outer * len + chosen) * after;
                indices.extend(first..first + after);
            }
        }
        let mut axes = self.axes.clone();
        axes.splice(axis..=axis, instead.iter().cloned());
        self.picked(axes, &indices)
    }

    pub(super) fn as_floats(&self) -> Option<&[f32]> {
        match &self.data {
            Data::Floats(all) => Some(all),
            _ => None,
        }
    }

    pub(super) fn as_ints(&self) -> Option<&[Num]> {
        match &self.data {
            Data::Ints(all) => Some(all),
            _ => None,
        }
    }

    pub(super) fn as_elements(&self) -> Option<&Rc<Vec<Element>>> {
        match &self.data {
            Data::Elements(all) => Some(all),
            _ => None,
        }
    }
}
