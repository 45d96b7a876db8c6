//! The gates of an LSTM: one unit by hand, and then what trained gates do over sentences.
//!
//! ```text
//! the course's equations (no biases)                           x_t is one-hot: x U is a row of U
//!     i = sigmoid(x_t U_i + h W_i)      what comes in          g = tanh(x_t U_g + h W_g)     what would come in
//!     f = sigmoid(x_t U_f + h W_f)      what stays             c = f c + i g                 the memory
//!     o = sigmoid(x_t U_o + h W_o)      what shows             h = o tanh(c)                 what the net sees of it
//!
//! 1  one unit over three tokens, step by step, against the library's cell
//! 2  an LSTM learns sentences such as "Lynda has a cat . She likes the sea ." and has to say She or He
//! 3  the gates of the unit that knows it, word by word, and of the others as a heat map
//! ```
//! `cargo run --release --example lstm_gates` (some seconds), or `-- --quick`

use std::path::PathBuf;

use clap::Parser;
use gatelet_trainer::analysis::gates;
use gatelet_trainer::data::sequences::Batch;
use gatelet_trainer::engine::Engine;
use gatelet_trainer::error::{Result, Shown};
use gatelet_trainer::figure::save;
use gatelet_trainer::net::unroll::Unrolled;
use gatelet_trainer::net::{IGNORED, Packs, Params, Role, Shard};
use gatelet_trainer::page::figures;
use gatelet_trainer::train::config::Config;
use gatelet_trainer::train::learner::Learner;
use gatelet_trainer::train::optim::{Optimizer, OptimizerConfig};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;

#[derive(Parser)]
struct Options {
    /// Fewer steps: what the tests run
    #[arg(long)]
    quick: bool,
    /// Folder of the picture, which replaces that of an earlier run
    #[arg(long, default_value = "target/course")]
    out: PathBuf,
}

/// Rows of U, a token each, and W of the unit; columns i, f, g, o.
const U: [[f64; 4]; 3] = [
    [2.0, 0.0, 1.0, 0.5],
    [-2.0, 2.0, -1.0, 0.0],
    [-1.0, -1.0, 0.5, 2.0],
];
const W: [f64; 4] = [0.5, 1.0, -1.0, 0.5];

/// h and c of the library's cell after every token.
fn library<F: Engine>(tokens: &[u16]) -> Vec<(f64, f64)> {
    let shape = Config {
        hidden: 1,
        ..Config::default()
    }
    .shape(U.len());
    let mut params = Params::<F>::zeros(shape.net());
    let weights = U.concat().into_iter().map(F::from_f64);
    params
        .tensor_mut(0, Role::Rows)
        .iter_mut()
        .zip(weights)
        .for_each(|(to, w)| *to = w);
    let weights = W.into_iter().map(F::from_f64);
    params
        .tensor_mut(0, Role::Recurrent)
        .iter_mut()
        .zip(weights)
        .for_each(|(to, w)| *to = w);
    let (packs, mut shard) = (Packs::of(&params), Shard::new(&shape.net(), 1, 1));
    let states = tokens.iter().map(|&token| {
        shard.load(|_, _| (token, IGNORED));
        shard.forward(&packs, F::one());
        shard.carry();
        let (h, c) = shard.state(0);
        (h[0].to_f64(), c[0].to_f64())
    });
    states.collect()
}

fn by_hand() {
    println!("1  one unit, tokens 0, 1, 2; U and W in the order i, f, g, o: W = {W:?}");
    let sigmoid = |z: f64| 1.0 / (1.0 + (-z).exp());
    let (mut h, mut c) = (0.0, 0.0);
    let tokens = [0, 1, 2];
    let (exact, single) = (library::<f64>(&tokens), library::<f32>(&tokens));
    for (t, &token) in tokens.iter().enumerate() {
        let u = U[usize::from(token)];
        let i = sigmoid(u[0] + h * W[0]);
        let f = sigmoid(u[1] + h * W[1]);
        let g = (u[2] + h * W[2]).tanh();
        let o = sigmoid(u[3] + h * W[3]);
        println!(
            "  x={token}  i = sigmoid({} + {h:.4} * {}) = {i:.4}  f = {f:.4}  g = {g:.4}  o = {o:.4}",
            u[0], W[0]
        );
        let before = c;
        c = f * before + i * g;
        h = o * c.tanh();
        println!(
            "       c = {f:.4} * {before:.4} + {i:.4} * {g:.4} = {c:.4}   h = {o:.4} * tanh({c:.4}) = {h:.4}"
        );
        println!(
            "       the library: c = {:.15}  h = {:.15}",
            exact[t].1, exact[t].0
        );
        println!("       by hand:     c = {c:.15}  h = {h:.15}");
        let off = |state: (f64, f64)| (state.0 - h).abs().max((state.1 - c).abs());
        assert!(off(exact[t]) < 1e-14, "step {t}: {exact:?}");
        assert!(
            off(single[t]) < 1e-6,
            "step {t} in f32, with the vector kernels: {single:?}"
        );
    }
}

const NAMES: [(&str, &str); 8] = [
    ("Lynda", "She"),
    ("Mark", "He"),
    ("Anna", "She"),
    ("Tom", "He"),
    ("Mary", "She"),
    ("Paul", "He"),
    ("Emma", "She"),
    ("Henry", "He"),
];
const FIRST: [&str; 4] = [
    "has a cat",
    "lives in a small town",
    "reads old books",
    "works by day and by night",
];
const SECOND: [&str; 4] = [
    "likes the sea",
    "likes to be alone",
    "sings",
    "goes to bed early",
];

