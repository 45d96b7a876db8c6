//! Everything of an image but its numbers, and how numbers are put in.

use gatelet::format::{
    FeatureSpec, ImageSpec, MatrixSpec, Numbers, OperationSpec, OutputSpec, VocabSpec,
};
use gatelet::front::FrontEnd;
use gatelet::net::{Kind, MAX_OUTPUTS, Net, Output};
use gatelet::{KnownAnswer, Layout, LoadError, Model, Provenance, Scalar, TextRules};

use super::integers::{IntMatrix, Integers};
use super::order::Floats;
use super::scheme::Scheme;
use crate::data::corpus::{Level, Vocabulary};
use crate::error::{Error, Result};
use crate::image::{Image, storage};
use crate::net::Start;

/// Everything of an image but its numbers.
#[derive(Clone, Copy)]
pub(crate) struct Label<'a> {
    /// The net of the parameters.
    pub(crate) net: Net,
    /// Its tokens, if it was trained on a text.
    pub(crate) vocab: Option<&'a Vocabulary>,
    /// What makes the net's features of samples, if they are made of such.
    pub(crate) front_end: Option<FrontEnd>,
    /// States to begin with that are not zero.
    pub(crate) starts: &'a [Start],
    pub(crate) provenance: Provenance<'a>,
    pub(crate) known_answer: KnownAnswer<'a>,
    pub(crate) rules: TextRules,
}

fn failed(error: &dyn std::fmt::Display) -> Error {
    Error::Export(error.to_string())
}

/// The model of an image that was just made.
pub(crate) fn model_of(image: &Image) -> Result<Model<'_>> {
    image.model().map_err(|error| match error {
        LoadError::Sum { .. } | LoadError::Value { .. } => Error::TooLarge(error),
        error => failed(&error),
    })
}

/// What is there, if anything is.
fn numbers<'a, T>(all: &'a [T], of: impl Fn(&'a [T]) -> Numbers<'a>) -> Numbers<'a> {
    match all {
        [] => Numbers::None,
        all => of(all),
    }
}

/// The states to begin with in integers: h, and what is carried in 16 bits.
fn starts_of(starts: &[Start], net: &Net, scheme: &Scheme) -> Vec<(usize, Vec<i8>, Vec<i16>)> {
    let narrow = |x: f32| x.round().clamp(-128.0, 127.0) as i8;
    let wide = |x: f32| x.round().clamp(-32768.0, 32767.0) as i16;
    let of = |start: &Start| {
        let index = start.operation;
        let by = 128.0 / scheme.steps[index];
        let h: Vec<i8> = start.h.iter().map(|x| narrow(x * by)).collect();
        let wide = |all: &[f32], by: f32| all.iter().map(|x| wide(x * by)).collect();
        let kind = net.operation(index).map(|of| of.kind);
        let carried: Vec<i16> = match kind {
            Some(Kind::Lstm { .. }) => {
                wide(&start.c, f32::from(15 - scheme.state_bits[index]).exp2())
            }
            Some(Kind::Gru { .. }) => wide(&start.h, 32768.0),
            _ => Vec::new(),
        };
        match kind {
            // What products read of the carried h.
            Some(Kind::Gru { .. }) => {
                let read = |&h: &i16| ((i32::from(h) + 128) >> 8).min(127) as i8;
                (index, carried.iter().map(read).collect(), carried)
            }
            _ => (index, h, carried),
        }
    };
    starts.iter().map(of).collect()
}

impl<'a> Label<'a> {
    /// The token before which the state is zero, of a net of lines.
    pub(crate) fn line_break(&self) -> Option<u16> {
        let vocab = self.vocab.filter(|_| self.rules.lines);
        vocab.and_then(Vocabulary::line_break)
    }

