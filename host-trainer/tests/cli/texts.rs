//! Texts as they come: byte order marks, line ends, encodings, bytes of any file, unknown
//! characters.

use std::fs;

use serde_json::Value;

use crate::fed::{good, stdout};
use crate::place::{Place, TEXT};

pub(crate) const SMALL: &str = "--hidden 8 --batch 4 --window 16 --epochs 1";

pub(crate) fn words(line: &str) -> Vec<&str> {
    line.split(' ').collect()
}

/// A text of lines with characters that all of the encodings below have.
pub(crate) fn lines() -> String {
    let line = "Der kleine Müller sagt: “Ja, naïve Leute – bitte sehr.”\n";
    line.repeat(60)
}

fn utf_16(text: &str, big: bool) -> Vec<u8> {
    let order = |unit: u16| match big {
        true => unit.to_be_bytes(),
        false => unit.to_le_bytes(),
    };
    text.encode_utf16().flat_map(order).collect()
}

fn windows_1252(text: &str) -> Vec<u8> {
    let byte = |c| match c {
        '“' => 0x93,
        '”' => 0x94,
        '–' => 0x96,
        c => u8::try_from(c).unwrap(),
    };
    text.chars().map(byte).collect()
}

/// Every form of the text, with the options to read it.
fn forms() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let text = lines();
    let marked = format!("\u{feff}{text}");
    let crlf = text.replace('\n', "\r\n");
    vec![
        ("lf.txt", text.clone().into_bytes(), ""),
        ("bom.txt", marked.clone().into_bytes(), ""),
        ("crlf.txt", crlf.clone().into_bytes(), ""),
        ("cr.txt", text.replace('\n', "\r").into_bytes(), ""),
        ("bom-crlf.txt", format!("\u{feff}{crlf}").into_bytes(), ""),
        (
            "joined.txt",
            text.replace('\n', "\n\u{feff}").into_bytes(),
            "",
        ),
        ("utf-16le.txt", utf_16(&marked, false), ""),
        ("utf-16be.txt", utf_16(&marked, true), ""),
        (
            "utf-16-crlf.txt",
            utf_16(&format!("\u{feff}{crlf}"), false),
            "",
        ),
        ("bare.txt", utf_16(&text, false), "--encoding utf-16le"),
        ("cp1252.txt", windows_1252(&text), "--encoding windows-1252"),
        ("latin1.txt", windows_1252(&crlf), "--encoding latin1"),
    ]
}

/// The parameters of a run's best net, and its vocabulary: what the form of the text may not change.
pub(crate) fn net(place: &Place, run: &str) -> (Vec<f32>, String) {
    let checkpoint = place.checkpoint(&format!("{run}/best.safetensors"));
    (checkpoint.params.data, checkpoint.meta.vocabulary)
}

#[test]
fn every_form_of_a_text_gives_the_same_net_and_the_same_loss() {
    let place = Place::new();
    let mut first = None;
    for (name, bytes, options) in forms() {
        place.write(name, &bytes);
        for stream in ["", " --stream-above 0"] {
            let run = format!("run-{name}{}", stream.len());
            let line = format!("train {name} --out {run} {SMALL} {options}{stream}");
            place.good(&words(line.replace("  ", " ").trim_end()));
            let found = net(&place, &run);
            let first = first.get_or_insert_with(|| found.clone());
            assert!(found == *first, "{name}{stream}");
            assert!(!found.1.contains(['\r', '\u{feff}']));
        }
    }
    // A net of one form reads all of them; what is read is the same.
    let mut losses = Vec::new();
    let mut traces = Vec::new();
    for (name, _, options) in forms() {
        let more: Vec<&str> = options.split_whitespace().collect();
        let with = |command| {
            let line = [command, "run-lf.txt0/best.safetensors", name, "--json"];
            place.json(&[&line[..], &more].concat())
        };
        losses.push(with("eval")["nats"].clone());
        traces.push(with("trace")["state_hash"].clone());
    }
    assert!(losses.iter().all(|nats| *nats == losses[0]), "{losses:?}");
    assert!(traces.iter().all(|hash| *hash == traces[0]), "{traces:?}");
}

