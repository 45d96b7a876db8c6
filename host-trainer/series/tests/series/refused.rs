//! Bad data: one line each, with the place and a way out.

use gatelet::front::FrontEnd;
use gatelet_series::{Options, Set, Task};

use super::make::{Folder, grouped, npy, npz, options};

/// What is said of a file, which is one line without anything a terminal acts on.
fn said(path: &std::path::Path, options: &Options) -> String {
    let error = Set::open(path, options).expect_err("bad data").to_string();
    assert!(
        !error.is_empty() && !error.contains(char::is_control),
        "{error:?}"
    );
    error
}

/// Of a table.
fn of_table(text: impl AsRef<[u8]>, options: &Options) -> String {
    let folder = Folder::new();
    said(&folder.write("a.csv", text), options)
}

/// That all of these are in it.
#[track_caller]
fn has(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "{word:?} is not in {text:?}");
    }
}

#[test]
fn tables() {
    let ahead = Options::new(Task::Forecast { steps: 1 });
    let label = options(Task::Label, &["l"]);
    has(&of_table("", &ahead), &["a.csv", "empty"]);
    has(&of_table("x,y\n", &ahead), &["no rows"]);
    has(&of_table("\n\n", &ahead), &["no lines"]);
    has(
        &of_table("1,2\n3,4\n", &ahead),
        &["first line is numbers", "names"],
    );
    has(
        &of_table("x,y\n1,2\n", &label),
        &["no column l", "there are x, y"],
    );
    has(
        &of_table("x,x,l\n1,2,a\n", &label),
        &["columns 1 and 2", "called x"],
    );
    has(
        &of_table("x,y\n1,2\n3,four\n", &ahead),
        &["line 3, column y", "four is no number", "--features"],
    );
    has(
        &of_table("x,y\n1,2\n3\n", &ahead),
        &["line 3", "1 columns, and the header 2"],
    );
    has(
        &of_table("x\n1\ninf\n", &ahead),
        &["line 3, column x", "not finite"],
    );
    has(
        &of_table("x\n1\n1e39\n", &ahead),
        &["line 3, column x", "not finite"],
    );
    has(
        &of_table("x\n1\nNaN\nNaN\n", &ahead),
        &["2 numbers are missing", "line 3, column x", "--fill"],
    );
    has(&of_table("x,l\n1,a\n2,a\n", &label), &["of the class a"]);
    has(&of_table("x,l\n1,\n2,\n", &label), &["no step has a label"]);
    has(
        &of_table(
            "k,x,l\n1,1,a\n1,2,b\n",
            &grouped(Task::Classify, &["l"], "k"),
        ),
        &["line 3, column l", "class b follows a", "--group"],
    );
    has(
        &of_table("k,x,l\n1,1,a\n,1,b\n", &grouped(Task::Label, &["l"], "k")),
        &["line 3", "group is missing, in column 1"],
    );
    has(
        &of_table("x\n1\n2\n", &Options::new(Task::Classify)),
        &["--target"],
    );
    has(
        &of_table("x\n1\n2\n", &Options::new(Task::Label)),
        &["--target"],
    );
    has(
        &of_table("x\n1\n2\n", &options(Task::Regress, &["x"])),
        &["no column is left"],
    );
    has(&of_table("x\n1\n", &ahead), &["2 steps", "longest has 1"]);
    has(&of_table(b"PK\x03\x04....", &ahead), &["zip", "CSV"]);
    has(&of_table(b"\xff\xfex\0", &ahead), &["UTF-16"]);
    has(&of_table("x\n1\0\n", &ahead), &["no text"]);
    let mut evil = String::from("x\u{202e}\u{7},l\n");
    evil.push_str("\u{1b}[31mred,a\n");
    has(&of_table(&evil, &label), &["line 2", "is no number"]);
}

