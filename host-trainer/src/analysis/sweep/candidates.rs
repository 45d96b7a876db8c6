//! Shapes and what they cost: those of a sweep that are within its budget.

use std::collections::BTreeSet;

use gatelet::front::FrontEnd;
use rand::SeedableRng;
use rand_pcg::Pcg64;
use serde::Serialize;

use super::space::Space;
use crate::analysis::device::{Processor, int8_bytes};
use crate::analysis::footprint::{self, Contents};
use crate::error::{Error, Result};
use crate::net::Net;
use crate::train::layers::Layers;
use crate::units::grouped;

/// Draws for a shape within the budget before it is said that there is none.
const DRAWS: usize = 1000;

/// What shapes may cost on a processor.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// The processor whose layout and instructions count.
    pub processor: Processor,
    /// Bytes of the int8 image, at most.
    pub flash: Option<usize>,
    /// Estimated instructions a step, at most.
    pub instructions: Option<u64>,
}

/// What the jobs learn, as far as it is in their images.
pub struct Source<'a> {
    /// Name of the text, or of the data.
    pub name: &'a str,
    /// What a step is called: `character`, `step`.
    pub step: &'static str,
    /// The words, at the level of words.
    pub words: &'a [String],
    /// What makes features of sound.
    pub front_end: Option<FrontEnd>,
    /// The net of a shape, and the command of its job as its image holds it.
    pub job: &'a dyn Fn(Layers) -> Result<(Net, String)>,
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
    /// Bytes of a session of it.
    pub ram: usize,
    /// Estimated instructions a step.
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
        let (net, command) = (source.job)(shape)?;
        let contents = Contents {
            front_end: source.front_end,
            ..Contents::of_text(source.words, source.name, &command)
        };
        Ok(Self {
            name: name(&shape),
            flash: int8_bytes(&net, processor, contents)?,
            ram: footprint::session_bytes(&net, source.front_end.as_ref()),
            instructions: processor.instructions(&net, source.front_end.as_ref()),
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
        return Err(nothing_fits(&grid, budget, source));
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
fn nothing_fits(tried: &[Candidate], budget: &Budget, source: &Source<'_>) -> Error {
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
            source.step,
            grouped(most)
        ));
    }
    Error::NothingFits {
        smallest: least.name.clone(),
        need: needs.join(" and "),
        smaller: match source.words {
            [] => "--hidden",
            _ => "--hidden, --embedding and --projection, or after -- a smaller --max-vocab",
        },
    }
}
