//! Every format, and every task.

use gatelet::front::{Frames, FrontEnd};
use gatelet_series::{Options, Set, Task, Wanted};

use super::make::{Asked, Folder, grouped, npy, npz, options, part, whole};

const TABLE: &str = "who,t,x,y,what\nann,0,1,10,go\nbob,0,5,50,stop\nann,1,2,20,go\n\
                     ann,2,3,30,go\nbob,1,6,60,stop\n";

fn open(path: &std::path::Path, options: &Options) -> Set {
    Set::open(path, options).expect("a set")
}

#[test]
fn a_table_is_a_sequence_of_each_group_in_the_order_of_rows() {
    let folder = Folder::new();
    let path = folder.write("a.csv", TABLE);
    let mut wanted = grouped(Task::Classify, &["what"], "who");
    wanted.time = Some("t".into());
    let set = open(&path, &wanted);
    assert_eq!((set.len(), set.width(), set.outputs()), (2, 2, 2));
    assert_eq!(
        (set.features(), set.classes()),
        (
            &["x".into(), "y".into()][..],
            &["go".into(), "stop".into()][..]
        )
    );
    assert_eq!(
        (set.name(0), set.group(1), set.steps(0), set.steps(1)),
        ("ann", "bob", 3, 2)
    );
    assert_eq!(
        whole(&set, 0),
        (vec![1.0, 10.0, 2.0, 20.0, 3.0, 30.0], Asked::Class(0))
    );
    assert_eq!(
        whole(&set, 1),
        (vec![5.0, 50.0, 6.0, 60.0], Asked::Class(1))
    );
    assert_eq!(set.class(1), Some(1));
    assert_eq!(part(&set, 0, 1, 1, 0).0, [2.0, 20.0]);

    let mut wanted = grouped(Task::Label, &["what"], "who");
    wanted.features = vec!["y".into()];
    let set = open(&path, &wanted);
    assert_eq!(
        whole(&set, 1),
        (vec![50.0, 60.0], Asked::Labels(vec![1, 1]))
    );

    let mut wanted = grouped(Task::Regress, &["y"], "who");
    wanted.features = vec!["x".into()];
    let set = open(&path, &wanted);
    assert_eq!(
        whole(&set, 0),
        (vec![1.0, 2.0, 3.0], Asked::Values(vec![10.0, 20.0, 30.0]))
    );
}

#[test]
fn a_table_without_groups_is_one_sequence() {
    let folder = Folder::new();
    let path = folder.write("a.csv", "x,y,l\n1,10,a\n2,20,\n3,30,b\n4,40,a\n");
    let mut wanted = options(Task::Label, &["l"]);
    let set = open(&path, &wanted);
    let none = Wanted::UNLABELLED;
    assert_eq!((set.len(), set.name(0)), (1, "a.csv"));
    assert_eq!(whole(&set, 0).1, Asked::Labels(vec![0, none, 1, 0]));
    assert!(
        set.notes()
            .iter()
            .any(|note| note.starts_with("1 number or label")),
        "{:?}",
        set.notes()
    );

    wanted.window = Some(2);
    wanted.hop = Some(1);
    let set = open(&path, &wanted);
    assert_eq!(
        (set.len(), set.steps(2), set.start(2), set.origin(2)),
        (3, 2, 2, 0)
    );
    assert_eq!(
        whole(&set, 1),
        (vec![2.0, 20.0, 3.0, 30.0], Asked::Labels(vec![none, 1]))
    );
    // Steps beside a window are there; beside the sequence its first one stands in.
    assert_eq!(
        part(&set, 1, 0, 2, -1),
        (vec![1.0, 10.0, 2.0, 20.0], Asked::Labels(vec![0, none]))
    );
    assert_eq!(
        part(&set, 0, 0, 2, -1),
        (vec![1.0, 10.0, 1.0, 10.0], Asked::Labels(vec![none, 0]))
    );
    assert_eq!(
        part(&set, 2, 0, 2, 1),
        (vec![4.0, 40.0, 4.0, 40.0], Asked::Labels(vec![0, none]))
    );
    assert_eq!(part(&set, 2, 0, 2, 9).0, [4.0, 40.0, 4.0, 40.0]);
    assert_eq!(
        part(&set, 2, 1, 1, -9),
        (vec![1.0, 10.0], Asked::Labels(vec![none]))
    );
}

