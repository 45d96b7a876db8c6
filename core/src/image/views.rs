//! The sections of an operation, and its weights as views of them.
//!
//! A model keeps the sections and not the views, which take twice as much: a microcontroller's
//! stack has copies of a model. A step makes the views of the operation that it does.

use bytemuck::AnyBitPattern;

use crate::image::format::{MATRICES, SectionKind};
use crate::kernel::Kernel;
use crate::kernel::{can, can_any};
use crate::net::{Activation, Capabilities, Fused, Kind, Layout, MAX_OPERATIONS, Net, Precision};
use crate::weights::layer::{
    AddInt8, DenseF32, DenseInt8, EmbeddingF32, EmbeddingInt8, LayerF32, LayerInt8, ProductInt8,
    RecurrentF32, RecurrentInt8, Weights,
};
use crate::weights::matrix::{MatrixF32, MatrixInt8};
use crate::weights::order::RowOrder;

/// Kinds of sections that a step reads.
const KINDS: usize = 8;

/// What an image stores of an operation: its sections, and what else its views are made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stored<'a> {
    /// Empty for one that is not there.
    pub(crate) bytes: [&'a [u8]; KINDS],
    /// How its weights are arranged, and their bits.
    pub(crate) form: (Layout, u8),
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

impl<'a> Stored<'a> {
    /// No sections.
    pub(crate) const NONE: Self = Stored {
        bytes: [&[]; KINDS],
        form: (Layout::Rows, 8),
        shifts: [0; 3],
        state_bits: 0,
    };

    /// Takes note of a section.
    pub(crate) fn put(&mut self, kind: SectionKind, bytes: &'a [u8]) {
        if let Some(to) = slot(kind).and_then(|slot| self.bytes.get_mut(slot)) {
            *to = bytes;
        }
    }

    /// Takes another operation's weights for its own.
    pub(crate) fn share(&mut self, other: &Self) {
        self.put(SectionKind::Weights, other.section(SectionKind::Weights));
    }

    /// The bytes of a section.
    #[inline(always)]
    fn section(&self, kind: SectionKind) -> &'a [u8] {
        let bytes = slot(kind).and_then(|slot| self.bytes.get(slot));
        bytes.copied().unwrap_or_default()
    }

    /// The numbers of a section.
    #[inline(always)]
    fn numbers<T: AnyBitPattern>(&self, kind: SectionKind) -> &'a [T] {
        bytemuck::try_cast_slice(self.section(kind)).unwrap_or_default()
    }
}

/// The sections of all operations, in an image that was checked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Views<'a> {
    pub(crate) image: &'a [u8],
    pub(crate) layout: Layout,
    pub(crate) stored: [Stored<'a>; MAX_OPERATIONS],
}

impl<'a> Views<'a> {
    /// Of no image.
    #[inline(always)]
    pub(crate) fn none() -> Self {
        Views {
            image: &[],
            layout: Layout::Rows,
            stored: [Stored::NONE; MAX_OPERATIONS],
        }
    }

    /// The weights of operation `index`, whose operand has so many padded columns; none of what the
    /// kernel has left out.
    #[inline(always)]
    pub(crate) fn weights<K: Kernel>(
        &self,
        net: &Net,
        index: usize,
        columns: usize,
        precision: Precision,
    ) -> Weights<'a> {
        let (Some(of), Some(stored)) = (net.operation(index), self.stored.get(index)) else {
            return Weights::None;
        };
        match of.kind {
            Kind::Dense { activation, .. } if can::<K>(Capabilities::DENSE) => {
                stored.dense(activation, columns, precision)
            }
            Kind::Embedding { units } if can::<K>(Capabilities::EMBEDDING) => {
                stored.embedding(units, precision)
            }
            Kind::Add if can::<K>(Capabilities::ADD) => stored.add(precision),
            kind => match kind.fused() {
                Some(fused) if can_any::<K>(Capabilities::FUSED) => {
                    stored.cell((fused, kind.units()), columns, precision)
                }
                None if can_any::<K>(Capabilities::UNFUSED) => {
                    stored.recurrent(kind, columns, precision)
                }
                _ => Weights::None,
            },
        }
    }
}

