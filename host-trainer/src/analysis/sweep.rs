//! Many shapes under a budget: which jobs there are, which are done, and which nets are worth their size.
//!
//! ```text
//! grid    every cell x layers x hidden of the lists
//! random  cell and layers from the lists, hidden log-uniform between the least and the most of its list, in fours
//! within  int8 image <= max flash, estimated instructions <= max instructions, on the processor of --board
//! job     = gatelet train TEXT --out DIR/lstm-1x64 --cell lstm --hidden 64 --layers 1 ...     a plain command
//! front   = jobs that no other is cheaper and better than                                      [`crate::analysis::pareto`]
//! ```
//! A job is known by its folder: done when its run has ended, to be resumed when it has a checkpoint, else to be started.
//! So a sweep can be stopped at any moment, run by any scheduler, and looked at while it is going on.

mod amount;
mod common;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;
use serde::Serialize;

use crate::analysis::device::{Processor, int8_bytes, int8_dims};
use crate::error::{Error, Result};
use crate::shape::{Cell, Shape};
use crate::train::runs::{Run, started};
use crate::train::verdict::Verdict;
use crate::units::grouped;

pub use amount::{bytes, instructions};
pub use common::{COMMON, Common};

/// Draws for a shape within the budget before it is said that there is none.
const DRAWS: usize = 1000;

/// What shapes may cost on a processor.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// The processor whose layout and instructions count.
    pub processor: Processor,
    /// Bytes of the int8 image, at most.
    pub flash: Option<usize>,
    /// Estimated instructions a character, at most.
    pub instructions: Option<u64>,
}

/// A shape with its price.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Candidate {
    /// `lstm-1x64`: the name of its folder.
    pub name: String,
    /// The shape.
    pub shape: Shape,
    /// Bytes of the int8 image.
    pub flash: usize,
    /// Estimated instructions a character.
    pub instructions: u64,
}

