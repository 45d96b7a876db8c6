//! The course's SimpleRNN: two words in, the third one out.
//!
//! ```text
//! h_t = tanh(W_x[word t] + W_h h_{t-1} + b)     t = 1, 2        139*30 + 30*30 + 30
//! p   = softmax(W h_2 + c)                                      30*139 + 139          9,409 parameters
//! ```
//! A one-hot word times a matrix is a row of it, so the library takes the row: a run on sequences of
//! tokens with a class each, as `gatelet train TABLE --task classify --tokens 139`. Categorical
//! cross-entropy at the second word, Adam, batches of 32. Every tenth row is held out. 20 epochs,
//! of which the checkpoint with the best held-out accuracy stays; it is loaded and trained for 10
//! more, which go on from the best one too.
//!
//! `cargo run --release --example simple_rnn [-- --seed 2] [--seeds 5] [--quick] [--keep best.safetensors]`

mod course;

use std::path::{Path, PathBuf};

use clap::Parser;
use gatelet_trainer::data::ngrams::Grams;
use gatelet_trainer::error::{Error, Result, Shown};
use gatelet_trainer::files;
use gatelet_trainer::isa::isa;
use gatelet_trainer::net::unroll::Unrolled;
use gatelet_trainer::net::{Params, glorot};
use gatelet_trainer::quantize::export::own_image;
use gatelet_trainer::train::Trainer;
use gatelet_trainer::train::checkpoint::Checkpoint;
use gatelet_trainer::train::config::Config;
use gatelet_trainer::train::layers::Cell;
use gatelet_trainer::train::optim::{Optimizer, Schedule};
use gatelet_trainer::train::series::answers::count;
use gatelet_trainer::train::series::{Part, Series};

const EPOCHS: usize = 20;
const MORE_EPOCHS: usize = 10;

#[derive(Parser)]
struct Options {
    /// Seed of the start and of the orders.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Shows a table of so many seeds, from 1.
    #[arg(long, default_value_t = 0)]
    seeds: u64,
    /// Nothing is shorter: all of it takes seconds.
    #[arg(long)]
    quick: bool,
    /// Where the best checkpoint goes: a file that is not there yet. Without it, a folder that vanishes.
    #[arg(long, value_name = "FILE", conflicts_with = "seeds")]
    keep: Option<PathBuf>,
}

/// Keras' numbers: Adam at 0.001, nothing clipped, nothing decayed.
fn config(words: usize, seed: u64) -> Config {
    let adam = Config::default().with_optimizer(Optimizer::Adam);
    let course = Config {
        cell: Cell::Rnn,
        hidden: 30,
        batch: 32,
        window: 2,
        seed,
        lr: 1e-3,
        epsilon: 1e-7,
        ..adam
    };
    Config {
        epochs: EPOCHS + MORE_EPOCHS,
        schedule: Schedule::Constant,
        warmup: 0,
        clip: f64::INFINITY,
        series: Some(course::options(words)),
        ..course
    }
}

/// The rows as two tables, in a folder: those to train on, and every tenth, held out.
fn tables(grams: &Grams, folder: &Path) -> Result<[PathBuf; 2]> {
    let paths = ["train", "held"].map(|part| folder.join(part).with_extension("csv"));
    for (path, part) in paths.iter().zip(["train", "held"]) {
        let rows = grams.rows().enumerate();
        let own = rows.filter(|(index, _)| (index % 10 == 9) == (part == "held"));
        let sequences =
            own.map(|(_, row)| (&row[..2], grams.words()[usize::from(row[2])].as_str()));
        course::write(path, part, sequences)?;
    }
    Ok(paths)
}

/// The best checkpoint so far, on disk.
struct Best<'a> {
    path: &'a Path,
    epoch: usize,
    held_out: f64,
}

/// Trains for `epochs` more; whenever the held-out accuracy is better than ever, the checkpoint is
/// written anew.
fn train(trainer: &mut Trainer<'_>, epochs: usize, best: &mut Best<'_>, show: bool) -> Result<()> {
    let first = trainer.position().epoch;
    for epoch in first + 1..=first + epochs {
        let before = trainer.position().clone();
        while trainer.position().epoch < epoch {
            trainer.step()?;
        }
        let judged = trainer.judge()?;
        let accuracy = judged.figure.unwrap_or(0.0);
        let better = accuracy > best.held_out;
        if better {
            (best.epoch, best.held_out) = (epoch, accuracy);
            let mut checkpoint = trainer.checkpoint(true);
            let provenance = &mut checkpoint.meta.provenance;
            (provenance.nats, provenance.epoch) = (Some(judged.loss), epoch);
            files::write(best.path, &checkpoint.to_bytes()?)?;
        }
        if show {
            let now = trainer.position();
            let count = now.loss_count - before.loss_count;
            let nats = (now.loss_sum - before.loss_sum) / count as f64;
            let kept = if better { "   best so far: kept" } else { "" };
            println!(
                "{epoch:>5} {nats:>10.3} {:>10.3} {:>8.1} %{kept}",
                judged.loss,
                100.0 * accuracy
            );
        }
    }
    Ok(())
}

