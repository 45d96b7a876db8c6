//! The model image, `.gatelet`: reader and writer share everything in this file. docs/model-format.md is normative.
//!
//! ```text
//! preamble   32 bytes: magic, version, header length, image length, header CRC-32, zeros
//! header     postcard: shape, scales, provenance, section table; zero-padded to a multiple of 16
//! sections   each at a multiple of 16 (64 in tile layouts), zero-padded; a CRC-32 each, so that an error names the damaged one
//! ```
//!
//! Everything is little-endian. Weights are used where they lie: a reader borrows them, and never copies.

use core::fmt::{self, Display, Formatter};

use serde::{Deserialize, Serialize};

use crate::dims::{Cell, Dims, Layout, Precision};
use crate::error::SectionName;
pub use crate::header::dims_of;
use crate::matrix::{PAIRS_ROWS, pairs_block_words};
use crate::nibbles;
use crate::order::RowOrder;
pub use crate::repack::{repack, repacked_len};
use crate::rules::TextRules;
pub use crate::spec::{EmbeddingSpec, HeadSpec, ImageSpec, LayerSpec, VocabSpec};
pub use crate::words::MAX_WORD;
pub use crate::write::{image_len, write_image};

#[cfg(target_endian = "big")]
compile_error!(
    "model images are little-endian and borrowed in place: big-endian targets are not supported"
);

/// The first eight bytes of an image.
pub const MAGIC: [u8; 8] = *b"GATELET\0";
/// The newest format version this build reads. A writer uses the oldest that can say what an image holds:
/// 1 for a model of a text as it is, 2 for one with [`TextRules`], 3 for one with an embedding, a projection, words or bytes,
/// 4 for one with 4-bit weights.
pub const VERSION: u16 = 4;
/// Bytes of the preamble.
pub const PREAMBLE: usize = 32;
/// Alignment of the image; of the data area and of every section too, but in tile layouts.
pub const ALIGN: usize = 16;
/// The most tokens of a known-answer test.
pub const MAX_KNOWN_ANSWER: usize = 64;
/// The most sections of an image: three per layer, three of the head and of the projection, two of the embedding,
/// vocabulary, known answer.
pub(crate) const MAX_SECTIONS: usize = 3 * Dims::MAX_LAYERS + 10;

/// Offsets of the preamble's fields.
pub(crate) mod at {
    pub(crate) const VERSION: usize = 8;
    pub(crate) const FLAGS: usize = 10;
    pub(crate) const HEADER_LEN: usize = 12;
    pub(crate) const IMAGE_LEN: usize = 16;
    pub(crate) const HEADER_CRC: usize = 20;
    pub(crate) const ZEROS: usize = 24;
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

/// What a section holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum SectionKind {
    /// Characters: `[vocab]` u32, their code points, ascending; bytes alike. Words: see [`Words`](crate::words::Words).
    Vocabulary,
    /// `[n]` u16: token ids of the known-answer test.
    KnownAnswer,
    /// First layer without an embedding `[vocab, rows]`, others `[rows]`; f32, or i16 in Q3.12.
    Input,
    /// `[rows, columns]` in the image's layout; f32, or i8.
    Weights,
    /// `[rows]` i32; int8 models only.
    Multipliers,
    /// `[vocab, columns of the head]` in the image's layout; f32, or i8. Not in a tied model.
    HeadWeights,
    /// `[vocab]` i32; int8 models only.
    HeadMultipliers,
    /// `[vocab]`; f32, or i32 in Q15.16.
    HeadBias,
    /// `[vocab, embedding]`, padded columns; f32, or i8. In rows; in a tied model in the image's layout, as a head.
    Embedding,
    /// `[vocab]` i32 in every layout; int8 models only.
    EmbeddingMultipliers,
    /// `[projection, stride]` in the image's layout, as a head; f32, or i8.
    Projection,
    /// `[projection]` i32; int8 models only.
    ProjectionMultipliers,
    /// `[projection]`; f32, or i32 in Q15.16.
    ProjectionBias,
}

impl SectionKind {
    /// The number that stands for the kind in the section table.
    pub(crate) const fn code(self) -> u8 {
        match self {
            SectionKind::Vocabulary => 1,
            SectionKind::KnownAnswer => 2,
            SectionKind::Input => 3,
            SectionKind::Weights => 4,
            SectionKind::Multipliers => 5,
            SectionKind::HeadWeights => 6,
            SectionKind::HeadMultipliers => 7,
            SectionKind::HeadBias => 8,
            SectionKind::Embedding => 9,
            SectionKind::EmbeddingMultipliers => 10,
            SectionKind::Projection => 11,
            SectionKind::ProjectionMultipliers => 12,
            SectionKind::ProjectionBias => 13,
        }
    }

