//! `gatelet train --qat`: from a float checkpoint on, for the integers of a device.

use std::path::Path;

use sha2::{Digest, Sha256};

use super::stream::Input;
use crate::analysis::explain::{mixed, mixed_net};
use crate::data::corpus::Corpus;
use crate::error::{Error, Result};
use crate::hex::hex;
use crate::quantize::export::{calibrated, calibrated_net};
use crate::quantize::{Scheme, WeightBits};
use crate::train::checkpoint::Checkpoint;
use crate::train::config::{Config, Qat};
use crate::train::series::Series;

/// Epochs of such a run; its highest learning rate as a part of the float run's; and the units above which the rate falls with
/// their number: wide nets bear less. For int8 only little is to change.
const EIGHT: (usize, f64, usize) = (5, 0.25, 64);
/// The same for fewer bits, with which a net has to find other weights.
const FOUR: (usize, f64, usize) = (20, 2.0, 128);

/// Float rate that those parts were measured with; a float run that bore a higher one had dropout, which this has not.
const FLOAT_RATE: f64 = 0.004;

/// Steps of sequences that integers are chosen on, at most.
const CALIBRATED: usize = 20_000;

/// What the weights become.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Bits {
    /// int8
    #[value(name = "8")]
    Eight,
    /// 4 bits, two weights to a byte
    #[value(name = "4")]
    Four,
    /// 4 bits where the loss bears it, int8 elsewhere
    W4,
}

/// Options of a run that goes on for a device.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// Go on from this float checkpoint through the device's own integers; net and text rules are its own. Defaults are
    /// then --epochs 5 and a quarter of its learning rate for 8 bits, --epochs 20 and twice its rate for fewer (less in wide nets), and no dropout
    #[arg(long, value_name = "CHECKPOINT", conflicts_with_all = ["preset", "resume"], help_heading = HEADING)]
    qat: Option<Input>,
    /// What the weights become [default: 8]
    #[arg(long, requires = "qat", help_heading = HEADING)]
    bits: Option<Bits>,
}

const HEADING: &str = "Quantization-aware training";

/// The checkpoint that a run begins with.
pub(super) struct Start {
    path: std::path::PathBuf,
    sha256: String,
    pub(super) checkpoint: Checkpoint,
    /// Its options; of a net that comes from elsewhere the usual ones.
    config: Config,
    bits: Bits,
}

impl Options {
    /// The checkpoint that is named, if one is.
    pub(super) fn from(&self) -> Option<&Path> {
        self.qat.as_ref().map(Input::path)
    }

    /// Reads the checkpoint, if one is named.
    pub(super) fn start(&self) -> Result<Option<Start>> {
        let Some(from) = &self.qat else {
            return Ok(None);
        };
        let (bytes, path) = (from.model_bytes()?, from.path());
        if bytes.starts_with(&gatelet::format::MAGIC) {
            return Err(Error::NeedsCheckpoint {
                path: path.to_owned(),
                needs: "--qat",
            });
        }
        let checkpoint = Checkpoint::from_bytes(&bytes, path)?.in_units_of_data();
        Ok(Some(Start {
            config: checkpoint
                .meta
                .config
                .clone()
                .unwrap_or_else(Config::of_sequences),
            path: path.to_owned(),
            sha256: hex(&Sha256::digest(&bytes)),
            checkpoint,
            bits: self.bits.unwrap_or(Bits::Eight),
        }))
    }

    /// The same as words of a command.
    pub(super) fn words(config: &Config) -> Vec<String> {
        let Some(qat) = &config.qat else {
            return Vec::new();
        };
        let bits = match qat.scheme.bits {
            WeightBits::EIGHT => "8",
            bits if bits == WeightBits::four(&config.shape(2).net()) => "4",
            // Of sequences the head is not that of a text, but it has 4 bits too.
            bits if config.series.is_some() && bits.of(config.layers) == 4 => "4",
            _ => "w4",
        };
        vec![
            format!("--qat {}", crate::shell::quoted(&qat.from)),
            format!("--bits {bits}"),
        ]
    }
}

impl Start {
    /// Whether its net was trained on sequences of numbers.
    pub(super) fn is_of_series(&self) -> bool {
        self.config.series.is_some()
    }

