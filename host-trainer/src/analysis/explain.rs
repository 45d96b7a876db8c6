//! Where the bytes and the loss of an image come from, part by part.
//!
//! ```text
//! bytes                   of the part in an f32 image, in int8, and with 4-bit weights
//! loss of a part in b     held-out loss of the f32 net in which it alone is rounded to b bits - loss of the f32 net
//! activations and state   loss of the image - loss of the f32 net - the sum of the parts' losses
//! ```
//! Input rows are int16 in every image of integers, and an embedding and a projection int8: their losses in 4 bits are those in 8.

mod net;

use std::path::Path;

use gatelet::Precision;
use gatelet::net::{Kind, Net};
use serde::Serialize;

use crate::analysis::report::describe;
use crate::data::corpus::{Split, Tokens};
use crate::error::{Error, Result};
use crate::evaluate::evaluate;
use crate::image::Image;
use crate::isa::isa;
use crate::net::device::row_range::rounded;
use crate::quantize::export::{export_with, f32_image_of, taken};
use crate::quantize::{Ordered, WeightBits};
use crate::train::checkpoint::Checkpoint;

pub use self::net::{NetExplanation, OperationLine, explain_net, mixed_net};

/// Characters of training text on which a choice of bits is measured, at most.
const SAMPLE: usize = 20_000;
/// Part of the bytes of all weights that 4-bit weights are to be made of, at least.
const LARGE: f64 = 0.5;

/// A part of a net with numbers of its own: of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// The rows of tokens, or the bias.
    Input(usize),
    /// The weights.
    Weights(usize),
}

/// The parts of a net, in the order of an image.
fn parts(net: &Net) -> Vec<Part> {
    let of = |(index, kind): (usize, Kind)| {
        let input = kind.is_recurrent().then_some(Part::Input(index));
        let weights = (kind != Kind::Add).then_some(Part::Weights(index));
        input.into_iter().chain(weights)
    };
    let kinds = net.operations().map(|of| of.kind).enumerate();
    kinds.flat_map(of).collect()
}

/// `net` with one part as integers of so many bits can hold it; 8 where there may not be 4.
fn with_rounded(net: &Ordered, part: Part, bits: u8, may: WeightBits) -> Ordered {
    let mut net = net.clone();
    match part {
        Part::Input(index) => {
            for x in &mut net.floats[index].input {
                *x = (*x * 4096.0).round().clamp(-32768.0, 32767.0) / 4096.0;
            }
        }
        Part::Weights(index) => {
            for (at, matrix) in net.orders[index].matrices() {
                let weights = &mut net.floats[index].matrices[at];
                rounded(weights, matrix.columns, bits.max(may.of(index)));
            }
        }
    }
    net
}

/// The f32 net of a checkpoint, and its loss with some part rounded.
struct Float<'a> {
    checkpoint: &'a Checkpoint,
    tokens: &'a [u16],
    net: Ordered,
    may: WeightBits,
}

impl<'a> Float<'a> {
    fn new(checkpoint: &'a Checkpoint, tokens: &'a [u16]) -> Self {
        Self {
            checkpoint,
            tokens,
            net: Ordered::plain(&checkpoint.params),
            may: WeightBits::four(checkpoint.params.net()),
        }
    }

    fn image(&self, net: &Ordered) -> Result<Image> {
        f32_image_of(self.checkpoint.into(), &net.floats)
    }

    fn loss(&self, net: &Ordered) -> Result<f64> {
        loss_of(&self.image(net)?, self.tokens)
    }

