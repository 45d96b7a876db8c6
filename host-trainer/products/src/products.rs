//! The choice between the plain form and vectors, made once; and what runs on it.

use gatelet_simd::{Isa, Simd, WithSimd};

use crate::packed::{PackedF32, PackedShape};
use crate::plain;
use crate::sizes::{PANEL, PANEL_SCRATCH, outer_columns};
use crate::tape::TapeF32;
use crate::vector::{matmul, outer, pack, tape};

/// How this machine computes products.
#[derive(Clone, Copy, Debug)]
pub struct Products {
    /// Without one, row by row.
    isa: Option<Isa>,
    lanes: usize,
}

impl Products {
    /// Row by row, without vectors: the specification.
    pub const PLAIN: Self = Products {
        isa: None,
        lanes: plain::LANES,
    };

    /// The fastest way of this machine.
    pub fn detect() -> Self {
        Isa::detect().map_or(Self::PLAIN, Self::on)
    }

    /// Every way of this machine, the specification first, the fastest last.
    pub fn available() -> impl Iterator<Item = Self> {
        core::iter::once(Self::PLAIN).chain(Isa::available().map(Self::on))
    }

    /// The way of an instruction set by its name, `avx2` for example, if this machine has it.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::available().find(|products| products.name() == name)
    }

    /// On these vectors.
    fn on(isa: Isa) -> Self {
        Products {
            isa: Some(isa),
            lanes: isa.run(Lanes),
        }
    }

    /// The name of the instruction set, or `plain`.
    pub fn name(self) -> &'static str {
        self.isa.map_or("plain", Isa::name)
    }

    /// Lanes of the vectors that matrices are to be packed for.
    pub const fn lanes(self) -> usize {
        self.lanes
    }

    /// [`PackedShape::pack_panel`], the same numbers.
    pub fn pack_panel(
        self,
        shape: &PackedShape,
        p: usize,
        matrix: &[f32],
        transposed: bool,
        into: &mut [f32],
    ) {
        match self.isa {
            None => shape.pack_panel(p, matrix, transposed, into),
            Some(isa) => isa.run(Pack {
                shape,
                p,
                matrix,
                transposed,
                into,
            }),
        }
    }

    /// `C = A W`, or `C += A W` with `add`. `a: [rows, k]`, `w: [k, n]` packed for
    /// [`Products::lanes`], `c: [rows, n]`; `scratch`: [`matmul_scratch`](crate::matmul_scratch)
    /// numbers, with fewer the same, slower. `reversed` reads the weights from their end, where
    /// what the last product has read is still in the cache: no result depends on it.
    pub fn matmul(
        self,
        a: &[f32],
        w: &PackedF32<'_>,
        reversed: bool,
        add: bool,
        c: &mut [f32],
        scratch: &mut [f32],
    ) {
        match self.isa {
            Some(isa) if w.lanes == self.lanes => isa.run(Matmul {
                a,
                w,
                reversed,
                add,
                c,
                scratch,
            }),
            _ => plain::matmul(a, w, add, c),
        }
    }

    /// `C = A^T B`, or `C += A^T B` with `add`. `a: [rows, m]` and `b: [rows, n]` with their m and
    /// n, `c: [m, n]`; `scratch`: at least [`outer_scratch`](crate::outer_scratch) numbers, or
    /// nothing is done.
    pub fn outer(
        self,
        (a, m): (&[f32], usize),
        (b, n): (&[f32], usize),
        add: bool,
        c: &mut [f32],
        scratch: &mut [f32],
    ) {
        let (m, n, width) = (m.max(1), n.max(1), PANEL * self.lanes);
        let Some((panel_scratch, scratch)) = scratch.split_at_mut_checked(PANEL_SCRATCH) else {
            return;
        };
        let Some((panel, columns)) = scratch.split_at_mut_checked(m * width) else {
            return;
        };
        let Some(columns) = columns.get_mut(..outer_columns(a.len() / m, m)) else {
            return;
        };
        self.pack_columns((a, m), columns);
        for p in 0..n.div_ceil(width) {
            let count = width.min(n - p * width);
            let panel = panel.get_mut(..m * count).unwrap_or_default();
            let rows = |row: usize| row * n + p * width..row * n + p * width + count;
            if add {
                for (row, to) in panel.chunks_exact_mut(count).enumerate() {
                    to.copy_from_slice(&c[rows(row)]);
                }
            }
            self.outer_panel((columns, m), (b, n), p, add, panel, panel_scratch);
            for (row, from) in panel.chunks_exact(count).enumerate() {
                c[rows(row)].copy_from_slice(from);
            }
        }
    }

    /// The columns of A as [`Products::outer_panel`] reads them. `a: [rows, m]` with its m, `to`:
    /// [`outer_columns`] numbers.
    pub fn pack_columns(self, a: (&[f32], usize), to: &mut [f32]) {
        match self.isa {
            None => to.iter_mut().zip(a.0).for_each(|(to, &x)| *to = x),
            Some(isa) => isa.run(PackColumns { a, to }),
        }
    }

    /// Columns `4 p lanes ..` of `C = A^T B`, or of `C += A^T B` with `add`: as many as four
    /// vectors have lanes, or as there are. The panels of a product can be computed side by side.
    ///
    /// `a`: the columns that [`Products::pack_columns`] left, and m; `b: [rows, n]` with its n;
    /// `c: [m, columns]`; `scratch`: at least [`PANEL_SCRATCH`] numbers, or nothing is done.
    pub fn outer_panel(
        self,
        a: (&[f32], usize),
        b: (&[f32], usize),
        p: usize,
        add: bool,
        c: &mut [f32],
        scratch: &mut [f32],
    ) {
        match self.isa {
            None => plain::outer_panel(a, b, p * PANEL * self.lanes, add, c),
            Some(isa) => isa.run(OuterPanel {
                a,
                b,
                p,
                add,
                c,
                scratch,
            }),
        }
    }

    /// One step of a layer for several streams, which keeps its activations.
    /// `w: [hidden, gates*hidden]` packed for [`Products::lanes`], by
    /// [`Columns::Gates`](crate::Columns::Gates) for an LSTM.
    pub fn tape_step(self, w: &PackedF32<'_>, step: &mut TapeF32<'_>) {
        match self.isa {
            Some(isa) if w.lanes == self.lanes => isa.run(TapeStep { w, step }),
            _ => plain::tape_step(w, step),
        }
    }
}

