//! Whatever texts, names and files hold, nothing printed acts on the terminal.

use std::fs;
use std::process::Output;

use gatelet::visible::is_hidden;

use crate::place::Place;

/// Sets a title, clears the screen, turns the direction of writing, breaks lines; C1, tags, no width.
const NASTY: &str = "\u{1b}]0;x\u{7}\u{1b}[2J\u{202e}\u{2028}\u{9b}1m\u{e0041}\u{200b}";
/// What of it a file's name may hold.
const NAME: &str = "no\u{1b}[2J\u{202e}\u{9b}vels\r";

fn place() -> Place {
    let place = Place::new();
    let text = format!("it is {NASTY} a truth.\n").repeat(60);
    place.write(NAME, text.as_bytes());
    let run = format!("r{NAME}");
    let words = "--hidden 8 --epochs 1 --batch 2 --window 16";
    let line: Vec<&str> = ["train", NAME, "--out", &run]
        .into_iter()
        .chain(words.split(' '))
        .collect();
    place.clean(&line);
    place
}

impl Place {
    /// Runs a command, well or badly, and asserts that nothing hidden is printed; gives its standard output and error.
    fn clean(&self, line: &[&str]) -> (bool, String, String) {
        let Output {
            status,
            stdout,
            stderr,
        } = self.run(line);
        let [out, err] = [stdout, stderr].map(|bytes| String::from_utf8(bytes).unwrap());
        for said in [&out, &err] {
            let hidden = said.chars().find(|&c| is_hidden(c) && c != '\n');
            assert_eq!(hidden, None, "{line:?}: {said}");
        }
        (status.success(), out, err)
    }
}

#[test]
fn results_and_progress_are_marked() {
    let place = place();
    let run = format!("r{NAME}");
    let best = format!("{run}/best.safetensors");
    let image = format!("i{NAME}");
    for line in [
        &["export", &best, "--out", &image, "--accept-loss"][..],
        &["inspect", &best],
        &["inspect", &image],
        &["inspect", &best, "--json"],
        &["eval", &best, NAME],
        &["eval", &best, NAME, "--json"],
        &["predict", &best, NASTY, "--top", "99"],
        &["predict", &best, NASTY, "--top", "99", "--json"],
        &[
            "generate", &best, "--prompt", NASTY, "--length", "200", "--json",
        ],
        &["explain", &best],
        &["trace", &image, NAME],
        &["verify", &image],
        &["report", &run],
        &["compare", &run, &run],
        &["train", NAME, "--out", &run, "--resume"],
    ] {
        let (good, _, err) = place.clean(line);
        assert!(good, "{line:?}: {err}");
    }
    // JSON holds the value itself.
    let written = place.json(&["predict", &best, NASTY, "--json"]);
    assert_eq!(written["prefix"], NASTY);
    let (_, table, _) = place.clean(&["compare", &run]);
    assert!(table.contains("no␛[2J<U+202E><U+009B>vels␍"), "{table}");
    // Of one line, whatever stands in the file.
    let (_, inspected, _) = place.clean(&["inspect", &image]);
    let of_text = inspected.lines().find(|line| line.starts_with("text "));
    assert!(of_text.unwrap().ends_with("no␛[2J<U+202E><U+009B>vels␍"));
}

