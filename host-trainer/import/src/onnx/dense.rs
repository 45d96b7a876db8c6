//! Products, tables, normalisation and softmax.

use std::rc::Rc;

use super::proto::Node;
use super::reader::{Kind, Reader};
use super::step::Step;
use super::tensor::{Axis, Data, Element, Tensor};
use crate::draft::{Kind as Layer, Matrix};

impl Reader {
    /// A constant matrix; axes of 1 before its two count for nothing.
    fn matrix(&self, node: &Node, tensor: &Tensor) -> Step<Matrix> {
        let dims = tensor.dims();
        let (Some(data), true) = (tensor.as_floats(), dims.len() == tensor.axes.len()) else {
            return node.refuse(
                "it multiplies two values of the net (attention, or weights that are inputs)",
                "only constant weights can come along: make them initializers",
            );
        };
        let matrix = match dims[..] {
            [rows, columns] => Matrix::new(rows, columns, data.to_vec()),
            [ref ones @ .., rows, columns] if ones.iter().all(|len| *len == 1) => {
                Matrix::new(rows, columns, data.to_vec())
            }
            _ => None,
        };
        match matrix {
            Some(matrix) => Ok(matrix),
            None => node.refuse(
                format!("its weights have the shape {dims:?}"),
                "one matrix for each product can come along",
            ),
        }
    }

    /// `weight x + bias` over the last axis of a value. `weight`: `[columns of x, units]`.
    fn dense(
        &mut self,
        node: &Node,
        x: &Tensor,
        weight: &Matrix,
        bias: Option<Vec<f32>>,
        names: Vec<String>,
    ) -> Step<Tensor> {
        let Some((last, before)) = x.axes.split_last() else {
            return node.wrong("it multiplies a single number");
        };
        for axis in before {
            self.outers.must_be(axis)?;
        }
        self.outers.must_have(last, weight.rows)?;
        let alone = before
            .iter()
            .all(|axis| matches!(axis.len(), None | Some(1)));
        let (Some(of), true, Some(len)) = (x.as_elements(), alone, last.len()) else {
            return node.refuse(
                "it multiplies several rows of one step, or over steps or batch",
                "a dense layer reads the features of one step",
            );
        };
        if len != weight.rows {
            let rows = weight.rows;
            return node.wrong(format!("it multiplies {len} numbers with {rows} rows"));
        }
        let units = weight.columns;
        self.spend(node, weight.data.len())?;
        let kind = Kind::Layer(Layer::Dense {
            weight: weight.transposed(),
            bias: bias.unwrap_or_else(|| vec![0.0; units]),
            function: crate::draft::Function::Linear,
        });
        let made = self.push(node, kind, vec![of.clone()], units);
        if let Some(op) = self.ops.last_mut() {
            op.tensors = names;
        }
        let mut axes = before.to_vec();
        axes.push(Axis::fixed(units));
        Ok(Tensor {
            last: x.last,
            ..Tensor::elements(axes, made)
        })
    }

    pub(super) fn matmul(&mut self, node: &Node) -> Step<Tensor> {
        let (x, w) = (self.input(node, 0)?, self.input(node, 1)?);
        if x.as_floats().is_some() && w.as_elements().is_some() {
            return node.refuse(
                "its constant stands on the left: it multiplies columns",
                "write it as x W",
            );
        }
        let weight = self.matrix(node, &w)?;
        self.dense(node, &x, &weight, None, w.names)
    }

    /// `alpha A B + beta C`, A or B transposed first where the node says so.
    pub(super) fn gemm(&mut self, node: &Node) -> Step<Tensor> {
        let (x, w) = (self.input(node, 0)?, self.input(node, 1)?);
        let mut weight = self.matrix(node, &w)?;
        if node.int("transB").unwrap_or(0) != 0 {
            weight = weight.transposed();
        }
        let alpha = node.float("alpha").unwrap_or(1.0);
        weight.data.iter_mut().for_each(|w| *w *= alpha);
        let x = match node.int("transA").unwrap_or(0) {
            0 => x,
            _ if x.axes.len() == 2 => x.transposed(&[1, 0]),
            _ => return node.wrong("it transposes what is no matrix"),
        };
        let mut names = w.names;
        let mut bias = None;
        let mut addend = None;
        if let Some(c) = self.optional(node, 2)? {
            let beta = node.float("beta").unwrap_or(1.0);
            match c.floats(&self.outers) {
                Some(all) if [1, weight.columns].contains(&all.len()) => {
                    let one = all.len() == 1;
                    let of = |k: usize| beta * all[if one { 0 } else { k }];
                    bias = Some((0..weight.columns).map(of).collect());
                    names.extend(c.names);
                }
                Some(all) => {
                    let what = format!("it adds {} numbers, not one for each unit", all.len());
                    return node.refuse(what, "a bias has one number for each unit");
                }
                None => addend = Some((c, beta)),
            }
        }
        let made = self.dense(node, &x, &weight, bias, names)?;
        let Some((c, beta)) = addend else {
            return Ok(made);
        };
        let (axes, in_made, in_c) = self.broadcast(node, &made, &c)?;
        let (made, c) = (made.picked(axes.clone(), &in_made), c.picked(axes, &in_c));
        let (Some(a), Some(b)) = (made.as_elements(), c.as_elements()) else {
            return node.wrong("it adds what is no value");
        };
        let scaled = self.affine(node, b, &vec![(beta, 0.0); b.len()], &[]);
        let sum = self.push(
            node,
            Kind::Layer(Layer::Add),
            vec![a.clone(), scaled],
            a.len(),
        );
        Ok(Tensor::elements(made.axes.clone(), sum))
    }

