//! The model image, `.gatelet`: reader and writer share everything in this file. docs/model-format.md
//! is normative.
//!
//! ```text
//! preamble   32 bytes: magic, version, capabilities needed, header length, image length, header CRC-32, zeros
//! header     postcard: input, operations, outputs, provenance, section table; zero-padded to a multiple of 16
//! sections   each at a multiple of 16 (64 in tile layouts), zero-padded; a CRC-32 each, so that an error names the damaged one
//! ```
//!
//! Everything is little-endian. Weights are used where they lie: a reader borrows them, and never
//! copies.

use core::fmt::{self, Display, Formatter};

use serde::Serialize;

mod codes;
mod list;

pub(crate) use self::codes::{
    LARGEST_KIND, kind_from, largest_variant, operation_entry, output_entry, precision_code,
};
pub(crate) use self::list::{layout_of, sections_for, sections_of};
pub use crate::image::header::{front_end_of, net_of, session_words};
pub use crate::image::repack::{repack, repacked_len};
pub use crate::image::spec::{
    FeatureSpec, ImageSpec, MatrixSpec, Numbers, OperationSpec, OutputSpec, VocabSpec, image_len,
    write_image,
};
pub use crate::net::ALIGN;
use crate::net::{Input, MAX_MATRICES, MAX_OPERATIONS, MAX_OUTPUTS, MAX_PARTS, Net};
pub use crate::text::words::MAX_WORD;

#[cfg(target_endian = "big")]
compile_error!(
    "model images are little-endian and borrowed in place: big-endian targets are not supported"
);

/// The first eight bytes of an image.
pub const MAGIC: [u8; 8] = *b"GATELET\0";
/// The format version that this build reads and writes.
pub const VERSION: u16 = 5;
/// Bytes of the preamble.
pub const PREAMBLE: usize = 32;
/// The most tokens of a known-answer test.
pub const MAX_KNOWN_ANSWER: usize = 64;
/// The most values of a known-answer test of features, all steps together.
pub const MAX_KNOWN_FEATURES: usize = 4096;
/// The most sections of an operation.
const MAX_SECTIONS_OF_ONE: usize = 10;
/// The most sections of an image: those of all operations, and four of the net.
pub(crate) const MAX_SECTIONS: usize = MAX_SECTIONS_OF_ONE * MAX_OPERATIONS + 4;

/// Offsets of the preamble's fields.
pub(crate) mod at {
    pub(crate) const VERSION: usize = 8;
    pub(crate) const ZEROS: usize = 10;
    pub(crate) const HEADER_LEN: usize = 12;
    pub(crate) const IMAGE_LEN: usize = 16;
    pub(crate) const HEADER_CRC: usize = 20;
    pub(crate) const CAPABILITIES: usize = 24;
    pub(crate) const LAST_ZEROS: usize = 28;
}

/// Bytes of the image that `start` begins, as its preamble says: so much of a stream is worth
/// reading. Nothing where it is no image's.
pub fn promised(start: &[u8]) -> Option<u32> {
    let field = start.get(at::IMAGE_LEN..)?.first_chunk::<4>()?;
    start
        .starts_with(&MAGIC)
        .then(|| u32::from_le_bytes(*field))
}

/// CRC-32 as in zip and Ethernet (polynomial 0x04C11DB7 reflected). On a microcontroller bit by bit: its table would take
/// 1 KiB of flash, and an image is summed once.
#[cfg(target_arch = "arm")]
pub(crate) static CRC: crc::Crc<u32, crc::NoTable> =
    crc::Crc::<u32, crc::NoTable>::new(&crc::CRC_32_ISO_HDLC);
/// CRC-32 as in zip and Ethernet (polynomial 0x04C11DB7 reflected).
#[cfg(not(target_arch = "arm"))]
pub(crate) static CRC: crc::Crc<u32> = crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC);

/// The checksum of `bytes`.
pub(crate) fn checksum(bytes: &[u8]) -> u32 {
    CRC.checksum(bytes)
}

/// The matrices of an operation, with their multipliers, in the order of
/// [`CellForm::matrices`](crate::net::CellForm::matrices).
pub(crate) const MATRICES: [[SectionKind; 2]; MAX_MATRICES] = [
    [SectionKind::Weights, SectionKind::Multipliers],
    [
        SectionKind::CandidateWeights,
        SectionKind::CandidateMultipliers,
    ],
    [SectionKind::HiddenWeights, SectionKind::HiddenMultipliers],
];

