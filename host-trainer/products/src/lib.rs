//! Products of many rows with one matrix, in f32: what training a recurrent net needs.
//!
//! ```text
//! matmul       C (+)= A W        A: [rows, k]   W: [k, n], packed once   C: [rows, n]
//! outer        C (+)= A^T B      A: [rows, m]   B: [rows, n]             C: [m, n]
//! tape step    one step of a layer for `rows` streams, which keeps the activations that
//!              backpropagation reads
//! ```
//!
//! A packed matrix stands in panels of four vectors of columns, `[panel, k, 4, lanes]`: the product
//! holds four vectors of sums for each of a few rows, reads a panel from its start to its end, and
//! multiplies every vector with one number of each row. The four vectors are neighbours, or, for an
//! LSTM, the four gates of the same units: then the cell update works on the registers that hold
//! the sums.
//!
//! Each element of C is one chain of additions over k in order, whatever the number of rows: a
//! batch that is divided among threads has the same bits as an undivided one.
//!
//! ```
//! use gatelet_products::{Columns, PackedShape, Products};
//!
//! let products = Products::detect();
//! let (k, n) = (3, 2);
//! let shape = PackedShape { k, n, columns: Columns::Consecutive, lanes: products.lanes() };
//! let mut weights = vec![0.0; shape.len()];
//! let matrix = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
//! for (p, panel) in weights.chunks_mut(shape.panel_len()).enumerate() {
//!     products.pack_panel(&shape, p, &matrix, false, panel);
//! }
//! let packed = shape.of(&weights).expect("its own length");
//! let mut c = [0.0; 2];
//! products.matmul(&[1.0, 10.0, 100.0], &packed, false, false, &mut c, &mut []);
//! assert_eq!(c, [531.0, 642.0]);
//! ```
//!
//! # Layers
//!
//! - [`PackedShape`], [`PackedF32`]: packed matrices. [`TapeF32`]: the buffers of a step.
//! - `plain.rs`: the specification, row by row, and what machines without vectors here run.
//! - `vector/`: the same on vectors, once for all instruction sets of `gatelet-simd`.
//! - [`Products`]: the choice between them.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod packed;
mod plain;
mod products;
mod sizes;
mod tape;
mod vector;

pub use packed::{Columns, PackedF32, PackedShape};
pub use products::Products;
pub use sizes::{PANEL, PANEL_SCRATCH, matmul_scratch, outer_columns, outer_scratch};
pub use tape::{Addends, Cell, TapeF32};
