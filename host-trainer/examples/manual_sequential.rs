//! A sequence by hand: two plain nets, of which the second is told what the first was thinking.
//!
//! ```text
//! model 1   word 1 (139) -> 10 sigmoid = h1 -> 139 softmax = word 2                    2,929 parameters
//! model 2   [word 2 (139), h1 (10)] -> 10 sigmoid -> 139 softmax = word 3              3,029 parameters
//! ```
//! h1 is the only way in which model 2 hears of word 1: a state that is handed on, as a recurrent net does at every step.
//! Both learn with binary cross-entropy over the 139 outputs, Adam, 20 epochs in batches of 50, as in the course. Its
//! measure is shown with what it hides: an output is right when it is on the right side of one half, and a net that
//! never says yes is right 138 times of 139.
//!
//! `cargo run --release --example manual_sequential [-- --seed 2] [--seeds 5] [--quick]`

use std::path::Path;

use clap::Parser;
use gatelet::net::{Activation, Kind, Net, Output, Precision, Value};
use gatelet_trainer::data::ngrams::Grams;
use gatelet_trainer::data::rows::Rows;
use gatelet_trainer::error::{Result, Shown};
use gatelet_trainer::net::{Loss, Params, softmax};
use gatelet_trainer::train::learner::{Learner, binary_accuracy, top1};
use gatelet_trainer::train::optim::{Optimizer, OptimizerConfig};

/// Adam's learning rate and small number, as Keras has them by itself.
const RATE: f64 = 1e-3;
const EPSILON: f64 = 1e-7;
const EPOCHS: u64 = 20;
const BATCH: usize = 50;
const HIDDEN: usize = 10;

#[derive(Parser)]
struct Options {
    /// Seed of the start and of the orders.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Shows a table of so many seeds, from 1.
    #[arg(long, default_value_t = 0)]
    seeds: u64,
    /// The course's 20 epochs only.
    #[arg(long)]
    quick: bool,
}

/// The two models.
struct Models {
    words: usize,
    first: Learner<f32>,
    second: Learner<f32>,
}

/// How a model does on the rows: per-output binary accuracy, and whether the likeliest word is the one that came.
#[derive(Clone, Copy)]
struct Score {
    binary: f64,
    top1: f64,
}

/// Dense(10, sigmoid) and Dense(139) with a softmax in its loss; it gives what the first layer makes as well.
fn model(inputs: usize, words: usize, seed: u64) -> Result<Learner<f32>> {
    let adam = OptimizerConfig {
        epsilon: EPSILON,
        clip: f64::INFINITY,
        ..OptimizerConfig::of(Optimizer::Adam)
    };
    let dense = |units, activation| Kind::Dense { units, activation };
    let net = Net::features(Precision::F32, inputs)
        .then(dense(HIDDEN, Activation::Sigmoid))
        .then(dense(words, Activation::None))
        .scores()
        .with_output(Output::Values(Value::of(0)));
    let mut learner = Learner::new(Params::glorot(net, seed), adam);
    learner.set_loss(0, Loss::ScoredBinary)?;
    Ok(learner)
}

impl Models {
    fn new(words: usize, seed: u64) -> Result<Self> {
        Ok(Self {
            words,
            first: model(words, words, seed)?,
            second: model(words + HIDDEN, words, seed + 1000)?,
        })
    }

    /// Word 1 as one of 139, and word 2 to be predicted.
    fn rows1<'g>(&self, grams: impl Iterator<Item = &'g [u16]>) -> Rows<f32> {
        let mut rows = Rows::new(self.words, 0);
        grams.for_each(|row| rows.push_hot([row[0].into()], row[1]));
        rows
    }

    /// What model 2 sees of words 1 and 2: word 2 as one of 139, then h1; and word 3 to be predicted.
    fn rows2<'g>(&mut self, grams: impl Iterator<Item = &'g [u16]> + Clone) -> Result<Rows<f32>> {
        let first = self.rows1(grams.clone());
        let h1 = self.first.outputs(&first, 1)?;
        let mut rows = Rows::new(self.words + HIDDEN, 0);
        for (index, (row, h1)) in grams.zip(h1.chunks_exact(HIDDEN)).enumerate() {
            rows.push_hot([row[1].into()], row.get(2).copied().unwrap_or(0));
            rows.inputs_mut(index)[self.words..].copy_from_slice(h1);
        }
        Ok(rows)
    }

    /// Model 1, and then model 2 on what the trained model 1 hands over.
    fn train(&mut self, grams: &Grams, epochs: u64, rate: f64, seed: u64) -> Result<()> {
        let rows = self.rows1(grams.rows());
        for epoch in 0..epochs {
            self.first.epoch(&rows, BATCH, rate, seed * 1000 + epoch)?;
        }
        let rows = self.rows2(grams.rows())?;
        for epoch in 0..epochs {
            self.second.epoch(&rows, BATCH, rate, seed * 1000 + epoch)?;
        }
        Ok(())
    }

    /// Probabilities of word 3 after two words.
    fn third(&mut self, words: &[u16]) -> Result<Vec<f32>> {
        let rows = self.rows2(std::iter::once(words))?;
        probabilities(&mut self.second, &rows, self.words)
    }

    /// Scores of both on all rows.
    fn scores(&mut self, grams: &Grams) -> Result<[Score; 2]> {
        let first = self.rows1(grams.rows());
        let second = self.rows2(grams.rows())?;
        let first = probabilities(&mut self.first, &first, self.words)?;
        let second = probabilities(&mut self.second, &second, self.words)?;
        Ok([score(&first, grams, 1), score(&second, grams, 2)])
    }
}

