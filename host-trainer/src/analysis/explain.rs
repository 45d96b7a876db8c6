//! Where the bytes and the loss of an image come from, part by part.
//!
//! ```text
//! bytes                   of the part in an f32 image, in int8, and with 4-bit weights
//! loss of a part in b     held-out loss of the f32 net in which it alone is rounded to b bits - loss of the f32 net
//! activations and state   loss of the image - loss of the f32 net - the sum of the parts' losses
//! ```
//! Input rows are int16 in every image of integers, and an embedding and a projection int8: their losses in 4 bits are those in 8.

use std::path::Path;

use gatelet::Precision;
use serde::Serialize;

use crate::analysis::report::describe;
use crate::data::corpus::{Split, Tokens};
use crate::error::{Error, Result};
use crate::evaluate::evaluate;
use crate::image::Image;
use crate::isa::isa;
use crate::quantize::export::{export_with, f32_image_of, taken};
use crate::quantize::float_net::{FloatHead, FloatMatrix, FloatNet};
use crate::quantize::row_range::{WeightBits, rounded};
use crate::shape::Shape;
use crate::train::checkpoint::Checkpoint;

/// Characters of training text on which a choice of bits is measured, at most.
const SAMPLE: usize = 20_000;
/// Part of the bytes of all weights that 4-bit weights are to be made of, at least.
const LARGE: f64 = 0.5;

/// A part of a net with numbers of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The embedding.
    Embedding,
    /// The rows of the first layer, or the bias of one above; layers from 0.
    Input(usize),
    /// The weights of a layer.
    Weights(usize),
    /// The projection.
    Projection,
    /// The head.
    Head,
}

/// The parts of a net, in the order of an image.
fn parts(shape: Shape) -> Vec<Part> {
    let when = |there: bool, part| there.then_some(part);
    let layers = (0..shape.layers).flat_map(|layer| [Part::Input(layer), Part::Weights(layer)]);
    when(shape.embedding > 0, Part::Embedding)
        .into_iter()
        .chain(layers)
        .chain(when(shape.projection > 0, Part::Projection))
        .chain(when(true, Part::Head))
        .collect()
}

/// `net` with one part as integers of so many bits can hold it.
fn with_rounded(net: &FloatNet, part: Part, bits: u8) -> FloatNet {
    let mut net = net.clone();
    match part {
        Part::Embedding => {
            if let Some(table) = &mut net.embedding {
                rounded(&mut table.weights, table.columns, 8);
            }
        }
        Part::Input(layer) => {
            for x in &mut net.layers[layer].input {
                *x = (*x * 4096.0).round().clamp(-32768.0, 32767.0) / 4096.0;
            }
        }
        Part::Weights(layer) => {
            for matrix in &mut net.layers[layer].matrices {
                rounded(&mut matrix.weights, matrix.columns, bits);
            }
        }
        Part::Projection => {
            if let Some(FloatHead { matrix, .. }) = &mut net.projection {
                rounded(&mut matrix.weights, matrix.columns, 8);
            }
        }
        Part::Head => {
            let matrix = &mut net.head.matrix;
            rounded(&mut matrix.weights, matrix.columns, bits);
        }
    }
    net
}

/// The f32 net of a checkpoint, and its loss with some part rounded.
struct Float<'a> {
    checkpoint: &'a Checkpoint,
    path: &'a Path,
    tokens: &'a [u16],
    net: FloatNet,
}

impl<'a> Float<'a> {
    fn new(checkpoint: &'a Checkpoint, path: &'a Path, tokens: &'a [u16]) -> Self {
        Self {
            checkpoint,
            path,
            tokens,
            net: FloatNet::new(&checkpoint.params),
        }
    }

    fn image(&self, net: &FloatNet) -> Result<Image> {
        f32_image_of(self.checkpoint, self.path, net)
    }

    fn loss(&self, net: &FloatNet) -> Result<f64> {
        loss_of(&self.image(net)?, self.tokens)
    }

    /// What rounding a part alone costs, in nats, above a loss of `whole`.
    fn cost(&self, part: Part, bits: u8, whole: f64) -> Result<f64> {
        let net = with_rounded(&self.net, part, bits);
        Ok(self.loss(&net)? - whole)
    }
}

fn loss_of(image: &Image, tokens: &[u16]) -> Result<f64> {
    let image = image.for_isa(isa()?)?;
    let model = image
        .model()
        .map_err(|error| Error::Export(error.to_string()))?;
    Ok(evaluate(model, tokens)?.nats)
}

