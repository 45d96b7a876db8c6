//! Every instruction set of this machine against the plain form, around the edges of panels and
//! blocks.

use gatelet_products::{
    Addends, Cell, Columns, PackedShape, Products, TapeF32, matmul_scratch, outer_scratch,
};

/// Rows, k, n.
const SHAPES: [(usize, usize, usize); 15] = [
    (1, 1, 1),
    (2, 3, 5),
    (3, 4, 15),
    (4, 5, 16),
    (5, 8, 17),
    (7, 9, 31),
    (8, 16, 33),
    (9, 17, 63),
    (16, 33, 64),
    (17, 40, 65),
    (31, 3, 48),
    (32, 67, 81),
    (85, 20, 64),
    (260, 7, 96),
    (515, 12, 130),
];

/// Numbers in no simple order, at most 1 in magnitude.
fn numbers(len: usize, seed: u64) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..len).map(|_| next()).collect()
}

fn assert_close(what: &str, found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len());
    for (index, (a, b)) in found.iter().zip(expected).enumerate() {
        let most = 1e-5 * (1.0 + b.abs());
        assert!(
            (a - b).abs() <= most,
            "{what}: element {index} is {a}, not {b}"
        );
    }
}

/// Packs a matrix, from `[k, n]` or from `[n, k]`; the plain form's numbers.
fn packed(products: Products, shape: PackedShape, matrix: &[f32], transposed: bool) -> Vec<f32> {
    let (mut weights, mut plain) = (vec![f32::NAN; shape.len()], vec![f32::NAN; shape.len()]);
    let panels = weights.chunks_mut(shape.panel_len());
    for (p, (panel, plain)) in panels.zip(plain.chunks_mut(shape.panel_len())).enumerate() {
        products.pack_panel(&shape, p, matrix, transposed, panel);
        shape.pack_panel(p, matrix, transposed, plain);
        assert_eq!(panel, plain, "{}: panel {p} of {shape:?}", products.name());
    }
    weights
}

fn transpose(matrix: &[f32], columns: usize) -> Vec<f32> {
    let rows = matrix.len() / columns;
    (0..matrix.len())
        .map(|i| matrix[i % rows * columns + i / rows])
        .collect()
}

struct Matmul(usize, usize, usize, bool);

impl Matmul {
    fn run(self, products: Products) -> Vec<f32> {
        let Self(rows, k, n, add) = self;
        let (a, w) = (numbers(rows * k, 1), numbers(k * n, 2));
        let shape = PackedShape {
            k,
            n,
            columns: Columns::Consecutive,
            lanes: products.lanes(),
        };
        let weights = packed(products, shape, &w, false);
        assert_eq!(weights, packed(products, shape, &transpose(&w, n), true));
        let mut c = numbers(rows * n, 3);
        let mut reversed = c.clone();
        let packed = shape.of(&weights).unwrap();
        let mut small = c.clone();
        let mut scratch = vec![f32::NAN; matmul_scratch(rows, k)];
        products.matmul(&a, &packed, false, add, &mut c, &mut scratch);
        products.matmul(&a, &packed, true, add, &mut reversed, &mut scratch);
        assert_eq!(c, reversed, "{}: from the last panel", products.name());
        // With none, with too little for sixteen rows, and with enough for some of them.
        for room in [0, (16 * k).saturating_sub(1), 16 * k, 40 * k] {
            small.copy_from_slice(&numbers(rows * n, 3));
            let mut scratch = vec![f32::NAN; room];
            products.matmul(&a, &packed, false, add, &mut small, &mut scratch);
            assert_eq!(c, small, "{}: scratch of {room}", products.name());
        }
        c
    }
}

#[test]
fn products_with_a_packed_matrix() {
    for (rows, k, n) in SHAPES {
        for add in [false, true] {
            let expected = Matmul(rows, k, n, add).run(Products::PLAIN);
            // And the plain form against three loops.
            let (a, w, c) = (
                numbers(rows * k, 1),
                numbers(k * n, 2),
                numbers(rows * n, 3),
            );
            let loops: Vec<f32> = (0..rows * n)
                .map(|i| {
                    let start = if add { c[i] } else { 0.0 };
                    (0..k).fold(start, |sum, j| sum + a[i / n * k + j] * w[j * n + i % n])
                })
                .collect();
            assert_close("the plain form", &expected, &loops);
            for products in Products::available() {
                let found = Matmul(rows, k, n, add).run(products);
                let what = format!("{} {rows} x {k} x {n}, add {add}", products.name());
                assert_close(&what, &found, &expected);
            }
        }
    }
}

struct Outer(usize, usize, usize, bool);

impl Outer {
    fn run(self, products: Products) -> Vec<f32> {
        let Self(rows, m, n, add) = self;
        let (a, b) = (numbers(rows * m, 1), numbers(rows * n, 2));
        let mut c = numbers(m * n, 3);
        let mut scratch = vec![f32::NAN; outer_scratch(rows, m)];
        products.outer((&a, m), (&b, n), add, &mut c, &mut scratch);
        c
    }
}

#[test]
fn products_of_the_gradient() {
    for (rows, m, n) in SHAPES {
        for add in [false, true] {
            let expected = Outer(rows, m, n, add).run(Products::PLAIN);
            let (a, b, c) = (
                numbers(rows * m, 1),
                numbers(rows * n, 2),
                numbers(m * n, 3),
            );
            let loops: Vec<f32> = (0..m * n)
                .map(|i| {
                    let start = if add { c[i] } else { 0.0 };
                    (0..rows).fold(start, |sum, r| sum + a[r * m + i / n] * b[r * n + i % n])
                })
                .collect();
            assert_close("the plain form", &expected, &loops);
            for products in Products::available() {
                let found = Outer(rows, m, n, add).run(products);
                let what = format!("{} {rows} x {m} x {n}, add {add}", products.name());
                assert_close(&what, &found, &expected);
            }
        }
    }
}

