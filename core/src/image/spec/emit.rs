//! The bytes of sections, from the numbers that were given.

use bytemuck::NoUninit;

use super::numbers::{MatrixSpec, Numbers};
use crate::image::error::WriteError;
use crate::image::format::SectionName;
use crate::net::Layout;
use crate::weights::int4::LARGEST;
use crate::weights::matrix::{MatrixF32, MatrixInt8};
use crate::weights::order::RowOrder;
use crate::weights::tiles::emit_slots;

/// Checks how many numbers were given.
fn check_len<T>(section: SectionName, numbers: &[T], expected: usize) -> Result<(), WriteError> {
    if numbers.len() == expected {
        return Ok(());
    }
    Err(WriteError::Length {
        section,
        expected: expected * size_of::<T>(),
        found: size_of_val(numbers),
    })
}

/// A matrix, in the image's layout.
pub(super) fn emit_matrix(
    section: SectionName,
    matrix: &MatrixSpec<'_>,
    (rows, columns): (usize, usize),
    (layout, bits): (Layout, u8),
    order: RowOrder,
    sink: &mut dyn FnMut(&[u8]),
) -> Result<(), WriteError> {
    match matrix.weights {
        Numbers::F32(weights) => {
            check_len(section, weights, rows * columns)?;
            MatrixF32::rows(columns, weights).emit(rows, order, sink);
        }
        Numbers::I8(weights) => {
            check_len(section, weights, rows * columns)?;
            check_small(section, weights, bits)?;
            let form = (layout, bits.into());
            MatrixInt8::rows(columns, weights).emit(rows, form, order, sink);
        }
        _ => return Err(WriteError::Numbers { section }),
    }
    Ok(())
}

/// `[n, rows]` numbers: f32, or int16.
pub(super) fn emit_numbers(
    section: SectionName,
    numbers: Numbers<'_>,
    (quantized, n, rows): (bool, usize, usize),
    order: RowOrder,
    sink: &mut dyn FnMut(&[u8]),
) -> Result<(), WriteError> {
    match (numbers, quantized) {
        (Numbers::F32(numbers), false) => emit_slots_of(section, numbers, (n, rows), order, sink),
        (Numbers::I16(numbers), true) => emit_slots_of(section, numbers, (n, rows), order, sink),
        _ => Err(WriteError::Numbers { section }),
    }
}

/// `[rows]` numbers: f32, or int32.
pub(super) fn emit_wide(
    section: SectionName,
    numbers: Numbers<'_>,
    (quantized, rows): (bool, usize),
    order: RowOrder,
    sink: &mut dyn FnMut(&[u8]),
) -> Result<(), WriteError> {
    match (numbers, quantized) {
        (Numbers::F32(numbers), false) => emit_slots_of(section, numbers, (1, rows), order, sink),
        (Numbers::I32(numbers), true) => emit_slots_of(section, numbers, (1, rows), order, sink),
        _ => Err(WriteError::Numbers { section }),
    }
}

/// `[units]` numbers of h: f32, or int8.
pub(super) fn emit_start(
    section: SectionName,
    numbers: Numbers<'_>,
    units: usize,
    quantized: bool,
    sink: &mut dyn FnMut(&[u8]),
) -> Result<(), WriteError> {
    let plain = RowOrder::PLAIN;
    match (numbers, quantized) {
        (Numbers::F32(numbers), false) => emit_slots_of(section, numbers, (1, units), plain, sink),
        (Numbers::I8(numbers), true) => emit_slots_of(section, numbers, (1, units), plain, sink),
        _ => Err(WriteError::Numbers { section }),
    }
}

/// `[n, rows]` numbers in an order.
pub(super) fn emit_slots_of<T: NoUninit + Default>(
    section: SectionName,
    numbers: &[T],
    (n, rows): (usize, usize),
    order: RowOrder,
    sink: &mut dyn FnMut(&[u8]),
) -> Result<(), WriteError> {
    check_len(section, numbers, n * rows)?;
    emit_slots(numbers, rows, RowOrder::PLAIN, order, sink);
    Ok(())
}

/// Checks that weights fit so many bits.
fn check_small(section: SectionName, weights: &[i8], bits: u8) -> Result<(), WriteError> {
    let fits = |w: &i8| bits == 8 || (-LARGEST..=LARGEST).contains(w);
    match weights.iter().position(|w| !fits(w)) {
        Some(index) => Err(WriteError::FourBits { section, index }),
        None => Ok(()),
    }
}
