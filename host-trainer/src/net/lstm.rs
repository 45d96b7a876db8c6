//! Long short-term memory (Hochreiter and Schmidhuber 1997, with Gers' forget gate).
//!
//! ```text
//! forward    i, f, o = sigmoid(z_i, z_f, z_o)    g = tanh(z_g)
//!            c' = f c + i g                      h = o tanh(c')
//! backward   do = dh tanh(c')                    dc' += dh o (1 - tanh(c')^2)
//!            di = dc' g    dg = dc' i    df = dc' c    dc = dc' f
//!            dz_s = ds s (1 - s)  for s = i, f, o      dz_g = dg (1 - g^2)
//! ```
//! A hard sigmoid may be in place of the sigmoid (`gate`).
//! A row of `z` is [i | f | g | o], each of `hidden` numbers. The activations overwrite `z` on the
//! way forward and the gradients overwrite the activations on the way back, so a window keeps one
//! buffer for all three.

use gatelet::net::GateActivation;
use pulp::{Arch, NullaryFnOnce};

use super::gate::{d_gate, gate};
use crate::real::Real;
use crate::vector::{TILE, load, store, vectorized};

/// The buffers of one step; rows of the batch one after the other.
#[derive(Debug)]
pub struct Step<'a, F> {
    /// Units.
    pub hidden: usize,
    /// [batch, 4*hidden]: pre-activations in, activations out; on the way back activations in,
    /// gradients out.
    pub gates: &'a mut [F],
    /// [batch, hidden]: cell state before the step.
    pub c_before: &'a [F],
    /// The function of i, f and o.
    pub function: GateActivation,
}

/// The four gates of a tile of units.
struct Lanes<F> {
    i: [F; TILE],
    f: [F; TILE],
    g: [F; TILE],
    o: [F; TILE],
}

impl<F: Real> Lanes<F> {
    #[inline(always)]
    fn load(i: &[F], f: &[F], g: &[F], o: &[F]) -> Self {
        Self {
            i: load(i),
            f: load(f),
            g: load(g),
            o: load(o),
        }
    }

    #[inline(always)]
    fn store(&self, i: &mut [F], f: &mut [F], g: &mut [F], o: &mut [F]) {
        store(i, &self.i);
        store(f, &self.f);
        store(g, &self.g);
        store(o, &self.o);
    }
}

struct Forward<'a, F, const HARD: bool> {
    step: Step<'a, F>,
    c: &'a mut [F],
    tanh_c: &'a mut [F],
    h: &'a mut [F],
}

impl<F: Real, const HARD: bool> NullaryFnOnce for Forward<'_, F, HARD> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let n = self.step.hidden;
        let states = self
            .c
            .chunks_exact_mut(n)
            .zip(self.tanh_c.chunks_exact_mut(n))
            .zip(self.h.chunks_exact_mut(n));
        let before = self
            .step
            .gates
            .chunks_exact_mut(4 * n)
            .zip(self.step.c_before.chunks_exact(n));
        for ((gates, c_before), ((c, tanh_c), h)) in before.zip(states) {
            let (i, f, g, o) = split(gates, n);
            for at in (0..n).step_by(TILE) {
                let tile = at..n.min(at + TILE);
                let mut lanes = Lanes::load(
                    &i[tile.clone()],
                    &f[tile.clone()],
                    &g[tile.clone()],
                    &o[tile.clone()],
                );
                lanes.i.iter_mut().for_each(|x| *x = gate::<F, HARD>(*x));
                lanes.f.iter_mut().for_each(|x| *x = gate::<F, HARD>(*x));
                lanes.g.iter_mut().for_each(|x| *x = x.tanh());
                lanes.o.iter_mut().for_each(|x| *x = gate::<F, HARD>(*x));
                let mut c_new = load(&c_before[tile.clone()]);
                let gates = lanes.f.iter().zip(&lanes.i).zip(&lanes.g);
                for (c, ((&f, &i), &g)) in c_new.iter_mut().zip(gates) {
                    *c = f * *c + i * g;
                }
                let t: [F; TILE] = c_new.map(F::tanh);
                let mut h_new = lanes.o;
                h_new.iter_mut().zip(&t).for_each(|(h, &t)| *h *= t);
                store(&mut c[tile.clone()], &c_new);
                store(&mut tanh_c[tile.clone()], &t);
                store(&mut h[tile.clone()], &h_new);
                lanes.store(
                    &mut i[tile.clone()],
                    &mut f[tile.clone()],
                    &mut g[tile.clone()],
                    &mut o[tile],
                );
            }
        }
    }
}

