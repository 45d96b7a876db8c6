//! `gatelet listen`: a recording and standard input are heard alike, as `gatelet run` computes it,
//! and what cannot be heard is refused.

use std::io::Write;
use std::process::Stdio;
use std::time::Instant;

use serde_json::Value;

use crate::fed::{fed, good, stdout};
use crate::place::Place;
use crate::tones::{FRONT, HZ, RATE, hearing, recordings, tone, train, wav};

const NET: &str = "run/best.safetensors";

/// Low, high, low: half a second each.
fn speech() -> Vec<i16> {
    let part = |k: usize| tone(HZ[k % 2], RATE / 2, 90 + k as u32);
    (0..3).flat_map(part).collect()
}

fn bytes(samples: &[i16]) -> Vec<u8> {
    samples.iter().flat_map(|x| x.to_le_bytes()).collect()
}

/// Time and class of every line.
fn heard(lines: &str) -> Vec<(f64, &str)> {
    let line = |line: &'_ str| -> (f64, String, f64) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [time, "s", class, p] = words[..] else {
            panic!("{line:?}");
        };
        (time.parse().unwrap(), class.to_owned(), p.parse().unwrap())
    };
    let all = lines.lines().map(|text| {
        let (time, class, p) = line(text);
        assert!((0.6..=1.0).contains(&p), "{text:?}");
        let at = text.find(&class).unwrap();
        (time, &text[at..at + class.len()])
    });
    all.collect()
}

/// The scores of the last step, as `gatelet run` writes them.
fn run(place: &Place, net: &str, input: &str) -> Vec<f32> {
    place.good(&["run", net, "--input", input, "--output", "y.csv", "--force"]);
    let text = std::fs::read_to_string(place.path("y.csv")).unwrap();
    let last = text.lines().last().unwrap();
    last.split(',').map(|x| x.trim().parse().unwrap()).collect()
}

fn scores(of: &Value) -> Vec<f32> {
    let scores = of["scores"].as_array().unwrap().iter();
    scores.map(|x| x.as_f64().unwrap() as f32).collect()
}

