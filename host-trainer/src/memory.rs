//! Memory for a model's weights: it starts at a cache line, and from 2 MiB on asks the operating system for large pages.
//!
//! A step reads every weight once, megabytes of them in pages of 4 KiB each of which has to be translated. In pages of
//! 2 MiB the weights of an f32 LSTM of 2 x 512 units, which come from the third-level cache, are read in three quarters of
//! the time (docs/benchmarks.md). Where the system gives none, the memory is as good as any other.

use std::fmt;

use memmap2::MmapMut;

/// A cache line: where the sections of a tile layout start, vectors are read whole.
#[repr(C, align(64))]
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
struct Line([u8; 64]);

/// Bytes of a large page.
const LARGE_PAGE: usize = 2 << 20;

/// Bytes that start at a cache line.
pub struct Memory {
    place: Place,
    len: usize,
}

/// Where they are.
enum Place {
    Lines(Vec<Line>),
    Pages(MmapMut),
}

impl Memory {
    /// `len` zeros.
    pub fn zeroed(len: usize) -> Self {
        let pages = (len >= LARGE_PAGE).then(|| large_pages(len)).flatten();
        let place = pages.map_or_else(
            || {
                let lines = len.div_ceil(size_of::<Line>());
                Place::Lines(vec![bytemuck::Zeroable::zeroed(); lines])
            },
            Place::Pages,
        );
        Self { place, len }
    }

    /// Keeps the first `len` bytes.
    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        let all = match &self.place {
            Place::Lines(lines) => bytemuck::cast_slice(lines),
            Place::Pages(pages) => &pages[..],
        };
        &all[..self.len]
    }

    /// The bytes, to write.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        let all = match &mut self.place {
            Place::Lines(lines) => bytemuck::cast_slice_mut(lines),
            Place::Pages(pages) => &mut pages[..],
        };
        &mut all[..self.len]
    }
}

/// `len` zeros in pages of their own, large ones where the system has them.
fn large_pages(len: usize) -> Option<MmapMut> {
    let pages = MmapMut::map_anon(len).ok()?;
    // Advice: what comes of it is the system's affair.
    #[cfg(target_os = "linux")]
    let _ = pages.advise(memmap2::Advice::HugePage);
    Some(pages)
}

impl Clone for Memory {
    fn clone(&self) -> Self {
        let mut copy = Self::zeroed(self.len);
        copy.bytes_mut().copy_from_slice(self.bytes());
        copy
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory")
            .field("len", &self.len)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_of_any_size_starts_at_a_line_and_keeps_what_is_written() {
        for len in [0, 1, 64, 65, LARGE_PAGE - 1, LARGE_PAGE, 3 * LARGE_PAGE + 7] {
            let mut memory = Memory::zeroed(len);
            assert!(memory.bytes().iter().all(|&byte| byte == 0));
            assert_eq!(memory.bytes().as_ptr().align_offset(size_of::<Line>()), 0);
            for (index, byte) in memory.bytes_mut().iter_mut().enumerate() {
                *byte = (index % 251) as u8;
            }
            let mut copy = memory.clone();
            assert_eq!(copy.bytes(), memory.bytes());
            copy.truncate(len / 2);
            assert_eq!(copy.bytes(), &memory.bytes()[..len / 2]);
        }
    }
}
