//! Puts a model into the crate, and stops the build when it does not fit the board.
//!
//! ```text
//! GATELET_MODEL (default models/default.gatelet) --Model::from_bytes--> dims --budget::plan--> model.rs, memory.x
//! ```
//!
//! | variable | what for |
//! |---|---|
//! | `GATELET_MODEL` | the model to embed; relative to the directory cargo is called in, or absolute |
//! | `GATELET_BOARD` | the board, by the name of its QEMU machine; default `netduinoplus2` |
//! | `GATELET_FLASH_KIB`, `GATELET_RAM_KIB` | a part of the family with less memory, or memory kept for other code |
//! | `GATELET_SEED`, `GATELET_TEMPERATURE`, `GATELET_TOP_K`, `GATELET_TOP_P`, `GATELET_WRITE` | how the console writes by itself, and how many tokens at a time |
//! | `GATELET_LINKED_KIB` | tests only: flash of a program that is linked and never run |
//! | `GATELET_SUITE` | tests only: the conformance suite that the program `conformance` runs; none without it |
//! | `GATELET_SHAPES` | tests only: the models that the program `shapes` runs; none without it |

use std::path::{Path, PathBuf};
use std::{env, fs};

use gatelet::net::Capabilities;
use gatelet::{Layout, Model, Precision, Sampler};
use gatelet_boards::{Board, in_qemu};

#[path = "src/budget.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    reason = "written for the library, which uses the rest"
)]
mod budget;
#[path = "src/remedy.rs"]
#[allow(unreachable_pub, reason = "as the others")]
mod remedy;

use budget::{Demand, Plan};

fn main() {
    for name in [
        "GATELET_MODEL",
        "GATELET_BOARD",
        "GATELET_SHAPES",
        "GATELET_SUITE",
        "GATELET_FLASH_KIB",
        "GATELET_RAM_KIB",
        "GATELET_LINKED_KIB",
        "GATELET_SEED",
        "GATELET_TEMPERATURE",
        "GATELET_TOP_K",
        "GATELET_TOP_P",
        "GATELET_WRITE",
    ] {
        println!("cargo:rerun-if-env-changed={name}");
    }
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=src/budget.rs");
    println!("cargo:rerun-if-changed=src/remedy.rs");
    println!("cargo::rustc-check-cfg=cfg(stm32f4, token_words, token_no_words, token_bytes)");
    // Cargo shows this line to the person; the build ends here.
    if let Err(message) = embed() {
        println!("cargo::error={message}");
    }
}

/// Reads, checks, plans, writes.
fn embed() -> Result<(), String> {
    let path = model_path()?;
    println!("cargo:rerun-if-changed={}", path.display());
    let bytes = fs::read(&path).map_err(|e| {
        format!(
            "cannot read the model {}: {e}; GATELET_MODEL names another",
            path.display()
        )
    })?;
    let (demand, kernel, [words, of_bytes, writes]) =
        check(&bytes).map_err(|e| format!("{}: {e}", path.display()))?;
    let (index, board) = board()?;
    let plan = budget::plan(&board, &demand).map_err(|short| {
        let remedy = with_model(&bytes, |model| remedy::remedy(&model, &board, &short));
        let (path, remedy) = (path.display(), remedy.unwrap_or_default());
        format!("{path}: {short}; {remedy}")
    })?;
    let (writing, cuts) = writing(words)?;
    let need = demand.model_bytes + budget::CODE_BYTES + budget::CUTS_BYTES;
    if cuts && need > board.flash_bytes {
        return Err(format!(
            "{}: with GATELET_TOP_K or GATELET_TOP_P the model does not fit the flash of the {}: need {need} bytes, have {}; \
             leave them out",
            path.display(),
            board.name,
            board.flash_bytes
        ));
    }
    let name = path
        .file_stem()
        .map_or("model".into(), |s| s.to_string_lossy());
    let name = gatelet::visible::line(name).to_string();
    write("shapes.bin", &file_of("GATELET_SHAPES")?)?;
    write("suite.bin", &file_of("GATELET_SUITE")?)?;
    write("model.gatelet", &bytes)?;
    write(
        "model.rs",
        (constants(&name, index, (&kernel, writes), &demand, &plan) + &writing).as_bytes(),
    )?;
    let on_board = env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("none");
    // `src/tokens.rs`: what the model does not have is no part of the program.
    for (kind, there) in [
        ("token_words", words),
        ("token_no_words", !words),
        ("token_bytes", of_bytes),
    ] {
        if there || !on_board {
            println!("cargo::rustc-cfg={kind}");
        }
    }
    if on_board {
        write("memory.x", memory_x(&board)?.as_bytes())?;
        link_arguments();
    }
    Ok(())
}

/// Where the model is. A relative path is meant from where cargo was called; a build script runs
/// elsewhere.
fn model_path() -> Result<PathBuf, String> {
    let manifest = PathBuf::from(env::var("CARGO_MANIFEST_DIR").map_err(|e| e.to_string())?);
    let Some(chosen) = env::var_os("GATELET_MODEL") else {
        return Ok(manifest.join("models/default.gatelet"));
    };
    let from = env::var_os("PWD").map_or(manifest, PathBuf::from);
    Ok(from.join(chosen))
}

