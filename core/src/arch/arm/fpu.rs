//! The f32 kernel of an FPU: `fpu.S`, behind slices.
//!
//! It reads rows. f32 in tiles goes to the scalar kernel, int8 to [`Native`]. It is a kernel of its
//! own so that a program with an int8 model links nothing of it.
//!
//! ```text
//! LSTM    tiles of 8 units: z = addend, products, cells          z is on the stack
//! RNN     next = addend, products, tanh                          all rows at once, in place
//! head    logits = bias, products
//! ```

use core::arch::global_asm;

use gatelet_simd::functions::EXP2;

use crate::fixed::activation::exp2::{Curve, SIGMOID, TANH};
use crate::kernel::{Kernel, Native, Scalar, sealed};
use crate::net::{Layout, Net};
use crate::weights::layer::{Fused, LayerF32, LayerInt8, ProductInt8};
use crate::weights::matrix::MatrixF32;
use crate::weights::order::RowOrder;

global_asm!(include_str!("fpu.S"), options(raw));

/// What the activations do at a time.
const GROUP: usize = 4;
/// Columns come in fours: see [`Net::columns`].
const COLUMNS: usize = 4;
/// Gates of an LSTM unit.
const GATES: usize = 4;
/// Units of an LSTM's tile: whole groups. Their pre-activations take 128 bytes of stack.
const UNITS: usize = 8;

/// A constant for each number of a group.
type Lanes = [f32; GROUP];

/// A [`Curve`], for each number of a group.
#[repr(C)]
struct Curves {
    scale: Lanes,
    numerator: Lanes,
    offset: Lanes,
}

/// What all activations need, in the order in which `fpu.S` reads it.
#[repr(C)]
struct Exp2 {
    coefficients: [Lanes; EXP2.len()],
    /// Scales of the gates i, f, g, o.
    gates: Lanes,
    /// The scale of tanh.
    cell: Lanes,
}

static SIGMOIDS: Curves = curves(SIGMOID);
static TANHS: Curves = curves(TANH);
static TABLE: Exp2 = {
    let [a, b, c, d, e, f] = EXP2;
    let (sigmoid, tanh) = (SIGMOID.scale, TANH.scale);
    Exp2 {
        coefficients: [[a; 4], [b; 4], [c; 4], [d; 4], [e; 4], [f; 4]],
        gates: [sigmoid, sigmoid, tanh, sigmoid],
        cell: [tanh; GROUP],
    }
};

const fn curves(curve: Curve) -> Curves {
    Curves {
        scale: [curve.scale; GROUP],
        numerator: [curve.numerator; GROUP],
        offset: [curve.offset; GROUP],
    }
}

unsafe extern "C" {
    /// `sums[r] += sum_k weights[r, k] x[k]`. Reads `rows * columns` weights and `columns` of x,
    /// reads and writes `rows` sums; `columns` is a multiple of [`COLUMNS`].
    fn gatelet_fpu_products(
        weights: *const f32,
        x: *const f32,
        columns: usize,
        sums: *mut f32,
        rows: usize,
    );
    /// A curve at `groups` times [`GROUP`] numbers, in place; `groups` is not 0.
    fn gatelet_fpu_curve(
        numbers: *mut f32,
        groups: usize,
        curve: *const Curves,
        table: *const Exp2,
    );
    /// Cells of `groups` times [`GROUP`] units: reads [`GATES`] numbers of `z` for each, reads and
    /// writes c, writes `next`; `groups` is not 0.
    fn gatelet_fpu_lstm(
        z: *const f32,
        c: *mut f32,
        next: *mut f32,
        table: *const Exp2,
        groups: usize,
    );
}

/// The kernel for f32 on a Cortex-M4F, M7 or M33 with an FPU. Its int8 is [`Native`]'s.
///
/// It exists only where the target has the instructions, so there is nothing to be found out at run
/// time. Results are within the bound of docs/numerics.md.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fpu;

impl Fpu {
    /// `sums[r] += sum_k weights[r, k] x[k]`; false, and nothing is done, if the lengths do not
    /// fit.
    ///
    /// `weights: [rows, columns]`, row-major; `x: [columns]`, a multiple of four; `sums: [rows]`.
    pub fn products(self, weights: &[f32], x: &[f32], sums: &mut [f32]) -> bool {
        let (columns, rows) = (x.len(), sums.len());
        let needed = rows.checked_mul(columns);
        if !columns.is_multiple_of(COLUMNS) || needed.is_none_or(|n| weights.len() < n) {
            return false;
        }
        let (weights, x) = (weights.as_ptr(), x.as_ptr());
        // SAFETY: the lengths were compared above.
        unsafe { gatelet_fpu_products(weights, x, columns, sums.as_mut_ptr(), rows) };
        true
    }

    /// The sigmoid of every number, in place: at most 1.1e-7 off, for numbers below 2^29 in
    /// magnitude.
    pub fn sigmoid(self, numbers: &mut [f32]) {
        along(&SIGMOIDS, numbers);
    }

    /// tanh of every number, in place: at most 2.1e-7 off, for numbers below 2^29 in magnitude.
    pub fn tanh(self, numbers: &mut [f32]) {
        along(&TANHS, numbers);
    }
}

impl sealed::Sealed for Fpu {}

impl Kernel for Fpu {
    const NAME: &'static str = "fpu";

    fn layout(self, net: &Net) -> Layout {
        Native::default().layout(net)
    }

