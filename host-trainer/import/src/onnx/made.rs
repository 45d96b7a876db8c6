//! Constants that a graph makes of sizes: ConstantOfShape, Expand, Tile, Cast, products of sizes.

use std::rc::Rc;

use super::proto::Node;
use super::reader::Reader;
use super::step::Step;
use super::tensor::{Axis, Data, Num, Tensor};

impl Reader {
    /// Axes of these sizes.
    fn axes(&self, node: &Node, shape: &[Num]) -> Step<Vec<Axis>> {
        let mut axes = Vec::new();
        for num in shape {
            axes.push(match num {
                Num::Known(len) => match usize::try_from(*len) {
                    Ok(len) => Axis::fixed(len),
                    Err(_) => return node.wrong(format!("it makes an axis of {len}")),
                },
                Num::Size {
                    times: 1,
                    of,
                    plus: 0,
                } => Axis::Outer(of.clone()),
                _ => {
                    return node.refuse(
                        "it makes a tensor whose size depends on the length of the sequence",
                        "export the model with fixed sizes",
                    );
                }
            });
        }
        Ok(axes)
    }

    /// Numbers that axes hold, within bounds.
    fn room(&mut self, node: &Node, axes: &[Axis]) -> Step<usize> {
        self.spend(node, super::reader::volume(axes))?;
        Ok(axes.iter().filter_map(Axis::len).product())
    }

    pub(super) fn constant_of_shape(&mut self, node: &Node) -> Step<Tensor> {
        let shape = self.numbers(node, "", 0)?.unwrap_or_default();
        let axes = self.axes(node, &shape)?;
        let count = self.room(node, &axes)?;
        let data = match node.attribute("value").and_then(|of| of.t.as_ref()) {
            None => Data::Floats(Rc::new(vec![0.0; count])),
            Some(value) => match super::constant::constant(value, &node.label())?.data {
                Data::Ints(all) => match all.first() {
                    Some(one) => Data::Ints(Rc::new(vec![one.clone(); count])),
                    None => return node.wrong("its value is empty"),
                },
                Data::Floats(all) => match all.first() {
                    Some(one) => Data::Floats(Rc::new(vec![*one; count])),
                    None => return node.wrong("its value is empty"),
                },
                Data::Elements(_) => return node.wrong("its value is no constant"),
            },
        };
        Ok(Tensor::new(axes, data))
    }

    pub(super) fn expand(&mut self, node: &Node) -> Step<Tensor> {
        let tensor = self.input(node, 0)?;
        let Some(shape) = self.numbers(node, "shape", 1)? else {
            return node.wrong("it has no shape");
        };
        let axes = self.axes(node, &shape)?;
        let count = self.room(node, &axes)?;
        let data = Data::Ints(Rc::new(vec![Num::Known(0); count]));
        let (axes, of, _) = self.broadcast(node, &tensor, &Tensor::new(axes, data))?;
        let more = self.outers.time(&axes) && !self.outers.time(&tensor.axes);
        if tensor.last && more {
            return node.refuse(
                "it repeats the last step of a sequence for every step of another",
                "a stream does not know its last step: an encoder and its decoder are two nets",
            );
        }
        Ok(tensor.picked(axes, &of))
    }

    pub(super) fn tile(&mut self, node: &Node) -> Step<Tensor> {
        let mut tensor = self.input(node, 0)?;
        let Some(times) = self.numbers(node, "repeats", 1)? else {
            return node.wrong("it does not say how often");
        };
        if times.len() != tensor.axes.len() {
            return node.wrong("it has not one number for each axis");
        }
        for (axis, times) in times.iter().enumerate() {
            if *times == Num::Known(1) {
                continue;
            }
            let times = match times {
                Num::Known(times) => usize::try_from(*times).ok(),
                _ => None,
            };
            let (Some(times), Some(len)) = (times, tensor.axes[axis].len()) else {
                return node.refuse(
                    "it repeats a value for every step of a sequence",
                    "give that value as an input at every step",
                );
            };
            if tensor.last {
                return node.refuse(
                    "it repeats the last step of a sequence",
                    "a stream does not know its last step: an encoder and its decoder are two \
                     nets",
                );
            }
            self.spend(node, tensor.count().saturating_mul(times))?;
            let chosen: Vec<usize> = (0..times).flat_map(|_| 0..len).collect();
            tensor = tensor.taken(axis, &chosen, &[Axis::fixed(chosen.len())]);
        }
        Ok(tensor)
    }

    /// A change of the type: constants become what they are cast to, a step's numbers stay.
    pub(super) fn cast(&mut self, node: &Node) -> Step<Tensor> {
        let tensor = self.input(node, 0)?;
        let whole = matches!(node.int("to"), Some(2..=7 | 9 | 12 | 13));
        let data = match &tensor.data {
            Data::Floats(all) if whole => {
                let all = all.iter().map(|x| Num::Known(*x as i64));
                Data::Ints(Rc::new(all.collect()))
            }
            Data::Ints(_) if !whole => match tensor.floats(&self.outers) {
                Some(all) => Data::Floats(Rc::new(all)),
                None => {
                    return node.refuse(
                        "it computes with the length of the sequence",
                        "a stream has no length: leave that out",
                    );
                }
            },
            Data::Elements(of) if whole => {
                let input = |of: &super::tensor::Element| {
                    matches!(of.source, super::tensor::Source::Input(_))
                };
                if !of.iter().all(input) {
                    return node.refuse(
                        "it rounds the net's numbers to whole ones",
                        "leave the cast out",
                    );
                }
                return Ok(tensor);
            }
            _ => return Ok(tensor),
        };
        Ok(Tensor { data, ..tensor })
    }

    /// The product of the sizes that it reads.
    pub(super) fn product(&mut self, node: &Node) -> Step<Tensor> {
        let tensor = self.input(node, 0)?;
        let Some(all) = tensor.as_ints() else {
            return node.refuse(
                "it multiplies numbers of one value with each other",
                "Gatelet has no such operation",
            );
        };
        let mut product = Some(1_i64);
        for num in all {
            let known = self.outers.known(num);
            product = product.zip(known).and_then(|(a, b)| a.checked_mul(b));
        }
        let num = product.map_or(Num::Unknown, Num::Known);
        let keeps = node.int("keepdims").unwrap_or(1) != 0;
        let axes = vec![Axis::ONE; if keeps { tensor.axes.len() } else { 0 }];
        Ok(Tensor::new(axes, Data::Ints(Rc::new(vec![num]))))
    }
}
