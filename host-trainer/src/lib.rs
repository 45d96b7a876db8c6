//! Training for Gatelet: a text goes in, a checkpoint and a `.gatelet` image come out.
//!
//! # The pipeline
//!
//! ```text
//! text -> corpus -> train ( learner ( net ( engine ), optim ) ) -> checkpoint -> quantize -> export -> image -> core
//! ```
//!
//! - [`corpus`] turns a text of any size into token ids and holds back its last part.
//! - [`net`] trains any list of operations: its parameters in one flat buffer, losses, and the
//!   gradient of a window, on the products and the recurrent step of [`engine`]. Everything is
//!   generic over [`real::Real`]: `f32` to train, on core's kernels; `f64`, plainly, for the
//!   gradient tests. [`shape`] is the short way to say the nets that the command line builds.
//! - [`learner`] is the one training loop, over data behind one trait: the windows of a text
//!   ([`train`]), sequences that have nothing to do with each other ([`sequences`]; [`agreement`]
//!   makes such, with a lag to choose), rows of numbers ([`rows`]). [`optim`] turns a gradient into
//!   an update, [`run`] and [`curves`] a run into files.
//! - [`checkpoint`] is safetensors with PyTorch's names; it also holds what a run needs to be
//!   resumed exactly, under a checksum ([`seal`]).
//! - [`config`] is everything that decides a run, [`recipe`] chooses what of it is not given by the
//!   amount of text, [`preset`] is a choice in one word, [`footprint`] what a net will need on a
//!   device, [`dropout`] the masks of a step. [`verdict`] says what a run's curve says.
//! - [`quantize`] turns parameters into the integers of docs/numerics.md; [`export`] chooses the
//!   ranges of the cell state, measures what is lost ([`evaluate`], [`calibrate`], [`closed_loop`])
//!   and writes the image, unless that is past the bounds of [`acceptance`]. [`typing`] counts the
//!   keystrokes that a model of words saves by what it [suggests](suggest).
//! - [`image`] is a model in memory; whatever is said about a model ([`report`], [`evaluate`],
//!   [`write_on`]) comes from `core`'s own session, the code that also runs on the device.
//! - To look at: [`samples`] are kept while training; [`findings`] asks a run what it knows
//!   ([`unroll`], [`lag`], [`gates`], [`confusion`], [`device`]); [`figure`] draws it and [`page`]
//!   shows it, with [`units`]. [`runs`] reads run folders, [`sweep`] makes many of them within a
//!   budget, and [`pareto`] tells which are worth their size.
//! - The course's systems (`examples/`, docs/course.md) take rows of words from [`ngrams`]
//!   and recurrent nets that answer at the end of a sequence from [`many_to_one`].
//! - [`cli`] is the program `gatelet`.
//!
//! # Example
//!
//! ```
//! use gatelet_trainer::config::Config;
//! use gatelet_trainer::corpus::{Corpus, Text};
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

pub mod acceptance;
pub mod agreement;
pub mod any_model;
pub mod blame;
pub mod calibrate;
pub mod checkpoint;
pub mod cli;
pub mod closed_loop;
pub mod config;
pub mod confusion;
pub mod corpus;
pub mod curves;
pub mod device;
pub mod dropout;
pub mod engine;
pub mod error;
pub mod evaluate;
pub mod explain;
pub mod export;
pub mod figure;
pub mod files;
pub mod findings;
pub mod float_net;
pub mod footprint;
pub mod gates;
mod hex;
pub mod image;
pub mod isa;
pub mod lag;
pub mod learned;
pub mod learner;
pub mod many_to_one;
pub mod memory;
pub mod net;
pub mod ngrams;
pub mod optim;
pub mod page;
pub mod pareto;
pub mod preset;
pub mod qat;
pub mod quantize;
pub mod random;
mod ranges;
pub mod real;
pub mod recipe;
pub mod report;
pub mod row_range;
pub mod rows;
pub mod run;
pub mod runs;
pub mod samples;
pub mod seal;
pub mod sequences;
pub mod shape;
mod shell;
pub mod suggest;
pub mod suite;
pub mod sweep;
pub mod train;
pub mod typing;
pub mod units;
pub mod unroll;
mod vector;
pub mod verdict;
pub mod write_on;
