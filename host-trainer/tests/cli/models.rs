//! The commands that read a model.

use std::fs;
use std::process::Stdio;

use crate::place::{Place, TEXT};

#[test]
fn every_command_takes_checkpoints_and_images() {
    let place = Place::new();
    place.train("run");
    let exported = place.json(&[
        "export",
        "run/best.safetensors",
        "--out",
        "m.gatelet",
        "--json",
    ]);
    assert_eq!(exported["precision"], "int8");
    assert_eq!(
        exported["bytes"].as_u64(),
        Some(fs::metadata(place.path("m.gatelet")).unwrap().len())
    );
    place.good(&[
        "export",
        "run/best.safetensors",
        "--out",
        "f.gatelet",
        "--bits",
        "f32",
    ]);
    for model in ["run/best.safetensors", "m.gatelet", "f.gatelet"] {
        let scores = place.json(&["eval", model, "text.txt", "--json"]);
        let keys: Vec<_> = scores
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        assert_eq!(keys, ["bpc", "nats", "tokens", "top1", "top3"]);
        assert_eq!(
            scores["tokens"].as_u64(),
            Some((TEXT.len() * 30 - 1) as u64)
        );
        let valid = place.json(&["eval", model, "text.txt", "--split", "valid", "--json"]);
        assert_eq!(
            valid["tokens"].as_u64(),
            Some((TEXT.len() * 3 - 1) as u64),
            "{model}"
        );

        let predicted = place.json(&["predict", model, "a small ne", "--top", "5", "--json"]);
        let list = predicted["suggestions"].as_array().unwrap();
        assert_eq!(list.len(), 5);
        let p: Vec<f64> = list.iter().map(|s| s["p"].as_f64().unwrap()).collect();
        assert!(p.is_sorted_by(|a, b| a >= b) && p.iter().sum::<f64>() <= 1.0);
        assert_eq!(
            place
                .good(&["predict", model, "a small ne"])
                .lines()
                .count(),
            3
        );

        let generate = [
            "generate", model, "--length", "40", "--prompt", "it ", "--seed", "4", "--json",
        ];
        let written = place.json(&generate);
        assert_eq!(written["text"].as_str().unwrap().chars().count(), 40);
        assert_eq!(written["temperature"], 0.8);
        assert_eq!(written, place.json(&generate));
        assert!(
            place
                .good(&["generate", model, "--length", "5", "--prompt", "it "])
                .starts_with("it ")
        );

        let inspected = place.json(&["inspect", model, "--json"]);
        assert_eq!(
            inspected["macs_per_step"].as_u64().unwrap() as usize,
            32 * 8 + inspected["vocab"].as_u64().unwrap() as usize * 8
        );
        assert_eq!(inspected["provenance"]["corpus"], "text.txt");
        assert!(
            place
                .good(&["inspect", model])
                .contains("on the device  flash")
        );

        let traced = place.json(&["trace", model, "text.txt", "--limit", "50", "--json"]);
        assert_eq!(
            (
                traced["steps"].as_u64(),
                traced["state_hash"].as_str().unwrap().len()
            ),
            (Some(50), 16)
        );
    }
    let hash = |isa| {
        place.json(&["trace", "m.gatelet", "text.txt", "--isa", isa, "--json"])["state_hash"]
            .clone()
    };
    assert_eq!(hash("scalar"), hash("portable"));
}

#[test]
fn unknown_characters_are_named() {
    let place = Place::new();
    place.train("run");
    let model = "run/best.safetensors";
    place.bad(
        &["predict", model, "at€"],
        1,
        &[
            "prefix",
            "'€' (U+20AC) at position 2",
            "remove or replace it",
        ],
    );
    place.bad(&["predict", model, "It"], 1, &["'I'", "it knows 'i'"]);
    place.bad(
        &["generate", model, "--length", "5", "--prompt", "#"],
        1,
        &["prompt", "'#'"],
    );
    place.write("other.txt", "it is 5".as_bytes());
    place.bad(&["eval", model, "other.txt"], 1, &["other.txt", "'5'"]);
    place.bad(&["trace", model, "other.txt"], 1, &["other.txt", "'5'"]);
}

