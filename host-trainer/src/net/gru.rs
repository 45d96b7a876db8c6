//! Gated recurrent unit (Cho et al. 2014), with the reset after the product as in PyTorch, Keras
//! and cuDNN.
//!
//! ```text
//! sums       a = x W_x + b    p = h W_h                 each [r | z | n]
//! forward    r, z = sigmoid(a_r + p_r, a_z + p_z)       u = p_n + b_hn
//!            n = tanh(a_n + r u)                        h' = z h + (1 - z) n
//! backward   dn = dh' (1 - z)     da_n = dn (1 - n^2)   du = da_n r    (du = dp_n = db_hn)
//!            dr = da_n u          dz = dh' (h - n)      da_s = dp_s = ds s (1 - s)  for s = r, z
//!            dh = dh' z + dp W_h^T
//! ```
//! r and z may be hard sigmoids and n a relu (`gate`). Because the reset gate multiplies what W_h made, all of p is one product, and a step waits for h
//! once; but p_n cannot be added to a_n. A row of `gates` is a on the way in and [r | z | n] after
//! the step. On the way back it becomes dp, which is what W_h gets, and da_n goes where u was: for
//! W_x the two change places ([`swap`]).

use gatelet::net::{GateActivation, RnnActivation};
use pulp::{Arch, NullaryFnOnce};

use super::gate::{candidate, d_candidate, d_gate, gate, with_functions};
use crate::real::Real;
use crate::vector::{TILE, load, store, vectorized};

/// The buffers of one step forward; rows of the batch one after the other.
#[derive(Debug)]
pub struct Step<'a, F> {
    /// Units.
    pub hidden: usize,
    /// For every stream a row of a table `[ids, 3*hidden]`, which is a; without one, a is in
    /// `gates`.
    pub rows: Option<(&'a [F], &'a [u16])>,
    /// [batch, 3*hidden]: p.
    pub product: &'a [F],
    /// `[hidden]`: b_hn.
    pub bias: &'a [F],
    /// [batch, hidden]: h before the step, as it goes around the product.
    pub carried: &'a [F],
    /// [batch, 3*hidden]: activations out.
    pub gates: &'a mut [F],
    /// [batch, hidden]: u out.
    pub u: &'a mut [F],
    /// [batch, hidden]: the new h.
    pub h: &'a mut [F],
    /// The function of r and z.
    pub function: GateActivation,
    /// The function of n.
    pub candidate: RnnActivation,
}

struct Forward<'a, F, const HARD: bool, const RELU: bool>(Step<'a, F>);

impl<F: Real, const HARD: bool, const RELU: bool> NullaryFnOnce for Forward<'_, F, HARD, RELU> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Step {
            hidden: n,
            rows,
            product,
            bias,
            carried,
            gates,
            u,
            h,
            ..
        } = self.0;
        let streams = gates
            .chunks_exact_mut(3 * n)
            .zip(product.chunks_exact(3 * n).zip(carried.chunks_exact(n)))
            .zip(u.chunks_exact_mut(n).zip(h.chunks_exact_mut(n)));
        for (stream, ((gates, (p, carried)), (u, h))) in streams.enumerate() {
            if let Some((table, ids)) = rows {
                gates.copy_from_slice(&table[usize::from(ids[stream]) * 3 * n..][..3 * n]);
            }
            let (r, z, new) = split(gates, n);
            let (p_r, p_z, p_n) = (&p[..n], &p[n..2 * n], &p[2 * n..]);
            for at in (0..n).step_by(TILE) {
                let tile = at..n.min(at + TILE);
                let (mut r_tile, mut z_tile) = (load(&r[tile.clone()]), load(&z[tile.clone()]));
                let (p_r, p_z) = (load(&p_r[tile.clone()]), load(&p_z[tile.clone()]));
                let (mut u_tile, bias) = (load(&p_n[tile.clone()]), load(&bias[tile.clone()]));
                let (mut n_tile, mut h_tile) =
                    (load(&new[tile.clone()]), load(&carried[tile.clone()]));
                for k in 0..TILE {
                    r_tile[k] = gate::<F, HARD>(r_tile[k] + p_r[k]);
                }
                for k in 0..TILE {
                    z_tile[k] = gate::<F, HARD>(z_tile[k] + p_z[k]);
                }
                for k in 0..TILE {
                    u_tile[k] += bias[k];
                    n_tile[k] = candidate::<F, RELU>(n_tile[k] + r_tile[k] * u_tile[k]);
                    h_tile[k] = n_tile[k] + z_tile[k] * (h_tile[k] - n_tile[k]);
                }
                store(&mut r[tile.clone()], &r_tile);
                store(&mut z[tile.clone()], &z_tile);
                store(&mut new[tile.clone()], &n_tile);
                store(&mut u[tile.clone()], &u_tile);
                store(&mut h[tile], &h_tile);
            }
        }
    }
}

