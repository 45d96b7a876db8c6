//! `sweep` of nets of words and of bytes.

use std::fs;

use serde_json::Value;

use crate::place::Place;

/// A sweep of nets of 15 words: `more` before the options of the jobs.
fn line(more: &[&'static str]) -> Vec<&'static str> {
    let mut line = vec!["sweep", "text.txt", "--out", "s", "--level", "word"];
    line.extend(more);
    line.extend(["--", "--max-vocab", "15", "--batch", "4", "--window", "8"]);
    line
}

/// Seven shapes: all of hidden, embedding and projection, tied or not, but one that cannot be;
/// for a processor with the layout that `export` writes.
const SHAPES: [&str; 11] = [
    "--hidden",
    "8,12",
    "--embedding",
    "8",
    "--projection",
    "0,8",
    "--tied=false,true",
    "--epochs",
    "2",
    "--board",
    "cortex-m0",
];

fn jobs(result: &Value) -> &[Value] {
    result["jobs"].as_array().expect("jobs")
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

fn number(value: &Value) -> usize {
    value.as_u64().expect("a number") as usize
}

/// Asserts that a job needs the flash that the sweep said: its image is at most 64 bytes smaller.
fn costs_what_was_said(place: &Place, job: &Value) {
    let model = format!("{}/best.safetensors", text(&job["folder"]));
    let image = format!("{}.gatelet", text(&job["name"]));
    // The nets are hardly trained; their size is what counts.
    place.good(&["export", &model, "--out", &image, "--accept-loss"]);
    let bytes = fs::metadata(place.path(&image)).unwrap().len() as usize;
    let spare = number(&job["flash"]).checked_sub(bytes);
    assert!(
        spare.is_some_and(|spare| spare <= 64),
        "{job}: the image has {bytes} bytes"
    );
}

#[test]
fn a_sweep_of_words_has_its_front_and_costs_what_it_says() {
    let place = Place::new();
    let result = place.json(&line(&[&SHAPES[..], &["--json"]].concat()));
    assert_eq!(
        (text(&result["level"]), text(&result["unit"])),
        ("word", "token")
    );
    let mut names: Vec<&str> = jobs(&result).iter().map(|job| text(&job["name"])).collect();
    names.sort_unstable();
    let all = [
        "lstm-1x12-e8",
        "lstm-1x12-e8-p8",
        "lstm-1x12-e8-p8-tied",
        "lstm-1x8-e8",
        "lstm-1x8-e8-p8",
        "lstm-1x8-e8-p8-tied",
        "lstm-1x8-e8-tied",
    ];
    assert_eq!(names, all);
    let point = |job: &Value| (number(&job["flash"]), job["nats"].as_f64().unwrap());
    let on: Vec<&str> = result["front"]
        .as_array()
        .unwrap()
        .iter()
        .map(text)
        .collect();
    for job in jobs(&result) {
        assert_eq!(job["state"], "done");
        let (flash, nats) = point(job);
        let mut others = jobs(&result).iter().map(point);
        let beaten = others.any(|(f, n)| f <= flash && n <= nats && (f, n) != (flash, nats));
        assert_eq!(on.contains(&text(&job["name"])), !beaten, "{job}");
        costs_what_was_said(&place, job);
    }
    let tied = jobs(&result)
        .iter()
        .find(|job| text(&job["name"]) == all[2]);
    let config = fs::read(place.path("s/lstm-1x12-e8-p8-tied/config.json")).unwrap();
    let config: Value = serde_json::from_slice(&config).unwrap();
    assert_eq!(config["shape"], tied.unwrap()["shape"]);
    assert_eq!(config["config"]["level"], "word");

    let page = place.json(&["report", "s/lstm-1x12-e8-p8-tied", "--json"]);
    assert_eq!(page["unit"], "token");
    // Again: nothing is trained, and what is shown is of tokens.
    let output = place.run(&line(&SHAPES));
    assert!(output.status.success() && output.stderr.is_empty());
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(
        shown.contains("bits/token") && shown.contains("7 of 7 jobs done"),
        "{shown}"
    );
    assert_eq!(
        place.good(&line(&[&SHAPES[..], &["--print-jobs"]].concat())),
        ""
    );
}

#[test]
fn a_begun_job_of_words_is_resumed_to_the_same_net() {
    let place = Place::new();
    let shape = [
        "--hidden",
        "8",
        "--embedding",
        "8",
        "--tied",
        "--epochs",
        "300",
    ];
    let print = line(&[&shape[..], &["--print-jobs"]].concat());
    let job = place.good(&print);
    let words = "train text.txt --out s/lstm-1x8-e8-tied --cell lstm --hidden 8 --layers 1 \
                 --embedding 8 --tied --level word --epochs 300 --max-vocab 15 --batch 4 \
                 --window 8";
    assert!(job.trim_end().ends_with(words), "{job}");
    let begun: Vec<&str> = words.split(' ').collect();
    let mut child = place.command(&begun).arg("-q").spawn().unwrap();
    crate::place::until("a checkpoint", || {
        place.path("s/lstm-1x8-e8-tied/last.safetensors").is_file()
    });
    child.kill().unwrap();
    child.wait().unwrap();
    let job = place.good(&print);
    assert!(
        job.trim_end()
            .ends_with("train text.txt --out s/lstm-1x8-e8-tied --resume"),
        "{job}"
    );
    let shown = place.good(&line(&shape));
    assert!(shown.contains("1 of 1 jobs done"), "{shown}");
    let straight = words.replace("s/lstm-1x8-e8-tied", "straight") + " -q";
    place.good(&straight.split(' ').collect::<Vec<_>>());
    place.same("s/lstm-1x8-e8-tied", "straight");
}

#[test]
fn a_budget_counts_the_words() {
    let place = Place::new();
    let look = [&SHAPES[..], &["--front", "--json"]].concat();
    let all = place.json(&line(&look));
    let most = number(&jobs(&all)[3]["flash"]).to_string();
    let within = ["--max-flash", &*most.leak()];
    let some = place.json(&line(&[&look[..], &within].concat()));
    assert!(!jobs(&some).is_empty() && jobs(&some).len() < 7);
    assert!(
        jobs(&some)
            .iter()
            .all(|job| number(&job["flash"]) <= number(&jobs(&all)[3]["flash"]))
    );
    place.bad(
        &line(&[&SHAPES[..], &["--max-flash", "1KiB"]].concat()),
        1,
        &[
            "the smallest, lstm-1x8-e8-tied, needs",
            "bytes of flash (--max-flash 1,024)",
            "a smaller --max-vocab",
        ],
    );
    place.bad(
        &line(&[&SHAPES[..], &["--max-instructions", "10"]].concat()),
        1,
        &["instructions a token (--max-instructions 10)"],
    );
    // The same shapes of more words need more.
    let mut fewer = line(&look);
    let at = fewer.iter().position(|word| *word == "15").unwrap();
    fewer[at] = "9";
    let fewer = place.json(&fewer);
    assert!(number(&jobs(&fewer)[0]["flash"]) < number(&jobs(&all)[0]["flash"]));
    assert!(!place.path("s").exists(), "looking leaves nothing");
}

#[test]
fn what_cannot_be_is_said_in_a_sentence() {
    let place = Place::new();
    let tied = ["--tied is true", "no --embedding of the sweep is as large"];
    place.bad(&line(&["--tied"]), 2, &tied);
    place.bad(
        &line(&["--tied", "--embedding", "8", "--hidden", "12"]),
        2,
        &tied,
    );
    let width = "each has to be 0 or from 4 to 1024";
    place.bad(
        &line(&["--embedding", "8,3"]),
        2,
        &["--embedding is 3", width],
    );
    place.bad(
        &line(&["--projection", "1025"]),
        2,
        &["--projection is 1025", width],
    );
    let ours = "the sweep sets it itself";
    for (option, value) in [
        ("--level", "char"),
        ("--embedding", "8"),
        ("--projection", "8"),
    ] {
        let more = [&line(&[])[..], &[option, value]].concat();
        place.bad(&more, 2, &[option, ours]);
    }
    place.bad(
        &[&line(&[])[..], &["--tied"]].concat(),
        2,
        &["--tied", ours],
    );
    place.bad(
        &[&line(&[])[..], &["--keep-cr"]].concat(),
        2,
        &["--keep-cr", "have no CR"],
    );

    // Losses of words and of characters are not set side by side.
    let small = ["--hidden", "4", "--cell", "rnn", "--epochs", "1"];
    place.good(&line(&small));
    let characters: Vec<&str> = line(&small)
        .into_iter()
        .filter(|word| !["--level", "word"].contains(word))
        .collect();
    let other = [
        "s holds a sweep with another set of options",
        "--level word",
    ];
    place.bad(&characters, 1, &other);
}

#[test]
fn bytes_are_swept_too() {
    let place = Place::new();
    let result = place.json(&[
        "sweep",
        "text.txt",
        "--out",
        "s",
        "--level",
        "byte",
        "--hidden",
        "4",
        "--embedding",
        "0,4",
        "--epochs",
        "1",
        "--board",
        "cortex-m0",
        "--json",
        "--",
        "--batch",
        "4",
        "--window",
        "16",
    ]);
    assert_eq!(text(&result["unit"]), "byte");
    assert_eq!(jobs(&result).len(), 2);
    for job in jobs(&result) {
        assert_eq!(job["shape"]["vocab"], 256);
        costs_what_was_said(&place, job);
    }
}
