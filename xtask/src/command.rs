//! Starting processes: shown before they run, with an error that names them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, bail};
use serde::de::DeserializeOwned;

/// The clone's root folder.
pub(crate) fn root() -> PathBuf {
    // Cargo sets the variable for `cargo xtask`; the constant serves a program started by hand.
    let here = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    here.parent()
        .map_or_else(|| here.clone(), Path::to_path_buf)
}

/// The very cargo that started this program.
pub(crate) fn cargo() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root()).stdin(Stdio::null());
    cargo
}

/// `gatelet`, the trainer's program, from this clone. It is built once, and without `-p`, so that
/// its dependencies have the features that they have in the tests: nothing is compiled twice. Cargo
/// is not asked again: that takes longer than most of what the program is asked for.
pub(crate) fn gatelet() -> Result<Command> {
    static PROGRAM: Mutex<Option<PathBuf>> = Mutex::new(None);
    let mut program = PROGRAM.lock().unwrap_or_else(PoisonError::into_inner);
    let path = match program.take() {
        Some(path) => path,
        // The output of the program is caught; what cargo says is to be seen.
        None => {
            run(cargo().args(["build", "--bin", "gatelet"]))?;
            target_folder()?.join("debug/gatelet")
        }
    };
    let mut gatelet = Command::new(program.insert(path));
    gatelet.current_dir(root()).stdin(Stdio::null());
    Ok(gatelet)
}

/// Cargo's target folder.
pub(crate) fn target_folder() -> Result<PathBuf> {
    #[derive(serde::Deserialize)]
    struct Metadata {
        target_directory: PathBuf,
    }
    let mut metadata = cargo();
    metadata.args(["metadata", "--format-version", "1", "--no-deps"]);
    let text = output(&mut metadata)?;
    let Metadata { target_directory } =
        serde_json::from_str(&text).context("cargo metadata gave no JSON")?;
    Ok(target_directory)
}

/// A folder for what this program makes, in cargo's target folder.
pub(crate) fn work_folder() -> Result<PathBuf> {
    let folder = target_folder()?.join("firmware-images");
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    Ok(folder)
}

/// What a person would type.
pub(crate) fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let mut line = program
        .file_name()
        .unwrap_or(command.get_program())
        .to_string_lossy()
        .into_owned();
    for argument in command.get_args().map(|a| a.to_string_lossy()) {
        line.push(' ');
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=,:+@".contains(c);
        if !argument.is_empty() && argument.chars().all(plain) {
            line.push_str(&argument);
        } else {
            line.push_str(&format!("'{argument}'"));
        }
    }
    line
}

/// Runs a command to its end, with its output on this terminal.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command
        .status()
        .with_context(|| format!("cannot start {}", shown(command)))?;
    if !status.success() {
        bail!("{} failed ({status})", shown(command));
    }
    Ok(())
}

/// Runs a command to its end and gives its stdout. What it says on stderr is shown when it fails.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command
        .stderr(Stdio::piped())
        .output()
        .with_context(|| format!("cannot start {}", shown(command)))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let last = said.trim().lines().last().unwrap_or("it said nothing");
        bail!(
            "{} failed: {}",
            shown(command),
            last.trim_start_matches("error: ")
        );
    }
    String::from_utf8(output.stdout)
        .with_context(|| format!("{} printed something other than text", shown(command)))
}

/// The last line of a program's output, which is its JSON.
pub(crate) fn json_line<T: DeserializeOwned>(text: &str) -> Result<T> {
    let line = text.trim().lines().last().unwrap_or_default();
    serde_json::from_str(line).with_context(|| format!("expected JSON, found {line:?}"))
}

/// Whether a program can be found.
pub(crate) fn exists(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// A usage error that clap cannot see.
#[derive(Debug)]
pub(crate) struct Usage(pub(crate) String);

impl std::fmt::Display for Usage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_shown_as_they_would_be_typed() {
        let mut command = Command::new("/usr/bin/echo");
        command.args(["-n", "two words", "a=b"]);
        assert_eq!(shown(&command), "echo -n 'two words' a=b");
    }

    #[test]
    fn a_failing_command_is_named() {
        let error = run(&mut Command::new("no-such-program")).unwrap_err();
        assert!(
            format!("{error:#}").contains("no-such-program"),
            "{error:#}"
        );
    }
}
