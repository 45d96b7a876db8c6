//! A checked image of the console: what a boot would trip over is found before anything is
//! programmed.
//!
//! ```text
//! word 0   initial stack pointer: inside RAM or at its end, a multiple of 8
//! word 1   reset vector: odd (Thumb), behind the vector table, inside the image
//! words 2..15   exception vectors: 0 (reserved) or as the reset vector
//! start    the first address of flash          end    inside flash          data, bss    inside RAM
//! ```

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use gatelet_boards::STM32F405;
use gatelet_files::{Kind, Output};

use crate::command::{root, work_folder};
use crate::elf::FlashImage;
use crate::firmware::{self, Log};
use crate::units::grouped;

/// The memory of a microcontroller, as addresses from start to end.
pub(crate) struct Part {
    pub(crate) name: &'static str,
    pub(crate) flash: (u32, u32),
    pub(crate) ram: (u32, u32),
}

/// The console's; the same for STM32F405xG and STM32F407xG.
pub(crate) const PART: Part = {
    let board = STM32F405;
    let (flash, ram) = (board.flash_start as u32, board.ram_start as u32);
    Part {
        name: board.name,
        flash: (flash, flash + board.flash_bytes as u32),
        ram: (ram, ram + board.ram_bytes as u32),
    }
};

/// Words of the core's own exceptions, before the device's interrupts.
const EXCEPTIONS: usize = 16;

/// Kinds of image files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// With symbols and debug information, for probe-rs and debuggers
    Elf,
    /// The flash's bytes from its first address on, for DFU and ST-LINK tools
    Bin,
    /// Intel HEX
    Hex,
}

impl Format {
    fn extension(self) -> &'static str {
        match self {
            Format::Elf => "elf",
            Format::Bin => "bin",
            Format::Hex => "hex",
        }
    }

    /// What a file has to be to be replaced by one of this format.
    fn kind(self) -> Kind {
        match self {
            Format::Elf => Kind {
                name: "an ELF file for ARM",
                is: |file| {
                    let mut head = [0; 20];
                    let read = file.read_exact(&mut head).is_ok();
                    // EM_ARM, little-endian.
                    Ok(read && head.starts_with(b"\x7fELF") && head[18..] == [40, 0])
                },
            },
            Format::Bin => Kind {
                name: "an image that the board boots",
                is: |file| {
                    let mut bytes = Vec::new();
                    let (start, end) = PART.flash;
                    file.take(u64::from(end - start) + 1)
                        .read_to_end(&mut bytes)?;
                    let ram = Vec::new();
                    Ok(check(&FlashImage { start, bytes, ram }, &PART).is_ok())
                },
            },
            Format::Hex => Kind {
                name: "an Intel HEX file",
                is: |file| {
                    let mut text = Vec::new();
                    // Three characters a byte are more than a record of 16 bytes takes.
                    file.take(3 * u64::from(PART.flash.1 - PART.flash.0))
                        .read_to_end(&mut text)?;
                    let text = String::from_utf8_lossy(&text);
                    Ok(ihex::Reader::new(&text).all(|record| record.is_ok()))
                },
            },
        }
    }
}

/// The model that is embedded: the one that is named, or $GATELET_MODEL, or the default one.
fn model_file(model: Option<&Path>) -> PathBuf {
    let named = model.map(Path::to_owned);
    named
        .or_else(|| std::env::var_os("GATELET_MODEL").map(PathBuf::from))
        .unwrap_or_else(|| root().join("firmware/models/default.gatelet"))
}

/// Builds the console for the board, checks it, writes it.
pub(crate) fn run(
    model: Option<PathBuf>,
    format: Format,
    out: Option<PathBuf>,
    force: bool,
) -> Result<()> {
    let out = out.map(|out| {
        Output::new(&out, format.kind(), force).made_from([model_file(model.as_deref())])
    });
    if let Some(out) = &out {
        out.check()?;
    }
    let elf = firmware::console(Log::Rtt).model(model).build()?.elf;
    let path = write(&elf, format, out)?;
    let image = FlashImage::read(&elf)?;
    println!(
        "{}: {} of {} bytes of flash, stack pointer {:#010x}, reset {:#010x}: sound for the {}",
        path.display(),
        grouped(image.bytes.len()),
        grouped(PART.flash.1 - PART.flash.0),
        image.word(0).unwrap_or_default(),
        image.word(1).unwrap_or_default(),
        PART.name
    );
    Ok(())
}

