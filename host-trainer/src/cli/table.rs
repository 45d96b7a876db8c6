//! Aligned tables for the terminal.

use std::fmt::{self, Display, Formatter};

use gatelet::visible;

/// Which side of a column its texts touch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// Rows under a heading; columns are as wide as they need.
#[derive(Debug)]
pub(super) struct Table {
    columns: Vec<Align>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with a heading and no rows.
    pub(super) fn new(columns: &[(&str, Align)]) -> Self {
        Self {
            columns: columns.iter().map(|column| column.1).collect(),
            rows: vec![columns.iter().map(|column| column.0.to_owned()).collect()],
        }
    }

    /// Leaves out columns, in this order, until the lines fit into so many columns of a terminal. Says whether it did.
    pub(super) fn fit(&mut self, order: &[&str], width: Option<usize>) -> bool {
        let Some(width) = width else { return false };
        let mut left_out = false;
        for name in order {
            if self.width() <= width {
                break;
            }
            if let Some(at) = self.rows[0].iter().position(|cell| cell == name) {
                self.columns.remove(at);
                self.rows.iter_mut().for_each(|row| drop(row.remove(at)));
                left_out = true;
            }
        }
        left_out
    }

    /// The longest line.
    fn width(&self) -> usize {
        let lines = self.to_string();
        lines
            .lines()
            .map(|line| line.chars().count())
            .max()
            .unwrap_or(0)
    }

    /// Adds a row, a text for each column. Hidden characters become marks here: they count for the widths.
    pub(super) fn row(&mut self, cells: Vec<String>) {
        let marked = cells.iter().map(|cell| visible::line(cell).to_string());
        self.rows.push(marked.collect());
    }
}

impl Display for Table {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let width = |column: usize| {
            let lengths = self
                .rows
                .iter()
                .filter_map(|row| row.get(column))
                .map(|cell| cell.chars().count());
            lengths.max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.columns.len()).map(width).collect();
        for (index, row) in self.rows.iter().enumerate() {
            let cells: Vec<String> = row
                .iter()
                .zip(self.columns.iter().zip(&widths))
                .map(|(cell, (align, &width))| match align {
                    Align::Left => format!("{cell:<width$}"),
                    Align::Right => format!("{cell:>width$}"),
                })
                .collect();
            if index > 0 {
                writeln!(f)?;
            }
            f.write_str(cells.join("  ").trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_that_is_too_wide_loses_whole_columns() {
        let mut table = Table::new(&[
            ("run", Align::Left),
            ("characters", Align::Right),
            ("nats", Align::Right),
        ]);
        table.row(vec!["a".into(), "7,299,072".into(), "1.5".into()]);
        assert!(!table.fit(&["characters"], None) && !table.fit(&["characters"], Some(80)));
        assert!(table.fit(&["characters", "nats"], Some(12)));
        assert_eq!(table.to_string(), "run  nats\na     1.5");
    }

    #[test]
    fn columns_are_aligned_by_characters_and_lines_have_no_blanks_at_their_end() {
        let mut table = Table::new(&[
            ("run", Align::Left),
            ("nats", Align::Right),
            ("", Align::Left),
        ]);
        table.row(vec!["é".into(), "1.5".into(), "*".into()]);
        table.row(vec!["longer".into(), "12.25".into(), String::new()]);
        assert_eq!(
            table.to_string(),
            "run      nats\né         1.5  *\nlonger  12.25"
        );
    }
}
