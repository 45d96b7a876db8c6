//! Features as the device has them: a column or two of int8 each.
//!
//! ```text
//! y = x scale      first = sat8( round(y) )      second = sat8( round( 16 (y - first) ) )
//! ```

use super::Scheme;
use super::requantize::real;
use crate::engine::Engine;

/// The features of a window.
#[derive(Clone, Debug, Default)]
pub(crate) struct Columns<F> {
    scales: Vec<f32>,
    doubled: Vec<u16>,
    /// [T, rows, features]: first / 128, which products read.
    pub(crate) first: Vec<F>,
    /// [T, rows, doubled]: second / 128.
    pub(crate) second: Vec<F>,
    /// [T, rows, features]: y / 128, which gradients of weights see: straight through the rounding.
    pub(crate) straight: Vec<F>,
}

/// As core's: halves up, and of numbers that are far out the nearest there is.
fn rounded(y: f32) -> i32 {
    let y = y.clamp(-200.0, 200.0) + 256.5;
    (y as i32 - 256).clamp(-128, 127)
}

impl<F: Engine> Columns<F> {
    /// None yet.
    pub(super) fn new(scheme: &Scheme) -> Self {
        Self {
            scales: scheme.features.clone(),
            doubled: scheme.doubled.clone(),
            ..Self::default()
        }
    }

    /// Whether these are the columns of a scheme.
    pub(super) fn is_of(&self, scheme: &Scheme) -> bool {
        (&self.scales, &self.doubled) == (&scheme.features, &scheme.doubled)
    }

    /// Takes the features of a window, [T, rows, features].
    pub(crate) fn take(&mut self, features: &[F]) {
        let width = self.scales.len();
        if width == 0 {
            return;
        }
        let steps = features.len() / width;
        self.first.resize(features.len(), F::zero());
        self.straight.resize(features.len(), F::zero());
        self.second.resize(steps * self.doubled.len(), F::zero());
        for step in 0..steps {
            let from = &features[step * width..][..width];
            let first = &mut self.first[step * width..][..width];
            let straight = &mut self.straight[step * width..][..width];
            let y = |k: usize| from[k].to_f64() as f32 * self.scales[k];
            for k in 0..width {
                first[k] = real(rounded(y(k)), 7);
                straight[k] = F::from_f64((f64::from(y(k)) / 128.0).clamp(-1.0, 127.0 / 128.0));
            }
            let second = &mut self.second[step * self.doubled.len()..];
            for (to, &feature) in second.iter_mut().zip(&self.doubled) {
                let k = usize::from(feature);
                let high = (first[k].to_f64() * 128.0) as f32;
                *to = real(rounded((y(k) - high) * 16.0), 7);
            }
        }
    }
}
