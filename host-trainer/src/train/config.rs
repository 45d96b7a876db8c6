//! The options of a training run, and their ranges.

use std::path::Path;

use gatelet::TextRules;
use serde::{Deserialize, Deserializer, Serialize};

use crate::data::corpus::lines::arrange;
use crate::data::corpus::{CorpusOptions, Encoding, HeldOut, Level, MAX_VOCAB, Normalise, Text};
use crate::error::{Error, Result};
pub use crate::net::device::qat::Qat;
use crate::train::layers::{Cell, Layers};
use crate::train::optim::{Optimizer, OptimizerConfig, Plateau, PlateauConfig, Schedule};
use crate::train::series::options::SeriesOptions;

/// Everything that decides the result of a training run besides the text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Config {
    /// Kind of cell.
    pub cell: Cell,
    /// Hidden units a layer.
    pub hidden: usize,
    /// Recurrent layers.
    pub layers: usize,
    /// Passes over the training part.
    pub epochs: usize,
    /// Tokens to train on, at most; `None` for all of every epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub characters: Option<u64>,
    /// Seed of the start and of the window offsets.
    pub seed: u64,
    /// Streams that are trained side by side.
    pub batch: usize,
    /// Steps that gradients travel back.
    pub window: usize,
    /// Highest learning rate.
    pub lr: f64,
    /// How it changes.
    pub schedule: Schedule,
    /// Steps of linear warm-up.
    pub warmup: u64,
    /// Largest global norm of the gradient; infinite, which JSON has as null, means no clipping.
    #[serde(deserialize_with = "null_is_infinite")]
    pub clip: f64,
    /// Weight decay: decoupled for AdamW, L2 for the others.
    pub weight_decay: f64,
    /// Last fraction of the text, held out.
    pub valid_fraction: f64,
    /// Evaluations without a better one after which training stops; 0 never stops early.
    pub patience: usize,
    /// Optimizer steps between evaluations; 0 means once an epoch.
    pub eval_every: u64,
    /// Time limit in minutes; the schedule ends with it.
    pub minutes: Option<f64>,
    /// Largest vocabulary, one of them the unknown token; `None` keeps every character.
    #[serde(default)]
    pub max_vocab: Option<usize>,
    /// Whether letters are made small.
    #[serde(default)]
    pub lower_case: bool,
    /// Unicode normalisation of the text.
    #[serde(default)]
    pub normalise: Normalise,
    /// Whether a run of white space becomes one.
    #[serde(default)]
    pub fold_space: bool,
    /// Whether the text is a list, of which every line is learnt by itself.
    #[serde(default)]
    pub lines: bool,

    /// Whether CR is a character, and no line end.
    #[serde(default)]
    pub keep_cr: bool,
    /// The text's encoding, where it was named: a name of the WHATWG.
    #[serde(default)]
    pub encoding: Option<String>,

    /// What a token is.
    #[serde(default)]
    pub level: Level,
    /// Numbers of a token's embedding, or 0.
    #[serde(default)]
    pub embedding: usize,
    /// Numbers between the top layer and the head, or 0.
    #[serde(default)]
    pub projection: usize,
    /// Whether the head's weights are the embedding.
    #[serde(default)]
    pub tied: bool,

    // The recipe. What is missing in the checkpoint of an earlier version is what that version did.
    /// Rule of the update.
    #[serde(default)]
    pub optimizer: Optimizer,
    /// Part of the last step that is made again: SGD and RMSprop.
    #[serde(default)]
    pub momentum: f64,
    /// Decay of the mean of the gradient: Adam and AdamW.
    #[serde(default = "missing::beta1")]
    pub beta1: f64,
    /// Decay of the mean of its square: all but SGD.
    #[serde(default = "missing::beta2")]
    pub beta2: f64,
    /// Added to the root of that mean.
    #[serde(default = "missing::epsilon")]
    pub epsilon: f64,
    /// Whether biases decay too, as they do in PyTorch.
    #[serde(default = "missing::decay_biases")]
    pub decay_biases: bool,
    /// Factor of the learning rate on a plateau.
    #[serde(default = "missing::plateau_factor")]
    pub plateau_factor: f64,
    /// Evaluations without a better one that make a plateau.
    #[serde(default = "missing::plateau_patience")]
    pub plateau_patience: usize,
    /// Part of the distribution asked for that is spread over all characters.
    #[serde(default)]
    pub label_smoothing: f64,
    /// Part of the outputs of every layer that the layer above, or the head, does not see.
    #[serde(default)]
    pub dropout: f64,
    /// Part of `h` that does not reach the next step, the same for a whole window.
    #[serde(default)]
    pub recurrent_dropout: f64,
    /// Of a run on sequences of numbers: what is asked of them, and how they are read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub series: Option<SeriesOptions>,
    /// The integers that a float net is trained on for; `None` trains real numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub qat: Option<Qat>,
}

