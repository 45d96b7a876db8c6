//! A checked model: its net, its weights, and its self-test.

use crate::front::FrontEnd;
use crate::image::format::{
    KnownAnswer, Lengths, OperationEntry, PREAMBLE, Provenance, Section, SectionKind, SectionName,
    sections_of,
};
use crate::image::header::{self, Decoded};
use crate::image::views::Views;
use crate::kernel::{Kernel, Scalar, can};
use crate::net::{Capabilities, Input, Layout, MAX_OUTPUTS, Net, Plan, Precision};
use crate::text::rules::TextRules;
use crate::text::vocab::Vocab;
use crate::weights::layer::Weights;

/// A checked model, borrowed from its image. Cheap to copy: it holds slices and numbers only.
#[derive(Clone, Copy, Debug)]
pub struct Model<'a> {
    pub(crate) net: Net,
    pub(crate) plan: Plan,
    /// What it takes to run it.
    pub(crate) needs: Capabilities,
    pub(crate) vocab: Vocab<'a>,
    /// What features are multiplied by, and those that take a second column.
    pub(crate) features: (&'a [f32], &'a [u16]),
    /// What makes features of samples.
    pub(crate) front_end: Option<FrontEnd>,
    /// The image, and where the weights of every operation lie.
    pub(crate) views: Views<'a>,
    pub(crate) scales: [f32; MAX_OUTPUTS],
    pub(crate) known_answer: KnownAnswer<'a>,
    /// The encoded header inside the image, for what is not needed at every step.
    pub(crate) header: &'a [u8],
}

impl<'a> Model<'a> {
    /// A model of nothing yet. Not a constant, which would take as much flash as a model takes of
    /// the stack.
    #[inline(never)]
    pub(crate) fn begin(place: &mut Option<Self>) -> &mut Self {
        place.insert(Model {
            net: Net::none(),
            plan: Plan::none(),
            needs: Capabilities::from_bits(0),
            vocab: Vocab::NONE,
            features: (&[], &[]),
            front_end: None,
            views: Views::none(),
            scales: [1.0; MAX_OUTPUTS],
            known_answer: KnownAnswer::NONE,
            header: &[],
        })
    }

    /// The net.
    pub fn net(&self) -> &Net {
        &self.net
    }

    /// What it takes to run it.
    pub fn needs(&self) -> Capabilities {
        self.needs
    }

    /// How the weights are arranged.
    pub fn layout(&self) -> Layout {
        self.views.layout
    }

    /// The characters, words or bytes the model knows; empty where tokens are numbers, and for
    /// features.
    pub fn vocab(&self) -> Vocab<'a> {
        self.vocab
    }

    /// How the text was prepared that the model was trained on.
    pub fn rules(&self) -> TextRules {
        self.vocab.rules()
    }

    /// Bytes of the image.
    pub fn image_bytes(&self) -> usize {
        self.views.image.len()
    }

    /// The weights of operation `index`.
    pub fn weights(&self, index: usize) -> Weights<'a> {
        self.weights_for::<Scalar>(index)
    }

    /// The same for a program with a kernel that leaves something out.
    #[inline(always)]
    pub(crate) fn weights_for<K: Kernel>(&self, index: usize) -> Weights<'a> {
        let precision = match (can::<K>(Capabilities::F32), can::<K>(Capabilities::INT8)) {
            (true, false) => Precision::F32,
            (false, true) => Precision::Int8,
            _ => self.net.precision,
        };
        self.weights_in::<K>(index, precision)
    }

    /// The same in the net's precision, where the caller knows it: half of the ways are no code then.
    #[inline(always)]
    pub(crate) fn weights_in<K: Kernel>(&self, index: usize, precision: Precision) -> Weights<'a> {
        let columns = self.plan.at(index).columns;
        self.views
            .weights::<K>(&self.net, index, columns, precision)
    }

    /// What a result's one of output `index` stands for: 1 for scores, and in f32.
    pub fn output_scale(&self, index: usize) -> f32 {
        self.scales.get(index).copied().unwrap_or(1.0)
    }

    /// What the features of an int8 net are multiplied by: `[features]`; empty in others.
    pub fn feature_scales(&self) -> &'a [f32] {
        self.features.0
    }

    /// The features of an int8 net that take a second column, ascending.
    pub fn doubled_features(&self) -> &'a [u16] {
        self.features.1
    }

    /// What makes the features of samples, if they are made of such.
    pub fn front_end(&self) -> Option<FrontEnd> {
        self.front_end
    }

    /// Words of a session: [`Net::state_words`], and those of the front end if there is one.
    pub fn session_words(&self) -> usize {
        self.plan.words() + self.front_end.map_or(0, |front| front.words())
    }

    /// Words of a snapshot of a session that takes samples, if there is a front end: otherwise
    /// [`Net::snapshot_words`].
    pub fn snapshot_words(&self) -> usize {
        let frame = self.front_end.map_or(0, |front| front.snapshot_words());
        self.plan.snapshot_words() + frame
    }

    /// The known-answer test.
    pub fn known_answer(&self) -> KnownAnswer<'a> {
        self.known_answer
    }

    /// Where the model comes from.
    pub fn provenance(&self) -> Provenance<'a> {
        self.decoded()
            .map_or(Provenance::default(), |header| header.provenance)
    }

    /// The section table.
    pub fn sections(&self) -> impl Iterator<Item = Section> {
        let align = self.views.layout.align();
        let mut offset = (PREAMBLE + self.header.len()).next_multiple_of(align);
        let mut table = self.decoded().map(|header| header.sections);
        sections_of(&self.net, self.views.layout, self.lengths()).map(move |(name, bytes)| {
            let line = table.as_mut().and_then(Iterator::next);
            let section = Section {
                name,
                offset,
                bytes,
                // The table was found to match the net when the image was loaded.
                crc32: line.map_or(0, |line| line.crc32),
            };
            // A power of two: a division by what is kept here could panic, for all the compiler knows.
            offset += bytes.wrapping_add(align - 1) & align.wrapping_neg();
            section
        })
    }

    /// The bytes of a section; none if there is no such.
    pub(crate) fn section_bytes(&self, name: SectionName) -> &'a [u8] {
        let section = self.sections().find(|section| section.name == name);
        let range = section.map(|section| section.offset..section.offset + section.bytes);
        range
            .and_then(|range| self.views.image.get(range))
            .unwrap_or_default()
    }

    /// The state that operation `index` starts from: h, or c; none where it starts from zeros.
    pub(crate) fn start(&self, kind: SectionKind, index: usize) -> &'a [u8] {
        let operation = Some(index);
        self.section_bytes(SectionName { kind, operation })
    }

    /// The lengths of sections that do not follow from the net.
    pub(crate) fn lengths(&self) -> Lengths {
        let header = self.decoded();
        let operations = header.as_ref().map(|header| &header.operations[..]);
        let mut starts = 0;
        for (index, OperationEntry { start, .. }) in
            operations.unwrap_or_default().iter().enumerate()
        {
            starts |= u16::from(*start) << (index & 15);
        }
        let text = !self.vocab.is_empty();
        Lengths {
            vocabulary: text.then(|| self.vocab.bytes().len()),
            known_answer: match self.net.input {
                Input::Tokens { .. } => size_of_val(self.known_answer.tokens),
                Input::Features { .. } => size_of_val(self.known_answer.features),
            },
            starts,
            front_end: self.front_end.is_some(),
        }
    }

    /// The header again; it was decoded once already, so this succeeds.
    pub(crate) fn decoded(&self) -> Option<Decoded<'a>> {
        header::decode(self.header)
    }
}
