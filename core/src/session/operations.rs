//! The schedule: a net's operations, one after the other, on any kernel.
//!
//! An operation finds its operand among the values, or has it put together; a recurrent one computes its
//! new h apart from the old one, which its other units still read. Which operations there are is the
//! model's; which of them a program has at all is the kernel's, decided while compiling.

use core::ops::Range;

use crate::cell::{self, add, dense};
use crate::fixed::{H_BITS, LOGIT_BITS};
use crate::image::model::Model;
use crate::kernel::{Kernel, can, can_any, copy};
use crate::net::TokenId;
use crate::net::{Activation, Capabilities, Kind, NOWHERE, Operation, Place, Precision, Value};
use crate::session::state::{self, Parts};
use crate::weights::layer::{Weights, addends, projected};

type PartsF32<'a> = Parts<'a, f32, f32, f32>;
type PartsInt8<'a> = Parts<'a, i8, i16, i32>;

/// How many operations' views a session keeps: a step of a small net takes longer to make them than
/// to multiply. A microcontroller has no memory for them.
const KEPT: usize = if cfg!(target_arch = "arm") { 0 } else { 4 };
/// The views of the first operations of a model.
pub(super) type Kept<'m> = [Weights<'m>; KEPT];

/// Makes the views that a session keeps.
#[inline(always)]
pub(super) fn kept<'m, K: Kernel>(model: &Model<'m>) -> Kept<'m> {
    core::array::from_fn(|index| model.weights_in::<K>(index, model.net.precision))
}

/// All operations of one step.
#[inline(always)]
pub(super) fn step<K: Kernel>(
    model: &Model<'_>,
    kept: &Kept<'_>,
    kernel: K,
    token: Option<TokenId>,
    storage: &mut [u32],
) {
    let of = 0..model.net.len();
    if KEPT == 0 || of.len() > KEPT {
        run(model, kernel, token, storage, of);
    } else if can::<K>(Capabilities::INT8) && matches!(model.net.precision, Precision::Int8) {
        let mut parts = state::split(&model.plan, storage);
        for (index, weights) in of.zip(kept) {
            int8_of(model, kernel, token, &mut parts, (index, weights));
        }
    } else if can::<K>(Capabilities::F32) {
        let mut parts = state::split(&model.plan, storage);
        for (index, weights) in of.zip(kept) {
            f32_of(model, kernel, token, &mut parts, (index, weights));
        }
    }
    copy_outputs::<K>(model, storage);
}

/// What is left of a step when all operations are done.
pub(crate) fn finish<K: Kernel>(model: &Model<'_>, storage: &mut [u32]) {
    copy_outputs::<K>(model, storage);
}

/// Some operations of one step.
#[inline(always)]
pub(crate) fn run<K: Kernel>(
    model: &Model<'_>,
    kernel: K,
    token: Option<TokenId>,
    storage: &mut [u32],
    range: Range<usize>,
) {
    if can::<K>(Capabilities::INT8) && matches!(model.net.precision, Precision::Int8) {
        let mut parts = state::split(&model.plan, storage);
        for index in range {
            int8(model, kernel, token, &mut parts, index);
        }
    } else if can::<K>(Capabilities::F32) {
        let mut parts = state::split(&model.plan, storage);
        for index in range {
            f32(model, kernel, token, &mut parts, index);
        }
    }
}

/// The outputs of a state without a step: all operations that are not recurrent.
pub(crate) fn outputs<K: Kernel>(model: &Model<'_>, kernel: K, storage: &mut [u32]) {
    for (index, operation) in model.net.operations().enumerate() {
        match operation.kind {
            Kind::Dense { .. } | Kind::Add => {
                run(model, kernel, None, storage, index..index + 1);
            }
            _ => {}
        }
    }
    copy_outputs::<K>(model, storage);
}

