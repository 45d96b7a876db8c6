//! `compare` of runs on sequences: figures, curves, and what has no figure in common.

use std::fs;

use crate::place::Place;
use crate::sequences::place;

/// Trains a small net on the waves.
fn train(place: &Place, out: &str, task: &str, target: &str, more: &[&str]) {
    let of_task = ["--task", task, "--features", "a,b", "--target", target];
    let short = ["--group", "id", "--epochs", "3", "-q", "--out", out];
    place.good(&[&["train", "waves.csv"], &of_task[..], &short, more].concat());
}

#[test]
fn runs_of_a_task_stand_side_by_side_with_their_figures_and_curves() {
    let place = place();
    for (out, cell, hidden) in [("small", "rnn", "4"), ("large", "gru", "12")] {
        let net = ["--cell", cell, "--hidden", hidden];
        train(&place, out, "classify", "kind", &net);
    }
    let line = ["compare", "small", "large", "--plot", "picture"];
    let shown = place.good(&line);
    let lines: Vec<&str> = shown.lines().collect();
    let heading: Vec<&str> = lines[0].split_whitespace().collect();
    for name in ["accuracy", "loss", "sequences", "sequences/s", "verdict"] {
        assert!(heading.contains(&name), "{name}: {shown}");
    }
    assert!(lines[1].starts_with("small  rnn   1 x 4"), "{shown}");
    assert!(lines[2].starts_with("large  gru   1 x 12"), "{shown}");
    assert!(!shown.contains("bits"), "{shown}");
    let png = fs::read(place.path("picture/compare.png")).unwrap();
    assert!(png.starts_with(b"\x89PNG") && place.path("picture/compare.svg").is_file());

    let by_figure = ["compare", "small", "large", "--sort", "figure", "--json"];
    let json = place.json(&by_figure);
    let runs = json["runs"].as_array().unwrap();
    let figure = |run: &serde_json::Value| run["figure"].as_f64().unwrap();
    assert!(figure(&runs[0]) >= figure(&runs[1]), "{json}");
    for run in runs {
        assert_eq!(run["best"], figure(run) == figure(&runs[0]), "{json}");
        assert_eq!(run["task"], "classify");
        assert!(run["bpc"].is_null() && run["net"].as_str().unwrap().starts_with("features 2 |"));
        // The size is that of the image, but for the few bytes in which headers differ.
        let name = run["name"].as_str().unwrap();
        let (best, image) = (
            format!("{name}/best.safetensors"),
            format!("{name}.gatelet"),
        );
        let export = [
            "export",
            &best,
            "--out",
            &image,
            "--target",
            "cortex-m4",
            "--accept-loss",
        ];
        place.good(&export);
        let bytes = fs::metadata(place.path(&image)).unwrap().len();
        let told = run["int8_bytes"].as_u64().unwrap();
        assert!(
            told.checked_sub(bytes).is_some_and(|spare| spare <= 64),
            "{told} {bytes}"
        );
    }
}

#[test]
fn what_has_no_figure_in_common_is_refused_and_other_data_is_said() {
    let place = place();
    train(&place, "kind", "classify", "kind", &[]);
    train(&place, "rest", "regress", "rest", &[]);
    train(&place, "seed", "classify", "kind", &["--seed", "2"]);
    place.train("text");
    let common = "they have no figure in common";
    let tasks = [
        "kind is of --task classify",
        "rest is of --task regress",
        common,
    ];
    place.bad(&["compare", "kind", "rest"], 1, &tasks);
    let kinds = ["text is on a text", "kind is of --task classify", common];
    place.bad(&["compare", "text", "kind"], 1, &kinds);

    let shown = place.good(&["compare", "kind", "seed"]);
    assert!(shown.contains("hold out other parts of it"), "{shown}");
    let waves = fs::read_to_string(place.path("waves.csv")).unwrap();
    place.write("waves.csv", waves.replace("s1,", "t1,").as_bytes());
    train(&place, "other", "classify", "kind", &[]);
    let json = place.json(&["compare", "kind", "other", "--json"]);
    let runs = json["runs"].as_array().unwrap();
    assert!(runs.iter().all(|run| run["best"] == false), "{json}");
    let shown = place.good(&["compare", "kind", "other"]);
    assert!(shown.contains("different data"), "{shown}");
}
