//! What the two streaming demos have alike: their options, where the image goes, and how their
//! learning rates fall.

use std::f64::consts::PI;
use std::path::PathBuf;

use clap::Parser;
use gatelet_trainer::error::Error;
use gatelet_trainer::files::{IMAGE, Output};

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
    pub(crate) fn output(&self) -> Result<Option<Output>, Error> {
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

/// The learning rate when `part` of the training is done: half a cosine from the first to the last.
pub(crate) fn rate([first, last]: [f64; 2], part: f64) -> f64 {
    last + (first - last) * (0.5 + 0.5 * (PI * part).cos())
}

/// What stopped an image.
pub(crate) fn failed(error: impl std::fmt::Display) -> Error {
    Error::Inference(error.to_string())
}