#[test]
fn times() {
    let mut wanted = Options::new(Task::Forecast { steps: 1 });
    wanted.time = Some("t".into());
    has(
        &of_table("t,x\n1,1\n1,2\n", &wanted),
        &["line 3, column t", "not later", "--group"],
    );
    has(
        &of_table("t,x\n1,1\nnoon,2\n", &wanted),
        &["line 3, column t", "noon is no time"],
    );
    has(
        &of_table("t,x\n1,1\n2,2\n3,3\n9,4\n", &wanted),
        &["1 gap in time", "a step of 1 ", "line 5", "--fill"],
    );
    wanted.fill = Some(gatelet_series::Fill::Zero);
    has(
        &of_table("t,x\n1,1\n2,2\n3,3\n1e9,4\n", &wanted),
        &["line 5", "too many to fill"],
    );
    let hollow = "k,x,z\n1,1,1\n1,2,\n2,3,\n2,4,\n";
    let mut wanted = grouped(Task::Forecast { steps: 1 }, &["x"], "k");
    wanted.fill = Some(gatelet_series::Fill::Linear);
    has(
        &of_table(hollow, &wanted),
        &["column z has no number in the sequence 2"],
    );
}

#[test]
fn a_million_columns() {
    let names: Vec<String> = (0..1_000_000).map(|k| format!("c{k}")).collect();
    let row = vec!["1"; names.len()].join(",");
    let text = format!("{}\n{row}\n{row}\n", names.join(","));
    let mut wanted = Options::new(Task::Forecast { steps: 1 });
    has(
        &of_table(&text, &wanted),
        &["1000000 columns", "1024", "--features"],
    );
    wanted.features = vec!["c999999".into(), "c0".into()];
    let folder = Folder::new();
    let set = Set::open(&folder.write("a.csv", &text), &wanted).expect("two of them");
    assert_eq!(set.width(), 2);
    has(
        &of_table(&text, &options(Task::Label, &["none"])),
        &["no column none", "c0, c1", "999980 more"],
    );
}

#[test]
fn options_without_sense() {
    let table = "x,y\n1,2\n3,4\n";
    let ahead = Options::new(Task::Forecast { steps: 1 });
    has(
        &of_table(table, &Options::new(Task::Forecast { steps: 0 })),
        &["0 steps"],
    );
    has(
        &of_table(
            table,
            &Options {
                window: Some(0),
                ..ahead.clone()
            },
        ),
        &["window"],
    );
    has(
        &of_table(
            table,
            &Options {
                hop: Some(1),
                ..ahead.clone()
            },
        ),
        &["--hop"],
    );
    has(
        &of_table(
            table,
            &Options {
                window: Some(9),
                ..ahead.clone()
            },
        ),
        &["10 steps", "longest has 2"],
    );
    has(
        &of_table(table, &Options::new(Task::Forecast { steps: 1000 })),
        &["1001 steps", "longest has 2"],
    );
    let long = format!("x,y\n{}", "1,2\n".repeat(1100));
    has(
        &of_table(long, &Options::new(Task::Forecast { steps: 1000 })),
        &["2000 numbers", "--target"],
    );
    let mut once = grouped(Task::Regress, &["y"], "x");
    once.features = vec!["x".into()];
    once.once = Some(true);
    has(
        &of_table("x,y\n1,1\n1,2\n", &once),
        &["sequence 1", "changes"],
    );
    let mut known = options(Task::Label, &["y"]);
    known.classes = vec!["2".into(), "3".into()];
    has(&of_table(table, &known), &["class 4 is none of 2, 3"]);
}

#[test]
fn classes_that_are_numbers() {
    let rows: String = (0..2000).map(|k| format!("{k},{}.5\n", k)).collect();
    has(
        &of_table(format!("x,l\n{rows}"), &options(Task::Label, &["l"])),
        &["1024 different values", "--task regress"],
    );
}

