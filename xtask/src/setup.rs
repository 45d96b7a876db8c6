//! What the other tasks need on this machine: the thumb targets and QEMU.
//!
//! Every command is shown before it runs. In a terminal it is asked for; without one, or in CI, it
//! just runs. After a no, or where no package manager is known, there is one line to run by hand.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Result, bail};

use crate::ask;
use crate::board;
use crate::command::{exists, output, run, shown};

/// The emulator.
const QEMU: &str = "qemu-system-arm";

/// Everything.
pub(crate) fn everything() -> Result<()> {
    targets()?;
    qemu()?;
    println!("ready: {}, {QEMU}", board::targets().join(", "));
    Ok(())
}

/// The standard library for the microcontrollers.
pub(crate) fn targets() -> Result<()> {
    add_targets(&board::targets())
}

/// The standard library of other processors.
pub(crate) fn add_targets(wanted: &[&'static str]) -> Result<()> {
    let missing: Vec<_> = wanted.iter().filter(|t| !installed(t)).copied().collect();
    if missing.is_empty() {
        return Ok(());
    }
    let mut add = Command::new("rustup");
    add.args(["target", "add"]).args(&missing);
    let what = format!("the Rust target {}", missing.join(" and "));
    if !exists("rustup") {
        bail!(
            "{what} is missing, and so is rustup; install rustup from https://rustup.rs, then run: {}",
            shown(&add)
        );
    }
    get(&what, &mut [add])
}

/// Whether rustc has the library of a target, however it was installed.
fn installed(target: &str) -> bool {
    let mut rustc = Command::new("rustc");
    rustc
        .args(["--print", "target-libdir", "--target", target])
        .current_dir(crate::command::root());
    output(&mut rustc).is_ok_and(|folder| Path::new(folder.trim()).is_dir())
}

/// The emulator.
pub(crate) fn qemu() -> Result<()> {
    if program(&MACHINE_EMULATOR)? {
        return Ok(());
    }
    bail!(
        "{QEMU} is missing and neither apt-get, dnf nor brew is here; run by hand what installs it, for example: \
         pacman -S {QEMU}, zypper install qemu-arm, apk add {QEMU}; or see https://www.qemu.org/download/"
    )
}

/// The speech synthesizer.
pub(crate) fn espeak() -> Result<()> {
    if program(&SPEECH)? {
        return Ok(());
    }
    bail!("espeak-ng is missing and neither apt-get, dnf nor brew is here: install it by hand")
}

/// Gets a program where it is missing; false where no package manager has it.
pub(crate) fn program(wanted: &Program) -> Result<bool> {
    let name = wanted.name;
    if exists(name) {
        return Ok(true);
    }
    let root_user = output(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0");
    let Some(mut commands) = install(wanted, exists, root_user, ask::person()) else {
        return Ok(false);
    };
    get(&format!("{} {name}", wanted.what), &mut commands)?;
    if !exists(name) {
        bail!("{name} is still not found in PATH after its package was installed");
    }
    Ok(true)
}

/// A program, and the packages it is in.
pub(crate) struct Program {
    name: &'static str,
    what: &'static str,
    apt: &'static str,
    dnf: &'static str,
    /// Homebrew does not have everything.
    brew: Option<&'static str>,
}

/// Whole boards.
const MACHINE_EMULATOR: Program = Program {
    name: QEMU,
    what: "the emulator",
    apt: QEMU,
    dnf: QEMU,
    // Its one package holds all emulators.
    brew: Some("qemu"),
};
/// Programs for another processor, under this machine's kernel.
pub(crate) const AARCH64_EMULATOR: Program = Program {
    name: "qemu-aarch64",
    what: "the emulator",
    apt: "qemu-user",
    dnf: "qemu-user",
    brew: None,
};
/// Speaks.
const SPEECH: Program = Program {
    name: "espeak-ng",
    what: "the program",
    apt: "espeak-ng",
    dnf: "espeak-ng",
    brew: Some("espeak-ng"),
};
/// Runs WebAssembly.
pub(crate) const NODE: Program = Program {
    name: "node",
    what: "the program",
    apt: "nodejs",
    dnf: "nodejs",
    brew: Some("node"),
};

/// How to install a program with the package manager that is there.
fn install(
    program: &Program,
    has: impl Fn(&str) -> bool,
    root_user: bool,
    person: bool,
) -> Option<Vec<Command>> {
    let as_root = |words: &[&str]| {
        let mut words = words.to_vec();
        if !root_user && has("sudo") {
            // Nobody could type a password.
            let prefix: &[&str] = if person { &["sudo"] } else { &["sudo", "-n"] };
            words.splice(0..0, prefix.iter().copied());
        }
        to_command(&words)
    };
    if has("apt-get") {
        let install = [
            "env",
            "DEBIAN_FRONTEND=noninteractive",
            "apt-get",
            "install",
            "-y",
            "--no-install-recommends",
            program.apt,
        ];
        Some(vec![as_root(&["apt-get", "update"]), as_root(&install)])
    } else if has("dnf") {
        Some(vec![as_root(&["dnf", "install", "-y", program.dnf])])
    } else if has("brew") {
        // Homebrew refuses to run as root.
        program
            .brew
            .map(|package| vec![to_command(&["brew", "install", package])])
    } else {
        None
    }
}

fn to_command(words: &[&str]) -> Command {
    let mut command = Command::new(words.first().copied().unwrap_or_default());
    command.args(words.iter().skip(1));
    command
}

/// Says what is missing and what gets it, asks where somebody can answer, and runs it.
fn get(what: &str, commands: &mut [Command]) -> Result<()> {
    let line = commands.iter().map(shown).collect::<Vec<_>>().join(" && ");
    eprintln!("missing: {what}");
    eprintln!("running: {line}");
    if ask::person() && !ask::yes("Go on?", true) {
        bail!("{what} is missing; run by hand: {line}");
    }
    for command in commands {
        if !ask::person() {
            command.stdin(Stdio::null());
        }
        if let Err(error) = run(command) {
            bail!("{what} is missing: {error:#}; run by hand: {line}");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(programs: &[&str], root_user: bool, person: bool) -> Option<Vec<String>> {
        let has = |p: &str| programs.contains(&p);
        let commands = install(&MACHINE_EMULATOR, has, root_user, person)?;
        Some(commands.iter().map(shown).collect())
    }

    #[test]
    fn apt_is_updated_first_and_asks_nothing() {
        let commands = lines(&["apt-get", "sudo"], true, true).unwrap();
        assert_eq!(commands[0], "apt-get update");
        assert!(
            commands[1].starts_with("env DEBIAN_FRONTEND=noninteractive apt-get install -y"),
            "{commands:?}"
        );
    }

    #[test]
    fn sudo_is_used_where_it_is_needed_and_there() {
        let first = |programs: &[&str], root_user, person| {
            lines(programs, root_user, person).unwrap().remove(0)
        };
        assert_eq!(
            first(&["dnf", "sudo"], false, true),
            "sudo dnf install -y qemu-system-arm"
        );
        assert_eq!(
            first(&["dnf", "sudo"], false, false),
            "sudo -n dnf install -y qemu-system-arm"
        );
        assert_eq!(
            first(&["dnf"], false, true),
            "dnf install -y qemu-system-arm"
        );
        assert_eq!(first(&["brew", "sudo"], false, true), "brew install qemu");
    }

    #[test]
    fn without_a_package_manager_there_is_nothing_to_run() {
        assert!(lines(&["sudo"], false, true).is_none());
        let brew = |p: &str| p == "brew";
        assert!(install(&AARCH64_EMULATOR, brew, false, true).is_none());
    }
}
