//! Arrays of NumPy: `[sequences, steps, features]`, with what is asked in an array beside them.
//!
//! ```text
//! x   [N, T, F]   [N, T] of one number a step   [T] of one sequence
//! y   [N]         a class, a text of it, or a number, of each sequence     [N, n] numbers
//!     [N, T]      a label or a number of each step                      [N, T, n] numbers
//! ```
//! Steps at the end of a sequence that hold nothing but NaN are padding, and left out.

mod answers;
mod array;

use std::path::{Path, PathBuf};

use crate::builder::Builder;
use crate::classes::Classes;
use crate::columns::{Asked, Chosen, Names};
use crate::error::{Error, Result};
use crate::input::Input;
use crate::options::Task;
use crate::place::At;
use crate::rows::Rows;

use answers::{Answers, Once, answers};
pub(crate) use array::Array;
use array::whole;

/// Arrays by position.
#[derive(Debug)]
struct Arrays {
    x: Array,
    /// Numbers of a step in the file.
    width: usize,
    chosen: Chosen,
    y: Option<Answers>,
}

/// Rows that are read at once.
const CHUNK: usize = 1 << 12;

impl Arrays {
    /// Rows from `first` on; `label` numbers a class.
    fn read(
        &self,
        first: u64,
        out: &mut [f32],
        room: &mut Vec<u8>,
        mut label: impl FnMut(f32) -> Result<f32>,
    ) -> Result<()> {
        let columns = self.columns();
        let rows = out.len() / columns;
        let mut numbers = vec![0.0; rows * self.width];
        self.x
            .numbers(first * self.width as u64, &mut numbers, room)?;
        let picked = self.chosen.features.iter().chain(match self.y {
            Some(_) => &[],
            None => self.chosen.targets.as_slice(),
        });
        for (out, row) in out
            .chunks_exact_mut(columns)
            .zip(numbers.chunks_exact(self.width))
        {
            out.iter_mut()
                .zip(picked.clone())
                .for_each(|(out, &k)| *out = row[k]);
        }
        let Some(y) = &self.y else {
            return Ok(());
        };
        let mut asked = vec![0.0; rows * y.count];
        y.array.numbers(first * y.count as u64, &mut asked, room)?;
        let features = self.chosen.features.len();
        for (out, row) in out
            .chunks_exact_mut(columns)
            .zip(asked.chunks_exact(y.count))
        {
            for (out, &x) in out[features..].iter_mut().zip(row) {
                *out = if y.label { label(x)? } else { x };
            }
        }
        Ok(())
    }

    fn columns(&self) -> usize {
        let asked = self
            .y
            .as_ref()
            .map_or(self.chosen.targets.len(), |y| y.count);
        self.chosen.features.len() + asked
    }
}

impl Rows for Arrays {
    fn read(
        &self,
        first: u64,
        out: &mut [f32],
        room: &mut Vec<u8>,
        classes: &Classes,
    ) -> Result<()> {
        let changed = || Error::Changed(self.x.file.path.clone());
        self.read(first, out, room, |x| match x {
            _ if x.is_nan() || x < 0.0 => Ok(f32::NAN),
            x => {
                let number = whole(x).and_then(|name| classes.find(&name));
                number.map(f32::from).ok_or_else(changed)
            }
        })
    }
}

/// Reads a `.npy`.
pub(crate) fn scan(input: &Input, builder: &mut Builder<'_>) -> Result<()> {
    let options = builder.options;
    let x = Array::open(&input.path, options.memory)?;
    let y = match (options.task, options.target.as_slice()) {
        (Task::Forecast { .. }, _) | (_, []) => None,
        (_, [name]) => Some(Array::open(&beside(&input.path, name), options.memory)?),
        (_, [..]) => return Err(Error::Option("--target has to name one file, Y.npy")),
    };
    arrays(input, builder, x, y)
}

/// A file, as it is named or beside another one.
pub(crate) fn beside(path: &Path, name: &str) -> PathBuf {
    let named = PathBuf::from(name);
    match path.parent() {
        Some(folder) if !named.exists() => folder.join(name),
        _ => named,
    }
}

