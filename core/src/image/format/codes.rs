//! The numbers that stand for kinds, activations and values in a header.

use super::{OperationEntry, OutputEntry};
use crate::net::{
    Activation, GateActivation, Kind, Operation, Output, Precision, Reset, RnnActivation, Value,
};

/// The number that stands for a precision in the header.
pub(crate) const fn precision_code(precision: Precision) -> u8 {
    match precision {
        Precision::F32 => 0,
        Precision::Int8 => 1,
    }
}

const fn function_code(function: RnnActivation) -> u8 {
    matches!(function, RnnActivation::Relu) as u8
}

const fn function_from(code: u8) -> RnnActivation {
    match code {
        0 => RnnActivation::Tanh,
        _ => RnnActivation::Relu,
    }
}

const fn gates_code(gates: GateActivation) -> u8 {
    matches!(gates, GateActivation::HardSigmoid) as u8
}

const fn gates_from(code: u8) -> GateActivation {
    match code {
        0 => GateActivation::Sigmoid,
        _ => GateActivation::HardSigmoid,
    }
}

/// The numbers that stand for a kind of operation and its variant.
const fn kind_codes(kind: Kind) -> (u8, u8) {
    match kind {
        Kind::Embedding { .. } => (1, 0),
        Kind::Rnn { activation, .. } => (2, function_code(activation)),
        Kind::Lstm { gates, .. } => (3, gates_code(gates)),
        Kind::Gru {
            reset,
            gates,
            candidate,
            ..
        } => {
            let before = matches!(reset, Reset::Before) as u8;
            let functions = 2 * gates_code(gates) + 4 * function_code(candidate);
            (4, before + functions)
        }
        Kind::Dense { activation, .. } => (
            5,
            match activation {
                Activation::None => 0,
                Activation::Relu => 1,
                Activation::Tanh => 2,
                Activation::Sigmoid => 3,
                Activation::HardSigmoid => 4,
                Activation::Elu => 5,
                Activation::Softmax => 6,
            },
        ),
        Kind::Add => (6, 0),
    }
}

/// The largest number of a kind.
pub(crate) const LARGEST_KIND: u8 = 6;

/// The largest number of a kind's variant.
pub(crate) const fn largest_variant(kind: u8) -> u8 {
    match kind {
        2 | 3 => 1,
        4 => 7,
        5 => 6,
        _ => 0,
    }
}

/// The kind of operation that numbers stand for, with its units.
pub(crate) const fn kind_from(kind: u8, variant: u8, units: usize) -> Option<Kind> {
    if variant > largest_variant(kind) {
        return None;
    }
    Some(match kind {
        1 => Kind::Embedding { units },
        2 => Kind::Rnn {
            units,
            activation: function_from(variant),
        },
        3 => Kind::Lstm {
            units,
            gates: gates_from(variant),
        },
        4 => Kind::Gru {
            units,
            reset: match variant & 1 {
                0 => Reset::After,
                _ => Reset::Before,
            },
            gates: gates_from(variant & 2),
            candidate: function_from(variant & 4),
        },
        5 => Kind::Dense {
            units,
            activation: match variant {
                0 => Activation::None,
                1 => Activation::Relu,
                2 => Activation::Tanh,
                3 => Activation::Sigmoid,
                4 => Activation::HardSigmoid,
                5 => Activation::Elu,
                _ => Activation::Softmax,
            },
        },
        6 if units == 0 => Kind::Add,
        _ => return None,
    })
}

/// The entry of an operation, without shifts and bits of the state.
pub(crate) fn operation_entry(operation: &Operation) -> OperationEntry {
    let (kind, variant) = kind_codes(operation.kind);
    OperationEntry {
        kind,
        variant,
        units: operation.kind.units() as u16,
        bits: operation.bits,
        tied: operation.tied.map_or(0, |table| table + 1),
        operand: operation.operand.parts().map(Value::code).collect(),
        ..OperationEntry::default()
    }
}

/// The entry of an output.
pub(crate) fn output_entry(output: Output, scale: f32) -> OutputEntry {
    OutputEntry {
        value: output.value().code(),
        kind: matches!(output, Output::Values(_)).into(),
        scale,
    }
}