/// One person: the name decides the pronoun.
fn person(name: usize, first: usize, second: usize) -> String {
    let (name, pronoun) = NAMES[name % 8];
    let (first, second) = (FIRST[first % 4], SECOND[second % 4]);
    format!("{name} {first} . {pronoun} {second} .")
}

/// The `n`th of 1024 texts of two people: the second name has to replace the first.
fn text(n: usize) -> String {
    let (one, two) = (n % 8, n / 8 % 8);
    let (first, second) = (person(one, n / 64, n / 3), person(two, n / 5, n / 256));
    format!("{first} {second}")
}

fn main() -> Result<(), Shown> {
    let options = Options::parse();
    by_hand();

    // A quarter of the texts is not trained on.
    let is_held_out = |n: &usize| (n + n / 8 + n / 64) % 4 == 3;
    let (held_out, train): (Vec<usize>, Vec<usize>) = (0..1024).partition(is_held_out);
    let all: Vec<String> = (0..1024).map(text).collect();
    let mut vocabulary: Vec<&str> = all.iter().flat_map(|text| text.split(' ')).collect();
    vocabulary.sort_unstable();
    vocabulary.dedup();
    let id = |word: &str| {
        let place = vocabulary.binary_search_by(|other| (**other).cmp(word));
        place.expect("a word of the texts") as u16
    };
    let [she, he] = ["She", "He"].map(id);
    let tokens = |text: &str| text.split(' ').map(id).collect::<Vec<u16>>();
    // All words are predicted in training; in the test only the pronouns count. Short texts are filled up.
    let batch = |texts: &[usize], counts: &dyn Fn(u16) -> bool| {
        const STEPS: usize = 30;
        let mut batch = Batch::new(STEPS);
        for &n in texts {
            let mut inputs = tokens(&all[n]);
            let next = inputs.iter().skip(1).copied();
            let mut targets: Vec<u16> = next
                .map(|id| if counts(id) { id } else { IGNORED })
                .collect();
            inputs.resize(STEPS, 0);
            targets.resize(STEPS, IGNORED);
            batch.push(&inputs, &targets);
        }
        batch
    };
    let shape = Config {
        hidden: 12,
        ..Config::default()
    }
    .shape(vocabulary.len());
    // Small rows at the start: gates that begin half open show what training makes of them.
    let mut params = Params::init(shape.net(), 1);
    params
        .tensor_mut(0, Role::Rows)
        .iter_mut()
        .for_each(|w| *w *= 0.1);
    let mut learner = Learner::new(params, OptimizerConfig::of(Optimizer::Adam));
    let steps = if options.quick { 1000 } else { 2000 };
    let mut rng = Pcg64::seed_from_u64(1);
    for _ in 0..steps {
        let rows = [(); 32].map(|()| train[rng.random_range(0..train.len())]);
        learner.step(&batch(&rows, &|_| true), 0.01)?;
    }
    let test = batch(&held_out, &|id| id == she || id == he);
    let accuracy = 100.0 * learner.score(&test)?.accuracy;
    println!(
        "\n2  {} texts of two people, {} words, 12 units, {steps} steps",
        train.len(),
        vocabulary.len()
    );
    println!(
        "   She or He is right in {accuracy:.1} % of {} other texts",
        held_out.len()
    );
    assert!(accuracy >= 99.0, "She or He: {accuracy} %");

    let [lynda, mark] = [person(0, 1, 0), person(1, 2, 1)];
    let (shown, other) = (format!("{lynda} {mark}"), lynda.replace("Lynda", "Mark"));
    let run = |text| Unrolled::new(&learner.params().cast(), &tokens(text));
    let (net, contrary) = (run(&shown), run(&other));
    // The unit that knows it: whatever stands between name and pronoun, its memory differs.
    let decision = lynda.split(' ').position(|word| word == ".").unwrap_or(0);
    let c = |net: &Unrolled, t: usize, unit: usize| net.layer(0).c[t * 12 + unit];
    let differs = |unit: &usize| {
        let all = (0..=decision).map(|t| (c(&net, t, *unit) - c(&contrary, t, *unit)).abs());
        all.fold(f64::INFINITY, f64::min)
    };
    let unit = (0..12)
        .max_by(|a, b| differs(a).total_cmp(&differs(b)))
        .unwrap_or(0);
    println!(
        "\n3  unit {unit}, whose memory differs most between Lynda and Mark, all the way to the pronoun"
    );
    println!("  word          i      f      g      o       c       h   P(She)  P(He)");
    let words: Vec<&str> = shown.split(' ').collect();
    for (t, word) in words.iter().enumerate() {
        let gate = |k: usize| net.layer(0).gates[t * 48 + k * 12 + unit];
        let (p, h) = (net.probabilities(t), net.layer(0).h[t * 12 + unit]);
        let [p_she, p_he] = [she, he].map(|id| 100.0 * p[usize::from(id)]);
        println!(
            "  {word:<10} {:>5.2}  {:>5.2}  {:>5.2}  {:>5.2}  {:>6.2}  {h:>6.2}  {p_she:>4.0} %  {p_he:>4.0} %",
            gate(0),
            gate(1),
            gate(2),
            gate(3),
            c(&net, t, unit)
        );
    }
    let said = |net: &Unrolled, t: usize, id: u16| net.probabilities(t)[usize::from(id)];
    assert!(
        said(&net, decision, she) > 0.9 && said(&contrary, decision, he) > 0.9,
        "the pronoun"
    );
    let activity = gates::watch(
        learner.params(),
        &[],
        &words,
        &tokens(&shown),
        None,
        (0, 12),
    )
    .expect("the net has a layer");
    println!(
        "  {}",
        save(&figures::gates(&activity), &options.out)?.display()
    );
    Ok(())
}
