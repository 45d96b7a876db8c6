//! Why not a plain network: it knows which words there are, and not in which order they stand.
//!
//! ```text
//! one word -> the next          one-hot (139) -> Dense(10) -> Dense(139, softmax)         works: there is no order yet
//! four words, or a shuffling?   "can i have your" or "have your can i"
//! two halves, or swapped?       ". . a b c d . . e f g h . ." or ". . e f g h . . a b c d . ."
//! ```
//! Phrases are all runs of 4 words (of 8) in corpora/novels.txt whose words are among the 300 (500) commonest. Each
//! gives two examples, yes: as it was written, and no: the same words in the other order. A fifth of the sets of words
//! is held out. So a net that sees a bag of words is right half the time, whatever it learns. A convolution with a
//! global max pool sees which groups of neighbours there are: enough for a shuffling. The halves stand so that the groups of
//! two and of three neighbours are the same for yes and no, and filters of that width are back at one half; filters of
//! four see across the dots, and would not if there were three. The recurrent net has no width.
//!
//! `cargo run --release --example plain_network [-- --seed 2] [--quick]`

#[path = "../tests/course/convolution.rs"]
mod convolution;
mod course;

use std::path::{Path, PathBuf};

use clap::Parser;
use convolution::Convolution;
use gatelet::net::{Activation, Kind, Net, Precision};
use gatelet_trainer::data::Data;
use gatelet_trainer::data::ngrams::Grams;
use gatelet_trainer::data::rows::Rows;
use gatelet_trainer::data::sequences::Batch;
use gatelet_trainer::error::{Error, Result, Shown};
use gatelet_trainer::net::Params;
use gatelet_trainer::train::Trainer;
use gatelet_trainer::train::config::Config;
use gatelet_trainer::train::layers::Cell;
use gatelet_trainer::train::learner::{Learner, top1};
use gatelet_trainer::train::optim::{Optimizer, OptimizerConfig, Schedule, Updater};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_pcg::Pcg64;

const BATCH: usize = 64;
const RATE: f64 = 2e-3;

#[derive(Parser)]
struct Options {
    /// Seed of everything.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Passes over the examples.
    #[arg(long, default_value_t = 10)]
    epochs: u64,
    /// Fewer phrases and epochs.
    #[arg(long)]
    quick: bool,
}

fn adam() -> OptimizerConfig {
    OptimizerConfig {
        clip: f64::INFINITY,
        ..OptimizerConfig::of(Optimizer::Adam)
    }
}

fn dense(units: usize, activation: Activation) -> Kind {
    Kind::Dense { units, activation }
}

fn corpus(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../corpora")
        .join(name)
}

/// One word -> the next: as good as any model can be.
fn next_word(seed: u64) -> Result<()> {
    let grams = Grams::read(&corpus("love_grams.tsv"), 3)?;
    let (words, rows) = (grams.words().len(), grams.rows().collect::<Vec<_>>());
    let net = Net::features(Precision::F32, words)
        .then(dense(10, Activation::Sigmoid))
        .then(dense(words, Activation::None))
        .scores();
    let mut learner = Learner::new(Params::<f32>::glorot(net, seed), adam());
    let mut data = Rows::new(words, 0);
    for row in &rows {
        data.push_hot([row[0].into()], row[1]);
    }
    for epoch in 0..60 {
        learner.epoch(&data, BATCH, 0.01, seed * 1000 + epoch)?;
    }
    let outputs = learner.outputs(&data, 0)?;
    let found = top1(&outputs, words, rows.iter().map(|row| row[1]));
    let best = grams.best_possible(0..1, 1);
    let percent = [found, best].map(|x| 100.0 * x);
    println!(
        "one word -> the next: top-1 {:.1} %, the best possible {:.1} %",
        percent[0], percent[1]
    );
    assert!(
        (best - 0.01..=best).contains(&found),
        "a plain net learns what there is to learn"
    );
    Ok(())
}

/// Sequences, and whether each is as it was written. The dot, no and yes are tokens after the words.
struct Task {
    grams: Grams,
    train: Batch,
    test: Batch,
}

