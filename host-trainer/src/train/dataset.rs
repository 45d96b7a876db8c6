//! What a run learns from, and how it is judged: a text, or sequences of numbers.

use std::fmt::Debug;

use crate::data::Data;
use crate::data::corpus::Vocabulary;
use crate::error::Result;
use crate::net::{Net, Params};
use crate::train::checkpoint::Meta;
use crate::train::config::Config;
use crate::train::learner::Learner;
use crate::train::terms::Terms;

/// What is done with a window: its examples, those rows of a batch that there are, and whether they
/// begin at the start state.
pub type Use<'u> = &'u mut dyn FnMut(&dyn Data<f32>, usize, bool) -> Result<()>;

/// What an evaluation finds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Judged {
    /// Mean loss of what counts, in nats, or in the units of its loss.
    pub loss: f64,
    /// How good the net is at its task, where that is another number: see [`Terms::figure`].
    pub figure: Option<f64>,
}

/// Examples to learn from, and others to be judged by.
pub trait Dataset: Sync + Debug {
    /// Its path as it was given.
    fn name(&self) -> &str;

    /// SHA-256 of all that is read.
    fn sha256(&self) -> [u8; 32];

    /// Tokens, or steps of sequences, that are trained on.
    fn train_len(&self) -> usize;

    /// Tokens of a text.
    fn vocab(&self) -> Option<&Vocabulary> {
        None
    }

    /// The net that options ask for.
    ///
    /// # Errors
    /// What options and data do not fit in.
    fn net(&self, config: &Config) -> Result<Net>;

    /// Checks that the data has what a run needs at the least.
    ///
    /// # Errors
    /// What it lacks.
    fn check(&self, config: &Config) -> Result<()>;

    /// What a checkpoint says of the data.
    fn describe(&self, meta: &mut Meta);

    /// Losses of the outputs, and where states begin anew.
    ///
    /// # Errors
    /// As [`Loss::check`](crate::net::Loss::check).
    fn set_up(&self, learner: &mut Learner<f32>, config: &Config) -> Result<()>;

    /// Parameters for the units of the data become some for those of training.
    fn for_training(&self, _params: &mut Params<f32>) {}

    /// Windows of an epoch.
    fn windows(&self, config: &Config, epoch: usize) -> usize;

    /// The most windows that an epoch may have.
    fn most_windows(&self, config: &Config) -> usize {
        self.windows(config, 0) + 1
    }

    /// Steps of a window, by epoch and number.
    fn steps(&self, config: &Config, _at: (usize, usize)) -> usize {
        config.window
    }

    /// A window of an epoch.
    ///
    /// # Errors
    /// What reading it or using it says.
    fn window(&self, config: &Config, at: (usize, usize), use_it: Use<'_>) -> Result<()>;

    /// How good the net is on what is held out.
    ///
    /// # Errors
    /// What reading it says.
    fn judge(&self, learner: &mut Learner<f32>, config: &Config) -> Result<Judged>;

    /// What its numbers are called.
    fn terms(&self) -> Terms;

    /// The loss of a net that knows nothing.
    fn unknowing(&self) -> f64;

    /// The loss of what each target is by itself, if that says more.
    ///
    /// # Errors
    /// What reading the data says.
    fn baseline(&self) -> Result<Option<f64>> {
        Ok(None)
    }

    /// Held-out tokens that a net writes on from, of a text.
    ///
    /// # Errors
    /// What reading them says.
    fn prompt(&self, _tokens: usize) -> Result<Option<Vec<u16>>> {
        Ok(None)
    }
}
