//! Dropout masks: which numbers a training step does not see.
//!
//! ```text
//! between layers, before the head    x_t <- m_t x_t            a mask for every step in time   (Zaremba et al. 2014)
//! recurrent                          z_t = x_t W_x + (m h_{t-1}) W_h + b       one mask for the whole window
//!                                                                              (Gal and Ghahramani 2016)
//! m = 0 with probability p, else 1 / (1 - p)
//! ```
//! The first is what PyTorch's `dropout` does between layers. The second drops the same units of `h` at every step of a
//! window, so that noise does not add up over time and what a unit holds is either seen or not; the state itself, which
//! is carried into the next window and which the layer above sees, is left whole. Moon et al. (2015) drop units of `c`
//! instead, which loses memory that nothing brings back; masking what is read from `h` works for every cell.
//! In a GRU it hides units from the recurrent product; what its update gate keeps is whole.
//!
//! A mask is a function of (seed, optimizer step, layer, kind, time, row of the batch, unit): a counter goes through
//! integer mixing, and no generator has a state. So a mask depends neither on the threads nor on how a batch is cut
//! into shards, a resumed run has the masks it would have had, backward may compute a mask again instead of keeping
//! it, and a row of units is vector code.
//!
//! ```text
//! key  = mix(mix(mix(mix(seed, step), layer and kind), time), row)           64 bits, splitmix64's finalizer (Steele et al. 2014)
//! bits = lowbias(unit * golden + key.low) with key.high added half way        32 bits, C. Wellons' "lowbias32"
//! m    = bits < p 2^32 ? 0 : 1 / (1 - p)
//! ```

use pulp::{Arch, NullaryFnOnce};

use crate::real::Real;
use crate::vector::vectorized;

/// What is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Outputs of a layer, on their way up.
    Output = 0,
    /// `h` of a layer, on its way to the next step in time. [`Place::time`] is 0: one mask for the whole window.
    Recurrent = 1,
}

/// Which mask of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Optimizer steps done.
    pub step: u64,
    /// The layer whose outputs or state it is, from 0.
    pub layer: usize,
    /// What is dropped.
    pub kind: Kind,
    /// Step within the window, from 0.
    pub time: usize,
}

/// The masks of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dropout {
    seed: u64,
    /// Bits below this are dropped: p 2^32.
    threshold: u32,
    /// `1 / (1 - p)`
    scale: f64,
}

impl Dropout {
    /// Masks that drop with probability `rate`, which is at least 0 and below 1; `None` for 0.
    pub fn new(seed: u64, rate: f64) -> Option<Self> {
        debug_assert!((0.0..1.0).contains(&rate));
        (rate > 0.0).then(|| Self {
            seed,
            threshold: (rate * 2.0_f64.powi(32)) as u32,
            scale: 1.0 / (1.0 - rate),
        })
    }

    /// Fills `mask` ([rows, units]) for the rows of the batch from `first_row` on.
    pub fn fill<F: Real>(
        &self,
        arch: Arch,
        place: Place,
        first_row: usize,
        units: usize,
        mask: &mut [F],
    ) {
        self.rows(place, first_row, units, mask, |row| {
            vectorized(arch, Fill(row))
        });
    }

    /// Multiplies `values` ([rows, units]) by the mask that [`Dropout::fill`] gives.
    pub fn apply<F: Real>(
        &self,
        arch: Arch,
        place: Place,
        first_row: usize,
        units: usize,
        values: &mut [F],
    ) {
        self.rows(place, first_row, units, values, |row| {
            vectorized(arch, Apply(row))
        });
    }

