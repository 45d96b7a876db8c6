//! From bytes to a model: the only place where anything is validated.
//!
//! Every field is checked once, with checked arithmetic, before a slice is taken. What the kernels rely
//! on (lengths, finite numbers, accumulators that fit) is established here, and nowhere checked again.

mod cells;
mod limits;
mod matrices;
mod operations;
mod sections;

use self::matrices::check;
use self::operations::{Reading, read_operation};
use self::sections::{
    SectionReader, check_scales, check_section_table, checked_header, decoded, field, layout_of,
    lengths_of, zeros,
};
use crate::front::FrontEnd;
use crate::image::error::LoadError;
use crate::image::format::SectionName;
use crate::image::format::{ALIGN, KnownAnswer, PREAMBLE, SectionKind, Tokens, features_of};
use crate::image::model::Model;
use crate::image::views::Stored;
use crate::kernel::{Kernel, Scalar, can};
use crate::net::{Capabilities, Input, Net, Precision};
use crate::text::rules::TextRules;
use crate::text::vocab::Vocab;
use crate::weights::layer::FEATURE_LIMIT;

impl<'a> Model<'a> {
    /// Checks an image and borrows its weights.
    ///
    /// `image` must start at a multiple of 16 (see [`AlignedBytes`](crate::AlignedBytes)) and hold
    /// exactly one image. The cost is one pass over all bytes; nothing is copied.
    ///
    /// # Errors
    /// The first thing found wrong, with its name, what was expected and what was found.
    pub fn from_bytes(image: &'a [u8]) -> Result<Self, LoadError> {
        Self::from_bytes_for(image, Scalar)
    }

    /// The same for a program that runs `kernel` alone: what an [`Only`](crate::kernel::Only) leaves
    /// out of steps, this leaves out of loading, and refuses.
    ///
    /// # Errors
    /// As [`Model::from_bytes`], or [`LoadError::Needs`].
    pub fn from_bytes_for<K: Kernel>(image: &'a [u8], kernel: K) -> Result<Self, LoadError> {
        let mut place = None;
        Self::load_in(&mut place, image, kernel).copied()
    }

    /// The same in a place of the caller's, for a small stack: a model takes 2 KB of it, and one
    /// that is returned is copied on its way.
    ///
    /// ```
    /// # use gatelet::{Model, kernel::Native};
    /// # let image = gatelet::include_model!("../../../../firmware/models/default.gatelet").image();
    /// let mut place = None;
    /// let model = Model::load_in(&mut place, image, Native::default())?;
    /// # Ok::<(), gatelet::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Model::from_bytes_for`]; the place is empty then.
    pub fn load_in<'p, K: Kernel>(
        place: &'p mut Option<Self>,
        image: &'a [u8],
        kernel: K,
    ) -> Result<&'p Self, LoadError> {
        let _ = kernel;
        if let Err(error) = load::<K>(image, Self::begin(place)) {
            *place = None;
            return Err(error);
        }
        // It was put there above.
        place.as_ref().ok_or(LoadError::Magic)
    }
}

/// Loads an image into a model that is none yet, and stays where it is: it is large, and a stack
/// may be small. See [`Model::from_bytes`]. What the kernel has no capability for is refused, and
/// no part of the program.
// Not inlined: what it needs of the stack is free again when the model is run.
#[inline(never)]
fn load<'a, K: Kernel>(image: &'a [u8], model: &mut Model<'a>) -> Result<(), LoadError> {
    let misalignment = image.as_ptr().align_offset(ALIGN);
    if misalignment != 0 {
        return Err(LoadError::Misaligned {
            offset: ALIGN.saturating_sub(misalignment),
        });
    }
    let (needs, header_bytes) = checked_header(image)?;
    let unknown = needs.without(K::CAPABILITIES);
    if !unknown.is_empty() {
        return Err(LoadError::Needs { unknown });
    }
    let header = decoded(header_bytes, &mut model.net)?;
    let net = &model.net;
    check_scales(net, &header)?;
    let layout = layout_of(&header, net)?;
    let data_start = (PREAMBLE + header_bytes.len()).next_multiple_of(layout.align());
    zeros(image, PREAMBLE + header_bytes.len(), data_start)?;
    let lengths = lengths_of(net, &header, needs)?;
    let expected = crate::image::write::capabilities(net, lengths);
    if needs != expected {
        return Err(LoadError::NeedsOthers {
            expected,
            found: needs,
        });
    }
    check_section_table::<K>(net, layout, lengths, &header)?;

    let mut reader = SectionReader {
        image,
        end: data_start,
        index: 0,
        align: layout.align(),
        table: header.sections.clone(),
        found: Stored::NONE,
    };
    let rules = header.text_rules().ok_or(LoadError::HeaderEncoding)?;
    if can::<K>(Capabilities::FRONT_END) && lengths.front_end {
        model.front_end = Some(read_front_end(net, &mut reader)?);
    }
    model.vocab = read_vocab(net, header.tokens, rules, &mut reader)?;
    model.known_answer = read_known_answer::<K>(net, header.known_answer_hash, &mut reader)?;
    if can::<K>(Capabilities::FEATURES) {
        model.features = read_features(net, &mut reader)?;
    }

    model.views.image = image;
    model.views.layout = layout;
    let mut reading = Reading::new(net);
    for (index, entry) in header.operations.iter().enumerate().take(net.len()) {
        read_operation::<K>(&mut reading, (index, entry), &mut model.views, &mut reader)?;
    }
    if reader.end != image.len() {
        return Err(LoadError::Length {
            declared: reader.end,
            have: image.len(),
        });
    }
    for (scale, output) in model.scales.iter_mut().zip(&header.outputs) {
        *scale = output.scale;
    }
    model.plan.make(net);
    model.needs = needs;
    model.header = header_bytes;
    Ok(())
}