    /// What rounding a part alone costs, in nats, above a loss of `whole`.
    fn cost(&self, part: Part, bits: u8, whole: f64) -> Result<f64> {
        let net = with_rounded(&self.net, part, bits, self.may);
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
pub fn mixed(checkpoint: &Checkpoint, tokens: &dyn Tokens, split: Split) -> Result<WeightBits> {
    let sample = taken(tokens, 0, SAMPLE.min(split.train))?;
    let float = Float::new(checkpoint, &sample);
    let whole = float.loss(&float.net)?;
    let mut costs = Vec::new();
    for index in (0..checkpoint.params.net().len()).filter(|&index| float.may.of(index) == 4) {
        let matrices = float.net.floats[index].matrices.iter();
        let weights: usize = matrices.map(Vec::len).sum();
        let cost = float.cost(Part::Weights(index), 4, whole)?;
        costs.push((index, cost, weights));
    }
    cheapest(costs, |_| Ok(true))
}

/// 4 bits for the operations with the least cost for each weight, of all whose `(index, cost,
/// weights)` are given, until half of the weights have 4; one with which the net does not `bear`
/// it keeps 8.
fn cheapest(
    mut costs: Vec<(usize, f64, usize)>,
    bears: impl Fn(WeightBits) -> Result<bool>,
) -> Result<WeightBits> {
    let by_weight = |of: &(usize, f64, usize)| of.1 / of.2.max(1) as f64;
    costs.sort_by(|a, b| by_weight(a).total_cmp(&by_weight(b)));
    let all: usize = costs.iter().map(|&(_, _, weights)| weights).sum();
    let (mut bits, mut small) = (WeightBits::EIGHT, 0);
    for (index, _, weights) in costs {
        if small as f64 >= LARGE * all as f64 {
            break;
        }
        let with = bits.with(index, 4);
        if bears(with)? {
            (bits, small) = (with, small + weights);
        }
    }
    Ok(bits)
}

/// Refuses a checkpoint whose numbers are not rounded one by one.
fn of_real_numbers(checkpoint: &Checkpoint, path: &Path) -> Result<()> {
    match checkpoint.scheme() {
        None => Ok(()),
        Some(_) => Err(Error::NeedsCheckpoint {
            path: path.to_owned(),
            needs: "explain, whose parts are rounded one by one: of real numbers, as the one that --qat began with",
        }),
    }
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
    of_real_numbers(checkpoint, path)?;
    let held_out = taken(tokens, split.train, split.held_out().min(most))?;
    let float = Float::new(checkpoint, &held_out);
    let whole = float.loss(&float.net)?;
    let net = checkpoint.params.net();
    let integers = |bits| {
        let text = (tokens, split);
        export_with(checkpoint, text, Precision::Int8, bits).map(|(image, _)| image)
    };
    let images = [
        float.image(&float.net)?,
        integers(WeightBits::EIGHT)?,
        integers(float.may)?,
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
    let is_tied = |index| net.operation(index).is_some_and(|of| of.tied.is_some());
    let mut lines = Vec::new();
    for (index, part) in parts(net).into_iter().enumerate() {
        let costs = [float.cost(part, 8, whole)?, float.cost(part, 4, whole)?];
        lines.push(Line {
            name: described[0].parts[index].name.clone(),
            bytes: [0, 1, 2].map(|image: usize| described[image].parts[index].bytes),
            loss: match part {
                // The weights of a tied head are the embedding's, and rounded with it.
                Part::Weights(index) if is_tied(index) => [None; 2],
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_weights_have_4_bits_those_first_that_cost_least_for_each() {
        // Of the operations 0 to 3 for each weight: 2, 1, 9 and 3.
        let costs = || vec![(0, 20.0, 10), (1, 20.0, 20), (2, 90.0, 10), (3, 60.0, 20)];
        let chosen = |bears: &dyn Fn(WeightBits) -> bool| {
            let bits = cheapest(costs(), |bits| Ok(bears(bits))).expect("nothing fails");
            [0, 1, 2, 3].map(|index| bits.of(index))
        };
        assert_eq!(chosen(&|_| true), [4, 4, 8, 8], "30 of 60");
        // What the net does not bear is passed over, and another takes its place.
        assert_eq!(chosen(&|bits| bits.of(1) == 8), [4, 8, 8, 4]);
        assert_eq!(chosen(&|_| false), [8; 4]);
        let failed = cheapest(costs(), |_| Err(Error::NoVocabulary));
        assert!(matches!(failed, Err(Error::NoVocabulary)));
    }
}
