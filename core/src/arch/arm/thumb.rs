//! The inner loop of the `thumb` kernel: four rows with one x, on cores without DSP or vector instructions.

use core::arch::global_asm;

#[cfg(armv6m)]
global_asm!(include_str!("armv6m.S"), options(raw));
#[cfg(all(armv7m, not(armv6m)))]
global_asm!(include_str!("armv7m.S"), options(raw));

/// Columns come in fours: see `Net::columns`.
const COLUMNS: usize = 4;

unsafe extern "C" {
    /// Four sums of products. Reads `4 * columns` weights and `columns` of x, writes four sums; `columns` is a multiple
    /// of [`COLUMNS`] and not 0.
    fn gatelet_dots4(weights: *const i8, x: *const i8, columns: usize, sums: *mut i32);
}

/// The dot products of four rows with x; false if the lengths do not fit. `block: [4, x.len()]`, `x: [columns]`.
#[inline(always)]
pub(crate) fn dots(block: &[i8], x: &[i8], sums: &mut [i32; 4]) -> bool {
    let columns = x.len();
    if columns == 0 || !columns.is_multiple_of(COLUMNS) || block.len() / 4 != columns {
        return false;
    }
    // SAFETY: the lengths were compared above, and `sums` has four words.
    unsafe { gatelet_dots4(block.as_ptr(), x.as_ptr(), columns, sums.as_mut_ptr()) };
    true
}