#[test]
fn a_forecast_asks_for_the_next_steps() {
    let folder = Folder::new();
    let path = folder.write("a.csv", "x,y\n1,10\n2,20\n3,30\n4,40\n5,50\n");
    let ahead = Task::Forecast { steps: 2 };
    let set = open(&path, &options(ahead, &[]));
    assert_eq!((set.steps(0), set.width(), set.outputs()), (3, 2, 4));
    assert_eq!(
        part(&set, 0, 1, 2, 0),
        (
            vec![2.0, 20.0, 3.0, 30.0],
            Asked::Values(vec![3.0, 30.0, 4.0, 40.0, 4.0, 40.0, 5.0, 50.0])
        )
    );
    let mut wanted = options(ahead, &["y"]);
    wanted.features = vec!["x".into()];
    let set = open(&path, &wanted);
    assert_eq!(
        part(&set, 0, 2, 1, 0),
        (vec![3.0], Asked::Values(vec![40.0, 50.0]))
    );
    wanted.window = Some(2);
    let set = open(&path, &wanted);
    assert_eq!(
        (set.len(), whole(&set, 0)),
        (
            1,
            (vec![1.0, 2.0], Asked::Values(vec![20.0, 30.0, 30.0, 40.0]))
        )
    );
    let shifted = part(&set, 0, 0, 2, 2);
    assert_eq!(shifted.0, [3.0, 3.0]);
    let Asked::Values(values) = shifted.1 else {
        panic!("values")
    };
    assert!(values[..2] == [40.0, 50.0] && values[2..].iter().all(|x| x.is_nan()));
}

#[test]
fn other_separators_quotes_and_commas_are_read() {
    let folder = Folder::new();
    let plain = folder.write("a.csv", "x,y\n1.5,2\n3,4\n");
    let task = options(Task::Forecast { steps: 1 }, &[]);
    let read = whole(&open(&plain, &task), 0);
    for (name, text) in [
        ("semicolons.csv", "x;y\n1,5;2\n3;4\n"),
        ("tabs.tsv", "x\ty\r\n1.5\t2\r\n3\t4"),
        (
            "quotes.csv",
            "\u{feff}\"x\",\"y\"\n\"1.5\",\"2\"\n\n\"3\",\"4\"\n",
        ),
        ("spaces.csv", "x, y\n 1.5 , 2\n3 ,4 \n"),
    ] {
        assert_eq!(
            whole(&open(&folder.write(name, text), &task), 0),
            read,
            "{name}"
        );
    }
}

#[test]
fn a_folder_has_a_class_of_each_name_or_folder() {
    let folder = Folder::new();
    let table = |x: i32| format!("x\n{x}\n{}\n", x + 1);
    for (name, x) in [
        ("no_1.csv", 1),
        ("yes.2.csv", 2),
        ("yes_ann_1.csv", 3),
        ("notes.txt", 0),
    ] {
        folder.write(name, table(x));
    }
    let set = open(folder.path(), &Options::new(Task::Classify));
    assert_eq!(
        (set.len(), set.classes()),
        (3, &["no".into(), "yes".into()][..])
    );
    assert_eq!(
        (set.name(2), set.group(2), set.class(2)),
        ("yes_ann_1.csv", "yes_ann_1.csv", Some(1))
    );
    assert!(
        set.notes()
            .iter()
            .any(|note| note.contains("1 files that are neither"))
    );
    let set = open(folder.path(), &grouped(Task::Classify, &[], "name"));
    assert_eq!(set.group(2), "ann");

    let folder = Folder::new();
    for (name, samples) in [
        ("test/Go/b.wav", [4, 8]),
        ("train/Go/a.wav", [0, 16384]),
        ("train/stop/ann/c.wav", [-32768, 1]),
    ] {
        folder.wav(name, 8000, 1, &samples);
    }
    let set = open(folder.path(), &Options::new(Task::Classify));
    assert_eq!(
        (set.len(), set.rate(), set.is_split()),
        (3, Some(8000), true)
    );
    assert_eq!(
        (set.name(2), set.group(2), set.class(2)),
        ("train/stop/ann/c.wav", "ann", Some(1))
    );
    assert_eq!(whole(&set, 1), (vec![0.0, 0.5], Asked::Class(0)));
    assert_eq!(whole(&set, 2).0, [-1.0, 1.0 / 32768.0]);
}