/// Lanes of the vectors.
struct Lanes;

impl WithSimd for Lanes {
    type Output = usize;
    #[inline(always)]
    fn run<V: Simd<U>, const U: usize, const B: usize>(self, _: V) -> usize {
        U
    }
}

struct Pack<'a> {
    shape: &'a PackedShape,
    p: usize,
    matrix: &'a [f32],
    transposed: bool,
    into: &'a mut [f32],
}

impl WithSimd for Pack<'_> {
    type Output = ();
    #[inline(always)]
    fn run<V: Simd<U>, const U: usize, const B: usize>(self, v: V) {
        pack::pack_panel(
            v,
            self.shape,
            self.p,
            self.matrix,
            self.transposed,
            self.into,
        );
    }
}

struct Matmul<'a> {
    a: &'a [f32],
    w: &'a PackedF32<'a>,
    reversed: bool,
    add: bool,
    c: &'a mut [f32],
    scratch: &'a mut [f32],
}

impl WithSimd for Matmul<'_> {
    type Output = ();
    #[inline(always)]
    fn run<V: Simd<U>, const U: usize, const B: usize>(self, v: V) {
        let Self {
            a,
            w,
            reversed,
            add,
            c,
            scratch,
        } = self;
        matmul::matmul::<V, U, B>(v, reversed, a, w, add, c, scratch);
    }
}

struct PackColumns<'a> {
    a: (&'a [f32], usize),
    to: &'a mut [f32],
}

impl WithSimd for PackColumns<'_> {
    type Output = ();
    #[inline(always)]
    fn run<V: Simd<U>, const U: usize, const B: usize>(self, v: V) {
        outer::pack_columns::<V, U, B>(v, self.a, self.to);
    }
}

struct OuterPanel<'a> {
    a: (&'a [f32], usize),
    b: (&'a [f32], usize),
    p: usize,
    add: bool,
    c: &'a mut [f32],
    scratch: &'a mut [f32],
}

impl WithSimd for OuterPanel<'_> {
    type Output = ();
    #[inline(always)]
    fn run<V: Simd<U>, const U: usize, const B: usize>(self, v: V) {
        let Self {
            a,
            b,
            p,
            add,
            c,
            scratch,
        } = self;
        outer::outer_panel::<V, U, B>(v, a, b, p, add, c, scratch);
    }
}

struct TapeStep<'a, 'b> {
    w: &'a PackedF32<'a>,
    step: &'a mut TapeF32<'b>,
}

impl WithSimd for TapeStep<'_, '_> {
    type Output = ();
    #[inline(always)]
    fn run<V: Simd<U>, const U: usize, const B: usize>(self, v: V) {
        tape::tape_step::<V, U, B>(v, self.w, self.step);
    }
}
