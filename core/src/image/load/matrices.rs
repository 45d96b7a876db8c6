//! Matrices and numbers of an image, checked.

use super::sections::{SectionReader, field};
use crate::image::error::LoadError;
use crate::image::format::SectionName;
use crate::net::Layout;
use crate::weights::int4;
use crate::weights::matrix::{MatrixF32, MatrixInt8, check_pairs, shifts};
use crate::weights::order::RowOrder;
use crate::weights::tiles::{Columns, check_int8, check_slots};

/// Checks every element of a section.
pub(super) fn check<T>(
    section: SectionName,
    values: &[T],
    good: impl Fn(&T) -> bool,
) -> Result<(), LoadError> {
    match values.iter().position(|value| !good(value)) {
        Some(index) => Err(LoadError::Value { section, index }),
        None => Ok(()),
    }
}

/// Checks the right shift of a requantization.
pub(super) fn check_shift(shift: u8, (layout, bits): (Layout, u32)) -> Result<(), LoadError> {
    let (min, max) = shifts(layout, bits);
    field("shift", shift.into(), min.into(), max.into())
}

/// Reads numbers of which there is one a row, and checks them.
pub(super) fn read_slots<'a, T: bytemuck::Pod>(
    section: SectionName,
    rows: usize,
    order: RowOrder,
    reader: &mut SectionReader<'a, '_>,
    good: impl Fn(&T) -> bool,
) -> Result<&'a [T], LoadError> {
    let numbers = reader.next::<T>()?;
    check(section, numbers, good)?;
    check_slots(numbers, rows, order).map_err(|index| LoadError::Value { section, index })?;
    Ok(numbers)
}

/// Reads and checks an f32 matrix.
pub(super) fn read_matrix_f32<'a>(
    order: RowOrder,
    rows: usize,
    (columns, used): (usize, &Columns),
    section: SectionName,
    reader: &mut SectionReader<'a, '_>,
) -> Result<MatrixF32<'a>, LoadError> {
    let matrix = MatrixF32 {
        order,
        columns,
        weights: reader.next()?,
    };
    let wrong = |index| LoadError::Value { section, index };
    matrix.check(rows, used).map_err(wrong)?;
    Ok(matrix)
}

/// Reads and checks an int8 matrix.
pub(super) fn read_matrix<'a>(
    (layout, bits): (Layout, u32),
    order: RowOrder,
    rows: usize,
    (columns, used): (usize, &Columns),
    section: SectionName,
    reader: &mut SectionReader<'a, '_>,
) -> Result<MatrixInt8<'a>, LoadError> {
    let wrong = |index| LoadError::Value { section, index };
    match layout {
        Layout::Rows | Layout::Pairs if bits == 4 => {
            let words = reader.next::<u32>()?;
            int4::check(words, layout, rows, columns, used).map_err(wrong)?;
            Ok(MatrixInt8::Int4 {
                layout,
                columns,
                words,
            })
        }
        Layout::Rows => {
            let weights = reader.next::<i8>()?;
            // Columns of a row are at least four.
            let good = |(index, &w): (usize, &i8)| match used.has(index % columns.max(1)) {
                true => w != i8::MIN,
                false => w == 0,
            };
            let bad = |at: &(usize, &i8)| !good(*at);
            if let Some((index, _)) = weights.iter().enumerate().find(bad) {
                return Err(wrong(index));
            }
            Ok(MatrixInt8::Rows { columns, weights })
        }
        Layout::Pairs => {
            let words = reader.next::<u32>()?;
            check_pairs(words, rows, columns, used).map_err(wrong)?;
            Ok(MatrixInt8::Pairs { columns, words })
        }
        Layout::Tiles4 | Layout::Tiles8 | Layout::Tiles16 if bits == 4 => {
            let weights = reader.next::<u8>()?;
            int4::check_tiles(weights, rows, columns, used, order).map_err(wrong)?;
            Ok(MatrixInt8::Int4Tiles {
                layout,
                order,
                columns,
                weights,
            })
        }
        Layout::Tiles4 | Layout::Tiles8 | Layout::Tiles16 => {
            let weights = reader.next::<u8>()?;
            check_int8(weights, rows, columns, used, order).map_err(wrong)?;
            Ok(MatrixInt8::Tiles {
                layout,
                order,
                columns,
                weights,
            })
        }
    }
}
