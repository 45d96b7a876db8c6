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

use crate::error::SectionName;
pub use crate::header::net_of;
use crate::kernel::{Kernel, Scalar};
use crate::matrix::{PAIRS_ROWS, pairs_block_words};
use crate::net::{
    Activation, Capabilities, Input, Kind, Layout, MAX_OPERATIONS, MAX_OUTPUTS, MAX_PARTS, Net,
    Operation, Output, Precision, Reset, RnnActivation, Value,
};
use crate::nibbles;
use crate::order::RowOrder;
pub use crate::repack::{repack, repacked_len};
use crate::session::can;
pub use crate::spec::{
    FeatureSpec, ImageSpec, MatrixSpec, Numbers, OperationSpec, OutputSpec, VocabSpec,
};
pub use crate::words::MAX_WORD;
pub use crate::write::{image_len, write_image};

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
/// Alignment of the image; of the data area and of every section too, but in tile layouts.
pub const ALIGN: usize = 16;
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

/// What a section holds. Columns are padded with zeros to a multiple of four for every value that an
/// operand consists of; slots are rows, rounded up to whole tiles in a tile layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum SectionKind {
    /// Characters: `[vocab]` u32, their code points, ascending; bytes alike. Words: see
    /// [`Words`](crate::words::Words).
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
}

impl SectionKind {
    const ALL: [SectionKind; 14] = [
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
        })
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
    /// The activation, or what a GRU resets.
    pub(crate) variant: u8,
    pub(crate) units: u16,
    /// 8 or 4.
    pub(crate) bits: u8,
    /// 0, or one more than the number of the embedding whose table the weights are.
    pub(crate) tied: u8,
    /// Right shifts of weights, candidate weights and hidden weights; of an embedding or a sum the
    /// first.
    pub(crate) shifts: [u8; 3],
    /// Integer bits of an LSTM's c, or of a relu RNN's h.
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

/// The number that stands for a precision in the header.
pub(crate) const fn precision_code(precision: Precision) -> u8 {
    match precision {
        Precision::F32 => 0,
        Precision::Int8 => 1,
    }
}

/// The numbers that stand for a kind of operation and its variant.
pub(crate) const fn kind_codes(kind: Kind) -> (u8, u8) {
    match kind {
        Kind::Embedding { .. } => (1, 0),
        Kind::Rnn { activation, .. } => (
            2,
            match activation {
                RnnActivation::Tanh => 0,
                RnnActivation::Relu => 1,
            },
        ),
        Kind::Lstm { .. } => (3, 0),
        Kind::Gru { reset, .. } => (
            4,
            match reset {
                Reset::After => 0,
                Reset::Before => 1,
            },
        ),
        Kind::Dense { activation, .. } => (
            5,
            match activation {
                Activation::None => 0,
                Activation::Relu => 1,
                Activation::Tanh => 2,
                Activation::Sigmoid => 3,
                Activation::HardSigmoid => 4,
            },
        ),
        Kind::Add => (6, 0),
    }
}

/// The largest number of a kind.
pub(crate) const LARGEST_KIND: u8 = 6;

/// The largest number of a kind's variant.
pub(crate) const fn largest_variant(kind: u8) -> u8 {
    match kind {
        2 | 4 => 1,
        5 => 4,
        _ => 0,
    }
}

/// The kind of operation that numbers stand for, with its units.
pub(crate) const fn kind_from(kind: u8, variant: u8, units: usize) -> Option<Kind> {
    if variant > largest_variant(kind) {
        return None;
    }
    Some(match kind {
        1 => Kind::Embedding { units },
        2 => Kind::Rnn {
            units,
            activation: match variant {
                0 => RnnActivation::Tanh,
                _ => RnnActivation::Relu,
            },
        },
        3 => Kind::Lstm { units },
        4 => Kind::Gru {
            units,
            reset: match variant {
                0 => Reset::After,
                _ => Reset::Before,
            },
        },
        5 => Kind::Dense {
            units,
            activation: match variant {
                0 => Activation::None,
                1 => Activation::Relu,
                2 => Activation::Tanh,
                3 => Activation::Sigmoid,
                _ => Activation::HardSigmoid,
            },
        },
        6 if units == 0 => Kind::Add,
        _ => return None,
    })
}