    /// Whether the section belongs to a layer (and not to the model as a whole).
    pub(crate) const fn of_a_layer(self) -> bool {
        matches!(
            self,
            SectionKind::Input | SectionKind::Weights | SectionKind::Multipliers
        )
    }
}

impl Display for SectionKind {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SectionKind::Vocabulary => "vocabulary",
            SectionKind::KnownAnswer => "known answer",
            SectionKind::Input => "input",
            SectionKind::Weights => "weights",
            SectionKind::Multipliers => "multipliers",
            SectionKind::HeadWeights => "head weights",
            SectionKind::HeadMultipliers => "head multipliers",
            SectionKind::HeadBias => "head bias",
            SectionKind::Embedding => "embedding",
            SectionKind::EmbeddingMultipliers => "embedding multipliers",
            SectionKind::Projection => "projection",
            SectionKind::ProjectionMultipliers => "projection multipliers",
            SectionKind::ProjectionBias => "projection bias",
        })
    }
}

/// One section of an image, as its table tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Section {
    /// What it holds, and of which layer.
    pub name: SectionName,
    /// Bytes from the start of the image.
    pub offset: usize,
    /// Bytes, without padding.
    pub bytes: usize,
    /// CRC-32 of the bytes.
    pub crc32: u32,
}

/// Where a model comes from. Borrowed from the image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KnownAnswer<'a> {
    /// At most [`MAX_KNOWN_ANSWER`] token ids, fed from the zero state.
    pub tokens: &'a [u16],
    /// [`StateHash`](crate::StateHash) over the state after every one of them; for f32 models with the scalar kernel.
    pub hash: u64,
}

/// Requantization of one layer. All zero in f32 models.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LayerScales {
    pub(crate) shift: u8,
    pub(crate) cell_bits: u8,
}

/// A line of the section table.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct SectionEntry {
    pub(crate) kind: u8,
    pub(crate) layer: u8,
    /// From the start of the data area, so that it does not depend on the header's length.
    pub(crate) offset: u32,
    pub(crate) bytes: u32,
    pub(crate) crc32: u32,
}

/// What version 3 adds to the header, behind the rules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Widths {
    pub(crate) embedding: u16,
    pub(crate) projection: u16,
    pub(crate) tied: u8,
    /// 0 characters, 1 words, 2 bytes.
    pub(crate) tokens: u8,
    pub(crate) embedding_shift: u8,
    pub(crate) projection_shift: u8,
}

/// What a section table needs to know besides the shape.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lengths {
    /// Bytes of a vocabulary of words; `None` for characters.
    pub(crate) words: Option<usize>,
    /// Tokens of the known-answer test.
    pub(crate) known_answer: usize,
}

/// The header as encoded by postcard; from version 2 on one byte for the rules follows it, in version 3 the
/// widths, and in version 4 a byte for the matrices with 4-bit weights. Ranges are checked after decoding, so that an error can name the field.
#[derive(Serialize, Deserialize)]
pub(crate) struct Header<'a> {
    pub(crate) cell: u8,
    pub(crate) precision: u8,
    pub(crate) layout: u8,
    pub(crate) layers: u8,
    pub(crate) hidden: u16,
    pub(crate) vocab: u16,
    pub(crate) head_shift: u8,
    pub(crate) scales: [LayerScales; Dims::MAX_LAYERS],
    pub(crate) known_answer_hash: u64,
    #[serde(borrow)]
    pub(crate) provenance: Provenance<'a>,
    pub(crate) sections: heapless::Vec<SectionEntry, MAX_SECTIONS>,
    #[serde(skip)]
    pub(crate) rules: TextRules,
    #[serde(skip)]
    pub(crate) widths: Widths,
    #[serde(skip)]
    pub(crate) four_bits: u8,
}

impl Header<'_> {
    /// The oldest version that can say what this header holds.
    pub(crate) fn version(&self) -> u16 {
        if self.four_bits != 0 {
            4
        } else if self.widths != Widths::default() {
            3
        } else if self.rules.is_plain() {
            1
        } else {
            2
        }
    }
}

