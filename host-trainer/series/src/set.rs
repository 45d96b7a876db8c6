//! A set of sequences.

use std::ops::Range;

use crate::builder::Sequence;
use crate::error::{Error, Result};
use crate::fill::Patch;
use crate::input::Side;
use crate::options::Task;
use crate::rows::Store;
use crate::wanted::{Kind, Wanted, WantedBuffer};

/// Steps of a sequence that are one thing to train on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    pub(crate) sequence: u32,
    pub(crate) start: u32,
    pub(crate) steps: u32,
}

/// What DATA holds. A sequence here is a window of one where windows were asked for. Functions of a
/// sequence panic where `k` is not below [`Set::len`], as a slice does; [`Set::read`] is an error.
#[derive(Debug)]
pub struct Set {
    pub(crate) task: Task,
    pub(crate) kind: Kind,
    pub(crate) features: Vec<String>,
    pub(crate) targets: Vec<String>,
    pub(crate) classes: Vec<String>,
    /// The place among `classes` of each class as the files name them.
    pub(crate) places: Vec<u16>,
    pub(crate) rate: Option<u32>,
    pub(crate) hash: [u8; 32],
    pub(crate) notes: Vec<String>,
    pub(crate) store: Store,
    pub(crate) sequences: Vec<Sequence>,
    /// Where the runs of each sequence begin, `[sequences + 1]`.
    pub(crate) starts: Vec<usize>,
    pub(crate) patches: Vec<Patch>,
    /// Where the patches of each sequence begin, `[sequences + 1]`.
    pub(crate) patched: Vec<usize>,
    /// Numbers asked once, `[sequences, outputs]`.
    pub(crate) values: Vec<f32>,
    pub(crate) windows: Vec<Window>,
}

impl Set {
    /// Sequences.
    pub fn len(&self) -> usize {
        self.windows.len()
    }

    /// Whether there is none; never, of a set that was opened.
    pub fn is_empty(&self) -> bool {
        self.windows.is_empty()
    }

    /// What is asked.
    pub fn task(&self) -> Task {
        self.task
    }

    /// Inputs of a step.
    pub fn width(&self) -> usize {
        self.features.len()
    }

    /// The names of the inputs.
    pub fn features(&self) -> &[String] {
        &self.features
    }

    /// Classes, or numbers that are asked of a step.
    pub fn outputs(&self) -> usize {
        match (self.kind, self.task) {
            (Kind::Class | Kind::Labels, _) => self.classes.len(),
            (_, Task::Forecast { steps }) => steps * self.targets.len(),
            _ => self.targets.len(),
        }
    }

    /// The names of the classes; none for numbers.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// The names of what is asked.
    pub fn targets(&self) -> &[String] {
        &self.targets
    }

    /// Whether a sequence is asked for numbers once, after its last step.
    pub fn once(&self) -> bool {
        self.kind == Kind::Value
    }

    /// Samples a second, of recordings.
    pub fn rate(&self) -> Option<u32> {
        self.rate
    }

    /// Steps of a sequence.
    pub fn steps(&self, k: usize) -> usize {
        self.windows[k].steps as usize
    }

    /// The step of the file's sequence at which a window begins.
    pub fn start(&self, k: usize) -> usize {
        self.windows[k].start as usize
    }

    /// Which of the files' sequences it is of: windows of one have the same.
    pub fn origin(&self, k: usize) -> usize {
        self.windows[k].sequence as usize
    }

    /// Its name; windows have that of the sequence they are of.
    pub fn name(&self, k: usize) -> &str {
        &self.of(k).name
    }

    /// What a split keeps together: its group, or its name.
    pub fn group(&self, k: usize) -> &str {
        let of = self.of(k);
        of.group.as_ref().unwrap_or(&of.name)
    }

    /// Its class.
    pub fn class(&self, k: usize) -> Option<u16> {
        self.of(k).class.map(|class| self.place(class))
    }

    pub(crate) fn of(&self, k: usize) -> &Sequence {
        &self.sequences[self.windows[k].sequence as usize]
    }

    /// The place of a class as the files name them.
    pub(crate) fn place(&self, class: u16) -> u16 {
        let place = self.places.get(usize::from(class)).copied();
        place.unwrap_or(Wanted::UNLABELLED)
    }

    /// SHA-256 of the names and the contents of all files.
    pub fn sha256(&self) -> [u8; 32] {
        self.hash
    }

    /// What a user should know: a line each.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Whether the files say what is for training and what for tests; then [`crate::split()`]
    /// does as they say.
    pub fn is_split(&self) -> bool {
        self.sequences
            .iter()
            .any(|of| matches!(of.side, Some(Side::Valid | Side::Test)))
    }

    /// The inputs `[steps, width]` of a sequence from step `from` on, and what is asked of them.
    /// Nothing is allocated where all numbers are in memory and the buffers are large enough.
    ///
    /// # Errors
    /// [`Error::Range`], and those of files that were not read into memory.
    pub fn read(
        &self,
        k: usize,
        from: usize,
        inputs: &mut [f32],
        wanted: &mut WantedBuffer,
    ) -> Result<()> {
        self.read_shifted(k, from, 0, inputs, wanted)
    }