/// The entry of an operation, without shifts and bits of the state.
pub(crate) fn operation_entry(operation: &Operation) -> OperationEntry {
    let (kind, variant) = kind_codes(operation.kind);
    OperationEntry {
        kind,
        variant,
        units: operation.kind.units() as u16,
        bits: operation.bits,
        tied: operation.tied.map_or(0, |table| table + 1),
        operand: operation.operand.parts().map(Value::code).collect(),
        ..OperationEntry::default()
    }
}

/// The entry of an output.
pub(crate) fn output_entry(output: Output, scale: f32) -> OutputEntry {
    OutputEntry {
        value: output.value().code(),
        kind: matches!(output, Output::Values(_)).into(),
        scale,
    }
}

/// Bytes of a matrix of weights.
pub(crate) fn matrix_bytes(
    precision: Precision,
    (rows, columns): (usize, usize),
    (layout, bits): (Layout, u8),
    order: RowOrder,
) -> usize {
    let weight_bytes = match precision {
        Precision::F32 => 4,
        Precision::Int8 => 1,
    };
    match layout {
        Layout::Rows | Layout::Pairs if bits == 4 => nibbles::words(layout, rows, columns) * 4,
        _ if bits == 4 => order.slots(rows) * nibbles::tile_bytes(columns),
        Layout::Rows | Layout::Tiles4 | Layout::Tiles8 | Layout::Tiles16 => {
            order.slots(rows) * columns * weight_bytes
        }
        Layout::Pairs => rows.div_ceil(PAIRS_ROWS) * pairs_block_words(columns) * 4,
    }
}

/// The layout of an operation's weights: rows are what a look-up reads best, but a tied head reads
/// the table as its own.
pub(crate) fn layout_of(net: &Net, index: usize, layout: Layout) -> Layout {
    match net.operation(index) {
        Some(Operation {
            kind: Kind::Embedding { .. },
            ..
        }) => match net
            .operations()
            .any(|other| other.tied == Some(index as u8))
        {
            true => layout,
            false => Layout::Rows,
        },
        _ => layout,
    }
}

