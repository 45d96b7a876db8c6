//! A guitar amplifier: a net learns what a circuit makes of plucked strings, sample by sample.
//!
//! ```text
//! x (strings, 48 kHz) -> circuit -> y            gatelet_sound::synth, made up from a seed
//! y' = x + dense(LSTM of 16 units(x))            one number in, one out
//! clips from silence on, short ones first: 11 ms, then 43, then 85
//! ESR = sum (y - y')^2 / sum y^2                 of 10 s that it was not trained on, by the image
//! ```
//! The f32 image goes to `--out`. `cargo xtask listen amplifier` runs the committed one on a board;
//! docs/streaming.md has the rest.
//!
//! `cargo run --release --example amplifier [-- --seed 2] [--quick] [--out amplifier.gatelet]`

mod demo;

use std::time::Instant;

use clap::Parser;
use gatelet::net::{Activation, Kind, Net, Operand, Precision, Value};
use gatelet::{Isa, Kernel, Provenance, Session, WithKernel};
use gatelet_sound::synth::circuit::Circuit;
use gatelet_sound::synth::guitar::{RATE, play};
use gatelet_trainer::data::{Data, features};
use gatelet_trainer::error::{Error, Result, Shown};
use gatelet_trainer::image::{Image, storage};
use gatelet_trainer::net::{Params, Window};
use gatelet_trainer::quantize::export::{Source, export_net};
use gatelet_trainer::quantize::{Sequence, WeightBits};
use gatelet_trainer::train::learner::Learner;
use gatelet_trainer::train::optim::{Optimizer, OptimizerConfig};

use self::demo::{Options, failed, rate};

const UNITS: usize = 16;
/// Samples of a clip, clips, of a batch, epochs: one stage after the other.
type Stage = [usize; 4];
const STAGES: [Stage; 3] = [
    [512, 1_600, 16, 24],
    [2_048, 960, 32, 20],
    [4_096, 320, 32, 6],
];
/// The short form.
const QUICK: [Stage; 1] = [[512, 200, 8, 6]];
/// The highest learning rate, and the last one.
const RATES: [f64; 2] = [8e-3, 1e-4];
/// Seconds held out, and their seed, which no clip has.
const HELD_OUT: (usize, u64) = (10, 1_000_003);

/// Pieces of playing, each from silence and a circuit at rest on.
struct Clips {
    steps: usize,
    /// [clips, steps]: before and behind the circuit.
    dry: Vec<f32>,
    wet: Vec<f32>,
}

fn amplified(dry: &[f32]) -> Vec<f32> {
    let mut circuit = Circuit::new();
    dry.iter().map(|&x| circuit.next(x)).collect()
}

impl Clips {
    fn new(seed: u64, count: usize, steps: usize) -> Self {
        let (mut dry, mut wet) = (Vec::new(), Vec::new());
        for clip in 0..count as u64 {
            let played = play(seed * 100_000 + clip, steps);
            wet.extend(amplified(&played));
            dry.extend(played);
        }
        Self { steps, dry, wet }
    }
}

impl Data<f32> for Clips {
    fn len(&self) -> usize {
        self.dry.len() / self.steps
    }

    fn steps(&self) -> usize {
        self.steps
    }

    fn counted(&self, _example: usize) -> usize {
        self.steps
    }

    fn fill(
        &self,
        example: usize,
        row: usize,
        window: &mut Window<'_, f32>,
        _room: &mut Vec<u16>,
    ) -> Result<()> {
        window.ignore(row);
        let own = example * self.steps..(example + 1) * self.steps;
        let pairs = self.dry[own.clone()].iter().zip(&self.wet[own]);
        for (t, (&x, &y)) in pairs.enumerate() {
            let at = t * window.rows + row;
            window.features[at] = x;
            if let Some(asked) = window.targets.first_mut() {
                (asked.numbers[at], asked.counts[at]) = (y, true);
            }
        }
        Ok(())
    }
}

fn net() -> Net {
    let dense = Kind::Dense {
        units: 1,
        activation: Activation::None,
    };
    let skip = Operand::two(Value::INPUT, Value::of(1));
    Net::features(Precision::F32, 1)
        .then(Kind::lstm(UNITS))
        .then(dense)
        .with(Kind::Add, skip)
        .values()
}