#[test]
fn what_became_of_a_text_is_said_first() {
    let place = Place::new();
    let said = |name: &str, bytes: &[u8], more: &str| {
        place.write(name, bytes);
        let out = format!("{name}.run");
        let line = format!("train {name} --out {out} {SMALL}{more}");
        let output = place.run(&words(&line));
        assert!(output.status.success());
        let stderr = String::from_utf8(output.stderr).unwrap();
        stderr.lines().next().unwrap().to_owned()
    };
    let text = lines();
    let plain = said("plain.txt", text.as_bytes(), "");
    assert!(plain.starts_with("lstm"), "{plain}");
    let crlf = text.replace('\n', "\r\n");
    let told = said("crlf.txt", crlf.as_bytes(), "");
    assert!(
        told.contains("60 CR LF") && told.contains("--keep-cr"),
        "{told}"
    );
    let kept = said("kept.txt", crlf.as_bytes(), " --keep-cr");
    assert!(kept.starts_with("lstm"), "{kept}");
    let wide = said("wide.txt", &utf_16(&format!("\u{feff}{text}"), true), "");
    assert!(wide.contains("UTF-16BE"), "{wide}");
}

#[test]
fn cr_is_a_character_to_who_wants_it() {
    let place = Place::new();
    place.write("crlf.txt", lines().replace('\n', "\r\n").as_bytes());
    place.write("lf.txt", lines().as_bytes());
    place.good(&words(&format!(
        "train crlf.txt --out kept {SMALL} --keep-cr -q"
    )));
    let (_, vocabulary) = net(&place, "kept");
    assert!(vocabulary.starts_with("\n\r"), "{vocabulary:?}");
    let config: Value =
        serde_json::from_slice(&fs::read(place.path("kept/config.json")).unwrap()).unwrap();
    let command = config["provenance"]["command"].as_str().unwrap();
    assert!(command.contains("--keep-cr"), "{command}");
    place.good(&["export", "kept/best.safetensors", "--out", "kept.gatelet"]);
    // The fact is in the vocabulary, so the image has it too: CR counts.
    let tokens = |model, text| place.json(&["eval", model, text, "--json"])["tokens"].clone();
    let characters = lines().chars().count();
    for model in ["kept/best.safetensors", "kept.gatelet"] {
        assert_eq!(tokens(model, "crlf.txt"), characters + 60 - 1);
        assert_eq!(tokens(model, "lf.txt"), characters - 1);
    }
    // A cap that would leave CR out keeps it.
    place.good(&words(&format!(
        "train crlf.txt --out few {SMALL} --keep-cr --max-vocab 4 -q"
    )));
    assert!(net(&place, "few").1.contains('\r'));
    let with = |more: &str| {
        let line = format!("train crlf.txt --out new {SMALL} --keep-cr {more}");
        place.bad(&words(&line), 2, &["--keep-cr"]);
    };
    with("--level word");
    with("--fold-space");
}

#[test]
fn an_encoding_is_kept_with_the_run_and_given_for_other_texts() {
    let place = Place::new();
    place.write("cp.txt", &windows_1252(&lines()));
    let line = format!("train cp.txt --out run {SMALL} --encoding cp1252 -q");
    place.good(&words(&line));
    let model = "run/best.safetensors";
    // Its own text is read as it was: to go on, for an export, a report, and to measure.
    place.good(&[
        "train", "cp.txt", "--out", "run", "--resume", "--epochs", "2", "-q",
    ]);
    place.good(&["export", model, "--out", "m.gatelet"]);
    place.good(&["explain", model]);
    place.good(&["report", "run"]);
    let nats = |line: &[&str]| place.json(line)["nats"].clone();
    let own = nats(&["eval", model, "cp.txt", "--json"]);
    place.write("lf.txt", lines().as_bytes());
    assert_eq!(nats(&["eval", model, "lf.txt", "--json"]), own);
    // Another file in the same encoding, or an image, needs the word.
    let other = [&windows_1252(&lines())[..], b"\x93"].concat();
    place.write("other.txt", &other);
    place.bad(
        &["eval", model, "other.txt"],
        1,
        &["--encoding windows-1252"],
    );
    place.bad(
        &["eval", "m.gatelet", "cp.txt"],
        1,
        &["--encoding windows-1252"],
    );
    place.good(&["eval", model, "other.txt", "--encoding", "windows-1252"]);
    let given = ["eval", "m.gatelet", "cp.txt", "--encoding", "windows-1252"];
    place.good(&given);
    // Another one than the run's is refused.
    let line = "train cp.txt --out run --resume --encoding koi8-r";
    place.bad(
        &words(line),
        1,
        &["--encoding koi8-r differs from the run's windows-1252"],
    );
    // No name; a name of what cannot be decoded.
    for name in ["ebcdic", "replacement"] {
        let output = place.run(&["eval", model, "cp.txt", "--encoding", name]);
        assert_eq!(output.status.code(), Some(2));
    }
}

