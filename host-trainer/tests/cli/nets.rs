//! Nets that are no language models.

use gatelet::net::{Activation, Kind, Net, Precision};
use gatelet_trainer::net::Params;
use gatelet_trainer::train::checkpoint::{Checkpoint, Interface, Provenance, Start};

use crate::place::Place;

/// Nets that read and give numbers can be made, looked at and arranged; what is for texts refuses
/// them.
#[test]
fn a_net_of_real_numbers_is_made_and_described() {
    let place = Place::new();
    for (cell, bits, macs) in [
        ("gru", "8", 3 * 12 * 17 + 12 * 2),
        ("lstm", "4", 4 * 12 * 17 + 12 * 2),
        ("rnn", "f32", 12 * 17 + 12 * 2),
    ] {
        let random = [
            "random", "--cell", cell, "--bits", bits, "--hidden", "12", "--force",
        ];
        let widths = ["--features", "5", "--outputs", "2", "--out", "n.gatelet"];
        place.good(&[&random[..], &widths[..]].concat());
        let told = place.json(&["inspect", "n.gatelet", "--json"]);
        assert_eq!(told["cell"], cell);
        assert_eq!((&told["features"], &told["vocab"]), (&5.into(), &0.into()));
        assert_eq!(told["outputs"], serde_json::json!([2]));
        assert_eq!(told["macs_per_step"], macs);
        assert_eq!(told["known_answer_passes"], true);
        let text = place.good(&["inspect", "n.gatelet"]);
        assert!(text.contains("5 features in, 2 numbers out"), "{text}");
        place.good(&[
            "export",
            "n.gatelet",
            "--target",
            "cortex-m4",
            "--force",
            "--out",
            "m.gatelet",
        ]);
        place.write("t.txt", b"a text");
        let refused = ["n.gatelet", "no language model", "gatelet inspect"];
        place.bad(&["eval", "n.gatelet", "t.txt"], 1, &refused);
        place.bad(&["predict", "n.gatelet", "a"], 1, &refused);
    }
    for (option, found) in [
        ("--features", "0"),
        ("--features", "1025"),
        ("--outputs", "0"),
    ] {
        let other = if option == "--features" {
            "--outputs"
        } else {
            "--features"
        };
        place.bad(
            &["random", option, found, other, "1", "--out", "x.gatelet"],
            2,
            &[&option[2..], "from 1 to 1024"],
        );
    }
}

/// A checkpoint of a net without a vocabulary.
fn of_features(units: usize) -> Checkpoint {
    let head = Kind::Dense {
        units: 2,
        activation: Activation::None,
    };
    let net = Net::features(Precision::F32, 3).then(Kind::lstm(units));
    let net = net.then(head).values();
    let params = Params::init(net, 3);
    let provenance = Provenance {
        corpus: "net.onnx".to_owned(),
        corpus_sha256: "ab".repeat(32),
        command: "gatelet import net.onnx".to_owned(),
        trainer: "gatelet-trainer".to_owned(),
        seed: 0,
        nats: None,
        epoch: 0,
        unigram_nats: None,
        characters: 0,
        changes: Vec::new(),
    };
    let start = Start {
        operation: 0,
        h: vec![0.25; units],
        c: vec![-0.5; units],
    };
    let made = Checkpoint::of_net(params, Interface::default(), vec![start], provenance);
    made.expect("a net")
}