#[test]
fn what_is_no_model_is_said_to_be_none() {
    let place = Place::new();
    place.train("run");
    place.good(&["export", "run/best.safetensors", "--out", "m.gatelet"]);
    let mut broken = fs::read(place.path("m.gatelet")).unwrap();
    let middle = broken.len() / 2;
    broken[middle] ^= 1;
    place.write("broken.gatelet", &broken);
    place.write(
        "cut.safetensors",
        &fs::read(place.path("run/best.safetensors")).unwrap()[..200],
    );
    for command in [
        &["eval", "M", "text.txt"][..],
        &["predict", "M", "it"],
        &["generate", "M", "--length", "3"],
        &["inspect", "M"],
        &["export", "M", "--out", "new.gatelet"],
        &["trace", "M", "text.txt"],
    ] {
        let with = |model| {
            command
                .iter()
                .map(|&word| if word == "M" { model } else { word })
                .collect::<Vec<_>>()
        };
        place.bad(
            &with("text.txt"),
            1,
            &["text.txt is no model", "a file of another kind"],
        );
        place.bad(&with("run"), 1, &["run is no model", "best.safetensors"]);
        place.bad(&with("cut.safetensors"), 1, &["cut.safetensors", "damaged"]);
        place.bad(&with("broken.gatelet"), 1, &["broken.gatelet", "checksum"]);
        place.bad(&with("nowhere"), 1, &["cannot read nowhere"]);
    }
    let requantize = [
        "export",
        "m.gatelet",
        "--out",
        "new.gatelet",
        "--bits",
        "f32",
    ];
    place.bad(
        &requantize,
        1,
        &["m.gatelet is a .gatelet image", "needs a checkpoint"],
    );
}

#[test]
fn a_target_changes_places_and_nothing_else() {
    let place = Place::new();
    place.train("run");
    place.good(&["export", "run/best.safetensors", "--out", "plain.gatelet"]);
    let m4 = ["--target", "cortex-m4", "--json"];
    let from_checkpoint = ["export", "run/best.safetensors", "--out", "a.gatelet"];
    let from_image = ["export", "plain.gatelet", "--out", "b.gatelet"];
    for export in [from_checkpoint, from_image] {
        assert_eq!(place.json(&[&export[..], &m4].concat())["layout"], "pairs");
    }
    let bytes = |name| fs::read(place.path(name)).unwrap();
    assert_eq!(bytes("a.gatelet"), bytes("b.gatelet"));
    let back = ["export", "a.gatelet", "--out", "back.gatelet"];
    assert_eq!(
        place.json(&[&back[..], &["--json"]].concat())["layout"],
        "rows"
    );
    assert_eq!(bytes("back.gatelet"), bytes("plain.gatelet"));

    let inspected = place.json(&["inspect", "a.gatelet", "--json"]);
    assert_eq!(inspected["layout"], "pairs");
    assert_eq!(inspected["known_answer_passes"], true);
    let hash = |model, isa| {
        place.json(&["trace", model, "text.txt", "--isa", isa, "--json"])["state_hash"].clone()
    };
    assert_eq!(hash("a.gatelet", "scalar"), hash("plain.gatelet", "scalar"));
    assert_eq!(
        hash("a.gatelet", "portable"),
        hash("plain.gatelet", "scalar")
    );

    // What has no packed form stays as it is, and says why.
    let wide = [
        "random",
        "--hidden",
        "520",
        "--vocab",
        "4",
        "--out",
        "wide.gatelet",
    ];
    let said = place.good(&[&wide[..], &["--target", "cortex-m4"]].concat());
    assert!(
        said.contains("at most 512 columns") && said.contains("stays in rows"),
        "{said}"
    );
    assert_eq!(
        place.json(&["inspect", "wide.gatelet", "--json"])["layout"],
        "rows"
    );
}

