//! Whether a recurrent layer's tensors are what its cell needs.

use gatelet::net::{Kind as NetKind, Reset};

use crate::draft::{Cell, Function, Layer, Recurrent};
use crate::error::{Error, Result, refused};

/// A recurrent layer that was checked: the slopes of hard sigmoids are in its weights.
pub(super) struct Checked {
    pub(super) kind: NetKind,
    pub(super) cell: Recurrent,
}

fn shape(of: &[usize]) -> String {
    let all: Vec<String> = of.iter().map(usize::to_string).collect();
    format!("[{}]", all.join(", "))
}

/// Checks a tensor's numbers and shape.
pub(super) fn expect(
    layer: &Layer,
    tensor: &str,
    (numbers, found): (&[f32], &[usize]),
    expected: &[usize],
) -> Result<()> {
    if found != expected || numbers.len() != found.iter().product::<usize>() {
        return Err(Error::Shape {
            name: layer.name.clone(),
            tensor: tensor.to_owned(),
            found: shape(found),
            expected: shape(expected),
        });
    }
    match numbers.iter().position(|x| !x.is_finite()) {
        None => Ok(()),
        Some(index) => Err(Error::NotFinite {
            name: layer.name.clone(),
            tensor: tensor.to_owned(),
            index,
        }),
    }
}

/// Checks a recurrent layer that reads so many numbers.
pub(super) fn recurrent(layer: &Layer, width: usize, of: &Recurrent) -> Result<Checked> {
    let (gates, units) = (of.cell.gates(), of.recurrent.columns);
    let rows = gates * units;
    let tensor = |k: usize, role: &'static str| layer.tensors.get(k).map_or(role, |name| name);
    for (name, matrix, columns) in [
        (tensor(0, "of the input"), &of.input, width),
        (tensor(1, "of h"), &of.recurrent, units),
    ] {
        let found = [matrix.rows, matrix.columns];
        expect(layer, name, (&matrix.data, &found), &[rows, columns])?;
    }
    let keeps_apart = matches!(
        of.cell,
        Cell::Gru {
            reset: Reset::After,
            ..
        }
    );
    let hidden = if keeps_apart { units } else { 0 };
    let c = if matches!(of.cell, Cell::Lstm { .. }) {
        units
    } else {
        0
    };
    let start = |given: &[f32], right| if given.is_empty() { 0 } else { right };
    for (name, numbers, right) in [
        (tensor(2, "of the bias"), &of.bias, rows),
        (tensor(3, "of the bias of h"), &of.hidden_bias, hidden),
        ("of h at the start", &of.h, start(&of.h, units)),
        ("of c at the start", &of.c, start(&of.c, c)),
    ] {
        expect(layer, name, (numbers, &[numbers.len()]), &[right])?;
    }
    let remedy = "train it again with the usual activations (sigmoid, tanh)";
    let kind = super::functions::kind(of.cell, units)
        .map_err(|what| refused(&layer.name, what, remedy))?;
    Ok(Checked {
        kind,
        cell: folded(of),
    })
}

/// The slopes of hard sigmoids in the weights of the gates that have one.
fn folded(of: &Recurrent) -> Recurrent {
    let mut cell = of.clone();
    let (gate, blocks): (_, &[usize]) = match of.cell {
        Cell::Lstm { gate, .. } => (gate, &[0, 1, 3]),
        Cell::Gru { gate, .. } => (gate, &[0, 1]),
        Cell::Rnn { .. } => return cell,
    };
    let Function::HardSigmoid { slope, offset } = gate else {
        return cell;
    };
    let units = of.recurrent.columns;
    for block in blocks {
        for matrix in [&mut cell.input, &mut cell.recurrent] {
            let len = units * matrix.columns;
            let rows = matrix.data[block * len..][..len].iter_mut();
            rows.for_each(|w| *w *= slope);
        }
        let bias = cell.bias[block * units..][..units].iter_mut();
        bias.for_each(|b| *b = *b * slope + (offset - 0.5));
    }
    cell
}
