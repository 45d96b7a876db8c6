//! Many shapes under a budget: which jobs there are, which are done, and which nets are worth their size.
//!
//! ```text
//! grid    every cell x layers x hidden x embedding x projection x tied that a net can have
//! random  from the same lists, but hidden log-uniform between its least and its most, in fours
//! within  int8 image <= max flash, estimated instructions <= max instructions, on the processor of --board
//! job     = gatelet train DATA --out DIR/lstm-1x64 --cell lstm --hidden 64 ...   a plain command
//! front   = jobs that no other is cheaper and better than                                      [`crate::analysis::pareto`]
//! better  = a lower held-out loss of a text; of sequences better answers of the int8 image
//! ```
//! A job is known by its folder: done when its run has ended, to be resumed when it has a checkpoint, else to be started.
//! So a sweep can be stopped at any moment, run by any scheduler, and looked at while it is going on.

mod amount;
mod candidates;
mod common;
mod int8;
mod job;
mod space;

pub use amount::{bytes, instructions};
pub use candidates::{Budget, Candidate, Source, candidates};
pub use common::{COMMON, Common};
pub use int8::{Int8, Known};
pub use job::{Job, State};
pub use space::Space;

#[cfg(test)]
mod tests;
