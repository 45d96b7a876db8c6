//! The cell of a tanh RNN: `h' = tanh(z)`.

use crate::fixed::activation::{TANH, piecewise};
use crate::fixed::{H_BITS, TANH_BITS, rounding_shift, sat8};

/// The new hidden state of an RNN unit: tanh rounded to scale 1/128.
#[inline(always)]
pub fn rnn_int8(z: i16) -> i8 {
    sat8(rounding_shift(
        piecewise(&TANH, z).into(),
        TANH_BITS - H_BITS,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_pre_activations_saturate() {
        assert_eq!((rnn_int8(i16::MAX), rnn_int8(i16::MIN)), (127, -128));
    }
}
