//! What can be said about a run and its net, as numbers and findings.
//!
//! ```text
//! findings    what a report says of a run: lag, gates, confusion, device
//! sequences   the same of a run on sequences; answers: what an image answers; seen, shown: one sequence; roc
//! explain     where the integers differ from the real numbers
//! ranges      how large the numbers of a net get, and its gates at their ends
//! report      a model, in lines          suggest, typing, write_on   what a model offers, and is worth
//! device      flash, RAM, instructions and boards; footprint before training; blame, and what would fit
//! names       layers in words
//! sweep       many nets under a budget; pareto: which are worth their size
//! suite       models with the hashes of their states
//! ```
//! Nothing is drawn here: [`figure`](crate::figure) and [`page`](crate::page) do that.

pub mod answers;
pub mod blame;
pub mod confusion;
pub mod device;
pub mod explain;
pub mod findings;
pub mod footprint;
pub mod gates;
pub mod lag;
pub mod names;
pub mod pareto;
pub mod ranges;
pub mod report;
pub mod roc;
pub mod seen;
pub mod sequences;
mod shown;
pub mod suggest;
pub mod suite;
pub mod sweep;
pub mod typing;
pub mod write_on;
