//! Nodes that compute number by number: of constants and sizes at once, of a step's numbers as
//! operations.

use std::rc::Rc;

use super::outer::Outers;
use super::proto::Node;
use super::reader::{Kind, Reader, together};
use super::step::Step;
use super::tensor::{Axis, Data, Element, Num, Tensor, indices};
use crate::draft::{Function, Kind as Layer};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Add,
    Sub,
    Mul,
    Div,
}

/// Whole numbers, of which some may depend on the length of the sequence.
pub(super) fn whole(operator: Operator, a: &Num, b: &Num) -> Num {
    use Num::{Known, Size, Unknown};
    let size = |times: Option<i64>, of: &[usize], plus: Option<i64>| match (times, plus) {
        (Some(times), Some(plus)) if of.len() <= 8 => Size {
            times,
            of: of.to_vec(),
            plus,
        },
        _ => Unknown,
    };
    match (operator, a, b) {
        (Operator::Add, Known(a), Known(b)) => a.checked_add(*b).map_or(Unknown, Known),
        (Operator::Sub, Known(a), Known(b)) => a.checked_sub(*b).map_or(Unknown, Known),
        (Operator::Mul, Known(a), Known(b)) => a.checked_mul(*b).map_or(Unknown, Known),
        (Operator::Div, Known(a), Known(b)) => a.checked_div(*b).map_or(Unknown, Known),
        (Operator::Add, Size { times, of, plus }, Known(x))
        | (Operator::Add, Known(x), Size { times, of, plus }) => {
            size(Some(*times), of, plus.checked_add(*x))
        }
        (Operator::Sub, Size { times, of, plus }, Known(x)) => {
            size(Some(*times), of, plus.checked_sub(*x))
        }
        (Operator::Mul, Size { times, of, plus }, Known(x))
        | (Operator::Mul, Known(x), Size { times, of, plus }) => {
            size(times.checked_mul(*x), of, plus.checked_mul(*x))
        }
        (
            Operator::Mul,
            Size {
                times: s,
                of: a,
                plus: 0,
            },
            Size {
                times: t,
                of: b,
                plus: 0,
            },
        ) => size(s.checked_mul(*t), &[&a[..], &b[..]].concat(), Some(0)),
        (Operator::Div, Size { times, of, plus: 0 }, Known(x))
            if *x != 0 && times.checked_rem(*x) == Some(0) =>
        {
            size(times.checked_div(*x), of, Some(0))
        }
        _ => Unknown,
    }
}

fn float(operator: Operator, a: f32, b: f32) -> f32 {
    match operator {
        Operator::Add => a + b,
        Operator::Sub => a - b,
        Operator::Mul => a * b,
        Operator::Div => a / b,
    }
}

impl Tensor {
    /// The numbers of a constant as floats.
    pub(super) fn floats(&self, outers: &Outers) -> Option<Vec<f32>> {
        match &self.data {
            Data::Floats(all) => Some(all.to_vec()),
            Data::Ints(all) => {
                let all = all.iter().map(|num| outers.known(num).map(|x| x as f32));
                all.collect()
            }
            Data::Elements(_) => None,
        }
    }
}

