//! The gated recurrent unit as Cho et al. (2014) have it: the reset gate multiplies h.
//!
//! ```text
//! sums       a = x W_x + b    p = h [W_r | W_z]
//! forward    r, z = sigmoid(a_r + p_r, a_z + p_z)       q = r h
//!            n = tanh(a_n + q U)                        h' = z h + (1 - z) n
//! backward   dn = dh' (1 - z)     da_n = dn (1 - n^2)   dq = da_n U^T
//!            dr = dq h            dz = dh' (h - n)      da_s = dp_s = ds s (1 - s)  for s = r, z
//!            dh = dh' z + dq r + dp [W_r | W_z]^T
//! ```
//! Two products in a row, where the reset after the product ([`gru`](super::gru)) needs one. `h` is
//! what products read of it in p and q, and `carried` what the update gate keeps.

use gatelet::net::{GateActivation, RnnActivation};

use super::gate::{candidate, d_candidate, d_gate, gate, with_functions};
use super::step::{Back, Step};
use crate::engine::Engine;

/// How many streams there are.
fn streams<F>(gates: &[F], units: usize) -> usize {
    gates.len() / (3 * units)
}

/// One step of a batch; `w`: [units, 2*units] of r and z, `u`: [units, units].
pub(super) fn forward<F: Engine>(functions: (GateActivation, RnnActivation), step: Step<'_, F>) {
    let (gates, candidate) = functions;
    with_functions!(gates, candidate, forward_of::<F>(step));
}

fn forward_of<F: Engine, const HARD: bool, const RELU: bool>(step: Step<'_, F>) {
    let Some(u) = step.u else { return };
    let n = step.units;
    let batch = streams(step.gates, n);
    let (p, of_q) = step.product.split_at_mut(2 * n * batch);
    F::matmul(step.seen, step.w, false, p, step.scratch);
    for row in 0..batch {
        let gates = &mut step.gates[3 * n * row..][..2 * n];
        let sums = gates.iter_mut().zip(&p[2 * n * row..]);
        sums.for_each(|(a, &p)| *a = gate::<F, HARD>(*a + p));
        let q = step.q[n * row..][..n].iter_mut();
        let reads = gates.iter().zip(&step.seen[n * row..]);
        q.zip(reads).for_each(|(q, (&r, &h))| *q = r * h);
    }
    F::matmul(step.q, u, false, of_q, step.scratch);
    for row in 0..batch {
        let gates = &mut step.gates[3 * n * row..][..3 * n];
        for k in 0..n {
            let (z, at) = (gates[n + k], n * row + k);
            let new = candidate::<F, RELU>(gates[2 * n + k] + of_q[at]);
            gates[2 * n + k] = new;
            step.h[at] = new + z * (step.carried[at] - new);
        }
    }
}

/// The gradient of one step.
pub(super) fn backward<F: Engine>(functions: (GateActivation, RnnActivation), step: Back<'_, F>) {
    let (gates, candidate) = functions;
    with_functions!(gates, candidate, backward_of::<F>(step));
}

fn backward_of<F: Engine, const HARD: bool, const RELU: bool>(step: Back<'_, F>) {
    let Some(back) = step.u else { return };
    let n = step.units;
    let batch = streams(step.gates, n);
    let one = F::one();
    for row in 0..batch {
        let gates = &mut step.gates[3 * n * row..][..3 * n];
        for k in 0..n {
            let (z, new, at) = (gates[n + k], gates[2 * n + k], n * row + k);
            let d = step.dh[at] + step.around[at];
            let da_n = d * (one - z) * d_candidate::<F, RELU>(new);
            step.d_candidate[at] = da_n;
            gates[2 * n + k] = da_n;
            gates[n + k] = d * (step.carried[at] - new) * d_gate::<F, HARD>(z);
            step.around[at] = d * z;
        }
    }
    F::matmul(step.d_candidate, back, false, step.through, step.scratch);
    for row in 0..batch {
        let gates = &mut step.gates[3 * n * row..][..3 * n];
        let (r, z_and_n) = gates.split_at_mut(n);
        let through = step.through[n * row..][..n].iter_mut();
        let reads = through.zip(&step.seen[n * row..]);
        for (r, (through, &h)) in r.iter_mut().zip(reads) {
            let (gate, dq) = (*r, *through);
            *r = dq * h * d_gate::<F, HARD>(gate);
            *through = dq * gate;
        }
        let d_gates = step.d_gates[2 * n * row..][..2 * n].split_at_mut(n);
        d_gates.0.copy_from_slice(r);
        d_gates.1.copy_from_slice(&z_and_n[..n]);
    }
}
