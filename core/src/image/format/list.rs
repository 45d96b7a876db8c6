//! The sections of an image: which a net has, in what order, and of how many bytes.

use super::{Lengths, MAX_SECTIONS_OF_ONE, SectionKind};
use crate::image::format::SectionName;
use crate::kernel::can;
use crate::kernel::{Kernel, Scalar};
use crate::net::{
    Capabilities, Input, Kind, Layout, Net, Operation, Precision, Reset, RnnActivation, Value,
};
use crate::weights::int4;
use crate::weights::matrix::{PAIRS_ROWS, pairs_block_words};
use crate::weights::order::RowOrder;

/// Bytes of a matrix of weights.
fn matrix_bytes(
    precision: Precision,
    (rows, columns): (usize, usize),
    (layout, bits): (Layout, u8),
    order: RowOrder,
) -> usize {
    let weight_bytes = match precision {
        Precision::F32 => 4,
        Precision::Int8 => 1,
    };
    match layout {
        Layout::Rows | Layout::Pairs if bits == 4 => int4::words(layout, rows, columns) * 4,
        _ if bits == 4 => order.slots(rows) * int4::tile_bytes(columns),
        Layout::Rows | Layout::Tiles4 | Layout::Tiles8 | Layout::Tiles16 => {
            order.slots(rows) * columns * weight_bytes
        }
        Layout::Pairs => rows.div_ceil(PAIRS_ROWS) * pairs_block_words(columns) * 4,
    }
}

/// The layout of an operation's weights: rows are what a look-up reads best, but a tied head reads
/// the table as its own.
pub(crate) fn layout_of(net: &Net, index: usize, layout: Layout) -> Layout {
    match net.operation(index) {
        Some(Operation {
            kind: Kind::Embedding { .. },
            ..
        }) => match net
            .operations()
            .any(|other| other.tied == Some(index as u8))
        {
            true => layout,
            false => Layout::Rows,
        },
        _ => layout,
    }
}

