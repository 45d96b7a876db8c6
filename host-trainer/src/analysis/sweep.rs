//! Many shapes under a budget: which jobs there are, which are done, and which nets are worth their size.
//!
//! ```text
//! grid    every cell x layers x hidden x embedding x projection x tied that a net can have
//! random  from the same lists, but hidden log-uniform between its least and its most, in fours
//! within  int8 image <= max flash, estimated instructions <= max instructions, on the processor of --board
//! job     = gatelet train TEXT --out DIR/lstm-1x64 --cell lstm --hidden 64 --layers 1 ...     a plain command
//! front   = jobs that no other is cheaper and better than                                      [`crate::analysis::pareto`]
//! ```
//! A job is known by its folder: done when its run has ended, to be resumed when it has a checkpoint, else to be started.
//! So a sweep can be stopped at any moment, run by any scheduler, and looked at while it is going on.

mod amount;
mod common;
mod space;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use rand::SeedableRng;
use rand_pcg::Pcg64;
use serde::Serialize;

use crate::analysis::device::{Processor, int8_bytes};
use crate::data::corpus::Level;
use crate::error::{Error, Result};
use crate::train::layers::Layers;
use crate::train::runs::{Run, started};
use crate::train::verdict::Verdict;
use crate::units::grouped;

pub use amount::{bytes, instructions};
pub use common::{COMMON, Common};
pub use space::Space;

/// Draws for a shape within the budget before it is said that there is none.
const DRAWS: usize = 1000;

/// What shapes may cost on a processor.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// The processor whose layout and instructions count.
    pub processor: Processor,
    /// Bytes of the int8 image, at most.
    pub flash: Option<usize>,
    /// Estimated instructions a token, at most.
    pub instructions: Option<u64>,
}

/// What the jobs learn, as far as it is in their images.
pub struct Source<'a> {
    /// Name of the text.
    pub text: &'a str,
    /// What a token is.
    pub level: Level,
    /// The words, at the level of words.
    pub words: &'a [String],
    /// The command of a shape's job, as its image holds it.
    pub command: &'a dyn Fn(Layers) -> Result<String>,
}

/// A shape with its price.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Candidate {
    /// `lstm-1x64`, `lstm-1x64-e32-p32-tied`: the name of its folder.
    pub name: String,
    /// The shape.
    pub shape: Layers,
    /// Bytes of the int8 image.
    pub flash: usize,
    /// Estimated instructions a token.
    pub instructions: u64,
}

/// `lstm-1x64`, and what it has beyond that.
fn name(shape: &Layers) -> String {
    let mut name = format!("{}-{}x{}", shape.cell, shape.layers, shape.hidden);
    for (letter, width) in [('e', shape.embedding), ('p', shape.projection)] {
        if width > 0 {
            name += &format!("-{letter}{width}");
        }
    }
    name + if shape.tied { "-tied" } else { "" }
}

impl Candidate {
    fn new(shape: Layers, source: &Source<'_>, processor: Processor) -> Result<Self> {
        let (net, command) = (shape.net(), (source.command)(shape)?);
        Ok(Self {
            name: name(&shape),
            flash: int8_bytes(&net, source.words, processor, source.text, &command)?,
            instructions: processor.instructions(&net),
            shape,
        })
    }

    fn within(&self, budget: &Budget) -> bool {
        budget.flash.is_none_or(|most| self.flash <= most)
            && budget
                .instructions
                .is_none_or(|most| self.instructions <= most)
    }
}

/// The shapes of a sweep that are within the budget, cheapest first, and how many were not.
///
/// `random` is how many to draw, and the seed; without it the whole grid is taken. Fewer than asked for are found where
/// the space has no more.
///
/// # Errors
/// [`Error::NothingFits`] with the shape that needs least; [`Error::Option`] where none can be tied
/// that should.
pub fn candidates(
    space: &Space,
    random: Option<(usize, u64)>,
    budget: &Budget,
    source: &Source<'_>,
) -> Result<(Vec<Candidate>, usize)> {
    let priced = |shape: Layers| Candidate::new(shape, source, budget.processor);
    let mut grid: Vec<Candidate> = space
        .grid()
        .into_iter()
        .map(priced)
        .collect::<Result<_>>()?;
    let mut found: Vec<Candidate> = Vec::new();
    let mut outside = 0;
    let untied = space.tied.contains(&true) && grid.iter().all(|c| !c.shape.tied);
    match random {
        None => {
            if untied {
                return Err(cannot_be_tied());
            }
            found.extend(grid.iter().filter(|c| c.within(budget)).cloned());
            outside = grid.len() - found.len();
        }
        Some((count, seed)) => {
            let mut rng = Pcg64::seed_from_u64(seed);
            let mut names = BTreeSet::new();
            for _ in 0..DRAWS * count.max(1) {
                if found.len() == count {
                    break;
                }
                let Some(shape) = space.draw(&mut rng) else {
                    continue;
                };
                if !names.insert(name(&shape)) {
                    continue;
                }
                let candidate = priced(shape)?;
                if candidate.within(budget) {
                    found.push(candidate);
                } else {
                    outside += 1;
                    grid.push(candidate);
                }
            }
            if untied && found.is_empty() && outside == 0 {
                return Err(cannot_be_tied());
            }
        }
    }
    if found.is_empty() {
        return Err(nothing_fits(&grid, budget, source.level));
    }
    found.sort_by_key(|c| (c.flash, c.instructions));
    Ok((found, outside))
}

