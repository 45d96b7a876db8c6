//! Standard input and output: `-` in the place of every file, prompts that begin with a hyphen, and
//! what a terminal does not get.

use std::fs;
use std::process::Stdio;

use serde_json::Value;

use crate::fed::{fed, good, stdout};
use crate::place::Place;
use crate::texts::{SMALL, lines, net, words};

#[test]
fn prompts_may_begin_with_a_hyphen_and_have_any_line_end() {
    let place = Place::new();
    place.write("t.txt", format!("{}- he x\n", lines()).as_bytes());
    place.good(&words(&format!("train t.txt --out run {SMALL} -q")));
    let model = "run/best.safetensors";
    let predicted = |prefix: &str| {
        let all = place.json(&["predict", model, "--top", "9", "--json", prefix]);
        assert_eq!(
            all,
            place.json(&["predict", model, prefix, "--top", "9", "--json"])
        );
        all
    };
    for prefix in ["- he", "-he", "-x", "--he", "-"] {
        if prefix != "-" {
            assert_eq!(predicted(prefix)["prefix"], prefix);
        }
        let line = ["predict", model, "-", "--top", "9", "--json"];
        let piped = stdout(&good(&place, &line, prefix.as_bytes()));
        let piped: Value = serde_json::from_str(&piped).unwrap();
        assert_eq!(piped["prefix"], prefix);
        // What echo adds is no part of it, and neither is a byte order mark.
        for end in ["\n", "\r\n", "\r"] {
            let with = format!("\u{feff}{prefix}{end}");
            let with = stdout(&good(&place, &line, with.as_bytes()));
            assert_eq!(serde_json::from_str::<Value>(&with).unwrap(), piped);
        }
    }
    assert_eq!(
        predicted("he\r\n")["suggestions"],
        predicted("he\n")["suggestions"]
    );
    assert_eq!(
        predicted("he\r")["suggestions"],
        predicted("he\n")["suggestions"]
    );
    assert_eq!(
        predicted("\u{feff}he")["suggestions"],
        predicted("he")["suggestions"]
    );
    let written = |more: &[&str]| {
        place.json(&[&["generate", model, "--length", "5", "--json"], more].concat())
    };
    let text = written(&["--prompt", "- he"]);
    assert_eq!(text["prompt"], "- he");
    assert_eq!(written(&["--prompt=- he"]), text);
    let line = [
        "generate", model, "--length", "5", "--json", "--prompt", "-",
    ];
    let piped = stdout(&good(&place, &line, b"- he\n"));
    assert_eq!(serde_json::from_str::<Value>(&piped).unwrap(), text);
    place.good(&["report", "run", "--text", "- he"]);
}

