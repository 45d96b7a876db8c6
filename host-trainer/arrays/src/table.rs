//! Rows of numbers as text.

use csv::{ReaderBuilder, StringRecord, Trim, WriterBuilder};

use crate::error::{Result, form};
use crate::sequence::Sequence;

/// What separates the numbers of the first line: of a comma, a semicolon and a tab the most frequent.
fn delimiter(bytes: &[u8]) -> u8 {
    let line = bytes
        .split(|&byte| byte == b'\n')
        .next()
        .unwrap_or_default();
    let count = |of: u8| line.iter().filter(|&&byte| byte == of).count();
    let most = [b'\t', b';', b','].into_iter().max_by_key(|&of| count(of));
    most.unwrap_or(b',')
}

fn numbers(record: &StringRecord) -> std::result::Result<Vec<f32>, usize> {
    let parsed = record.iter().map(str::parse::<f32>).enumerate();
    parsed.map(|(k, number)| number.map_err(|_| k)).collect()
}

pub(crate) fn read(bytes: &[u8]) -> Result<Sequence> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let mut reader = ReaderBuilder::new()
        .delimiter(delimiter(bytes))
        .has_headers(false)
        .flexible(true)
        .trim(Trim::All)
        .from_reader(bytes);
    let mut sequence = Sequence {
        width: 0,
        numbers: Vec::new(),
        sample_rate: None,
    };
    for (row, record) in reader.records().enumerate() {
        let record = record.map_err(|error| form(format!("it is no table of numbers: {error}")))?;
        let line = record.position().map_or(0, csv::Position::line);
        let row_of = match numbers(&record) {
            Ok(row) => row,
            // Names of the columns.
            Err(_) if row == 0 && record.iter().all(|field| field.parse::<f32>().is_err()) => {
                continue;
            }
            Err(column) => {
                let shown: String = record[column].chars().take(20).collect();
                let what = format!(
                    "column {} of line {line} is {shown:?}, which is no number",
                    column + 1
                );
                return Err(form(what));
            }
        };
        if sequence.width == 0 {
            sequence.width = row_of.len();
        }
        if row_of.len() != sequence.width {
            let what = format!(
                "line {line} has {} numbers, and those before it {}",
                row_of.len(),
                sequence.width
            );
            return Err(form(what));
        }
        sequence.numbers.extend(row_of);
    }
    Ok(sequence)
}

pub(crate) fn write(of: &Sequence) -> Result<Vec<u8>> {
    let mut writer = WriterBuilder::new().from_writer(Vec::new());
    for step in of.steps() {
        let written = writer.write_record(step.iter().map(f32::to_string));
        written.map_err(|error| form(error.to_string()))?;
    }
    writer.into_inner().map_err(|error| form(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_other_separators_are_read() {
        let plain = read(b"1,2.5\n-3,4e-1\n").expect("a table");
        assert_eq!(
            (plain.width, &*plain.numbers),
            (2, &[1.0, 2.5, -3.0, 0.4][..])
        );
        for text in [
            "a,b\n1,2.5\n-3,0.4\n",
            "1;2.5\r\n-3;0.4",
            "x\ty\n1\t2.5\n-3\t 0.4",
        ] {
            assert_eq!(read(text.as_bytes()).expect("a table"), plain, "{text:?}");
        }
        let wrong = |text: &str| read(text.as_bytes()).expect_err("no table").to_string();
        assert!(wrong("1,2\n3,x\n").contains("column 2 of line 2 is \"x\""));
        assert!(wrong("1,2\n3\n").contains("line 2 has 1 numbers"));
        assert!(wrong("1,a\n2,3\n").contains("column 2 of line 1"));
    }
}