    fn layer_f32(
        self,
        layer: &LayerF32<'_>,
        addend: &[f32],
        x: &[f32],
        c: &mut [f32],
        next: &mut [f32],
    ) {
        let Some(weights) = in_rows(&layer.weights, x) else {
            return Scalar.layer_f32(layer, addend, x, c, next);
        };
        let next = next.get_mut(..layer.hidden).unwrap_or_default();
        match layer.cell {
            Fused::Rnn => {
                affine(weights, addend, x, next);
                self.tanh(next);
            }
            Fused::Lstm => {
                let c = c.get_mut(..layer.hidden).unwrap_or_default();
                lstm(weights, addend, x, c, next);
            }
        }
    }

    fn layer_int8(
        self,
        layer: &LayerInt8<'_>,
        addend: &[i16],
        x: &[i8],
        c: &mut [i16],
        next: &mut [i8],
    ) {
        Native::default().layer_int8(layer, addend, x, c, next);
    }

    fn add_products_f32(self, matrix: &MatrixF32<'_>, x: &[f32], sums: &mut [f32]) {
        let x = x.get(..matrix.columns).unwrap_or_default();
        match in_rows(matrix, x) {
            Some(weights) if self.products(weights, x, sums) => {}
            _ => Scalar.add_products_f32(matrix, x, sums),
        }
    }

    fn add_products_int8(self, product: &ProductInt8<'_>, x: &[i8], sums: &mut [i32]) {
        Native::default().add_products_int8(product, x, sums);
    }

    fn dense_int8(self, product: &ProductInt8<'_>, bias: &[i32], x: &[i8], y: &mut [i32]) {
        Native::default().dense_int8(product, bias, x, y);
    }

    fn sigmoid_f32(self, numbers: &mut [f32]) {
        self.sigmoid(numbers);
    }

    fn tanh_f32(self, numbers: &mut [f32]) {
        self.tanh(numbers);
    }
}

/// The weights of a row-major matrix that x fits; nothing of another.
fn in_rows<'a>(matrix: &MatrixF32<'a>, x: &[f32]) -> Option<&'a [f32]> {
    let fits = matrix.order == RowOrder::PLAIN && matrix.columns == x.len();
    (fits && x.len().is_multiple_of(COLUMNS)).then_some(matrix.weights)
}

/// `out = addend + W x` of as many rows as there are addends. `addend: [rows]`, `out: [rows]`, or
/// longer.
#[inline(always)]
fn affine(weights: &[f32], addend: &[f32], x: &[f32], out: &mut [f32]) {
    for (out, &a) in out.iter_mut().zip(addend) {
        *out = a;
    }
    if let Some(out) = out.get_mut(..addend.len()) {
        Fpu.products(weights, x, out);
    }
}

/// One step of an LSTM layer. `weights: [4 hidden, columns]`, `addend: [4 hidden]`, `c: [hidden]`,
/// `next: [hidden]`.
fn lstm(weights: &[f32], addend: &[f32], x: &[f32], c: &mut [f32], next: &mut [f32]) {
    let rows = UNITS * GATES;
    let tiles = next.chunks_mut(UNITS).zip(c.chunks_mut(UNITS));
    let weights = weights.chunks((rows * x.len()).max(1));
    for ((next, c), (addend, weights)) in tiles.zip(addend.chunks(rows).zip(weights)) {
        let mut z = [0.0; UNITS * GATES];
        affine(weights, addend, x, &mut z);
        if next.len().is_multiple_of(GROUP) {
            cells(&z, c, next);
        } else {
            let (mut all, mut h) = ([0.0; UNITS], [0.0; UNITS]);
            all.iter_mut().zip(&*c).for_each(|(to, &c)| *to = c);
            cells(&z, &mut all, &mut h);
            c.iter_mut().zip(all).for_each(|(to, c)| *to = c);
            next.iter_mut().zip(h).for_each(|(to, h)| *to = h);
        }
    }
}

/// The cells of whole groups of units. `c: [units]`, `next: [units]`, at most those that z has room
/// for.
#[inline(always)]
fn cells(z: &[f32; UNITS * GATES], c: &mut [f32], next: &mut [f32]) {
    let groups = c.len().min(next.len()).min(UNITS) / GROUP;
    if groups > 0 {
        let (c, next) = (c.as_mut_ptr(), next.as_mut_ptr());
        // SAFETY: there are at least so many units in all three.
        unsafe { gatelet_fpu_lstm(z.as_ptr(), c, next, &TABLE, groups) };
    }
}

/// A curve at every number: whole groups where they are, the rest in one of its own.
fn along(curve: &Curves, numbers: &mut [f32]) {
    let whole = numbers.len() - numbers.len() % GROUP;
    let Some((groups, rest)) = numbers.split_at_mut_checked(whole) else {
        return;
    };
    if !groups.is_empty() {
        let count = groups.len() / GROUP;
        // SAFETY: they are so many whole groups, and not none.
        unsafe { gatelet_fpu_curve(groups.as_mut_ptr(), count, curve, &TABLE) };
    }
    if !rest.is_empty() {
        let mut group = [0.0; GROUP];
        group.iter_mut().zip(&*rest).for_each(|(to, &n)| *to = n);
        // SAFETY: it is one group.
        unsafe { gatelet_fpu_curve(group.as_mut_ptr(), 1, curve, &TABLE) };
        rest.iter_mut().zip(group).for_each(|(to, n)| *to = n);
    }
}