/// Of such a size kernels may take other blocks of rows.
#[test]
fn products_of_a_gradient_that_no_cache_holds() {
    let (rows, m, n) = (260, 513, 2049);
    let expected = Outer(rows, m, n, true).run(Products::PLAIN);
    for products in Products::available() {
        let found = Outer(rows, m, n, true).run(products);
        let what = format!("{} {rows} x {m} x {n}", products.name());
        assert_close(&what, &found, &expected);
    }
}

/// A step of so many streams and units, from a table or from what `gates` holds; gates, c, tanh c and h after it.
#[derive(Clone, Copy, Debug)]
struct Tape {
    cell: Cell,
    streams: usize,
    hidden: usize,
    table: bool,
    /// Whether the step has scratch.
    room: bool,
}

impl Tape {
    fn run(self, products: Products) -> [Vec<f32>; 4] {
        let Self {
            cell,
            streams,
            hidden,
            table,
            room,
        } = self;
        let (n, state) = (cell.gates() * hidden, streams * hidden);
        let memory = if cell == Cell::Lstm { state } else { 0 };
        let columns = match cell {
            Cell::Lstm => Columns::Gates,
            Cell::Rnn => Columns::Consecutive,
        };
        let shape = PackedShape {
            k: hidden,
            n,
            columns,
            lanes: products.lanes(),
        };
        let w = numbers(hidden * n, 1);
        let weights = packed(products, shape, &w, false);
        assert_eq!(weights, packed(products, shape, &transpose(&w, n), true));
        let (rows, ids) = (numbers(5 * n, 2), [4, 0, 3, 3, 1, 2].repeat(streams));
        let (h_before, c_before) = (numbers(state, 3), numbers(memory, 4));
        let mut gates = numbers(streams * n, 5);
        let (mut c, mut tanh_c) = (vec![f32::NAN; memory], vec![f32::NAN; memory]);
        let mut h = vec![f32::NAN; state];
        let room = if room {
            matmul_scratch(streams, hidden)
        } else {
            0
        };
        let mut scratch = vec![f32::NAN; room];
        let mut step = TapeF32 {
            cell,
            hidden,
            addends: if table {
                Addends::Rows {
                    table: &rows,
                    ids: &ids[..streams],
                }
            } else {
                Addends::Gates
            },
            h_before: &h_before,
            c_before: &c_before,
            gates: &mut gates,
            c: &mut c,
            tanh_c: &mut tanh_c,
            h: &mut h,
            scratch: &mut scratch,
        };
        products.tape_step(&shape.of(&weights).unwrap(), &mut step);
        assert_eq!(
            step.scratch.len(),
            room,
            "the scratch is still the caller's"
        );
        // The RNN's gates are not part of the result.
        let gates = if cell == Cell::Lstm {
            gates
        } else {
            Vec::new()
        };
        [gates, c, tanh_c, h]
    }
}

#[test]
fn steps_that_keep_their_activations() {
    for cell in [Cell::Rnn, Cell::Lstm] {
        for hidden in [1, 4, 7, 8, 9, 15, 16, 17, 33, 64, 65] {
            let streams = [1, 3, 4, 6, 9, 16, 19, 33].into_iter();
            for (streams, table) in streams.flat_map(|n| [(n, false), (n, true)]) {
                let tape = Tape {
                    cell,
                    streams,
                    hidden,
                    table,
                    room: true,
                };
                let expected = tape.run(Products::PLAIN);
                assert!(expected.iter().flatten().all(|x| x.is_finite()));
                for products in Products::available() {
                    let found = tape.run(products);
                    let without = Tape {
                        room: false,
                        ..tape
                    }
                    .run(products);
                    assert_eq!(
                        found,
                        without,
                        "{} {tape:?}: without scratch",
                        products.name()
                    );
                    for (part, (found, expected)) in found.iter().zip(&expected).enumerate() {
                        let what = format!("{} {tape:?}, part {part}", products.name());
                        assert_close(&what, found, expected);
                    }
                }
            }
        }
    }
}

/// A batch that is divided has the same bits as an undivided one: trainers rely on it.
#[test]
fn streams_do_not_depend_on_their_neighbours() {
    struct Part(usize, usize);
    impl Part {
        fn run(self, products: Products) -> Vec<f32> {
            let (a, w) = (numbers(43 * 37, 1), numbers(37 * 70, 2));
            let shape = PackedShape {
                k: 37,
                n: 70,
                columns: Columns::Consecutive,
                lanes: products.lanes(),
            };
            let weights = packed(products, shape, &w, false);
            let mut c = vec![0.0; (self.1 - self.0) * 70];
            let a = &a[self.0 * 37..self.1 * 37];
            let mut scratch = vec![f32::NAN; matmul_scratch(self.1 - self.0, 37)];
            let w = shape.of(&weights).unwrap();
            products.matmul(a, &w, false, false, &mut c, &mut scratch);
            c
        }
    }
    for products in Products::available() {
        let whole = Part(0, 43).run(products);
        let mut parts = Part(0, 5).run(products);
        parts.extend(Part(5, 6).run(products));
        parts.extend(Part(6, 11).run(products));
        parts.extend(Part(11, 43).run(products));
        assert!(whole == parts, "{}", products.name());
    }
}

#[test]
fn every_name_leads_back() {
    for products in Products::available() {
        let found = Products::from_name(products.name()).map(Products::name);
        assert_eq!(found, Some(products.name()));
    }
    let fastest = Products::available().last().map(Products::name);
    assert_eq!(fastest, Some(Products::detect().name()));
    assert!(Products::from_name("no such instructions").is_none());
}
