//! The GRU. A kernel has put its sums into memory; the cells go through them unit by unit.
//!
//! ```text
//! sums    [ r | z ] = a + W [x ; h]        n_x = a_n + W_n x
//! after     n_h = b_h + U h                n = tanh( n_x + r n_h )
//! before    n_h = U (r h)                  n = tanh( n_x + n_h )
//!           r, z = sigmoid of their sums   h' = z h + (1 - z) n
//! ```
//!
//! In int8, with round(p >> s) meaning "add half, then shift right arithmetically":
//!
//! ```text
//! r, z = sigmoid( sat16( a + round(acc m >> s) ) )                           Q2.13 of Q3.12
//! after     u = clamp( b_h + round(acc m >> s), +-(2^18 - 1) )               12 fraction bits in int32
//!           n = tanh( sat16( a_n + round(acc m >> s) + round(r u >> 13) ) )  Q4.11 of Q3.12
//! before    q = sat8( round(r H >> 21) )                                     scale 1/128
//!           n = tanh( sat16( a_n + round(acc m >> s) + round(acc_q m >> s) ) )
//! H'   = sat16( round( z H + (2^13 - z) (n << 4) >> 13 ) )                   Q0.15, carried
//! h    = sat8( round(H' >> 8) )                                              scale 1/128, what products read
//! ```
//! With z = 0.99 a carried h of 8 bits sticks at a fifth of what it is drawn to; 16 bits get there. u
//! has room for 64: |U h| of trained nets passes 8, where an int16 would saturate.

use crate::cell::Products;
use crate::fixed::activation::{SIGMOID, TANH, piecewise};
use crate::fixed::{GRU_BITS, H_BITS, SIGMOID_BITS, TANH_BITS};
use crate::fixed::{rounding_shift, sat8, sat16};
use crate::net::Reset;
use crate::weights::layer::{GruF32, GruInt8};

/// The most that a candidate's part of h may be in int8, in magnitude.
pub(crate) const LARGEST_U: i32 = (1 << 18) - 1;

/// What a GRU unit computes in integers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GruUnit {
    /// Reset gate, Q2.13.
    pub r: i16,
    /// Update gate, Q2.13.
    pub z: i16,
    /// Candidate, Q4.11.
    pub n: i16,
    /// The new h, scale 1/128.
    pub h: i8,
}

/// The cells of a unit whose reset gate multiplies the product: `r` and `z` are the sums of the gates,
/// `x` that of what the candidate reads, `u` that of its h; 12 fraction bits. Updates the carried h.
#[inline(always)]
pub fn gru_unit([r, z, x, u]: [i32; 4], carried: &mut i16) -> GruUnit {
    let r = piecewise(&SIGMOID, sat16(r));
    let u = u.clamp(-LARGEST_U, LARGEST_U);
    let n = x + rounding_shift(i32::from(r) * u, SIGMOID_BITS);
    update(r, piecewise(&SIGMOID, sat16(z)), n, carried)
}

/// The same of a unit whose reset gate multiplies h: `u` is the product of [`reset_h`].
#[inline(always)]
pub fn gru_unit_before([r, z, x, u]: [i32; 4], carried: &mut i16) -> GruUnit {
    let r = piecewise(&SIGMOID, sat16(r));
    update(
        r,
        piecewise(&SIGMOID, sat16(z)),
        x.saturating_add(u),
        carried,
    )
}

/// h times the reset gate, whose sum is `r`: scale 1/128.
#[inline(always)]
pub fn reset_h(r: i32, carried: i16) -> i8 {
    let r = piecewise(&SIGMOID, sat16(r));
    let product = i32::from(r) * i32::from(carried);
    sat8(rounding_shift(product, SIGMOID_BITS + GRU_BITS - H_BITS))
}

