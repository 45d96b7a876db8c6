//! Vanishing gradients: who remembers the first word of a sentence?
//!
//! ```text
//! her heart  beat and so  the rest of  -> her          the pronoun decides the word LAG words later
//!
//! 1  the gradient of that one prediction by lag, before any training: |dL / dh| k words before the decision
//! 2  a net for every lag, trained on sentences of that lag alone: accuracy by lag
//! 3  RNN and LSTM again, with sentences that grow while they learn
//! ```
//! The LSTM is tried twice: with the library's start (forget bias 1: a gate of 0.73, and 0.73^100 = 2e-14) and with
//! forget bias 5 (0.993^100 = 0.5), which follows from the lag to be bridged: ln(lag) (Tallec and Ollivier 2018).
//!
//! `cargo run --release --example vanishing_gradients` (three minutes on two cores), or `-- --quick`

use std::path::PathBuf;

use clap::Parser;
use gatelet_trainer::analysis::lag;
use gatelet_trainer::data::agreement::{WORDS, batch, sentence, text};
use gatelet_trainer::error::{Result, Shown};
use gatelet_trainer::figure::axis::Scale;
use gatelet_trainer::figure::chart::{Chart, Look, Series};
use gatelet_trainer::figure::{Form, save};
use gatelet_trainer::net::{Params, Role};
use gatelet_trainer::train::config::Config;
use gatelet_trainer::train::layers::Cell;
use gatelet_trainer::train::learner::Learner;
use gatelet_trainer::train::optim::{Optimizer, OptimizerConfig};
use indicatif::ProgressBar;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;
use rayon::prelude::*;

#[derive(Parser)]
struct Options {
    /// Two lags and one seed: what the tests run
    #[arg(long)]
    quick: bool,
    /// Nets for every lag in part 2
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=100))]
    seeds: u64,
    /// Folder of the pictures, which replace those of an earlier run
    #[arg(long, default_value = "target/course")]
    out: PathBuf,
}

/// Units of every net, and sentences of a step.
const HIDDEN: usize = 32;
const ROWS: usize = 32;
/// Learning rate of Adam, and the steps in which a net has to learn its lag.
const RATE: f64 = 0.01;
const STEPS: usize = 1500;

