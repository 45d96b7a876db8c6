//! A number of a `.npy`, of whatever type.

use npyz::TypeChar;

use crate::error::{Result, form};

/// A number in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Element {
    pub(crate) kind: TypeChar,
    pub(crate) size: u64,
    pub(crate) big: bool,
}

/// Numbers of `N` bytes each, little-endian for `of`.
fn each<const N: usize>(bytes: &[u8], out: &mut [f32], big: bool, of: impl Fn([u8; N]) -> f32) {
    for (number, out) in bytes.as_chunks::<N>().0.iter().zip(out) {
        let mut number = *number;
        if big {
            number.reverse();
        }
        *out = of(number);
    }
}

impl Element {
    /// Bytes of one.
    pub fn size(self) -> usize {
        // NumPy's characters have 32 bits.
        let unit = match self.kind {
            TypeChar::UnicodeStr => 4,
            _ => 1,
        };
        usize::try_from(self.size).map_or(usize::MAX, |size| size.saturating_mul(unit))
    }

    /// Whether it is a text.
    pub fn is_text(self) -> bool {
        matches!(self.kind, TypeChar::UnicodeStr | TypeChar::ByteStr)
    }

    /// That it is a number that [`Self::numbers`] reads.
    ///
    /// # Errors
    /// [`Error::Form`](crate::Error::Form).
    pub fn check(self) -> Result<()> {
        let known = match self.kind {
            TypeChar::Float => matches!(self.size, 2 | 4 | 8),
            TypeChar::Int | TypeChar::Uint => matches!(self.size, 1 | 2 | 4 | 8),
            TypeChar::Bool => self.size == 1,
            _ => false,
        };
        match known {
            true => Ok(()),
            false => Err(form(format!(
                "it holds numbers of the type {}{}: save it as float32",
                self.kind.to_str(),
                self.size
            ))),
        }
    }

    /// As many numbers as fit into `out` of the bytes of a file, where [`Self::check`] said so;
    /// integers past 2^24 are rounded.
    #[expect(clippy::cast_precision_loss, reason = "the engine reads f32")]
    pub fn numbers(self, bytes: &[u8], out: &mut [f32]) {
        let big = self.big;
        match (self.kind, self.size) {
            (TypeChar::Float, 2) => {
                each(bytes, out, big, |x| half::f16::from_le_bytes(x).to_f32());
            }
            (TypeChar::Float, 4) => each(bytes, out, big, f32::from_le_bytes),
            (TypeChar::Float, _) => each(bytes, out, big, |x| f64::from_le_bytes(x) as f32),
            (TypeChar::Int, 1) => each(bytes, out, big, |x| f32::from(i8::from_le_bytes(x))),
            (TypeChar::Int, 2) => each(bytes, out, big, |x| f32::from(i16::from_le_bytes(x))),
            (TypeChar::Int, 4) => each(bytes, out, big, |x| i32::from_le_bytes(x) as f32),
            (TypeChar::Int, _) => each(bytes, out, big, |x| i64::from_le_bytes(x) as f32),
            (TypeChar::Uint, 2) => each(bytes, out, big, |x| f32::from(u16::from_le_bytes(x))),
            (TypeChar::Uint, 4) => each(bytes, out, big, |x| u32::from_le_bytes(x) as f32),
            (TypeChar::Uint, 8) => each(bytes, out, big, |x| u64::from_le_bytes(x) as f32),
            _ => each(bytes, out, big, |[x]: [u8; 1]| f32::from(x)),
        }
    }

    /// The text in the bytes of one element, without the zeros that fill it up.
    pub fn text(self, bytes: &[u8]) -> String {
        let text: String = match self.kind {
            TypeChar::UnicodeStr => {
                let units = bytes.as_chunks::<4>().0.iter();
                let order = |unit: &[u8; 4]| match self.big {
                    true => u32::from_be_bytes(*unit),
                    false => u32::from_le_bytes(*unit),
                };
                let chars = units.map(order).map(char::from_u32);
                chars
                    .map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER))
                    .collect()
            }
            _ => String::from_utf8_lossy(bytes).into_owned(),
        };
        text.trim_end_matches('\0').to_owned()
    }
}