/// The new h, from z and the candidate's sum.
#[inline(always)]
fn update(r: i16, z: i16, n: i32, carried: &mut i16) -> GruUnit {
    let n = piecewise(&TANH, sat16(n));
    let (keep, take) = (i32::from(z), (1 << SIGMOID_BITS) - i32::from(z));
    let candidate = i32::from(n) << (GRU_BITS - TANH_BITS);
    let both = keep * i32::from(*carried) + take * candidate;
    *carried = sat16(rounding_shift(both, SIGMOID_BITS));
    let h = sat8(rounding_shift((*carried).into(), GRU_BITS - H_BITS));
    GruUnit { r, z, n, h }
}

/// The sums of the gates, of what the candidate reads, and of its h.
fn parts<T>(sums: &mut [T], units: usize) -> Option<(&mut [T], &mut [T], &mut [T])> {
    let (gates, rest) = sums.split_at_mut_checked(2 * units)?;
    let (x, rest) = rest.split_at_mut_checked(units)?;
    Some((gates, x, rest.get_mut(..units)?))
}

/// One step in int8. `addend: [3 units]` Q3.12, `x: [inputs + own]`, `carried: [units]`, `sums: [4
/// units]`, `next: [own]`, which keeps `r h` for reset before until the new h is there.
#[inline(never)]
pub(crate) fn step_int8<K: Products>(
    kernel: K,
    gru: &GruInt8<'_>,
    addend: &[i16],
    x: &[i8],
    carried: &mut [i16],
    sums: &mut [i32],
    next: &mut [i8],
) {
    let units = gru.units;
    widen(addend, sums.get_mut(..3 * units).unwrap_or_default());
    let (Some((gates, candidate, hidden)), Some((read, own))) =
        (parts(sums, units), x.split_at_checked(gru.inputs))
    else {
        return;
    };
    kernel.add_products_int8(&gru.gates, x, gates);
    if gru.inputs > 0 {
        kernel.add_products_int8(&gru.candidate, read, candidate);
    }
    let carried = carried.get_mut(..units).unwrap_or_default();
    match gru.reset {
        Reset::After => {
            kernel.dense_int8(&gru.hidden, gru.bias, own, hidden);
            kernel.gru_cells_int8(sums, carried, next);
        }
        Reset::Before => {
            next.fill(0);
            for ((q, r), h) in next.iter_mut().zip(&*gates).zip(&*carried) {
                *q = reset_h(*r, *h);
            }
            hidden.fill(0);
            kernel.add_products_int8(&gru.hidden, next, hidden);
            units_int8(gru_unit_before, sums, carried, next);
        }
    }
}

/// Addends as sums to begin with, by fours: one by one takes a small core twice as long.
fn widen(from: &[i16], to: &mut [i32]) {
    let (fours, rest) = from.as_chunks::<4>();
    let (to_fours, to_rest) = to.as_chunks_mut::<4>();
    for (to, &[a, b, c, d]) in to_fours.iter_mut().zip(fours) {
        *to = [a.into(), b.into(), c.into(), d.into()];
    }
    for (to, from) in to_rest.iter_mut().zip(rest) {
        *to = i32::from(*from);
    }
}

/// The cells of all units with reset after: `sums: [4, units]` of r, z, what the candidate reads
/// and its h, `carried: [units]`, `next: [units]` or more.
#[inline(always)]
pub(crate) fn cells(sums: &[i32], carried: &mut [i16], next: &mut [i8]) {
    units_int8(gru_unit, sums, carried, next);
}

#[inline(always)]
fn units_int8(
    unit: impl Fn([i32; 4], &mut i16) -> GruUnit,
    sums: &[i32],
    carried: &mut [i16],
    next: &mut [i8],
) {
    let units = carried.len();
    let (r, rest) = sums.split_at_checked(units).unwrap_or_default();
    let (z, rest) = rest.split_at_checked(units).unwrap_or_default();
    let (x, u) = rest.split_at_checked(units).unwrap_or_default();
    let sums = r.iter().zip(z).zip(x.iter().zip(u));
    for ((h, carried), ((&r, &z), (&x, &u))) in next.iter_mut().zip(carried).zip(sums) {
        *h = unit([r, z, x, u], carried).h;
    }
}

