//! The program itself: command forms, exit codes, messages, and that nothing is overwritten.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

const TEXT: &str =
    "it is a truth universally acknowledged, that a small net can learn a short text. ";

/// A folder of its own for each test, with a text in it.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        place.write("text.txt", TEXT.repeat(30).as_bytes());
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path(name), bytes).unwrap();
    }

    fn command(&self, line: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gatelet"));
        command.args(line).current_dir(self.folder.path());
        command
    }

    fn run(&self, line: &[&str]) -> Output {
        self.command(line).output().unwrap()
    }

    /// Runs a command that has to succeed; gives its standard output.
    fn good(&self, line: &[&str]) -> String {
        let output = self.run(line);
        assert!(
            output.status.success(),
            "{line:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    }

    /// The JSON object on the last line of a command that has to succeed.
    fn json(&self, line: &[&str]) -> Value {
        serde_json::from_str(self.good(line).lines().last().unwrap()).unwrap()
    }

    /// Runs a command that has to fail with `code` and one line on stderr that holds all of `parts`.
    fn bad(&self, line: &[&str], code: i32, parts: &[&str]) {
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
    fn snapshot(&self) -> Vec<(PathBuf, Vec<u8>)> {
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
    fn train(&self, out: &str) {
        self.good(&[
            "train", "text.txt", "--out", out, "--hidden", "8", "--epochs", "2", "--batch", "4",
            "--window", "16", "-q",
        ]);
    }
}

#[test]
fn bad_texts_are_refused_before_anything_is_written() {
    let place = Place::new();
    place.write("empty.txt", b"");
    place.write("one.txt", b"aaaaaaaaaaaaaaaaaaaa");
    place.write("short.txt", b"too short for a window");
    place.write("latin1.txt", b"first line\ncaf\xe9 au lait");
    let train = |text, parts: &[&str]| place.bad(&["train", text, "--out", "run"], 1, parts);
    train("empty.txt", &["empty.txt is empty"]);
    train("one.txt", &["one distinct character", "'a'"]);
    train(
        "short.txt",
        &[
            "short.txt is too short",
            "has 20 characters",
            "2080 are needed",
        ],
    );
    train("latin1.txt", &["not UTF-8", "offset 14", "line 2"]);
    train("missing.txt", &["cannot read missing.txt"]);
}

#[test]
fn options_out_of_range_are_wrong_usage() {
    let place = Place::new();
    for (option, value) in [
        ("--hidden", "0"),
        ("--hidden", "1025"),
        ("--layers", "0"),
        ("--layers", "5"),
        ("--epochs", "0"),
        ("--batch", "0"),
        ("--window", "0"),
        ("--lr", "nan"),
        ("--lr", "-0.1"),
        ("--lr", "0"),
        ("--lr", "inf"),
        ("--clip", "0"),
        ("--weight-decay", "-1"),
        ("--valid-fraction", "1"),
        ("--minutes", "-3"),
        ("--threads", "0"),
    ] {
        place.bad(
            &["train", "text.txt", "--out", "run", option, value],
            2,
            &[option, "it has to be"],
        );
    }
    for line in [
        &["train", "text.txt"][..],
        &["train", "text.txt", "--out", "run", "--cell", "gru"],
        &["fly"],
        &["eval", "m"],
        &[],
    ] {
        assert_eq!(place.run(line).status.code(), Some(2), "{line:?}");
    }
}

#[test]
fn run_folders_are_never_overwritten_by_accident() {
    let place = Place::new();
    fn train<'a>(more: &[&'a str]) -> Vec<&'a str> {
        let line = "train text.txt --out run --hidden 8 --batch 4 --window 16";
        line.split(' ').chain(more.iter().copied()).collect()
    }
    place.bad(&train(&["--resume"]), 1, &["no run to resume"]);
    place.write("file", b"x");
    place.bad(
        &["train", "text.txt", "--out", "file"],
        1,
        &["file is not a folder"],
    );
    place.bad(
        &["train", "text.txt", "--out", "file/run"],
        1,
        &["cannot write file/run"],
    );
    fs::create_dir(place.path("run")).unwrap();
    place.write("run/notes.txt", b"mine");
    place.bad(
        &train(&[]),
        1,
        &["run exists already", "--resume", "--force"],
    );
    place.good(&train(&["--force", "--epochs", "2", "-q"]));
    place.bad(&train(&[]), 1, &["run exists already"]);
    place.good(&train(&["--force", "--epochs", "1", "-q"]));
    assert_eq!(fs::read(place.path("run/notes.txt")).unwrap(), b"mine");
    assert_eq!(
        fs::read_to_string(place.path("run/metrics.jsonl"))
            .unwrap()
            .lines()
            .count(),
        1
    );
    assert!(
        !place.path("run/loss.png").exists(),
        "the picture of the run before is gone"
    );
    place.bad(
        &train(&["--resume", "--lr", "0.5"]),
        1,
        &["--lr 0.5 differs from the run's 0.004"],
    );
    place.bad(&["train", "file", "--out", "run", "--resume"], 1, &["file"]);
    assert_eq!(
        place.run(&train(&["--resume", "--force"])).status.code(),
        Some(2)
    );
    place.good(&train(&["--resume"]));
}

