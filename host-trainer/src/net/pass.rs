//! One window forward, with the losses, and backward.

use gatelet::net::Kind;

use super::common::{Common, Gradient, Sink, multiply};
use super::given::{See, Seen};
use super::packs::{Linear, Pack, Packs};
use super::shard::{Shard, Tape, Work};
use super::tensors::Role;
use super::{add, dense, embedding};
use crate::engine::Engine;
use crate::net::device::qat::Device;

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
        if let Some(qat) = &packs.qat {
            qat.take_features(&self.features, &mut self.columns);
        }
        self.gradients.iter_mut().for_each(|of| of.written = false);
        self.tables.fill(false);
        let mut loss = 0.0;
        for (index, pack) in packs.operations.iter().enumerate() {
            let is_head = !self.run_operation(packs, index);
            loss += match pack {
                Pack::Dense(linear) if is_head => {
                    self.run_head(index, (packs, linear), scale, &mut see)
                }
                _ => self.run_outputs((packs, index), scale, &mut see),
            };
            // On the way back products read features as they are.
            let operand = &mut self.works[index].operand;
            if narrow && operand.is_gathered() && operand.reads_features() {
                let (below, here) = self.works.split_at_mut(index);
                here[0].operand.gather(below, &self.columns.straight);
            }
        }
        loss
    }

    /// Runs every operation but the heads, and asks nothing: of a net of real numbers.
    pub(super) fn record(&mut self, packs: &Packs<F>) {
        for index in 0..packs.operations.len() {
            if self.run_operation(packs, index) {
                self.run_outputs((packs, index), F::zero(), &mut None);
            }
        }
    }

    /// Runs an operation over the window; of a head, whose scores are not kept, it only gathers what
    /// it reads, and says so.
    fn run_operation(&mut self, packs: &Packs<F>, index: usize) -> bool {
        let pack = &packs.operations[index];
        let device = packs.qat.as_ref().map(|qat| &qat.operations[index]);
        let features = match device {
            None => &self.features[..],
            Some(_) => &self.columns.first,
        };
        let (below, here) = self.works.split_at_mut(index);
        let Work {
            kind,
            operand,
            tape,
            ..
        } = &mut here[0];
        operand.gather(below, features);
        let x = operand.read(below, features);
        let (common, second) = (&mut self.common, &self.columns.second[..]);
        match (tape, pack) {
            (Tape::Recurrent(tape), Pack::Recurrent(pack)) => {
                let qat = match device {
                    Some(Device::Recurrent(device)) => Some(device),
                    _ => None,
                };
                tape.forward(common, pack, qat, (x, second));
            }
            (Tape::Value(value), Pack::Table(table)) => {
                embedding::forward(common, table, kind.units(), value);
            }
            (Tape::Value(value), Pack::Nothing) => {
                let (a, b) = operand.both(below, features);
                match device {
                    Some(Device::Sum(device)) => device.apply(a, b, value),
                    _ => add::forward(a, b, value),
                }
            }
            (Tape::Value(value), Pack::Dense(linear)) => match device {
                Some(Device::Dense(device)) => {
                    let Common { sums, scratch, .. } = common;
                    device.sums((x, second), value, sums, scratch);
                    device.value(sums, value);
                }
                _ => linear.apply(x, value, &mut common.scratch),
            },
            _ => return false,
        }
        true
    }

    /// The outputs that are what operation `index` has made, and its activation.
    fn run_outputs(
        &mut self,
        (packs, index): (&Packs<F>, usize),
        scale: F,
        see: &mut Option<See<'_, F>>,
    ) -> f64 {
        let (arch, mut loss) = (self.common.arch, 0.0);
        let device = packs.qat.as_ref().map(|qat| &qat.operations[index]);
        let own = packs.qat.as_ref().map_or(1.0, |qat| qat.reads[index].own);
        let Work { kind, tape, .. } = &mut self.works[index];
        let all = self.given.iter_mut().enumerate().zip(&self.targets);
        for ((output, given), targets) in all.filter(|of| of.0.1.operation == index) {
            match device {
                Some(Device::Dense(device)) => given.take(device, &self.common.sums),
                _ => {
                    given.z.copy_from_slice(tape.value());
                    multiply(&mut given.z, own);
                }
            }
            let steps = given.z.len() / given.width;
            loss += given.apply((arch, output), targets, (0, steps), scale, see);
        }
        if let (Kind::Dense { activation, units }, Tape::Value(value), None) = (kind, tape, device)
        {
            dense::activate(arch, *activation, value, *units);
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
        let device = match packs.qat.as_ref().map(|qat| &qat.operations[index]) {
            Some(Device::Dense(device)) => Some(device),
            _ => None,
        };
        let (features, second) = match device {
            None => (&self.features[..], &[][..]),
            Some(_) => (&self.columns.first[..], &self.columns.second[..]),
        };
        let (x, mut sink) = operand.both_ways(below, features, &mut self.gradients);
        let steps = common.rows * common.window;
        let width = x.len() / steps;
        let block = given.z.len() / units;
        let add_table = tied.is_some_and(|table| self.tables[table]);
        let doubled = second.len() / steps;
        let reads = packs.qat.as_ref().map(|qat| &qat.reads[index]);
        if let (Some(reads), true, true) = (reads, add_table, scale != F::zero()) {
            reads.undo_columns(self.gradient.tensor_mut(index, Role::Weight));
        }
        let mut loss = 0.0;
        for first in (0..steps).step_by(block) {
            let count = block.min(steps - first);
            let x = &x[first * width..][..count * width];
            let second = &second[first * doubled..][..count * doubled];
            let z = &mut given.z[..count * units];
            let Common { sums, scratch, .. } = common;
            match device {
                None => linear.apply(x, z, scratch),
                Some(device) if device.is_activated() => {
                    device.sums((x, second), z, sums, scratch);
                    given.take(device, sums);
                }
                Some(device) => device.logits(common.arch, (x, second), z, scratch),
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
            if let Some(reads) = reads {
                reads.by_columns(self.gradient.tensor_mut(index, Role::Weight));
            }
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
        let features = match packs.qat {
            None => &self.features[..],
            Some(_) => &self.columns.straight,
        };
        for (index, pack) in packs.operations.iter().enumerate().rev() {
            let reads = packs.qat.as_ref().map(|qat| &qat.reads[index]);
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
            if let (Kind::Dense { activation, units }, Tape::Value(y), true) =
                (*kind, &*tape, *written)
            {
                dense::backward(activation, y, d, units);
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
                    let (x, sink) = operand.both_ways(below, features, gradients);
                    let gradient = (&mut self.gradient, index);
                    tape.backward(common, pack, (x, d), gradient, (sink, reads));
                }
                (Tape::Value(_), Pack::Table(_)) => {
                    let d_table = self.gradient.tensor_mut(index, Role::Table);
                    embedding::backward(common, d, kind.units(), self.tables[index], d_table);
                }
                (Tape::Value(_), Pack::Nothing) => {
                    operand.each(gradients, |sink| add::backward(d, sink.add, sink.dx));
                }
                (Tape::Value(_), Pack::Dense(linear)) => {
                    let (x, sink) = operand.both_ways(below, features, gradients);
                    let add = tied.is_some_and(|t| std::mem::replace(&mut self.tables[t], true));
                    let [d_weight, d_bias] =
                        self.gradient.both_mut(index, [Role::Weight, Role::Bias]);
                    if let (Some(reads), true) = (reads, add) {
                        reads.undo_columns(d_weight);
                    }
                    dense::gradients(
                        common,
                        linear,
                        (x, d),
                        (d_weight, add),
                        (d_bias, false),
                        sink,
                    );
                    if let Some(reads) = reads {
                        reads.by_columns(self.gradient.tensor_mut(index, Role::Weight));
                    }
                }
                _ => {}
            }
            operand.distribute(gradients);
        }
    }
}
