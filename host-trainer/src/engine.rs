//! The products and the recurrent step of training, for each number type.
//!
//! ```text
//! f32   gatelet-products, on weights that are packed once an optimizer step
//! f64   matrixmultiply through ndarray, and the cells of `net`, line by line: what the f32 path is tested against
//! ```
//! Nothing here allocates once the buffers exist, except the products in f64.

use std::cell::RefCell;
use std::fmt::Debug;
use std::sync::OnceLock;

use gatelet::Isa;
use gatelet::net::{GateActivation, Kind, Reset, RnnActivation};
use gatelet_products::{
    Addends, Columns, PANEL, PANEL_SCRATCH, PackedShape, Products, TapeF32, outer_columns,
};
use ndarray::{ArrayView2, ArrayViewMut2, Axis, linalg::general_mat_mul};
use pulp::Arch;
use rayon::prelude::*;

use crate::isa;
use crate::memory::Memory;
use crate::net::{gru, lstm, rnn};
use crate::real::Real;

/// A product's right-hand side, `[k, n]`, in the form that is read fastest.
pub trait Packed<F>: Clone + Debug + Send + Sync {
    /// Room for a matrix; all zero. `gates` says that its columns are the four gates of an LSTM.
    fn new(k: usize, n: usize, gates: bool) -> Self;
    /// Takes the numbers of `[k, n]`, row-major, or of `[n, k]`, to be read transposed.
    fn pack(&mut self, matrix: &[F], transposed: bool);
}

/// A cell whose recorded step is one piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fused {
    /// The tanh RNN.
    Rnn,
    /// The LSTM whose gates are sigmoids.
    Lstm,
    /// The GRU that resets the product, with sigmoids and a tanh.
    Gru,
}

impl Fused {
    /// That of an operation, if it has one.
    pub fn of(kind: Kind) -> Option<Self> {
        match kind.fused() {
            Some(gatelet::layer::Fused::Rnn) => Some(Self::Rnn),
            Some(gatelet::layer::Fused::Lstm) => Some(Self::Lstm),
            None if kind == Kind::gru(kind.units(), Reset::After) => Some(Self::Gru),
            None => None,
        }
    }
}

/// One step of a layer for several streams; the buffers are those of [`TapeF32`].
#[derive(Debug)]
pub struct TapeStep<'a, F> {
    /// The cell.
    pub cell: Fused,
    /// Units.
    pub hidden: usize,
    /// For every stream a row of a table `[ids, gates*hidden]`; without one, pre-activations start from `gates`.
    pub rows: Option<(&'a [F], &'a [u16])>,
    /// [streams, hidden]: what the recurrent product reads.
    pub h_before: &'a [F],
    /// [streams, hidden]: h before the step as it goes around the product of a GRU.
    pub carried: &'a [F],
    /// `[hidden]`: bias of the recurrent product; empty for other cells than a GRU.
    pub bias: &'a [F],
    /// [streams, hidden], or empty
    pub c_before: &'a [F],
    /// [streams, gates*hidden]
    pub gates: &'a mut [F],
    /// [streams, gates*hidden]: room for a recurrent product that is not added to `gates`; empty for other cells than a GRU.
    pub product: &'a mut [F],
    /// [streams, hidden], or empty
    pub c: &'a mut [F],
    /// [streams, hidden]: tanh(c), or u of a GRU; or empty.
    pub kept: &'a mut [F],
    /// [streams, hidden]
    pub h: &'a mut [F],
    /// [`Engine::matmul_scratch`] numbers, or fewer, which takes more time.
    pub scratch: &'a mut [F],
}

