//! Numbers of texts, and texts that are read with a bound.

use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;

/// Bytes that a row of a text may have: a million numbers fit.
pub(crate) const LONGEST: u64 = 64 << 20;

/// What stands in texts for a number that was not measured.
const NOTHING: [&str; 10] = [
    "", "nan", "na", "n/a", "null", "none", "?", "-", "#n/a", "missing",
];

/// Whether nothing was measured.
pub(crate) fn is_missing(text: &str) -> bool {
    NOTHING
        .iter()
        .any(|nothing| text.eq_ignore_ascii_case(nothing))
}

/// A number; NaN where nothing was measured. With `comma`, its decimals may follow a comma.
pub(crate) fn number(text: &[u8], comma: bool) -> Option<f32> {
    let text = std::str::from_utf8(text).ok()?.trim();
    match text.parse() {
        Ok(number) => Some(number),
        Err(_) if is_missing(text) => Some(f32::NAN),
        Err(_) if comma && text.contains(',') => text.replacen(',', ".", 1).parse().ok(),
        Err(_) => None,
    }
}

/// A reader of at most [`LONGEST`] bytes between two rows, so that a quote that never ends, or a
/// file without lines, is not read into memory.
#[derive(Debug)]
pub(crate) struct Bounded<R> {
    inner: R,
    left: Rc<Cell<u64>>,
}

impl<R> Bounded<R> {
    /// The reader, and what to set to [`LONGEST`] after each row.
    pub(crate) fn new(inner: R) -> (Self, Rc<Cell<u64>>) {
        let left = Rc::new(Cell::new(LONGEST));
        let bounded = Self {
            inner,
            left: Rc::clone(&left),
        };
        (bounded, left)
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let left = self.left.get();
        if left == 0 {
            let what = "a row of more than 64 MiB: a quote that does not end, or no lines";
            return Err(io::Error::other(what));
        }
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        let len = self.inner.read(&mut bytes[..most])?;
        self.left.set(left - len as u64);
        Ok(len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told_from_what_is_missing_and_from_words() {
        assert_eq!(number(b" -1.5e3", false), Some(-1500.0));
        assert!(number(b"", false).expect("nothing").is_nan());
        assert!(number(b"NA", false).expect("nothing").is_nan());
        assert_eq!(number(b"1,5", true), Some(1.5));
        assert_eq!(number(b"1,5", false), None);
        assert_eq!(number(b"ten", false), None);
        assert_eq!(number(b"\xff", false), None);
    }

    #[test]
    fn a_row_without_an_end_is_not_read() {
        let (mut bounded, left) = Bounded::new(io::repeat(b'a'));
        let error = io::copy(&mut bounded, &mut io::sink()).expect_err("too long");
        assert!(error.to_string().contains("64 MiB"));
        left.set(LONGEST);
        assert_eq!(bounded.read(&mut [0; 8]).expect("more"), 8);
    }
}
