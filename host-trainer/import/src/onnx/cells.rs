//! Cells that were taken apart, put together again.
//!
//! ```text
//! LSTM   c' = f c + i g               h' = o tanh(c')
//! GRU    h' = z h + (1 - z) n, or (1 - z) h + z n, in any order: a polynomial of z, n and h
//! RNN    h' = tanh(W x + U h + b)
//! ```
//! h and c are inputs of the graph, h' and c' outputs, at the same places.

use gatelet::net::Reset;

use super::linear::{Linear, Values};
use super::reader::{Kind, Op, Reader};
use super::states::Given;
use super::tensor::{Element, Source, elements};
use crate::draft::{Cell, Function, Kind as Layer, Matrix, Recurrent};
use crate::error::Result;

/// A cell that was found: its gates in our order, as sums over x and h.
struct Found {
    cell: Cell,
    gates: Vec<Linear>,
    /// U_n h + b_hn of a GRU that resets the product.
    hidden: Option<Linear>,
    h: Values,
    /// c and c' of an LSTM.
    c: Option<[Values; 2]>,
}

fn gate(function: Function) -> bool {
    matches!(function, Function::Sigmoid | Function::HardSigmoid { .. })
}

/// Finds cells in the order of the graph, so that the next layer reads the one before.
pub(super) fn together(reader: &mut Reader, mut outputs: Vec<Given>) -> Result<Vec<Given>> {
    let mut found: Vec<usize> = Vec::new();
    for output in &outputs {
        for element in &*output.elements {
            if let Source::Op(op) = element.source
                && reader.ops[op].width <= 1024
                && !found.contains(&op)
                && found.len() < 64
            {
                found.push(op);
            }
        }
    }
    found.sort_unstable();
    for op in found {
        let Some((found, cell)) =
            starts(reader, op, &outputs)
                .into_iter()
                .find_map(|(h, states)| {
                    let found = cell(reader, op, h, states)?;
                    let cell = assembled(reader, op, &found)?;
                    Some((found, cell))
                })
        else {
            continue;
        };
        reader.ops[op] = cell;
        let Some([_, new]) = found.c else {
            continue;
        };
        for output in &mut outputs {
            let mut all = output.elements.to_vec();
            for element in &mut all {
                if let Some(index) = new.iter().position(|of| of == element) {
                    let source = Source::Cell(op);
                    *element = Element { source, index };
                }
            }
            output.elements = all.into();
        }
    }
    Ok(outputs)
}

/// What may be h before `op`: numbers of an input at the places where an output has those of `op`;
/// the likeliest first, and whether both are named as states.
fn starts(reader: &Reader, op: usize, outputs: &[Given]) -> Vec<(Values, bool)> {
    let width = reader.ops[op].width;
    let mut all = Vec::new();
    for (o, output) in outputs.iter().enumerate() {
        let mut places = vec![None; width];
        for (at, of) in output.elements.iter().enumerate().rev() {
            if of.source == Source::Op(op) {
                places[of.index] = Some(at);
            }
        }
        let Some(places) = places.into_iter().collect::<Option<Vec<usize>>>() else {
            continue;
        };
        for (k, (name, count)) in reader.inputs.iter().enumerate() {
            if *count != output.elements.len() {
                continue;
            }
            let states = state(name) && state(&output.name);
            let alike = alike(name, &output.name) || states;
            let (from, to) = (reader.inputs.len() - k, outputs.len() - o);
            let source = Source::Input(k);
            let h = places.iter().map(|index| Element {
                source,
                index: *index,
            });
            all.push(((!alike, from.abs_diff(to)), h.collect(), states));
        }
    }
    all.sort_by_key(|(key, ..)| *key);
    all.into_iter().map(|(_, h, states)| (h, states)).collect()
}

/// Whether a name is that of a state: `h`, `hn`, `s0`, `state_out`, `new_hidden`.
fn state(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let mut words = name.split(|c: char| !c.is_ascii_alphabetic());
    words.any(|word| {
        matches!(
            word,
            "h" | "hx" | "hn" | "hs" | "s" | "hidden" | "state" | "states"
        )
    })
}

