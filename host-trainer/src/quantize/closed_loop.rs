//! The closed loop: int8 and f32 write by themselves, and what becomes of their states.
//!
//! ```text
//! int8    writes x_1 x_2 ...                 y ~ softmax(logits), step y;  sampler and seed s
//! f32     reads the same x_1 x_2 ...         KL_t = sum_v p_f32 log(p_f32 / p_int8);  RMS of h and c beside int8's
//! f32     writes a text of its own           sampler and seed s again; agreed = characters until the texts part
//! ```
//! Reading one text, the two states can be compared step by step: what differs is rounding, and
//! whether it piles up. Texts of their own part at the first draw that a rounding tips over, after
//! which only their statistics compare.
//!
//! A cell that counts goes on counting in f32 where int8 stays at the end of its range, and tanh(c)
//! is 1 for both. So c is cut at the ends of int8's range in all three before its RMS is taken; the
//! RMS of the whole c stands beside it.

use gatelet::net::{Kind, Net};
use gatelet::{
    Kernel, Logits, Model, Precision, Sampler, Session, SnapshotError, TokenId, Weights, WithKernel,
};
use serde::Serialize;

use crate::error::{Error, Result};
use crate::image::{StatePlace, states, storage};
use crate::isa::isa;
use crate::quantize::calibrate::{Saturation, saturation};

/// Seed of both writers; temperature 1, from the whole vocabulary.
const SEED: u64 = 1;

/// How far int8's predictions are from those of f32 on one text, in nats a step.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Divergence {
    /// Mean over all steps.
    pub mean: f64,
    /// Mean over the first tenth.
    pub first: f64,
    /// Mean over the last tenth: larger than `first` when errors pile up.
    pub last: f64,
    /// The largest of a step.
    pub largest: f64,
}

/// Root of the mean square over all units, layers and steps of a tenth.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Rms {
    /// Over the first tenth.
    pub first: f64,
    /// Over the last tenth.
    pub last: f64,
}

/// One model at one text.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Course {
    /// Mean entropy of its predictions, nats.
    pub entropy: f64,
    /// Hidden state.
    pub hidden: Rms,
    /// Cell state, each cut at the ends of int8's range; `None` without an LSTM.
    pub cell: Option<Rms>,
    /// Cell state as it is.
    pub cell_uncut: Option<Rms>,
}

/// What [`closed_loop`] finds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ClosedLoop {
    /// Characters that each writer wrote.
    pub characters: usize,
    /// How many of them, from the start, are the same in both texts.
    pub agreed: usize,
    /// int8 from f32, on the text that int8 wrote.
    pub divergence: Divergence,
    /// int8 writing.
    pub int8: Course,
    /// f32 reading what int8 wrote.
    pub f32_reading: Course,
    /// f32 writing.
    pub f32_writing: Course,
    /// Saturations of int8 while it wrote.
    pub saturation: Saturation,
}

impl ClosedLoop {
    /// How far the RMS of int8's state is from that of f32 over the last tenth of one text, as a
    /// part of the latter: of h or of c, whichever is further. An RMS below a step of int8 (1/128)
    /// counts as one.
    pub fn rms_drift(&self) -> f64 {
        let apart = |a: Rms, b: Rms| (a.last - b.last).abs() / b.last.max(1.0 / 128.0);
        let hidden = apart(self.int8.hidden, self.f32_reading.hidden);
        match (self.int8.cell, self.f32_reading.cell) {
            (Some(a), Some(b)) => hidden.max(apart(a, b)),
            _ => hidden,
        }
    }

    /// How much the divergence has grown from the first to the last tenth, nats a step.
    pub fn growth(&self) -> f64 {
        self.divergence.last - self.divergence.first
    }
}

/// Lets both models write `characters` characters, and `f32` read what `int8` wrote.
///
/// # Errors
/// [`Error::Inference`] when the models are not of one vocabulary.
pub fn closed_loop(int8: Model<'_>, f32: Model<'_>, characters: usize) -> Result<ClosedLoop> {
    let (mut run, written) = isa()?.run(Run {
        int8,
        f32,
        characters,
    })?;
    run.saturation = saturation(int8, &written)?;
    Ok(run)
}

struct Run<'a> {
    int8: Model<'a>,
    f32: Model<'a>,
    characters: usize,
}

