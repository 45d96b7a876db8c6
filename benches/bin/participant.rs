//! Gatelet's side of `peers/run.py`: the weights that every engine gets, and steps on request.
//!
//! ```text
//! participant weights --layers 1 --hidden 64 --out FILE      writes safetensors with PyTorch's names
//! participant serve --layers 1 --hidden 64 --precision f32   answers on stdout, a line for a line on stdin:
//!     logits 5 90 0     the logits after these tokens, from the zero state
//!     time 1000         nanoseconds a step, mean of 1000, after two untimed ones
//! participant train --layers 1 --hidden 64 --batch 32 --window 64 --threads 2      the same for training, of an LSTM or a --cell:
//!     loss              the loss of the next window, in nats
//!     time 10           nanoseconds a window (forward, backward, clipping, optimizer), mean of 10
//!     memory            the most memory this process has had, in bytes
//! ```

use std::fs;
use std::hint::black_box;
use std::io::{BufRead, Write, stdin, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use clap::{Args, Parser, ValueEnum};
use gatelet::net::Net;
use gatelet::{Isa, Kernel, Model, Precision, Session, TokenId, WithKernel};
use gatelet_benches::{SEED, VOCAB, lstm, model, next_token};
use gatelet_series::Set;
use gatelet_trainer::data::corpus::{Corpus, Text, Vocabulary};
use gatelet_trainer::image::storage;
use gatelet_trainer::net::Params;
use gatelet_trainer::train::Trainer;
use gatelet_trainer::train::checkpoint::{Checkpoint, FORMAT, Interface, Meta, Provenance};
use gatelet_trainer::train::config::Config;
use gatelet_trainer::train::layers::Cell;
use gatelet_trainer::train::series::Series;
use gatelet_trainer::train::series::options::{SeriesOptions, Task};

/// Anything that stops the program.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// One side of the comparison with other engines; see peers/run.py.
#[derive(Debug, Parser)]
enum Role {
    /// Write the weights
    Weights {
        #[command(flatten)]
        size: Size,
        /// safetensors file to write
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Step on request
    Serve {
        #[command(flatten)]
        size: Size,
        /// Number format
        #[arg(long, value_enum)]
        precision: Bits,
        /// Kernel [default: the fastest of this machine]
        #[arg(long, value_name = "NAME")]
        isa: Option<String>,
    },
    /// Train on request
    Train {
        #[command(flatten)]
        size: Size,
        /// Kind of cell
        #[arg(long, default_value = "lstm")]
        cell: Cell,
        /// Streams side by side
        #[arg(long)]
        batch: usize,
        /// Steps that gradients travel back
        #[arg(long)]
        window: usize,
        /// Threads
        #[arg(long)]
        threads: usize,
        /// Learn classes of sequences of a window's length, of so many numbers a step, and no text
        #[arg(long, default_value_t = 0)]
        features: usize,
    },
}

#[derive(Debug, Args)]
struct Size {
    /// Layers
    #[arg(long)]
    layers: usize,
    /// Units of a layer
    #[arg(long)]
    hidden: usize,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Bits {
    F32,
    Int8,
}

impl Size {
    fn net(&self) -> Net {
        lstm(self.layers, self.hidden, VOCAB)
    }
}

fn main() -> ExitCode {
    let done = match Role::parse() {
        Role::Weights { size, out } => write_weights(&size, &out),
        Role::Serve {
            size,
            precision,
            isa,
        } => serve(&size.net(), precision, isa.as_deref()),
        Role::Train {
            size,
            cell,
            batch,
            window,
            threads,
            features,
        } => train(
            Config {
                cell,
                layers: size.layers,
                hidden: size.hidden,
                batch,
                window,
                ..Config::default()
            },
            (threads, features),
        ),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The parameters behind `model(..)` as a checkpoint.
fn write_weights(size: &Size, out: &Path) -> Result<()> {
    let vocabulary: String = (' '..).take(VOCAB).collect();
    let net = size.net();
    let checkpoint = Checkpoint {
        vocab: Some(Vocabulary::of(&vocabulary)),
        starts: Vec::new(),
        params: Params::init(net, SEED),
        learned: None,
        resume: None,
        meta: Meta {
            format: FORMAT,
            net,
            interface: Interface::default(),
            vocabulary,
            words: Vec::new(),
            series: None,
            config: Some(Config {
                cell: Cell::Lstm,
                hidden: size.hidden,
                layers: size.layers,
                ..Config::default()
            }),
            provenance: Provenance {
                corpus: "random weights".to_owned(),
                corpus_sha256: "00".repeat(32),
                command: "participant weights".to_owned(),
                trainer: env!("CARGO_PKG_NAME").to_owned(),
                seed: SEED,
                nats: None,
                epoch: 0,
                characters: 0,
                unigram_nats: None,
                changes: Vec::new(),
            },
            position: None,
        },
    };
    Ok(fs::write(out, checkpoint.to_bytes()?)?)
}

fn serve(net: &Net, precision: Bits, isa: Option<&str>) -> Result<()> {
    let isa = match isa {
        None => Isa::detect(),
        Some(name) => Isa::from_name(name).ok_or_else(|| format!("no kernel {name:?} here"))?,
    };
    let precision = match precision {
        Bits::F32 => Precision::F32,
        Bits::Int8 => Precision::Int8,
    };
    let image = model(net, precision, isa)?;
    println!("ready {}", isa.name());
    isa.run(Answers(image.model()?))
}

/// Trains on random data until stdin ends: what a window costs does not depend on it.
fn train(config: Config, (threads, features): (usize, usize)) -> Result<()> {
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build_global()?;
    match features {
        0 => train_on_text(config),
        features => train_on_sequences(config, features),
    }
}

/// Random numbers below 2^31.
fn random() -> impl FnMut() -> u64 {
    let mut random = 1_u64;
    move || {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        random >> 33
    }
}

fn train_on_text(config: Config) -> Result<()> {
    let mut random = random();
    let mut character = || char::from(b' ' + random() as u8 % VOCAB as u8);
    let length = (config.batch * config.window * 40).max(100_000);
    let text: String = (0..length).map(|_| character()).collect();
    let text = Text::from_bytes("random".into(), text.into_bytes())?;
    let corpus = Corpus::new(&text, config.valid_fraction)?;
    on_request(Trainer::new(&corpus, config, String::new())?)
}

/// Sequences of a window's length, of eight classes.
fn train_on_sequences(config: Config, features: usize) -> Result<()> {
    let mut random = random();
    let mut rows = String::from("id,class");
    (0..features).for_each(|k| rows += &format!(",f{k}"));
    for id in 0..20 * config.batch {
        let class = id % 8;
        for _ in 0..config.window {
            rows += &format!("\n{id},c{class}");
            (0..features).for_each(|_| rows += &format!(",{}", random() % 2000));
        }
    }
    let file = std::env::temp_dir().join(format!("gatelet-{}.csv", std::process::id()));
    fs::write(&file, rows + "\n")?;
    let options = SeriesOptions {
        group: Some("id".to_owned()),
        target: vec!["class".to_owned()],
        ..SeriesOptions::of(Task::Classify)
    };
    let set = Set::open(&file, &options.reading(&[]));
    fs::remove_file(&file)?;
    let data = Series::new("random".to_owned(), set?, None, (&options, &config), None)?;
    on_request(Trainer::new(&data, config, String::new())?)
}

/// Trains until stdin ends.
fn on_request(mut trainer: Trainer<'_>) -> Result<()> {
    println!("ready {}", Isa::detect().name());
    for line in stdin().lock().lines() {
        let line = line?;
        let mut words = line.split_whitespace();
        match words.next() {
            Some("loss") => println!("{}", trainer.step()?),
            Some("time") => {
                let n: u32 = words.next().ok_or("time: how many windows?")?.parse()?;
                let start = Instant::now();
                for _ in 0..n {
                    trainer.step()?;
                }
                println!("{}", start.elapsed().as_secs_f64() * 1e9 / f64::from(n));
            }
            Some("memory") => println!("{}", most_memory()?),
            _ => return Err(format!("not a request: {line:?}").into()),
        }
        stdout().flush()?;
    }
    Ok(())
}

/// The largest resident set of this process so far, in bytes; Linux only.
fn most_memory() -> Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
    Ok(1024 * kib.ok_or("no VmHWM")?.parse::<u64>()?)
}

/// Answers until stdin ends.
struct Answers<'a>(Model<'a>);

impl WithKernel for Answers<'_> {
    type Output = Result<()>;

    fn run<K: Kernel>(self, kernel: K) -> Result<()> {
        let vocab = self.0.net().vocab();
        let mut memory = storage(self.0.net());
        let mut session = Session::new(&self.0, kernel, &mut memory)?;
        let mut id = 0;
        for line in stdin().lock().lines() {
            let line = line?;
            let mut words = line.split_whitespace();
            match words.next() {
                Some("logits") => {
                    session.reset();
                    for word in words {
                        session.step(TokenId(word.parse()?))?;
                    }
                    println!("{}", numbers(&session));
                }
                Some("time") => {
                    let n: u32 = words.next().ok_or("time: how many steps?")?.parse()?;
                    let mut steps = |n| -> Result<()> {
                        for _ in 0..n {
                            id = next_token(id, vocab);
                            black_box(session.step(TokenId(id))?);
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

/// The logits of a session, separated by blanks.
fn numbers<K: Kernel>(session: &Session<'_, '_, K>) -> String {
    let logits = session.logits();
    let number = |id| logits.get(TokenId(id as u16)).map(|x| x.to_string());
    let all: Vec<String> = (0..logits.len()).filter_map(number).collect();
    all.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use gatelet_trainer::any_model::AnyModel;

    #[test]
    fn the_weights_are_those_of_the_model() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights.safetensors");
        let size = Size {
            layers: 2,
            hidden: 12,
        };
        write_weights(&size, &path).unwrap();
        let scalar = Isa::from_name("scalar").unwrap();
        let read = AnyModel::read_for(&path, scalar).unwrap();
        let made = model(&size.net(), Precision::F32, scalar).unwrap();
        let (read, made) = (read.model(), made.model().unwrap());
        for index in 0..read.net().len() {
            let [a, b] = [&read, &made].map(|model| format!("{:?}", model.weights(index)));
            assert_eq!(a, b);
        }
    }
}
