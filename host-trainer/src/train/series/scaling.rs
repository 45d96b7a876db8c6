//! The units that a net is trained in, and the way back to those of the data.
//!
//! ```text
//! features   x' = (x - m) 2^-e          m the mean and 2^e about the deviation on the training part
//! values     y' = (y - m) 2^-e          where a dense operation without an activation gives them
//! folded     W = W' 2^-e    b = b' - sum_k W_k m_k          of what reads features
//!            W = W' 2^e     b = b' 2^e + m                  of what gives values
//! ```
//! A device is given raw numbers: what training divides by goes into the weights. It divides by
//! powers of two, so that folding them changes no bit; a mean is folded in f64.

use gatelet::net::{Activation, Kind, Net, Output, Value};
use serde::{Deserialize, Serialize};

use crate::net::device::scheme::Scheme;
use crate::net::{Params, Role};

/// What each of some numbers is moved and divided by.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Units {
    /// What is taken away.
    pub mean: Vec<f32>,
    /// The exponent of the power of two that it is divided by.
    pub exponent: Vec<i32>,
}

/// Largest exponent, up or down: an f32 has some more on both sides.
const MOST: i32 = 60;

/// `2^exponent`
fn power(exponent: i32) -> f32 {
    2.0_f32.powi(exponent)
}

impl Units {
    /// Those of the data itself, of `width` numbers.
    pub fn raw(width: usize) -> Self {
        Self {
            mean: vec![0.0; width],
            exponent: vec![0; width],
        }
    }

    /// About mean 0 and deviation 1. What does not vary is not divided.
    pub fn of(mean: &[f32], deviation: &[f32]) -> Self {
        let exponent = |&deviation: &f32| match deviation > 0.0 && deviation.is_finite() {
            true => (deviation.log2().round() as i32).clamp(-MOST, MOST),
            false => 0,
        };
        Self {
            mean: mean.to_vec(),
            exponent: deviation.iter().map(exponent).collect(),
        }
    }

    /// The same without means: what integers are trained in, which are those of the raw numbers.
    #[must_use]
    pub fn without_means(self) -> Self {
        Self {
            mean: vec![0.0; self.mean.len()],
            ..self
        }
    }

    /// Numbers of the data, `[steps, width]`, in these units.
    pub fn scale(&self, numbers: &mut [f32]) {
        for row in numbers.chunks_exact_mut(self.mean.len().max(1)) {
            let units = self.mean.iter().zip(&self.exponent);
            for (x, (&mean, &exponent)) in row.iter_mut().zip(units) {
                *x = (*x - mean) * power(-exponent);
            }
        }
    }

    /// The way back.
    pub fn unscale(&self, numbers: &mut [f32]) {
        for row in numbers.chunks_exact_mut(self.mean.len().max(1)) {
            let units = self.mean.iter().zip(&self.exponent);
            for (x, (&mean, &exponent)) in row.iter_mut().zip(units) {
                *x = *x * power(exponent) + mean;
            }
        }
    }

    /// Whether they are those of the data.
    pub fn is_raw(&self) -> bool {
        self.mean.iter().all(|&mean| mean == 0.0) && self.exponent.iter().all(|&of| of == 0)
    }
}

/// The units of a net's features, and of the values of its first output.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Scaling {
    /// Of features.
    pub inputs: Units,
    /// Of values; those of scores are empty.
    #[serde(default)]
    pub outputs: Units,
}

/// The dense operation that gives the values of the first output as they are, if nothing else
/// reads it.
fn gives_values(net: &Net) -> Option<usize> {
    let Some(Output::Values(value)) = net.output(0) else {
        return None;
    };
    let index = value.operation()?;
    let of = net.operation(index)?;
    let is_linear = matches!(
        of.kind,
        Kind::Dense {
            activation: Activation::None,
            ..
        }
    );
    let mut readers = net.operations().flat_map(|of| of.operand.parts());
    let is_read = readers.any(|part| part == value);
    let mut others = net.outputs().skip(1);
    let is_given_twice = others.any(|of| of.value() == value);
    (is_linear && !is_read && !is_given_twice && of.tied.is_none()).then_some(index)
}

impl Scaling {
    /// Those units that can be folded into a net: features that are added or given as they are
    /// cannot be moved, nor values behind an activation.
    #[must_use]
    pub fn foldable(self, net: &Net) -> Self {
        let adds = net.operations().any(|of| {
            let mut parts = of.operand.parts();
            matches!(of.kind, Kind::Add) && parts.any(|part| part.is_input())
        });
        let given = net.outputs().any(|of| of.value().is_input());
        let raw = |units: &Units| Units::raw(units.mean.len());
        Self {
            inputs: match adds || given {
                true => raw(&self.inputs),
                false => self.inputs,
            },
            outputs: match gives_values(net) {
                None => raw(&self.outputs),
                Some(_) => self.outputs,
            },
        }
    }

