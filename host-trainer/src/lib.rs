//! Training for Gatelet: a text goes in, a checkpoint and a `.gatelet` image come out.
//!
//! # The layers
//!
//! ```text
//! cli                                                     the program `gatelet`
//! page, figure                                            what is shown and drawn
//! analysis                                                what can be said about a run and its net
//! any_model, evaluate, stream, listen, import             a model's file, run by core's session
//! train                                                   runs: options, optimizers, checkpoints
//! quantize                                                integers: ranges, QAT, images
//! data                                                    texts, tables, sequences, rows -> a window
//! net, engine                                             parameters, losses, backpropagation
//! image, isa, files, memory, real, error, units           what all of them stand on
//! ```
//! No file imports another that imports it, however far around (`cargo xtask circles`).
//!
//! # The pipeline
//!
//! ```text
//! text -> data -> train ( net ( engine ) ) -> checkpoint -> quantize -> image -> core
//! ```
//!
//! - [`data::corpus`] turns a text of any size into token ids and holds back its last part. Whatever
//!   else is learnt from is a [`data::Data`]: [`data::sequences`], [`data::rows`], or your own.
//! - [`net`] computes loss and gradient of a window of any list of operations: [`engine`] has the
//!   matrix products and the recurrent step. Everything is generic over [`real::Real`]: `f32` to
//!   train, on packed panels; `f64`, plainly, for the gradient tests.
//! - [`train::learner`] is the loop, [`train::optim`] turns a gradient into an update, and
//!   [`train`] makes a run of it, whose files [`train::run`] keeps. [`train::checkpoint`] is
//!   safetensors with PyTorch's names, under a checksum ([`seal`]), and holds what a run needs
//!   to be resumed exactly. [`train::config`] is everything that decides a run; [`train::recipe`]
//!   chooses what of it is not given; [`train::verdict`] says what the curve says.
//! - [`quantize`] turns parameters into the integers of docs/numerics.md, [`quantize::qat`] trains
//!   through them, and [`quantize::export`] chooses ranges, measures what is lost
//!   ([`quantize::closed_loop`]) and writes the image, unless that is past the bounds of
//!   [`quantize::acceptance`].
//! - [`image`] is a model in memory; whatever is said about a model comes from `core`'s own session,
//!   the code that also runs on the device.
//! - [`analysis::findings`] asks a run what it knows; [`figure`] draws it and [`page`] shows it.
//!   [`analysis::sweep`] makes many runs within a budget.
//! - The course's systems (`examples/`, docs/course.md) take rows of words from [`data::ngrams`]; a
//!   net that answers at the end of a sequence is a run on [`train::series`] of tokens.
//!
//! # Example
//!
//! ```
//! use gatelet_trainer::train::config::Config;
//! use gatelet_trainer::data::corpus::{Corpus, Text};
//! use gatelet_trainer::train::Trainer;
//!
//! let text = Text::from_bytes("song".into(), "la la li la la lo ".repeat(40).into_bytes())?;
//! let config = Config { hidden: 16, batch: 4, window: 16, lr: 0.02, warmup: 0, ..Config::default() };
//! let corpus = Corpus::new(&text, config.valid_fraction)?;
//! let mut trainer = Trainer::new(&corpus, config, "an example".into())?;
//! let before = trainer.evaluate()?;
//! for _ in 0..60 {
//!     trainer.step()?;
//! }
//! assert!(trainer.evaluate()? < before / 2.0);
//! # Ok::<(), gatelet_trainer::error::Error>(())
//! ```

#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod analysis;
pub mod any_model;
pub mod cli;
pub mod data;
pub mod engine;
pub mod error;
pub mod evaluate;
pub mod figure;
pub mod files;
mod hex;
pub mod image;
pub mod import;
pub mod isa;
pub mod listen;
pub mod memory;
pub mod net;
pub mod page;
pub mod quantize;
pub mod random;
pub mod real;
pub mod seal;
mod shell;
pub mod stream;
pub mod train;
pub mod units;
mod vector;