/// The file that a variable names, for a testing program; empty without one.
fn file_of(variable: &str) -> Result<Vec<u8>, String> {
    let Some(path) = env::var_os(variable).map(PathBuf::from) else {
        return Ok(Vec::new());
    };
    println!("cargo:rerun-if-changed={}", path.display());
    fs::read(&path).map_err(|e| format!("{variable}: cannot read {}: {e}", path.display()))
}

/// Loads the model as the board will, and says what memory it asks for, and the kernel of core that
/// it is for: without what embeddings and projections need, if it has none. And whether its tokens
/// are words, or bytes, and whether it scores tokens at all.
fn check(bytes: &[u8]) -> Result<(Demand, String, [bool; 3]), String> {
    with_model(bytes, |model| about(&model, bytes.len()))?
}

/// The same of a model that is loaded from so many bytes.
fn about(model: &Model<'_>, model_bytes: usize) -> Result<(Demand, String, [bool; 3]), String> {
    let net = model.net();
    let vocab = model.vocab();
    let (needs, four) = (model.needs(), Capabilities::FOUR_BITS);
    let kernel = match (model.layout(), net.precision) {
        (Layout::Rows, _) if needs.has(four) => "gatelet::NativeInt4Rows",
        _ if needs.has(four) => "gatelet::NativeInt4",
        (_, Precision::F32) => "gatelet::NativeF32",
        (Layout::Rows, Precision::Int8) => "gatelet::NativeRows",
        _ => "gatelet::Native",
    };
    // What the model does not need is no part of the program.
    let kernel = format!("gatelet::Only<{kernel}, {:#x}>", needs.bits());
    let demand = Demand {
        model_bytes,
        state_words: model.session_words(),
        snapshot_words: net.snapshot_words(),
    };
    let writes = !vocab.is_empty() && net.output_width(0) == net.vocab();
    Ok((demand, kernel, [vocab.is_words(), vocab.is_bytes(), writes]))
}

