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
//! - [`kernel`]: the arithmetic of a step. `kernel/scalar.rs` is the specification; read it first.
//! - [`Model`]; [`net`]: what it consists of, as a list of operations; [`layer`] and [`matrix`]: borrowed
//!   views of its weights.
//! - [`format`](mod@format): the model image, for readers and writers; [`Vocab`], [`words`], [`Dims`]: what it is made of.
//!   [`Tokenizer`]: a text to the tokens of a model of words.
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

pub mod activation;
mod arch;
mod batch;
mod cell;
mod complete;
pub mod conformance;
mod dims;
pub mod error;
pub mod format;
mod four_bits;
mod hash;
mod header;
mod history;
mod include;
pub mod kernel;
pub mod layer;
mod load;
mod logits;
pub mod matrix;
mod model;
pub mod net;
pub mod nibbles;
pub mod order;
mod repack;
mod rules;
mod sample;
mod session;
mod simd;
mod spec;
mod state;
mod tiles;
mod tokenizer;
mod views;
pub mod visible;
mod vocab;
pub mod words;
mod write;

// What a program names first.
pub use error::Error;
pub use include::Included;
pub use logits::{Logits, Suggestion};
pub use model::Model;
pub use session::{Session, StateView, StepInput};
pub use state::{AlignedBytes, StateBuf};
pub use vocab::{TokenId, Vocab};

// What else is at home here.
pub use batch::Batch;
pub use complete::{Completer, Completion, words_with};
pub use dims::{Cell, Dims, Layout, Precision};
pub use four_bits::FourBits;
pub use hash::StateHash;
pub use history::History;
pub use rules::{Normalisation, TextRules, UNKNOWN};
pub use sample::Sampler;
pub use tokenizer::Tokenizer;

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
    Isa, Kernel, Native, NativeF32, NativeNibbleRows, NativeNibbles, NativeRows, Nibbles, Only,
    Portable, Scalar, Thumb, WithKernel,
};
#[doc(hidden)]
pub use layer::{
    DenseF32, DenseInt8, EmbeddingF32, EmbeddingInt8, GruF32, GruInt8, LayerF32, LayerInt8, Weights,
};
#[doc(hidden)]
pub use matrix::{MatrixF32, MatrixInt8};
#[doc(hidden)]
pub use order::RowOrder;
#[doc(hidden)]
pub use words::Word;
