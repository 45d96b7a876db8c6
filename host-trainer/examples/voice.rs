//! Voice or noise: a small net learns to tell speech from what is none, frame by frame.
//!
//! ```text
//! scene (16 kHz) -> frames of 16 ms -> log energies of 7 octaves -> GRU of 24 units -> two scores
//! scenes, from a seed (gatelet_sound::synth): noises, in three of four somebody who speaks
//! frames right    of scenes that it was not trained on, by the int8 image
//! ```
//! The int8 image goes to `--out`. `cargo xtask listen voice` runs the committed one on a board;
//! docs/streaming.md has the rest.
//!
//! `cargo run --release --example voice [-- --seed 2] [--quick] [--out voice.gatelet]`

mod demo;

use std::time::Instant;

use clap::Parser;
use gatelet::net::{Activation, Kind, Net, Precision, Reset};
use gatelet::{Isa, Kernel, Layout, Provenance, Session, WithKernel};
use gatelet_sound::Bands;
use gatelet_sound::bands::{BANDS, FRAME};
use gatelet_sound::listener::VOICE;
use gatelet_sound::synth::scene::scene;
use gatelet_trainer::data::{Data, features};
use gatelet_trainer::error::{Error, Result, Shown};
use gatelet_trainer::image::{Image, storage};
use gatelet_trainer::net::{Params, Window};
use gatelet_trainer::quantize::export::{Source, export_net};
use gatelet_trainer::quantize::{Sequence, WeightBits};
use gatelet_trainer::train::learner::Learner;
use gatelet_trainer::train::optim::{Optimizer, OptimizerConfig};
use rayon::prelude::*;

use self::demo::{Options, failed, rate};

const UNITS: usize = 24;
/// Frames of a scene: 4 s.
const FRAMES: usize = 250;
/// Scenes to train on, of a batch, and epochs.
const TRAINING: [usize; 3] = [1_200, 16, 30];
/// The short form.
const QUICK: [usize; 3] = [120, 8, 12];
/// The highest learning rate, and the last one.
const RATES: [f64; 2] = [8e-3, 2e-4];
/// Scenes held out, in the short form too, from a seed on that no other scene has.
const HELD_OUT: ([usize; 2], u64) = ([200, 40], 1 << 40);

/// Scenes as the net hears them.
struct Scenes {
    /// [scenes, frames, bands]
    bands: Vec<f32>,
    /// [scenes, frames]
    voice: Vec<bool>,
}

impl Scenes {
    fn new(seed: u64, count: usize) -> Self {
        let one = |index: usize| {
            let scene = scene(seed + index as u64, FRAMES);
            let mut bands = Bands::new();
            let (frames, _) = scene.samples.as_chunks::<FRAME>();
            let heard: Vec<f32> = frames.iter().flat_map(|x| bands.frame(x)).collect();
            (heard, scene.voice)
        };
        let all: Vec<(Vec<f32>, Vec<bool>)> = (0..count).into_par_iter().map(one).collect();
        let (bands, voice): (Vec<_>, Vec<_>) = all.into_iter().unzip();
        Self {
            bands: bands.concat(),
            voice: voice.concat(),
        }
    }
}

impl Data<f32> for Scenes {
    fn len(&self) -> usize {
        self.voice.len() / FRAMES
    }

    fn steps(&self) -> usize {
        FRAMES
    }

    fn counted(&self, _example: usize) -> usize {
        FRAMES
    }

    fn fill(
        &self,
        example: usize,
        row: usize,
        window: &mut Window<'_, f32>,
        _room: &mut Vec<u16>,
    ) -> Result<()> {
        window.ignore(row);
        let own = example * FRAMES..(example + 1) * FRAMES;
        let frames = self.bands[own.start * BANDS..].chunks_exact(BANDS);
        for (t, (bands, &voice)) in frames.zip(&self.voice[own]).enumerate() {
            let at = t * window.rows + row;
            window.features[at * BANDS..][..BANDS].copy_from_slice(bands);
            if let Some(asked) = window.targets.first_mut() {
                asked.tokens[at] = voice.into();
            }
        }
        Ok(())
    }
}

fn net() -> Net {
    let scores = Kind::Dense {
        units: 2,
        activation: Activation::None,
    };
    let gru = Kind::gru(UNITS, Reset::After);
    Net::features(Precision::F32, BANDS)
        .then(gru)
        .then(scores)
        .scores()
}