/// What a section holds. Columns are padded with zeros to a multiple of four for every value that an
/// operand consists of; slots are rows, rounded up to whole tiles in a tile layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum SectionKind {
    /// Characters: `[vocab]` u32, their code points, ascending; bytes alike. Words: see
    /// [`Words`](crate::text::words::Words).
    Vocabulary,
    /// `[n]` u16: token ids of the known-answer test; or `[n, features]` f32.
    KnownAnswer,
    /// `[features]` f32: what a feature is multiplied by to become an int8 number.
    FeatureScales,
    /// `[doubled]` u16: the features that take a second column, ascending.
    DoubledFeatures,
    /// What is added to the products of a recurrent operation: `[vocab, rows]` where it reads the
    /// token, otherwise `[rows]`, the bias; f32, or i16 in Q3.12. In slots for an LSTM and a tanh RNN.
    Input,
    /// `[rows, columns]` in the image's layout; f32, or i8. Of a GRU the gates r and z: `[2 units,
    /// columns]`. Of an embedding `[vocab, units]` in rows, unless it is tied.
    Weights,
    /// `[slots]` i32; int8 nets only. Of an embedding `[vocab]`, of a sum `[2, numbers]`.
    Multipliers,
    /// `[units]`: of a dense operation in slots; f32, or i32 in Q15.16. Of a GRU with reset after,
    /// b_h of the candidate; f32, or i32 with 12 fraction bits.
    Bias,
    /// A GRU's candidate: `[units, columns of what it reads]`.
    CandidateWeights,
    /// `[slots]` i32; int8 nets only.
    CandidateMultipliers,
    /// A GRU's candidate: `[units, columns of its own h]`.
    HiddenWeights,
    /// `[slots]` i32; int8 nets only.
    HiddenMultipliers,
    /// `[units]`: h to start from; f32, or i8.
    StartHidden,
    /// `[units]`: c of an LSTM, or h of a GRU in 16 bits, to start from; f32, or i16.
    StartCell,
    /// `[7]` u32: what makes features of samples, a [`FrontEnd`](crate::front::FrontEnd).
    FrontEnd,
}

impl SectionKind {
    const ALL: [SectionKind; 15] = [
        SectionKind::Vocabulary,
        SectionKind::KnownAnswer,
        SectionKind::FeatureScales,
        SectionKind::DoubledFeatures,
        SectionKind::Input,
        SectionKind::Weights,
        SectionKind::Multipliers,
        SectionKind::Bias,
        SectionKind::CandidateWeights,
        SectionKind::CandidateMultipliers,
        SectionKind::HiddenWeights,
        SectionKind::HiddenMultipliers,
        SectionKind::StartHidden,
        SectionKind::StartCell,
        SectionKind::FrontEnd,
    ];

    /// The number that stands for the kind in the section table.
    pub(crate) const fn code(self) -> u8 {
        self as u8 + 1
    }

    /// The kind that a number stands for.
    pub(crate) fn from_code(code: u8) -> Option<Self> {
        let index = usize::from(code).checked_sub(1)?;
        Self::ALL.get(index).copied()
    }
}

/// The matrix that a section holds, or has the multipliers of: its place in [`MATRICES`], and whether
/// it is the multipliers.
pub(crate) fn matrix_of(kind: SectionKind) -> Option<(usize, bool)> {
    let mut all = MATRICES.iter().enumerate();
    all.find_map(|(number, [weights, multipliers])| match kind {
        _ if kind == *weights => Some((number, false)),
        _ if kind == *multipliers => Some((number, true)),
        _ => None,
    })
}

impl Display for SectionKind {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SectionKind::Vocabulary => "vocabulary",
            SectionKind::KnownAnswer => "known answer",
            SectionKind::FeatureScales => "feature scales",
            SectionKind::DoubledFeatures => "doubled features",
            SectionKind::Input => "input",
            SectionKind::Weights => "weights",
            SectionKind::Multipliers => "multipliers",
            SectionKind::Bias => "bias",
            SectionKind::CandidateWeights => "candidate weights",
            SectionKind::CandidateMultipliers => "candidate multipliers",
            SectionKind::HiddenWeights => "hidden weights",
            SectionKind::HiddenMultipliers => "hidden multipliers",
            SectionKind::StartHidden => "start h",
            SectionKind::StartCell => "start c",
            SectionKind::FrontEnd => "front end",
        })
    }
}

/// Names one section of an image in an error: what it holds, and of which operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct SectionName {
    /// What the section holds.
    pub kind: SectionKind,
    /// The operation it belongs to; none for the net's own.
    pub operation: Option<usize>,
}

impl Display for SectionName {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.operation {
            Some(index) => write!(f, "operation {index} {}", self.kind),
            None => write!(f, "{}", self.kind),
        }
    }
}

/// One section of an image, as its table tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Section {
    /// What it holds, and of which operation.
    pub name: SectionName,
    /// Bytes from the start of the image.
    pub offset: usize,
    /// Bytes, without padding.
    pub bytes: usize,
    /// CRC-32 of the bytes.
    pub crc32: u32,
}