/// Whether an input and an output are named after the same thing: `c` and `c_out`.
fn alike(input: &str, output: &str) -> bool {
    let stem = |name: &str| -> String {
        let letters = name.chars().take_while(char::is_ascii_alphabetic);
        letters.map(|c| c.to_ascii_lowercase()).collect()
    };
    let (a, b) = (stem(input), stem(output));
    !a.is_empty() && a == b
}

fn cell(reader: &Reader, op: usize, h: Values, states: bool) -> Option<Found> {
    let new = elements(Source::Op(op), reader.ops[op].width);
    lstm(reader, &new, &h)
        .or_else(|| gru(reader, &new, &h))
        .or_else(|| states.then(|| rnn(reader, &new, &h)).flatten())
}

fn lstm(reader: &Reader, new: &[Element], h: &Values) -> Option<Found> {
    let sides = reader.factors(new)?;
    for (o, of_c) in [(&sides[0], &sides[1]), (&sides[1], &sides[0])] {
        let (Some((out, o)), Some((output, c))) = (reader.activation(o), reader.activation(of_c))
        else {
            continue;
        };
        if !gate(out) || gate(output) {
            continue;
        }
        let sum = reader.polynomial(&c)?;
        let products: Vec<_> = sum.iter().filter(|(_, factor)| **factor == 1.0).collect();
        let [(a, _), (b, _)] = products[..] else {
            continue;
        };
        for (kept, added) in [(a, b), (b, a)] {
            let ([f, old], [i, g]) = (&kept[..], &added[..]) else {
                continue;
            };
            // Whichever of the two is an input is c before.
            let (f, old) = if input(old) { (f, old) } else { (old, f) };
            let Some((forget, f)) = reader.activation(f).filter(|_| input(old)) else {
                continue;
            };
            let (Some(left), Some(right)) = (reader.activation(i), reader.activation(g)) else {
                continue;
            };
            let (i, g) = if left.0 == out {
                (left, right)
            } else {
                (right, left)
            };
            let apart = old.iter().all(|of| !h.contains(of));
            if i.0 != out || forget != out || sum.len() != 2 || !apart {
                continue;
            }
            let gates = [&i.1, &f, &g.1, &o].map(|of| reader.linear(of));
            return Some(Found {
                cell: Cell::Lstm {
                    gate: out,
                    candidate: g.0,
                    output,
                },
                gates: gates.into_iter().collect::<Option<_>>()?,
                hidden: None,
                h: h.clone(),
                c: Some([old.clone(), c]),
            });
        }
    }
    None
}

fn input(of: &[Element]) -> bool {
    of.iter().all(|of| matches!(of.source, Source::Input(_)))
}