#[test]
fn folders() {
    let task = Options::new(Task::Classify);
    let folder = Folder::new();
    has(&said(folder.path(), &task), &["no .csv and no .wav"]);
    folder.wav("yes_1.wav", 8000, 1, &[1, 2]);
    has(&said(folder.path(), &task), &["of the class yes"]);
    folder.wav("no_1.wav", 16_000, 1, &[1, 2]);
    has(
        &said(folder.path(), &task),
        &["8000 samples a second", "16000 in", "sox"],
    );
    folder.wav("no_1.wav", 8000, 1, &[]);
    has(&said(folder.path(), &task), &["no_1.wav", "no samples"]);
    folder.write("no_1.wav", "RIFF");
    has(&said(folder.path(), &task), &["no_1.wav", "no .wav"]);
    folder.write("no_1.csv", "x\n1\n");
    has(&said(folder.path(), &task), &["both"]);
    has(&said(&folder.path().join("none"), &task), &["none"]);

    let folder = Folder::new();
    folder.wav("alone.wav", 8000, 1, &[1, 2]);
    has(
        &said(folder.path(), &task),
        &["alone.wav", "CLASS_anything"],
    );
    has(
        &said(folder.path(), &Options::new(Task::Label)),
        &["alone.wav", "no label track"],
    );
    for (track, what) in [
        ("0 1 yes", "line 1"),
        ("0\t1\tyes\n1\t2\t\n", "line 2"),
        ("0\t1\tyes\n1\tNaN\tno\n", "with tabs"),
        ("1\t1\tyes", "not after its start"),
        ("0\t1\tyes\n0.5\t2\tno", "before the end"),
    ] {
        folder.write("alone.txt", track);
        let said = said(folder.path(), &Options::new(Task::Label));
        has(&said, &["alone.txt", what]);
    }
    folder.write("alone.txt", "0\t1\tyes");
    let framed = |task, rate, hop| Options {
        front: Some(FrontEnd::log_mel(rate, 256, hop, 20)),
        ..Options::new(task)
    };
    let alone = folder.path().join("alone.wav");
    let label = Task::Label;
    has(
        &said(&alone, &framed(label, 16_000, 100)),
        &["8000 samples", "rate=8000"],
    );
    has(
        &said(&alone, &framed(label, 8_000, 100)),
        &["shorter than one step"],
    );
    has(
        &said(&alone, &framed(Task::Forecast { steps: 1 }, 8_000, 2)),
        &["--task classify or label"],
    );
    let table = folder.write("a.csv", "x,y\n1,2\n");
    has(
        &said(&table, &framed(label, 8_000, 100)),
        &["for recordings"],
    );
    std::fs::remove_file(table).expect("a file");
    has(
        &said(folder.path(), &Options::new(Task::Regress)),
        &["neither input nor target"],
    );
    has(
        &said(
            &folder.path().join("alone.wav"),
            &Options {
                channel: Some(1),
                ..Options::new(Task::Forecast { steps: 1 })
            },
        ),
        &["1 channels"],
    );
    let folder = Folder::new();
    folder.wav("input1.wav", 8000, 1, &[1, 2]);
    has(
        &said(folder.path(), &Options::new(Task::Regress)),
        &["no target of the same name"],
    );

    let folder = Folder::new();
    folder.write("a_1.csv", "x,y\n1,2\n");
    folder.write("b_1.csv", "x,z\n1,2\n");
    has(&said(folder.path(), &task), &["b_1.csv", "x, z", "x, y"]);
}

#[test]
fn spellings_of_one_class_are_noted() {
    let folder = Folder::new();
    for name in ["Yes_1.csv", "yes_1.csv", "no_1.csv", "no_2.csv"] {
        folder.write(name, "x\n1\n2\n");
    }
    let set = Set::open(folder.path(), &Options::new(Task::Classify)).expect("a set");
    let notes = set.notes().join("\n");
    has(&notes, &["differ in spelling alone: Yes, yes"]);
}

