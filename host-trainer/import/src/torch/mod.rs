//! PyTorch: state dicts as `.safetensors`, or as the `.pt` and `.pth` of `torch.save`.
//!
//! ```text
//! file -> state (named tensors) -> modules (by their names and shapes) -> draft
//!                                  order: --net, or found where there is one reading only
//! ```
//! A state dict holds weights alone: neither the order of modules nor functions between them. So
//! the order is taken from the user, and what is found without is told.

mod archive;
mod build;
mod globals;
mod guess;
mod layers;
mod modules;
mod order;
mod pickle;
mod safetensors;
mod state;

use crate::draft::Draft;
use crate::error::{Result, refused};
use crate::options::Options;

pub(crate) use archive::is as is_archive;
pub(crate) use build::build;
pub(crate) use modules::Gates;
pub(crate) use order::{Item, Order, What};
pub(crate) use state::{Numbers, State, Tensor};

/// Reads a zip of `torch.save`.
pub(crate) fn read(bytes: &[u8], options: Options<'_>) -> Result<Draft> {
    draft(archive::read(bytes)?, options)
}

/// Reads a state dict as safetensors.
pub(crate) fn read_safetensors(bytes: &[u8], options: Options<'_>) -> Result<Draft> {
    draft(safetensors::read(bytes)?, options)
}

/// A draft of a state dict.
pub(crate) fn draft(state: State, options: Options<'_>) -> Result<Draft> {
    let order = options.order.map(order::parse).transpose()?;
    build(state, order.as_ref())
}

/// Says of a pickle without a zip around it what to do.
pub(crate) fn read_pickle(_: &[u8], _: Options<'_>) -> Result<Draft> {
    Err(refused(
        "the file",
        "it is a pickle without a zip around it, as PyTorch before 1.6 wrote it",
        "save it again: torch.save(torch.load(FILE, map_location=\"cpu\", weights_only=True), OTHER)",
    ))
}
