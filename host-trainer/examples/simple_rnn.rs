//! The course's SimpleRNN: two words in, the third one out.
//!
//! ```text
//! h_t = tanh(W_x[word t] + W_h h_{t-1} + b)     t = 1, 2        139*30 + 30*30 + 30
//! p   = softmax(W h_2 + c)                                      30*139 + 139          9,409 parameters
//! ```
//! A one-hot word times a matrix is a row of it, so the library takes the row. Categorical cross-entropy at the second
//! word, Adam, batches of 32. Every tenth row is held out. 20 epochs, of which the checkpoint with the best held-out
//! accuracy stays; it is loaded and trained for 10 more, which go on from the best one too.
//!
//! `cargo run --release --example simple_rnn [-- --seed 2] [--seeds 5] [--quick] [--keep best.safetensors]`

use std::path::{Path, PathBuf};

use clap::Parser;
use gatelet_trainer::data::ngrams::Grams;
use gatelet_trainer::data::sequences::Batch;
use gatelet_trainer::error::{Error, Result, Shown};
use gatelet_trainer::files;
use gatelet_trainer::net::{glorot, softmax};
use gatelet_trainer::train::checkpoint::{Checkpoint, Provenance};
use gatelet_trainer::train::config::Config;
use gatelet_trainer::train::layers::Cell;
use gatelet_trainer::train::learner::Learner;
use gatelet_trainer::train::many_to_one;
use gatelet_trainer::train::optim::{Optimizer, Schedule};

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
fn config(seed: u64) -> Config {
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
        epochs: EPOCHS,
        schedule: Schedule::Constant,
        warmup: 0,
        clip: f64::INFINITY,
        ..course
    }
}

/// The rows, split into those to train on and those held out.
struct Data {
    grams: Grams,
    train: Batch,
    held_out: Batch,
    all: Batch,
}

impl Data {
    fn read() -> Result<Self> {
        let table = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpora/love_grams.tsv");
        let grams = Grams::read(&table, 3)?;
        let [mut train, mut held_out, mut all] = [(); 3].map(|()| Batch::new(2));
        for (index, row) in grams.rows().enumerate() {
            let part = if index % 10 == 9 {
                &mut held_out
            } else {
                &mut train
            };
            part.push_answer(&row[..2], row[2]);
            all.push_answer(&row[..2], row[2]);
        }
        Ok(Self {
            grams,
            train,
            held_out,
            all,
        })
    }
}

/// The best checkpoint so far, on disk.
struct Best<'a> {
    path: &'a Path,
    epoch: usize,
    held_out: f64,
}

/// Trains for `epochs`; whenever the held-out accuracy is better than ever, the checkpoint is written anew.
fn train(
    net: &mut Learner<f32>,
    data: &Data,
    config: &Config,
    epochs: usize,
    best: &mut Best,
    show: bool,
) -> Result<()> {
    let first = best.epoch;
    for epoch in first + 1..=first + epochs {
        let seed = config.seed * 1000 + epoch as u64;
        let nats = net.epoch(&data.train, config.batch, config.lr, seed)?;
        let score = net.score(&data.held_out)?;
        let better = score.accuracy > best.held_out;
        if better {
            (best.epoch, best.held_out) = (epoch, score.accuracy);
            let provenance = Provenance {
                corpus: "corpora/love_grams.tsv".to_owned(),
                corpus_sha256: data.grams.sha256().to_owned(),
                command: format!(
                    "cargo run --release --example simple_rnn -- --seed {}",
                    config.seed
                ),
                trainer: concat!("gatelet-trainer ", env!("CARGO_PKG_VERSION")).to_owned(),
                seed: config.seed,
                nats: Some(score.nats),
                epoch,
                characters: (2 * epoch * data.train.rows()) as u64,
                unigram_nats: None,
                changes: Vec::new(),
            };
            files::write(
                best.path,
                &many_to_one::checkpoint(net, config, provenance)?.to_bytes()?,
            )?;
        }
        if show {
            let kept = if better { "   best so far: kept" } else { "" };
            println!(
                "{epoch:>5} {nats:>10.3} {:>10.3} {:>8.1} %{kept}",
                score.nats,
                100.0 * score.accuracy
            );
        }
    }
    Ok(())
}

/// The best net of a run, as it was written.
fn load(path: &Path) -> Result<Learner<f32>> {
    let bytes = std::fs::read(path).map_err(|source| Error::Read {
        path: path.to_owned(),
        source,
    })?;
    many_to_one::load(Checkpoint::from_bytes(&bytes, path)?)
}

/// The course's system from start to end: held-out accuracy of the best checkpoint, top-1 on all rows of that one and
/// after 10 epochs more; and the net.
fn run(data: &Data, seed: u64, path: &Path, show: bool) -> Result<([f64; 4], usize, Learner<f32>)> {
    let config = config(seed);
    let words = data.grams.words().len();
    let mut net = many_to_one::start(&config, words, glorot(words, config.hidden));
    let mut best = Best {
        path,
        epoch: 0,
        held_out: 0.0,
    };
    train(&mut net, data, &config, EPOCHS, &mut best, show)?;
    let (epoch, held_out) = (best.epoch, best.held_out);
    let mut net = load(path)?;
    assert_eq!(
        net.score(&data.held_out)?.accuracy,
        held_out,
        "the checkpoint is the net that was measured"
    );
    let all = net.score(&data.all)?.accuracy;
    if show {
        println!("\nloaded the checkpoint of epoch {epoch}, {MORE_EPOCHS} epochs more:\n");
    }
    train(&mut net, data, &config, MORE_EPOCHS, &mut best, show)?;
    Ok((
        [held_out, all, best.held_out, net.score(&data.all)?.accuracy],
        epoch,
        net,
    ))
}

/// Probabilities of all words after two.
fn probabilities(net: &mut Learner<f32>, words: &[u16]) -> Result<Vec<f32>> {
    let mut batch = Batch::new(2);
    batch.push_answer(words, 0);
    let mut scores = net.outputs(&batch, 0)?;
    softmax(&mut scores);
    Ok(scores)
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
    let data = Data::read()?;
    let grams = &data.grams;
    let shape = config(1).shape(grams.words().len());
    println!(
        "{} rows to train on, {} held out, {} words",
        data.train.rows(),
        data.held_out.rows(),
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
    let ([_, _, _, all], _, mut net) = run(&data, options.seed, &path, true)?;
    println!(
        "\ntop-1 on all rows: {:.1} % (the best possible: {:.1} %)\n",
        100.0 * all,
        100.0 * best_possible
    );
    for phrase in ["love the", "love it", "love to"] {
        let probabilities = probabilities(&mut net, &grams.ids(phrase)?)?;
        println!("{phrase} ...   {}", grams.likeliest(&probabilities, 3));
    }
    assert!(
        all > 0.25 && all <= best_possible,
        "far above the commonest word's {:.3}",
        grams.best_possible(0..0, 2)
    );
    let first = grams.likeliest(&probabilities(&mut net, &grams.ids("love the")?)?, 1);
    assert!(
        first.starts_with("smell "),
        "what follows \"love the\" most often, not {first}"
    );
    Ok(())
}