    /// What the options of the run are given over.
    pub(super) fn base(&self) -> Config {
        let from = self.config.clone();
        let (epochs, rate, units) = match self.bits {
            Bits::Eight => EIGHT,
            Bits::Four | Bits::W4 => FOUR,
        };
        let rate = rate * from.lr.min(FLOAT_RATE);
        Config {
            epochs,
            characters: None,
            lr: rate * (units as f64 / self.widest().max(1) as f64).min(1.0),
            patience: 0,
            eval_every: 0,
            minutes: None,
            dropout: 0.0,
            recurrent_dropout: 0.0,
            qat: None,
            ..from
        }
    }

    /// Units of the widest recurrent operation.
    fn widest(&self) -> usize {
        let net = self.checkpoint.params.net();
        let recurrent = net.operations().filter(|of| of.kind.is_recurrent());
        recurrent.map(|of| of.kind.units()).max().unwrap_or(0)
    }

    /// Checks that the net can be trained so, that `given` options leave it as it is, and
    /// drop nothing.
    pub(super) fn check(&self, given: &Config) -> Result<()> {
        let net = self.checkpoint.params.net();
        Scheme::plain(net).check_exact(net)?;
        const NET: &[&str] = &[
            "cell",
            "hidden",
            "layers",
            "level",
            "embedding",
            "projection",
            "tied",
            "max-vocab",
            "lower-case",
            "normalise",
            "fold-space",
            "lines",
            "keep-cr",
            "valid-fraction",
        ];
        let values = |config: &Config| serde_json::to_value(config).unwrap_or_default();
        let (own, other) = (values(&self.base()), values(given));
        for &option in NET {
            let key = option.replace('-', "_");
            if own[&key] != other[&key] {
                return Err(Error::Option {
                    option,
                    found: other[&key].to_string().replace('"', ""),
                    rule: "with --qat it is what the checkpoint has",
                });
            }
        }
        for (option, rate) in [
            ("dropout", given.dropout),
            ("recurrent-dropout", given.recurrent_dropout),
        ] {
            if rate > 0.0 {
                return Err(Error::Option {
                    option,
                    found: rate.to_string(),
                    rule: "with --qat nothing is dropped: the device drops nothing",
                });
            }
        }
        Ok(())
    }

    /// For which integers: calibrated on the text that is trained on.
    pub(super) fn plan(&self, corpus: &Corpus) -> Result<Qat> {
        let checkpoint = &self.checkpoint;
        let bits = match self.bits {
            Bits::Eight => WeightBits::EIGHT,
            Bits::Four => WeightBits::four(checkpoint.params.net()),
            Bits::W4 => mixed(checkpoint, corpus, corpus.split())?,
        };
        let scheme = match checkpoint.scheme() {
            Some(scheme) => scheme.clone(),
            None => calibrated(checkpoint, corpus, corpus.split())?,
        };
        Ok(self.of_scheme(scheme.with_bits(bits)))
    }

    /// The same, calibrated on the sequences that are trained on; for the units of training.
    pub(super) fn plan_of(&self, data: &Series) -> Result<Qat> {
        let checkpoint = &self.checkpoint;
        if !checkpoint.starts.is_empty() {
            return Err(Error::Some(
                "--qat: this net begins with states that are not zero, which are not trained further".to_owned(),
            ));
        }
        let inputs = data.train().inputs(CALIBRATED)?;
        let all = inputs.sequences();
        let bits = match self.bits {
            Bits::Eight => WeightBits::EIGHT,
            Bits::Four => WeightBits::four(checkpoint.params.net()),
            Bits::W4 => mixed_net(checkpoint, &all)?,
        };
        let scheme = match checkpoint.scheme() {
            Some(scheme) => scheme.clone(),
            None => calibrated_net(checkpoint, &all, bits)?,
        };
        let mut qat = self.of_scheme(scheme.with_bits(bits));
        data.scaling().fold_scheme(&mut qat.scheme, -1);
        Ok(qat)
    }

    /// Where a run for these integers began.
    fn of_scheme(&self, scheme: Scheme) -> Qat {
        let (checkpoint, path): (_, &Path) = (&self.checkpoint, &self.path);
        let (from, nats) = match &self.config.qat {
            // What counts is the float net that it all began with.
            Some(qat) => (qat.from.clone(), qat.nats),
            None => (path.display().to_string(), checkpoint.meta.provenance.nats),
        };
        Qat {
            from,
            from_sha256: self.sha256.clone(),
            nats,
            scheme,
        }
    }
}
