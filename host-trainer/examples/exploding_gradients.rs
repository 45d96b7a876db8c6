//! Exploding gradients: an RNN with large recurrent weights, and what clipping does.
//!
//! ```text
//! her heart  beat and so  the rest of  -> her          the pronoun decides the word LAG words later
//!
//! W_h = gain * an orthogonal matrix:   |dL / dh_(t-1)| = |W_h^T diag(1 - h^2) dL / dh_t|: up to gain times as large
//!
//! 1  the gradient of that one prediction by lag, before any training, for some gains
//! 2  gradient descent with gain 2: as it is, and with the gradient's norm clipped to 1
//! ```
//! A gradient of norm 100 is no better than one of norm 1: it says which way is down, not how far. Clipping keeps the
//! way and shortens the step. (Adam divides by the gradient's size itself, so plain descent shows the difference.)
//!
//! `cargo run --release --example exploding_gradients` (some seconds), or `-- --quick`

use std::path::PathBuf;

use clap::Parser;
use gatelet_trainer::analysis::lag;
use gatelet_trainer::data::agreement::{WORDS, batch, sentence};
use gatelet_trainer::error::{Error, Result, Shown};
use gatelet_trainer::figure::axis::Scale;
use gatelet_trainer::figure::chart::{Chart, Series};
use gatelet_trainer::figure::save;
use gatelet_trainer::net::{Params, Role};
use gatelet_trainer::train::config::Config;
use gatelet_trainer::train::layers::Cell;
use gatelet_trainer::train::learner::{Learner, Step};
use gatelet_trainer::train::optim::{Optimizer, OptimizerConfig};
use rand::SeedableRng;
use rand_pcg::Pcg64;

#[derive(Parser)]
struct Options {
    /// Three seeds instead of seven: what the tests run
    #[arg(long)]
    quick: bool,
    /// Folder of the pictures, which replace those of an earlier run
    #[arg(long, default_value = "target/course")]
    out: PathBuf,
}

/// Lag and gain of part 2, and its learning rate.
const LAG: usize = 20;
const GAIN: f32 = 2.0;
const RATE: f64 = 1.0;

/// An RNN with `gain` times the usual recurrent weights; its rows are small, so that h is not saturated.
fn start(gain: f32, seed: u64) -> Params<f32> {
    let config = Config {
        cell: Cell::Rnn,
        hidden: 32,
        ..Config::default()
    };
    let mut params = Params::init(config.shape(WORDS.len()).net(), seed);
    params
        .tensor_mut(0, Role::Rows)
        .iter_mut()
        .for_each(|w| *w *= 0.1);
    params
        .tensor_mut(0, Role::Recurrent)
        .iter_mut()
        .for_each(|w| *w *= gain);
    params
}

/// Every step of plain gradient descent, until there are no more or the loss is no number; and the accuracy then.
fn descend(clip: f64, steps: usize, seed: u64) -> Result<(Vec<Step>, f64)> {
    let updates = OptimizerConfig {
        clip,
        momentum: 0.0,
        ..OptimizerConfig::of(Optimizer::Sgd)
    };
    let mut learner = Learner::new(start(GAIN, seed), updates);
    let (mut rng, mut curve) = (Pcg64::seed_from_u64(seed), Vec::new());
    for _ in 0..steps {
        match learner.step(&batch(&mut rng, LAG, 32), RATE) {
            Ok(step) => curve.push(step),
            Err(Error::Diverged { .. }) => break,
            Err(error) => return Err(error),
        }
    }
    let score = learner.score(&batch(&mut Pcg64::seed_from_u64(1000), LAG, 512))?;
    Ok((curve, 100.0 * score.accuracy))
}

