//! From a graph of Keras' layers to a draft: which layer is what, and what joins several values.

use gatelet::net::MAX_COLUMNS;

use super::builder::{About, Builder, Form, Made, Of, expect, masked, of_last_axis};
use super::function::Version;
use super::graph::{Graph, Node, RECURRENT, known};
use super::json::{Object, damaged, flag, object, real, size, text};
use super::weights::Store;
use super::{ports, refuse};
use crate::draft::{Draft, Kind, Matrix};
use crate::error::{Result, refused};

/// The draft of a model.
pub(super) fn draft(graph: &Graph<'_>, store: Store, version: Version) -> Result<Draft> {
    let mut builder = Builder {
        store,
        version,
        graph,
        states: ports::states(graph),
        inputs: vec![false; graph.nodes.len()],
        layers: Vec::new(),
        made: vec![None; graph.nodes.len()],
        notes: Vec::new(),
    };
    for (input, _) in &graph.inputs {
        builder.inputs[*input] = true;
    }
    let input = builder.ports()?;
    for (number, node) in graph.nodes.iter().enumerate() {
        if !builder.inputs[number] {
            builder.made[number] = Some(builder.node(number, node)?);
        }
    }
    let outputs = builder.outputs()?;
    Ok(Draft {
        format: "Keras",
        input,
        layers: builder.layers,
        outputs,
        notes: builder.notes,
    })
}

impl Builder<'_> {
    fn node(&mut self, number: usize, node: &Node<'_>) -> Result<Made> {
        let name = &node.name;
        let reads = node.reads.iter().map(|source| self.read(name, *source));
        let reads: Vec<Made> = reads.collect::<Result<_>>()?;
        let Some(first) = reads.first().copied() else {
            return Err(damaged(format!("{name} reads nothing")));
        };
        let one = reads.len() == 1;
        let of = Of {
            number,
            name,
            class: node.class,
            config: node.config,
            place: &node.place,
        };
        match node.class {
            class if RECURRENT.contains(&class) => self.recurrent(of, node, first),
            "Embedding" if one => self.embedding(of, first),
            "TimeDistributed" if one => self.time_distributed(of, first),
            "Masking" if one => self.masking(of, first),
            "Add" => self.add(of, &reads),
            "TFOpLambda" if adds(node.config) => self.add(of, &reads),
            "Concatenate" => self.concatenate(of, &reads),
            _ if one => self.pointwise(of, first),
            _ => Err(refuse::class(name, node.class)),
        }
    }

    fn embedding(&mut self, of: Of<'_>, read: Made) -> Result<Made> {
        let rows = size(of.config, "input_dim", of.name)?;
        let units = size(of.config, "output_dim", of.name)?;
        let mut tensors = self.store.take(of.name, of.place, &["embeddings"])?;
        let tensor = tensors.swap_remove(0);
        expect(of.name, &tensor.name, &tensor.shape, &[rows, units])?;
        let table = Matrix::new(rows, units, tensor.data).unwrap_or_default();
        let about = About {
            tensors: vec![tensor.name],
            ..About::default()
        };
        let masked = flag(of.config, "mask_zero").then_some(of.number);
        Ok(Made {
            value: self.push(
                of.name,
                of.class,
                Kind::Embedding { table },
                &[read.value],
                about,
            ),
            width: units,
            masked,
            ..read
        })
    }

    fn time_distributed(&mut self, of: Of<'_>, read: Made) -> Result<Made> {
        let layer = of.config.get("layer").and_then(|layer| layer.as_object());
        let config = layer.and_then(|layer| object(layer, "config"));
        let (Some(layer), Some(config)) = (layer, config) else {
            return Err(damaged(format!("{} wraps no layer", of.name)));
        };
        let class = text(layer, "class_name").unwrap_or_default();
        known(of.name, class, layer)?;
        let inner = Of {
            class,
            config,
            place: &of.place.within("layer"),
            ..of
        };
        let vector = Made {
            form: Form::Vector { last: false },
            ..read
        };
        let made = self.pointwise(inner, vector)?;
        if !matches!(made.form, Form::Vector { .. }) {
            return Err(refuse::class(of.name, class));
        }
        Ok(Made {
            form: read.form,
            ..made
        })
    }

    /// Masking sets steps that equal its value to zero, which changes nothing if that is zero, and
    /// lets recurrent layers leave them out.
    fn masking(&mut self, of: Of<'_>, read: Made) -> Result<Made> {
        if real(of.config, "mask_value") != Some(0.0) {
            return Err(masked(of.name, of.name));
        }
        let notes = vec!["left out: no recurrent layer sees its mask, and zeros stay zeros".into()];
        let about = About {
            notes,
            ..About::default()
        };
        Ok(Made {
            value: self.push(of.name, of.class, Kind::Identity, &[read.value], about),
            masked: Some(of.number),
            ..read
        })
    }

    fn add(&mut self, of: Of<'_>, reads: &[Made]) -> Result<Made> {
        let [first, second, rest @ ..] = reads else {
            return Err(refuse::class(of.name, of.class));
        };
        let same = |made: &Made| has_steps(made.form) == has_steps(first.form);
        if !reads.iter().all(same) {
            let what = "it adds a vector to every step of a sequence";
            return Err(refused(of.name, what, "add values of one shape"));
        }
        let mut value = first.value;
        for made in std::iter::once(second).chain(rest) {
            if made.width != first.width {
                let what = format!(
                    "it adds values of {} and {} numbers",
                    first.width, made.width
                );
                return Err(refused(of.name, what, "add values of one width"));
            }
            let reads = [value, made.value];
            value = self.push(of.name, of.class, Kind::Add, &reads, About::default());
        }
        let masked = reads.iter().find_map(|made| made.masked);
        Ok(Made {
            value,
            masked,
            ..*first
        })
    }

    fn concatenate(&mut self, of: Of<'_>, reads: &[Made]) -> Result<Made> {
        let first = reads[0];
        let same = |made: &Made| has_steps(made.form) == has_steps(first.form);
        if !of_last_axis(of, first.form, -1)? || !reads.iter().all(same) {
            let what = "it puts sequences one after the other in time";
            return Err(refused(of.name, what, "concatenate along the last axis"));
        }
        let width = reads.iter().map(|made| made.width).sum();
        if width > MAX_COLUMNS {
            let what = format!("{width} numbers stand side by side, of at most {MAX_COLUMNS}");
            return Err(refused(of.name, what, "take a smaller net"));
        }
        let values: Vec<usize> = reads.iter().map(|made| made.value).collect();
        Ok(Made {
            value: self.push(of.name, of.class, Kind::Concat, &values, About::default()),
            width,
            masked: reads.iter().find_map(|made| made.masked),
            ..first
        })
    }
}

/// Whether a function of TensorFlow adds.
fn adds(config: &Object) -> bool {
    matches!(
        text(config, "function"),
        Some("__operators__.add" | "math.add")
    )
}

fn has_steps(form: Form) -> bool {
    matches!(form, Form::Steps(_))
}
