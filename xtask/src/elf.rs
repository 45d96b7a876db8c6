//! What an ELF file puts where: the bytes for the flash, and the RAM it claims.

use std::path::Path;

use anyhow::{Context, Result, bail};
use object::elf::{FileHeader32, PT_LOAD};
use object::read::elf::{FileHeader as _, ProgramHeader as _};
use object::{Endianness, Object as _, ObjectSection as _};

/// A program as a programmer sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FlashImage {
    /// The lowest address.
    pub(crate) start: u32,
    /// Everything from there on; gaps hold what erased flash reads as.
    pub(crate) bytes: Vec<u8>,
    /// Address ranges in RAM, first and one past the last.
    pub(crate) ram: Vec<(u32, u32)>,
}

/// What fills gaps.
const ERASED: u8 = 0xff;

impl FlashImage {
    /// Reads the loadable segments of a 32-bit Arm ELF file.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let file =
            std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        Self::parse(&file).with_context(|| format!("{} is no image for the board", path.display()))
    }

    /// As [`FlashImage::read`].
    pub(crate) fn parse(file: &[u8]) -> Result<Self> {
        let header = FileHeader32::<Endianness>::parse(file)?;
        let endian = header.endian()?;
        let mut in_flash = Vec::new();
        let mut ram = Vec::new();
        for segment in header.program_headers(endian, file)? {
            if segment.p_type(endian) != PT_LOAD {
                continue;
            }
            let bytes = segment
                .data(endian, file)
                .map_err(|()| object_error("a segment reaches past the end of the file"))?;
            let (load, runs) = (segment.p_paddr(endian), segment.p_vaddr(endian));
            if !bytes.is_empty() {
                in_flash.push((load, bytes));
            }
            if segment.p_memsz(endian) > 0 && (load != runs || bytes.is_empty()) {
                ram.push((runs, runs.saturating_add(segment.p_memsz(endian))));
            }
        }
        in_flash.sort_by_key(|&(address, _)| address);
        let Some(&(start, _)) = in_flash.first() else {
            bail!("it loads nothing");
        };
        let mut image = FlashImage {
            start,
            bytes: Vec::new(),
            ram,
        };
        for (address, bytes) in in_flash {
            image.append(address, bytes)?;
        }
        Ok(image)
    }

    /// Puts a segment behind the ones before it.
    fn append(&mut self, address: u32, bytes: &[u8]) -> Result<()> {
        /// More than any part has: a stray address must not become gigabytes of filling.
        const LARGEST: usize = 16 << 20;
        let offset = (address - self.start) as usize;
        if offset < self.bytes.len() {
            bail!("two segments overlap at {address:#010x}");
        }
        if offset + bytes.len() > LARGEST {
            bail!(
                "it reaches from {:#010x} to {address:#010x}, more than any part's flash",
                self.start
            );
        }
        self.bytes.resize(offset, ERASED);
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    /// The word at `index` words from the start.
    pub(crate) fn word(&self, index: usize) -> Option<u32> {
        let bytes = self.bytes.get(4 * index..)?.first_chunk::<4>()?;
        Some(u32::from_le_bytes(*bytes))
    }

    /// One past the last address.
    pub(crate) fn end(&self) -> u64 {
        u64::from(self.start) + self.bytes.len() as u64
    }
}

/// Bytes of a section by name, 0 when there is none.
pub(crate) fn section_bytes(path: &Path, names: &[&str]) -> Result<u64> {
    let file = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let elf = object::File::parse(file.as_slice())?;
    let sizes = names.iter().filter_map(|n| elf.section_by_name(n));
    Ok(sizes.map(|s| s.size()).sum())
}

fn object_error(what: &str) -> anyhow::Error {
    anyhow::anyhow!("{what}")
}

/// Bytes that a program holds, and that can be replaced after it has been linked.
pub(crate) struct Embedded {
    program: Vec<u8>,
    place: std::ops::Range<usize>,
}

impl Embedded {
    /// Finds these bytes in a program. They must be in it once.
    pub(crate) fn find(program: Vec<u8>, bytes: &[u8]) -> Result<Self> {
        let mut places = program.windows(bytes.len());
        let first = places.position(|window| window == bytes);
        let start = first.context("the program does not hold what was embedded")?;
        if places.any(|window| window == bytes) {
            bail!("the program holds what was embedded twice");
        }
        let place = start..start + bytes.len();
        Ok(Embedded { program, place })
    }

