//! Texts: of any size, with a capped vocabulary, lower-case, normalised; and what a model remembers of that.

use std::fs;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::place::Place;

/// Sentences with capitals, accents in two characters, odd spaces and rare characters.
fn odd() -> String {
    (0..400)
        .map(|i| {
            let rare = char::from_u32(0x4e00 + i % 50).unwrap_or('漢');
            format!(
                "Der Mu\u{308}ller  sagt:\t\"Ja {rare}, No {}\"\r\n",
                i * i % 97
            )
        })
        .collect()
}

const SMALL: &str = "--hidden 8 --batch 4 --window 16 --epochs 2 -q";

fn train<'a>(text: &'a str, out: &'a str, more: &'a str) -> Vec<&'a str> {
    let mut line = vec!["train", text, "--out", out];
    line.extend(SMALL.split(' '));
    line.extend(more.split_whitespace());
    line
}

/// Everything but the wall clock, which is in the metadata of a `last.safetensors`.
fn timeless(bytes: &[u8]) -> (Value, Vec<u8>) {
    let header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let all: Value = serde_json::from_slice(&bytes[8..8 + header]).unwrap();
    let meta = all["__metadata__"]["gatelet"].as_str().unwrap();
    let mut meta: Value = serde_json::from_str(meta).unwrap();
    let position = meta["position"].as_object_mut().unwrap();
    assert!(position.remove("seconds").is_some() && position.remove("evaluated_at").is_some());
    (meta, bytes[8 + header..].to_vec())
}

#[test]
fn a_streamed_run_gives_the_same_bits_as_one_in_memory() {
    let place = Place::new();
    place.write("odd.txt", odd().as_bytes());
    for (index, rules) in [
        "",
        "--max-vocab 20 --lower-case --normalise nfkc --fold-space",
    ]
    .into_iter()
    .enumerate()
    {
        let (held, streamed) = (format!("held{index}"), format!("streamed{index}"));
        place.good(&train("odd.txt", &held, rules));
        place.good(&train(
            "odd.txt",
            &streamed,
            &format!("{rules} --stream-above 0"),
        ));
        let read = |run: &str, name: &str| fs::read(place.path(&format!("{run}/{name}"))).unwrap();
        assert!(read(&held, "best.safetensors") == read(&streamed, "best.safetensors"));
        assert!(
            timeless(&read(&held, "last.safetensors"))
                == timeless(&read(&streamed, "last.safetensors"))
        );
        let names = |run: &str| {
            let entries = fs::read_dir(place.path(run)).unwrap();
            let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
            names.sort();
            names
        };
        assert_eq!(names(&held), names(&streamed), "no token file is left");
    }
}

#[test]
fn a_streamed_run_is_resumed_with_its_own_rules_and_text_only() {
    let place = Place::new();
    place.write("odd.txt", odd().as_bytes());
    let run = "--lower-case --max-vocab 20 --stream-above 0";
    place.good(&train("odd.txt", "whole", run));
    let mut short = train("odd.txt", "parts", run);
    short.extend(["--minutes", "0.000001"]);
    place.good(&short);
    // Given again, the rules are the run's; others are refused.
    let resume = |more: &'static str| {
        let mut line = vec!["train", "odd.txt", "--out", "parts", "--resume", "-q"];
        line.extend(more.split_whitespace());
        line
    };
    place.good(&resume("--lower-case --max-vocab 20 --stream-above 0"));
    place.bad(
        &resume("--max-vocab 21"),
        1,
        &["--max-vocab 21 differs from the run's 20"],
    );
    place.bad(
        &resume("--fold-space"),
        1,
        &["--fold-space true differs from the run's false"],
    );
    place.bad(
        &resume("--normalise nfc"),
        1,
        &["--normalise", "nfc", "differs"],
    );
    place.write("odd.txt", odd().replace("sagt", "tags").as_bytes());
    place.bad(
        &resume("--stream-above 0"),
        1,
        &["odd.txt is not the text of this run", "sha256"],
    );
}

#[test]
fn rules_are_recorded_and_applied_to_what_a_model_is_given() {
    let place = Place::new();
    place.write("odd.txt", odd().as_bytes());
    let rules = "--max-vocab 30 --lower-case --normalise nfc --fold-space";
    place.good(&train("odd.txt", "run", rules));
    let config: Value =
        serde_json::from_slice(&fs::read(place.path("run/config.json")).unwrap()).unwrap();
    let command = config["provenance"]["command"].as_str().unwrap();
    for option in [
        "--max-vocab 30",
        "--lower-case",
        "--normalise nfc",
        "--fold-space",
    ] {
        assert!(command.contains(option), "{command}");
    }
    place.good(&["export", "run/best.safetensors", "--out", "m.gatelet"]);
    place.good(&[
        "export",
        "m.gatelet",
        "--out",
        "m4.gatelet",
        "--target",
        "cortex-m4",
    ]);
    for model in ["run/best.safetensors", "m.gatelet", "m4.gatelet"] {
        let told = place.json(&["inspect", model, "--json"]);
        assert_eq!(
            (&told["vocab"], &told["unknown_token"]),
            (&30.into(), &true.into())
        );
        let words = "lower case, NFC, white space folded, unknown characters as U+FFFD";
        assert_eq!(told["text_rules"], words);
        assert!(
            place
                .good(&["inspect", model])
                .contains(&format!("reads text {words}"))
        );

        // Capitals, a decomposed accent, a tab, an unknown character: as if it had been typed the model's way.
        let predict = |prefix| {
            place.json(&["predict", model, prefix, "--top", "100", "--json"])["suggestions"].clone()
        };
        let suggestions = predict("DER MU\u{308}LLER\t 漢");
        assert_eq!(suggestions, predict("der m\u{fc}ller 龍"));
        let list = suggestions.as_array().unwrap();
        assert_eq!(list.len(), 29, "all but the unknown token");
        let p: f64 = list.iter().map(|s| s["p"].as_f64().unwrap()).sum();
        assert!((p - 1.0).abs() < 1e-6, "{p}");

        let write = [
            "generate",
            model,
            "--length",
            "400",
            "--temperature",
            "3",
            "--prompt",
            "漢 ",
            "--json",
        ];
        let written = place.json(&write)["text"].as_str().unwrap().to_owned();
        assert_eq!(written.chars().count(), 400);
        assert!(
            !written.contains('\u{fffd}') && !written.contains(char::is_uppercase),
            "{written}"
        );

        // A text that is prepared already has the same score as the one it comes from.
        let prepared = odd().to_lowercase().replace("u\u{308}", "\u{fc}");
        let prepared = prepared
            .replace("  ", " ")
            .replace('\t', " ")
            .replace("\r\n", "\n");
        place.write("prepared.txt", prepared.as_bytes());
        let score = |text, split| place.json(&["eval", model, text, "--split", split, "--json"]);
        assert_eq!(score("odd.txt", "all"), score("prepared.txt", "all"));
        let held_out = score("odd.txt", "valid");
        assert_eq!(held_out["tokens"], prepared.chars().count() as u64 / 10 - 1);
        let hash = |text| place.json(&["trace", model, text, "--limit", "500", "--json"]);
        assert_eq!(hash("odd.txt"), hash("prepared.txt"));
    }
}

