//! Numbers to be written, borrowed from whoever writes.

/// Numbers of one of the types that sections have.
#[derive(Clone, Copy, Debug, Default)]
pub enum Numbers<'a> {
    /// None.
    #[default]
    None,
    /// Of f32 nets.
    F32(&'a [f32]),
    /// int8.
    I8(&'a [i8]),
    /// int16.
    I16(&'a [i16]),
    /// int32.
    I32(&'a [i32]),
}

/// The numbers of a matrix to be written: `weights: [rows, columns]` row-major, whatever the layout.
#[derive(Clone, Copy, Debug, Default)]
pub struct MatrixSpec<'a> {
    /// f32, or int8.
    pub weights: Numbers<'a>,
    /// `[rows]`; of an f32 matrix none.
    pub multipliers: &'a [i32],
    /// Right shift of the requantization; of an f32 matrix 0.
    pub shift: u8,
}

impl<'a> MatrixSpec<'a> {
    /// An f32 matrix.
    pub const fn f32(weights: &'a [f32]) -> Self {
        MatrixSpec {
            weights: Numbers::F32(weights),
            multipliers: &[],
            shift: 0,
        }
    }

    /// An int8 matrix, one scale a row.
    pub const fn int8(weights: &'a [i8], multipliers: &'a [i32], shift: u8) -> Self {
        MatrixSpec {
            weights: Numbers::I8(weights),
            multipliers,
            shift,
        }
    }
}
