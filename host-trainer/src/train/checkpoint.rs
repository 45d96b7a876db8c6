//! Checkpoints: safetensors that PyTorch opens, with everything needed to use, trace and continue a
//! net.
//!
//! ```text
//! rnn.weight_ih_l{k}  [gates*hidden, vocab or hidden]      rnn.bias_ih_l{k}  [gates*hidden]
//! rnn.weight_hh_l{k}  [gates*hidden, hidden]               rnn.bias_hh_l{k}  [gates*hidden]
//! head.weight         [vocab, hidden or projection]        head.bias         [vocab]
//! projection.weight   [projection, hidden]                 projection.bias   [projection]
//! embedding.weight    [vocab, embedding]
//! ```
//! `bias_hh` is zeros when written, but for b_hn. Those are the names and shapes of
//! `torch.nn.LSTM`, `torch.nn.GRU` and `torch.nn.RNN`, `torch.nn.Linear` and `torch.nn.Embedding`;
//! gate order i, f, g, o, and r, z, n. With an embedding, `weight_ih_l0` is [gates*hidden,
//! embedding]; where the head is tied to it, there is no `head.weight`. In a net of any other
//! operations a tensor begins with its operation's number, as in a `torch.nn.ModuleList`:
//! `0.weight_ih_l0`, `2.weight`.
//!
//! The metadata has one key, `gatelet`, with the JSON of [`Meta`]: one key, because a map of
//! several would be written in no fixed order, and the same run has to give the same bytes.
//! [`seal`] adds the file's checksum before it. `last.safetensors` of a run also holds what its
//! optimizer remembers, flat and in the trainer's order (`optimizer.mean`, `optimizer.square`,
//! `optimizer.momentum`: those that the optimizer has), and the carried state `state.h`, `state.c`
//! ([batch, units] of each recurrent operation, one after the other), and, while early stopping may
//! go back to them, the parameters with the lowest held-out loss (`best`, flat). A net that is
//! trained for 4-bit weights has `quant.range`, a number for every row with 4 bits
//! ([`learned`](crate::net::device::learned)), and in `last.safetensors` `quant.mean` and `quant.square`.
//!
//! A net that comes from elsewhere has no vocabulary and no options of a run, but names of its
//! inputs and outputs ([`Interface`]), and states to begin with where those are not zeros
//! ([`Start`]: `start.{operation}.h`, `.c`).

mod check;
mod meta;
mod names;
mod provenance;
mod read;
mod source;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use gatelet::net::Precision;
use safetensors::SafeTensorError;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::Deserialize;

pub use meta::{FORMAT, Meta, Resume};
pub(crate) use names::torch_name;
use names::{second_bias, torch_shape};
pub(crate) use provenance::typed;
pub use provenance::{Change, Provenance};
use read::{read_starts, read_tensor, start_name, vocabulary_of};

use crate::data::corpus::Vocabulary;
use crate::error::{Error, Result};
use crate::image::is_language_model;
use crate::net::device::learned::Learned;
pub use crate::net::{Interface, NamedInput, NamedOutput, Start};
use crate::net::{Net, Params, Role, starts};
use crate::quantize::{Plan, Scheme, WeightBits};
use crate::seal;
use crate::train::config::Config;

/// Key of the metadata in the file.
const KEY: &str = "gatelet";
/// The parameters with the lowest held-out loss, in the trainer's order.
const BEST: &str = "best";
/// What is learnt of a net that is trained for 4 bits, in the order of [`Learned`].
const LEARNED: [&str; 3] = ["quant.range", "quant.mean", "quant.square"];

/// What is read of metadata of any version.
#[derive(Deserialize)]
struct Version {
    format: u32,
}

/// A net with its origin, and its vocabulary if it was trained on a text.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// Metadata.
    pub meta: Meta,
    /// Vocabulary, as in the metadata.
    pub vocab: Option<Vocabulary>,
    /// States to begin with, in the order of the operations; those that are not here are zero.
    pub starts: Vec<Start>,
    /// Parameters.
    pub params: Params<f32>,
    /// Ranges of the rows with 4 bits, of a net that was trained for them; Adam's part of it only
    /// in `last.safetensors`.
    pub learned: Option<Learned>,
    /// Optimizer and state; only in `last.safetensors`.
    pub resume: Option<Resume>,
}

