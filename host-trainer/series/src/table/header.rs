//! The beginning of a table: what parts its columns, and their names.

use std::path::Path;

use super::form::{ALL, Form};
use crate::error::{Error, Result};

/// The separator of a header: the most frequent one outside quotes.
pub(super) fn delimiter(head: &[u8]) -> u8 {
    let line = head.split(|byte| matches!(byte, b'\n' | b'\r')).next();
    let mut counts = [(b',', 0), (b'\t', 0), (b';', 0), (b'|', 0)];
    let mut quoted = false;
    for &byte in line.unwrap_or_default() {
        quoted ^= byte == b'"';
        for (of, count) in &mut counts {
            *count += usize::from(!quoted && byte == *of);
        }
    }
    // Of equally frequent ones the first.
    let most = counts.iter().rev().max_by_key(|(_, count)| *count);
    most.map_or(b',', |(of, _)| *of)
}

/// Whether a header is one of numbers: neither names nor the 0, 1, 2 that programs give to columns.
fn is_numbers(names: &[String]) -> bool {
    let numbers: Option<Vec<f64>> = names.iter().map(|name| name.parse().ok()).collect();
    let counted = |numbers: &[f64]| {
        let same = (0..).zip(numbers).all(|(k, &x)| x == f64::from(k));
        same && numbers.len() > 1
    };
    numbers.is_some_and(|numbers| !counted(&numbers))
}

/// That it is text, and in UTF-8 or a code like it.
pub(super) fn check(path: &Path, head: &[u8]) -> Result<()> {
    let what = match head {
        [b'P', b'K', 3, 4, ..] => "it is a zip, as those of spreadsheets are: save it as CSV",
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => "its text is in UTF-16: save it in UTF-8",
        _ if head.contains(&0) => "it is no text",
        _ => return Ok(()),
    };
    Err(Error::form(path, what))
}

/// The names of the columns.
pub(super) fn header(form: &Form) -> Result<Vec<String>> {
    let mut rows = form.rows(0, ALL)?;
    let path = &form.file.path;
    let names: Vec<String> = match rows.next()? {
        None => {
            return Err(Error::Empty {
                path: path.clone(),
                what: "it has no lines",
            });
        }
        Some((record, ..)) => {
            let names = record
                .iter()
                .map(|name| String::from_utf8_lossy(name).into_owned());
            names.collect()
        }
    };
    match is_numbers(&names) {
        true => Err(Error::NoHeader(path.clone())),
        false => Ok(names),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separators_are_recognised_outside_quotes() {
        assert_eq!(delimiter(b"a,b,c\n1;2"), b',');
        assert_eq!(delimiter(b"\"a,b,c\";d\n"), b';');
        assert_eq!(delimiter(b"a\tb\r\n"), b'\t');
        assert_eq!(delimiter(b"alone"), b',');
    }

    #[test]
    fn names_are_told_from_numbers() {
        let names =
            |names: &[&str]| is_numbers(&names.iter().map(|&x| x.into()).collect::<Vec<_>>());
        assert!(names(&["0.1", "2"]) && names(&["5"]) && names(&["0", "1", "3"]));
        assert!(!names(&["a", "2"]) && !names(&["", "0", "1"]) && !names(&["0", "1", "2"]));
    }
}
