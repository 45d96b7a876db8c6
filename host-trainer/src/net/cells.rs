//! One step of a recurrent operation, forward and back: which cell does it.

use gatelet::net::{GateActivation, Kind, Reset, RnnActivation};

use super::step::{Back, Step};
use super::{gru, gru_before, lstm, rnn};
use crate::engine::Engine;

/// The functions of gates and candidate.
type Functions = (GateActivation, RnnActivation);

/// One step forward.
pub(super) fn forward<F: Engine>(kind: Kind, step: Step<'_, F>) {
    match kind {
        Kind::Rnn { activation, .. } => {
            F::matmul(step.seen, step.w, true, step.gates, step.scratch);
            rnn::forward(step.arch, activation, step.gates, step.h);
        }
        Kind::Lstm {
            gates: function, ..
        } => {
            F::matmul(step.seen, step.w, true, step.gates, step.scratch);
            let of = lstm::Step {
                hidden: step.units,
                gates: step.gates,
                c_before: step.c_before,
                function,
            };
            lstm::forward(step.arch, of, step.c, step.kept, step.h);
        }
        Kind::Gru {
            reset,
            gates,
            candidate,
            ..
        } => match reset {
            Reset::After => gru_after((gates, candidate), step),
            Reset::Before => gru_before::forward((gates, candidate), step),
        },
        Kind::Embedding { .. } | Kind::Dense { .. } | Kind::Add => {}
    }
}

fn gru_after<F: Engine>((function, candidate): Functions, step: Step<'_, F>) {
    F::matmul(step.seen, step.w, false, step.product, step.scratch);
    let of = gru::Step {
        hidden: step.units,
        rows: None,
        product: step.product,
        bias: step.bias,
        carried: step.carried,
        gates: step.gates,
        u: step.kept,
        h: step.h,
        function,
        candidate,
    };
    gru::forward(step.arch, of);
}

/// The gradients of h and c after a step, [batch, units], before the step back is taken; that of c
/// is empty for a cell without one.
pub(super) fn of_states<F: Engine>(kind: Kind, back: &Back<'_, F>) -> (Vec<F>, Vec<F>) {
    let (dh, around) = (back.dh.iter(), back.around.iter());
    match kind {
        Kind::Gru { .. } => (dh.zip(around).map(|(&d, &z)| d + z).collect(), Vec::new()),
        Kind::Lstm { units, .. } => {
            let o = back.gates.chunks_exact(4 * units);
            let o = o.flat_map(|gates| &gates[3 * units..]);
            let all = dh.zip(around).zip(o.zip(&*back.kept));
            let dc = all.map(|((&dh, &dc), (&o, &tanh_c))| dc + lstm::of_c(dh, o, tanh_c));
            (back.dh.to_vec(), dc.collect())
        }
        _ => (back.dh.to_vec(), Vec::new()),
    }
}

/// One step back.
pub(super) fn backward<F: Engine>(kind: Kind, back: Back<'_, F>) {
    match kind {
        Kind::Rnn { activation, .. } => {
            rnn::backward(back.arch, activation, back.h, back.dh, back.gates);
        }
        Kind::Lstm {
            gates: function, ..
        } => {
            let of = lstm::Step {
                hidden: back.units,
                gates: back.gates,
                c_before: back.c_before,
                function,
            };
            lstm::backward(back.arch, of, back.kept, back.dh, back.around);
        }
        Kind::Gru {
            reset,
            gates,
            candidate,
            ..
        } => match reset {
            Reset::After => {
                let of = gru::Back {
                    hidden: back.units,
                    carried: back.carried,
                    dh: back.dh,
                    around: back.around,
                    gates: back.gates,
                    u: back.kept,
                    function: gates,
                    candidate,
                };
                gru::backward(back.arch, of);
            }
            Reset::Before => gru_before::backward((gates, candidate), back),
        },
        Kind::Embedding { .. } | Kind::Dense { .. } | Kind::Add => {}
    }
}
