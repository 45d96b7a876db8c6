//! Numbers of models: typical, as large as loading accepts, or just beyond.

use gatelet::Layout;
use gatelet::format::MatrixSpec;

use crate::entropy::Entropy;

/// How large the numbers of a model are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Size {
    /// As training makes them.
    Usual,
    /// As large as loading accepts.
    Most,
    /// A few that are just beyond, or no numbers.
    Beyond,
}

impl Size {
    /// Most often the usual.
    pub(super) fn any(entropy: &mut Entropy<'_>) -> Self {
        match entropy.below(8) {
            0 | 1 => Size::Most,
            2 => Size::Beyond,
            _ => Size::Usual,
        }
    }
}

/// Numbers that f32 has and weights seldom are.
pub(crate) const SPECIAL: [f32; 20] = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    16_384.0,
    -16_384.0,
    16_384.002,
    -16_384.002,
    16_383.999,
    127.0,
    1e4,
    1e20,
    -3e38,
    f32::MAX,
    f32::MIN,
    f32::MIN_POSITIVE,
    1e-45,
    f32::INFINITY,
    f32::NEG_INFINITY,
    f32::NAN,
];

/// A matrix of weights, with what belongs to its rows.
pub(super) struct Affine {
    pub(super) real: Vec<f32>,
    pub(super) int8: Vec<i8>,
    pub(super) multipliers: Vec<i32>,
    pub(super) shift: u8,
}

/// Makes the numbers of a model.
pub(super) struct Maker<'e, 'a> {
    pub(super) entropy: &'e mut Entropy<'a>,
    pub(super) layout: Layout,
    pub(super) size: Size,
}

impl Maker<'_, '_> {
    /// -1 to 1.
    fn real(&mut self) -> f32 {
        (self.entropy.random() >> 40) as f32 / (1 << 23) as f32 - 1.0
    }

    fn special(&mut self) -> bool {
        self.size == Size::Beyond && self.entropy.random().is_multiple_of(64)
    }

    /// A matrix. `used`: which columns are; `bound`: the most that the operand can be in f32.
    pub(super) fn affine(
        &mut self,
        rows: usize,
        (columns, bits): (usize, u32),
        used: impl Fn(usize) -> bool,
        bound: f32,
    ) -> Affine {
        let most = if bits == 4 { 7 } else { 127 };
        let scale = match self.size {
            // The sum of a row stays below 2^14.
            Size::Most | Size::Beyond => 16_000.0 / (columns.max(1) as f32 * bound.max(1.0)),
            Size::Usual => 2.0,
        };
        let pairs = self.layout == Layout::Pairs;
        let shift = match self.entropy.below(4) {
            _ if pairs && bits == 4 => 20 + self.entropy.below(5) as u8,
            _ if pairs => 24,
            0 => 8 + self.entropy.below(24) as u8,
            _ => 24,
        };
        let largest = largest_multiplier((columns, bits), shift);
        let count = rows * columns;
        let (mut real, mut int8) = (Vec::with_capacity(count), Vec::with_capacity(count));
        for index in 0..count {
            let there = used(index % columns.max(1));
            let random = self.entropy.random();
            let weight = match (random % (2 * most as u64 + 1)) as i32 - most {
                _ if !there => 0,
                w if self.size == Size::Usual => w,
                w => most * w.signum(),
            };
            int8.push(weight as i8);
            real.push(match there {
                false => 0.0,
                true if self.special() => SPECIAL[(random >> 32) as usize % SPECIAL.len()],
                true => self.real() * scale,
            });
        }
        let multipliers = (0..rows).map(|_| {
            let random = self.entropy.random();
            let special = self.special();
            match self.size {
                // Sums of about 1: the products of 128 and 2^7 weights are 2^14 a column, of Q3.12
                // and more.
                Size::Usual => ((random % (1 << 22)) as i64 >> (24 - shift.min(24))).min(largest),
                Size::Most => largest,
                Size::Beyond if special => largest + 1,
                Size::Beyond => largest,
            }
        });
        let multipliers = multipliers.collect::<Vec<i64>>();
        Affine {
            real,
            int8,
            multipliers: multipliers
                .iter()
                .map(|&m| m.min(0x7fff_ffff) as i32)
                .collect(),
            shift,
        }
    }

    /// Numbers that are added, in f32 and in integers of at most `most`, of which `one` is 1.
    pub(super) fn addends(
        &mut self,
        count: usize,
        (one, most): (f32, i64),
    ) -> (Vec<f32>, Vec<i64>) {
        let (mut real, mut integers) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let x = self.real();
            let extreme = self.size != Size::Usual && self.entropy.random().is_multiple_of(2);
            real.push(match extreme {
                _ if self.special() => SPECIAL[self.entropy.random() as usize % SPECIAL.len()],
                true => 16_384_f32.copysign(x),
                false => 2.0 * x,
            });
            integers.push(match extreme {
                _ if self.special() => most + 1,
                true if x < 0.0 => -most,
                true => most,
                false => (2.0 * x * one) as i64,
            });
        }
        (real, integers)
    }
}

/// The largest multiplier that loading accepts: `(m largest + half) >> shift < 2^30`.
fn largest_multiplier((columns, bits): (usize, u32), shift: u8) -> i64 {
    let largest = if bits == 4 { 7 } else { 127 } * 128 * columns.max(1) as i64;
    let limit = (1_i64 << (30 + shift)) - 1 - (1 << (shift - 1));
    (limit / largest).min(i32::MAX.into())
}

impl Affine {
    pub(super) fn spec(&self, float: bool) -> MatrixSpec<'_> {
        match float {
            true => MatrixSpec::f32(&self.real),
            false => MatrixSpec::int8(&self.int8, &self.multipliers, self.shift),
        }
    }
}
