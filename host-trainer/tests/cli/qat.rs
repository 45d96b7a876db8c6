//! `train --qat`, `export --bits 4` and `explain`: what they say, what they make, and what they refuse.

use crate::place::Place;

const RUN: &str = "run/best.safetensors";

/// Options that exclude each other: the command line's own message, and exit code 2.
fn usage(place: &Place, line: &[&str], parts: &[&str]) {
    let output = place.run(line);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{line:?}: {said}");
    assert!(
        parts.iter().all(|part| said.contains(part)),
        "{line:?}: {said}"
    );
}

/// A float net that has learnt the text.
fn place() -> Place {
    let place = Place::new();
    place.good(&[
        "train", "text.txt", "--out", "run", "--hidden", "16", "--epochs", "12", "--batch", "4",
        "--window", "16", "-q",
    ]);
    place
}

#[test]
fn a_net_trained_for_four_bits_is_its_image_everywhere() {
    let place = place();
    let train = [
        "train", "text.txt", "--out", "four", "--qat", RUN, "--bits", "4",
    ];
    let trained = place.json(&[&train[..], &["--epochs", "4", "-q", "--json"]].concat());
    let found = place.json(&[
        "export",
        "four/best.safetensors",
        "--out",
        "four.gatelet",
        "--accept-loss",
        "--json",
    ]);
    assert_eq!(found["weight_bits"], "4");
    let nats = |of: &serde_json::Value| of["nats"].as_f64().unwrap();
    assert!(
        (nats(&trained) - nats(&found["after"])).abs() < 0.01,
        "{trained} {found}"
    );

    // The checkpoint is judged as the integers that it stands for.
    let of = |model: &str| place.json(&["eval", model, "text.txt", "--json"]);
    assert_eq!(of("four/best.safetensors"), of("four.gatelet"));
    let sizes = ["run/best.safetensors", "four/best.safetensors"].map(|model| {
        let line = [
            "export",
            model,
            "--out",
            "m.gatelet",
            "--force",
            "--accept-loss",
            "--json",
        ];
        place.json(&line)["bytes"].as_u64().unwrap()
    });
    assert!(sizes[1] < sizes[0], "{sizes:?}");
    let said = place.good(&["inspect", "four/best.safetensors"]);
    assert!(said.contains("int8"), "{said}");
    let config = std::fs::read_to_string(place.path("four/config.json")).unwrap();
    for part in ["--qat run/best.safetensors", "--bits 4", "\"from_sha256\""] {
        assert!(config.contains(part), "no {part:?} in {config}");
    }
}

#[test]
fn the_best_net_of_a_run_is_never_worse_than_what_it_began_with() {
    let place = place();
    let line = ["train", "text.txt", "--qat", RUN, "-q", "--json", "--out"];
    // So large a rate makes everything worse; so small a one changes nothing.
    let still = place.json(&[&line[..], &["still", "--epochs", "1", "--lr", "1e-12"]].concat());
    let wild = place.json(
        &[
            &line[..],
            &["wild", "--epochs", "1", "--lr", "1", "--warmup", "0"],
        ]
        .concat(),
    );
    let nats = |of: &serde_json::Value| of["nats"].as_f64().unwrap();
    assert!(nats(&wild) <= nats(&still) + 1e-6, "{still} {wild}");
    assert_eq!(
        place
            .checkpoint("wild/best.safetensors")
            .meta
            .provenance
            .epoch,
        0
    );
}

#[test]
fn a_run_goes_on_where_it_was_and_has_the_same_end() {
    let place = place();
    let line = [
        "train", "text.txt", "--qat", RUN, "--bits", "w4", "-q", "--out",
    ];
    place.good(&[&line[..], &["whole", "--epochs", "4"]].concat());
    place.good(&[&line[..], &["parts", "--epochs", "4", "--eval-every", "7"]].concat());
    // Other evaluations change nothing in the weights.
    let last = |run: &str| place.checkpoint(&format!("{run}/last.safetensors"));
    assert_eq!(last("whole").params.data, last("parts").params.data);
    place.good(&[
        "train", "text.txt", "--out", "whole", "--resume", "--epochs", "6", "-q",
    ]);
    assert_eq!(last("whole").meta.position.unwrap().epoch, 6);
    let both = [
        "train", "text.txt", "--out", "whole", "--resume", "--qat", RUN,
    ];
    usage(&place, &both, &["--qat", "--resume"]);
}