#[test]
fn the_encoding_offered_for_a_text_reads_it() {
    let place = Place::new();
    let russian = "Все счастливые семьи похожи друг на друга.\n".repeat(60);
    let cyrillic = |c: char| match c {
        'А'..='я' => (c as u32 - 'А' as u32 + 0xc0) as u8,
        c => c as u8,
    };
    for (name, bytes, text) in [
        ("cp1252", windows_1252(&lines()), lines()),
        (
            "latin1",
            windows_1252(&lines().replace(['“', '”', '–'], "")),
            { lines().replace(['“', '”', '–'], "") },
        ),
        ("utf-16le", utf_16(&lines(), false), lines()),
        ("utf-16be", utf_16(&lines(), true), lines()),
        (
            "cp1251",
            russian.chars().map(cyrillic).collect(),
            russian.clone(),
        ),
        // Only ASCII, in which every other byte is a zero: it would pass as UTF-8.
        ("ascii16", utf_16(&TEXT.repeat(30), false), TEXT.repeat(30)),
    ] {
        place.write(name, &bytes);
        let line = format!("train {name} --out {name}.run {SMALL} -q");
        let output = place.run(&words(&line));
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        assert!(!place.path(&format!("{name}.run")).exists());
        let offered = stderr.split("--encoding ").nth(1).unwrap();
        let offered = offered.split([',', ' ']).next().unwrap();
        place.good(&words(&format!("{line} --encoding {offered}")));
        place.write("same.txt", text.as_bytes());
        place.good(&words(&format!(
            "train same.txt --out same {SMALL} -q --force"
        )));
        assert!(
            net(&place, &format!("{name}.run")) == net(&place, "same"),
            "{name}"
        );
        // The command for who would rather convert it.
        let command = stderr.split('`').nth(1).unwrap();
        assert!(command.starts_with("iconv -f ") && command.contains("-t UTF-8"));
        if cfg!(target_os = "linux") {
            let mut shell = std::process::Command::new("sh");
            let folder = place.path("");
            let status = shell.args(["-c", command]).current_dir(folder).status();
            assert!(status.unwrap().success(), "{command}");
            let converted = fs::read(place.path(&format!("{name}.utf8"))).unwrap();
            assert!(converted == text.as_bytes(), "{command}");
        }
    }
}

#[test]
fn malformed_text_is_named_with_its_place_in_every_encoding() {
    let place = Place::new();
    let bad = |name: &str, bytes: &[u8], more: &[&str], parts: &[&str]| {
        place.write(name, bytes);
        for stream in [&[][..], &["--stream-above", "0"]] {
            let line = [&["train", name, "--out", "run", "-q"], more, stream].concat();
            place.bad(&line, 1, parts);
        }
    };
    let ab = "ab\n".repeat(400);
    let with = |bytes: &[u8]| [ab.as_bytes(), bytes, b" rest"].concat();
    bad(
        "a",
        &with(b"\xff"),
        &[],
        &["not UTF-8", "offset 1200 (line 401)"],
    );
    bad(
        "b",
        &with(b"\x81"),
        &["--encoding", "shift_jis"],
        &["Shift_JIS", "offset 1200"],
    );
    let marked = [b"\xef\xbb\xbf", &with(b"\xe6\xbc")[..]].concat();
    bad("c", &marked, &[], &["offset 1203 (line 401)"]);
    let lone = [
        utf_16("\u{feff}ab\r\ncd\r\n", false),
        vec![0, 0xd8, b'x', 0],
    ]
    .concat();
    bad("d", &lone, &[], &["not UTF-16LE", "offset 18 (line 3)"]);
    bad(
        "e",
        b"\xff\xfe\0\0a\0\0\0",
        &[],
        &["UTF-32", "iconv -f UTF-32 -t UTF-8"],
    );
}

