//! Streaming inference for recurrent nets, without `std`, allocation or panics.
//!
//! *Train a recurrent net on your computer, flash it on a microcontroller, and it predicts exactly the same characters
//! in both places.* This crate is the part that runs in both places.
//!
//! # Layers, from the outside in
//!
//! - [`complete`](Completer), [`sample`](Sampler), [`history`](History): text from scores, and undo.
//! - [`session`](Session): one stream of tokens through a model; the state is in the caller's memory.
//!   [`batch`](Batch): several at once, on hosts.
//! - [`kernel`]: the arithmetic of a step. `kernel/scalar.rs` is the specification; read it first.
//! - [`model`](Model): checked once, in `load`; [`layer`] and [`matrix`]: borrowed views of its weights.
//! - [`format`]: the model image, for readers and writers; [`vocab`](Vocab), [`words`], [`dims`](Dims): what it is made
//!   of. [`tokenizer`](Tokenizer): a text to the tokens of a model of words.
//! - [`visible`]: text from anywhere, as marks that a terminal shows and does not act on.
//!
//! # Example
//!
//! ```
//! use gatelet::{Isa, Model, Native, Session};
//! # use gatelet::format::{self, HeadSpec, ImageSpec, KnownAnswer, LayerSpec, Provenance, VocabSpec};
//! # use gatelet::{AlignedBytes, Cell, Dims, Precision};
//! # let dims = Dims::new(Cell::Rnn, Precision::F32, 1, 2, 3)?;
//! # let input = [0.5, -0.5, 0.1, 0.9, -0.3, 0.2];
//! # let layer = [LayerSpec::F32 { input: &input, weights: &[0.1, 0.2, 0.0, 0.0, 0.3, -0.4, 0.0, 0.0] }];
//! # let head = [1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0];
//! # let spec = ImageSpec {
//! #     dims, layout: gatelet::Layout::Rows, vocab: VocabSpec::Characters(&['a', 'b', 'c']),
//! #     embedding: None, layers: &layer, projection: None,
//! #     head: HeadSpec::F32 { weights: &head, bias: &[0.0, 0.0, 0.0] },
//! #     provenance: Provenance::default(), known_answer: KnownAnswer::default(),
//! #     rules: gatelet::TextRules::default(),
//! # };
//! # let mut buffer = AlignedBytes([0; 1024]);
//! # let length = format::write_image(&spec, &mut buffer.0)?;
//! # let image = &buffer.0[..length];
//! let model = Model::from_bytes(image)?; // checks everything, borrows the weights
//! let mut storage = [0; 64]; // model.dims().state_words() of them are used
//! let mut session = Session::new(model, Native::default(), &mut storage)?;
//! for character in "abca".chars() {
//!     let id = model.vocab().id_of(character).ok_or("not in the vocabulary")?;
//!     let logits = session.step(id)?;
//!     println!("after {character:?}: {:?}", logits.top::<3>());
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! `Isa::detect().run(..)` takes the fastest kernel of a host, and [`format::repack`] the layout that it reads best. With
//! [`Dims::ahead_words`] more of storage steps are faster there.
//!
//! # Guarantees
//!
//! - int8 models give the same bits with every kernel on every machine (docs/numerics.md).
//! - No input makes this crate panic, allocate, or read outside its slices; a bad image is refused with an error that
//!   names the field or section. `firmware/src/bin/panic_probe.rs` proves the absence of panics at link time.
//! - No `unsafe` outside `arch/`.

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
mod complete;
pub mod conformance;
mod dims;
mod error;
pub mod format;
mod four_bits;
mod hash;
mod header;
mod history;
pub mod kernel;
pub mod layer;
mod load;
mod logits;
pub mod matrix;
mod model;
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
pub mod visible;
mod vocab;
pub mod words;
mod write;

pub use batch::Batch;
pub use complete::{Completer, Completion, words_with};
pub use dims::{Cell, Dims, Layout, Precision};
pub use error::{
    DimsError, LayoutError, LoadError, SectionName, SelfTestError, SessionError, SnapshotError,
    StepError, WriteError,
};
pub use format::{KnownAnswer, Provenance, Section, SectionKind};
pub use four_bits::FourBits;
pub use hash::StateHash;
pub use history::History;
#[cfg(armv7em)]
pub use kernel::Armv7em;
#[cfg(mve)]
pub use kernel::Mve;
pub use kernel::{
    Isa, Kernel, Native, NativeNibbleRows, NativeNibbles, NativeRows, Nibbles, Plain, Portable,
    Scalar, Thumb, WithKernel,
};
pub use layer::{
    Embedding, EmbeddingF32, EmbeddingInt8, Head, HeadF32, HeadInt8, Layer, LayerF32, LayerInt8,
};
pub use logits::{Logits, Suggestion};
pub use matrix::{MatrixF32, MatrixInt8};
pub use model::Model;
pub use order::RowOrder;
pub use rules::{Normalisation, TextRules, UNKNOWN};
pub use sample::{Sampler, SamplerError};
pub use session::Session;
pub use state::{AlignedBytes, StateBuf};
pub use tokenizer::Tokenizer;
pub use vocab::{TokenId, Vocab};
pub use words::Word;