#[test]
fn options_that_would_change_the_net_are_refused() {
    let place = place();
    let line = ["train", "text.txt", "--out", "other", "--qat", RUN];
    let with = |more: &[&'static str]| [&line[..], more].concat();
    place.bad(
        &with(&["--hidden", "32"]),
        2,
        &["--hidden", "32", "what the checkpoint has"],
    );
    place.bad(
        &with(&["--dropout", "0.1"]),
        2,
        &["--dropout", "the device drops nothing"],
    );
    usage(&place, &with(&["--preset", "tiny"]), &["--preset", "--qat"]);
    usage(&place, &with(&["--bits", "5"]), &["--bits", "5"]);
    let alone = ["train", "text.txt", "--out", "other", "--bits", "4"];
    usage(&place, &alone, &["--qat"]);
    let nothing = [
        "train",
        "text.txt",
        "--out",
        "other",
        "--qat",
        "no.safetensors",
    ];
    place.bad(&nothing, 1, &["no.safetensors"]);
    let folder = ["train", "text.txt", "--out", "other", "--qat", "run"];
    place.bad(&folder, 1, &["run is no model", "its best.safetensors"]);
    place.write("else.txt", "0123456789 ".repeat(400).as_bytes());
    let other_text = ["train", "else.txt", "--out", "other", "--qat", RUN];
    place.bad(&other_text, 1, &["other tokens than the checkpoint"]);
}

/// Words, an embedding, a projection and a tied head: ranges are chosen at the start and stay, and every bit of the head is the
/// table's.
#[test]
fn a_net_of_words_is_trained_for_its_integers_too() {
    let place = Place::new();
    let float = "train text.txt --out run --level word --embedding 12 --projection 12 --tied --hidden 16 \
                 --epochs 6 --batch 4 --window 16 -q";
    place.good(&float.split_whitespace().collect::<Vec<_>>());
    for (bits, said) in [("8", "8"), ("4", "mixed"), ("w4", "mixed")] {
        let run = format!("run-{bits}");
        let line = ["train", "text.txt", "--qat", RUN, "--bits", bits, "--out"];
        let trained = place.json(&[&line[..], &[&run, "--epochs", "3", "-q", "--json"]].concat());
        let best = format!("{run}/best.safetensors");
        let line = ["export", &best, "--out", "m.gatelet", "--force", "--json"];
        let found = place.json(&[&line[..], &["--accept-loss"]].concat());
        assert_eq!(found["weight_bits"], said, "--bits {bits}");
        let nats = |of: &serde_json::Value| of["nats"].as_f64().unwrap();
        let (trained, image) = (nats(&trained), nats(&found["after"]));
        assert!((trained - image).abs() < 0.01, "{bits}: {trained} {image}");
        let of = |model: &str| place.json(&["eval", model, "text.txt", "--json"]);
        assert_eq!(of(&best), of("m.gatelet"), "--bits {bits}");
        let checkpoint = place.checkpoint(&best);
        let scheme = checkpoint.scheme().unwrap();
        let range = found["embedding_range"].as_f64().unwrap();
        assert_eq!(f64::from(scheme.steps[0]), range);
    }
    let config = std::fs::read_to_string(place.path("run-4/config.json")).unwrap();
    assert!(config.contains("--bits 4"), "{config}");
}

#[test]
fn rounding_without_training_costs_and_other_bits_than_trained_for_are_refused() {
    let place = place();
    let of = |bits: &str| {
        let line = ["export", RUN, "--out", "m.gatelet", "--bits", bits];
        place.json(&[&line[..], &["--accept-loss", "--force", "--json"]].concat())
    };
    let [four, eight] = ["4", "8"].map(of);
    let loss = |found: &serde_json::Value| found["loss_nats"].as_f64().unwrap();
    assert_eq!(
        (&four["weight_bits"], &eight["weight_bits"]),
        (&"4".into(), &"8".into())
    );
    assert!(loss(&four) > loss(&eight), "{four} {eight}");
    assert!(eight["bytes"].as_u64() > four["bytes"].as_u64());
    let mixed = of("w4");
    assert_eq!(mixed["weight_bits"], "mixed");
    place.good(&[
        "train", "text.txt", "--out", "eight", "--qat", RUN, "--epochs", "1", "-q",
    ]);
    place.bad(
        &[
            "export",
            "eight/best.safetensors",
            "--out",
            "n.gatelet",
            "--bits",
            "4",
        ],
        2,
        &["--bits", "trained for other bits"],
    );
}

#[test]
fn explain_accounts_for_every_byte_and_draws_it() {
    let place = place();
    let found = place.json(&["explain", RUN, "--plot", "plots", "--json"]);
    for image in 0..3 {
        let lines = found["lines"].as_array().unwrap();
        let bytes = |line: &serde_json::Value| line["bytes"][image].as_u64().unwrap();
        let all = found["bytes"][image].as_u64().unwrap();
        assert_eq!(lines.iter().map(bytes).sum::<u64>(), all, "image {image}");
    }
    let [f32, int8, four] = [0, 1, 2].map(|image| found["bytes"][image].as_u64().unwrap());
    assert!(f32 > int8 && int8 > four, "{found}");
    for of in [0, 1] {
        let lines = found["lines"].as_array().unwrap();
        let sum: f64 = lines
            .iter()
            .filter_map(|line| line["loss"][of].as_f64())
            .sum();
        let nats = |image: usize| found["nats"][image].as_f64().unwrap();
        assert!(
            (sum - (nats(of + 1) - nats(0))).abs() < 1e-9,
            "the parts are the whole"
        );
    }
    let png = std::fs::read(place.path("plots/explain.png")).unwrap();
    assert!(png.starts_with(b"\x89PNG"));
    assert!(place.path("plots/explain.svg").exists());

    place.good(&["export", RUN, "--out", "m.gatelet", "--accept-loss"]);
    place.bad(&["explain", "m.gatelet"], 1, &["m.gatelet", "explain"]);
    place.good(&[
        "train", "text.txt", "--out", "eight", "--qat", RUN, "--epochs", "1", "-q",
    ]);
    place.bad(
        &["explain", "eight/best.safetensors"],
        1,
        &["real numbers", "--qat"],
    );
}
