//! From a file's layers to a list of Gatelet's operations.
//!
//! ```text
//! no operation    identity, concatenation, slice, normalisation: a view, taken into the next weights
//! part of dense   normalisation and functions behind it
//! one operation   embedding, recurrent, dense; a sum; a function that no dense layer is before
//! the output      softmax; inside of a net an operation
//! ```
//! Every tensor's shape is checked here, whatever the file declared.

mod check;
mod functions;
mod fuse;
mod imported;
#[cfg(test)]
mod tests;
mod view;

use gatelet::net::{
    Activation, Kind as NetKind, MAX_OPERATIONS, MAX_PARTS, Net, Operand, Output as NetOutput,
    Precision, Value,
};

use crate::draft::{Draft, Function, Input, Kind, Layer, Matrix, Recurrent};
use crate::error::{Error, Result, refused};
pub use imported::{Imported, Port, Row, Weights};

use check::{Checked, expect};
use functions::{dense, identity};
use view::{Product, View};

/// Numbers that one operation may read, and as many parts of them.
const WIDEST: usize = 2 * MAX_PARTS * gatelet::net::MAX_SIZE;

/// A net that is being made.
struct Lowering {
    net: Net,
    weights: Vec<Weights>,
    /// Names of the layers that made the operations.
    names: Vec<String>,
    /// Numbers of each value of the net.
    widths: Vec<usize>,
    /// What each value of the draft is.
    views: Vec<View>,
    /// Whether a softmax is over it.
    softmax: Vec<bool>,
    notes: Vec<String>,
}

/// Makes a list of operations of a file's net.
///
/// # Errors
/// [`Error::Shape`] or [`Error::NotFinite`] for a tensor that is not what its layer needs,
/// [`Error::Refused`] for what cannot come along, [`Error::Net`] past the limits of an image.
pub fn lower(mut draft: Draft) -> Result<Imported> {
    for (index, layer) in draft.layers.iter().enumerate() {
        if layer.reads.iter().any(|value| *value > index) {
            let what = "it reads a value that no layer before it makes";
            return Err(refused(&layer.name, what, "check the file"));
        }
    }
    if let Input::Features(all) = &draft.input {
        let width = all
            .iter()
            .fold(0_usize, |sum, (_, width)| sum.saturating_add(*width));
        if width > gatelet::net::MAX_SIZE {
            let what = format!("{width} numbers, of at most {}", gatelet::net::MAX_SIZE);
            return Err(refused("the input", what, "take a net of fewer inputs"));
        }
    }
    fuse::fuse(&mut draft);
    let needed = needed(&draft);
    let (net, inputs) = input(&draft.input);
    let width = match draft.input {
        Input::Tokens { .. } => 0,
        Input::Features(_) => inputs.iter().map(|port| port.width).sum(),
    };
    let mut lowering = Lowering {
        net,
        weights: Vec::new(),
        names: Vec::new(),
        widths: vec![width],
        views: vec![View::of(0, width)],
        softmax: vec![false],
        notes: draft.notes,
    };
    let mut rows = Vec::new();
    for (layer, needed) in draft.layers.into_iter().zip(needed) {
        if !needed {
            let name = &layer.name;
            let note = format!("{name} was left out: no output depends on it");
            lowering.notes.push(note);
            lowering.views.push(View::default());
            lowering.softmax.push(false);
            continue;
        }
        let before = lowering.weights.len();
        lowering.layer(&layer)?;
        rows.push(Row {
            operation: (lowering.weights.len() > before).then(|| lowering.weights.len() - 1),
            name: layer.name,
            from: layer.from,
            tensors: layer.tensors,
            notes: layer.notes,
        });
    }
    let mut outputs = Vec::new();
    for output in draft.outputs {
        let port = lowering.output(&output.name, output.value)?;
        outputs.push(port);
    }
    let net = lowering.net.checked().map_err(|source| Error::Net {
        name: "the net".to_owned(),
        source,
    })?;
    Ok(Imported {
        format: draft.format,
        net,
        weights: lowering.weights,
        inputs,
        outputs,
        rows,
        notes: lowering.notes,
    })
}

/// Which layers an output depends on.
fn needed(draft: &Draft) -> Vec<bool> {
    let mut needed = vec![false; draft.layers.len()];
    let mut ask: Vec<usize> = draft.outputs.iter().map(|output| output.value).collect();
    while let Some(value) = ask.pop() {
        let Some(layer) = value.checked_sub(1).filter(|k| *k < needed.len()) else {
            continue;
        };
        if !std::mem::replace(&mut needed[layer], true) {
            ask.extend(&draft.layers[layer].reads);
        }
    }
    needed
}

/// A net without operations yet, and its inputs.
fn input(input: &Input) -> (Net, Vec<Port>) {
    let port = |(name, width): &(String, usize)| Port {
        name: name.clone(),
        width: *width,
        softmax: false,
    };
    match input {
        Input::Tokens { name, vocab } => (
            Net::tokens(Precision::F32, *vocab),
            vec![port(&(name.clone(), 1))],
        ),
        Input::Features(all) => {
            let width = all.iter().map(|(_, width)| width).sum();
            let ports = all.iter().map(port).collect();
            (Net::features(Precision::F32, width), ports)
        }
    }
}

