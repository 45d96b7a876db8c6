//! Lists: recognised, learnt line by line, and begun after a line break by every command.

use std::collections::BTreeSet;

use crate::place::Place;

/// Different names, sorted.
fn names() -> Vec<String> {
    let name = |i: usize| {
        let (a, b, c) = (i % 11, i / 11 % 7, i * 5 % 13);
        let last = ["", "n", "ra"][i % 3];
        let name = format!(
            "{}{}{}{last}",
            &"BDFGKLMNPRST"[a..=a],
            &"aeiouy a"[b..=b].trim(),
            &"bdfgklmnprstv"[c..=c]
        );
        name + &"aeio"[i % 4..=i % 4]
    };
    let names: BTreeSet<String> = (0..700).map(name).collect();
    names.into_iter().collect()
}

fn place() -> Place {
    let place = Place::new();
    let names = names();
    place.write("names.txt", (names.join("\n") + "\n").as_bytes());
    let other = (0..names.len()).map(|i| names[i * 101 % names.len()].as_str());
    let other: Vec<&str> = other.collect();
    place.write("other.txt", other.join("\n").as_bytes());
    place
}

const SMALL: &str = "--hidden 8 --batch 4 --window 16 --patience 0";

/// Trains with a small net; gives what was said.
fn train(place: &Place, text: &str, out: &str, more: &[&str]) -> String {
    let mut line = vec!["train", text, "--out", out];
    line.extend(SMALL.split(' ').chain(more.iter().copied()));
    if !more.contains(&"--epochs") {
        line.extend(["--epochs", "2"]);
    }
    let output = place.run(&line);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{line:?}: {stderr}");
    stderr
}

#[test]
fn a_list_is_recognised_said_and_can_be_refused() {
    let place = place();
    let lines = |run: &str| {
        place
            .checkpoint(&format!("{run}/best.safetensors"))
            .meta
            .config
            .unwrap()
            .lines
    };
    let said = train(&place, "names.txt", "list", &[]);
    let count = names().len().to_string();
    for part in ["list of", &count, "--no-lines", "sorted", "held out"] {
        assert!(said.contains(part), "no {part:?} in {said}");
    }
    assert!(lines("list"));
    let said = train(&place, "other.txt", "other", &[]);
    assert!(
        said.contains("list of") && !said.contains("sorted"),
        "{said}"
    );
    let said = train(&place, "names.txt", "one", &["--no-lines"]);
    assert!(
        !said.contains("list of") && said.contains("sorted"),
        "{said}"
    );
    assert!(!lines("one"));
    // A text that is none is taken for none, but may be learnt so.
    place.write(
        "prose.txt",
        "It is a truth,\nuniversally acknowledged,\n\nthat a net learns.\n"
            .repeat(30)
            .as_bytes(),
    );
    let said = train(&place, "prose.txt", "prose", &[]);
    assert!(!said.contains("list") && !lines("prose"), "{said}");
    train(
        &place,
        "prose.txt",
        "forced",
        &["--lines", "--valid-fraction", "0.3"],
    );
    assert!(lines("forced"));
    let few = "train prose.txt --out x --lines --max-vocab 3 --quiet";
    place.bad(&few.split(' ').collect::<Vec<_>>(), 2, &["max-vocab"]);
    assert_eq!(
        place
            .run(&["train", "names.txt", "--out", "x", "--lines", "--no-lines"])
            .status
            .code(),
        Some(2)
    );
}

#[test]
fn every_command_begins_a_line_after_a_line_break() {
    let place = place();
    train(&place, "names.txt", "run", &[]);
    let (model, image) = ("run/best.safetensors", "m.gatelet");
    place.good(&["export", model, "--out", image, "--accept-loss"]);
    for model in [model, image] {
        let likely = |prefix: &str| {
            place.json(&["predict", model, prefix, "--top", "9", "--json"])["suggestions"].clone()
        };
        let fresh = likely("");
        assert_eq!(fresh, likely("\n"), "{model}");
        assert_eq!(
            fresh,
            likely("Bab\n"),
            "{model}: nothing of a line reaches the next"
        );
        assert_ne!(fresh, likely("B"));
        assert!(place.good(&["inspect", model]).contains("line by line"));
        let written = place.json(&["generate", model, "--length", "60", "--json"]);
        let again = place.json(&[
            "generate", model, "--length", "60", "--prompt", "Fa\n", "--json",
        ]);
        assert_eq!(written["text"], again["text"], "{model}");
        // Which lines are held out does not depend on their order, nor on what says so.
        let valid = |text: &str| {
            let found = place.json(&["eval", model, text, "--split", "valid", "--json"]);
            (
                found["tokens"].as_u64().unwrap(),
                found["nats"].as_f64().unwrap(),
            )
        };
        let (tokens, nats) = valid("names.txt");
        assert_eq!(valid("other.txt").0, tokens, "{model}");
        assert!((valid("other.txt").1 - nats).abs() < 1e-9);
        let whole = place.json(&["eval", model, "names.txt", "--json"]);
        let all: usize = names().iter().map(|name| name.chars().count() + 1).sum();
        assert_eq!(whole["tokens"].as_u64(), Some(all as u64));
        assert!(
            tokens < all as u64 / 7 && tokens > all as u64 / 14,
            "{tokens} of {all}"
        );
    }
    let evaluated = place.json(&["eval", model, "names.txt", "--split", "valid", "--json"]);
    let best = place.checkpoint(model).meta.provenance.nats.unwrap();
    assert!(
        (evaluated["nats"].as_f64().unwrap() - best).abs() < 1e-3,
        "{evaluated} {best}"
    );
    place.good(&["explain", model]);
    place.good(&["trace", image, "names.txt"]);
    place.good(&["report", "run"]);
    let sample = std::fs::read_to_string(place.path("run/samples.jsonl")).unwrap();
    assert!(
        sample.lines().all(|line| line.contains("\"prompt\":\"\"")),
        "{sample}"
    );
    // The command on record makes the same net, whatever the text looks like by then.
    let command = place.checkpoint(model).meta.provenance.command;
    assert!(command.contains(" --lines"), "{command}");
}

#[test]
fn a_run_on_a_list_goes_on_as_one() {
    let place = place();
    train(&place, "names.txt", "whole", &["--epochs", "3"]);
    train(
        &place,
        "names.txt",
        "parts",
        &["--epochs", "1", "--schedule", "constant"],
    );
    let resume = ["train", "names.txt", "--out", "parts", "--resume"];
    place.good(&[&resume[..], &["--epochs", "3", "--quiet"]].concat());
    assert!(
        place
            .checkpoint("parts/last.safetensors")
            .config()
            .unwrap()
            .lines
    );
    place.bad(&[&resume[..], &["--no-lines"]].concat(), 1, &["lines"]);
    // Trained on for integers it is still a list, held-out lines and all.
    let float = "whole/best.safetensors";
    let line = [
        "train",
        "names.txt",
        "--out",
        "aware",
        "--qat",
        float,
        "--epochs",
        "1",
        "--quiet",
    ];
    place.good(&line);
    let aware = place.checkpoint("aware/best.safetensors");
    assert!(aware.config().unwrap().lines);
    place.bad(
        &[&line[..3], &["x", "--qat", float, "--no-lines"]].concat(),
        2,
        &["lines"],
    );
}