#[test]
fn images_are_never_overwritten_by_accident() {
    let place = Place::new();
    place.train("run");
    let export = ["export", "run/best.safetensors", "--out", "m.gatelet"];
    place.good(&export);
    let first = fs::read(place.path("m.gatelet")).unwrap();
    place.bad(&export, 1, &["m.gatelet exists already", "--force"]);
    place.good(&[&export[..], &["--force"]].concat());
    assert_eq!(
        fs::read(place.path("m.gatelet")).unwrap(),
        first,
        "the same checkpoint and text give the same bytes"
    );
    place.bad(
        &[
            "export",
            "run/best.safetensors",
            "--out",
            "no/where.gatelet",
        ],
        1,
        &["cannot write no/where.gatelet"],
    );
    place.bad(
        &["random", "--out", "m.gatelet"],
        1,
        &["m.gatelet exists already"],
    );
    place.bad(
        &["random", "--out", "r.gatelet", "--vocab", "1"],
        2,
        &["--vocab"],
    );
    place.write("text.txt", b"changed");
    let new = ["export", "run/best.safetensors", "--out", "new.gatelet"];
    place.bad(&new, 1, &["text.txt", "has changed since", "--text FILE"]);
    fs::remove_file(place.path("text.txt")).unwrap();
    place.bad(&new, 1, &["is not here", "--text FILE"]);
    place.write("copy.txt", TEXT.repeat(30).as_bytes());
    place.good(&[&new[..], &["--text", "copy.txt"]].concat());
    assert_eq!(fs::read(place.path("new.gatelet")).unwrap(), first);
}

#[test]
fn options_of_the_other_commands_are_checked() {
    let place = Place::new();
    place.train("run");
    let model = "run/best.safetensors";
    place.bad(&["predict", model, "it", "--top", "0"], 2, &["--top"]);
    place.bad(
        &["generate", model, "--length", "3", "--temperature", "-1"],
        2,
        &["--temperature"],
    );
    place.bad(
        &["generate", model, "--length", "3", "--temperature", "nan"],
        2,
        &["--temperature"],
    );
    place.bad(
        &["generate", model, "--length", "3", "--top-k", "0"],
        2,
        &["--top-k"],
    );
    for p in ["0", "1.5", "-1", "nan"] {
        place.bad(
            &["generate", model, "--length", "3", "--top-p", p],
            2,
            &["--top-p"],
        );
    }
    place.bad(
        &[
            "eval",
            model,
            "text.txt",
            "--split",
            "valid",
            "--valid-fraction",
            "0",
        ],
        2,
        &["--valid-fraction"],
    );
    place.bad(
        &["trace", model, "text.txt", "--isa", "mmx"],
        1,
        &["mmx", "scalar"],
    );
}

#[test]
fn every_command_has_help_with_an_example() {
    let place = Place::new();
    for command in [
        "train", "eval", "predict", "generate", "export", "inspect", "trace", "random",
    ] {
        assert!(place.good(&["--help"]).contains(command));
        let help = place.good(&[command, "--help"]);
        assert!(
            help.contains(&format!("Example:\n  gatelet {command}")),
            "{help}"
        );
    }
}

#[cfg(unix)]
#[test]
fn a_reader_that_leaves_ends_the_program_quietly() {
    let place = Place::new();
    place.train("run");
    let line = ["generate", "run/best.safetensors", "--length", "100000"];
    let mut child = place
        .command(&line)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Weights that are numbers but far too large become an error of every command, by the name of what is too large.
#[test]
fn a_checkpoint_whose_weights_have_exploded_is_no_model() {
    let place = Place::new();
    place.train("run");
    for huge in [1e5, 3.3e38] {
        let mut checkpoint = place.checkpoint("run/best.safetensors");
        checkpoint.params.data.iter_mut().for_each(|w| *w = huge);
        place.write("huge.safetensors", &checkpoint.to_bytes().unwrap());
        for line in [
            &["eval", "huge.safetensors", "text.txt"][..],
            &["predict", "huge.safetensors", "a"],
            &["generate", "huge.safetensors", "--length", "3"],
            &[
                "export",
                "huge.safetensors",
                "--bits",
                "f32",
                "--out",
                "h.gatelet",
            ],
        ] {
            place.bad(line, 1, &["exploded", "operation 0 ", "--lr"]);
        }
        assert!(!place.path("h.gatelet").exists());
    }
}

/// An image whose stored answer is another one, with the right checksum.
fn with_another_answer(mut image: Vec<u8>) -> Vec<u8> {
    let hash = gatelet_trainer::image::Image::from_bytes(&image)
        .model()
        .unwrap()
        .known_answer()
        .hash;
    // The header's numbers are varints: seven bits a byte.
    let varint: [u8; 8] = std::array::from_fn(|i| (hash >> (7 * i)) as u8 & 0x7f);
    let place = image
        .windows(8)
        .position(|bytes| bytes.iter().zip(&varint).all(|(a, b)| a & 0x7f == *b))
        .unwrap();
    image[place] ^= 1;
    let header = 32..32 + u32::from_le_bytes(image[12..16].try_into().unwrap()) as usize;
    let sum = crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC).checksum(&image[header]);
    image[20..24].copy_from_slice(&sum.to_le_bytes());
    image
}

