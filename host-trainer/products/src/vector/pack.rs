//! Packing of a panel, `PackedShape::pack_panel`, on vectors.
//!
//! ```text
//! as it stands    rows of W:  [k][4][U] <- four vectors of row k
//! transposed      sixteen rows of W^T, transposed, are a vector of 32 columns of the panel
//! ```
//!
//! The rows of a large matrix stand far from one another, so that no processor guesses which comes
//! next: they are prefetched.

use gatelet_simd::{Simd, TALL};

use super::panel::{load, places};
use crate::packed::PackedShape;
use crate::sizes::PANEL;

/// Rows between the one that is prefetched and the one that is read.
const BEFORE: usize = 8;

/// Panel `p` of a matrix, as `PackedShape::pack_panel`.
#[inline(always)]
pub(crate) fn pack_panel<V: Simd<U>, const U: usize>(
    v: V,
    shape: &PackedShape,
    p: usize,
    matrix: &[f32],
    transposed: bool,
    into: &mut [f32],
) {
    let places = places(shape.columns, shape.n, p, U);
    let whole = places.iter().all(|place| place.count == U);
    if shape.lanes != U || transposed && !(V::TALL && U == TALL && whole) {
        return shape.pack_panel(p, matrix, transposed, into);
    }
    let (panel, _) = into.as_chunks_mut::<U>().0.as_chunks_mut::<PANEL>();
    if !transposed {
        let n = shape.n.max(1);
        for (row, (to, from)) in panel.iter_mut().zip(matrix.chunks_exact(n)).enumerate() {
            for (to, place) in to.iter_mut().zip(places) {
                v.prefetch_line(matrix.get((row + BEFORE) * n + place.column));
                v.store_f32(load(v, from, place), to);
            }
        }
        return;
    }
    const TOGETHER: usize = 32;
    let mut transposed_rows = [[0.0; TALL]; TOGETHER];
    for (block, to) in panel.chunks_mut(TOGETHER).enumerate() {
        for (vector, place) in places.into_iter().enumerate() {
            let at = place.column * shape.k + block * TOGETHER;
            let transposed_rows = transposed_rows.get_mut(..to.len()).unwrap_or_default();
            v.transpose(
                matrix.get(at..).unwrap_or_default(),
                shape.k,
                transposed_rows,
            );
            for (to, from) in to.iter_mut().zip(transposed_rows) {
                if let Some(to) = to.get_mut(vector) {
                    to.iter_mut().zip(from).for_each(|(to, x)| *to = *x);
                }
            }
        }
    }
}