impl Reader {
    /// The axes of two tensors that are read number by number, and where in each the numbers lie.
    pub(super) fn broadcast(
        &mut self,
        node: &Node,
        a: &Tensor,
        b: &Tensor,
    ) -> Step<(Vec<Axis>, Vec<usize>, Vec<usize>)> {
        let rank = a.axes.len().max(b.axes.len());
        let uniform = [self.uniform(a, b), self.uniform(b, a)];
        let padded = |tensor: &Tensor| {
            let missing = rank - tensor.axes.len();
            let mut axes = vec![Axis::ONE; missing];
            axes.extend(tensor.axes.iter().cloned());
            let mut strides = vec![0; missing];
            strides.extend(tensor.strides());
            (axes, strides)
        };
        let ((mut left, steps), (mut right, other)) = (padded(a), padded(b));
        for (axes, uniform) in [(&mut left, &uniform[0]), (&mut right, &uniform[1])] {
            for from_the_end in uniform {
                axes[rank - 1 - from_the_end] = Axis::ONE;
            }
        }
        let (mut axes, mut dims) = (Vec::new(), Vec::new());
        let (mut from_a, mut from_b) = (Vec::new(), Vec::new());
        for (k, (x, y)) in left.iter().zip(&right).enumerate() {
            let axis = match (x, y) {
                (Axis::Outer(s), Axis::Outer(t)) => {
                    self.outers.unify(node, s, t)?;
                    x.clone()
                }
                (outer @ Axis::Outer(_), Axis::Fixed { len: 1, .. })
                | (Axis::Fixed { len: 1, .. }, outer @ Axis::Outer(_)) => outer.clone(),
                (outer @ Axis::Outer(_), fixed @ Axis::Fixed { len, .. })
                | (fixed @ Axis::Fixed { len, .. }, outer @ Axis::Outer(_)) => {
                    self.outers.must_be(fixed)?;
                    self.outers.must_have(outer, *len)?;
                    return node.refuse(
                        format!("it reads {len} numbers that differ from step to step"),
                        "a stream has no number of steps: leave positions out, or make them inputs",
                    );
                }
                (Axis::Fixed { len: s, .. }, Axis::Fixed { len: t, .. }) => match (s, t) {
                    _ if s == t || *t == 1 => x.clone(),
                    (1, _) => y.clone(),
                    _ => return node.wrong(format!("it reads {s} numbers beside {t}")),
                },
            };
            if let Axis::Fixed { len, .. } = &axis {
                let step = |of: &Axis, step: usize| if of.len() == Some(*len) { step } else { 0 };
                dims.push(*len);
                from_a.push(step(x, steps[k]));
                from_b.push(step(y, other[k]));
            }
            axes.push(axis);
        }
        self.spend(node, super::reader::volume(&axes))?;
        Ok((axes, indices(&dims, &from_a), indices(&dims, &from_b)))
    }

    /// Axes of a constant, counted from the end, along which it is the same and the other value is
    /// batch or time: one entry stands for all.
    fn uniform(&self, constant: &Tensor, other: &Tensor) -> Vec<usize> {
        let mut found = Vec::new();
        let (axes, strides) = (&constant.axes, constant.strides());
        for (k, (axis, outer)) in axes.iter().rev().zip(other.axes.iter().rev()).enumerate() {
            let (Axis::Fixed { len: 2.., .. }, Axis::Outer(_)) = (axis, outer) else {
                continue;
            };
            let at = axes.len() - 1 - k;
            let len = axis.len().unwrap_or(1);
            let first = |index: usize| index - (index / strides[at] % len) * strides[at];
            let same = match &constant.data {
                Data::Floats(all) => (0..all.len()).all(|k| all[k] == all[first(k)]),
                Data::Ints(all) => (0..all.len()).all(|k| all[k] == all[first(k)]),
                Data::Elements(_) => false,
            };
            if same {
                found.push(k);
            }
        }
        found
    }

    pub(super) fn elementwise(&mut self, node: &Node, operator: Operator) -> Step<Tensor> {
        let mut sum = self.input(node, 0)?;
        let more = node.input.len().max(2);
        for k in 1..more {
            let next = self.input(node, k)?;
            sum = self.pair(node, operator, &sum, &next)?;
        }
        Ok(sum)
    }

    fn pair(&mut self, node: &Node, operator: Operator, a: &Tensor, b: &Tensor) -> Step<Tensor> {
        let (axes, in_a, in_b) = self.broadcast(node, a, b)?;
        let (left, right) = (a.picked(axes.clone(), &in_a), b.picked(axes.clone(), &in_b));
        let names = together(&[a, b]);
        let constant = |data| Tensor {
            names: names.clone(),
            ..Tensor::new(axes.clone(), data)
        };
        match (&left.data, &right.data) {
            (Data::Ints(a), Data::Ints(b)) => {
                let all = a.iter().zip(&**b).map(|(a, b)| whole(operator, a, b));
                Ok(constant(Data::Ints(Rc::new(all.collect()))))
            }
            (Data::Elements(x), Data::Elements(y)) => {
                self.alike(node, &[a, b])?;
                let made = self.values(node, operator, x, y)?;
                Ok(Tensor {
                    last: a.last || b.last,
                    ..Tensor::elements(axes, made)
                })
            }
            (Data::Elements(x), _) | (_, Data::Elements(x)) => {
                let first = matches!(left.data, Data::Elements(_));
                let (of, other) = if first {
                    (&left, &right)
                } else {
                    (&right, &left)
                };
                let Some(numbers) = other.floats(&self.outers) else {
                    let what = "it computes with the length of the sequence";
                    return node.refuse(what, "a stream has no length: leave that out");
                };
                let mut pairs = Vec::new();
                for c in numbers {
                    pairs.push(match (operator, first) {
                        (Operator::Add, _) => (1.0, c),
                        (Operator::Sub, true) => (1.0, -c),
                        (Operator::Sub, false) => (-1.0, c),
                        (Operator::Mul, _) => (c, 0.0),
                        (Operator::Div, true) => (1.0 / c, 0.0),
                        (Operator::Div, false) => {
                            return node.refuse(
                                "it divides by the net's numbers",
                                "normalise the inputs with constants",
                            );
                        }
                    });
                }
                let x = x.clone();
                let made = self.affine(node, &x, &pairs, &other.names);
                Ok(Tensor {
                    last: of.last,
                    state: of.state && made == x,
                    ..Tensor::elements(axes, made.to_vec())
                })
            }
            _ => {
                let (Some(a), Some(b)) = (left.floats(&self.outers), right.floats(&self.outers))
                else {
                    let what = "it computes with the length of the sequence";
                    return node.refuse(what, "a stream has no length: leave that out");
                };
                let all = a.iter().zip(&b).map(|(a, b)| float(operator, *a, *b));
                Ok(constant(Data::Floats(Rc::new(all.collect()))))
            }
        }
    }