#[test]
fn a_run_leaves_its_files_and_says_what_came_out() {
    let place = Place::new();
    let line = "train text.txt --out run --cell rnn --hidden 9 --layers 2 --epochs 3 --seed 5 --batch 4 --window 16 --json";
    let result = place.json(&line.split(' ').collect::<Vec<_>>());
    assert_eq!(result["epochs"], 3);
    assert_eq!(result["ended"], "finished");
    assert!(result["nats"].as_f64().unwrap() > 0.0);
    for name in [
        "best.safetensors",
        "last.safetensors",
        "metrics.jsonl",
        "config.json",
        "loss.png",
    ] {
        assert!(place.path("run").join(name).is_file(), "{name}");
    }
    assert_eq!(fs::read_dir(place.path("run")).unwrap().count(), 5);
    let config: Value =
        serde_json::from_slice(&fs::read(place.path("run/config.json")).unwrap()).unwrap();
    let command = config["provenance"]["command"].as_str().unwrap();
    let kept = "gatelet train text.txt --cell rnn --hidden 9 --layers 2 --epochs 3 --seed 5 --batch 4 --window 16";
    assert!(
        command.starts_with(kept) && !command.contains("--out"),
        "{command}"
    );
    // The same command gives the same bytes.
    place.good(
        &[
            &line.split(' ').collect::<Vec<_>>()[..],
            &["--force", "--threads", "1"],
        ]
        .concat(),
    );
    let again = place.json(&[
        "eval",
        "run/best.safetensors",
        "text.txt",
        "--split",
        "valid",
        "--json",
    ]);
    assert!((again["nats"].as_f64().unwrap() - result["nats"].as_f64().unwrap()).abs() < 1e-4);
}

#[test]
fn every_command_takes_checkpoints_and_images() {
    let place = Place::new();
    place.train("run");
    let exported = place.json(&[
        "export",
        "run/best.safetensors",
        "--out",
        "m.gatelet",
        "--json",
    ]);
    assert_eq!(exported["precision"], "int8");
    assert_eq!(
        exported["bytes"].as_u64(),
        Some(fs::metadata(place.path("m.gatelet")).unwrap().len())
    );
    place.good(&[
        "export",
        "run/best.safetensors",
        "--out",
        "f.gatelet",
        "--bits",
        "f32",
    ]);
    for model in ["run/best.safetensors", "m.gatelet", "f.gatelet"] {
        let scores = place.json(&["eval", model, "text.txt", "--json"]);
        let keys: Vec<_> = scores
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        assert_eq!(keys, ["bpc", "nats", "tokens", "top1", "top3"]);
        assert_eq!(
            scores["tokens"].as_u64(),
            Some((TEXT.len() * 30 - 1) as u64)
        );
        let valid = place.json(&["eval", model, "text.txt", "--split", "valid", "--json"]);
        assert_eq!(
            valid["tokens"].as_u64(),
            Some((TEXT.len() * 3 - 1) as u64),
            "{model}"
        );

        let predicted = place.json(&["predict", model, "a small ne", "--top", "5", "--json"]);
        let list = predicted["suggestions"].as_array().unwrap();
        assert_eq!(list.len(), 5);
        let p: Vec<f64> = list.iter().map(|s| s["p"].as_f64().unwrap()).collect();
        assert!(p.is_sorted_by(|a, b| a >= b) && p.iter().sum::<f64>() <= 1.0);
        assert_eq!(
            place
                .good(&["predict", model, "a small ne"])
                .lines()
                .count(),
            3
        );

        let generate = [
            "generate", model, "--length", "40", "--prompt", "it ", "--seed", "4", "--json",
        ];
        let written = place.json(&generate);
        assert_eq!(written["text"].as_str().unwrap().chars().count(), 40);
        assert_eq!(written, place.json(&generate));
        assert!(
            place
                .good(&["generate", model, "--length", "5", "--prompt", "it "])
                .starts_with("it ")
        );

        let inspected = place.json(&["inspect", model, "--json"]);
        assert_eq!(
            inspected["macs_per_step"].as_u64().unwrap() as usize,
            32 * 8 + inspected["vocab"].as_u64().unwrap() as usize * 8
        );
        assert_eq!(inspected["provenance"]["corpus"], "text.txt");
        assert!(
            place
                .good(&["inspect", model])
                .contains("on the device  flash")
        );

        let traced = place.json(&["trace", model, "text.txt", "--limit", "50", "--json"]);
        assert_eq!(
            (
                traced["steps"].as_u64(),
                traced["state_hash"].as_str().unwrap().len()
            ),
            (Some(50), 16)
        );
    }
    let hash = |isa| {
        place.json(&["trace", "m.gatelet", "text.txt", "--isa", isa, "--json"])["state_hash"]
            .clone()
    };
    assert_eq!(hash("scalar"), hash("portable"));
}