impl Task {
    /// Each phrase twice, as `pair` makes it: as it was written, and not. `most` phrases of each part at most.
    fn new(
        grams: Grams,
        seed: u64,
        most: usize,
        mut pair: impl FnMut(&[u16], u16) -> [Vec<u16>; 2],
    ) -> Self {
        let dot = grams.words().len() as u16;
        let mut parts = grams.split_by_words(5, seed);
        parts.iter_mut().for_each(|part| part.truncate(most));
        let [train, test] = parts.map(|phrases| {
            let pairs: Vec<_> = phrases.iter().map(|phrase| pair(phrase, dot)).collect();
            let mut examples = Batch::new(pairs.first().map_or(1, |[yes, _]| yes.len()));
            for [yes, no] in pairs.iter().filter(|[yes, no]| yes != no) {
                examples.push_answer(yes, dot + 2);
                examples.push_answer(no, dot + 1);
            }
            examples
        });
        Self { train, test, grams }
    }

    /// Words and the dot.
    fn tokens(&self) -> usize {
        self.grams.words().len() + 1
    }

    fn is_yes(&self, answer: u16) -> bool {
        usize::from(answer) == self.tokens() + 1
    }

    /// Whether an example is as it was written.
    fn yes(&self, examples: &Batch, row: usize) -> bool {
        self.is_yes(examples.answer(row))
    }

    /// Part of the held-out examples that are rightly told by these probabilities of yes.
    fn accuracy(&self, probability: impl Fn(usize) -> f32) -> f64 {
        let rows = 0..self.test.rows();
        let right = rows.filter(|&row| (probability(row) > 0.5) == self.yes(&self.test, row));
        right.count() as f64 / self.test.rows() as f64
    }

    /// How often each word occurs.
    fn bag(&self, epochs: u64, seed: u64) -> Result<f64> {
        let bags = |examples: &Batch| {
            let mut rows = Rows::new(self.tokens(), 1);
            for row in 0..examples.rows() {
                let mut counts = vec![0.0; self.tokens()];
                let ids = examples.inputs(row).iter();
                ids.for_each(|&id| counts[usize::from(id)] += 1.0);
                rows.push(&counts, &[f32::from(self.yes(examples, row))]);
            }
            rows
        };
        let net = Net::features(Precision::F32, self.tokens())
            .then(dense(32, Activation::Relu))
            .then(dense(1, Activation::Sigmoid))
            .values();
        let mut learner = Learner::new(Params::<f32>::glorot(net, seed), adam());
        let train = bags(&self.train);
        for epoch in 0..epochs {
            learner.epoch(&train, BATCH, RATE, seed * 1000 + epoch)?;
        }
        let outputs = learner.outputs(&bags(&self.test), 0)?;
        Ok(self.accuracy(|row| outputs[row]))
    }

    /// 32 filters over `width` words, and of each the largest value.
    fn convolution(&self, width: usize, epochs: u64, seed: u64) -> f64 {
        let net = Convolution {
            width,
            tokens: self.tokens(),
            filters: 32,
        };
        let mut parameters = net.start::<f32>(seed);
        let mut updater = Updater::of_count(adam(), parameters.len());
        let mut gradient = vec![0.0; parameters.len()];
        let mut order: Vec<usize> = (0..self.train.rows()).collect();
        for epoch in 0..epochs {
            order.sort_unstable();
            order.shuffle(&mut Pcg64::seed_from_u64(seed * 1000 + epoch));
            for batch in order.chunks(BATCH) {
                gradient.fill(0.0);
                for &row in batch {
                    let example = (self.train.inputs(row), self.yes(&self.train, row));
                    let scale = 1.0 / batch.len() as f32;
                    net.add_gradient(&parameters, example, scale, &mut gradient);
                }
                let norm = updater.norm(&gradient);
                updater.update(&mut parameters, &gradient, norm, RATE);
            }
        }
        self.accuracy(|row| net.probability(&parameters, self.test.inputs(row)))
    }

