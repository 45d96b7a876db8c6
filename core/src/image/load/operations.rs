//! The weights of an image's operations, one operation after the other.

use super::limits::{Bounds, fits, largest, largest_sum, small};
use super::matrices::{check, check_shift, read_matrix, read_matrix_f32, read_slots};
use super::sections::SectionReader;
use crate::image::error::LoadError;
use crate::image::format::SectionName;
use crate::image::format::{OperationEntry, SectionKind, layout_of};
use crate::image::views::{Stored, Views};
use crate::kernel::Kernel;
use crate::kernel::{can, can_any};
use crate::net::{
    Activation, Capabilities, CellForm, Kind, Layout, MAX_OPERATIONS, Net, Operation, Precision,
    Value,
};
use crate::weights::layer::{
    AddInt8, DenseF32, DenseInt8, EmbeddingF32, EmbeddingInt8, F32_FEATURE_LIMIT, F32_SUM_LIMIT,
    FEATURE_LIMIT, ProductInt8, RELU_LIMIT, REQUANTIZED_LIMIT, Weights,
};
use crate::weights::matrix::MatrixF32;
use crate::weights::order::RowOrder;
use crate::weights::tiles::Columns;

impl CellForm {
    /// The most that a number of its h can be in f32.
    const fn bound(&self) -> f32 {
        if self.unbounded { RELU_LIMIT } else { 1.0 }
    }
}

/// What is known of an image while its operations are read.
pub(super) struct Reading<'n> {
    net: &'n Net,
    /// In f32, the most that a number of a value can be: of the input, then of each operation's.
    bounds: [f32; MAX_OPERATIONS + 1],
}

/// One operation that is being read.
pub(super) struct Reader<'r, 'a, 't> {
    pub(super) sections: &'r mut SectionReader<'a, 't>,
    index: usize,
    pub(super) layout: Layout,
    bits: u32,
    pub(super) entry: &'r OperationEntry,
    /// The most that a row's products may sum up to in f32.
    limit: f32,
}

impl<'n> Reading<'n> {
    /// Nothing was read yet.
    pub(super) fn new(net: &'n Net) -> Self {
        let mut bounds = [1.0; MAX_OPERATIONS + 1];
        if let ([first, ..], false) = (&mut bounds, net.takes_tokens()) {
            *first = FEATURE_LIMIT;
        }
        Reading { net, bounds }
    }

    /// The most that the numbers of operation `index`'s operand can be.
    fn operand(&self, operation: &Operation) -> Bounds {
        let (mut bounds, mut end) = (Bounds::new(), 0);
        for value in operation.operand.parts() {
            end += self.net.stride(value);
            let bound = self.bounds.get(usize::from(value.code()));
            // There is room for as many as an operand has.
            let _ = bounds.push((end, bound.copied().unwrap_or(1.0)));
        }
        bounds
    }

    /// The columns that operation `index` reads, without its own h.
    fn read_columns(&self, operation: &Operation) -> Columns {
        let mut columns = Columns::default();
        for value in operation.operand.parts() {
            columns.push(self.net.width(value));
        }
        columns
    }
}

/// Whether every number of a value is about 1: of tokens, and without a relu to grow.
fn is_bounded(net: &Net) -> bool {
    let grows = |of: &Operation| of.kind.cell().is_some_and(|form| form.unbounded);
    net.takes_tokens() && !net.operations().any(grows)
}

