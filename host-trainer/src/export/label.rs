//! Everything of an image but its numbers, and how numbers are put in.

use std::path::Path;

use gatelet::format::{FeatureSpec, ImageSpec, MatrixSpec, Numbers, OperationSpec, VocabSpec};
use gatelet::{Dims, KnownAnswer, Layout, LoadError, Precision, Provenance, Scalar, TextRules};

use crate::checkpoint::Checkpoint;
use crate::corpus::{Level, Tokens, Vocabulary};
use crate::error::{Error, Result};
use crate::float_net::{FloatMatrix, FloatNet};
use crate::image::{Image, storage};
use crate::quantize::{IntMatrix, IntNet};
use crate::row_range::WeightBits;
use crate::shape::Shape;

/// Characters of training text that calibration reads, at most.
pub(crate) const CALIBRATION: usize = 20_000;

/// The shape of an image.
pub(crate) fn dims(shape: Shape, precision: Precision, path: &Path) -> Result<Dims> {
    shape.dims(precision).map_err(|error| Error::Checkpoint {
        path: path.to_owned(),
        what: error.to_string(),
    })
}

/// The same shape with weights of so many bits.
pub(super) fn with_bits(dims: Dims, bits: &WeightBits) -> Result<Dims> {
    dims.with_four_bits(bits.four_bits(dims.layers))
        .map_err(|error| Error::Export(error.to_string()))
}

/// Everything of an image but its numbers.
pub(crate) struct Label<'a> {
    pub(crate) dims: Dims,
    pub(crate) vocab: &'a Vocabulary,
    pub(crate) provenance: Provenance<'a>,
    pub(crate) known_answer: KnownAnswer<'a>,
    pub(crate) rules: TextRules,
}

impl Label<'_> {
    /// The token before which the state is zero, of a net of lines.
    pub(crate) fn line_break(&self) -> Option<u16> {
        let lines = self.rules.lines;
        lines.then(|| self.vocab.line_break()).flatten()
    }

    fn image(&self, operations: &[OperationSpec<'_>]) -> Result<Image> {
        let words: Vec<&str> = self.vocab.words().iter().map(String::as_str).collect();
        let bytes: Vec<u8> = self.vocab.chars().iter().map(|&c| c as u8).collect();
        let spec = ImageSpec {
            net: self.dims.net(),
            layout: Layout::Rows,
            vocab: match self.vocab.level() {
                Level::Char => VocabSpec::Characters(self.vocab.chars()),
                Level::Word => VocabSpec::Words(&words),
                Level::Byte => VocabSpec::Bytes(&bytes),
            },
            features: FeatureSpec::default(),
            operations,
            outputs: Default::default(),
            provenance: self.provenance,
            known_answer: self.known_answer,
            rules: self.rules,
        };
        let image = Image::write(&spec).map_err(|error| Error::Export(error.to_string()))?;
        image.model().map_err(|error| match error {
            LoadError::Sum { .. } | LoadError::Value { .. } => Error::TooLarge(error),
            error => Error::Export(error.to_string()),
        })?;
        Ok(image)
    }

    pub(super) fn float(&self, net: &FloatNet) -> Result<Image> {
        let table = net.embedding.iter();
        let table = table.map(|table| OperationSpec::table(float_matrix(table)));
        let layers = net.layers.iter().map(|layer| OperationSpec {
            input: Numbers::F32(&layer.input),
            bias: match &*layer.recurrent_bias {
                [] => Numbers::None,
                bias => Numbers::F32(bias),
            },
            ..matrices(layer.matrices.iter().map(float_matrix))
        });
        let head = net.projection.iter().chain([&net.head]);
        let head = head.map(|head| OperationSpec {
            weights: float_matrix(&head.matrix),
            bias: Numbers::F32(&head.bias),
            ..OperationSpec::default()
        });
        self.image(&table.chain(layers).chain(head).collect::<Vec<_>>())
    }

    pub(crate) fn int(&self, net: &IntNet, cell_bits: &[u8]) -> Result<Image> {
        let table = net.embedding.iter();
        let table = table.map(|table| OperationSpec::table(int_matrix(table)));
        let layers = net.layers.iter().zip(cell_bits);
        let layers = layers.map(|(layer, &cell_bits)| OperationSpec {
            input: Numbers::I16(&layer.input),
            bias: match &*layer.recurrent_bias {
                [] => Numbers::None,
                bias => Numbers::I32(bias),
            },
            state_bits: match self.dims.cell {
                gatelet::Cell::Gru => 0,
                gatelet::Cell::Rnn | gatelet::Cell::Lstm => cell_bits,
            },
            ..matrices(layer.matrices.iter().map(int_matrix))
        });
        let head = net.projection.iter().chain([&net.head]);
        let head = head.map(|head| OperationSpec {
            weights: int_matrix(&head.matrix),
            bias: Numbers::I32(&head.bias),
            ..OperationSpec::default()
        });
        self.image(&table.chain(layers).chain(head).collect::<Vec<_>>())
    }

    /// The same with the right hash in the known-answer test.
    pub(super) fn finish(mut self, make: impl Fn(&Self) -> Result<Image>) -> Result<Image> {
        let image = make(&self)?;
        let model = image
            .model()
            .map_err(|error| Error::Export(error.to_string()))?;
        let hash = model.known_answer_hash(Scalar, &mut storage(&self.dims.net()));
        self.known_answer.hash = hash.map_err(|error| Error::Export(error.to_string()))?;
        make(&self)
    }
}

