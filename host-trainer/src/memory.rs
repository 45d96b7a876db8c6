//! Memory for weights and for what training remembers: it starts at a cache line, and from 2 MiB on asks the operating
//! system for large pages.
//!
//! A step reads every weight once, megabytes of them in pages of 4 KiB each of which has to be translated; training goes
//! through its tapes in steps of kilobytes. In pages of 2 MiB the f32 weights of 2 x 512 units, which come from the
//! third-level cache, are read in four fifths of the time (docs/adr/0004-tiles.md). Where the system gives none, the memory is as
//! good as any other.

use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

use bytemuck::Pod;
use memmap2::MmapMut;

/// A cache line: where the sections of a tile layout start, vectors are read whole.
#[repr(C, align(64))]
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
struct Line([u8; 64]);

/// Bytes of a large page.
const LARGE_PAGE: usize = 2 << 20;

/// Numbers, the first of which starts a cache line.
pub struct Memory<T> {
    place: Place,
    len: usize,
    of: PhantomData<T>,
}

/// Where they are.
enum Place {
    Lines(Vec<Line>),
    /// From byte `start` on, which is where a large page can start.
    Pages {
        pages: MmapMut,
        start: usize,
    },
}

impl<T: Pod> Memory<T> {
    /// `len` zeros.
    pub fn zeroed(len: usize) -> Self {
        let bytes = len * size_of::<T>();
        let pages = (bytes >= LARGE_PAGE).then(|| large_pages(bytes)).flatten();
        let place = pages.map_or_else(
            || {
                let lines = bytes.div_ceil(size_of::<Line>());
                Place::Lines(vec![bytemuck::Zeroable::zeroed(); lines])
            },
            |(pages, start)| Place::Pages { pages, start },
        );
        Self {
            place,
            len,
            of: PhantomData,
        }
    }

    /// Keeps the first `len` numbers.
    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }
}

/// `bytes` zeros in pages of their own, large ones where the system has them, and the byte at which they start.
///
/// Whole large pages from a multiple of their size on: what overlaps the ends of a mapping is in small pages. The address space
/// before and after is never touched, so it takes no memory.
fn large_pages(bytes: usize) -> Option<(MmapMut, usize)> {
    let whole = bytes.next_multiple_of(LARGE_PAGE);
    let pages = MmapMut::map_anon(whole + LARGE_PAGE).ok()?;
    let start = pages.as_ptr().align_offset(LARGE_PAGE);
    // Advice: what comes of it is the system's affair.
    #[cfg(target_os = "linux")]
    let _ = pages.advise_range(memmap2::Advice::HugePage, start, whole);
    (start <= LARGE_PAGE).then_some((pages, start))
}

impl<T: Pod> Deref for Memory<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        let bytes = match &self.place {
            Place::Lines(lines) => bytemuck::cast_slice(lines),
            Place::Pages { pages, start } => &pages[*start..],
        };
        bytemuck::cast_slice(&bytes[..self.len * size_of::<T>()])
    }
}

impl<T: Pod> DerefMut for Memory<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        let bytes = match &mut self.place {
            Place::Lines(lines) => bytemuck::cast_slice_mut(lines),
            Place::Pages { pages, start } => &mut pages[*start..],
        };
        bytemuck::cast_slice_mut(&mut bytes[..self.len * size_of::<T>()])
    }
}

impl<T: Pod> Clone for Memory<T> {
    fn clone(&self) -> Self {
        let mut copy = Self::zeroed(self.len);
        copy.copy_from_slice(self);
        copy
    }
}

impl<T> fmt::Debug for Memory<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers = self.len;
        write!(f, "Memory({numbers} of {})", std::any::type_name::<T>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_of_any_size_starts_at_a_line_and_keeps_what_is_written() {
        const LARGE: usize = LARGE_PAGE / size_of::<u32>();
        for len in [0, 1, 16, 17, LARGE - 1, LARGE, 3 * LARGE + 7] {
            let mut memory = Memory::<u32>::zeroed(len);
            assert_eq!(memory.len(), len);
            assert!(memory.iter().all(|&number| number == 0));
            assert_eq!(
                memory.as_ptr().cast::<u8>().align_offset(size_of::<Line>()),
                0
            );
            for (index, number) in memory.iter_mut().enumerate() {
                *number = index as u32;
            }
            let mut copy = memory.clone();
            assert_eq!(*copy, *memory);
            copy.truncate(len / 2);
            assert_eq!(*copy, memory[..len / 2]);
        }
    }
}