#[test]
fn unknown_characters_are_named() {
    let place = Place::new();
    place.train("run");
    let model = "run/best.safetensors";
    place.bad(
        &["predict", model, "at€"],
        1,
        &[
            "prefix",
            "'€' (U+20AC) at position 2",
            "remove or replace it",
        ],
    );
    place.bad(&["predict", model, "It"], 1, &["'I'", "it knows 'i'"]);
    place.bad(
        &["generate", model, "--length", "5", "--prompt", "#"],
        1,
        &["prompt", "'#'"],
    );
    place.write("other.txt", "it is 5".as_bytes());
    place.bad(&["eval", model, "other.txt"], 1, &["other.txt", "'5'"]);
    place.bad(&["trace", model, "other.txt"], 1, &["other.txt", "'5'"]);
}

#[test]
fn what_is_no_model_is_said_to_be_none() {
    let place = Place::new();
    place.train("run");
    place.good(&["export", "run/best.safetensors", "--out", "m.gatelet"]);
    let mut broken = fs::read(place.path("m.gatelet")).unwrap();
    let middle = broken.len() / 2;
    broken[middle] ^= 1;
    place.write("broken.gatelet", &broken);
    place.write(
        "cut.safetensors",
        &fs::read(place.path("run/best.safetensors")).unwrap()[..200],
    );
    for command in [
        &["eval", "M", "text.txt"][..],
        &["predict", "M", "it"],
        &["generate", "M", "--length", "3"],
        &["inspect", "M"],
        &["export", "M", "--out", "new.gatelet"],
        &["trace", "M", "text.txt"],
    ] {
        let with = |model| {
            command
                .iter()
                .map(|&word| if word == "M" { model } else { word })
                .collect::<Vec<_>>()
        };
        place.bad(&with("text.txt"), 1, &["text.txt is no model"]);
        place.bad(&with("cut.safetensors"), 1, &["cut.safetensors"]);
        place.bad(&with("broken.gatelet"), 1, &["broken.gatelet", "checksum"]);
        place.bad(&with("nowhere"), 1, &["cannot read nowhere"]);
    }
    let requantize = [
        "export",
        "m.gatelet",
        "--out",
        "new.gatelet",
        "--bits",
        "f32",
    ];
    place.bad(
        &requantize,
        1,
        &["m.gatelet is a .gatelet image", "needs a checkpoint"],
    );
}

#[test]
fn a_target_changes_places_and_nothing_else() {
    let place = Place::new();
    place.train("run");
    place.good(&["export", "run/best.safetensors", "--out", "plain.gatelet"]);
    let m4 = ["--target", "cortex-m4", "--json"];
    let from_checkpoint = ["export", "run/best.safetensors", "--out", "a.gatelet"];
    let from_image = ["export", "plain.gatelet", "--out", "b.gatelet"];
    for export in [from_checkpoint, from_image] {
        assert_eq!(place.json(&[&export[..], &m4].concat())["layout"], "pairs");
    }
    let bytes = |name| fs::read(place.path(name)).unwrap();
    assert_eq!(bytes("a.gatelet"), bytes("b.gatelet"));
    let back = ["export", "a.gatelet", "--out", "back.gatelet"];
    assert_eq!(
        place.json(&[&back[..], &["--json"]].concat())["layout"],
        "rows"
    );
    assert_eq!(bytes("back.gatelet"), bytes("plain.gatelet"));

    let inspected = place.json(&["inspect", "a.gatelet", "--json"]);
    assert_eq!(inspected["layout"], "pairs");
    assert_eq!(inspected["known_answer_passes"], true);
    let hash = |model, isa| {
        place.json(&["trace", model, "text.txt", "--isa", isa, "--json"])["state_hash"].clone()
    };
    assert_eq!(hash("a.gatelet", "scalar"), hash("plain.gatelet", "scalar"));
    assert_eq!(
        hash("a.gatelet", "portable"),
        hash("plain.gatelet", "scalar")
    );

    // What has no packed form stays as it is, and says why.
    let wide = [
        "random",
        "--hidden",
        "520",
        "--vocab",
        "4",
        "--out",
        "wide.gatelet",
    ];
    let said = place.good(&[&wide[..], &["--target", "cortex-m4"]].concat());
    assert!(
        said.contains("at most 512 columns") && said.contains("stays in rows"),
        "{said}"
    );
    assert_eq!(
        place.json(&["inspect", "wide.gatelet", "--json"])["layout"],
        "rows"
    );
}

