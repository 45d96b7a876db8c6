//! Nets that no training has made.

use gatelet_trainer::net::Params;
use gatelet_trainer::train::checkpoint::{Checkpoint, Interface, Provenance};

/// The checkpoint of a net of any operations, as an import makes it.
pub(crate) fn checkpoint(params: Params<f32>) -> Checkpoint {
    let provenance = Provenance {
        corpus: "made up".to_owned(),
        corpus_sha256: "00".repeat(32),
        command: "a test".to_owned(),
        trainer: "a test".to_owned(),
        seed: 0,
        nats: None,
        epoch: 0,
        unigram_nats: None,
        characters: 0,
        changes: Vec::new(),
    };
    let made = Checkpoint::of_net(params, Interface::default(), Vec::new(), provenance);
    made.expect("a net")
}