fn main() -> Result<(), Shown> {
    let options = Options::parse();
    println!("1  gradient k words before the decision, untrained, as a part of that at k = 0");
    let mut rng = Pcg64::seed_from_u64(3);
    let sentences: Vec<Vec<u16>> = (0..16).map(|_| sentence(&mut rng, 100)).collect();
    let mut series = Vec::new();
    for (color, gain) in [0.5, 1.0, 2.0, 3.0].into_iter().enumerate() {
        let lags = lag::of_last(&start(gain, 1), &sentences);
        let parts = [1, 10, 50, 99].map(|k| format!("  k={k} {:.0e}", lags.part(k)));
        println!("  W_h x {gain:<4}{}", parts.concat());
        let points = (0..100).map(|k| (k as f64, lags.part(k)));
        series.push(Series::line(&format!("W_h × {gain}"), color as u8, points));
        let far = lags.part(99);
        assert!(
            if gain < 1.0 {
                far < 1e-20
            } else {
                gain == 1.0 || far > 1e3
            },
            "gain {gain}: {far:e}"
        );
    }
    let axes = (
        "words before the decision",
        "part of the gradient's norm",
        Scale::Log,
    );
    let title = "What arrives of the gradient, by recurrent weights";
    let chart = Chart::of_lines("gradient-by-gain", title, axes, series);
    println!("  {}", save(&chart.draw(), &options.out)?.display());

    let (steps, seeds) = if options.quick { (1000, 3) } else { (1000, 7) };
    println!(
        "\n2  lag {LAG}, W_h x {GAIN}, {steps} steps of gradient descent at a learning rate of {RATE}"
    );
    let runs = [("as it is", f64::INFINITY, 1), ("clipped to 1", 1.0, 0)];
    let (mut loss, mut norm, mut ended) = (Vec::new(), Vec::new(), Vec::new());
    for seed in 1..=seeds as u64 {
        let mut ends = Vec::new();
        for (name, clip, color) in runs {
            let (curve, accuracy) = descend(clip, steps, seed)?;
            let largest = curve.iter().map(|step| step.norm).fold(0.0, f64::max);
            let last: Vec<f64> = curve.iter().rev().take(50).map(|step| step.nats).collect();
            let end = last.iter().sum::<f64>() / last.len() as f64;
            println!(
                "  seed {seed}, {name:<12}  largest norm {largest:>4.0}, loss at the end {end:.3}, accuracy {accuracy:.0} %"
            );
            ends.push((end, accuracy));
            if seed == 1 {
                // Means of ten steps: single ones jump too much to be drawn.
                let line = |of: fn(&Step) -> f64| {
                    let means = curve
                        .chunks(10)
                        .map(|part| part.iter().map(of).sum::<f64>() / part.len() as f64);
                    let points = means.enumerate().map(|(at, mean)| (10.0 * at as f64, mean));
                    Series::line(name, color, points)
                };
                loss.push(line(|step| step.nats));
                norm.push(line(|step| step.norm));
            }
        }
        ended.push(ends);
    }
    // A large step throws the weights anywhere, now and then to where they learn: most runs count.
    let learnt = |run: usize| {
        let good = |ends: &&Vec<(f64, f64)>| ends[run].0 < 0.1 && ends[run].1 > 95.0;
        ended.iter().filter(good).count()
    };
    let (wild, clipped) = (learnt(0), learnt(1));
    println!("  learnt, of {seeds}: {wild} as it is, {clipped} clipped to 1");
    assert!(
        2 * wild < seeds,
        "it learns without clipping: {wild} of {seeds}"
    );
    assert!(
        2 * clipped > seeds,
        "clipping does not help: {clipped} of {seeds}"
    );
    println!("  a coin has a loss of 0.693 and is right in 50 %");
    for (name, title, y, series) in [
        (
            "exploding-loss",
            "Loss with large recurrent weights",
            "loss in nats, mean of ten steps",
            loss,
        ),
        (
            "exploding-norm",
            "Gradient norm, before it is clipped",
            "gradient norm, mean of ten steps",
            norm,
        ),
    ] {
        let chart = Chart::of_lines(name, title, ("step", y, Scale::Log), series);
        println!("  {}", save(&chart.draw(), &options.out)?.display());
    }
    Ok(())
}