    fn rows<F: Real>(
        &self,
        place: Place,
        first_row: usize,
        units: usize,
        values: &mut [F],
        mut each: impl FnMut(Row<'_, F>),
    ) {
        let layer = 2 * place.layer as u64 + place.kind as u64;
        let window = mix(mix(mix(self.seed, place.step), layer), place.time as u64);
        for (values, row) in values
            .chunks_exact_mut(units.max(1))
            .zip(first_row as u64..)
        {
            let key = mix(window, row);
            each(Row {
                values,
                low: key as u32,
                high: (key >> 32) as u32,
                threshold: self.threshold,
                scale: F::from_f64(self.scale),
            });
        }
    }
}

/// 2^64 and 2^32 over the golden ratio, odd.
const GOLDEN: (u64, u32) = (0x9E37_79B9_7F4A_7C15, 0x9E37_79B9);

/// Takes a number into a key.
fn mix(key: u64, number: u64) -> u64 {
    let x = (key ^ number).wrapping_add(GOLDEN.0);
    let x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

/// The units of one row, with its key.
struct Row<'a, F> {
    values: &'a mut [F],
    low: u32,
    high: u32,
    threshold: u32,
    scale: F,
}

impl<F: Real> Row<'_, F> {
    #[inline(always)]
    fn each(self, put: impl Fn(&mut F, F)) {
        let (low, high, threshold, scale) = (self.low, self.high, self.threshold, self.scale);
        for (value, unit) in self.values.iter_mut().zip(0_u32..) {
            let x = unit.wrapping_mul(GOLDEN.1).wrapping_add(low);
            let x = (x ^ (x >> 16)).wrapping_mul(0x7FEB_352D).wrapping_add(high);
            let x = (x ^ (x >> 15)).wrapping_mul(0x846C_A68B);
            let x = x ^ (x >> 16);
            put(value, if x < threshold { F::zero() } else { scale });
        }
    }
}

struct Fill<'a, F>(Row<'a, F>);

impl<F: Real> NullaryFnOnce for Fill<'_, F> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        self.0.each(|value, mask| *value = mask);
    }
}

struct Apply<'a, F>(Row<'a, F>);

impl<F: Real> NullaryFnOnce for Apply<'_, F> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        self.0.each(|value, mask| *value *= mask);
    }
}

/// What a window drops; nothing by default.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Masks {
    pub(crate) output: Option<Dropout>,
    pub(crate) recurrent: Option<Dropout>,
    /// The shard's first row in the batch.
    pub(crate) first_row: usize,
    /// Optimizer steps done.
    pub(crate) step: u64,
}