impl WithKernel for Run<'_> {
    type Output = Result<(ClosedLoop, Vec<u16>)>;

    fn run<K: Kernel>(self, kernel: K) -> Self::Output {
        let Run {
            int8,
            f32,
            characters,
        } = self;
        let mut stores = [int8, f32, f32].map(|model| storage(model.net()));
        let [a, b, c] = &mut stores;
        let start = |model, storage| {
            let mut session = Session::new(model, kernel, storage).map_err(Error::inference)?;
            session.begin();
            Ok::<_, Error>(session)
        };
        let (mut writer, mut reader) = (start(&int8, a)?, start(&f32, b)?);
        let mut other = start(&f32, c)?;
        let (mut sampler, mut others) = (Sampler::new(SEED), Sampler::new(SEED));
        let [mut at_int8, mut at_reader, mut at_other] =
            [&int8, &f32, &f32].map(|model| Watch::new(model, &int8));
        let mut divergences = Vec::with_capacity(characters);
        let mut written = Vec::with_capacity(characters);
        let mut agreed = None;
        for step in 0..characters {
            let id = sampler.sample(&writer.logits());
            let own = others.sample(&other.logits());
            if id != own {
                agreed.get_or_insert(step);
            }
            written.push(id.0);
            let q = log_softmax(&writer.read(id).map_err(Error::inference)?);
            let p = log_softmax(&reader.read(id).map_err(Error::inference)?);
            let r = log_softmax(&other.read(own).map_err(Error::inference)?);
            let pairs = p.iter().zip(&q);
            divergences.push(pairs.map(|(p, q)| p.exp() * (p - q)).sum::<f64>());
            at_int8.take(&writer, &q).map_err(Error::inference)?;
            at_reader.take(&reader, &p).map_err(Error::inference)?;
            at_other.take(&other, &r).map_err(Error::inference)?;
        }
        let [first, last] = tenths(&divergences);
        let run = ClosedLoop {
            characters,
            agreed: agreed.unwrap_or(characters),
            divergence: Divergence {
                mean: mean(&divergences),
                first: mean(first),
                last: mean(last),
                largest: divergences.iter().copied().fold(0.0, f64::max),
            },
            int8: at_int8.course(),
            f32_reading: at_reader.course(),
            f32_writing: at_other.course(),
            saturation: Saturation::default(),
        };
        Ok((run, written))
    }
}

/// The state of one layer.
struct Place {
    at: StatePlace,
    /// What h of 1 is in int8, and the end of int8's range of c.
    one: f64,
    end: f64,
    /// Whether it has a c.
    has_cell: bool,
}

impl Place {
    /// In a net whose int8 model is given.
    fn new(at: StatePlace, net: &Net, int8: &Model<'_>) -> Self {
        let kind = net.operation(at.operation).map(|of| of.kind);
        let unbounded = kind.and_then(Kind::cell).is_some_and(|form| form.unbounded);
        let bits = match int8.weights(at.operation) {
            Weights::CellInt8(layer) => Some(layer.cell_bits),
            Weights::RecurrentInt8(of) => Some(of.state_bits),
            _ => None,
        };
        let range = bits.map_or(f64::INFINITY, |bits| f64::from(1_u32 << bits));
        Self {
            at,
            one: if unbounded { 128.0 / range } else { 128.0 },
            end: range,
            has_cell: matches!(kind, Some(Kind::Lstm { .. })),
        }
    }
}

/// Takes down the state of a session after every step, as real numbers.
struct Watch {
    snapshot: Vec<u32>,
    precision: Precision,
    states: Vec<Place>,
    /// Mean squares of h, of c cut and of c, and the entropy, a step each.
    hidden: Vec<f64>,
    cell: Vec<f64>,
    cell_uncut: Vec<f64>,
    entropy: Vec<f64>,
}

impl Watch {
    /// For `model`, beside `int8`.
    fn new(model: &Model<'_>, int8: &Model<'_>) -> Self {
        let net = model.net();
        let states = states(net).into_iter();
        Self {
            snapshot: vec![0; net.snapshot_words()],
            precision: net.precision,
            states: states.map(|at| Place::new(at, net, int8)).collect(),
            hidden: Vec::new(),
            cell: Vec::new(),
            cell_uncut: Vec::new(),
            entropy: Vec::new(),
        }
    }

    fn take<K: Kernel>(
        &mut self,
        session: &Session<'_, '_, K>,
        log_p: &[f64],
    ) -> std::result::Result<(), SnapshotError> {
        session.snapshot(&mut self.snapshot)?;
        let (hidden, cell, cut) = self.state();
        let square = |numbers: &[f64]| mean_of(numbers.iter().map(|x| x * x), numbers.len());
        self.hidden.push(square(&hidden));
        self.cell_uncut.push(square(&cell));
        self.cell.push(square(&cut));
        let entropy = -log_p.iter().map(|l| l.exp() * l).sum::<f64>();
        self.entropy.push(entropy);
        Ok(())
    }