/// Where a model comes from. Borrowed from the image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Provenance<'a> {
    /// Name of the corpus it was trained on.
    pub corpus: &'a str,
    /// SHA-256 of the corpus' bytes.
    pub corpus_sha256: [u8; 32],
    /// The command that trains it again.
    pub command: &'a str,
    /// Name and version of the trainer.
    pub trainer: &'a str,
    /// Seed of the training.
    pub seed: u64,
    /// Loss in nats per token on the held-out part, before quantization; NaN if it was not measured.
    pub nats_f32: f32,
    /// Loss in nats per token on the held-out part of the model in this image; NaN if it was not measured.
    pub nats: f32,
    /// Tokens in the held-out part.
    pub heldout_tokens: u32,
}

/// The known-answer test: what a device must compute before it may be trusted with this model.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct KnownAnswer<'a> {
    /// At most [`MAX_KNOWN_ANSWER`] token ids, fed from the start state; none where features are.
    pub tokens: &'a [u16],
    /// `[n, features]`, at most [`MAX_KNOWN_FEATURES`] numbers; none where tokens are.
    pub features: &'a [f32],
    /// [`StateHash`](crate::StateHash) over the state after every step; for f32 models with the
    /// scalar kernel.
    pub hash: u64,
}

impl KnownAnswer<'_> {
    /// No test.
    pub(crate) const NONE: Self = KnownAnswer {
        tokens: &[],
        features: &[],
        hash: 0,
    };
}

/// An operation, as the header has it. Zero where there is nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct OperationEntry {
    pub(crate) kind: u8,
    /// Its functions, and what a GRU resets.
    pub(crate) variant: u8,
    pub(crate) units: u16,
    /// 8 or 4.
    pub(crate) bits: u8,
    /// 0, or one more than the number of the embedding whose table the weights are.
    pub(crate) tied: u8,
    /// Right shifts of weights, candidate weights and hidden weights; of an embedding or a sum the
    /// first.
    pub(crate) shifts: [u8; 3],
    /// Integer bits of an LSTM's c, or of an h that nothing bounds.
    pub(crate) state_bits: u8,
    /// 1 with a state to start from that is not zero.
    pub(crate) start: u8,
    /// Values, by their codes.
    pub(crate) operand: heapless::Vec<u8, MAX_PARTS>,
}

/// An output, as the header has it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct OutputEntry {
    pub(crate) value: u8,
    /// 0 scores, 1 values.
    pub(crate) kind: u8,
    /// What a result's one stands for; 1 for scores.
    pub(crate) scale: f32,
}

/// A line of the section table. A section starts where the one before it ends.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct SectionEntry {
    pub(crate) kind: u8,
    /// 0 for the net's, otherwise one more than the operation's number.
    pub(crate) operation: u8,
    pub(crate) bytes: u32,
    pub(crate) crc32: u32,
}

/// What a section table needs to know besides the net.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lengths {
    /// Bytes of the vocabulary; `None` for tokens without a text, and for features.
    pub(crate) vocabulary: Option<usize>,
    /// Bytes of the known-answer test.
    pub(crate) known_answer: usize,
    /// A bit for every operation with a state to start from.
    pub(crate) starts: u16,
    /// Whether features are made of samples.
    pub(crate) front_end: bool,
}

/// Features that a net reads; 0 for tokens.
pub(crate) const fn features_of(net: &Net) -> usize {
    match net.input {
        Input::Tokens { .. } => 0,
        Input::Features { width, .. } => width,
    }
}

/// What tokens stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tokens;

impl Tokens {
    pub(crate) const CHARACTERS: u8 = 0;
    pub(crate) const WORDS: u8 = 1;
    pub(crate) const BYTES: u8 = 2;
    /// For nothing that the image says.
    pub(crate) const NUMBERS: u8 = 3;
}

/// The header as it is written, encoded by postcard. `header.rs` reads it.
#[derive(Serialize)]
pub(crate) struct Header<'a> {
    pub(crate) precision: u8,
    pub(crate) layout: u8,
    /// 0 tokens, 1 features.
    pub(crate) input: u8,
    /// Tokens of the vocabulary, or features.
    pub(crate) width: u16,
    pub(crate) doubled: u16,
    /// See [`Tokens`]; 0 for features.
    pub(crate) tokens: u8,
    /// [`TextRules`], as a number.
    pub(crate) rules: u8,
    pub(crate) operations: heapless::Vec<OperationEntry, MAX_OPERATIONS>,
    pub(crate) outputs: heapless::Vec<OutputEntry, MAX_OUTPUTS>,
    pub(crate) known_answer_hash: u64,
    pub(crate) provenance: Provenance<'a>,
    pub(crate) sections: heapless::Vec<SectionEntry, MAX_SECTIONS>,
}
