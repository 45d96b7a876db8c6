//! `report` and `compare`: what they write and say, and what they leave alone.

use std::fs;

use crate::place::{Place, TEXT};

const FILES: [&str; 8] = [
    "confusion.png",
    "gates.png",
    "gradient-by-lag.png",
    "gradient-norm.png",
    "index.html",
    "learning-rate.png",
    "loss.png",
    "report.json",
];

#[test]
fn a_report_is_one_page_that_needs_nothing_else() {
    let place = Place::new();
    place.train("run");
    let numbers = place.json(&["report", "run", "--json"]);
    let mut names: Vec<String> = fs::read_dir(place.path("run/report"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, FILES);
    let page = fs::read_to_string(place.path("run/report/index.html")).unwrap();
    for id in [
        "essential",
        "learning",
        "samples",
        "lag",
        "gates",
        "confusion",
        "device",
        "origin",
    ] {
        assert!(page.contains(&format!("<section id=\"{id}\">")), "{id}");
    }
    // No script, and nothing is loaded: addresses are data, a file beside the page, or a name space.
    assert!(!page.contains("<script") && !page.contains("<link") && !page.contains("@import"));
    for (at, _) in page.match_indices("://") {
        let before = &page[at.saturating_sub(11)..at];
        assert!(before.ends_with("xmlns=\"http"), "{before}");
    }
    for part in page.split(" src=\"").chain(page.split(" href=\"")).skip(2) {
        let address = part.split('"').next().unwrap();
        let beside = FILES.contains(&address) || address.starts_with("data:image/png;base64,");
        assert!(beside || part.starts_with("<!DOCTYPE"), "{address:.80}");
    }
    // The numbers are those that other commands give.
    let eval = place.json(&[
        "eval",
        "run/best.safetensors",
        "text.txt",
        "--split",
        "valid",
        "--json",
    ]);
    for key in ["nats", "top1", "top3", "tokens"] {
        assert_eq!(numbers["confusion"]["scores"][key], eval[key], "{key}");
    }
    place.good(&[
        "export",
        "run/best.safetensors",
        "--out",
        "m.gatelet",
        "--target",
        "cortex-m4",
    ]);
    let bytes = fs::metadata(place.path("m.gatelet")).unwrap().len();
    assert_eq!(numbers["device"]["boards"][0]["model"], bytes);
    let inspect = place.json(&["inspect", "m.gatelet", "--json"]);
    assert_eq!(numbers["device"]["session_bytes"], inspect["ram_bytes"]);
    assert_eq!(numbers["device"]["macs"], inspect["macs_per_step"]);
    // Every cell, over all lags of the window.
    let reach = numbers["reach"].as_array().unwrap();
    let names: Vec<&str> = reach.iter().map(|r| r["name"].as_str().unwrap()).collect();
    let untrained = ["lstm, untrained", "gru, untrained", "rnn, untrained"];
    assert_eq!(names, [&["this net"][..], &untrained].concat());
    assert!(
        reach
            .iter()
            .all(|r| r["lags"]["h"].as_array().unwrap().len() == 17)
    );
    // One sample an evaluation, and the last of them is shown.
    let samples = numbers["samples"].as_array().unwrap();
    assert_eq!(samples.len(), 2);
    assert_eq!(samples[1]["text"].as_str().unwrap().chars().count(), 200);
    assert!(page.contains(samples[1]["text"].as_str().unwrap()));
    // The same again gives the same bytes.
    let first = place.snapshot();
    place.good(&["report", "run"]);
    assert_eq!(place.snapshot(), first);
}

#[test]
fn files_of_others_are_left_alone() {
    let place = Place::new();
    place.train("run");
    fs::create_dir(place.path("run/report")).unwrap();
    place.write("run/report/index.html", b"mine");
    let refused = ["run/report/index.html is not a page of `gatelet report`"];
    place.bad(&["report", "run"], 1, &refused);
    place.bad(&["report", "run", "--force"], 1, &refused);
    fs::remove_file(place.path("run/report/index.html")).unwrap();
    place.write("run/report/notes.txt", b"mine too");
    place.good(&["report", "run"]);
    assert!(fs::read(place.path("run/report/index.html")).unwrap().len() > 10_000);
    // From now on the page is its own, and what it did not make stays.
    place.good(&["report", "run"]);
    assert_eq!(
        fs::read(place.path("run/report/notes.txt")).unwrap(),
        b"mine too"
    );
    place.write("run/other.json", b"{}");
    place.bad(
        &["report", "run", "--out", "text.txt"],
        1,
        &["text.txt is not a folder"],
    );
    fs::create_dir(place.path("elsewhere")).unwrap();
    place.write("elsewhere/gates.png", b"a picture");
    place.bad(
        &["report", "run", "--out", "elsewhere"],
        1,
        &["elsewhere/gates.png"],
    );
    // A picture of this program, but of another report: for that there is --force.
    fs::copy(
        place.path("run/loss.png"),
        place.path("elsewhere/gates.png"),
    )
    .unwrap();
    let elsewhere = ["report", "run", "--out", "elsewhere"];
    place.bad(
        &elsewhere,
        1,
        &["elsewhere/gates.png exists already", "--force"],
    );
    place.good(&[&elsewhere[..], &["--force"]].concat());
}

#[test]
fn what_a_report_cannot_be_made_of_is_said_in_one_line() {
    let place = Place::new();
    place.train("run");
    place.bad(
        &["report", "nothing"],
        1,
        &["nothing is no run folder: it does not exist"],
    );
    place.bad(&["report", "text.txt"], 1, &["text.txt is no model"]);
    let checkpoint = ["report", "run/best.safetensors"];
    place.bad(&checkpoint, 2, &["trained on a text", "run folder"]);
    place.bad(&["report", "run", "--layer", "2"], 2, &["--layer is 2"]);
    place.bad(&["report", "run", "--text", ""], 2, &["--text is empty"]);
    place.bad(
        &["report", "run", "--text", "it É"],
        1,
        &["--text", "'É'", "position 3"],
    );
    place.write("other.txt", TEXT.replace('t', "T").repeat(30).as_bytes());
    place.bad(
        &["report", "run", "--corpus", "other.txt"],
        1,
        &["other.txt", "not what the run was trained on"],
    );
    place.good(&[
        "train",
        "other.txt",
        "--out",
        "second",
        "--hidden",
        "8",
        "--epochs",
        "1",
        "--batch",
        "4",
        "--window",
        "16",
        "-q",
    ]);
    place.bad(
        &["report", "run", "--against", "second"],
        1,
        &["--against second"],
    );
    place.bad(
        &["report", "run", "--against", "third"],
        1,
        &["third is no run folder"],
    );
    fs::rename(place.path("text.txt"), place.path("moved.txt")).unwrap();
    place.bad(
        &["report", "run"],
        1,
        &["text.txt", "is not here", "--corpus FILE"],
    );
    place.good(&["report", "run", "--corpus", "moved.txt"]);
    fs::write(place.path("run/best.safetensors"), b"short").unwrap();
    place.bad(
        &["report", "run", "--corpus", "moved.txt"],
        1,
        &["run/best.safetensors"],
    );
}

#[test]
fn names_and_texts_are_escaped() {
    let place = Place::new();
    let text = "<script>alert(1)</script> & \"quoted\" 'text' ".repeat(60);
    place.write("a & <b>.txt", text.as_bytes());
    place.good(&[
        "train",
        "a & <b>.txt",
        "--out",
        "<i>run",
        "--cell",
        "rnn",
        "--hidden",
        "12",
        "--layers",
        "2",
        "--epochs",
        "3",
        "--batch",
        "4",
        "--window",
        "16",
        "-q",
    ]);
    place.good(&["report", "<i>run", "--layer", "1", "--text", "<script>"]);
    let page = fs::read_to_string(place.path("<i>run/report/index.html")).unwrap();
    assert!(!page.contains("<script") && !page.contains("<i>") && !page.contains("<b>.txt"));
    assert!(page.contains("&lt;i&gt;run") && page.contains("a &amp; &lt;b&gt;.txt"));
}

#[test]
fn compare_shows_every_run_and_names_what_is_none() {
    let place = Place::new();
    place.train("one");
    place.good(&[
        "train", "text.txt", "--out", "two", "--cell", "rnn", "--hidden", "16", "--layers", "2",
        "--epochs", "9", "--batch", "4", "--window", "16", "-q",
    ]);
    let output = place.run(&["compare", "one", "nothing", "two", "--json"]);
    assert!(output.status.success());
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(
        stderr,
        "note: nothing is no run folder: it does not exist\n"
    );
    let stdout = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<&str> = stdout.lines().collect();
    assert_eq!(lines.len(), 4, "{stdout}");
    assert!(lines[0].starts_with("run  cell  shape") && lines[1].starts_with("one  lstm  1 x 8"));
    assert!(lines[2].starts_with("two  rnn   2 x 16"));
    let json: serde_json::Value = serde_json::from_str(lines[3]).unwrap();
    let runs = json["runs"].as_array().unwrap();
    let nats = |i: usize| runs[i]["nats"].as_f64().unwrap();
    let best = if nats(0) < nats(1) { 0 } else { 1 };
    for (i, run) in runs.iter().enumerate() {
        assert_eq!(run["best"], i == best);
        assert_eq!(lines[i + 1].ends_with('*'), i == best);
        assert_eq!(run["ended"], "finished");
    }
    assert_eq!(json["not_runs"][0]["path"], "nothing");
    let sorted = place.json(&["compare", "two", "one", "--sort", "nats", "--json"]);
    assert_eq!(sorted["runs"][0]["best"], true);
    // The size is that of the image, but for the few bytes in which headers differ.
    place.good(&[
        "export",
        "two/best.safetensors",
        "--out",
        "m.gatelet",
        "--target",
        "cortex-m4",
    ]);
    let bytes = fs::metadata(place.path("m.gatelet")).unwrap().len();
    assert!(runs[1]["int8_bytes"].as_u64().unwrap().abs_diff(bytes) <= 64);

    place.bad(
        &["compare", "nothing", "text.txt"],
        1,
        &[
            "nothing is no run folder",
            "text.txt is no run folder: it is a file",
        ],
    );
}

#[test]
fn losses_on_different_texts_are_not_compared() {
    let place = Place::new();
    place.train("one");
    place.write("text.txt", TEXT.repeat(20).as_bytes());
    place.train("two");
    let json = place.json(&["compare", "one", "two", "--json"]);
    assert!(
        json["runs"]
            .as_array()
            .unwrap()
            .iter()
            .all(|run| run["best"] == false)
    );
    assert!(
        place
            .good(&["compare", "one", "two"])
            .contains("different texts")
    );
}