/// How many of some parts of the rows a net has right, as a device computes it in f32.
fn right(checkpoint: &Checkpoint, data: &Series, parts: &[&Part]) -> Result<f64> {
    let image = own_image(checkpoint)?.for_isa(isa()?)?;
    let model = image
        .model()
        .map_err(|error| Error::Export(error.to_string()))?;
    let mut all = data.tally();
    for part in parts {
        all.add(&count(&model, isa()?, part, (&data.tally(), &[]))?);
    }
    Ok(all.figure())
}

/// The course's system from start to end: held-out accuracy of the best checkpoint, top-1 on all
/// rows of that one and after 10 epochs more; and the net.
fn run(
    data: &Series,
    seed: u64,
    path: &Path,
    show: bool,
) -> Result<([f64; 4], usize, Params<f32>)> {
    let words = data.train().set().outputs();
    let config = config(words, seed);
    let command = format!("cargo run --release --example simple_rnn -- --seed {seed}");
    let bound = glorot(words, config.hidden);
    let mut trainer = Trainer::new(data, config, command)?;
    *trainer.params_mut() = trainer.params().clone().with_row_bound(bound);
    let mut best = Best {
        path,
        epoch: 0,
        held_out: 0.0,
    };
    train(&mut trainer, EPOCHS, &mut best, show)?;
    let (epoch, held_out) = (best.epoch, best.held_out);

    let bytes = std::fs::read(path).map_err(|source| Error::Read {
        path: path.to_owned(),
        source,
    })?;
    let checkpoint = Checkpoint::from_bytes(&bytes, path)?;
    let found = right(&checkpoint, data, &[data.valid()])?;
    assert!(
        (found - held_out).abs() < 0.01,
        "the checkpoint is the net that was measured: {found}, {held_out}"
    );
    let both = [data.train(), data.valid()];
    let all = right(&checkpoint, data, &both)?;
    if show {
        println!("\nloaded the checkpoint of epoch {epoch}, {MORE_EPOCHS} epochs more:\n");
    }
    let mut trainer = Trainer::resume(data, checkpoint)?;
    train(&mut trainer, MORE_EPOCHS, &mut best, show)?;
    let all_more = right(&trainer.checkpoint(false), data, &both)?;
    let figures = [held_out, all, best.held_out, all_more];
    Ok((figures, epoch, trainer.params().clone()))
}

/// Probabilities of all words after two.
fn probabilities(net: &Params<f32>, words: &[u16]) -> Vec<f32> {
    let net = Unrolled::new(&net.cast(), words);
    let all = net.probabilities(words.len() - 1);
    all.iter().map(|&p| p as f32).collect()
}

fn main() -> Result<(), Shown> {
    let options = Options::parse();
    if let Some(path) = &options.keep {
        files::Output::new(path, files::CHECKPOINT, false)
            .check()
            .map_err(Error::from)?;
    }
    let folder = tempfile::tempdir().map_err(|source| Error::Write {
        path: std::env::temp_dir(),
        source,
    })?;
    let path = options
        .keep
        .clone()
        .unwrap_or_else(|| folder.path().join("best.safetensors"));
    let table = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpora/love_grams.tsv");
    let grams = Grams::read(&table, 3)?;
    let [train, held_out] = tables(&grams, folder.path())?;
    let words = grams.words();
    let course = config(words.len(), options.seed);
    let data = course::read(
        "corpora/love_grams.tsv",
        [&train, &held_out],
        words,
        &course,
    )?;
    let shape = course.shape(words.len());
    println!(
        "{} rows to train on, {} held out, {} words",
        data.train().picked().len(),
        data.valid().picked().len(),
        shape.vocab
    );
    println!("parameters: {}", shape.parameters());
    assert_eq!(shape.parameters(), 9_409, "the course's count");
    let best_possible = grams.best_possible(0..2, 2);

    if options.seeds > 0 {
        println!("\nseed  epoch   held out   all rows   held out, 10 more   all rows, 10 more");
        for seed in 1..=options.seeds {
            let ([held, all, held_more, all_more], epoch, _) = run(&data, seed, &path, false)?;
            let [held, all, held_more, all_more] =
                [held, all, held_more, all_more].map(|x| 100.0 * x);
            println!(
                "{seed:>4} {epoch:>6} {held:>8.1} % {all:>8.1} % {held_more:>17.1} % {all_more:>17.1} %"
            );
        }
        return Ok(());
    }

    println!("\nepoch   training   held out    top-1");
    let ([_, _, _, all], _, net) = run(&data, options.seed, &path, true)?;
    println!(
        "\ntop-1 on all rows: {:.1} % (the best possible: {:.1} %)\n",
        100.0 * all,
        100.0 * best_possible
    );
    for phrase in ["love the", "love it", "love to"] {
        let probabilities = probabilities(&net, &grams.ids(phrase)?);
        println!("{phrase} ...   {}", grams.likeliest(&probabilities, 3));
    }
    assert!(
        all > 0.25 && all <= best_possible,
        "far above the commonest word's {:.3}",
        grams.best_possible(0..0, 2)
    );
    let first = grams.likeliest(&probabilities(&net, &grams.ids("love the")?), 1);
    assert!(
        first.starts_with("smell "),
        "what follows \"love the\" most often, not {first}"
    );
    Ok(())
}