/// The buffers of one step back.
#[derive(Debug)]
pub struct Back<'a, F> {
    /// Units.
    pub hidden: usize,
    /// [batch, hidden]: h before the step, as it went around the product.
    pub carried: &'a [F],
    /// [batch, hidden]: what comes from the layer above and through the product of the step after.
    pub dh: &'a [F],
    /// [batch, hidden]: what comes around the product of the step after; leaves for the one before.
    pub around: &'a mut [F],
    /// [batch, 3*hidden]: activations in, dp out.
    pub gates: &'a mut [F],
    /// [batch, hidden]: u in, da_n out.
    pub u: &'a mut [F],
    /// As in [`Step`].
    pub function: GateActivation,
    /// As in [`Step`].
    pub candidate: RnnActivation,
}

struct Backward<'a, F, const HARD: bool, const RELU: bool>(Back<'a, F>);

impl<F: Real, const HARD: bool, const RELU: bool> NullaryFnOnce for Backward<'_, F, HARD, RELU> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Back {
            hidden: n,
            carried,
            dh,
            around,
            gates,
            u,
            ..
        } = self.0;
        let one = F::one();
        let streams = gates
            .chunks_exact_mut(3 * n)
            .zip(carried.chunks_exact(n).zip(dh.chunks_exact(n)))
            .zip(around.chunks_exact_mut(n).zip(u.chunks_exact_mut(n)));
        for ((gates, (carried, dh)), (around, u)) in streams {
            let (r, z, new) = split(gates, n);
            for at in (0..n).step_by(TILE) {
                let tile = at..n.min(at + TILE);
                let (mut r_tile, mut z_tile) = (load(&r[tile.clone()]), load(&z[tile.clone()]));
                let (mut n_tile, mut u_tile) = (load(&new[tile.clone()]), load(&u[tile.clone()]));
                let (h_tile, dh_tile) = (load(&carried[tile.clone()]), load(&dh[tile.clone()]));
                let mut d_tile = load(&around[tile.clone()]);
                for k in 0..TILE {
                    let (r, z, new, u) = (r_tile[k], z_tile[k], n_tile[k], u_tile[k]);
                    let d = d_tile[k] + dh_tile[k];
                    let da_n = d * (one - z) * d_candidate::<F, RELU>(new);
                    r_tile[k] = da_n * u * d_gate::<F, HARD>(r);
                    z_tile[k] = d * (h_tile[k] - new) * d_gate::<F, HARD>(z);
                    n_tile[k] = da_n * r;
                    u_tile[k] = da_n;
                    d_tile[k] = d * z;
                }
                store(&mut r[tile.clone()], &r_tile);
                store(&mut z[tile.clone()], &z_tile);
                store(&mut new[tile.clone()], &n_tile);
                store(&mut u[tile.clone()], &u_tile);
                store(&mut around[tile], &d_tile);
            }
        }
    }
}

/// The three gate blocks of one row, each exactly `n` long: the loops above need no bounds checks.
#[inline(always)]
fn split<F>(gates: &mut [F], n: usize) -> (&mut [F], &mut [F], &mut [F]) {
    let (r, rest) = gates.split_at_mut(n);
    let (z, rest) = rest.split_at_mut(n);
    (r, z, &mut rest[..n])
}

/// One step of a batch.
pub fn forward<F: Real>(arch: Arch, step: Step<'_, F>) {
    with_functions!(step.function, step.candidate, forward_of::<F>(arch, step));
}

fn forward_of<F: Real, const HARD: bool, const RELU: bool>(arch: Arch, step: Step<'_, F>) {
    vectorized(arch, Forward::<F, HARD, RELU>(step));
}

/// The gradient of one step.
pub fn backward<F: Real>(arch: Arch, back: Back<'_, F>) {
    with_functions!(back.function, back.candidate, backward_of::<F>(arch, back));
}

fn backward_of<F: Real, const HARD: bool, const RELU: bool>(arch: Arch, back: Back<'_, F>) {
    vectorized(arch, Backward::<F, HARD, RELU>(back));
}

