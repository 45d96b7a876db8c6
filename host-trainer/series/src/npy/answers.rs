//! What is asked, as an array beside the inputs.

use super::array::Array;
use crate::builder::Builder;
use crate::columns::Asked;
use crate::error::{Error, Result};
use crate::input::Input;
use crate::options::Task;

/// What is asked, as an array.
#[derive(Debug)]
pub(super) struct Answers {
    pub(super) array: Array,
    /// Numbers of a step; one of a label.
    pub(super) count: usize,
    pub(super) label: bool,
}

/// What is asked of each sequence, where that is known before its steps are read.
pub(super) enum Once {
    Nothing,
    Classes(Vec<String>),
    Numbers(Vec<f32>),
}

/// What the array of answers holds, by its shape.
pub(super) fn answers(
    input: &Input,
    builder: &Builder<'_>,
    y: Option<Array>,
    (count, steps, one): (u64, u64, bool),
) -> Result<(Option<Answers>, Option<Asked>, Once)> {
    let task = builder.options.task;
    let Some(array) = y else {
        return match task {
            Task::Forecast { .. } => Ok((None, None, Once::Nothing)),
            _ => Err(Error::task(
                &input.path,
                "it has no answers: --target names the file or the array that holds them",
            )),
        };
    };
    let shape = array.header.shape.clone();
    // Of one sequence without a first index there is none here either.
    let full = match one && shape.first() == Some(&steps) {
        true => [&[1], &shape[..]].concat(),
        false => shape.clone(),
    };
    let wrong = || {
        let what = format_args!(
            "the answers have the shape {shape:?}, and there are {count} sequences of {steps} steps"
        );
        Error::form(&array.file.path, what)
    };
    let text = array.header.element.is_text();
    if !text {
        let checked = array.header.element.check();
        checked.map_err(|error| Error::form(&array.file.path, error))?;
    }
    let rows = |array, count: u64, label| {
        let count = count as usize;
        let asked = if label {
            Asked::Label
        } else {
            Asked::Rows(count)
        };
        let answers = Answers {
            array,
            count,
            label,
        };
        (Some(answers), Some(asked), Once::Nothing)
    };
    let most = u64::from(u16::MAX);
    match (task, full.as_slice()) {
        (Task::Classify, [n] | [n, 1]) if *n == count => {
            Ok((None, Some(Asked::Class), Once::Classes(array.classes()?)))
        }
        (Task::Label, [n, t] | [n, t, 1]) if (*n, *t) == (count, steps) && !text => {
            Ok(rows(array, 1, true))
        }
        (Task::Regress, [n, t]) if (*n, *t) == (count, steps) && !text => Ok(rows(array, 1, false)),
        (Task::Regress, [n, t, k]) if (*n, *t) == (count, steps) && *k <= most && !text => {
            Ok(rows(array, *k, false))
        }
        (Task::Regress, [n] | [n, _]) if *n == count && !text => {
            let outputs = full.get(1).copied().unwrap_or(1);
            if outputs == 0 || outputs > most {
                return Err(wrong());
            }
            let mut numbers = vec![0.0; array.header.len() as usize];
            array.numbers(0, &mut numbers, &mut Vec::new())?;
            Ok((
                None,
                Some(Asked::Once(outputs as usize)),
                Once::Numbers(numbers),
            ))
        }
        _ => Err(wrong()),
    }
}
