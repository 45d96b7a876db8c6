//! `sweep` of nets on sequences: answers of int8 images against their cost.

use std::fs;

use serde_json::Value;

use crate::place::Place;
use crate::sequences::place;

/// A sweep over the waves, with `more` before the options of the jobs.
fn line<'a>(task: &'a str, target: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let data = [
        "sweep",
        "waves.csv",
        "--out",
        "s",
        "--task",
        task,
        "--target",
        target,
    ];
    let reading = ["--features", "a,b", "--group", "id", "--hidden", "4,8"];
    let jobs = ["--epochs", "2", "--cell", "rnn,gru"];
    [&data[..], &reading, &jobs, more, &["--", "-q"]].concat()
}

fn jobs(result: &Value) -> &[Value] {
    result["jobs"].as_array().expect("jobs")
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

fn number(value: &Value) -> f64 {
    value.as_f64().expect("a number")
}

/// Asserts that a job's image has the bytes that were told before and after it was trained, and
/// answers as the sweep says.
fn is_as_exported(place: &Place, job: &Value) {
    let best = format!("{}/best.safetensors", text(&job["folder"]));
    let image = format!("{}.gatelet", text(&job["name"]));
    let line = ["export", &best, "--out", &image, "--target", "cortex-m4"];
    let exported = place.json(&[&line[..], &["--accept-loss", "--json"]].concat());
    let bytes = fs::metadata(place.path(&image)).unwrap().len() as f64;
    assert_eq!(number(&job["int8"]["flash"]), bytes, "{job}");
    let spare = number(&job["flash"]) - bytes;
    assert!((0.0..=64.0).contains(&spare), "{job}: {bytes}");
    for what in ["ram", "instructions"] {
        assert_eq!(job[what], job["int8"][what], "{job}");
    }
    let held_out = &exported["answers"][0];
    assert_eq!(held_out["image"], job["int8"]["figure"], "{job}");
    assert!((number(&held_out["float"]) - number(&job["figure"])).abs() < 0.02);
}

#[test]
fn a_sweep_of_sequences_sets_answers_in_int8_against_cost() {
    let place = place();
    let result = place.json(&line("classify", "kind", &["--json"]));
    assert_eq!(
        (&result["figure"], &result["unit"]),
        (&"accuracy".into(), &"step".into())
    );
    assert_eq!(jobs(&result).len(), 4);
    let on: Vec<&str> = result["front"]
        .as_array()
        .unwrap()
        .iter()
        .map(text)
        .collect();
    let cost = |job: &Value| {
        (
            number(&job["int8"]["flash"]),
            number(&job["int8"]["figure"]),
        )
    };
    for (at, job) in jobs(&result).iter().enumerate() {
        assert_eq!(job["state"], "done");
        is_as_exported(&place, job);
        let (flash, accuracy) = cost(job);
        let beaten = jobs(&result).iter().enumerate().any(|(other, of)| {
            let (f, a) = cost(of);
            f <= flash && a >= accuracy && (f < flash || a > accuracy || other < at)
        });
        assert_eq!(on.contains(&text(&job["name"])), !beaten, "{result}");
    }
    // The best is what nothing answers better than, and its commands are ordinary ones.
    let best = text(&result["best"]["name"]);
    let of = |name: &str| {
        jobs(&result)
            .iter()
            .find(|job| job["name"] == name)
            .unwrap()
    };
    let most = jobs(&result)
        .iter()
        .map(|job| cost(job).1)
        .fold(0.0, f64::max);
    assert_eq!((cost(of(best)).1, on.last()), (most, Some(&best)));
    let export = text(&result["best"]["export"]);
    let words: Vec<&str> = export.split(' ').skip(1).collect();
    fs::remove_file(place.path(&format!("{best}.gatelet"))).unwrap();
    place.good(&[&words[..], &["--accept-loss"]].concat());
    let command = text(&result["best"]["command"]);
    assert!(
        command.contains(&format!("train waves.csv --out s/{best} --cell")),
        "{command}"
    );
    assert!(command.contains("--task classify --features a,b --target kind --group id"));
    let png = fs::read(place.path("s/front.png")).unwrap();
    assert!(png.starts_with(b"\x89PNG"));
    // Again: nothing is trained or measured, everything stays as it is.
    let before = place.snapshot();
    let output = place.run(&line("classify", "kind", &[]));
    assert!(output.status.success() && output.stderr.is_empty());
    let shown = String::from_utf8(output.stdout).unwrap();
    for said in [
        "accuracy  in int8",
        "4 of 4 jobs done",
        "the best: ",
        "for a device: gatelet",
    ] {
        assert!(shown.contains(said), "{said}: {shown}");
    }
    assert_eq!(place.snapshot(), before);
    assert_eq!(place.good(&line("classify", "kind", &["--print-jobs"])), "");
    // For another processor the images are others.
    let front = ["--front", "--board", "cortex-m0", "--json"];
    let other = place.json(&line("classify", "kind", &front));
    assert!(number(&jobs(&other)[0]["int8"]["instructions"]) > number(&jobs(&result)[0]["ram"]));
    assert_eq!(jobs(&other)[0]["int8"]["processor"], "Cortex-M0");
}

#[test]
fn a_budget_and_values_are_told_in_steps_and_error_to_signal() {
    let place = place();
    let some = ["--max-instructions", "1.4k", "--by", "instructions"];
    let shown = place.good(&line("regress", "rest", &some));
    assert!(
        shown.contains("on the front of instructions and error to signal"),
        "{shown}"
    );
    let json = place.json(&line("regress", "rest", &["--front", "--json"]));
    let done = jobs(&json).iter().filter(|job| job["state"] == "done");
    let done: Vec<&Value> = done.collect();
    assert!(!done.is_empty() && done.len() < 4, "{json}");
    let least = done.iter().map(|job| number(&job["int8"]["figure"]));
    let least = least.fold(f64::INFINITY, f64::min);
    let best = done
        .iter()
        .find(|job| job["name"] == json["best"]["name"])
        .unwrap();
    assert_eq!(number(&best["int8"]["figure"]), least, "{json}");
    let few = line("regress", "rest", &["--max-instructions", "10"]);
    place.bad(
        &few,
        1,
        &["rnn-1x4", "instructions a step (--max-instructions 10)"],
    );
}

/// A recording of 0.2 s at 8 kHz, 16 bits, one channel.
fn recording(hertz: f64) -> Vec<u8> {
    let samples = (0..1600).map(|t| {
        let phase = std::f64::consts::TAU * hertz * f64::from(t) / 8000.0;
        (8000.0 * phase.sin()) as i16
    });
    let data: Vec<u8> = samples.flat_map(i16::to_le_bytes).collect();
    let mut wav = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0".to_vec();
    wav[4..8].copy_from_slice(&(36 + data.len() as u32).to_le_bytes());
    wav.extend([8000_u32.to_le_bytes(), 16_000_u32.to_le_bytes()].concat());
    wav.extend(b"\x02\0\x10\0data");
    wav.extend((data.len() as u32).to_le_bytes());
    wav.extend(data);
    wav
}

#[test]
fn a_frame_of_a_front_end_counts_in_all_that_a_net_of_sound_costs() {
    let place = Place::new();
    for (class, hertz) in [("low", 300.0), ("high", 2000.0)] {
        fs::create_dir_all(place.path(&format!("tones/{class}"))).unwrap();
        for n in 0..6 {
            let tone = recording(hertz * (1.0 + 0.02 * f64::from(n)));
            place.write(&format!("tones/{class}/{n}.wav"), &tone);
        }
    }
    let sweep = |out: &'static str, front: &'static str| {
        let line = [
            "sweep", "tones", "--out", out, "--task", "classify", "--hidden", "4",
        ];
        let rest = [
            "--cell",
            "gru",
            "--epochs",
            "2",
            "--front-end",
            front,
            "--json",
            "--",
            "-q",
        ];
        place.json(&[&line[..], &rest].concat())
    };
    let result = sweep("s", "logmel:8,rate=8000,frame=32ms,hop=16ms");
    assert_eq!(result["unit"], "frame");
    let job = &jobs(&result)[0];
    is_as_exported(&place, job);
    assert!(
        number(&job["ram"]) > 4.0 * 256.0,
        "the samples of a frame: {job}"
    );
    // A shorter spectrum is cheaper by far more than the net costs.
    let shorter = sweep("t", "logmel:8,rate=8000,frame=16ms,hop=16ms");
    let costs = [job, &jobs(&shorter)[0]].map(|job| number(&job["instructions"]));
    assert!(
        costs[0] > 1.9 * costs[1] - 2000.0 && costs[1] > 5000.0,
        "{costs:?}"
    );
}

#[test]
fn what_cannot_be_swept_is_refused_before_anything_is_trained() {
    let place = place();
    let column = ["waves.csv", "no column", "there are"];
    place.bad(&line("classify", "sort", &[]), 1, &column);
    let texts = "it is for texts, and --task for sequences";
    for more in [
        ["--level", "word"],
        ["--embedding", "8"],
        ["--tied=true", "-q"],
    ] {
        let more = &more[..if more[1] == "-q" { 1 } else { 2 }];
        place.bad(&line("classify", "kind", more), 2, &[texts]);
    }
    place.bad(
        &line("classify", "kind", &["--ahead", "3"]),
        2,
        &["--ahead is 3"],
    );
    let mut stream = line("classify", "kind", &[]);
    stream[1] = "-";
    place.bad(&stream, 2, &["sequences are read from files"]);
    let without = ["--target is for sequences", "without --task this is a text"];
    for command in ["sweep", "train"] {
        let line = [command, "waves.csv", "--out", "s", "--target", "kind"];
        place.bad(&line, 2, &without);
    }
    place.good(&line("classify", "kind", &[]));
    place.bad(
        &line("label", "kind", &[]),
        1,
        &["s holds a sweep with another set of options"],
    );
    let waves = fs::read_to_string(place.path("waves.csv")).unwrap();
    place.write("waves.csv", waves.replace("s1,", "t1,").as_bytes());
    let other = "s holds a sweep with another set of data";
    place.bad(&line("classify", "kind", &[]), 1, &[other]);
}

#[cfg(unix)]
#[test]
fn a_job_on_sequences_that_a_kill_has_left_is_gone_on_with() {
    let place = place();
    fs::create_dir(place.path("s")).unwrap();
    let of = [
        "--task",
        "classify",
        "--features",
        "a,b",
        "--target",
        "kind",
        "--group",
        "id",
    ];
    let net = [
        "--cell",
        "rnn",
        "--hidden",
        "4",
        "--epochs",
        "40000",
        "--patience",
        "0",
        "-q",
    ];
    let line = [&["train", "waves.csv", "--out", "s/rnn-1x4"], &of[..], &net].concat();
    let mut child = place
        .command(&line)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    while !place.path("s/rnn-1x4/last.safetensors").is_file() {
        let ended = child.try_wait().unwrap();
        assert!(ended.is_none(), "the run ended by itself");
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let sweep = |more: &[&'static str]| {
        let head = ["sweep", "waves.csv", "--out", "s"];
        let grid = ["--cell", "rnn", "--hidden", "4", "--epochs", "40000"];
        let tail = ["--", "--patience", "0"];
        [&head[..], &of, &grid, more, &tail].concat()
    };
    let jobs = place.good(&sweep(&["--print-jobs"]));
    assert!(
        jobs.trim_end()
            .ends_with("train waves.csv --out s/rnn-1x4 --resume"),
        "{jobs}"
    );
    assert!(place.good(&sweep(&["--front"])).contains("no front yet"));
    // Gone on with, to an end that comes sooner: then it is done.
    let end = ["--resume", "--epochs", "1", "-q"];
    place.good(&[&["train", "waves.csv", "--out", "s/rnn-1x4"], &end[..]].concat());
    let shown = place.good(&sweep(&["--front"]));
    assert!(shown.contains("1 of 1 jobs done"), "{shown}");
}