/// [rows, columns] to [columns, rows].
fn transpose(values: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    (0..columns)
        .flat_map(|c| (0..rows).map(move |r| values[r * columns + c]))
        .collect()
}

fn bytes_of(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|x| x.to_le_bytes()).collect()
}

impl Checkpoint {
    /// A net without a vocabulary. Its normalisation of features has to be in its weights.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] when numbers are not finite, or `interface` or `starts` are not of this
    /// net.
    pub fn of_net(
        params: Params<f32>,
        interface: Interface,
        starts: Vec<Start>,
        provenance: Provenance,
    ) -> Result<Self> {
        let meta = Meta {
            format: FORMAT,
            net: *params.net(),
            interface,
            vocabulary: String::new(),
            words: Vec::new(),
            series: None,
            config: None,
            provenance,
            position: None,
        };
        let sound = check::meta(&meta).and_then(|()| starts::check(&starts, &meta.net));
        let numbers = match params.data.iter().all(|x| x.is_finite()) {
            true => Ok(()),
            false => Err("its parameters are not all finite".to_owned()),
        };
        sound.and(numbers).map_err(|what| Error::Checkpoint {
            path: "net".into(),
            what,
        })?;
        Ok(Self {
            meta,
            vocab: None,
            starts,
            params,
            learned: None,
            resume: None,
        })
    }

    /// The same for the units of the data, of a net that was trained in others: what is used and not
    /// trained further.
    #[must_use]
    pub fn in_units_of_data(mut self) -> Self {
        let scaling = self.meta.series.as_mut().and_then(|of| of.scaling.take());
        if let Some(scaling) = scaling {
            scaling.fold(&mut self.params);
            let qat = self
                .meta
                .config
                .as_mut()
                .and_then(|config| config.qat.as_mut());
            if let Some(qat) = qat {
                scaling.fold_scheme(&mut qat.scheme, 1);
            }
            self.resume = None;
            self.meta.position = None;
        }
        self
    }

    /// The vocabulary.
    ///
    /// # Errors
    /// [`Error::NoVocabulary`] when it has none.
    pub fn vocabulary(&self) -> Result<&Vocabulary> {
        self.vocab.as_ref().ok_or(Error::NoVocabulary)
    }

    /// The options of the run that trained it.
    ///
    /// # Errors
    /// As [`Meta::config`].
    pub fn config(&self) -> Result<&Config> {
        self.meta.config()
    }

    /// The token before which the state is zero, of a net of lines.
    pub fn line_break(&self) -> Option<u16> {
        let lines = self.meta.config.as_ref().is_some_and(|config| config.lines);
        let vocab = self.vocab.as_ref().filter(|_| lines);
        vocab.and_then(Vocabulary::line_break)
    }

    /// The integers that its net was trained for, if it was.
    pub fn scheme(&self) -> Option<&Scheme> {
        let config = self.meta.config.as_ref()?;
        config.qat.as_ref().map(|qat| &qat.scheme)
    }

    /// Bits of the weights that its net was trained for, or 8.
    pub fn bits(&self) -> WeightBits {
        self.scheme()
            .map_or(WeightBits::EIGHT, |scheme| scheme.bits)
    }

