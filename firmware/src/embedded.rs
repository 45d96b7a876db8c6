//! The model this crate was built with, and the sizes that follow from it. `build.rs` writes the numbers, and
//! names the kernel for its layout.
//!
//! `GATELET_MODEL` chooses the file; without it `firmware/models/default.gatelet`. `GATELET_SEED` and others choose how the
//! board writes.

use gatelet::AlignedBytes;

use crate::parts::{PARTS, Part};
use crate::write::Writing;

include!(concat!(env!("OUT_DIR"), "/model.rs"));

/// The image, where a session borrows its weights from: in flash, at a multiple of 16.
pub static IMAGE: AlignedBytes<MODEL_BYTES> =
    AlignedBytes(*include_bytes!(concat!(env!("OUT_DIR"), "/model.gatelet")));
