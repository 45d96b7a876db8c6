//! Sizes that follow from a net: widths of values, rows and columns of matrices, words of a session.

use super::{Input, Kind, Net, Operation, Plan, Reads, Value, at};

/// The matrices of a recurrent operation, as rows and padded columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recurrent {
    /// Units.
    pub units: usize,
    /// Padded columns of what it reads besides its own h.
    pub inputs: usize,
    /// Padded columns of its own h.
    pub own: usize,
}

impl Net {
    /// Numbers of a value: of the input's tokens none, of features in an int8 net their columns.
    pub const fn width(&self, value: Value) -> usize {
        let mut value = value;
        // An addition is as wide as what it adds; it reads only what was made before it.
        let mut turns = super::MAX_OPERATIONS;
        while turns > 0 {
            turns -= 1;
            let Some(index) = value.operation() else {
                break;
            };
            let Some(operation) = self.operation(index) else {
                return 0;
            };
            match operation.kind {
                Kind::Add => value = operation.operand.part(0),
                kind => return kind.units(),
            }
        }
        match self.input {
            Input::Tokens { .. } => 0,
            Input::Features { width, doubled } => match self.precision {
                super::Precision::F32 => width,
                super::Precision::Int8 => width + doubled,
            },
        }
    }

    /// The same rounded up to a multiple of four: what it takes in memory, and of a matrix' columns.
    pub const fn stride(&self, value: Value) -> usize {
        self.width(value).next_multiple_of(4)
    }

    /// Tokens of the input's vocabulary; 0 for features.
    pub const fn vocab(&self) -> usize {
        match self.input {
            Input::Tokens { vocab } => vocab,
            Input::Features { .. } => 0,
        }
    }

    /// Whether the input is tokens.
    pub const fn takes_tokens(&self) -> bool {
        matches!(self.input, Input::Tokens { .. })
    }

    /// Whether operation `index` reads the token, which selects a row of its addends.
    pub const fn reads_token(&self, index: usize) -> bool {
        match self.operation(index) {
            Some(Operation { operand, kind, .. }) => {
                self.takes_tokens()
                    && !operand.is_empty()
                    && operand.part(0).code() == 0
                    && kind.is_recurrent()
            }
            None => false,
        }
    }

    /// Padded columns of what operation `index` reads, without its own h.
    pub const fn input_columns(&self, index: usize) -> usize {
        let Some(operation) = self.operation(index) else {
            return 0;
        };
        let (mut columns, mut part) = (0, 0);
        while part < operation.operand.len() {
            columns += self.stride(operation.operand.part(part));
            part += 1;
        }
        columns
    }

    /// Padded columns of operation `index`'s operand: what it reads, and behind that the own h of a
    /// recurrent one.
    pub const fn columns(&self, index: usize) -> usize {
        match self.operation(index) {
            Some(operation) if operation.kind.is_recurrent() => {
                self.input_columns(index) + self.stride(Value::of(index))
            }
            Some(_) => self.input_columns(index),
            None => 0,
        }
    }

    /// Rows and padded columns of matrix `number` of operation `index`, of those that
    /// [`CellForm::matrices`](super::CellForm::matrices) has, and of another operation the first;
    /// nothing if there is no such matrix.
    pub const fn matrix(&self, index: usize, number: usize) -> Option<(usize, usize)> {
        let Some(operation) = self.operation(index) else {
            return None;
        };
        let units = operation.kind.units();
        let Some(form) = operation.kind.cell() else {
            return match operation.kind {
                Kind::Embedding { .. } if number == 0 => {
                    Some((self.vocab(), units.next_multiple_of(4)))
                }
                Kind::Dense { .. } if number == 0 => Some((units, self.columns(index))),
                _ => None,
            };
        };
        let Some(Some(matrix)) = at(&form.matrices, number) else {
            return None;
        };
        let columns = match matrix.reads {
            Reads::All => self.columns(index),
            Reads::Inputs => self.input_columns(index),
            Reads::Own | Reads::Made => self.stride(Value::of(index)),
        };
        if columns > 0 {
            Some((matrix.rows * units, columns))
        } else {
            None
        }
    }

