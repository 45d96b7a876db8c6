//! What an operation reads: one value as it is, or several side by side.

use gatelet::net::{Kind, Net, Value};

use super::common::{Gradient, Made, Sink};
use super::tensors::inputs;
use crate::engine::Engine;

/// Where a part comes from, and how many numbers a step has.
#[derive(Clone, Copy, Debug)]
struct Source {
    /// The operation; none for the features.
    operation: Option<usize>,
    width: usize,
}

impl Source {
    fn read<'a, F: Engine>(&self, below: &'a [impl Made<F>], features: &'a [F]) -> &'a [F] {
        match self.operation {
            None => features,
            Some(index) => below[index].value(),
        }
    }

    /// Where its gradient goes.
    fn sink<'a, F: Engine>(&self, gradients: &'a mut [Gradient<F>]) -> Option<Sink<'a, F>> {
        let gradient = &mut gradients[self.operation?];
        Some(Sink {
            dx: &mut gradient.numbers,
            add: std::mem::replace(&mut gradient.written, true),
        })
    }
}

/// What an operation reads, without a token.
#[derive(Clone, Debug)]
pub(super) struct Operand<F> {
    sources: Vec<Source>,
    /// [T, rows, inputs]: parts side by side, and their gradient; empty where there is one, or
    /// where they are added.
    gathered: Vec<F>,
    d_gathered: Vec<F>,
}

impl<F: Engine> Operand<F> {
    /// The operand of operation `index`, over so many steps.
    pub(super) fn new(net: &Net, index: usize, steps: usize) -> Self {
        let operation = net.operation(index);
        let parts = operation.iter().flat_map(|of| of.operand.parts());
        let source = |value: Value| Source {
            operation: value.operation(),
            width: net.width(value),
        };
        let sources: Vec<Source> = parts.map(source).filter(|of| of.width > 0).collect();
        let is_add = operation.is_some_and(|of| of.kind == Kind::Add);
        let several = sources.len() > 1 && !is_add;
        let room = if several {
            steps * inputs(net, index)
        } else {
            0
        };
        Self {
            sources,
            gathered: vec![F::zero(); room],
            d_gathered: vec![F::zero(); room],
        }
    }

    /// Puts parts side by side, if there are several.
    pub(super) fn gather(&mut self, below: &[impl Made<F>], features: &[F]) {
        if self.gathered.is_empty() {
            return;
        }
        let inputs: usize = self.sources.iter().map(|source| source.width).sum();
        let mut at = 0;
        for source in &self.sources {
            let (from, width) = (source.read(below, features), source.width);
            let rows = self.gathered.chunks_exact_mut(inputs);
            rows.zip(from.chunks_exact(width))
                .for_each(|(to, from)| to[at..at + width].copy_from_slice(from));
            at += width;
        }
    }

    /// [T, rows, inputs]: what is read, once it is gathered; nothing of a token.
    pub(super) fn read<'a>(&'a self, below: &'a [impl Made<F>], features: &'a [F]) -> &'a [F] {
        match (self.gathered.is_empty(), self.sources.first()) {
            (false, _) => &self.gathered,
            (true, Some(source)) => source.read(below, features),
            (true, None) => &[],
        }
    }

    /// Whether a part is the features.
    pub(super) fn reads_features(&self) -> bool {
        self.sources.iter().any(|source| source.operation.is_none())
    }

    /// Whether parts are put side by side.
    pub(super) fn is_gathered(&self) -> bool {
        !self.gathered.is_empty()
    }

    /// The two values that are added.
    pub(super) fn both<'a>(
        &self,
        below: &'a [impl Made<F>],
        features: &'a [F],
    ) -> (&'a [F], &'a [F]) {
        match self.sources[..] {
            [a, b] => (a.read(below, features), b.read(below, features)),
            _ => (&[], &[]),
        }
    }

    /// What is read, and where its gradient goes: of features nowhere.
    pub(super) fn both_ways<'a>(
        &'a mut self,
        below: &'a [impl Made<F>],
        features: &'a [F],
        gradients: &'a mut [Gradient<F>],
    ) -> (&'a [F], Option<Sink<'a, F>>) {
        let Self {
            sources,
            gathered,
            d_gathered,
        } = self;
        match (gathered.is_empty(), sources.first()) {
            (false, _) => {
                let sink = Sink {
                    dx: d_gathered,
                    add: false,
                };
                (gathered, Some(sink))
            }
            (true, Some(source)) => (source.read(below, features), source.sink(gradients)),
            (true, None) => (&[], None),
        }
    }

    /// Gives the gradient of parts side by side to each of them.
    pub(super) fn distribute(&self, gradients: &mut [Gradient<F>]) {
        if self.d_gathered.is_empty() {
            return;
        }
        let inputs: usize = self.sources.iter().map(|source| source.width).sum();
        let mut at = 0;
        for source in &self.sources {
            let width = source.width;
            if let Some(Sink { dx, add }) = source.sink(gradients) {
                let rows = dx.chunks_exact_mut(width);
                for (to, from) in rows.zip(self.d_gathered.chunks_exact(inputs)) {
                    super::add::backward(&from[at..at + width], add, to);
                }
            }
            at += width;
        }
    }

    /// Every place that a gradient of parts that are added goes to.
    pub(super) fn each(&self, gradients: &mut [Gradient<F>], mut to: impl FnMut(Sink<'_, F>)) {
        for source in &self.sources {
            source.sink(gradients).into_iter().for_each(&mut to);
        }
    }
}