fn float_matrix(matrix: &FloatMatrix) -> MatrixSpec<'_> {
    MatrixSpec::f32(&matrix.weights)
}

fn int_matrix(matrix: &IntMatrix) -> MatrixSpec<'_> {
    MatrixSpec::int8(&matrix.weights, &matrix.multipliers, matrix.shift)
}

/// A layer's matrices: one, or those of a GRU, of which the middle one is there for a dense input.
fn matrices<'a>(all: impl Iterator<Item = MatrixSpec<'a>>) -> OperationSpec<'a> {
    let all: Vec<_> = all.collect();
    let none = OperationSpec::default();
    match *all {
        [weights] => OperationSpec { weights, ..none },
        [weights, hidden] => OperationSpec {
            weights,
            hidden,
            ..none
        },
        [weights, candidate, hidden] => OperationSpec {
            weights,
            candidate,
            hidden,
            ..none
        },
        _ => none,
    }
}

/// Bytes of a hash in hexadecimal; zeros if it is none.
fn hash_bytes(hex: &str) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (byte, at) in bytes.iter_mut().zip((0..hex.len()).step_by(2)) {
        *byte = hex
            .get(at..at + 2)
            .and_then(|pair| u8::from_str_radix(pair, 16).ok())
            .unwrap_or(0);
    }
    bytes
}

/// Provenance of a checkpoint for an image; the losses are not known yet.
pub(crate) fn provenance(checkpoint: &Checkpoint) -> Provenance<'_> {
    let from = &checkpoint.meta.provenance;
    Provenance {
        corpus: &from.corpus,
        corpus_sha256: hash_bytes(&from.corpus_sha256),
        command: &from.command,
        trainer: &from.trainer,
        seed: from.seed,
        nats_f32: from.nats.map_or(f32::NAN, |nats| nats as f32),
        nats: f32::NAN,
        heldout_tokens: 0,
    }
}

/// The tokens of a short part of a text.
pub(crate) fn taken(tokens: &dyn Tokens, from: usize, count: usize) -> Result<Vec<u16>> {
    let mut taken = Vec::with_capacity(count);
    tokens.read(from..from + count, &mut |piece| {
        taken.extend_from_slice(piece);
        Ok(())
    })?;
    Ok(taken)
}
