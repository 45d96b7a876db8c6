//! The parts of a checkpoint, read from its file.

use safetensors::tensor::{Dtype, SafeTensors};

use super::meta::Meta;
use crate::data::corpus::{Level, Vocabulary};
use crate::error::Result;
use crate::net::{Net, Start, starts};

/// The name of a tensor of a state to begin with.
pub(super) fn start_name(operation: usize, part: &str) -> String {
    format!("start.{operation}.{part}")
}

/// The vocabulary of a net that was trained on a text.
pub(super) fn vocabulary_of(meta: &Meta) -> std::result::Result<Option<Vocabulary>, String> {
    let of_text = meta
        .config
        .as_ref()
        .filter(|config| config.series.is_none());
    let Some(config) = of_text else {
        return match meta.vocabulary.is_empty() && meta.words.is_empty() {
            true => Ok(None),
            false => {
                Err("metadata: a vocabulary without the options of a run on a text".to_owned())
            }
        };
    };
    let chars = || meta.vocabulary.chars().collect();
    let (vocab, tokens) = match config.level {
        Level::Char => (
            Vocabulary::from_sorted(chars())
                .and_then(|vocab| vocab.with_unknown(config.max_vocab.is_some())),
            "characters",
        ),
        Level::Word => (Vocabulary::from_words(meta.words.clone()), "words"),
        Level::Byte => (Vocabulary::from_bytes(chars()), "bytes"),
    };
    let wanted = meta.net.vocab();
    let vocab = vocab.filter(|vocab| vocab.len() == wanted);
    vocab.map(Some).ok_or_else(|| {
        format!(
            "metadata: the vocabulary is not {wanted} distinct {tokens} in ascending order, \
             U+FFFD among them where there is an unknown token"
        )
    })
}

/// The states to begin with that a file has.
pub(super) fn read_starts(
    net: &Net,
    file: &SafeTensors<'_>,
    read: impl Fn(&str, &[usize]) -> Result<Vec<f32>>,
) -> Result<Vec<Start>> {
    let mut starts = Vec::new();
    for (operation, of) in net.operations().enumerate() {
        let (h, c) = starts::sizes(of.kind);
        let name = start_name(operation, "h");
        if h == 0 || file.tensor(&name).is_err() {
            continue;
        }
        let cell = start_name(operation, "c");
        starts.push(Start {
            operation,
            h: read(&name, &[h])?,
            c: match c {
                0 => Vec::new(),
                c => read(&cell, &[c])?,
            },
        });
    }
    Ok(starts)
}

/// One tensor's numbers, all finite.
pub(super) fn read_tensor(
    file: &SafeTensors<'_>,
    name: &str,
    expected: &[usize],
) -> std::result::Result<Vec<f32>, String> {
    let view = file
        .tensor(name)
        .map_err(|_| format!("tensor {name} is missing (expected shape {expected:?})"))?;
    if view.dtype() != Dtype::F32 {
        return Err(format!(
            "tensor {name} has type {:?}, expected F32",
            view.dtype()
        ));
    }
    if view.shape() != expected {
        return Err(format!(
            "tensor {name} has shape {:?}, expected {expected:?}",
            view.shape()
        ));
    }
    let (words, _) = view.data().as_chunks::<4>();
    let values: Vec<f32> = words.iter().map(|&word| f32::from_le_bytes(word)).collect();
    match values.iter().position(|x| !x.is_finite()) {
        Some(at) => Err(format!(
            "tensor {name} holds {} at element {at}",
            values[at]
        )),
        None => Ok(values),
    }
}
