//! Where the sections of an operation lie, and its weights as views of them.
//!
//! A model keeps places, 36 bytes an operation, and not views, which take four times as much: a
//! microcontroller's stack has copies of a model. A step makes the views of the operation that it does.

use bytemuck::AnyBitPattern;

use crate::format::{SectionKind, layout_of, matrix_bytes};
use crate::kernel::Kernel;
use crate::layer::{
    AddInt8, DenseF32, DenseInt8, EmbeddingF32, EmbeddingInt8, Fused, GruF32, GruInt8, LayerF32,
    LayerInt8, ProductInt8, ReluF32, ReluInt8, Weights,
};
use crate::matrix::{MatrixF32, MatrixInt8};
use crate::net::{
    Capabilities, Kind, Layout, MAX_OPERATIONS, Net, Operation, Precision, RnnActivation, Value,
};
use crate::order::RowOrder;
use crate::session::can;

/// Kinds of sections that a step reads.
const KINDS: usize = 8;

/// Where the sections of an operation lie, with its shifts and the bits of its state.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Places {
    /// Bytes from the start of the image; 0 for a section that is not there.
    pub(crate) at: [u32; KINDS],
    pub(crate) shifts: [u8; 3],
    pub(crate) state_bits: u8,
}

/// The place of a kind of section among an operation's.
const fn slot(kind: SectionKind) -> Option<usize> {
    match kind {
        SectionKind::Input => Some(0),
        SectionKind::Weights => Some(1),
        SectionKind::Multipliers => Some(2),
        SectionKind::Bias => Some(3),
        SectionKind::CandidateWeights => Some(4),
        SectionKind::CandidateMultipliers => Some(5),
        SectionKind::HiddenWeights => Some(6),
        SectionKind::HiddenMultipliers => Some(7),
        _ => None,
    }
}

impl Places {
    /// Takes note of where a section lies.
    pub(crate) fn put(&mut self, kind: SectionKind, at: usize) {
        if let Some(to) = slot(kind).and_then(|slot| self.at.get_mut(slot)) {
            *to = at as u32;
        }
    }

    /// Where a section lies.
    pub(crate) fn of(&self, kind: SectionKind) -> usize {
        let at = slot(kind).and_then(|slot| self.at.get(slot));
        at.map_or(0, |&at| at as usize)
    }
}

/// The sections of all operations, in an image that was checked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Views<'a> {
    pub(crate) image: &'a [u8],
    pub(crate) layout: Layout,
    pub(crate) places: [Places; MAX_OPERATIONS],
}

/// The views of one operation.
struct One<'v, 'a> {
    views: &'v Views<'a>,
    places: &'v Places,
    net: &'v Net,
    /// Padded columns of its operand, its own h included.
    columns: usize,
    layout: Layout,
    bits: u8,
}

impl<'a> Views<'a> {
    /// The weights of operation `index`; none of what the kernel has left out.
    #[inline(always)]
    pub(crate) fn weights<K: Kernel>(
        &self,
        net: &Net,
        index: usize,
        columns: usize,
    ) -> Weights<'a> {
        let (Some(operation), Some(places)) = (net.operation(index), self.places.get(index)) else {
            return Weights::None;
        };
        let one = One {
            views: self,
            places,
            net,
            columns,
            layout: layout_of(net, index, self.layout),
            bits: operation.bits,
        };
        one.weights::<K>(index, operation)
    }
}

