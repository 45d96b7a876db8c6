//! One stream's step of an LSTM of few tiles, in f32: all tiles side by side, where registers hold their sums, so that every
//! number of x is read once. The additions are those of a layer of many tiles, and so are the bits.

use gatelet_simd::Simd;

use super::{GATES, both_f32, from, from_mut, runs_f32, vectors};
use crate::kernel::StreamF32;
use crate::weights::layer::{Fused, LayerF32};

/// One step of a layer. `B`: as in [`layer_f32`](super::layer_f32), at least 2.
#[inline(always)]
pub(crate) fn layer_f32<V: Simd<U>, const U: usize, const B: usize>(
    v: V,
    backward: bool,
    layer: &LayerF32<'_>,
    stream: StreamF32<'_>,
) {
    match (layer.cell, layer.hidden.div_ceil(U)) {
        (Fused::Lstm, 1) => tiles::<V, U, 1>(v, layer, stream),
        (Fused::Lstm, 2) if V::REGISTERS >= 32 => tiles::<V, U, 2>(v, layer, stream),
        (Fused::Lstm, 3) if V::REGISTERS >= 32 => tiles::<V, U, 3>(v, layer, stream),
        _ => super::layer_f32::<V, U, B>(v, backward, layer, &mut [stream]),
    }
}

/// An LSTM of `T` tiles.
#[inline(always)]
fn tiles<V: Simd<U>, const U: usize, const T: usize>(
    v: V,
    layer: &LayerF32<'_>,
    stream: StreamF32<'_>,
) {
    let (of_column, below) = (GATES * U, layer.below());
    let (mut low, mut own) = ([&[][..]; T], [&[][..]; T]);
    for (index, (low, own)) in low.iter_mut().zip(&mut own).enumerate() {
        *low = from(layer.weights.weights, of_column * index * layer.columns);
        *own = from(low, of_column * below);
    }
    let Some((x_low, x_own)) = stream.x.split_at_checked(below) else {
        return;
    };
    let mut z = [[v.splat_f32(0.0); GATES]; T];
    if below > 0 {
        z = runs_f32::<V, U, GATES, GATES, 2, T>(v, low, x_low);
    }
    let found = runs_f32::<V, U, GATES, GATES, 2, T>(v, own, x_own);
    let mut c = [v.splat_f32(0.0); T];
    for (index, ((z, found), c)) in z.iter_mut().zip(found).zip(&mut c).enumerate() {
        let Some(addends) = vectors::<f32, U, GATES>(stream.addend, index) else {
            return;
        };
        let products = match below {
            0 => found,
            _ => both_f32(v, *z, found),
        };
        for (z, (addend, product)) in z.iter_mut().zip(addends.iter().zip(products)) {
            *z = v.add_f32(v.load_f32(addend), product);
        }
        *c = v.load_part_f32(from(stream.c, index * U));
    }
    let [c, h] = v.lstm_f32(z, c);
    for (index, (c, h)) in c.into_iter().zip(h).enumerate() {
        v.store_part_f32(h, from_mut(stream.next, index * U));
        v.store_part_f32(c, from_mut(stream.c, index * U));
    }
}
