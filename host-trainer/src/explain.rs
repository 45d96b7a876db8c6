//! Where the loss of an image comes from, matrix by matrix.
//!
//! ```text
//! loss of a matrix in b bits = held-out loss of the f32 net in which it alone is rounded to b bits - loss of the f32 net
//! ```
//! What the parts do not account for is activations and state: those are integers in every image.

use std::path::Path;

use gatelet::{Dims, Precision};
use serde::Serialize;

use crate::checkpoint::Checkpoint;
use crate::corpus::{Tokens, validation_len};
use crate::error::{Error, Result};
use crate::evaluate::evaluate;
use crate::export::{f32_image_of, taken};
use crate::image::isa;
use crate::quantize::FloatNet;
use crate::row_range::{WeightBits, rounded};

/// Characters of training text on which a choice of bits is measured, at most.
const SAMPLE: usize = 20_000;
/// Part of the bytes of all weights that 4-bit weights are to be made of, at least.
const LARGE: f64 = 0.75;

/// A matrix whose weights can have 4 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Matrix {
    /// Of a layer, from 0.
    Layer(usize),
    /// The head.
    Head,
}

impl std::fmt::Display for Matrix {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Layer(layer) => write!(f, "layer {layer}"),
            Self::Head => f.write_str("head"),
        }
    }
}

/// The matrices of a net: those that are not an embedding's or a projection's.
pub fn matrices(dims: &Dims) -> Vec<Matrix> {
    let head = (!dims.tied).then_some(Matrix::Head);
    (0..dims.layers).map(Matrix::Layer).chain(head).collect()
}

/// `net` with one matrix rounded to so many bits.
fn with_rounded(net: &FloatNet, dims: &Dims, matrix: Matrix, bits: u8) -> FloatNet {
    let mut net = net.clone();
    match matrix {
        Matrix::Layer(layer) => rounded(&mut net.layers[layer].weights, dims.columns(layer), bits),
        Matrix::Head => rounded(&mut net.head.weights, dims.head_columns(), bits),
    }
    net
}

/// The loss that each matrix's rounding to `bits` costs by itself, in nats, on `tokens`.
///
/// # Errors
/// As [`f32_image`](crate::export::f32_image) and [`evaluate`].
pub fn cost_of_rounding(
    checkpoint: &Checkpoint,
    path: &Path,
    bits: u8,
    tokens: &[u16],
) -> Result<Vec<(Matrix, f64)>> {
    let dims = checkpoint
        .params
        .shape
        .dims(Precision::F32)
        .map_err(|error| Error::Export(error.to_string()))?;
    let net = FloatNet::new(&checkpoint.params, &dims);
    let loss = |net: &FloatNet| -> Result<f64> {
        let image = f32_image_of(checkpoint, path, net)?.for_isa(isa()?)?;
        let model = image
            .model()
            .map_err(|error| Error::Export(error.to_string()))?;
        Ok(evaluate(model, tokens)?.nats)
    };
    let whole = loss(&net)?;
    matrices(&dims)
        .into_iter()
        .map(|matrix| {
            let nats = loss(&with_rounded(&net, &dims, matrix, bits))?;
            Ok((matrix, nats - whole))
        })
        .collect()
}

/// Weights of a matrix.
fn weights(dims: &Dims, matrix: Matrix) -> usize {
    match matrix {
        Matrix::Layer(layer) => dims.rows() * dims.columns(layer),
        Matrix::Head => dims.vocab * dims.head_columns(),
    }
}

/// Bits for each matrix: 4 for those whose rounding costs the least loss a byte that is saved, until three quarters of all
/// weights have 4; 8 for the rest. `tokens` are the `len` of the whole text.
///
/// # Errors
/// As [`cost_of_rounding`].
pub fn mixed(
    checkpoint: &Checkpoint,
    path: &Path,
    tokens: &dyn Tokens,
    len: usize,
) -> Result<WeightBits> {
    let train = len - validation_len(len, checkpoint.meta.config.valid_fraction);
    let sample = taken(tokens, 0, SAMPLE.min(train))?;
    let dims = checkpoint
        .params
        .shape
        .dims(Precision::Int8)
        .map_err(|error| Error::Export(error.to_string()))?;
    let mut costs: Vec<(Matrix, f64, usize)> = cost_of_rounding(checkpoint, path, 4, &sample)?
        .into_iter()
        .map(|(matrix, nats)| (matrix, nats, weights(&dims, matrix)))
        .collect();
    let all: usize = costs.iter().map(|&(_, _, weights)| weights).sum();
    costs.sort_by(|a, b| (a.1 / a.2 as f64).total_cmp(&(b.1 / b.2 as f64)));
    let (mut bits, mut small) = (WeightBits::EIGHT, 0);
    for (matrix, _, weights) in costs {
        if small as f64 >= LARGE * all as f64 {
            break;
        }
        small += weights;
        match matrix {
            Matrix::Layer(layer) => bits.layers[layer] = 4,
            Matrix::Head => bits.head = 4,
        }
    }
    Ok(bits)
}