impl<'a> Stored<'a> {
    #[inline(always)]
    fn matrix_f32(&self, kind: SectionKind, columns: usize, order: RowOrder) -> MatrixF32<'a> {
        MatrixF32 {
            order,
            columns,
            weights: self.numbers(kind),
        }
    }

    #[inline(always)]
    fn matrix_int8(&self, kind: SectionKind, columns: usize, order: RowOrder) -> MatrixInt8<'a> {
        let (layout, bits) = self.form;
        match layout {
            Layout::Rows | Layout::Pairs if bits == 4 => MatrixInt8::Int4 {
                layout,
                columns,
                words: self.numbers(kind),
            },
            Layout::Rows => MatrixInt8::Rows {
                columns,
                weights: self.numbers(kind),
            },
            Layout::Pairs => MatrixInt8::Pairs {
                columns,
                words: self.numbers(kind),
            },
            _ if bits == 4 => MatrixInt8::Int4Tiles {
                layout,
                order,
                columns,
                weights: self.numbers(kind),
            },
            _ => MatrixInt8::Tiles {
                layout,
                order,
                columns,
                weights: self.numbers(kind),
            },
        }
    }

    /// A matrix of rows one after the other with its multipliers; `number` is the place of its
    /// shift.
    #[inline(always)]
    fn product(
        &self,
        [weights, multipliers]: [SectionKind; 2],
        columns: usize,
        number: usize,
    ) -> ProductInt8<'a> {
        let shift = self.shifts.get(number).copied().unwrap_or_default();
        ProductInt8 {
            weights: self.matrix_int8(weights, columns, self.order()),
            multipliers: self.numbers(multipliers),
            shift: shift.into(),
        }
    }

    /// The order of rows that stand one after the other.
    #[inline(always)]
    fn order(&self) -> RowOrder {
        RowOrder::of_rows(self.form.0)
    }

    #[inline(always)]
    fn cell(
        &self,
        (cell, hidden): (Fused, usize),
        columns: usize,
        precision: Precision,
    ) -> Weights<'a> {
        let order = RowOrder::of_fused(self.form.0, Some(cell));
        match precision {
            Precision::F32 => Weights::CellF32(LayerF32 {
                cell,
                hidden,
                columns,
                input: self.numbers(SectionKind::Input),
                weights: self.matrix_f32(SectionKind::Weights, columns, order),
            }),
            Precision::Int8 => {
                let [shift, ..] = self.shifts;
                Weights::CellInt8(LayerInt8 {
                    cell,
                    hidden,
                    columns,
                    input: self.numbers(SectionKind::Input),
                    weights: self.matrix_int8(SectionKind::Weights, columns, order),
                    multipliers: self.numbers(SectionKind::Multipliers),
                    shift: shift.into(),
                    cell_bits: self.state_bits.into(),
                })
            }
        }
    }

    #[inline(never)]
    fn recurrent(&self, kind: Kind, columns: usize, precision: Precision) -> Weights<'a> {
        let own = kind.units().next_multiple_of(4);
        let inputs = columns.saturating_sub(own);
        // What each reads is the same for every cell.
        let [weights, candidate, hidden] = MATRICES;
        match precision {
            Precision::F32 => {
                let matrix = |[kind, _]: [SectionKind; 2], columns| match self.section(kind) {
                    [] => MatrixF32::rows(0, &[]),
                    _ => self.matrix_f32(kind, columns, self.order()),
                };
                Weights::RecurrentF32(RecurrentF32 {
                    kind,
                    inputs,
                    input: self.numbers(SectionKind::Input),
                    matrices: [
                        matrix(weights, columns),
                        matrix(candidate, inputs),
                        matrix(hidden, own),
                    ],
                    bias: self.numbers(SectionKind::Bias),
                })
            }
            Precision::Int8 => {
                let product =
                    |kinds: [SectionKind; 2], columns, number| match self.section(kinds[0]) {
                        [] => ProductInt8::NONE,
                        _ => self.product(kinds, columns, number),
                    };
                Weights::RecurrentInt8(RecurrentInt8 {
                    kind,
                    inputs,
                    input: self.numbers(SectionKind::Input),
                    matrices: [
                        product(weights, columns, 0),
                        product(candidate, inputs, 1),
                        product(hidden, own, 2),
                    ],
                    bias: self.numbers(SectionKind::Bias),
                    state_bits: self.state_bits.into(),
                })
            }
        }
    }

    #[inline(always)]
    fn dense(&self, activation: Activation, columns: usize, precision: Precision) -> Weights<'a> {
        match precision {
            Precision::F32 => Weights::DenseF32(DenseF32 {
                activation,
                weights: self.matrix_f32(SectionKind::Weights, columns, self.order()),
                bias: self.numbers(SectionKind::Bias),
            }),
            Precision::Int8 => Weights::DenseInt8(DenseInt8 {
                activation,
                product: self.product([SectionKind::Weights, SectionKind::Multipliers], columns, 0),
                bias: self.numbers(SectionKind::Bias),
            }),
        }
    }

    #[inline(always)]
    fn embedding(&self, units: usize, precision: Precision) -> Weights<'a> {
        let (kind, columns) = (SectionKind::Weights, units.next_multiple_of(4));
        match precision {
            Precision::F32 => Weights::EmbeddingF32(EmbeddingF32 {
                weights: self.matrix_f32(kind, columns, self.order()),
            }),
            Precision::Int8 => {
                let [shift, ..] = self.shifts;
                Weights::EmbeddingInt8(EmbeddingInt8 {
                    weights: self.matrix_int8(kind, columns, self.order()),
                    multipliers: self.numbers(SectionKind::Multipliers),
                    shift: shift.into(),
                })
            }
        }
    }

    #[inline(always)]
    fn add(&self, precision: Precision) -> Weights<'a> {
        let [shift, ..] = self.shifts;
        match precision {
            Precision::F32 => Weights::None,
            Precision::Int8 => Weights::AddInt8(AddInt8 {
                multipliers: self.numbers(SectionKind::Multipliers),
                shift: shift.into(),
            }),
        }
    }
}
