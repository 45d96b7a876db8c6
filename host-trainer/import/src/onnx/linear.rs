//! What the operations say as algebra: sums of products, and polynomials of gates.
//!
//! A cell that was taken apart is the same algebra however its nodes are arranged: one product for
//! all gates or one for each, x and h side by side or apart, biases added before or after.

use std::collections::{BTreeMap, BTreeSet};

use super::reader::{Kind, Op, Reader};
use super::tensor::{Element, Source};
use crate::draft::{Function, Kind as Layer, Matrix};

/// `sum of matrix source + bias`, a row for each element.
#[derive(Clone, Debug, Default)]
pub(super) struct Linear {
    /// `[rows, width of the source]`.
    pub(super) terms: BTreeMap<Source, Matrix>,
    /// `[rows]`.
    pub(super) bias: Vec<f32>,
    /// The operations that it is made of.
    pub(super) ops: BTreeSet<usize>,
}

/// Some elements of one operation each, or of an input.
pub(super) type Values = Vec<Element>;

/// A sum of products of values, number by number.
pub(super) type Polynomial = BTreeMap<Vec<Values>, f64>;

/// How deep sums may lie in each other, and how many products a polynomial has at most.
const DEPTH: usize = 8;
const TERMS: usize = 16;
/// The most numbers in a matrix, and the most steps that the search for cells takes.
const MOST: usize = 1 << 24;
const STEPS: usize = 1 << 27;

/// The operation that all elements are of.
fn one(of: &[Element]) -> Option<usize> {
    let Source::Op(op) = of.first()?.source else {
        return None;
    };
    let same = of.iter().all(|element| element.source == Source::Op(op));
    same.then_some(op)
}

/// What an operation reads for these of its numbers.
fn read(op: &Op, operand: usize, of: &[Element]) -> Option<Values> {
    let reads = op.reads.get(operand)?;
    of.iter().map(|of| reads.get(of.index).copied()).collect()
}

impl Reader {
    pub(super) fn width(&self, source: Source) -> usize {
        match source {
            Source::Input(input) => self.inputs.get(input).map_or(0, |(_, width)| *width),
            Source::Op(op) | Source::Cell(op) => self.ops.get(op).map_or(0, |op| op.width),
        }
    }

    /// Counts the steps of the search, so that it ends.
    fn step(&self) -> Option<()> {
        let steps = self.searched.get() + 1;
        self.searched.set(steps);
        (steps < STEPS).then_some(())
    }

    /// The elements as sums of products of what is no sum.
    pub(super) fn linear(&self, of: &[Element]) -> Option<Linear> {
        let mut linear = Linear {
            bias: vec![0.0; of.len()],
            ..Linear::default()
        };
        for (row, element) in of.iter().enumerate() {
            self.row(*element, 1.0, row, &mut linear, 0)?;
        }
        Some(linear)
    }

    fn row(
        &self,
        element: Element,
        scale: f32,
        row: usize,
        linear: &mut Linear,
        depth: usize,
    ) -> Option<()> {
        self.step()?;
        let index = element.index;
        if let Source::Op(op) = element.source {
            let at = op;
            let op = self.ops.get(op)?;
            match &op.kind {
                Kind::Layer(Layer::Dense {
                    weight,
                    bias,
                    function: Function::Linear,
                }) => {
                    let weights = weight.data.chunks(weight.columns.max(1)).nth(index)?;
                    for (read, w) in op.reads.first()?.iter().zip(weights) {
                        self.term(*read, scale * w, row, linear)?;
                    }
                    linear.bias[row] += scale * bias.get(index)?;
                    linear.ops.insert(at);
                    return Some(());
                }
                Kind::Layer(Layer::Affine { factor, offset }) => {
                    let k = if factor.len() == 1 { 0 } else { index };
                    let read = *op.reads.first()?.get(index)?;
                    linear.bias[row] += scale * offset.get(k)?;
                    linear.ops.insert(at);
                    let deeper = (depth < DEPTH).then_some(depth + 1)?;
                    return self.row(read, scale * factor.get(k)?, row, linear, deeper);
                }
                Kind::Layer(Layer::Add) => {
                    let deeper = (depth < DEPTH).then_some(depth + 1)?;
                    for reads in &op.reads {
                        self.row(*reads.get(index)?, scale, row, linear, deeper)?;
                    }
                    return Some(());
                }
                _ => {}
            }
        }
        self.term(element, scale, row, linear)
    }