/// What training does with numbers of one type.
pub trait Engine: Real {
    /// A packed matrix.
    type Packed: Packed<Self>;
    /// `C = A W`, or `C += A W`. `a: [rows, k]`, `c: [rows, n]`; `scratch`: [`Engine::matmul_scratch`] numbers, or fewer, which
    /// takes more time.
    fn matmul(a: &[Self], w: &Self::Packed, add: bool, c: &mut [Self], scratch: &mut [Self]) {
        Self::matmul_turned(a, w, false, add, c, scratch);
    }
    /// The same; `turned` reads the weights from their end: what the product before read last is in the cache still. No
    /// result depends on it.
    fn matmul_turned(
        a: &[Self],
        w: &Self::Packed,
        turned: bool,
        add: bool,
        c: &mut [Self],
        scratch: &mut [Self],
    );
    /// Numbers of scratch for [`Engine::matmul`] of `rows` rows of `k` numbers, and for [`Engine::step`].
    fn matmul_scratch(rows: usize, k: usize) -> usize;
    /// `C = A^T B`, or `C += A^T B`. `a: [rows, m]`, `b: [rows, n]`, `c: [m, n]`; `scratch`: [`Engine::outer_scratch`] numbers.
    fn outer(
        a: (&[Self], usize),
        b: (&[Self], usize),
        add: bool,
        c: &mut [Self],
        scratch: &mut [Self],
    );
    /// Numbers of scratch for [`Engine::outer`].
    fn outer_scratch(rows: usize, m: usize) -> usize;
    /// One step forward; `w: [hidden, gates*hidden]`.
    fn step(w: &Self::Packed, step: TapeStep<'_, Self>);
}

/// A step of a GRU: its recurrent product by itself, then its cells.
fn gru_step<F: Engine>(w: &F::Packed, step: TapeStep<'_, F>) {
    F::matmul(step.h_before, w, false, step.product, step.scratch);
    let cells = gru::Step {
        hidden: step.hidden,
        rows: step.rows,
        product: step.product,
        bias: step.bias,
        carried: step.carried,
        gates: step.gates,
        u: step.kept,
        h: step.h,
        function: GateActivation::Sigmoid,
        candidate: RnnActivation::Tanh,
    };
    gru::forward(Arch::new(), cells);
}

/// A matrix in panels.
#[derive(Clone, Debug)]
pub struct Panels {
    products: Products,
    shape: PackedShape,
    /// At a cache line: panels are read in whole vectors.
    weights: Memory<f32>,
}

impl Packed<f32> for Panels {
    fn new(k: usize, n: usize, gates: bool) -> Self {
        let products = products();
        let columns = match gates {
            true => Columns::Gates,
            false => Columns::Consecutive,
        };
        let shape = PackedShape {
            k,
            n,
            columns,
            lanes: products.lanes(),
        };
        let weights = Memory::zeroed(shape.len());
        Self {
            products,
            shape,
            weights,
        }
    }

    fn pack(&mut self, matrix: &[f32], transposed: bool) {
        let panels = self.weights.par_chunks_mut(self.shape.panel_len());
        panels.enumerate().for_each(|(p, panel)| {
            let products = self.products;
            products.pack_panel(&self.shape, p, matrix, transposed, panel);
        });
    }
}

/// What everything runs on: the instruction set of [`isa::isa`], asked once, since asking the
/// processor is slow in a virtual machine. A name that this machine does not have is refused where a
/// run starts; a kernel without products of its own computes them row by row.
fn products() -> Products {
    static PRODUCTS: OnceLock<Products> = OnceLock::new();
    *PRODUCTS.get_or_init(|| {
        let isa = isa::isa().unwrap_or_else(|_| Isa::detect());
        Products::from_name(isa.name()).unwrap_or(Products::PLAIN)
    })
}

/// The columns of C from panel `p` on, halved down to single panels, of which a thread that has nothing else to do takes some.
fn outer_panels(
    products: Products,
    a: (&[f32], usize),
    b: (&[f32], usize),
    p: usize,
    add: bool,
    c: ArrayViewMut2<'_, f32>,
) {
    let width = PANEL * products.lanes();
    let panels = c.ncols().div_ceil(width);
    if panels > 1 {
        let half = panels / 2;
        let (left, right) = c.split_at(Axis(1), half * width);
        rayon::join(
            || outer_panels(products, a, b, p, add, left),
            || outer_panels(products, a, b, p + half, add, right),
        );
        return;
    }
    OUTER.with_borrow_mut(|room| outer_panel(products, a, b, p, add, c, room));
}

thread_local! {
    /// A panel of B and one of C, for each thread.
    static OUTER: RefCell<Memory<f32>> = RefCell::new(Memory::zeroed(0));
}

/// One panel, in `room` and from there to its columns.
fn outer_panel(
    products: Products,
    a: (&[f32], usize),
    b: (&[f32], usize),
    p: usize,
    add: bool,
    mut c: ArrayViewMut2<'_, f32>,
    room: &mut Memory<f32>,
) {
    let (m, count) = c.dim();
    if room.len() < PANEL_SCRATCH + m * count {
        *room = Memory::zeroed(PANEL_SCRATCH + m * count);
    }
    let (scratch, panel) = room.split_at_mut(PANEL_SCRATCH);
    let panel = &mut panel[..m * count];
    if add {
        for (to, from) in panel.chunks_exact_mut(count).zip(c.rows()) {
            to.copy_from_slice(from.to_slice().expect("a part of a row"));
        }
    }
    products.outer_panel(a, b, p, add, panel, scratch);
    for (from, to) in panel.chunks_exact(count).zip(c.rows_mut()) {
        to.into_slice()
            .expect("a part of a row")
            .copy_from_slice(from);
    }
}

impl Engine for f32 {
    type Packed = Panels;

