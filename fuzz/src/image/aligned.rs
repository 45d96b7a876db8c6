//! Images in memory, where a model can be read in place.

use bytemuck::{Pod, Zeroable};
use gatelet::format::{ImageSpec, image_len, write_image};

/// Bytes at a multiple of 64.
#[derive(Clone, Debug)]
pub(crate) struct Aligned {
    blocks: Vec<Block>,
    pub(super) len: usize,
}

#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C, align(64))]
struct Block([u8; 64]);

impl Aligned {
    /// Zeros.
    pub(super) fn zeroed(len: usize) -> Self {
        Self {
            blocks: vec![Block([0; 64]); len.div_ceil(64)],
            len,
        }
    }

    /// A copy.
    pub(crate) fn new(bytes: &[u8]) -> Self {
        let mut aligned = Self::zeroed(bytes.len());
        for (block, bytes) in aligned.blocks.iter_mut().zip(bytes.chunks(64)) {
            block.0[..bytes.len()].copy_from_slice(bytes);
        }
        aligned
    }

    /// The bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        &bytemuck::cast_slice(&self.blocks)[..self.len]
    }

    /// The bytes, to be written.
    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        &mut bytemuck::cast_slice_mut(&mut self.blocks)[..self.len]
    }
}

/// An image, as a writer writes it.
///
/// # Panics
/// When the writer refuses it.
pub(super) fn written(spec: &ImageSpec<'_>) -> Vec<u8> {
    let mut image = Aligned::zeroed(image_len(spec).expect("parts that fit together"));
    let len = write_image(spec, image.bytes_mut()).expect("as long as it said");
    image.bytes()[..len].to_vec()
}