    /// How its net becomes integers, if it was trained for some.
    pub fn plan(&self) -> Option<Plan<'_>> {
        let learned = self.learned.as_ref();
        self.scheme().map(|scheme| Plan { scheme, learned })
    }

    /// The file's bytes, sealed.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] when the library refuses (it does not for shapes of a trainer's own).
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        Ok(seal::seal(&self.unsealed()?))
    }

    /// The file's bytes without their checksum.
    fn unsealed(&self) -> Result<Vec<u8>> {
        let failed = |what: String| Error::Checkpoint {
            path: "checkpoint".into(),
            what,
        };
        let mut tensors: BTreeMap<String, (Vec<usize>, Vec<u8>)> = BTreeMap::new();
        let net = self.params.net();
        for tensor in self.params.tensors() {
            let values = &self.params.data[tensor.range.clone()];
            let bytes = match tensor.role {
                Role::Rows | Role::Input | Role::Recurrent | Role::Candidate => {
                    bytes_of(&transpose(values, tensor.rows, tensor.columns))
                }
                Role::RecurrentBias => [vec![0; 8 * tensor.columns], bytes_of(values)].concat(),
                _ => bytes_of(values),
            };
            if let Some(name) = second_bias(net, tensor) {
                let zeros = vec![0; 4 * tensor.columns];
                tensors.insert(name, (vec![tensor.columns], zeros));
            }
            tensors.insert(torch_name(net, tensor), (torch_shape(tensor), bytes));
        }
        let learned = self.learned.iter().flat_map(|learned| {
            let all = [&learned.ranges, &learned.mean, &learned.square];
            LEARNED.iter().zip(all)
        });
        for (name, numbers) in learned.filter(|(_, numbers)| !numbers.is_empty()) {
            let tensor = (vec![numbers.len()], bytes_of(numbers));
            tensors.insert((*name).to_owned(), tensor);
        }
        for start in &self.starts {
            for (part, numbers) in [("h", &start.h), ("c", &start.c)] {
                if !numbers.is_empty() {
                    let name = start_name(start.operation, part);
                    tensors.insert(name, (vec![numbers.len()], bytes_of(numbers)));
                }
            }
        }
        if let Some(resume) = &self.resume {
            for (name, slot) in self.config()?.updates().slots().iter().zip(&resume.slots) {
                let tensor = (vec![slot.len()], bytes_of(slot));
                tensors.insert(format!("optimizer.{name}"), tensor);
            }
            tensors.insert(
                "state.h".to_owned(),
                (vec![resume.h.len()], bytes_of(&resume.h)),
            );
            tensors.insert(
                "state.c".to_owned(),
                (vec![resume.c.len()], bytes_of(&resume.c)),
            );
            if let Some(best) = &resume.best {
                tensors.insert(BEST.to_owned(), (vec![best.len()], bytes_of(best)));
            }
        }
        let views = tensors
            .iter()
            .map(|(name, (shape, bytes))| {
                TensorView::new(Dtype::F32, shape.clone(), bytes).map(|view| (name, view))
            })
            .collect::<std::result::Result<Vec<_>, _>>()
            .map_err(|error| failed(error.to_string()))?;
        let meta = serde_json::to_string(&self.meta).map_err(|error| failed(error.to_string()))?;
        safetensors::serialize(views, Some(HashMap::from([(KEY.to_owned(), meta)])))
            .map_err(|error| failed(error.to_string()))
    }

    /// Reads a checkpoint of a net that scores the tokens of its vocabulary: what the tools for
    /// texts take. `path` is for messages only.
    ///
    /// # Errors
    /// As [`Checkpoint::from_bytes`], and [`Error::NoVocabulary`].
    pub fn of_text(bytes: &[u8], path: &Path) -> Result<Self> {
        let checkpoint = Self::from_bytes(bytes, path)?;
        checkpoint.vocabulary()?;
        if !is_language_model(checkpoint.params.net()) {
            return Err(Error::NoVocabulary);
        }
        Ok(checkpoint)
    }

    /// Reads a checkpoint; `path` is for messages only.
    ///
    /// # Errors
    /// [`Error::Damaged`] when its checksum is not that of its bytes, [`Error::NotAModel`] when it is no safetensors
    /// file, [`Error::Checkpoint`] when a tensor or the metadata is missing or has another shape than it must have: the
    /// message names it, with expected and found.
    pub fn from_bytes(bytes: &[u8], path: &Path) -> Result<Self> {
        let broken = |what: String| Error::Checkpoint {
            path: path.to_owned(),
            what,
        };
        let not_a_model = |error: SafeTensorError| Error::NotAModel {
            path: path.to_owned(),
            found: match error {
                // The length in the first eight bytes: any other file fails here.
                SafeTensorError::HeaderTooSmall | SafeTensorError::HeaderTooLarge => {
                    "a file of another kind".to_owned()
                }
                other => format!("a damaged one ({other})"),
            },
        };
        seal::check(bytes).map_err(|what| Error::Damaged {
            path: path.to_owned(),
            what,
        })?;
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(not_a_model)?;
        let file = SafeTensors::deserialize(bytes).map_err(not_a_model)?;
        let meta = header
            .metadata()
            .as_ref()
            .and_then(|map| map.get(KEY))
            .ok_or_else(|| {
                broken(format!(
                    "no {KEY:?} in the metadata: this safetensors file was not written by `gatelet`"
                ))
            })?;
        let of_meta = |error: serde_json::Error| broken(format!("metadata {KEY:?}: {error}"));
        let Version { format } = serde_json::from_str(meta).map_err(of_meta)?;
        if format != FORMAT {
            return Err(broken(format!(
                "metadata format is {format}, this program reads {FORMAT}: train the net again"
            )));
        }
        let meta: Meta = serde_json::from_str(meta).map_err(of_meta)?;
        let net = meta.net;
        check::meta(&meta).map_err(|what| broken(format!("metadata: {what}")))?;
        let vocab = vocabulary_of(&meta).map_err(broken)?;

        let read =
            |name: &str, expected: &[usize]| read_tensor(&file, name, expected).map_err(broken);
        let mut params = Params::zeros(net);
        for tensor in params.tensors().to_vec() {
            let mut values = read(&torch_name(&net, &tensor), &torch_shape(&tensor))?;
            let second = second_bias(&net, &tensor);
            match (tensor.role, second) {
                (Role::Rows | Role::Input | Role::Recurrent | Role::Candidate, _) => {
                    values = transpose(&values, tensor.columns, tensor.rows)
                }
                (Role::Bias, Some(second)) => {
                    let other = read(&second, &[tensor.columns])?;
                    // Two biases of a gate are one, but for b_hn.
                    let own = params.range(tensor.operation, Role::RecurrentBias).len();
                    let sums = values.iter_mut().take(tensor.columns - own);
                    sums.zip(other).for_each(|(b, other)| *b += other);
                    if values.iter().any(|b| !b.is_finite()) {
                        let names = [torch_name(&net, &tensor), second];
                        return Err(broken(format!(
                            "the sum of {} overflows",
                            names.join(" and ")
                        )));
                    }
                }
                (Role::RecurrentBias, _) => values = values.split_off(2 * tensor.columns),
                _ => {}
            }
            params.data[tensor.range.clone()].copy_from_slice(&values);
        }
        let qat = meta.config.as_ref().and_then(|config| config.qat.as_ref());
        let learned = match qat {
            None => None,
            Some(qat) => {
                let count = Learned::count_of(&net, &qat.scheme);
                let wanted = |index: usize| count > 0 && (index == 0 || meta.position.is_some());
                let numbers = |index: usize| match wanted(index) {
                    true => read(LEARNED[index], &[count]),
                    false => Ok(Vec::new()),
                };
                Some(Learned {
                    ranges: numbers(0)?,
                    mean: numbers(1)?,
                    square: numbers(2)?,
                })
            }
        };
        let resume = if meta.position.is_some() {
            let count = params.data.len();
            let (h, c) = carried(&net);
            let config = meta.config()?;
            let batch = config.batch;
            let slots = config.updates().slots().iter();
            Some(Resume {
                slots: slots
                    .map(|name| read(&format!("optimizer.{name}"), &[count]))
                    .collect::<Result<_>>()?,
                h: read("state.h", &[batch * h])?,
                c: read("state.c", &[batch * c])?,
                best: match file.tensor(BEST) {
                    Ok(_) => Some(read(BEST, &[count])?),
                    Err(_) => None,
                },
            })
        } else {
            None
        };
        let sound = learned
            .as_ref()
            .map_or(Ok(()), check::learned)
            .and_then(|()| match (&resume, &meta.config) {
                (Some(state), Some(config)) => {
                    check::resume(state, config.updates().slots(), &meta)
                }
                _ => Ok(()),
            });
        sound.map_err(broken)?;
        Ok(Self {
            starts: read_starts(&net, &file, read)?,
            meta,
            vocab,
            params,
            learned,
            resume,
        })
    }
}

/// Numbers of h and of c of all recurrent operations of a net, for a stream.
pub(crate) fn carried(net: &Net) -> (usize, usize) {
    let recurrent = net.operations().filter(|of| of.kind.is_recurrent());
    recurrent.fold((0, 0), |(h, c), of| {
        let units = of.kind.units();
        let form = of.kind.cell();
        let carries = form.is_some_and(|form| form.carries(Precision::F32));
        let memory = if carries { units } else { 0 };
        (h + units, c + memory)
    })
}

#[cfg(test)]
mod tests;