    /// The library's RNN of 64 units, a run on sequences of tokens with a class each. Rows start
    /// in ±2: from small ones, in some seeds, no gradient comes back over the 14 steps for many
    /// epochs, and it stays at one half.
    fn recurrent(&self, epochs: usize, seed: u64) -> Result<f64> {
        let sizes = Config {
            cell: Cell::Rnn,
            hidden: 64,
            batch: BATCH,
            window: Data::<f32>::steps(&self.train),
            ..Config::default()
        };
        let config = Config {
            seed,
            epochs,
            lr: RATE,
            schedule: Schedule::Constant,
            warmup: 0,
            clip: f64::INFINITY,
            series: Some(course::options(self.tokens())),
            ..sizes.with_optimizer(Optimizer::Adam)
        };
        let folder = tempfile::tempdir().map_err(|source| Error::Write {
            path: std::env::temp_dir(),
            source,
        })?;
        let [train, test] = ["train.csv", "test.csv"].map(|name| folder.path().join(name));
        for (path, part, examples) in [(&train, "a", &self.train), (&test, "b", &self.test)] {
            let rows = 0..examples.rows();
            let answer = |row| ["no", "yes"][usize::from(self.yes(examples, row))];
            course::write(
                path,
                part,
                rows.map(|row| (examples.inputs(row), answer(row))),
            )?;
        }
        let answers = ["no", "yes"].map(str::to_owned);
        let data = course::read("corpora/novels.txt", [&train, &test], &answers, &config)?;
        let command = format!("cargo run --release --example plain_network -- --seed {seed}");
        let mut trainer = Trainer::new(&data, config, command)?;
        *trainer.params_mut() = trainer.params().clone().with_row_bound(2.0);
        while trainer.position().epoch < epochs {
            trainer.step()?;
        }
        Ok(trainer.judge()?.figure.unwrap_or(0.0))
    }
}

fn main() -> Result<(), Shown> {
    let Options {
        seed,
        epochs,
        quick,
    } = Options::parse();
    next_word(seed)?;

    let path = corpus("novels.txt");
    let text = std::fs::read_to_string(&path).map_err(|source| Error::Read { path, source })?;
    let (epochs, most) = if quick {
        (12, 4_000)
    } else {
        (epochs, usize::MAX)
    };
    let grams = |length, common| Grams::from_text("corpora/novels.txt", &text, length, common);
    let mut rng = Pcg64::seed_from_u64(seed);
    let shuffled = Task::new(grams(4, 300)?, seed, most, |phrase, _| {
        let mut other = phrase.to_vec();
        other.shuffle(&mut rng);
        [phrase.to_vec(), other]
    });
    let swapped = Task::new(grams(8, 500)?, seed, most, |phrase, dot| {
        let (a, b) = phrase.split_at(4);
        [(a, b), (b, a)].map(|(a, b)| [&[dot, dot], a, &[dot, dot], b, &[dot, dot]].concat())
    });
    let tasks = [("shuffled", &shuffled), ("halves swapped", &swapped)];
    for (name, task) in tasks {
        let (train, test) = (task.train.rows(), task.test.rows());
        println!("\n{name}: {train} examples to train on, {test} held out");
        let shown = |row: usize| task.grams.shown(task.test.inputs(row), ".");
        println!("  yes  {}\n  no   {}", shown(0), shown(1));
    }

    if !quick {
        println!("\na line as soon as it is known: a minute or two for all on two cores");
    }
    println!(
        "\n{:<34} {:>9}  {:>14}",
        "right about what was held out", tasks[0].0, tasks[1].0
    );
    let show = |what: &str, of: &dyn Fn(&Task) -> Result<f64>| {
        let found = [of(tasks[0].1)?, of(tasks[1].1)?];
        println!(
            "{what:<34} {:>7.1} %  {:>12.1} %",
            100.0 * found[0],
            100.0 * found[1]
        );
        Ok::<_, Error>(found)
    };
    let bag = show("bag of words, dense", &|task| task.bag(epochs, seed))?;
    let convolution = |width| {
        let what = format!("convolution of width {width}, max pool");
        show(&what, &|task| Ok(task.convolution(width, epochs, seed)))
    };
    let (pairs, triples) = (convolution(2)?, convolution(3)?);
    if !quick {
        convolution(4)?;
    }
    let rnn = show("RNN", &|task| task.recurrent(epochs as usize, seed))?;

    assert_eq!(bag, [0.5, 0.5], "yes and no have the same words");
    assert_eq!(
        [pairs[1], triples[1]],
        [0.5, 0.5],
        "and the same neighbours"
    );
    assert!(pairs[0] > 0.65, "neighbours tell a shuffling");
    let least = if quick { 0.55 } else { 0.65 };
    assert!(
        rnn.iter().all(|&found| found > least),
        "the RNN sees any order"
    );
    Ok(())
}
