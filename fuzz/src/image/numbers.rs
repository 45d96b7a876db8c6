//! Numbers of models: typical, as large as loading accepts, or just beyond.

use gatelet::Layout;
use gatelet::net::{Kind, Net, Precision, Value};
use gatelet_random::{Added, Addends, Matrix, Numbers, Wanted};

use crate::entropy::{Entropy, Source};

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

    /// A matrix. `bound`: the most that the operand can be in f32.
    fn affine(&mut self, rows: usize, columns: &[Option<Value>], bits: u32, bound: f32) -> Matrix {
        let most = if bits == 4 { 7 } else { 127 };
        let scale = match self.size {
            // The sum of a row stays below 2^14.
            Size::Most | Size::Beyond => 16_000.0 / (columns.len() as f32 * bound.max(1.0)),
            Size::Usual => 2.0,
        };
        let pairs = self.layout == Layout::Pairs;
        let shift = match self.entropy.below(4) {
            _ if pairs && bits == 4 => 20 + self.entropy.below(5) as u8,
            _ if pairs => 24,
            0 => 8 + self.entropy.below(24) as u8,
            _ => 24,
        };
        let largest = largest_multiplier((columns.len(), bits), shift);
        let count = rows * columns.len();
        let (mut real, mut int8) = (Vec::with_capacity(count), Vec::with_capacity(count));
        for index in 0..count {
            let there = columns[index % columns.len()].is_some();
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
        Matrix {
            real,
            int8,
            multipliers: multipliers
                .iter()
                .map(|&m| m.min(0x7fff_ffff) as i32)
                .collect(),
            shift,
        }
    }
}

impl Numbers for Maker<'_, '_> {
    fn matrix(&mut self, wanted: &Wanted<'_>) -> Matrix {
        let (of, net) = (wanted.operation(), wanted.net);
        let values = wanted.columns.iter().flatten();
        let bound = match net.precision {
            Precision::F32 => values.map(|value| bound(net, *value)).fold(1.0, f32::max),
            Precision::Int8 => 1.0,
        };
        let size = self.size;
        if matches!(of.kind, Kind::Embedding { .. }) {
            // A large table would leave nothing for the weights that it is multiplied with.
            self.size = Size::Usual;
        }
        let matrix = self.affine(wanted.rows, wanted.columns, of.bits.into(), bound);
        self.size = size;
        matrix
    }

    fn addends(&mut self, added: &Added<'_>) -> Addends {
        let mut made = Addends::default();
        for _ in 0..added.count {
            let x = self.real();
            let extreme = self.size != Size::Usual && self.entropy.random().is_multiple_of(2);
            made.real.push(match extreme {
                _ if self.special() => SPECIAL[self.entropy.random() as usize % SPECIAL.len()],
                true => 16_384_f32.copysign(x),
                false => 2.0 * x,
            });
            made.integers.push(match extreme {
                _ if self.special() => added.most + 1,
                true if x < 0.0 => -added.most,
                true => added.most,
                false => (2.0 * x * added.unit) as i32,
            });
        }
        made
    }

    fn ratios(&mut self, net: &Net, index: usize) -> (Vec<i32>, u8) {
        let shift = 8 + self.entropy.below(24) as u8;
        let ratio = |_| ((self.entropy.random() % 3) << shift >> 1).min(i32::MAX as u64) as i32;
        let count = 2 * net.width(Value::of(index));
        ((0..count).map(ratio).collect(), shift)
    }

    fn state_bits(&mut self, kind: Kind) -> u8 {
        match kind {
            Kind::Lstm { .. } => 3 + self.entropy.below(5) as u8,
            _ => self.entropy.below(8) as u8,
        }
    }

    fn start(&mut self, units: usize) -> Option<[Vec<i16>; 2]> {
        let mut state = || (0..units).map(|_| self.entropy.random() as i16).collect();
        let both = [state(), state()];
        self.entropy.rarely(3).then_some(both)
    }
}

/// The most that a number of a value may be in f32, where it is not about 1.
const FEATURE: f32 = 65_536.0;
const LARGE: f32 = 32_768.0;

/// The most that a number of a value may be in f32.
fn bound(net: &Net, value: Value) -> f32 {
    let operation = value.operation().and_then(|index| net.operation(index));
    match operation.map(|of| of.kind) {
        None => FEATURE,
        Some(kind) if kind.cell().is_some_and(|form| !form.unbounded) => 1.0,
        // As `affine` makes them of the usual size.
        Some(Kind::Embedding { .. }) => 2.0,
        _ => LARGE,
    }
}

/// The largest multiplier that loading accepts: `(m largest + half) >> shift < 2^30`.
fn largest_multiplier((columns, bits): (usize, u32), shift: u8) -> i64 {
    let largest = if bits == 4 { 7 } else { 127 } * 128 * columns.max(1) as i64;
    let limit = (1_i64 << (30 + shift)) - 1 - (1 << (shift - 1));
    (limit / largest).min(i32::MAX.into())
}
