//! States that a graph is given and gives back: they become the state that a stream carries.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::proto::Graph;
use super::reader::{PORTS, Reader};
use super::tensor::{Element, Source};
use crate::error::{Result, refused};

/// An output of the graph.
pub(super) struct Given {
    pub(super) name: String,
    pub(super) elements: Rc<Vec<Element>>,
    /// The state that a recurrent node leaves at the end.
    pub(super) state: bool,
}

/// The outputs of a graph that was walked.
///
/// # Errors
/// For an output that nothing makes, or that is a constant.
pub(super) fn outputs(reader: &mut Reader, graph: &Graph) -> Result<Vec<Given>> {
    let mut all = Vec::new();
    if graph.output.len() > PORTS {
        let what = format!("it has more than {PORTS} outputs");
        return Err(refused("the graph", what, "keep those that are needed"));
    }
    for output in &graph.output {
        let name = output.name();
        let Some(tensor) = reader.output(name) else {
            let what = "no node makes this output";
            return Err(refused(name, what, "check the file with onnx.checker"));
        };
        let Some(elements) = tensor.as_elements() else {
            let what = "this output is a constant";
            return Err(refused(name, what, "leave it out of the net's outputs"));
        };
        all.push(Given {
            name: name.to_owned(),
            elements: elements.clone(),
            state: tensor.state,
        });
    }
    Ok(all)
}

/// What an input's numbers are at the start: which operation's, and what they are after a step.
type Starts = BTreeMap<usize, Element>;

/// Pairs inputs that are states with the outputs that give them back, and leaves those out.
///
/// # Errors
/// For a state that no output gives back.
pub(super) fn pair(reader: &mut Reader, outputs: &mut Vec<Given>) -> Result<()> {
    let mut states: BTreeMap<usize, (String, Starts)> = BTreeMap::new();
    for (k, op) in reader.ops.iter().enumerate() {
        for (start, source) in op.start.iter().zip([Source::Op(k), Source::Cell(k)]) {
            for (index, of) in start.iter().enumerate() {
                if let Source::Input(input) = of.source {
                    let (_, starts) = states
                        .entry(input)
                        .or_insert_with(|| (op.name.clone(), Starts::new()));
                    starts.insert(of.index, Element { source, index });
                }
            }
        }
    }
    let mut carried = Vec::new();
    for (input, (op, starts)) in states {
        let (name, width) = reader.inputs[input].clone();
        let gives = |output: &Given| {
            let all = &output.elements;
            let same = |(at, of): (&usize, &Element)| all.get(*at) == Some(of);
            all.len() == width && starts.iter().all(same)
        };
        let Some(found) = outputs.iter().rposition(gives) else {
            let what = format!("its start state is the input {name}, which no output gives back");
            let remedy = "export the model with the new state as an output, or without a start \
                          state, which is zeros";
            return Err(refused(&op, what, remedy));
        };
        let back = &outputs[found].name;
        reader.note(format!(
            "the input {name} and the output {back} are the state that a stream carries, zeros at \
             its start"
        ));
        carried.push(found);
    }
    let state = |output: &Given| output.state;
    let mut kept: Vec<bool> = (0..outputs.len()).map(|k| !carried.contains(&k)).collect();
    let plain = outputs
        .iter()
        .zip(&kept)
        .any(|(of, kept)| *kept && !state(of));
    let mut seen: Vec<Rc<Vec<Element>>> = Vec::new();
    for (k, output) in outputs
        .iter()
        .enumerate()
        .filter(|(k, _)| !carried.contains(k))
    {
        let name = &output.name;
        let cell = output
            .elements
            .iter()
            .any(|of| matches!(of.source, Source::Cell(_)));
        let others = outputs.len() - carried.len() > 1;
        if seen.contains(&output.elements) {
            kept[k] = false;
            let same = "gives the numbers of another output";
            reader
                .notes
                .push(format!("the output {name} was left out: it {same}"));
        } else if state(output) && (plain || (cell && others)) {
            kept[k] = false;
            let why = "a stream keeps its state itself";
            reader
                .notes
                .push(format!("the output {name} was left out: {why}"));
        } else {
            seen.push(output.elements.clone());
        }
    }
    if !kept.contains(&true) {
        let cells = |of: &Element| matches!(of.source, Source::Cell(_));
        let plain = |output: &Given| !output.elements.iter().any(cells);
        if let Some(k) = outputs.iter().position(plain) {
            kept[k] = true;
        }
    }
    let mut of = kept.into_iter();
    outputs.retain(|_| of.next().unwrap_or(false));
    Ok(())
}
