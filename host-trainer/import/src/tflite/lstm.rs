//! UNIDIRECTIONAL_SEQUENCE_LSTM: 24 inputs, most of them left out.
//!
//! ```text
//! 0         x                              9..12     peepholes
//! 1..5      W of i, f, g, o [units, n]     16, 17    projection
//! 5..9      U of i, f, g, o [units, units] 18, 19    h and c
//! 12..16    b of i, f, g, o [units]        20..24    layer norm
//! ```

use super::graph::Graph;
use super::model::{Model, Operator, Tensor};
use crate::draft::{Cell, Function, Kind, Matrix, Recurrent};
use crate::error::{Error, Result, refused};

/// TensorFlow's converter writes this cell_clip into every LSTM of Keras, which clips nothing.
const CONVERTERS: f32 = 10.0;

/// A layer of a draft, and its value.
pub(super) fn read(graph: &mut Graph<'_>, name: &str, of: &Operator<'_>) -> Result<usize> {
    let given = |index: usize| of.inputs.get(index).copied().flatten();
    let any = |range: std::ops::Range<usize>| range.into_iter().any(|index| given(index).is_some());
    let clip = of.float(1)?;
    for (there, what, remedy) in [
        (any(9..12), "it has peepholes", "train it without"),
        (
            any(16..18),
            "its h is projected",
            "train it without a projection",
        ),
        (any(20..24), "it has layer norm", "train it without"),
        (
            given(1).is_none(),
            "its gates i and f are coupled (CIFG)",
            "train a plain LSTM",
        ),
        (
            clip != 0.0 && clip != CONVERTERS,
            "its c is clipped (cell_clip)",
            "convert it without cell_clip",
        ),
        (
            of.float(2)? != 0.0,
            "its projection is clipped",
            "convert it without proj_clip",
        ),
        (
            of.byte(0)? != 4,
            "its activation is not tanh",
            "train it with tanh",
        ),
        (of.byte(5)? != 0, "its U is diagonal", "train a plain LSTM"),
    ] {
        if there {
            return Err(refused(name, what, remedy));
        }
    }
    let x = graph.value(of.input(0)?, name)?;
    let mut tensors = Vec::new();
    let mut matrix = |graph: &mut Graph<'_>, first: usize| -> Result<Matrix> {
        let mut all = Matrix::default();
        for index in first..first + 4 {
            let tensor = graph.constant(of.input(index)?, name)?;
            let gate = graph.model.matrix(name, &tensor)?;
            let shape = [gate.rows, gate.columns];
            if index == first {
                all.columns = gate.columns;
            }
            let rows = if index == first {
                gate.rows
            } else {
                all.rows / (index - first)
            };
            if shape != [rows, all.columns] {
                return Err(Error::Shape {
                    name: name.to_owned(),
                    tensor: tensor.name,
                    found: format!("{shape:?}"),
                    expected: format!("{:?}, as of the first gate", [rows, all.columns]),
                });
            }
            all.rows += gate.rows;
            all.data.extend(gate.data);
            tensors.push(tensor.name);
        }
        Ok(all)
    };
    let input = matrix(graph, 1)?;
    let recurrent = matrix(graph, 5)?;
    // For messages of shapes: the tensors of x, of h and of the bias.
    let mut named = [0, 4]
        .map(|k| tensors.get(k).cloned().unwrap_or_default())
        .to_vec();
    let mut bias = Vec::new();
    for index in 12..16 {
        let tensor = graph.constant(of.input(index)?, name)?;
        bias.extend(graph.model.numbers(&tensor)?);
        if index == 12 {
            named.push(tensor.name);
        }
    }
    let [h, c] = [18, 19].map(|index| match given(index) {
        Some(index) => {
            let tensor = graph.model.tensor(index)?;
            start(&mut graph.model, &tensor)
        }
        None => Ok(Vec::new()),
    });
    let (h, c) = (h?, c?);
    let note = match h.is_empty() && c.is_empty() {
        true => "h and c are carried from step to step",
        false => "h and c start as the file says, not at zero",
    };
    if clip == CONVERTERS {
        graph.note(
            "the converter has c clipped at -10 and 10, which Keras does not: here it is not \
             clipped, and the same as long as c stays within",
        );
    }
    let recurrent = Recurrent {
        cell: Cell::Lstm {
            gate: Function::Sigmoid,
            candidate: Function::Tanh,
            output: Function::Tanh,
        },
        input,
        recurrent,
        bias,
        hidden_bias: Vec::new(),
        h,
        c,
    };
    let kind = Kind::Recurrent(Box::new(recurrent));
    Ok(graph.push(name, &of.name, kind, vec![x], &named, note))
}

/// A start state: nothing where it is zero, or a variable, which starts at zero.
fn start(model: &mut Model<'_>, tensor: &Tensor<'_>) -> Result<Vec<f32>> {
    if !tensor.constant() {
        return Ok(Vec::new());
    }
    let numbers = model.numbers(tensor)?;
    Ok(match numbers.iter().all(|x| *x == 0.0) {
        true => Vec::new(),
        false => numbers,
    })
}
