//! `cargo xtask tables`: the tables and pictures of measurements in docs/, from benches/results/.
//!
//! ```text
//! <!-- table engines.tsv; where date = 2026-11-25; columns shape, Gatelet, LiteRT; times Gatelet -->
//! (rows)
//! <!-- end of table -->
//! ```
//!
//! `where` chooses rows, `columns` columns in their order, and after the column of `times` every
//! number is followed by how many times that column it is. All three are optional, `where` may come
//! more than once. A file has a name for each column, and tabs between them; `the boards` in its
//! place is the table of `firmware/boards`.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use gatelet_boards::Use;

use crate::command::root;
use crate::dots::{self, Dot};
use crate::generated::settle;

/// Where the files of numbers are.
const DATA: &str = "benches/results";
/// In place of a file: the table of boards.
const BOARDS: &str = "the boards";
const BEGIN: &str = "<!-- table ";
const END: &str = "<!-- end of table -->";

/// Writes tables and pictures; or, to check, fails when one is not what the files give.
pub(crate) fn run(check: bool) -> Result<()> {
    let mut files = vec![boards()?, engines()?, host()?];
    for entry in std::fs::read_dir(root().join("docs"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "md") {
            let name = Path::new("docs").join(path.file_name().unwrap_or_default());
            let text = std::fs::read_to_string(&path)?;
            let text = filled(&text, &read).with_context(|| name.display().to_string())?;
            files.push((name, text));
        }
    }
    settle(&files, check, "tables")
}

/// Instructions of the boards.
fn boards() -> Result<(PathBuf, String)> {
    let data = Data::of(&read("boards.tsv")?)?;
    let mut dots: Vec<Dot> = Vec::new();
    let (processors, weights) = (data.column("processor")?, data.column("weights")?);
    let counts = data.column("a multiply-accumulate")?;
    for row in &data.rows {
        let (row, series, value) = (&row[processors], &row[weights], row[counts].parse()?);
        // Of several boards with a processor, and of several dates, the last.
        dots.retain(|dot| dot.row != *row || dot.series != *series);
        dots.push(Dot {
            row: row.clone(),
            series: series.clone(),
            value,
        });
    }
    let picture = dots::svg(
        "Instructions a multiply-accumulate",
        "A whole step of an LSTM of 128 units and 64 characters, in QEMU. Fewer is better.",
        &dots,
        false,
    );
    Ok((PathBuf::from("docs/benchmarks/boards.svg"), picture))
}

/// Times of steps on hosts, as multiples of the limit.
fn host() -> Result<(PathBuf, String)> {
    let data = Data::of(&read("host_steps.tsv")?)?;
    let [machine, kind] = [data.column("machine")?, data.column("type")?];
    let [shape, times] = [data.column("shape")?, data.column("times the limit")?];
    let mut dots = Vec::new();
    for row in &data.rows {
        dots.push(Dot {
            row: format!("{} {}", row[kind], row[shape]),
            series: row[machine].clone(),
            value: row[times].parse()?,
        });
    }
    let picture = dots::svg(
        "A step, as multiples of the time to read its weights once",
        "One stream, one core, AVX-512. Below 1: part of the weights is still in a nearer cache.",
        &dots,
        true,
    );
    Ok((PathBuf::from("docs/benchmarks/host.svg"), picture))
}

/// Times of other engines, as multiples of Gatelet's: the last run that has all of them.
fn engines() -> Result<(PathBuf, String)> {
    let data = Data::of(&read("engines.tsv")?)?;
    let own = data.column("Gatelet")?;
    let (date, machine) = (data.column("date")?, data.column("machine")?);
    let [kind, shape] = [data.column("type")?, data.column("shape")?];
    let last = data.rows.last().context("no rows")?;
    let mut dots = Vec::new();
    for row in data.rows.iter().filter(|row| row[date] == last[date]) {
        for (name, value) in data
            .names
            .iter()
            .zip(row)
            .skip(own + 1)
            .filter(|(_, v)| !v.is_empty())
        {
            let value = value.parse::<f32>()? / row[own].parse::<f32>()?;
            let row = format!("{} {}", row[kind], row[shape]);
            dots.push(Dot {
                row,
                series: name.clone(),
                value,
            });
        }
    }
    let caption = format!(
        "Time of a step over Gatelet's, one stream, one core, {}, {}. Above 1 Gatelet is faster.",
        last[machine], last[date]
    );
    let picture = dots::svg("Other engines", &caption, &dots, true);
    Ok((PathBuf::from("docs/benchmarks/engines.svg"), picture))
}

fn read(name: &str) -> Result<String> {
    if name == BOARDS {
        return Ok(table_of_boards());
    }
    let path = root().join(DATA).join(name);
    std::fs::read_to_string(&path).with_context(|| format!("cannot read {DATA}/{name}"))
}