/// One step in f32; shapes as in [`step_int8`], without a carried h besides x's.
#[inline(never)]
pub(crate) fn step_f32<K: Products>(
    kernel: K,
    gru: &GruF32<'_>,
    addend: &[f32],
    x: &[f32],
    sums: &mut [f32],
    next: &mut [f32],
) {
    let units = gru.units;
    let start = sums.iter_mut().take(3 * units);
    start.zip(addend).for_each(|(to, &a)| *to = a);
    let (Some((gates, n, hidden)), Some((read, own))) =
        (parts(sums, units), x.split_at_checked(gru.inputs))
    else {
        return;
    };
    kernel.add_products_f32(&gru.gates, x, gates);
    kernel.sigmoid_f32(gates);
    if gru.inputs > 0 {
        kernel.add_products_f32(&gru.candidate, read, n);
    }
    let (r, z) = gates.split_at_checked(units).unwrap_or_default();
    match gru.reset {
        Reset::After => {
            kernel.dense_f32(&gru.hidden, gru.bias, own, hidden);
            for (n, (r, u)) in n.iter_mut().zip(r.iter().zip(&*hidden)) {
                *n += r * u;
            }
        }
        Reset::Before => {
            next.fill(0.0);
            for (q, (r, h)) in next.iter_mut().zip(r.iter().zip(own)) {
                *q = r * h;
            }
            kernel.add_products_f32(&gru.hidden, next, n);
        }
    }
    kernel.tanh_f32(n);
    for ((next, n), (z, h)) in next.iter_mut().zip(&*n).zip(z.iter().zip(own)) {
        *next = z * h + (1.0 - z) * n;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixed::activation::{sigmoid_f32, tanh_f32};

    /// The integer cells follow those of f32, in both forms, and h is the carried one in 8 bits.
    #[test]
    fn integer_cells_follow_the_f32_cells() {
        for reset in [Reset::After, Reset::Before] {
            let (mut carried, mut h) = (0_i16, 0_f32);
            for step in 0..300_i32 {
                let sums = [0, 1, 2, 3].map(|g| (step * 7919 + g * 104_729) % 24_000 - 11_000);
                let unit = match reset {
                    Reset::After => gru_unit(sums, &mut carried),
                    Reset::Before => gru_unit_before(sums, &mut carried),
                };
                let [r, z, x, u] = sums.map(|s| s as f32 / 4096.0);
                let z = sigmoid_f32(z);
                let n = match reset {
                    Reset::After => x + sigmoid_f32(r) * u,
                    Reset::Before => x + u,
                };
                h = z * h + (1.0 - z) * tanh_f32(n);
                let error = (f32::from(carried) / 32_768.0 - h).abs();
                assert!(error < 4e-3, "{step}: off by {error}");
                assert!((f32::from(unit.h) / 128.0 - h).abs() < 8e-3, "{step}");
            }
        }
    }

    /// A state of 16 bits reaches what it is drawn to, where one of 8 bits would stop at 0.11.
    #[test]
    fn a_slow_gate_gets_there() {
        // sigmoid(4.6) = 0.99, tanh(0.549) = 0.5.
        let (z, n) = ((4.6 * 4096.0) as i32, (0.549 * 4096.0) as i32);
        let mut carried = 0;
        for _ in 0..2000 {
            gru_unit([0, z, n, 0], &mut carried);
        }
        let reached = f32::from(carried) / 32_768.0;
        assert!((reached - 0.5).abs() < 0.005, "{reached}");
    }

    #[test]
    fn extremes_saturate() {
        let mut carried = i16::MAX;
        let unit = gru_unit([i32::from(i16::MAX); 4], &mut carried);
        assert_eq!(unit.h, i8::MAX);
        let mut carried = i16::MIN;
        let least = [1 << 29, -(1 << 29), -(1 << 29), -(1 << 29)];
        assert_eq!(gru_unit(least, &mut carried).h, i8::MIN);
        assert_eq!(reset_h(i32::MAX, i16::MIN), i8::MIN);
    }
}
