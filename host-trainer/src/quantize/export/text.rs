//! The choice of a language model's integers, by its loss.

use serde::Serialize;

use super::{
    Begin, CellMagnitude, Error, Image, Kind, Label, Magnitudes, Params, Result, Scheme, Sequence,
    Source, Split, Tokens, Tried, WeightBits, calibrate, choose, evaluate, isa, model_of, quantize,
};

/// Characters of training text that calibration reads, at most.
const CALIBRATION: usize = 20_000;
/// Steps in which the float net's magnitudes are looked at; no finer than a power is wanted.
const LOOKED_AT: usize = 1000;

/// The range of a layer's c, and how it was chosen.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CellRange {
    /// Magnitudes in the float net, on training text.
    pub magnitude: CellMagnitude,
    /// Nats of the int8 image on training text, with 3, 4, 5, 6 and 7 bits.
    pub nats: Vec<f64>,
}

impl CellRange {
    /// The fewest bits that hold a magnitude, within what there is.
    pub fn holding(magnitude: f64) -> u8 {
        choose::bits_holding(Kind::lstm(1), magnitude)
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

/// The scheme with the lowest loss on training text, and how the bits of c were chosen.
pub(super) fn chosen(
    label: &Label<'_>,
    params: &Params<f32>,
    (tokens, split): (&dyn Tokens, Split),
    bits: WeightBits,
) -> Result<(Scheme, Vec<CellRange>)> {
    let net = label.net;
    let plain = Scheme::plain(&net).with_bits(bits);
    if !choose::has_choice(&net) {
        return Ok((plain, Vec::new()));
    }
    let calibration = calibrate::steps_within(&net, CALIBRATION).min(split.train);
    let sample = taken(tokens, 0, calibration)?;
    let looked_at = Sequence::Tokens(&sample[..sample.len().min(LOOKED_AT)]);
    let begin = Begin {
        starts: label.starts,
        line_break: label.line_break(),
    };
    let found = Magnitudes::of(params, begin, &[looked_at]);
    let isa = isa::isa()?;
    let nats = |scheme: &Scheme| {
        let all = quantize(params, scheme.into())?;
        let image: Image = label.int(&all, scheme)?.for_isa(isa)?;
        let model = model_of(&image)?;
        Ok::<f64, Error>(evaluate(model, &sample)?.nats)
    };
    let held = choose::held(&net, &found, plain);
    let (scheme, tried) = choose::choose(&net, &found, held, &nats)?;
    let is_lstm = |index| {
        let kind = net.operation(index).map(|of| of.kind);
        matches!(kind, Some(Kind::Lstm { .. }))
    };
    let lstms = tried.into_iter().filter(|of| is_lstm(of.operation));
    let range = |Tried { operation, costs }| CellRange {
        magnitude: found.cells[operation],
        nats: costs,
    };
    Ok((scheme, lstms.map(range).collect()))
}

/// The scheme with the lowest loss on training text: what [`export`](super::export) chooses for a
/// float net, with weights of 8 bits. `tokens` are those of the whole text.
///
/// # Errors
/// As [`export`](super::export).
pub fn calibrated<'a>(
    source: impl Into<Source<'a>>,
    tokens: &dyn Tokens,
    split: Split,
) -> Result<Scheme> {
    let (source, bits) = (source.into(), WeightBits::EIGHT);
    let (scheme, _) = chosen(&source.label(), source.params, (tokens, split), bits)?;
    Ok(scheme)
}
