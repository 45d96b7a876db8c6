//! What PyTorch calls a net's tensors, and their shapes there.
//!
//! ```text
//! equal layers under a head    embedding, rnn (one module of several layers), projection, head
//! any other net                a list of modules: 0, 1, 2
//! ```

use std::ops::Range;

use gatelet::net::{Activation, Kind, Net, Operand, Output, Value};

use crate::engine::Fused;
use crate::net::{Role, Tensor, inputs};

/// The layers, if one module of PyTorch's is all of them, and around them there is what a language
/// model has: an embedding perhaps, a projection perhaps, and a head.
pub(super) fn module(net: &Net) -> Option<Range<usize>> {
    let kinds: Vec<Kind> = net.operations().map(|of| of.kind).collect();
    let first = kinds.iter().position(|kind| kind.is_recurrent())?;
    let layer = kinds[first];
    let layers = kinds[first..].iter().take_while(|&&kind| kind == layer);
    let end = first + layers.count();
    let is_linear = |kind: &Kind| {
        let none = Activation::None;
        matches!(kind, Kind::Dense { activation, .. } if *activation == none)
    };
    let below = kinds[..first].iter();
    let embeddings = below.filter(|kind| matches!(kind, Kind::Embedding { .. }));
    let alike = embeddings.count() == first && first <= 1 && Fused::of(layer).is_some();
    let above = (1..=2).contains(&(net.len() - end)) && kinds[end..].iter().all(is_linear);
    let in_order = |(index, of): (usize, &gatelet::net::Operation)| {
        let reads = match index {
            0 => Value::INPUT,
            _ => Value::of(index - 1),
        };
        of.operand == Operand::one(reads)
    };
    let chain = net.operations().enumerate().all(in_order);
    let scores = net.outputs().eq([Output::Scores(net.last())]);
    let head = net.takes_tokens() && net.output_width(0) == net.vocab();
    (alike && above && chain && scores && head).then_some(first..end)
}

/// The PyTorch name of a tensor.
pub(crate) fn torch_name(net: &Net, tensor: &Tensor) -> String {
    let operation = tensor.operation;
    let kind = net.operation(operation).map(|of| of.kind);
    let is_recurrent = kind.is_some_and(Kind::is_recurrent);
    let (module, layer) = match module(net) {
        Some(layers) if is_recurrent => ("rnn".to_owned(), operation - layers.start),
        Some(_) if tensor.role == Role::Table => ("embedding".to_owned(), 0),
        Some(_) if operation + 1 == net.len() => ("head".to_owned(), 0),
        Some(_) => ("projection".to_owned(), 0),
        None => (operation.to_string(), 0),
    };
    let name = match tensor.role {
        Role::Rows | Role::Input => "weight_ih",
        Role::Recurrent => "weight_hh",
        Role::Candidate => "weight_ch",
        Role::Bias if is_recurrent => "bias_ih",
        Role::RecurrentBias => "bias_hh",
        Role::Bias => "bias",
        Role::Table | Role::Weight => "weight",
    };
    // A token and other numbers have matrices of their own.
    let rows = match tensor.role == Role::Rows && inputs(net, operation) > 0 {
        true => "_token",
        false => "",
    };
    match is_recurrent {
        true => format!("{module}.{name}_l{layer}{rows}"),
        false => format!("{module}.{name}"),
    }
}

/// The name of the second bias that PyTorch has and this does not, or not of all gates.
pub(super) fn second_bias(net: &Net, tensor: &Tensor) -> Option<String> {
    let name = torch_name(net, tensor);
    name.contains(".bias_ih_l")
        .then(|| name.replace(".bias_ih_l", ".bias_hh_l"))
}

/// The PyTorch shape of a tensor.
pub(super) fn torch_shape(tensor: &Tensor) -> Vec<usize> {
    match tensor.role {
        Role::Rows | Role::Input | Role::Recurrent | Role::Candidate => {
            vec![tensor.columns, tensor.rows]
        }
        Role::Weight | Role::Table => vec![tensor.rows, tensor.columns],
        Role::Bias => vec![tensor.columns],
        // PyTorch has it for every gate; r's and z's are in the other bias.
        Role::RecurrentBias => vec![3 * tensor.columns],
    }
}
