//! Building the board's programs.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context, Result, anyhow, bail};
use gatelet_boards::STM32F405;

use crate::board::{self, Board};
use crate::command::cargo;

/// The board's target.
pub(crate) const TARGET: &str = STM32F405.processor.target();
/// The package.
pub(crate) const PACKAGE: &str = "gatelet-firmware";

/// Where the console's log goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Log {
    /// A debug probe reads it from the board's RAM.
    Rtt,
    /// QEMU writes it to a file.
    Semihosting,
}

/// One program, and how to build it.
#[derive(Clone, Debug)]
pub(crate) struct Build {
    program: &'static str,
    board: &'static Board,
    features: Vec<&'static str>,
    model: Option<PathBuf>,
    variables: Vec<(&'static str, String)>,
    quiet: bool,
}

/// A built program.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    /// Its ELF file, in cargo's target folder; the next build replaces it.
    pub(crate) elf: PathBuf,
}

/// The console.
pub(crate) fn console(log: Log) -> Build {
    let features: &[_] = match log {
        Log::Rtt => &["log-rtt"],
        Log::Semihosting => &["log-semihosting"],
    };
    Build::new("gatelet-firmware", features)
}

/// Another program of the crate: `selftest`, `bench`, `panic_probe`.
pub(crate) fn program(name: &'static str, features: &'static [&'static str]) -> Build {
    Build::new(name, features)
}

impl Build {
    fn new(program: &'static str, features: &'static [&'static str]) -> Self {
        Build {
            program,
            board: board::default(),
            features: features.to_vec(),
            model: None,
            variables: Vec::new(),
            quiet: false,
        }
    }

    /// Builds for this board instead of the default one.
    pub(crate) fn board(mut self, board: &'static Board) -> Self {
        self.board = board;
        self
    }

    /// Adds a feature of the crate.
    pub(crate) fn feature(mut self, name: &'static str) -> Self {
        self.features.push(name);
        self
    }

    /// Embeds this model instead of the default one.
    pub(crate) fn model(mut self, model: Option<PathBuf>) -> Self {
        self.model = model;
        self
    }

    /// Sets a variable for `firmware/build.rs`.
    pub(crate) fn variable(mut self, name: &'static str, value: impl ToString) -> Self {
        self.variables.push((name, value.to_string()));
        self
    }

    /// Shows nothing of what cargo says.
    pub(crate) fn quiet(mut self) -> Self {
        self.quiet = true;
        self
    }

    /// Builds it. Where cargo stops with a message of `firmware/build.rs`, that message is the
    /// error.
    pub(crate) fn build(&self) -> Result<Program> {
        let mut cargo = cargo();
        cargo
            .args(["build", "--package", PACKAGE, "--bin", self.program])
            .args(["--profile", "firmware"])
            .args(board::cargo_arguments(self.board))
            .args([
                "--no-default-features",
                "--features",
                &self.features.join(","),
            ])
            .arg("--message-format=json-render-diagnostics")
            .env("GATELET_BOARD", self.board.id())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if std::env::var_os("DEFMT_LOG").is_none() {
            cargo.env("DEFMT_LOG", "info");
        }
        if let Some(model) = &self.model {
            let model = std::path::absolute(model)
                .with_context(|| format!("cannot use the path {}", model.display()))?;
            cargo.env("GATELET_MODEL", model);
        } else if let Some(model) = std::env::var_os("GATELET_MODEL") {
            // Cargo is started in the clone's root, which a relative path is not meant from.
            cargo.env("GATELET_MODEL", std::path::absolute(model)?);
        }
        cargo.envs(self.variables.iter().map(|(name, value)| (name, value)));

        let mut child = cargo.spawn().context("cannot start cargo")?;
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let quiet = self.quiet;
        let messages = std::thread::spawn(move || {
            let lines = stderr.map(|s| BufReader::new(s).lines().map_while(Result::ok));
            relay(lines.into_iter().flatten(), quiet)
        });
        let artefacts = stdout.map(|s| BufReader::new(s).lines().map_while(Result::ok));
        let elf = artefacts
            .into_iter()
            .flatten()
            .filter_map(|line| executable(&line, self.program))
            .last();
        let messages = messages.join().unwrap_or_default();
        if !child.wait().context("cargo vanished")?.success() {
            bail!(reason(&messages, self.program));
        }
        let elf = elf.ok_or_else(|| anyhow!("cargo built no {}", self.program))?;
        Ok(Program { elf })
    }
}

/// Shows what cargo says as it comes, except what becomes the error's own text, and keeps it all.
fn relay(lines: impl Iterator<Item = String>, quiet: bool) -> Vec<String> {
    lines
        .inspect(|line| {
            if !quiet
                && build_script_message(line).is_none()
                && !line.contains("build script logged errors")
            {
                eprintln!("{line}");
            }
        })
        .collect()
}

/// The text of a `cargo::error` of the firmware's build script.
fn build_script_message(line: &str) -> Option<&str> {
    let (_, message) = line
        .strip_prefix("error: gatelet-firmware@")?
        .split_once(": ")?;
    Some(message)
}

/// One line that says why cargo failed.
fn reason(messages: &[String], program: &str) -> String {
    let of_script = messages.iter().find_map(|line| build_script_message(line));
    let of_linker = messages
        .iter()
        .find_map(|line| {
            line.split_once("rust-lld: error: ")
                .map(|(_, text)| text.trim())
        })
        .filter(|text| !text.is_empty());
    match (of_script, of_linker) {
        (Some(message), _) => message.to_owned(),
        (None, Some(message)) => format!("{program} does not link: {message}"),
        (None, None) => format!("{program} was not built; cargo says why above"),
    }
}

/// The ELF file that a line of cargo's JSON reports for a program.
fn executable(line: &str, program: &str) -> Option<PathBuf> {
    #[derive(serde::Deserialize)]
    struct Message {
        reason: String,
        target: Option<Target>,
        executable: Option<PathBuf>,
    }
    #[derive(serde::Deserialize)]
    struct Target {
        name: String,
    }
    let message: Message = serde_json::from_str(line).ok()?;
    (message.reason == "compiler-artifact" && message.target?.name == program)
        .then_some(message.executable)
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_scripts_message_becomes_the_error() {
        let said = [
            "   Compiling gatelet v0.1.0".to_owned(),
            "error: gatelet-firmware@0.1.0: big.gatelet: the model does not fit".to_owned(),
            "error: build script logged errors".to_owned(),
        ];
        assert_eq!(
            reason(&said, "bench"),
            "big.gatelet: the model does not fit"
        );
    }

    #[test]
    fn a_linkers_message_becomes_the_error() {
        let said = ["  = note: rust-lld: error: core can panic: see".to_owned()];
        assert_eq!(
            reason(&said, "panic_probe"),
            "panic_probe does not link: core can panic: see"
        );
    }

    #[test]
    fn the_artefact_is_the_programs_own() {
        let line = |name: &str| {
            format!(
                r#"{{"reason":"compiler-artifact","target":{{"name":"{name}"}},"executable":"/t/{name}"}}"#
            )
        };
        assert_eq!(executable(&line("bench"), "bench"), Some("/t/bench".into()));
        assert_eq!(executable(&line("bench"), "selftest"), None);
        assert_eq!(executable("not json", "bench"), None);
    }
}