    fn matmul_turned(
        a: &[f32],
        w: &Panels,
        turned: bool,
        add: bool,
        c: &mut [f32],
        scratch: &mut [f32],
    ) {
        let packed = w.shape.of(&w.weights).expect("its own length");
        w.products.matmul(a, &packed, turned, add, c, scratch);
    }

    fn outer(
        a: (&[f32], usize),
        b: (&[f32], usize),
        add: bool,
        c: &mut [f32],
        scratch: &mut [f32],
    ) {
        let (numbers, m) = a;
        let c = ArrayViewMut2::from_shape((m, b.1), c).expect("the product's shape");
        let columns = &mut scratch[..outer_columns(numbers.len() / m, m)];
        let products = products();
        products.pack_columns(a, columns);
        outer_panels(products, (columns, m), b, 0, add, c);
    }

    fn matmul_scratch(rows: usize, k: usize) -> usize {
        gatelet_products::matmul_scratch(rows, k)
    }

    fn outer_scratch(rows: usize, m: usize) -> usize {
        outer_columns(rows, m)
    }

    fn step(w: &Panels, step: TapeStep<'_, f32>) {
        let cell = match step.cell {
            Fused::Rnn => gatelet_products::Cell::Rnn,
            Fused::Lstm => gatelet_products::Cell::Lstm,
            Fused::Gru => return gru_step(w, step),
        };
        let addends = match step.rows {
            Some((table, ids)) => Addends::Rows { table, ids },
            None => Addends::Gates,
        };
        let packed = w.shape.of(&w.weights).expect("its own length");
        let mut tape = TapeF32 {
            cell,
            hidden: step.hidden,
            addends,
            h_before: step.h_before,
            c_before: step.c_before,
            gates: step.gates,
            c: step.c,
            tanh_c: step.kept,
            h: step.h,
            scratch: step.scratch,
        };
        w.products.tape_step(&packed, &mut tape);
    }
}

/// A matrix as it is, row-major.
#[derive(Clone, Debug)]
pub struct Plain {
    k: usize,
    n: usize,
    weights: Vec<f64>,
}

impl Packed<f64> for Plain {
    fn new(k: usize, n: usize, _gates: bool) -> Self {
        Self {
            k,
            n,
            weights: vec![0.0; k * n],
        }
    }

    fn pack(&mut self, matrix: &[f64], transposed: bool) {
        for (index, weight) in self.weights.iter_mut().enumerate() {
            let (k, n) = (index / self.n, index % self.n);
            *weight = matrix[if transposed { n * self.k + k } else { index }];
        }
    }
}

/// A row-major matrix with so many columns.
fn view(numbers: &[f64], columns: usize) -> ArrayView2<'_, f64> {
    ArrayView2::from_shape((numbers.len() / columns, columns), numbers).expect("whole rows")
}

impl Engine for f64 {
    type Packed = Plain;

    fn matmul_turned(a: &[f64], w: &Plain, _turned: bool, add: bool, c: &mut [f64], _: &mut [f64]) {
        let a = view(a, w.k);
        let mut c = ArrayViewMut2::from_shape((a.nrows(), w.n), c).expect("the product's shape");
        let beta = if add { 1.0 } else { 0.0 };
        general_mat_mul(1.0, &a, &view(&w.weights, w.n), beta, &mut c);
    }

    fn outer(
        (a, m): (&[f64], usize),
        (b, n): (&[f64], usize),
        add: bool,
        c: &mut [f64],
        _: &mut [f64],
    ) {
        let mut c = ArrayViewMut2::from_shape((m, n), c).expect("the product's shape");
        let beta = if add { 1.0 } else { 0.0 };
        general_mat_mul(1.0, &view(a, m).reversed_axes(), &view(b, n), beta, &mut c);
    }

    fn matmul_scratch(_rows: usize, _k: usize) -> usize {
        0
    }

    fn outer_scratch(_rows: usize, _m: usize) -> usize {
        0
    }

    fn step(w: &Plain, step: TapeStep<'_, f64>) {
        if step.cell == Fused::Gru {
            return gru_step(w, step);
        }
        if let Some((table, ids)) = step.rows {
            for (gates, &id) in step.gates.chunks_exact_mut(w.n).zip(ids) {
                gates.copy_from_slice(&table[usize::from(id) * w.n..][..w.n]);
            }
        }
        Self::matmul(step.h_before, w, true, step.gates, &mut []);
        if step.cell == Fused::Rnn {
            return rnn::forward(Arch::new(), RnnActivation::Tanh, step.gates, step.h);
        }
        let before = lstm::Step {
            hidden: step.hidden,
            gates: step.gates,
            c_before: step.c_before,
            function: GateActivation::Sigmoid,
        };
        lstm::forward(Arch::new(), before, step.c, step.kept, step.h);
    }
}