#[test]
fn arrays() {
    let folder = Folder::new();
    let task = |target: &str| options(Task::Classify, &[target]);
    let x = folder.write(
        "x.npy",
        npy(&[2, 2, 1], &[1.0_f32, 2.0, 3.0, f32::INFINITY]),
    );
    folder.write("y.npy", npy(&[2], &[0_i32, 1]));
    has(
        &said(&x, &task("y.npy")),
        &["sequence 1, step 1, column 0", "not finite"],
    );
    let x = folder.write("x.npy", npy(&[2, 2, 1], &[1.0_f32, f32::NAN, 3.0, 4.0]));
    let wanted = Options {
        window: Some(2),
        ..task("y.npy")
    };
    assert_eq!(Set::open(&x, &wanted).expect("padding").len(), 2);
    let x = folder.write("x.npy", npy(&[2, 2, 1], &[f32::NAN, 2.0, 3.0, 4.0]));
    has(
        &said(&x, &task("y.npy")),
        &["1 number is missing", "sequence 0, step 0"],
    );
    has(&said(&x, &task("z.npy")), &["z.npy"]);
    has(&said(&x, &Options::new(Task::Classify)), &["--target"]);
    folder.write("y.npy", npy(&[3], &[0_i32, 1, 2]));
    has(
        &said(&x, &task("y.npy")),
        &["[3]", "2 sequences of 2 steps"],
    );
    folder.write("y.npy", npy(&[2], &[0.5_f32, 1.0]));
    has(&said(&x, &task("y.npy")), &["0.5 is no class"]);
    let deep = folder.write("x.npy", npy(&[1, 1, 1, 1], &[1.0_f32]));
    has(&said(&deep, &task("y.npy")), &["[1, 1, 1, 1]"]);
    let none = folder.write("x.npy", npy::<f32>(&[0, 2, 1], &[]));
    has(
        &said(&none, &Options::new(Task::Forecast { steps: 1 })),
        &["empty"],
    );
    let mut cut = npy(&[2, 2, 1], &[1.0_f32, 2.0, 3.0, 4.0]);
    cut.pop();
    has(
        &said(
            &folder.write("x.npy", cut),
            &Options::new(Task::Forecast { steps: 1 }),
        ),
        &["cut off"],
    );
    let other = npz(
        &[("a", npy(&[1], &[1.0_f32])), ("b", npy(&[1], &[1.0_f32]))],
        false,
    );
    has(
        &said(&folder.write("a.npz", other), &Options::new(Task::Classify)),
        &["no array x", "a, b"],
    );
    has(
        &said(&folder.write("b.npz", "PK"), &Options::new(Task::Classify)),
        &["no .npz"],
    );
}

#[test]
fn cases() {
    let folder = Folder::new();
    let of = |text: &str| said(&folder.write("a.ts", text), &Options::new(Task::Classify));
    has(&of("1,2:a\n"), &["@data"]);
    has(&of("@classLabel true a b\n@data\n"), &["no cases"]);
    has(
        &of("@classLabel true a b\n@data\n1,x:a\n"),
        &["line 3", "x in dimension 0"],
    );
    has(
        &of("@classLabel true a b\n@data\n1,2:1:a\n"),
        &["line 3", "dimension 1 has 1 steps"],
    );
    has(
        &of("@classLabel true a b\n@data\n1,2:a\n1:2:a\n"),
        &["line 4", "2 dimensions"],
    );
    has(&of("@data\n1,2\n"), &["@classLabel"]);
    has(&of("@timestamps true\n@data\n"), &["times of its own"]);
}

#[test]
fn what_no_format_has() {
    let folder = Folder::new();
    let task = Options::new(Task::Forecast { steps: 1 });
    for (name, word) in [
        ("a.xlsx", "spreadsheet"),
        ("a.h5", "numpy.savez"),
        ("a.mp3", "ffmpeg"),
        ("a.bin", "endings"),
    ] {
        has(
            &said(&folder.write(name, "x"), &task),
            &[name, word, ".csv"],
        );
    }
}