/// Checks an ELF file and writes it in a format, by default into cargo's target folder.
pub(crate) fn write(elf: &Path, format: Format, out: Option<Output>) -> Result<PathBuf> {
    let image = FlashImage::read(elf)?;
    check(&image, &PART).with_context(|| format!("{} must not be flashed", elf.display()))?;
    let bytes = match format {
        Format::Elf => std::fs::read(elf)?,
        Format::Bin => image.bytes,
        Format::Hex => intel_hex(&image)?.into_bytes(),
    };
    match out {
        Some(out) => {
            let out = out.made_from([elf]);
            out.write(&bytes)?;
            Ok(out.path().to_owned())
        }
        None => {
            let path = work_folder()?.join(format!("gatelet-firmware.{}", format.extension()));
            gatelet_files::replace(&path, &bytes)?;
            Ok(path)
        }
    }
}

/// Everything a boot relies on.
pub(crate) fn check(image: &FlashImage, part: &Part) -> Result<()> {
    let (flash_start, flash_end) = part.flash;
    let (ram_start, ram_end) = part.ram;
    ensure!(
        image.start == flash_start,
        "the vector table is at {:#010x}, but the {} boots from {flash_start:#010x}",
        image.start,
        part.name
    );
    ensure!(
        image.end() <= u64::from(flash_end),
        "the image needs {} bytes of flash, but the {} has {}",
        grouped(image.bytes.len()),
        part.name,
        grouped(flash_end - flash_start)
    );
    let vectors = (0..EXCEPTIONS)
        .map(|index| image.word(index))
        .collect::<Option<Vec<_>>>()
        .context("the image ends inside its vector table")?;
    let stack = vectors[0];
    ensure!(
        (ram_start + 1..=ram_end).contains(&stack) && stack.is_multiple_of(8),
        "the initial stack pointer is {stack:#010x}, but must be a multiple of 8 in {ram_start:#010x} to {ram_end:#010x}"
    );
    let code = u64::from(flash_start) + 4 * EXCEPTIONS as u64..image.end();
    for (index, &vector) in vectors.iter().enumerate().skip(1) {
        let sound = !vector.is_multiple_of(2) && code.contains(&u64::from(vector));
        let name = match index {
            1 => "the reset address".to_owned(),
            2 => "the NMI vector".to_owned(),
            3 => "the HardFault vector".to_owned(),
            _ => format!("exception vector {index}"),
        };
        ensure!(
            sound || (vector == 0 && index > 3),
            "{name} is {vector:#010x}, but must be odd and in {:#010x} to {:#010x}",
            code.start,
            code.end
        );
    }
    for &(from, to) in &image.ram {
        ensure!(
            ram_start <= from && to <= ram_end,
            "the image uses RAM from {from:#010x} to {to:#010x}, but the {} has {ram_start:#010x} to {ram_end:#010x}",
            part.name
        );
    }
    Ok(())
}

/// The image as Intel HEX: 16 bytes a record, an address record wherever the upper half changes.
fn intel_hex(image: &FlashImage) -> Result<String> {
    use ihex::Record;

    let mut records = Vec::new();
    let mut upper = None;
    for (index, chunk) in image.bytes.chunks(16).enumerate() {
        let address = image.start + 16 * index as u32;
        if upper != Some(address >> 16) {
            upper = Some(address >> 16);
            records.push(Record::ExtendedLinearAddress((address >> 16) as u16));
        }
        records.push(Record::Data {
            offset: (address & 0xffff) as u16,
            value: chunk.to_vec(),
        });
    }
    records.push(Record::StartLinearAddress(
        image.word(1).unwrap_or_default(),
    ));
    records.push(Record::EndOfFile);
    ihex::create_object_file_representation(&records)
        .map_err(|error| anyhow::anyhow!("cannot write Intel HEX: {error}"))
}

