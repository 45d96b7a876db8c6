//! NumPy's `.npy`.

use std::io::Read;

use npyz::{DType, Endianness, NpyHeader, Order, WriterBuilder};

pub use crate::element::Element;
use crate::error::{Error, Result, form};
use crate::sequence::Sequence;

/// Bytes that the text of a header may have: NumPy itself reads no more than 10,000.
const HEADER: usize = 1 << 16;

/// How deep brackets may lie in each other.
const DEEP: usize = 8;

/// What stands before the numbers of an array.
#[derive(Clone, Debug)]
pub struct Header {
    /// Sizes, the outermost first.
    pub shape: Vec<u64>,
    /// What each number is.
    pub element: Element,
    /// Whether the first index is the fastest.
    pub fortran: bool,
    /// Bytes from the beginning of the file to the first number.
    pub offset: u64,
}

fn damaged(what: impl std::fmt::Display) -> Error {
    form(format!("the .npy is damaged: {what}"))
}

impl Header {
    /// Reads a header; the reader stands at the first number then.
    ///
    /// # Errors
    /// [`Error::Form`] for what is none, or holds no numbers or texts.
    pub fn read(mut reader: impl Read) -> Result<Self> {
        let mut head = vec![0; 10];
        reader.read_exact(&mut head).map_err(damaged)?;
        let len = match *head.as_slice() {
            [.., 1, _, a, b] => usize::from(u16::from_le_bytes([a, b])),
            [.., a, b] => {
                let mut rest = [0; 2];
                reader.read_exact(&mut rest).map_err(damaged)?;
                head.extend(rest);
                u32::from_le_bytes([a, b, rest[0], rest[1]]) as usize
            }
            _ => 0,
        };
        if !head.starts_with(b"\x93NUMPY") || len > HEADER {
            return Err(damaged("it does not begin as one"));
        }
        let start = head.len();
        head.resize(start + len, 0);
        let text = &mut head[start..];
        reader.read_exact(text).map_err(damaged)?;
        // A parser that calls itself would run out of stack, and a product of sizes over.
        if nested(text) > DEEP || product(text).is_none() {
            return Err(damaged("its header declares what no array has"));
        }
        let header = NpyHeader::from_reader(head.as_slice()).map_err(damaged)?;
        let of = match header.dtype() {
            DType::Plain(of) => of,
            _ => return Err(form("it holds records, not numbers")),
        };
        Ok(Self {
            shape: header.shape().to_vec(),
            element: Element {
                kind: of.type_char(),
                size: of.size_field(),
                big: of.endianness() == Endianness::Big,
            },
            fortran: header.order() == Order::Fortran,
            offset: head.len() as u64,
        })
    }

    /// How many numbers there are.
    pub fn len(&self) -> u64 {
        self.shape.iter().product()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of all numbers; none if no file is so large.
    pub fn bytes(&self) -> Option<u64> {
        self.len().checked_mul(self.element.size() as u64)
    }
}

/// The deepest bracket.
fn nested(text: &[u8]) -> usize {
    let mut depth = 0_usize;
    let depths = text.iter().map(|byte| {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth
    });
    depths.max().unwrap_or_default()
}

/// The product of all numbers in a text but zeros, which that of a shape divides; none if it is too
/// large, or a number is not written in digits alone (`0x10`, `1_000`).
fn product(text: &[u8]) -> Option<u64> {
    let follows = |pair: &[u8]| pair[0].is_ascii_digit() && is_word(pair[1]);
    if text.windows(2).any(follows) {
        return None;
    }
    let numbers = text.split(|byte| !byte.is_ascii_digit());
    numbers
        .filter(|digits| !digits.is_empty())
        .try_fold(1_u64, |product, digits| {
            let number: u64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
            product.checked_mul(number.max(1))
        })
}

/// Whether a number goes on with it, other than in decimals.
fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_'
}

/// Steps and width of an array of this shape.
fn sizes(shape: &[u64]) -> Result<(u64, u64)> {
    match *shape {
        [steps] => Ok((steps, 1)),
        [steps, width] | [1, steps, width] | [steps, 1, width] => Ok((steps, width)),
        _ => Err(form(format!(
            "its shape is {shape:?}: it has to be [steps], [steps, width] or one batch of that"
        ))),
    }
}

