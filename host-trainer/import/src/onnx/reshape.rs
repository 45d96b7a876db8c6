//! Reshape and Flatten: the same numbers in the same order, with other axes between them.
//!
//! Both shapes are products of the same factors: fixed sizes, and the sizes of batch and time. New
//! axes take factors from the front, up to an axis of -1, and from the back, down to it.

use std::collections::VecDeque;

use super::proto::Node;
use super::reader::Reader;
use super::step::Step;
use super::tensor::{Axis, Num, Tensor};

#[derive(Clone, Debug)]
enum Factor {
    Fixed(usize),
    Outer(usize),
}

/// A new axis: a size that is known, outer axes, or what is left over.
enum Wanted {
    Fixed(usize),
    Outer(usize, Vec<usize>),
    Rest,
}

fn flattens<T>(node: &Node) -> Step<T> {
    node.refuse(
        "it puts several steps (or batch entries) into one row, for a fixed length",
        "a stream has one step at a time: read the last step, or a layer applied to every step",
    )
}

/// Takes factors for a new axis from the front, or from the back.
fn take(
    reader: &Reader,
    node: &Node,
    factors: &mut VecDeque<Factor>,
    back: bool,
    wanted: &Wanted,
) -> Step<Axis> {
    let mut ids = Vec::new();
    let (mut fixed, outers) = match wanted {
        Wanted::Fixed(len) => (*len, 0),
        Wanted::Outer(times, of) => (*times, of.len()),
        Wanted::Rest => (1, 0),
    };
    let whole = fixed;
    while fixed > 1 || ids.len() < outers {
        let next = if back {
            factors.pop_back()
        } else {
            factors.pop_front()
        };
        match next {
            // A known size may be that of an outer axis.
            Some(Factor::Outer(id)) if outers == 0 && reader.outers.size(id) == Some(fixed) => {
                ids.push(id);
                fixed = 1;
                continue;
            }
            Some(Factor::Outer(id)) if ids.len() < outers => ids.push(id),
            Some(Factor::Fixed(len)) if fixed > 1 && fixed.is_multiple_of(len) => fixed /= len,
            Some(Factor::Fixed(len)) if fixed > 1 && len.is_multiple_of(fixed) => {
                let left = Factor::Fixed(len / fixed);
                if back {
                    factors.push_back(left)
                } else {
                    factors.push_front(left)
                }
                fixed = 1;
            }
            Some(Factor::Outer(_)) => return flattens(node),
            _ => {
                return node.refuse(
                    "its new shape does not fit the shape of what it reads",
                    "export the model with the sizes it runs with",
                );
            }
        }
    }
    if back {
        ids.reverse();
    }
    match (ids.is_empty(), wanted) {
        (true, _) => Ok(Axis::fixed(whole)),
        (false, Wanted::Outer(times, _)) if *times > 1 => flattens(node),
        (false, _) => Ok(Axis::Outer(ids)),
    }
}

/// `tensor` with axes of these sizes: 0 is the size that is there, -1 what is left over.
pub(super) fn reshape(
    reader: &Reader,
    node: &Node,
    tensor: &Tensor,
    shape: &[Num],
) -> Step<Tensor> {
    let mut factors = VecDeque::new();
    for axis in &tensor.axes {
        match axis {
            Axis::Fixed { len: 1, .. } => {}
            Axis::Fixed { len, .. } => factors.push_back(Factor::Fixed(*len)),
            Axis::Outer(ids) => factors.extend(ids.iter().map(|id| Factor::Outer(*id))),
        }
    }
    let mut wanted = Vec::new();
    for (k, num) in shape.iter().enumerate() {
        let copied = match (num, node.int("allowzero").unwrap_or(0)) {
            (Num::Known(0), 0) => match tensor.axes.get(k) {
                Some(axis) => reader.outers.num(axis),
                None => return node.wrong("its new shape copies an axis that is not there"),
            },
            _ => num.clone(),
        };
        wanted.push(match copied {
            Num::Known(-1) => Wanted::Rest,
            Num::Known(len) => match usize::try_from(len) {
                Ok(len) => Wanted::Fixed(len),
                Err(_) => return node.wrong(format!("its new shape has an axis of {len}")),
            },
            Num::Size { times, of, plus: 0 } if times > 0 => {
                Wanted::Outer(usize::try_from(times).unwrap_or(usize::MAX), of)
            }
            _ => return flattens(node),
        });
    }
    let is_rest = |wanted: &Wanted| matches!(wanted, Wanted::Rest);
    let rest = wanted.iter().position(is_rest);
    let (front, back) = wanted.split_at(rest.unwrap_or(wanted.len()));
    let back = back.get(1..).unwrap_or_default();
    if back.iter().any(is_rest) {
        return node.wrong("its new shape has two axes of -1");
    }
    let mut axes = Vec::new();
    for wanted in front {
        axes.push(take(reader, node, &mut factors, false, wanted)?);
    }
    let mut last = Vec::new();
    for wanted in back.iter().rev() {
        last.push(take(reader, node, &mut factors, true, wanted)?);
    }
    let left: Vec<Factor> = factors.into();
    let mut ids = Vec::new();
    let mut fixed = 1_usize;
    for factor in &left {
        match factor {
            Factor::Fixed(len) => fixed = fixed.saturating_mul(*len),
            Factor::Outer(id) => ids.push(*id),
        }
    }
    match (rest, ids.is_empty(), fixed) {
        (None, true, 1) => {}
        (Some(_), true, len) => axes.push(Axis::fixed(len)),
        (Some(_), false, 1) => axes.push(Axis::Outer(ids)),
        _ => return flattens(node),
    }
    axes.extend(last.into_iter().rev());
    Ok(tensor.with_axes(axes))
}

impl Reader {
    pub(super) fn reshape(&mut self, node: &Node) -> Step<Tensor> {
        let tensor = self.input(node, 0)?;
        let Some(shape) = self.numbers(node, "shape", 1)? else {
            return node.wrong("it has no new shape");
        };
        // An axis of the input that goes apart from the others was batch or time.
        let dims: Option<Vec<i64>> = shape.iter().map(|num| self.outers.known(num)).collect();
        let same = dims.is_none_or(|dims| dims.len() >= tensor.axes.len());
        let fixed = tensor.axes.iter().filter(|axis| axis.len() != Some(1));
        if !same && fixed.clone().count() > 2 {
            for axis in &tensor.axes {
                self.outers.must_be(axis)?;
                if axis.len() != Some(1) {
                    break;
                }
            }
        }
        reshape(self, node, &tensor, &shape)
    }

    /// The axes before `axis` as one, and the others as one.
    pub(super) fn flatten(&mut self, node: &Node) -> Step<Tensor> {
        let tensor = self.input(node, 0)?;
        let rank = tensor.axes.len();
        let axis = match node.int("axis").unwrap_or(1) {
            axis if usize::try_from(axis) == Ok(rank) => rank,
            axis => self.axis(node, axis, rank)?,
        };
        let mut axes = Vec::new();
        for part in [&tensor.axes[..axis], &tensor.axes[axis..]] {
            let (mut ids, mut fixed) = (Vec::new(), 1_usize);
            for axis in part {
                match axis {
                    Axis::Fixed { len, .. } => fixed = fixed.saturating_mul(*len),
                    Axis::Outer(of) => ids.extend(of),
                }
            }
            axes.push(match (ids.is_empty(), fixed) {
                (true, len) => Axis::fixed(len),
                (false, 1) => Axis::Outer(ids),
                _ => return flattens(node),
            });
        }
        Ok(tensor.with_axes(axes))
    }
}
