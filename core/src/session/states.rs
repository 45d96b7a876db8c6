//! The carried state: what a snapshot, a hash and a caller see of it.
//!
//! ```text
//! snapshot    h of every recurrent operation, then what else every one carries; with padding
//! hash        the same without padding
//! ```

use bytemuck::cast_slice;

use crate::image::format::SectionKind;
use crate::image::model::Model;
use crate::kernel::Kernel;
use crate::kernel::{can, copy};
use crate::net::{Capabilities, NOWHERE, Precision, Value};
use crate::session::hash::StateHash;
use crate::session::state;

/// The state of a recurrent operation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum StateView<'a> {
    /// Of an f32 net: `h: [units]`, and `c: [units]` of an LSTM, otherwise empty.
    F32 {
        /// h.
        h: &'a [f32],
        /// c.
        c: &'a [f32],
    },
    /// Of an int8 net: `h: [units]`, scale 1/128; `c: [units]`, of an LSTM c in Q(state bits), of a GRU
    /// h in Q0.15, otherwise empty.
    Int8 {
        /// h.
        h: &'a [i8],
        /// c, or h in 16 bits.
        c: &'a [i16],
    },
}

/// Where operation `index` keeps its state, in words: h, and what else it carries. Nothing if it is not
/// recurrent.
struct Words {
    h: usize,
    h_words: usize,
    c: usize,
    c_words: usize,
}

impl Words {
    fn of(model: &Model<'_>, index: usize) -> Option<Self> {
        let (net, plan) = (&model.net, &model.plan);
        net.recurrent(index)?;
        let (place, stride) = (plan.at(index), net.stride(Value::of(index)));
        let (h_bytes, c_bytes) = (net.precision.hidden_bytes(), net.precision.cell_bytes());
        let (c, c_words) = match place.cell {
            NOWHERE => (0, 0),
            cell => (
                plan.value_words() + cell * c_bytes / 4,
                stride * c_bytes / 4,
            ),
        };
        Some(Words {
            h: place.value * h_bytes / 4,
            h_words: stride * h_bytes / 4,
            c,
            c_words,
        })
    }
}

/// Hands the words of a state to `sink`, piece by piece, in the order of a snapshot.
pub(crate) fn copy_state(model: &Model<'_>, storage: &[u32], mut sink: impl FnMut(&[u32])) {
    for index in 0..model.net.len() {
        if let Some(at) = Words::of(model, index) {
            sink(storage.get(at.h..at.h + at.h_words).unwrap_or_default());
        }
    }
    let (start, words) = (model.plan.value_words(), model.plan.cell_words());
    sink(storage.get(start..start + words).unwrap_or_default());
}

/// Takes the words of a snapshot, whose length was compared, into a session's storage.
pub(super) fn put_state(model: &Model<'_>, storage: &mut [u32], from: &[u32]) {
    let mut rest = from;
    let mut take = |to: Option<&mut [u32]>| {
        let to = to.unwrap_or_default();
        let (first, behind) = rest.split_at_checked(to.len()).unwrap_or_default();
        copy(first, to);
        rest = behind;
    };
    for index in 0..model.net.len() {
        if let Some(at) = Words::of(model, index) {
            take(storage.get_mut(at.h..at.h + at.h_words));
        }
    }
    let (start, words) = (model.plan.value_words(), model.plan.cell_words());
    take(storage.get_mut(start..start + words));
}

/// Zeroes the padding elements of every recurrent operation's h, on which the kernels rely.
pub(crate) fn clear_padding(model: &Model<'_>, storage: &mut [u32]) {
    for index in 0..model.net.len() {
        let (Some(recurrent), place) = (model.net.recurrent(index), model.plan.at(index)) else {
            continue;
        };
        let padding = place.value + recurrent.units..place.value + recurrent.own;
        match model.net.precision {
            Precision::F32 => {
                let parts = state::split::<f32, f32, f32>(&model.plan, storage);
                parts.values.get_mut(padding).unwrap_or_default().fill(0.0);
            }
            Precision::Int8 => {
                let parts = state::split::<i8, i16, i32>(&model.plan, storage);
                parts.values.get_mut(padding).unwrap_or_default().fill(0);
            }
        }
    }
}

