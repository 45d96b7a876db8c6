//! Sixteen rows times one vector of sixteen columns, in AVX-512's registers.
//!
//! ```text
//! for every column k:  w = panel[k][vector];  for r in 0..16:  sums[r] += w x[k][r]
//! ```
//!
//! A column takes 17 reads, one of weights and one of each row's number, and 16 multiplications;
//! two of either are done in a clock cycle. The compiler reads the numbers first and shuffles them
//! apart, or keeps sixteen addresses; hence assembly.

#[cfg(not(miri))]
use core::arch::asm;
use core::arch::x86_64::*;

#[cfg(not(miri))]
use crate::simd::PANEL;
use crate::simd::TALL;

/// The loop over the columns, with what else it does at each of them.
#[cfg(not(miri))]
macro_rules! columns {
    ($x:ident, $weights:ident, $count:ident, $sums:ident, $w:ident,
     $($each:literal,)* $($next:ident)?) => {
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = $sums;
        asm!(
            "2:",
            "vmovups {w}, zmmword ptr [{weights}]",
            $($each,)*
            "vfmadd231ps {a}, {w}, dword ptr [{x}]{{1to16}}",
            "vfmadd231ps {b}, {w}, dword ptr [{x} + 4]{{1to16}}",
            "vfmadd231ps {c}, {w}, dword ptr [{x} + 8]{{1to16}}",
            "vfmadd231ps {d}, {w}, dword ptr [{x} + 12]{{1to16}}",
            "vfmadd231ps {e}, {w}, dword ptr [{x} + 16]{{1to16}}",
            "vfmadd231ps {f}, {w}, dword ptr [{x} + 20]{{1to16}}",
            "vfmadd231ps {g}, {w}, dword ptr [{x} + 24]{{1to16}}",
            "vfmadd231ps {h}, {w}, dword ptr [{x} + 28]{{1to16}}",
            "vfmadd231ps {i}, {w}, dword ptr [{x} + 32]{{1to16}}",
            "vfmadd231ps {j}, {w}, dword ptr [{x} + 36]{{1to16}}",
            "vfmadd231ps {k}, {w}, dword ptr [{x} + 40]{{1to16}}",
            "vfmadd231ps {l}, {w}, dword ptr [{x} + 44]{{1to16}}",
            "vfmadd231ps {m}, {w}, dword ptr [{x} + 48]{{1to16}}",
            "vfmadd231ps {n}, {w}, dword ptr [{x} + 52]{{1to16}}",
            "vfmadd231ps {o}, {w}, dword ptr [{x} + 56]{{1to16}}",
            "vfmadd231ps {p}, {w}, dword ptr [{x} + 60]{{1to16}}",
            "add {weights}, 256",
            "add {x}, 64",
            "dec {count}",
            "jnz 2b",
            w = out(zmm_reg) $w,
            a = inout(zmm_reg) *a, b = inout(zmm_reg) *b,
            c = inout(zmm_reg) *c, d = inout(zmm_reg) *d,
            e = inout(zmm_reg) *e, f = inout(zmm_reg) *f,
            g = inout(zmm_reg) *g, h = inout(zmm_reg) *h,
            i = inout(zmm_reg) *i, j = inout(zmm_reg) *j,
            k = inout(zmm_reg) *k, l = inout(zmm_reg) *l,
            m = inout(zmm_reg) *m, n = inout(zmm_reg) *n,
            o = inout(zmm_reg) *o, p = inout(zmm_reg) *p,
            weights = inout(reg) $weights => _,
            x = inout(reg) $x => _,
            count = inout(reg) $count => _,
            $($next = inout(reg) $next => _,)?
            options(readonly, nostack),
        );
    };
}

/// The sums with those of all columns that both have. A line of `next`, if it has so many, is
/// prefetched at each.
#[cfg(not(miri))]
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn tall(
    x: &[[f32; TALL]],
    panel: &[[[f32; 16]; PANEL]],
    vector: usize,
    next: &[f32],
    mut sums: [__m512; TALL],
) -> [__m512; TALL] {
    let count = x.len().min(panel.len());
    if count == 0 || vector >= PANEL {
        return sums;
    }
    let (x, weights) = (
        x.as_ptr(),
        panel.as_flattened().as_ptr().wrapping_add(vector),
    );
    let results = &mut sums;
    // The last column's weights, which nobody reads: an operand that is thrown away has no width.
    let w: __m512;
    if next.len() >= count * TALL {
        let next = next.as_ptr();
        // SAFETY: `count` is at least 1; x has as many columns, and the panel as many with this
        // vector in each. A prefetch reads nothing.
        unsafe {
            columns!(
                x,
                weights,
                count,
                results,
                w,
                "prefetcht1 [{next}]",
                "add {next}, 64",
                next
            );
        }
    } else {
        // SAFETY: as above.
        unsafe {
            columns!(x, weights, count, results, w,);
        }
    }
    let _ = w;
    sums
}

/// [`Simd::transpose`](crate::Simd::transpose).
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn transpose(a: &[f32], k: usize, to: &mut [[f32; TALL]]) {
    let (fours, rest) = to.as_chunks_mut::<4>();
    let columns = fours.len() * 4 + rest.len();
    if a.len() < (TALL - 1) * k + columns || k < columns {
        return;
    }
    let done = fours.len() * 4;
    for (index, four) in fours.iter_mut().enumerate() {
        // Row r in quarter r / 4 of vector r % 4.
        let row = |r: usize| a.as_ptr().wrapping_add(r * k + index * 4);
        let mut rows = [_mm512_setzero_ps(); 4];
        for (r, rows) in rows.iter_mut().enumerate() {
            // SAFETY: four columns of a row that `a` has.
            let [q0, q1, q2, q3] = unsafe {
                [
                    _mm_loadu_ps(row(r)),
                    _mm_loadu_ps(row(r + 4)),
                    _mm_loadu_ps(row(r + 8)),
                    _mm_loadu_ps(row(r + 12)),
                ]
            };
            let low = _mm512_insertf32x4::<1>(_mm512_castps128_ps512(q0), q1);
            *rows = _mm512_insertf32x4::<3>(_mm512_insertf32x4::<2>(low, q2), q3);
        }
        let [a, b, c, d] = rows;
        let (ab, cd) = (_mm512_unpacklo_ps(a, b), _mm512_unpacklo_ps(c, d));
        let (ab_high, cd_high) = (_mm512_unpackhi_ps(a, b), _mm512_unpackhi_ps(c, d));
        let columns = [
            _mm512_shuffle_ps::<0x44>(ab, cd),
            _mm512_shuffle_ps::<0xee>(ab, cd),
            _mm512_shuffle_ps::<0x44>(ab_high, cd_high),
            _mm512_shuffle_ps::<0xee>(ab_high, cd_high),
        ];
        for (to, column) in four.iter_mut().zip(columns) {
            // SAFETY: a store through a reference to as many.
            unsafe { _mm512_storeu_ps(to.as_mut_ptr(), column) };
        }
    }
    for (index, to) in rest.iter_mut().enumerate() {
        for (row, to) in to.iter_mut().enumerate() {
            *to = a.get(row * k + done + index).copied().unwrap_or_default();
        }
    }
}
