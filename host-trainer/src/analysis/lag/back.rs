//! One prediction's gradient, back through a net that was unrolled.

use gatelet::net::{Kind, Reset, Value};

use crate::net::Role;
use crate::net::unroll::{Unrolled, add_product, d_activation, d_candidate, d_gate};

/// What [`back`] shows of one layer at one lag.
#[cfg_attr(not(test), allow(dead_code, reason = "the tests look at every part"))]
pub(super) struct Seen<'a> {
    pub(super) lag: usize,
    /// The layer's operation.
    pub(super) operation: usize,
    pub(super) dh: &'a [f64],
    /// Empty for a cell without c.
    pub(super) dc: &'a [f64],
    pub(super) dz: &'a [f64],
}

/// `W x` for W: [rows, x] row-major, added to `out`.
fn add_product_back(out: &mut [f64], w: &[f64], x: &[f64]) {
    for (out, row) in out.iter_mut().zip(w.chunks_exact(x.len().max(1))) {
        *out += row.iter().zip(x).map(|(w, x)| w * x).sum::<f64>();
    }
}

/// What comes to a layer from the step after it.
#[derive(Clone, Default)]
struct Later {
    dh: Vec<f64>,
    dc: Vec<f64>,
}

/// Backpropagates the loss of predicting `target` after step `at` through `lags` steps before it.
pub(super) fn back(
    net: &Unrolled,
    at: usize,
    target: u16,
    lags: usize,
    see: &mut dyn FnMut(Seen<'_>),
) {
    let operations: Vec<_> = net.net().operations().collect();
    let of_layer = |units: usize| Later {
        dh: vec![0.0; units],
        dc: vec![0.0; units],
    };
    let laters = operations.iter().map(|of| of_layer(of.kind.units()));
    let mut laters: Vec<Later> = laters.collect();
    for lag in 0..=lags.min(at) {
        let t = at - lag;
        // The gradient of what each operation made; empty where there is none.
        let mut made: Vec<Vec<f64>> = vec![Vec::new(); operations.len()];
        if lag == 0 {
            let mut d_logits = net.probabilities(t);
            d_logits[usize::from(target)] -= 1.0;
            made[net.scoring()] = d_logits;
        }
        for (index, of) in operations.iter().enumerate().rev() {
            let mut dy = std::mem::take(&mut made[index]);
            let dx = match of.kind {
                kind if kind.is_recurrent() => {
                    dy.resize(kind.units(), 0.0);
                    let later = &mut laters[index];
                    dy.iter_mut().zip(&later.dh).for_each(|(dh, x)| *dh += x);
                    let (dz, dc) = layer(net, (index, kind), t, &dy, later);
                    see(Seen {
                        lag,
                        operation: index,
                        dh: &dy,
                        dc: &dc,
                        dz: &dz,
                    });
                    let input = net.params.tensor(index, Role::Input);
                    let mut dx = vec![0.0; input.len() / dz.len()];
                    add_product_back(&mut dx, input, &dz);
                    dx
                }
                Kind::Dense { activation, .. } if !dy.is_empty() => {
                    d_activation(activation, &net.value(index, t), &mut dy);
                    let weights = net.params.tensor(index, Role::Weight);
                    let mut dx = vec![0.0; weights.len() / dy.len()];
                    add_product(&mut dx, &dy, weights);
                    dx
                }
                Kind::Add => [&dy[..], &dy[..]].concat(),
                _ => Vec::new(),
            };
            if dx.is_empty() {
                continue;
            }
            let mut dx = &dx[..];
            for maker in of.operand.parts().filter_map(|value| value.operation()) {
                let (of_maker, others) = dx.split_at(net.net().width(Value::of(maker)));
                made[maker].resize(of_maker.len(), 0.0);
                let sums = made[maker].iter_mut().zip(of_maker);
                sums.for_each(|(sum, x)| *sum += x);
                dx = others;
            }
        }
        if net.begins[t] {
            return;
        }
    }
}

/// The gradients of a layer's sums and of its c at step `t`; what goes to the step before is left
/// in `later`.
fn layer(
    net: &Unrolled,
    (index, kind): (usize, Kind),
    t: usize,
    dh: &[f64],
    later: &mut Later,
) -> (Vec<f64>, Vec<f64>) {
    let (units, columns) = (kind.units(), kind.gates() * kind.units());
    let tape = &net.tapes[index];
    let of = |all: &[f64], k: usize| all[t * units + k];
    // Zero before the first step of a text or a line.
    let before = |all: &[f64], k: usize| match net.begins[t] {
        true => 0.0,
        false => all[(t - 1) * units + k],
    };
    let own = net.params.tensor(index, Role::Recurrent);
    let gates = &tape.gates[t * columns..][..columns];
    let mut dz = vec![0.0; columns];
    let mut d_before = vec![0.0; units];
    match kind {
        Kind::Rnn { activation, .. } => {
            for k in 0..units {
                dz[k] = dh[k] * d_candidate(activation, gates[k]);
            }
            add_product_back(&mut d_before, own, &dz);
        }
        Kind::Lstm {
            gates: of_gates, ..
        } => {
            let mut dc = later.dc.clone();
            for k in 0..units {
                let [i, f, g, o] = [0, 1, 2, 3].map(|gate| gates[gate * units + k]);
                let tanh_c = of(&tape.c, k).tanh();
                dc[k] += dh[k] * o * (1.0 - tanh_c * tanh_c);
                dz[k] = dc[k] * g * d_gate(of_gates, i);
                dz[units + k] = dc[k] * before(&tape.c, k) * d_gate(of_gates, f);
                dz[2 * units + k] = dc[k] * i * (1.0 - g * g);
                dz[3 * units + k] = dh[k] * tanh_c * d_gate(of_gates, o);
                later.dc[k] = dc[k] * f;
            }
            add_product_back(&mut d_before, own, &dz);
            later.dh = d_before;
            return (dz, dc);
        }
        Kind::Gru {
            reset,
            gates: of_gates,
            candidate,
            ..
        } => {
            let (r, others) = gates.split_at(units);
            let (z, n) = others.split_at(units);
            for k in 0..units {
                let old = before(&tape.h, k);
                dz[units + k] = dh[k] * (old - n[k]) * d_gate(of_gates, z[k]);
                dz[2 * units + k] = dh[k] * (1.0 - z[k]) * d_candidate(candidate, n[k]);
                d_before[k] = dh[k] * z[k];
            }
            // Of what the reset gate has let through.
            let mut through = dz[2 * units..].to_vec();
            if reset == Reset::Before {
                let of_n = std::mem::replace(&mut through, vec![0.0; units]);
                let product = net.params.tensor(index, Role::Candidate);
                add_product_back(&mut through, product, &of_n);
            }
            for k in 0..units {
                dz[k] = through[k] * of(&tape.reset, k) * d_gate(of_gates, r[k]);
                through[k] *= r[k];
            }
            let mut product = dz[..2 * units].to_vec();
            match reset {
                Reset::After => product.extend(through),
                Reset::Before => {
                    let sums = d_before.iter_mut().zip(&through);
                    sums.for_each(|(sum, x)| *sum += x);
                }
            }
            add_product_back(&mut d_before, own, &product);
        }
        Kind::Embedding { .. } | Kind::Dense { .. } | Kind::Add => {}
    }
    later.dh = d_before;
    (dz, Vec::new())
}
