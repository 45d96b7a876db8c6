//! The cells of an int8 GRU on processors with DSP instructions: `gru.S`, behind slices.

use core::arch::global_asm;

use crate::fixed::activation::{SIGMOID, TANH};

global_asm!(include_str!("gru.S"), options(raw));

/// What the function is called with.
#[repr(C)]
struct Cells {
    /// `[4, units]`: r, z, what the candidate reads, and its h.
    sums: *const i32,
    /// Bytes of `units` sums.
    stride: usize,
    /// Three times as many.
    strides: usize,
    /// `[units]`.
    carried: *mut i16,
    /// `[units]`.
    next: *mut i8,
    sigmoid: *const u32,
    tanh: *const u32,
    /// At least 1.
    units: usize,
}

unsafe extern "C" {
    fn gatelet_gru_cells(cells: *const Cells);
}

/// As [`cells`](crate::cell::gru::cells); nothing is done if a length does not fit.
pub(super) fn cells(sums: &[i32], carried: &mut [i16], next: &mut [i8]) -> Option<()> {
    let units = carried.len();
    let (sums, next) = (sums.get(..4 * units)?, next.get_mut(..units)?);
    if units == 0 {
        return None;
    }
    let stride = units * size_of::<i32>();
    let cells = Cells {
        sums: sums.as_ptr(),
        stride,
        strides: 3 * stride,
        carried: carried.as_mut_ptr(),
        next: next.as_mut_ptr(),
        sigmoid: SIGMOID.as_ptr(),
        tanh: TANH.as_ptr(),
        units,
    };
    // SAFETY: every pointer is of a slice of the length that the function reads or writes; a byte
    // is always an index of the tables' 256 words.
    unsafe { gatelet_gru_cells(&cells) };
    Some(())
}