#[test]
fn errors_are_marked_and_of_one_line() {
    let place = place();
    let run = format!("r{NAME}");
    let best = format!("{run}/best.safetensors");
    let lines = "there\u{1b}[31m\nerror: none";
    let config = fs::read_to_string(place.path(&format!("{run}/config.json"))).unwrap();
    fs::create_dir(place.path("bad")).unwrap();
    let bad = config.replace("\"lstm\"", "\"\\u001b[31mlst\u{202e}\"");
    assert_ne!(bad, config);
    place.write("bad/config.json", bad.as_bytes());
    let header = r#"{"we\u001b[31mird\u202e":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;
    let mut tensors = (header.len() as u64).to_le_bytes().to_vec();
    tensors.extend_from_slice(header.as_bytes());
    tensors.extend_from_slice(&[0; 4]);
    place.write("bad.safetensors", &tensors);
    fs::remove_file(place.path(NAME)).unwrap();
    for line in [
        &["inspect", lines][..],
        &["inspect", "bad.safetensors"],
        &["eval", &best, lines],
        &["predict", &best, "\u{1b}[31m\u{10300}"],
        &["explain", &best],
        &["export", &best, "--out", "i.gatelet"],
        &["compare", "bad"],
        &["report", "bad"],
    ] {
        let (good, _, err) = place.clean(line);
        assert!(!good, "{line:?}");
        assert_eq!(err.lines().count(), 1, "{line:?}: {err}");
    }
}

#[test]
fn usage_errors_are_marked() {
    let place = Place::new();
    for line in [
        &["tra\u{1b}[31min"][..],
        &["train", "text.txt", "--out", "r", "--hid\u{1b}[31mden", "3"],
        &["train", "text.txt", "--out", "r", "--hidden", "\u{202e}3"],
        &[
            "train",
            "text.txt",
            "--out",
            "r",
            "--cell",
            "ls\u{1b}[31mtm",
        ],
        &["predict", "m", "a", "b\u{1b}[2J"],
        &["report", "--wi\u{9b}dth"],
    ] {
        let (good, _, err) = place.clean(line);
        assert!(!good && err.starts_with("error: "), "{line:?}: {err}");
        let marked = ["␛", "<U+202E>", "<U+009B>"]
            .iter()
            .any(|m| err.contains(m));
        assert!(marked, "{line:?}: {err}");
    }
}

#[test]
fn a_report_shows_marks() {
    let place = place();
    let run = format!("r{NAME}");
    place.clean(&["report", &run]);
    let folder = place.path(&format!("{run}/report"));
    let mut pages = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "html" || e == "svg") {
            let text = fs::read_to_string(&path).unwrap();
            let hidden = text.chars().find(|&c| is_hidden(c) && !"\n\t".contains(c));
            assert_eq!(hidden, None, "{}", path.display());
            pages += usize::from(text.contains("no␛[2J&lt;U+202E>"));
        }
    }
    assert!(pages > 0);
}

/// Into a file or a pipe goes the text itself; a terminal gets marks.
#[cfg(target_os = "linux")]
#[test]
fn generated_text_is_raw_in_a_file_and_marked_on_a_terminal() {
    let place = place();
    let best = format!("r{NAME}/best.safetensors");
    let line = [
        "generate",
        &best,
        "--prompt",
        NASTY,
        "--length",
        "300",
        "--temperature",
        "2",
    ];
    let raw = place.good(&line);
    assert!(raw.starts_with(NASTY));
    let shown = on_a_terminal(&mut place.command(&line));
    // A terminal of its own kind: the driver puts a carriage return before every line feed.
    let shown = shown.replace("\r\n", "\n");
    assert_eq!(shown, gatelet::visible::text(&raw).to_string());
    let hidden = shown.chars().find(|&c| is_hidden(c) && c != '\n');
    assert_eq!(hidden, None, "{shown:?}");
}

/// What a command prints on a terminal.
#[cfg(target_os = "linux")]
fn on_a_terminal(command: &mut std::process::Command) -> String {
    use std::io::Read;

    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let name = ptsname(&terminal, Vec::new()).unwrap();
    let other = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(name.to_str().unwrap())
        .unwrap();
    let mut child = command.stdout(other).spawn().unwrap();
    command.stdout(std::process::Stdio::null());
    let mut bytes = Vec::new();
    // The last reader gone, Linux answers with an error.
    let _ = fs::File::from(terminal).read_to_end(&mut bytes);
    assert!(child.wait().unwrap().success());
    String::from_utf8(bytes).unwrap()
}
