//! Runs random models with every kernel of this processor and compares: int8 states bit for bit, f32 logits within the
//! bound of docs/numerics.md. Depends on core and `gatelet-random`, so it is quickly built for any target; `run.mjs`
//! starts it in node.
//! With `--write FILE` it writes models for the boards' programs instead (`boards.rs`), and with `--suite` it runs the conformance
//! suite on stdin (`suite.rs`).
//!
//! Exit code 1, and a line that says which, when a kernel is wrong.

use std::process::ExitCode;

use gatelet::format::{KnownAnswer, repack};
use gatelet::net::{Input, Net};
use gatelet::{Isa, Kernel, Model, Precision, Scalar, Session, StateHash, TokenId, WithKernel};
use gatelet_random::{GRU, LSTM, RNN, in_four_bits, with_widths};

mod boards;
mod random;
mod suite;

use boards::{features, mixed};
use random::{USUAL_SHIFTS, random};

/// Steps of a trace. Miri, which checks every access to memory, takes a thousand times as long.
const STEPS: usize = if cfg!(miri) { 2 } else { 24 };
/// Hidden sizes on both sides of the edges of tiles.
const HIDDEN: &[usize] = if cfg!(miri) {
    &[3, 17]
} else {
    &[1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 64]
};
const F32_BOUND: f32 = 2e-4;
/// Nets that mix operations, of each precision.
const MIXED: u64 = if cfg!(miri) { 4 } else { 60 };
/// Bytes of the largest image, and more.
const ROOM: usize = 8 << 20;
/// Of [`widths`], so many: without any, and tied with both.
const WIDTHS: usize = if cfg!(miri) { 2 } else { 6 };

/// State hash and last logits after some steps, with so many words of storage more than a session needs.
struct Trace<'a>(Model<'a>, usize);

impl WithKernel for Trace<'_> {
    type Output = (u64, Vec<f32>);

    fn run<K: Kernel>(self, kernel: K) -> Self::Output {
        let net = *self.0.net();
        let mut memory = vec![0; net.state_words() + self.1];
        let mut session = Session::new(&self.0, kernel, &mut memory).expect("room enough");
        let mut hash = StateHash::new();
        for step in 0..STEPS {
            match net.input {
                Input::Tokens { vocab } => {
                    let id = TokenId((step * 7 % vocab) as u16);
                    session.step(id).expect("a token of the vocabulary");
                }
                Input::Features { width, .. } => {
                    session.step(&features(step, width)[..]).expect("numbers");
                }
            }
            session.hash_into(&mut hash);
        }
        let outputs =
            (0..net.output_len()).flat_map(|index| session.values(index).collect::<Vec<_>>());
        (hash.finish(), outputs.collect())
    }
}

/// Compares one net on every kernel, each in rows and in its own layout; says what differs.
fn compare(net: &Net, rows: &mut [u8], packed: &mut [u8]) -> Result<usize, String> {
    let len = random(net, USUAL_SHIFTS, KnownAnswer::default(), rows)?;
    let model = Model::from_bytes(&rows[..len]).map_err(|error| error.to_string())?;
    let (hash, logits) = Isa::Scalar(Scalar).run(Trace(model, 0));
    let mut compared = 0;
    for isa in Isa::available() {
        let len = repack(&model, isa.layout(net), packed).map_err(|error| error.to_string())?;
        let own = Model::from_bytes(&packed[..len]).map_err(|error| error.to_string())?;
        // In a kernel's own layout also with room for products ahead.
        for (model, more) in [(model, 0), (own, 0), (own, net.pipeline_words())] {
            let found = isa.run(Trace(model, more));
            let relative = |(a, b): (&f32, &f32)| (a - b).abs() / a.abs().max(1.0);
            let off = logits
                .iter()
                .zip(&found.1)
                .map(relative)
                .fold(0.0, f32::max);
            let good = match net.precision {
                Precision::Int8 => found.0 == hash && off == 0.0,
                Precision::F32 => off <= F32_BOUND,
            };
            if !good {
                let layout = model.layout();
                let kernel = isa.name();
                return Err(format!(
                    "{kernel}, {layout}, {more} words more: {net:?}: off by {off}"
                ));
            }
            compared += 1;
        }
    }
    Ok(compared)
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => run(),
        ["--write", path] => match boards::write(path) {
            Ok(models) => {
                println!("{models} models");
                ExitCode::SUCCESS
            }
            Err(what) => {
                eprintln!("error: {path}: {what}");
                ExitCode::FAILURE
            }
        },
        ["--suite"] => match suite::run() {
            Ok(()) => ExitCode::SUCCESS,
            Err(what) => {
                eprintln!("error: {what}");
                ExitCode::FAILURE
            }
        },
        _ => {
            eprintln!("error: the arguments are none, or --suite, or: --write FILE");
            ExitCode::from(2)
        }
    }
}

/// Widths of embedding and projection for layers of so many units, and whether the head is tied.
fn widths(hidden: usize) -> [(usize, usize, bool); 6] {
    [
        (0, 0, false),
        (hidden + 3, hidden + 3, true),
        (hidden.max(4), 0, hidden >= 4),
        (6, 0, false),
        (4, hidden + 5, false),
        (0, 9, false),
    ]
}

/// A buffer's part that starts at a cache line.
fn aligned(buffer: &mut [u8]) -> &mut [u8] {
    let start = buffer.as_ptr().align_offset(64);
    &mut buffer[start..]
}

fn run() -> ExitCode {
    let (mut rows, mut packed) = (vec![0; ROOM], vec![0; ROOM]);
    let (rows, packed) = (aligned(&mut rows), aligned(&mut packed));
    let mut compared = 0;
    for precision in [Precision::Int8, Precision::F32] {
        for seed in 0..MIXED {
            match compare(&mixed(seed, precision), rows, packed) {
                Ok(count) => compared += count,
                Err(what) => {
                    println!("mixed net {seed}: {what}");
                    return ExitCode::FAILURE;
                }
            }
        }
    }
    for kind in [RNN, LSTM, GRU] {
        for precision in [Precision::Int8, Precision::F32] {
            for (index, &hidden) in HIDDEN.iter().enumerate() {
                let (layers, vocab) = (1 + index % 3, [3, 8, 9, 33][index % 4]);
                let layer = kind.with_units(hidden);
                let widths = widths(hidden).into_iter().take(WIDTHS);
                let nets = widths.flat_map(|widths| {
                    let net = with_widths(precision, vocab, layers, layer, widths);
                    let (first, head) = (usize::from(widths.0 > 0), net.len() - 1);
                    let four = (0..layers).filter(|layer| (layer + index).is_multiple_of(2));
                    let four = four.map(|layer| first + layer);
                    let head = (!widths.2).then_some(head);
                    // f32 models have none.
                    [Ok(net), in_four_bits(net, four.chain(head)).checked()]
                });
                for net in nets.flatten() {
                    match compare(&net, rows, packed) {
                        Ok(count) => compared += count,
                        Err(what) => {
                            println!("{what}");
                            return ExitCode::FAILURE;
                        }
                    }
                }
            }
        }
    }
    let names: Vec<&str> = Isa::available().map(Isa::name).collect();
    println!("{compared} traces agree: {}", names.join(", "));
    ExitCode::SUCCESS
}