/// The smallest image that is sound; shared with nothing but the tests that damage it.
#[cfg(test)]
fn sound() -> FlashImage {
    let mut bytes: Vec<u8> = [0x2000_4000u32, 0x0800_0041, 0x0800_0043, 0x0800_0043]
        .iter()
        .flat_map(|word| word.to_le_bytes())
        .collect();
    bytes.resize(0x80, 0);
    FlashImage {
        start: 0x0800_0000,
        bytes,
        ram: vec![(0x2000_4000, 0x2000_5000)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(damage: impl FnOnce(&mut FlashImage)) -> String {
        let mut image = sound();
        damage(&mut image);
        check(&image, &PART).unwrap_err().to_string()
    }

    fn set(image: &mut FlashImage, index: usize, word: u32) {
        image.bytes[4 * index..4 * index + 4].copy_from_slice(&word.to_le_bytes());
    }

    #[test]
    fn a_sound_image_passes() {
        check(&sound(), &PART).unwrap();
        let mut at_the_end = sound();
        set(&mut at_the_end, 0, PART.ram.1);
        at_the_end.bytes.resize(1 << 20, 0);
        check(&at_the_end, &PART).unwrap();
    }

    #[test]
    fn the_vector_table_must_be_at_the_start_of_flash() {
        assert!(refused(|i| i.start = 0x0800_0100).contains("boots from"));
        assert!(refused(|i| i.start = 0x2000_0000).contains("boots from"));
        assert!(refused(|i| i.bytes.truncate(60)).contains("vector table"));
    }

    #[test]
    fn the_stack_pointer_must_be_in_ram_and_aligned() {
        for stack in [
            0,
            0xffff_ffff,
            0x2000_0000,
            0x2002_0008,
            0x2000_4004,
            0x1000_0000,
            0x0800_0000,
        ] {
            assert!(
                refused(|i| set(i, 0, stack)).contains("stack pointer"),
                "{stack:#x}"
            );
        }
    }

    #[test]
    fn the_reset_address_must_be_thumb_code_of_the_image() {
        for reset in [
            0,
            0x0800_0040,
            0x0800_0001,
            0x0800_0081,
            0x2000_0041,
            0xffff_ffff,
        ] {
            assert!(
                refused(|i| set(i, 1, reset)).contains("reset address"),
                "{reset:#x}"
            );
        }
        assert!(refused(|i| set(i, 3, 0)).contains("HardFault"));
        assert!(refused(|i| set(i, 11, 0x0800_0042)).contains("vector 11"));
    }

    #[test]
    fn the_image_must_fit_the_part() {
        assert!(refused(|i| i.bytes.resize((1 << 20) + 1, 0)).contains("bytes of flash"));
        assert!(refused(|i| i.ram.push((0x2001_0000, 0x2002_0001))).contains("uses RAM"));
        assert!(refused(|i| i.ram.push((0x1000_0000, 0x1000_0004))).contains("uses RAM"));
    }

    #[test]
    fn intel_hex_gives_the_same_bytes_back() {
        let mut image = sound();
        image.bytes = (0..0x1_2345u32).map(|i| (i * 7) as u8).collect();
        let text = intel_hex(&image).unwrap();
        let mut back = vec![0; image.bytes.len()];
        let (mut upper, mut start) = (0u32, 0);
        for record in ihex::Reader::new(&text) {
            match record.unwrap() {
                ihex::Record::ExtendedLinearAddress(high) => upper = u32::from(high) << 16,
                ihex::Record::Data { offset, value } => {
                    let at = (upper + u32::from(offset) - image.start) as usize;
                    back[at..at + value.len()].copy_from_slice(&value);
                }
                ihex::Record::StartLinearAddress(address) => start = address,
                ihex::Record::EndOfFile => {}
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(back, image.bytes);
        assert_eq!(Some(start), image.word(1));
        assert!(text.ends_with(":00000001FF\n"));
    }

    /// What each format takes the place of, besides nothing: files of its own kind only.
    #[test]
    fn a_file_of_another_kind_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let image = sound();
        let elf = crate::elf::tests::elf(&[(image.start, image.start, &image.bytes, 0x80)]);
        let files = [
            (Format::Elf, elf),
            (Format::Bin, image.bytes.clone()),
            (Format::Hex, intel_hex(&image).unwrap().into_bytes()),
        ];
        let path = folder.path().join("out");
        for (format, bytes) in &files {
            for (other, _) in &files {
                std::fs::write(&path, bytes).unwrap();
                let [plain, forced] =
                    [false, true].map(|force| Output::new(&path, other.kind(), force).check());
                assert!(plain.is_err(), "{format:?} by {other:?}");
                assert_eq!(forced.is_ok(), format == other, "{format:?} by {other:?}");
                let own_input = Output::new(&path, other.kind(), true).made_from([&path]);
                assert!(own_input.check().is_err(), "{format:?} by {other:?}");
            }
        }
        std::fs::write(&path, "mine").unwrap();
        for (format, _) in &files {
            let output = Output::new(&path, format.kind(), true);
            assert!(output.write(b"new").is_err(), "{format:?}");
        }
        assert_eq!(std::fs::read(&path).unwrap(), b"mine");
    }

    #[test]
    fn an_elf_file_is_checked_before_it_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let (elf, out) = (folder.path().join("in.elf"), folder.path().join("out.bin"));
        let mut image = sound();
        let file = |image: &FlashImage| {
            crate::elf::tests::elf(&[(image.start, image.start, &image.bytes, 0x80)])
        };
        std::fs::write(&elf, file(&image)).unwrap();
        let output = Output::new(&out, Format::Bin.kind(), false);
        write(&elf, Format::Bin, Some(output.clone())).unwrap();
        assert_eq!(std::fs::read(&out).unwrap(), image.bytes);
        set(&mut image, 1, 0x0800_0040);
        std::fs::write(&elf, file(&image)).unwrap();
        std::fs::remove_file(&out).unwrap();
        assert!(write(&elf, Format::Bin, Some(output)).is_err());
        assert!(!out.exists());
    }
}