    /// Checks that they are of a net, and not beyond what a float has.
    ///
    /// # Errors
    /// What is not.
    pub fn check(&self, net: &Net) -> Result<(), String> {
        let inputs = net.width(Value::INPUT);
        let outputs = net.output_width(0);
        for (name, units, width) in [
            ("inputs", &self.inputs, inputs),
            ("outputs", &self.outputs, outputs),
        ] {
            let lengths = [units.mean.len(), units.exponent.len()];
            // Scores and tokens have no units.
            let is_none = match name {
                "outputs" => lengths == [0, 0],
                _ => net.takes_tokens() && lengths == [0, 0],
            };
            if lengths != [width, width] && !is_none {
                return Err(format!(
                    "series.scaling.{name}: {lengths:?} of {width} numbers"
                ));
            }
            if let Some(k) = units.mean.iter().position(|mean| !mean.is_finite()) {
                return Err(format!(
                    "series.scaling.{name}.mean: number {k} is not finite"
                ));
            }
            if let Some(k) = units.exponent.iter().position(|of| of.abs() > MOST) {
                let found = units.exponent[k];
                let rule = format!("it has to be from -{MOST} to {MOST}");
                return Err(format!(
                    "series.scaling.{name}.exponent: {k} is {found}: {rule}"
                ));
            }
        }
        Ok(())
    }

    /// Whether all are those of the data.
    pub fn is_raw(&self) -> bool {
        self.inputs.is_raw() && self.outputs.is_raw()
    }

    /// A net that was trained in these units becomes one for those of the data.
    pub fn fold(&self, params: &mut Params<f32>) {
        self.fold_inputs(params, 1);
        self.fold_outputs(params, 1);
    }

    /// A net for the units of the data becomes one for these, which have no means: what
    /// [`Scaling::fold`] undoes to the bit.
    pub fn unfold(&self, params: &mut Params<f32>) {
        self.fold_inputs(params, -1);
        self.fold_outputs(params, -1);
    }

    /// Scales of features for the units of the data.
    pub fn fold_scheme(&self, scheme: &mut Scheme, sign: i32) {
        for (scale, &exponent) in scheme.features.iter_mut().zip(&self.inputs.exponent) {
            *scale *= power(-sign * exponent);
        }
    }

    fn fold_inputs(&self, params: &mut Params<f32>, sign: i32) {
        let net = *params.net();
        for (index, of) in net.operations().enumerate() {
            let is_dense = matches!(of.kind, Kind::Dense { .. });
            if !is_dense && !of.kind.is_recurrent() {
                continue;
            }
            let mut first = 0;
            for part in of.operand.parts() {
                if part.is_input() {
                    self.fold_part(params, (index, is_dense), first, sign);
                }
                first += net.width(part);
            }
        }
    }

    /// Features from input `first` of an operation on.
    fn fold_part(
        &self,
        params: &mut Params<f32>,
        (index, is_dense): (usize, bool),
        first: usize,
        sign: i32,
    ) {
        let role = if is_dense { Role::Weight } else { Role::Input };
        let mut moved: Vec<f64> = params
            .tensor(index, Role::Bias)
            .iter()
            .map(|&b| f64::from(b))
            .collect();
        let sums = moved.len();
        let weights = params.tensor_mut(index, role);
        let inputs = weights.len() / sums.max(1);
        for (k, (&mean, &exponent)) in self
            .inputs
            .mean
            .iter()
            .zip(&self.inputs.exponent)
            .enumerate()
        {
            for (sum, moved) in moved.iter_mut().enumerate() {
                // [units, inputs] of a dense operation, [inputs, gates * units] of a recurrent one.
                let at = match is_dense {
                    true => sum * inputs + first + k,
                    false => (first + k) * sums + sum,
                };
                weights[at] *= power(-sign * exponent);
                *moved -= f64::from(sign) * f64::from(weights[at]) * f64::from(mean);
            }
        }
        let biases = params.tensor_mut(index, Role::Bias);
        biases
            .iter_mut()
            .zip(moved)
            .for_each(|(to, b)| *to = b as f32);
    }

    fn fold_outputs(&self, params: &mut Params<f32>, sign: i32) {
        let Some(index) = gives_values(params.net()) else {
            return;
        };
        let units = self.outputs.mean.len();
        let weights = params.tensor_mut(index, Role::Weight);
        let inputs = weights.len() / units.max(1);
        for (row, &exponent) in weights
            .chunks_exact_mut(inputs.max(1))
            .zip(&self.outputs.exponent)
        {
            row.iter_mut().for_each(|w| *w *= power(sign * exponent));
        }
        let biases = params.tensor_mut(index, Role::Bias);
        let of = self.outputs.mean.iter().zip(&self.outputs.exponent);
        for (b, (&mean, &exponent)) in biases.iter_mut().zip(of) {
            *b = *b * power(sign * exponent) + mean;
        }
    }
}

#[cfg(test)]
mod tests;
