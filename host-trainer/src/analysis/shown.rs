//! Answers over the steps of one sequence, to be drawn.

use gatelet::front::FrontEndKind;
use gatelet::{Isa, Model};
use gatelet_series::WantedBuffer;
use serde::Serialize;

use super::seen::{Asked, Line, log_parts, model};
use crate::error::{Error, Result};
use crate::image::Image;
use crate::train::series::answers::{Answer, each_step};

/// Steps of a picture.
const SHOWN: usize = 400;

/// Answers over the steps of one sequence.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Shown {
    /// `best`, `median`, `worst`.
    pub which: &'static str,
    /// The sequence.
    pub line: Line,
    /// Names of what is drawn: the first number asked for, or the likeliest classes.
    pub names: Vec<String>,
    /// Of each name: what the net says at each of the first steps; of classes probabilities.
    pub float: Vec<Vec<f32>>,
    /// The same of the int8 image, if there is one.
    pub int8: Vec<Vec<f32>>,
    /// What was asked for; NaN where nothing was. Empty of classes.
    pub asked: Vec<f32>,
    /// What a front end made of the sound, if there is one.
    #[serde(skip)]
    pub heard: Option<Heard>,
}

/// The features of the same steps.
#[derive(Clone, Debug, PartialEq)]
pub struct Heard {
    /// What they are.
    pub label: &'static str,
    /// Features of a step.
    pub width: usize,
    /// `[steps, width]`
    pub features: Vec<f32>,
}

/// What the front end of a net gives of sequence `k`.
fn heard(model: &Model<'_>, asked: &Asked<'_>, k: usize) -> Result<Option<Heard>> {
    let Some(front) = model.front_end() else {
        return Ok(None);
    };
    let (set, width) = (asked.part.set(), front.features());
    let mut features = vec![0.0; set.steps(k).min(SHOWN) * width];
    set.read(k, 0, &mut features, &mut WantedBuffer::new())?;
    Ok(Some(Heard {
        label: match front.kind {
            FrontEndKind::LogMel => "bands",
            FrontEndKind::Mfcc { .. } => "coefficients",
        },
        width,
        features,
    }))
}

/// The first steps of a sequence, of f32 and of integers.
pub(super) fn show(
    float: &Model<'_>,
    int8: Option<&Image>,
    isa: Isa,
    asked: &Asked<'_>,
    (which, place, line): (&'static str, usize, &Line),
) -> Result<Shown> {
    let k = asked.part.picked()[place];
    let is_of_classes = asked.task.is_of_classes();
    let follow = |model: &Model<'_>| {
        let (mut rows, mut wanted) = (Vec::new(), Vec::new());
        each_step(model, isa, (asked.part, k), &mut |step, _, given, of| {
            if step >= SHOWN {
                return;
            }
            rows.push(match is_of_classes {
                true => log_parts(given).iter().map(|x| x.exp() as f32).collect(),
                false => given[..given.len().min(1)].to_vec(),
            });
            if !is_of_classes {
                wanted.push(match of {
                    Answer::Numbers(numbers) => numbers.first().copied().unwrap_or(f32::NAN),
                    _ => f32::NAN,
                });
            }
        })?;
        Ok::<(Vec<Vec<f32>>, Vec<f32>), Error>((rows, wanted))
    };
    let (rows, wanted) = follow(float)?;
    let integers = int8.map(|image| follow(&model(image)?)).transpose()?;
    let integers = integers.map_or_else(Vec::new, |of| of.0);
    // The classes that are likeliest anywhere in it, at most five.
    let outputs = rows.first().map_or(0, Vec::len);
    let most = |k: usize| rows.iter().map(|row| row[k]).fold(0.0, f32::max);
    let mut names: Vec<usize> = (0..outputs).collect();
    names.sort_by(|&a, &b| most(b).total_cmp(&most(a)).then(a.cmp(&b)));
    names.truncate(5);
    names.sort_unstable();
    let column = |rows: &[Vec<f32>]| -> Vec<Vec<f32>> {
        let of = |&k: &usize| rows.iter().map(|row| row[k]).collect();
        names.iter().filter(|_| !rows.is_empty()).map(of).collect()
    };
    Ok(Shown {
        which,
        line: line.clone(),
        names: names
            .iter()
            .filter_map(|&k| asked.answers.get(k).cloned())
            .collect(),
        float: column(&rows),
        int8: column(&integers),
        asked: wanted,
        heard: heard(float, asked, k)?,
    })
}
