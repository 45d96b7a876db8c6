//! Nets of TFLite, made by `make_tflite.py`.

use crate::compare::{damaged, refused, same};

#[test]
fn nets_give_what_tflite_gives() {
    let of = |file| same("tflite", file, None);
    let deep = of("deep.tflite");
    assert!(deep.outputs[0].softmax);
    assert!(
        deep.notes.iter().any(|note| note.contains("clipped")),
        "{:?}",
        deep.notes
    );
    assert_eq!(of("heads.tflite").outputs.len(), 2);
    of("half.tflite");
    let int8 = of("int8.tflite");
    assert!(int8.notes.iter().any(|note| note.contains("integers")));
    assert_eq!(int8.net.len(), 2);
}

/// The shapes of a sequence whose length is open are computed in the graph, and no part of the net.
#[test]
fn shapes_and_the_last_step_are_no_operations() {
    for (file, operations, note) in [("open.tflite", 1, ""), ("last.tflite", 2, "last step")] {
        let net = crate::compare::import("tflite", file, None).expect(file);
        assert_eq!(net.net.len(), operations, "{file}");
        let mut notes = net.rows.iter().flat_map(|row| &row.notes);
        assert!(notes.any(|found| found.contains(note)), "{file}");
    }
}

#[test]
fn what_cannot_come_along_is_named() {
    for (file, part) in [
        ("loop.tflite", "(WHILE): it is a loop"),
        ("backwards.tflite", "(REVERSE_V2): it runs backwards"),
        ("unrolled.tflite", "(UNPACK)"),
        ("flat.tflite", "(RESHAPE): it makes [1, 6] of [1, 3, 2]"),
        ("elu.tflite", "(ELU)"),
        (
            "peepholes.tflite",
            "(UNIDIRECTIONAL_SEQUENCE_LSTM): it has peepholes",
        ),
        ("coupled.tflite", "CIFG"),
        ("projected.tflite", "projected"),
        ("norm.tflite", "layer norm"),
        ("clipped.tflite", "cell_clip"),
    ] {
        let bytes = std::fs::read(crate::compare::path("tflite", file)).expect(file);
        let error = refused(file, &bytes, None);
        assert!(error.contains(part), "{file}: {error}");
    }
}

#[test]
fn damaged_files_are_refused() {
    for file in ["deep.tflite", "int8.tflite", "half.tflite", "last.tflite"] {
        damaged("tflite", file, None);
    }
}
