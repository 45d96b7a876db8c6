//! A step of a session: the layers and the head, in the order in which their weights are best read.
//!
//! ```text
//! one layer, with room for sums     cells, from the sums | head, product of the new h
//!                                   cells, from the sums | product of the new h, head      and in turn
//! several layers, with room         what the last layer's own h multiplies ahead | layers | head
//! without                           layers | head
//! ```
//!
//! The product of h belongs to the next step, but waits for nothing of it, and so for no token: done at once, in turn before and after the
//! head and from one end and the other, a step begins with the weights that the last one read last, and its cells wait for nothing.

use bytemuck::{AnyBitPattern, NoUninit};

use super::{Session, copy_hidden, embed, operands, row_of, shape};
use crate::dims::Dims;
use crate::kernel::{Kernel, StreamF32, StreamInt8};
use crate::layer::Layer;
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
    /// Takes a token in: the state after it, and its logits.
    pub(super) fn go(&mut self, id: TokenId) {
        let one = self.model.dims().layers == 1;
        let ahead = K::AHEAD && !self.ahead.is_empty();
        if one || ahead {
            self.kernel = self.kernel.turned();
        }
        if one && ahead {
            return self.go_apart(id);
        }
        self.advance(id, ahead);
        self.compute_logits();
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
            self.advance(id, false);
            return self.compute_logits();
        }
        if self.sums == Sums::Old {
            self.multiply();
        }
        self.sums = Sums::Ready;
        self.update(id);
        if self.kernel.is_turned() {
            self.multiply();
            self.compute_logits();
        } else {
            self.compute_logits();
            self.multiply();
        }
    }

    /// The product of h with the weights of a layer that stands alone.
    fn multiply(&mut self) {
        let dims = shape::<K>(&self.model);
        match self.model.layers.first() {
            Some(Layer::F32(layer)) => {
                let parts: Parts<'_, f32, f32, f32> = state::split(&dims, self.storage);
                self.kernel
                    .products_f32(layer, parts.inputs, sums(self.ahead));
            }
            Some(Layer::Int8(layer)) => {
                let parts: Parts<'_, i8, i16, i32> = state::split(&dims, self.storage);
                self.kernel
                    .products_int8(layer, parts.inputs, sums(self.ahead));
            }
            None => {}
        }
    }

    /// The new state of a layer that stands alone, from its product.
    fn update(&mut self, id: TokenId) {
        let dims = shape::<K>(&self.model);
        let token = row_of(&dims, id);
        match self.model.layers.first() {
            Some(Layer::F32(layer)) => {
                let parts: Parts<'_, f32, f32, f32> = state::split(&dims, self.storage);
                let (addend, x) = (layer.addend(token), &[][..]);
                let (c, next) = (units(&dims, parts.cell), units(&dims, parts.inputs));
                let stream = StreamF32 { addend, x, c, next };
                self.kernel.cells_f32(layer, stream, sums(self.ahead));
            }
            Some(Layer::Int8(layer)) => {
                let parts: Parts<'_, i8, i16, i32> = state::split(&dims, self.storage);
                let stream = StreamInt8 {
                    addend: layer.addend(token),
                    x: &[],
                    c: units(&dims, parts.cell),
                    next: units(&dims, parts.inputs),
                    correction: 0,
                };
                self.kernel.cells_int8(layer, stream, sums(self.ahead));
            }
            None => {}
        }
    }

    /// The part of the last layer's step that waits for no other layer.
    fn begin_last(&mut self) {
        let dims = shape::<K>(&self.model);
        let last = dims.layers - 1;
        match self.model.layers.get(last) {
            Some(Layer::F32(layer)) => {
                let parts: Parts<'_, f32, f32, f32> = state::split(&dims, self.storage);
                let (x, _) = operands(&dims, last, parts.inputs, parts.cell);
                let h = x.get(layer.columns / 2..).unwrap_or_default();
                self.kernel.begin_f32(layer, h, sums(self.ahead));
            }
            Some(Layer::Int8(layer)) => {
                let parts: Parts<'_, i8, i16, i32> = state::split(&dims, self.storage);
                let (x, _) = operands(&dims, last, parts.inputs, parts.cell);
                let h = x.get(layer.columns / 2..).unwrap_or_default();
                self.kernel.begin_int8(layer, h, sums(self.ahead));
            }
            None => {}
        }
    }

    /// h and c of every layer from the token's row upwards.
    fn advance(&mut self, id: TokenId, ahead: bool) {
        let dims = shape::<K>(&self.model);
        embed(&self.model, &dims, id, self.storage);
        let mut token = row_of(&dims, id);
        if ahead {
            self.begin_last();
        }
        for (index, layer) in self.model.layers.iter().enumerate().take(dims.layers) {
            match layer {
                Layer::F32(layer) => {
                    let parts: Parts<'_, f32, f32, f32> = state::split(&dims, self.storage);
                    let (x, c) = operands(&dims, index, parts.inputs, parts.cell);
                    let addend = layer.addend(token);
                    if ahead && index + 1 == dims.layers {
                        let next = &mut *parts.next;
                        let stream = StreamF32 { addend, x, c, next };
                        self.kernel.finish_f32(layer, stream, sums(self.ahead));
                    } else {
                        self.kernel.layer_f32(layer, addend, x, c, parts.next);
                    }
                    copy_hidden(&dims, index, parts.next, parts.inputs);
                }
                Layer::Int8(layer) => {
                    let parts: Parts<'_, i8, i16, i32> = state::split(&dims, self.storage);
                    let (x, c) = operands(&dims, index, parts.inputs, parts.cell);
                    let addend = layer.addend(token);
                    if ahead && index + 1 == dims.layers {
                        let next = &mut *parts.next;
                        let stream = StreamInt8 {
                            addend,
                            x,
                            c,
                            next,
                            correction: 0,
                        };
                        self.kernel.finish_int8(layer, stream, sums(self.ahead));
                    } else {
                        self.kernel.layer_int8(layer, addend, x, c, parts.next);
                    }
                    copy_hidden(&dims, index, parts.next, parts.inputs);
                }
            }
            token = None;
        }
    }
}

/// Where sums are kept, if the kernel computes products ahead and `rest` is long enough.
pub(super) fn room_ahead<'s, K: Kernel>(
    model: &Model<'_>,
    kernel: K,
    rest: &'s mut [u32],
) -> &'s mut [u32] {
    let dims = model.dims();
    let last = model.layers.get(dims.layers - 1);
    match K::AHEAD && last.is_some_and(|layer| kernel.goes_ahead(layer)) {
        true => rest.get_mut(..dims.ahead_words()).unwrap_or_default(),
        false => &mut [],
    }
}

/// The numbers of a lone layer's units, without padding; of an RNN's c, none.
fn units<'a, T>(dims: &Dims, numbers: &'a mut [T]) -> &'a mut [T] {
    numbers.get_mut(..dims.hidden).unwrap_or_default()
}

/// Words seen as sums.
fn sums<T: AnyBitPattern + NoUninit>(words: &mut [u32]) -> &mut [T] {
    bytemuck::try_cast_slice_mut(words).unwrap_or_default()
}
