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
use gatelet_trainer::error::{Result, Shown};
use gatelet_trainer::feedforward::{Activation, Layer, Loss, Net, binary_accuracy, top1};
use gatelet_trainer::grams::Grams;
use gatelet_trainer::optim::{Optimizer, OptimizerConfig};

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
    first: Net<f32>,
    second: Net<f32>,
}

/// How a model does on the rows: per-output binary accuracy, and whether the likeliest word is the one that came.
#[derive(Clone, Copy)]
struct Score {
    binary: f64,
    top1: f64,
}

/// Dense(10, sigmoid) and Dense(139, softmax).
fn model(inputs: usize, words: usize, seed: u64) -> Net<f32> {
    let adam = OptimizerConfig {
        epsilon: EPSILON,
        clip: f64::INFINITY,
        ..OptimizerConfig::of(Optimizer::Adam)
    };
    let hidden = Layer::dense(inputs, HIDDEN, Activation::Sigmoid);
    let output = Layer::dense(HIDDEN, words, Activation::Softmax);
    Net::new(&[hidden, output], Loss::Binary, adam, seed)
}

impl Models {
    fn new(words: usize, seed: u64) -> Self {
        let second = model(words + HIDDEN, words, seed + 1000);
        Self {
            first: model(words, words, seed),
            second,
        }
    }

    /// What model 2 sees of words 1 and 2: word 2 as one of 139, then h1.
    fn input2(&mut self, one: u16, two: u16) -> Vec<f32> {
        let words = self.first.inputs();
        let mut input = one_hot(two, words);
        input.extend_from_slice(self.first.activations(&one_hot(one, words), 0));
        input
    }

    /// Model 1, and then model 2 on what the trained model 1 hands over.
    fn train(&mut self, grams: &Grams, epochs: u64, rate: f64, seed: u64) {
        let rows: Vec<&[u16]> = grams.rows().collect();
        for epoch in 0..epochs {
            self.first
                .epoch(rows.len(), BATCH, rate, seed * 1000 + epoch, |row, x, y| {
                    x[usize::from(rows[row][0])] = 1.0;
                    y[usize::from(rows[row][1])] = 1.0;
                });
        }
        let inputs: Vec<_> = rows.iter().map(|row| self.input2(row[0], row[1])).collect();
        for epoch in 0..epochs {
            self.second
                .epoch(rows.len(), BATCH, rate, seed * 1000 + epoch, |row, x, y| {
                    x.copy_from_slice(&inputs[row]);
                    y[usize::from(rows[row][2])] = 1.0;
                });
        }
    }

    /// Scores of both on all rows.
    fn scores(&mut self, grams: &Grams) -> [Score; 2] {
        let words = grams.words().len();
        let mut first = Vec::new();
        let mut second = Vec::new();
        for row in grams.rows() {
            first.extend_from_slice(self.first.outputs(&one_hot(row[0], words)));
            let input = self.input2(row[0], row[1]);
            second.extend_from_slice(self.second.outputs(&input));
        }
        [score(&first, grams, 1), score(&second, grams, 2)]
    }
}

fn one_hot(id: u16, words: usize) -> Vec<f32> {
    (0..words)
        .map(|k| f32::from(k == usize::from(id)))
        .collect()
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
    let mut models = Models::new(words, options.seed);
    let counts = [&models.first, &models.second].map(|model| model.parameters().len());
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
        let mut models = Models::new(words, seed);
        models.train(&grams, EPOCHS, RATE, seed);
        show(&format!("seed {seed}, 20 epochs"), models.scores(&grams));
    }
    models.train(&grams, EPOCHS, RATE, options.seed);
    let trained = models.scores(&grams);
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
        models.train(&grams, 300, 10.0 * RATE, options.seed + 1);
        let longer = models.scores(&grams);
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
        let ids = grams.ids(phrase)?;
        let input = models.input2(ids[0], ids[1]);
        println!(
            "{phrase} ...   {}",
            grams.likeliest(models.second.outputs(&input), 3)
        );
    }
    Ok(())
}
