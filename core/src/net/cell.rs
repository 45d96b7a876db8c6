//! What a recurrent cell is made of, as data. Reading, checking, writing and placing an operation's
//! numbers go by it, so a cell more is a form more.
//!
//! ```text
//! sums of a unit      rows of addends + the products of its matrices
//! matrix              rows for every unit, times [x ; h], x or h
//! ```

use super::{Capabilities, GateActivation, Kind, Precision, Reset, RnnActivation};

/// A recurrent cell whose sums a kernel turns into a new state at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fused {
    /// The tanh RNN.
    Rnn,
    /// The LSTM.
    Lstm,
}

impl Fused {
    /// Rows of the weight matrix per unit.
    pub const fn gates(self) -> usize {
        match self {
            Fused::Rnn => 1,
            Fused::Lstm => 4,
        }
    }
}

/// What a matrix multiplies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reads {
    /// What the operation reads, and its own h behind that.
    All,
    /// What it reads. There is no such matrix where that is a token alone.
    Inputs,
    /// Its own h, or what the cell has made of it.
    Own,
}

/// A matrix of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MatrixForm {
    /// Rows for every unit.
    pub rows: usize,
    /// What it multiplies.
    pub reads: Reads,
}

/// The most matrices of a cell. An image calls them weights, candidate weights and hidden weights.
pub const MAX_MATRICES: usize = 3;

/// What a recurrent cell is made of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CellForm {
    /// What it takes to run it.
    pub needs: Capabilities,
    /// How a kernel does it at once. What there is one of for each of its rows then stands in slots.
    pub fused: Option<Fused>,
    /// Addends of a unit.
    pub addends: usize,
    /// Its matrices.
    pub matrices: [Option<MatrixForm>; MAX_MATRICES],
    /// Numbers of the bias of a unit, which is not among the addends; with 12 fraction bits in int8.
    pub bias: usize,
    /// Whether it carries a state besides h in f32 and in int8.
    pub carries: [bool; 2],
    /// Sums of a unit that it keeps in memory, in f32 and in int8.
    pub sums: [usize; 2],
    /// The least and the most bits before the point of its state in int8.
    pub state_bits: [u8; 2],
    /// Whether nothing but a limit bounds its h in f32; otherwise it is within 1.
    pub unbounded: bool,
}

const NO_FORM: CellForm = CellForm {
    needs: Capabilities::from_bits(0),
    fused: None,
    addends: 0,
    matrices: [None; MAX_MATRICES],
    bias: 0,
    carries: [false; 2],
    sums: [0; 2],
    state_bits: [0; 2],
    unbounded: false,
};

const fn matrix(rows: usize, reads: Reads) -> Option<MatrixForm> {
    Some(MatrixForm { rows, reads })
}

/// The form of every cell.
const RNN: CellForm = CellForm {
    needs: Capabilities::RNN,
    fused: Some(Fused::Rnn),
    addends: 1,
    matrices: [matrix(1, Reads::All), None, None],
    state_bits: [3, 3],
    ..NO_FORM
};

const RELU_RNN: CellForm = CellForm {
    needs: Capabilities::RELU,
    fused: None,
    sums: [0, 1],
    state_bits: [0, 7],
    unbounded: true,
    ..RNN
};

const LSTM: CellForm = CellForm {
    needs: Capabilities::LSTM,
    fused: Some(Fused::Lstm),
    addends: 4,
    matrices: [matrix(4, Reads::All), None, None],
    carries: [true; 2],
    state_bits: [3, 7],
    ..NO_FORM
};

const HARD_LSTM: CellForm = CellForm {
    needs: Capabilities::HARD_LSTM,
    fused: None,
    sums: [4; 2],
    ..LSTM
};

const GRU: CellForm = CellForm {
    needs: Capabilities::GRU,
    addends: 3,
    matrices: [
        matrix(2, Reads::All),
        matrix(1, Reads::Inputs),
        matrix(1, Reads::Own),
    ],
    carries: [false, true],
    sums: [4; 2],
    ..NO_FORM
};

impl Precision {
    /// The place of what there is one of for each precision.
    const fn pick<T: Copy>(self, [f32, int8]: [T; 2]) -> T {
        match self {
            Precision::F32 => f32,
            Precision::Int8 => int8,
        }
    }
}

impl CellForm {
    /// Whether it carries a state besides h.
    pub const fn carries(&self, precision: Precision) -> bool {
        precision.pick(self.carries)
    }

    /// Sums of a unit that it keeps in memory.
    pub const fn sums(&self, precision: Precision) -> usize {
        precision.pick(self.sums)
    }
}

impl Kind {
    /// What a recurrent operation is made of; nothing of another.
    pub const fn cell(self) -> Option<CellForm> {
        Some(match self {
            Kind::Rnn {
                activation: RnnActivation::Tanh,
                ..
            } => RNN,
            Kind::Rnn { .. } => RELU_RNN,
            Kind::Lstm {
                gates: GateActivation::Sigmoid,
                ..
            } => LSTM,
            Kind::Lstm { .. } => HARD_LSTM,
            Kind::Gru {
                reset,
                gates,
                candidate,
                ..
            } => {
                let mut form = GRU;
                form.bias = matches!(reset, Reset::After) as usize;
                if matches!(gates, GateActivation::HardSigmoid) {
                    form.needs = form.needs.and(Capabilities::HARD_GRU);
                }
                if matches!(candidate, RnnActivation::Relu) {
                    form.needs = form.needs.and(Capabilities::RELU_GRU);
                    form.state_bits = [0, 7];
                    form.unbounded = true;
                }
                form
            }
            Kind::Embedding { .. } | Kind::Dense { .. } | Kind::Add => return None,
        })
    }

    /// How a kernel does it at once; nothing for one that it does not.
    pub const fn fused(self) -> Option<Fused> {
        match self {
            Kind::Rnn {
                activation: RnnActivation::Tanh,
                ..
            } => Some(Fused::Rnn),
            Kind::Lstm {
                gates: GateActivation::Sigmoid,
                ..
            } => Some(Fused::Lstm),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is told twice is told alike.
    #[test]
    fn forms_agree_with_kinds() {
        let gates = [GateActivation::Sigmoid, GateActivation::HardSigmoid];
        let functions = [RnnActivation::Tanh, RnnActivation::Relu];
        let mut seen = 0;
        let mut check = |kind: Kind| {
            let Some(form) = kind.cell() else {
                panic!("{kind} is no cell");
            };
            let rows = form.matrices.iter().flatten();
            let rows = rows.filter(|matrix| matrix.reads != Reads::Inputs);
            assert_eq!(rows.map(|matrix| matrix.rows).sum::<usize>(), kind.gates());
            assert_eq!((form.addends, form.fused), (kind.gates(), kind.fused()));
            assert!(kind.is_recurrent());
            seen += 1;
        };
        for activation in functions {
            check(Kind::Rnn {
                units: 1,
                activation,
            });
        }
        for gates in gates {
            check(Kind::Lstm { units: 1, gates });
            for (reset, candidate) in [Reset::After, Reset::Before]
                .into_iter()
                .flat_map(|reset| functions.map(|candidate| (reset, candidate)))
            {
                check(Kind::Gru {
                    units: 1,
                    reset,
                    gates,
                    candidate,
                });
            }
        }
        assert_eq!(seen, 12);
    }
}
