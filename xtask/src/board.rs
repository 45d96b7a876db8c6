//! How to build for the boards that QEMU can be. The boards are those of `firmware/boards`.

use std::path::PathBuf;

pub(crate) use gatelet_boards::{Board, in_qemu};

/// The default board.
pub(crate) fn default() -> &'static Board {
    &in_qemu()[0]
}

/// Which boards a command is for.
pub(crate) type Choice = &'static [Board];

/// The board of a name, or `all` of them.
pub(crate) fn parse(name: &str) -> Result<Choice, String> {
    if name == "all" {
        return Ok(in_qemu());
    }
    let known = || in_qemu().iter().map(Board::id).collect::<Vec<_>>();
    in_qemu()
        .iter()
        .find(|board| board.id() == name)
        .map(std::slice::from_ref)
        .ok_or_else(|| format!("the boards are: {}, or all", known().join(", ")))
}

/// One board for every way to compile.
pub(crate) fn kinds() -> Vec<&'static Board> {
    let mut kinds: Vec<&Board> = Vec::new();
    for board in in_qemu() {
        let built = |board: &Board| (board.processor.target(), board.processor.target_cpu());
        let same = |kind: &&Board| built(kind) == built(board);
        if !kinds.iter().any(same) {
            kinds.push(board);
        }
    }
    kinds
}

/// The targets of all boards, each once.
pub(crate) fn targets() -> Vec<&'static str> {
    let mut targets: Vec<_> = in_qemu().iter().map(|b| b.processor.target()).collect();
    targets.sort_unstable();
    targets.dedup();
    targets
}

/// Arguments for cargo: the target, and the processor.
pub(crate) fn cargo_arguments(board: &Board) -> Vec<String> {
    let processor = board.processor;
    let mut arguments = vec!["--target".to_owned(), processor.target().to_owned()];
    let level = match processor.opt_level() {
        number if number.parse::<u8>().is_ok() => number.to_owned(),
        letter => format!("{letter:?}"),
    };
    arguments.extend([
        "--config".to_owned(),
        format!("profile.firmware.opt-level={level}"),
    ]);
    let cpu = processor
        .target_cpu()
        .map(|cpu| format!("-Ctarget-cpu={cpu}"));
    let flags: Vec<String> = cpu.into_iter().chain(short_paths()).collect();
    // By `cfg`: cargo does not find the flags of a target whose name has a dot under that name
    // in quotes.
    let flags = format!("target.'cfg(target_os = \"none\")'.rustflags={flags:?}");
    arguments.extend(["--config".to_owned(), flags]);
    arguments
}

/// Names in panics a package's file without the folder where cargo keeps it: flash is saved, and an
/// image is the same from every machine.
fn short_paths() -> Vec<String> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| std::env::home_dir().map(|home| home.join(".cargo")));
    let sources = home.map(|home| home.join("registry").join("src"));
    let folders = sources.and_then(|sources| std::fs::read_dir(sources).ok());
    let mut flags: Vec<_> = folders
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
        .map(|folder| format!("--remap-path-prefix={}=", folder.path().display()))
        .collect();
    flags.sort_unstable();
    flags
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found() {
        assert_eq!(parse("microbit"), Ok(&in_qemu()[1..2]));
        assert_eq!(parse("all").map(<[_]>::len), Ok(in_qemu().len()));
        assert!(parse("arduino").unwrap_err().contains("mps3-an547"));
        assert_eq!(default().processor.target(), crate::firmware::TARGET);
        assert_eq!((targets().len(), kinds().len()), (4, 5));
    }
}
