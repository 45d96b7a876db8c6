//! Runs on sequences of numbers: every task from a file to an image, and what is refused.

use std::fmt::Write as _;

use gatelet_trainer::net::Role;
use gatelet_trainer::train::checkpoint::Checkpoint;

use crate::place::Place;
use crate::tones;

/// 40 sequences of 8 to 12 steps: a wave and its double, fast or slow.
pub(crate) fn table() -> String {
    let mut text = String::from("id,a,b,kind,rest\n");
    for id in 0..40_u32 {
        let speed = if id % 2 == 1 { 1.5 } else { 0.4 };
        let kind = if id % 2 == 1 { "fast" } else { "slow" };
        for t in 0..8 + id % 5 {
            let wave = (speed * f64::from(t) + f64::from(id)).sin();
            writeln!(
                text,
                "s{id},{wave:.4},{:.4},{kind},{:.4}",
                2.0 * wave,
                -wave
            )
            .unwrap();
        }
    }
    text
}

pub(crate) fn place() -> Place {
    let place = Place::new();
    place.write("waves.csv", table().as_bytes());
    place
}

/// A short run of a task.
pub(crate) fn train<'a>(task: &'a str, target: &'a str, out: &'a str) -> Vec<&'a str> {
    vec![
        "train",
        "waves.csv",
        "--task",
        task,
        "--features",
        "a,b",
        "--target",
        target,
        "--group",
        "id",
        "--out",
        out,
        "--hidden",
        "8",
        "--epochs",
        "6",
        "--cell",
        "gru",
        "-q",
    ]
}

#[test]
fn every_task_goes_from_a_table_to_an_image_and_a_session() {
    let place = place();
    for (task, target, outputs) in [
        ("classify", "kind", 2),
        ("label", "kind", 2),
        ("forecast", "a", 3),
        ("regress", "rest", 1),
    ] {
        let run = format!("run-{task}");
        let mut line = train(task, target, &run);
        line.push("--json");
        if task == "forecast" {
            line.extend(["--ahead", "3"]);
        }
        let trained = place.json(&line);
        let figure = trained["figure"].as_f64().unwrap();
        assert!(figure.is_finite() && figure >= 0.0, "{trained}");
        let (best, image) = (format!("{run}/best.safetensors"), format!("{task}.gatelet"));
        let exported = place.json(&["export", &best, "--out", &image, "--accept-loss", "--json"]);
        let held_out = &exported["answers"][0];
        assert_eq!(held_out["part"], "held out");
        assert!(
            (held_out["float"].as_f64().unwrap() - figure).abs() < 0.02,
            "{held_out} {figure}"
        );
        // The image takes the numbers of the file.
        place.write("x.csv", b"a,b\n0.5,1.0\n0.6,1.2\n-0.1,-0.2\n");
        let given = place.good(&["run", &image, "--input", "x.csv", "--output", "-"]);
        let last = given
            .lines()
            .rfind(|line| line.contains(',') || !line.is_empty())
            .unwrap();
        assert_eq!(last.split(',').count(), outputs, "{task}: {given}");
    }
}

#[test]
fn a_run_is_resumed_with_its_own_data_and_changed_where_it_may_be() {
    let place = place();
    // A rate that does not depend on how long the run is to be.
    let steady = ["--schedule", "constant", "--warmup", "0"];
    let whole = [&train("classify", "kind", "whole")[..], &steady].concat();
    place.good(&whole);
    let mut short = [&train("classify", "kind", "parts")[..], &steady].concat();
    let epochs = short.iter().position(|word| *word == "6").unwrap();
    short[epochs] = "3";
    place.good(&short);
    let resume = ["train", "waves.csv", "--out", "parts", "--resume", "-q"];
    place.good(&[&resume[..], &["--epochs", "6"]].concat());
    for name in ["last.safetensors", "best.safetensors"] {
        let whole = place.checkpoint(&format!("whole/{name}"));
        let mut parts = place.checkpoint(&format!("parts/{name}"));
        let epoch = |of: &Checkpoint| of.meta.position.as_ref().map(|position| position.epoch);
        assert_eq!(epoch(&parts), epoch(&whole), "{name}");
        // The numbers are equal; what is said of them tells of the change.
        let changed = parts.to_bytes().unwrap() != whole.to_bytes().unwrap();
        parts.meta = whole.meta.clone();
        let equal = parts.to_bytes().unwrap() == whole.to_bytes().unwrap();
        assert!(changed && equal, "{name}");
    }
    place.bad(
        &[&resume[..], &["--group", "kind"]].concat(),
        2,
        &["--resume", "--group id"],
    );
    place.write("other.csv", table().replace("s1,", "t1,").as_bytes());
    place.bad(
        &["train", "other.csv", "--out", "parts", "--resume", "-q"],
        1,
        &["other.csv"],
    );
}

#[test]
fn a_net_is_trained_on_for_integers_and_another_is_refused() {
    let place = place();
    place.good(&train("classify", "kind", "float"));
    let qat = |from: &'static str| ["train", "waves.csv", "--qat", from, "-q", "--epochs", "2"];
    let own = qat("float/best.safetensors");
    place.good(&[&own[..], &["--out", "eight"]].concat());
    place.good(&[&own[..], &["--out", "four", "--bits", "4"]].concat());
    let found = place.json(&[
        "export",
        "four/best.safetensors",
        "--out",
        "four.gatelet",
        "--accept-loss",
        "--json",
    ]);
    assert_eq!(found["weight_bits"], "4");
    // Another task, a net of another number of features, and a net of which there are integers only.
    let mut other = train("regress", "rest", "wrong");
    other.extend(["--qat", "float/best.safetensors"]);
    place.bad(&other, 1, &["scores", "--task regress"]);
    let mut three = train("classify", "kind", "three");
    three[5] = "a,b,rest";
    place.good(&three);
    let two = ["--features", "a,b", "--out", "wrong"];
    place.bad(
        &[&qat("three/best.safetensors")[..], &two].concat(),
        1,
        &["the net takes 3 numbers a step, and the data has 2 (a, b)"],
    );
    place.bad(
        &[&qat("four.gatelet")[..], &["--out", "wrong"]].concat(),
        1,
        &["four.gatelet is a .gatelet image", "checkpoint"],
    );
}

