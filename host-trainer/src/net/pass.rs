//! One window forward, with the losses, and backward.

use gatelet::net::Kind;

use super::common::{Gradient, Sink, multiply};
use super::given::{See, Seen};
use super::packs::{Linear, Pack, Packs};
use super::shard::{Shard, Tape, Work};
use super::tensors::Role;
use super::{add, dense, embedding};
use crate::engine::Engine;

impl<F: Engine> Shard<F> {
    /// Runs the window forward. For a `scale` other than 0 it leaves the outputs' part of the
    /// gradient of `scale` times the loss, for [`Shard::backward`].
    ///
    /// Returns the sum of the losses in nats.
    pub fn forward(&mut self, packs: &Packs<F>, scale: F) -> f64 {
        self.run(packs, scale, None)
    }

    /// The same, with a look at what the net gives: scores, or values.
    pub fn forward_seen(
        &mut self,
        packs: &Packs<F>,
        scale: F,
        see: &mut dyn FnMut(Seen<'_, F>),
    ) -> f64 {
        self.run(packs, scale, Some(see))
    }

    fn run(&mut self, packs: &Packs<F>, scale: F, mut see: Option<See<'_, F>>) -> f64 {
        let narrow = packs.qat.is_some();
        if narrow != self.narrow {
            self.narrow = narrow;
            self.make_room();
        }
        self.gradients.iter_mut().for_each(|of| of.written = false);
        self.tables.fill(false);
        let (mut loss, mut layers) = (0.0, 0);
        for (index, pack) in packs.operations.iter().enumerate() {
            let (below, here) = self.works.split_at_mut(index);
            let Work {
                kind,
                operand,
                tape,
                ..
            } = &mut here[0];
            operand.gather(below, &self.features);
            let x = operand.read(below, &self.features);
            let common = &mut self.common;
            let mut is_head = false;
            match (tape, pack) {
                (Tape::Recurrent(tape), Pack::Recurrent(pack)) => {
                    let qat = packs.qat.as_ref().map(|qat| &qat.layers[layers]);
                    layers += 1;
                    tape.forward(common, pack, qat, x);
                }
                (Tape::Value(value), Pack::Table(table)) => {
                    embedding::forward(common, table, kind.units(), value);
                }
                (Tape::Value(value), Pack::Nothing) => {
                    let (a, b) = operand.both(below, &self.features);
                    add::forward(a, b, value);
                }
                (Tape::Value(value), Pack::Dense(linear)) => {
                    let device = packs.qat.as_ref().and_then(|a| a.projection.as_ref());
                    match device {
                        None => linear.apply(x, value, &mut common.scratch),
                        Some(device) => {
                            device.project(common.arch, x, value, &mut common.scratch);
                        }
                    }
                }
                (Tape::Head(_), Pack::Dense(linear)) => {
                    is_head = true;
                    loss += self.run_head(index, (packs, linear), scale, &mut see);
                }
                _ => {}
            }
            if !is_head {
                loss += self.run_outputs(index, scale, &mut see);
            }
        }
        loss
    }

    /// The outputs that are what operation `index` has made, and its activation.
    fn run_outputs(&mut self, index: usize, scale: F, see: &mut Option<See<'_, F>>) -> f64 {
        let (arch, mut loss) = (self.common.arch, 0.0);
        let Work { kind, tape, .. } = &mut self.works[index];
        let all = self.given.iter_mut().enumerate().zip(&self.targets);
        for ((output, given), targets) in all.filter(|of| of.0.1.operation == index) {
            given.z.copy_from_slice(tape.value());
            let steps = given.z.len() / given.width;
            loss += given.apply((arch, output), targets, (0, steps), scale, see);
        }
        if let (Kind::Dense { activation, .. }, Tape::Value(value)) = (kind, tape) {
            dense::activate(arch, *activation, value);
        }
        loss
    }

    /// A head over the window, and for a `scale` other than 0 its gradients and that of what it
    /// reads.
    fn run_head(
        &mut self,
        index: usize,
        (packs, linear): (&Packs<F>, &Linear<F>),
        scale: F,
        see: &mut Option<See<'_, F>>,
    ) -> f64 {
        let (below, here) = self.works.split_at_mut(index);
        let Work {
            tied,
            operand,
            tape: Tape::Head(output),
            ..
        } = &mut here[0]
        else {
            return 0.0;
        };
        let (common, output) = (&mut self.common, *output);
        let (given, targets) = (&mut self.given[output], &self.targets[output]);
        let units = given.width;
        let (x, mut sink) = operand.both_ways(below, &self.features, &mut self.gradients);
        let steps = common.rows * common.window;
        let width = x.len() / steps;
        let block = given.z.len() / units;
        let add_table = tied.is_some_and(|table| self.tables[table]);
        let range = packs
            .qat
            .as_ref()
            .map_or(1.0, |qat| qat.scheme.ranges.projection);
        let mut loss = 0.0;
        for first in (0..steps).step_by(block) {
            let count = block.min(steps - first);
            let x = &x[first * width..][..count * width];
            let z = &mut given.z[..count * units];
            match &packs.qat {
                None => linear.apply(x, z, &mut common.scratch),
                Some(qat) => qat.head.logits(common.arch, x, z, &mut common.scratch),
            }
            let of = (common.arch, output);
            loss += given.apply(of, targets, (first, count), scale, see);
            if scale == F::zero() {
                continue;
            }
            let dx = sink.as_mut().map(|sink| Sink {
                dx: &mut sink.dx[first * width..][..count * width],
                add: sink.add,
            });
            let add = first > 0;
            let [d_weight, d_bias] = self.gradient.both_mut(index, [Role::Weight, Role::Bias]);
            let dz = &given.z[..count * units];
            dense::gradients(
                common,
                linear,
                (x, dz),
                (d_weight, add || add_table),
                (d_bias, add),
                dx,
            );
        }
        if scale != F::zero() {
            // Nothing but a model of words for a device has another range than 1, and one head.
            multiply(self.gradient.tensor_mut(index, Role::Weight), range);
            if let Some(table) = *tied {
                self.tables[table] = true;
            }
            operand.distribute(&mut self.gradients);
        }
        loss
    }

    /// Backward through the window of the last [`Shard::forward`], whose scale was not 0; fills
    /// [`Shard::gradient`].
    pub fn backward(&mut self, packs: &Packs<F>) {
        for (index, pack) in packs.operations.iter().enumerate().rev() {
            let (below, here) = self.works.split_at_mut(index);
            let Work {
                kind,
                tied,
                operand,
                tape,
            } = &mut here[0];
            if let Tape::Head(_) = tape {
                continue;
            }
            let (gradients, own) = self.gradients.split_at_mut(index);
            let Gradient {
                numbers: d,
                written,
            } = &mut own[0];
            if let (Kind::Dense { activation, .. }, Tape::Value(y), true) =
                (*kind, &*tape, *written)
            {
                dense::backward(activation, y, d);
            }
            for given in self.given.iter().filter(|of| of.operation == index) {
                add::backward(&given.z, std::mem::replace(written, true), d);
            }
            if !*written {
                self.gradient.clear(index, !self.tables[index]);
                continue;
            }
            let common = &mut self.common;
            match (tape, pack) {
                (Tape::Recurrent(tape), Pack::Recurrent(pack)) => {
                    let of_embedding = packs.qat.as_ref().filter(|_| operand.reads_table(below));
                    let range = of_embedding.map_or(1.0, |qat| qat.scheme.ranges.embedding);
                    let (x, sink) = operand.both_ways(below, &self.features, gradients);
                    let gradient = (&mut self.gradient, index);
                    tape.backward(common, pack, (x, d), gradient, (sink, range));
                }
                (Tape::Value(_), Pack::Table(_)) => {
                    let d_table = self.gradient.tensor_mut(index, Role::Table);
                    embedding::backward(common, d, kind.units(), self.tables[index], d_table);
                }
                (Tape::Value(_), Pack::Nothing) => {
                    operand.each(gradients, |sink| add::backward(d, sink.add, sink.dx));
                }
                (Tape::Value(_), Pack::Dense(linear)) => {
                    let (x, sink) = operand.both_ways(below, &self.features, gradients);
                    let add = tied.is_some_and(|t| std::mem::replace(&mut self.tables[t], true));
                    let [d_weight, d_bias] =
                        self.gradient.both_mut(index, [Role::Weight, Role::Bias]);
                    dense::gradients(
                        common,
                        linear,
                        (x, d),
                        (d_weight, add),
                        (d_bias, false),
                        sink,
                    );
                }
                _ => {}
            }
            operand.distribute(gradients);
        }
    }
}