#[test]
fn recordings_come_in_pairs() {
    let folder = Folder::new();
    let input = folder.wav("input_1.wav", 8000, 2, &[0, 16384, 8192, 8192, 0, 0]);
    let target = folder.wav("target_1.wav", 8000, 1, &[16384, 0]);
    let task = Options::new(Task::Regress);
    let set = open(folder.path(), &task);
    assert_eq!(
        whole(&set, 0),
        (vec![0.25, 0.25], Asked::Values(vec![0.5, 0.0]))
    );
    assert_eq!(
        (set.features(), set.targets()),
        (&["audio".into()][..], &["target".into()][..])
    );
    let notes = set.notes().join("\n");
    assert!(
        notes.contains("has 3 samples and its target 2")
            && notes.contains("1 recording has several"),
        "{notes}"
    );
    let named = format!("{},{}", input.display(), target.display());
    let pair = open(
        named.as_ref(),
        &Options {
            channel: Some(0),
            ..task.clone()
        },
    );
    assert_eq!(
        (pair.len(), pair.name(0), pair.steps(0)),
        (1, "input_1.wav", 2)
    );
    assert_eq!(
        whole(
            &open(
                input.as_ref(),
                &Options {
                    channel: Some(1),
                    ..Options::new(Task::Forecast { steps: 1 })
                }
            ),
            0
        )
        .0,
        [0.5, 0.25]
    );
}

#[test]
fn arrays_have_their_answers_beside_them() {
    let folder = Folder::new();
    let numbers: Vec<f64> = (0..24).map(f64::from).collect();
    let x = folder.write("x.npy", npy(&[4, 3, 2], &numbers));
    folder.write("class.npy", npy(&[4], &[7_i64, -1, 7, 10]));
    folder.write(
        "label.npy",
        npy(&[4, 3], &[1_u8, 0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0]),
    );
    folder.write(
        "step.npy",
        npy(&[4, 3, 1], &(0..12).map(|x| x as f32).collect::<Vec<_>>()),
    );
    folder.write(
        "once.npy",
        npy(&[4, 2], &[1.0_f32, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, f32::NAN]),
    );
    let set = open(&x, &options(Task::Classify, &["class.npy"]));
    assert_eq!(set.classes(), ["-1", "7", "10"]);
    assert_eq!(
        whole(&set, 3),
        (vec![18.0, 19.0, 20.0, 21.0, 22.0, 23.0], Asked::Class(2))
    );
    let mut wanted = options(Task::Label, &["label.npy"]);
    wanted.features = vec!["1".into()];
    let set = open(&x, &wanted);
    assert_eq!(
        whole(&set, 0),
        (vec![1.0, 3.0, 5.0], Asked::Labels(vec![1, 0, 1]))
    );
    let set = open(&x, &options(Task::Regress, &["step.npy"]));
    assert_eq!(whole(&set, 1).1, Asked::Values(vec![3.0, 4.0, 5.0]));
    let set = open(&x, &options(Task::Regress, &["once.npy"]));
    assert!(set.once() && set.targets() == ["y0", "y1"]);
    assert_eq!(whole(&set, 1).1, Asked::Value(vec![3.0, 4.0]));
    let set = open(&x, &options(Task::Forecast { steps: 1 }, &["0"]));
    assert_eq!(
        whole(&set, 0),
        (vec![0.0, 1.0, 2.0, 3.0], Asked::Values(vec![2.0, 4.0]))
    );
}