/// Takes the canonical bytes of a state into `hash`.
pub(crate) fn hash_state(model: &Model<'_>, storage: &[u32], hash: &mut StateHash) {
    let net = &model.net;
    let (h_bytes, c_bytes) = (net.precision.hidden_bytes(), net.precision.cell_bytes());
    let mut take = |first: usize, words: usize, bytes: usize| {
        let words = storage.get(first..first + words).unwrap_or_default();
        let all: &[u8] = cast_slice(words);
        hash.update(all.get(..bytes).unwrap_or_default());
    };
    let all = || {
        (0..net.len()).filter_map(|index| Some((net.recurrent(index)?, Words::of(model, index)?)))
    };
    for (of, at) in all() {
        take(at.h, at.h_words, of.units * h_bytes);
    }
    for (of, at) in all() {
        let bytes = if at.c_words > 0 {
            of.units * c_bytes
        } else {
            0
        };
        take(at.c, at.c_words, bytes);
    }
}

/// Puts the state that a net starts from, where that is not zero, into storage of zeros.
pub(crate) fn start<K: Kernel>(model: &Model<'_>, storage: &mut [u32]) {
    if !can::<K>(Capabilities::START) || !model.needs.has(Capabilities::START) {
        return;
    }
    for index in 0..model.net.len() {
        let Some(at) = Words::of(model, index) else {
            continue;
        };
        let kinds = [
            (SectionKind::StartHidden, at.h),
            (SectionKind::StartCell, at.c),
        ];
        for (kind, first) in kinds {
            let from = model.start(kind, index);
            let to: &mut [u8] =
                bytemuck::cast_slice_mut(storage.get_mut(first..).unwrap_or_default());
            to.iter_mut().zip(from).for_each(|(to, &from)| *to = from);
        }
    }
}

/// The state of operation `index` in a session's storage.
pub(super) fn view<'a>(
    model: &Model<'_>,
    storage: &'a [u32],
    index: usize,
) -> Option<StateView<'a>> {
    let (at, units) = (Words::of(model, index)?, model.net.recurrent(index)?.units);
    let h = storage.get(at.h..at.h + at.h_words)?;
    let c = storage.get(at.c..at.c + at.c_words)?;
    let carried = if at.c_words > 0 { units } else { 0 };
    Some(match model.net.precision {
        Precision::F32 => StateView::F32 {
            h: cast_slice::<u32, f32>(h).get(..units)?,
            c: cast_slice::<u32, f32>(c).get(..carried)?,
        },
        Precision::Int8 => StateView::Int8 {
            h: cast_slice::<u32, i8>(h).get(..units)?,
            c: cast_slice::<u32, i16>(c).get(..carried)?,
        },
    })
}

/// Sets the state of operation `index`; nothing is done if it is of another type or length.
pub(super) fn set(
    model: &Model<'_>,
    storage: &mut [u32],
    index: usize,
    from: StateView<'_>,
) -> Option<()> {
    let (units, place) = (model.net.recurrent(index)?.units, model.plan.at(index));
    let carried = if place.cell == NOWHERE { 0 } else { units };
    let cell = if carried == 0 { 0 } else { place.cell };
    match (from, model.net.precision) {
        (StateView::F32 { h, c }, Precision::F32) if (h.len(), c.len()) == (units, carried) => {
            let finite = |x: &f32| x.is_finite();
            if !h.iter().chain(c).all(finite) {
                return None;
            }
            let parts = state::split::<f32, f32, f32>(&model.plan, storage);
            copy(h, parts.values.get_mut(place.value..place.value + units)?);
            copy(c, parts.cells.get_mut(cell..cell + carried)?);
        }
        (StateView::Int8 { h, c }, Precision::Int8) if (h.len(), c.len()) == (units, carried) => {
            let parts = state::split::<i8, i16, i32>(&model.plan, storage);
            copy(h, parts.values.get_mut(place.value..place.value + units)?);
            copy(c, parts.cells.get_mut(cell..cell + carried)?);
        }
        _ => return None,
    }
    Some(())
}