fn cannot_be_tied() -> Error {
    Error::Option {
        option: "tied",
        found: "true".to_owned(),
        rule: "no --embedding of the sweep is as large as what a head reads (--projection, or \
               --hidden without one)",
    }
}

/// The shape that comes nearest to the budget, and by how much it fails.
fn nothing_fits(tried: &[Candidate], budget: &Budget, level: Level) -> Error {
    let over = |c: &Candidate| {
        let flash = budget
            .flash
            .map_or(0.0, |most| c.flash as f64 / most.max(1) as f64);
        let instructions = budget
            .instructions
            .map_or(0.0, |most| c.instructions as f64 / most.max(1) as f64);
        flash.max(instructions)
    };
    let Some(least) = tried.iter().min_by(|a, b| over(a).total_cmp(&over(b))) else {
        return Error::Some("the sweep has no shapes".to_owned());
    };
    let mut needs = Vec::new();
    if let Some(most) = budget.flash {
        needs.push(format!(
            "{} bytes of flash (--max-flash {})",
            grouped(least.flash),
            grouped(most)
        ));
    }
    if let Some(most) = budget.instructions {
        needs.push(format!(
            "about {} instructions a {} (--max-instructions {})",
            grouped(least.instructions),
            level.unit(),
            grouped(most)
        ));
    }
    Error::NothingFits {
        smallest: least.name.clone(),
        need: needs.join(" and "),
        smaller: match level {
            Level::Word => {
                "--hidden, --embedding and --projection, or after -- a smaller --max-vocab"
            }
            _ => "--hidden",
        },
    }
}

/// How far a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Not begun.
    New,
    /// Begun, and to be resumed.
    Begun,
    /// Ended.
    Done,
}

/// A shape and its run folder.
#[derive(Clone, Debug, Serialize)]
pub struct Job {
    /// The shape with its price.
    #[serde(flatten)]
    pub candidate: Candidate,
    /// Its run folder.
    pub folder: PathBuf,
    /// How far it is.
    pub state: State,
    /// Lowest held-out loss so far, nats a token.
    pub nats: Option<f64>,
    /// Epochs trained.
    pub epochs: f64,
    /// Seconds trained.
    pub seconds: f64,
    /// What its curve says.
    pub verdict: Option<Verdict>,
}

impl Job {
    /// The job of a candidate as it is in `out` now.
    pub fn find(candidate: Candidate, out: &Path) -> Self {
        let folder = out.join(&candidate.name);
        // A run that was killed before its first checkpoint is started again; one killed before its config.json goes on.
        let run = Run::read(&folder).ok();
        let last = run.as_ref().and_then(|run| run.metrics.last());
        Self {
            state: match &run {
                Some(run) if run.done() => State::Done,
                _ if started(&folder) => State::Begun,
                _ => State::New,
            },
            nats: run
                .as_ref()
                .and_then(Run::best)
                .map(|metrics| metrics.valid_nats),
            epochs: last.map_or(0.0, |m| m.epoch),
            seconds: last.map_or(0.0, |m| m.seconds),
            verdict: run
                .as_ref()
                .and_then(Run::judge)
                .map(|judgement| judgement.verdict),
            candidate,
            folder,
        }
    }

    /// The words of its command after the program's name. `options` are those of every job.
    pub fn arguments(&self, text: &str, options: &[String]) -> Vec<String> {
        let shape = self.candidate.shape;
        let mut words = vec!["train".to_owned(), text.to_owned(), "--out".to_owned()];
        words.push(self.folder.display().to_string());
        match self.state {
            // Its own options are in the run.
            State::Begun => words.push("--resume".to_owned()),
            State::New | State::Done => {
                let Layers {
                    embedding,
                    projection,
                    tied,
                    ..
                } = shape;
                let shape = [
                    ("--cell", shape.cell.to_string()),
                    ("--hidden", shape.hidden.to_string()),
                    ("--layers", shape.layers.to_string()),
                ];
                words.extend(
                    shape
                        .into_iter()
                        .flat_map(|(name, value)| [name.to_owned(), value]),
                );
                for (name, width) in [("--embedding", embedding), ("--projection", projection)] {
                    if width > 0 {
                        words.extend([name.to_owned(), width.to_string()]);
                    }
                }
                words.extend(tied.then(|| "--tied".to_owned()));
                // A folder that is there is taken if it holds only what a kill before the first
                // checkpoint leaves. Any other is somebody's.
                words.extend_from_slice(options);
            }
        }
        words
    }
}

#[cfg(test)]
mod tests;