#[test]
fn bad_rules_and_texts_are_named() {
    let place = Place::new();
    let all: String = ('\u{4e00}'..).take(16_500).collect();
    place.write("many.txt", all.repeat(2).as_bytes());
    place.bad(
        &train("many.txt", "run", ""),
        1,
        &[
            "many.txt has 16500 distinct characters",
            "at most 16384",
            "--max-vocab",
        ],
    );
    for value in ["0", "2", "16385"] {
        let option = format!("--max-vocab {value}");
        place.bad(
            &train("text.txt", "run", &option),
            2,
            &["--max-vocab is", "from 3 to 16384"],
        );
    }
    let line = train("text.txt", "run", "--normalise nfd");
    assert_eq!(place.run(&line).status.code(), Some(2));
    place.write("accents.txt", "\u{301}".repeat(600_000).as_bytes());
    let accents = train("accents.txt", "run", "--normalise nfc");
    place.bad(
        &accents,
        1,
        &["accents.txt", "combining characters", "--normalise none"],
    );
    place.write("one.txt", "Aa aA".replace(' ', "").repeat(100).as_bytes());
    place.bad(
        &train("one.txt", "run", "--lower-case"),
        1,
        &["one distinct character", "'a'"],
    );
    // Streamed texts are refused as others are, before there is a folder.
    place.write("latin1.txt", b"first line\ncaf\xe9 au lait");
    for text in ["latin1.txt", "missing.txt"] {
        let line = train(text, "run", "--stream-above 0");
        place.bad(&line, 1, &[text]);
    }
    place.train("run");
    for command in [
        &["eval", "run/best.safetensors", "latin1.txt"][..],
        &["trace", "run/best.safetensors", "latin1.txt"],
    ] {
        place.bad(
            command,
            1,
            &["latin1.txt is not UTF-8", "offset 14", "line 2"],
        );
    }
    place.write("other.txt", "a small net é".as_bytes());
    place.bad(
        &["eval", "run/best.safetensors", "other.txt"],
        1,
        &["other.txt: character 'é' (U+00E9) at position 12"],
    );
    place.write("single.txt", b"a");
    place.bad(
        &["eval", "run/best.safetensors", "single.txt"],
        1,
        &["single.txt is too short", "has 1 characters"],
    );
}

/// A disk that is full, as far as the program can tell: files may not grow beyond 8 KiB.
#[test]
#[cfg(unix)]
fn a_full_disk_is_said_before_training_and_the_folder_is_free() {
    let place = Place::new();
    place.write("odd.txt", odd().as_bytes());
    let line = train("odd.txt", "run", "--stream-above 0").join(" ");
    // The program is $0: its path may have blanks.
    let limited = format!("trap '' XFSZ; ulimit -f 16; exec \"$0\" {line}");
    let folder = place.path("");
    let output = Command::new("sh")
        .args(["-c", &limited, env!("CARGO_BIN_EXE_gatelet")])
        .current_dir(folder)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    let what = "error: cannot write the text's tokens to a temporary file in run: ";
    assert!(
        said.starts_with(what) && said.contains("one byte a character"),
        "{said}"
    );
    // No run has begun there, so that the next one may, without --force.
    place.good(&train("odd.txt", "run", "--stream-above 0"));
}

#[test]
fn a_text_from_a_pipe_is_read() {
    let place = Place::new();
    let line = train("/dev/stdin", "run", "--stream-above 0");
    let child = place
        .command(&line)
        .stdin(Stdio::from(fs::File::open(place.path("text.txt")).unwrap()))
        .output()
        .unwrap();
    assert!(
        child.status.success(),
        "{}",
        String::from_utf8_lossy(&child.stderr)
    );
    let mut cat = Command::new("cat")
        .arg(place.path("text.txt"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let line = train("/dev/stdin", "piped", "--stream-above 0");
    let child = place
        .command(&line)
        .stdin(cat.stdout.take().unwrap())
        .output()
        .unwrap();
    assert!(
        child.status.success(),
        "{}",
        String::from_utf8_lossy(&child.stderr)
    );
    cat.wait().unwrap();
    let best = |run: &str| fs::read(place.path(&format!("{run}/best.safetensors"))).unwrap();
    assert!(best("run") == best("piped"));
}