impl<'a> One<'_, 'a> {
    #[inline(always)]
    fn weights<K: Kernel>(&self, index: usize, of: &Operation) -> Weights<'a> {
        let quantized = match (can::<K>(Capabilities::F32), can::<K>(Capabilities::INT8)) {
            (true, false) => false,
            (false, true) => true,
            _ => matches!(self.net.precision, Precision::Int8),
        };
        match (of.kind, quantized) {
            (Kind::Lstm { units }, _) if can::<K>(Capabilities::LSTM) => {
                self.cell((Fused::Lstm, units), of, index, quantized)
            }
            (
                Kind::Rnn {
                    units,
                    activation: RnnActivation::Tanh,
                },
                _,
            ) if can::<K>(Capabilities::RNN) => {
                self.cell((Fused::Rnn, units), of, index, quantized)
            }
            (Kind::Rnn { units, .. }, _) if can::<K>(Capabilities::RELU) => {
                self.relu(units, index, quantized)
            }
            (Kind::Gru { .. }, _) if can::<K>(Capabilities::GRU) => self.gru(of, index, quantized),
            (Kind::Dense { .. }, _) if can::<K>(Capabilities::DENSE) => self.dense(of, quantized),
            (Kind::Embedding { units }, _) if can::<K>(Capabilities::EMBEDDING) => {
                self.embedding(units, quantized)
            }
            (Kind::Add, true) if can::<K>(Capabilities::ADD) => {
                let [shift, ..] = self.places.shifts;
                let numbers = 2 * self.net.width(Value::of(index));
                Weights::AddInt8(AddInt8 {
                    multipliers: self.numbers(SectionKind::Multipliers, numbers),
                    shift: shift.into(),
                })
            }
            _ => Weights::None,
        }
    }

    /// So many numbers of a section.
    #[inline(always)]
    fn numbers<T: AnyBitPattern>(&self, kind: SectionKind, count: usize) -> &'a [T] {
        self.numbers_at(self.places.of(kind), count)
    }

    #[inline(always)]
    fn numbers_at<T: AnyBitPattern>(&self, at: usize, count: usize) -> &'a [T] {
        let bytes = self.views.image.get(at..at + count * size_of::<T>());
        bytemuck::try_cast_slice(bytes.unwrap_or_default()).unwrap_or_default()
    }

    #[inline(always)]
    fn matrix_f32(
        &self,
        at: usize,
        (rows, columns): (usize, usize),
        order: RowOrder,
    ) -> MatrixF32<'a> {
        MatrixF32 {
            order,
            columns,
            weights: self.numbers_at(at, order.slots(rows) * columns),
        }
    }

    #[inline(never)]
    fn matrix_int8(&self, at: usize, shape: (usize, usize), order: RowOrder) -> MatrixInt8<'a> {
        let (layout, bits, (_, columns)) = (self.layout, self.bits, shape);
        let bytes = matrix_bytes(Precision::Int8, shape, (layout, bits), order);
        match layout {
            Layout::Rows | Layout::Pairs if bits == 4 => MatrixInt8::Nibbles {
                layout,
                columns,
                words: self.numbers_at(at, bytes / 4),
            },
            Layout::Rows => MatrixInt8::Rows {
                columns,
                weights: self.numbers_at(at, bytes),
            },
            Layout::Pairs => MatrixInt8::Pairs {
                columns,
                words: self.numbers_at(at, bytes / 4),
            },
            _ if bits == 4 => MatrixInt8::NibbleTiles {
                layout,
                order,
                columns,
                weights: self.numbers_at(at, bytes),
            },
            _ => MatrixInt8::Tiles {
                layout,
                order,
                columns,
                weights: self.numbers_at(at, bytes),
            },
        }
    }

    /// A matrix with its multipliers; `number` is the place of its shift.
    #[inline(always)]
    fn product(
        &self,
        [weights, multipliers]: [SectionKind; 2],
        shape: (usize, usize),
        number: usize,
    ) -> ProductInt8<'a> {
        let order = RowOrder::of_rows(self.layout);
        let shift = self.places.shifts.get(number).copied().unwrap_or_default();
        ProductInt8 {
            weights: self.matrix_int8(self.places.of(weights), shape, order),
            multipliers: self.numbers(multipliers, order.slots(shape.0)),
            shift: shift.into(),
        }
    }

    /// Rows of what is added: one for each token where the operation reads it.
    #[inline(always)]
    fn inputs(&self, index: usize) -> usize {
        match self.net.reads_token(index) {
            true => self.net.vocab(),
            false => 1,
        }
    }

    #[inline(always)]
    fn cell(
        &self,
        (cell, hidden): (Fused, usize),
        of: &Operation,
        index: usize,
        quantized: bool,
    ) -> Weights<'a> {
        let order = RowOrder::of_cell(self.layout, of.kind);
        let (rows, columns) = (cell.gates() * hidden, self.columns);
        let (slots, weights) = (order.slots(rows), self.places.of(SectionKind::Weights));
        let input = self.inputs(index) * slots;
        match quantized {
            false => Weights::CellF32(LayerF32 {
                cell,
                hidden,
                columns,
                input: self.numbers(SectionKind::Input, input),
                weights: self.matrix_f32(weights, (rows, columns), order),
            }),
            true => {
                let [shift, ..] = self.places.shifts;
                Weights::CellInt8(LayerInt8 {
                    cell,
                    hidden,
                    columns,
                    input: self.numbers(SectionKind::Input, input),
                    weights: self.matrix_int8(weights, (rows, columns), order),
                    multipliers: self.numbers(SectionKind::Multipliers, slots),
                    shift: shift.into(),
                    cell_bits: self.places.state_bits.into(),
                })
            }
        }
    }

    #[inline(never)]
    fn relu(&self, units: usize, index: usize, quantized: bool) -> Weights<'a> {
        let shape = (units, self.columns);
        let input = self.inputs(index) * units;
        match quantized {
            false => Weights::ReluF32(ReluF32 {
                units,
                input: self.numbers(SectionKind::Input, input),
                weights: self.matrix_f32(
                    self.places.of(SectionKind::Weights),
                    shape,
                    RowOrder::of_rows(self.layout),
                ),
            }),
            true => Weights::ReluInt8(ReluInt8 {
                units,
                input: self.numbers(SectionKind::Input, input),
                product: self.product([SectionKind::Weights, SectionKind::Multipliers], shape, 0),
                state_bits: self.places.state_bits.into(),
            }),
        }
    }

    #[inline(never)]
    fn gru(&self, of: &Operation, index: usize, quantized: bool) -> Weights<'a> {
        let Kind::Gru { units, reset } = of.kind else {
            return Weights::None;
        };
        let (columns, own) = (self.columns, units.next_multiple_of(4));
        let inputs = columns.saturating_sub(own);
        let input = 3 * units * self.inputs(index);
        let bias = match reset {
            crate::net::Reset::After => units,
            crate::net::Reset::Before => 0,
        };
        let order = RowOrder::of_rows(self.layout);
        let f32 = |kind, shape| self.matrix_f32(self.places.of(kind), shape, order);
        match quantized {
            false => Weights::GruF32(GruF32 {
                units,
                reset,
                inputs,
                input: self.numbers(SectionKind::Input, input),
                gates: f32(SectionKind::Weights, (2 * units, columns)),
                candidate: f32(SectionKind::CandidateWeights, (units, inputs)),
                hidden: f32(SectionKind::HiddenWeights, (units, own)),
                bias: self.numbers(SectionKind::Bias, bias),
            }),
            true => {
                let gates = [SectionKind::Weights, SectionKind::Multipliers];
                let candidate = [
                    SectionKind::CandidateWeights,
                    SectionKind::CandidateMultipliers,
                ];
                let hidden = [SectionKind::HiddenWeights, SectionKind::HiddenMultipliers];
                Weights::GruInt8(GruInt8 {
                    units,
                    reset,
                    inputs,
                    input: self.numbers(SectionKind::Input, input),
                    gates: self.product(gates, (2 * units, columns), 0),
                    candidate: match inputs {
                        0 => ProductInt8::NONE,
                        _ => self.product(candidate, (units, inputs), 1),
                    },
                    hidden: self.product(hidden, (units, own), 2),
                    bias: self.numbers(SectionKind::Bias, bias),
                })
            }
        }
    }

    #[inline(always)]
    fn dense(&self, of: &Operation, quantized: bool) -> Weights<'a> {
        let Kind::Dense { units, activation } = of.kind else {
            return Weights::None;
        };
        let shape = (units, self.columns);
        let order = RowOrder::of_rows(self.layout);
        // A tied head's weights are a table's, which is arranged for it.
        let own = self.places.of(SectionKind::Weights);
        let table = of.tied.and_then(|t| self.views.places.get(usize::from(t)));
        let at = table.map_or(own, |table| table.of(SectionKind::Weights));
        let slots = order.slots(units);
        match quantized {
            false => Weights::DenseF32(DenseF32 {
                activation,
                weights: self.matrix_f32(at, shape, order),
                bias: self.numbers(SectionKind::Bias, slots),
            }),
            true => {
                let [shift, ..] = self.places.shifts;
                Weights::DenseInt8(DenseInt8 {
                    activation,
                    product: ProductInt8 {
                        weights: self.matrix_int8(at, shape, order),
                        multipliers: self.numbers(SectionKind::Multipliers, slots),
                        shift: shift.into(),
                    },
                    bias: self.numbers(SectionKind::Bias, slots),
                })
            }
        }
    }

    #[inline(always)]
    fn embedding(&self, units: usize, quantized: bool) -> Weights<'a> {
        let shape = (self.net.vocab(), units.next_multiple_of(4));
        let order = RowOrder::of_rows(self.layout);
        let at = self.places.of(SectionKind::Weights);
        match quantized {
            false => Weights::EmbeddingF32(EmbeddingF32 {
                weights: self.matrix_f32(at, shape, order),
            }),
            true => {
                let [shift, ..] = self.places.shifts;
                Weights::EmbeddingInt8(EmbeddingInt8 {
                    weights: self.matrix_int8(at, shape, order),
                    multipliers: self.numbers(SectionKind::Multipliers, shape.0),
                    shift: shift.into(),
                })
            }
        }
    }
}
