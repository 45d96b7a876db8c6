//! What the two streaming demos have alike: their options, the run, and where the image goes.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use clap::Parser;
use gatelet_series::Set;
use gatelet_trainer::error::{Error, Result};
use gatelet_trainer::files::{IMAGE, Output};
use gatelet_trainer::image::Image;
use gatelet_trainer::train::checkpoint::Checkpoint;
use gatelet_trainer::train::config::Config;
use gatelet_trainer::train::run::{Metrics, Mode, RunFolder};
use gatelet_trainer::train::series::Series;
use gatelet_trainer::train::{Observer, Position, Trainer};

#[derive(Parser)]
pub(crate) struct Options {
    /// Seed of what is made up, of the start and of the orders
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// A few seconds of training: what the tests run
    #[arg(long)]
    pub(crate) quick: bool,
    /// Where the image goes; nowhere without it
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Replace --out if it is there
    #[arg(long)]
    force: bool,
}

impl Options {
    /// The file of the image, which can be written, if there is to be one.
    pub(crate) fn output(&self) -> Result<Option<Output>> {
        let out = self.out.as_deref();
        let out = out.map(|path| Output::new(path, IMAGE, self.force));
        out.iter().try_for_each(Output::check)?;
        Ok(out)
    }

    /// What runs this example again.
    pub(crate) fn command(&self, example: &str) -> String {
        let seed = self.seed;
        format!("cargo run --release --example {example} -- --seed {seed}")
    }
}

/// Writes the image, if it is to go anywhere.
pub(crate) fn write(out: Option<Output>, image: &Image) -> Result<()> {
    println!("image: {} bytes", image.bytes().len());
    match out {
        Some(out) => Ok(out.write(image.bytes())?),
        None => Ok(()),
    }
}

/// A folder for files that nobody wants to keep.
pub(crate) fn scratch() -> Result<tempfile::TempDir> {
    tempfile::tempdir().map_err(|source| Error::Write {
        path: std::env::temp_dir(),
        source,
    })
}

/// What is learnt from, and what is held out, as the options of `config` read it.
pub(crate) fn read(name: &str, parts: [&Path; 2], config: &Config) -> Result<Series> {
    let series = config.series.as_ref();
    let series = series.ok_or_else(|| Error::Some("no options of sequences".to_owned()))?;
    let [train, valid] = parts.map(|part| Set::open(part, &series.reading(&[])));
    Series::new(
        name.to_owned(),
        train?,
        Some(valid?),
        (series, config),
        None,
    )
}

/// A line for every evaluation.
struct Lines;

impl Observer for Lines {
    fn window(&mut self, _: &Position, _: f64, _: f64) {}

    fn evaluation(&mut self, metrics: &Metrics) {
        let kept = if metrics.best { "   best so far" } else { "" };
        println!(
            "{:5.0} {:10.5} {:10.5} {:9.4} {:9.0}{kept}",
            metrics.epoch,
            metrics.train_nats,
            metrics.valid_nats,
            metrics.figure.unwrap_or(f64::NAN),
            metrics.seconds
        );
    }
}

/// A run to its end, in a folder below `scratch`; the net that was best on what is held out.
pub(crate) fn train(
    data: &Series,
    config: Config,
    command: String,
    scratch: &Path,
) -> Result<Checkpoint> {
    let folder = RunFolder::open(&scratch.join("run"), Mode::New)?;
    let mut trainer = Trainer::new(data, config, command)?;
    println!(
        "{} multiply-accumulates a step; {} sequences to learn from, {} held out\n",
        trainer.params().net().macs_per_step(),
        data.train().picked().len(),
        data.valid().picked().len()
    );
    let figure = data.options().task.terms().figure.unwrap_or_default();
    println!("epoch   training   held out: loss, {figure}; seconds");
    trainer.run(&folder, &AtomicBool::new(false), &mut Lines)?;
    let path = folder.best();
    let bytes = std::fs::read(&path).map_err(|source| Error::Read {
        path: path.clone(),
        source,
    })?;
    Checkpoint::from_bytes(&bytes, &path)
}
