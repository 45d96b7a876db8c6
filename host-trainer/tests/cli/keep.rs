//! What a run folder keeps: damaged checkpoints, a second process, changed options, divergence.

use std::fs;
use std::process::Stdio;

use crate::place::{Place, until};

const RUN: &str =
    "train text.txt --hidden 8 --batch 4 --window 16 --eval-every 7 --save-every 0 -q --out";

fn run<'a>(more: &[&'a str]) -> Vec<&'a str> {
    RUN.split(' ').chain(more.iter().copied()).collect()
}

/// Flips one bit in the middle of a file's numbers.
fn flip(place: &Place, name: &str) -> Vec<u8> {
    let mut bytes = fs::read(place.path(name)).unwrap();
    let at = bytes.len() - 1001;
    bytes[at] ^= 4;
    place.write(name, &bytes);
    bytes
}

#[test]
fn a_damaged_newest_checkpoint_costs_one_generation_and_is_kept() {
    let place = Place::new();
    place.good(&run(&["whole", "--epochs", "3"]));
    for (damage, says) in [
        ("flip", "its bytes are not those that were written"),
        ("cut", "it ends after"),
        ("empty", "a file of another kind"),
        ("gone", "is missing"),
    ] {
        let out = damage;
        place.good(&run(&[out, "--epochs", "3"]));
        let last = format!("{out}/last.safetensors");
        let bytes = fs::read(place.path(&last)).unwrap();
        let damaged = match damage {
            "flip" => flip(&place, &last),
            "cut" => bytes[..bytes.len() - 5].to_vec(),
            _ => Vec::new(),
        };
        place.write(&last, &damaged);
        if damage == "gone" {
            fs::remove_file(place.path(&last)).unwrap();
        }
        if damage == "flip" {
            place.bad(&["inspect", &last], 1, &["is damaged", says]);
        }
        let output = place.run(&["train", "text.txt", "--out", out, "--resume", "-q"]);
        let message = String::from_utf8(output.stderr).unwrap();
        assert!(
            output.status.success() && message.lines().count() == 1,
            "{message}"
        );
        for part in ["warning: ", &last, says, "previous.safetensors of step "] {
            assert!(message.contains(part), "no {part:?} in {message}");
        }
        let aside = place.path(&format!("{out}/last.damaged-1.safetensors"));
        if damage == "gone" {
            assert!(!aside.exists());
        } else {
            assert!(message.contains("last.damaged-1.safetensors"), "{message}");
            assert!(fs::read(aside).unwrap() == damaged, "its bytes are kept");
        }
        place.same("whole", out);
    }
}

#[test]
fn a_run_with_no_whole_checkpoint_is_refused_and_left_alone() {
    let place = Place::new();
    place.good(&run(&["run", "--epochs", "1"]));
    flip(&place, "run/last.safetensors");
    flip(&place, "run/previous.safetensors");
    let resume = ["train", "text.txt", "--out", "run", "--resume"];
    let parts = [
        "run/last.safetensors is damaged",
        "run/previous.safetensors is damaged",
        "--force",
    ];
    place.bad(&resume, 1, &parts);
    fs::remove_file(place.path("run/previous.safetensors")).unwrap();
    place.bad(&resume, 1, &["run/last.safetensors is damaged"]);
}

#[test]
fn a_damaged_best_is_kept_and_the_next_evaluation_writes_another() {
    let place = Place::new();
    place.good(&run(&["run", "--epochs", "2"]));
    let damaged = flip(&place, "run/best.safetensors");
    place.bad(
        &["eval", "run/best.safetensors", "text.txt"],
        1,
        &["best.safetensors is damaged"],
    );
    let more = [
        "train", "text.txt", "--out", "run", "--resume", "--epochs", "3",
    ];
    let output = place.run(&more);
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{message}");
    assert!(
        message.contains("it is kept as best.damaged-1.safetensors"),
        "{message}"
    );
    assert!(fs::read(place.path("run/best.damaged-1.safetensors")).unwrap() == damaged);
    place.checkpoint("run/best.safetensors");
}