/// The boards of `firmware/boards`, as a file.
fn table_of_boards() -> String {
    let names = "board\tQEMU\tprocessor\ttarget\tkernel\tflash, KiB\tRAM, KiB\tconsole\n";
    let mut text = names.to_owned();
    for board in &gatelet_boards::BOARDS {
        let processor = board.processor;
        let cells = [
            board.name.to_owned(),
            board.qemu.map_or("", |qemu| qemu.machine).to_owned(),
            processor.name().to_owned(),
            processor.target().to_owned(),
            processor.kernel().to_owned(),
            (board.flash_bytes >> 10).to_string(),
            (board.ram_bytes >> 10).to_string(),
            if board.runs == Use::Console {
                "yes"
            } else {
                ""
            }
            .to_owned(),
        ];
        text.push_str(&cells.join("\t"));
        text.push('\n');
    }
    text
}

/// A file of numbers.
struct Data {
    names: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Data {
    fn of(text: &str) -> Result<Self> {
        let cells = |line: &str| line.split('\t').map(str::to_owned).collect::<Vec<String>>();
        let mut lines = text.lines();
        let names = cells(lines.next().context("a file without names of columns")?);
        let rows: Vec<Vec<String>> = lines.map(cells).collect();
        if let Some(row) = rows.iter().find(|row| row.len() != names.len()) {
            bail!(
                "{} cells, not {}: {}",
                row.len(),
                names.len(),
                row.join(" | ")
            );
        }
        Ok(Data { names, rows })
    }

    fn column(&self, name: &str) -> Result<usize> {
        let column = self.names.iter().position(|n| n == name);
        column.with_context(|| format!("no column {name:?}"))
    }
}

/// A page with its tables made anew.
fn filled(page: &str, read: &dyn Fn(&str) -> Result<String>) -> Result<String> {
    let mut text = String::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        text.push_str(line);
        text.push('\n');
        let Some(order) = line.strip_prefix(BEGIN) else {
            continue;
        };
        let table = table(order.trim_end_matches("-->"), read).context(line.to_owned())?;
        text.push_str(&format!("\n{table}\n"));
        let end = lines.find(|line| *line == END);
        text.push_str(end.with_context(|| format!("no {END:?} after {line:?}"))?);
        text.push('\n');
    }
    Ok(text)
}

/// The rows that a marker asks for.
fn table(order: &str, read: &dyn Fn(&str) -> Result<String>) -> Result<String> {
    let mut clauses = order.split(';').map(str::trim);
    let mut data = Data::of(&read(clauses.next().unwrap_or_default())?)?;
    let (mut columns, mut base): (Vec<usize>, _) = ((0..data.names.len()).collect(), None);
    for clause in clauses {
        let (word, rest) = clause.split_once(' ').unwrap_or((clause, ""));
        match word {
            "where" => {
                let (name, value) = rest.split_once(" = ").context("where COLUMN = VALUE")?;
                let column = data.column(name)?;
                data.rows.retain(|row| row[column] == value);
            }
            "columns" => {
                let names = rest.split(", ").map(|name| data.column(name));
                columns = names.collect::<Result<_>>()?;
            }
            "times" => base = Some(data.column(rest)?),
            _ => bail!("{word:?} is neither where, columns nor times"),
        }
    }
    if data.rows.is_empty() {
        bail!("no rows");
    }
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let mut text = line(
        columns
            .iter()
            .map(|column| data.names[*column].clone())
            .collect(),
    );
    text.push_str(&format!("|{}\n", "---|".repeat(columns.len())));
    for row in &data.rows {
        let cell = |column: &usize| {
            let cell = grouped(&row[*column]);
            let Some(base) = base.filter(|base| column > base) else {
                return cell;
            };
            match (row[*column].parse::<f64>(), row[base].parse::<f64>()) {
                (Ok(value), Ok(of)) => format!("{cell} ({:.2})", value / of),
                _ => cell,
            }
        };
        text.push_str(&line(columns.iter().map(cell).collect()));
    }
    Ok(text)
}

/// Whole numbers from 1,000 on get commas.
fn grouped(cell: &str) -> String {
    if cell.len() < 4 || !cell.bytes().all(|byte| byte.is_ascii_digit()) {
        return cell.to_owned();
    }
    let mut text = String::new();
    for (i, digit) in cell.chars().enumerate() {
        if i > 0 && (cell.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(_: &str) -> Result<String> {
        Ok("date\tname\tone\ttwo\n1\ta\t2\t3\n2\tb\t1000\t\n2\tc\t4\t5\n".to_owned())
    }

    #[test]
    fn rows_and_columns_are_chosen() {
        let page = "a\n<!-- table x.tsv; where date = 2; columns name, one, two; times one -->\nold\n\
                    <!-- end of table -->\nb\n";
        let expected = "a\n<!-- table x.tsv; where date = 2; columns name, one, two; times one -->\n\n\
                        | name | one | two |\n|---|---|---|\n| b | 1,000 |  |\n| c | 4 | 5 (1.25) |\n\n\
                        <!-- end of table -->\nb\n";
        assert_eq!(filled(page, &data).unwrap(), expected);
        assert_eq!(filled(expected, &data).unwrap(), expected);
    }

    #[test]
    fn mistakes_are_named() {
        let error = |order: &str| format!("{:#}", table(order, &data).unwrap_err());
        assert!(error("x; columns nome").contains("nome"));
        assert!(error("x; where date = 3").contains("no rows"));
        assert!(error("x; which date").contains("which"));
        assert!(filled("<!-- table x -->\n", &data).is_err());
        assert!(Data::of("a\tb\n1\n").is_err());
    }
}
