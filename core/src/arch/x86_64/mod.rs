//! The integer cells with AVX-512: activations and an LSTM's cells in lanes of 16 bits.

#![allow(unsafe_code, reason = "instructions that not every machine has")]

mod cells;
mod lines;

use core::arch::x86_64::__m512i;

use gatelet_simd::x86_64::Avx512;

use self::lines::{SIGMOID, TANH};
use crate::fixed::activation::Function;
use crate::kernel::tile::fixed::{FixedSimd, LstmTiles};

impl FixedSimd<16> for Avx512 {
    // Two vectors go together, 16 bits a lane.
    #[inline(always)]
    fn piecewise<const N: usize>(self, function: Function, mut z: [__m512i; N]) -> [__m512i; N] {
        let lines = match function {
            Function::Sigmoid => &SIGMOID,
            Function::Tanh => &TANH,
        };
        let (pairs, rest) = z.as_chunks_mut::<2>();
        // SAFETY: a value of `Avx512` exists only where the instructions do.
        unsafe {
            for pair in pairs {
                *pair = lines.at(*pair);
            }
            for one in rest {
                [*one, _] = lines.at([*one; 2]);
            }
        }
        z
    }

    #[inline(always)]
    fn lstm_int8(self, tiles: LstmTiles<'_, 16>) -> bool {
        let there = self.permutes_bytes();
        if there {
            // SAFETY: a value of `Avx512` exists only where the instructions do, and VBMI is there.
            unsafe { cells::lstm(self, tiles) };
        }
        there
    }
}
