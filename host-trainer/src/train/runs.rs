//! Reading run folders, of whatever version of the program and in whatever state: for `report`, `compare` and `sweep`.
//!
//! ```text
//! config.json -> options, text or data       metrics.jsonl -> the curve
//! header of last.safetensors -> the net, and whether it has ended
//! ```
//! Nothing but the names that are needed is read, so a run that is still going on, or that an older program made, can be
//! looked at too. Checkpoints are not read here: only the few thousand bytes in front of their tensors.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use gatelet::front::FrontEnd;
use gatelet::net::Net;
use serde::Deserialize;
use serde_json::Value;

use crate::error::{Error, Result};
use crate::files;
use crate::net::Interface;
use crate::train::layers::Layers;
use crate::train::run::Metrics;
use crate::train::verdict::{Judgement, judge};

/// The longest header of a safetensors file that is believed.
const HEADER: u64 = 64 << 20;

/// A run folder as it is now.
#[derive(Clone, Debug)]
pub struct Run {
    /// The folder.
    pub path: PathBuf,
    /// Its last part.
    pub name: String,
    /// The net's shape; none of a net that is more than layers that are alike, as of a run on sequences.
    pub shape: Option<Layers>,
    /// The net, of a run with a checkpoint.
    pub net: Option<Net>,
    /// What makes its features of sound.
    pub front_end: Option<FrontEnd>,
    /// The vocabulary of a net of words.
    pub words: Vec<String>,
    /// Options of the run, by name.
    pub config: Value,
    /// Path of the text or the data as it was given.
    pub corpus: String,
    /// SHA-256 of the text or the data, in hexadecimal.
    pub corpus_sha256: String,
    /// The command that makes the net again.
    pub command: String,
    /// Loss of the tokens' frequencies, nats a token; not in the runs of earlier versions.
    pub unigram_nats: Option<f64>,
    /// Evaluations, in order.
    pub metrics: Vec<Metrics>,
    /// Why it ended: `finished`, `early`, `time`, `interrupted`; nothing while it is going on or when it was killed.
    pub ended: Option<String>,
}

#[derive(Deserialize)]
struct Config {
    config: Value,
    shape: Option<Layers>,
    provenance: Origin,
}

#[derive(Deserialize)]
struct Origin {
    corpus: String,
    corpus_sha256: String,
    command: String,
    #[serde(default)]
    unigram_nats: Option<f64>,
}

impl Run {
    /// Reads the run in a folder.
    ///
    /// # Errors
    /// [`Error::NotARun`] with what is missing.
    pub fn read(path: &Path) -> Result<Self> {
        let bad = |what: String| Error::NotARun {
            path: path.to_owned(),
            what,
        };
        if !path.is_dir() {
            let what = if path.exists() {
                "it is a file"
            } else {
                "it does not exist"
            };
            return Err(bad(what.to_owned()));
        }
        let config = match files::read_plain(&path.join("config.json"), files::JSON) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(bad("it has no config.json".to_owned()));
            }
            Err(error) => return Err(bad(format!("its config.json: {error}"))),
        };
        let config: Config = serde_json::from_slice(&config)
            .map_err(|error| bad(format!("its config.json: {error}")))?;
        if let Some(shape) = config.shape {
            let net = shape.net().checked();
            net.map_err(|error| bad(format!("its config.json: {error}")))?;
        }
        let metrics = files::read_plain(&path.join("metrics.jsonl"), files::LOG);
        let metrics = metrics.unwrap_or_default();
        let header = header(&path.join("last.safetensors")).unwrap_or_default();
        let full = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        Ok(Self {
            name: full.file_name().map_or_else(
                || path.display().to_string(),
                |name| name.to_string_lossy().into_owned(),
            ),
            path: path.to_owned(),
            shape: config.shape,
            config: config.config,
            corpus: config.provenance.corpus,
            corpus_sha256: config.provenance.corpus_sha256,
            command: config.provenance.command,
            unigram_nats: config.provenance.unigram_nats,
            metrics: metrics
                .split(|&byte| byte == b'\n')
                .filter_map(|line| serde_json::from_slice(line).ok())
                .collect(),
            net: header.net.and_then(|held| held.0.checked().ok()),
            front_end: header.interface.front_end.map(|front| front.0),
            words: header.words,
            ended: header.position.and_then(|place| place.ended),
        })
    }

    /// The evaluation with the lowest held-out loss.
    pub fn best(&self) -> Option<&Metrics> {
        let finite = self.metrics.iter().filter(|m| m.valid_nats.is_finite());
        finite.min_by(|a, b| a.valid_nats.total_cmp(&b.valid_nats))
    }

    /// What its curve says; nothing without an evaluation, or where its options are of another version.
    pub fn judge(&self) -> Option<Judgement> {
        let config = serde_json::from_value(self.config.clone()).ok()?;
        let early = self.ended.as_deref() == Some("early");
        judge(&self.metrics, &config, early, self.unigram_nats)
    }

    /// Whether there is nothing more to do in it.
    pub fn done(&self) -> bool {
        self.ended
            .as_deref()
            .is_some_and(|end| end != "interrupted")
    }
}

/// Whether a folder holds a run that can be resumed; its first checkpoint is there before its `config.json`.
pub fn started(path: &Path) -> bool {
    let checkpoints = ["last.safetensors", "previous.safetensors"];
    checkpoints.iter().any(|name| path.join(name).is_file())
}

/// What the header of a checkpoint says, of what is needed here.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Header {
    net: Option<Held>,
    interface: Interface,
    words: Vec<String>,
    position: Option<Place>,
}

#[derive(Deserialize)]
struct Held(#[serde(with = "crate::net::stored")] Net);

#[derive(Deserialize)]
struct Place {
    ended: Option<String>,
}

/// The header of a `last.safetensors`; nothing of a file that has none.
fn header(path: &Path) -> Option<Header> {
    let mut file = File::open(path).ok().filter(|_| path.is_file())?;
    let mut length = [0; 8];
    file.read_exact(&mut length).ok()?;
    let length = u64::from_le_bytes(length);
    let mut header = Vec::new();
    file.take(length.min(HEADER))
        .read_to_end(&mut header)
        .ok()?;
    let header: Value = serde_json::from_slice(&header).ok()?;
    serde_json::from_str(header["__metadata__"]["gatelet"].as_str()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn what_is_no_run_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let error = |path: &Path| Run::read(path).unwrap_err().to_string();
        assert!(error(&folder.path().join("x")).ends_with("it does not exist"));
        assert!(error(folder.path()).ends_with("it has no config.json"));
        fs::write(folder.path().join("config.json"), "{\"config\": 1}").unwrap();
        assert!(error(folder.path()).contains("missing field `provenance`"));
        assert!(error(&folder.path().join("config.json")).ends_with("it is a file"));
    }

    #[test]
    fn a_header_that_is_none_ends_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("last.safetensors");
        for bytes in [
            &b""[..],
            &[255; 8],
            &[4, 0, 0, 0, 0, 0, 0, 0, b'{', b'}', b'x', b'y'],
        ] {
            fs::write(&path, bytes).unwrap();
            assert!(header(&path).is_none());
        }
    }
}
