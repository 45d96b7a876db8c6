//! The weights of recurrent operations: their sections in the order of the image.

use super::limits::{Bounds, small};
use super::matrices::read_slots;
use super::operations::Reader;
use crate::image::error::LoadError;
use crate::image::format::{MATRICES, SectionKind};
use crate::kernel::{Kernel, can_any};
use crate::net::{Capabilities, CellForm, Fused, Kind, MAX_MATRICES, Precision, Reads};
use crate::weights::layer::{
    LayerF32, LayerInt8, ProductInt8, RELU_LIMIT, RecurrentF32, RecurrentInt8, Weights,
};
use crate::weights::matrix::MatrixF32;
use crate::weights::order::RowOrder;
use crate::weights::tiles::Columns;

/// A recurrent operation, and what it reads.
struct Cell<'r> {
    kind: Kind,
    form: &'r CellForm,
    inputs: &'r Columns,
    /// The most that they can be in f32.
    bounds: &'r Bounds,
}

impl Cell<'_> {
    /// The columns of what a matrix multiplies.
    fn columns(&self, reads: Reads) -> Columns {
        let mut columns = match reads {
            Reads::All | Reads::Inputs => self.inputs.clone(),
            Reads::Own | Reads::Made => return Columns::new(self.kind.units()),
        };
        if reads == Reads::All {
            columns.push(self.kind.units());
        }
        columns
    }

    /// The most that it can be in f32.
    fn bounds(&self, reads: Reads) -> Bounds {
        let mut bounds = match reads {
            Reads::All | Reads::Inputs => self.bounds.clone(),
            Reads::Own | Reads::Made => Bounds::new(),
        };
        if self.form.unbounded && reads != Reads::Inputs {
            // There is room for one more than an operand has.
            let _ = bounds.push((usize::MAX, RELU_LIMIT));
        }
        bounds
    }
}

impl<'a> Reader<'_, 'a, '_> {
    /// A recurrent operation that reads `inputs`, which are within `bounds` in f32.
    #[inline(always)]
    pub(super) fn recurrent<K: Kernel>(
        &mut self,
        (kind, form): (Kind, &CellForm),
        (inputs, bounds): (&Columns, &Bounds),
        precision: Precision,
    ) -> Result<Weights<'a>, LoadError> {
        let cell = &Cell {
            kind,
            form,
            inputs,
            bounds,
        };
        match (cell.form.fused, precision) {
            (Some(fused), _) if can_any::<K>(Capabilities::FUSED) => {
                self.fused(cell, fused, precision)
            }
            (None, Precision::F32) if can_any::<K>(Capabilities::UNFUSED) => {
                self.recurrent_f32(cell)
            }
            (None, Precision::Int8) if can_any::<K>(Capabilities::UNFUSED) => {
                self.recurrent_int8(cell)
            }
            // The image says that it needs none of it.
            _ => Err(LoadError::HeaderEncoding),
        }
    }

    /// One that a kernel does at once.
    #[inline(always)]
    fn fused(
        &mut self,
        of: &Cell<'_>,
        cell: Fused,
        precision: Precision,
    ) -> Result<Weights<'a>, LoadError> {
        let hidden = of.kind.units();
        let order = RowOrder::of_cell(self.layout, of.kind);
        let (rows, used) = ((cell.gates() * hidden, order), of.columns(Reads::All));
        let columns = used.padded();
        match precision {
            Precision::F32 => {
                let input = self.input_f32(rows.0, rows.1)?;
                let kind = SectionKind::Weights;
                let (weights, _) = self.matrix_f32(kind, rows, &used, of.bounds)?;
                Ok(Weights::CellF32(LayerF32 {
                    cell,
                    hidden,
                    columns,
                    input,
                    weights,
                }))
            }
            Precision::Int8 => {
                let input = self.input_int16(rows.0, rows.1)?;
                let kinds = [SectionKind::Weights, SectionKind::Multipliers];
                let product = self.matrix_int8(kinds, rows, &used, 0)?;
                Ok(Weights::CellInt8(LayerInt8 {
                    cell,
                    hidden,
                    columns,
                    input,
                    weights: product.weights,
                    multipliers: product.multipliers,
                    shift: product.shift,
                    cell_bits: self.entry.state_bits.into(),
                }))
            }
        }
    }

    /// One on sums in memory, in f32.
    fn recurrent_f32(&mut self, of: &Cell<'_>) -> Result<Weights<'a>, LoadError> {
        let (form, units) = (of.form, of.kind.units());
        let order = RowOrder::of_rows(self.layout);
        let input = self.input_f32(form.addends * units, RowOrder::PLAIN)?;
        let mut matrices = [MatrixF32::rows(0, &[]); MAX_MATRICES];
        let places = matrices.iter_mut().zip(MATRICES);
        for ((to, [weights, _]), matrix) in places.zip(form.matrices) {
            let Some(matrix) = matrix else { continue };
            let (used, bounds) = (of.columns(matrix.reads), of.bounds(matrix.reads));
            if used.padded() > 0 {
                let rows = (matrix.rows * units, order);
                (*to, _) = self.matrix_f32(weights, rows, &used, &bounds)?;
            }
        }
        let bias = match form.bias {
            0 => &[],
            rows => {
                let section = self.name(SectionKind::Bias);
                read_slots(section, rows * units, RowOrder::PLAIN, self.sections, small)?
            }
        };
        Ok(Weights::RecurrentF32(RecurrentF32 {
            kind: of.kind,
            inputs: of.inputs.padded(),
            input,
            matrices,
            bias,
        }))
    }

    /// The same in int8.
    fn recurrent_int8(&mut self, of: &Cell<'_>) -> Result<Weights<'a>, LoadError> {
        let (form, units) = (of.form, of.kind.units());
        let order = RowOrder::of_rows(self.layout);
        let input = self.input_int16(form.addends * units, RowOrder::PLAIN)?;
        let mut matrices = [ProductInt8::NONE; MAX_MATRICES];
        let places = matrices.iter_mut().zip(MATRICES).enumerate();
        for ((number, (to, kinds)), matrix) in places.zip(form.matrices) {
            let Some(matrix) = matrix else { continue };
            let used = of.columns(matrix.reads);
            if used.padded() > 0 {
                let rows = (matrix.rows * units, order);
                *to = self.matrix_int8(kinds, rows, &used, number)?;
            }
        }
        let bias = match form.bias {
            0 => &[],
            rows => self.bias_int32(rows * units, RowOrder::PLAIN)?,
        };
        Ok(Weights::RecurrentInt8(RecurrentInt8 {
            kind: of.kind,
            inputs: of.inputs.padded(),
            input,
            matrices,
            bias,
            state_bits: self.entry.state_bits.into(),
        }))
    }
}