/// How many frames are which.
#[derive(Clone, Copy, Default)]
struct Right {
    voice: usize,
    voice_found: usize,
    noise: usize,
    noise_found: usize,
}

impl Right {
    fn all(self) -> f64 {
        percent(self.voice_found + self.noise_found, self.voice + self.noise)
    }
}

fn percent(part: usize, of: usize) -> f64 {
    100.0 * part as f64 / of.max(1) as f64
}

/// What an image says of scenes.
struct Answers<'a>(&'a Image, &'a Scenes);

impl WithKernel for Answers<'_> {
    type Output = Result<Right>;

    fn run<K: Kernel>(self, kernel: K) -> Self::Output {
        let model = self.0.model().map_err(failed)?;
        let mut storage = storage(model.net());
        let mut session = Session::new(&model, kernel, &mut storage).map_err(failed)?;
        let mut right = Right::default();
        let frames = self.1.bands.chunks_exact(BANDS).zip(&self.1.voice);
        for (index, (bands, &voice)) in frames.enumerate() {
            if index % FRAMES == 0 {
                session.reset();
            }
            let says = session.step(bands).map_err(failed)?.argmax() == VOICE;
            let (all, found) = match voice {
                true => (&mut right.voice, &mut right.voice_found),
                false => (&mut right.noise, &mut right.noise_found),
            };
            *all += 1;
            *found += usize::from(says == voice);
        }
        Ok(right)
    }
}

fn main() -> Result<(), Shown> {
    let options = Options::parse();
    let out = options.output()?;
    let ([scenes, batch, epochs], bound) = match options.quick {
        true => (QUICK, 75.0),
        false => (TRAINING, 90.0),
    };
    let started = Instant::now();
    let data = Scenes::new(options.seed << 24, scenes);
    let ([all, few], first) = HELD_OUT;
    let count = if options.quick { few } else { all };
    let held_out = Scenes::new(first, count);
    let mut learner = Learner::new(
        Params::<f32>::init(net(), options.seed),
        OptimizerConfig::of(Optimizer::Adam),
    );
    println!(
        "a net of {UNITS} units, {} multiply-accumulates a frame of 16 ms",
        net().macs_per_step()
    );
    println!(
        "{scenes} scenes of 4 s to train on, {count} held out; made in {:.0} s",
        started.elapsed().as_secs_f32()
    );
    println!("\nepoch   nats a frame   frames right, held out   seconds");
    for epoch in 1..=epochs {
        let part = (epoch - 1) as f64 / epochs as f64;
        let rate = rate(RATES, part);
        let nats = learner.epoch(&data, batch, rate, options.seed + epoch as u64)?;
        if epoch % 5 == 0 || epoch == epochs {
            let right = 100.0 * learner.score(&held_out)?.accuracy;
            let seconds = started.elapsed().as_secs_f32();
            println!("{epoch:5} {nats:14.4} {right:22.1} % {seconds:9.0}");
        }
    }

    let command = options.command("voice");
    let nats = learner.score(&held_out)?.nats;
    let provenance = Provenance {
        corpus: "speech and noises, made up (gatelet-sound)",
        command: &command,
        trainer: concat!("gatelet-trainer ", env!("CARGO_PKG_VERSION")),
        seed: options.seed,
        // Rounded, so that the last bits of an f32 kernel do not change the file.
        nats_f32: ((nats * 1e4).round() / 1e4) as f32,
        nats: f32::NAN,
        ..Provenance::default()
    };
    // Ranges are chosen on some of what it was trained on.
    let scenes = features(&data, BANDS, 40)?;
    let scenes: Vec<_> = scenes.iter().map(|of| Sequence::Features(of)).collect();
    let source = Source::of_net(learner.params(), provenance);
    let (image, _) = export_net(source, &scenes, Precision::Int8, WeightBits::EIGHT)?;
    let right = Isa::detect().run(Answers(&image.for_isa(Isa::detect())?, &held_out))?;
    println!(
        "\nin int8, held out: {:.1} % of frames right; of voice {:.1} %, of noise {:.1} %",
        right.all(),
        percent(right.voice_found, right.voice),
        percent(right.noise_found, right.noise)
    );
    // As the board's kernel, that of a Cortex-M4, reads it.
    let image = image.repacked(Layout::Pairs)?;
    println!("image: {} bytes", image.bytes().len());
    if let Some(out) = out {
        out.write(image.bytes()).map_err(Error::from)?;
    }
    assert!(
        right.all() > bound,
        "a net that has learnt is above {bound} %"
    );
    Ok(())
}