/// What makes the net's features.
fn read_front_end(net: &Net, reader: &mut SectionReader<'_, '_>) -> Result<FrontEnd, LoadError> {
    // Its length was compared.
    let words: &[u32] = reader.next()?;
    let words = words.first_chunk().copied().unwrap_or_default();
    let front = FrontEnd::from_words(words).map_err(LoadError::FrontEnd)?;
    front
        .check_width(features_of(net))
        .map_err(LoadError::FrontEnd)?;
    Ok(front)
}

/// The vocabulary; an empty one where there is none.
fn read_vocab<'a>(
    net: &Net,
    tokens: u8,
    rules: TextRules,
    reader: &mut SectionReader<'a, '_>,
) -> Result<Vocab<'a>, LoadError> {
    if !net.takes_tokens() {
        field("tokens", tokens.into(), 0, 0)?;
    }
    let vocab = match tokens {
        _ if !net.takes_tokens() => Vocab::of_characters(&[]),
        Tokens::CHARACTERS => Vocab::of_characters(reader.next()?),
        Tokens::WORDS => Vocab::of_words(reader.next()?, net.vocab()),
        Tokens::BYTES => Vocab::of_byte_values(reader.next()?),
        _ => Vocab::of_characters(&[]),
    };
    let vocab = vocab.map_err(|index| LoadError::Vocabulary { index })?;
    if vocab.is_empty() || vocab.is_bytes() {
        // Nothing is done to what is no text; a line feed is a byte all the same.
        let done = TextRules {
            lines: rules.lines && vocab.is_empty(),
            ..rules
        };
        field("text rules", done.code().into(), 0, 0)?;
    }
    match vocab.is_empty() {
        true => Ok(vocab),
        false => Ok(vocab.with_rules(rules)?),
    }
}

/// The known-answer test.
fn read_known_answer<'a, K: Kernel>(
    net: &Net,
    hash: u64,
    reader: &mut SectionReader<'a, '_>,
) -> Result<KnownAnswer<'a>, LoadError> {
    let name = SectionName {
        kind: SectionKind::KnownAnswer,
        operation: None,
    };
    let (mut tokens, mut features): (&[u16], &[f32]) = (&[], &[]);
    match net.input {
        Input::Tokens { vocab } => {
            tokens = reader.next()?;
            check(name, tokens, |&id| usize::from(id) < vocab)?;
        }
        Input::Features { .. } if !can::<K>(Capabilities::FEATURES) => {}
        Input::Features { .. } => {
            features = reader.next()?;
            check(name, features, |x: &f32| x.abs() <= FEATURE_LIMIT)?;
        }
    }
    Ok(KnownAnswer {
        tokens,
        features,
        hash,
    })
}

/// What the features of an int8 net are multiplied by, and those that take a second column.
fn read_features<'a>(
    net: &Net,
    reader: &mut SectionReader<'a, '_>,
) -> Result<(&'a [f32], &'a [u16]), LoadError> {
    let (Input::Features { width, doubled }, Precision::Int8) = (net.input, net.precision) else {
        return Ok((&[], &[]));
    };
    let name = |kind| SectionName {
        kind,
        operation: None,
    };
    let scales: &[f32] = reader.next()?;
    check(name(SectionKind::FeatureScales), scales, |scale: &f32| {
        scale.is_finite() && *scale > 0.0
    })?;
    if doubled == 0 {
        return Ok((scales, &[]));
    }
    let list: &[u16] = reader.next()?;
    let mut least = 0;
    for (index, &feature) in list.iter().enumerate() {
        let feature = usize::from(feature);
        if feature < least || feature >= width {
            let section = name(SectionKind::DoubledFeatures);
            return Err(LoadError::Value { section, index });
        }
        least = feature + 1;
    }
    Ok((scales, list))
}
