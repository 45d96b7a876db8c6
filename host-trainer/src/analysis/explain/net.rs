//! What each operation of a net without a text takes, and what rounding it costs.
//!
//! ```text
//! bytes          of its numbers in an f32 image, in int8, and with 4-bit weights
//! instructions   of the int8 image on each processor, about (`device`)
//! decibels       signal to noise at the outputs on data, where its weights alone are integers
//! ```
//! Without data nothing is measured: then the scheme is a plain one, which takes as many bytes.

use std::path::Path;

use gatelet::Precision;
use gatelet::net::{Net, Value};
use serde::Serialize;

use crate::analysis::device::{Board, Fit, Processor, Program, fit};
use crate::analysis::report::{Part, parts};
use crate::error::{Error, Result};
use crate::image::Image;
use crate::quantize::acceptance::net_breaches;
use crate::quantize::export::{NetReport, export_net, image_by};
use crate::quantize::{Scheme, Sequence, WeightBits};
use crate::train::checkpoint::Checkpoint;

/// An operation.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OperationLine {
    /// What it is: `gru 24`.
    pub name: String,
    /// Numbers of the values that it reads: 0 is the input, k what the k-th operation makes.
    pub reads: Vec<u8>,
    /// Multiply-accumulates a step.
    pub macs: usize,
    /// Bytes of its numbers in f32, in int8, and with 4-bit weights; 0 without such an image.
    pub bytes: [usize; 3],
    /// Bytes that a session keeps of it from step to step, in int8.
    pub state_bytes: usize,
    /// About how many instructions of a step it takes in int8, on each of [`Processor::ALL`].
    pub instructions: Vec<u64>,
    /// Signal to noise at the outputs in dB when its weights alone have 8 bits, and 4; `None`
    /// without noise, or where nothing was measured.
    pub decibels: [Option<f64>; 2],
}

/// Where bytes, instructions and error come from.
#[derive(Clone, Debug, Serialize)]
pub struct NetExplanation {
    /// The operations, in order.
    pub operations: Vec<OperationLine>,
    /// Bytes of the three images; 0 for those that it cannot have.
    pub bytes: [usize; 3],
    /// About how many instructions of a step are in no operation, on each of [`Processor::ALL`].
    pub other_instructions: Vec<u64>,
    /// About how many instructions the frame of a step takes there; none without a front end.
    pub frame_instructions: Vec<u64>,
    /// What the int8 image needs on boards; none where there is no such image.
    pub boards: Vec<Fit>,
    /// Bytes of a session of the int8 image: state, scratch and outputs.
    pub session_bytes: usize,
    /// Why it can be exported in f32 only, if it can.
    pub f32_only: Option<String>,
    /// Of the int8 image, and of the one with 4-bit weights, on data.
    pub measured: Option<[NetReport; 2]>,
}

/// The images of integers, with 8 and 4 bits, and what was measured.
type Integers = ([Image; 2], Option<[NetReport; 2]>);