/// Reads and checks operation `index`, and takes note of where its sections lie.
pub(super) fn read_operation<'a, K: Kernel>(
    reading: &mut Reading<'_>,
    (index, entry): (usize, &OperationEntry),
    views: &mut Views<'a>,
    sections: &mut SectionReader<'a, '_>,
) -> Result<(), LoadError> {
    let Some(&operation) = reading.net.operation(index) else {
        return Ok(());
    };
    let layout = layout_of(reading.net, index, views.layout);
    sections.found = Stored {
        form: (layout, operation.bits),
        shifts: entry.shifts,
        state_bits: entry.state_bits,
        ..Stored::NONE
    };
    let mut reader = Reader {
        sections,
        index,
        layout,
        bits: operation.bits.into(),
        entry,
        limit: match is_bounded(reading.net) {
            true => F32_SUM_LIMIT,
            false => F32_FEATURE_LIMIT,
        },
    };
    let (net, bounds) = (reading.net, reading.operand(&operation));
    let read = reading.read_columns(&operation);
    let (units, precision) = (operation.kind.units(), net.precision);
    let form = operation.kind.cell();
    let precision = match (can::<K>(Capabilities::F32), can::<K>(Capabilities::INT8)) {
        (true, false) => Precision::F32,
        (false, true) => Precision::Int8,
        _ => precision,
    };
    let (_, bound) = match operation.kind {
        Kind::Embedding { .. } if can::<K>(Capabilities::EMBEDDING) => {
            reader.embedding(net, units, precision)?
        }
        Kind::Dense { activation, .. } if can::<K>(Capabilities::DENSE) => {
            let table = operation.tied.map(usize::from);
            if let Some(table) = table.and_then(|table| views.stored.get(table)) {
                reader.sections.found.share(table);
            }
            let table =
                table.map(|table| views.weights::<K>(net, table, read.padded(), net.precision));
            reader.dense((units, activation, table), precision, &read, &bounds)?
        }
        Kind::Add if can::<K>(Capabilities::ADD) => match precision {
            Precision::F32 => (Weights::None, bounds.iter().map(|(_, bound)| bound).sum()),
            Precision::Int8 => (reader.add(net.width(Value::of(index)))?, 1.0),
        },
        kind if can_any::<K>(Capabilities::FUSED.and(Capabilities::UNFUSED)) => {
            let Some(form) = &form else {
                return Err(LoadError::HeaderEncoding);
            };
            let weights = reader.recurrent::<K>((kind, form), (&read, &bounds), precision)?;
            (weights, form.bound())
        }
        // The image says that it needs none of it.
        _ => return Err(LoadError::HeaderEncoding),
    };
    if let Some(to) = reading.bounds.get_mut(index + 1) {
        *to = bound;
    }
    if let (true, Some(form)) = (can::<K>(Capabilities::START) && entry.start != 0, &form) {
        reader.start(form, net.precision)?;
    }
    if let Some(to) = views.stored.get_mut(index) {
        *to = sections.found;
    }
    Ok(())
}

impl<'a> Reader<'_, 'a, '_> {
    pub(super) fn name(&self, kind: SectionKind) -> SectionName {
        let operation = Some(self.index);
        SectionName { kind, operation }
    }

    /// An f32 matrix, and the most that its products sum up to.
    pub(super) fn matrix_f32(
        &mut self,
        kind: SectionKind,
        (rows, order): (usize, RowOrder),
        used: &Columns,
        bounds: &Bounds,
    ) -> Result<(MatrixF32<'a>, f32), LoadError> {
        let section = self.name(kind);
        let columns = (used.padded(), used);
        let matrix = read_matrix_f32(order, rows, columns, section, self.sections)?;
        let sum = largest_sum(rows, &matrix, bounds, self.limit);
        let sum = sum.map_err(|row| LoadError::Sum { section, row })?;
        Ok((matrix, sum))
    }

