//! Voice or noise: a small net learns to tell speech from what is none, frame by frame.
//!
//! ```text
//! scene (16 kHz) -> frames of 16 ms -> log energies of 7 octaves -> GRU of 24 units -> two scores
//! scenes, from a seed (gatelet_sound::synth): noises, in three of four somebody who speaks
//! a table         a row a frame: scene, seven energies, voice or noise
//! frames right    of scenes that it was not trained on, by the int8 image
//! ```
//! The table is learnt as by `gatelet train TABLE --task label --target says --group scene`. The int8
//! image goes to `--out`. `cargo xtask listen voice` runs the committed one on a board;
//! docs/streaming.md has the rest.
//!
//! `cargo run --release --example voice [-- --seed 2] [--quick] [--out voice.gatelet]`

mod demo;

use std::fmt::Write as _;
use std::path::Path;

use clap::Parser;
use gatelet::{Isa, Layout, Precision};
use gatelet_sound::Bands;
use gatelet_sound::bands::FRAME;
use gatelet_sound::synth::scene::scene;
use gatelet_trainer::analysis::answers::{Answers, CALIBRATED, image_of};
use gatelet_trainer::error::{Result, Shown};
use gatelet_trainer::files;
use gatelet_trainer::quantize::WeightBits;
use gatelet_trainer::train::config::Config;
use gatelet_trainer::train::layers::Cell;
use gatelet_trainer::train::optim::Optimizer;
use gatelet_trainer::train::series::options::{SeriesOptions, Task};
use rayon::prelude::*;

use self::demo::Options;

/// Frames of a scene: 4 s.
const FRAMES: usize = 250;
/// Scenes to train on, of a batch, and epochs.
const TRAINING: [usize; 3] = [1_200, 16, 30];
/// The short form.
const QUICK: [usize; 3] = [120, 8, 12];
/// Scenes held out, in the short form too, from a seed on that no other scene has.
const HELD_OUT: ([usize; 2], u64) = ([200, 40], 1 << 40);

/// Rows of the table of a scene.
fn rows(seed: u64) -> String {
    let scene = scene(seed, FRAMES);
    let (mut bands, mut rows) = (Bands::new(), String::new());
    let (frames, _) = scene.samples.as_chunks::<FRAME>();
    for (frame, &voice) in frames.iter().zip(&scene.voice) {
        let energies = bands.frame(frame).map(|x| x.to_string()).join(",");
        let says = if voice { "voice" } else { "noise" };
        // A String takes all that is written into it.
        let _ = writeln!(rows, "{seed},{energies},{says}");
    }
    rows
}

/// Scenes from a seed on, as a table.
fn table(path: &Path, seed: u64, count: usize) -> Result<()> {
    let seeds = (0..count as u64).into_par_iter();
    let rows: Vec<String> = seeds.map(|index| rows(seed + index)).collect();
    let header = "scene,4k,2k,1k,500,250,125,0,says\n";
    files::write(path, (header.to_owned() + &rows.concat()).as_bytes())
}

fn main() -> Result<(), Shown> {
    let options = Options::parse();
    let out = options.output()?;
    let ([scenes, batch, epochs], bound) = match options.quick {
        true => (QUICK, 0.75),
        false => (TRAINING, 0.90),
    };
    let ([all, few], first) = HELD_OUT;
    let folder = demo::scratch()?;
    let [train, valid] = ["train.csv", "valid.csv"].map(|name| folder.path().join(name));
    table(&train, options.seed << 24, scenes)?;
    table(&valid, first, if options.quick { few } else { all })?;

    let series = SeriesOptions {
        target: vec!["says".to_owned()],
        group: Some("scene".to_owned()),
        ..SeriesOptions::of(Task::Label)
    };
    let sizes = Config {
        cell: Cell::Gru,
        hidden: 24,
        batch,
        window: FRAMES,
        epochs,
        seed: options.seed,
        ..Config::of_sequences()
    };
    let config = Config {
        lr: 8e-3,
        patience: 0,
        series: Some(series),
        ..sizes.with_optimizer(Optimizer::Adam)
    };
    let name = "speech and noises, made up (gatelet-sound)";
    let data = demo::read(name, [&train, &valid], &config)?;
    let best = demo::train(&data, config, options.command("voice"), folder.path())?;

    let inputs = data.train().inputs(CALIBRATED)?;
    let of = (Precision::Int8, WeightBits::EIGHT);
    let (image, _) = image_of(&best, &inputs.sequences(), of)?;
    let isa = Isa::detect();
    let answers = Answers::of(&best, &data, &image.for_isa(isa)?, isa)?;
    let right = answers.changes[0].image;
    let [noise, voice] = [0, 1].map(|class| 100.0 * answers.tallies[0].of_each()[class].recall);
    println!(
        "\nin int8, held out: {:.1} % of frames right; of voice {voice:.1} %, of noise {noise:.1} %",
        100.0 * right
    );
    // As the board's kernel, that of a Cortex-M4, reads it.
    demo::write(out, &image.repacked(Layout::Pairs)?)?;
    assert!(
        right > bound,
        "a net that has learnt has more than {bound} right"
    );
    Ok(())
}
