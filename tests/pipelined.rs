//! Sessions with room for sums, which compute products ahead of their step: no result depends on it, also in f32.

use gatelet::net::Kind;
use gatelet::{Isa, Kernel, Model, Precision, Session, StateHash, TokenId, WithKernel};
use gatelet_random::{LSTM, RNN};
use gatelet_tests::{random, tokens, trace_within};

/// On all sides of a pair of tiles, of every width of vectors.
const HIDDEN: [usize; 21] = [
    1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129,
];

/// Every kind of layer in every precision.
fn kinds() -> impl Iterator<Item = (Kind, Precision)> {
    let precisions = [Precision::F32, Precision::Int8];
    [RNN, LSTM]
        .into_iter()
        .flat_map(move |kind| precisions.map(|precision| (kind, precision)))
}

#[test]
fn products_ahead_of_their_step_give_the_same_bits() {
    for (kind, precision) in kinds() {
        for (layers, hidden) in (1..=3).flat_map(|l| HIDDEN.map(|h| (l, h))) {
            let image = random(kind, precision, layers, hidden, 5);
            let tokens = tokens(9, 5);
            for isa in Isa::available() {
                let image = image.for_isa(isa).expect("a good image");
                let model = image.model().expect("a good image");
                let least = model.net().state_words();
                let expected = trace_within(model, isa, &tokens, least);
                let ahead = model.net().pipeline_words();
                assert!(ahead >= kind.gates() * hidden);
                for more in [ahead - 1, ahead, ahead + 9] {
                    let found = trace_within(model, isa, &tokens, least + more);
                    let what = format!("{}, {precision}, {}", model.net(), isa.name());
                    assert_eq!(found, expected, "{what}, {more} words more");
                }
            }
        }
    }
}

/// A session that steps, goes back to a state it has kept, and starts anew, in an order that `seed` decides.
struct Wander<'a> {
    model: Model<'a>,
    words: usize,
    seed: u64,
}

impl WithKernel for Wander<'_> {
    /// The logits after everything that was done, and the hash of the states.
    type Output = (Vec<Vec<f32>>, u64);

    fn run<K: Kernel>(self, kernel: K) -> Self::Output {
        let net = self.model.net();
        let mut storage = vec![7; self.words];
        let mut session = Session::new(&self.model, kernel, &mut storage).expect("room enough");
        let mut kept = vec![0; net.snapshot_words()];
        let (mut hash, mut random) = (StateHash::new(), self.seed);
        let logits = (0..60).map(|_| {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            match (random >> 33) % 12 {
                0 => session.snapshot(&mut kept).expect("as long as a snapshot"),
                1 | 2 => session.restore(&kept).expect("as long as a snapshot"),
                3 => session.reset(),
                _ => {
                    let id = TokenId((random >> 40) as u16 % net.vocab() as u16);
                    session.step(id).expect("a token of the vocabulary");
                }
            }
            session.hash_into(&mut hash);
            let scores = session.logits();
            let ids = (0..scores.len() as u16).map(TokenId);
            ids.filter_map(|id| scores.get(id)).collect()
        });
        (logits.collect(), hash.finish())
    }
}

#[test]
fn going_back_leaves_nothing_of_the_products_of_another_state() {
    for (kind, precision) in kinds() {
        for (layers, hidden) in [(1, 33), (1, 64), (2, 20)] {
            let image = random(kind, precision, layers, hidden, 7);
            for isa in Isa::available() {
                let image = image.for_isa(isa).expect("a good image");
                let model = image.model().expect("a good image");
                let least = model.net().state_words();
                for seed in 1..=8 {
                    let wander = |words| isa.run(Wander { model, words, seed });
                    let expected = wander(least);
                    let found = wander(least + model.net().pipeline_words());
                    let what = format!("{}, {precision}, {}", model.net(), isa.name());
                    assert_eq!(found, expected, "{what}, seed {seed}");
                }
            }
        }
    }
}
