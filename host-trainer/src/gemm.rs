//! Matrix products, by the `matrixmultiply` kernels through `ndarray`'s safe interface.
//!
//! ```text
//! C = beta C + A B          A: [m, k], B: [k, n], C: [m, n], all row-major; A or B may be read transposed
//! ```

use ndarray::{ArrayView2, ArrayViewMut2, linalg::general_mat_mul};

use crate::real::Real;

/// A row-major matrix in a slice: shape and elements.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a, F> {
    view: ArrayView2<'a, F>,
}

impl<'a, F: Real> Matrix<'a, F> {
    /// `data`: [rows, columns], row-major, exactly that many elements.
    ///
    /// # Panics
    /// When the length does not match: shapes are the trainer's own and are checked where they enter.
    pub fn new(data: &'a [F], rows: usize, columns: usize) -> Self {
        assert_eq!(data.len(), rows * columns, "a matrix of {rows} x {columns}");
        Self {
            view: ArrayView2::from_shape((rows, columns), data).expect("the length was checked"),
        }
    }

    /// The same elements read as the transposed matrix.
    #[must_use]
    pub fn t(self) -> Self {
        Self {
            view: self.view.reversed_axes(),
        }
    }
}

/// `c = beta * c + a * b`, `c`: [m, n], row-major.
///
/// # Panics
/// When the shapes do not fit together.
pub fn product<F: Real>(a: Matrix<'_, F>, b: Matrix<'_, F>, beta: F, c: &mut [F]) {
    let (m, n) = (a.view.nrows(), b.view.ncols());
    let mut c = ArrayViewMut2::from_shape((m, n), c).expect("the product's shape");
    general_mat_mul(F::one(), &a.view, &b.view, beta, &mut c);
}