impl Masks {
    /// The place of a mask.
    pub(crate) fn place(&self, layer: usize, kind: Kind, time: usize) -> Place {
        Place {
            step: self.step,
            layer,
            kind,
            time,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place = Place {
        step: 1000,
        layer: 1,
        kind: Kind::Output,
        time: 7,
    };

    fn masks(
        seed: u64,
        rate: f64,
        place: Place,
        rows: std::ops::Range<usize>,
        units: usize,
    ) -> Vec<f32> {
        let mut mask = vec![7.0; rows.len() * units];
        let dropout = Dropout::new(seed, rate).unwrap();
        dropout.fill(Arch::new(), place, rows.start, units, &mut mask);
        mask
    }

    #[test]
    fn no_dropout_is_no_mask() {
        assert_eq!(Dropout::new(1, 0.0), None);
    }

    #[test]
    fn the_rate_is_what_was_asked_for_and_the_mean_stays_one() {
        for rate in [0.05, 0.1, 0.25, 0.5, 0.9] {
            let mask = masks(3, rate, PLACE, 0..1000, 257);
            let kept = 1.0 / (1.0 - rate) as f32;
            assert!(mask.iter().all(|&m| m == 0.0 || m == kept), "{rate}");
            let dropped = mask.iter().filter(|&&m| m == 0.0).count() as f64 / mask.len() as f64;
            // Four standard deviations of that many coins.
            let bound = 4.0 * (rate * (1.0 - rate) / mask.len() as f64).sqrt();
            assert!((dropped - rate).abs() < bound, "{rate}: {dropped}");
        }
    }

    #[test]
    fn a_mask_depends_on_its_place_alone() {
        let whole = masks(3, 0.3, PLACE, 0..9, 37);
        assert_eq!(whole, masks(3, 0.3, PLACE, 0..9, 37));
        let parts = [
            masks(3, 0.3, PLACE, 0..5, 37),
            masks(3, 0.3, PLACE, 5..9, 37),
        ]
        .concat();
        assert_eq!(whole, parts, "shards");
        // Lengths on both sides of every vector's: a row's start does not depend on its length.
        let long = masks(3, 0.3, PLACE, 4..5, 300);
        for units in [0, 1, 7, 8, 9, 15, 16, 17, 31, 32, 33, 300] {
            assert_eq!(
                long[..units],
                masks(3, 0.3, PLACE, 4..5, units),
                "{units} units"
            );
        }
        let mut values: Vec<f32> = (0..9 * 37).map(|i| i as f32 - 100.0).collect();
        let expected: Vec<f32> = values.iter().zip(&whole).map(|(x, m)| x * m).collect();
        Dropout::new(3, 0.3)
            .unwrap()
            .apply(Arch::new(), PLACE, 0, 37, &mut values);
        assert_eq!(values, expected);
        assert_eq!(
            masks(3, 0.3, PLACE, 2..3, 64)
                .iter()
                .map(|&m| f64::from(m))
                .collect::<Vec<_>>(),
            {
                let mut mask = vec![0.0_f64; 64];
                Dropout::new(3, 0.3)
                    .unwrap()
                    .fill(Arch::new(), PLACE, 2, 64, &mut mask);
                mask.iter()
                    .map(|&m| f64::from(m as f32))
                    .collect::<Vec<_>>()
            }
        );
    }

    /// Masks that differ in one thing agree as often as coins do.
    #[test]
    fn masks_are_independent() {
        const ROWS: usize = 400;
        const UNITS: usize = 128;
        let rate = 0.3;
        let base = masks(3, rate, PLACE, 0..ROWS, UNITS);
        let others = [
            ("seed", masks(4, rate, PLACE, 0..ROWS, UNITS)),
            (
                "step",
                masks(
                    3,
                    rate,
                    Place {
                        step: 1001,
                        ..PLACE
                    },
                    0..ROWS,
                    UNITS,
                ),
            ),
            (
                "layer",
                masks(3, rate, Place { layer: 0, ..PLACE }, 0..ROWS, UNITS),
            ),
            (
                "kind",
                masks(
                    3,
                    rate,
                    Place {
                        kind: Kind::Recurrent,
                        ..PLACE
                    },
                    0..ROWS,
                    UNITS,
                ),
            ),
            (
                "time",
                masks(3, rate, Place { time: 8, ..PLACE }, 0..ROWS, UNITS),
            ),
            ("row", masks(3, rate, PLACE, 1..ROWS + 1, UNITS)),
            // Numbers that swap places must not meet again.
            (
                "step and time",
                masks(
                    3,
                    rate,
                    Place {
                        step: 7,
                        time: 1000,
                        ..PLACE
                    },
                    0..ROWS,
                    UNITS,
                ),
            ),
            (
                "row 7 at time 8",
                masks(3, rate, Place { time: 8, ..PLACE }, 7..ROWS + 7, UNITS),
            ),
            ("next unit", [&base[1..], &base[..1]].concat()),
        ];
        let expected = rate * rate + (1.0 - rate) * (1.0 - rate);
        let bound = 4.0 * (expected * (1.0 - expected) / base.len() as f64).sqrt();
        for (what, other) in others {
            let same = base.iter().zip(&other).filter(|(a, b)| a == b).count();
            let same = same as f64 / base.len() as f64;
            assert!(
                (same - expected).abs() < bound,
                "{what}: {same}, expected {expected}"
            );
        }
        // No unit and no row is dropped more than others.
        let mut units = [0; UNITS];
        for row in base.chunks(UNITS) {
            let dropped = row.iter().filter(|&&m| m == 0.0).count() as f64;
            assert!((dropped - rate * UNITS as f64).abs() < 5.0 * (UNITS as f64 * 0.21).sqrt());
            units
                .iter_mut()
                .zip(row)
                .for_each(|(n, &m)| *n += u32::from(m == 0.0));
        }
        let bound = 5.0 * (ROWS as f64 * 0.21).sqrt();
        assert!(
            units
                .iter()
                .all(|&n| (f64::from(n) - rate * ROWS as f64).abs() < bound)
        );
    }

    /// A resumed run of a later version must find the masks it would have had.
    #[test]
    fn masks_stay_what_they_are() {
        let mask = masks(1, 0.5, PLACE, 3..4, 64);
        let bits = mask
            .iter()
            .rev()
            .fold(0_u64, |bits, &m| bits << 1 | u64::from(m == 0.0));
        // From an implementation of the formulas above in Python.
        assert_eq!(bits, 0xF18A_065B_D518_A766, "{bits:#018x}");
    }
}