/// Name, cell, forget bias and colour.
type Kind = (&'static str, Cell, f32, u8);
const KINDS: [Kind; 3] = [
    ("RNN", Cell::Rnn, 0.0, 1),
    ("LSTM, forget bias 1", Cell::Lstm, 1.0, 2),
    ("LSTM, forget bias 5", Cell::Lstm, 5.0, 0),
];

fn start((_, cell, forget_bias, _): Kind, seed: u64) -> Params<f32> {
    let hidden = HIDDEN;
    let config = Config {
        cell,
        hidden,
        ..Config::default()
    };
    let mut params = Params::init(config.shape(WORDS.len()).net(), seed);
    if cell == Cell::Lstm {
        params.tensor_mut(0, Role::Bias)[HIDDEN..2 * HIDDEN].fill(forget_bias);
    }
    params
}

fn learner(kind: Kind, seed: u64) -> Learner<f32> {
    Learner::new(start(kind, seed), OptimizerConfig::of(Optimizer::Adam))
}

/// The accuracy, in percent, on sentences of a lag that were not trained on.
fn test(learner: &mut Learner<f32>, lag: usize) -> Result<f64> {
    let mut rng = Pcg64::seed_from_u64(1000);
    Ok(100.0 * learner.score(&batch(&mut rng, lag, 512))?.accuracy)
}

/// Trains on one lag until the loss is gone.
fn learn(kind: Kind, lag: usize, seed: u64) -> Result<f64> {
    let mut learner = learner(kind, seed);
    let (mut rng, mut running) = (Pcg64::seed_from_u64(seed), 0.7);
    for _ in 0..STEPS {
        let step = learner.step(&batch(&mut rng, lag, ROWS), RATE)?;
        running = 0.95 * running + 0.05 * step.nats;
        if running < 0.02 {
            break;
        }
    }
    test(&mut learner, lag)
}

/// Trains on lags up to one that grows by a quarter whenever the loss is small. Gives the steps it took, too.
fn grow(kind: Kind, goal: usize, seed: u64) -> Result<(f64, usize)> {
    let mut learner = learner(kind, seed);
    let (mut rng, mut running) = (Pcg64::seed_from_u64(seed), 0.7);
    let (mut longest, mut steps) = (10, 0);
    while steps < STEPS && !(longest == goal && running < 0.02) {
        let lag = rng.random_range(5..=longest);
        let step = learner.step(&batch(&mut rng, lag, ROWS), RATE)?;
        running = 0.95 * running + 0.05 * step.nats;
        if running < 0.05 && longest < goal {
            (longest, running) = ((longest * 5 / 4).min(goal), 0.7);
        }
        steps += 1;
    }
    Ok((test(&mut learner, goal)?, steps))
}

fn main() -> Result<(), Shown> {
    let options = Options::parse();
    let mut rng = Pcg64::seed_from_u64(3);
    println!("a sentence of lag 12: {}", text(&sentence(&mut rng, 12)));

    println!("\n1  gradient k words before the decision, untrained, as a part of that at k = 0");
    let sentences: Vec<Vec<u16>> = (0..16).map(|_| sentence(&mut rng, 100)).collect();
    let mut series = Vec::new();
    for kind in KINDS {
        let lags = lag::of_last(&start(kind, 1), &sentences);
        let parts = [1, 10, 50, 99].map(|k| format!("  k={k} {:.0e}", lags.part(k)));
        println!("  {:<20}{}", kind.0, parts.concat());
        let points = (0..100).map(|k| (k as f64, lags.part(k)));
        series.push(Series::line(kind.0, kind.3, points));
    }
    let axes = (
        "words before the decision",
        "part of the gradient's norm",
        Scale::Log,
    );
    let title = "What arrives of the gradient, before training";
    let chart = Chart::of_lines("gradient-by-lag", title, axes, series);
    println!("  {}", save(&chart.draw(), &options.out)?.display());

    let (lags, seeds): (&[usize], u64) = match options.quick {
        true => (&[5, 100], 1),
        false => (&[5, 10, 20, 30, 50, 100, 200], options.seeds),
    };
    println!(
        "\n2  accuracy in % of nets that trained on one lag, up to {STEPS} steps of {ROWS} sentences"
    );
    println!("   a number for each seed; a coin has 50");
    if !options.quick {
        println!("   (about a minute on two cores for each seed)");
    }
    // The longest first, so that no core waits at the end.
    let jobs: Vec<(usize, usize, u64)> = (lags.iter().rev())
        .flat_map(|&lag| [0, 1, 2].map(|kind| (kind, lag)))
        .flat_map(|(kind, lag)| (1..=seeds).map(move |seed| (kind, lag, seed)))
        .collect();
    // Shown on a terminal only.
    let bar = ProgressBar::new(jobs.len() as u64);
    let results: Vec<f64> = (jobs.par_iter().with_max_len(1))
        .map(|&(kind, lag, seed)| {
            let accuracy = learn(KINDS[kind], lag, seed);
            bar.inc(1);
            accuracy
        })
        .collect::<Result<_>>()?;
    bar.finish_and_clear();
    let of = |kind: usize, lag: usize| {
        let all = jobs.iter().zip(&results);
        all.filter(move |(job, _)| (job.0, job.1) == (kind, lag))
            .map(|(_, &found)| found)
    };
    let mean = |kind: usize, lag: usize| of(kind, lag).sum::<f64>() / seeds as f64;
    println!(
        "  lag{}",
        KINDS.map(|kind| format!("  {:>21}", kind.0)).concat()
    );
    for &lag in lags {
        let cell = |kind| {
            of(kind, lag)
                .map(|x| format!(" {x:.0}"))
                .collect::<String>()
        };
        println!(
            "  {lag:>3}{}",
            [0, 1, 2]
                .map(|kind| format!("  {:>21}", cell(kind)))
                .concat()
        );
    }
    let means = (0..3).map(|kind| {
        let points = lags.iter().map(|&lag| (lag as f64, mean(kind, lag)));
        Series::line(KINDS[kind].0, KINDS[kind].3, points)
    });
    let forms = [Form::Square, Form::Triangle, Form::Circle];
    let each = (0..3).map(|kind| {
        let at = |&lag: &usize| of(kind, lag).map(move |x| (lag as f64, x));
        let marks = Series::line("", KINDS[kind].3, lags.iter().flat_map(at));
        Series {
            // The kinds side by side.
            shift: 24.0 * (kind as f64 - 1.0),
            ..marks.look(Look::Small(forms[kind]))
        }
    });
    let title = format!("Who remembers the pronoun: {seeds} nets for each lag, and their mean");
    let chart = Chart {
        size: (760.0, 400.0),
        x_scale: Scale::Log,
        x_ticks: Some(
            lags.iter()
                .map(|&lag| (lag as f64, lag.to_string()))
                .collect(),
        ),
        level: Some((50.0, "a coin")),
        ..Chart::of_lines(
            "accuracy-by-lag",
            &title,
            (
                "lag in words",
                "accuracy in %: a mark for each net",
                Scale::Linear,
            ),
            means.chain(each).collect(),
        )
    };
    println!("  {}", save(&chart.draw(), &options.out)?.display());
    let (rnn, lstm) = (mean(0, 100), mean(2, 100));
    assert!(lstm >= 95.0, "the LSTM has {lstm:.1} % at lag 100");
    assert!(rnn <= 70.0, "the RNN learns lag 100 too: {rnn:.1} %");
    assert!(mean(0, 5) >= 95.0, "the RNN does not learn lag 5");

    let goal = if options.quick { 100 } else { 200 };
    println!("\n3  with sentences that grow from lag 10 to {goal}");
    for kind in [KINDS[0], KINDS[2]] {
        let (accuracy, steps) = grow(kind, goal, 1)?;
        println!(
            "  {:<20}  {accuracy:.0} % at lag {goal} after {steps} steps",
            kind.0
        );
        assert!(
            accuracy >= 95.0,
            "{}: sentences that grow do not help",
            kind.0
        );
    }
    println!(
        "  either can hold a word that long: what is lost on a long way is the gradient that would teach it"
    );
    Ok(())
}
