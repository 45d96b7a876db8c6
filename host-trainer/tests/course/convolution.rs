//! A convolution over tokens with a global max pool, by hand: what `plain_network` compares with.
//!
//! ```text
//! z_tf = b_f + sum_k W[k, token_{t+k}, f]      t = 0 ..= steps - width: the filters slide over the sequence
//! m_f  = max(0, max_t z_tf)                    that a pattern was there, and not where
//! p    = sigmoid(c + sum_f v_f m_f)            L = - log p of yes, - log(1 - p) of no
//! back   d = p - [yes]   dv_f = d m_f   dz_tf = d v_f at the place that was largest (the first of equals)
//! ```
//! Parameters are one flat buffer: W, b, v, c. The start is Glorot's, as in Keras.

use gatelet_trainer::net::glorot;
use gatelet_trainer::real::Real;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;

/// The sizes of a net.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Convolution {
    /// Tokens that a filter sees at once.
    pub(crate) width: usize,
    /// Different tokens.
    pub(crate) tokens: usize,
    /// Patterns that are looked for.
    pub(crate) filters: usize,
}

impl Convolution {
    /// Where b, v and c begin, and how many parameters there are.
    fn places(&self) -> [usize; 4] {
        let b = self.width * self.tokens * self.filters;
        [
            b,
            b + self.filters,
            b + 2 * self.filters,
            b + 2 * self.filters + 1,
        ]
    }

    /// The start of training; the same seed gives the same numbers.
    pub(crate) fn start<F: Real>(&self, seed: u64) -> Vec<F> {
        let [b, v, c, count] = self.places();
        let mut rng = Pcg64::seed_from_u64(seed);
        let mut parameters = vec![F::zero(); count];
        let of_filters = glorot(self.width * self.tokens, self.width * self.filters);
        for (weights, bound) in [(0..b, of_filters), (v..c, glorot(self.filters, 1))] {
            let number = || F::from_f64((2.0 * rng.random::<f64>() - 1.0) * bound);
            parameters[weights].fill_with(number);
        }
        parameters
    }

    /// The row of W that a filter's place has for a token.
    fn row(&self, k: usize, token: u16) -> usize {
        (k * self.tokens + usize::from(token)) * self.filters
    }

    /// m, and the places that were largest.
    fn pooled<F: Real>(&self, parameters: &[F], tokens: &[u16]) -> (Vec<F>, Vec<Option<usize>>) {
        let n = self.filters;
        let [b, v, ..] = self.places();
        let (mut largest, mut places) = (vec![F::zero(); n], vec![None; n]);
        for (t, seen) in tokens.windows(self.width).enumerate() {
            let mut z = parameters[b..v].to_vec();
            for (k, &token) in seen.iter().enumerate() {
                let row = &parameters[self.row(k, token)..][..n];
                z.iter_mut().zip(row).for_each(|(z, &w)| *z += w);
            }
            for (z, (largest, place)) in z.iter().zip(largest.iter_mut().zip(&mut places)) {
                if *z > *largest {
                    (*largest, *place) = (*z, Some(t));
                }
            }
        }
        (largest, places)
    }

    /// The probability of yes.
    pub(crate) fn probability<F: Real>(&self, parameters: &[F], tokens: &[u16]) -> F {
        self.of_pooled(parameters, &self.pooled(parameters, tokens).0)
    }

    fn of_pooled<F: Real>(&self, parameters: &[F], pooled: &[F]) -> F {
        let [_, v, c, _] = self.places();
        let pairs = parameters[v..c].iter().zip(pooled);
        pairs
            .fold(parameters[c], |sum, (&v, &m)| sum + v * m)
            .sigmoid()
    }

    /// Adds `scale` times the gradient of an example's loss.
    pub(crate) fn add_gradient<F: Real>(
        &self,
        parameters: &[F],
        (tokens, yes): (&[u16], bool),
        scale: F,
        gradient: &mut [F],
    ) {
        let n = self.filters;
        let [b, v, c, _] = self.places();
        let (pooled, places) = self.pooled(parameters, tokens);
        let target = if yes { F::one() } else { F::zero() };
        let d = scale * (self.of_pooled(parameters, &pooled) - target);
        gradient[c] += d;
        for f in 0..n {
            gradient[v + f] += d * pooled[f];
            let Some(t) = places[f] else { continue };
            let dz = d * parameters[v + f];
            gradient[b + f] += dz;
            for (k, &token) in tokens[t..t + self.width].iter().enumerate() {
                gradient[self.row(k, token) + f] += dz;
            }
        }
    }
}
