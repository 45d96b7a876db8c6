//! Splits, scales, weights.

use std::collections::HashSet;

use gatelet_series::{
    Options, Set, Split, Task, class_weights, leaks, scale, split, split_in_time,
};

use super::make::{Folder, grouped, options};

/// A table of `count` sequences of three steps; every fourth of class a, and so many to a group.
fn table(count: usize, of_group: usize, window: Option<usize>) -> (Folder, Set) {
    let folder = Folder::new();
    let mut text = String::from("g,k,x,l\n");
    for k in 0..count {
        for step in 0..3 {
            let (group, class) = (k / of_group, ["a", "b", "b", "b"][k % 4]);
            text += &format!("{group},{k},{},{class}\n", k + step);
        }
    }
    let path = folder.write("a.csv", text);
    let mut wanted = grouped(Task::Classify, &["l"], "g");
    wanted.sequence = Some("k".into());
    wanted.window = window;
    let set = Set::open(&path, &wanted).expect("a set");
    (folder, set)
}

fn all(split: &Split) -> Vec<usize> {
    let mut all = [&split.train[..], &split.valid, &split.test].concat();
    all.sort_unstable();
    all
}

#[test]
fn classes_are_in_every_part_as_in_the_whole() {
    let (_folder, set) = table(40, 1, None);
    let drawn = split(&set, 0.2, 0.1, 1).expect("a split");
    assert_eq!(all(&drawn), (0..40).collect::<Vec<_>>());
    let classes = |part: &[usize]| part.iter().filter(|&&k| set.class(k) == Some(0)).count();
    assert_eq!((drawn.valid.len(), classes(&drawn.valid)), (8, 2));
    assert_eq!((drawn.test.len(), classes(&drawn.test)), (4, 1));
    assert_eq!(drawn, split(&set, 0.2, 0.1, 1).expect("the same"));
    assert_ne!(drawn, split(&set, 0.2, 0.1, 2).expect("another"));
}

#[test]
fn groups_and_windows_stay_together() {
    let (_folder, set) = table(40, 5, Some(2));
    assert_eq!(set.len(), 40);
    for seed in 0..20 {
        let drawn = split(&set, 0.3, 0.2, seed).expect("a split");
        let groups = |part: &[usize]| part.iter().map(|&k| set.group(k)).collect::<HashSet<_>>();
        let (train, valid, test) = (
            groups(&drawn.train),
            groups(&drawn.valid),
            groups(&drawn.test),
        );
        assert!(train.is_disjoint(&valid) && train.is_disjoint(&test) && valid.is_disjoint(&test));
        assert_eq!((train.len(), valid.len(), test.len()), (4, 2, 2));
    }
    let folder = Folder::new();
    let path = folder.write("a.csv", "k,x,l\n1,1,a\n1,2,a\n1,3,a\n2,1,b\n2,2,b\n2,3,b\n");
    let mut wanted = grouped(Task::Classify, &["l"], "k");
    wanted.window = Some(1);
    let set = Set::open(&path, &wanted).expect("a set");
    let drawn = split(&set, 0.4, 0.0, 3).expect("a split");
    assert_eq!((drawn.train.len(), drawn.valid.len()), (3, 3));
}

#[test]
fn one_sequence_is_not_split() {
    let folder = Folder::new();
    let path = folder.write("a.csv", "x\n1\n2\n3\n");
    let set = Set::open(&path, &Options::new(Task::Forecast { steps: 1 })).expect("a set");
    let error = split(&set, 0.2, 0.0, 1).expect_err("one").to_string();
    assert!(
        error.contains("one sequence or group for 2 parts") && error.contains("--valid"),
        "{error}"
    );
    assert_eq!(split(&set, 0.0, 0.0, 1).expect("all of it").train, [0]);
    assert!(split(&set, 0.7, 0.3, 1).is_err() && split(&set, f64::NAN, 0.0, 1).is_err());
}

#[test]
fn a_long_sequence_is_split_in_time() {
    let folder = Folder::new();
    let rows: String = (0..100).map(|x| format!("{x}\n")).collect();
    let path = folder.write("a.csv", format!("x\n{rows}"));
    let mut wanted = Options::new(Task::Forecast { steps: 5 });
    wanted.window = Some(10);
    wanted.hop = Some(1);
    let set = Set::open(&path, &wanted).expect("a set");
    let drawn = split_in_time(&set, 0.2, 0.2).expect("a split");
    let within = |part: &[usize], from: usize, to: usize| {
        let inside = part
            .iter()
            .all(|&k| set.start(k) >= from && set.start(k) + 15 <= to);
        inside && part.len() == to - from - 14
    };
    assert!(within(&drawn.train, 0, 60) && within(&drawn.valid, 60, 80));
    assert!(within(&drawn.test, 80, 100));
    wanted.window = None;
    wanted.hop = None;
    let set = Set::open(&path, &wanted).expect("a set");
    assert!(
        split_in_time(&set, 0.2, 0.0)
            .expect_err("one")
            .to_string()
            .contains("--segment")
    );
}

