//! A guitar amplifier: a net learns what a circuit makes of plucked strings, sample by sample.
//!
//! ```text
//! x (strings, 48 kHz) -> circuit -> y            gatelet_sound::synth, made up from a seed
//! y' = dense(LSTM of 16 units(x))                one number in, one out
//! input_0.wav, target_0.wav, ..                  takes of a second, each from silence on
//! ESR = sum (y - y')^2 / sum y^2                 of 10 s that it was not trained on, by the image
//! ```
//! The takes are learnt as by `gatelet train FOLDER --task regress --cell lstm --hidden 16`. The f32
//! image goes to `--out`. `cargo xtask listen amplifier` runs the committed one on a board;
//! docs/streaming.md has the rest.
//!
//! `cargo run --release --example amplifier [-- --seed 2] [--quick] [--out amplifier.gatelet]`

mod demo;

use std::path::Path;

use clap::Parser;
use gatelet::{Isa, Precision};
use gatelet_sound::synth::circuit::Circuit;
use gatelet_sound::synth::guitar::{RATE, play};
use gatelet_trainer::analysis::answers::{Answers, CALIBRATED, image_of};
use gatelet_trainer::error::{Error, Result, Shown};
use gatelet_trainer::quantize::WeightBits;
use gatelet_trainer::train::config::Config;
use gatelet_trainer::train::optim::Optimizer;
use gatelet_trainer::train::series::options::{SeriesOptions, Task};
use hound::{SampleFormat, WavSpec, WavWriter};

use self::demo::Options;

/// Takes to train on, of a batch, and epochs.
const TRAINING: [usize; 3] = [64, 16, 24];
/// The short form.
const QUICK: [usize; 3] = [8, 4, 3];
/// Samples of a take, and those that gradients travel back.
const TAKE: usize = RATE as usize;
const WINDOW: usize = 1_024;
/// Seconds held out, and their seed, which no take has.
const HELD_OUT: (usize, u64) = (10, 1_000_003);

/// The strings and what the circuit makes of them, as `input` and `target` in a folder.
fn take(folder: &Path, name: &str, seed: u64, samples: usize) -> Result<()> {
    let spec = WavSpec {
        channels: 1,
        sample_rate: RATE,
        bits_per_sample: 32,
        sample_format: SampleFormat::Float,
    };
    let dry = play(seed, samples);
    let mut circuit = Circuit::new();
    let wet = dry.iter().map(|&x| circuit.next(x)).collect();
    for (side, sound) in [("input", dry), ("target", wet)] {
        let path = folder.join(format!("{side}_{name}.wav"));
        let written = WavWriter::create(&path, spec).and_then(|mut writer| {
            sound.iter().try_for_each(|&x| writer.write_sample(x))?;
            writer.finalize()
        });
        written.map_err(|error| Error::Write {
            path,
            source: std::io::Error::other(error),
        })?;
    }
    Ok(())
}

fn main() -> Result<(), Shown> {
    let options = Options::parse();
    let out = options.output()?;
    let ([takes, batch, epochs], bound) = match options.quick {
        true => (QUICK, 0.1),
        false => (TRAINING, 0.01),
    };
    let (seconds, seed) = HELD_OUT;
    let folder = demo::scratch()?;
    let parts = ["train", "valid"].map(|part| folder.path().join(part));
    for part in &parts {
        std::fs::create_dir(part).map_err(|source| Error::Write {
            path: part.clone(),
            source,
        })?;
    }
    for index in 0..takes as u64 {
        let seed = options.seed * 100_000 + index;
        take(&parts[0], &index.to_string(), seed, TAKE)?;
    }
    take(&parts[1], "held_out", seed, seconds * TAKE)?;

    let sizes = Config {
        hidden: 16,
        batch,
        window: WINDOW,
        epochs,
        seed: options.seed,
        ..Config::of_sequences()
    };
    let config = Config {
        lr: 8e-3,
        patience: 0,
        series: Some(SeriesOptions::of(Task::Regress)),
        ..sizes.with_optimizer(Optimizer::Adam)
    };
    let name = "plucked strings through a circuit, made up (gatelet-sound)";
    let [train, valid] = &parts;
    let data = demo::read(name, [train, valid], &config)?;
    let command = options.command("amplifier");
    let best = demo::train(&data, config, command, folder.path())?;

    let inputs = data.train().inputs(CALIBRATED)?;
    let of = (Precision::F32, WeightBits::EIGHT);
    let (image, _) = image_of(&best, &inputs.sequences(), of)?;
    let isa = Isa::detect();
    let answers = Answers::of(&best, &data, &image.for_isa(isa)?, isa)?;
    let error = answers.changes[0].image;
    println!(
        "\nerror to signal on {seconds} s that are held out: {:.2} %, {:.1} dB",
        100.0 * error,
        10.0 * error.log10()
    );
    demo::write(out, &image)?;
    assert!(error < bound, "a net that has learnt is below {bound}");
    Ok(())
}