    /// h of all layers, c of those that have one, and the same cut at the ends of int8's range.
    /// What a GRU carries in integers is its h again, in 16 bits.
    fn state(&self) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
        let (mut hidden, mut cell, mut cut) = (Vec::new(), Vec::new(), Vec::new());
        for state in &self.states {
            let StatePlace {
                units, h, carried, ..
            } = &state.at;
            let h = h.start..h.start + units;
            let carried = match state.has_cell {
                true => carried.clone(),
                false => 0..0,
            };
            let before = cell.len();
            match self.precision {
                Precision::Int8 => {
                    let (h8, c16): (&[i8], &[i16]) = (
                        bytemuck::cast_slice(&self.snapshot),
                        bytemuck::cast_slice(&self.snapshot),
                    );
                    let of_h = |&x: &i8| f64::from(x) / state.one;
                    let of_c = |&x: &i16| f64::from(x) / 32_768.0 * state.end;
                    hidden.extend(h8[h].iter().map(of_h));
                    cell.extend(c16[carried].iter().map(of_c));
                }
                Precision::F32 => {
                    let all: &[f32] = bytemuck::cast_slice(&self.snapshot);
                    hidden.extend(all[h].iter().map(|&x| f64::from(x)));
                    cell.extend(all[carried].iter().map(|&x| f64::from(x)));
                }
            }
            let end = state.end;
            cut.extend(cell[before..].iter().map(|c| c.clamp(-end, end)));
        }
        (hidden, cell, cut)
    }

    fn course(self) -> Course {
        let rms = |squares: &[f64]| {
            let [first, last] = tenths(squares).map(|part| mean(part).sqrt());
            Rms { first, last }
        };
        let cells = self.states.iter().any(|state| state.has_cell);
        Course {
            entropy: mean(&self.entropy),
            hidden: rms(&self.hidden),
            cell: cells.then(|| rms(&self.cell)),
            cell_uncut: cells.then(|| rms(&self.cell_uncut)),
        }
    }
}

/// The first and the last tenth; of fewer than ten numbers one each.
fn tenths(all: &[f64]) -> [&[f64]; 2] {
    let tenth = (all.len() / 10).max(1).min(all.len());
    [&all[..tenth], &all[all.len() - tenth..]]
}

fn mean(part: &[f64]) -> f64 {
    mean_of(part.iter().copied(), part.len())
}

fn mean_of(numbers: impl Iterator<Item = f64>, count: usize) -> f64 {
    numbers.sum::<f64>() / count.max(1) as f64
}

fn log_softmax(logits: &Logits<'_>) -> Vec<f64> {
    let scores: Vec<f64> = (0..logits.len())
        .map(|id| logits.get(TokenId(id as u16)).map_or(f64::MIN, f64::from))
        .collect();
    let largest = scores.iter().copied().fold(f64::MIN, f64::max);
    let log_sum = scores.iter().map(|s| (s - largest).exp()).sum::<f64>().ln() + largest;
    scores.into_iter().map(|s| s - log_sum).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quantize::export::random;
    use gatelet_random::{GRU, LSTM, RNN, stacked};

    fn run(kind: Kind, layers: usize) -> ClosedLoop {
        let [int8, f32] = [Precision::Int8, Precision::F32].map(|precision| {
            let net = stacked(precision, 30, layers, kind.with_units(18));
            random(&net, 3, "a test").expect("an image")
        });
        let (int8, f32) = (int8.model().expect("int8"), f32.model().expect("f32"));
        closed_loop(int8, f32, 300).expect("a run")
    }

    #[test]
    fn states_of_one_text_are_close_in_their_own_units() {
        for (kind, layers) in [(LSTM, 1), (LSTM, 2), (RNN, 3), (GRU, 2)] {
            let found = run(kind, layers);
            assert_eq!((found.characters, found.saturation.steps), (300, 300));
            assert!(found.rms_drift() < 0.02, "{found:?}");
            assert!(found.int8.hidden.last > 0.01, "{found:?}");
            assert_eq!(found.int8.cell.is_some(), kind == LSTM);
            assert_eq!(found.int8.cell, found.int8.cell_uncut);
            let d = found.divergence;
            assert!(
                d.mean > 0.0 && d.mean < 1e-3 && d.largest >= d.mean,
                "{d:?}"
            );
            let near = (found.int8.entropy - found.f32_reading.entropy).abs();
            assert!(near < 0.01, "{found:?}");
        }
    }

    #[test]
    fn the_same_model_twice_diverges_nowhere() {
        let net = stacked(Precision::F32, 12, 1, LSTM.with_units(9));
        let image = random(&net, 3, "a test").expect("an image");
        let model = image.model().expect("a model");
        let found = closed_loop(model, model, 50).expect("a run");
        assert_eq!((found.agreed, found.divergence.largest), (50, 0.0));
        assert_eq!(found.int8, found.f32_writing);
        assert_eq!((found.growth(), found.rms_drift()), (0.0, 0.0));
    }
}
