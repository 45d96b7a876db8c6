//! `C (+)= A W`, for every panel, for every B rows.

use gatelet_simd::Simd;

use super::panel::{load_all, panels, places, product, rows, share, store};
use super::tall;
use crate::packed::{PackedF32, Place};
use crate::sizes::PANEL;

/// `C (+)= A W`.
#[inline(always)]
pub(crate) fn matmul<V: Simd<U>, const U: usize, const B: usize>(
    v: V,
    reversed: bool,
    a: &[f32],
    w: &PackedF32<'_>,
    add: bool,
    c: &mut [f32],
    scratch: &mut [f32],
) {
    let (k, n) = (w.k.max(1), w.n.max(1));
    let done = if V::TALL {
        tall::matmul(v, reversed, a, w, add, c, scratch)
    } else {
        0
    };
    let a = (a.get(done * k..).unwrap_or_default(), k);
    let c = c.get_mut(done * n..).unwrap_or_default();
    if c.is_empty() {
        return;
    }
    for (p, panel) in panels(w, reversed) {
        let places = places(w.columns, w.n, p, U);
        with_vectors!(
            places,
            matmul_panel::<V, U, B>(v, panel, places, a, add, (&mut *c, n))
        );
    }
}

#[inline(always)]
fn matmul_panel<V: Simd<U>, const U: usize, const B: usize, const N: usize>(
    v: V,
    [panel, next]: [&[f32]; 2],
    places: [Place; PANEL],
    (a, k): (&[f32], usize),
    add: bool,
    (c, n): (&mut [f32], usize),
) {
    let blocks = c.len() / (B * n) * B;
    let (c, c_rest) = c.split_at_mut_checked(blocks * n).unwrap_or_default();
    let (a, a_rest) = a.split_at_checked(blocks * k).unwrap_or((a, &[]));
    for (index, (a, c)) in a
        .chunks_exact(B * k)
        .zip(c.chunks_exact_mut(B * n))
        .enumerate()
    {
        let next = share(next, index * B, blocks);
        matmul_block::<V, U, B, N>(v, (panel, next), places, (a, k), add, (c, n));
    }
    for (a, c) in a_rest.chunks_exact(k).zip(c_rest.chunks_exact_mut(n)) {
        matmul_block::<V, U, 1, N>(v, (panel, &[]), places, (a, k), add, (c, n));
    }
}

/// `B` rows times the first `N` vectors of a panel.
#[inline(always)]
fn matmul_block<V: Simd<U>, const U: usize, const B: usize, const N: usize>(
    v: V,
    (panel, next): (&[f32], &[f32]),
    places: [Place; PANEL],
    (a, k): (&[f32], usize),
    add: bool,
    (c, n): (&mut [f32], usize),
) {
    let mut sums = [[v.splat_f32(0.0); N]; B];
    if add {
        sums = load_all::<V, U, B, N>(v, rows(c, 0, n), places);
    }
    let sums = product::<V, U, B, N>(v, panel, next, rows(a, 0, k), sums);
    for (c, sums) in c.chunks_exact_mut(n).zip(sums) {
        for (sum, place) in sums.into_iter().zip(places) {
            store(v, sum, c, place);
        }
    }
}
