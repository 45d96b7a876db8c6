//! The names of classes, numbered.

use std::collections::HashMap;
use std::path::Path;

use crate::error::{Error, Result};
use crate::place::listed;

/// Classes as they are met; sorted at the end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Classes {
    names: Vec<String>,
    numbers: HashMap<String, u16>,
    /// Whether no other may be met.
    closed: bool,
}

/// Outputs that a net may have.
const MOST: usize = gatelet::net::MAX_SIZE;

impl Classes {
    /// Those of another set, or none yet.
    pub(crate) fn new(given: &[String]) -> Self {
        let numbers = given.iter().cloned().zip(0..);
        Self {
            names: given.to_vec(),
            numbers: numbers.collect(),
            closed: !given.is_empty(),
        }
    }

    /// Its number, if it was met.
    pub(crate) fn find(&self, name: &str) -> Option<u16> {
        self.numbers.get(name).copied()
    }

    /// Its number, a new one if need be; `column` is where it stands.
    pub(crate) fn number(&mut self, name: &str, path: &Path, column: &str) -> Result<u16> {
        if let Some(number) = self.find(name) {
            return Ok(number);
        }
        if self.closed {
            return Err(Error::NewClass {
                path: path.to_owned(),
                class: name.to_owned(),
                known: listed(self.names.iter().map(String::as_str)),
            });
        }
        let number = self.names.len();
        if number == MOST {
            return Err(Error::Classes {
                path: path.to_owned(),
                column: column.to_owned(),
                most: MOST,
            });
        }
        self.names.push(name.to_owned());
        self.numbers.insert(name.to_owned(), number as u16);
        Ok(number as u16)
    }

    /// A name, of a number that was given.
    pub(crate) fn name(&self, number: u16) -> &str {
        self.names
            .get(usize::from(number))
            .map_or("", String::as_str)
    }

    /// Whether another set decided on them.
    pub(crate) fn closed(&self) -> bool {
        self.closed
    }

    /// The names in their final order, whole numbers by size and others by letters, and the place
    /// of each number in it.
    pub(crate) fn sorted(&self) -> (Vec<String>, Vec<u16>) {
        let mut order: Vec<usize> = (0..self.names.len()).collect();
        if !self.closed {
            let sizes: Option<Vec<i64>> = self.names.iter().map(|name| name.parse().ok()).collect();
            match sizes {
                Some(sizes) => order.sort_by_key(|&k| sizes[k]),
                None => order.sort_by_key(|&k| &self.names[k]),
            }
        }
        let mut places = vec![0; order.len()];
        for (place, &number) in (0..).zip(&order) {
            places[number] = place;
        }
        (
            order.iter().map(|&k| self.names[k].clone()).collect(),
            places,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_sorted_by_size_and_names_by_letters() {
        let sorted = |names: &[&str]| {
            let mut classes = Classes::default();
            for name in names {
                classes
                    .number(name, Path::new("a"), "class")
                    .expect("a number");
            }
            classes.sorted()
        };
        let (names, places) = sorted(&["10", "9", "-1"]);
        assert_eq!(
            (names, places),
            (vec!["-1".into(), "9".into(), "10".into()], vec![2, 1, 0])
        );
        assert_eq!(sorted(&["b", "10", "a"]).0, ["10", "a", "b"]);
    }

    #[test]
    fn other_classes_than_given_are_refused() {
        let mut classes = Classes::new(&["b".into(), "a".into()]);
        assert_eq!(
            classes.number("a", Path::new("x"), "class").expect("given"),
            1
        );
        assert!(classes.number("c", Path::new("x"), "class").is_err());
        assert_eq!(classes.sorted().0, ["b", "a"]);
    }
}
