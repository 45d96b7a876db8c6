//! The tile kernels of `kernel/tile` as they are compiled for each instruction set of `gatelet-simd`.

#![allow(unsafe_code, reason = "instructions that not every machine has")]

use crate::kernel::tile::{self, pipelined, two_pass};
use crate::kernel::{Kernel, Portable, StreamF32, StreamInt8, sealed};
use crate::net::{Layout, Net};
use crate::weights::layer::{LayerF32, LayerInt8, ProductInt8, RecurrentF32};
use crate::weights::matrix::MatrixF32;

/// Methods of a kernel, each compiled for the instructions.
macro_rules! compiled {
    ($token:ident, $feature:meta, $(
        fn $name:ident($k:ident $(, $argument:ident: $type:ty)*) $(-> $result:ty)? $body:block
    )*) => {$(
        fn $name(self $(, $argument: $type)*) $(-> $result)? {
            #[$feature]
            fn run($k: $token $(, $argument: $type)*) $(-> $result)? $body
            // SAFETY: a value of the vectors' type exists only where the instructions do.
            #[allow(unused_unsafe, reason = "an architecture's baseline needs no proof")]
            unsafe { run(self $(, $argument)*) }
        }
    )*};
}

/// Makes a kernel of an instruction set's vectors: the tile kernel of `kernel/tile`, compiled for
/// those instructions. An image in another layout goes to the portable
/// kernel.
macro_rules! tile_kernel {
    ($(#[$meta:meta])* $token:ident: $vectors:ty, $name:literal, lanes: $lanes:literal,
     layout: $layout:ident, batch: $batch:literal, $feature:meta) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug)]
        pub struct $token {
            vectors: $vectors,
            /// Whether weights are read from the end.
            backward: bool,
        }

        impl $token {
            /// The kernel, if this machine has the instructions.
            pub fn new() -> Option<Self> {
                let vectors = <$vectors>::new()?;
                Some($token { vectors, backward: false })
            }
        }

        impl sealed::Sealed for $token {}

        impl Kernel for $token {
            const NAME: &'static str = $name;
            const PIPELINED: bool = true;

            fn layout(self, net: &Net) -> Layout {
                let _ = net;
                Layout::$layout
            }

            fn reversed(self) -> Self {
                $token { backward: !self.backward, ..self }
            }

            fn is_reversed(self) -> bool {
                self.backward
            }

            fn layer_int8(
                self,
                layer: &LayerInt8<'_>,
                addend: &[i16],
                x: &[i8],
                c: &mut [i16],
                next: &mut [i8],
            ) {
                let stream = StreamInt8 { addend, x, c, next, correction: 0 };
                self.layer_int8_batch(layer, &mut [stream]);
            }

            fn pipelines(self, layout: Layout) -> bool {
                layout == Layout::$layout
            }

            compiled! { $token, $feature,
                fn layer_f32(
                    k,
                    layer: &LayerF32<'_>,
                    addend: &[f32],
                    x: &[f32],
                    c: &mut [f32],
                    next: &mut [f32]
                ) {
                    if layer.weights.order.lanes() != $lanes {
                        return Portable.layer_f32(layer, addend, x, c, next);
                    }
                    let (v, stream) = (k.vectors, StreamF32 { addend, x, c, next });
                    tile::single::layer_f32::<_, $lanes, $batch>(v, k.backward, layer, stream);
                }

                fn layer_f32_batch(k, layer: &LayerF32<'_>, streams: &mut [StreamF32<'_>]) {
                    if layer.weights.order.lanes() != $lanes {
                        return Portable.layer_f32_batch(layer, streams);
                    }
                    tile::layer_f32::<_, $lanes, $batch>(k.vectors, k.backward, layer, streams);
                }

                fn layer_int8_batch(k, layer: &LayerInt8<'_>, streams: &mut [StreamInt8<'_>]) {
                    if layer.weights.order().lanes() != $lanes {
                        return Portable.layer_int8_batch(layer, streams);
                    }
                    tile::layer_int8::<_, $lanes, $batch>(k.vectors, k.backward, layer, streams);
                }

                fn products_f32(k, layer: &LayerF32<'_>, h: &[f32], sums: &mut [f32]) {
                    two_pass::products_f32::<_, $lanes>(k.vectors, k.backward, layer, h, sums);
                }

                fn cells_f32(k, layer: &LayerF32<'_>, stream: StreamF32<'_>, sums: &mut [f32]) {
                    let mut stream = stream;
                    two_pass::cells_f32::<_, $lanes>(k.vectors, layer, &mut stream, sums);
                }

                fn products_int8(k, layer: &LayerInt8<'_>, h: &[i8], sums: &mut [i32]) {
                    two_pass::products_int8::<_, $lanes>(k.vectors, k.backward, layer, h, sums);
                }

                fn cells_int8(k, layer: &LayerInt8<'_>, stream: StreamInt8<'_>, sums: &mut [i32]) {
                    let mut stream = stream;
                    two_pass::cells_int8::<_, $lanes>(k.vectors, layer, &mut stream, sums);
                }

                fn begin_f32(k, layer: &LayerF32<'_>, h: &[f32], sums: &mut [f32]) {
                    pipelined::begin_f32::<_, $lanes>(k.vectors, k.backward, layer, h, sums);
                }

                fn finish_f32(k, layer: &LayerF32<'_>, stream: StreamF32<'_>, sums: &mut [f32]) {
                    let (v, mut stream) = (k.vectors, stream);
                    pipelined::finish_f32::<_, $lanes>(v, k.backward, layer, &mut stream, sums);
                }

                fn begin_int8(k, layer: &LayerInt8<'_>, h: &[i8], sums: &mut [i32]) {
                    pipelined::begin_int8::<_, $lanes>(k.vectors, k.backward, layer, h, sums);
                }

                fn finish_int8(k, layer: &LayerInt8<'_>, stream: StreamInt8<'_>, sums: &mut [i32]) {
                    let (v, mut stream) = (k.vectors, stream);
                    pipelined::finish_int8::<_, $lanes>(v, k.backward, layer, &mut stream, sums);
                }

                fn add_products_f32(k, matrix: &MatrixF32<'_>, x: &[f32], sums: &mut [f32]) {
                    if matrix.order.lanes() != $lanes {
                        return Portable.add_products_f32(matrix, x, sums);
                    }
                    let (v, back) = (k.vectors, k.backward);
                    tile::add_products_f32::<_, $lanes>(v, back, matrix, None, x, sums);
                }

                fn add_products_int8(k, product: &ProductInt8<'_>, x: &[i8], sums: &mut [i32]) {
                    if product.weights.order().lanes() != $lanes {
                        return Portable.add_products_int8(product, x, sums);
                    }
                    let (v, back) = (k.vectors, k.backward);
                    tile::add_products_int8::<_, $lanes>(v, back, product, None, x, sums);
                }

                fn dense_f32(k, matrix: &MatrixF32<'_>, bias: &[f32], x: &[f32], y: &mut [f32]) {
                    if matrix.order.lanes() != $lanes {
                        return Portable.dense_f32(matrix, bias, x, y);
                    }
                    let (v, back) = (k.vectors, k.backward);
                    tile::add_products_f32::<_, $lanes>(v, back, matrix, Some(bias), x, y);
                }

                fn dense_int8(k, product: &ProductInt8<'_>, bias: &[i32], x: &[i8], y: &mut [i32]) {
                    if product.weights.order().lanes() != $lanes {
                        return Portable.dense_int8(product, bias, x, y);
                    }
                    let (v, back) = (k.vectors, k.backward);
                    tile::add_products_int8::<_, $lanes>(v, back, product, Some(bias), x, y);
                }

                fn gru_cells_int8(k, sums: &[i32], carried: &mut [i16], next: &mut [i8]) {
                    tile::gru::cells_int8::<_, $lanes>(k.vectors, sums, carried, next);
                }

                fn gru_f32(
                    k,
                    gru: &RecurrentF32<'_>,
                    addend: &[f32],
                    x: &[f32],
                    sums: &mut [f32],
                    next: &mut [f32]
                ) -> bool {
                    let [gates, ..] = &gru.matrices;
                    if gates.order.lanes() != $lanes {
                        return false;
                    }
                    let (v, back) = (k.vectors, k.backward);
                    tile::gru::gru_f32::<_, $lanes>(v, back, gru, addend, x, sums, next);
                    true
                }

                fn sigmoid_f32(k, numbers: &mut [f32]) {
                    tile::activate::<_, $lanes, false>(k.vectors, numbers);
                }

                fn tanh_f32(k, numbers: &mut [f32]) {
                    tile::activate::<_, $lanes, true>(k.vectors, numbers);
                }
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
tile_kernel!(
    /// AVX2 and FMA.
    Avx2: gatelet_simd::x86_64::Avx2, "avx2", lanes: 8, layout: Tiles8, batch: 2,
    target_feature(enable = "avx2,fma"));