#[test]
fn a_recording_and_standard_input_are_heard_alike() {
    let place = hearing();
    place.good(&["export", NET, "--out", "int8.gatelet", "--accept-loss"]);
    let samples = speech();
    wav(&place, "speech.wav", RATE, &[&samples]);
    let float = place.good(&["listen", NET, "--wav", "speech.wav"]);
    let found = heard(&float);
    let classes: Vec<&str> = found.iter().map(|of| of.1).collect();
    assert_eq!(classes, ["low", "high", "low"], "{float}");
    for ((time, _), begin) in found.iter().zip([0.0, 0.5, 1.0]) {
        assert!((begin..begin + 0.3).contains(time), "{float}");
    }
    for net in [NET, "int8.gatelet"] {
        let names: &[&str] = match net {
            NET => &[],
            _ => &["--names", "high,low"],
        };
        let line = |more: &[&'static str]| [&["listen", net], names, more].concat();
        let lines = place.good(&line(&["--wav", "speech.wav"]));
        let classes: Vec<&str> = heard(&lines).iter().map(|of| of.1).collect();
        assert_eq!(classes, ["low", "high", "low"], "{net}: {lines}");
        let piped = good(&place, &line(&["--stdin"]), &bytes(&samples));
        assert_eq!(stdout(&piped), lines, "{net}");
        let begin = Instant::now();
        let slow = place.good(&line(&["--wav", "speech.wav", "--real-time"]));
        assert_eq!(slow, lines, "{net}");
        assert!(begin.elapsed().as_secs_f64() > 1.4, "{net}");
        // The numbers are those of `gatelet run`, and the lines those of the object.
        let all = place.json(&line(&["--wav", "speech.wav", "--json"]));
        assert_eq!(scores(&all), run(&place, net, "speech.wav"), "{net}");
        assert_eq!((&all["seconds"], &all["steps"]), (&1.5.into(), &120.into()));
        assert_eq!(all["classes"], serde_json::json!(["high", "low"]));
        let said: Vec<String> = all["heard"]
            .as_array()
            .unwrap()
            .iter()
            .map(|of| {
                let number = |key: &str| of[key].as_f64().unwrap();
                let class = of["class"].as_str().unwrap();
                let (time, p) = (number("time"), number("probability"));
                format!("{time:7.2} s  {class} {p:.2}\n")
            })
            .collect();
        assert_eq!(said.concat(), lines, "{net}");
    }
    // int8 on another kernel.
    let names = ["--names", "high,low", "--wav", "speech.wav"];
    let of = |kernel| {
        let line = ["listen", "int8.gatelet", "--kernel", kernel];
        place.good(&[&line[..], &names].concat())
    };
    assert_eq!(of("scalar"), of("portable"));
    let plain = place.good(&["listen", "int8.gatelet", "--wav", "speech.wav"]);
    assert!(plain.contains("class 1"), "{plain}");
}

#[test]
fn the_rule_is_the_users() {
    let place = hearing();
    wav(&place, "speech.wav", RATE, &[&speech()]);
    let count = |more: &[&str]| {
        let line = ["listen", NET, "--wav", "speech.wav"];
        heard(&place.good(&[&line, more].concat())).len()
    };
    // Nothing else is heard for longer than it lasts.
    assert_eq!(count(&["--hold", "2000"]), 1);
    // What is smoothed over much more than half a second does not change.
    assert!(count(&["--smooth", "5000"]) < 3);
    for (option, found) in [
        ("--threshold", "0"),
        ("--threshold", "1.5"),
        ("--threshold", "NaN"),
        ("--smooth", "-1"),
        ("--hold", "1e9"),
        ("--rate", "0"),
    ] {
        let with = format!("{option}={found}");
        place.bad(
            &["listen", NET, "--wav", "speech.wav", &with],
            2,
            &[option, "it has to be"],
        );
    }
    let line = ["listen", NET, "--wav", "speech.wav"];
    let more = |more: &[&'static str]| [&line[..], more].concat();
    place.bad(
        &more(&["--names", "a,b,c"]),
        2,
        &["--names has 3 names", "2 classes"],
    );
    place.bad(&more(&["--rate", "16000"]), 2, &["--rate is 16000", "8000"]);
}

#[test]
fn several_channels_are_heard_as_their_mean() {
    let place = hearing();
    let samples = speech();
    wav(&place, "mono.wav", RATE, &[&samples]);
    wav(&place, "stereo.wav", RATE, &[&samples, &samples]);
    let lines = |name| place.good(&["listen", NET, "--wav", name]);
    assert_eq!(lines("stereo.wav"), lines("mono.wav"));
    // One against the other is silence.
    let turned: Vec<i16> = samples.iter().map(|x| -x).collect();
    let silence = vec![0; samples.len()];
    wav(&place, "turned.wav", RATE, &[&samples, &turned]);
    wav(&place, "silence.wav", RATE, &[&silence]);
    assert_eq!(lines("turned.wav"), lines("silence.wav"));
    assert_eq!(run(&place, NET, "stereo.wav"), run(&place, NET, "mono.wav"));
    // Other commands hear them as well.
    place.good(&["verify", NET, "--input", "stereo.wav", "--expect", "y.csv"]);
    let found = place.json(&["explain", NET, "--input", "stereo.wav", "--json"]);
    assert!(found["ranges"].is_object(), "{found}");
}

#[test]
fn a_net_may_take_samples_as_they_are() {
    let place = Place::new();
    recordings(&place);
    place.good(&train("raw", &["--epochs", "1"]));
    let net = "raw/best.safetensors";
    let samples = tone(HZ[0], 1_000, 7);
    wav(&place, "low.wav", RATE, &[&samples]);
    let all = place.json(&["listen", net, "--wav", "low.wav", "--json"]);
    assert_eq!(all["steps"], 1_000);
    assert_eq!(scores(&all), run(&place, net, "low.wav"));
    let piped = good(
        &place,
        &["listen", net, "--stdin", "--json"],
        &bytes(&samples),
    );
    let piped: Value = serde_json::from_str(&stdout(&piped)).unwrap();
    assert_eq!(piped, all);
    // An image does not say what the rate of its samples is.
    place.good(&["export", net, "--out", "raw.gatelet", "--bits", "f32"]);
    let line = ["listen", "raw.gatelet", "--wav", "low.wav"];
    place.bad(&line, 1, &["raw.gatelet", "no front end", "--rate HZ"]);
    let more = ["--rate", "8000", "--names", "high,low", "--json"];
    assert_eq!(place.json(&[&line[..], &more].concat()), all);
}

#[test]
fn what_cannot_be_heard_is_refused() {
    let place = hearing();
    let samples = speech();
    let line = |of: &'static str| ["listen", NET, "--wav", of];
    wav(&place, "fast.wav", 16_000, &[&samples]);
    place.bad(
        &line("fast.wav"),
        1,
        &["fast.wav", "16000 samples a second", "takes 8000", "sox"],
    );
    let other = ["run", NET, "--input", "fast.wav"];
    place.bad(
        &other,
        1,
        &["fast.wav", "16000 samples a second", "takes 8000"],
    );
    wav(&place, "short.wav", RATE, &[&samples[..99]]);
    place.bad(
        &line("short.wav"),
        1,
        &["short.wav", "99 samples", "takes 100"],
    );
    place.bad(
        &["run", NET, "--input", "short.wav"],
        1,
        &["shorter than one step"],
    );
    wav(&place, "none.wav", RATE, &[&[]]);
    place.bad(&line("none.wav"), 1, &["none.wav", "no steps"]);
    place.write("empty.wav", b"");
    place.bad(&line("empty.wav"), 1, &["empty.wav", "no steps"]);
    wav(&place, "cut.wav", RATE, &[&samples]);
    let whole = std::fs::read(place.path("cut.wav")).unwrap();
    place.write("cut.wav", &whole[..whole.len() - 1_001]);
    place.bad(&line("cut.wav"), 1, &["cut.wav", "cut off"]);
    place.write("a.csv", b"0.1\n0.2\n");
    place.bad(&line("a.csv"), 1, &["a.csv", "no .wav"]);
    place.bad(&line("nowhere.wav"), 1, &["cannot read nowhere.wav"]);

    wav(&place, "speech.wav", RATE, &[&samples]);
    place.good(&["random", "--hidden", "8", "--out", "text.gatelet"]);
    let random = ["random", "--cell", "gru", "--hidden", "8", "--out"];
    place.good(&[&random[..], &["values.gatelet", "--front-end", FRONT]].concat());
    place.write(
        "t.csv",
        "a,b,kind\n0,1,x\n1,0,y\n"
            .repeat(20)
            .replace("\na,b,kind", "")
            .as_bytes(),
    );
    place.good(&[
        "train", "t.csv", "--task", "label", "--target", "kind", "--out", "two", "--epochs", "1",
        "--hidden", "4", "-q",
    ]);
    for (net, parts) in [
        ("text.gatelet", &["reads tokens", "gatelet predict"][..]),
        ("values.gatelet", &["gives values", "gatelet run"]),
        (
            "two/best.safetensors",
            &["no front end", "2 numbers", "--front-end"],
        ),
        ("speech.wav", &["no model"]),
    ] {
        place.bad(&["listen", net, "--wav", "speech.wav"], 1, parts);
    }
}

#[test]
fn standard_input_that_is_cut_is_refused() {
    let place = hearing();
    let line = ["listen", NET, "--stdin"];
    let samples = bytes(&speech());
    for (cut, code, part) in [
        (&samples[..0], 1, "standard input: it has no samples"),
        (
            &samples[..60],
            1,
            "it has 30 samples, and a step of the net takes 100",
        ),
        (&samples[..8_001], 1, "it ends within a sample"),
    ] {
        let output = fed(&place, &line, cut);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{stderr}");
        assert!(
            stderr.starts_with("error: ") && stderr.contains(part),
            "{stderr}"
        );
    }
    // Once only.
    let net = std::fs::read(place.path(NET)).unwrap();
    let twice = fed(&place, &["listen", "-", "--stdin"], &net);
    assert_eq!(twice.status.code(), Some(2));
    let both = place.run(&["listen", NET, "--stdin", "--wav", "a.wav"]);
    assert_eq!(both.status.code(), Some(2));
    if !cfg!(feature = "microphone") {
        let parts = [
            "built without a microphone",
            "--wav",
            "--stdin",
            "--features microphone",
        ];
        place.bad(&["listen", NET], 2, &parts);
        place.bad(&["listen", NET, "--device", "list"], 2, &parts);
    }
}

/// Ctrl-C ends what would go on, with what there is to say; lines come before that.
#[cfg(unix)]
#[test]
fn ctrl_c_ends_it_well() {
    use std::io::{BufRead, BufReader, Read};

    let place = hearing();
    let mut child = place
        .command(&["listen", NET, "--stdin"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(&bytes(&speech()[..6_000])).unwrap();
    stdin.flush().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    for class in ["low", "high"] {
        let line = lines.next().unwrap().unwrap();
        assert!(line.contains(class), "{line}");
    }
    // It waits for more.
    crate::place::signal(&mut child, "-INT");
    let mut told = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut told)
        .unwrap();
    assert!(child.wait().unwrap().success(), "{told}");
    assert!(told.starts_with("heard 0.75 s"), "{told}");
    drop(stdin);
}

/// On a terminal, which `script` makes, the line of scores is drawn, and gone at the end.
#[cfg(target_os = "linux")]
#[test]
fn a_terminal_is_left_clean() {
    let place = hearing();
    wav(&place, "speech.wav", RATE, &[&speech()]);
    let gatelet = env!("CARGO_BIN_EXE_gatelet");
    let line = format!("'{gatelet}' listen {NET} --wav speech.wav --real-time");
    let mut script = std::process::Command::new("script");
    script
        .args(["-qec", &line, "/dev/null"])
        .stdin(Stdio::null());
    let Ok(output) = script.current_dir(place.path("")).output() else {
        println!("skipped: there is no program `script`");
        return;
    };
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    assert!(text.contains('█') && text.contains("high 0."), "{text:?}");
    // Line for line what a pipe gets, behind what was drawn and cleared.
    let plain = place.good(&["listen", NET, "--wav", "speech.wav"]);
    let shown = |line: &&str| text.contains(&format!("{line}\r\n"));
    assert!(plain.lines().all(|line| shown(&line)), "{text:?}");
    let end = text.rsplit("\u{1b}[2K").next().unwrap();
    assert!(!end.contains('█'), "{end:?}");
}
