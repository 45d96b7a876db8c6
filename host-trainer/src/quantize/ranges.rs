//! The ranges of an int8 image that its weights do not decide: embedding, projection and cell state.
//!
//! ```text
//! embedding, then projection:        range* = the power of sqrt 2 with the lowest loss on training text, of those
//!                                    around the largest magnitude
//! for every layer, the first first:  e* = the e in 3..=7 with the lowest loss on training text    (c is Qe.(15-e))
//! ```
//! Whatever a rule proposes, the largest magnitude or a percentile, becomes one of these powers when it is rounded up to one; so
//! all of them are tried, and a report says which ones those rules would have taken.
//! The loss is that of the int8 image on a sample of the training text. Powers are coarse on purpose: the largest magnitude
//! comes from sums in floating point, and its last bits must not change a file.

use std::path::Path;

use gatelet::{Dims, KnownAnswer, Precision};
use serde::Serialize;

use crate::data::corpus::{Split, Tokens};
use crate::error::{Error, Result};
use crate::evaluate::evaluate;
use crate::isa;
use crate::net::Params;
use crate::quantize::calibrate::{self, CellMagnitude};
use crate::quantize::export::{CALIBRATION, Label, dims, provenance, taken};
use crate::quantize::float_net::FloatNet;
use crate::quantize::{IntNet, Plan, Ranges, quantize};
use crate::shape::Cell;
use crate::train::checkpoint::Checkpoint;

/// Integer bits of c that an image may have.
const CELL_BITS: std::ops::RangeInclusive<u8> = 3..=7;
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
        let bits = magnitude.max(1.0).log2().ceil() as u8;
        bits.clamp(*CELL_BITS.start(), *CELL_BITS.end())
    }
}

/// `2^(k/2)`
pub(crate) fn half_power(k: i32) -> f32 {
    (f64::from(k) / 2.0).exp2() as f32
}

/// The loss of an int8 image of `net` on a `sample`.
fn loss_of(label: &Label<'_>, net: &IntNet, cell_bits: &[u8], sample: &[u16]) -> Result<f64> {
    let image = label.int(net, cell_bits)?.for_isa(isa::isa()?)?;
    let model = image
        .model()
        .map_err(|error| Error::Export(error.to_string()))?;
    Ok(evaluate(model, sample)?.nats)
}

/// What embedding and projection are divided by: the powers of the root of two with the lowest loss on a `sample` of the
/// training text. A range below the largest magnitude cuts the largest numbers off, and is finer for all others.
pub(crate) fn choose_ranges(
    label: &Label<'_>,
    net: &FloatNet,
    checkpoint: &Checkpoint,
    plan: Plan<'_>,
    sample: &[u16],
) -> Result<Ranges> {
    /// Half powers above and below the one that holds the largest magnitude.
    const AROUND: std::ops::RangeInclusive<i32> = -4..=1;
    let mut ranges = Ranges::default();
    // +-1 is -128..=127 steps of 1/128.
    let holding = |largest: f64| (2.0 * (largest * 128.0 / 127.0).max(1e-6).log2()).ceil() as i32;
    let cell = checkpoint.params.shape().cell;
    let bits = vec![usual_cell_bits(cell); label.dims.layers];
    let choose = |from: Ranges, around: i32, set: &dyn Fn(&mut Ranges, f32)| {
        let mut best = (f64::INFINITY, from);
        for k in AROUND {
            let mut tried = from;
            set(&mut tried, half_power(around + k));
            let plan = Plan {
                ranges: tried,
                ..plan
            };
            let int = quantize(net, plan)?;
            let nats = loss_of(label, &int, &bits, sample)?;
            if nats < best.0 {
                best = (nats, tried);
            }
        }
        Ok::<_, Error>(best.1)
    };
    let projection = match net.projection {
        None => None,
        Some(_) => {
            let looked_at = &sample[..sample.len().min(LOOKED_AT)];
            Some(holding(calibrate::largest_read(
                &checkpoint.params,
                looked_at,
                label.line_break(),
            )))
        }
    };
    // The embedding is chosen with a projection that holds everything.
    if let Some(k) = projection {
        ranges.projection = half_power(k);
    }
    if let Some(table) = &net.embedding {
        let largest = table
            .weights
            .iter()
            .fold(0.0_f32, |max, x| max.max(x.abs()));
        ranges = choose(ranges, holding(largest.into()), &|r, x| r.embedding = x)?;
    }
    if let Some(k) = projection {
        ranges = choose(ranges, k, &|r, x| r.projection = x)?;
    }
    Ok(ranges)
}

