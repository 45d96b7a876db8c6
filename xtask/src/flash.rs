//! Programming a board through probe-rs. Nothing is installed without a yes.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Result, bail, ensure};

use crate::ask;
use crate::command::{exists, output, run as run_command, shown};
use crate::firmware::{self, Log};
use crate::image::{self, Format};

/// The tool.
const PROBE_RS: &str = "probe-rs";

/// Builds and checks the image, programs it, and starts it.
pub(crate) fn run(model: Option<PathBuf>, chip: &str, probe: Option<&str>) -> Result<()> {
    tool()?;
    let probes = output(Command::new(PROBE_RS).arg("list"))?;
    ensure!(
        attached(&probes),
        "no debug probe is attached: connect the board's ST-LINK (or a J-Link, a CMSIS-DAP probe) by USB and run it again"
    );
    let elf = firmware::console(Log::Rtt).model(model).build()?.elf;
    let elf = image::write(&elf, Format::Elf, None)?;
    for mut command in [
        probe_rs("download", chip, probe, Some(elf)),
        probe_rs("reset", chip, probe, None),
    ] {
        println!("running: {}", shown(&command));
        run_command(&mut command)?;
    }
    println!(
        "flashed and started; the console is USART1 (PA9 transmits, PA10 receives), 115200 8N1"
    );
    Ok(())
}

/// A probe-rs command for a chip.
fn probe_rs(task: &str, chip: &str, probe: Option<&str>, file: Option<PathBuf>) -> Command {
    let mut command = Command::new(PROBE_RS);
    command.args([task, "--chip", chip]).stdin(Stdio::null());
    // Without this probe-rs asks on the terminal when it finds several probes.
    command.arg("--non-interactive");
    if let Some(probe) = probe {
        command.args(["--probe", probe]);
    }
    command.args(file);
    command
}

/// Whether `probe-rs list` has found anything: lines that begin with a number, in brackets or not.
fn attached(list: &str) -> bool {
    let numbered = |line: &str| {
        line.trim_start_matches('[')
            .starts_with(|c: char| c.is_ascii_digit())
    };
    list.lines().any(numbered)
}

/// Gets probe-rs, after a yes.
fn tool() -> Result<()> {
    if exists(PROBE_RS) {
        return Ok(());
    }
    let mut install = Command::new("cargo");
    install.args(["install", "probe-rs-tools", "--locked"]);
    let line = shown(&install);
    if ask::person() {
        eprintln!(
            "missing: probe-rs, which talks to debug probes; it comes with: {line} (builds for some minutes)"
        );
    }
    if !ask::person() || !ask::yes("Install it?", false) {
        bail!("probe-rs is missing; run by hand: {line}");
    }
    run_command(&mut install)?;
    ensure!(
        exists(PROBE_RS),
        "probe-rs is installed but not found: add ~/.cargo/bin to PATH"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_list_is_seen() {
        assert!(!attached("No debug probes were found.\n"));
        assert!(attached(
            "The following debug probes were found:\n[0]: STLink V2-1 -- 0483:374b:0667FF (ST-LINK)\n"
        ));
    }

    #[test]
    fn commands_name_chip_and_probe() {
        let command = probe_rs(
            "download",
            "STM32F407VGTx",
            Some("0483:374b"),
            Some("a.elf".into()),
        );
        assert_eq!(
            shown(&command),
            "probe-rs download --chip STM32F407VGTx --non-interactive --probe 0483:374b a.elf"
        );
    }
}
