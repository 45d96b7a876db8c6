//! A step of a session: the operations, in the order in which their weights are best read.
//!
//! ```text
//! one layer, with room for sums     cells, from the sums | head, product of the new h
//!                                   cells, from the sums | product of the new h, head      and in turn
//! several layers, with room         what the last layer's own h multiplies ahead | layers | head
//! without, and any other net        operation after operation
//! ```
//!
//! The product of h belongs to the next step, but waits for nothing of it, and so for no token: done at
//! once, in turn before and after the head and from one end and the other, a step begins with the
//! weights that the last one read last, and its cells wait for nothing. This is for hosts, and for nets
//! that [`Net::is_pipelined`](crate::net::Net::is_pipelined) says it is for.

use bytemuck::{AnyBitPattern, NoUninit};

use super::{Session, copy, operations};
use crate::kernel::{Kernel, StreamF32, StreamInt8};
use crate::layer::Weights;
use crate::model::Model;
use crate::state::{self, Parts};
use crate::vocab::TokenId;

/// What a session of one layer has in its words for sums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sums {
    /// The product of the state's h.
    Ready,
    /// That of an h before.
    Old,
    /// The state is another one, and perhaps for one step only: its product is not worth keeping.
    Restored,
}

impl<K: Kernel> Session<'_, '_, K> {
    /// Takes an input in: the state after it, and its outputs. Features stand where they are read.
    pub(super) fn go(&mut self, token: Option<TokenId>) {
        if !K::AHEAD {
            return operations::step(self.model, self.kernel, token, self.storage);
        }
        let one = self.model.net.recurrent_count() == 1;
        let ahead = !self.ahead.is_empty();
        if one || ahead {
            self.kernel = self.kernel.turned();
        }
        match token {
            Some(id) if ahead && one => self.go_apart(id),
            Some(id) if ahead => self.go_ahead(id),
            _ => operations::step(self.model, self.kernel, token, self.storage),
        }
    }

    /// The words for sums hold nothing of this state.
    pub(super) fn forget_sums(&mut self) {
        if K::AHEAD {
            self.sums = Sums::Restored;
        }
    }

    /// A step of a layer that stands alone.
    fn go_apart(&mut self, id: TokenId) {
        if self.sums == Sums::Restored {
            self.sums = Sums::Old;
            return operations::step(self.model, self.kernel, Some(id), self.storage);
        }
        if self.sums == Sums::Old {
            self.multiply();
        }
        self.sums = Sums::Ready;
        self.update(id);
        if self.kernel.is_turned() {
            self.multiply();
            self.compute_outputs();
        } else {
            self.compute_outputs();
            self.multiply();
        }
    }

    /// The product of h with the weights of a layer that stands alone.
    fn multiply(&mut self) {
        match &self.model.weights_for::<K>(0) {
            Weights::CellF32(layer) => {
                let parts: Parts<'_, f32, f32, f32> = state::split(&self.model.plan, self.storage);
                let h = parts.values.get(..layer.columns).unwrap_or_default();
                self.kernel.products_f32(layer, h, sums(self.ahead));
            }
            Weights::CellInt8(layer) => {
                let parts: Parts<'_, i8, i16, i32> = state::split(&self.model.plan, self.storage);
                let h = parts.values.get(..layer.columns).unwrap_or_default();
                self.kernel.products_int8(layer, h, sums(self.ahead));
            }
            _ => {}
        }
    }

    /// The new state of a layer that stands alone, from its product.
    fn update(&mut self, id: TokenId) {
        let token = Some(id);
        match &self.model.weights_for::<K>(0) {
            Weights::CellF32(layer) => {
                let parts: Parts<'_, f32, f32, f32> = state::split(&self.model.plan, self.storage);
                let (addend, x) = (layer.addend(token), &[][..]);
                let (c, next) = (
                    units(layer.hidden, parts.cells),
                    units(layer.hidden, parts.values),
                );
                let stream = StreamF32 { addend, x, c, next };
                self.kernel.cells_f32(layer, stream, sums(self.ahead));
            }
            Weights::CellInt8(layer) => {
                let parts: Parts<'_, i8, i16, i32> = state::split(&self.model.plan, self.storage);
                let stream = StreamInt8 {
                    addend: layer.addend(token),
                    x: &[],
                    c: units(layer.hidden, parts.cells),
                    next: units(layer.hidden, parts.values),
                    correction: 0,
                };
                self.kernel.cells_int8(layer, stream, sums(self.ahead));
            }
            _ => {}
        }
    }