/// Exchanges what is in the place of n in `gates`, [rows, 3*hidden], and `u`, [rows, hidden]: dp
/// for da, after the way back.
pub fn swap<F: Real>(gates: &mut [F], u: &mut [F], hidden: usize) {
    let rows = gates.chunks_exact_mut(3 * hidden);
    for (gates, u) in rows.zip(u.chunks_exact_mut(hidden)) {
        gates[2 * hidden..].swap_with_slice(u);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers of a step of `streams` streams: a, p, b_hn, h before, and what the loss multiplies
    /// h' by.
    #[derive(Clone)]
    struct Numbers {
        hidden: usize,
        a: Vec<f64>,
        p: Vec<f64>,
        bias: Vec<f64>,
        carried: Vec<f64>,
        weights: Vec<f64>,
        functions: (GateActivation, RnnActivation),
    }

    impl Numbers {
        fn new(hidden: usize, streams: usize) -> Self {
            let numbers = |count: usize, seed: usize| -> Vec<f64> {
                let number = |i| ((i * 7 + seed) as f64).sin();
                (0..count).map(number).collect()
            };
            Self {
                hidden,
                a: numbers(3 * hidden * streams, 1),
                p: numbers(3 * hidden * streams, 2),
                bias: numbers(hidden, 3),
                carried: numbers(hidden * streams, 4),
                weights: numbers(hidden * streams, 5),
                functions: (GateActivation::Sigmoid, RnnActivation::Tanh),
            }
        }

        /// Activations, u and h'.
        fn run(&self, rows: Option<(&[f64], &[u16])>) -> [Vec<f64>; 3] {
            let (mut gates, mut u) = (self.a.clone(), self.carried.clone());
            let mut h = u.clone();
            let step = Step {
                hidden: self.hidden,
                rows,
                product: &self.p,
                bias: &self.bias,
                carried: &self.carried,
                gates: &mut gates,
                u: &mut u,
                h: &mut h,
                function: self.functions.0,
                candidate: self.functions.1,
            };
            forward(Arch::new(), step);
            [gates, u, h]
        }

        fn loss(&self) -> f64 {
            let [_, _, h] = self.run(None);
            h.iter().zip(&self.weights).map(|(h, w)| h * w).sum()
        }
    }

    /// The gradient of each of a step's numbers, on both sides of the edges of tiles.
    #[test]
    fn the_way_back_is_the_derivative_of_the_way_forward() {
        let gates = [GateActivation::Sigmoid, GateActivation::HardSigmoid];
        let all = gates.map(|of| [(of, RnnActivation::Tanh), (of, RnnActivation::Relu)]);
        for (hidden, functions) in [1, 2, 15, 16, 17, 33]
            .into_iter()
            .flat_map(|n| all.concat().into_iter().map(move |of| (n, of)))
        {
            let numbers = Numbers {
                functions,
                ..Numbers::new(hidden, 2)
            };
            let [mut gates, mut u, _] = numbers.run(None);
            let mut around = vec![0.0; 2 * hidden];
            let back = Back {
                hidden,
                carried: &numbers.carried,
                dh: &numbers.weights,
                around: &mut around,
                gates: &mut gates,
                u: &mut u,
                function: numbers.functions.0,
                candidate: numbers.functions.1,
            };
            backward(Arch::new(), back);
            let dp = gates.clone();
            let du: Vec<f64> = (0..hidden)
                .map(|k| dp[2 * hidden + k] + dp[5 * hidden + k])
                .collect();
            swap(&mut gates, &mut u, hidden);
            type Field = fn(&mut Numbers) -> &mut Vec<f64>;
            let all: [(&str, Field, &[f64]); 4] = [
                ("a", |n| &mut n.a, &gates),
                ("p", |n| &mut n.p, &dp),
                ("b_hn", |n| &mut n.bias, &du),
                ("h", |n| &mut n.carried, &around),
            ];
            for (name, field, gradient) in all {
                for (index, &found) in gradient.iter().enumerate() {
                    let at = |by: f64| {
                        let mut moved = numbers.clone();
                        field(&mut moved)[index] += by;
                        moved.loss()
                    };
                    let expected = (at(1e-5) - at(-1e-5)) / 2e-5;
                    assert!(
                        (found - expected).abs() < 1e-9,
                        "{hidden} units, {name} {index}: {found} {expected}"
                    );
                }
            }
        }
    }

    #[test]
    fn rows_of_a_table_are_the_sums_that_they_hold() {
        let numbers = Numbers::new(5, 2);
        let table: Vec<f64> = [&numbers.a[15..], &[9.0; 15], &numbers.a[..15]].concat();
        assert_eq!(numbers.run(None), numbers.run(Some((&table, &[2, 0]))));
    }

    /// An update gate of one keeps h; one of zero takes n.
    #[test]
    fn the_update_gate_decides_between_old_and_new() {
        for (z, keeps) in [(1e3, true), (-1e3, false)] {
            let mut numbers = Numbers::new(3, 1);
            numbers.a[3..6].fill(z);
            let [gates, _, h] = numbers.run(None);
            let expected = if keeps {
                &numbers.carried[..]
            } else {
                &gates[6..]
            };
            for (h, expected) in h.iter().zip(expected) {
                assert!((h - expected).abs() < 1e-15, "{h} {expected}");
            }
        }
    }
}
