//! The sections of an image: which a net has, in what order, and of how many bytes.

use super::{Lengths, MATRICES, MAX_SECTIONS_OF_ONE, SectionKind};
use crate::front::RECIPE_WORDS;
use crate::image::format::SectionName;
use crate::kernel::{Kernel, Scalar};
use crate::kernel::{can, can_any};
use crate::net::{Capabilities, Input, Kind, Layout, Net, Operation, Precision, Value};
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

/// The sections of an operation, with the bytes of each.
#[derive(Clone)]
struct Sections {
    all: [Option<(SectionName, usize)>; MAX_SECTIONS_OF_ONE],
    operation: usize,
    len: usize,
}

impl Sections {
    /// A section more.
    fn push(&mut self, kind: SectionKind, bytes: usize) {
        let operation = Some(self.operation);
        if let Some(to) = self.all.get_mut(self.len) {
            *to = Some((SectionName { kind, operation }, bytes));
            self.len += 1;
        }
    }
}

/// The sections of operation `index`, in the order of the image. A program with a kernel that leaves
/// something out leaves out its sections as well.
fn sections_of_one<K: Kernel>(
    net: &Net,
    index: usize,
    layout: Layout,
    start: bool,
) -> [Option<(SectionName, usize)>; MAX_SECTIONS_OF_ONE] {
    let mut sections = Sections {
        all: [None; MAX_SECTIONS_OF_ONE],
        operation: index,
        len: 0,
    };
    let Some(operation) = net.operation(index) else {
        return sections.all;
    };
    let kind = operation.kind;
    let quantized = matches!(net.precision, Precision::Int8);
    // Bytes of what is added to sums, and of everything else there is one of for each row.
    let (small, number) = if quantized { (2, 4) } else { (4, 4) };
    let units = kind.units();
    let layout = layout_of(net, index, layout);
    let order = RowOrder::of_cell(layout, kind);
    let can_recur = can_any::<K>(Capabilities::FUSED.and(Capabilities::UNFUSED));
    let form = if can_recur { kind.cell() } else { None };
    if let Some(form) = &form {
        let inputs = if net.reads_token(index) {
            net.vocab()
        } else {
            1
        };
        let rows = form.addends * units;
        let rows = match form.fused {
            Some(_) => order.slots(rows),
            None => rows,
        };
        sections.push(SectionKind::Input, inputs * rows * small);
    }
    for (place, [weights, multipliers]) in MATRICES.into_iter().enumerate() {
        let Some((rows, columns)) = net.matrix(index, place) else {
            continue;
        };
        if operation.tied.is_none() {
            let form = (layout, operation.bits);
            let bytes = matrix_bytes(net.precision, (rows, columns), form, order);
            sections.push(weights, bytes);
        }
        if quantized {
            let slots = match kind {
                Kind::Embedding { .. } => rows,
                _ => order.slots(rows),
            };
            sections.push(multipliers, slots * 4);
        }
    }
    match kind {
        Kind::Dense { .. } if can::<K>(Capabilities::DENSE) => {
            sections.push(SectionKind::Bias, order.slots(units) * number);
        }
        Kind::Add if can::<K>(Capabilities::ADD) && quantized => {
            let numbers = net.width(Value::of(index));
            sections.push(SectionKind::Multipliers, 2 * numbers * 4);
        }
        _ => {}
    }
    if let Some(form) = &form {
        if form.bias > 0 {
            sections.push(SectionKind::Bias, form.bias * units * number);
        }
        if start && can::<K>(Capabilities::START) {
            let hidden = net.precision.hidden_bytes();
            sections.push(SectionKind::StartHidden, units * hidden);
            if form.carries(net.precision) {
                sections.push(SectionKind::StartCell, units * small);
            }
        }
    }
    sections.all
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
    let recipe = match can::<K>(Capabilities::FRONT_END) && lengths.front_end {
        true => 4 * RECIPE_WORDS,
        false => 0,
    };
    let of_net = [
        when(SectionKind::FrontEnd, recipe),
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
    of_net.into_iter().chain(of_operations).flatten()
}
