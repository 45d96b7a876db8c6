//! What an image is to hold: the numbers, the net and where they come from, as a caller hands them
//! over.
//!
//! The parts are compared with each other here; `write.rs` puts them into bytes.

mod emit;
mod numbers;

use bytemuck::cast_slice;

use self::emit::{emit_matrix, emit_numbers, emit_slots_of, emit_start, emit_wide};
pub use self::numbers::{MatrixSpec, Numbers};
use crate::front::FrontEnd;
use crate::image::error::WriteError;
use crate::image::format::SectionName;
use crate::image::format::{
    Header, KnownAnswer, Lengths, Provenance, SectionKind, Tokens, features_of, layout_of,
    matrix_of, operation_entry, output_entry, precision_code, sections_of,
};
use crate::image::write::{Source, capabilities, check_shift, len_with, table, write_with};
use crate::net::{Input, Kind, Layout, MAX_OUTPUTS, Net, Precision, Value};
use crate::text::rules::TextRules;
use crate::text::words;
use crate::weights::order::RowOrder;

/// The numbers of an operation to be written. What an operation of its kind has not is left as it is
/// by default. Shapes are those of [`SectionKind`], with rows for slots.
#[derive(Clone, Copy, Debug, Default)]
pub struct OperationSpec<'a> {
    /// [`SectionKind::Input`].
    pub input: Numbers<'a>,
    /// [`SectionKind::Weights`], with their multipliers; of a tied head the multipliers alone.
    pub weights: MatrixSpec<'a>,
    /// [`SectionKind::CandidateWeights`], with their multipliers.
    pub candidate: MatrixSpec<'a>,
    /// [`SectionKind::HiddenWeights`], with their multipliers.
    pub hidden: MatrixSpec<'a>,
    /// [`SectionKind::Bias`].
    pub bias: Numbers<'a>,
    /// Integer bits of an int8 LSTM's c, 3 to 7, or of an int8 h that nothing bounds, 0 to 7; of an
    /// int8 tanh RNN 3.
    pub state_bits: u8,
    /// [`SectionKind::StartHidden`]; none to start from zeros.
    pub start_hidden: Numbers<'a>,
    /// [`SectionKind::StartCell`].
    pub start_cell: Numbers<'a>,
}

impl<'a> OperationSpec<'a> {
    /// An LSTM or an RNN in f32.
    pub const fn cell_f32(input: &'a [f32], weights: &'a [f32]) -> Self {
        OperationSpec {
            input: Numbers::F32(input),
            weights: MatrixSpec::f32(weights),
            ..Self::NONE
        }
    }

    /// An LSTM or an RNN in int8.
    pub const fn cell_int8(input: &'a [i16], weights: MatrixSpec<'a>, state_bits: u8) -> Self {
        OperationSpec {
            input: Numbers::I16(input),
            weights,
            state_bits,
            ..Self::NONE
        }
    }

    /// A dense operation in f32; of a tied one no weights.
    pub const fn dense_f32(weights: &'a [f32], bias: &'a [f32]) -> Self {
        OperationSpec {
            weights: MatrixSpec::f32(weights),
            bias: Numbers::F32(bias),
            ..Self::NONE
        }
    }

    /// A dense operation in int8; of a tied one no weights.
    pub const fn dense_int8(weights: MatrixSpec<'a>, bias: &'a [i32]) -> Self {
        OperationSpec {
            weights,
            bias: Numbers::I32(bias),
            ..Self::NONE
        }
    }

    /// An embedding, or a sum.
    pub const fn table(weights: MatrixSpec<'a>) -> Self {
        OperationSpec {
            weights,
            ..Self::NONE
        }
    }

