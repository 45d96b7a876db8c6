//! The sum of two values.
//!
//! ```text
//! forward    y = a + b
//! backward   da = dy    db = dy
//! ```

use crate::real::Real;

/// `y = a + b`, all of one length.
pub(super) fn forward<F: Real>(a: &[F], b: &[F], y: &mut [F]) {
    for (y, (&a, &b)) in y.iter_mut().zip(a.iter().zip(b)) {
        *y = a + b;
    }
}

/// `dx = dy`, or on top of what is there: for each of the two.
pub(super) fn backward<F: Real>(dy: &[F], add: bool, dx: &mut [F]) {
    match add {
        false => dx.copy_from_slice(dy),
        true => dx.iter_mut().zip(dy).for_each(|(dx, &dy)| *dx += dy),
    }
}