    /// Rows of a table, by tokens.
    pub(super) fn embedding(
        &mut self,
        node: &Node,
        table: &Tensor,
        index: &Tensor,
        axis: usize,
    ) -> Step<Tensor> {
        if table.as_floats().is_none() || axis != 0 {
            return node.refuse(
                "it takes numbers by an index that the net computes or is given",
                "only a constant table can be read by a token",
            );
        }
        let matrix = self.matrix(node, table)?;
        for axis in &index.axes {
            self.outers.must_be(axis)?;
        }
        let Some([token]) = index.as_elements().map(|of| &***of) else {
            return node.refuse(
                "it looks up several tokens at every step",
                "a step has one token",
            );
        };
        let units = matrix.columns;
        self.spend(node, matrix.data.len())?;
        let kind = Kind::Layer(Layer::Embedding { table: matrix });
        let made = self.push(node, kind, vec![Rc::new(vec![*token])], units);
        if let Some(op) = self.ops.last_mut() {
            op.tensors.clone_from(&table.names);
        }
        let mut axes = index.axes.clone();
        axes.push(Axis::fixed(units));
        Ok(Tensor {
            last: index.last,
            ..Tensor::elements(axes, made)
        })
    }

    /// `scale (x - mean) / sqrt(variance + epsilon) + bias`, axis 1 being the features.
    pub(super) fn batch_normalization(&mut self, node: &Node) -> Step<Tensor> {
        let x = self.input(node, 0)?;
        if node.int("training_mode").unwrap_or(0) != 0 {
            return node.refuse(
                "it normalises by the numbers it is given, as in training",
                "export the model in inference mode: model.eval()",
            );
        }
        let mut of = Vec::new();
        let mut names = Vec::new();
        for k in 1..5 {
            let tensor = self.input(node, k)?;
            let Some(all) = tensor.as_floats() else {
                return node.refuse("its numbers are no constants", "make them initializers");
            };
            of.push(all.to_vec());
            names.extend(tensor.names.clone());
        }
        for (k, axis) in x.axes.iter().enumerate() {
            if k != 1 {
                self.outers.must_be(axis)?;
            }
        }
        let [scale, bias, mean, variance] = &of[..] else {
            return node.wrong("it has not four tensors");
        };
        let len = scale.len();
        if let Some(axis) = x.axes.get(1) {
            self.outers.must_have(axis, len)?;
        }
        let fits = [bias, mean, variance].iter().all(|all| all.len() == len)
            && x.axes.get(1).and_then(Axis::len) == Some(len)
            && x.count() == len;
        let (Some(elements), true) = (x.as_elements(), fits) else {
            return node.refuse(
                format!("it normalises over an axis that is not {len} features of a step"),
                "the features must be axis 1",
            );
        };
        let epsilon = node.float("epsilon").unwrap_or(1e-5);
        let pair = |k: usize| {
            let factor = f64::from(scale[k]) / (f64::from(variance[k]) + f64::from(epsilon)).sqrt();
            let offset = f64::from(bias[k]) - f64::from(mean[k]) * factor;
            (factor as f32, offset as f32)
        };
        let pairs: Vec<(f32, f32)> = (0..len).map(pair).collect();
        let made = self.affine(node, elements, &pairs, &names);
        Ok(Tensor {
            last: x.last,
            axes: x.axes.clone(),
            ..Tensor::new(Vec::new(), Data::Elements(made))
        })
    }

    pub(super) fn softmax(&mut self, node: &Node) -> Step<Tensor> {
        let x = self.input(node, 0)?;
        let new = self.opset >= 13;
        let axis = node.int("axis").unwrap_or(if new { -1 } else { 1 });
        let axis = self.axis(node, axis, x.axes.len())?;
        let over = if new {
            &x.axes[axis..=axis]
        } else {
            &x.axes[axis..]
        };
        let all: Option<usize> = over.iter().map(Axis::len).product();
        let (Some(elements), true) = (x.as_elements(), all == Some(x.count())) else {
            return node.refuse(
                "it is a softmax over something else than the features of one step",
                "Gatelet has a softmax over the scores where a net ends",
            );
        };
        let elements: Rc<Vec<Element>> = elements.clone();
        let width = elements.len();
        let made = self.push(node, Kind::Layer(Layer::Softmax), vec![elements], width);
        Ok(Tensor {
            last: x.last,
            ..Tensor::elements(x.axes.clone(), made)
        })
    }
}