fn gru(reader: &Reader, new: &[Element], h: &Values) -> Option<Found> {
    let sum = reader.polynomial(new)?;
    let single = sum.iter().filter(|(product, _)| product.len() == 1);
    let [(single, factor)] = single.collect::<Vec<_>>()[..] else {
        return None;
    };
    let single = single.first()?;
    // z h + n - z n has n alone; h - z h + z n has h alone.
    let flipped = single == h;
    let mut others = sum.keys().filter(|product| product.len() == 2);
    let (first, second) = (others.next()?, others.next()?);
    let z = first
        .iter()
        .find(|of| second.contains(of) && *of != h && *of != single)?;
    let n = match flipped {
        false => single,
        true => [first, second]
            .into_iter()
            .flatten()
            .find(|of| *of != h && *of != z)?,
    };
    let product = |a: &Values, b: &Values| {
        let mut product = vec![a.clone(), b.clone()];
        product.sort();
        sum.get(&product).copied()
    };
    let sign = if flipped { -1.0 } else { 1.0 };
    let right = sum.len() == 3
        && *factor == 1.0
        && product(z, h) == Some(sign)
        && product(z, n) == Some(-sign);
    let (function, z) = reader.activation(z).filter(|(of, _)| gate(*of) && right)?;
    let (candidate, n) = reader.activation(n)?;
    let mut z = reader.linear(&z)?;
    if flipped {
        // 1 - z is the gate of the negated sum.
        if !matches!(
            function,
            Function::Sigmoid | Function::HardSigmoid { offset: 0.5, .. }
        ) {
            return None;
        }
        let weights = z.terms.values_mut().flat_map(|matrix| &mut matrix.data);
        weights.chain(&mut z.bias).for_each(|w| *w = -*w);
    }
    let mut n = reader.linear(&n)?;
    let reset = n.terms.keys().copied().find(|source| {
        let of = elements(*source, reader.width(*source));
        reader.factors(&of).is_some()
    })?;
    let matrix = n.terms.remove(&reset)?;
    let (reset, r, hidden) = match before(reader, reset, h) {
        Some((r, order)) => {
            let place = |row: usize, unit: usize| row * matrix.columns + order[unit];
            let units = h.len();
            let all = (0..units).flat_map(|row| (0..units).map(move |unit| (row, unit)));
            let all = all
                .map(|(row, unit)| matrix.data[place(row, unit)])
                .collect();
            let own = Matrix::new(units, units, all)?;
            add(&mut n, h, &own, reader)?;
            (Reset::Before, r, None)
        }
        None => {
            let (r, hidden) = after(reader, reset, &matrix)?;
            (Reset::After, r, Some(hidden))
        }
    };
    let (of_r, r) = reader.activation(&r)?;
    if of_r != function {
        return None;
    }
    Some(Found {
        cell: Cell::Gru {
            reset,
            gate: function,
            candidate,
        },
        gates: vec![reader.linear(&r)?, z, n],
        hidden,
        h: h.clone(),
        c: None,
    })
}

/// r, and where h of each unit stands, in a product of r and h.
fn before(reader: &Reader, of: Source, h: &Values) -> Option<(Values, Vec<usize>)> {
    let sides = reader.factors(&elements(of, reader.width(of)))?;
    let [a, b] = &sides;
    let (r, own) = if input(b) { (a, b) } else { (b, a) };
    let place = |of: &Element| own.iter().position(|own| own == of);
    let order: Vec<usize> = h.iter().map(place).collect::<Option<_>>()?;
    (own.len() == h.len()).then_some(())?;
    Some((order.iter().map(|k| r[*k]).collect(), order))
}

/// r and U_n h + b_hn in their product, which `matrix` only puts in order.
fn after(reader: &Reader, of: Source, matrix: &Matrix) -> Option<(Values, Linear)> {
    let mut chosen = Vec::new();
    for row in matrix.data.chunks(matrix.columns.max(1)) {
        let mut there = (0..row.len()).filter(|k| row[*k] != 0.0);
        let (k, None) = (there.next()?, there.next()) else {
            return None;
        };
        chosen.push((row[k] == 1.0).then_some(Element {
            source: of,
            index: k,
        })?);
    }
    let [a, b] = reader.factors(&chosen)?;
    let (r, own) = if reader.activation(&a).is_some() {
        (a, b)
    } else {
        (b, a)
    };
    Some((r, reader.linear(&own)?))
}

/// Adds a matrix over h to a sum.
fn add(sum: &mut Linear, h: &Values, own: &Matrix, reader: &Reader) -> Option<()> {
    let source = h.first()?.source;
    let columns = reader.width(source);
    let zeros = || Matrix::zeros(h.len(), columns);
    let matrix = sum.terms.entry(source).or_insert_with(zeros);
    for row in 0..own.rows {
        for (unit, of) in h.iter().enumerate() {
            *matrix.data.get_mut(row * columns + of.index)? += own.data[row * own.columns + unit];
        }
    }
    Some(())
}

fn rnn(reader: &Reader, new: &[Element], h: &Values) -> Option<Found> {
    let (function, sum) = reader.activation(new)?;
    let gates = vec![reader.linear(&sum)?];
    if !matches!(function, Function::Tanh | Function::Relu) || reader.inputs.len() < 2 {
        return None;
    }
    Some(Found {
        cell: Cell::Rnn { function },
        gates,
        hidden: None,
        h: h.clone(),
        c: None,
    })
}

