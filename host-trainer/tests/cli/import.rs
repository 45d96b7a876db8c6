//! Nets of other programs: `import`, then `run` and `verify`.

use serde_json::json;

use crate::place::Place;

/// A simple chain in RTNeural's form: `dense` of one unit with tanh, `w x + b`.
fn chain(weight: f32, bias: f32) -> String {
    json!({
        "in_shape": [null, null, 1],
        "layers": [{
            "type": "dense", "activation": "tanh", "shape": [null, null, 1],
            "weights": [[[weight]], [bias]],
        }],
    })
    .to_string()
}

/// An LSTM in PyTorch's order that adds its input, as trainers of guitar amplifiers write it: all
/// weights zero, so that h stays 0 and the output is the bias and the input.
fn amplifier() -> String {
    json!({
        "model_data": {
            "model": "SimpleRNN", "input_size": 1, "skip": 1, "output_size": 1,
            "unit_type": "LSTM", "num_layers": 1, "hidden_size": 2, "bias_fl": true,
        },
        "state_dict": {
            "rec.weight_ih_l0": vec![[0.0]; 8], "rec.weight_hh_l0": vec![[0.0, 0.0]; 8],
            "rec.bias_ih_l0": vec![0.0; 8], "rec.bias_hh_l0": vec![0.0; 8],
            "lin.weight": [[1.0, 1.0]], "lin.bias": [0.25],
        },
    })
    .to_string()
}

fn read(place: &Place, name: &str) -> Vec<u8> {
    std::fs::read(place.path(name)).unwrap()
}

#[test]
fn a_net_is_imported_run_and_compared() {
    let place = Place::new();
    place.write("net.json", chain(2.0, 0.5).as_bytes());
    place.write("x.csv", b"x\n0\n-0.25\n1\n");
    let told = place.good(&["import", "net.json"]);
    for part in ["RTNeural", "dense 1 tanh", "wrote net.safetensors"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let told = place.json(&["import", "net.json", "--force", "--json"]);
    assert_eq!(
        (&told["parameters"], &told["inputs"][0]["width"]),
        (&2.into(), &1.into())
    );

    let run = ["run", "net.safetensors", "--input", "x.csv", "--output"];
    let told = place.good(&[&run[..], &["y.csv"]].concat());
    assert!(told.contains("3 steps of 1 numbers"), "{told}");
    let written = String::from_utf8(read(&place, "y.csv")).unwrap();
    let found: Vec<f32> = written.lines().map(|line| line.parse().unwrap()).collect();
    for (found, sum) in found.iter().zip([0.5_f32, 0.0, 2.5]) {
        assert!((found - sum.tanh()).abs() < 1e-6, "{found}");
    }
    place.good(&[&run[..], &["y.npy"]].concat());
    let verify = ["verify", "net.safetensors", "--input", "x.csv", "--expect"];
    let told = place.good(&[&verify[..], &["y.npy"]].concat());
    assert!(told.contains("3 steps are as expected"), "{told}");
    place.write("wrong.csv", b"0.5\n0\n1\n");
    let differs = ["the outputs differ", "number 0 of step", "not 0.5"];
    place.bad(&[&verify[..], &["wrong.csv"]].concat(), 1, &differs);
    let named = [
        "verify",
        "net.safetensors",
        "--input",
        "x.csv",
        "--expect",
        "wrong.csv",
    ];
    place.good(&[&named[..], &["--tolerance", "0.2"]].concat());
}

#[test]
fn an_amplifier_adds_its_input() {
    let place = Place::new();
    place.write("amp.json", amplifier().as_bytes());
    place.write("x.csv", b"0.5\n-1\n");
    place.good(&["import", "amp.json", "--out", "amp.safetensors"]);
    place.good(&[
        "run",
        "amp.safetensors",
        "--input",
        "x.csv",
        "--output",
        "y.csv",
    ]);
    assert_eq!(read(&place, "y.csv"), b"0.75\n-0.75\n");
    let told = place.good(&["inspect", "amp.safetensors"]);
    assert!(told.contains("1 layer of 2 units"), "{told}");
    assert!(told.contains("from           amp.json"), "{told}");
    // What is for texts refuses it.
    place.bad(&["predict", "amp.safetensors", "a"], 1, &["no vocabulary"]);
}

/// Nothing that is there is replaced, and what does not fit is said in a line.
#[test]
fn what_is_there_stays_and_what_does_not_fit_is_named() {
    let place = Place::new();
    place.write("net.json", chain(1.0, 0.0).as_bytes());
    place.write("x.csv", b"1\n2\n");
    place.write("wide.csv", b"1,2\n3,4\n");
    place.write("letters.csv", b"1\nx\n");
    place.good(&["import", "net.json"]);
    let net = read(&place, "net.safetensors");
    place.bad(&["import", "net.json"], 1, &["net.safetensors", "--force"]);
    // Neither a text nor what is read is ever replaced.
    place.write("notes.npy", b"remember the milk");
    let run = [
        "run",
        "net.safetensors",
        "--input",
        "x.csv",
        "--force",
        "--output",
    ];
    for out in ["notes.npy", "x.csv"] {
        let before = read(&place, out);
        place.bad(&[&run[..], &[out]].concat(), 1, &[out]);
        assert_eq!(read(&place, out), before);
    }
    assert_eq!(read(&place, "net.safetensors"), net);

    let run = ["run", "net.safetensors", "--input"];
    for (input, parts) in [
        ("wide.csv", &["wide.csv", "2 numbers", "takes 1"][..]),
        ("letters.csv", &["letters.csv", "line 2", "\"x\""]),
        ("none.csv", &["none.csv"]),
    ] {
        place.bad(&[&run[..], &[input]].concat(), 1, parts);
    }
    place.bad(
        &[&run[..], &["x.csv", "--output", "y.xls"]].concat(),
        1,
        &["y.xls", ".npy"],
    );
    let twice = ["x.csv", "--input", "x.csv"];
    place.bad(&[&run[..], &twice[..]].concat(), 2, &["given 2 times"]);

    place.write("broken.json", &chain(1.0, 0.0).as_bytes()[..40]);
    place.bad(&["import", "broken.json"], 1, &["broken.json"]);
    place.write("other.bin", b"nothing of the kind");
    place.bad(
        &["import", "other.bin"],
        1,
        &["other.bin", "no net of a known format"],
    );
    let missing = ["import", "net.json", "--net", "order.json", "--force"];
    place.bad(&missing, 2, &["order.json", "no such file"]);
    let conv = chain(1.0, 0.0).replace("\"dense\"", "\"conv1d\"");
    place.write("conv.json", conv.as_bytes());
    place.bad(&["import", "conv.json"], 1, &["conv1d"]);
}