/// Its image is measured at its outputs, and runs as the checkpoint does.
#[test]
fn a_net_without_a_vocabulary_is_exported() {
    let place = Place::new();
    let bytes = of_features(12).to_bytes().expect("a checkpoint");
    place.write("n.safetensors", &bytes);
    let row = |t: i32| {
        let wave = |by: f64| (f64::from(t) * by).sin();
        format!(
            "{:.4},{:.4},{:.4}\n",
            wave(0.3),
            20.0 * wave(0.7),
            0.1 * wave(1.1)
        )
    };
    let rows: String = (0..200).map(row).collect();
    place.write("x.csv", rows.as_bytes());
    let export = ["export", "n.safetensors", "--force", "--json"];
    let to = |bits: &str, out: &str| {
        let more = [
            "--calibrate",
            "x.csv",
            "--bits",
            bits,
            "--out",
            out,
            "--accept-loss",
        ];
        place.json(&[&export[..], &more].concat())
    };
    let told = to("8", "n8.gatelet");
    assert_eq!(
        (&told["precision"], &told["weight_bits"]),
        (&"int8".into(), &"8".into())
    );
    assert_eq!(
        (&told["steps"], &told["written"]),
        (&200.into(), &true.into())
    );
    let output = &told["outputs"][0];
    assert!(output["decibels"].as_f64().expect("dB") > 25.0, "{output}");
    let costs = told["costs"].as_array().expect("costs");
    let names: Vec<&str> = costs.iter().filter_map(|of| of["name"].as_str()).collect();
    let want = [
        "0: weights of lstm 12",
        "1: weights of dense 2",
        "features",
        "values, states",
    ];
    assert_eq!(names, want);
    assert_eq!(to("4", "n4.gatelet")["weight_bits"], "4");
    assert_eq!(to("f32", "nf.gatelet")["precision"], "f32");
    for (model, tolerance) in [("nf.gatelet", "1e-5"), ("n8.gatelet", "0.05")] {
        place.good(&[
            "run",
            "n.safetensors",
            "--input",
            "x.csv",
            "--output",
            "y.csv",
            "--force",
        ]);
        let against = [
            "--input",
            "x.csv",
            "--expect",
            "y.csv",
            "--tolerance",
            tolerance,
        ];
        place.good(&[&["verify", model][..], &against].concat());
    }
    let out = ["--out", "m.gatelet"];
    let bad = |more: &[&str], code, parts: &[&str]| {
        place.bad(
            &[&["export", "n.safetensors"][..], more, &out].concat(),
            code,
            parts,
        );
    };
    bad(&[], 2, &["--calibrate", "--bits f32"]);
    bad(
        &["--calibrate", "x.csv", "--bits", "w4"],
        2,
        &["f32, 8 or 4"],
    );
    place.write("wide.csv", b"1,2,3,4\n");
    bad(
        &["--calibrate", "wide.csv"],
        1,
        &["has 4 numbers", "takes 3"],
    );
    place.write("none.csv", b"");
    bad(&["--calibrate", "none.csv"], 1, &["none.csv"]);
    bad(&["--calibrate", "missing.npy"], 1, &["missing.npy"]);
}

/// Such a net is shown; commands for texts refuse it with a sentence.
#[test]
fn a_checkpoint_without_a_vocabulary_is_described() {
    let place = Place::new();
    let bytes = of_features(5).to_bytes().expect("a checkpoint");
    place.write("n.safetensors", &bytes);
    let told = place.json(&["inspect", "n.safetensors", "--json"]);
    assert_eq!(
        (&told["kind"], &told["cell"]),
        (&"checkpoint".into(), &"lstm".into())
    );
    assert_eq!((&told["features"], &told["vocab"]), (&3.into(), &0.into()));
    let text = place.good(&["inspect", "n.safetensors"]);
    assert!(text.contains("3 features in, 2 numbers out"), "{text}");
    place.write("t.txt", b"a text");
    for line in [
        &["predict", "n.safetensors", "a"][..],
        &["generate", "n.safetensors", "--length", "9"],
        &["eval", "n.safetensors", "t.txt"],
        &["explain", "n.safetensors"],
        &["trace", "n.safetensors", "t.txt"],
        &["train", "t.txt", "--qat", "n.safetensors", "--out", "r"],
    ] {
        place.bad(line, 1, &["no vocabulary", "gatelet inspect"]);
    }
}