#[cfg(target_arch = "x86_64")]
tile_kernel!(
    /// AVX2, FMA and AVX-VNNI.
    AvxVnni: gatelet_simd::x86_64::AvxVnni, "avxvnni", lanes: 8, layout: Tiles8, batch: 2,
    target_feature(enable = "avx2,fma,avxvnni"));
#[cfg(target_arch = "x86_64")]
tile_kernel!(
    /// AVX-512 F, DQ, BW, VL and VNNI.
    Avx512: gatelet_simd::x86_64::Avx512, "avx512", lanes: 16, layout: Tiles16, batch: 4,
    target_feature(enable = "avx2,fma,avx512f,avx512dq,avx512bw,avx512vl,avx512vnni"));
#[cfg(target_arch = "aarch64")]
tile_kernel!(
    /// NEON, which is part of the architecture.
    Neon: gatelet_simd::aarch64::Neon, "neon", lanes: 4, layout: Tiles4, batch: 4,
    target_feature(enable = "neon"));
#[cfg(target_arch = "aarch64")]
tile_kernel!(
    /// NEON with the dot product of bytes (SDOT), which Armv8.2 may have and Armv8.4 has.
    NeonDot: gatelet_simd::aarch64::NeonDot, "neondot", lanes: 4, layout: Tiles4, batch: 4,
    target_feature(enable = "neon,dotprod"));
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
tile_kernel!(
    /// WebAssembly's 128-bit vectors.
    Simd128: gatelet_simd::wasm32::Simd128, "simd128", lanes: 4, layout: Tiles4, batch: 2,
    target_feature(enable = "simd128"));
