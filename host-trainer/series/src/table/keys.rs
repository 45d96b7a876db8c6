//! Which sequence a row is of.

use std::collections::HashMap;

use csv::ByteRecord;

/// Columns that tell sequences apart.
pub(super) struct Keys {
    pub(super) columns: Vec<usize>,
    known: HashMap<Vec<u8>, usize>,
    key: Vec<u8>,
    /// The last row's sequence.
    last: Option<usize>,
}

impl Keys {
    pub(super) fn new(columns: Vec<usize>) -> Self {
        Self {
            columns,
            known: HashMap::new(),
            key: Vec::new(),
            last: None,
        }
    }

    /// The number of the row's sequence in this file, and whether it is a new one.
    pub(super) fn sequence(&mut self, record: &ByteRecord) -> (usize, bool) {
        let separator = 0x1f;
        let fields = self
            .columns
            .iter()
            .map(|&k| record.get(k).unwrap_or_default());
        let same = fields
            .clone()
            .flat_map(|field| field.iter().chain([&separator]))
            .eq(&self.key);
        if let (true, Some(last)) = (same, self.last) {
            return (last, false);
        }
        self.key.clear();
        for field in fields {
            self.key.extend(field);
            self.key.push(separator);
        }
        let next = self.known.len();
        let known = *self.known.entry(self.key.clone()).or_insert(next);
        self.last = Some(known);
        (known, known == next)
    }
}
