//! The same model in another layout: an image is exported once, and arranged for the machine that
//! runs it.

use bytemuck::NoUninit;

use crate::image::error::WriteError;
use crate::image::format::SectionName;
use crate::image::format::{Header, SectionKind, layout_of, matrix_of, sections_of};
use crate::image::model::Model;
use crate::image::write::{Source, capabilities, check_shift, len_with, table, write_with};
use crate::net::{Input, Layout, Operation};
use crate::weights::layer::{Matrix, Weights};
use crate::weights::order::RowOrder;
use crate::weights::tiles::emit_slots;

/// An upper bound of the bytes [`repack`] needs.
///
/// # Errors
/// When the model of this net cannot have the layout.
pub fn repacked_len(model: &Model<'_>, layout: Layout) -> Result<usize, WriteError> {
    len_with(&header(model, layout)?, layout)
}

/// Writes the image of the same model in another layout into `out` and returns its length in bytes:
/// the bytes that a writer makes of the same numbers.
///
/// # Errors
/// When a model of this net cannot have the layout, or `out` is too small.
pub fn repack(model: &Model<'_>, layout: Layout, out: &mut [u8]) -> Result<usize, WriteError> {
    let (net, lengths) = (model.net(), model.lengths());
    let names = sections_of(net, layout, lengths);
    let needs = capabilities(net, lengths);
    let source = Repacked { model, layout };
    write_with(header(model, layout)?, (layout, needs), names, &source, out)
}

/// The model's header with another layout; the checksums of the table are still zero.
fn header<'a>(model: &Model<'a>, layout: Layout) -> Result<Header<'a>, WriteError> {
    let net = model.net();
    layout.check(net).map_err(WriteError::Layout)?;
    let from = model.decoded().ok_or(WriteError::Header)?;
    // A row of an embedding is looked up: no kernel multiplies it.
    let multiplied = |of: &(usize, &Operation)| of.1.kind.gates() > 0;
    for (index, operation) in net.operations().enumerate().filter(multiplied) {
        for matrix in model.weights(index).matrices().into_iter().flatten() {
            if let Matrix::Int8(matrix) = matrix {
                check_shift(layout, operation.bits, matrix.shift as u8)?;
            }
        }
    }
    let (width, doubled) = match net.input {
        Input::Tokens { vocab } => (vocab, 0),
        Input::Features { width, doubled } => (width, doubled),
    };
    Ok(Header {
        precision: from.precision,
        layout: layout.code(),
        input: from.input,
        width: width as u16,
        doubled: doubled as u16,
        tokens: from.tokens,
        rules: from.rules,
        operations: from.operations,
        outputs: from.outputs,
        known_answer_hash: from.known_answer_hash,
        provenance: from.provenance,
        sections: table(net, layout, model.lengths())?,
    })
}

/// A model whose matrices come out in another layout.
struct Repacked<'m, 'a> {
    model: &'m Model<'a>,
    layout: Layout,
}

impl Source for Repacked<'_, '_> {
    fn emit(&self, name: SectionName, sink: &mut dyn FnMut(&[u8])) -> Result<(), WriteError> {
        let model = self.model;
        let index = match (name.operation, name.kind) {
            (Some(index), kind)
                if !matches!(kind, SectionKind::StartHidden | SectionKind::StartCell) =>
            {
                index
            }
            _ => {
                // Nothing that a layout changes.
                sink(model.section_bytes(name));
                return Ok(());
            }
        };
        let Some(operation) = model.net().operation(index) else {
            return Err(WriteError::Header);
        };
        let [from, to] = [model.layout(), self.layout].map(|l| layout_of(model.net(), index, l));
        let orders = [from, to].map(|layout| RowOrder::of_cell(layout, operation.kind));
        let weights = model.weights(index);
        if let Some((number, multipliers)) = matrix_of(name.kind)
            && let Some((rows, _)) = model.net().matrix(index, number)
        {
            let matrix = weights.matrices().get(number).copied().flatten();
            let form = (to, u32::from(operation.bits));
            return match (matrix, multipliers, &weights) {
                (_, true, Weights::EmbeddingInt8(of)) => {
                    sink(bytes_of(of.multipliers));
                    Ok(())
                }
                (Some(Matrix::F32(matrix)), false, _) => {
                    matrix.emit(rows, orders[1], sink);
                    Ok(())
                }
                (Some(Matrix::Int8(matrix)), false, _) => {
                    matrix.weights.emit(rows, form, orders[1], sink);
                    Ok(())
                }
                (Some(Matrix::Int8(matrix)), true, _) => {
                    emit_slots(matrix.multipliers, rows, orders[0], orders[1], sink);
                    Ok(())
                }
                _ => Err(WriteError::Header),
            };
        }
        let rows = operation.kind.gates() * operation.kind.units();
        emit_numbers(&weights, name.kind, rows, orders, sink)
    }
}

/// What is added to sums, and what is in no layout.
fn emit_numbers(
    weights: &Weights<'_>,
    section: SectionKind,
    rows: usize,
    [from, to]: [RowOrder; 2],
    sink: &mut dyn FnMut(&[u8]),
) -> Result<(), WriteError> {
    match (section, weights) {
        (SectionKind::Input, Weights::CellF32(of)) => emit_slots(of.input, rows, from, to, sink),
        (SectionKind::Input, Weights::CellInt8(of)) => emit_slots(of.input, rows, from, to, sink),
        (SectionKind::Input, Weights::RecurrentF32(of)) => sink(bytes_of(of.input)),
        (SectionKind::Input, Weights::RecurrentInt8(of)) => sink(bytes_of(of.input)),
        (SectionKind::Bias, Weights::RecurrentF32(of)) => sink(bytes_of(of.bias)),
        (SectionKind::Bias, Weights::RecurrentInt8(of)) => sink(bytes_of(of.bias)),
        (SectionKind::Multipliers, Weights::AddInt8(of)) => sink(bytes_of(of.multipliers)),
        (SectionKind::Bias, Weights::DenseF32(of)) => emit_slots(of.bias, rows, from, to, sink),
        (SectionKind::Bias, Weights::DenseInt8(of)) => emit_slots(of.bias, rows, from, to, sink),
        _ => return Err(WriteError::Header),
    }
    Ok(())
}

/// The bytes of numbers. `cast_slice` would do, but the optimiser does not always see that it cannot
/// panic.
fn bytes_of<T: NoUninit>(numbers: &[T]) -> &[u8] {
    bytemuck::try_cast_slice(numbers).unwrap_or_default()
}