fn integers(checkpoint: &Checkpoint, data: &[Sequence<'_>]) -> Result<Integers> {
    let net = checkpoint.params.net();
    let bits = [WeightBits::EIGHT, WeightBits::four(net)];
    if data.is_empty() {
        let image = |bits| {
            let scheme = Scheme::plain(net).with_bits(bits);
            image_by(checkpoint, (&scheme).into(), &[])
        };
        return Ok(([image(bits[0])?, image(bits[1])?], None));
    }
    let image = |bits| export_net(checkpoint, data, Precision::Int8, bits);
    let (eight, four) = (image(bits[0])?, image(bits[1])?);
    Ok(([eight.0, four.0], Some([eight.1, four.1])))
}

/// Bytes of each operation's numbers.
fn bytes_of(image: &Image) -> Result<Vec<usize>> {
    let model = image.model();
    let model = model.map_err(|error| Error::Export(error.to_string()))?;
    let sum = |all: &Vec<Part>| all.iter().map(|part| part.bytes).sum();
    Ok(parts(&model).iter().map(sum).collect())
}

/// What the int8 image needs on boards, and the bytes of a session.
fn on_boards(image: &Image) -> Result<(Vec<Fit>, usize)> {
    let model = image.model();
    let model = model.map_err(|error| Error::Export(error.to_string()))?;
    let bytes = |layout| {
        let packed = image.repacked(layout);
        packed.map_or(image.bytes().len(), |image| image.bytes().len())
    };
    // The console is for nets of characters and words.
    let engine = |board| Board {
        program: Program::Engine,
        ..board
    };
    let front_end = model.front_end();
    let of = (model.net(), front_end.as_ref());
    let all = Board::all().map(|board| fit(engine(board), of, bytes));
    Ok((all.collect(), 4 * model.session_words()))
}

/// Bytes that a session keeps of an operation in int8.
fn state_bytes(net: &Net, index: usize) -> usize {
    let Some(of) = net.operation(index) else {
        return 0;
    };
    let (int8, units) = (Precision::Int8, of.kind.units());
    let Some(form) = of.kind.cell() else { return 0 };
    let carried = usize::from(form.carries(int8)) * int8.cell_bytes();
    units * (int8.hidden_bytes() + carried)
}

/// Explains a checkpoint of real numbers; with data that it is given, also by the error at its
/// outputs.
///
/// # Errors
/// [`Error::NeedsCheckpoint`] for one that was trained for integers, or as [`export_net`].
pub fn explain_net(
    checkpoint: &Checkpoint,
    path: &Path,
    data: &[Sequence<'_>],
) -> Result<NetExplanation> {
    super::of_real_numbers(checkpoint, path)?;
    let net = checkpoint.params.net();
    let (float, _) = export_net(checkpoint, &[], Precision::F32, WeightBits::EIGHT)?;
    let f32_only = Scheme::plain(net).int8(net).err();
    let (images, measured) = match f32_only {
        Some(_) => (Vec::new(), None),
        None => {
            let (images, measured) = integers(checkpoint, data)?;
            (images.to_vec(), measured)
        }
    };
    let mut bytes = [0; 3];
    let mut each = vec![[0; 3]; net.len()];
    for (place, image) in std::iter::once(&float).chain(&images).enumerate() {
        bytes[place] = image.bytes().len();
        for (to, of) in each.iter_mut().zip(bytes_of(image)?) {
            to[place] = of;
        }
    }
    let int8 = images.first();
    let (boards, session_bytes) = int8.map_or(Ok((Vec::new(), 0)), on_boards)?;
    let model = int8.and_then(|image| image.model().ok());
    let device = model.map(|model| *model.net());
    let instructions = |processor: Processor| device.map(|net| processor.by_operation(&net));
    let instructions: Vec<_> = Processor::ALL
        .into_iter()
        .filter_map(instructions)
        .collect();
    let decibels = |index: usize| {
        let of = |report: &NetReport| {
            let mut costs = report.costs.iter();
            let cost = costs.find(|cost| cost.operation == Some(index));
            cost.and_then(|cost| cost.decibels)
        };
        let measured = measured.as_ref();
        measured.map_or([None; 2], |reports| [&reports[0], &reports[1]].map(of))
    };
    let lines = net
        .operations()
        .enumerate()
        .map(|(index, of)| OperationLine {
            name: of.kind.to_string(),
            reads: of.operand.parts().map(Value::code).collect(),
            macs: net.macs(index),
            bytes: each[index],
            state_bytes: state_bytes(net, index),
            instructions: instructions.iter().map(|(all, _)| all[index]).collect(),
            decibels: decibels(index),
        });
    Ok(NetExplanation {
        operations: lines.collect(),
        bytes,
        other_instructions: instructions.iter().map(|(_, rest)| *rest).collect(),
        frame_instructions: match checkpoint.meta.interface.front_end {
            Some(front) => {
                let frame = |processor: Processor| processor.frame_instructions(&front.0);
                Processor::ALL.into_iter().map(frame).collect()
            }
            None => Vec::new(),
        },
        boards,
        session_bytes,
        f32_only: f32_only.map(|error| error.to_string()),
        measured,
    })
}

/// Bits for each operation's weights: 4 for those whose rounding costs the least error at the
/// outputs for each weight, until half of all have 4; 8 for the rest. One with which the image
/// would be past the bounds of an export keeps 8.
///
/// # Errors
/// As [`export_net`].
pub fn mixed_net(checkpoint: &Checkpoint, data: &[Sequence<'_>]) -> Result<WeightBits> {
    let net = checkpoint.params.net();
    let four = WeightBits::four(net);
    let export = |bits| export_net(checkpoint, data, Precision::Int8, bits).map(|made| made.1);
    let report = export(four)?;
    let costs = report.costs.iter().filter_map(|cost| {
        let index = cost.operation.filter(|&index| four.of(index) == 4)?;
        let noise = cost.decibels.map_or(0.0, |db| 10_f64.powf(-db / 10.0));
        Some((index, noise, net.macs(index)))
    });
    super::cheapest(costs.collect(), |bits| {
        Ok(net_breaches(&export(bits)?).is_empty())
    })
}