/// What an image makes of a sound.
struct Through<'a>(&'a Image, &'a [f32]);

impl WithKernel for Through<'_> {
    type Output = Result<Vec<f32>>;

    fn run<K: Kernel>(self, kernel: K) -> Self::Output {
        let model = self.0.model().map_err(failed)?;
        let mut storage = storage(model.net());
        let mut session = Session::new(&model, kernel, &mut storage).map_err(failed)?;
        let mut sound = Vec::with_capacity(self.1.len());
        for &x in self.1 {
            session.step(&[x]).map_err(failed)?;
            sound.extend(session.values(0));
        }
        Ok(sound)
    }
}

/// Error to signal, in dB.
fn esr(found: &[f32], asked: &[f32]) -> f64 {
    let squares = |of: &mut dyn Iterator<Item = f32>| of.map(|x| f64::from(x * x)).sum::<f64>();
    let error = squares(&mut found.iter().zip(asked).map(|(a, b)| a - b));
    10.0 * (error / squares(&mut asked.iter().copied())).log10()
}

/// Trains through the stages; what the net is after them, and its image, with its dB held out.
fn train(options: &Options, stages: &[Stage], held_out: [&[f32]; 2]) -> Result<(Image, f64)> {
    let command = options.command("amplifier");
    let provenance = Provenance {
        corpus: "plucked strings through a circuit, made up (gatelet-sound)",
        command: &command,
        trainer: concat!("gatelet-trainer ", env!("CARGO_PKG_VERSION")),
        seed: options.seed,
        nats_f32: f32::NAN,
        nats: f32::NAN,
        ..Provenance::default()
    };
    let adam = OptimizerConfig::of(Optimizer::Adam);
    let mut learner = Learner::new(Params::<f32>::init(net(), options.seed), adam);
    let of_stage = |[steps, clips, _, epochs]: &Stage| steps * clips * epochs;
    let samples: usize = stages.iter().map(of_stage).sum();
    let (started, mut done, mut last) = (Instant::now(), 0, None);
    println!("\nclip, ms   epochs   mean squared error   held out, dB   seconds");
    for (stage, &[steps, clips, batch, epochs]) in stages.iter().enumerate() {
        let data = Clips::new(options.seed * 10 + stage as u64, clips, steps);
        let mut squared = 0.0;
        for epoch in 0..epochs {
            let part = done as f64 / samples as f64;
            let rate = rate(RATES, part);
            squared = learner.epoch(&data, batch, rate, options.seed + epoch as u64)?;
            done += steps * clips;
        }
        let clip = features(&data, 1, 1)?;
        let source = Source::of_net(learner.params(), provenance);
        let data = [Sequence::Features(&clip[0])];
        let (image, _) = export_net(source, &data, Precision::F32, WeightBits::EIGHT)?;
        let found = Isa::detect().run(Through(&image, held_out[0]))?;
        let db = esr(&found, held_out[1]);
        println!(
            "{:8.0} {epochs:8} {squared:20.6} {db:14.1} {:9.0}",
            1e3 * steps as f64 / f64::from(RATE),
            started.elapsed().as_secs_f32()
        );
        last = Some((image, db));
    }
    last.ok_or_else(|| failed("no stages"))
}

fn main() -> Result<(), Shown> {
    let options = Options::parse();
    let out = options.output()?;
    let (seconds, seed) = HELD_OUT;
    let dry = play(seed, seconds * RATE as usize);
    let wet = amplified(&dry);
    let untouched = esr(&dry, &wet);
    println!(
        "a net of {UNITS} units, {} multiply-accumulates a sample",
        net().macs_per_step()
    );
    println!(
        "{seconds} s held out; the strings themselves are {untouched:.1} dB from what is asked"
    );
    let (stages, bound) = match options.quick {
        true => (&QUICK[..], -6.0),
        false => (&STAGES[..], -20.0),
    };
    let (image, db) = train(&options, stages, [&dry, &wet])?;
    println!(
        "\nerror to signal on what is held out: {db:.1} dB; image: {} bytes",
        image.bytes().len()
    );
    if let Some(out) = out {
        out.write(image.bytes()).map_err(Error::from)?;
    }
    assert!(db < bound, "a net that has learnt is below {bound} dB");
    Ok(())
}
