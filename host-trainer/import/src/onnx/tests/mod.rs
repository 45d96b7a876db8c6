//! Nets of tests/make_onnx.py against what they give.

mod graph;
mod refused;

use std::path::{Path, PathBuf};

use super::*;
use crate::lower::{Imported, lower};
use crate::plain::Plain;

/// Relative to the largest output, and to 1 where that is less.
const BOUND: f64 = 1e-5;

fn path(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/onnx");
    folder.join(name)
}

fn import(bytes: &[u8]) -> Result<Imported> {
    read(bytes, Options::default()).and_then(lower)
}

/// An array of float32, and how many there are of its first axis.
fn numbers(name: &str) -> (usize, Vec<f32>) {
    let bytes = std::fs::read(path(name)).expect(name);
    let header = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let text = String::from_utf8_lossy(&bytes[10..header]).into_owned();
    assert!(text.contains("'<f4'"), "{name}: {text}");
    let shape = text.split("'shape': (").nth(1).expect("a shape");
    let first = shape.split(',').next().expect("an axis");
    let (all, _) = bytes[header..].as_chunks::<4>();
    let all = all.iter().map(|x| f32::from_le_bytes(*x)).collect();
    (first.parse().expect("a size"), all)
}

/// Imports a net and checks every output of every step.
fn same(name: &str, input: &str) -> Imported {
    let bytes = std::fs::read(path(&format!("{name}.onnx"))).expect(name);
    let net = import(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
    let ((steps, x), (rows, y)) = (numbers(input), numbers(&format!("{name}.npy")));
    assert!(steps >= 40 && rows == steps);
    let (inputs, outputs) = (x.len() / steps, y.len() / steps);
    let most = y
        .iter()
        .fold(1.0_f64, |most, y| most.max(f64::from(y.abs())));
    let mut plain = Plain::new(&net);
    for step in 0..steps {
        let x = &x[step * inputs..][..inputs];
        let got = plain.step(x, x[0] as usize);
        assert_eq!(got.len(), outputs, "{name}");
        for (got, right) in got.iter().zip(&y[step * outputs..]) {
            let error = (got - f64::from(*right)).abs() / most;
            assert!(error < BOUND, "{name}, step {step}: {got}, not {right}");
        }
    }
    net
}

fn notes(net: &Imported) -> String {
    let rows = net.rows.iter().flat_map(|row| &row.notes);
    let all: Vec<&str> = net.notes.iter().chain(rows).map(String::as_str).collect();
    all.join("\n")
}

#[test]
fn nets_of_both_exporters() {
    for name in ["last", "last_dynamo"] {
        let net = same(name, "x.npy");
        assert_eq!(net.net.len(), 3, "{name}");
        assert!(net.outputs[0].softmax);
        assert!(
            notes(&net).contains("the last step only"),
            "{}",
            notes(&net)
        );
    }
    for name in ["heads", "heads_dynamo"] {
        let net = same(name, "x.npy");
        let outputs: Vec<&str> = net.outputs.iter().map(|port| &*port.name).collect();
        assert_eq!(outputs, ["gain", "voice"], "{name}");
        assert!(
            notes(&net).contains("the output c was left out"),
            "{}",
            notes(&net)
        );
    }
}

#[test]
fn cells_in_parts_are_put_together() {
    for name in ["step", "step_dynamo"] {
        let net = same(name, "x.npy");
        assert_eq!(net.net.len(), 3, "{name}");
        assert!(notes(&net).contains("put together"), "{}", notes(&net));
        assert!(notes(&net).contains("the input state and the output state_new"));
    }
    assert_eq!(same("before", "x.npy").net.len(), 1);
}

#[test]
fn nets_that_were_written_node_by_node() {
    let net = same("states", "x.npy");
    assert_eq!(net.inputs.len(), 1);
    assert_eq!(net.net.len(), 3);
    assert_eq!(same("plain", "x.npy").net.len(), 2);
    assert!(same("reset", "x.npy").outputs[0].softmax);
    assert_eq!(same("dense", "x.npy").net.len(), 3);
    assert!(same("words", "tokens.npy").net.takes_tokens());
}

/// Whatever is cut off or changed: no panic, and what is refused is refused in one line.
#[test]
fn damaged_files() {
    for name in ["states", "heads", "step_dynamo", "plain", "dense"] {
        let bytes = std::fs::read(path(&format!("{name}.onnx"))).expect(name);
        let try_it = |bytes: &[u8]| {
            if let Err(error) = import(bytes) {
                assert!(!error.to_string().contains('\n'), "{name}: {error}");
            }
        };
        let step = bytes.len().div_ceil(1000);
        for at in (0..bytes.len()).step_by(step) {
            try_it(&bytes[..at]);
            for change in [0xff, 0x01, 0x80] {
                let mut changed = bytes.clone();
                changed[at] ^= change;
                try_it(&changed);
            }
        }
    }
}
