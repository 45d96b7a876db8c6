//! The gate of an export: an int8 image that loses too much is not written, unless somebody says so.

use std::fs;
use std::path::Path;

use gatelet::net::Value;
use gatelet_trainer::net::Role;
use gatelet_trainer::train::checkpoint::Checkpoint;

use crate::place::Place;

const RUN: &str = "run/best.safetensors";

/// A net that has learnt the text, and one of the same predictions in f32 whose head int8 cannot hold: every row has the
/// same large weight at one unit, which a softmax does not see, and which takes all of the row's range.
fn place() -> Place {
    let place = Place::new();
    place.good(&[
        "train",
        "text.txt",
        "--out",
        "run",
        "--hidden",
        "16",
        "--epochs",
        "12",
        "--batch",
        "4",
        "--window",
        "16",
        "--lr",
        "0.004",
        "--warmup",
        "100",
        "--dropout",
        "0",
        "-q",
    ]);
    let path = Path::new(RUN);
    let bytes = fs::read(place.path(RUN)).unwrap();
    let mut checkpoint = Checkpoint::from_bytes(&bytes, path).unwrap();
    let hidden = checkpoint.params.net().width(Value::of(0));
    let head = checkpoint.params.tensor_mut(1, Role::Weight);
    for row in head.chunks_exact_mut(hidden) {
        row[0] += 100.0;
    }
    place.write("ruined.safetensors", &checkpoint.to_bytes().unwrap());
    place
}

#[test]
fn a_sound_model_passes_and_says_how_it_writes_by_itself() {
    let place = place();
    let found = place.json(&["export", RUN, "--out", "m.gatelet", "--json"]);
    assert_eq!(
        (&found["written"], &found["past_bounds"]),
        (&true.into(), &serde_json::json!([]))
    );
    let run = &found["closed_loop"];
    assert_eq!(run["characters"], 10_000);
    assert!(
        (1..10_000).contains(&run["agreed"].as_u64().unwrap()),
        "{run}"
    );
    assert_eq!(run["saturation"]["steps"], 10_000);
    assert!(run["divergence"]["mean"].as_f64().unwrap() < 0.02);
    assert!(run["f32_writing"]["cell"]["last"].as_f64().unwrap() > 0.0);

    let said = place.good(&["export", RUN, "--out", "n.gatelet"]);
    for part in [
        "nats a step",
        "with the same seed",
        "RMS of h",
        "cell states (",
    ] {
        assert!(said.contains(part), "no {part:?} in {said}");
    }
    assert!(!said.contains("note:"), "{said}");
    let float = [
        "export",
        "ruined.safetensors",
        "--out",
        "f.gatelet",
        "--bits",
        "f32",
        "--json",
    ];
    let float = place.json(&float);
    assert_eq!(
        (&float["written"], &float["closed_loop"]),
        (&true.into(), &serde_json::Value::Null)
    );
}

#[test]
fn a_ruined_one_is_refused_and_leaves_what_was_there() {
    let place = place();
    let export = ["export", "ruined.safetensors", "--out", "m.gatelet"];
    let said = [
        "m.gatelet is not written",
        "held-out loss +",
        "(at most 0.02)",
        "nats a step in the free run",
        "--accept-loss",
        "--qat",
    ];
    // `bad` also asserts that no file has come or changed.
    place.bad(&export, 1, &said);
    assert!(!place.path("m.gatelet").exists());
    place.write("m.gatelet", b"GATELET\0another image");
    place.bad(&[&export[..], &["--force"]].concat(), 1, &said);
    assert_eq!(
        fs::read(place.path("m.gatelet")).unwrap(),
        b"GATELET\0another image"
    );

    let output = place.run(&[&export[..], &["--force", "--json"]].concat());
    assert_eq!(output.status.code(), Some(1));
    let stdout = String::from_utf8(output.stdout).unwrap();
    let found: serde_json::Value = serde_json::from_str(stdout.lines().last().unwrap()).unwrap();
    assert_eq!(found["written"], false);
    let first = &found["past_bounds"][0];
    assert_eq!(
        (&first["measure"], &first["bound"]),
        (&"loss".into(), &0.02.into())
    );
    assert!(first["found"].as_f64().unwrap() > 0.02);
}

#[test]
fn accepted_loss_is_written_with_a_note() {
    let place = place();
    let said = place.good(&[
        "export",
        "ruined.safetensors",
        "--out",
        "m.gatelet",
        "--accept-loss",
    ]);
    let note = said.lines().find(|line| line.starts_with("note: "));
    assert!(
        note.is_some_and(|n| n.contains("held-out loss +")),
        "{said}"
    );
    place.good(&["inspect", "m.gatelet"]);
    let found = place.json(&[
        "export",
        "ruined.safetensors",
        "--out",
        "n.gatelet",
        "--accept-loss",
        "--json",
    ]);
    assert_eq!(found["written"], true);
    assert!(!found["past_bounds"].as_array().unwrap().is_empty());
}