    /// The sizes of a recurrent operation; nothing for another.
    pub const fn recurrent(&self, index: usize) -> Option<Recurrent> {
        match self.operation(index) {
            Some(operation) if operation.kind.is_recurrent() => Some(Recurrent {
                units: operation.kind.units(),
                inputs: self.input_columns(index),
                own: self.stride(Value::of(index)),
            }),
            _ => None,
        }
    }

    /// How many operations are recurrent.
    pub const fn recurrent_count(&self) -> usize {
        let (mut count, mut index) = (0, 0);
        while let Some(operation) = self.operation(index) {
            count += operation.kind.is_recurrent() as usize;
            index += 1;
        }
        count
    }

    /// Numbers of an output; 0 if there is none.
    pub const fn output_width(&self, index: usize) -> usize {
        match self.output(index) {
            Some(output) => self.width(output.value()),
            None => 0,
        }
    }

    /// Padded columns of the widest matrix that a kernel multiplies.
    pub const fn most_columns(&self) -> usize {
        let (mut most, mut index) = (0, 0);
        while index < self.len() {
            let columns = self.columns(index);
            let multiplies = match self.operation(index) {
                Some(operation) => operation.kind.gates() > 0,
                None => false,
            };
            if multiplies && columns > most {
                most = columns;
            }
            index += 1;
        }
        most
    }

    /// Multiply-accumulates of the matrix products of one step. A token's row is no product;
    /// padding columns are not counted.
    pub const fn macs_per_step(&self) -> usize {
        let (mut macs, mut index) = (0, 0);
        while index < self.len() {
            macs += self.macs(index);
            index += 1;
        }
        macs
    }

    /// Those of operation `index`.
    pub const fn macs(&self, index: usize) -> usize {
        let Some(operation) = self.operation(index) else {
            return 0;
        };
        let units = operation.kind.units();
        let mut columns = if operation.kind.is_recurrent() {
            units
        } else {
            0
        };
        let mut part = 0;
        while part < operation.operand.len() {
            columns += self.width(operation.operand.part(part));
            part += 1;
        }
        operation.kind.gates() * units * columns
    }

    /// Words that a [`Session`](crate::Session) needs.
    pub const fn state_words(&self) -> usize {
        Plan::of(self).words()
    }

    /// Words of a snapshot: h of every recurrent operation, then what else each carries (an LSTM's
    /// c, in int8 a GRU's h of 16 bits), each padded to a multiple of four elements.
    pub const fn snapshot_words(&self) -> usize {
        Plan::of(self).snapshot_words()
    }

    /// Words more with which a session, on a host, begins each step with the weights that the step
    /// before read last: sums of the last recurrent layer, where [`Net::is_pipelined`].
    pub const fn pipeline_words(&self) -> usize {
        match self.pipelined() {
            // Whole pairs of tiles, of the widest vectors.
            Some((gates, units)) => gates * units.next_multiple_of(64),
            None => 0,
        }
    }

    /// Whether a session can compute products before their step: an LSTM or a tanh RNN that reads
    /// tokens, or several of one size each above the other, under one dense operation.
    pub const fn is_pipelined(&self) -> bool {
        self.pipelined().is_some()
    }