impl Lowering {
    /// What a layer reads, side by side.
    fn reads(&mut self, layer: &Layer) -> Result<View> {
        let mut all = View::default();
        for value in &layer.reads {
            if self.softmax[*value] {
                self.softmax_inside(layer, *value)?;
            }
            let view = &self.views[*value];
            // Concatenations of concatenations grow without end.
            let sizes = [&all, view].map(|view| view.width() + view.segments.len());
            if sizes.iter().sum::<usize>() > WIDEST {
                let what = "it reads more numbers than any operation does";
                return Err(refused(&layer.name, what, "join fewer values"));
            }
            all.segments.extend(view.segments.iter().cloned());
        }
        Ok(all)
    }

    /// Computes a softmax that a layer reads: a dense operation that does nothing else.
    fn softmax_inside(&mut self, layer: &Layer, value: usize) -> Result<()> {
        let view = self.views[value].clone();
        self.numbers(layer, &view)?;
        let same = identity(&layer.name, view.width(), 1)?;
        let Product {
            reads,
            weight,
            bias,
        } = view.product(&same, &self.widths);
        let kind = NetKind::Dense {
            units: weight.rows,
            activation: Activation::Softmax,
        };
        self.push(&layer.name, kind, &reads, Weights::Dense { weight, bias })?;
        self.views[value] = self.last();
        self.softmax[value] = false;
        let cost = "it reads a softmax, which a dense operation of its own computes";
        self.notes.push(format!("{}: {cost}", layer.name));
        Ok(())
    }

    /// Takes an operation more, and gives its value.
    fn push(&mut self, name: &str, kind: NetKind, reads: &[usize], weights: Weights) -> Result<()> {
        if reads.len() > MAX_PARTS {
            let what = format!(
                "it reads {} values side by side, of at most {MAX_PARTS}",
                reads.len()
            );
            return Err(refused(name, what, "put some of them together before"));
        }
        if self.weights.len() == MAX_OPERATIONS {
            let what = format!("the net needs more than {MAX_OPERATIONS} operations");
            return Err(refused(name, what, "take a net of fewer layers"));
        }
        let value = |k: &usize| match k.checked_sub(1) {
            None => Value::INPUT,
            Some(operation) => Value::of(operation),
        };
        let reads: Vec<Value> = reads.iter().map(value).collect();
        self.net = self.net.with(kind, Operand::of(&reads));
        let width = self.net.width(self.net.last());
        self.widths.push(width);
        self.weights.push(weights);
        self.names.push(name.to_owned());
        Ok(())
    }

    /// The view of the value that was made last.
    fn last(&self) -> View {
        let value = self.widths.len() - 1;
        View::of(value, self.widths[value])
    }

    fn layer(&mut self, layer: &Layer) -> Result<()> {
        let is_through = matches!(layer.kind, Kind::Identity);
        let through = is_through && layer.reads.iter().any(|value| self.softmax[*value]);
        let read = match through {
            true => Ok(View::default()),
            false => self.reads(layer),
        };
        let mut softmax = false;
        let view = match &layer.kind {
            Kind::Identity => {
                softmax = through;
                match softmax {
                    true => self.views[layer.reads[0]].clone(),
                    false => read?,
                }
            }
            Kind::Concat => read?,
            Kind::Softmax => {
                softmax = true;
                read?
            }
            Kind::Slice { start, len } => {
                let view = read?;
                if start.checked_add(*len).is_none_or(|end| end > view.width()) {
                    let what = format!(
                        "it takes {len} numbers from {start} on, of {} that there are",
                        view.width()
                    );
                    return Err(refused(&layer.name, what, "check the file"));
                }
                view.slice(*start, *len)
            }
            Kind::Affine { factor, offset } => {
                let view = read?;
                for (name, numbers) in [("factor", factor), ("offset", offset)] {
                    let width = if numbers.len() == 1 { 1 } else { view.width() };
                    expect(layer, name, (numbers, &[numbers.len()]), &[width])?;
                }
                view.affine(factor, offset)
            }
            Kind::Activation(Function::Linear) => read?,
            Kind::Activation(function) => {
                let view = read?;
                let cost = "a dense operation of its own: no dense layer is before it";
                self.notes.push(format!("{}: {cost}", layer.name));
                self.dense(
                    layer,
                    &view,
                    &identity(&layer.name, view.width(), 1)?,
                    None,
                    *function,
                )?
            }
            Kind::Add => self.add(layer, &read?)?,
            Kind::Embedding { table } => self.embedding(layer, table)?,
            Kind::Dense {
                weight,
                bias,
                function,
            } => {
                let view = read?;
                let units = weight.rows;
                let name = |k: usize| layer.tensors.get(k).map_or("its weights", |name| name);
                let shape = [weight.rows, weight.columns];
                expect(
                    layer,
                    name(0),
                    (&weight.data, &shape),
                    &[units, view.width()],
                )?;
                expect(layer, name(1), (bias, &[bias.len()]), &[units])?;
                self.dense(layer, &view, weight, Some(bias), *function)?
            }
            Kind::Recurrent(of) => self.recurrent(layer, &read?, of)?,
        };
        self.views.push(view);
        self.softmax.push(softmax);
        Ok(())
    }