#[test]
fn padding_at_the_end_is_no_step() {
    let folder = Folder::new();
    let nan = f32::NAN;
    let x = folder.write("x.npy", npy(&[2, 3, 1], &[1.0, nan, nan, 4.0, 5.0, 6.0]));
    folder.write("y.npy", npy(&[2], &[0_i32, 1]));
    let set = open(&x, &options(Task::Classify, &["y.npy"]));
    assert_eq!((set.steps(0), set.steps(1)), (1, 3));
    assert_eq!(whole(&set, 1).0, [4.0, 5.0, 6.0]);
    assert!(
        set.notes()
            .iter()
            .any(|note| note.contains("2 steps at the end")),
        "{:?}",
        set.notes()
    );
}

#[test]
fn an_archive_of_arrays_may_be_a_ready_split() {
    let folder = Folder::new();
    let x = |n: u64, from: f32| {
        npy(
            &[n, 2, 1],
            &(0..2 * n).map(|k| from + k as f32).collect::<Vec<_>>(),
        )
    };
    let arrays = [
        ("X_train", x(3, 0.0)),
        ("y_train", npy(&[3], &[0_i64, 1, 1])),
        ("X_test", x(2, 100.0)),
        ("y_test", npy(&[2], &[1_i64, 0])),
    ];
    for compressed in [false, true] {
        let path = folder.write("a.npz", npz(&arrays, compressed));
        let set = open(&path, &Options::new(Task::Classify));
        assert_eq!((set.len(), set.is_split()), (5, true));
        assert_eq!(whole(&set, 2), (vec![4.0, 5.0], Asked::Class(1)));
        assert_eq!(whole(&set, 4), (vec![102.0, 103.0], Asked::Class(0)));
        let split = gatelet_series::split(&set, 0.3, 0.2, 1).expect("a split");
        assert_eq!(
            (split.test, split.valid.len(), split.train.len()),
            (vec![3, 4], 1, 2)
        );
    }
    let path = folder.write(
        "b.npz",
        npz(
            &[("x", x(3, 0.0)), ("t", npy(&[3], &[0.5_f64, 1.0, 2.0]))],
            false,
        ),
    );
    let set = open(&path, &options(Task::Regress, &["t"]));
    assert_eq!(whole(&set, 2).1, Asked::Value(vec![2.0]));
}

#[test]
fn cases_of_ts_files_come_with_their_test() {
    let folder = Folder::new();
    let head = "# made\n@problemName Made\n@univariate false\n@classLabel true a b\n@data\n";
    let train = folder.write("M_TRAIN.ts", format!("{head}1,2,3:4,5,6:b\n7,8:9,?:a\n"));
    folder.write("M_TEST.ts", format!("{head}1:2:a\n"));
    let wanted = Options {
        fill: Some(gatelet_series::Fill::Previous),
        ..Options::new(Task::Classify)
    };
    let set = open(&train, &wanted);
    assert_eq!(
        (set.len(), set.width(), set.is_split(), set.classes()),
        (3, 2, true, &["a".into(), "b".into()][..])
    );
    assert_eq!(
        whole(&set, 0),
        (vec![1.0, 4.0, 2.0, 5.0, 3.0, 6.0], Asked::Class(1))
    );
    assert_eq!(whole(&set, 1), (vec![7.0, 9.0, 8.0, 9.0], Asked::Class(0)));
    let latin = b"# \xa9\n@classLabel true a b\n@data\n1,2:a\n3:b\n";
    let set = open(
        &folder.write("latin.ts", latin),
        &Options::new(Task::Classify),
    );
    assert_eq!(whole(&set, 1), (vec![3.0], Asked::Class(1)));
    let path = folder.write("r.ts", "@targetLabel true\n@data\n1,2:0.5\n3,4:1.5\n");
    let set = open(&path, &Options::new(Task::Regress));
    assert_eq!(whole(&set, 1), (vec![3.0, 4.0], Asked::Value(vec![1.5])));
}