    /// Gates and units of the layers, if this is such a net.
    const fn pipelined(&self) -> Option<(usize, usize)> {
        let Some(first) = self.operation(0) else {
            return None;
        };
        let Some(fused) = first.kind.fused() else {
            return None;
        };
        let gates = fused.gates();
        let (units, mut layers) = (first.kind.units(), 0);
        while let Some(operation) = self.operation(layers) {
            if !operation.kind.is_recurrent() {
                break;
            }
            let alike = match operation.kind.fused() {
                Some(other) => other.gates() == gates && operation.kind.units() == units,
                None => false,
            };
            let reads =
                operation.operand.len() == 1 && operation.operand.part(0).code() as usize == layers;
            if !(alike && reads) {
                return None;
            }
            layers += 1;
        }
        let head = match self.operation(layers) {
            Some(operation) => {
                operation.operand.len() == 1
                    && operation.operand.part(0).code() as usize == layers
                    && matches!(operation.kind, Kind::Dense { .. })
            }
            None => false,
        };
        // What is behind the head is computed with it.
        let rest = match self.operation(layers + 1) {
            Some(operation) => matches!(operation.kind, Kind::Dense { .. } | Kind::Add),
            None => true,
        };
        if self.takes_tokens() && head && rest && self.len() <= layers + 2 {
            Some((gates, units))
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Activation, Precision, Reset};
    use super::*;

    const fn linear(units: usize) -> Kind {
        Kind::Dense {
            units,
            activation: Activation::None,
        }
    }

    /// One layer, or two, under a head for 64 tokens.
    fn language_model(layer: Kind, layers: usize) -> Net {
        let net = Net::tokens(Precision::Int8, 64);
        let net = (0..layers).fold(net, |net, _| net.then(layer));
        net.then(linear(64)).scores()
    }

    #[test]
    fn sizes_of_the_default_model() {
        let net = language_model(Kind::lstm(128), 1);
        assert_eq!(net.macs_per_step(), 512 * 128 + 64 * 128);
        assert_eq!(net.snapshot_words(), 128 / 4 + 128 / 2);
        assert_eq!(net.state_words(), 96 + 32 + 64);
        assert_eq!(net.pipeline_words(), 4 * 128);
        let two = language_model(Kind::lstm(65), 2);
        assert_eq!(two.pipeline_words(), 4 * 128);
        let gru = language_model(Kind::gru(128, Reset::After), 1);
        assert_eq!(gru.macs_per_step(), 384 * 128 + 64 * 128);
        // h of 8 and of 16 bits, h being computed, four sums a unit, the scores.
        assert_eq!(gru.state_words(), 32 + 64 + 32 + 512 + 64);
        assert_eq!(gru.pipeline_words(), 0);
    }

    #[test]
    fn sizes_of_a_word_model() {
        let tokens = Net::tokens(Precision::Int8, 5000);
        let plain = tokens.then(Kind::lstm(256)).then(linear(5000)).scores();
        let net = tokens.then(Kind::Embedding { units: 94 });
        let net = net.then(Kind::lstm(256)).then(linear(94));
        let net = net.then(linear(5000)).scores();
        assert_eq!((net.columns(1), net.columns(3)), (96 + 256, 96));
        let macs = 1024 * (256 + 94) + 94 * 256 + 5000 * 94;
        assert_eq!(net.macs_per_step(), macs);
        assert_eq!(net.snapshot_words(), plain.snapshot_words());
        // The embedding, the projection as a kernel gives it, and as the head reads it.
        let scratch = 96 / 4 + 94 + 96 / 4;
        assert_eq!(net.state_words(), plain.state_words() + scratch);
    }

    #[test]
    fn an_operation_takes_other_units() {
        let net = language_model(Kind::lstm(5), 2).with_units(1, 7);
        let [below, above] = [0, 1].map(|index| net.operation(index).map(|of| of.kind));
        assert_eq!(below, Some(Kind::lstm(5)));
        assert_eq!(above, Some(Kind::lstm(7)));
        assert_eq!(net.with_units(3, 7), net, "there is none");
    }

    /// A recurrent operation behind the head reads what the step has made: nothing is ahead of it.
    #[test]
    fn only_dense_operations_behind_the_layers_leave_room_for_products_ahead() {
        let head = Kind::Dense {
            units: 9,
            activation: Activation::None,
        };
        let layer = Kind::lstm(5);
        let gru = Kind::gru(5, Reset::After);
        let embedding = Kind::Embedding { units: 5 };
        let plain = Net::tokens(Precision::Int8, 9).then(layer).then(head);
        let ahead = |net: Net| net.is_pipelined();
        assert!(ahead(plain) && ahead(plain.then(head)));
        assert!(ahead(
            Net::tokens(Precision::Int8, 9)
                .then(layer)
                .then(layer)
                .then(head)
        ));
        for behind in [layer, gru, embedding] {
            assert!(!ahead(plain.then(behind)), "{behind:?}");
        }
        assert!(!ahead(plain.then(head).then(head)));
        assert!(!ahead(
            Net::features(Precision::Int8, 3).then(layer).then(head)
        ));
    }
}