#[test]
fn a_net_with_a_front_end_is_trained_on_for_integers() {
    let place = tones::hearing();
    place.good(&[
        "train",
        "tones",
        "--qat",
        "run/best.safetensors",
        "--out",
        "eight",
        "--epochs",
        "2",
        "-q",
    ]);
    let front = place.checkpoint("eight/best.safetensors");
    let front = front
        .meta
        .interface
        .front_end
        .expect("that of the float net");
    assert!(front.to_string().starts_with(tones::FRONT));
    place.good(&["export", "eight/best.safetensors", "--out", "eight.gatelet"]);
    let samples = tones::tone(tones::HZ[1], 4_000, 3);
    tones::wav(&place, "high.wav", tones::RATE, &[&samples]);
    let line = [
        "listen",
        "eight.gatelet",
        "--wav",
        "high.wav",
        "--names",
        "high,low",
    ];
    let heard = place.good(&line);
    assert!(
        heard.lines().count() == 1 && heard.contains("high"),
        "{heard}"
    );
    // Its data has the rate that it has.
    let other = ["--front-end", "logmel:12,rate=16000", "--out", "other"];
    let line = ["train", "tones", "--qat", "run/best.safetensors", "-q"];
    place.bad(
        &[&line[..], &other].concat(),
        1,
        &["8000 samples", "16000", "rate=8000"],
    );
}

#[test]
fn an_export_past_its_bound_is_refused() {
    let place = place();
    let more = ["--lr", "0.03"];
    place.good(&[&train("label", "kind", "run")[..], &more].concat());
    // The same answers in f32, and a head that int8 cannot hold: every class has the same large
    // weight at one unit, which takes all of its row's range.
    let mut checkpoint = place.checkpoint("run/best.safetensors");
    let head = checkpoint.params.tensor_mut(1, Role::Weight);
    head.chunks_exact_mut(8).for_each(|row| row[0] += 300.0);
    place.write("ruined.safetensors", &checkpoint.to_bytes().unwrap());
    let line = ["export", "ruined.safetensors", "--out", "m.gatelet"];
    let parts = [
        "m.gatelet is not written, int8 loses too much: accuracy on the part held out is",
        "--accept-loss",
    ];
    place.bad(&line, 1, &parts);
    // What is there stays.
    place.good(&[&line[..], &["--bits", "f32"]].concat());
    let line = [&line[..], &["--force"]].concat();
    place.bad(&line, 1, &parts);
    let written = place.good(&[&line[..], &["--accept-loss"]].concat());
    assert!(written.contains("written all the same"), "{written}");
}

/// 60 sequences of 3 of 5 tokens; the class is whether the first is 2 or more.
fn tokens() -> String {
    let mut text = String::from("row,token,kind\n");
    for row in 0..60_u32 {
        let first = row * 7 % 5;
        for token in [first, row % 5, row / 5 % 5] {
            writeln!(
                text,
                "{row},{token},{}",
                ["low", "high"][usize::from(first > 1)]
            )
            .unwrap();
        }
    }
    text
}

#[test]
fn tokens_go_from_a_table_to_an_image_and_what_is_none_is_refused() {
    let place = place();
    place.write("tokens.csv", tokens().as_bytes());
    let of = |file: &'static str, tokens: &'static str, out: &'static str| {
        let mut line = train("classify", "kind", out);
        (line[1], line[5], line[9]) = (file, "token", "row");
        line.extend(["--tokens", tokens]);
        line
    };
    let mut line = of("tokens.csv", "5", "run");
    line.extend(["--epochs", "40", "--lr", "0.02", "--json"]);
    let epochs = line.iter().position(|word| *word == "--epochs").unwrap();
    line.drain(epochs..epochs + 2);
    let trained = place.json(&line);
    assert!(trained["figure"].as_f64().unwrap() > 0.9, "{trained}");
    let export = [
        "export",
        "run/best.safetensors",
        "--out",
        "t.gatelet",
        "--json",
    ];
    let exported = place.json(&export);
    assert_eq!(exported["answers"][0]["part"], "held out");
    let command = place
        .checkpoint("run/last.safetensors")
        .meta
        .provenance
        .command;
    assert!(command.contains("--tokens 5"), "{command}");
    place.good(&["report", "run", "--out", "page.html"]);
    place.good(&[
        "train",
        "tokens.csv",
        "--qat",
        "run/best.safetensors",
        "--out",
        "eight",
        "-q",
        "--epochs",
        "1",
    ]);

    let low = of("tokens.csv", "4", "four");
    place.bad(&low, 1, &["4 is no token", "--tokens 4", "from 0 to 3"]);
    place.write(
        "half.csv",
        tokens().replacen("3,1,", "3,1.5,", 1).as_bytes(),
    );
    place.bad(&of("half.csv", "5", "half"), 1, &["1.5 is no token"]);
    let mut two = of("waves.csv", "5", "two");
    (two[5], two[9]) = ("a,b", "id");
    place.bad(&two, 1, &["--tokens", "one column", "a, b"]);
    let mut noisy = of("tokens.csv", "5", "noisy");
    noisy.extend(["--noise", "0.1"]);
    place.bad(&noisy, 2, &["tokens", "--noise"]);
}
