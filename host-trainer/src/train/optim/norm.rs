//! The global norm of a gradient, for clipping.
//!
//! ```text
//! norm = sqrt(sum g^2)         eight partial sums in f64 a tile, then the tiles in their order
//! ```
//! Clipping by the global norm (Pascanu et al. 2013) keeps the gradient's direction. The sums have one order whatever
//! the number of threads.

use pulp::{Arch, NullaryFnOnce};
use rayon::prelude::*;

use super::TILE;
use crate::real::Real;
use crate::vector::vectorized;

/// Root of the sum of squares, summed tile by tile in a fixed order.
pub fn global_norm<F: Real>(gradient: &[F]) -> f64 {
    with_room(gradient, &mut vec![0.0; gradient.len().div_ceil(TILE)])
}

/// The same without allocating: `squares` has room for one sum a tile.
pub(super) fn with_room<F: Real>(gradient: &[F], squares: &mut [f64]) -> f64 {
    debug_assert_eq!(squares.len(), gradient.len().div_ceil(TILE));
    squares
        .par_iter_mut()
        .zip(gradient.par_chunks(TILE))
        .for_each(|(sum, tile)| *sum = vectorized(Arch::new(), Squares(tile)));
    squares.iter().sum::<f64>().sqrt()
}

struct Squares<'a, F>(&'a [F]);

impl<F: Real> NullaryFnOnce for Squares<'_, F> {
    type Output = f64;

    #[inline(always)]
    fn call(self) -> f64 {
        let mut sums = [0.0; 8];
        let (eights, rest) = self.0.as_chunks::<8>();
        for eight in eights {
            for (sum, x) in sums.iter_mut().zip(eight) {
                *sum += x.to_f64() * x.to_f64();
            }
        }
        for (sum, x) in sums.iter_mut().zip(rest) {
            *sum += x.to_f64() * x.to_f64();
        }
        sums.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::global_norm;

    #[test]
    fn norm_is_the_root_of_the_sum_of_squares() {
        let gradient: Vec<f32> = (0..20_000)
            .map(|i| if i % 2 == 0 { 0.5 } else { 0.0 })
            .collect();
        assert!((global_norm(&gradient) - 50.0).abs() < 1e-9);
        for count in [0, 1, 7, 8, 9, 8191, 8192, 8193] {
            let found = global_norm(&vec![2.0_f64; count]);
            assert!(
                (found - 2.0 * (count as f64).sqrt()).abs() < 1e-9,
                "{count}: {found}"
            );
        }
    }

    #[test]
    fn not_a_number_is_noticed() {
        let mut gradient = vec![1.0_f32; 10_000];
        gradient[9_999] = f32::NAN;
        assert!(global_norm(&gradient).is_nan());
    }
}