/// The sections a shape has, in the order of the image, with the bytes of each.
pub(crate) fn sections_of(
    dims: &Dims,
    layout: Layout,
    lengths: Lengths,
) -> impl Iterator<Item = (SectionName, usize)> + Clone + use<> {
    let (rows, vocab, layers) = (dims.rows(), dims.vocab, dims.layers);
    let dims = *dims;
    let quantized = matches!(dims.precision, Precision::Int8);
    let (input_bytes, weight_bytes) = if quantized { (2, 1) } else { (4, 4) };
    let (order, head_order) = (
        RowOrder::of_layer(layout, dims.cell),
        RowOrder::of_head(layout),
    );
    let matrix_bytes = move |rows: usize, columns: usize, bits: u32, order: RowOrder| match layout {
        Layout::Rows | Layout::Pairs if bits == 4 => nibbles::words(layout, rows, columns) * 4,
        _ if bits == 4 => order.slots(rows) * nibbles::tile_bytes(columns),
        Layout::Rows | Layout::Tiles4 | Layout::Tiles8 | Layout::Tiles16 => {
            order.slots(rows) * columns * weight_bytes
        }
        Layout::Pairs => rows.div_ceil(PAIRS_ROWS) * pairs_block_words(columns) * 4,
    };
    let whole = |kind, bytes| (SectionName { kind, layer: 0 }, bytes);
    let when = |there: bool, kind, bytes| there.then(|| whole(kind, bytes));
    let table = match dims.tied {
        true => matrix_bytes(vocab, dims.embedding_stride(), 8, head_order),
        false => vocab * dims.embedding_stride() * weight_bytes,
    };
    let (embedded, projected) = (dims.embedding > 0, dims.projection > 0);

    let front = [
        Some(whole(
            SectionKind::Vocabulary,
            lengths.words.unwrap_or(4 * vocab),
        )),
        Some(whole(SectionKind::KnownAnswer, 2 * lengths.known_answer)),
        when(embedded, SectionKind::Embedding, table),
        when(
            embedded && quantized,
            SectionKind::EmbeddingMultipliers,
            4 * vocab,
        ),
    ];
    let of_layers = (0..layers).flat_map(move |layer| {
        let input_rows = if layer == 0 && !embedded { vocab } else { 1 };
        let of = |kind, bytes| Some((SectionName { kind, layer }, bytes));
        [
            of(
                SectionKind::Input,
                input_rows * order.slots(rows) * input_bytes,
            ),
            of(
                SectionKind::Weights,
                matrix_bytes(
                    rows,
                    dims.columns(layer),
                    dims.four_bits.of_layer(layer),
                    order,
                ),
            ),
            quantized
                .then(|| of(SectionKind::Multipliers, order.slots(rows) * 4))
                .flatten(),
        ]
    });
    let projection = matrix_bytes(dims.projection, dims.stride(), 8, head_order);
    let projection_bytes = head_order.slots(dims.projection) * 4;
    let head_bits = dims.four_bits.of_head();
    let head = matrix_bytes(vocab, dims.head_columns(), head_bits, head_order);
    let head_bytes = head_order.slots(vocab) * 4;
    let back = [
        when(projected, SectionKind::Projection, projection),
        when(
            projected && quantized,
            SectionKind::ProjectionMultipliers,
            projection_bytes,
        ),
        when(projected, SectionKind::ProjectionBias, projection_bytes),
        when(!dims.tied, SectionKind::HeadWeights, head),
        when(quantized, SectionKind::HeadMultipliers, head_bytes),
        Some(whole(SectionKind::HeadBias, head_bytes)),
    ];
    front.into_iter().chain(of_layers).chain(back).flatten()
}

/// The number that stands for a cell in the header.
pub(crate) const fn cell_code(cell: Cell) -> u8 {
    match cell {
        Cell::Rnn => 0,
        Cell::Lstm => 1,
    }
}

/// The number that stands for a precision in the header.
pub(crate) const fn precision_code(precision: Precision) -> u8 {
    match precision {
        Precision::F32 => 0,
        Precision::Int8 => 1,
    }
}

/// The number that stands for a layout in the header.
pub(crate) const fn layout_code(layout: Layout) -> u8 {
    match layout {
        Layout::Rows => 0,
        Layout::Pairs => 1,
        Layout::Tiles4 => 2,
        Layout::Tiles8 => 3,
        Layout::Tiles16 => 4,
    }
}
