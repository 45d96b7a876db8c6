//! Nets that are no language models.

use crate::place::Place;

/// Nets that read and give numbers can be made, looked at and arranged; what is for texts refuses
/// them.
#[test]
fn a_net_of_real_numbers_is_made_and_described() {
    let place = Place::new();
    for (cell, bits, macs) in [
        ("gru", "8", 3 * 12 * 17 + 12 * 2),
        ("lstm", "4", 4 * 12 * 17 + 12 * 2),
        ("rnn", "f32", 12 * 17 + 12 * 2),
    ] {
        let random = [
            "random", "--cell", cell, "--bits", bits, "--hidden", "12", "--force",
        ];
        let widths = ["--features", "5", "--outputs", "2", "--out", "n.gatelet"];
        place.good(&[&random[..], &widths[..]].concat());
        let told = place.json(&["inspect", "n.gatelet", "--json"]);
        assert_eq!(told["cell"], cell);
        assert_eq!((&told["features"], &told["vocab"]), (&5.into(), &0.into()));
        assert_eq!(told["outputs"], serde_json::json!([2]));
        assert_eq!(told["macs_per_step"], macs);
        assert_eq!(told["known_answer_passes"], true);
        let text = place.good(&["inspect", "n.gatelet"]);
        assert!(text.contains("5 features in, 2 numbers out"), "{text}");
        place.good(&[
            "export",
            "n.gatelet",
            "--target",
            "cortex-m4",
            "--force",
            "--out",
            "m.gatelet",
        ]);
        place.write("t.txt", b"a text");
        let refused = ["n.gatelet", "no language model", "gatelet inspect"];
        place.bad(&["eval", "n.gatelet", "t.txt"], 1, &refused);
        place.bad(&["predict", "n.gatelet", "a"], 1, &refused);
    }
    for (option, found) in [
        ("--features", "0"),
        ("--features", "1025"),
        ("--outputs", "0"),
    ] {
        let other = if option == "--features" {
            "--outputs"
        } else {
            "--features"
        };
        place.bad(
            &["random", option, found, other, "1", "--out", "x.gatelet"],
            2,
            &[&option[2..], "from 1 to 1024"],
        );
    }
}
