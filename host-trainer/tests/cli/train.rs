//! `gatelet train`: what it refuses, what it leaves, and that a run is never lost.

use std::fs;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::place::Place;

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
        &["short.txt is too short", "has 22 bytes", "1000 are needed"],
    );
    train("latin1.txt", &["not UTF-8", "offset 14", "line 2"]);
    train("missing.txt", &["cannot read missing.txt"]);
}

/// The same bits whether it was left alone or went on in between, and a checkpoint that says what it is.
#[test]
fn a_gru_is_trained_and_goes_on_like_any_other_net() {
    let place = Place::new();
    let line = |out, epochs| {
        let words = ["train", "text.txt", "--out", out, "--epochs", epochs];
        [&words[..], &["-q", "--lr", "0.01"]].concat()
    };
    let net =
        "--cell gru --hidden 8 --layers 2 --batch 4 --window 16 --schedule constant --warmup 2";
    let net: Vec<&str> = net.split(' ').collect();
    place.good(&[line("whole", "3"), net.clone()].concat());
    place.good(&[line("parts", "2"), net].concat());
    place.good(&[line("parts", "3"), vec!["--resume"]].concat());
    let [whole, parts] = ["whole", "parts"].map(|run| {
        let checkpoint = place.checkpoint(&format!("{run}/last.safetensors"));
        let net = checkpoint.params.net().to_string();
        assert!(net.contains(" | gru 8 | gru 8 | "), "{net}");
        assert!(checkpoint.meta.provenance.command.contains(" --cell gru "));
        (checkpoint.params, checkpoint.resume)
    });
    assert_eq!(whole, parts);
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
        ("--save-every", "-1"),
        ("--save-every", "nan"),
        ("--label-smoothing", "1"),
        ("--dropout", "-0.5"),
        ("--recurrent-dropout", "1"),
        ("--epsilon", "inf"),
        ("--beta1", "1"),
        // Options of another optimizer or schedule.
        ("--momentum", "0.9"),
        ("--plateau-factor", "0.5"),
        ("--plateau-patience", "2"),
    ] {
        place.bad(
            &["train", "text.txt", "--out", "run", option, value],
            2,
            &[option, "it has to"],
        );
    }
    for line in [
        &["train", "text.txt"][..],
        &["train", "text.txt", "--out", "run", "--cell", "mgu"],
        &[
            "train",
            "text.txt",
            "--out",
            "run",
            "--optimizer",
            "adagrad",
        ],
        &["train", "text.txt", "--out", "run", "--preset", "huge"],
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
    let picture = fs::read(place.path("run/loss.png")).unwrap();
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
    assert_ne!(
        fs::read(place.path("run/loss.png")).unwrap(),
        picture,
        "the picture of the run before is gone"
    );
    place.bad(
        &train(&["--resume", "--seed", "2"]),
        1,
        &["--seed 2 differs from the run's 1", "cannot change"],
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
        "previous.safetensors",
        "metrics.jsonl",
        "samples.jsonl",
        "config.json",
        "loss.png",
        ".lock",
    ] {
        assert!(place.path("run").join(name).is_file(), "{name}");
    }
    assert_eq!(fs::read_dir(place.path("run")).unwrap().count(), 8);
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
fn a_preset_is_a_set_of_options_that_others_replace() {
    let place = Place::new();
    let line = |more: &str| {
        let line = "train text.txt --preset tiny --hidden 9 --batch 4 --window 16 --epochs 2 --out";
        let words = line.split(' ').chain(more.split(' '));
        words.map(str::to_owned).collect::<Vec<_>>()
    };
    let run = |words: Vec<String>| {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let output = place.run(&words);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{words:?}: {said}");
        said
    };
    let said = run(line("run"));
    for part in [
        "its int8 image needs at most",
        " of flash",
        "multiply-accumulates a character",
        "preset tiny here is:\n  gatelet train text.txt --cell lstm --hidden 9",
        " --out run",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let read = |run: &str| -> Value {
        let path = place.path(run).join("config.json");
        serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
    };
    let config = read("run");
    assert_eq!(
        (&config["config"]["hidden"], &config["config"]["lr"]),
        (&9.into(), &0.03.into())
    );
    // The command that is recorded needs no preset and makes the same net, in the same words.
    let command = config["provenance"]["command"].as_str().unwrap();
    run(
        format!("{} --out again", command.strip_prefix("gatelet ").unwrap())
            .split(' ')
            .map(str::to_owned)
            .collect(),
    );
    let best = |run: &str| fs::read(place.path(run).join("best.safetensors")).unwrap();
    assert_eq!(read("again"), config);
    assert_eq!(best("again"), best("run"));

    run(line("run --resume"));
    place.bad(
        &[
            "train", "text.txt", "--out", "run", "--resume", "--preset", "medium",
        ],
        1,
        &["--preset medium (lstm, 1 of 256) differs from the run's lstm, 1 of 9"],
    );
    place.bad(
        &[
            "train",
            "text.txt",
            "--out",
            "run",
            "--resume",
            "--optimizer",
            "sgd",
        ],
        1,
        &["--optimizer", "sgd", "differs from the run's", "adamw"],
    );
}

/// The README's table of presets has the numbers of the help, which core computes.
#[test]
fn the_readme_says_what_presets_need() {
    let help = Place::new().good(&["train", "--help"]);
    let readme = concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md");
    let readme = fs::read_to_string(readme).unwrap();
    for preset in ["tiny", "small", "medium"] {
        let start = format!("  {preset} ");
        let line = help.lines().find(|line| line.starts_with(&start)).unwrap();
        let words: Vec<&str> = line.split_whitespace().collect();
        let [
            _,
            _,
            _,
            _,
            hidden,
            "flash",
            flash,
            "KiB",
            "RAM",
            ram,
            "bytes",
            macs,
            "MACs",
            ..,
        ] = words[..]
        else {
            panic!("{line}");
        };
        let row = readme
            .lines()
            .find(|line| line.starts_with(&format!("| `{preset}`")));
        let row = row.unwrap();
        for part in [
            format!("{hidden} units"),
            format!("{flash} KiB"),
            format!("{ram} bytes"),
            macs.to_owned(),
        ] {
            assert!(row.contains(&part), "{part}: {row}");
        }
    }
}

#[test]
fn optimizers_and_schedules_are_recorded_and_resumed() {
    let place = Place::new();
    for (index, more) in [
        "--optimizer sgd --schedule plateau --plateau-factor 0.25 --plateau-patience 1",
        "--optimizer rmsprop --momentum 0.5 --beta2 0.95 --epsilon 1e-6 --clip inf",
        "--optimizer adam --weight-decay 0.001 --decay-biases false --label-smoothing 0.1",
    ]
    .iter()
    .enumerate()
    {
        let out = format!("run{index}");
        let line = format!(
            "train text.txt --out {out} --hidden 8 --batch 4 --window 16 --epochs 2 -q {more}"
        );
        let words: Vec<&str> = line.split(' ').collect();
        place.good(&words);
        let config = fs::read(place.path(&out).join("config.json")).unwrap();
        let config: Value = serde_json::from_slice(&config).unwrap();
        let command = config["provenance"]["command"].as_str().unwrap();
        assert!(
            command.contains(more.split(" --").next().unwrap()),
            "{command}"
        );
        for given in more.split(" --").skip(1) {
            let given = given.replace("1e-6", "0.000001");
            assert!(command.contains(&given), "{given}: {command}");
        }
        place.good(&[&words[..], &["--resume"]].concat());
        place.good(&["inspect", &format!("{out}/last.safetensors")]);
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
