//! A checkpoint as what an export has to know of it.

use gatelet::{Provenance, TextRules};

use super::Checkpoint;
use crate::quantize::export::Source;

/// Bytes of a hash in hexadecimal; zeros if it is none.
fn hash_bytes(hex: &str) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (byte, at) in bytes.iter_mut().zip((0..hex.len()).step_by(2)) {
        *byte = hex
            .get(at..at + 2)
            .and_then(|pair| u8::from_str_radix(pair, 16).ok())
            .unwrap_or(0);
    }
    bytes
}

/// Provenance of a checkpoint for an image; the losses are not known yet.
pub(crate) fn provenance(checkpoint: &Checkpoint) -> Provenance<'_> {
    let from = &checkpoint.meta.provenance;
    Provenance {
        corpus: &from.corpus,
        corpus_sha256: hash_bytes(&from.corpus_sha256),
        command: &from.command,
        trainer: &from.trainer,
        seed: from.seed,
        nats_f32: from.nats.map_or(f32::NAN, |nats| nats as f32),
        nats: f32::NAN,
        heldout_tokens: 0,
    }
}

impl<'a> From<&'a Checkpoint> for Source<'a> {
    fn from(from: &'a Checkpoint) -> Self {
        let config = from.meta.config.as_ref();
        let qat = config.and_then(|config| config.qat.as_ref());
        Self {
            params: &from.params,
            vocab: from.vocab.as_ref(),
            rules: config.map_or_else(TextRules::default, |config| config.rules()),
            starts: &from.starts,
            outputs: &from.meta.interface.outputs,
            provenance: provenance(from),
            plan: from.plan(),
            float_nats: qat.and_then(|qat| qat.nats),
        }
    }
}
