//! What a recurrent cell is made of, as data. Reading, checking, writing and placing an operation's
//! numbers go by it, so a cell more is a form more.
//!
//! ```text
//! sums of a unit      rows of addends + the products of its matrices
//! matrix              rows for every unit, times [x ; h], x or h
//! ```

use super::{Capabilities, GateActivation, Kind, Precision, Reset, RnnActivation, at};

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
    /// Its own h.
    Own,
    /// What the cell has made of its own h, as `r h`.
    Made,
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
    /// Its matrices: the first multiplies all, the second what it reads, the third its own h or what
    /// it has made of it.
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

/// r and z of a GRU, and what its candidate reads.
const GATES: Option<MatrixForm> = matrix(2, Reads::All);
const INPUTS: Option<MatrixForm> = matrix(1, Reads::Inputs);

const GRU: CellForm = CellForm {
    needs: Capabilities::GRU,
    addends: 3,
    matrices: [GATES, INPUTS, matrix(1, Reads::Own)],
    bias: 1,
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

    /// Rows of a unit that read its own h, and rows that read what it has made of it.
    pub const fn own_rows(&self) -> [usize; 2] {
        let (mut rows, mut index) = ([0; 2], 0);
        while let Some(matrix) = at(&self.matrices, index) {
            index += 1;
            let [of_h, of_made] = &mut rows;
            if let Some(MatrixForm { rows, reads }) = matrix {
                match reads {
                    Reads::All | Reads::Own => *of_h += *rows,
                    Reads::Made => *of_made += *rows,
                    Reads::Inputs => {}
                }
            }
        }
        rows
    }

    /// Sums of a unit that it keeps in memory.
    pub const fn sums(&self, precision: Precision) -> usize {
        precision.pick(self.sums)
    }
}

const fn rnn(activation: RnnActivation) -> Kind {
    let units = 1;
    Kind::Rnn { units, activation }
}

const fn lstm(gates: GateActivation) -> Kind {
    let units = 1;
    Kind::Lstm { units, gates }
}

const fn gru(reset: Reset, gates: GateActivation, candidate: RnnActivation) -> Kind {
    Kind::Gru {
        units: 1,
        reset,
        gates,
        candidate,
    }
}

impl Kind {
    /// Every recurrent operation, of one unit.
    pub const CELLS: [Self; 12] = {
        use GateActivation::{HardSigmoid, Sigmoid};
        use Reset::{After, Before};
        use RnnActivation::{Relu, Tanh};
        [
            rnn(Tanh),
            rnn(Relu),
            lstm(Sigmoid),
            lstm(HardSigmoid),
            gru(After, Sigmoid, Tanh),
            gru(Before, Sigmoid, Tanh),
            gru(After, HardSigmoid, Tanh),
            gru(Before, HardSigmoid, Tanh),
            gru(After, Sigmoid, Relu),
            gru(Before, Sigmoid, Relu),
            gru(After, HardSigmoid, Relu),
            gru(Before, HardSigmoid, Relu),
        ]
    };

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
                if matches!(reset, Reset::Before) {
                    form.matrices = [GATES, INPUTS, matrix(1, Reads::Made)];
                    form.bias = 0;
                }
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
        for (index, kind) in Kind::CELLS.into_iter().enumerate() {
            let Some(form) = kind.cell() else {
                panic!("{kind} is no cell");
            };
            let [all, inputs, last] = form.matrices.map(|matrix| matrix.map(|of| of.reads));
            assert_eq!(all, Some(Reads::All), "{kind}");
            assert!(matches!(inputs, None | Some(Reads::Inputs)), "{kind}");
            assert!(
                matches!(last, None | Some(Reads::Own | Reads::Made)),
                "{kind}"
            );
            let [own, made] = form.own_rows();
            assert_eq!(own + made, kind.gates(), "{kind}");
            assert_eq!((form.addends, form.fused), (kind.gates(), kind.fused()));
            assert!(kind.is_recurrent() && kind.units() == 1);
            assert_eq!(kind.with_units(7).units(), 7);
            assert!(!Kind::CELLS[..index].contains(&kind));
        }
    }
}
