//! The weights of recurrent operations: their sections in the order of the image.

use super::limits::{Bounds, small};
use super::matrices::read_slots;
use super::operations::Reader;
use crate::image::error::LoadError;
use crate::image::format::SectionKind;
use crate::net::{Kind, Precision, Reset, RnnActivation};
use crate::weights::layer::{
    Fused, GruF32, GruInt8, LayerF32, LayerInt8, ProductInt8, RELU_LIMIT, ReluF32, ReluInt8,
    Weights,
};
use crate::weights::matrix::MatrixF32;
use crate::weights::order::RowOrder;
use crate::weights::tiles::Columns;

impl<'a> Reader<'_, 'a, '_> {
    /// An LSTM or a tanh RNN.
    #[inline(always)]
    pub(super) fn cell(
        &mut self,
        (cell, hidden): (Fused, usize),
        precision: Precision,
        used: &Columns,
        bounds: &Bounds,
    ) -> Result<Weights<'a>, LoadError> {
        let kind = match cell {
            Fused::Lstm => Kind::Lstm { units: hidden },
            Fused::Rnn => Kind::Rnn {
                units: hidden,
                activation: RnnActivation::Tanh,
            },
        };
        let rows = (cell.gates() * hidden, RowOrder::of_cell(self.layout, kind));
        let columns = used.padded();
        match precision {
            Precision::F32 => {
                let input = self.input_f32(rows.0, rows.1)?;
                let (weights, _) = self.matrix_f32(SectionKind::Weights, rows, used, bounds)?;
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
                let product = self.matrix_int8(kinds, rows, used, 0)?;
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

    /// A relu RNN.
    #[inline(always)]
    pub(super) fn relu(
        &mut self,
        units: usize,
        precision: Precision,
        used: &Columns,
        bounds: &Bounds,
    ) -> Result<Weights<'a>, LoadError> {
        let rows = (units, RowOrder::of_rows(self.layout));
        match precision {
            Precision::F32 => {
                let input = self.input_f32(units, RowOrder::PLAIN)?;
                // Its own h is not within 1.
                let mut bounds = bounds.clone();
                let last = (used.padded(), RELU_LIMIT);
                let own = bounds.push(last).is_err();
                if own && let Some(bound) = bounds.last_mut() {
                    *bound = (last.0, last.1.max(bound.1));
                }
                let (weights, _) = self.matrix_f32(SectionKind::Weights, rows, used, &bounds)?;
                Ok(Weights::ReluF32(ReluF32 {
                    units,
                    input,
                    weights,
                }))
            }
            Precision::Int8 => {
                let input = self.input_int16(units, RowOrder::PLAIN)?;
                let kinds = [SectionKind::Weights, SectionKind::Multipliers];
                Ok(Weights::ReluInt8(ReluInt8 {
                    units,
                    input,
                    product: self.matrix_int8(kinds, rows, used, 0)?,
                    state_bits: self.entry.state_bits.into(),
                }))
            }
        }
    }

    /// A GRU in f32.
    pub(super) fn gru_f32(
        &mut self,
        units: usize,
        reset: Reset,
        [read, all]: [&Columns; 2],
        bounds: &Bounds,
    ) -> Result<Weights<'a>, LoadError> {
        let order = RowOrder::of_rows(self.layout);
        let (rows, own) = ((units, order), Columns::new(units));
        let input = self.input_f32(3 * units, RowOrder::PLAIN)?;
        let gates = (2 * units, order);
        let (gates, _) = self.matrix_f32(SectionKind::Weights, gates, all, bounds)?;
        let candidate = match read.padded() {
            0 => MatrixF32::rows(0, &[]),
            _ => {
                let kind = SectionKind::CandidateWeights;
                self.matrix_f32(kind, rows, read, bounds)?.0
            }
        };
        let kind = SectionKind::HiddenWeights;
        let (hidden, _) = self.matrix_f32(kind, rows, &own, &Bounds::new())?;
        let bias = match reset {
            Reset::Before => &[],
            Reset::After => {
                let section = self.name(SectionKind::Bias);
                read_slots(section, units, RowOrder::PLAIN, self.sections, small)?
            }
        };
        Ok(Weights::GruF32(GruF32 {
            units,
            reset,
            inputs: read.padded(),
            input,
            gates,
            candidate,
            hidden,
            bias,
        }))
    }

    /// A GRU in int8.
    pub(super) fn gru_int8(
        &mut self,
        units: usize,
        reset: Reset,
        [read, all]: [&Columns; 2],
    ) -> Result<Weights<'a>, LoadError> {
        let order = RowOrder::of_rows(self.layout);
        let (rows, own) = ((units, order), Columns::new(units));
        let input = self.input_int16(3 * units, RowOrder::PLAIN)?;
        let kinds = [SectionKind::Weights, SectionKind::Multipliers];
        let gates = self.matrix_int8(kinds, (2 * units, order), all, 0)?;
        let candidate = match read.padded() {
            0 => ProductInt8::NONE,
            _ => {
                let kinds = [
                    SectionKind::CandidateWeights,
                    SectionKind::CandidateMultipliers,
                ];
                self.matrix_int8(kinds, rows, read, 1)?
            }
        };
        let kinds = [SectionKind::HiddenWeights, SectionKind::HiddenMultipliers];
        let hidden = self.matrix_int8(kinds, rows, &own, 2)?;
        let bias = match reset {
            Reset::Before => &[],
            Reset::After => self.bias_int32(units, RowOrder::PLAIN)?,
        };
        Ok(Weights::GruInt8(GruInt8 {
            units,
            reset,
            inputs: read.padded(),
            input,
            gates,
            candidate,
            hidden,
            bias,
        }))
    }
}