/// The operand of an operation: a slice of the values, or its parts side by side.
#[inline(always)]
fn operand<'p, H: Copy + Default, K: Kernel>(
    model: &Model<'_>,
    (index, place): (usize, &Place),
    values: &'p [H],
    gathered: &'p mut [H],
) -> &'p [H] {
    if !can::<K>(Capabilities::GATHER) || place.x != NOWHERE {
        let x = values.get(place.x..place.x + place.columns);
        return x.unwrap_or_default();
    }
    gather(model, index, values, gathered);
    gathered.get(..place.columns).unwrap_or_default()
}

/// Puts the values that operation `index` reads side by side, and its own h behind them.
#[inline(never)]
fn gather<H: Copy + Default>(model: &Model<'_>, index: usize, values: &[H], to: &mut [H]) {
    let Some(operation) = model.net.operation(index) else {
        return;
    };
    let own = operation.kind.is_recurrent().then_some(Value::of(index));
    let mut rest = to;
    for value in operation.operand.parts().chain(own) {
        let (first, stride) = (model.plan.value(value), model.net.stride(value));
        if stride == 0 {
            continue;
        }
        let from = values.get(first..first + stride).unwrap_or_default();
        let (here, behind) = rest.split_at_mut_checked(stride).unwrap_or_default();
        here.iter_mut().zip(from).for_each(|(to, &x)| *to = x);
        rest = behind;
    }
}

/// The token, for an operation that reads it.
#[inline(always)]
fn token_of(place: &Place, token: Option<TokenId>) -> Option<TokenId> {
    match place.reads_token {
        true => token,
        false => None,
    }
}

/// Puts a new h in the place of the old one.
#[inline(always)]
fn keep<H: Copy>(place: &Place, units: usize, next: &[H], values: &mut [H]) {
    let old = values.get_mut(place.value..place.value + units);
    if let (Some(old), Some(new)) = (old, next.get(..units)) {
        if cfg!(target_arch = "arm") {
            copy(new, old);
            return;
        }
        // By fours, as products read them: what is larger could not be read until it is in the
        // cache.
        let (fours, rest) = new.as_chunks::<4>();
        let (to, to_rest) = old.as_chunks_mut::<4>();
        for (to, four) in to.iter_mut().zip(fours) {
            *to = *four;
        }
        if !rest.is_empty() {
            copy(rest, to_rest);
        }
    }
}

/// Elements `first..first + len`, to change; none where there is no place.
#[inline(always)]
fn part<T>(all: &mut [T], first: usize, len: usize) -> &mut [T] {
    let end = first.saturating_add(len);
    all.get_mut(first..end).unwrap_or_default()
}

/// Operation `index` in int8. On a microcontroller one copy is enough: flash is dearer than a call.
#[cfg_attr(target_arch = "arm", inline(never))]
#[cfg_attr(not(target_arch = "arm"), inline(always))]
pub(super) fn int8<K: Kernel>(
    model: &Model<'_>,
    kernel: K,
    token: Option<TokenId>,
    parts: &mut PartsInt8<'_>,
    index: usize,
) {
    let weights = model.weights_in::<K>(index, Precision::Int8);
    int8_of(model, kernel, token, parts, (index, &weights));
}

