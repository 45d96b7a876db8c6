//! ONNX.
//!
//! ```text
//! file -> messages (proto) -> a walk over the graph (reader) -> operations -> cells put together
//!      -> states paired -> Draft
//! ```

mod arithmetic;
mod build;
mod cells;
mod constant;
mod dense;
mod linear;
mod made;
mod needed;
mod node;
mod outer;
mod proto;
mod reader;
mod recurrent;
mod reshape;
mod states;
mod step;
mod structure;
mod tensor;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use prost::Message;

use crate::draft::Draft;
use crate::error::{Error, Result, refused};
use crate::options::Options;
use reader::{Known, Reader};
use step::Stop;
use tensor::Tensor;

/// How often a graph is walked at most: each walk learns an axis of an input.
const WALKS: usize = 32;

/// Reads a model.
///
/// # Errors
/// [`Error::Damaged`] for bytes that are no model, [`Error::Refused`] for what cannot come along.
pub(crate) fn read(bytes: &[u8], _: Options<'_>) -> Result<Draft> {
    let damaged = |what: String| Error::Damaged {
        format: "ONNX",
        what: gatelet::visible::line(&what).to_string(),
    };
    needed::count(bytes).map_err(damaged)?;
    let model = proto::Model::decode(bytes).map_err(|error| damaged(error.to_string()))?;
    let Some(mut graph) = model.graph else {
        return Err(damaged("it holds no graph".to_owned()));
    };
    let standard =
        |of: &&proto::Opset| matches!(of.domain.as_deref().unwrap_or_default(), "" | "ai.onnx");
    let opset = model.opset_import.iter().find(standard);
    let opset = opset.and_then(|of| of.version).unwrap_or(1);
    needed::keep(&mut graph);
    // What a loop counts would be refused before the loop itself, and say less.
    let mut nodes = graph.node.iter();
    if let Some(node) = nodes.find(|node| matches!(node.op(), "Loop" | "Scan")) {
        let (what, remedy) = node::reason(node.op());
        return Err(refused(&node.label(), what, remedy));
    }
    let mut constants: HashMap<String, Tensor> = HashMap::new();
    for tensor in std::mem::take(&mut graph.initializer) {
        let tensor = constant::constant(&tensor, "a tensor without a name")?;
        let name = tensor.names.first().cloned().unwrap_or_default();
        constants.insert(name, tensor);
    }
    let mut known = Known::default();
    for _ in 0..WALKS {
        let mut reader = Reader::new(opset);
        let walked = reader
            .begin(&graph, &constants, &known)
            .and_then(|()| reader.walk(&graph));
        match walked {
            Ok(()) => return finish(reader, &graph),
            Err(Stop::Error(error)) => return Err(error),
            Err(Stop::Outer(origin)) if known.outer.insert(origin) => {}
            Err(Stop::Fixed(origin, len)) if known.fixed.insert(origin, len).is_none() => {}
            Err(Stop::Outer((input, axis)) | Stop::Fixed((input, axis), _)) => {
                let name = reader.inputs.get(input).map_or("", |(name, _)| name);
                return Err(refused(
                    name,
                    format!("axis {axis} of this input is read as time or batch and as features"),
                    "give features and steps axes of their own",
                ));
            }
        }
    }
    let what = "its axes are read in too many ways";
    Err(refused("the graph", what, "simplify the graph before"))
}

/// From a graph that was walked to a draft.
fn finish(mut reader: Reader, graph: &proto::Graph) -> Result<Draft> {
    let outputs = states::outputs(&mut reader, graph)?;
    let mut outputs = cells::together(&mut reader, outputs)?;
    states::pair(&mut reader, &mut outputs)?;
    build::draft(reader, outputs)
}