    fn embedding(&mut self, layer: &Layer, table: &Matrix) -> Result<View> {
        if !(self.net.takes_tokens() && layer.reads == [0]) {
            let what = "it is an embedding of something else than the net's input";
            return Err(refused(&layer.name, what, "give the net tokens"));
        }
        let shape = [table.rows, table.columns];
        let right = [self.net.vocab(), table.columns];
        expect(layer, "its table", (&table.data, &shape), &right)?;
        let kind = NetKind::Embedding {
            units: table.columns,
        };
        self.push(&layer.name, kind, &[0], Weights::Embedding(table.clone()))?;
        Ok(self.last())
    }

    /// `f(weight view + bias)`.
    fn dense(
        &mut self,
        layer: &Layer,
        view: &View,
        weight: &Matrix,
        bias: Option<&[f32]>,
        function: Function,
    ) -> Result<View> {
        self.numbers(layer, view)?;
        let (weight, bias, activation) = dense(weight, bias, function);
        let Product {
            reads,
            weight,
            bias: offsets,
        } = view.product(&weight, &self.widths);
        let bias = bias.iter().zip(&offsets).map(|(b, o)| b + o).collect();
        let kind = NetKind::Dense {
            units: weight.rows,
            activation,
        };
        self.push(&layer.name, kind, &reads, Weights::Dense { weight, bias })?;
        Ok(self.last())
    }

    /// A token is no number that a product could read.
    fn numbers(&self, layer: &Layer, view: &View) -> Result<()> {
        let token = |value: usize| value == 0 && self.net.takes_tokens();
        match view.segments.iter().any(|segment| token(segment.value)) {
            false => Ok(()),
            true => Err(refused(
                &layer.name,
                "it multiplies the token itself",
                "put an embedding before it",
            )),
        }
    }

    fn add(&mut self, layer: &Layer, all: &View) -> Result<View> {
        self.numbers(layer, all)?;
        let widths: Vec<usize> = layer.reads.iter().map(|v| self.views[*v].width()).collect();
        let [width, other] = widths[..] else {
            let what = format!("it adds {} values, not 2", widths.len());
            return Err(refused(&layer.name, what, "add two at a time"));
        };
        if width != other {
            let what = format!("it adds values of {width} and {other} numbers");
            return Err(refused(&layer.name, what, "both must be of one size"));
        }
        let whole = |value: &usize| self.views[*value].whole(&self.widths);
        match layer.reads.iter().map(whole).collect::<Option<Vec<_>>>() {
            Some(reads) => {
                self.push(&layer.name, NetKind::Add, &reads, Weights::Add)?;
                Ok(self.last())
            }
            // Slices and normalised values are added by a product.
            None => self.dense(
                layer,
                all,
                &identity(&layer.name, width, 2)?,
                None,
                Function::Linear,
            ),
        }
    }

    fn recurrent(&mut self, layer: &Layer, view: &View, of: &Recurrent) -> Result<View> {
        self.numbers(layer, view)?;
        let Checked { kind, cell } = check::recurrent(layer, view.width(), of)?;
        let Product {
            reads,
            weight,
            bias,
        } = view.product(&cell.input, &self.widths);
        let bias = cell.bias.iter().zip(&bias).map(|(b, o)| b + o).collect();
        let cell = Recurrent {
            input: weight,
            bias,
            ..cell
        };
        self.push(&layer.name, kind, &reads, Weights::Recurrent(cell))?;
        Ok(self.last())
    }

    /// Makes a value of the draft an output.
    fn output(&mut self, name: &str, value: usize) -> Result<Port> {
        let (Some(view), Some(softmax)) = (self.views.get(value), self.softmax.get(value)) else {
            let what = "no layer makes this output";
            return Err(refused(name, what, "check the file"));
        };
        let (view, softmax) = (view.clone(), *softmax);
        let made = view.whole(&self.widths).filter(|value| *value > 0);
        let made = match made {
            Some(made) => made,
            None => {
                let layer = Layer {
                    name: name.to_owned(),
                    from: "output".to_owned(),
                    kind: Kind::Identity,
                    reads: Vec::new(),
                    tensors: Vec::new(),
                    notes: Vec::new(),
                };
                let same = identity(name, view.width(), 1)?;
                self.dense(&layer, &view, &same, None, Function::Linear)?;
                let cost = "a dense operation puts this output together";
                self.notes.push(format!("{name}: {cost}"));
                self.widths.len() - 1
            }
        };
        let value = Value::of(made - 1);
        let output = match softmax {
            true => NetOutput::Scores(value),
            false => NetOutput::Values(value),
        };
        self.net = self.net.with_output(output);
        Ok(Port {
            name: name.to_owned(),
            width: view.width(),
            softmax,
        })
    }
}