    const NONE: Self = OperationSpec {
        input: Numbers::None,
        weights: MatrixSpec {
            weights: Numbers::None,
            multipliers: &[],
            shift: 0,
        },
        candidate: MatrixSpec {
            weights: Numbers::None,
            multipliers: &[],
            shift: 0,
        },
        hidden: MatrixSpec {
            weights: Numbers::None,
            multipliers: &[],
            shift: 0,
        },
        bias: Numbers::None,
        state_bits: 0,
        start_hidden: Numbers::None,
        start_cell: Numbers::None,
    };

    /// Matrix `number`, as [`CellForm::matrices`](crate::net::CellForm::matrices) has them.
    const fn matrix(&self, number: usize) -> &MatrixSpec<'a> {
        match number {
            0 => &self.weights,
            1 => &self.candidate,
            _ => &self.hidden,
        }
    }

    /// Whether it has a state to start from.
    const fn starts(&self) -> bool {
        !matches!(self.start_hidden, Numbers::None)
    }
}

/// The tokens of a model to be written.
#[derive(Clone, Copy, Debug)]
pub enum VocabSpec<'a> {
    /// `[vocab]` distinct characters, ascending.
    Characters(&'a [char]),
    /// `[vocab]` distinct words of at most [`MAX_WORD`](crate::image::format::MAX_WORD) bytes, ascending by
    /// their bytes, as [`Tokenizer`](crate::Tokenizer) makes them. [`UNKNOWN`](crate::UNKNOWN) has to
    /// be among them, and the rules to say so.
    Words(&'a [&'a str]),
    /// `[vocab]` distinct bytes, ascending. There are no rules for what is no text.
    Bytes(&'a [u8]),
    /// Numbers that stand for nothing the image says; also for a net of features.
    None,
}

/// The features of a net to be written.
#[derive(Clone, Copy, Debug, Default)]
pub struct FeatureSpec<'a> {
    /// `[features]`, of an int8 net: what each is multiplied by.
    pub scales: &'a [f32],
    /// The features that take a second column, ascending.
    pub doubled: &'a [u16],
    /// What makes them of samples, if they are made of such.
    pub front_end: Option<FrontEnd>,
}

/// What the results of an output stand for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OutputSpec {
    /// What a result's one stands for; 1 for scores.
    pub scale: f32,
}

impl Default for OutputSpec {
    fn default() -> Self {
        OutputSpec { scale: 1.0 }
    }
}

/// Everything an image holds.
#[derive(Clone, Copy, Debug)]
pub struct ImageSpec<'a> {
    /// The net.
    pub net: Net,
    /// How the image arranges its weight matrices. They are given row-major, whatever it is.
    pub layout: Layout,
    /// The tokens.
    pub vocab: VocabSpec<'a>,
    /// The features, in a net of such.
    pub features: FeatureSpec<'a>,
    /// One per operation.
    pub operations: &'a [OperationSpec<'a>],
    /// One per output.
    pub outputs: [OutputSpec; MAX_OUTPUTS],
    /// Where the model comes from.
    pub provenance: Provenance<'a>,
    /// The known-answer test.
    pub known_answer: KnownAnswer<'a>,
    /// How the text was prepared. With an unknown token, the vocabulary holds
    /// [`UNKNOWN`](crate::UNKNOWN).
    pub rules: TextRules,
}

impl Source for ImageSpec<'_> {
    fn emit(&self, name: SectionName, sink: &mut dyn FnMut(&[u8])) -> Result<(), WriteError> {
        if let Some(index) = name.operation {
            let operation = self.operation(index)?;
            return self.emit_operation(name, index, operation, sink);
        }
        match name.kind {
            SectionKind::Vocabulary => match self.vocab {
                VocabSpec::Characters(characters) => sink(cast_slice(characters)),
                VocabSpec::Words(list) => words::emit(list, sink),
                VocabSpec::Bytes(list) => {
                    let points = list.iter().map(|&byte| u32::from(byte).to_le_bytes());
                    points.for_each(|point| sink(&point));
                }
                VocabSpec::None => {}
            },
            SectionKind::KnownAnswer if self.net.takes_tokens() => {
                sink(cast_slice(self.known_answer.tokens));
            }
            SectionKind::KnownAnswer => sink(cast_slice(self.known_answer.features)),
            SectionKind::FeatureScales => sink(cast_slice(self.features.scales)),
            SectionKind::FrontEnd => {
                let words = self.features.front_end.map(FrontEnd::to_words);
                sink(cast_slice(words.as_slice()));
            }
            _ => sink(cast_slice(self.features.doubled)),
        }
        Ok(())
    }
}

