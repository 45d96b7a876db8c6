//! State dicts as safetensors.

use safetensors::tensor::{Dtype, SafeTensors};

use super::state::{Numbers, Real, State, Tensor};
use crate::error::{Error, Result};

const FORMAT: &str = "safetensors";
/// The key that Gatelet writes into the metadata of its own checkpoints.
const OWN: &str = "gatelet";

/// Reads a file.
pub(super) fn read(bytes: &[u8]) -> Result<State> {
    let damaged = |error: safetensors::SafeTensorError| Error::Damaged {
        format: FORMAT,
        what: error.to_string(),
    };
    let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(damaged)?;
    if metadata
        .metadata()
        .as_ref()
        .is_some_and(|all| all.contains_key(OWN))
    {
        return Err(Error::Own);
    }
    let file = SafeTensors::deserialize(bytes).map_err(damaged)?;
    let mut state = State {
        format: FORMAT,
        tensors: Vec::new(),
        ordered: false,
        notes: Vec::new(),
    };
    let mut names = file.names();
    names.sort_unstable();
    for name in names {
        let view = file.tensor(name).map_err(damaged)?;
        let real = match view.dtype() {
            Dtype::F16 => Some(Real::F16),
            Dtype::BF16 => Some(Real::Bf16),
            Dtype::F32 => Some(Real::F32),
            Dtype::F64 => Some(Real::F64),
            _ => None,
        };
        let numbers = match real {
            None => Numbers::Other(format!("{:?}", view.dtype()).to_lowercase()),
            Some(real) => {
                if let Some(note) = real.note() {
                    state.note(note);
                }
                let starts = (0..view.data().len()).step_by(real.size());
                Numbers::Real(starts.filter_map(|at| real.at(view.data(), at)).collect())
            }
        };
        state.tensors.push(Tensor {
            name: name.to_owned(),
            shape: view.shape().to_vec(),
            numbers,
        });
    }
    Ok(state)
}
