//! Gatelet's side of `peers/stream.py`: a cell that reads one number and a dense operation that
//! gives one, in f32, as in models of guitar amplifiers.
//!
//! ```text
//! stream --cell gru --hidden 8 --weights FILE     writes the weights in RTNeural's JSON, then answers
//!                                                 on stdout, a line for a line on stdin:
//!     values 0.5 -1     the outputs after each of these inputs, from the zero state
//!     time 1000         nanoseconds a step, mean of 1000, after two untimed ones
//! ```

use std::fs;
use std::hint::black_box;
use std::io::{BufRead, Write, stdin, stdout};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::{Parser, ValueEnum};
use gatelet::format::{
    FeatureSpec, ImageSpec, KnownAnswer, MatrixSpec, Numbers, OperationSpec, Provenance, VocabSpec,
};
use gatelet::net::{Activation, Kind, Net, Reset};
use gatelet::{Isa, Kernel, Layout, Model, Precision, Session, TextRules, WithKernel};
use gatelet_benches::{SEED, prepared};
use gatelet_random::{Seeded, Source};
use gatelet_trainer::image::Image;
use serde_json::{Value, json};

/// Anything that stops the program.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// One side of the comparison with RTNeural; see peers/stream.py.
#[derive(Debug, Parser)]
struct Args {
    /// Kind of cell
    #[arg(long, value_enum)]
    cell: Cell,
    /// Units
    #[arg(long)]
    hidden: usize,
    /// JSON file to write the weights to
    #[arg(long, value_name = "FILE")]
    weights: PathBuf,
    /// Kernel [default: the fastest of this machine]
    #[arg(long, value_name = "NAME")]
    isa: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Cell {
    Lstm,
    Gru,
}

/// Weights as PyTorch has them, gate by gate: i, f, g, o, or r, z, n.
struct Weights {
    cell: Cell,
    units: usize,
    /// `[gates, units]`: of the one input.
    x: Vec<f32>,
    /// `[gates, units, units]`
    h: Vec<f32>,
    /// `[gates, units]`
    bias: Vec<f32>,
    /// `[units]`: the bias of a GRU's U h.
    own_bias: Vec<f32>,
    /// `[units]`
    head: Vec<f32>,
}

impl Weights {
    fn random(cell: Cell, units: usize) -> Self {
        let random = &mut Seeded::new(SEED);
        let bound = 1.0 / (units as f32).sqrt();
        let mut numbers = |count: usize| -> Vec<f32> {
            let number = |_| (random.below(20_001) as f32 / 10_000.0 - 1.0) * bound;
            (0..count).map(number).collect()
        };
        let gates = match cell {
            Cell::Lstm => 4,
            Cell::Gru => 3,
        };
        Self {
            cell,
            units,
            x: numbers(gates * units),
            h: numbers(gates * units * units),
            bias: numbers(gates * units),
            own_bias: numbers(units),
            head: numbers(units),
        }
    }

    /// RTNeural's file: Keras' names and shapes, and its order of a GRU's gates, z, r, n.
    fn rtneural(&self) -> Value {
        let units = self.units;
        let rows: Vec<usize> = match self.cell {
            Cell::Lstm => (0..4 * units).collect(),
            Cell::Gru => (units..2 * units)
                .chain(0..units)
                .chain(2 * units..3 * units)
                .collect(),
        };
        let of = |numbers: &[f32]| -> Vec<f32> { rows.iter().map(|&row| numbers[row]).collect() };
        let recurrent =
            |k: usize| -> Vec<f32> { rows.iter().map(|row| self.h[row * units + k]).collect() };
        let recurrent: Vec<Vec<f32>> = (0..units).map(recurrent).collect();
        let mut own = vec![0.0; 2 * units];
        own.extend(&self.own_bias);
        let (name, bias) = match self.cell {
            Cell::Lstm => ("lstm", json!(of(&self.bias))),
            Cell::Gru => ("gru", json!([of(&self.bias), own])),
        };
        let head: Vec<[f32; 1]> = self.head.iter().map(|&w| [w]).collect();
        json!({ "in_shape": [null, null, 1], "layers": [
            { "type": name, "activation": "", "shape": [null, null, units],
              "weights": [[of(&self.x)], recurrent, bias] },
            { "type": "dense", "activation": "", "shape": [null, null, 1],
              "weights": [head, [0.0]] },
        ] })
    }

