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

use super::{Session, operations};
use crate::image::model::Model;
use crate::kernel::copy;
use crate::kernel::{Kernel, StreamF32, StreamInt8};
use crate::net::Precision;
use crate::net::TokenId;
use crate::session::schedule::{Schedule, Sums};
use crate::session::state::{self, Parts};
use crate::weights::layer::{LayerF32, LayerInt8, Weights};

impl<K: Kernel> Session<'_, '_, K> {
    /// Takes an input in: the state after it, and its outputs. Features stand where they are read.
    pub(super) fn go(&mut self, token: Option<TokenId>) {
        if K::PIPELINED && self.schedule != Schedule::Plain {
            self.kernel = self.kernel.reversed();
            match (token, self.schedule, self.model.net.precision) {
                (Some(id), Schedule::Alone, Precision::F32) => return self.go_two_pass::<F32>(id),
                (Some(id), Schedule::Alone, Precision::Int8) => {
                    return self.go_two_pass::<Int8>(id);
                }
                (Some(id), Schedule::Stacked { last }, Precision::F32) => {
                    return self.go_pipelined::<F32>(id, last.into());
                }
                (Some(id), Schedule::Stacked { last }, Precision::Int8) => {
                    return self.go_pipelined::<Int8>(id, last.into());
                }
                _ => {}
            }
        }
        operations::step(self.model, &self.kept, self.kernel, token, self.storage);
    }

    /// The words for sums hold nothing of this state.
    pub(super) fn forget_sums(&mut self) {
        if K::PIPELINED {
            self.sums = Sums::Restored;
        }
    }

    /// A step of a layer that stands alone.
    #[inline(always)]
    fn go_two_pass<N: Numbers>(&mut self, id: TokenId) {
        if self.sums == Sums::Restored {
            self.sums = Sums::Old;
            return operations::step(self.model, &self.kept, self.kernel, Some(id), self.storage);
        }
        let (model, kernel) = (self.model, self.kernel);
        let weights = model.weights_in::<K>(0, N::PRECISION);
        let Some(layer) = N::layer(&weights) else {
            return;
        };
        let (units, columns) = N::sizes(layer);
        let mut parts = N::split(model, self.storage);
        let sums = numbers(self.pipeline);
        if self.sums == Sums::Old {
            N::products(kernel, layer, h(&parts, 0, columns), sums);
        }
        self.sums = Sums::Ready;
        // Sums stand apart from h, so that the new h can go over the old one.
        let c = parts.cells.get_mut(..units).unwrap_or_default();
        let next = parts.values.get_mut(..units).unwrap_or_default();
        N::cells(kernel, layer, (Some(id), &[], c, next), sums);
        if kernel.is_reversed() {
            N::products(kernel, layer, h(&parts, 0, columns), sums);
        }
        for index in 1..model.net.len() {
            N::operation(model, kernel, &mut parts, index);
        }
        if !kernel.is_reversed() {
            N::products(kernel, layer, h(&parts, 0, columns), sums);
        }
        operations::finish::<K>(model, self.storage);
    }

    /// A step of several layers of one size, of which operation `last` is the last.
    #[inline(always)]
    fn go_pipelined<N: Numbers>(&mut self, id: TokenId, last: usize) {
        let (model, kernel) = (self.model, self.kernel);
        let weights = model.weights_in::<K>(last, N::PRECISION);
        let Some(layer) = N::layer(&weights) else {
            return;
        };
        let (units, columns) = N::sizes(layer);
        let place = model.plan.at(last);
        let mut parts = N::split(model, self.storage);
        let sums = numbers(self.pipeline);
        let own = h(&parts, place.x, columns).get(columns / 2..);
        N::begin(kernel, layer, own.unwrap_or_default(), sums);
        operations::run(model, kernel, Some(id), self.storage, 0..last);
        parts = N::split(model, self.storage);
        let x = parts.values.get(place.x..place.x + columns);
        let end = place.cell.saturating_add(units);
        let c = parts.cells.get_mut(place.cell..end).unwrap_or_default();
        N::finish(
            kernel,
            layer,
            (None, x.unwrap_or_default(), c, parts.next),
            sums,
        );
        let new = parts.next.get(..units).unwrap_or_default();
        let old = parts.values.get_mut(place.value..place.value + units);
        copy(new, old.unwrap_or_default());
        for index in last + 1..model.net.len() {
            N::operation(model, kernel, &mut parts, index);
        }
        operations::finish::<K>(model, self.storage);
    }
}

/// A stream's part in a layer's step: the token that the layer reads, if it reads one, its operand, c,
/// and the new h.
type Stream<'a, N> = (
    Option<TokenId>,
    &'a [<N as Numbers>::H],
    &'a mut [<N as Numbers>::C],
    &'a mut [<N as Numbers>::H],
);

/// A session's storage in the numbers of a precision.
type Storage<'a, N> = Parts<'a, <N as Numbers>::H, <N as Numbers>::C, <N as Numbers>::L>;

