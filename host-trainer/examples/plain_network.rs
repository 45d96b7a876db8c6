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

use std::path::{Path, PathBuf};

use clap::Parser;
use gatelet_trainer::config::Config;
use gatelet_trainer::error::{Error, Result, Shown};
use gatelet_trainer::feedforward::{Activation, Layer, Loss, Net, top1};
use gatelet_trainer::grams::Grams;
use gatelet_trainer::many_to_one::{Examples, ManyToOne};
use gatelet_trainer::optim::{Optimizer, OptimizerConfig};
use gatelet_trainer::shape::Cell;
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

fn corpus(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../corpora")
        .join(name)
}

/// One word -> the next: as good as any model can be.
fn next_word(seed: u64) -> Result<()> {
    let grams = Grams::read(&corpus("love_grams.tsv"), 3)?;
    let (words, rows) = (grams.words().len(), grams.rows().collect::<Vec<_>>());
    let hidden = Layer::dense(words, 10, Activation::Sigmoid);
    let output = Layer::dense(10, words, Activation::Softmax);
    let mut net = Net::<f32>::new(&[hidden, output], Loss::Categorical, adam(), seed);
    for epoch in 0..60 {
        net.epoch(rows.len(), BATCH, 0.01, seed * 1000 + epoch, |row, x, y| {
            x[usize::from(rows[row][0])] = 1.0;
            y[usize::from(rows[row][1])] = 1.0;
        });
    }
    let mut x = vec![0.0; rows.len() * words];
    for (x, row) in x.chunks_exact_mut(words).zip(&rows) {
        x[usize::from(row[0])] = 1.0;
    }
    let found = top1(net.outputs(&x), words, rows.iter().map(|row| row[1]));
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
    steps: usize,
    train: Examples,
    test: Examples,
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
            let mut examples = Examples::default();
            for [yes, no] in phrases.iter().map(|phrase| pair(phrase, dot)) {
                if yes != no {
                    examples.push(&yes, dot + 2);
                    examples.push(&no, dot + 1);
                }
            }
            examples
        });
        Self {
            steps: train.tokens.len() / train.answers.len(),
            train,
            test,
            grams,
        }
    }

    /// Words and the dot.
    fn tokens(&self) -> usize {
        self.grams.words().len() + 1
    }

    fn is_yes(&self, answer: u16) -> bool {
        usize::from(answer) == self.tokens() + 1
    }

    /// Held-out accuracy of a plain net. `encode` writes a sequence into zeros.
    fn plain(
        &self,
        layers: &[Layer],
        epochs: u64,
        seed: u64,
        encode: impl Fn(&[u16], &mut [f32]),
    ) -> f64 {
        let mut net = Net::<f32>::new(layers, Loss::Binary, adam(), seed);
        let Examples { tokens, answers } = &self.train;
        for epoch in 0..epochs {
            net.epoch(
                answers.len(),
                BATCH,
                RATE,
                seed * 1000 + epoch,
                |row, x, y| {
                    encode(&tokens[row * self.steps..][..self.steps], x);
                    y[0] = f32::from(self.is_yes(answers[row]));
                },
            );
        }
        let (mut right, inputs) = (0, net.inputs());
        let batches = self.test.tokens.chunks(BATCH * self.steps);
        for (sequences, answers) in batches.zip(self.test.answers.chunks(BATCH)) {
            let mut x = vec![0.0; answers.len() * inputs];
            for (x, sequence) in x
                .chunks_exact_mut(inputs)
                .zip(sequences.chunks_exact(self.steps))
            {
                encode(sequence, x);
            }
            let pairs = net.outputs(&x).iter().zip(answers);
            right += pairs
                .filter(|&(&y, &answer)| (y > 0.5) == self.is_yes(answer))
                .count();
        }
        right as f64 / self.test.answers.len() as f64
    }

    /// How often each word occurs.
    fn bag(&self, epochs: u64, seed: u64) -> f64 {
        let hidden = Layer::dense(self.tokens(), 32, Activation::Relu);
        let output = Layer::dense(32, 1, Activation::Sigmoid);
        self.plain(&[hidden, output], epochs, seed, |ids, x| {
            ids.iter().for_each(|&id| x[usize::from(id)] += 1.0);
        })
    }

    /// 32 filters over `width` words, and of each the largest value.
    fn convolution(&self, width: usize, epochs: u64, seed: u64) -> f64 {
        let (steps, channels, filters, activation) =
            (self.steps, self.tokens(), 32, Activation::Relu);
        let layers = [
            Layer::Conv1d {
                steps,
                channels,
                filters,
                width,
                activation,
            },
            Layer::GlobalMaxPool {
                steps: steps + 1 - width,
                channels: filters,
            },
            Layer::dense(filters, 1, Activation::Sigmoid),
        ];
        self.plain(&layers, epochs, seed, |ids, x| {
            ids.iter()
                .enumerate()
                .for_each(|(t, &id)| x[t * channels + usize::from(id)] = 1.0);
        })
    }

    /// The library's RNN of 64 units: its answer is one more word, yes or no. Rows start in ±2: from small ones, in some
    /// seeds, no gradient comes back over the 14 steps for many epochs, and it stays at one half.
    fn recurrent(&self, epochs: u64, seed: u64) -> f64 {
        let sizes = Config {
            cell: Cell::Rnn,
            hidden: 64,
            batch: BATCH,
            window: self.steps,
            ..Config::default()
        };
        let config = Config {
            seed,
            clip: f64::INFINITY,
            ..sizes.with_optimizer(Optimizer::Adam)
        };
        let mut net = ManyToOne::start(&config, self.tokens() + 2, 2.0);
        for epoch in 0..epochs {
            net.epoch(&self.train, RATE, seed * 1000 + epoch);
        }
        net.score(&self.test).top1
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
        let (train, test) = (task.train.answers.len(), task.test.answers.len());
        println!("\n{name}: {train} examples to train on, {test} held out");
        let shown = |row: usize| {
            task.grams
                .shown(&task.test.tokens[row * task.steps..][..task.steps], ".")
        };
        println!("  yes  {}\n  no   {}", shown(0), shown(1));
    }

    if !quick {
        println!("\na line as soon as it is known: a minute or two for all on two cores");
    }
    println!(
        "\n{:<34} {:>9}  {:>14}",
        "right about what was held out", tasks[0].0, tasks[1].0
    );
    let show = |what: &str, of: &dyn Fn(&Task) -> f64| {
        let found = tasks.map(|(_, task)| of(task));
        println!(
            "{what:<34} {:>7.1} %  {:>12.1} %",
            100.0 * found[0],
            100.0 * found[1]
        );
        found
    };
    let bag = show("bag of words, dense", &|task| task.bag(epochs, seed));
    let convolution = |width| {
        let what = format!("convolution of width {width}, max pool");
        show(&what, &|task| task.convolution(width, epochs, seed))
    };
    let [pairs, triples] = [2, 3].map(convolution);
    if !quick {
        convolution(4);
    }
    let rnn = show("RNN", &|task| task.recurrent(epochs, seed));

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
