//! `gatelet compare`.

mod curves;
mod row;

use std::path::Path;

use serde_json::{Value, json};

use self::row::Row;
use super::out::{note, say, say_json};
use super::stream::Folder;
use super::table::{Align, Table};
use super::terminal::output_width;
use crate::error::{Error, Result};
use crate::figure::save_apart;
use crate::train::runs::Run;

/// Order of the table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Order {
    /// As given.
    #[default]
    Given,
    /// The lowest loss first.
    Nats,
    /// The best answers first, of runs on sequences.
    Figure,
    /// The smallest int8 image first.
    Bytes,
}

/// Compare runs in a table.
///
/// The best is marked with a star: of texts the one with the lowest held-out loss, of sequences the
/// one with the highest accuracy or the least error to signal. Bytes are those of the int8 image
/// for a Cortex-M4. A folder that is no run is named on standard error; the others are shown all
/// the same. Runs on texts and on sequences, or of two tasks, have no figure in common and are
/// refused.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  gatelet compare runs/* --sort nats\n  \
    gatelet compare runs/gru runs/lstm --plot runs")]
pub(super) struct Args {
    /// Run folders
    #[arg(required = true)]
    runs: Vec<Folder>,
    /// Order of the rows
    #[arg(long, default_value = "given")]
    sort: Order,
    /// Folder for a picture of all curves, compare.png and compare.svg
    #[arg(long, value_name = "DIR")]
    plot: Option<Folder>,
    /// Print the result as one JSON object on the last line of stdout
    #[arg(long)]
    json: bool,
}

/// Refuses runs that have nothing in common to be compared by.
fn check_alike(runs: &[(Run, Row)]) -> Result<()> {
    let (first, rest) = match runs {
        [] => return Ok(()),
        [first, rest @ ..] => (first, rest),
    };
    let Some(other) = rest.iter().find(|other| other.1.task != first.1.task) else {
        return Ok(());
    };
    let kind = |row: &Row| match row.task {
        None => format!("{} is on a text", row.path.display()),
        Some(task) => format!("{} is of --task {task}", row.path.display()),
    };
    Err(Error::Some(format!(
        "{}, and {}: they have no figure in common; compare those of one kind",
        kind(&first.1),
        kind(&other.1)
    )))
}

/// Why losses and figures of these runs cannot be set side by side, if they cannot.
fn unlike(runs: &[(Run, Row)]) -> Option<&'static str> {
    let (first, of_text) = (&runs.first()?.1, runs.first()?.1.task.is_none());
    let differ = |of: fn(&Row) -> &Value| runs.iter().any(|(_, row)| of(row) != of(first));
    let other = runs
        .iter()
        .any(|(_, row)| row.corpus_sha256 != first.corpus_sha256);
    match (other, of_text) {
        (true, true) => {
            Some("note: these runs are on different texts, so their losses are not comparable")
        }
        (true, false) => {
            Some("note: these runs are on different data, so their figures are not comparable")
        }
        (false, false) if differ(|row| &row.reading) => Some(
            "note: these runs read their data otherwise, or hold out other parts of it (columns, \
             --segment, --valid-fraction, --seed), so their figures are not comparable",
        ),
        _ => None,
    }
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<()> {
    let (mut runs, mut bad) = (Vec::new(), Vec::new());
    for path in &args.runs {
        match Run::read(path).and_then(|run| Ok((Row::new(&run)?, run))) {
            Ok((row, run)) => runs.push((run, row)),
            Err(error) => bad.push((path.display().to_string(), error.to_string())),
        }
    }
    if runs.is_empty() {
        let errors: Vec<String> = bad.into_iter().map(|bad| bad.1).collect();
        return Err(Error::Some(errors.join("; ")));
    }
    for (_, error) in &bad {
        note(format_args!("note: {error}"));
    }
    check_alike(&runs)?;
    match args.sort {
        Order::Given => {}
        Order::Nats => runs.sort_by(|a, b| a.1.loss().total_cmp(&b.1.loss())),
        Order::Figure => runs.sort_by(|a, b| a.1.rank().total_cmp(&b.1.rank())),
        Order::Bytes => runs.sort_by_key(|(_, row)| row.int8_bytes),
    }
    // On different data a lower loss says nothing: then none is the best.
    let unlike = unlike(&runs);
    let ranks = runs.iter().map(|(_, row)| row.rank());
    let lowest = ranks.fold(f64::INFINITY, f64::min);
    for (_, row) in &mut runs {
        row.best = unlike.is_none() && row.rank().is_finite() && row.rank() == lowest;
    }
    let table = table(&runs);
    let (mut table, spare) = (table.0, table.1);
    let spare: Vec<&str> = spare.iter().map(String::as_str).collect();
    let left_out = table.fit(&spare, output_width());
    say(table)?;
    if left_out {
        say("(a wider terminal shows more columns, --json shows all)")?;
    }
    if let Some(line) = unlike {
        say(line)?;
    }
    if let Some(folder) = &args.plot {
        let inputs: Vec<&Path> = args.runs.iter().map(|run| run.as_path()).collect();
        let shown: Vec<(&Run, &Row)> = runs.iter().map(|(run, row)| (run, row)).collect();
        let path = save_apart(&curves::draw(&shown), folder, &inputs)?;
        say(format!("{}", path.display()))?;
    }
    if args.json {
        let bad: Vec<Value> = bad
            .into_iter()
            .map(|(path, error)| json!({ "path": path, "error": error }))
            .collect();
        let rows: Vec<&Row> = runs.iter().map(|(_, row)| row).collect();
        say_json(json!({ "runs": rows, "not_runs": bad }))?;
    }
    Ok(())
}

/// The table, and the columns that a narrow terminal can do without, in order.
fn table(runs: &[(Run, Row)]) -> (Table, Vec<String>) {
    let (left, right) = (Align::Left, Align::Right);
    let (counted, measures) = match runs.first() {
        Some((_, row)) => (row.counted(), row.measures()),
        None => ("characters".to_owned(), ["nats", "bits/char"]),
    };
    let speed = match &*counted {
        "characters" => "chars/s".to_owned(),
        counted => format!("{counted}/s"),
    };
    let mut table = Table::new(&[
        ("run", left),
        ("cell", left),
        ("shape", left),
        ("parameters", right),
        ("int8 bytes", right),
        (measures[0], right),
        (measures[1], right),
        ("epochs", right),
        (&counted, right),
        (&speed, right),
        ("time", right),
        ("ended", left),
        ("verdict", left),
        ("", left),
    ]);
    runs.iter().for_each(|(_, row)| table.row(row.cells()));
    let spare = [
        &*speed,
        "parameters",
        &*counted,
        "bits/char",
        "ended",
        "time",
        "epochs",
        "cell",
    ];
    (table, spare.map(str::to_owned).into())
}