/// What options were before they were options.
mod missing {
    pub(super) fn beta1() -> f64 {
        0.9
    }
    pub(super) fn beta2() -> f64 {
        0.999
    }
    pub(super) fn epsilon() -> f64 {
        1e-8
    }
    pub(super) fn decay_biases() -> bool {
        true
    }
    pub(super) fn plateau_factor() -> f64 {
        0.5
    }
    pub(super) fn plateau_patience() -> usize {
        3
    }
}

/// JSON has no infinity; serde writes null.
fn null_is_infinite<'d, D: Deserializer<'d>>(from: D) -> std::result::Result<f64, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or(f64::INFINITY))
}

impl Default for Config {
    fn default() -> Self {
        Self {
            cell: Cell::Lstm,
            hidden: 128,
            layers: 1,
            epochs: 20,
            characters: None,
            seed: 1,
            batch: 32,
            window: 64,
            lr: 4e-3,
            schedule: Schedule::Cosine,
            warmup: 100,
            clip: 1.0,
            weight_decay: 0.01,
            valid_fraction: 0.1,
            patience: 10,
            eval_every: 0,
            minutes: None,
            max_vocab: None,
            lower_case: false,
            normalise: Normalise::None,
            fold_space: false,
            lines: false,
            keep_cr: false,
            encoding: None,
            level: Level::Char,
            embedding: 0,
            projection: 0,
            tied: false,
            optimizer: Optimizer::AdamW,
            momentum: 0.0,
            beta1: missing::beta1(),
            beta2: missing::beta2(),
            epsilon: missing::epsilon(),
            decay_biases: missing::decay_biases(),
            plateau_factor: missing::plateau_factor(),
            plateau_patience: missing::plateau_patience(),
            label_smoothing: 0.0,
            dropout: 0.0,
            recurrent_dropout: 0.0,
            series: None,
            qat: None,
        }
    }
}

impl Config {
    /// What options of a run on sequences of numbers are given over.
    pub fn of_sequences() -> Self {
        Self {
            hidden: 32,
            valid_fraction: 0.2,
            ..Self::default()
        }
    }

    /// The layers of the net for a vocabulary of `vocab` tokens.
    pub fn shape(&self, vocab: usize) -> Layers {
        Layers {
            cell: self.cell,
            layers: self.layers,
            hidden: self.hidden,
            vocab,
            embedding: self.embedding,
            projection: self.projection,
            tied: self.tied,
        }
    }

    /// The same options for a net of other layers.
    pub fn shaped(&self, shape: Layers) -> Self {
        Self {
            cell: shape.cell,
            layers: shape.layers,
            hidden: shape.hidden,
            embedding: shape.embedding,
            projection: shape.projection,
            tied: shape.tied,
            ..self.clone()
        }
    }

    /// What is done to the text, as images record it.
    pub fn rules(&self) -> TextRules {
        TextRules {
            unknown: self.max_vocab.is_some() || self.level == Level::Word,
            lower_case: self.lower_case,
            normalisation: self.normalise.into(),
            fold_space: self.fold_space,
            lines: self.lines,
        }
    }

    /// The text as it is learnt: a list in its order, with the held-out lines at its end; any other as it is. A list of more
    /// than `in_memory` bytes goes to a file in `folder`.
    ///
    /// # Errors
    /// As [`arrange`].
    pub fn arranged(&self, text: Text, (in_memory, folder): (u64, &Path)) -> Result<Text> {
        match self.lines {
            false => Ok(text),
            true => {
                let held_out = HeldOut::Fraction(self.valid_fraction);
                arrange(text, &self.corpus_options(), held_out, (in_memory, folder))
            }
        }
    }

    /// How the text becomes a corpus.
    pub fn corpus_options(&self) -> CorpusOptions {
        CorpusOptions {
            level: self.level,
            valid_fraction: self.valid_fraction,
            rules: self.rules(),
            keep_cr: self.keep_cr,
            max_vocab: self.max_vocab,
        }
    }

    /// The text's encoding, where it was named.
    ///
    /// # Errors
    /// [`Error::Option`] for a name that is none.
    pub fn encoding(&self) -> Result<Option<Encoding>> {
        let unknown = |name: &str| Error::Option {
            option: "encoding",
            found: format!("{name:?}"),
            rule: "it has to be a name of the WHATWG, such as windows-1252 or utf-16le",
        };
        let name = self.encoding.as_deref();
        name.map(|name| name.parse().map_err(|_| unknown(name)))
            .transpose()
    }

