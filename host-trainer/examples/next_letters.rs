//! The next few letters: an LSTM that has seen every 14 characters of a text and the one after them.
//!
//! ```text
//! "Alice was begi" -> n      "lice was begin" -> n      "ice was beginn" -> i      ...      one row for every place
//!
//! 1  train on those rows, each from the zero state; only the last prediction has a loss
//! 2  top-1 on text that was held out, for windows of 14, and with the state carried on from character to character
//! 3  the letters after given starts: by windows of 14 in f32; with the carried state in f32; and in int8, from the
//!    image for a microcontroller, which is written beside a list of what the board has to say
//! ```
//! A microcontroller would have to compute 14 steps for every letter to slide a window; carrying the state takes one.
//! `cargo xtask test --only letters` boots that image in QEMU, types the starts, and compares every letter.
//!
//! `cargo run --release --example next_letters` (a minute or two on two cores), or `-- --quick`

use std::fs;
use std::path::{Path, PathBuf};

use clap::Parser;
use gatelet::{Layout, Precision};
use gatelet_trainer::analysis::write_on::write_on;
use gatelet_trainer::data::corpus::{Corpus, Outline, Text, Tokens};
use gatelet_trainer::data::sequences::Batch;
use gatelet_trainer::error::{Error, Result, Shown};
use gatelet_trainer::files;
use gatelet_trainer::image::Image;
use gatelet_trainer::isa::isa;
use gatelet_trainer::net::Params;
use gatelet_trainer::quantize::export::{export, f32_image};
use gatelet_trainer::train::Trainer;
use gatelet_trainer::train::config::Config;
use gatelet_trainer::train::learner::Learner;
use gatelet_trainer::train::optim::{Plateau, Schedule};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;

#[derive(Parser)]
struct Options {
    /// A smaller net on less text: what the tests run
    #[arg(long)]
    quick: bool,
    /// Folder of the image and the list, which replace those of an earlier run
    #[arg(long, default_value = "target/course")]
    out: PathBuf,
}

/// Characters that a prediction sees, and letters to write after a start.
const WINDOW: usize = 14;
const LETTERS: usize = 12;
/// Rows of a step.
const ROWS: usize = 128;
/// Of 14 characters each.
const STARTS: [&str; 6] = [
    "She was very m",
    "It was a very ",
    "I do not know ",
    "said the Queen",
    "in the middle ",
    "a great deal o",
];

/// Rows of 14 characters and the one after them, from the given places of the text.
fn rows(corpus: &Corpus, places: impl Iterator<Item = usize>) -> Result<Batch> {
    let (mut batch, mut row) = (Batch::new(WINDOW), [0; WINDOW + 1]);
    for place in places {
        corpus.fill(place, &mut row)?;
        batch.push_last(&row);
    }
    Ok(batch)
}

