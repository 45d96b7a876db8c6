//! How the walk over a graph ends early: with an error, or with what it learnt about an input.

use super::proto::Node;
use super::tensor::Origin;
use crate::error::{Error, refused};

/// Why a walk ends early.
#[derive(Debug)]
pub(super) enum Stop {
    Error(Error),
    /// An axis of an input is batch or time.
    Outer(Origin),
    /// An axis of an input without a size has this one.
    Fixed(Origin, usize),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

pub(super) type Step<T> = Result<T, Stop>;

impl Node {
    pub(super) fn error(&self, what: impl Into<String>, remedy: impl Into<String>) -> Error {
        refused(&self.label(), what, remedy)
    }

    pub(super) fn refuse<T>(&self, what: impl Into<String>, remedy: impl Into<String>) -> Step<T> {
        Err(self.error(what, remedy).into())
    }

    /// For what no right file has.
    pub(super) fn wrong<T>(&self, what: impl Into<String>) -> Step<T> {
        self.refuse(what, "check the file with onnx.checker")
    }
}
