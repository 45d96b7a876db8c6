//! A folder with a text in it, and the program run there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

pub(crate) const TEXT: &str =
    "it is a truth universally acknowledged, that a small net can learn a short text. ";

/// A folder of its own for each test, with a text in it.
pub(crate) struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        let place = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        place.write("text.txt", TEXT.repeat(30).as_bytes());
        place
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path(name), bytes).unwrap();
    }

    pub(crate) fn command(&self, line: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gatelet"));
        command.args(line).current_dir(self.folder.path());
        command
    }

    pub(crate) fn run(&self, line: &[&str]) -> Output {
        self.command(line).output().unwrap()
    }

    /// Runs a command that has to succeed; gives its standard output.
    pub(crate) fn good(&self, line: &[&str]) -> String {
        let output = self.run(line);
        assert!(
            output.status.success(),
            "{line:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    }

    /// The JSON object on the last line of a command that has to succeed.
    pub(crate) fn json(&self, line: &[&str]) -> Value {
        serde_json::from_str(self.good(line).lines().last().unwrap()).unwrap()
    }

    /// Runs a command that has to fail with `code` and one line on stderr that holds all of `parts`.
    pub(crate) fn bad(&self, line: &[&str], code: i32, parts: &[&str]) {
        let before = self.snapshot();
        let output = self.run(line);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{line:?}: {stderr}");
        assert!(
            stderr.starts_with("error: ") && stderr.lines().count() == 1,
            "{line:?}: {stderr}"
        );
        for part in parts {
            assert!(stderr.contains(part), "{line:?}: no {part:?} in {stderr}");
        }
        assert_eq!(self.snapshot(), before, "{line:?} changed files");
    }

    /// Every file below the folder with its bytes.
    pub(crate) fn snapshot(&self) -> Vec<(PathBuf, Vec<u8>)> {
        fn walk(folder: &Path, into: &mut Vec<(PathBuf, Vec<u8>)>) {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    into.push((path.clone(), Vec::new()));
                    walk(&path, into);
                } else {
                    into.push((path.clone(), fs::read(&path).unwrap()));
                }
            }
        }
        let mut files = Vec::new();
        walk(self.folder.path(), &mut files);
        files.sort();
        files
    }

    /// Trains a tiny net into `out`.
    pub(crate) fn train(&self, out: &str) {
        self.good(&[
            "train", "text.txt", "--out", out, "--hidden", "8", "--epochs", "2", "--batch", "4",
            "--window", "16", "-q",
        ]);
    }
}
