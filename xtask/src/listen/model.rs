//! A net's image in memory.

use std::path::Path;

use anyhow::{Context, Result, anyhow};
use gatelet::Model;

/// An image wants to start at a multiple of this.
const ALIGN: usize = 16;

/// The bytes of an image, with room to align them.
pub(super) struct Image {
    room: Vec<u8>,
    start: usize,
    end: usize,
    name: String,
}

impl Image {
    pub(super) fn read(path: &Path) -> Result<Self> {
        let name = path.display().to_string();
        let bytes = std::fs::read(path).with_context(|| format!("cannot read {name}"))?;
        let mut room = vec![0; bytes.len() + ALIGN];
        let start = room.as_ptr().align_offset(ALIGN);
        let end = start + bytes.len();
        let to = room.get_mut(start..end).context("it cannot be aligned")?;
        to.copy_from_slice(&bytes);
        Ok(Image {
            room,
            start,
            end,
            name,
        })
    }

    pub(super) fn model(&self) -> Result<Model<'_>> {
        let bytes = self.room.get(self.start..self.end).unwrap_or_default();
        Model::from_bytes(bytes).map_err(|error| anyhow!("{}: {error}", self.name))
    }
}