    fn term(&self, of: Element, weight: f32, row: usize, linear: &mut Linear) -> Option<()> {
        self.step()?;
        let (rows, columns) = (linear.bias.len(), self.width(of.source));
        let fits = rows.checked_mul(columns).is_some_and(|all| all <= MOST);
        if !fits || linear.terms.len() > 2 * TERMS {
            return None;
        }
        let zeros = || Matrix::zeros(rows, columns);
        let matrix = linear.terms.entry(of.source).or_insert_with(zeros);
        *matrix.data.get_mut(row * columns + of.index)? += weight;
        Some(())
    }

    /// The function that makes these numbers, and what it is of.
    pub(super) fn activation(&self, of: &[Element]) -> Option<(Function, Values)> {
        let op = self.ops.get(one(of)?)?;
        match op.kind {
            Kind::Layer(Layer::Activation(function)) => Some((function, read(op, 0, of)?)),
            _ => None,
        }
    }

    /// Both factors of these numbers.
    pub(super) fn factors(&self, of: &[Element]) -> Option<[Values; 2]> {
        let op = self.ops.get(one(of)?)?;
        match op.kind {
            Kind::Multiply => Some([read(op, 0, of)?, read(op, 1, of)?]),
            _ => None,
        }
    }

    /// The numbers as a sum of products.
    pub(super) fn polynomial(&self, of: &[Element]) -> Option<Polynomial> {
        self.expanded(of, DEPTH)
    }

    fn expanded(&self, of: &[Element], depth: usize) -> Option<Polynomial> {
        self.searched.set(self.searched.get() + of.len());
        self.step()?;
        let itself = || Some(Polynomial::from([(vec![of.to_vec()], 1.0)]));
        let Some(op) = one(of).and_then(|op| self.ops.get(op)) else {
            return itself();
        };
        let inner = |operand: usize| {
            let depth = depth.checked_sub(1)?;
            self.expanded(&read(op, operand, of)?, depth)
        };
        match &op.kind {
            Kind::Layer(Layer::Add) => {
                let mut sum = inner(0)?;
                for (product, factor) in inner(1)? {
                    *sum.entry(product).or_insert(0.0) += factor;
                }
                few(sum)
            }
            Kind::Multiply => {
                let (left, right) = (inner(0)?, inner(1)?);
                let mut all = Polynomial::new();
                for (a, x) in &left {
                    for (b, y) in &right {
                        let mut product = [&a[..], &b[..]].concat();
                        product.sort();
                        *all.entry(product).or_insert(0.0) += x * y;
                    }
                }
                few(all)
            }
            Kind::Layer(Layer::Affine { factor, offset }) => match (&factor[..], &offset[..]) {
                ([factor], [offset]) => {
                    let mut all = inner(0)?;
                    all.values_mut().for_each(|x| *x *= f64::from(*factor));
                    *all.entry(Vec::new()).or_insert(0.0) += f64::from(*offset);
                    few(all)
                }
                _ => itself(),
            },
            _ => itself(),
        }
    }
}

/// Without what cancels out; nothing where it grows too long to be a cell.
fn few(mut all: Polynomial) -> Option<Polynomial> {
    all.retain(|_, factor| *factor != 0.0);
    let short = all.len() <= TERMS && all.keys().all(|product| product.len() <= 4);
    short.then_some(all)
}
