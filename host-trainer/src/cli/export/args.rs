//! The options of `gatelet export`.

use gatelet::Precision;

use super::super::stream::{Destination, Input, Reads};
use super::super::target::Target;

/// Number format of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(in crate::cli) enum Bits {
    /// IEEE 754 binary32.
    F32,
    /// Integers only.
    #[value(name = "8")]
    Eight,
    /// Integers, weights of 4 bits: train for them with `train --qat`.
    #[value(name = "4")]
    Four,
    /// Integers, weights of 4 bits where the loss, or the error at the outputs, bears it.
    #[value(alias = "mixed")]
    W4,
}

impl Bits {
    /// Whether this is what an image calls the bits of its weights.
    pub(super) fn is(self, weight_bits: &str) -> bool {
        match self {
            Self::F32 => true,
            Self::Eight => weight_bits == "8",
            Self::Four => weight_bits == "4",
            Self::W4 => weight_bits == "mixed",
        }
    }
}

impl std::fmt::Display for Bits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::F32 => "f32",
            Self::Eight => "8",
            Self::Four => "4",
            Self::W4 => "w4",
        })
    }
}

impl From<Bits> for Precision {
    fn from(bits: Bits) -> Self {
        match bits {
            Bits::F32 => Self::F32,
            Bits::Eight | Bits::Four | Bits::W4 => Self::Int8,
        }
    }
}

/// Turn a checkpoint into a .gatelet image, for a device.
///
/// Reports the loss before and after on the held-out part of the text. The text is the one of the training run if it
/// is still where it was, or the one given with --text. An int8 model then writes 10,000 characters by itself, beside f32;
/// one that loses more than the bounds of docs/training.md is not written, unless --accept-loss.
///
/// A net without a vocabulary is measured at its outputs, over the sequence given with --calibrate.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  gatelet export runs/novels/best.safetensors --out novels.gatelet\n  \
                  gatelet export net.safetensors --calibrate x.npy --out net.gatelet"
)]
pub(in crate::cli) struct Args {
    /// Checkpoint of a run; or an image, to arrange it for another --target
    pub(super) checkpoint: Input,
    /// Image to write
    #[arg(long, value_name = "FILE")]
    pub(super) out: Destination,
    /// Number format [default: 8, or what the checkpoint was trained for]
    #[arg(long)]
    pub(super) bits: Option<Bits>,
    /// Processor whose kernel the weights are arranged for
    #[arg(long, default_value = "any")]
    pub(super) target: Target,
    /// Text for calibration and measurement [default: the one of the training run]
    #[arg(long, value_name = "FILE")]
    pub(super) text: Option<Input>,
    /// For a net without a vocabulary: a sequence of what it is given (.npy, .csv, .wav), on which
    /// its integers are chosen and measured; NAME=FILE for one of several inputs
    #[arg(long, value_name = "FILE", conflicts_with = "text")]
    pub(super) calibrate: Vec<String>,
    #[command(flatten)]
    pub(super) reads: Reads,
    /// Write the image even if int8 loses more than the exporter's bounds
    #[arg(long)]
    pub(super) accept_loss: bool,
    /// Replace --out if it is there
    #[arg(long)]
    pub(super) force: bool,
    /// Print the result as one JSON object on the last line of stdout
    #[arg(long)]
    pub(super) json: bool,
}
