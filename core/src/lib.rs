//! Streaming inference for recurrent nets, without `std`, allocation or panics.
//!
//! *Train a recurrent net on your computer, flash it on a microcontroller, and it predicts exactly the same characters
//! in both places.* This crate is the part that runs in both places.
//!
//! - [`include_model!`] puts a model into the program, or [`Model::from_bytes`] takes it from anywhere: a [`Model`] is
//!   checked once, and borrows its weights.
//! - [`Session`]: one stream of characters or words through a model; the state is in the caller's memory.
//! - [`Logits`]: the scores of what comes next, to choose or draw from.
//!
//! ```
#![doc = include_str!("../examples/predict.rs")]
//! ```
//!
//! On a host, `Isa::detect().run(..)` takes the fastest kernel, and [`format::repack`] the layout that it reads best. With
//! [`Net::pipeline_words`](net::Net::pipeline_words) more of storage steps are faster there.
//!
//! # What there is, from the outside in
//!
//! - [`Completer`], [`Sampler`], [`History`]: text from scores, and undo. [`visible`]: text from anywhere, as marks that a
//!   terminal shows and does not act on.
//! - [`Session`], and on hosts [`Batch`]: several streams at once. [`Error`] is any of the errors in [`error`].
//! - [`front`]: features made of samples of sound, where a model has that.
//! - [`kernel`]: the arithmetic of a step. `kernel/scalar.rs` is the specification; read it first.
//! - [`Model`]; [`net`]: what it consists of, as a list of operations; [`layer`] and [`matrix`]: borrowed
//!   views of its weights.
//! - [`format`](mod@format): the model image, for readers and writers; [`Vocab`], [`words`], [`Dims`]: what it is made of.
//!   [`Tokenizer`]: a text to the tokens of a model of words.
//!
//! # Folders
//!
//! ```text
//! fixed, net  <-  weights  <-  cell  <-  kernel  <-  session        arch: assembly and intrinsics
//!        net  <-  text     <-  image                <-  session
//!                 front    <-  image                <-  session
//! ```
//!
//! - `fixed/`: fixed-point numbers. `net/`: the list of operations, without weights.
//! - `front/`: samples to features, in integers.
//! - `weights/`: what matrices look like in memory, and views of them.
//! - `cell/`: the operations, equation first. `kernel/`: products, and what processors have of
//!   their own; `arch/` has the instructions.
//! - `text/`: vocabularies, rules of a text, scores and what is drawn from them.
//! - `image/`: reading, the only place that checks, and writing.
//! - `session/`: streams, batches, snapshots, completion.
//!
//! # Guarantees
//!
//! - int8 models give the same bits with every kernel on every machine (docs/numerics.md).
//! - No input makes this crate panic, allocate, or read outside its slices; a bad image is refused with an error that
//!   names the field or section. `firmware/src/bin/panic_probe.rs` proves the absence of panics at link time.
//! - No `unsafe` outside `arch/` and the crate `gatelet-simd`.

#![no_std]
#![deny(missing_docs, unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::unreachable
    )
)]

mod arch;
mod cell;
pub mod error;
mod fixed;
pub mod front;
mod image;
pub mod kernel;
pub mod net;
mod session;
mod text;
mod weights;

// Modules with a page.
pub use fixed::activation;
pub use image::format;
pub use session::conformance;
pub use text::{visible, words};
pub use weights::{int4, layer, matrix, order};

// What a program names first.
pub use error::Error;
pub use image::model::Model;
pub use net::TokenId;
pub use session::include::Included;
pub use session::state::{AlignedBytes, StateBuf};
pub use session::{Session, StateView, StepInput};
pub use text::logits::{Logits, Suggestion};
pub use text::vocab::Vocab;

// What else is at home here.
pub use net::dims::{Cell, Dims, Layout, Precision};
pub use net::four_bits::FourBits;
pub use session::batch::Batch;
pub use session::complete::{Completer, Completion, words_with};
pub use session::hash::StateHash;
pub use session::history::History;
pub use text::rules::{Normalisation, TextRules, UNKNOWN};
pub use text::sample::Sampler;
pub use text::tokenizer::Tokenizer;

// What has its page in a module.
#[doc(hidden)]
pub use error::{
    DimsError, LayoutError, LoadError, NetError, SamplerError, SectionName, SelfTestError,
    SessionError, SnapshotError, StepError, WriteError,
};
#[doc(hidden)]
pub use format::{KnownAnswer, Provenance, Section, SectionKind};
#[cfg(armv7em)]
#[doc(hidden)]
pub use kernel::Armv7em;
#[cfg(fpu)]
#[doc(hidden)]
pub use kernel::Fpu;
#[cfg(mve)]
#[doc(hidden)]
pub use kernel::Mve;
#[doc(hidden)]
pub use kernel::{
    Int4, Isa, Kernel, Native, NativeF32, NativeInt4, NativeInt4Rows, NativeRows, Only, Portable,
    Scalar, Thumb, WithKernel,
};
#[doc(hidden)]
pub use layer::{
    DenseF32, DenseInt8, EmbeddingF32, EmbeddingInt8, LayerF32, LayerInt8, RecurrentF32,
    RecurrentInt8, Weights,
};
#[doc(hidden)]
pub use matrix::{MatrixF32, MatrixInt8};
#[doc(hidden)]
pub use order::RowOrder;
#[doc(hidden)]
pub use words::Word;