fn main() -> Result<(), Shown> {
    let options = Options::parse();
    fs::create_dir_all(&options.out).map_err(|source| Error::Write {
        path: options.out.clone(),
        source,
    })?;
    let (bytes, hidden, steps) = if options.quick {
        (60_000, 48, 600)
    } else {
        (600_000, 128, 9000)
    };
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpora/novels.txt");
    let novels = fs::read(&path).map_err(|source| Error::Read { path, source })?;
    let text = Text::from_bytes(
        "corpora/novels.txt, its beginning".into(),
        novels[..bytes].to_vec(),
    )?;
    // Line ends are no part of a sentence: white space becomes one blank, here and in whatever the model is given.
    let config = Config {
        hidden,
        window: WINDOW,
        batch: ROWS,
        fold_space: true,
        lr: 8e-3,
        ..Config::default()
    };
    let corpus =
        Outline::of(&text, &config.corpus_options())?.corpus(&text, &std::env::temp_dir())?;
    println!(
        "{} characters, {} different; LSTM of {hidden} units",
        corpus.len(),
        corpus.vocab.len()
    );

    let shape = config.shape(corpus.vocab.len());
    let mut learner = Learner::new(Params::init(shape.net(), config.seed), config.updates());
    let mut rng = Pcg64::seed_from_u64(config.seed);
    let (mut nats, last) = (0.0, corpus.train_len - WINDOW - 1);
    println!("\n1  {steps} steps of {ROWS} windows of {WINDOW} characters");
    if !options.quick {
        println!("   (about a minute and a half on two cores)");
    }
    for step in 0..steps {
        let batch = rows(&corpus, (0..ROWS).map(|_| rng.random_range(0..=last)))?;
        let progress = step as f64 / steps as f64;
        let rate = Schedule::Cosine.rate(
            config.lr,
            progress,
            step,
            config.warmup,
            &Plateau::default(),
        );
        nats += learner.step(&batch, rate)?.nats;
        if (step + 1) % (steps / 6) == 0 {
            println!(
                "  step {:>5}  {:.3} nats a character",
                step + 1,
                nats / (steps / 6) as f64
            );
            nats = 0.0;
        }
    }

    // A checkpoint of this net, for the exporter.
    let command = "cargo run --release --example next_letters".to_owned();
    let mut checkpoint = Trainer::new(&corpus, config, command)?.checkpoint(false);
    checkpoint.params = learner.params().clone();
    let float = f32_image(&checkpoint)?.for_isa(isa()?)?;
    let (image, report) = export(&checkpoint, &corpus, corpus.split(), Precision::Int8)?;
    let held_out = corpus.train_len..corpus.len() - WINDOW;
    let windows = learner.score(&rows(&corpus, held_out)?)?;
    let mut counts = vec![0; corpus.vocab.len()];
    corpus.read(corpus.train_len..corpus.len(), &mut |piece| {
        piece.iter().for_each(|&id| counts[usize::from(id)] += 1);
        Ok(())
    })?;
    let commonest =
        counts.iter().max().copied().unwrap_or(0) as f64 / corpus.validation_len() as f64;
    println!(
        "\n2  held out, {} characters: the likeliest one is right in",
        corpus.validation_len()
    );
    println!(
        "  {:.1} % (f32, windows of {WINDOW}; {:.3} nats)",
        100.0 * windows.accuracy,
        windows.nats
    );
    println!(
        "  {:.1} % (f32, carried state; {:.3} nats)",
        100.0 * report.before.top1,
        report.before.nats
    );
    println!(
        "  {:.1} % (int8, carried state; {:.3} nats)",
        100.0 * report.after.top1,
        report.after.nats
    );
    println!(
        "  {:.1} % (always the commonest character)",
        100.0 * commonest
    );
    let enough = if options.quick { 1.5 * commonest } else { 0.5 };
    assert!(windows.accuracy > enough, "it has not learnt: {windows:?}");
    assert!(
        report.loss_nats.abs() < 0.05,
        "int8 is far from f32: {report:?}"
    );

    println!("\n3  the next {LETTERS} letters");
    println!("  start           f32, windows of {WINDOW}   f32, carried      int8, carried");
    let mut said = Vec::new();
    let written = |image: &Image, start: &str, window| -> Result<String> {
        let model = image
            .model()
            .map_err(|error| Error::Export(error.to_string()))?;
        let tokens = corpus.vocab.encode(start, "the start")?;
        let next = write_on(model, &tokens, LETTERS, window)?;
        Ok(next
            .iter()
            .map(|&id| corpus.vocab.chars()[usize::from(id)])
            .collect())
    };
    for start in STARTS {
        let slid = written(&float, start, Some(WINDOW))?;
        let (carried, letters) = (written(&float, start, None)?, written(&image, start, None)?);
        println!("  {start}  [{slid}]       [{carried}]    [{letters}]");
        said.push(serde_json::json!({ "start": start, "letters": letters }));
    }
    let image = image.repacked(Layout::Pairs)?;
    let path = options.out.join("next_letters.gatelet");
    files::write_as(files::IMAGE, &path, image.bytes())?;
    let list = serde_json::Value::from(said).to_string() + "\n";
    files::write_as(files::LIST, &path.with_extension("json"), list.as_bytes())?;
    println!(
        "  {}: {} bytes, for a Cortex-M4",
        path.display(),
        image.bytes().len()
    );
    println!(
        "  GATELET_MODEL={} cargo xtask demo --prompt {:?}",
        path.display(),
        STARTS[0]
    );
    Ok(())
}