/// The sections of operation `index`, in the order of the image, with the bytes of each. A program
/// with a kernel that leaves something out leaves out its sections as well.
fn sections_of_one<K: Kernel>(
    net: &Net,
    index: usize,
    layout: Layout,
    start: bool,
) -> [Option<(SectionName, usize)>; MAX_SECTIONS_OF_ONE] {
    use SectionKind::{
        Bias, CandidateMultipliers, CandidateWeights, HiddenMultipliers, HiddenWeights,
        Multipliers, StartCell, StartHidden, Weights,
    };
    let mut sections = [None; MAX_SECTIONS_OF_ONE];
    let Some(operation) = net.operation(index) else {
        return sections;
    };
    let quantized = matches!(net.precision, Precision::Int8);
    let (small, number) = if quantized { (2, 4) } else { (4, 4) };
    let of = |kind, bytes| {
        let operation = Some(index);
        Some((SectionName { kind, operation }, bytes))
    };
    let units = operation.kind.units();
    let layout = layout_of(net, index, layout);
    let form = (layout, operation.bits);
    let rows = RowOrder::of_rows(layout);
    let matrix = |rows_of: usize, columns, order: RowOrder| {
        matrix_bytes(net.precision, (rows_of, columns), form, order)
    };
    let multipliers = |kind, slots: usize| quantized.then(|| of(kind, slots * 4)).flatten();
    let inputs = if net.reads_token(index) {
        net.vocab()
    } else {
        1
    };
    let (columns, read) = (net.columns(index), net.input_columns(index));
    let input = |slots: usize| of(SectionKind::Input, inputs * slots * small);
    let all: &[Option<(SectionName, usize)>] = match operation.kind {
        Kind::Embedding { .. } if can::<K>(Capabilities::EMBEDDING) => {
            let vocab = net.vocab();
            &[
                of(Weights, matrix(vocab, units.next_multiple_of(4), rows)),
                multipliers(Multipliers, vocab),
            ]
        }
        Kind::Lstm { .. }
        | Kind::Rnn {
            activation: RnnActivation::Tanh,
            ..
        } if can::<K>(Capabilities::LSTM) || can::<K>(Capabilities::RNN) => {
            let order = RowOrder::of_cell(layout, operation.kind);
            let all = operation.kind.gates() * units;
            &[
                input(order.slots(all)),
                of(Weights, matrix(all, columns, order)),
                multipliers(Multipliers, order.slots(all)),
            ]
        }
        Kind::Rnn { .. } if can::<K>(Capabilities::RELU) => &[
            input(units),
            of(Weights, matrix(units, columns, rows)),
            multipliers(Multipliers, rows.slots(units)),
        ],
        Kind::Gru { reset, .. } if can::<K>(Capabilities::GRU) => {
            let own = net.stride(Value::of(index));
            let reads = |section| if read > 0 { section } else { None };
            let after = matches!(reset, Reset::After);
            &[
                input(3 * units),
                of(Weights, matrix(2 * units, columns, rows)),
                multipliers(Multipliers, rows.slots(2 * units)),
                reads(of(CandidateWeights, matrix(units, read, rows))),
                reads(multipliers(CandidateMultipliers, rows.slots(units))),
                of(HiddenWeights, matrix(units, own, rows)),
                multipliers(HiddenMultipliers, rows.slots(units)),
                after.then(|| of(Bias, units * number)).flatten(),
            ]
        }
        Kind::Dense { .. } if can::<K>(Capabilities::DENSE) => &[
            if operation.tied.is_none() {
                of(Weights, matrix(units, columns, rows))
            } else {
                None
            },
            multipliers(Multipliers, rows.slots(units)),
            of(Bias, rows.slots(units) * number),
        ],
        Kind::Add if can::<K>(Capabilities::ADD) => {
            &[multipliers(Multipliers, 2 * net.width(Value::of(index)))]
        }
        _ => &[],
    };
    let hidden = if quantized { 1 } else { 4 };
    let carries = matches!(operation.kind, Kind::Lstm { .. })
        || quantized && matches!(operation.kind, Kind::Gru { .. });
    let starts = [
        start.then(|| of(StartHidden, units * hidden)).flatten(),
        (start && carries)
            .then(|| of(StartCell, units * small))
            .flatten(),
    ];
    for (to, from) in sections.iter_mut().zip(all.iter().chain(&starts)) {
        *to = *from;
    }
    sections
}

/// The sections a net has, in the order of the image, with the bytes of each.
pub(crate) fn sections_of(
    net: &Net,
    layout: Layout,
    lengths: Lengths,
) -> impl Iterator<Item = (SectionName, usize)> + Clone {
    sections_for::<Scalar>(net, layout, lengths)
}

/// The same in a program with a kernel that leaves something out.
pub(crate) fn sections_for<K: Kernel>(
    net: &Net,
    layout: Layout,
    lengths: Lengths,
) -> impl Iterator<Item = (SectionName, usize)> + Clone {
    let whole = |kind, bytes| {
        let operation = None;
        Some((SectionName { kind, operation }, bytes))
    };
    let (scales, doubled) = match (net.input, net.precision) {
        (Input::Features { width, doubled }, Precision::Int8) => (4 * width, 2 * doubled),
        _ => (0, 0),
    };
    let when = |kind, bytes: usize| if bytes > 0 { whole(kind, bytes) } else { None };
    let front = [
        lengths
            .vocabulary
            .and_then(|bytes| whole(SectionKind::Vocabulary, bytes)),
        whole(SectionKind::KnownAnswer, lengths.known_answer),
        when(SectionKind::FeatureScales, scales),
        when(SectionKind::DoubledFeatures, doubled),
    ];
    let of_operations = (0..net.len()).flat_map(move |index| {
        let start = lengths.starts >> (index & 15) & 1 == 1;
        sections_of_one::<K>(net, index, layout, start)
    });
    front.into_iter().chain(of_operations).flatten()
}
