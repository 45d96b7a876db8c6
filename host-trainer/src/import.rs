//! A net from a file of another program as a checkpoint, which every command takes.
//!
//! ```text
//! file -> gatelet-import: operations, weights as PyTorch has them -> Params, start states, names
//! ```

use std::path::Path;

use gatelet::net::{Kind, Reset};
use gatelet_import::draft::{Matrix, Recurrent};
use gatelet_import::{Imported, Weights};

use crate::error::Result;
use crate::net::{Params, Role};
use crate::train::checkpoint::{Checkpoint, Interface, NamedInput, NamedOutput, Provenance, Start};

/// A checkpoint of an imported net. `file` is where it came from, `sha256` that of its bytes.
///
/// # Errors
/// What the checkpoint's own checks say.
pub fn checkpoint(
    imported: &Imported,
    (file, sha256): (&Path, &str),
    command: &str,
) -> Result<Checkpoint> {
    let inputs = imported.inputs.iter().map(|port| NamedInput {
        name: port.name.clone(),
        width: port.width,
    });
    let outputs = imported.outputs.iter().map(|port| NamedOutput {
        name: port.name.clone(),
        softmax: port.softmax,
    });
    let interface = Interface {
        inputs: inputs.collect(),
        outputs: outputs.collect(),
        front_end: None,
    };
    let provenance = Provenance {
        corpus: file.display().to_string(),
        corpus_sha256: sha256.to_owned(),
        command: command.to_owned(),
        trainer: concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION")).to_owned(),
        seed: 0,
        nats: None,
        epoch: 0,
        unigram_nats: None,
        characters: 0,
        changes: Vec::new(),
    };
    Checkpoint::of_net(params(imported), interface, starts(imported), provenance)
}

/// The weights in the trainer's order.
pub fn params(imported: &Imported) -> Params<f32> {
    let mut params = Params::zeros(imported.net);
    for (index, (weights, operation)) in
        (imported.weights.iter().zip(imported.net.operations())).enumerate()
    {
        let mut put = |role, numbers: &[f32]| {
            params.tensor_mut(index, role).copy_from_slice(numbers);
        };
        match weights {
            Weights::Add => {}
            Weights::Embedding(table) => put(Role::Table, &table.data),
            Weights::Dense { weight, bias } => {
                put(Role::Weight, &weight.data);
                put(Role::Bias, bias);
            }
            Weights::Recurrent(cell) => recurrent(cell, operation.kind, &mut put),
        }
    }
    params
}

/// A recurrent operation's matrices, of which the trainer has the transposed.
fn recurrent(cell: &Recurrent, kind: Kind, put: &mut impl FnMut(Role, &[f32])) {
    put(Role::Input, &cell.input.transposed().data);
    put(Role::Bias, &cell.bias);
    match kind {
        Kind::Gru {
            reset: Reset::Before,
            units,
            ..
        } => {
            let (gates, candidate) = cell.recurrent.data.split_at(2 * units * units);
            let matrix = |rows, data: &[f32]| Matrix {
                rows,
                columns: units,
                data: data.to_vec(),
            };
            put(Role::Recurrent, &matrix(2 * units, gates).transposed().data);
            put(Role::Candidate, &matrix(units, candidate).transposed().data);
        }
        _ => {
            put(Role::Recurrent, &cell.recurrent.transposed().data);
            put(Role::RecurrentBias, &cell.hidden_bias);
        }
    }
}

/// The states that operations begin with, where those are not zeros.
fn starts(imported: &Imported) -> Vec<Start> {
    let cells = imported.weights.iter().enumerate();
    let start = |(operation, weights): (usize, &Weights)| {
        let Weights::Recurrent(cell) = weights else {
            return None;
        };
        let units = cell.recurrent.columns;
        let or_zeros = |given: &[f32]| match given.is_empty() {
            true => vec![0.0; units],
            false => given.to_vec(),
        };
        let zero = |given: &[f32]| given.iter().all(|x| *x == 0.0);
        let is_lstm = matches!(
            imported.net.operation(operation).map(|of| of.kind),
            Some(Kind::Lstm { .. })
        );
        (!(zero(&cell.h) && zero(&cell.c))).then(|| Start {
            operation,
            h: or_zeros(&cell.h),
            c: if is_lstm {
                or_zeros(&cell.c)
            } else {
                Vec::new()
            },
        })
    };
    cells.filter_map(start).collect()
}
