//! The ranges of an int8 image that its weights do not decide: embedding, projection and cell state.
//!
//! ```text
//! embedding, then projection:        range* = the power of sqrt 2 with the lowest loss on training text, of those
//!                                    around the largest magnitude
//! for every layer, the first first:  e* = the e in 3..=7 with the lowest loss on training text    (c is Qe.(15-e))
//! ```
//! The loss is that of the int8 image on a sample of the training text. Powers are coarse on purpose: the largest magnitude
//! comes from sums in floating point, and its last bits must not change a file.

use std::path::Path;

use gatelet::{Dims, KnownAnswer, Precision};

use crate::calibrate;
use crate::checkpoint::Checkpoint;
use crate::corpus::{Tokens, validation_len};
use crate::error::{Error, Result};
use crate::evaluate::evaluate;
use crate::export::{CALIBRATION, Label, dims, provenance, taken};
use crate::float_net::FloatNet;
use crate::image;
use crate::quantize::{IntNet, Plan, Ranges, quantize};

/// Integer bits of c that an image may have.
const CELL_BITS: std::ops::RangeInclusive<u8> = 3..=7;

/// `2^(k/2)`
fn half_power(k: i32) -> f32 {
    (f64::from(k) / 2.0).exp2() as f32
}

/// The loss of an int8 image of `net` on a `sample`.
fn loss_of(label: &Label<'_>, net: &IntNet, cell_bits: &[u8], sample: &[u16]) -> Result<f64> {
    let image = label.int(net, cell_bits)?.for_isa(image::isa()?)?;
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
    /// Steps that are looked at for the largest number of the projection; no finer than a power is wanted.
    const LOOKED_AT: usize = 1000;
    /// Half powers above and below the one that holds the largest magnitude.
    const AROUND: std::ops::RangeInclusive<i32> = -4..=1;
    let mut ranges = Ranges::default();
    // +-1 is -128..=127 steps of 1/128.
    let holding = |largest: f64| (2.0 * (largest * 128.0 / 127.0).max(1e-6).log2()).ceil() as i32;
    let bits = vec![5; label.dims.layers];
    let choose = |from: Ranges, around: i32, set: &dyn Fn(&mut Ranges, f32)| {
        let mut best = (f64::INFINITY, from);
        for k in AROUND {
            let mut tried = from;
            set(&mut tried, half_power(around + k));
            let plan = Plan {
                ranges: tried,
                ..plan
            };
            let int = quantize(net, &label.dims, plan)?;
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
            )))
        }
    };
    // The embedding is chosen with a projection that holds everything.
    if let Some(k) = projection {
        ranges.projection = half_power(k);
    }
    if let Some(table) = &net.embedding {
        let largest = table.iter().fold(0.0_f32, |max, x| max.max(x.abs()));
        ranges = choose(ranges, holding(largest.into()), &|r, x| r.embedding = x)?;
    }
    if let Some(k) = projection {
        ranges = choose(ranges, k, &|r, x| r.projection = x)?;
    }
    Ok(ranges)
}

/// Integer bits of every layer's c, chosen by the loss on a `sample` of the training text; ties go to fewer bits.
pub(crate) fn choose_cell_bits(label: &Label<'_>, net: &IntNet, sample: &[u16]) -> Result<Vec<u8>> {
    let mut chosen = vec![*CELL_BITS.start(); label.dims.layers];
    if label.dims.cell == gatelet::Cell::Rnn {
        return Ok(chosen);
    }
    chosen.fill(5);
    for layer in 0..label.dims.layers {
        let mut best = (f64::INFINITY, chosen[layer]);
        for bits in CELL_BITS {
            chosen[layer] = bits;
            let nats = loss_of(label, net, &chosen, sample)?;
            if nats < best.0 {
                best = (nats, bits);
            }
        }
        chosen[layer] = best.1;
    }
    Ok(chosen)
}

/// Integer bits of every layer's c for a checkpoint, by the loss on training text: what [`export`](crate::export::export) chooses. `tokens` are
/// the `len` of the whole text.
///
/// # Errors
/// As [`export`](crate::export::export).
pub fn cell_bits(
    checkpoint: &Checkpoint,
    path: &Path,
    tokens: &dyn Tokens,
    len: usize,
) -> Result<[u8; Dims::MAX_LAYERS]> {
    let train = len - validation_len(len, checkpoint.meta.config.valid_fraction);
    let dims = dims(checkpoint.params.shape, Precision::Int8, path)?;
    let net = FloatNet::new(&checkpoint.params, &dims);
    let sample = taken(
        tokens,
        0,
        calibrate::steps_within(&dims, CALIBRATION).min(train),
    )?;
    let label = Label {
        dims,
        vocab: &checkpoint.vocab,
        provenance: provenance(checkpoint),
        known_answer: KnownAnswer::default(),
        rules: checkpoint.meta.config.rules(),
    };
    let plan = Plan::default();
    let ranges = choose_ranges(&label, &net, checkpoint, plan, &sample)?;
    let int = quantize(&net, &dims, Plan { ranges, ..plan })?;
    let mut all = [3; Dims::MAX_LAYERS];
    for (to, bits) in all.iter_mut().zip(choose_cell_bits(&label, &int, &sample)?) {
        *to = bits;
    }
    Ok(all)
}