    /// The program with other bytes in the same place, zeros behind them.
    pub(crate) fn replaced(&self, bytes: &[u8]) -> Result<Vec<u8>> {
        let mut program = self.program.clone();
        let place = program.get_mut(self.place.clone()).unwrap_or_default();
        if place.len() < bytes.len() {
            bail!("{} bytes have no room in {}", bytes.len(), place.len());
        }
        place.fill(0);
        place[..bytes.len()].copy_from_slice(bytes);
        Ok(program)
    }

    /// The program with one of the bits the other way round, counted from the least significant of
    /// the first byte.
    pub(crate) fn flipped(&self, bit: usize) -> Result<Vec<u8>> {
        let mut program = self.program.clone();
        let place = program.get_mut(self.place.clone()).unwrap_or_default();
        let byte = place
            .get_mut(bit / 8)
            .with_context(|| format!("nothing embedded has a bit {bit}"))?;
        *byte ^= 1 << (bit % 8);
        Ok(program)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A minimal ELF file with these segments: load address, run address, bytes, size in memory.
    pub(crate) fn elf(segments: &[(u32, u32, &[u8], u32)]) -> Vec<u8> {
        let words = |words: &[u32]| {
            words
                .iter()
                .flat_map(|w| w.to_le_bytes())
                .collect::<Vec<_>>()
        };
        let mut file = b"\x7fELF\x01\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
        file.extend([2, 0, 40, 0]); // executable, Arm
        file.extend(words(&[1, 0, 52, 0, 0x0500_0200])); // version, entry, program headers at 52, no sections, flags
        file.extend([52, 0, 32, 0, segments.len() as u8, 0, 40, 0, 0, 0, 0, 0]);
        let mut offset = 52 + 32 * segments.len() as u32;
        for (load, runs, bytes, memory) in segments {
            let size = bytes.len() as u32;
            file.extend(words(&[
                PT_LOAD.0, offset, *runs, *load, size, *memory, 5, 4,
            ]));
            offset += size;
        }
        segments
            .iter()
            .for_each(|(_, _, bytes, _)| file.extend(*bytes));
        file
    }

    #[test]
    fn segments_are_joined_by_load_address() {
        let file = elf(&[
            (0x0800_0008, 0x2000_4000, &[5, 6], 2),
            (0x0800_0000, 0x0800_0000, &[1, 2, 3, 4], 4),
            (0x2000_5000, 0x2000_5000, &[], 64),
        ]);
        let image = FlashImage::parse(&file).unwrap();
        assert_eq!(image.start, 0x0800_0000);
        assert_eq!(image.bytes, [1, 2, 3, 4, 255, 255, 255, 255, 5, 6]);
        assert_eq!(
            image.ram,
            [(0x2000_4000, 0x2000_4002), (0x2000_5000, 0x2000_5040)]
        );
        assert_eq!(image.word(0), Some(0x0403_0201));
        assert_eq!(image.word(2), None);
        assert_eq!(image.end(), 0x0800_000a);
    }

    #[test]
    fn damaged_files_are_refused() {
        let whole = elf(&[(0x0800_0000, 0x0800_0000, &[1, 2, 3, 4], 4)]);
        for length in 0..whole.len() {
            assert!(FlashImage::parse(&whole[..length]).is_err(), "{length}");
        }
        let message = |segments: &[_]| FlashImage::parse(&elf(segments)).unwrap_err().to_string();
        assert!(message(&[]).contains("nothing"));
        let overlapping = [
            (0x0800_0000, 0x0800_0000, &[1u8; 8][..], 8),
            (0x0800_0004, 0x0800_0004, &[1; 4], 4),
        ];
        assert!(message(&overlapping).contains("overlap"));
        let far = [
            (0x0800_0000, 0x0800_0000, &[1u8; 8][..], 8),
            (0xf000_0000, 0xf000_0000, &[1; 4], 4),
        ];
        assert!(message(&far).contains("more than any"));
    }

    #[test]
    fn embedded_bytes_are_changed_where_they_are() {
        let embedded = Embedded::find(b"..embedded..".to_vec(), b"embedded").unwrap();
        assert_eq!(embedded.replaced(b"other").unwrap(), b"..other\0\0\0..");
        assert!(embedded.replaced(b"too long for it").is_err());
        assert_eq!(embedded.flipped(8 * 7 + 1).unwrap(), b"..embeddef..");
        assert!(embedded.flipped(8 * 8).is_err());
        assert!(Embedded::find(b"..".to_vec(), b"embedded").is_err());
        assert!(Embedded::find(b"twice twice".to_vec(), b"twice").is_err());
    }
}
