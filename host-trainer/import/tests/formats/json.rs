//! Nets as JSON, made by `make_json.py`.

use crate::compare::{damaged, refused, same};
use serde_json::{Value, json};

#[test]
fn nets_give_what_their_programs_give() {
    let of = |file| same("json", file, None);
    let rtneural = of("rtneural.json");
    assert!(rtneural.outputs[0].softmax);
    of("aidax.json");
    let amplifier = of("amplifier.json");
    assert_eq!(amplifier.inputs[0].width, 2);
    of("stereo.json");
    of("both.json");
    let nam = of("nam.json");
    assert!(nam.notes.iter().any(|note| note.contains("48000")));
    of("state.json");
    same("json", "state.json", Some("gru 3, gru 3 x2, linear 2"));
}

/// The one line for a file after a change.
fn changed(file: &str, change: impl Fn(&mut Value)) -> String {
    let bytes = std::fs::read(crate::compare::path("json", file)).expect(file);
    let mut json: Value = serde_json::from_slice(&bytes).expect("JSON");
    change(&mut json);
    refused(file, json.to_string().as_bytes(), None)
}

#[test]
fn what_cannot_come_along_is_named() {
    type Change = fn(&mut Value);
    let cases: [(&str, Change, &str); 19] = [
        (
            "rtneural.json",
            |net| net["layers"][1]["shape"][2] = json!(4),
            "[4, 12], not [4, 16]",
        ),
        (
            "rtneural.json",
            |net| net["in_shape"][2] = json!(3),
            "[2, 4], not [3, 4]",
        ),
        (
            "rtneural.json",
            |net| net["layers"][0]["type"] = json!("conv1d"),
            "layers[0] (conv1d)",
        ),
        (
            "rtneural.json",
            |net| net["layers"][4]["activation"] = json!("selu"),
            "is selu",
        ),
        (
            "rtneural.json",
            |net| net["layers"][1]["activation"] = json!("relu"),
            "is relu",
        ),
        (
            "rtneural.json",
            |net| net["layers"][3]["weights"][2] = json!([1.0]),
            "not [2, 12]",
        ),
        (
            "rtneural.json",
            |net| net["layers"][6]["shape"][2] = json!(2),
            "declares 2 units",
        ),
        (
            "aidax.json",
            |net| net["in_skip"] = json!(2),
            "in_skip is 2",
        ),
        (
            "amplifier.json",
            |net| net["model_data"]["skip"] = json!(3),
            "skip adds 3",
        ),
        (
            "amplifier.json",
            |net| net["model_data"]["hidden_size"] = json!(5),
            "makes 5",
        ),
        (
            "amplifier.json",
            |net| net["model_data"]["num_layers"] = json!(1),
            "2 layers, not 1",
        ),
        (
            "amplifier.json",
            |net| net["model_data"]["unit_type"] = json!("GRU"),
            "of 2 layers is no GRU",
        ),
        (
            "amplifier.json",
            |net| net["model_data"]["model"] = json!("GatedConvNet"),
            "GatedConvNet",
        ),
        (
            "amplifier.json",
            |net| net["state_dict"]["more.weight"] = json!([[1.0]]),
            "more",
        ),
        (
            "nam.json",
            |net| net["architecture"] = json!("WaveNet"),
            "WaveNet",
        ),
        (
            "nam.json",
            |net| net["config"]["hidden_size"] = json!(4),
            "[160], not [261]",
        ),
        (
            "nam.json",
            |net| net["config"]["hidden_size"] = json!(4_000_000_000_u32),
            "too large",
        ),
        (
            "state.json",
            |net| net["gru2.weight_hh_l1"] = json!([[1.0]]),
            "[1, 1]",
        ),
        (
            "state.json",
            |net| net["dense.weight"] = json!([[1.0], [1.0, 2.0]]),
            "dense.weight",
        ),
    ];
    for (file, change, part) in cases {
        let error = changed(file, change);
        assert!(error.contains(part), "{file}: {error}, not {part}");
    }
    let other = changed("state.json", |net| {
        *net = json!({"class_name": "A", "config": {}})
    });
    assert!(other.contains("without its weights"), "{other}");
    let order = changed("state.json", |net| *net = json!({"input": 3, "layers": []}));
    assert!(order.contains("--net"), "{order}");
    let nothing = changed("state.json", |net| *net = json!({"a": [1]}));
    assert!(nothing.contains("no net of a known format"), "{nothing}");
}

#[test]
fn damaged_files_are_refused() {
    for file in ["rtneural.json", "amplifier.json", "nam.json", "state.json"] {
        damaged("json", file, None);
    }
}
