//! Layers that cannot come along: why, and what to do.

use super::graph::custom;
use crate::error::{Error, refused};

/// The error of a class that no layer of Gatelet stands for.
pub(super) fn class(name: &str, class: &str) -> Error {
    let (what, remedy) = match class {
        "Lambda" | "TFOpLambda" | "SlicingOpLambda" | "TensorFlowOpLayer" => {
            return custom(name, class);
        }
        "Bidirectional" => (
            "it also reads the sequence from its end, and a stream has none",
            "train a net of one direction",
        ),
        "RepeatVector" => (
            "it repeats one vector over many steps, after a whole sequence was read",
            "import the net before it and the net behind it as two nets",
        ),
        "LayerNormalization" | "GroupNormalization" | "UnitNormalization" | "RMSNormalization" => (
            "it divides by a deviation of its own input at every step, for which there is no \
             operation",
            "train with BatchNormalization, which becomes part of the weights, or without",
        ),
        "Attention" | "AdditiveAttention" | "MultiHeadAttention" | "GroupedQueryAttention" => (
            "it is an attention over all steps, and a stream has only the present one",
            "train a net without it",
        ),
        "ConvLSTM1D" | "ConvLSTM2D" | "ConvLSTM3D" => (
            "its products are convolutions, for which there is no operation",
            "train an LSTM on what the convolution sees",
        ),
        "PReLU" | "LeakyReLU" | "ELU" => (
            "there is no operation for this activation",
            "train with relu, tanh, sigmoid or hard_sigmoid",
        ),
        "Multiply" | "Subtract" | "Average" | "Maximum" | "Minimum" | "Dot" => (
            "there is no operation for it; two values can be added or stand side by side",
            "train with Add or Concatenate",
        ),
        _ if class.contains("Conv") => (
            "it is a convolution, for which there is no operation",
            "compute it before the net, and import the net from behind it",
        ),
        _ if class.contains("Pooling") || class.contains("UpSampling") => (
            "it takes several steps together, and the net gives something at every step",
            "take the last step, or average what the net gives",
        ),
        _ => (
            "there is no operation for it",
            "leave it out, or compute it before or behind the net",
        ),
    };
    refused(name, format!("{class}: {what}"), remedy)
}
