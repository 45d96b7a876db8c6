//! Data that is wrong, as `gatelet train` meets it: refused in a line that says where, or said and
//! gone on with. Nothing is written over.

use std::fs;

use gatelet_trainer::net::Role;

use crate::place::Place;
use crate::sequences::{place, table, train};
use crate::tones;

/// The command with other data and more options.
fn of<'a>(file: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let mut line = train("classify", "kind", "out");
    line[1] = file;
    line.extend(more);
    line
}

/// What a run that succeeds says on standard error.
fn told(place: &Place, line: &[&str]) -> String {
    let loud: Vec<&str> = line.iter().copied().filter(|word| *word != "-q").collect();
    let output = place.run(&loud);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{line:?}: {stderr}");
    stderr
}

fn says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
}

#[test]
fn columns_and_words() {
    let place = place();
    let mut line = of("waves.csv", &[]);
    line[5] = "a,c";
    let there = "waves.csv: it has no column c; there are id, a, b, kind, rest";
    place.bad(&line, 1, &[there]);
    let mut line = of("waves.csv", &[]);
    line[9] = "who";
    place.bad(&line, 1, &["waves.csv: it has no column who; there are"]);
    let mut line = of("waves.csv", &[]);
    line[7] = "class";
    place.bad(&line, 1, &["waves.csv: it has no column class; there are"]);
    let words = table().replacen("s3,", "s3,x", 1);
    place.write("words.csv", words.as_bytes());
    let row = 1 + words
        .lines()
        .position(|line| line.starts_with("s3,x"))
        .unwrap();
    let place_of = format!("words.csv, line {row}, column a: x");
    place.bad(
        &of("words.csv", &[]),
        1,
        &[&place_of, "is no number", "--features"],
    );
    let endless = table().replacen("s0,0.0000,", "s0,inf,", 1);
    place.write("endless.csv", endless.as_bytes());
    place.bad(
        &of("endless.csv", &[]),
        1,
        &["endless.csv, line 2, column a: inf is not finite"],
    );
    place.bad(&of("nowhere.csv", &[]), 1, &["nowhere.csv"]);
    place.bad(
        &of("waves.csv", &["--loss", "huber"]),
        2,
        &["loss", "--task"],
    );
}

#[test]
fn numbers_and_times_that_are_missing() {
    let place = place();
    for hole in ["", "NaN", "?"] {
        let gap = table().replacen("s0,0.0000,", &format!("s0,{hole},"), 1);
        place.write("gap.csv", gap.as_bytes());
        let said = "1 number is missing, the first at gap.csv, line 2, column a: --fill";
        place.bad(&of("gap.csv", &[]), 1, &[said]);
    }
    let filled = of("gap.csv", &["--fill", "linear"]);
    says(
        &told(&place, &filled),
        &["1 number is missing, the first at", "filled with the line"],
    );

    // Steps of a second, and two holes in one sequence.
    let mut text = String::from("id,t,a,b,kind\n");
    for (id, kind) in [(0, "x"), (1, "y"), (2, "x"), (3, "y")] {
        for t in (0..20).filter(|t| id != 2 || (*t != 7 && *t != 12)) {
            text += &format!("{id},{t},{},{},{kind}\n", t % 3, (t + id) % 5);
        }
    }
    place.write("times.csv", text.as_bytes());
    let timed = of("times.csv", &["--time", "t", "--force"]);
    let said =
        "2 gaps in time, where more than a step of 1 passes, the first before times.csv, line";
    place.bad(&timed, 1, &[said, "--fill previous, linear or zero"]);
    let filled = [&timed[..], &["--fill", "previous"]].concat();
    says(
        &told(&place, &filled),
        &["2 gaps in time, the first before", "steps were put there"],
    );
    let back = text.replacen("0,5,", "0,3,", 1);
    place.write("back.csv", back.as_bytes());
    let said = "back.csv, line 7, column t: 3 is not later than 4";
    place.bad(
        &of("back.csv", &["--time", "t", "--force"]),
        1,
        &[said, "--group"],
    );
}