    /// A step of several layers of one size.
    fn go_ahead(&mut self, id: TokenId) {
        let last = self.model.net.recurrent_count() - 1;
        let plan = &self.model.plan;
        let place = plan.at(last);
        match &self.model.weights_for::<K>(last) {
            Weights::CellF32(layer) => {
                let parts: Parts<'_, f32, f32, f32> = state::split(plan, self.storage);
                let x = parts.values.get(place.x..place.x + place.columns);
                let h = x.unwrap_or_default().get(layer.columns / 2..);
                let h = h.unwrap_or_default();
                self.kernel.begin_f32(layer, h, sums(self.ahead));
                operations::run(self.model, self.kernel, Some(id), self.storage, 0..last);
                let parts: Parts<'_, f32, f32, f32> = state::split(plan, self.storage);
                let x = parts.values.get(place.x..place.x + place.columns);
                let end = place.cell.saturating_add(layer.hidden);
                let stream = StreamF32 {
                    addend: layer.addend(None),
                    x: x.unwrap_or_default(),
                    c: parts.cells.get_mut(place.cell..end).unwrap_or_default(),
                    next: parts.next,
                };
                self.kernel.finish_f32(layer, stream, sums(self.ahead));
            }
            Weights::CellInt8(layer) => {
                let parts: Parts<'_, i8, i16, i32> = state::split(plan, self.storage);
                let x = parts.values.get(place.x..place.x + place.columns);
                let h = x.unwrap_or_default().get(layer.columns / 2..);
                let h = h.unwrap_or_default();
                self.kernel.begin_int8(layer, h, sums(self.ahead));
                operations::run(self.model, self.kernel, Some(id), self.storage, 0..last);
                let parts: Parts<'_, i8, i16, i32> = state::split(plan, self.storage);
                let x = parts.values.get(place.x..place.x + place.columns);
                let end = place.cell.saturating_add(layer.hidden);
                let stream = StreamInt8 {
                    addend: layer.addend(None),
                    x: x.unwrap_or_default(),
                    c: parts.cells.get_mut(place.cell..end).unwrap_or_default(),
                    next: parts.next,
                    correction: 0,
                };
                self.kernel.finish_int8(layer, stream, sums(self.ahead));
            }
            _ => {}
        }
        self.keep_last(last);
        self.compute_outputs();
    }

    /// Puts the new h of operation `last` in the place of the old one.
    fn keep_last(&mut self, last: usize) {
        let (plan, net) = (&self.model.plan, &self.model.net);
        let (first, units) = (
            plan.at(last).value,
            net.recurrent(last).map_or(0, |of| of.units),
        );
        match net.precision {
            crate::net::Precision::F32 => {
                let parts: Parts<'_, f32, f32, f32> = state::split(plan, self.storage);
                let new = parts.next.get(..units).unwrap_or_default();
                copy(
                    new,
                    parts
                        .values
                        .get_mut(first..first + units)
                        .unwrap_or_default(),
                );
            }
            crate::net::Precision::Int8 => {
                let parts: Parts<'_, i8, i16, i32> = state::split(plan, self.storage);
                let new = parts.next.get(..units).unwrap_or_default();
                copy(
                    new,
                    parts
                        .values
                        .get_mut(first..first + units)
                        .unwrap_or_default(),
                );
            }
        }
    }
}

/// Where sums are kept, if the net is one for it, the kernel computes products ahead, and `rest` is long
/// enough.
pub(super) fn room_ahead<'s, K: Kernel>(
    model: &Model<'_>,
    kernel: K,
    rest: &'s mut [u32],
) -> &'s mut [u32] {
    if !K::AHEAD {
        return &mut [];
    }
    let net = &model.net;
    let last = net.operation(net.recurrent_count().saturating_sub(1));
    let whole = last.is_some_and(|operation| operation.bits == 8);
    match whole && net.is_pipelined() && kernel.goes_ahead(model.layout()) {
        true => rest.get_mut(..net.pipeline_words()).unwrap_or_default(),
        false => &mut [],
    }
}

/// The numbers of a lone layer's units, without padding; of an RNN's c, none.
fn units<T>(units: usize, numbers: &mut [T]) -> &mut [T] {
    numbers.get_mut(..units).unwrap_or_default()
}

/// Words seen as sums.
fn sums<T: AnyBitPattern + NoUninit>(words: &mut [u32]) -> &mut [T] {
    bytemuck::try_cast_slice_mut(words).unwrap_or_default()
}
