//! Whether a net is one that can be.

use super::{
    Activation, Input, Kind, MAX_COLUMNS, MAX_OPERATIONS, MAX_OUTPUTS, MAX_PARTS, MAX_SIZE,
    MAX_VOCAB, Net, NetError, Operation, Output, Precision,
};

/// The sizes that a kind of operation may have: `1..=most`, and more for one that scores tokens.
const fn size_is_good(units: usize, most: usize) -> bool {
    units >= 1 && units <= most
}

impl Net {
    /// The net, once everything about it is in range.
    ///
    /// # Errors
    /// Names the operation and the quantity that is wrong, with what was given.
    pub const fn checked(self) -> Result<Self, NetError> {
        match self.check() {
            Ok(()) => Ok(self),
            Err(error) => Err(error),
        }
    }

    /// The same of a net that stays where it is.
    pub(crate) const fn check(&self) -> Result<(), NetError> {
        match self.input {
            Input::Tokens { vocab } => {
                if vocab < 2 || vocab > MAX_VOCAB {
                    return Err(NetError::Vocab { found: vocab });
                }
            }
            Input::Features { width, doubled } => {
                if !size_is_good(width, MAX_SIZE) {
                    return Err(NetError::Features { found: width });
                }
                let most = match self.precision {
                    Precision::F32 => 0,
                    Precision::Int8 => width,
                };
                if doubled > most {
                    return Err(NetError::Doubled {
                        found: doubled,
                        most,
                    });
                }
            }
        }
        if self.is_empty() || self.len() > MAX_OPERATIONS {
            return Err(NetError::Operations { found: self.len() });
        }
        let mut index = 0;
        while let Some(operation) = self.operation(index) {
            if let Err(error) = self.check_operation(index, operation) {
                return Err(error);
            }
            index += 1;
        }
        if self.output_len() < 1 || self.output_len() > MAX_OUTPUTS {
            return Err(NetError::Outputs {
                found: self.output_len(),
            });
        }
        index = 0;
        while let Some(output) = self.output(index) {
            let made = match output.value().operation() {
                Some(operation) => operation < self.len(),
                None => false,
            };
            if !made {
                return Err(NetError::Output {
                    output: index,
                    value: output.value(),
                });
            }
            let few = match output {
                Output::Scores(value) => self.width(value) < 2,
                Output::Values(_) => false,
            };
            if few {
                return Err(NetError::OneScore { output: index });
            }
            index += 1;
        }
        Ok(())
    }

    /// Checks operation `index`.
    const fn check_operation(&self, index: usize, of: &Operation) -> Result<(), NetError> {
        let operation = index;
        let most = match of.kind {
            // A head scores a vocabulary.
            Kind::Dense { .. } => MAX_VOCAB,
            _ => MAX_SIZE,
        };
        let units = of.kind.units();
        if !matches!(of.kind, Kind::Add) && !size_is_good(units, most) {
            return Err(NetError::Units {
                operation,
                found: units,
                most,
            });
        }
        if let Err(error) = self.check_operand(index, of) {
            return Err(error);
        }
        if let (
            Kind::Dense {
                activation: Activation::Elu | Activation::Softmax,
                ..
            },
            Precision::Int8,
        ) = (of.kind, self.precision)
        {
            return Err(NetError::F32Only { operation });
        }
        let has_weights = of.kind.gates() > 0 && of.tied.is_none();
        let four = of.bits == 4 && has_weights && matches!(self.precision, Precision::Int8);
        if of.bits != 8 && !four {
            return Err(NetError::Bits {
                operation,
                found: of.bits,
            });
        }
        self.check_tied(index, of)
    }

    /// Checks what operation `index` reads.
    const fn check_operand(&self, index: usize, of: &Operation) -> Result<(), NetError> {
        let operation = index;
        let count = of.operand.len();
        let (least, most) = match of.kind {
            Kind::Embedding { .. } => (1, 1),
            Kind::Add => (2, 2),
            _ => (1, MAX_PARTS),
        };
        if count < least || count > most {
            return Err(NetError::Parts {
                operation,
                found: count,
                least,
                most,
            });
        }
        let mut part = 0;
        while part < count {
            let value = of.operand.part(part);
            if value.code() as usize > index {
                return Err(NetError::Forward { operation, value });
            }
            let is_token = self.takes_tokens() && value.code() == 0;
            let may = match of.kind {
                Kind::Embedding { .. } => true,
                // The token selects a row; other values may stand behind it.
                kind => kind.is_recurrent() && part == 0,
            };
            if is_token && !may {
                return Err(NetError::ReadsToken { operation });
            }
            if !is_token && matches!(of.kind, Kind::Embedding { .. }) {
                return Err(NetError::NoToken { operation });
            }
            part += 1;
        }
        if matches!(of.kind, Kind::Add) {
            let (a, b) = (of.operand.part(0), of.operand.part(1));
            let (left, right) = (self.width(a), self.width(b));
            if left != right {
                return Err(NetError::Add {
                    operation,
                    left,
                    right,
                });
            }
        }
        let columns = self.columns(index);
        if columns > MAX_COLUMNS {
            return Err(NetError::Columns {
                operation,
                found: columns,
            });
        }
        Ok(())
    }

    /// Checks that weights that are an embedding's fit.
    const fn check_tied(&self, index: usize, of: &Operation) -> Result<(), NetError> {
        let Some(table) = of.tied else {
            return Ok(());
        };
        let table = table as usize;
        let embedding = match self.operation(table) {
            Some(Operation {
                kind: Kind::Embedding { units },
                ..
            }) if table < index => *units,
            _ => 0,
        };
        let (rows, reads) = match of.kind {
            Kind::Dense { units, .. } => (units, self.input_columns(index)),
            _ => (0, 0),
        };
        let one = of.operand.len() == 1 && self.width(of.operand.part(0)) == embedding;
        if embedding == 0 || rows != self.vocab() || !one {
            return Err(NetError::Tied {
                operation: index,
                embedding,
                reads: if of.operand.len() == 1 {
                    self.width(of.operand.part(0))
                } else {
                    reads
                },
            });
        }
        Ok(())
    }
}