/// The seal came later than the format: a file without it is read as before.
#[test]
fn checkpoints_without_a_seal_are_resumed() {
    let place = Place::new();
    place.good(&run(&["run", "--epochs", "1"]));
    place.good(&run(&["whole", "--epochs", "1"]));
    for name in ["last", "previous", "best"] {
        let path = format!("run/{name}.safetensors");
        let bytes = fs::read(place.path(&path)).unwrap();
        let (length, rest) = bytes.split_first_chunk::<8>().unwrap();
        let (header, numbers) = rest.split_at(u64::from_le_bytes(*length) as usize);
        let header = std::str::from_utf8(header).unwrap();
        let digits = &header[header.find("\"sha256\":\"").unwrap()..][..76];
        assert!(digits.ends_with("\","), "{digits}");
        let mut header = header.replacen(digits, "", 1).into_bytes();
        header.resize(header.len().next_multiple_of(8), b' ');
        let length = (header.len() as u64).to_le_bytes();
        place.write(&path, &[&length, &header[..], numbers].concat());
    }
    let more = |out| {
        place.good(&[
            "train", "text.txt", "--out", out, "--resume", "--epochs", "2", "-q",
        ])
    };
    more("run");
    more("whole");
    place.same("run", "whole");
}

#[test]
fn a_run_that_has_ended_says_so_and_more_epochs_are_on_record() {
    let place = Place::new();
    place.good(&run(&["run", "--epochs", "2"]));
    let before = place.snapshot();
    let resume = ["train", "text.txt", "--out", "run", "--resume"];
    let said = place.good(&resume);
    assert!(
        said.contains("nothing to do, this run has ended: all 2 epochs done"),
        "{said}"
    );
    assert!(
        said.contains("gatelet train text.txt --out run --resume --epochs 4"),
        "{said}"
    );
    // A change that would not train anything changes nothing.
    place.good(&[&resume[..], &["--lr", "0.001"]].concat());
    place.unchanged(&before, &resume);
    place.bad(
        &[&resume[..], &["--epochs", "1"]].concat(),
        2,
        &["--epochs is 1", "later epoch"],
    );
    place.bad(
        &[&resume[..], &["--hidden", "9"]].concat(),
        1,
        &["--hidden 9 differs from the run's 8"],
    );
    place.bad(&[&resume[..], &["--lr", "-1"]].concat(), 2, &["--lr is -1"]);

    let step = place
        .checkpoint("run/last.safetensors")
        .meta
        .position
        .unwrap()
        .step;
    let output = place.run(&[&resume[..], &["--epochs", "4", "--lr", "0.001"]].concat());
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{message}");
    assert!(
        message.contains(&format!("--epochs 4 instead of 2, from step {step} on")),
        "{message}"
    );
    assert!(message.contains("--lr 0.001 instead of 0.03"), "{message}");
    for name in ["last", "best"] {
        let meta = place.checkpoint(&format!("run/{name}.safetensors")).meta;
        let config = meta.config().unwrap();
        assert_eq!((config.epochs, config.lr), (4, 0.001), "{name}");
        let changes: Vec<_> = meta
            .provenance
            .changes
            .iter()
            .map(|c| (c.step, &c.option[..]))
            .collect();
        assert_eq!(changes, [(step, "epochs"), (step, "lr")], "{name}");
        let command = &meta.provenance.command;
        let record = format!(" # from step {step}: --resume --epochs 4 --lr 0.001");
        assert!(command.ends_with(&record), "{command}");
    }
    let config = fs::read_to_string(place.path("run/config.json")).unwrap();
    assert!(
        config.contains("\"epochs\": 4") && config.contains("\"changes\""),
        "{config}"
    );
    assert_eq!(
        place
            .checkpoint("run/last.safetensors")
            .meta
            .position
            .unwrap()
            .epoch,
        4
    );
}

/// The checkpoint may be older than the best net. With the same options that net comes again; with others it may not.
#[test]
fn a_changed_run_does_not_replace_a_better_net_from_its_former_future() {
    let place = Place::new();
    place.good(&run(&["run", "--epochs", "1"]));
    let early = fs::read(place.path("run/last.safetensors")).unwrap();
    let resume = [
        "train", "text.txt", "--out", "run", "--resume", "-q", "--epochs",
    ];
    place.good(&[&resume[..], &["8"]].concat());
    let best = fs::read(place.path("run/best.safetensors")).unwrap();
    place.write("run/last.safetensors", &early);
    fs::remove_file(place.path("run/previous.safetensors")).unwrap();

    place.good(&[&resume[..], &["2", "--lr", "0.001"]].concat());
    let meta = place.checkpoint("run/last.safetensors").meta;
    let lr = meta.config().unwrap().lr;
    let position = meta.position.unwrap();
    assert_eq!((lr, position.epoch), (0.001, 2));
    assert!(fs::read(place.path("run/best.safetensors")).unwrap() == best);
    // The lines of that future are gone from the metrics: they are not of this run any more.
    let lines = place.result("run").2;
    let steps = lines.iter().map(|line| line["step"].as_u64().unwrap());
    assert_eq!(steps.max().unwrap(), position.step);
}

