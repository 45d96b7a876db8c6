//! The functions of gates, candidates and dense operations, and their derivatives from what they
//! gave.

use gatelet::net::{Activation, GateActivation, RnnActivation};

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// 1 where a condition holds.
fn one_if(condition: bool) -> f64 {
    f64::from(u8::from(condition))
}

pub(super) fn gate(of: GateActivation, z: f64) -> f64 {
    match of {
        GateActivation::Sigmoid => sigmoid(z),
        GateActivation::HardSigmoid => (z + 0.5).clamp(0.0, 1.0),
    }
}

pub(crate) fn d_gate(of: GateActivation, y: f64) -> f64 {
    match of {
        GateActivation::Sigmoid => y * (1.0 - y),
        GateActivation::HardSigmoid => one_if(y > 0.0 && y < 1.0),
    }
}

pub(super) fn candidate(of: RnnActivation, z: f64) -> f64 {
    match of {
        RnnActivation::Tanh => z.tanh(),
        RnnActivation::Relu => z.max(0.0),
    }
}

pub(crate) fn d_candidate(of: RnnActivation, y: f64) -> f64 {
    match of {
        RnnActivation::Tanh => 1.0 - y * y,
        RnnActivation::Relu => one_if(y > 0.0),
    }
}

/// The sums of a dense operation become its results.
pub(super) fn activate(of: Activation, y: &mut [f64]) {
    let largest = y.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let each: &dyn Fn(f64) -> f64 = match of {
        Activation::None => return,
        Activation::Relu => &|z| z.max(0.0),
        Activation::Tanh => &f64::tanh,
        Activation::Sigmoid => &sigmoid,
        Activation::HardSigmoid => &|z| (z + 0.5).clamp(0.0, 1.0),
        Activation::Elu => &|z| if z > 0.0 { z } else { z.exp_m1() },
        Activation::Softmax => &|z| (z - largest).exp(),
    };
    y.iter_mut().for_each(|y| *y = each(*y));
    if of == Activation::Softmax {
        let sum: f64 = y.iter().sum();
        y.iter_mut().for_each(|y| *y /= sum);
    }
}

/// The gradient of the results `y` of a dense operation becomes that of its sums.
pub(crate) fn d_activation(of: Activation, y: &[f64], dy: &mut [f64]) {
    let mean: f64 = dy.iter().zip(y).map(|(dy, y)| dy * y).sum();
    for (dy, &y) in dy.iter_mut().zip(y) {
        *dy = match of {
            Activation::None => *dy,
            Activation::Relu => *dy * one_if(y > 0.0),
            Activation::Tanh => *dy * (1.0 - y * y),
            Activation::Sigmoid => *dy * y * (1.0 - y),
            Activation::HardSigmoid => *dy * one_if(y > 0.0 && y < 1.0),
            Activation::Elu => *dy * if y > 0.0 { 1.0 } else { 1.0 + y },
            Activation::Softmax => y * (*dy - mean),
        };
    }
}