    /// An int8 matrix with its multipliers; `number` is the place of its shift.
    pub(super) fn matrix_int8(
        &mut self,
        kinds: [SectionKind; 2],
        (rows, order): (usize, RowOrder),
        used: &Columns,
        number: usize,
    ) -> Result<ProductInt8<'a>, LoadError> {
        let form = (self.layout, self.bits);
        let shift = self.entry.shifts.get(number).copied().unwrap_or_default();
        check_shift(shift, form)?;
        let [weights, multipliers] = kinds.map(|kind| self.name(kind));
        let columns = used.padded();
        let weights = read_matrix(form, order, rows, (columns, used), weights, self.sections)?;
        let good = |&m: &i32| fits(m, (columns, self.bits), shift);
        let multipliers = read_slots(multipliers, rows, order, self.sections, good)?;
        Ok(ProductInt8 {
            weights,
            multipliers,
            shift: shift.into(),
        })
    }

    /// What is added to the products of `rows` rows in f32.
    pub(super) fn input_f32(
        &mut self,
        rows: usize,
        order: RowOrder,
    ) -> Result<&'a [f32], LoadError> {
        let section = self.name(SectionKind::Input);
        read_slots(section, rows, order, self.sections, small)
    }

    /// The same in int16.
    pub(super) fn input_int16(
        &mut self,
        rows: usize,
        order: RowOrder,
    ) -> Result<&'a [i16], LoadError> {
        let section = self.name(SectionKind::Input);
        read_slots(section, rows, order, self.sections, |_| true)
    }

    /// A bias with as many fraction bits as a requantized product.
    pub(super) fn bias_int32(
        &mut self,
        rows: usize,
        order: RowOrder,
    ) -> Result<&'a [i32], LoadError> {
        let section = self.name(SectionKind::Bias);
        read_slots(section, rows, order, self.sections, |b: &i32| {
            u64::from(b.unsigned_abs()) <= REQUANTIZED_LIMIT
        })
    }

    /// A table of rows for tokens, and in f32 the most that a number of it is.
    #[inline(always)]
    fn embedding(
        &mut self,
        net: &Net,
        units: usize,
        precision: Precision,
    ) -> Result<(Weights<'a>, f32), LoadError> {
        let (rows, order) = (net.vocab(), RowOrder::of_rows(self.layout));
        let used = Columns::new(units);
        let columns = (used.padded(), &used);
        let weights = self.name(SectionKind::Weights);
        match precision {
            Precision::F32 => {
                let section = weights;
                let weights = read_matrix_f32(order, rows, columns, section, self.sections)?;
                // A sum reads them as they are.
                check(section, weights.weights, small)?;
                let bound = largest(weights.weights);
                Ok((Weights::EmbeddingF32(EmbeddingF32 { weights }), bound))
            }
            Precision::Int8 => {
                let [shift, ..] = self.entry.shifts;
                // Nothing is multiplied by a kernel, so no layout asks for a shift of its own.
                check_shift(shift, (Layout::Rows, 8))?;
                let form = (self.layout, 8);
                let weights = read_matrix(form, order, rows, columns, weights, self.sections)?;
                let multipliers = self.name(SectionKind::Multipliers);
                let plain = RowOrder::PLAIN;
                let multipliers =
                    read_slots(multipliers, rows, plain, self.sections, |&m: &i32| m >= 0)?;
                let table = EmbeddingInt8 {
                    weights,
                    multipliers,
                    shift: shift.into(),
                };
                Ok((Weights::EmbeddingInt8(table), 1.0))
            }
        }
    }

    /// A dense operation, with the table that its weights are if it is tied; in f32 with the most
    /// that a result can be.
    #[inline(always)]
    fn dense(
        &mut self,
        (units, activation, table): (usize, Activation, Option<Weights<'a>>),
        precision: Precision,
        used: &Columns,
        bounds: &Bounds,
    ) -> Result<(Weights<'a>, f32), LoadError> {
        let order = RowOrder::of_rows(self.layout);
        let rows = (units, order);
        match precision {
            Precision::F32 => {
                let (weights, sum) = match table {
                    Some(Weights::EmbeddingF32(table)) => {
                        let section = self.name(SectionKind::Weights);
                        let sum = largest_sum(units, &table.weights, bounds, self.limit);
                        let sum = sum.map_err(|row| LoadError::Sum { section, row })?;
                        (table.weights, sum)
                    }
                    _ => self.matrix_f32(SectionKind::Weights, rows, used, bounds)?,
                };
                let section = self.name(SectionKind::Bias);
                let bias = read_slots(section, units, order, self.sections, small)?;
                let bound = match activation {
                    Activation::None | Activation::Relu => sum + largest(bias),
                    _ => 1.0,
                };
                let dense = DenseF32 {
                    activation,
                    weights,
                    bias,
                };
                Ok((Weights::DenseF32(dense), bound))
            }
            Precision::Int8 => {
                let kinds = [SectionKind::Weights, SectionKind::Multipliers];
                let product = match table {
                    Some(Weights::EmbeddingInt8(table)) => {
                        let [shift, ..] = self.entry.shifts;
                        check_shift(shift, (self.layout, 8))?;
                        let columns = used.padded();
                        let good = |&m: &i32| fits(m, (columns, 8), shift);
                        let section = self.name(SectionKind::Multipliers);
                        ProductInt8 {
                            weights: table.weights,
                            multipliers: read_slots(section, units, order, self.sections, good)?,
                            shift: shift.into(),
                        }
                    }
                    _ => self.matrix_int8(kinds, rows, used, 0)?,
                };
                let dense = DenseInt8 {
                    activation,
                    product,
                    bias: self.bias_int32(units, order)?,
                };
                Ok((Weights::DenseInt8(dense), 1.0))
            }
        }
    }

    /// A sum in int8.
    fn add(&mut self, numbers: usize) -> Result<Weights<'a>, LoadError> {
        let [shift, ..] = self.entry.shifts;
        check_shift(shift, (Layout::Rows, 8))?;
        let section = self.name(SectionKind::Multipliers);
        let good = |&m: &i32| fits(m, (4, 8), shift);
        let rows = 2 * numbers;
        let multipliers = read_slots(section, rows, RowOrder::PLAIN, self.sections, good)?;
        Ok(Weights::AddInt8(AddInt8 {
            multipliers,
            shift: shift.into(),
        }))
    }

    /// A state to start from: only its range is checked here.
    fn start(&mut self, form: &CellForm, precision: Precision) -> Result<(), LoadError> {
        let hidden = self.name(SectionKind::StartHidden);
        let cell = self.name(SectionKind::StartCell);
        let carries = form.carries(precision);
        match precision {
            Precision::F32 => {
                // Where nothing is scored as a token, an h to start from may be any number.
                let most = match self.limit > F32_SUM_LIMIT {
                    true => FEATURE_LIMIT,
                    false => form.bound(),
                };
                let h = self.sections.next::<f32>()?;
                check(hidden, h, |x| x.abs() <= most)?;
                if carries {
                    check(cell, self.sections.next::<f32>()?, small)?;
                }
            }
            Precision::Int8 => {
                self.sections.next::<i8>()?;
                if carries {
                    self.sections.next::<i16>()?;
                }
            }
        }
        Ok(())
    }
}
