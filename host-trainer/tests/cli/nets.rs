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
    let mut made = of_net(net.then(head).values());
    made.starts.push(Start {
        operation: 0,
        h: vec![0.25; units],
        c: vec![-0.5; units],
    });
    made
}

/// The same of any net.
fn of_net(net: Net) -> Checkpoint {
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
    let made = Checkpoint::of_net(params, Interface::default(), Vec::new(), provenance);
    made.expect("a net")
}

/// Its image is measured at its outputs, and runs as the checkpoint does.
#[test]
fn a_net_without_a_vocabulary_is_exported() {
    let place = Place::new();
    let bytes = of_features(12).to_bytes().expect("a checkpoint");
    place.write("n.safetensors", &bytes);
    place.write("x.csv", rows(200).as_bytes());
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
        "1: weights of lstm 12",
        "2: weights of dense 2",
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

/// Rows of three numbers as the net is given.
fn rows(steps: i32) -> String {
    let row = |t: i32| {
        let wave = |by: f64| (f64::from(t) * by).sin();
        format!(
            "{:.4},{:.4},{:.4}\n",
            wave(0.3),
            20.0 * wave(0.7),
            0.1 * wave(1.1)
        )
    };
    (0..steps).map(row).collect()
}

/// `w4` gives 4 bits to what bears them: half of the weights, where that is within the bounds.
#[test]
fn matrices_with_4_bits_are_chosen_by_the_error_at_the_outputs() {
    let place = Place::new();
    let bytes = of_features(12).to_bytes().expect("a checkpoint");
    place.write("n.safetensors", &bytes);
    place.write("x.csv", rows(200).as_bytes());
    let export = |bits: &str| {
        let line = ["export", "n.safetensors", "--calibrate", "x.csv", "--json"];
        let more = ["--bits", bits, "--out", "m.gatelet", "--force"];
        place.json(&[&line[..], &more].concat())
    };
    let decibels = |told: &serde_json::Value| told["outputs"][0]["decibels"].as_f64();
    let (eight, mixed) = (export("8"), export("w4"));
    assert_eq!(mixed["weight_bits"], "mixed");
    assert_eq!(mixed, export("mixed"), "another name");
    let bytes = |told: &serde_json::Value| told["bytes"].as_u64();
    assert!(bytes(&mixed) < bytes(&eight), "{mixed}");
    assert!(decibels(&mixed) < decibels(&eight), "{mixed}");
    assert!(decibels(&mixed) >= Some(20.0), "within the gate: {mixed}");
    let inspect = place.json(&["inspect", "m.gatelet", "--json"]);
    assert_eq!(inspect["known_answer_passes"], true);
}

/// What each operation takes, what integers cost, and the numbers on a sequence: the same that
/// other commands say.
#[test]
fn a_net_without_a_vocabulary_is_explained() {
    let place = Place::new();
    let bytes = of_features(12).to_bytes().expect("a checkpoint");
    place.write("n.safetensors", &bytes);
    place.write("x.csv", rows(200).as_bytes());
    let text = place.good(&["explain", "n.safetensors"]);
    for part in [
        "1 lstm 12",
        "2 dense 2",
        "Cortex-M55",
        "--calibrate",
        "--input",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let explain = ["explain", "n.safetensors", "--json"];
    let plain = place.json(&explain);
    assert_eq!(plain["measured"], serde_json::Value::Null);
    let files = ["--calibrate", "x.csv", "--input", "x.csv"];
    let told = place.json(&[&explain[..], &files].concat());
    assert_eq!(told["bytes"].as_array().map(Vec::len), Some(3));
    let [lstm, dense] = [0, 1].map(|k: usize| told["operations"][k].clone());
    assert_eq!(lstm["macs"], 4 * 12 * 15);
    assert_eq!(
        (&lstm["reads"], &dense["reads"]),
        (&[0].into(), &[1].into())
    );
    // h in int8, c in int16; the head keeps nothing.
    assert_eq!(
        (&lstm["state_bytes"], &dense["state_bytes"]),
        (&36.into(), &0.into())
    );
    let line = ["export", "n.safetensors", "--calibrate", "x.csv", "--json"];
    for (place_of, bits) in [(0, "8"), (1, "4")] {
        let out = [
            "--bits",
            bits,
            "--out",
            "m.gatelet",
            "--force",
            "--accept-loss",
        ];
        let export = place.json(&[&line[..], &out].concat());
        let measured = &told["measured"][place_of];
        assert_eq!(measured["outputs"], export["outputs"]);
        assert_eq!(lstm["decibels"][place_of], export["costs"][0]["decibels"]);
        assert_eq!(dense["decibels"][place_of], export["costs"][1]["decibels"]);
        assert_eq!(told["bytes"][1 + place_of], export["bytes"]);
        let inspect = place.json(&["inspect", "m.gatelet", "--json"]);
        let parts = inspect["parts"].as_array().expect("parts");
        let of_lstm: u64 = parts
            .iter()
            .take(2)
            .filter_map(|of| of["bytes"].as_u64())
            .sum();
        assert_eq!(lstm["bytes"][1 + place_of], of_lstm);
        assert_eq!(told["session_bytes"], inspect["ram_bytes"]);
    }
    let ranges = &told["ranges"];
    assert_eq!(ranges["steps"], 200);
    let feature = ranges["features"][1].as_f64().expect("a number");
    assert!((19.99..=20.0).contains(&feature), "{feature}");
    let names = ranges["operations"][0]["gates"]
        .as_array()
        .expect("gates")
        .iter();
    let names: Vec<&str> = names.filter_map(|gate| gate["name"].as_str()).collect();
    assert_eq!(names, ["i", "f", "g", "o"]);
    place.good(&[
        "run",
        "n.safetensors",
        "--input",
        "x.csv",
        "--output",
        "y.csv",
    ]);
    let given = std::fs::read_to_string(place.path("y.csv")).expect("rows");
    let given = given
        .split([',', '\n'])
        .filter_map(|x| x.parse::<f64>().ok());
    let most = given.fold(0.0, |most: f64, x| most.max(x.abs()));
    let head = ranges["operations"][1]["largest"]
        .as_f64()
        .expect("a number");
    assert!((head - most).abs() < 1e-4, "{head} {most}");
    place.write("t.txt", b"a text");
    place.bad(
        &["explain", "n.safetensors", "--text", "t.txt"],
        2,
        &["--text", "--calibrate"],
    );
    place.bad(
        &["explain", "n.safetensors", "--plot", "p"],
        2,
        &["--plot", "gatelet report"],
    );
    place.bad(
        &["explain", "n.safetensors", "--input", "none.npy"],
        1,
        &["none.npy"],
    );
}

/// Activations that integers do not follow: nothing but f32, and that is said.
#[test]
fn a_net_for_f32_only_is_explained_as_such() {
    let place = Place::new();
    let head = |activation| Kind::Dense {
        units: 2,
        activation,
    };
    let net = Net::features(Precision::F32, 3).then(head(Activation::Elu));
    let checkpoint = of_net(net.then(head(Activation::None)).values());
    place.write(
        "n.safetensors",
        &checkpoint.to_bytes().expect("a checkpoint"),
    );
    let text = place.good(&["explain", "n.safetensors"]);
    assert!(text.contains("in f32 only"), "{text}");
    let told = place.json(&["explain", "n.safetensors", "--json"]);
    assert_eq!(
        (&told["bytes"][1], &told["boards"]),
        (&0.into(), &serde_json::json!([]))
    );
    place.good(&["report", "n.safetensors"]);
    assert!(place.path("n-report/index.html").is_file());
}

/// A page of it, with the numbers that `explain` has.
#[test]
fn a_net_without_a_vocabulary_has_a_report() {
    let place = Place::new();
    let bytes = of_features(12).to_bytes().expect("a checkpoint");
    place.write("n.safetensors", &bytes);
    place.write("x.csv", rows(60).as_bytes());
    let files = ["--calibrate", "x.csv", "--input", "x.csv", "--json"];
    let told = place.json(&[&["report", "n.safetensors"][..], &files].concat());
    let explained = place.json(&[&["explain", "n.safetensors"][..], &files].concat());
    for key in ["operations", "bytes", "boards", "measured"] {
        assert_eq!(told["explanation"][key], explained[key], "{key}");
    }
    assert_eq!(told["ranges"], explained["ranges"]);
    assert_eq!(told["parameters"], 4 * 12 * (3 + 12 + 1) + 2 * 13);
    let page = std::fs::read_to_string(place.path("n-report/index.html")).expect("a page");
    for id in [
        "essential",
        "operations",
        "device",
        "integers",
        "numbers",
        "origin",
    ] {
        assert!(page.contains(&format!("<section id=\"{id}\">")), "{id}");
    }
    assert!(
        page.contains("1 lstm 12") && !page.contains("<script"),
        "{page}"
    );
    let numbers = std::fs::read(place.path("n-report/report.json")).expect("numbers");
    let numbers: serde_json::Value = serde_json::from_slice(&numbers).expect("JSON");
    assert_eq!(numbers, told);
    // Again: what it wrote is its own.
    let without = place.good(&["report", "n.safetensors", "--out", "n-report"]);
    assert!(without.contains("the report is"), "{without}");
    let page = std::fs::read_to_string(place.path("n-report/index.html")).expect("a page");
    assert!(
        page.contains("--calibrate FILE") && page.contains("--input FILE"),
        "{page}"
    );
    place.bad(
        &["report", "n.safetensors", "--layer", "1"],
        2,
        &["--layer", "--calibrate"],
    );
    place.good(&[
        "export",
        "n.safetensors",
        "--bits",
        "f32",
        "--out",
        "n.gatelet",
    ]);
    place.bad(&["report", "n.gatelet"], 1, &["n.gatelet", "checkpoint"]);
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
        &["trace", "n.safetensors", "t.txt"],
        &["train", "t.txt", "--qat", "n.safetensors", "--out", "r"],
    ] {
        place.bad(line, 1, &["no vocabulary", "gatelet inspect"]);
    }
}
