//! Rows of a table, one for each token.
//!
//! ```text
//! forward    x = T[id]
//! backward   dT[id] += dx
//! ```

use super::common::Common;
use super::sums::scatter_rows;
use crate::engine::Engine;

/// `x`, [T, rows, units], from `table`, [vocab, units].
pub(super) fn forward<F: Engine>(common: &Common<F>, table: &[F], units: usize, x: &mut [F]) {
    for (to, &id) in x.chunks_exact_mut(units).zip(&common.tokens) {
        to.copy_from_slice(&table[usize::from(id) * units..][..units]);
    }
}

/// `d_table`, [vocab, units], from `dx`; on top of what is there if `add` is set, which is what
/// operations that are tied to the table want of it.
pub(super) fn backward<F: Engine>(
    common: &Common<F>,
    dx: &[F],
    units: usize,
    add: bool,
    d_table: &mut [F],
) {
    scatter_rows(common.arch, dx, add, &common.tokens, units, d_table);
}