#[test]
fn the_same_at_all_steps_is_asked_once() {
    let folder = Folder::new();
    let path = folder.write("a.csv", "who,x,y\na,1,5\na,2,5\nb,3,6\n");
    let mut wanted = grouped(Task::Regress, &["y"], "who");
    let set = open(&path, &wanted);
    assert_eq!(whole(&set, 1), (vec![3.0], Asked::Value(vec![6.0])));
    assert!(set.notes().iter().any(|note| note.contains("asked once")));
    wanted.once = Some(false);
    assert_eq!(
        whole(&open(&path, &wanted), 0).1,
        Asked::Values(vec![5.0, 5.0])
    );
}

#[test]
fn another_set_has_the_classes_of_the_first() {
    let folder = Folder::new();
    let path = folder.write("a.csv", "x,l\n1,b\n2,b\n");
    let mut wanted = options(Task::Label, &["l"]);
    wanted.classes = vec!["a".into(), "b".into()];
    let set = open(&path, &wanted);
    assert_eq!(
        (set.outputs(), whole(&set, 0).1),
        (2, Asked::Labels(vec![1, 1]))
    );
}

#[test]
fn the_hash_is_of_names_and_contents() {
    let folder = Folder::new();
    let task = Options::new(Task::Forecast { steps: 1 });
    let hash = |name: &str, text: &str| open(&folder.write(name, text), &task).sha256();
    let first = hash("a.csv", "x\n1\n2\n");
    assert_eq!(first, hash("a.csv", "x\n1\n2\n"));
    assert_ne!(first, hash("a.csv", "x\n1\n3\n"));
    assert_ne!(first, hash("b.csv", "x\n1\n2\n"));
}

/// A wave of 16-bit samples.
fn wave(samples: u32) -> Vec<i16> {
    let sample = |n: u32| (n * n % 20_011) as i16 - 10_000;
    (0..samples).map(sample).collect()
}

#[test]
fn recordings_become_frames_with_labels() {
    let front = FrontEnd::log_mel(8_000, 256, 100, 20);
    let folder = Folder::new();
    let samples = wave(1_050);
    folder.wav("train/a.wav", 8_000, 1, &samples);
    folder.wav("valid/b.wav", 8_000, 1, &samples[..100]);
    // Frames end 12.5 ms apart, the last sample of the first at 12.375 ms.
    folder.write(
        "train/a.txt",
        "0\t0.0124\tother\n0.024\t0.05\tyes\n\n0.11\t9\tother\n",
    );
    folder.write("valid/b.txt", "0.0\t1.0\tyes");
    let options = Options {
        front: Some(front),
        ..Options::new(Task::Label)
    };
    let set = open(folder.path(), &options);
    assert_eq!((set.len(), set.steps(0), set.steps(1)), (2, 10, 1));
    assert_eq!((set.width(), set.is_split()), (20, true));
    assert_eq!(set.classes(), ["other", "yes"]);
    assert!(set.notes().iter().all(|note| !note.contains("left out")));
    let none = Wanted::UNLABELLED;
    let (inputs, asked) = whole(&set, 0);
    let labels = vec![0, 1, 1, 1, none, none, none, none, 0, 0];
    assert_eq!(asked, Asked::Labels(labels));
    // What the device makes of the same samples.
    let mut words = vec![0; front.words()];
    let mut frames = Frames::new(front, &mut words).expect("a front end");
    let (mut rest, mut made) = (&samples[..], Vec::new());
    while let Some(features) = frames.next(&mut rest) {
        made.extend_from_slice(features);
    }
    assert_eq!(inputs, made);
    assert_eq!(whole(&set, 1).0, made[..20]);
}