#[test]
fn classes() {
    let place = place();
    place.write("one.csv", table().replace("fast", "slow").as_bytes());
    let said = "every sequence or step is of the class slow: there is nothing to tell apart";
    place.bad(&of("one.csv", &[]), 1, &[said]);
    // A class in one sequence: no split has it in two parts.
    let rows = table();
    let rare = rows.lines().map(|line| match line.starts_with("s7,") {
        true => line.replace("fast", "rare") + "\n",
        false => line.to_owned() + "\n",
    });
    place.write("rare.csv", rare.collect::<String>().as_bytes());
    let said = told(&place, &of("rare.csv", &[]));
    says(
        &said,
        &["the class rare is in one sequence or group: no split has it in two parts"],
    );
    // Two classes in one sequence.
    let mixed = table().replacen("slow", "fast", 1);
    place.write("mixed.csv", mixed.as_bytes());
    let said = "mixed.csv, line 3, column kind: the class slow follows fast in one sequence";
    place.bad(&of("mixed.csv", &["--force"]), 1, &[said, "--task label"]);
    // A folder whose names have no class.
    fs::create_dir(place.path("plain")).unwrap();
    for name in ["plain/first.csv", "plain/second.csv"] {
        place.write(name, b"a,b\n1,2\n2,3\n");
    }
    let line = [
        "train", "plain", "--task", "classify", "--out", "folder", "-q",
    ];
    let said = "first.csv: its name is no CLASS_anything or CLASS.anything, and it is in no folder";
    place.bad(&line, 1, &[said]);
    fs::create_dir(place.path("empty")).unwrap();
    let line = [
        "train", "empty", "--task", "classify", "--out", "folder", "-q",
    ];
    place.bad(&line, 1, &["empty", "no .csv and no .wav"]);
}

#[test]
fn features_that_never_change_and_short_sequences() {
    let place = place();
    let still: String = table()
        .lines()
        .enumerate()
        .map(|(k, line)| format!("{line},{}\n", if k == 0 { "still" } else { "5" }))
        .collect();
    place.write("still.csv", still.as_bytes());
    let mut line = of("still.csv", &[]);
    line[5] = "a,b,still";
    says(
        &told(&place, &line),
        &["1 input is the same at every step: still"],
    );
    let run = place.checkpoint("out/best.safetensors");
    let all = run.params.tensor(0, Role::Input);
    assert!(!all.is_empty() && all.iter().all(|x| x.is_finite()));

    place.bad(
        &of("waves.csv", &["--segment", "50", "--force"]),
        1,
        &["no sequence has the 50 steps that are needed; the longest has 12"],
    );
    let short = of("waves.csv", &["--segment", "10", "--force"]);
    says(
        &told(&place, &short),
        &["sequences are shorter than a window, and taken whole"],
    );
    place.bad(
        &of("waves.csv", &["--hop", "5", "--force"]),
        2,
        &["hop", "--segment"],
    );
    let forecast = ["--ahead", "30", "--out", "ahead"];
    let line = [
        "train",
        "waves.csv",
        "--task",
        "forecast",
        "--target",
        "a",
        "--group",
        "id",
    ];
    let line = [&line[..], &["--features", "a,b", "-q"], &forecast].concat();
    place.bad(&line, 1, &["31 steps", "the longest has 12"]);
}

#[test]
fn recordings_of_other_rates_and_channels() {
    let place = Place::new();
    tones::recordings(&place);
    let samples = tones::tone(tones::HZ[0], 1_000, 1);
    tones::wav(&place, "tones/low_x.wav", 16_000, &[&samples]);
    let line = tones::train("run", &["--epochs", "1", "--front-end", tones::FRONT]);
    let said = "16000 samples a second and the front end 8000";
    place.bad(&line, 1, &["low_x.wav", said]);
    let raw = tones::train("run", &["--epochs", "1"]);
    place.bad(
        &raw,
        1,
        &["low_x.wav", "16000 samples a second", "8000", "sox"],
    );
    tones::wav(
        &place,
        "tones/low_x.wav",
        tones::RATE,
        &[&samples, &samples],
    );
    let said = "1 recording has several channels: their mean is read (--channel picks one)";
    says(&told(&place, &line), &[said]);
    let line = [&line[..], &["--force", "--channel", "1"]].concat();
    place.bad(&line, 1, &["--channel", "1 channels"]);
}

#[test]
fn a_group_on_both_sides_of_a_split() {
    let place = place();
    // The same persons in what is held out.
    let line = of("waves.csv", &["--valid", "waves.csv"]);
    place.bad(
        &line,
        1,
        &["the group s0 is both in the training and in the other part"],
    );
    // A ready split of a folder, with one person in two parts.
    for (part, class, who) in [
        ("train", "walk", "ann"),
        ("train", "run", "ben"),
        ("valid", "walk", "ben"),
        ("valid", "run", "eve"),
    ] {
        let folder = format!("moves/{part}/{class}/{who}");
        fs::create_dir_all(place.path(&folder)).unwrap();
        place.write(&format!("{folder}/1.csv"), b"a,b\n1,2\n2,3\n");
    }
    let line = ["train", "moves", "--task", "classify", "--out", "out", "-q"];
    place.bad(
        &line,
        1,
        &["the group ben is both in the training and in the other part"],
    );
}

#[test]
fn a_run_that_is_there_stays() {
    let place = place();
    place.good(&train("classify", "kind", "out"));
    place.bad(&of("waves.csv", &[]), 1, &["out exists already", "--force"]);
    // Bad data does not cost the run that it was to replace.
    place.write("one.csv", table().replace("fast", "slow").as_bytes());
    place.bad(&of("one.csv", &["--force"]), 1, &["nothing to tell apart"]);
}
