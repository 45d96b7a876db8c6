//! Numbers where none were measured.
//!
//! ```text
//! steps      0    1    2    3    4
//! measured   -    1    -    4    -
//! previous   1    1    1    4    4
//! linear     1    1   2.5   4    4
//! ```

use crate::builder::Sequence;
use crate::error::{Error, Result};
use crate::options::Fill;
use crate::rows::Store;

/// An input that was not measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patch {
    pub(crate) step: u32,
    pub(crate) column: u32,
    pub(crate) value: f32,
}

/// Rows that are read at once.
const CHUNK: usize = 1 << 12;

/// A column, up to some step.
#[derive(Clone, Copy, Debug, Default)]
struct Column {
    last: Option<f32>,
    /// The first step without a number after the last one with.
    gap: Option<u32>,
}

/// What stands where nothing was measured: the patches, and where those of each sequence begin,
/// `[sequences + 1]`. There are at most `most` of them.
pub(crate) fn patches(
    store: &Store,
    starts: &[usize],
    sequences: &[Sequence],
    width: usize,
    names: &[String],
    fill: Fill,
    most: usize,
) -> Result<(Vec<Patch>, Vec<usize>)> {
    let mut all: Vec<Patch> = Vec::new();
    let mut begins = vec![0];
    let (mut room, mut rows) = (Vec::new(), Vec::new());
    for (k, sequence) in sequences.iter().enumerate() {
        let before = all.len();
        if sequence.missing {
            let steps = sequence.steps as usize;
            let mut columns = vec![Column::default(); width];
            let mut from = 0;
            while from < steps {
                let count = (steps - from).min((CHUNK / store.columns).max(1));
                rows.resize(count * store.columns, 0.0);
                store.read(starts[k]..starts[k + 1], from, &mut rows, &mut room)?;
                for (step, row) in (from as u32..).zip(rows.chunks_exact(store.columns)) {
                    for (column, of) in columns.iter_mut().enumerate() {
                        of.step(fill, step, column as u32, row[column], &mut all);
                    }
                    if all.len() > most {
                        let count = all.len() as u64;
                        return Err(Error::TooFew { count });
                    }
                }
                from += count;
            }
            for (column, of) in columns.iter_mut().enumerate() {
                let Some(gap) = of.gap.take() else { continue };
                let value = of.last.ok_or_else(|| Error::Hollow {
                    sequence: sequence.name.clone(),
                    column: names[column].clone(),
                })?;
                let column = column as u32;
                let steps = gap..sequence.steps;
                all.extend(steps.map(|step| Patch {
                    step,
                    column,
                    value,
                }));
            }
            all[before..].sort_unstable_by_key(|patch| (patch.step, patch.column));
        }
        begins.push(all.len());
    }
    Ok((all, begins))
}

impl Column {
    /// The next step's number.
    fn step(&mut self, fill: Fill, step: u32, column: u32, x: f32, to: &mut Vec<Patch>) {
        if x.is_nan() {
            match fill {
                Fill::Zero | Fill::Drop => to.push(Patch {
                    step,
                    column,
                    value: 0.0,
                }),
                Fill::Previous | Fill::Linear => _ = self.gap.get_or_insert(step),
            }
            return;
        }
        if let Some(gap) = self.gap.take() {
            let last = self.last.unwrap_or(x);
            let slope = match fill {
                Fill::Linear => f64::from(x - last) / f64::from(step - gap + 1),
                _ => 0.0,
            };
            to.extend((gap..step).map(|at| Patch {
                step: at,
                column,
                value: (f64::from(last) + slope * f64::from(at - gap + 1)) as f32,
            }));
        }
        self.last = Some(x);
    }
}