/// The columns of h apart from a sum: `[rows, units]`.
fn own(sum: &mut Linear, h: &Values) -> Matrix {
    let mut own = Matrix::zeros(sum.bias.len(), h.len());
    for (unit, of) in h.iter().enumerate() {
        let Some(matrix) = sum.terms.get_mut(&of.source) else {
            continue;
        };
        for row in 0..own.rows {
            let from = &mut matrix.data[row * matrix.columns + of.index];
            own.data[row * h.len() + unit] = std::mem::take(from);
        }
    }
    own
}

/// The recurrent operation of a cell; nothing where h is not read.
fn assembled(reader: &Reader, op: usize, found: &Found) -> Option<Op> {
    let units = found.h.len();
    let mut gates = found.gates.clone();
    let recurrent: Vec<Matrix> = gates.iter_mut().map(|sum| own(sum, &found.h)).collect();
    let mut hidden_bias = Vec::new();
    let mut recurrent: Vec<f32> = recurrent.into_iter().flat_map(|of| of.data).collect();
    let mut made_of: Vec<usize> = gates.iter().flat_map(|sum| &sum.ops).copied().collect();
    if let Some(hidden) = &found.hidden {
        let mut hidden = hidden.clone();
        let matrix = own(&mut hidden, &found.h);
        let rest = hidden.terms.values().flat_map(|of| &of.data);
        let apart = recurrent.iter().skip(2 * units * units).all(|w| *w == 0.0);
        if rest.into_iter().any(|w| *w != 0.0) || !apart {
            return None;
        }
        recurrent.truncate(2 * units * units);
        recurrent.extend(matrix.data);
        hidden_bias = hidden.bias;
        made_of.extend(hidden.ops);
    }
    if recurrent.iter().all(|w| *w == 0.0) {
        return None;
    }
    // x: every column of what the gates read besides h.
    let mut x = Vec::new();
    for source in gates.iter().flat_map(|sum| sum.terms.keys()) {
        for column in 0..reader.width(*source) {
            let of = Element {
                source: *source,
                index: column,
            };
            let state = found.h.iter().any(|h| h.source == *source);
            let used = gates
                .iter()
                .filter_map(|sum| sum.terms.get(source))
                .any(|matrix| {
                    let column = matrix
                        .data
                        .iter()
                        .skip(column)
                        .step_by(matrix.columns.max(1));
                    column.into_iter().any(|w| *w != 0.0)
                });
            if (used || !state) && !x.contains(&of) {
                x.push(of);
            }
        }
    }
    let mut input = Matrix::zeros(gates.len() * units, x.len());
    for (gate, sum) in gates.iter().enumerate() {
        for (column, of) in x.iter().enumerate() {
            let Some(matrix) = sum.terms.get(&of.source) else {
                continue;
            };
            for row in 0..units {
                let to = (gate * units + row) * x.len() + column;
                input.data[to] = matrix.data[row * matrix.columns + of.index];
            }
        }
    }
    let name = match found.cell {
        Cell::Rnn { .. } => "RNN",
        Cell::Lstm { .. } => "LSTM",
        Cell::Gru { .. } => "GRU",
    };
    made_of.sort_unstable();
    made_of.dedup();
    let tensors = made_of.iter().filter_map(|op| reader.ops.get(*op));
    let tensors: Vec<String> = tensors.flat_map(|op| op.tensors.clone()).collect();
    let c = found.c.as_ref().map(|[old, _]| old.clone());
    Some(Op {
        name: reader.ops[op].name.clone(),
        from: format!("{name} in parts"),
        kind: Kind::Layer(Layer::Recurrent(Box::new(Recurrent {
            cell: found.cell,
            input,
            recurrent: Matrix::new(gates.len() * units, units, recurrent)?,
            bias: gates.iter().flat_map(|sum| sum.bias.clone()).collect(),
            hidden_bias,
            h: Vec::new(),
            c: Vec::new(),
        }))),
        reads: vec![x.into()],
        width: units,
        tensors,
        notes: vec![format!(
            "put together from products, gates and sums: an {name}"
        )],
        start: [found.h.clone(), c.unwrap_or_default()],
    })
}