/// Bits for each matrix: 4 for those whose rounding costs the least loss a byte that is saved, until half of all weights
/// have 4; 8 for the rest. `tokens` are those of the whole text.
///
/// # Errors
/// As [`evaluate`], or what reading the tokens says.
pub fn mixed(
    checkpoint: &Checkpoint,
    path: &Path,
    tokens: &dyn Tokens,
    split: Split,
) -> Result<WeightBits> {
    let sample = taken(tokens, 0, SAMPLE.min(split.train))?;
    let float = Float::new(checkpoint, path, &sample);
    let (shape, whole) = (checkpoint.params.shape(), float.loss(&float.net)?);
    let count = |all: &[FloatMatrix]| all.iter().map(|m| m.weights.len()).sum::<usize>();
    let weights = |part: &Part| match *part {
        Part::Weights(layer) => Some(count(&float.net.layers[layer].matrices)),
        Part::Head => (!shape.tied).then_some(float.net.head.matrix.weights.len()),
        _ => None,
    };
    let mut costs = Vec::new();
    for part in parts(shape) {
        if let Some(weights) = weights(&part) {
            costs.push((part, float.cost(part, 4, whole)? / weights as f64, weights));
        }
    }
    costs.sort_by(|a, b| a.1.total_cmp(&b.1));
    let all: usize = costs.iter().map(|&(_, _, weights)| weights).sum();
    let (mut bits, mut small) = (WeightBits::EIGHT, 0);
    for (part, _, weights) in costs {
        if small as f64 >= LARGE * all as f64 {
            break;
        }
        small += weights;
        match part {
            Part::Weights(layer) => bits.layers[layer] = 4,
            _ => bits.head = 4,
        }
    }
    Ok(bits)
}

/// A line of an explanation: one part in f32, in int8, and with 4-bit weights.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Line {
    /// As `gatelet inspect` calls it.
    pub name: String,
    /// Bytes in the three images.
    pub bytes: [usize; 3],
    /// Loss in nats of rounding it alone, to 8 and to 4 bits; `None` for what has no numbers of its own.
    pub loss: [Option<f64>; 2],
}

/// Where bytes and loss come from.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explanation {
    /// The parts, then what is not weights.
    pub lines: Vec<Line>,
    /// Bytes of the three images.
    pub bytes: [usize; 3],
    /// Held-out loss of the three images in nats.
    pub nats: [f64; 3],
    /// Held-out tokens that were read.
    pub tokens: usize,
}

/// Explains a checkpoint of real numbers on the first `most` held-out tokens of its text.
///
/// # Errors
/// [`Error::NeedsCheckpoint`] for one that was trained for integers, or as [`export_with`].
pub fn explain(
    checkpoint: &Checkpoint,
    path: &Path,
    (tokens, split): (&dyn Tokens, Split),
    most: usize,
) -> Result<Explanation> {
    if checkpoint.scheme().is_some() {
        return Err(Error::NeedsCheckpoint {
            path: path.to_owned(),
            needs: "explain, whose parts are rounded one by one: of real numbers, as the one that --qat began with",
        });
    }
    let held_out = taken(tokens, split.train, split.held_out().min(most))?;
    let float = Float::new(checkpoint, path, &held_out);
    let whole = float.loss(&float.net)?;
    let (shape, tied) = (checkpoint.params.shape(), checkpoint.params.shape().tied);
    let four = WeightBits::four(tied);
    let integers = |bits| {
        let text = (tokens, split);
        export_with(checkpoint, path, text, Precision::Int8, bits).map(|(image, _)| image)
    };
    let images = [
        float.image(&float.net)?,
        integers(WeightBits::EIGHT)?,
        integers(four)?,
    ];
    let nats = [
        whole,
        loss_of(&images[1], &held_out)?,
        loss_of(&images[2], &held_out)?,
    ];
    let mut described = Vec::new();
    for image in &images {
        let model = image.model();
        described.push(describe(
            &model.map_err(|error| Error::Export(error.to_string()))?,
        ));
    }
    let bytes = [0, 1, 2].map(|image: usize| images[image].bytes().len());
    let mut lines = Vec::new();
    for (index, part) in parts(shape).into_iter().enumerate() {
        let costs = [float.cost(part, 8, whole)?, float.cost(part, 4, whole)?];
        lines.push(Line {
            name: described[0].parts[index].name.clone(),
            bytes: [0, 1, 2].map(|image: usize| described[image].parts[index].bytes),
            loss: match part {
                // The weights of a tied head are the embedding's, and rounded with it.
                Part::Head if tied => [None; 2],
                _ => costs.map(Some),
            },
        });
    }
    let of_parts = |of: usize| lines.iter().filter_map(|line| line.loss[of]).sum::<f64>();
    let rest = [0, 1].map(|of| Some(nats[of + 1] - whole - of_parts(of)));
    let weights = |image: usize| lines.iter().map(|line| line.bytes[image]).sum::<usize>();
    let others = [0, 1, 2].map(|image| bytes[image] - weights(image));
    lines.push(Line {
        name: "activations, state".to_owned(),
        bytes: [0; 3],
        loss: rest,
    });
    lines.push(Line {
        name: "header, vocabulary".to_owned(),
        bytes: others,
        loss: [None; 2],
    });
    Ok(Explanation {
        lines,
        bytes,
        nats,
        tokens: held_out.len().saturating_sub(1),
    })
}
