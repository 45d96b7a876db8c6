//! The tables of the course's nets that answer at the end of a sequence: what
//! `gatelet train TABLE --task classify --tokens N` learns from, a token a line.
//!
//! ```text
//! row,token,answer
//! train0,12,smell        a sequence of each row's name, and its class
//! train0,120,smell
//! ```

use std::fmt::Write as _;
use std::path::Path;

use gatelet_series::Set;
use gatelet_trainer::error::Result;
use gatelet_trainer::files;
use gatelet_trainer::train::config::Config;
use gatelet_trainer::train::series::Series;
use gatelet_trainer::train::series::options::{SeriesOptions, Task};

/// How the tables are read, of so many tokens.
pub(crate) fn options(tokens: usize) -> SeriesOptions {
    SeriesOptions {
        tokens,
        features: vec!["token".to_owned()],
        target: vec!["answer".to_owned()],
        group: Some("row".to_owned()),
        ..SeriesOptions::of(Task::Classify)
    }
}

/// Writes sequences, each with its answer, as a table; `part` begins the names of its rows.
pub(crate) fn write<'a>(
    path: &Path,
    part: &str,
    sequences: impl Iterator<Item = (&'a [u16], &'a str)>,
) -> Result<()> {
    let mut table = String::from("row,token,answer\n");
    for (row, (tokens, answer)) in sequences.enumerate() {
        for token in tokens {
            // A String takes all that is written into it.
            let _ = writeln!(table, "{part}{row},{token},{answer}");
        }
    }
    files::write(path, table.as_bytes())
}

/// A table to learn from and one that is held out, with the answers that there may be.
pub(crate) fn read(
    name: &str,
    tables: [&Path; 2],
    answers: &[String],
    config: &Config,
) -> Result<Series> {
    let tokens = config.series.as_ref().map_or(0, |series| series.tokens);
    let options = options(tokens);
    let [train, valid] = tables.map(|path| Set::open(path, &options.reading(answers)));
    Series::new(
        name.to_owned(),
        train?,
        Some(valid?),
        (&options, config),
        None,
    )
}