/// Every command with a file among its arguments, and `-` in the place of each.
#[test]
fn every_command_takes_standard_input_and_output() {
    let place = Place::new();
    let text = lines();
    place.write("t.txt", text.as_bytes());
    place.good(&words(&format!("train t.txt --out run {SMALL} -q")));
    let best = fs::read(place.path("run/best.safetensors")).unwrap();
    place.good(&["export", "run/best.safetensors", "--out", "m.gatelet"]);
    let image = fs::read(place.path("m.gatelet")).unwrap();
    let t = text.as_bytes();

    // The command with a file, the same with `-`, what is fed to that. What they say is equal.
    let table: [(&str, &str, &[u8]); 12] = [
        ("eval m.gatelet t.txt", "eval m.gatelet -", t),
        ("eval m.gatelet t.txt", "eval - t.txt", &image),
        ("predict m.gatelet Der", "predict m.gatelet -", b"Der"),
        ("predict m.gatelet Der", "predict - Der", &image),
        (
            "generate m.gatelet --length 9 --prompt Der",
            "generate m.gatelet --length 9 --prompt -",
            b"Der",
        ),
        (
            "generate m.gatelet --length 9",
            "generate - --length 9",
            &image,
        ),
        ("trace m.gatelet t.txt", "trace m.gatelet -", t),
        ("trace m.gatelet t.txt", "trace - t.txt", &image),
        ("verify m.gatelet", "verify -", &image),
        ("explain run/best.safetensors", "explain -", &best),
        (
            "explain run/best.safetensors --text t.txt",
            "explain run/best.safetensors --text -",
            t,
        ),
        ("report run --corpus t.txt", "report run --corpus -", t),
    ];
    for (named, piped, bytes) in table {
        let expected = place.good(&words(named));
        let found = good(&place, &words(piped), bytes);
        assert_eq!(stdout(&found), expected, "{piped}");
    }
    let inspected = stdout(&good(&place, &["inspect", "-"], &image));
    assert!(inspected.contains("standard input (image)"), "{inspected}");
    let heat = good(&place, &words("report run --text -"), b"Der kleine");
    assert!(stdout(&heat).contains("the report is"));

    // A run from standard input, to the end, and on with the text given again.
    let line = format!("train - --out piped {SMALL} -q");
    good(&place, &words(&line), t);
    assert!(net(&place, "piped") == net(&place, "run"));
    let more = "train - --out piped --resume --epochs 2 -q";
    good(&place, &words(more), t);
    let none = fed(&place, &words(more), b"");
    assert_eq!(none.status.code(), Some(1));
    let qat = format!("train t.txt --qat - --out qat {SMALL} -q");
    good(&place, &words(&qat), &best);
    // A sweep gives every job the text.
    let sweep = "sweep - --out sweep --hidden 8,9 --epochs 1 -- --batch 4 --window 16 -q";
    let swept = stdout(&good(&place, &words(sweep), t));
    assert!(swept.contains("2 of 2 jobs done"), "{swept}");
    let jobs = "sweep - --out other --hidden 8 --print-jobs";
    assert_eq!(fed(&place, &words(jobs), t).status.code(), Some(2));

    // Written to standard output, the bytes are those of the file, and nothing else is among them.
    let table: [(&str, &[u8]); 5] = [
        ("export run/best.safetensors --text t.txt --out", b""),
        ("export m.gatelet --target cortex-m4 --out", b""),
        ("export run/best.safetensors --text - --out", t),
        ("suite m.gatelet --steps 9 --out", b""),
        ("random --hidden 8 --out", b""),
    ];
    for (index, (line, bytes)) in table.into_iter().enumerate() {
        let file = format!("out{index}");
        let mut to = words(line);
        to.push(&file);
        good(&place, &to, bytes);
        for more in [&["-"][..], &["-", "--json"]] {
            let to = [&words(line)[..], more].concat();
            let piped = good(&place, &to, bytes);
            assert!(
                piped.stdout == fs::read(place.path(&file)).unwrap(),
                "{line}"
            );
            let told = String::from_utf8(piped.stderr).unwrap();
            assert!(told.contains("bytes"), "{told}");
        }
        good(&place, &[&words(line)[..], &["-"]].concat(), bytes);
    }
    assert!(!place.path("-").exists());
    let export = "export - --out - --text t.txt";
    assert!(good(&place, &words(export), &best).stdout == image);

    // Twice is once too often; a folder is no stream.
    for (line, code) in [
        ("eval - -", 2),
        ("trace - -", 2),
        ("predict - -", 2),
        ("generate - --length 5 --prompt -", 2),
        ("export - --out x --text -", 2),
        ("explain - --text -", 2),
        ("suite - - --out x", 2),
        ("report run --corpus - --text -", 2),
        ("train - --qat - --out x", 2),
        ("train t.txt --out -", 2),
        ("sweep t.txt --out -", 2),
        ("explain run/best.safetensors --plot -", 2),
        ("report -", 2),
        ("report run --out -", 2),
        ("report run --against -", 2),
        ("compare -", 2),
    ] {
        let before = place.snapshot();
        let bytes = if line.starts_with("suite") {
            &image
        } else {
            &best
        };
        let output = fed(&place, &words(line), bytes);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{line}: {stderr}");
        place.unchanged(&before, &words(line));
    }
    // A file of that name.
    place.write("-", t);
    place.good(&["eval", "m.gatelet", "./-"]);
}

/// Nothing binary is written to a terminal, which `script` makes.
#[cfg(target_os = "linux")]
#[test]
fn a_terminal_gets_no_image() {
    let place = Place::new();
    let gatelet = env!("CARGO_BIN_EXE_gatelet");
    let line = format!("'{gatelet}' random --hidden 8 --out -");
    let mut script = std::process::Command::new("script");
    script
        .args(["-qec", &line, "/dev/null"])
        .stdin(Stdio::null());
    let Ok(output) = script.current_dir(place.path("")).output() else {
        println!("skipped: there is no program `script`");
        return;
    };
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(
        told.contains("terminal") && told.lines().count() == 1,
        "{told}"
    );
    assert_eq!(output.status.code(), Some(2));
}
