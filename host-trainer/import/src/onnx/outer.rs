//! The outer axes: batch and time, which of them are the same, and what sizes are known.

use super::proto::Node;
use super::step::{Step, Stop};
use super::tensor::{Axis, Num, Origin};

/// What an outer axis is, once a recurrent node says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Time,
    Batch,
}

#[derive(Clone, Debug)]
struct Outer {
    /// The axis that it is the same as, or itself.
    same: usize,
    size: Option<usize>,
    role: Option<Role>,
    origin: Origin,
}

#[derive(Debug, Default)]
pub(super) struct Outers {
    all: Vec<Outer>,
}

impl Outers {
    pub(super) fn add(&mut self, size: Option<usize>, origin: Origin) -> usize {
        let same = self.all.len();
        self.all.push(Outer {
            same,
            size,
            role: None,
            origin,
        });
        same
    }

    /// The first of those that are the same.
    pub(super) fn first(&self, mut id: usize) -> usize {
        while self.all[id].same != id {
            id = self.all[id].same;
        }
        id
    }

    pub(super) fn size(&self, id: usize) -> Option<usize> {
        self.all[self.first(id)].size
    }

    pub(super) fn role(&self, id: usize) -> Option<Role> {
        self.all[self.first(id)].role
    }

    pub(super) fn origin(&self, id: usize) -> Origin {
        self.all[self.first(id)].origin
    }

    /// Whether any of these may be time.
    pub(super) fn time(&self, axes: &[Axis]) -> bool {
        axes.iter().any(|axis| match axis {
            Axis::Outer(ids) => ids.iter().any(|id| self.role(*id) != Some(Role::Batch)),
            Axis::Fixed { .. } => false,
        })
    }

    /// A recurrent node says what an axis is.
    pub(super) fn is(&mut self, node: &Node, id: usize, role: Role) -> Step<()> {
        let id = self.first(id);
        match self.all[id].role.replace(role) {
            Some(other) if other != role => node.refuse(
                "it runs over another axis than the recurrent layers before it",
                "a stream has one time: check batch_first or layout",
            ),
            _ => Ok(()),
        }
    }

    /// Two axes turn out to be the same.
    pub(super) fn unify(&mut self, node: &Node, a: &[usize], b: &[usize]) -> Step<()> {
        if a.len() != b.len() {
            return node.refuse(
                "it puts batch and time of two values together differently",
                "keep batch and time apart",
            );
        }
        for (a, b) in a.iter().zip(b) {
            let (a, b) = (self.first(*a), self.first(*b));
            let (of, other) = (self.all[a].clone(), self.all[b].clone());
            let roles = of.role.is_some() && other.role.is_some() && of.role != other.role;
            let sizes = of.size.is_some() && other.size.is_some() && of.size != other.size;
            if roles || sizes {
                return node.refuse(
                    "it reads one value for each step and one that has another length",
                    "all values of a step must belong to one time",
                );
            }
            self.all[b].same = a;
            self.all[a].role = of.role.or(other.role);
            self.all[a].size = of.size.or(other.size);
        }
        Ok(())
    }

    /// Stops the walk with the knowledge that a fixed axis is batch or time, if it can be.
    pub(super) fn must_be(&self, axis: &Axis) -> Step<()> {
        match axis {
            Axis::Fixed {
                origin: Some(origin),
                len,
            } if *len > 1 => Err(Stop::Outer(*origin)),
            _ => Ok(()),
        }
    }

    /// Stops the walk with the knowledge of an axis's size, if it had none.
    pub(super) fn must_have(&self, axis: &Axis, len: usize) -> Step<()> {
        match axis {
            Axis::Outer(ids) if ids.len() == 1 => match (self.size(ids[0]), self.role(ids[0])) {
                (None, None) => Err(Stop::Fixed(self.origin(ids[0]), len)),
                _ => Ok(()),
            },
            _ => Ok(()),
        }
    }

    /// The size of an axis.
    pub(super) fn num(&self, axis: &Axis) -> Num {
        match axis {
            Axis::Fixed { len, .. } => Num::Known(i64::try_from(*len).unwrap_or(i64::MAX)),
            Axis::Outer(ids) => Num::Size {
                times: 1,
                of: ids.iter().map(|id| self.first(*id)).collect(),
                plus: 0,
            },
        }
    }

    /// The number, where the sizes that it depends on are known.
    pub(super) fn known(&self, num: &Num) -> Option<i64> {
        match num {
            Num::Known(x) => Some(*x),
            Num::Size { times, of, plus } => {
                let mut all = *times;
                for id in of {
                    all = all.checked_mul(i64::try_from(self.size(*id)?).ok()?)?;
                }
                all.checked_add(*plus)
            }
            Num::Unknown => None,
        }
    }
}
