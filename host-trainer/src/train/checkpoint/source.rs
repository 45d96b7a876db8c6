//! A checkpoint as what an export has to know of it.

use gatelet::TextRules;

use super::Checkpoint;
use crate::quantize::export::Source;

impl<'a> From<&'a Checkpoint> for Source<'a> {
    fn from(from: &'a Checkpoint) -> Self {
        let config = from.meta.config.as_ref();
        let qat = config.and_then(|config| config.qat.as_ref());
        Self {
            params: &from.params,
            vocab: from.vocab.as_ref(),
            rules: config.map_or_else(TextRules::default, |config| config.rules()),
            front_end: from.meta.interface.front_end.map(|front| front.0),
            starts: &from.starts,
            outputs: &from.meta.interface.outputs,
            provenance: from.meta.provenance.of_image(),
            plan: from.plan(),
            float_nats: qat.and_then(|qat| qat.nats),
        }
    }
}