impl<'a> ImageSpec<'a> {
    /// The numbers of operation `index`.
    fn operation(&self, index: usize) -> Result<&OperationSpec<'a>, WriteError> {
        let missing = WriteError::Operations {
            expected: self.net.len(),
            found: self.operations.len(),
        };
        self.operations.get(index).ok_or(missing)
    }

    /// A section of an operation.
    fn emit_operation(
        &self,
        name: SectionName,
        index: usize,
        of: &OperationSpec<'_>,
        sink: &mut dyn FnMut(&[u8]),
    ) -> Result<(), WriteError> {
        let Some(operation) = self.net.operation(index) else {
            return Err(WriteError::Header);
        };
        let (kind, units) = (operation.kind, operation.kind.units());
        let layout = layout_of(&self.net, index, self.layout);
        let order = RowOrder::of_cell(layout, kind);
        let quantized = matches!(self.net.precision, Precision::Int8);
        let form = kind.cell();
        if let Some((number, multipliers)) = matrix_of(name.kind) {
            let matrix = of.matrix(number);
            // Of a sum there are multipliers alone.
            let numbers = (2 * self.net.width(Value::of(index)), 0);
            let shape = self.net.matrix(index, number).unwrap_or(numbers);
            return match (multipliers, kind) {
                (false, _) => {
                    let form = (layout, operation.bits);
                    emit_matrix(name, matrix, shape, form, order, sink)
                }
                (true, Kind::Embedding { .. } | Kind::Add) => {
                    let plain = RowOrder::PLAIN;
                    emit_slots_of(name, matrix.multipliers, (1, shape.0), plain, sink)
                }
                (true, _) => emit_slots_of(name, matrix.multipliers, (1, shape.0), order, sink),
            };
        }
        match (name.kind, &form) {
            (SectionKind::Input, Some(form)) => {
                let inputs = if self.net.reads_token(index) {
                    self.net.vocab()
                } else {
                    1
                };
                let order = match form.fused {
                    Some(_) => order,
                    None => RowOrder::PLAIN,
                };
                let shape = (quantized, inputs, form.addends * units);
                emit_numbers(name, of.input, shape, order, sink)
            }
            (SectionKind::Bias, Some(form)) => {
                let shape = (quantized, form.bias * units);
                emit_wide(name, of.bias, shape, RowOrder::PLAIN, sink)
            }
            (SectionKind::Bias, None) => emit_wide(name, of.bias, (quantized, units), order, sink),
            (SectionKind::StartHidden, _) => {
                emit_start(name, of.start_hidden, units, quantized, sink)
            }
            _ => emit_numbers(
                name,
                of.start_cell,
                (quantized, 1, units),
                RowOrder::PLAIN,
                sink,
            ),
        }
    }

    /// Checks that operations are as many as the net's, a front end, and a list of words.
    fn check(&self) -> Result<(), WriteError> {
        let (expected, found) = (self.net.len(), self.operations.len());
        if expected != found {
            return Err(WriteError::Operations { expected, found });
        }
        if let Some(front) = self.features.front_end {
            let width = front.check_width(features_of(&self.net));
            front.check().and(width).map_err(WriteError::FrontEnd)?;
        }
        match self.vocab {
            VocabSpec::Words(list) => {
                words::check(list).map_err(|index| WriteError::Word { index })
            }
            _ => Ok(()),
        }
    }

    /// What the section table needs to know besides the net.
    pub(crate) fn lengths(&self) -> Lengths {
        let mut starts = 0;
        for (index, operation) in self.operations.iter().enumerate() {
            starts |= u16::from(operation.starts()) << (index & 15);
        }
        Lengths {
            vocabulary: match self.vocab {
                VocabSpec::Characters(_) | VocabSpec::Bytes(_) => Some(4 * self.net.vocab()),
                VocabSpec::Words(list) => Some(words::len(list)),
                VocabSpec::None => None,
            },
            known_answer: match self.net.input {
                Input::Tokens { .. } => size_of_val(self.known_answer.tokens),
                Input::Features { .. } => size_of_val(self.known_answer.features),
            },
            starts,
            front_end: self.features.front_end.is_some(),
        }
    }

    /// The header; the checksums of the table are still zero.
    pub(crate) fn header(&self) -> Result<Header<'a>, WriteError> {
        self.check()?;
        let net = self.net.checked().map_err(WriteError::Net)?;
        self.layout.check(&net).map_err(WriteError::Layout)?;
        let mut operations = heapless::Vec::new();
        for (operation, of) in net.operations().zip(self.operations) {
            let mut entry = operation_entry(operation);
            entry.shifts = [of.weights.shift, of.candidate.shift, of.hidden.shift];
            entry.state_bits = of.state_bits;
            entry.start = of.starts().into();
            if operation.kind.gates() > 0 && matches!(net.precision, Precision::Int8) {
                let form = operation.kind.cell();
                for (number, shift) in entry.shifts.iter().enumerate() {
                    let there = match form {
                        Some(_) => !of.matrix(number).multipliers.is_empty(),
                        None => number == 0,
                    };
                    if there {
                        check_shift(self.layout, operation.bits, *shift)?;
                    }
                }
            }
            operations.push(entry).map_err(|_| WriteError::Header)?;
        }
        let outputs = net.outputs().zip(self.outputs);
        let outputs = outputs.map(|(output, of)| output_entry(output, of.scale));
        let (input, width, doubled) = match net.input {
            Input::Tokens { vocab } => (0, vocab, 0),
            Input::Features { width, doubled } => (1, width, doubled),
        };
        Ok(Header {
            precision: precision_code(net.precision),
            layout: self.layout.code(),
            input,
            width: width as u16,
            doubled: doubled as u16,
            tokens: match (self.vocab, net.input) {
                (VocabSpec::Characters(_), _) => Tokens::CHARACTERS,
                (VocabSpec::Words(_), _) => Tokens::WORDS,
                (VocabSpec::Bytes(_), _) => Tokens::BYTES,
                (VocabSpec::None, Input::Tokens { .. }) => Tokens::NUMBERS,
                (VocabSpec::None, Input::Features { .. }) => 0,
            },
            rules: self.rules.code(),
            operations,
            outputs: outputs.collect(),
            known_answer_hash: self.known_answer.hash,
            provenance: self.provenance,
            sections: table(&net, self.layout, self.lengths())?,
        })
    }
}

/// An upper bound of the bytes [`write_image`] needs. The image it returns may be a few bytes shorter.
///
/// # Errors
/// When the specification's parts do not fit together.
pub fn image_len(spec: &ImageSpec<'_>) -> Result<usize, WriteError> {
    len_with(&spec.header()?, spec.layout)
}

/// Writes the image into `out` and returns its length in bytes.
///
/// The result depends on the specification alone: the same model gives the same bytes. Values are not checked here;
/// [`Model::from_bytes`](crate::Model::from_bytes) does that, and a writer should read back what it wrote.
///
/// # Errors
/// When the specification's parts do not fit together, or `out` is too small.
pub fn write_image(spec: &ImageSpec<'_>, out: &mut [u8]) -> Result<usize, WriteError> {
    let names = sections_of(&spec.net, spec.layout, spec.lengths());
    let needs = capabilities(&spec.net, spec.lengths());
    write_with(spec.header()?, (spec.layout, needs), names, spec, out)
}
