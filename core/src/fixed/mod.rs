//! Fixed-point numbers: formats, requantization, saturation, activations. docs/numerics.md is the
//! text, this the code; every integer of a net is made by it.

pub mod activation;

/// Fraction bits of a gate pre-activation z: int16, Q3.12, so plus or minus 8.
pub const Z_BITS: u32 = 12;
/// Fraction bits of the hidden state: int8, scale 1/128.
pub const H_BITS: u32 = 7;
/// Fraction bits of a logit: int32, scale 1/65,536, the same for every token.
pub const LOGIT_BITS: u32 = 16;
/// Fraction bits of a sigmoid's result: int16, Q2.13.
pub const SIGMOID_BITS: u32 = 13;
/// Fraction bits of a tanh's result: int16, Q4.11.
pub const TANH_BITS: u32 = 11;
/// Fewest integer bits of the cell state (plus or minus 8).
pub const MIN_CELL_BITS: u32 = 3;
/// Most integer bits of the cell state (plus or minus 128).
pub const MAX_CELL_BITS: u32 = 7;
/// Smallest right shift of a requantization.
pub const MIN_SHIFT: u32 = 8;
/// Largest right shift of a requantization.
pub const MAX_SHIFT: u32 = 31;
/// Fraction bits of a GRU's h in int8 nets, as it is carried: int16, Q0.15.
pub const GRU_BITS: u32 = 15;

/// `round(acc * multiplier >> shift)`. That it fits an int32 with room to spare was checked when the model was loaded.
#[inline(always)]
pub fn requantize(acc: i32, multiplier: i32, shift: u32) -> i32 {
    let product = i64::from(acc) * i64::from(multiplier);
    // `& 63` says what loading has checked, shift < 64, in words the compiler understands: no panic path is left.
    ((product + (1 << ((shift - 1) & 63))) >> (shift & 63)) as i32
}

/// The pre-activation of a gate, Q3.12.
#[inline(always)]
pub fn preactivation(addend: i16, acc: i32, multiplier: i32, shift: u32) -> i16 {
    sat16(i32::from(addend) + requantize(acc, multiplier, shift))
}

/// Adds half a unit of the result, then shifts right arithmetically: ties go up.
#[inline(always)]
pub(crate) fn rounding_shift(value: i32, bits: u32) -> i32 {
    (value + (1 << (bits - 1))) >> bits
}

#[inline(always)]
pub(crate) fn sat16(value: i32) -> i16 {
    value.clamp(i16::MIN.into(), i16::MAX.into()) as i16
}

#[inline(always)]
pub(crate) fn sat8(value: i32) -> i8 {
    value.clamp(i8::MIN.into(), i8::MAX.into()) as i8
}

/// `x / 65,536`: a number in Q15.16, rounded once where it has more than 24 bits.
#[inline(always)]
pub(crate) fn real_q16(x: i32) -> f32 {
    let unit = 1.0 / 65_536.0;
    // LLVM 22 makes `vcvt.f32.s32 q, q, #bits` of this product for Helium, with a register's number
    // in place of the bits. So there it must not see the constant.
    #[cfg(mve)]
    let unit = core::hint::black_box(unit);
    x as f32 * unit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requantization_rounds_halves_up() {
        // 1 * 2^7 >> 8 is one half; the scale of a multiplier of 2^8 is one.
        assert_eq!(requantize(1, 128, 8), 1);
        assert_eq!(requantize(-1, 128, 8), 0);
        assert_eq!(requantize(-3, 128, 8), -1);
        assert_eq!(requantize(-7, 256, 8), -7);
    }
}
