//! The layers with weights of a draft.

use gatelet::net::Reset;

use super::build::Builder;
use super::modules::{Gates, Layer as Tensors, rows_of};
use super::order::{Item, What};
use crate::draft::{Cell, Function, Kind, Layer, Matrix, Recurrent};
use crate::error::{Error, Result};

/// Of PyTorch's BatchNorm1d.
const EPSILON: f64 = 1e-5;

impl Builder<'_> {
    fn real(&self, layer: &str, tensor: usize) -> Result<Vec<f32>> {
        Ok(self.state.tensors[tensor].real(layer)?.to_vec())
    }

    fn matrix(&self, layer: &str, tensor: usize) -> Result<Matrix> {
        let found = &self.state.tensors[tensor];
        let matrix = match found.shape.as_slice() {
            &[rows, columns] => Matrix::new(rows, columns, found.real(layer)?.to_vec()),
            _ => None,
        };
        matrix.ok_or_else(|| Error::Damaged {
            format: self.state.format,
            what: format!("{} is no matrix", found.name),
        })
    }

    fn tensors(&self, all: &[usize]) -> Vec<String> {
        all.iter()
            .map(|k| self.state.tensors[*k].name.clone())
            .collect()
    }

    pub(super) fn recurrent(
        &mut self,
        item: &Item,
        name: &str,
        gates: Gates,
        layers: &[Tensors],
        mut reads: Vec<usize>,
        hidden: usize,
    ) -> Result<()> {
        for (index, tensors) in layers.iter().enumerate() {
            let rows = rows_of(gates) * hidden;
            let [mut bias, own] = match tensors.biases {
                Some([a, b]) => [self.real(name, a)?, self.real(name, b)?],
                None => [vec![0.0; rows], vec![0.0; rows]],
            };
            // b_hn of a GRU is multiplied by r; all other biases are added.
            let added = if gates == Gates::Gru {
                2 * hidden
            } else {
                rows
            };
            bias.iter_mut()
                .zip(&own)
                .take(added)
                .for_each(|(b, own)| *b += own);
            let mut notes = Vec::new();
            let cell = match gates {
                Gates::Gru => Cell::Gru {
                    reset: Reset::After,
                    gate: Function::Sigmoid,
                    candidate: Function::Tanh,
                },
                Gates::Lstm => Cell::Lstm {
                    gate: Function::Sigmoid,
                    candidate: Function::Tanh,
                    output: Function::Tanh,
                },
                Gates::Rnn => {
                    if item.function.is_none() {
                        notes.push(
                            "the file does not say tanh or relu: tanh was taken, which is \
                             PyTorch's default (`rnn relu` in --net for the other)"
                                .to_owned(),
                        );
                    }
                    let function = item.function.unwrap_or(Function::Tanh);
                    Cell::Rnn { function }
                }
            };
            let mut all = vec![tensors.input, tensors.recurrent];
            if let Some(biases) = tensors.biases {
                all.extend(biases);
                notes.push(match gates {
                    Gates::Gru => "the biases of r and z are added".to_owned(),
                    _ => "the two biases are added".to_owned(),
                });
            }
            let recurrent = Recurrent {
                cell,
                input: self.matrix(name, tensors.input)?,
                recurrent: self.matrix(name, tensors.recurrent)?,
                bias,
                hidden_bias: match gates {
                    Gates::Gru => own[2 * hidden..].to_vec(),
                    _ => Vec::new(),
                },
                h: Vec::new(),
                c: Vec::new(),
            };
            let last = index + 1 == layers.len();
            let layer = Layer {
                name: match (last, layers.len()) {
                    (_, 1) => name.to_owned(),
                    _ => format!("{name} layer {index}"),
                },
                from: gates.name().to_owned(),
                kind: Kind::Recurrent(Box::new(recurrent)),
                reads: std::mem::take(&mut reads),
                tensors: self.tensors(&all),
                notes,
            };
            self.push(layer, hidden);
            reads.push(self.layers.len());
        }
        self.values.push((name.to_owned(), self.layers.len()));
        Ok(())
    }

    pub(super) fn linear(
        &mut self,
        item: &Item,
        name: &str,
        (weight, bias): (usize, Option<usize>),
        (rows, columns): (usize, usize),
        reads: Vec<usize>,
    ) -> Result<()> {
        let matrix = self.matrix(name, weight)?;
        let all: Vec<usize> = std::iter::once(weight).chain(bias).collect();
        let mut notes = Vec::new();
        let (from, kind, width) = match item.what {
            What::Embedding => ("Embedding", Kind::Embedding { table: matrix }, columns),
            _ => {
                let bias = match bias {
                    Some(bias) => self.real(name, bias)?,
                    None => {
                        notes.push("it has no bias: zeros".to_owned());
                        vec![0.0; rows]
                    }
                };
                let function = Function::Linear;
                let kind = Kind::Dense {
                    weight: matrix,
                    bias,
                    function,
                };
                ("Linear", kind, rows)
            }
        };
        let layer = Layer {
            name: name.to_owned(),
            from: from.to_owned(),
            kind,
            reads,
            tensors: self.tensors(&all),
            notes,
        };
        self.push(layer, width);
        Ok(())
    }

    /// `(x - mean) / sqrt(variance + epsilon) * factor + offset`.
    pub(super) fn norm(
        &mut self,
        item: &Item,
        name: &str,
        [mean, variance]: [usize; 2],
        affine: Option<[usize; 2]>,
        reads: Vec<usize>,
    ) -> Result<()> {
        let mut all = vec![mean, variance];
        let (mean, variance) = (self.real(name, mean)?, self.real(name, variance)?);
        let one = vec![1.0; mean.len()];
        let (by, plus) = match affine {
            Some([by, plus]) => {
                all.extend([by, plus]);
                (self.real(name, by)?, self.real(name, plus)?)
            }
            None => (one.clone(), vec![0.0; mean.len()]),
        };
        let epsilon = item.epsilon.unwrap_or(EPSILON);
        let (mut factor, mut offset) = (one, plus);
        for (k, factor) in factor.iter_mut().enumerate() {
            let of = f64::from(by[k]) / (f64::from(variance[k]) + epsilon).sqrt();
            offset[k] = (f64::from(offset[k]) - f64::from(mean[k]) * of) as f32;
            *factor = of as f32;
        }
        let width = factor.len();
        let layer = Layer {
            name: name.to_owned(),
            from: "BatchNorm1d".to_owned(),
            kind: Kind::Affine { factor, offset },
            reads,
            tensors: self.tensors(&all),
            notes: vec![format!(
                "becomes part of the weights beside it, with epsilon {epsilon}"
            )],
        };
        self.push(layer, width);
        Ok(())
    }
}
