//! Nets of words by the program: train, resume, eval, predict, generate, export, inspect; and what is refused.

use serde_json::Value;

use crate::place::Place;

const WORDS: [&str; 21] = [
    "train",
    "text.txt",
    "--out",
    "run",
    "--level",
    "word",
    "--max-vocab",
    "15",
    "--embedding",
    "8",
    "--projection",
    "8",
    "--tied",
    "--hidden",
    "12",
    "--batch",
    "4",
    "--window",
    "8",
    "--epochs",
    "20",
];

#[test]
fn a_net_of_words_from_text_to_image() {
    let place = Place::new();
    let line = [&WORDS[..], &["--json", "--lr", "0.02", "--warmup", "0"]].concat();
    let result = place.json(&line);
    assert!(result["nats"].as_f64().unwrap() < 1.0, "{result}");
    let model = "run/best.safetensors";

    let scores = place.json(&["eval", model, "text.txt", "--split", "valid", "--json"]);
    let typing = &scores["typing"];
    assert!(typing["savings"].as_f64().unwrap() > 0.3, "{scores}");
    assert!(
        typing["known"].as_u64() < typing["words"].as_u64(),
        "{scores}"
    );
    let said = place.good(&["eval", model, "text.txt"]);
    assert!(
        said.contains("bits a token") && said.contains("% saved"),
        "{said}"
    );

    // After a space any word, within a word those that begin with its letters.
    let next = place.json(&[
        "predict",
        model,
        "it is a truth universally ",
        "--top",
        "1",
        "--json",
    ]);
    assert_eq!(next["suggestions"][0]["token"], "acknowledged", "{next}");
    let within = place.json(&["predict", model, "a small net c", "--top", "9", "--json"]);
    let within = within["suggestions"].as_array().unwrap();
    assert!(!within.is_empty());
    assert!(
        within
            .iter()
            .all(|s| s["token"].as_str().unwrap().starts_with('c')),
        "{within:?}"
    );
    let shares: f64 = within.iter().map(|s| s["p"].as_f64().unwrap()).sum();
    assert!((shares - 1.0).abs() < 1e-6, "{shares}");
    let none = place.good(&["predict", model, "a xyz"]);
    assert!(
        none.contains("no word that it knows begins with \"xyz\""),
        "{none}"
    );

    let written = place.good(&[
        "generate",
        model,
        "--length",
        "6",
        "--prompt",
        "that a small",
        "--temperature",
        "0",
    ]);
    assert!(
        written.starts_with("that a small net can learn "),
        "{written}"
    );
    assert!(!written.contains('\u{fffd}'), "{written}");

    let exported = place.json(&["export", model, "--out", "w.gatelet", "--json"]);
    assert!(exported["loss_nats"].as_f64().unwrap() < 0.1, "{exported}");
    assert!(
        exported["projection_range"].as_f64().is_some(),
        "{exported}"
    );
    let image = place.json(&[
        "eval",
        "w.gatelet",
        "text.txt",
        "--split",
        "valid",
        "--json",
    ]);
    assert!((image["nats"].as_f64().unwrap() - scores["nats"].as_f64().unwrap()).abs() < 0.1);
    let next = place.json(&[
        "predict",
        "w.gatelet",
        "it is a truth universally ",
        "--top",
        "1",
        "--json",
    ]);
    assert_eq!(next["suggestions"][0]["token"], "acknowledged", "{next}");
    assert!(place.good(&["inspect", "w.gatelet"]).contains("15"));

    // Its options are kept, and those of its net stay.
    let again = place.good(&["train", "text.txt", "--out", "run", "--resume", "-q"]);
    assert!(again.contains("nothing to do"), "{again}");
    let other = [
        "train",
        "text.txt",
        "--out",
        "run",
        "--resume",
        "--max-vocab",
        "9",
    ];
    place.bad(&other, 1, &["--max-vocab 9", "15"]);
}

/// A report of a net of words names words where one of characters names characters.
#[test]
fn a_report_is_of_words_too() {
    let place = Place::new();
    place.good(&[&WORDS[..19], &["--epochs", "2", "-q"]].concat());
    let report = place.json(&["report", "run", "--text", "it is a truth", "--json"]);
    assert_eq!(report["unit"], "token");
    let words = |names: &Value| -> Vec<String> {
        let names = names.as_array().expect("a list").iter();
        names
            .filter_map(|name| name.as_str().map(str::to_owned))
            .collect()
    };
    let typed = words(&report["activity"]["text"]);
    assert_eq!(typed, ["it", "is", "a", "truth"]);
    let known = words(&report["confusion"]["tokens"]);
    assert!(
        known.len() > 2 && known.iter().any(|word| word.len() > 1),
        "{known:?}"
    );
    let page = std::fs::read_to_string(place.path("run/report/index.html")).expect("a page");
    assert!(page.contains("Which token for which") && !page.contains("character for which"));
}

#[test]
fn what_does_not_go_with_words_is_refused_in_one_line() {
    let place = Place::new();
    let train = |more: &[&'static str]| [&["train", "text.txt", "--out", "x"], more].concat();
    let tied = "--tied is true: what the head reads (--projection, or --hidden without one) and --embedding have to be equal";
    place.bad(&train(&["--embedding", "8", "--tied"]), 2, &[tied]);
    place.bad(
        &train(&["--embedding", "8", "--projection", "9", "--tied"]),
        2,
        &[tied],
    );
    place.bad(
        &train(&["--embedding", "3"]),
        2,
        &["--embedding is 3", "0 or from 4 to 1024"],
    );
    assert!(!place.path("x").exists());
}