/// Reads inputs and what is asked.
pub(crate) fn arrays(
    input: &Input,
    builder: &mut Builder<'_>,
    x: Array,
    y: Option<Array>,
) -> Result<()> {
    let path = &input.path;
    x.header
        .element
        .check()
        .map_err(|error| Error::form(path, error))?;
    let (count, steps, width) = match *x.header.shape.as_slice() {
        [steps] => (1, steps, 1),
        [count, steps] => {
            let note = format!(
                "the array [{count}, {steps}] is {count} sequences of {steps} steps of one number; \
                 of one sequence of several, make it [1, steps, numbers]"
            );
            builder.notes.push(note);
            (count, steps, 1)
        }
        [count, steps, width] => (count, steps, width),
        ref shape => {
            let what =
                format_args!("its shape is {shape:?}: it has to be [sequences, steps, numbers]");
            return Err(Error::form(path, what));
        }
    };
    if x.header.is_empty() {
        return Err(Error::Empty {
            path: path.clone(),
            what: "its array is empty",
        });
    }
    if width > u64::from(u16::MAX) {
        return Err(Error::Wide {
            path: path.clone(),
            columns: width as usize,
        });
    }
    let one = x.header.shape.len() == 1;
    let (answers, asked, once) = answers(input, builder, y, (count, steps, one))?;
    let names: Vec<String> = (0..width).map(|k| k.to_string()).collect();
    let by_name = Names::new(&names, path);
    let options = builder.options;
    let chosen = match options.task {
        Task::Forecast { .. } => by_name.choose(options, &[])?,
        _ => {
            let mut inputs = options.clone();
            inputs.target.clear();
            by_name.choose(&inputs, &[])?
        }
    };
    let (asked, targets) = match asked {
        Some(asked) => (
            asked,
            match asked {
                Asked::Rows(1) | Asked::Once(1) | Asked::Label | Asked::Class => {
                    vec!["y".to_owned()]
                }
                Asked::Rows(n) | Asked::Once(n) => (0..n).map(|k| format!("y{k}")).collect(),
            },
        ),
        None => (
            Asked::Rows(chosen.targets.len()),
            by_name.names(&chosen.targets),
        ),
    };
    builder.begin(input, by_name.names(&chosen.features), targets, asked)?;
    let arrays = Arrays {
        x,
        width: width as usize,
        chosen,
        y: answers,
    };
    rows(input, builder, &arrays, (count, steps), once)?;
    builder.end(Ok(Box::new(arrays)))
}

/// Hands over all rows.
fn rows(
    input: &Input,
    builder: &mut Builder<'_>,
    arrays: &Arrays,
    (count, steps): (u64, u64),
    once: Once,
) -> Result<()> {
    let columns = arrays.columns();
    let width = arrays.chosen.features.len();
    let (mut room, mut out, mut padding) = (Vec::new(), Vec::new(), 0);
    for k in 0..count {
        let class = match &once {
            Once::Classes(names) => Some(builder.classes.number(
                &names[k as usize],
                &input.path,
                "the answers",
            )?),
            _ => None,
        };
        let sequence = builder.sequence(k.to_string(), None, class);
        if let (Once::Numbers(numbers), Asked::Once(outputs)) = (&once, builder.asked) {
            builder.value(&numbers[k as usize * outputs..][..outputs])?;
        }
        let mut waiting: Vec<f32> = Vec::new();
        let mut step = 0;
        while step < steps {
            let rows = (steps - step).min((CHUNK / columns).max(1) as u64);
            out.resize(rows as usize * columns, 0.0);
            let classes = &mut builder.classes;
            arrays.read(k * steps + step, &mut out, &mut room, |x| {
                if x.is_nan() || x < 0.0 {
                    return Ok(f32::NAN);
                }
                let what = format_args!("{x} is no label: labels are whole numbers");
                let at = At::Step(k, step);
                let name = whole(x).ok_or_else(|| Error::row(&input.path, at, what))?;
                classes
                    .number(&name, &input.path, "the answers")
                    .map(f32::from)
            })?;
            for row in out.chunks_exact(columns) {
                step += 1;
                let empty = row[..width].iter().all(|x| x.is_nan());
                if empty && waiting.len() < CHUNK * columns {
                    waiting.extend(row);
                    continue;
                }
                let first = step - 1 - (waiting.len() / columns) as u64;
                let all = waiting.chunks_exact(columns).chain([row]);
                for (at, row) in (first..).zip(all) {
                    builder.row(sequence, At::Step(k, at), row)?;
                }
                waiting.clear();
            }
        }
        padding += waiting.len() / columns;
        builder.skip(&waiting);
    }
    if padding > 0 {
        let note = format!("{padding} steps at the end of sequences hold nothing: left out");
        builder.notes.push(note);
    }
    Ok(())
}
