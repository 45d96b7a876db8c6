//! Instruction sets: vectors for the algorithms of `kernel/`, and proof that a machine has them. The only `unsafe` code.

/// Makes a token, which exists only where the instructions do, a kernel: the tile kernel of `kernel/tile`, compiled
/// for those instructions. An image in another layout goes to the portable kernel.
#[allow(unused_macros, reason = "not every architecture has tile kernels")]
macro_rules! tile_kernel {
    ($token:ident, $name:literal, lanes: $lanes:literal, layout: $layout:ident, batch: $batch:literal, $($feature:meta)?) => {
        impl $crate::kernel::sealed::Sealed for $token {}

        impl $crate::kernel::Kernel for $token {
            const NAME: &'static str = $name;
            const AHEAD: bool = true;

            fn layout(self, net: &$crate::net::Net) -> $crate::Layout {
                let _ = net;
                $crate::Layout::$layout
            }

            fn turned(self) -> Self {
                $token { backward: !self.backward, ..self }
            }

            fn is_turned(self) -> bool {
                self.backward
            }

            fn layer_f32(
                self,
                layer: &$crate::LayerF32<'_>,
                addend: &[f32],
                x: &[f32],
                c: &mut [f32],
                next: &mut [f32],
            ) {
                let stream = $crate::kernel::StreamF32 { addend, x, c, next };
                self.layer_f32_batch(layer, &mut [stream]);
            }

            fn layer_int8(
                self,
                layer: &$crate::LayerInt8<'_>,
                addend: &[i16],
                x: &[i8],
                c: &mut [i16],
                next: &mut [i8],
            ) {
                let stream = $crate::kernel::StreamInt8 { addend, x, c, next, correction: 0 };
                self.layer_int8_batch(layer, &mut [stream]);
            }

            fn layer_f32_batch(
                self,
                layer: &$crate::LayerF32<'_>,
                streams: &mut [$crate::kernel::StreamF32<'_>],
            ) {
                $(#[$feature])?
                fn run(
                    v: $token,
                    layer: &$crate::LayerF32<'_>,
                    streams: &mut [$crate::kernel::StreamF32<'_>],
                ) {
                    $crate::kernel::tile::layer_f32::<_, $lanes, $batch>(v, v.backward, layer, streams);
                }
                if layer.weights.order.lanes() != $lanes {
                    return $crate::Portable.layer_f32_batch(layer, streams);
                }
                // SAFETY: `self` exists, so `new` has found the instructions.
                #[allow(unused_unsafe, reason = "an architecture's baseline needs no proof")]
                unsafe { run(self, layer, streams) }
            }

            fn layer_int8_batch(
                self,
                layer: &$crate::LayerInt8<'_>,
                streams: &mut [$crate::kernel::StreamInt8<'_>],
            ) {
                $(#[$feature])?
                fn run(
                    v: $token,
                    layer: &$crate::LayerInt8<'_>,
                    streams: &mut [$crate::kernel::StreamInt8<'_>],
                ) {
                    $crate::kernel::tile::layer_int8::<_, $lanes, $batch>(v, v.backward, layer, streams);
                }
                if layer.weights.order().lanes() != $lanes {
                    return $crate::Portable.layer_int8_batch(layer, streams);
                }
                // SAFETY: `self` exists, so `new` has found the instructions.
                #[allow(unused_unsafe, reason = "an architecture's baseline needs no proof")]
                unsafe { run(self, layer, streams) }
            }

            fn goes_ahead(self, layout: $crate::Layout) -> bool {
                layout == $crate::Layout::$layout
            }

            fn products_f32(self, layer: &$crate::LayerF32<'_>, h: &[f32], sums: &mut [f32]) {
                $(#[$feature])?
                fn run(v: $token, layer: &$crate::LayerF32<'_>, h: &[f32], sums: &mut [f32]) {
                    $crate::kernel::tile::apart::products_f32::<_, $lanes>(v, v.backward, layer, h, sums);
                }
                // SAFETY: `self` exists, so `new` has found the instructions.
                #[allow(unused_unsafe, reason = "an architecture's baseline needs no proof")]
                unsafe { run(self, layer, h, sums) }
            }

            fn cells_f32(self, layer: &$crate::LayerF32<'_>, stream: $crate::kernel::StreamF32<'_>, sums: &mut [f32]) {
                $(#[$feature])?
                fn run(v: $token, layer: &$crate::LayerF32<'_>, mut stream: $crate::kernel::StreamF32<'_>, sums: &mut [f32]) {
                    $crate::kernel::tile::apart::cells_f32::<_, $lanes>(v, layer, &mut stream, sums);
                }
                // SAFETY: `self` exists, so `new` has found the instructions.
                #[allow(unused_unsafe, reason = "an architecture's baseline needs no proof")]
                unsafe { run(self, layer, stream, sums) }
            }

            fn products_int8(self, layer: &$crate::LayerInt8<'_>, h: &[i8], sums: &mut [i32]) {
                $(#[$feature])?
                fn run(v: $token, layer: &$crate::LayerInt8<'_>, h: &[i8], sums: &mut [i32]) {
                    $crate::kernel::tile::apart::products_int8::<_, $lanes>(v, v.backward, layer, h, sums);
                }
                // SAFETY: `self` exists, so `new` has found the instructions.
                #[allow(unused_unsafe, reason = "an architecture's baseline needs no proof")]
                unsafe { run(self, layer, h, sums) }
            }

            fn cells_int8(self, layer: &$crate::LayerInt8<'_>, stream: $crate::kernel::StreamInt8<'_>, sums: &mut [i32]) {
                $(#[$feature])?
                fn run(v: $token, layer: &$crate::LayerInt8<'_>, mut stream: $crate::kernel::StreamInt8<'_>, sums: &mut [i32]) {
                    $crate::kernel::tile::apart::cells_int8::<_, $lanes>(v, layer, &mut stream, sums);
                }
                // SAFETY: `self` exists, so `new` has found the instructions.
                #[allow(unused_unsafe, reason = "an architecture's baseline needs no proof")]
                unsafe { run(self, layer, stream, sums) }
            }

            fn begin_f32(self, layer: &$crate::LayerF32<'_>, h: &[f32], sums: &mut [f32]) {
                $(#[$feature])?
                fn run(v: $token, layer: &$crate::LayerF32<'_>, h: &[f32], sums: &mut [f32]) {
                    $crate::kernel::tile::ahead::begin_f32::<_, $lanes>(v, v.backward, layer, h, sums);
                }
                // SAFETY: `self` exists, so `new` has found the instructions.
                #[allow(unused_unsafe, reason = "an architecture's baseline needs no proof")]
                unsafe { run(self, layer, h, sums) }
            }

            fn finish_f32(self, layer: &$crate::LayerF32<'_>, stream: $crate::kernel::StreamF32<'_>, sums: &mut [f32]) {
                $(#[$feature])?
                fn run(v: $token, layer: &$crate::LayerF32<'_>, mut stream: $crate::kernel::StreamF32<'_>, sums: &mut [f32]) {
                    $crate::kernel::tile::ahead::finish_f32::<_, $lanes>(v, v.backward, layer, &mut stream, sums);
                }
                // SAFETY: `self` exists, so `new` has found the instructions.
                #[allow(unused_unsafe, reason = "an architecture's baseline needs no proof")]
                unsafe { run(self, layer, stream, sums) }
            }

            fn begin_int8(self, layer: &$crate::LayerInt8<'_>, h: &[i8], sums: &mut [i32]) {
                $(#[$feature])?
                fn run(v: $token, layer: &$crate::LayerInt8<'_>, h: &[i8], sums: &mut [i32]) {
                    $crate::kernel::tile::ahead::begin_int8::<_, $lanes>(v, v.backward, layer, h, sums);
                }
                // SAFETY: `self` exists, so `new` has found the instructions.
                #[allow(unused_unsafe, reason = "an architecture's baseline needs no proof")]
                unsafe { run(self, layer, h, sums) }
            }

            fn finish_int8(self, layer: &$crate::LayerInt8<'_>, stream: $crate::kernel::StreamInt8<'_>, sums: &mut [i32]) {
                $(#[$feature])?
                fn run(v: $token, layer: &$crate::LayerInt8<'_>, mut stream: $crate::kernel::StreamInt8<'_>, sums: &mut [i32]) {
                    $crate::kernel::tile::ahead::finish_int8::<_, $lanes>(v, v.backward, layer, &mut stream, sums);
                }
                // SAFETY: `self` exists, so `new` has found the instructions.
                #[allow(unused_unsafe, reason = "an architecture's baseline needs no proof")]
                unsafe { run(self, layer, stream, sums) }
            }

            fn add_products_f32(self, matrix: &$crate::MatrixF32<'_>, x: &[f32], sums: &mut [f32]) {
                $(#[$feature])?
                fn run(v: $token, matrix: &$crate::MatrixF32<'_>, x: &[f32], sums: &mut [f32]) {
                    $crate::kernel::tile::add_products_f32::<_, $lanes>(v, v.backward, matrix, None, x, sums);
                }
                if matrix.order.lanes() != $lanes {
                    return $crate::Portable.add_products_f32(matrix, x, sums);
                }
                // SAFETY: `self` exists, so `new` has found the instructions.
                #[allow(unused_unsafe, reason = "an architecture's baseline needs no proof")]
                unsafe { run(self, matrix, x, sums) }
            }

            fn add_products_int8(self, product: &$crate::layer::ProductInt8<'_>, x: &[i8], sums: &mut [i32]) {
                $(#[$feature])?
                fn run(v: $token, product: &$crate::layer::ProductInt8<'_>, x: &[i8], sums: &mut [i32]) {
                    $crate::kernel::tile::add_products_int8::<_, $lanes>(v, v.backward, product, None, x, sums);
                }
                if product.weights.order().lanes() != $lanes {
                    return $crate::Portable.add_products_int8(product, x, sums);
                }
                // SAFETY: `self` exists, so `new` has found the instructions.
                #[allow(unused_unsafe, reason = "an architecture's baseline needs no proof")]
                unsafe { run(self, product, x, sums) }
            }

            fn dense_f32(self, matrix: &$crate::MatrixF32<'_>, bias: &[f32], x: &[f32], y: &mut [f32]) {
                $(#[$feature])?
                fn run(v: $token, matrix: &$crate::MatrixF32<'_>, bias: &[f32], x: &[f32], y: &mut [f32]) {
                    $crate::kernel::tile::add_products_f32::<_, $lanes>(v, v.backward, matrix, Some(bias), x, y);
                }
                if matrix.order.lanes() != $lanes {
                    return $crate::Portable.dense_f32(matrix, bias, x, y);
                }
                // SAFETY: `self` exists, so `new` has found the instructions.
                #[allow(unused_unsafe, reason = "an architecture's baseline needs no proof")]
                unsafe { run(self, matrix, bias, x, y) }
            }

            fn dense_int8(
                self,
                product: &$crate::layer::ProductInt8<'_>,
                bias: &[i32],
                x: &[i8],
                y: &mut [i32],
            ) {
                $(#[$feature])?
                fn run(
                    v: $token,
                    product: &$crate::layer::ProductInt8<'_>,
                    bias: &[i32],
                    x: &[i8],
                    y: &mut [i32],
                ) {
                    $crate::kernel::tile::add_products_int8::<_, $lanes>(
                        v, v.backward, product, Some(bias), x, y,
                    );
                }
                if product.weights.order().lanes() != $lanes {
                    return $crate::Portable.dense_int8(product, bias, x, y);
                }
                // SAFETY: `self` exists, so `new` has found the instructions.
                #[allow(unused_unsafe, reason = "an architecture's baseline needs no proof")]
                unsafe { run(self, product, bias, x, y) }
            }

            fn sigmoid_f32(self, numbers: &mut [f32]) {
                $(#[$feature])?
                fn run(v: $token, numbers: &mut [f32]) {
                    $crate::kernel::tile::activate::<_, $lanes, false>(v, numbers);
                }
                // SAFETY: `self` exists, so `new` has found the instructions.
                #[allow(unused_unsafe, reason = "an architecture's baseline needs no proof")]
                unsafe { run(self, numbers) }
            }

            fn tanh_f32(self, numbers: &mut [f32]) {
                $(#[$feature])?
                fn run(v: $token, numbers: &mut [f32]) {
                    $crate::kernel::tile::activate::<_, $lanes, true>(v, numbers);
                }
                // SAFETY: `self` exists, so `new` has found the instructions.
                #[allow(unused_unsafe, reason = "an architecture's baseline needs no proof")]
                unsafe { run(self, numbers) }
            }

            fn lanes(self) -> usize {
                $lanes
            }

            fn matmul_f32(
                self,
                a: &[f32],
                w: &$crate::kernel::dense::PackedF32<'_>,
                add: bool,
                c: &mut [f32],
                scratch: &mut [f32],
            ) {
                $(#[$feature])?
                fn run(
                    v: $token,
                    a: &[f32],
                    w: &$crate::kernel::dense::PackedF32<'_>,
                    add: bool,
                    c: &mut [f32],
                    scratch: &mut [f32],
                ) {
                    $crate::kernel::tile::dense::matmul::<_, $lanes, $batch>(v, v.backward, a, w, add, c, scratch);
                }
                if w.lanes != $lanes {
                    return $crate::kernel::dense::matmul(a, w, add, c);
                }
                // SAFETY: `self` exists, so `new` has found the instructions.
                #[allow(unused_unsafe, reason = "an architecture's baseline needs no proof")]
                unsafe { run(self, a, w, add, c, scratch) }
            }

            fn pack_panel_f32(
                self,
                shape: &$crate::kernel::dense::PackedShape,
                p: usize,
                matrix: &[f32],
                transposed: bool,
                into: &mut [f32],
            ) {
                $(#[$feature])?
                fn run(
                    v: $token,
                    shape: &$crate::kernel::dense::PackedShape,
                    p: usize,
                    matrix: &[f32],
                    transposed: bool,
                    into: &mut [f32],
                ) {
                    $crate::kernel::tile::pack::pack_panel::<_, $lanes>(v, shape, p, matrix, transposed, into);
                }
                // SAFETY: `self` exists, so `new` has found the instructions.
                #[allow(unused_unsafe, reason = "an architecture's baseline needs no proof")]
                unsafe { run(self, shape, p, matrix, transposed, into) }
            }

            fn pack_columns_f32(self, a: (&[f32], usize), to: &mut [f32]) {
                $(#[$feature])?
                fn run(v: $token, a: (&[f32], usize), to: &mut [f32]) {
                    $crate::kernel::tile::dense::pack_columns::<_, $lanes, $batch>(v, a, to);
                }
                // SAFETY: `self` exists, so `new` has found the instructions.
                #[allow(unused_unsafe, reason = "an architecture's baseline needs no proof")]
                unsafe { run(self, a, to) }
            }

            fn outer_panel_f32(
                self,
                a: (&[f32], usize),
                b: (&[f32], usize),
                p: usize,
                add: bool,
                c: &mut [f32],
                scratch: &mut [f32],
            ) {
                $(#[$feature])?
                fn run(
                    v: $token,
                    a: (&[f32], usize),
                    b: (&[f32], usize),
                    p: usize,
                    add: bool,
                    c: &mut [f32],
                    scratch: &mut [f32],
                ) {
                    $crate::kernel::tile::dense::outer_panel::<_, $lanes, $batch>(v, a, b, p, add, c, scratch);
                }
                // SAFETY: `self` exists, so `new` has found the instructions.
                #[allow(unused_unsafe, reason = "an architecture's baseline needs no proof")]
                unsafe { run(self, a, b, p, add, c, scratch) }
            }

            fn tape_step_f32(
                self,
                w: &$crate::kernel::dense::PackedF32<'_>,
                step: &mut $crate::kernel::dense::TapeF32<'_>,
            ) {
                $(#[$feature])?
                fn run(
                    v: $token,
                    w: &$crate::kernel::dense::PackedF32<'_>,
                    step: &mut $crate::kernel::dense::TapeF32<'_>,
                ) {
                    $crate::kernel::tile::tape::tape_step::<_, $lanes, $batch>(v, v.backward, w, step);
                }
                if w.lanes != $lanes {
                    return $crate::kernel::dense::tape_step(w, step);
                }
                // SAFETY: `self` exists, so `new` has found the instructions.
                #[allow(unused_unsafe, reason = "an architecture's baseline needs no proof")]
                unsafe { run(self, w, step) }
            }
        }
    };
}

/// Writes operations of a token as methods. Each body is one of the instruction set's own functions, or a few.
#[allow(unused_macros, reason = "not every architecture has tile kernels")]
macro_rules! operations {
    ($(fn $name:ident($self:ident $(, $argument:ident: $type:ty)*) $(-> $result:ty)? $body:block)*) => {$(
        #[inline(always)]
        fn $name($self $(, $argument: $type)*) $(-> $result)? {
            // SAFETY: `self` exists, so `new` has found the instructions. Loads and stores go through references to
            // as many elements as they move.
            #[allow(unused_unsafe, reason = "some bodies need no instruction of their own")]
            unsafe { $body }
        }
    )*};
}

#[cfg(target_arch = "aarch64")]
pub(crate) mod aarch64;
#[cfg(any(armv6m, armv7m))]
pub(crate) mod arm;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
pub(crate) mod wasm32;
#[cfg(target_arch = "x86_64")]
pub(crate) mod x86_64;