/// The operand of a layer: `columns` numbers of the values.
#[inline(always)]
fn h<'p, H, C, L>(parts: &'p Parts<'_, H, C, L>, first: usize, columns: usize) -> &'p [H] {
    let of = parts.values.get(first..first + columns);
    of.unwrap_or_default()
}

/// What a step does on the numbers of one precision.
trait Numbers: Sized {
    const PRECISION: Precision;
    type H: AnyBitPattern + NoUninit;
    type C: AnyBitPattern + NoUninit;
    type L: AnyBitPattern + NoUninit;
    type Layer<'a>;

    fn layer<'w, 'a>(weights: &'w Weights<'a>) -> Option<&'w Self::Layer<'a>>;

    /// Units and padded columns.
    fn sizes(layer: &Self::Layer<'_>) -> (usize, usize);

    #[inline(always)]
    fn split<'s>(model: &Model<'_>, storage: &'s mut [u32]) -> Storage<'s, Self> {
        state::split(&model.plan, storage)
    }

    fn products<K: Kernel>(kernel: K, layer: &Self::Layer<'_>, h: &[Self::H], sums: &mut [Self::L]);

    fn cells<K: Kernel>(
        kernel: K,
        layer: &Self::Layer<'_>,
        stream: Stream<'_, Self>,
        sums: &mut [Self::L],
    );

    fn begin<K: Kernel>(kernel: K, layer: &Self::Layer<'_>, h: &[Self::H], sums: &mut [Self::L]);

    fn finish<K: Kernel>(
        kernel: K,
        layer: &Self::Layer<'_>,
        stream: Stream<'_, Self>,
        sums: &mut [Self::L],
    );

    /// An operation that reads no token.
    fn operation<K: Kernel>(
        model: &Model<'_>,
        kernel: K,
        parts: &mut Storage<'_, Self>,
        index: usize,
    );
}

/// Implements [`Numbers`] for a precision: its numbers h, c and sums, and where its kernels and
/// operations are.
macro_rules! numbers {
    ($name:ident: $h:ty, $c:ty, $l:ty, $layer:ident, $variant:ident,
     $products:ident, $cells:ident, $begin:ident, $finish:ident, $operation:ident,
     $stream:ident { $($more:ident: $value:expr)? }) => {
        struct $name;

        impl Numbers for $name {
            const PRECISION: Precision = Precision::$name;
            type H = $h;
            type C = $c;
            type L = $l;
            type Layer<'a> = $layer<'a>;

            #[inline(always)]
            fn layer<'w, 'a>(weights: &'w Weights<'a>) -> Option<&'w $layer<'a>> {
                match weights {
                    Weights::$variant(layer) => Some(layer),
                    _ => None,
                }
            }

            #[inline(always)]
            fn sizes(layer: &$layer<'_>) -> (usize, usize) {
                (layer.hidden, layer.columns)
            }

            #[inline(always)]
            fn products<K: Kernel>(kernel: K, layer: &$layer<'_>, h: &[$h], sums: &mut [$l]) {
                kernel.$products(layer, h, sums);
            }

            #[inline(always)]
            fn cells<K: Kernel>(
                kernel: K,
                layer: &$layer<'_>,
                (token, x, c, next): Stream<'_, Self>,
                sums: &mut [$l],
            ) {
                let addend = layer.addend(token);
                let stream = $stream { addend, x, c, next $(, $more: $value)? };
                kernel.$cells(layer, stream, sums);
            }

            #[inline(always)]
            fn begin<K: Kernel>(kernel: K, layer: &$layer<'_>, h: &[$h], sums: &mut [$l]) {
                kernel.$begin(layer, h, sums);
            }

            #[inline(always)]
            fn finish<K: Kernel>(
                kernel: K,
                layer: &$layer<'_>,
                (token, x, c, next): Stream<'_, Self>,
                sums: &mut [$l],
            ) {
                let addend = layer.addend(token);
                let stream = $stream { addend, x, c, next $(, $more: $value)? };
                kernel.$finish(layer, stream, sums);
            }

            #[inline(always)]
            fn operation<K: Kernel>(
                model: &Model<'_>,
                kernel: K,
                parts: &mut Storage<'_, Self>,
                index: usize,
            ) {
                operations::$operation(model, kernel, None, parts, index);
            }
        }
    };
}

numbers!(F32: f32, f32, f32, LayerF32, CellF32,
    products_f32, cells_f32, begin_f32, finish_f32, f32, StreamF32 {});
numbers!(Int8: i8, i16, i32, LayerInt8, CellInt8,
    products_int8, cells_int8, begin_int8, finish_int8, int8, StreamInt8 { correction: 0 });

/// Words seen as sums.
#[inline(always)]
fn numbers<T: AnyBitPattern + NoUninit>(words: &mut [u32]) -> &mut [T] {
    bytemuck::try_cast_slice_mut(words).unwrap_or_default()
}