#[test]
fn a_second_process_in_the_same_folder_is_refused() {
    let place = Place::new();
    let endless = run(&["run", "--epochs", "200000", "--patience", "0"]);
    let mut child = place
        .command(&endless)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    until("the first evaluation", || {
        place.path("run/loss.png").exists()
    });
    for mode in ["--resume", "--force"] {
        let output = place.run(&run(&["run", mode]));
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{message}");
        assert!(
            message.starts_with("error: run is in use") && message.lines().count() == 1,
            "{message}"
        );
    }
    // The lock goes with the process, however that goes.
    child.kill().unwrap();
    child.wait().unwrap();
    let metrics = fs::read(place.path("run/metrics.jsonl")).unwrap();
    assert!(
        !metrics.is_empty(),
        "--force has not cleared a folder in use"
    );
    let step = place
        .checkpoint("run/last.safetensors")
        .meta
        .position
        .unwrap()
        .epoch;
    place.good(&run(&[
        "run",
        "--resume",
        "--epochs",
        &(step + 1).to_string(),
    ]));
}

#[cfg(unix)]
#[test]
fn a_termination_is_as_good_as_ctrl_c() {
    let place = Place::new();
    let line = run(&[
        "run",
        "--epochs",
        "200000",
        "--patience",
        "0",
        "--save-every",
        "1000000",
    ]);
    let mut child = place
        .command(
            &line
                .iter()
                .filter(|w| !["0", "--save-every"].contains(w))
                .copied()
                .collect::<Vec<_>>(),
        )
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    until("the first evaluation", || {
        place.path("run/best.safetensors").exists()
    });
    crate::place::signal(&mut child, "-TERM");
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let position = place
        .checkpoint("run/last.safetensors")
        .meta
        .position
        .unwrap();
    assert_eq!(
        position.ended,
        Some(gatelet_trainer::train::End::Interrupted)
    );
}

#[test]
fn a_run_that_explodes_stops_with_a_good_checkpoint_and_a_way_on() {
    let place = Place::new();
    let net = "train text.txt --cell rnn --hidden 32 --batch 4 --window 16 --warmup 0 --eval-every 7 --save-every 0 -q --patience 0 --schedule constant";
    let line = |more: &[&'static str]| {
        net.split(' ')
            .chain(more.iter().copied())
            .collect::<Vec<_>>()
    };
    place.good(&line(&["--out", "run", "--epochs", "4"]));
    let good = place
        .checkpoint("run/best.safetensors")
        .meta
        .provenance
        .nats
        .unwrap();
    let best = fs::read(place.path("run/best.safetensors")).unwrap();

    let diverge = [
        "train", "text.txt", "--out", "run", "--resume", "-q", "--epochs", "40", "--lr", "10",
    ];
    let output = place.run(&diverge);
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(
        message.lines().count() == 1 && message.contains("training diverged: the loss is "),
        "{message}"
    );
    for part in [
        "for 50 windows",
        "run/last.safetensors is still good",
        "--lr below 10",
        "--clip below 1",
        "run/best.safetensors has",
    ] {
        assert!(message.contains(part), "no {part:?} in {message}");
    }
    assert!(
        fs::read(place.path("run/best.safetensors")).unwrap() == best,
        "the best net is untouched"
    );

    // The command it names is taken by the program, and with a small rate the net recovers.
    let command = message.split('`').nth(1).unwrap();
    assert_eq!(
        command,
        "gatelet train text.txt --out run --resume --lr 2.5"
    );
    place.good(&[
        "train", "text.txt", "--out", "run", "--resume", "-q", "--lr", "0.002", "--epochs", "14",
    ]);
    let after = place.checkpoint("run/best.safetensors").meta.provenance;
    assert!(
        after.nats.unwrap() < good,
        "{:?} is not below {good}",
        after.nats
    );
    let options: Vec<_> = after.changes.iter().map(|c| &c.option[..]).collect();
    assert_eq!(options, ["epochs", "lr", "epochs", "lr"]);
}
