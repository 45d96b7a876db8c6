//! Which functions a file's layers may have, and what they become.

use gatelet::net::{Activation, GateActivation, Kind as NetKind, MAX_SIZE, RnnActivation};

use crate::draft::{Cell, Function, Matrix};
use crate::error::{Result, refused};

/// So many identity matrices side by side.
pub(super) fn identity(name: &str, width: usize, times: usize) -> Result<Matrix> {
    if width > MAX_SIZE {
        let what = format!("it makes {width} numbers, of at most {MAX_SIZE}");
        return Err(refused(name, what, "take a smaller layer"));
    }
    let mut all = Matrix::zeros(width, times * width);
    for row in 0..width {
        for k in 0..times {
            all.data[row * times * width + k * width + row] = 1.0;
        }
    }
    Ok(all)
}

/// A dense layer in Gatelet's form: the slope of a hard sigmoid belongs to the weights.
pub(super) fn dense(
    weight: &Matrix,
    bias: Option<&[f32]>,
    function: Function,
) -> (Matrix, Vec<f32>, Activation) {
    let (mut weight, mut bias) = (
        weight.clone(),
        bias.map_or_else(|| vec![0.0; weight.rows], <[f32]>::to_vec),
    );
    let activation = match function {
        Function::Linear => Activation::None,
        Function::Relu => Activation::Relu,
        Function::Tanh => Activation::Tanh,
        Function::Sigmoid => Activation::Sigmoid,
        Function::Elu => Activation::Elu,
        Function::HardSigmoid { slope, offset } => {
            weight.data.iter_mut().for_each(|w| *w *= slope);
            let bias = bias.iter_mut();
            bias.for_each(|b| *b = *b * slope + (offset - 0.5));
            Activation::HardSigmoid
        }
    };
    (weight, bias, activation)
}

/// The activation of a simple cell.
fn rnn(function: Function) -> Option<RnnActivation> {
    match function {
        Function::Tanh => Some(RnnActivation::Tanh),
        Function::Relu => Some(RnnActivation::Relu),
        _ => None,
    }
}

/// The function of gates. The slope of a hard sigmoid goes into the weights.
fn gates(function: Function) -> std::result::Result<GateActivation, String> {
    match function {
        Function::Sigmoid => Ok(GateActivation::Sigmoid),
        Function::HardSigmoid { .. } => Ok(GateActivation::HardSigmoid),
        other => Err(named("the activation of its gates", other)),
    }
}

/// The operation of a cell, if there is one.
pub(super) fn kind(cell: Cell, units: usize) -> std::result::Result<NetKind, String> {
    match cell {
        Cell::Rnn { function } => {
            let activation = rnn(function).ok_or_else(|| named("its activation", function))?;
            Ok(NetKind::Rnn { units, activation })
        }
        Cell::Lstm {
            gate,
            candidate,
            output,
        } => {
            for (what, of) in [
                ("its activation", candidate),
                ("the activation of c", output),
            ] {
                if of != Function::Tanh {
                    return Err(named(what, of));
                }
            }
            let gates = gates(gate)?;
            Ok(NetKind::Lstm { units, gates })
        }
        Cell::Gru {
            reset,
            gate,
            candidate,
        } => {
            let (gates, of_candidate) = (gates(gate)?, rnn(candidate));
            Ok(NetKind::Gru {
                units,
                reset,
                gates,
                candidate: of_candidate.ok_or_else(|| named("its activation", candidate))?,
            })
        }
    }
}

/// What is wrong with a function.
fn named(what: &str, function: Function) -> String {
    let name = match function {
        Function::Linear => "linear",
        Function::Relu => "relu",
        Function::Tanh => "tanh",
        Function::Sigmoid => "sigmoid",
        Function::Elu => "elu",
        Function::HardSigmoid { .. } => "hard_sigmoid",
    };
    format!("{what} is {name}, which Gatelet's cell has not")
}
