//! `report` of runs on sequences: what stands there, and that the numbers are true.

use std::fmt::Write as _;
use std::fs;

use serde_json::Value;

use crate::place::Place;
use crate::tones;

/// 40 sequences of 12 to 16 steps: a saw of period 4 or 6, whose speed is the class; `next` is
/// twice the value of the step before.
fn table(place: &Place) {
    let mut text = String::from("id,x,kind,next\n");
    for id in 0..40_u32 {
        let (kind, period) = if id % 2 == 0 {
            ("fast", 4)
        } else {
            ("slow", 6)
        };
        let mut before = 0.0;
        for t in 0..12 + id % 5 {
            let x = f64::from((t + id) % period) / f64::from(period) - 0.4;
            writeln!(text, "s{id},{x:.3},{kind},{:.3}", 2.0 * before).unwrap();
            before = x;
        }
    }
    place.write("saws.csv", text.as_bytes());
}

fn train(place: &Place, task: &str, more: &[&str]) {
    let line = [
        "train",
        "saws.csv",
        "--task",
        task,
        "--group",
        "id",
        "--features",
        "x",
        "--out",
        task,
        "--cell",
        "gru",
        "--hidden",
        "8",
        "--epochs",
        "25",
        "--batch",
        "8",
        "--window",
        "16",
        "--lr",
        "0.02",
        "-q",
    ];
    place.good(&[&line, more].concat());
}

/// The report's numbers, after a look at its files.
fn report(place: &Place, run: &str, sections: &[&str], pictures: &[&str]) -> Value {
    let numbers = place.json(&["report", run, "--json"]);
    let folder = place.path(run).join("report");
    let page = fs::read_to_string(folder.join("index.html")).unwrap();
    for id in sections {
        assert!(page.contains(&format!("<section id=\"{id}\">")), "{id}");
    }
    assert!(!page.contains("<script") && !page.contains("<link"));
    for name in pictures {
        let picture = fs::read(folder.join(format!("{name}.png"))).unwrap();
        assert!(picture.starts_with(b"\x89PNG"), "{name}");
        assert!(page.contains(&format!("href=\"{name}.png\"")), "{name}");
    }
    let files = fs::read_dir(&folder).unwrap().count();
    assert_eq!(numbers["files"].as_array().unwrap().len(), files);
    let stored: Value =
        serde_json::from_slice(&fs::read(folder.join("report.json")).unwrap()).unwrap();
    assert_eq!(stored, numbers);
    // The figure is that of the best evaluation: counted step by step, as a device does.
    let metrics = numbers["metrics"].as_array().unwrap();
    let best = metrics.iter().rfind(|of| of["best"] == true).unwrap();
    let (own, trained) = (&numbers["figure"], &best["figure"]);
    let apart = own.as_f64().unwrap() - trained.as_f64().unwrap();
    assert!(apart.abs() < 1e-3, "{own} {trained}");
    // The same again gives the same bytes.
    let first = place.snapshot();
    place.good(&["report", run]);
    assert_eq!(place.snapshot(), first);
    numbers
}

#[test]
fn classes_are_counted_and_shown() {
    let place = Place::new();
    table(&place);
    train(&place, "classify", &["--target", "kind"]);
    let sections = [
        "essential",
        "learning",
        "classes",
        "steps",
        "worst",
        "device",
        "origin",
    ];
    let pictures = [
        "loss",
        "figure",
        "confusion",
        "roc",
        "part-heard",
        "sequence-best",
    ];
    let numbers = report(&place, "classify", &sections, &pictures);
    assert_eq!(numbers["answers"], serde_json::json!(["fast", "slow"]));
    let classes = &numbers["classes"];
    let counts: Vec<u64> = classes["confusion"]
        .as_array()
        .unwrap()
        .iter()
        .map(|x| x.as_u64().unwrap())
        .collect();
    let held_out = numbers["sequences"][1].as_u64().unwrap();
    assert!(held_out > 3 && counts.iter().sum::<u64>() == held_out);
    let right = (counts[0] + counts[3]) as f64 / held_out as f64;
    assert_eq!(numbers["figure"].as_f64().unwrap(), right);
    assert!(right > 0.8, "{right}");
    // Two classes: what one gains the other loses.
    let area = |k: usize| classes["roc"][k]["area"].as_f64().unwrap();
    assert!(
        (area(0) - area(1)).abs() < 1e-9 && area(0) > 0.8,
        "{} {}",
        area(0),
        area(1)
    );
    // What is right when all was heard is the answer.
    assert_eq!(classes["decision"]["right"][9].as_f64().unwrap(), right);
    let decided = classes["decision"]["median"].as_f64().unwrap();
    assert!(decided > 0.0 && decided <= 1.0, "{decided}");
    let worst = numbers["worst"].as_array().unwrap();
    let losses: Vec<f64> = worst
        .iter()
        .map(|of| of["loss"].as_f64().unwrap())
        .collect();
    assert!(losses.is_sorted_by(|a, b| a >= b), "{losses:?}");
    assert!(worst[0]["name"].as_str().unwrap().starts_with('s'));
    // Beside int8, as the export judges it.
    let export = place.json(&[
        "export",
        "classify/best.safetensors",
        "--out",
        "c.gatelet",
        "--json",
    ]);
    assert_eq!(numbers["int8"]["changes"], export["answers"]);
}