impl Candidate {
    fn new(shape: Shape, corpus: &str, processor: Processor) -> Result<Self> {
        // The image holds the command; its length is nearly that of the job's.
        let command = format!(
            "gatelet train {corpus} --cell {} --hidden {} --layers {} --epochs 20 --seed 1 --batch 32 --window 64 \
             --patience 5 --eval-every 0 --lr 0.012 --warmup 100 --dropout 0.1 --recurrent-dropout 0.05",
            shape.cell, shape.hidden, shape.layers
        );
        Ok(Self {
            name: format!("{}-{}x{}", shape.cell, shape.layers, shape.hidden),
            flash: int8_bytes(shape, processor, corpus, &command)?,
            instructions: processor.instructions(&int8_dims(shape)?),
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

/// The lists that shapes are taken from.
#[derive(Clone, Debug)]
pub struct Space {
    /// Cells.
    pub cells: Vec<Cell>,
    /// Numbers of layers.
    pub layers: Vec<usize>,
    /// Numbers of hidden units.
    pub hidden: Vec<usize>,
    /// Characters of the text.
    pub vocab: usize,
}

impl Space {
    /// Every shape of the lists.
    fn grid(&self) -> Vec<Shape> {
        let mut shapes = Vec::new();
        for &cell in &self.cells {
            for &layers in &self.layers {
                for &hidden in &self.hidden {
                    let shape = Shape {
                        cell,
                        layers,
                        hidden,
                        vocab: self.vocab,
                        ..Shape::PLAIN
                    };
                    if !shapes.contains(&shape) {
                        shapes.push(shape);
                    }
                }
            }
        }
        shapes
    }

    /// A shape by chance.
    fn draw(&self, rng: &mut Pcg64) -> Shape {
        let least = self.hidden.iter().copied().min().unwrap_or(1) as f64;
        let most = self.hidden.iter().copied().max().unwrap_or(1) as f64;
        let hidden = (least.ln() + rng.random::<f64>() * (most.ln() - least.ln())).exp();
        let fours = (hidden / 4.0).round() * 4.0;
        Shape {
            cell: self.cells[rng.random_range(0..self.cells.len() as u64) as usize],
            layers: self.layers[rng.random_range(0..self.layers.len() as u64) as usize],
            hidden: fours.clamp(least, most) as usize,
            vocab: self.vocab,
            ..Shape::PLAIN
        }
    }
}

/// The shapes of a sweep that are within the budget, cheapest first, and how many were not.
///
/// `random` is how many to draw, and the seed; without it the whole grid is taken. Fewer than asked for are found where
/// the space has no more.
///
/// # Errors
/// [`Error::NothingFits`] with the shape that needs least.
pub fn candidates(
    space: &Space,
    random: Option<(usize, u64)>,
    budget: &Budget,
    corpus: &str,
) -> Result<(Vec<Candidate>, usize)> {
    let priced = |shape: Shape| Candidate::new(shape, corpus, budget.processor);
    let grid: Vec<Candidate> = space
        .grid()
        .into_iter()
        .map(priced)
        .collect::<Result<_>>()?;
    let mut found: Vec<Candidate> = Vec::new();
    let mut outside = 0;
    match random {
        None => {
            let all = grid.len();
            found.extend(grid.iter().filter(|c| c.within(budget)).cloned());
            outside = all - found.len();
        }
        Some((count, seed)) => {
            let mut rng = Pcg64::seed_from_u64(seed);
            let mut names = BTreeSet::new();
            for _ in 0..DRAWS * count.max(1) {
                if found.len() == count {
                    break;
                }
                let candidate = priced(space.draw(&mut rng))?;
                if !names.insert(candidate.name.clone()) {
                    continue;
                }
                if candidate.within(budget) {
                    found.push(candidate);
                } else {
                    outside += 1;
                }
            }
        }
    }
    if found.is_empty() {
        return Err(nothing_fits(&grid, budget));
    }
    found.sort_by_key(|c| (c.flash, c.instructions));
    Ok((found, outside))
}

/// The shape that comes nearest to the budget, and by how much it fails.
fn nothing_fits(grid: &[Candidate], budget: &Budget) -> Error {
    let over = |c: &Candidate| {
        let flash = budget
            .flash
            .map_or(0.0, |most| c.flash as f64 / most.max(1) as f64);
        let instructions = budget
            .instructions
            .map_or(0.0, |most| c.instructions as f64 / most.max(1) as f64);
        flash.max(instructions)
    };
    let Some(least) = grid.iter().min_by(|a, b| over(a).total_cmp(&over(b))) else {
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
            "about {} instructions a character (--max-instructions {})",
            grouped(least.instructions),
            grouped(most)
        ));
    }
    Error::NothingFits {
        smallest: least.name.clone(),
        need: needs.join(" and "),
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
    /// Lowest held-out loss so far, nats a character.
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
                // A folder that is there is taken if it holds only what a kill before the first
                // checkpoint leaves. Any other is somebody's.
                words.extend_from_slice(options);
            }
        }
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn space() -> Space {
        Space {
            cells: vec![Cell::Rnn, Cell::Lstm],
            layers: vec![1, 2],
            hidden: vec![16, 64, 64],
            vocab: 30,
        }
    }

    fn budget(flash: Option<usize>, instructions: Option<u64>) -> Budget {
        Budget {
            processor: Processor::CortexM4,
            flash,
            instructions,
        }
    }

    #[test]
    fn a_grid_has_every_shape_once_and_the_budget_cuts_it() {
        let all = candidates(&space(), None, &budget(None, None), "t").unwrap();
        assert_eq!((all.0.len(), all.1), (8, 0));
        assert_eq!(all.0[0].name, "rnn-1x16");
        assert!(all.0.is_sorted_by_key(|c| c.flash));
        let most = all.0[3].flash;
        let some = candidates(&space(), None, &budget(Some(most), None), "t").unwrap();
        assert_eq!((some.0.len(), some.1), (4, 4));
        let few = budget(None, Some(all.0[0].instructions));
        assert_eq!(candidates(&space(), None, &few, "t").unwrap().0.len(), 1);
        let error = candidates(&space(), None, &budget(Some(10), Some(1_000_000)), "t");
        let error = error.unwrap_err().to_string();
        assert!(
            error.contains("the smallest, rnn-1x16, needs") && error.contains("(--max-flash 10)"),
            "{error}"
        );
    }

    #[test]
    fn random_shapes_are_distinct_within_the_lists_and_the_same_for_a_seed() {
        let draw = |count, seed| {
            candidates(&space(), Some((count, seed)), &budget(None, None), "t")
                .unwrap()
                .0
        };
        let shapes = draw(12, 5);
        assert_eq!(shapes.len(), 12);
        assert_eq!(shapes, draw(12, 5));
        assert_ne!(shapes, draw(12, 6));
        let names: BTreeSet<&str> = shapes.iter().map(|c| &*c.name).collect();
        assert_eq!(names.len(), 12);
        assert!(
            shapes
                .iter()
                .all(|c| (16..=64).contains(&c.shape.hidden) && c.shape.hidden % 4 == 0)
        );
        // 13 widths, two cells, two depths: there are no more.
        assert_eq!(draw(100, 1).len(), 52);
    }
}
