//! Samples through a model with a front end.

use gatelet::front::FrontEnd;
use gatelet::{Model, Scalar, Session, StateHash};

use crate::entropy::{Entropy, Source};

/// Hops of samples.
const HOPS: usize = 12;

/// Takes noise in, loud and faint, at once and in pieces: the states are the same, and all outputs
/// numbers.
pub(super) fn accepted(model: &Model<'_>, front: FrontEnd, entropy: &mut Entropy<'_>) {
    let hop = usize::from(front.hop);
    let shift = entropy.below(15);
    let samples: Vec<i16> = (0..HOPS * hop)
        .map(|_| entropy.random() as i16 >> shift)
        .collect();
    let size = 1 + entropy.below(2 * hop);
    let whole = pushed(model, &samples, samples.len());
    assert_eq!(pushed(model, &samples, size), whole, "pieces of {size}");
}

/// The hash of all states.
fn pushed(model: &Model<'_>, samples: &[i16], size: usize) -> u64 {
    let mut storage = vec![7; model.session_words()];
    let mut session = Session::new(model, Scalar, &mut storage).expect("room enough");
    let (mut hash, mut steps) = (StateHash::new(), 0);
    for piece in samples.chunks(size) {
        let made = session.push_samples(piece, |session| {
            session.hash_into(&mut hash);
            assert!(session.values(0).all(f32::is_finite));
        });
        steps += made.expect("a front end with room");
    }
    assert_eq!(steps, HOPS);
    hash.finish()
}