#[test]
fn a_class_in_one_sequence_is_noted() {
    let folder = Folder::new();
    let path = folder.write("a.csv", "k,x,l\n1,1,a\n2,1,b\n3,2,b\n4,5,b\n");
    let set = Set::open(&path, &grouped(Task::Classify, &["l"], "k")).expect("a set");
    let notes = set.notes().join("\n");
    assert!(
        notes.contains("the class a is in one sequence or group"),
        "{notes}"
    );
    for seed in 0..20 {
        assert!(
            split(&set, 0.3, 0.0, seed)
                .expect("a split")
                .train
                .contains(&0)
        );
    }
}

#[test]
fn groups_in_both_sets_are_a_leak() {
    let folder = Folder::new();
    let open = |name: &str, groups: [u8; 3]| {
        let rows: Vec<String> = groups
            .iter()
            .enumerate()
            .map(|(k, g)| format!("{g},{k},{}", ["a", "b"][k % 2]))
            .collect();
        let path = folder.write(name, format!("g,x,l\n{}\n", rows.join("\n")));
        Set::open(&path, &grouped(Task::Classify, &["l"], "g")).expect("a set")
    };
    let (one, two, three) = (
        open("a.csv", [1, 2, 3]),
        open("b.csv", [4, 5, 6]),
        open("c.csv", [6, 7, 8]),
    );
    assert!(leaks(&one, &two).is_ok());
    assert!(leaks(&one, &one).is_err());
    assert!(
        leaks(&two, &three)
            .expect_err("6")
            .to_string()
            .contains("the group 6")
    );

    let folder = Folder::new();
    for name in ["train/a/ann/1.csv", "train/b/bob/1.csv", "test/b/ann/2.csv"] {
        folder.write(name, "x\n1\n2\n");
    }
    let set = Set::open(folder.path(), &Options::new(Task::Classify)).expect("a set");
    assert!(
        split(&set, 0.0, 0.0, 0)
            .expect_err("ann")
            .to_string()
            .contains("the group ann")
    );
}

#[test]
fn scales_are_those_of_the_steps() {
    let folder = Folder::new();
    let path = folder.write(
        "a.csv",
        "k,x,c,y\n1,1,7,10\n1,2,7,\n1,3,7,30\n2,100,7,0\n3,5,7,1\n",
    );
    let mut wanted = grouped(Task::Regress, &["y"], "k");
    let near = |a: &[f32], b: &[f64]| {
        a.iter()
            .zip(b)
            .all(|(a, b)| (f64::from(*a) - b).abs() < 1e-6)
    };
    for window in [None, Some(2)] {
        wanted.window = window;
        wanted.hop = window.map(|_| 1);
        let set = Set::open(&path, &wanted).expect("a set");
        let of: Vec<usize> = (0..set.len()).filter(|&k| set.group(k) == "1").collect();
        let (inputs, outputs) = scale(&set, &of).expect("a scale");
        assert!(
            near(&inputs.mean, &[2.0, 7.0])
                && near(&inputs.deviation, &[(2.0_f64 / 3.0).sqrt(), 1.0])
        );
        assert!(
            near(&outputs.mean, &[20.0]) && near(&outputs.deviation, &[10.0]),
            "{outputs:?}"
        );
        assert!(
            set.notes()
                .iter()
                .any(|note| note.contains("the same at every step: c"))
        );
    }
}

#[test]
fn weights_are_the_inverse_of_how_often_a_class_is_there() {
    let (_folder, set) = table(40, 1, None);
    let weights = class_weights(&set, &(0..40).collect::<Vec<_>>());
    assert_eq!(weights, [2.0, 40.0 / 60.0]);
    assert_eq!(class_weights(&set, &[1, 2]), [1.0, 1.0]);
    let folder = Folder::new();
    let path = folder.write("a.csv", "x,l\n1,a\n2,b\n3,b\n4,b\n5,\n");
    let set = Set::open(&path, &options(Task::Label, &["l"])).expect("a set");
    assert_eq!(class_weights(&set, &[0]), [2.0, 4.0 / 6.0]);
}