    /// The model, as `isa` reads it fastest.
    fn image(&self, isa: Isa) -> Result<Image> {
        let units = self.units;
        let own = units.next_multiple_of(4);
        // A row of what is read, and of h behind it.
        let row = |row: usize| {
            let mut all = vec![self.x[row], 0.0, 0.0, 0.0];
            all.extend(&self.h[row * units..(row + 1) * units]);
            all.resize(4 + own, 0.0);
            all
        };
        let rows: Vec<usize> = match self.cell {
            // Unit by unit, the gates of each together.
            Cell::Lstm => (0..4 * units).map(|k| k % 4 * units + k / 4).collect(),
            Cell::Gru => (0..2 * units).collect(),
        };
        let input: Vec<f32> = match self.cell {
            Cell::Lstm => rows.iter().map(|&row| self.bias[row]).collect(),
            Cell::Gru => self.bias.clone(),
        };
        let weights: Vec<f32> = rows.iter().flat_map(|&k| row(k)).collect();
        let candidate = match self.cell {
            Cell::Lstm => 0..0,
            Cell::Gru => 2 * units..3 * units,
        };
        let read: Vec<f32> = candidate
            .clone()
            .flat_map(|k| row(k)[..4].to_vec())
            .collect();
        let hidden: Vec<f32> = candidate.flat_map(|k| row(k)[4..].to_vec()).collect();
        let cell = OperationSpec::cell_f32(&input, &weights);
        let (kind, cell) = match self.cell {
            Cell::Lstm => (Kind::lstm(units), cell),
            Cell::Gru => (
                Kind::gru(units, Reset::After),
                OperationSpec {
                    candidate: MatrixSpec::f32(&read),
                    hidden: MatrixSpec::f32(&hidden),
                    bias: Numbers::F32(&self.own_bias),
                    ..cell
                },
            ),
        };
        let mut head = self.head.clone();
        head.resize(own, 0.0);
        let dense = Kind::Dense {
            units: 1,
            activation: Activation::None,
        };
        let spec = ImageSpec {
            net: Net::features(Precision::F32, 1)
                .then(kind)
                .then(dense)
                .values(),
            layout: Layout::Rows,
            vocab: VocabSpec::None,
            features: FeatureSpec::default(),
            operations: &[cell, OperationSpec::dense_f32(&head, &[0.0])],
            outputs: Default::default(),
            provenance: Provenance::default(),
            known_answer: KnownAnswer::default(),
            rules: TextRules::default(),
        };
        Ok(prepared(&Image::write(&spec)?, isa)?)
    }
}

/// Answers until stdin ends.
struct Answers<'a>(Model<'a>);

impl WithKernel for Answers<'_> {
    type Output = Result<()>;

    fn run<K: Kernel>(self, kernel: K) -> Result<()> {
        let mut memory = vec![0; self.0.net().state_words()];
        let mut session = Session::new(&self.0, kernel, &mut memory)?;
        let mut turn = 0_u8;
        for line in stdin().lock().lines() {
            let line = line?;
            let mut words = line.split_whitespace();
            match words.next() {
                Some("values") => {
                    session.reset();
                    for word in words {
                        session.step(&[word.parse::<f32>()?])?;
                        let output = session.values(0).next().ok_or("no output")?;
                        print!("{output} ");
                    }
                    println!();
                }
                Some("time") => {
                    let n: u32 = words.next().ok_or("time: how many steps?")?.parse()?;
                    let mut steps = |n| -> Result<()> {
                        for _ in 0..n {
                            // In steps of 1/64, within 1; the same as RTNeural's.
                            turn = (turn + 37) % 129;
                            session.step(&[(f32::from(turn) - 64.0) / 64.0])?;
                            black_box(session.values(0).next());
                        }
                        Ok(())
                    };
                    steps(2)?;
                    let start = Instant::now();
                    steps(n)?;
                    println!("{}", start.elapsed().as_secs_f64() * 1e9 / f64::from(n));
                }
                _ => return Err(format!("not a request: {line:?}").into()),
            }
            stdout().flush()?;
        }
        Ok(())
    }
}

fn run(args: &Args) -> Result<()> {
    let isa = match &args.isa {
        None => Isa::detect(),
        Some(name) => Isa::from_name(name).ok_or_else(|| format!("no kernel {name:?} here"))?,
    };
    let weights = Weights::random(args.cell, args.hidden);
    fs::write(&args.weights, weights.rtneural().to_string())?;
    let image = weights.image(isa)?;
    println!("ready {}", isa.name());
    isa.run(Answers(image.model()?))
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
