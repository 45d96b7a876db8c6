//! Sums of rows, for the gradients of biases and of tables.
//!
//! ```text
//! bias     sums[j]     (+)= sum_n rows[n, j]
//! table    sums[id, j] (+)= sum_n rows[n, j] over the n with that id
//! ```
//! Rows are added in their order, so a sum does not depend on anything but them.

use pulp::{Arch, NullaryFnOnce};

use crate::real::Real;
use crate::vector::vectorized;

/// `sums[j] (+)= sum_n rows[n, j]` for the rows of each id; without ids, of all.
struct Sums<'a, F> {
    rows: &'a [F],
    columns: usize,
    ids: Option<&'a [u16]>,
    add: bool,
    sums: &'a mut [F],
}

impl<F: Real> NullaryFnOnce for Sums<'_, F> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        if !self.add {
            self.sums.fill(F::zero());
        }
        for (index, row) in self.rows.chunks_exact(self.columns).enumerate() {
            let id = self.ids.map_or(0, |ids| usize::from(ids[index]));
            let sums = &mut self.sums[id * self.columns..][..self.columns];
            sums.iter_mut().zip(row).for_each(|(s, &x)| *s += x);
        }
    }
}

/// `sums[j] (+)= sum_n rows[n, j]`.
pub(crate) fn sum_rows<F: Real>(arch: Arch, rows: &[F], add: bool, sums: &mut [F]) {
    let columns = sums.len();
    vectorized(
        arch,
        Sums {
            rows,
            columns,
            ids: None,
            add,
            sums,
        },
    );
}

/// The sums of the rows of `rows` ([steps, columns]) that have the same id, in or on top of `sums`
/// ([vocab, columns]).
pub(crate) fn scatter_rows<F: Real>(
    arch: Arch,
    rows: &[F],
    add: bool,
    ids: &[u16],
    columns: usize,
    sums: &mut [F],
) {
    vectorized(
        arch,
        Sums {
            rows,
            columns,
            ids: Some(ids),
            add,
            sums,
        },
    );
}
