//! Imports a file, runs its net step by step, and compares with what its program gives.

use std::path::{Path, PathBuf};

use gatelet_import::plain::Plain;
use gatelet_import::{Imported, Options, Result, lower};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

/// Relative to the largest output, and to 1 where that is less.
const BOUND: f64 = 1e-5;

/// A file of test data.
pub(crate) fn path(folder: &str, name: &str) -> PathBuf {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    data.join(folder).join(name)
}

/// Imports a file of test data.
pub(crate) fn import(folder: &str, file: &str, order: Option<&str>) -> Result<Imported> {
    let path = path(folder, file);
    let bytes = gatelet_import::bytes(&path)?;
    gatelet_import::read(&bytes, &path, Options { order }).and_then(lower)
}

fn numbers(view: &TensorView<'_>) -> Vec<f64> {
    let bytes = view.data();
    let (fours, eights) = (bytes.as_chunks::<4>().0, bytes.as_chunks::<8>().0);
    match view.dtype() {
        Dtype::F32 => fours
            .iter()
            .map(|b| f32::from_le_bytes(*b).into())
            .collect(),
        Dtype::F64 => eights.iter().map(|b| f64::from_le_bytes(*b)).collect(),
        Dtype::I64 => eights
            .iter()
            .map(|b| i64::from_le_bytes(*b) as f64)
            .collect(),
        other => panic!("goldens of {other:?}"),
    }
}

/// Imports a file and checks every output of every step.
pub(crate) fn same(folder: &str, file: &str, order: Option<&str>) -> Imported {
    let net = import(folder, file, order).unwrap_or_else(|error| panic!("{file}: {error}"));
    let golden = std::fs::read(path(folder, "golden.safetensors")).expect("the goldens");
    let golden = SafeTensors::deserialize(&golden).expect("safetensors");
    let name = file.split_once('.').map_or(file, |(name, _)| name);
    let of = |what: &str| golden.tensor(&format!("{name}.{what}")).expect(name);
    let (x, y) = (of("x"), of("y"));
    let steps = x.shape()[0];
    assert!(steps >= 40 && y.shape()[0] == steps, "{file}");
    let (x, y) = (numbers(&x), numbers(&y));
    let (inputs, outputs) = (x.len() / steps, y.len() / steps);
    let most = y.iter().fold(1.0_f64, |most, y| most.max(y.abs()));
    let mut plain = Plain::new(&net);
    for step in 0..steps {
        let x = &x[step * inputs..][..inputs];
        let got = match net.net.takes_tokens() {
            true => plain.step(&[], x[0] as usize),
            false => plain.step(&x.iter().map(|x| *x as f32).collect::<Vec<_>>(), 0),
        };
        assert_eq!(got.len(), outputs, "{file}");
        for (got, right) in got.iter().zip(&y[step * outputs..]) {
            let error = (got - right).abs() / most;
            assert!(error < BOUND, "{file}, step {step}: {got}, not {right}");
        }
    }
    net
}

/// The one line with which the bytes of a file of this name are refused.
pub(crate) fn refused(name: &str, bytes: &[u8], order: Option<&str>) -> String {
    let draft = gatelet_import::read(bytes, Path::new(name), Options { order });
    let error = draft.and_then(lower).expect_err(name).to_string();
    assert!(!error.contains('\n'), "{name}: {error}");
    error
}

/// The one line with which a file is refused.
pub(crate) fn refused_file(folder: &str, file: &str, order: Option<&str>) -> String {
    let error = import(folder, file, order).expect_err(file).to_string();
    assert!(!error.contains('\n'), "{file}: {error}");
    error
}

/// Cuts a file short at many places, and changes many of its bytes: whatever happens, nothing
/// panics, and what is refused is refused in one line.
pub(crate) fn damaged(folder: &str, file: &str, order: Option<&str>) {
    let path = path(folder, file);
    let bytes = std::fs::read(&path).expect(file);
    let try_it = |bytes: &[u8]| {
        let draft = gatelet_import::read(bytes, &path, Options { order });
        if let Err(error) = draft.and_then(lower) {
            assert!(!error.to_string().contains('\n'), "{file}: {error}");
        }
    };
    // Every byte of short files, a sample of long ones.
    let step = bytes.len().div_ceil(1500);
    for at in (0..bytes.len()).step_by(step) {
        try_it(&bytes[..at]);
        for change in [0xff, 0x01, 0x80] {
            let mut changed = bytes.clone();
            changed[at] ^= change;
            try_it(&changed);
        }
    }
}