/// What comes to c' from h.
#[inline(always)]
pub(super) fn of_c<F: Real>(dh: F, o: F, tanh_c: F) -> F {
    dh * o * (F::one() - tanh_c * tanh_c)
}

struct Backward<'a, F, const HARD: bool> {
    step: Step<'a, F>,
    tanh_c: &'a [F],
    dh: &'a [F],
    dc: &'a mut [F],
}

impl<F: Real, const HARD: bool> NullaryFnOnce for Backward<'_, F, HARD> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let n = self.step.hidden;
        let one = F::one();
        let states = self
            .tanh_c
            .chunks_exact(n)
            .zip(self.dh.chunks_exact(n))
            .zip(self.dc.chunks_exact_mut(n));
        let before = self
            .step
            .gates
            .chunks_exact_mut(4 * n)
            .zip(self.step.c_before.chunks_exact(n));
        for ((gates, c_before), ((tanh_c, dh), dc)) in before.zip(states) {
            let (i, f, g, o) = split(gates, n);
            for at in (0..n).step_by(TILE) {
                let tile = at..n.min(at + TILE);
                let a = Lanes::load(
                    &i[tile.clone()],
                    &f[tile.clone()],
                    &g[tile.clone()],
                    &o[tile.clone()],
                );
                let (c_before, t) = (load(&c_before[tile.clone()]), load(&tanh_c[tile.clone()]));
                let (dh, mut dc_tile) = (load(&dh[tile.clone()]), load(&dc[tile.clone()]));
                let mut dz = Lanes {
                    i: [F::zero(); TILE],
                    f: [F::zero(); TILE],
                    g: [F::zero(); TILE],
                    o: [F::zero(); TILE],
                };
                for k in 0..TILE {
                    let d = dc_tile[k] + of_c(dh[k], a.o[k], t[k]);
                    dz.i[k] = d * a.g[k] * d_gate::<F, HARD>(a.i[k]);
                    dz.f[k] = d * c_before[k] * d_gate::<F, HARD>(a.f[k]);
                    dz.g[k] = d * a.i[k] * (one - a.g[k] * a.g[k]);
                    dz.o[k] = dh[k] * t[k] * d_gate::<F, HARD>(a.o[k]);
                    dc_tile[k] = d * a.f[k];
                }
                store(&mut dc[tile.clone()], &dc_tile);
                dz.store(
                    &mut i[tile.clone()],
                    &mut f[tile.clone()],
                    &mut g[tile.clone()],
                    &mut o[tile],
                );
            }
        }
    }
}

/// The four gate blocks of one row, each exactly `n` long so that the loop above needs no bounds
/// checks.
#[inline(always)]
fn split<F>(gates: &mut [F], n: usize) -> (&mut [F], &mut [F], &mut [F], &mut [F]) {
    let (i, rest) = gates.split_at_mut(n);
    let (f, rest) = rest.split_at_mut(n);
    let (g, rest) = rest.split_at_mut(n);
    (i, f, g, &mut rest[..n])
}

/// One step of a batch: fills `c`, `tanh_c` and `h` ([batch, hidden]) and turns `step.gates` into
/// activations.
pub fn forward<F: Real>(arch: Arch, step: Step<'_, F>, c: &mut [F], tanh_c: &mut [F], h: &mut [F]) {
    match step.function {
        GateActivation::Sigmoid => {
            vectorized(arch, Forward::<F, false> { step, c, tanh_c, h });
        }
        GateActivation::HardSigmoid => {
            vectorized(arch, Forward::<F, true> { step, c, tanh_c, h });
        }
    }
}

/// The gradient of one step: `dc` ([batch, hidden]) comes from the step after and leaves for the
/// step before; `dh` is the whole gradient of this step's output; `step.gates` turns from
/// activations into dz.
pub fn backward<F: Real>(arch: Arch, step: Step<'_, F>, tanh_c: &[F], dh: &[F], dc: &mut [F]) {
    match step.function {
        GateActivation::Sigmoid => vectorized(
            arch,
            Backward::<F, false> {
                step,
                tanh_c,
                dh,
                dc,
            },
        ),
        GateActivation::HardSigmoid => vectorized(
            arch,
            Backward::<F, true> {
                step,
                tanh_c,
                dh,
                dc,
            },
        ),
    }
}