/// A spectrogram above the answers, of a net with a front end.
#[test]
fn what_was_heard_stands_above_what_was_said() {
    let place = tones::hearing();
    let pictures = ["confusion", "sequence-best", "sequence-worst"];
    report(&place, "run", &["classes", "steps", "device"], &pictures);
    let page = fs::read_to_string(place.path("run/report/index.html")).unwrap();
    let steps = page.split("<section id=\"steps\">").nth(1).unwrap();
    let steps = steps.split("</section>").next().unwrap();
    assert!(steps.contains("what the front end made of the sound"));
    let shown = steps.matches("<h3>").count();
    assert!(shown > 1);
    assert_eq!(steps.matches("<image ").count(), shown);
    assert_eq!(steps.matches(">bands</text>").count(), shown);
}

#[test]
fn values_have_errors_in_the_units_of_the_data() {
    let place = Place::new();
    table(&place);
    train(&place, "regress", &["--target", "next"]);
    let sections = [
        "essential",
        "learning",
        "errors",
        "steps",
        "worst",
        "device",
        "origin",
    ];
    let pictures = [
        "loss",
        "figure",
        "sequence-best",
        "sequence-median",
        "sequence-worst",
    ];
    let numbers = report(&place, "regress", &sections, &pictures);
    let value = &numbers["values"][0];
    let (absolute, rms) = (
        value["absolute"].as_f64().unwrap(),
        value["rms"].as_f64().unwrap(),
    );
    assert!(
        absolute > 0.0 && absolute <= rms && rms < 0.5,
        "{absolute} {rms}"
    );
    assert_eq!(value["figure"], numbers["figure"]);
    assert!(numbers["classes"].is_null() && value["last_stays"].is_null());
    // What is shown is what was asked for and what is said: the rms of the steps is that of the loss.
    let shown = numbers["shown"].as_array().unwrap();
    let names: Vec<_> = shown
        .iter()
        .map(|of| of["which"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["best", "median", "worst"]);
    for of in shown {
        let steps = of["line"]["steps"].as_u64().unwrap() as usize;
        assert_eq!(of["asked"].as_array().unwrap().len(), steps);
        assert_eq!(of["float"][0].as_array().unwrap().len(), steps);
        assert_eq!(of["int8"][0].as_array().unwrap().len(), steps);
    }
    let error = |of: &Value| {
        let pairs = of["asked"]
            .as_array()
            .unwrap()
            .iter()
            .zip(of["float"][0].as_array().unwrap());
        let squares = pairs.map(|(t, y)| (t.as_f64().unwrap() - y.as_f64().unwrap()).powi(2));
        squares.sum::<f64>() / of["line"]["steps"].as_f64().unwrap()
    };
    let by_loss = shown
        .iter()
        .map(|of| error(of) / of["line"]["loss"].as_f64().unwrap());
    let by_loss: Vec<f64> = by_loss.collect();
    // The same signal for all of them.
    assert!(
        by_loss.iter().all(|x| (x / by_loss[0] - 1.0).abs() < 1e-3),
        "{by_loss:?}"
    );
}

#[test]
fn a_forecast_is_held_against_the_last_value_and_other_data_is_refused() {
    let place = Place::new();
    table(&place);
    train(&place, "forecast", &["--target", "x", "--ahead", "2"]);
    let numbers = report(&place, "forecast", &["errors"], &["error-by-step-ahead"]);
    assert_eq!(numbers["answers"], serde_json::json!(["x+1", "x+2"]));
    for of in numbers["values"].as_array().unwrap() {
        let stays = of["last_stays"].as_f64().unwrap();
        assert!(stays > of["rms"].as_f64().unwrap(), "{of}");
    }
    let line = place.good(&["compare", "forecast"]);
    assert!(
        line.contains("error to signal") && !line.contains("nats"),
        "{line}"
    );
    let text = "--text is about a run on a text";
    place.bad(&["report", "forecast", "--text", "x"], 2, &[text]);
    fs::create_dir(place.path("moved")).unwrap();
    fs::rename(place.path("saws.csv"), place.path("moved/saws.csv")).unwrap();
    place.bad(&["report", "forecast"], 2, &["name it: --corpus DATA"]);
    place.good(&["report", "forecast", "--corpus", "moved/saws.csv"]);
    let mut other = fs::read_to_string(place.path("moved/saws.csv")).unwrap();
    other.push_str("s99,0.1,fast,0.1\ns99,0.2,fast,0.1\ns99,0.3,fast,0.1\ns99,0.3,fast,0.1\n");
    place.write("saws.csv", other.as_bytes());
    let refused = "is not what the run was trained on";
    place.bad(
        &["report", "forecast", "--corpus", "saws.csv"],
        1,
        &[refused],
    );
}