    /// The same of a sequence that begins `shift` steps later, or earlier where it is negative: of
    /// a window, steps of the whole sequence beside it. Where that has none, its first or last step
    /// stands in, and nothing is asked there.
    ///
    /// # Errors
    /// As [`Set::read`].
    pub fn read_shifted(
        &self,
        k: usize,
        from: usize,
        shift: i64,
        inputs: &mut [f32],
        wanted: &mut WantedBuffer,
    ) -> Result<()> {
        let width = self.width();
        let steps = inputs.len() / width;
        let to = from.saturating_add(steps);
        let window = self.windows.get(k).copied();
        let window = match window {
            Some(window) if to <= window.steps as usize && inputs.len().is_multiple_of(width) => {
                window
            }
            _ => {
                return Err(Error::Range {
                    sequence: k,
                    from,
                    to,
                    steps: window.map_or(0, |window| window.steps as usize),
                });
            }
        };
        let sequence = window.sequence as usize;
        let ahead = self.ahead();
        let last = self.sequences[sequence].steps as i64 - ahead as i64;
        let first = i64::from(window.start) + from as i64;
        // Steps of the whole sequence that are there.
        let [low, high] =
            [first, first + steps as i64].map(|step| step.saturating_add(shift).clamp(0, last));
        let inside = (low as usize)..(high as usize);
        let before = (low.saturating_sub(first.saturating_add(shift)) as usize).min(steps);
        wanted.kind = self.kind;
        self.fetch(sequence, &inside, wanted)?;
        self.inputs(&inside, before, inputs, wanted);
        self.ask(sequence, &inside, before, steps, wanted);
        Ok(())
    }

    /// Steps after the one at which something is asked.
    pub(crate) fn ahead(&self) -> usize {
        match self.task {
            Task::Forecast { steps } => steps,
            _ => 0,
        }
    }

    /// The rows of steps, those ahead of them, and at least one.
    fn fetch(&self, sequence: usize, steps: &Range<usize>, to: &mut WantedBuffer) -> Result<()> {
        let columns = self.store.columns;
        let (from, to_step) = self.rows_of(sequence, steps);
        to.rows.resize((to_step - from) * columns, 0.0);
        let runs = self.starts[sequence]..self.starts[sequence + 1];
        self.store.read(runs, from, &mut to.rows, &mut to.bytes)?;
        let patches = &self.patches[self.patched[sequence]..self.patched[sequence + 1]];
        let first = patches.partition_point(|patch| (patch.step as usize) < from);
        for patch in &patches[first..] {
            let step = patch.step as usize;
            if step >= to_step {
                break;
            }
            to.rows[(step - from) * columns + patch.column as usize] = patch.value;
        }
        Ok(())
    }

    /// The rows that steps need: at least one, to stand in for others.
    fn rows_of(&self, sequence: usize, steps: &Range<usize>) -> (usize, usize) {
        let all = self.sequences[sequence].steps as usize;
        let from = steps.start.min(all - 1);
        (from, (steps.end + self.ahead()).clamp(from + 1, all))
    }

    fn inputs(&self, inside: &Range<usize>, before: usize, to: &mut [f32], of: &WantedBuffer) {
        let (width, columns) = (self.width(), self.store.columns);
        let there = inside.len().max(1);
        let rows = of.rows.len() / columns;
        for (at, to) in to.chunks_exact_mut(width).enumerate() {
            let step = at.saturating_sub(before).min(there - 1).min(rows - 1);
            to.copy_from_slice(&of.rows[step * columns..][..width]);
        }
    }

    fn ask(
        &self,
        sequence: usize,
        inside: &Range<usize>,
        before: usize,
        steps: usize,
        to: &mut WantedBuffer,
    ) {
        let (width, columns) = (self.width(), self.store.columns);
        let outputs = self.outputs();
        let WantedBuffer {
            labels,
            values,
            rows,
            ..
        } = to;
        match self.kind {
            Kind::Class => {
                let class = self.sequences[sequence].class;
                to.class = class.map_or(Wanted::UNLABELLED, |class| self.place(class));
            }
            Kind::Value => {
                values.clear();
                values.extend(&self.values[sequence * outputs..][..outputs]);
            }
            Kind::Labels => {
                labels.clear();
                labels.resize(steps, Wanted::UNLABELLED);
                let these = rows.chunks_exact(columns).take(inside.len());
                for (to, row) in labels[before..].iter_mut().zip(these) {
                    if !row[width].is_nan() {
                        *to = self.place(row[width] as u16);
                    }
                }
            }
            Kind::Values => {
                values.clear();
                values.resize(steps * outputs, f32::NAN);
                let targets = columns - width;
                let ahead = self.ahead();
                let to = values[before * outputs..].chunks_exact_mut(outputs);
                for (step, to) in to.take(inside.len()).enumerate() {
                    // Of the step itself, or of each of the steps after it.
                    let first = step + usize::from(ahead > 0);
                    for (at, to) in (first..).zip(to.chunks_exact_mut(targets)) {
                        to.copy_from_slice(&rows[at * columns + width..][..targets]);
                    }
                }
            }
        }
    }
}