    /// `factor x + offset`, number by number; x itself where that changes nothing.
    pub(super) fn affine(
        &mut self,
        node: &Node,
        x: &Rc<Vec<Element>>,
        pairs: &[(f32, f32)],
        names: &[String],
    ) -> Rc<Vec<Element>> {
        if pairs.iter().all(|pair| *pair == (1.0, 0.0)) {
            return x.clone();
        }
        let one = pairs.iter().all(|pair| Some(pair) == pairs.first());
        let pairs = if one { &pairs[..1] } else { pairs };
        let kind = Kind::Layer(Layer::Affine {
            factor: pairs.iter().map(|pair| pair.0).collect(),
            offset: pairs.iter().map(|pair| pair.1).collect(),
        });
        let made = self.push(node, kind, vec![x.clone()], x.len());
        if let Some(op) = self.ops.last_mut() {
            op.tensors = names.to_vec();
        }
        Rc::new(made)
    }

    fn values(
        &mut self,
        node: &Node,
        operator: Operator,
        a: &Rc<Vec<Element>>,
        b: &Rc<Vec<Element>>,
    ) -> Step<Vec<Element>> {
        let (kind, b) = match operator {
            Operator::Add => (Kind::Layer(Layer::Add), b.clone()),
            Operator::Sub => {
                let minus = self.affine(node, b, &vec![(-1.0, 0.0); b.len()], &[]);
                (Kind::Layer(Layer::Add), minus)
            }
            Operator::Mul => (Kind::Multiply, b.clone()),
            Operator::Div => {
                return node.refuse(
                    "it divides one value by another",
                    "normalise the inputs with constants",
                );
            }
        };
        let width = a.len();
        Ok(self.push(node, kind, vec![a.clone(), b], width))
    }

    /// A function of each number.
    pub(super) fn function(&mut self, node: &Node, function: Function) -> Step<Tensor> {
        let tensor = self.input(node, 0)?;
        let Some(x) = tensor.as_elements() else {
            return node.refuse("it is a function of constants", "simplify the graph before");
        };
        let kind = Kind::Layer(Layer::Activation(function));
        let made = self.push(node, kind, vec![x.clone()], x.len());
        Ok(Tensor {
            last: tensor.last,
            ..Tensor::elements(tensor.axes.clone(), made)
        })
    }

    /// A clip or a maximum that is a function of ours.
    pub(super) fn clip(&mut self, node: &Node) -> Step<Tensor> {
        let mut bounds = [None, None];
        for (k, name) in ["min", "max"].into_iter().enumerate() {
            bounds[k] = node.float(name);
            if let Some(tensor) = self.optional(node, k + 1)? {
                bounds[k] = tensor
                    .floats(&self.outers)
                    .and_then(|all| all.first().copied());
            }
        }
        match bounds {
            [None, None] => self.input(node, 0),
            [Some(0.0), None] => self.function(node, Function::Relu),
            [Some(0.0), Some(f32::MAX..)] => self.function(node, Function::Relu),
            [Some(0.0), Some(1.0)] => {
                let (slope, offset) = (1.0, 0.0);
                self.function(node, Function::HardSigmoid { slope, offset })
            }
            [low, high] => node.refuse(
                format!("it clips to {low:?}..{high:?}"),
                "train with relu, or leave the clip out",
            ),
        }
    }