/// Cell bits while nothing is chosen: a cell without c has the least there is.
fn usual_cell_bits(cell: Cell) -> u8 {
    match cell.has_memory() {
        false => *CELL_BITS.start(),
        true => 5,
    }
}

/// Integer bits of every layer's c, chosen by the loss on a `sample` of the training text; ties go to fewer bits. With them
/// how they were chosen, for a cell that has c.
pub(crate) fn choose_cell_bits(
    label: &Label<'_>,
    net: &IntNet,
    params: &Params<f32>,
    sample: &[u16],
) -> Result<(Vec<u8>, Vec<CellRange>)> {
    let cell = params.shape().cell;
    let mut chosen = vec![usual_cell_bits(cell); label.dims.layers];
    if !cell.has_memory() {
        return Ok((chosen, Vec::new()));
    }
    let looked_at = &sample[..sample.len().min(LOOKED_AT)];
    let magnitudes = calibrate::cell_magnitudes(params, looked_at, label.line_break());
    let mut ranges = Vec::with_capacity(chosen.len());
    for (layer, magnitude) in magnitudes.into_iter().enumerate() {
        let mut best = (f64::INFINITY, chosen[layer]);
        let mut tried = Vec::with_capacity(CELL_BITS.count());
        for bits in CELL_BITS {
            chosen[layer] = bits;
            let nats = loss_of(label, net, &chosen, sample)?;
            tried.push(nats);
            if nats < best.0 {
                best = (nats, bits);
            }
        }
        chosen[layer] = best.1;
        ranges.push(CellRange {
            magnitude,
            nats: tried,
        });
    }
    Ok((chosen, ranges))
}

/// Ranges of embedding and projection, and integer bits of every layer's c, by the loss on training text: what
/// [`export`](crate::quantize::export::export) chooses for a float checkpoint. `tokens` are those of the whole text.
///
/// # Errors
/// As [`export`](crate::quantize::export::export).
pub fn calibrated(
    checkpoint: &Checkpoint,
    path: &Path,
    tokens: &dyn Tokens,
    split: Split,
) -> Result<(Ranges, [u8; Dims::MAX_LAYERS])> {
    let dims = dims(checkpoint.params.shape(), Precision::Int8, path)?;
    let net = FloatNet::new(&checkpoint.params);
    let sample = taken(
        tokens,
        0,
        calibrate::steps_within(&dims, CALIBRATION).min(split.train),
    )?;
    let label = Label {
        dims,
        vocab: checkpoint.vocabulary()?,
        provenance: provenance(checkpoint),
        known_answer: KnownAnswer::default(),
        rules: checkpoint.config()?.rules(),
    };
    let plan = Plan::default();
    let ranges = choose_ranges(&label, &net, checkpoint, plan, &sample)?;
    let int = quantize(&net, Plan { ranges, ..plan })?;
    let mut all = [3; Dims::MAX_LAYERS];
    let (bits, _) = choose_cell_bits(&label, &int, &checkpoint.params, &sample)?;
    all[..bits.len()].copy_from_slice(&bits);
    Ok((ranges, all))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_magnitude_is_held_by_the_power_above_it() {
        let bits = [0.0, 7.9, 8.0, 8.1, 16.0, 39.0, 127.0, 128.0, 1e9].map(CellRange::holding);
        assert_eq!(bits, [3, 3, 3, 4, 4, 6, 7, 7, 7]);
    }
}
