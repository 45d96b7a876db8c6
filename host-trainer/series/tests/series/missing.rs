//! Numbers and steps that were not measured.

use gatelet_series::{Fill, Options, Set, Task};

use super::make::{Asked, Folder, grouped, options, whole};

fn filled(text: &str, fill: Fill, time: bool) -> Set {
    let folder = Folder::new();
    let path = folder.write("a.csv", text);
    let wanted = Options {
        features: vec!["x".into()],
        time: time.then(|| "t".into()),
        fill: Some(fill),
        ..options(Task::Regress, &["y"])
    };
    Set::open(&path, &wanted).expect("a set")
}

#[test]
fn numbers_are_filled_as_asked() {
    let text = "x,y\n,1\n1,2\nNaN,3\nn/a,4\n4,5\n?,6\n";
    let inputs = |fill| whole(&filled(text, fill, false), 0).0;
    assert_eq!(inputs(Fill::Previous), [1.0, 1.0, 1.0, 1.0, 4.0, 4.0]);
    assert_eq!(inputs(Fill::Linear), [1.0, 1.0, 2.0, 3.0, 4.0, 4.0]);
    assert_eq!(inputs(Fill::Zero), [0.0, 1.0, 0.0, 0.0, 4.0, 0.0]);
    let dropped = filled(text, Fill::Drop, false);
    assert_eq!(
        whole(&dropped, 0),
        (vec![1.0, 4.0], Asked::Values(vec![2.0, 5.0]))
    );
    let notes = dropped.notes().join("\n");
    assert!(
        notes.contains("4 numbers are missing") && notes.contains("line 2, column x"),
        "{notes}"
    );
    assert!(notes.contains("4 steps were left out"), "{notes}");
}

#[test]
fn what_is_asked_is_never_filled() {
    let Asked::Values(values) = whole(&filled("x,y\n1,\n2,5\n", Fill::Previous, false), 0).1 else {
        panic!("values")
    };
    assert!(values[0].is_nan() && values[1] == 5.0);
    let folder = Folder::new();
    let path = folder.write("a.csv", "x\n1\n\n2\n,\n");
    assert!(Set::open(&path, &Options::new(Task::Forecast { steps: 1 })).is_err());
    let path = folder.write("b.csv", "x,z\n1,1\n,2\n3,3\n");
    let wanted = Options {
        fill: Some(Fill::Linear),
        ..options(Task::Forecast { steps: 1 }, &["x"])
    };
    let (inputs, asked) = whole(&Set::open(&path, &wanted).expect("a set"), 0);
    assert_eq!(inputs, [1.0, 1.0, 2.0, 2.0]);
    let Asked::Values(values) = asked else {
        panic!("values")
    };
    assert!(values[0].is_nan() && values[1] == 3.0);
}

#[test]
fn gaps_in_time_are_counted_and_filled() {
    let text = "t,x,y\n0,1,1\n1,2,2\n2,3,3\n5,6,4\n6,7,5\n";
    let set = filled(text, Fill::Linear, true);
    let (inputs, Asked::Values(values)) = whole(&set, 0) else {
        panic!("values")
    };
    assert_eq!(inputs, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]);
    assert!(values[3].is_nan() && values[4].is_nan() && values[5] == 4.0);
    assert!(
        set.notes()
            .iter()
            .any(|note| note.starts_with("1 gap in time")),
        "{:?}",
        set.notes()
    );
    assert_eq!(
        whole(&filled(text, Fill::Drop, true), 0).0,
        [1.0, 2.0, 3.0, 6.0, 7.0]
    );

    let dates = "t,x,y\n2026-01-31 23:00,1,1\n2026-02-01 00:00,2,2\n\
                 2026-02-01 02:00,4,3\n2026-02-01 03:00,5,4\n";
    assert_eq!(
        whole(&filled(dates, Fill::Linear, true), 0).0,
        [1.0, 2.0, 3.0, 4.0, 5.0]
    );
}

#[test]
fn gaps_are_of_each_sequence() {
    let folder = Folder::new();
    let path = folder.write(
        "a.csv",
        "who,t,x\na,0,1\nb,100,1\na,1,2\nb,101,2\na,2,3\nb,102,3\n",
    );
    let mut wanted = grouped(Task::Forecast { steps: 1 }, &["x"], "who");
    wanted.time = Some("t".into());
    let set = Set::open(&path, &wanted).expect("a set");
    assert!(set.notes().is_empty(), "{:?}", set.notes());
}