    pub(super) fn negative(&mut self, node: &Node) -> Step<Tensor> {
        let tensor = self.input(node, 0)?;
        let data = match &tensor.data {
            Data::Elements(x) => {
                let made = self.affine(node, x, &vec![(-1.0, 0.0); x.len()], &[]);
                Data::Elements(made)
            }
            Data::Floats(all) => Data::Floats(Rc::new(all.iter().map(|x| -x).collect())),
            Data::Ints(all) => {
                let minus = |num| whole(Operator::Mul, num, &Num::Known(-1));
                Data::Ints(Rc::new(all.iter().map(minus).collect()))
            }
        };
        Ok(Tensor {
            data,
            state: false,
            ..tensor
        })
    }

    /// A function of constants.
    pub(super) fn folded(&mut self, node: &Node, function: fn(f32) -> f32) -> Step<Tensor> {
        let tensor = self.input(node, 0)?;
        let Some(all) = tensor.as_floats() else {
            return node.refuse(
                "Gatelet has no such function of the net's numbers",
                "use relu, tanh, sigmoid or hard_sigmoid",
            );
        };
        let data = Data::Floats(Rc::new(all.iter().map(|x| function(*x)).collect()));
        Ok(Tensor { data, ..tensor })
    }

    /// A comparison of sizes.
    pub(super) fn compare(&mut self, node: &Node, is: fn(i64, i64) -> bool) -> Step<Tensor> {
        let (a, b) = (self.input(node, 0)?, self.input(node, 1)?);
        let (axes, in_a, in_b) = self.broadcast(node, &a, &b)?;
        let (a, b) = (a.picked(axes.clone(), &in_a), b.picked(axes.clone(), &in_b));
        let (Some(a), Some(b)) = (a.as_ints(), b.as_ints()) else {
            return node.refuse(
                "it compares the net's numbers",
                "a step has no branches: leave the comparison out",
            );
        };
        let outers = &self.outers;
        let one = |(a, b): (&Num, &Num)| {
            let sized = |num: &Num| {
                matches!(
                    num,
                    Num::Size {
                        plus: 0,
                        times: 1..,
                        ..
                    }
                )
            };
            let known = match (outers.known(a), outers.known(b)) {
                (Some(a), Some(b)) => Some(is(a, b)),
                // A size is at least 1, so what holds for 1 and above holds.
                (None, Some(b)) if sized(a) && b < 1 => Some(is(1, b)),
                (Some(a), None) if sized(b) && a < 1 => Some(is(a, 1)),
                _ => None,
            };
            known.map_or(Num::Unknown, |yes| Num::Known(i64::from(yes)))
        };
        let all = a.iter().zip(b).map(one).collect();
        Ok(Tensor::new(axes, Data::Ints(Rc::new(all))))
    }

    /// One of two constants, number by number.
    pub(super) fn choose(&mut self, node: &Node) -> Step<Tensor> {
        let condition = self.input(node, 0)?;
        let (yes, no) = (self.input(node, 1)?, self.input(node, 2)?);
        let (axes, in_yes, in_no) = self.broadcast(node, &yes, &no)?;
        let (yes, no) = (yes.picked(axes.clone(), &in_yes), no.picked(axes, &in_no));
        let (axes, in_condition, in_both) = self.broadcast(node, &condition, &yes)?;
        let condition = condition.picked(axes.clone(), &in_condition);
        let (yes, no) = (
            yes.picked(axes.clone(), &in_both),
            no.picked(axes.clone(), &in_both),
        );
        let Some(which) = condition.as_ints() else {
            return node.refuse(
                "it chooses by the net's numbers",
                "a step has no branches: leave the choice out",
            );
        };
        let mut chosen = Vec::new();
        for (k, num) in which.iter().enumerate() {
            match self.outers.known(num) {
                Some(of) => chosen.push(if of != 0 { k } else { k + which.len() }),
                None => {
                    let what = "it chooses by the length of the sequence";
                    return node.refuse(what, "export the model with fixed sizes");
                }
            }
        }
        let data = match (&yes.data, &no.data) {
            (Data::Floats(a), Data::Floats(b)) => Data::Floats(Rc::new([&a[..], &b[..]].concat())),
            (Data::Ints(a), Data::Ints(b)) => Data::Ints(Rc::new([&a[..], &b[..]].concat())),
            (Data::Elements(a), Data::Elements(b)) => {
                Data::Elements(Rc::new([&a[..], &b[..]].concat()))
            }
            _ => {
                let what = "it chooses between a constant and the net's numbers";
                return node.refuse(what, "leave the choice out");
            }
        };
        Ok(Tensor { data, ..yes }.picked(axes, &chosen))
    }
}
