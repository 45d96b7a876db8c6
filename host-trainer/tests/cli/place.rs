//! A folder with a text in it, and the program run there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};
use std::time::{Duration, Instant};

use gatelet_trainer::train::checkpoint::Checkpoint;
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
        self.unchanged(&before, line);
    }

    /// Asserts that every file is as it was before a command.
    pub(crate) fn unchanged(&self, before: &[(PathBuf, Vec<u8>)], line: &[&str]) {
        let after = self.snapshot();
        let other = before
            .iter()
            .chain(&after)
            .find(|file| !before.contains(file) || !after.contains(file));
        if let Some((path, _)) = other {
            panic!("{line:?} changed {}", path.display());
        }
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

    /// A checkpoint that has to be whole.
    pub(crate) fn checkpoint(&self, name: &str) -> Checkpoint {
        let path = self.path(name);
        Checkpoint::from_bytes(&fs::read(&path).unwrap(), &path).unwrap()
    }

    /// Everything that a run has come to, without what depends on the clock: the bytes of both checkpoints, the metrics.
    pub(crate) fn result(&self, run: &str) -> (Vec<u8>, Vec<u8>, Vec<Value>) {
        let mut last = self.checkpoint(&format!("{run}/last.safetensors"));
        let position = last.meta.position.as_mut().unwrap();
        (position.seconds, position.evaluated_at.1) = (0.0, 0.0);
        let metrics = fs::read_to_string(self.path(run).join("metrics.jsonl")).unwrap();
        let timeless = |line: &str| {
            let mut line: Value = serde_json::from_str(line).unwrap();
            (line["seconds"], line["characters_per_second"]) = (0.into(), 0.into());
            line
        };
        (
            last.to_bytes().unwrap(),
            fs::read(self.path(run).join("best.safetensors")).unwrap(),
            metrics.lines().map(timeless).collect(),
        )
    }

    /// Asserts that two runs have come to the same.
    pub(crate) fn same(&self, one: &str, other: &str) {
        let (a, b) = (self.result(one), self.result(other));
        assert_eq!(a.2, b.2, "metrics of {one} and {other}");
        assert!(a.0 == b.0, "last.safetensors of {one} and {other} differ");
        assert!(a.1 == b.1, "best.safetensors of {one} and {other} differ");
    }

    /// Names in a folder, sorted.
    pub(crate) fn names(&self, folder: &str) -> Vec<String> {
        let name = |entry: std::io::Result<fs::DirEntry>| {
            entry.unwrap().file_name().to_string_lossy().into_owned()
        };
        let mut names: Vec<String> = fs::read_dir(self.path(folder)).unwrap().map(name).collect();
        names.sort();
        names
    }

    /// Trains a tiny net into `out`.
    pub(crate) fn train(&self, out: &str) {
        self.good(&[
            "train", "text.txt", "--out", out, "--hidden", "8", "--epochs", "2", "--batch", "4",
            "--window", "16", "-q",
        ]);
    }
}

/// Waits until something is so; many times longer than the slowest machine needs.
pub(crate) fn until(what: &str, mut so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !so() {
        assert!(begin.elapsed() < Duration::from_secs(120), "never: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Sends a signal to a process that runs; `name` as `kill` takes it.
#[cfg(unix)]
pub(crate) fn signal(child: &mut Child, name: &str) {
    assert!(
        child.try_wait().unwrap().is_none(),
        "the run ended by itself"
    );
    let id = child.id().to_string();
    let sent = Command::new("kill").args([name, &id]).status().unwrap();
    assert!(sent.success());
}