/// [rows, words]
fn probabilities(model: &mut Learner<f32>, rows: &Rows<f32>, words: usize) -> Result<Vec<f32>> {
    let mut outputs = model.outputs(rows, 0)?;
    outputs.chunks_exact_mut(words).for_each(softmax);
    Ok(outputs)
}

/// `outputs`: [rows, words], against word `answer` of the rows.
fn score(outputs: &[f32], grams: &Grams, answer: usize) -> Score {
    let answers = || grams.rows().map(|row| row[answer]);
    let words = grams.words().len();
    Score {
        binary: binary_accuracy(outputs, words, answers()),
        top1: top1(outputs, words, answers()),
    }
}

fn show(what: &str, scores: [Score; 2]) {
    let percent = scores.map(|s| [100.0 * s.binary, 100.0 * s.top1]);
    let [[b1, t1], [b2, t2]] = percent;
    println!("{what:<28} {b1:>9.2} % {t1:>7.1} %  {b2:>9.2} % {t2:>7.1} %");
}

fn main() -> Result<(), Shown> {
    let options = Options::parse();
    let table = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpora/love_grams.tsv");
    let grams = Grams::read(&table, 3)?;
    let words = grams.words().len();
    let mut models = Models::new(words, options.seed)?;
    let counts = [&models.first, &models.second].map(|model| model.params().data.len());
    println!(
        "{} rows of three words, {words} different ones",
        grams.rows().len()
    );
    println!("parameters: model 1 {}, model 2 {}", counts[0], counts[1]);
    assert_eq!(counts, [2_929, 3_029], "the course's counts");

    println!(
        "\n{:28} {:>11} {:>9}  {:>11} {:>9}",
        "", "model 1:", "word 2", "model 2:", "word 3"
    );
    println!(
        "{:28} {:>11} {:>9}  {:>11} {:>9}",
        "", "binary", "top-1", "binary", "top-1"
    );
    for seed in 1..=options.seeds {
        let mut models = Models::new(words, seed)?;
        models.train(&grams, EPOCHS, RATE, seed)?;
        show(&format!("seed {seed}, 20 epochs"), models.scores(&grams)?);
    }
    models.train(&grams, EPOCHS, RATE, options.seed)?;
    let trained = models.scores(&grams)?;
    show("after 20 epochs", trained);

    // What the numbers are to be held against.
    let never = 1.0 - 1.0 / words as f64;
    let always = |place: usize| grams.best_possible(0..0, place);
    let score = |top1: f64| Score {
        binary: never,
        top1,
    };
    show(
        "always \"no\", commonest word",
        [always(1), always(2)].map(score),
    );
    let best = [grams.best_possible(0..1, 1), grams.best_possible(0..2, 2)];
    println!(
        "{:28} {:>11} {:>7.1} %  {:>11} {:>7.1} %",
        "the best possible",
        "",
        100.0 * best[0],
        "",
        100.0 * best[1]
    );

    assert!(
        trained.iter().all(|s| s.binary > 0.9927),
        "the course's binary accuracy is 99.28 %"
    );
    assert!(
        (trained[0].top1 - always(1)).abs() < 0.03,
        "20 epochs are enough for the commonest word 2"
    );
    assert!(
        trained.iter().zip(best).all(|(s, best)| s.top1 <= best),
        "no net is better than the best possible"
    );
    predict(&mut models, &grams)?;

    if !options.quick {
        println!("\nThe same models, 300 epochs at ten times the learning rate:\n");
        models.train(&grams, 300, 10.0 * RATE, options.seed + 1)?;
        let longer = models.scores(&grams)?;
        show("after 300 epochs more", longer);
        assert!(
            longer[1].top1 > trained[1].top1 + 0.1,
            "it was the training that was short, not the model"
        );
        predict(&mut models, &grams)?;
    }
    Ok(())
}

/// Word 3 by both models together.
fn predict(models: &mut Models, grams: &Grams) -> Result<()> {
    println!();
    for phrase in ["love it", "love to"] {
        let probabilities = models.third(&grams.ids(phrase)?)?;
        println!("{phrase} ...   {}", grams.likeliest(&probabilities, 3));
    }
    Ok(())
}