#[test]
fn verify_runs_the_known_answer_on_every_kernel() {
    let place = Place::new();
    for bits in ["8", "f32"] {
        let random = ["random", "--hidden", "20", "--bits", bits, "--out"];
        place.good(&[&random[..], &["m.gatelet", "--force"]].concat());
        let found = place.json(&["verify", "m.gatelet", "--json"]);
        assert_eq!(found["passed"], true);
        let kernels = found["kernels"].as_array().unwrap();
        assert!(kernels.len() >= 3 && kernels[0] == "scalar", "{kernels:?}");
        let one = place.good(&["verify", "m.gatelet", "--isa", "portable"]);
        assert!(
            one.contains("portable") && !one.contains("scalar,"),
            "{one}"
        );
        let wrong = with_another_answer(fs::read(place.path("m.gatelet")).unwrap());
        place.write("wrong.gatelet", &wrong);
        place.bad(&["verify", "wrong.gatelet"], 1, &["known-answer", "scalar"]);
        for line in [
            &["inspect", "wrong.gatelet"][..],
            &["predict", "wrong.gatelet", "a"],
            &["eval", "wrong.gatelet", "text.txt"],
            &["generate", "wrong.gatelet", "--length", "3"],
            &["trace", "wrong.gatelet", "text.txt"],
        ] {
            place.bad(line, 1, &["wrong.gatelet", "known-answer", "export"]);
        }
    }
    place.bad(&["verify", "text.txt"], 1, &["text.txt"]);
    place.bad(
        &["verify", "m.gatelet", "--isa", "none"],
        1,
        &["none", "scalar"],
    );
    place.train("run");
    place.bad(
        &["verify", "run/best.safetensors"],
        1,
        &["checkpoint", "export"],
    );
}

#[test]
fn a_suite_holds_int8_models_only_and_overwrites_nothing() {
    let place = Place::new();
    for (bits, name) in [("8", "m.gatelet"), ("f32", "f.gatelet")] {
        place.good(&["random", "--hidden", "9", "--bits", bits, "--out", name]);
    }
    let suite = |models: &[&'static str], more: &[&'static str]| {
        [&["suite"], models, &["--out", "s.suite", "--steps"], more].concat()
    };
    place.bad(&suite(&["f.gatelet"], &["5"]), 1, &["f.gatelet", "int8"]);
    place.bad(&suite(&["m.gatelet"], &["0"]), 2, &["--steps"]);
    let made = place.json(&suite(&["m.gatelet", "m.gatelet"], &["5", "--json"]));
    assert_eq!(
        (made["models"].as_u64(), made["steps"].as_u64()),
        (Some(2), Some(5))
    );
    let bytes = fs::read(place.path("s.suite")).unwrap();
    // A header, the image, and 16 and 32 bytes of ids and hashes.
    let image = fs::metadata(place.path("m.gatelet")).unwrap().len();
    assert_eq!(bytes.len() as u64, 2 * (16 + image + 16 + 32));
    place.bad(&suite(&["m.gatelet"], &["5"]), 1, &["s.suite", "--force"]);
    assert_eq!(fs::read(place.path("s.suite")).unwrap(), bytes);
}