    /// The optimizer's constants.
    pub fn updates(&self) -> OptimizerConfig {
        OptimizerConfig {
            optimizer: self.optimizer,
            momentum: self.momentum,
            beta1: self.beta1,
            beta2: self.beta2,
            epsilon: self.epsilon,
            weight_decay: self.weight_decay,
            decay_biases: self.decay_biases,
            clip: self.clip,
        }
    }

    /// The same run with another optimizer: its learning rate and constants are that one's defaults.
    pub fn with_optimizer(self, optimizer: Optimizer) -> Self {
        let updates = OptimizerConfig::of(optimizer);
        Self {
            optimizer,
            lr: optimizer.learning_rate(),
            momentum: updates.momentum,
            beta1: updates.beta1,
            beta2: updates.beta2,
            epsilon: updates.epsilon,
            weight_decay: updates.weight_decay,
            ..self
        }
    }

    /// Lets the plateau schedule, where that is the schedule, take note of an evaluation.
    pub fn observe(&self, plateau: &mut Plateau, nats: f64) {
        if self.schedule == Schedule::Plateau {
            let (factor, patience) = (self.plateau_factor, self.plateau_patience);
            plateau.observe(nats, PlateauConfig { factor, patience });
        }
    }

    /// Checks every range.
    ///
    /// # Errors
    /// [`Error::Option`] for the first option outside its range.
    pub fn validate(&self) -> Result<()> {
        let check = |good: bool, option, found: &dyn ToString, rule| {
            if good {
                Ok(())
            } else {
                Err(Error::Option {
                    option,
                    found: found.to_string(),
                    rule,
                })
            }
        };
        let positive = |x: f64| x > 0.0 && x.is_finite();
        check(
            self.characters != Some(0),
            "characters",
            &self.characters.unwrap_or_default(),
            "it has to be at least 1",
        )?;
        check(
            (1..=1024).contains(&self.hidden),
            "hidden",
            &self.hidden,
            "it has to be from 1 to 1024",
        )?;
        check(
            (1..=4).contains(&self.layers),
            "layers",
            &self.layers,
            "it has to be from 1 to 4",
        )?;
        check(
            (1..=1_000_000).contains(&self.epochs),
            "epochs",
            &self.epochs,
            "it has to be from 1 to 1000000",
        )?;
        check(
            (1..=4096).contains(&self.batch),
            "batch",
            &self.batch,
            "it has to be from 1 to 4096",
        )?;
        check(
            (1..=4096).contains(&self.window),
            "window",
            &self.window,
            "it has to be from 1 to 4096",
        )?;
        check(
            positive(self.lr) && self.lr <= 10.0,
            "lr",
            &self.lr,
            "it has to be a number above 0, at most 10",
        )?;
        check(
            self.clip > 0.0,
            "clip",
            &self.clip,
            "it has to be a number above 0 (inf turns clipping off)",
        )?;
        let decay = (0.0..1.0).contains(&self.weight_decay);
        check(
            decay,
            "weight-decay",
            &self.weight_decay,
            "it has to be at least 0 and below 1",
        )?;
        let fraction = self.valid_fraction > 0.0 && self.valid_fraction < 1.0;
        check(
            fraction,
            "valid-fraction",
            &self.valid_fraction,
            "it has to be above 0 and below 1",
        )?;
        let fractions = [
            ("momentum", self.momentum),
            ("beta1", self.beta1),
            ("beta2", self.beta2),
            ("label-smoothing", self.label_smoothing),
            ("dropout", self.dropout),
            ("recurrent-dropout", self.recurrent_dropout),
        ];
        for (option, found) in fractions {
            let good = (0.0..1.0).contains(&found);
            check(good, option, &found, "it has to be at least 0 and below 1")?;
        }
        check(
            self.epsilon >= 0.0 && self.epsilon.is_finite(),
            "epsilon",
            &self.epsilon,
            "it has to be a number of at least 0",
        )?;
        check(
            self.plateau_factor > 0.0 && self.plateau_factor < 1.0,
            "plateau-factor",
            &self.plateau_factor,
            "it has to be above 0 and below 1",
        )?;
        check(
            self.plateau_patience >= 1,
            "plateau-patience",
            &self.plateau_patience,
            "it has to be at least 1",
        )?;
        let max_vocab = self.max_vocab.unwrap_or(MAX_VOCAB);
        check(
            (3..=MAX_VOCAB).contains(&max_vocab),
            "max-vocab",
            &max_vocab,
            "it has to be from 3 to 16384: two characters and the unknown token at least",
        )?;
        for (option, found) in [
            ("embedding", self.embedding),
            ("projection", self.projection),
        ] {
            let good = found == 0 || (4..=1024).contains(&found);
            check(good, option, &found, "it has to be 0 or from 4 to 1024")?;
        }
        let read = match self.projection {
            0 => self.hidden,
            projection => projection,
        };
        check(
            !self.tied || self.embedding == read,
            "tied",
            &self.tied,
            "what the head reads (--projection, or --hidden without one) and --embedding have to be equal",
        )?;
        self.encoding()?;
        if let Some(series) = &self.series {
            series.validate()?;
        }
        let done = [
            ("max-vocab", self.max_vocab.is_some()),
            ("lower-case", self.lower_case),
            ("normalise", self.normalise != Normalise::None),
            ("fold-space", self.fold_space),
            ("keep-cr", self.keep_cr),
            ("encoding", self.encoding.is_some()),
        ];
        for (option, given) in done {
            let good = !given || self.level != Level::Byte;
            let rule =
                "with --level byte nothing is done to the text, and all 256 bytes are tokens";
            check(good, option, &"given", rule)?;
        }
        let kept = !self.keep_cr || self.level == Level::Char && !self.fold_space;
        let rule = "words and folded white space have no CR: leave it out";
        check(kept, "keep-cr", &"given", rule)?;
        let minutes = self.minutes.unwrap_or(1.0);
        check(
            positive(minutes),
            "minutes",
            &minutes,
            "it has to be a number above 0",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_that_is_infinite_comes_back() {
        let config = Config {
            clip: f64::INFINITY,
            ..Config::default()
        };
        let text = serde_json::to_string(&config).unwrap();
        assert_eq!(serde_json::from_str::<Config>(&text).unwrap(), config);
    }

    #[test]
    fn each_option_is_checked() {
        let good = Config::default();
        good.validate().unwrap();
        let bad: [fn(&mut Config); 31] = [
            |c| c.hidden = 0,
            |c| c.hidden = 1025,
            |c| c.layers = 0,
            |c| c.layers = 5,
            |c| c.epochs = 0,
            |c| c.batch = 0,
            |c| c.window = 0,
            |c| c.lr = f64::NAN,
            |c| c.lr = -1.0,
            |c| c.clip = f64::NAN,
            |c| c.weight_decay = -0.1,
            |c| c.valid_fraction = 1.0,
            |c| c.minutes = Some(0.0),
            |c| c.momentum = 1.0,
            |c| c.beta1 = f64::NAN,
            |c| c.beta2 = 1.0,
            |c| c.epsilon = -1e-8,
            |c| c.label_smoothing = 1.0,
            |c| c.dropout = -0.1,
            |c| c.dropout = 1.0,
            |c| c.recurrent_dropout = f64::INFINITY,
            |c| c.plateau_factor = 1.0,
            |c| c.plateau_factor = 0.0,
            |c| c.plateau_patience = 0,
            |c| c.max_vocab = Some(2),
            |c| c.max_vocab = Some(16_385),
            |c| c.embedding = 3,
            |c| c.projection = 1025,
            |c| c.tied = true,
            |c| (c.embedding, c.projection, c.tied) = (96, 95, true),
            |c| (c.embedding, c.tied) = (c.hidden + 1, true),
        ];
        for (index, change) in bad.iter().enumerate() {
            let mut config = good.clone();
            change(&mut config);
            assert!(config.validate().is_err(), "change {index}");
        }
    }

    /// `config` of a checkpoint written before there was a choice of optimizers.
    const OLD: &str = r#"{"cell":"lstm","hidden":128,"layers":1,"epochs":20,"seed":1,"batch":32,"window":64,
        "lr":0.004,"schedule":"cosine","warmup":100,"clip":1.0,"weight_decay":0.01,"valid_fraction":0.1,
        "patience":10,"eval_every":0,"minutes":null}"#;

    #[test]
    fn options_of_an_earlier_version_mean_what_they_did() {
        assert_eq!(
            serde_json::from_str::<Config>(OLD).unwrap(),
            Config::default()
        );
        let torn = OLD.replace(r#""lr":0.004,"#, "");
        assert!(serde_json::from_str::<Config>(&torn).is_err());
    }

    #[test]
    fn options_come_back_from_json_to_the_bit() {
        let config = Config {
            clip: f64::INFINITY,
            lr: 1.0 / 3.0,
            dropout: 0.1 + 0.2,
            schedule: Schedule::Plateau,
            ..Config::default().with_optimizer(Optimizer::RmsProp)
        };
        let text = serde_json::to_string(&config).unwrap();
        assert_eq!(serde_json::from_str::<Config>(&text).unwrap(), config);
    }
}
