//! The states that recurrent operations begin with, where those are not zeros.

use gatelet::net::{Kind, Net};

/// What a recurrent operation begins with.
#[derive(Clone, Debug, PartialEq)]
pub struct Start {
    /// The operation, from 0.
    pub operation: usize,
    /// `[units]`
    pub h: Vec<f32>,
    /// `[units]` of an LSTM; else empty.
    pub c: Vec<f32>,
}

/// Numbers of h and c of an operation.
pub(crate) fn sizes(kind: Kind) -> (usize, usize) {
    match kind {
        Kind::Lstm { units, .. } => (units, units),
        kind if kind.is_recurrent() => (kind.units(), 0),
        _ => (0, 0),
    }
}

/// Whether starts are those of a net, in the order of its operations.
///
/// # Errors
/// What is not.
pub(crate) fn check(starts: &[Start], net: &Net) -> Result<(), String> {
    let mut next = 0;
    for start in starts {
        let operation = start.operation;
        let kind = net.operation(operation).map(|of| of.kind);
        let kind = kind.filter(|kind| operation >= next && kind.is_recurrent());
        let kind = kind.ok_or_else(|| {
            format!("a start state of operation {operation}, which is not the next recurrent one")
        })?;
        let (found, expected) = ((start.h.len(), start.c.len()), sizes(kind));
        if found != expected {
            return Err(format!(
                "the start state of operation {operation} has {found:?} numbers of h and c, \
                 expected {expected:?}"
            ));
        }
        if let Some(x) = start.h.iter().chain(&start.c).find(|x| !x.is_finite()) {
            return Err(format!(
                "the start state of operation {operation} holds {x}"
            ));
        }
        next = operation + 1;
    }
    Ok(())
}
