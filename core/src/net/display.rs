//! A net in one line: `features 17 | lstm 33 | gru 5 reset before (0, 1) | dense 7 tanh, 4 bits`.

use core::fmt::{self, Display, Formatter};

use super::{Input, Net, Operand, Value};

/// The input, then every operation; behind one that reads other values than the last that was made
/// their codes ([`Value::code`]), and what is not of 8 bits.
impl Display for Net {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.input {
            Input::Tokens { vocab } => write!(f, "tokens {vocab}")?,
            Input::Features { width, doubled: 0 } => write!(f, "features {width}")?,
            Input::Features { width, doubled } => write!(f, "features {width}+{doubled}")?,
        }
        let mut last = Value::INPUT;
        for (index, operation) in self.operations().enumerate() {
            write!(f, " | {}", operation.kind)?;
            if operation.operand != Operand::one(last) {
                let mut before = " (";
                for value in operation.operand.parts() {
                    write!(f, "{before}{}", value.code())?;
                    before = ", ";
                }
                f.write_str(")")?;
            }
            if operation.bits != 8 {
                write!(f, ", {} bits", operation.bits)?;
            }
            last = Value::of(index);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::string::ToString;

    use super::super::{Activation, Kind, Operand, Precision, Reset, Value};
    use super::*;

    #[test]
    fn a_net_is_one_line() {
        let gru = Kind::gru(5, Reset::Before);
        let head = Kind::Dense {
            units: 7,
            activation: Activation::Tanh,
        };
        let net = Net::features(Precision::Int8, 17)
            .then(Kind::lstm(33))
            .with(gru, Operand::two(Value::INPUT, Value::of(0)))
            .then(head)
            .with_bits(2, 4);
        assert_eq!(
            net.to_string(),
            "features 17 | lstm 33 | gru 5 reset before (0, 1) | dense 7 tanh, 4 bits"
        );
    }
}