/// A file of all bytes, line ends and a byte order mark among them.
fn binary() -> Vec<u8> {
    let mut bytes = b"\xef\xbb\xbfMThd\0\0\0\x06\r\n".to_vec();
    bytes.extend((0..4000_u32).map(|i| (i * i / 7 % 256) as u8));
    bytes
}

#[test]
fn bytes_of_any_file_are_tokens_from_training_to_the_image() {
    let place = Place::new();
    place.write("b.bin", &binary());
    let train = format!("train b.bin --level byte --out run {SMALL} -q");
    place.good(&words(&train));
    let streamed = train.replace("run", "streamed") + " --stream-above 0";
    place.good(&words(&streamed));
    assert!(net(&place, "run") == net(&place, "streamed"));
    let (_, vocabulary) = net(&place, "run");
    assert!(vocabulary.chars().map(u32::from).eq(0..256));
    let more = "train b.bin --out run --resume --epochs 2 -q";
    place.good(&words(more));
    place.good(&words(&format!(
        "train b.bin --qat run/best.safetensors --out qat {SMALL} -q"
    )));
    place.good(&words(
        "export run/best.safetensors --out m.gatelet --accept-loss",
    ));
    place.good(&words(
        "export m.gatelet --out m4.gatelet --target cortex-m4",
    ));
    place.good(&words("explain run/best.safetensors"));
    place.good(&words("report run"));
    place.good(&words("verify m.gatelet"));
    place.good(&words("suite m.gatelet --steps 9 --out m.suite"));
    let length = binary().len();
    for model in [
        "run/best.safetensors",
        "m.gatelet",
        "m4.gatelet",
        "qat/best.safetensors",
    ] {
        let told = place.json(&["inspect", model, "--json"]);
        assert_eq!(
            (&told["tokens"], &told["vocab"]),
            (&"bytes".into(), &256.into())
        );
        let scores = place.json(&["eval", model, "b.bin", "--json"]);
        assert_eq!(
            scores["tokens"],
            length - 1,
            "every byte counts, none is changed"
        );
        assert!(scores["nats"].as_f64().unwrap() < 5.6);
        assert!(
            place
                .good(&["eval", model, "b.bin"])
                .contains("bits a byte")
        );
        assert_eq!(
            place.json(&["trace", model, "b.bin", "--json"])["steps"],
            length
        );
        // Bytes that cannot be typed, as escapes and from standard input.
        let typed = ["predict", model, r"MThd\x00\xff", "--top", "256", "--json"];
        let typed = place.json(&typed)["suggestions"].clone();
        let line = ["predict", model, "-", "--top", "256", "--json"];
        let piped = stdout(&good(&place, &line, b"MThd\0\xff"));
        let piped: Value = serde_json::from_str(&piped).unwrap();
        assert_eq!(piped["suggestions"], typed);
        let all = typed.as_array().unwrap();
        let mut found: Vec<u64> = all.iter().map(|s| s["byte"].as_u64().unwrap()).collect();
        found.sort_unstable();
        assert!(found.into_iter().eq(0..256));
        // Raw where nobody reads it: the prompt's bytes and as many as were asked for.
        let write = ["generate", model, "--length", "300", "--prompt", r"\xff"];
        let raw = place.run(&write).stdout;
        assert_eq!((raw.len(), raw[0]), (301, 0xff));
        let json = place.json(&[&write[..], &["--json"]].concat());
        let bytes: Vec<u8> = serde_json::from_value(json["bytes"].clone()).unwrap();
        assert!(bytes == raw[1..]);
    }
    // As f32, where the checkpoint is run, and as text elsewhere: a text is its UTF-8.
    let predict =
        |prefix| place.json(&["predict", "m.gatelet", prefix, "--json"])["suggestions"].clone();
    assert_eq!(predict("é"), predict(r"\xc3\xa9"));
    for option in [
        "--lower-case",
        "--max-vocab 9",
        "--keep-cr",
        "--encoding latin1",
        "--fold-space",
    ] {
        let line = format!("train b.bin --level byte --out other {SMALL} {option}");
        place.bad(&words(&line), 2, &[option.split(' ').next().unwrap()]);
    }
}

