//! Gatelet's side of `peers/frames.py`: two LSTMs of 128 units and a dense operation with a sigmoid
//! on frames of 257 numbers, as the first stage of DTLN has them, with random weights.
//!
//! ```text
//! frames --weights FILE [--precision int8]    writes the weights as safetensors, then answers on
//!                                             stdout, a line for a line on stdin:
//!     values 24     the outputs of the last of so many frames, from the zero state
//!     time 1000     nanoseconds a step, mean of 1000, after two untimed ones
//! ```

use std::collections::HashMap;
use std::fs;
use std::hint::black_box;
use std::io::{BufRead, Write, stdin, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use clap::{Parser, ValueEnum};
use gatelet::format::Provenance;
use gatelet::net::{Activation, Kind, Net};
use gatelet::{Isa, Kernel, Model, Precision, Session, WithKernel};
use gatelet_benches::{SEED, prepared};
use gatelet_random::{Seeded, Source as _};
use gatelet_trainer::image::storage;
use gatelet_trainer::net::Params;
use gatelet_trainer::quantize::export::{Source, export_net};
use gatelet_trainer::quantize::{Sequence, WeightBits};
use safetensors::Dtype;
use safetensors::tensor::TensorView;

/// Anything that stops the program.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Numbers of a frame: magnitudes of a Fourier transform of 512 samples.
const WIDTH: usize = 257;
/// Units of each LSTM.
const UNITS: usize = 128;
/// Frames that are read in turn while time is taken, and that ranges are chosen on.
const FRAMES: usize = 64;

/// One side of the comparison on frames; see peers/frames.py.
#[derive(Debug, Parser)]
struct Args {
    /// safetensors file to write the weights to
    #[arg(long, value_name = "FILE")]
    weights: PathBuf,
    /// Number format
    #[arg(long, value_enum, default_value = "f32")]
    precision: Bits,
    /// Kernel [default: the fastest of this machine]
    #[arg(long, value_name = "NAME")]
    isa: Option<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Bits {
    F32,
    Int8,
}

/// A frame: numbers within 2, the same as the peers'.
fn frame(t: usize) -> [f32; WIDTH] {
    std::array::from_fn(|k| ((131 * t + 37 * k) % 401) as f32 / 100.0 - 2.0)
}

/// The net with weights as PyTorch starts them; the head's are larger, so that its sigmoid is used.
fn params() -> Params<f32> {
    let head = Kind::Dense {
        units: WIDTH,
        activation: Activation::Sigmoid,
    };
    let net = Net::features(Precision::F32, WIDTH)
        .then(Kind::lstm(UNITS))
        .then(Kind::lstm(UNITS))
        .then(head)
        .values();
    let mut params = Params::zeros(net);
    let random = &mut Seeded::new(SEED);
    let tensors = params.tensors().to_vec();
    for tensor in &tensors {
        let bound = if tensor.operation == 2 { 8.0 } else { 1.0 } / (UNITS as f32).sqrt();
        for weight in &mut params.data[tensor.range.clone()] {
            *weight = (random.below(20_001) as f32 / 10_000.0 - 1.0) * bound;
        }
    }
    params
}

/// `0.Input`, `0.Recurrent`, `0.Bias`, .., `2.Weight`, `2.Bias`: the operation, and the tensor as
/// [`gatelet_trainer::net::tensors`] has it; gates are i, f, g, o.
fn write_weights(params: &Params<f32>, path: &Path) -> Result<()> {
    let bytes: Vec<u8> = params.data.iter().flat_map(|x| x.to_le_bytes()).collect();
    let mut views = HashMap::new();
    for tensor in params.tensors() {
        let range = 4 * tensor.range.start..4 * tensor.range.end;
        let shape = vec![tensor.rows, tensor.columns];
        let view = TensorView::new(Dtype::F32, shape, &bytes[range])?;
        views.insert(format!("{}.{:?}", tensor.operation, tensor.role), view);
    }
    Ok(fs::write(path, safetensors::serialize(views, None)?)?)
}

/// Answers until stdin ends.
struct Answers<'a>(Model<'a>);

impl WithKernel for Answers<'_> {
    type Output = Result<()>;

    fn run<K: Kernel>(self, kernel: K) -> Result<()> {
        let mut memory = storage(self.0.net());
        let mut session = Session::new(&self.0, kernel, &mut memory)?;
        let frames: Vec<[f32; WIDTH]> = (0..FRAMES).map(frame).collect();
        for line in stdin().lock().lines() {
            let line = line?;
            let mut words = line.split_whitespace();
            let request = words.next().unwrap_or_default();
            let count: usize = words.next().ok_or("how many steps?")?.parse()?;
            match request {
                "values" => {
                    session.reset();
                    for t in 0..count {
                        session.step(&frame(t))?;
                    }
                    for output in session.values(0) {
                        print!("{output} ");
                    }
                    println!();
                }
                "time" => {
                    for frame in &frames[..2] {
                        session.step(frame)?;
                    }
                    let start = Instant::now();
                    for frame in frames.iter().cycle().take(count) {
                        session.step(frame)?;
                        for output in session.values(0) {
                            black_box(output);
                        }
                    }
                    println!("{}", start.elapsed().as_secs_f64() * 1e9 / count as f64);
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
    let precision = match args.precision {
        Bits::F32 => Precision::F32,
        Bits::Int8 => Precision::Int8,
    };
    let params = params();
    write_weights(&params, &args.weights)?;
    let frames: Vec<f32> = (0..FRAMES).flat_map(frame).collect();
    let source = Source::of_net(&params, Provenance::default());
    let data = [Sequence::Features(&frames)];
    let (image, _) = export_net(source, &data, precision, WeightBits::EIGHT)?;
    let image = prepared(&image, isa)?;
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