pub(crate) fn read(bytes: &[u8]) -> Result<Sequence> {
    let mut rest = bytes;
    let header = Header::read(&mut rest)?;
    let shape = &header.shape;
    let (steps, width) = sizes(shape)?;
    header.element.check()?;
    // What is declared has to be in the file, before memory is taken for it.
    if header
        .bytes()
        .is_none_or(|declared| declared > rest.len() as u64)
    {
        return Err(damaged(format!(
            "it declares {shape:?} and has {} bytes",
            bytes.len()
        )));
    }
    let (steps, width) = (steps as usize, width as usize);
    let mut all = vec![0.0; steps * width];
    header.element.numbers(rest, &mut all);
    if header.fortran && !all.is_empty() {
        let columns = (0..steps).flat_map(|step| (0..width).map(move |k| k * steps + step));
        all = columns.map(|at| all[at]).collect();
    }
    Ok(Sequence {
        width,
        numbers: all,
        sample_rate: None,
    })
}

pub(crate) fn write(of: &Sequence) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let shape = [of.len() as u64, of.width as u64];
    let written = npyz::WriteOptions::new()
        .default_dtype()
        .shape(&shape)
        .writer(&mut bytes)
        .begin_nd()
        .and_then(|mut writer| {
            writer.extend(of.numbers.iter().copied())?;
            writer.finish()
        });
    written.map_err(|error| form(error.to_string()))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn npy(descr: &str, order: &str, shape: &str, numbers: &[u8]) -> Vec<u8> {
        let text =
            format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}\n");
        let len = u16::try_from(text.len()).expect("a short header");
        let head = [&b"\x93NUMPY\x01\x00"[..], &len.to_le_bytes()].concat();
        [&head, text.as_bytes(), numbers].concat()
    }

    #[test]
    fn numbers_of_every_type_are_read() {
        let of = |descr: &str, numbers: &[u8]| {
            read(&npy(descr, "False", "(2,)", numbers)).map(|sequence| sequence.numbers)
        };
        for (descr, bytes) in [
            ("<f2", &[0x00, 0x3c, 0x00, 0xc0][..]),
            (
                "<f4",
                &[1.0_f32.to_le_bytes(), (-2.0_f32).to_le_bytes()].concat(),
            ),
            (
                ">f8",
                &[1.0_f64.to_be_bytes(), (-2.0_f64).to_be_bytes()].concat(),
            ),
            ("|i1", &[1, 0xfe]),
            (">i2", &[0, 1, 0xff, 0xfe]),
            (
                "<i4",
                &[1_i32.to_le_bytes(), (-2_i32).to_le_bytes()].concat(),
            ),
            (
                "<i8",
                &[1_i64.to_le_bytes(), (-2_i64).to_le_bytes()].concat(),
            ),
        ] {
            assert_eq!(of(descr, bytes).expect(descr), [1.0, -2.0], "{descr}");
        }
        for (descr, bytes) in [
            ("|b1", &[1, 0][..]),
            ("|u1", &[1, 0]),
            (">u2", &[0, 1, 0, 0]),
            ("<u4", &[1, 0, 0, 0, 0, 0, 0, 0]),
            ("<u8", &[1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        ] {
            assert_eq!(of(descr, bytes).expect(descr), [1.0, 0.0], "{descr}");
        }
        let error = of("<c8", &[0; 16]).expect_err("complex").to_string();
        assert!(error.contains("the type c8"), "{error}");
    }

    #[test]
    fn texts_end_where_their_zeros_begin() {
        let element = |bytes: &[u8]| Header::read(bytes).expect("a header").element;
        let wide = element(&npy("<U3", "False", "(1,)", b""));
        assert!(wide.is_text() && wide.size() == 12);
        assert_eq!(wide.text(&[b'h', 0, 0, 0, 0xe9, 0, 0, 0, 0, 0, 0, 0]), "hé");
        assert_eq!(
            element(&npy("|S3", "False", "(1,)", b"")).text(b"ab\0"),
            "ab"
        );
    }

    #[test]
    fn headers_that_no_array_has_are_refused() {
        let huge = npy("<f4", "False", "(4294967296, 4294967296, 4)", b"");
        assert!(Header::read(&*huge).is_err());
        let digits = npy("<f4", "False", "(4_294_967_296, 0x1_0000_0000)", b"");
        assert!(Header::read(&*digits).is_err());
        let deep = npy("<f4", "False", &"(".repeat(20_000), b"");
        assert!(Header::read(&*deep).is_err());
        let far = npy("<f4", "False", "(1099511627776, 16)", b"1234");
        assert!(
            read(&far)
                .expect_err("it is short")
                .to_string()
                .contains("declares")
        );
    }
}