#[test]
fn the_share_of_unknown_tokens_is_said_before_training_and_at_eval() {
    let place = Place::new();
    // A script without spaces: sentences of different characters, longer than a word may be.
    let han: Vec<char> = ('\u{4e00}'..).take(200).collect();
    let sentence = |i: usize| -> String {
        (0..9 + i % 9)
            .map(|k| han[(i * 7 + k * 13) % 200])
            .collect()
    };
    let text: String = (0..400).map(|i| sentence(i) + "。\n").collect();
    place.write("zh.txt", text.as_bytes());
    let told = |line: &str| {
        let output = place.run(&words(line));
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{stderr}");
        stderr
    };
    let share = |line: &str| -> f64 {
        let (before, _) = line.split_once(" % of the training").unwrap();
        before.rsplit(' ').next().unwrap().parse().unwrap()
    };
    let by_word = told(&format!("train zh.txt --level word --out w {SMALL}"));
    let line = by_word
        .lines()
        .find(|line| line.contains("unknown token"))
        .unwrap();
    assert!(
        line.starts_with("warning: ") && line.contains("--level char"),
        "{line}"
    );
    // Three tokens a line; sentences of more than ten characters are unknown words: seven of nine.
    assert!((share(line) - 100.0 * 7.0 / 27.0).abs() < 1.0, "{line}");
    assert!(
        by_word.find("unknown token") < by_word.find("epoch"),
        "before training"
    );
    let scores = place.json(&["eval", "w/best.safetensors", "zh.txt", "--json"]);
    assert!((scores["unknown"].as_f64().unwrap() - 7.0 / 27.0).abs() < 0.01);
    assert!(
        place
            .good(&["eval", "w/best.safetensors", "zh.txt"])
            .contains("unknown token")
    );

    let capped = told(&format!("train zh.txt --max-vocab 20 --out c {SMALL}"));
    let line = capped
        .lines()
        .find(|line| line.contains("unknown token"))
        .unwrap();
    assert!(share(line) > 50.0 && line.contains("--max-vocab"), "{line}");
    let all = told(&format!("train zh.txt --max-vocab 300 --out a {SMALL}"));
    let line = all
        .lines()
        .find(|line| line.contains("unknown token"))
        .unwrap();
    assert!(share(line) == 0.0 && !line.contains("warning"), "{line}");
    assert!(!told(&format!("train zh.txt --out n {SMALL}")).contains("unknown token"));
}

#[test]
fn a_vocabulary_too_large_for_the_board_is_named_before_training() {
    let place = Place::new();
    let text: String = (0..20_000_u32)
        .map(|i| char::from_u32(0x4e00 + i * 17 % 5995).unwrap())
        .collect();
    place.write("zh.txt", text.as_bytes());
    let line = "train zh.txt --out run --hidden 32 --minutes 0.0001";
    let told = String::from_utf8(place.run(&words(line)).stderr).unwrap();
    let named = told
        .lines()
        .find(|line| line.contains("too large"))
        .unwrap();
    assert!(named.contains("vocabulary of 5,995 characters"), "{named}");
    assert!(
        named.contains("--max-vocab") && named.contains("--embedding"),
        "{named}"
    );
    assert!(!named.contains("--hidden"), "{named}");
}
