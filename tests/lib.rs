//! What the tests share: models of any shape with random weights, and one pass over tokens with a kernel.

use gatelet::net::Kind;
use gatelet::{Isa, Kernel, Model, Precision, Session, StateHash, TokenId, WithKernel};
use gatelet_random::stacked;
use gatelet_trainer::image::{Image, storage};
use gatelet_trainer::quantize::export;

/// A model with random weights: layers of a kind, of so many units.
pub fn random(
    kind: Kind,
    precision: Precision,
    layers: usize,
    hidden: usize,
    vocab: usize,
) -> Image {
    let net = stacked(precision, vocab, layers, kind.with_units(hidden));
    export::random(&net, 7, "test").expect("a net that can be")
}

/// What a pass over tokens left behind.
#[derive(Clone, Debug, PartialEq)]
pub struct Trace {
    /// Hash of the state after every step.
    pub hash: u64,
    /// Scores after every step.
    pub logits: Vec<Vec<f32>>,
}

/// Feeds `tokens` from the zero state.
pub fn trace(model: Model<'_>, isa: Isa, tokens: &[u16]) -> Trace {
    trace_within(model, isa, tokens, storage(model.net()).len())
}

/// The same in so many words of storage.
pub fn trace_within(model: Model<'_>, isa: Isa, tokens: &[u16], words: usize) -> Trace {
    isa.run(Pass {
        model,
        tokens,
        words,
    })
}

/// The same with a kernel that no [`Isa`] names.
pub fn trace_with(model: Model<'_>, kernel: impl Kernel, tokens: &[u16]) -> Trace {
    let words = storage(model.net()).len();
    let pass = Pass {
        model,
        tokens,
        words,
    };
    pass.run(kernel)
}

struct Pass<'a> {
    model: Model<'a>,
    tokens: &'a [u16],
    words: usize,
}

impl WithKernel for Pass<'_> {
    type Output = Trace;

    fn run<K: Kernel>(self, kernel: K) -> Trace {
        let mut storage = vec![7; self.words];
        let mut session = Session::new(&self.model, kernel, &mut storage).expect("room enough");
        let mut hash = StateHash::new();
        let logits = self.tokens.iter().map(|&id| {
            let scores = session
                .step(TokenId(id))
                .expect("a token of the vocabulary");
            let ids = (0..scores.len() as u16).map(TokenId);
            let logits = ids.filter_map(|id| scores.get(id)).collect();
            session.hash_into(&mut hash);
            logits
        });
        let logits = logits.collect();
        Trace {
            hash: hash.finish(),
            logits,
        }
    }
}

/// `count` tokens that visit the whole vocabulary in no simple order.
pub fn tokens(count: usize, vocab: usize) -> Vec<u16> {
    let mut state = 12_345_u64;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        ((state >> 33) % vocab as u64) as u16
    };
    (0..count).map(|_| next()).collect()
}

/// CRC-32, bit by bit, written apart from the crate core uses.
pub fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 * (crc & 1))
        })
    })
}