/// Operation `index`, which has these weights.
#[inline(always)]
fn int8_of<K: Kernel>(
    model: &Model<'_>,
    kernel: K,
    token: Option<TokenId>,
    parts: &mut PartsInt8<'_>,
    (index, weights): (usize, &Weights<'_>),
) {
    let place = model.plan.at(index);
    let at = (index, place);
    match weights {
        Weights::CellInt8(layer) if can_any::<K>(Capabilities::FUSED) => {
            let x = operand::<_, K>(model, at, parts.values, parts.gathered);
            let addend = layer.addend(token_of(place, token));
            let c = part(parts.cells, place.cell, layer.hidden);
            kernel.layer_int8(layer, addend, x, c, parts.next);
            keep(place, layer.hidden, parts.next, parts.values);
        }
        Weights::DenseInt8(of) if can::<K>(Capabilities::DENSE) => {
            let x = operand::<_, K>(model, at, parts.values, parts.gathered);
            let units = units(model, index);
            let y = match place.output {
                NOWHERE if can::<K>(Capabilities::INNER) => part(parts.sums, 0, units),
                output => part(parts.outputs, output, units),
            };
            dense::sums_int8(kernel, of, x, y);
            let inner = of.activation != Activation::None || place.value != NOWHERE;
            if can::<K>(Capabilities::INNER) && inner {
                inner_int8(of, y, part(parts.values, place.value, units));
            }
        }
        Weights::EmbeddingInt8(table) if can::<K>(Capabilities::EMBEDDING) => {
            if let Some(id) = token {
                let units = units(model, index);
                table.look_up(id, part(parts.values, place.value, units));
            }
        }
        Weights::RecurrentInt8(of) if can_any::<K>(Capabilities::UNFUSED) => {
            let x = operand::<_, K>(model, at, parts.values, parts.gathered);
            let units = of.kind.units();
            let token = token_of(place, token);
            let step = cell::Step {
                addend: addends(of.input, token, of.kind.gates() * units),
                x,
                carried: part(parts.cells, place.cell, units),
                sums: &mut *parts.sums,
                next: part(parts.next, 0, units.next_multiple_of(4)),
            };
            cell::step_int8(kernel, of, step);
            keep(place, units, parts.next, parts.values);
        }
        Weights::AddInt8(of) if can::<K>(Capabilities::ADD) => {
            let Some(operation) = model.net.operation(index) else {
                return;
            };
            if let Some((a, b, y)) = add_parts(model, operation, place, index, parts.values) {
                add::step_int8(of, [a, b], y);
            }
        }
        _ => {}
    }
}

/// Operation `index` in f32.
#[cfg_attr(target_arch = "arm", inline(never))]
#[cfg_attr(not(target_arch = "arm"), inline(always))]
pub(super) fn f32<K: Kernel>(
    model: &Model<'_>,
    kernel: K,
    token: Option<TokenId>,
    parts: &mut PartsF32<'_>,
    index: usize,
) {
    let weights = model.weights_in::<K>(index, Precision::F32);
    f32_of(model, kernel, token, parts, (index, &weights));
}

/// Operation `index`, which has these weights.
#[inline(always)]
fn f32_of<K: Kernel>(
    model: &Model<'_>,
    kernel: K,
    token: Option<TokenId>,
    parts: &mut PartsF32<'_>,
    (index, weights): (usize, &Weights<'_>),
) {
    let place = model.plan.at(index);
    let at = (index, place);
    match weights {
        Weights::CellF32(layer) if can_any::<K>(Capabilities::FUSED) => {
            let x = operand::<_, K>(model, at, parts.values, parts.gathered);
            let addend = layer.addend(token_of(place, token));
            let c = part(parts.cells, place.cell, layer.hidden);
            kernel.layer_f32(layer, addend, x, c, parts.next);
            keep(place, layer.hidden, parts.next, parts.values);
        }
        Weights::DenseF32(of) if can::<K>(Capabilities::DENSE) => {
            let units = units(model, index);
            if place.output == NOWHERE && can::<K>(Capabilities::INNER) {
                // What it reads was made before it, and stands before it.
                let (before, behind) = parts
                    .values
                    .split_at_mut_checked(place.value)
                    .unwrap_or_default();
                let x = operand::<_, K>(model, at, before, parts.gathered);
                let y = part(behind, 0, units);
                dense::sums_f32(kernel, of, x, y);
                dense::activate_f32(kernel, of.activation, y);
                return;
            }
            let x = operand::<_, K>(model, at, parts.values, parts.gathered);
            let y = part(parts.outputs, place.output, units);
            dense::sums_f32(kernel, of, x, y);
            if can::<K>(Capabilities::INNER) {
                dense::activate_f32(kernel, of.activation, y);
                if place.value != NOWHERE {
                    copy(y, part(parts.values, place.value, units));
                }
            }
        }
        Weights::EmbeddingF32(table) if can::<K>(Capabilities::EMBEDDING) => {
            if let Some(id) = token {
                let units = units(model, index);
                table.look_up(id, part(parts.values, place.value, units));
            }
        }
        Weights::RecurrentF32(of) if can_any::<K>(Capabilities::UNFUSED) => {
            let x = operand::<_, K>(model, at, parts.values, parts.gathered);
            let units = of.kind.units();
            let token = token_of(place, token);
            let step = cell::Step {
                addend: addends(of.input, token, of.kind.gates() * units),
                x,
                carried: part(parts.cells, place.cell, units),
                sums: &mut *parts.sums,
                next: part(parts.next, 0, units.next_multiple_of(4)),
            };
            cell::step_f32(kernel, of, step);
            keep(place, units, parts.next, parts.values);
        }
        Weights::None if can::<K>(Capabilities::ADD) => {
            let Some(operation) = model.net.operation(index) else {
                return;
            };
            if let Some((a, b, y)) = add_parts(model, operation, place, index, parts.values) {
                for (y, (a, b)) in y.iter_mut().zip(a.iter().zip(b)) {
                    *y = a + b;
                }
            }
        }
        _ => {}
    }
}

/// Units of operation `index`.
#[inline(always)]
fn units(model: &Model<'_>, index: usize) -> usize {
    model
        .net
        .operation(index)
        .map_or(0, |operation| operation.kind.units())
}

/// The activations of a dense operation in place, and as others read them, if they do.
#[inline(never)]
fn inner_int8(of: &crate::weights::layer::DenseInt8<'_>, y: &mut [i32], value: &mut [i8]) {
    for y in &mut *y {
        *y = dense::activate_int8(of.activation, *y);
    }
    for (to, &y) in value.iter_mut().zip(&*y) {
        *to = projected(y);
    }
}

/// What a sum adds, and where it goes, which is behind both.
#[inline(never)]
fn add_parts<'p, H>(
    model: &Model<'_>,
    operation: &Operation,
    place: &Place,
    index: usize,
    values: &'p mut [H],
) -> Option<(&'p [H], &'p [H], &'p mut [H])> {
    let numbers = model.net.width(Value::of(index));
    let (before, behind) = values.split_at_mut_checked(place.value)?;
    let of = |part: usize| {
        let first = model.plan.value(operation.operand.part(part));
        before.get(first..first + numbers)
    };
    Some((of(0)?, of(1)?, behind.get_mut(..numbers)?))
}

/// Outputs that no dense operation has left in their place: values, and what is given twice.
#[inline(always)]
fn copy_outputs<K: Kernel>(model: &Model<'_>, storage: &mut [u32]) {
    if can::<K>(Capabilities::OUTPUTS) && model.plan.copies {
        copy_all_outputs(model, storage);
    }
}

#[inline(never)]
fn copy_all_outputs(model: &Model<'_>, storage: &mut [u32]) {
    let (net, plan) = (&model.net, &model.plan);
    let mut first = 0;
    for output in net.outputs() {
        let (value, numbers) = (output.value(), net.width(output.value()));
        let to = first;
        first += numbers;
        let Some(index) = value.operation() else {
            continue;
        };
        let place = plan.at(index);
        let dense =
            matches!(net.operation(index), Some(of) if matches!(of.kind, Kind::Dense { .. }));
        match (dense, net.precision) {
            (true, _) if place.output == to => {}
            (true, _) => {
                // Given before.
                let parts: PartsInt8<'_> = state::split(plan, storage);
                let from = place.output;
                for number in 0..numbers {
                    let y = parts.outputs.get(from + number).copied();
                    if let (Some(to), Some(y)) = (parts.outputs.get_mut(to + number), y) {
                        *to = y;
                    }
                }
            }
            (false, Precision::F32) => {
                let parts: PartsF32<'_> = state::split(plan, storage);
                let from = part(parts.values, place.value, numbers);
                copy(from, part(parts.outputs, to, numbers));
            }
            (false, Precision::Int8) => {
                let parts: PartsInt8<'_> = state::split(plan, storage);
                let from = part(parts.values, place.value, numbers);
                for (to, &x) in part(parts.outputs, to, numbers).iter_mut().zip(&*from) {
                    *to = i32::from(x) << (LOGIT_BITS - H_BITS);
                }
            }
        }
    }
}