/// Loads a model, as the board will.
fn with_model<T>(bytes: &[u8], each: impl FnOnce(Model<'_>) -> T) -> Result<T, String> {
    // An image wants to start at a multiple of 16, which a Vec<u8> does not promise.
    let mut room = vec![0; bytes.len() + 16];
    let start = room.as_ptr().align_offset(16);
    let image = room
        .get_mut(start..start + bytes.len())
        .ok_or("cannot be aligned")?;
    image.copy_from_slice(bytes);
    Model::from_bytes(image)
        .map(each)
        .map_err(|e| e.to_string())
}

/// The board the image is for, and its place in the table.
fn board() -> Result<(usize, Board), String> {
    let boards = in_qemu();
    let chosen = env::var("GATELET_BOARD").unwrap_or(boards[0].id().into());
    let index = boards.iter().position(|board| board.id() == chosen);
    let index = index.ok_or_else(|| {
        let known: Vec<_> = boards.iter().map(Board::id).collect();
        format!(
            "GATELET_BOARD is {chosen:?}, but must be one of: {}",
            known.join(", ")
        )
    })?;
    let board = boards[index];
    let kib = |name, default: usize| {
        Ok::<_, String>(number::<usize>(name)?.map_or(default, |k| k * 1024))
    };
    let flash_bytes = kib("GATELET_FLASH_KIB", board.flash_bytes)?;
    let ram_bytes = kib("GATELET_RAM_KIB", board.ram_bytes)?;
    if flash_bytes > board.flash_bytes || ram_bytes > board.ram_bytes {
        return Err(format!(
            "GATELET_FLASH_KIB and GATELET_RAM_KIB are at most what the {} has: {} and {}",
            board.name,
            board.flash_bytes / 1024,
            board.ram_bytes / 1024
        ));
    }
    let board = Board {
        flash_bytes,
        ram_bytes,
        ..board
    };
    Ok((index, board))
}

/// A number in a variable, if it is set.
fn number<T: std::str::FromStr>(name: &str) -> Result<Option<T>, String> {
    match env::var(name) {
        Ok(text) => text
            .parse()
            .map(Some)
            .map_err(|_| format!("{name} is {text:?}, but must be a number")),
        Err(_) => Ok(None),
    }
}

/// `model.rs`, which `src/embedded.rs` includes.
fn constants(
    name: &str,
    board: usize,
    (kernel, writes): (&str, bool),
    demand: &Demand,
    plan: &Plan,
) -> String {
    format!(
        "/// The model's name: its file's, without the extension.\n\
         pub const MODEL_NAME: &str = {name:?};\n\
         /// The board it was made for.\n\
         pub const BOARD: Board = BOARDS[{board}];\n\
         /// The kernel for the model's layout: no program links the one it has no use for.\n\
         pub type ModelKernel = {kernel};\n\
         /// Whether it scores the tokens of its vocabulary, which is what the console is for.\n\
         pub const IS_LANGUAGE_MODEL: bool = {writes};\n\
         /// Bytes of the image.\n\
         pub const MODEL_BYTES: usize = {};\n\
         /// Words of a session's storage.\n\
         pub const STATE_WORDS: usize = {};\n\
         /// Words of a snapshot.\n\
         pub const SNAPSHOT_WORDS: usize = {};\n\
         /// Snapshots that Backspace can go back through without computing.\n\
         pub const HISTORY_DEPTH: usize = {};\n",
        demand.model_bytes, demand.state_words, demand.snapshot_words, plan.history_depth
    )
}

/// The constant of `model.rs` that says how the board writes, with the defaults of
/// `gatelet generate`; and whether it cuts.
fn writing(words: bool) -> Result<(String, bool), String> {
    let seed: u64 = number("GATELET_SEED")?.unwrap_or(1);
    // By way of f64, as `gatelet generate` reads them: the same bits.
    let temperature = number::<f64>("GATELET_TEMPERATURE")?.unwrap_or(0.8) as f32;
    let top_k: Option<usize> = number("GATELET_TOP_K")?;
    let top_p = number::<f64>("GATELET_TOP_P")?.map(|p| p as f32);
    let tokens = number("GATELET_WRITE")?.unwrap_or(if words { 8_usize } else { 32 });
    Sampler::new(seed)
        .with_temperature(temperature)
        .and_then(|sampler| sampler.with_top_k(top_k.unwrap_or(usize::MAX)))
        .and_then(|sampler| sampler.with_top_p(top_p.unwrap_or(1.0)))
        .map_err(|e| format!("GATELET_TEMPERATURE, GATELET_TOP_K, GATELET_TOP_P: {e}"))?;
    if !(1..=256).contains(&tokens) {
        return Err(format!("GATELET_WRITE is {tokens}, but must be 1 to 256"));
    }
    let mut said = format!("temperature {temperature}");
    said += &top_k.map_or(String::new(), |k| format!(", top-k {k}"));
    said += &top_p.map_or(String::new(), |p| format!(", top-p {p}"));
    let cuts = top_k.is_some() || top_p.is_some();
    let top_k = top_k.map_or("usize::MAX".to_owned(), |k| k.to_string());
    let top_p = top_p.unwrap_or(1.0);
    let text = format!(
        "/// How the board writes by itself.\n\
         #[derive(Debug)]\n\
         pub struct Settings;\n\
         impl Writing for Settings {{\n    \
             const SEED: u64 = {seed};\n    const TEMPERATURE: f32 = {temperature:?};\n    \
             const TOP_K: usize = {top_k};\n    const TOP_P: f32 = {top_p:?};\n    \
             const TOKENS: usize = {tokens};\n    const SAID: &'static str = {said:?};\n\
         }}\n"
    );
    Ok((text, cuts))
}

/// The memory layout for cortex-m-rt's `link.x`: the stack at the bottom of RAM, everything static
/// above it.
///
/// A program that is linked and never run, the panic probe, may take more flash than there is.
fn memory_x(board: &Board) -> Result<String, String> {
    let linked: Option<usize> = number("GATELET_LINKED_KIB")?;
    let flash_bytes = linked.map_or(board.flash_bytes, |kib| kib * 1024);
    let stack_bytes = budget::stack_bytes(board);
    Ok(format!(
        "/* {}; written by build.rs */\n\
         MEMORY\n{{\n  \
           FLASH : ORIGIN = {:#010x}, LENGTH = {}\n  \
           STACK : ORIGIN = {:#010x}, LENGTH = {stack_bytes}\n  \
           RAM : ORIGIN = {:#010x}, LENGTH = {}\n\
         }}\n\
         /* Below the stack is no memory: running over it faults at once. */\n\
         _stack_start = ORIGIN(STACK) + LENGTH(STACK);\n\
         _stack_end = ORIGIN(STACK);\n",
        board.name,
        board.flash_start,
        flash_bytes,
        board.ram_start,
        board.ram_start + stack_bytes,
        board.ram_bytes - stack_bytes,
    ))
}

/// Linker scripts, and which vector table: only for this crate's programs: the library and core
/// stay free of them.
fn link_arguments() {
    let out = env::var("OUT_DIR").unwrap_or_default();
    let manifest = env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    if env::var("TARGET").is_ok_and(|target| target == "thumbv7em-none-eabihf") {
        println!("cargo:rustc-cfg=stm32f4");
    }
    println!("cargo:rustc-link-search={out}");
    println!("cargo:rerun-if-changed=no_panic.x");
    // Before link.x: the first script to name an input section gets it.
    println!("cargo:rustc-link-arg-bin=panic_probe=-T{manifest}/no_panic.x");
    println!("cargo:rustc-link-arg-bin=gatelet-firmware=-Tdefmt.x");
    println!("cargo:rustc-link-arg-bins=-Tlink.x");
}

/// Writes a file for this build.
fn write(name: &str, bytes: &[u8]) -> Result<(), String> {
    let path = Path::new(&env::var("OUT_DIR").map_err(|e| e.to_string())?).join(name);
    fs::write(&path, bytes).map_err(|e| format!("cannot write {}: {e}", path.display()))
}
