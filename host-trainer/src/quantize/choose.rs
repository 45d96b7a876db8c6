//! What the weights of a net do not decide about its integers: steps, and state bits.
//!
//! ```text
//! each value that has a step, in order:     s* = the power of sqrt 2 with the lowest cost, of those
//!                                           around the one that holds the largest magnitude
//! each state that has bits, in order:       e* = the e with the lowest cost            (c is Qe.(15-e))
//! cost: of a language model the loss of the int8 image on a sample of its training text,
//!       of other nets the error at the outputs on data
//! ```
//! Whatever a rule proposes, the largest magnitude or a percentile, becomes one of these powers when it is rounded up to one; so
//! all of them are tried, and a report says which ones those rules would have taken.
//! Powers are coarse on purpose: the largest magnitude comes from sums in floating point, and its
//! last bits must not change a file.

use gatelet::net::{Kind, Net};

use super::magnitudes::Magnitudes;
use super::scheme::{Scheme, has_step, is_relu, state_bits};
use crate::error::Result;

/// Half powers above and below the one that holds the largest magnitude.
const AROUND: std::ops::RangeInclusive<i32> = -4..=1;

/// `2^(k/2)`
fn half_power(k: i32) -> f32 {
    (f64::from(k) / 2.0).exp2() as f32
}

/// The k of the half power that holds a magnitude: +-1 is -128..=127 steps of 1/128.
fn holding(largest: f64) -> i32 {
    (2.0 * (largest * 128.0 / 127.0).max(1e-6).log2()).ceil() as i32
}

/// The fewest bits that hold a magnitude, within what an operation may have.
pub(crate) fn bits_holding(kind: Kind, magnitude: f64) -> u8 {
    let (bits, range) = (magnitude.max(1.0).log2().ceil() as u8, state_bits(kind));
    bits.clamp(*range.start(), *range.end())
}

/// What the state bits of an operation were chosen from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tried {
    pub(crate) operation: usize,
    /// The cost with each number of bits, from the fewest.
    pub(crate) costs: Vec<f64>,
}

/// Whether there is anything to choose, beside the scales of features.
pub(crate) fn has_choice(net: &Net) -> bool {
    let more = |kind| state_bits(kind).count() > 1;
    let operations = net.operations().enumerate();
    operations
        .into_iter()
        .any(|(index, of)| has_step(net, index) || more(of.kind))
}

/// Steps that hold what a net does, in place of those of `scheme`.
pub(crate) fn held(net: &Net, found: &Magnitudes, mut scheme: Scheme) -> Scheme {
    for (index, of) in net.operations().enumerate() {
        let most = found.values[index];
        if has_step(net, index) {
            scheme.steps[index] = half_power(holding(most));
        } else if is_relu(of.kind) {
            let bits = bits_holding(of.kind, most * 128.0 / 127.0);
            scheme.set_state_bits(net, index, bits);
        }
    }
    let scale = |&most: &f32| 127.0 / most.max(1e-6);
    scheme.features = found.features.iter().map(scale).collect();
    scheme
}

/// The scheme with the lowest cost, from one with steps that [hold](held) what the net does. Ties go
/// to the first: smaller steps, fewer bits.
pub(crate) fn choose(
    net: &Net,
    found: &Magnitudes,
    from: Scheme,
    cost: &dyn Fn(&Scheme) -> Result<f64>,
) -> Result<(Scheme, Vec<Tried>)> {
    let (mut scheme, mut all) = (from, Vec::new());
    for index in (0..net.len()).filter(|&index| has_step(net, index)) {
        let around = holding(found.values[index]);
        let mut best = (f64::INFINITY, scheme.steps[index]);
        for k in AROUND {
            scheme.steps[index] = half_power(around + k);
            let found = cost(&scheme)?;
            if found < best.0 {
                best = (found, scheme.steps[index]);
            }
        }
        scheme.steps[index] = best.1;
    }
    for (operation, of) in net.operations().enumerate() {
        let range = state_bits(of.kind);
        if range.clone().count() == 1 {
            continue;
        }
        let mut best = (f64::INFINITY, scheme.state_bits[operation]);
        let mut costs = Vec::new();
        for bits in range {
            scheme.set_state_bits(net, operation, bits);
            let found = cost(&scheme)?;
            costs.push(found);
            if found < best.0 {
                best = (found, bits);
            }
        }
        scheme.set_state_bits(net, operation, best.1);
        all.push(Tried { operation, costs });
    }
    Ok((scheme, all))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_magnitude_is_held_by_the_power_above_it() {
        let lstm = Kind::lstm(1);
        let magnitudes = [0.0, 7.9, 8.0, 8.1, 16.0, 39.0, 127.0, 128.0, 1e9];
        let bits = magnitudes.map(|most| bits_holding(lstm, most));
        assert_eq!(bits, [3, 3, 3, 4, 4, 6, 7, 7, 7]);
    }
}