/// The sections of operation `index`, in the order of the image, with the bytes of each. A program
/// with a kernel that leaves something out leaves out its sections as well.
fn sections_of_one<K: Kernel>(
    net: &Net,
    index: usize,
    layout: Layout,
    start: bool,
) -> [Option<(SectionName, usize)>; MAX_SECTIONS_OF_ONE] {
    use SectionKind::{
        Bias, CandidateMultipliers, CandidateWeights, HiddenMultipliers, HiddenWeights,
        Multipliers, StartCell, StartHidden, Weights,
    };
    let mut sections = [None; MAX_SECTIONS_OF_ONE];
    let Some(operation) = net.operation(index) else {
        return sections;
    };
    let quantized = matches!(net.precision, Precision::Int8);
    let (small, number) = if quantized { (2, 4) } else { (4, 4) };
    let of = |kind, bytes| {
        let operation = Some(index);
        Some((SectionName { kind, operation }, bytes))
    };
    let units = operation.kind.units();
    let layout = layout_of(net, index, layout);
    let form = (layout, operation.bits);
    let rows = RowOrder::of_rows(layout);
    let matrix = |rows_of: usize, columns, order: RowOrder| {
        matrix_bytes(net.precision, (rows_of, columns), form, order)
    };
    let multipliers = |kind, slots: usize| quantized.then(|| of(kind, slots * 4)).flatten();
    let inputs = if net.reads_token(index) {
        net.vocab()
    } else {
        1
    };
    let (columns, read) = (net.columns(index), net.input_columns(index));
    let input = |slots: usize| of(SectionKind::Input, inputs * slots * small);
    let all: &[Option<(SectionName, usize)>] = match operation.kind {
        Kind::Embedding { .. } if can::<K>(Capabilities::EMBEDDING) => {
            let vocab = net.vocab();
            &[
                of(Weights, matrix(vocab, units.next_multiple_of(4), rows)),
                multipliers(Multipliers, vocab),
            ]
        }
        Kind::Lstm { .. }
        | Kind::Rnn {
            activation: RnnActivation::Tanh,
            ..
        } if can::<K>(Capabilities::LSTM) || can::<K>(Capabilities::RNN) => {
            let order = RowOrder::of_cell(layout, operation.kind);
            let all = operation.kind.gates() * units;
            &[
                input(order.slots(all)),
                of(Weights, matrix(all, columns, order)),
                multipliers(Multipliers, order.slots(all)),
            ]
        }
        Kind::Rnn { .. } if can::<K>(Capabilities::RELU) => &[
            input(units),
            of(Weights, matrix(units, columns, rows)),
            multipliers(Multipliers, rows.slots(units)),
        ],
        Kind::Gru { reset, .. } if can::<K>(Capabilities::GRU) => {
            let own = net.stride(Value::of(index));
            let reads = |section| if read > 0 { section } else { None };
            let after = matches!(reset, Reset::After);
            &[
                input(3 * units),
                of(Weights, matrix(2 * units, columns, rows)),
                multipliers(Multipliers, rows.slots(2 * units)),
                reads(of(CandidateWeights, matrix(units, read, rows))),
                reads(multipliers(CandidateMultipliers, rows.slots(units))),
                of(HiddenWeights, matrix(units, own, rows)),
                multipliers(HiddenMultipliers, rows.slots(units)),
                after.then(|| of(Bias, units * number)).flatten(),
            ]
        }
        Kind::Dense { .. } if can::<K>(Capabilities::DENSE) => &[
            if operation.tied.is_none() {
                of(Weights, matrix(units, columns, rows))
            } else {
                None
            },
            multipliers(Multipliers, rows.slots(units)),
            of(Bias, rows.slots(units) * number),
        ],
        Kind::Add if can::<K>(Capabilities::ADD) => {
            &[multipliers(Multipliers, 2 * net.width(Value::of(index)))]
        }
        _ => &[],
    };
    let hidden = if quantized { 1 } else { 4 };
    let carries = matches!(operation.kind, Kind::Lstm { .. })
        || quantized && matches!(operation.kind, Kind::Gru { .. });
    let starts = [
        start.then(|| of(StartHidden, units * hidden)).flatten(),
        (start && carries)
            .then(|| of(StartCell, units * small))
            .flatten(),
    ];
    for (to, from) in sections.iter_mut().zip(all.iter().chain(&starts)) {
        *to = *from;
    }
    sections
}

/// The sections a net has, in the order of the image, with the bytes of each.
pub(crate) fn sections_of(
    net: &Net,
    layout: Layout,
    lengths: Lengths,
) -> impl Iterator<Item = (SectionName, usize)> + Clone {
    sections_for::<Scalar>(net, layout, lengths)
}

/// The same in a program with a kernel that leaves something out.
pub(crate) fn sections_for<K: Kernel>(
    net: &Net,
    layout: Layout,
    lengths: Lengths,
) -> impl Iterator<Item = (SectionName, usize)> + Clone {
    let whole = |kind, bytes| {
        let operation = None;
        Some((SectionName { kind, operation }, bytes))
    };
    let (scales, doubled) = match (net.input, net.precision) {
        (Input::Features { width, doubled }, Precision::Int8) => (4 * width, 2 * doubled),
        _ => (0, 0),
    };
    let when = |kind, bytes: usize| if bytes > 0 { whole(kind, bytes) } else { None };
    let front = [
        lengths
            .vocabulary
            .and_then(|bytes| whole(SectionKind::Vocabulary, bytes)),
        whole(SectionKind::KnownAnswer, lengths.known_answer),
        when(SectionKind::FeatureScales, scales),
        when(SectionKind::DoubledFeatures, doubled),
    ];
    let of_operations = (0..net.len()).flat_map(move |index| {
        let start = lengths.starts >> (index & 15) & 1 == 1;
        sections_of_one::<K>(net, index, layout, start)
    });
    front.into_iter().chain(of_operations).flatten()
}
