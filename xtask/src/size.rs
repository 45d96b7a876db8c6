//! What the console takes of the part's flash and RAM, and what of it is the engine.

use std::path::PathBuf;

use anyhow::Result;

use crate::elf::{FlashImage, section_bytes};
use crate::firmware::{self, Log, program};
use crate::image::{PART, check};
use crate::units::{bytes, grouped};

#[derive(serde::Serialize)]
struct Size {
    board: &'static str,
    flash_bytes: usize,
    flash_total: u32,
    /// Session, kernels, tables, argmax and known-answer test.
    steps_bytes: usize,
    /// Every check of an image.
    loader_bytes: usize,
    static_ram_bytes: u64,
    stack_bytes: u64,
    ram_total: u32,
}

/// Prints the flash and RAM of the console, and the engine's flash without the model.
pub(crate) fn run(model: Option<PathBuf>, json: bool) -> Result<()> {
    let elf = firmware::console(Log::Rtt)
        .model(model.clone())
        .build()?
        .elf;
    let image = FlashImage::read(&elf)?;
    check(&image, &PART)?;
    let (steps_bytes, loader_bytes) = engine_bytes(model)?;
    let size = Size {
        board: PART.name,
        flash_bytes: image.bytes.len(),
        flash_total: PART.flash.1 - PART.flash.0,
        steps_bytes,
        loader_bytes,
        static_ram_bytes: section_bytes(&elf, &[".data", ".bss", ".uninit"])?,
        stack_bytes: u64::from(image.word(0).unwrap_or_default() - PART.ram.0),
        ram_total: PART.ram.1 - PART.ram.0,
    };
    if json {
        println!("{}", serde_json::to_string(&size)?);
        return Ok(());
    }
    println!("{}", size.board);
    println!(
        "flash  {:>9} of {} bytes, with the model ({})",
        grouped(size.flash_bytes),
        grouped(size.flash_total),
        bytes(size.flash_bytes)
    );
    println!(
        "       {:>9} of them are the engine's steps, {} its loader",
        grouped(size.steps_bytes),
        grouped(size.loader_bytes)
    );
    println!(
        "RAM    {:>9} of {} bytes: {} static, {} stack",
        grouped(size.static_ram_bytes + size.stack_bytes),
        grouped(size.ram_total),
        grouped(size.static_ram_bytes),
        grouped(size.stack_bytes)
    );
    Ok(())
}

/// Flash of the engine's steps and of its loader.
pub(crate) fn engine_bytes(model: Option<PathBuf>) -> Result<(usize, usize)> {
    // Linked three times: what is left out is what it takes. The model is in two of them.
    let flash = |features| -> Result<usize> {
        let elf = program("engine", features)
            .model(model.clone())
            .build()?
            .elf;
        Ok(FlashImage::read(&elf)?.bytes.len())
    };
    let whole = flash(&["log-rtt"])?;
    let without_steps = flash(&["log-rtt", "without-steps"])?;
    let without_engine = flash(&["log-rtt", "without-engine"])?;
    let loader = without_steps - without_engine - model_bytes(model)?;
    Ok((whole - without_steps, loader))
}

/// Bytes of the model that the programs were built with.
fn model_bytes(model: Option<PathBuf>) -> Result<usize> {
    let path = model
        .or_else(|| std::env::var_os("GATELET_MODEL").map(PathBuf::from))
        .unwrap_or_else(|| crate::command::root().join("firmware/models/default.gatelet"));
    Ok(std::fs::metadata(path)?.len() as usize)
}