    fn image(
        &self,
        net: Net,
        scheme: Option<&Scheme>,
        operations: &[OperationSpec<'_>],
    ) -> Result<Image> {
        let words = self.vocab.map_or(&[][..], |vocab| vocab.words());
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let chars = self.vocab.map_or(&[][..], |vocab| vocab.chars());
        let bytes: Vec<u8> = chars.iter().map(|&c| c as u8).collect();
        let mut outputs = [OutputSpec::default(); MAX_OUTPUTS];
        for (to, output) in outputs.iter_mut().zip(net.outputs()) {
            let operation = output.value().operation();
            if let (Output::Values(_), Some(scheme), Some(operation)) = (output, scheme, operation)
            {
                to.scale = scheme.steps[operation];
            }
        }
        let spec = ImageSpec {
            net,
            layout: Layout::Rows,
            vocab: match self.vocab.map(Vocabulary::level) {
                None => VocabSpec::None,
                Some(Level::Char) => VocabSpec::Characters(chars),
                Some(Level::Word) => VocabSpec::Words(&words),
                Some(Level::Byte) => VocabSpec::Bytes(&bytes),
            },
            features: FeatureSpec {
                scales: scheme.map_or(&[], |scheme| &scheme.features),
                doubled: scheme.map_or(&[], |scheme| &scheme.doubled),
                front_end: self.front_end,
            },
            operations,
            outputs,
            provenance: self.provenance,
            known_answer: self.known_answer,
            rules: self.rules,
        };
        let image = Image::write(&spec).map_err(|error| failed(&error))?;
        model_of(&image)?;
        Ok(image)
    }

    /// The f32 image.
    pub(crate) fn float(&self, floats: &[Floats]) -> Result<Image> {
        let mut operations: Vec<OperationSpec<'_>> = floats.iter().map(float_spec).collect();
        for start in self.starts {
            let of = &mut operations[start.operation];
            of.start_hidden = Numbers::F32(&start.h);
            of.start_cell = numbers(&start.c, Numbers::F32);
        }
        self.image(self.net, None, &operations)
    }

    /// The int8 image.
    pub(crate) fn int(&self, all: &[Integers], scheme: &Scheme) -> Result<Image> {
        let net = scheme.int8(&self.net).map_err(|error| failed(&error))?;
        let pairs = all.iter().zip(&scheme.state_bits);
        let mut operations: Vec<OperationSpec<'_>> =
            pairs.map(|(of, &bits)| int_spec(of, bits)).collect();
        let starts = starts_of(self.starts, &net, scheme);
        for (operation, h, carried) in &starts {
            let of = &mut operations[*operation];
            of.start_hidden = Numbers::I8(h);
            of.start_cell = numbers(carried, Numbers::I16);
        }
        self.image(net, Some(scheme), &operations)
    }

    /// The image that is made, with the right hash in the known-answer test.
    pub(crate) fn finish(mut self, make: impl Fn(&Self) -> Result<Image>) -> Result<Image> {
        let image = make(&self)?;
        let model = model_of(&image)?;
        let hash = model.known_answer_hash(Scalar, &mut storage(model.net()));
        self.known_answer.hash = hash.map_err(|error| failed(&error))?;
        make(&self)
    }
}

fn float_spec(of: &Floats) -> OperationSpec<'_> {
    let [weights, candidate, hidden] = [0, 1, 2].map(|at| match &*of.matrices[at] {
        [] => MatrixSpec::default(),
        weights => MatrixSpec::f32(weights),
    });
    OperationSpec {
        weights,
        candidate,
        hidden,
        input: numbers(&of.input, Numbers::F32),
        bias: numbers(&of.bias, Numbers::F32),
        ..OperationSpec::default()
    }
}

fn int_spec(of: &Integers, state_bits: u8) -> OperationSpec<'_> {
    let [weights, candidate, hidden] = [0, 1, 2].map(|at| {
        let of: &IntMatrix = &of.matrices[at];
        MatrixSpec {
            weights: numbers(&of.weights, Numbers::I8),
            multipliers: &of.multipliers,
            shift: of.shift,
        }
    });
    OperationSpec {
        weights,
        candidate,
        hidden,
        input: numbers(&of.input, Numbers::I16),
        bias: numbers(&of.bias, Numbers::I32),
        state_bits,
        ..OperationSpec::default()
    }
}
