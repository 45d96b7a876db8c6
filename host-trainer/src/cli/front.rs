//! What came out of a sweep: the table, the best net, front.json and front.png.
//!
//! ```text
//! of a text       a net is better with a lower held-out loss, in f32
//! of sequences    with more right answers of its int8 image, or less error to signal
//! ```

mod asked;
mod picture;

use std::path::Path;

use serde_json::{Value, json};

pub(super) use self::asked::{Price, Sweep};
use super::out::say;
use super::table::{Align, Table};
use super::terminal::output_width;
use crate::analysis::pareto::front;
use crate::analysis::sweep::{COMMON, Job, State};
use crate::error::{Error, Result};
use crate::files::{self, MADE_BY};
use crate::train::series::options::Task;
use crate::units::{duration, epochs, grouped};

pub(super) const NUMBERS: &str = "front.json";
const PICTURE: &str = "front.png";

/// Checks that the front can be written into a sweep's folder, if that is there.
pub(super) fn check(out: &Path, text: &Path) -> Result<()> {
    for (name, kind) in [
        (NUMBERS, files::FRONT),
        (PICTURE, files::PNG),
        (COMMON, files::SWEEP),
    ] {
        files::check_plain(kind, &out.join(name))?;
        files::check_apart(&out.join(name), &[text])?;
    }
    Ok(())
}

/// Prints the table and the best net, and writes front.json and front.png.
pub(super) fn show(sweep: &Sweep<'_>, jobs: &[Job]) -> Result<Value> {
    let price = |job: &Job| match (sweep.by, job.cost()) {
        (Price::Flash, (flash, ..)) => flash as f64,
        (Price::Instructions, (.., instructions)) => instructions as f64,
    };
    let points: Vec<(f64, f64)> = jobs
        .iter()
        .map(|job| (price(job), sweep.loss(job)))
        .collect();
    let on = front(&points);
    let mut table = table(sweep, jobs, &on);
    let spare = [sweep.bits().unwrap_or("loss"), "RAM", "time", "epochs"];
    table.fit(&spare, output_width());
    say(table)?;
    let done = jobs.iter().filter(|job| job.state == State::Done).count();
    let by = match sweep.by {
        Price::Flash => "flash",
        Price::Instructions => "instructions",
    };
    let names: Vec<&str> = jobs
        .iter()
        .zip(&on)
        .filter(|(_, on)| **on)
        .map(|(job, _)| &*job.candidate.name)
        .collect();
    let best = (0..jobs.len()).filter(|&at| on[at]);
    let best = best.min_by(|&a, &b| points[a].1.total_cmp(&points[b].1));
    let best = best.map(|at| &jobs[at]);
    let terms = sweep.learnt.task().map(Task::terms);
    let figure = terms.and_then(|terms| terms.figure);
    match best {
        None => say(format!("{done} of {} jobs done; no front yet", jobs.len()))?,
        Some(best) => {
            say(format!(
                "{done} of {} jobs done; * on the front of {by} and {}, for a {}: {}",
                jobs.len(),
                figure.unwrap_or("loss"),
                sweep.budget.processor.name(),
                names.join(", ")
            ))?;
            say_best(sweep, best)?;
        }
    }
    let chosen = best.map(|best| {
        let [command, export] = sweep.commands(best);
        json!({ "name": best.candidate.name, "command": command, "export": export })
    });
    let result = json!({
        MADE_BY: "gatelet sweep",
        "text": sweep.data,
        "level": sweep.learnt.level(),
        "task": sweep.learnt.task(),
        "figure": figure,
        "unit": sweep.learnt.step(),
        "board": sweep.budget.processor,
        "by": by,
        "max_flash": sweep.budget.flash,
        "max_instructions": sweep.budget.instructions,
        "jobs": jobs,
        "front": names,
        "best": chosen,
    });
    if !sweep.out.is_dir() {
        return Ok(result);
    }
    let path = sweep.out.join(NUMBERS);
    let text = serde_json::to_string_pretty(&result).map_err(|error| Error::Write {
        path: path.clone(),
        source: error.into(),
    })?;
    files::write_as(files::FRONT, &path, (text + "\n").as_bytes())?;
    if !names.is_empty() {
        picture::draw(&sweep.out.join(PICTURE), sweep, jobs, &points, &on)?;
    }
    Ok(result)
}

/// Says which net is the best of those that are done, what it costs, and how to have it.
fn say_best(sweep: &Sweep<'_>, best: &Job) -> Result<()> {
    let terms = sweep.learnt.task().map(Task::terms);
    let name = terms.and_then(|terms| terms.figure).unwrap_or_default();
    let good = match (&best.int8, best.figure, best.nats) {
        (Some(int8), Some(figure), _) => {
            format!(
                "{name} {:.4} in int8, {figure:.4} in f32, of {} answers",
                int8.figure,
                grouped(int8.answers)
            )
        }
        (_, _, nats) => format!("{:.4} nats", nats.unwrap_or(f64::NAN)),
    };
    let (flash, ram, instructions) = best.cost();
    let [command, export] = sweep.commands(best);
    say(format!(
        "the best: {}, {good}: {} bytes of flash, {} of RAM, about {} instructions a {}",
        best.candidate.name,
        grouped(flash),
        grouped(ram),
        grouped(instructions),
        sweep.learnt.step()
    ))?;
    say(format!(
        "  again:        {command}\n  for a device: {export}"
    ))
}

fn table(sweep: &Sweep<'_>, jobs: &[Job], on: &[bool]) -> Table {
    let (left, right) = (Align::Left, Align::Right);
    let figure = sweep.learnt.task().and_then(|task| task.terms().figure);
    let mut columns = vec![
        ("", left),
        ("net", left),
        ("int8 bytes", right),
        ("RAM", right),
        ("~instructions", right),
    ];
    columns.extend(match (figure, sweep.bits()) {
        (Some(figure), _) => [(figure, right), ("in int8", right), ("loss", right)].to_vec(),
        (None, bits) => [("nats", right), (bits.unwrap_or_default(), right)].to_vec(),
    });
    columns.extend([
        ("epochs", right),
        ("time", right),
        ("state", left),
        ("verdict", left),
    ]);
    let mut table = Table::new(&columns);
    let number = |x: Option<f64>| x.map_or_else(|| "-".to_owned(), |x| format!("{x:.4}"));
    for (job, &on) in jobs.iter().zip(on) {
        let (flash, ram, instructions) = job.cost();
        let mut cells = vec![
            if on { "*" } else { "" }.to_owned(),
            job.candidate.name.clone(),
            grouped(flash),
            grouped(ram),
            grouped(instructions),
        ];
        match figure {
            Some(_) => {
                let int8 = job.int8.as_ref().map(|of| of.figure);
                cells.extend([job.figure, int8, job.nats].map(number));
            }
            None => {
                let bits = job.nats.map(|nats| nats / std::f64::consts::LN_2);
                cells.extend([job.nats, bits].map(number));
            }
        }
        let state = match job.state {
            State::New => "to do",
            State::Begun => "begun",
            State::Done if !job.within(&sweep.budget) => "done, too large",
            State::Done => "done",
        };
        let verdict = job.verdict.map(|verdict| verdict.to_string());
        cells.extend([
            epochs(job.epochs),
            duration(job.seconds),
            state.to_owned(),
            verdict.unwrap_or_else(|| "-".to_owned()),
        ]);
        table.row(cells);
    }
    table
}
