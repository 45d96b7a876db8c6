//! Training without options on texts of any size, and what a run says of itself at its start and at its end.

use std::fs;

use serde_json::Value;

use crate::place::Place;

/// The first bytes of the novels, which are ASCII there.
fn novels(place: &Place, bytes: usize) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../corpora/novels.txt");
    place.write("novel.txt", &fs::read(path).unwrap()[..bytes]);
}

fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

/// Options of a run by its config.json.
fn config(place: &Place, run: &str) -> Value {
    let bytes = fs::read(place.path(run).join("config.json")).unwrap();
    serde_json::from_slice::<Value>(&bytes).unwrap()["config"].clone()
}

/// What train writes on standard error.
fn said(place: &Place, line: &str) -> String {
    let output = place.run(&words(line));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{line}: {said}");
    said
}

/// With 5,000 bytes the default options of earlier versions came to 3.98 nats, and a preset to 2.10.
#[test]
fn short_texts_give_good_nets_without_options() {
    let place = Place::new();
    for (bytes, most) in [(1000, 2.9), (2500, 2.5), (5000, 2.1)] {
        novels(&place, bytes);
        let line = "train novel.txt --out run --force -q --json";
        let result = place.json(&words(line));
        let nats = result["nats"].as_f64().unwrap();
        assert!(nats < most, "{bytes} bytes: {result}");
        assert!(
            nats < 0.98 * result["unigram_nats"].as_f64().unwrap(),
            "{result}"
        );
        assert_ne!(result["verdict"], "nothing-learnt", "{result}");
    }
}

/// A list of names of two kilobytes, which 32 streams of 64 characters do not fit into.
#[test]
fn batch_and_window_shrink_to_the_text_and_the_run_says_so() {
    let place = Place::new();
    let names = [
        "anna", "bela", "carl", "dora", "egon", "fritz", "gerda", "hans",
    ];
    let list: String = (0..330)
        .map(|i| format!("{}\n", names[i * 7 % 8]))
        .collect();
    place.write("names.txt", &list.as_bytes()[..1600]);
    let said = said(&place, "train names.txt --out run --epochs 2");
    let config = config(&place, "run");
    let (batch, window) = (
        config["batch"].as_u64().unwrap(),
        config["window"].as_u64().unwrap(),
    );
    assert!(batch < 32 && window < 64, "{config}");
    let line = said
        .lines()
        .find(|line| line.starts_with("recipe for "))
        .unwrap();
    assert!(
        line.contains(&format!("--batch {batch} --window {window}")),
        "{line}"
    );
    assert!(!line.contains("--epochs"), "it was given: {line}");
}

#[test]
fn less_than_a_kilobyte_is_refused_with_a_remedy_that_works() {
    let place = Place::new();
    novels(&place, 999);
    let line = "train novel.txt --out run";
    place.bad(
        &words(line),
        1,
        &["999 bytes", "1000 are needed", "--batch 2 --window 8"],
    );
    place.good(&words(&format!(
        "{line} --batch 2 --window 8 --epochs 2 -q"
    )));
}

#[test]
fn what_is_given_wins_and_the_recorded_command_makes_the_same_net() {
    let place = Place::new();
    novels(&place, 1500);
    let line = "train novel.txt --out run --hidden 12 --epochs 6 --lr 0.007 --dropout 0.15 -q";
    place.good(&words(line));
    let all = config(&place, "run");
    assert_eq!(
        (&all["lr"], &all["dropout"], &all["epochs"]),
        (&0.007.into(), &0.15.into(), &6.into())
    );
    let bytes = fs::read(place.path("run/config.json")).unwrap();
    let all: Value = serde_json::from_slice(&bytes).unwrap();
    let command = all["provenance"]["command"].as_str().unwrap();
    let command = command.strip_prefix("gatelet ").unwrap();
    place.good(&words(&format!("{command} --out again -q")));
    place.same("run", "again");
    assert_eq!(config(&place, "run"), config(&place, "again"));
}

#[test]
fn a_number_of_characters_ends_a_run_within_an_epoch() {
    let place = Place::new();
    let line = "train text.txt --out run --hidden 8 --batch 4 --window 16 --epochs 9 --characters 640 -q --json";
    let result = place.json(&words(line));
    assert_eq!(
        (&result["characters"], &result["ended"]),
        (&640.into(), &"finished".into())
    );
    let more = place.json(&words(
        "train text.txt --out run --resume --characters 1280 -q --json",
    ));
    assert_eq!(more["characters"], 1280);
    place.bad(
        &words("train text.txt --out new --characters 0"),
        2,
        &["--characters", "it has to"],
    );
}

/// train, report, compare and sweep say the same of a run, by its curve.
#[test]
fn every_command_gives_the_same_verdict() {
    let place = Place::new();
    novels(&place, 2500);
    let net = "--hidden 48 -q --json";
    for (run, options, verdict) in [
        ("short", "--epochs 3", "improving"),
        (
            "heart",
            "--epochs 60 --dropout 0 --patience 0",
            "overfitted",
        ),
        (
            "early",
            "--epochs 60 --dropout 0 --patience 6",
            "overfitted",
        ),
        ("idle", "--epochs 3 --lr 1e-7", "nothing-learnt"),
    ] {
        let trained = place.json(&words(&format!(
            "train novel.txt --out {run} {net} {options}"
        )));
        assert_eq!(trained["verdict"], verdict, "{run}: {trained}");
        let report = place.json(&words(&format!("report {run} --json")));
        let judgement = &report["judgement"];
        for key in ["verdict", "reason", "advice"] {
            assert_eq!(judgement[key], trained[key], "{run}");
        }
        let page = fs::read_to_string(place.path(run).join("report/index.html")).unwrap();
        assert!(
            page.contains(judgement["reason"].as_str().unwrap()),
            "{run}"
        );
        let compared = place.json(&words(&format!("compare {run} --json")));
        assert_eq!(compared["runs"][0]["verdict"], verdict, "{run}");
    }
    // What is said to be still improving gets better by what is advised.
    let before = place.json(&words("train novel.txt --out short --resume -q --json"));
    let advice = before["advice"].as_str().unwrap();
    let option = advice
        .split("--resume ")
        .nth(1)
        .unwrap()
        .trim_end_matches(')');
    let after = place.json(&words(&format!(
        "train novel.txt --out short --resume {option} -q --json"
    )));
    assert!(
        after["nats"].as_f64() < before["nats"].as_f64(),
        "{before} {after}"
    );
    // And what has overfitted gets better with the dropout that is advised.
    let heart = place.json(&words("train novel.txt --out heart --resume -q --json"));
    let advice = heart["advice"].as_str().unwrap();
    let dropout = advice
        .split("--dropout ")
        .nth(1)
        .unwrap()
        .split(' ')
        .next()
        .unwrap();
    let line =
        format!("train novel.txt --out less {net} --epochs 60 --patience 0 --dropout {dropout}");
    let less = place.json(&words(&line));
    assert!(
        less["nats"].as_f64() < heart["nats"].as_f64(),
        "{heart} {less}"
    );
}

#[test]
fn jobs_of_a_sweep_follow_the_text_too() {
    let place = Place::new();
    novels(&place, 1500);
    let line = "sweep novel.txt --out s --hidden 4,8 --epochs 2 --json";
    let swept = place.json(&words(line));
    assert!(swept["jobs"][0]["verdict"].is_string(), "{swept}");
    let config = config(&place, "s/lstm-1x8");
    assert!(config["batch"].as_u64() < Some(32), "{config}");
    novels(&place, 900);
    place.bad(&words("sweep novel.txt --out t"), 1, &["1000 are needed"]);
}