#[test]
fn images_are_never_overwritten_by_accident() {
    let place = Place::new();
    place.train("run");
    let export = ["export", "run/best.safetensors", "--out", "m.gatelet"];
    place.good(&export);
    let first = fs::read(place.path("m.gatelet")).unwrap();
    place.bad(&export, 1, &["m.gatelet exists already", "--force"]);
    place.good(&[&export[..], &["--force"]].concat());
    assert_eq!(
        fs::read(place.path("m.gatelet")).unwrap(),
        first,
        "the same checkpoint and text give the same bytes"
    );
    place.bad(
        &[
            "export",
            "run/best.safetensors",
            "--out",
            "no/where.gatelet",
        ],
        1,
        &["cannot write no/where.gatelet"],
    );
    place.bad(
        &["random", "--out", "m.gatelet"],
        1,
        &["m.gatelet exists already"],
    );
    place.bad(
        &["random", "--out", "r.gatelet", "--vocab", "1"],
        2,
        &["--vocab"],
    );
    place.write("text.txt", b"changed");
    let new = ["export", "run/best.safetensors", "--out", "new.gatelet"];
    place.bad(&new, 1, &["text.txt", "has changed since", "--text FILE"]);
    fs::remove_file(place.path("text.txt")).unwrap();
    place.bad(&new, 1, &["is not here", "--text FILE"]);
    place.write("copy.txt", TEXT.repeat(30).as_bytes());
    place.good(&[&new[..], &["--text", "copy.txt"]].concat());
    assert_eq!(fs::read(place.path("new.gatelet")).unwrap(), first);
}

#[test]
fn options_of_the_other_commands_are_checked() {
    let place = Place::new();
    place.train("run");
    let model = "run/best.safetensors";
    place.bad(&["predict", model, "it", "--top", "0"], 2, &["--top"]);
    place.bad(
        &["generate", model, "--length", "3", "--temperature", "-1"],
        2,
        &["--temperature"],
    );
    place.bad(
        &["generate", model, "--length", "3", "--temperature", "nan"],
        2,
        &["--temperature"],
    );
    place.bad(
        &["generate", model, "--length", "3", "--top-k", "0"],
        2,
        &["--top-k"],
    );
    place.bad(
        &[
            "eval",
            model,
            "text.txt",
            "--split",
            "valid",
            "--valid-fraction",
            "0",
        ],
        2,
        &["--valid-fraction"],
    );
    place.bad(
        &["trace", model, "text.txt", "--isa", "mmx"],
        1,
        &["mmx", "scalar"],
    );
}

#[test]
fn every_command_has_help_with_an_example() {
    let place = Place::new();
    for command in [
        "train", "eval", "predict", "generate", "export", "inspect", "trace", "random",
    ] {
        assert!(place.good(&["--help"]).contains(command));
        let help = place.good(&[command, "--help"]);
        assert!(
            help.contains(&format!("Example:\n  gatelet {command}")),
            "{help}"
        );
    }
}

#[cfg(unix)]
#[test]
fn interrupted_and_killed_runs_can_be_resumed() {
    let place = Place::new();
    let line = [
        "train",
        "text.txt",
        "--out",
        "run",
        "--hidden",
        "8",
        "--batch",
        "4",
        "--window",
        "16",
        "--epochs",
        "200000",
        "--patience",
        "0",
    ];
    for signal in ["-INT", "-KILL"] {
        let more: &[&str] = if signal == "-INT" { &[] } else { &["--resume"] };
        let lines = || {
            fs::read_to_string(place.path("run/metrics.jsonl"))
                .map_or(0, |text| text.lines().count())
        };
        let before = lines();
        let mut child = place
            .command(&[&line[..], more].concat())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        while lines() < before + 5 {
            assert!(
                child.try_wait().unwrap().is_none(),
                "the run ended by itself"
            );
            std::thread::yield_now();
        }
        assert!(
            Command::new("kill")
                .args([signal, &child.id().to_string()])
                .status()
                .unwrap()
                .success()
        );
        let output = child.wait_with_output().unwrap();
        if signal == "-INT" {
            assert!(output.status.success());
            assert!(
                String::from_utf8(output.stdout)
                    .unwrap()
                    .contains("gatelet train text.txt --out run --resume")
            );
        }
        // Whole files, whatever the moment was.
        place.good(&["inspect", "run/best.safetensors"]);
        place.good(&["inspect", "run/last.safetensors"]);
    }
}

#[cfg(unix)]
#[test]
fn a_reader_that_leaves_ends_the_program_quietly() {
    let place = Place::new();
    place.train("run");
    let line = ["generate", "run/best.safetensors", "--length", "100000"];
    let mut child = place
        .command(&line)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
