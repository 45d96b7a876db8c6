//! The boards that QEMU can be. Their memory is in `firmware/src/parts.rs`; here is how to build and run for them.

use std::fmt::{self, Display, Formatter};

/// A board in QEMU.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Board {
    /// QEMU's machine, by which `firmware/src/parts.rs` finds the memory map.
    pub(crate) machine: &'static str,
    /// Its processor.
    pub(crate) core: &'static str,
    /// Rust's target.
    pub(crate) target: &'static str,
    /// rustc's name for the processor, where the target does not say it all.
    pub(crate) target_cpu: Option<&'static str>,
    /// `gatelet export --target`: the layout that its kernel reads.
    pub(crate) export: &'static str,
    /// What is optimised: the DSP kernel is all assembly, so its programs are built for size; the others' hot loops are
    /// partly the compiler's.
    pub(crate) opt_level: &'static str,
    /// `-icount shift=` of the measuring programs; they check it.
    pub(crate) icount_shift: u32,
}

/// Every board; the first is the default, the only one that has the console.
pub(crate) static BOARDS: [Board; 7] = [
    board("netduinoplus2", "Cortex-M4", "thumbv7em-none-eabihf", 4),
    without_dsp(board("microbit", "Cortex-M0", "thumbv6m-none-eabi", 7)),
    without_dsp(board("mps2-an385", "Cortex-M3", "thumbv7m-none-eabi", 7)),
    board("mps2-an386", "Cortex-M4", "thumbv7em-none-eabihf", 7),
    board("mps2-an500", "Cortex-M7", "thumbv7em-none-eabihf", 7),
    Board {
        target_cpu: Some("cortex-m33"), // with DSP: core/build.rs turns it into cfg(armv7em)
        ..board("mps2-an505", "Cortex-M33", "thumbv8m.main-none-eabihf", 7)
    },
    Board {
        export: "any",
        opt_level: "3",
        target_cpu: Some("cortex-m55"), // Helium: core/build.rs turns it into cfg(mve)
        ..board("mps3-an547", "Cortex-M55", "thumbv8m.main-none-eabihf", 6)
    },
];

const fn board(
    machine: &'static str,
    core: &'static str,
    target: &'static str,
    icount_shift: u32,
) -> Board {
    Board {
        machine,
        core,
        target,
        target_cpu: None,
        export: "cortex-m4",
        opt_level: "s",
        icount_shift,
    }
}

const fn without_dsp(board: Board) -> Board {
    Board {
        export: "any",
        opt_level: "3",
        ..board
    }
}

/// The default board.
pub(crate) fn default() -> &'static Board {
    let [first, ..] = &BOARDS;
    first
}

/// Which boards a command is for.
pub(crate) type Choice = &'static [Board];

/// The board of a name, or `all` of them.
pub(crate) fn parse(name: &str) -> Result<Choice, String> {
    if name == "all" {
        return Ok(&BOARDS);
    }
    let known = || BOARDS.iter().map(|b| b.machine).collect::<Vec<_>>();
    BOARDS
        .iter()
        .find(|board| board.machine == name)
        .map(std::slice::from_ref)
        .ok_or_else(|| format!("the boards are: {}, or all", known().join(", ")))
}

/// The targets of all boards, each once.
pub(crate) fn targets() -> Vec<&'static str> {
    let mut targets: Vec<_> = BOARDS.iter().map(|b| b.target).collect();
    targets.sort_unstable();
    targets.dedup();
    targets
}

impl Board {
    /// Arguments for cargo: the target, and the processor.
    pub(crate) fn cargo_arguments(&self) -> Vec<String> {
        let mut arguments = vec!["--target".to_owned(), self.target.to_owned()];
        let level = match self.opt_level {
            number if number.parse::<u8>().is_ok() => number.to_owned(),
            letter => format!("{letter:?}"),
        };
        arguments.extend([
            "--config".to_owned(),
            format!("profile.firmware.opt-level={level}"),
        ]);
        if let Some(cpu) = self.target_cpu {
            // By `cfg`: cargo does not find the flags of a target whose name has a dot under that name in quotes.
            let flags =
                format!("target.'cfg(target_os = \"none\")'.rustflags=[\"-Ctarget-cpu={cpu}\"]");
            arguments.extend(["--config".to_owned(), flags]);
        }
        arguments
    }
}

impl Display for Board {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.machine)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found() {
        assert_eq!(parse("microbit"), Ok(&BOARDS[1..2]));
        assert_eq!(parse("all").map(<[_]>::len), Ok(BOARDS.len()));
        assert!(parse("arduino").unwrap_err().contains("mps3-an547"));
        assert_eq!(default().target, crate::firmware::TARGET);
        assert_eq!(targets().len(), 4);
    }
}
