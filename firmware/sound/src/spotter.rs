//! The keyword spotter: samples in, words out, with the time of each.
//!
//! ```text
//! samples --the model's front end, its net--> a score of each word, and one of all else, a frame
//! margin  m_w = score of the word - score of all else, within +-8
//! level   l_w += (m_w - l_w) / 4                a mean of about four frames
//! heard   the word of the greatest level past THRESHOLD; then nothing more for REST frames
//! ```
//! The net was asked for a word in the frames behind its end, and for [`OTHER`] in all others: nobody
//! tells it where a word begins. All of it is in integers.

use core::fmt::{self, Display, Formatter};

use gatelet::front::FrontEnd;
use gatelet::{Kernel, Model, Session, SessionError, StateHash, StepError, TokenId};

/// What the net tells apart, in the order of its scores: ten words, and all else.
pub const CLASSES: [&str; 11] = [
    "backward", "cancel", "forward", "garden", "kitchen", "louder", "music", "other", "quiet",
    "timer", "window",
];
/// The class of what is none of the words, among [`CLASSES`].
pub const OTHER: usize = 7;

/// Bounds of a margin, in units of scores: 2^-16 nats.
const MOST: i32 = 8 << 16;
/// Level from which on a word is heard: chosen on voices that are neither learnt nor tested.
pub const THRESHOLD: i32 = 3 << 16;
/// Frames after a word in which none is heard: 320 ms of frames of 16 ms.
const REST: u32 = 20;

/// Scores of [`CLASSES`], in units of 2^-16 nats.
pub type Scores = [i32; CLASSES.len()];

/// The scores of the last frame.
pub fn scores<K: Kernel>(session: &Session<'_, '_, K>) -> Scores {
    let mut scores = [0; CLASSES.len()];
    for (id, to) in (0..).map(TokenId).zip(&mut scores) {
        *to = session.logits().q16(id).unwrap_or_default();
    }
    scores
}

/// A word that was heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heard {
    /// Which of [`CLASSES`].
    pub class: usize,
    /// Hundredths of a second from the first sample to the end of the frame that decided.
    pub time: u32,
}

impl Heard {
    /// A word that was decided for after so many frames.
    pub fn after(frames: u32, class: usize, front: FrontEnd) -> Self {
        let samples = u64::from(frames) * u64::from(front.hop);
        let time = (samples * 100 / u64::from(front.rate.max(1))) as u32;
        Heard { class, time }
    }
}

impl Display for Heard {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let word = CLASSES.get(self.class).copied().unwrap_or_default();
        let (seconds, rest) = (self.time / 100, self.time % 100);
        write!(f, "{seconds:4}.{rest:02} s  {word}")
    }
}

/// What makes words of scores.
#[derive(Clone, Debug)]
pub struct Decision {
    levels: [i32; CLASSES.len()],
    rest: u32,
    threshold: i32,
}

impl Decision {
    /// Nothing heard yet; a word is heard when its level is past `threshold`.
    pub const fn new(threshold: i32) -> Self {
        Decision {
            levels: [-MOST; CLASSES.len()],
            rest: 0,
            threshold,
        }
    }

    /// Takes the scores of a frame in.
    pub fn frame(&mut self, scores: &Scores) -> Option<usize> {
        let other = scores.get(OTHER).copied().unwrap_or_default();
        let (mut best, mut most) = (OTHER, self.threshold);
        for (class, (level, &score)) in self.levels.iter_mut().zip(scores).enumerate() {
            let margin = score.saturating_sub(other).clamp(-MOST, MOST);
            *level += (margin - *level) >> 2;
            if class != OTHER && *level > most {
                (best, most) = (class, *level);
            }
        }
        if self.rest > 0 {
            self.rest -= 1;
            return None;
        }
        (best != OTHER).then(|| {
            self.rest = REST;
            best
        })
    }
}

/// A stream that is listened to.
#[derive(Debug)]
pub struct Spotter<'m, 's, K: Kernel> {
    session: Session<'m, 's, K>,
    front: Option<FrontEnd>,
    decision: Decision,
    frames: u32,
    states: StateHash,
}

/// Whether a model takes samples and gives a score of each of [`CLASSES`].
pub fn is_spotter(model: &Model<'_>) -> bool {
    model.front_end().is_some() && model.net().output_width(0) == CLASSES.len()
}

impl<'m, 's, K: Kernel> Spotter<'m, 's, K> {
    /// After silence. `storage` is of `model.session_words()`.
    ///
    /// # Errors
    /// As [`Session::new`].
    pub fn new(
        model: &'m Model<'m>,
        kernel: K,
        storage: &'s mut [u32],
        threshold: i32,
    ) -> Result<Self, SessionError> {
        Ok(Spotter {
            session: Session::new(model, kernel, storage)?,
            front: model.front_end(),
            decision: Decision::new(threshold),
            frames: 0,
            states: StateHash::new(),
        })
    }

    /// Takes samples in, as many as there are, and calls `heard` for every word. Returns the number
    /// of frames.
    ///
    /// # Errors
    /// As [`Session::push_samples`], for a model without a front end.
    pub fn push(
        &mut self,
        samples: &[i16],
        mut heard: impl FnMut(Heard),
    ) -> Result<usize, StepError> {
        let (decision, frames, states) = (&mut self.decision, &mut self.frames, &mut self.states);
        let front = self.front;
        self.session.push_samples(samples, |session| {
            let scores = scores(session);
            scores.iter().for_each(|x| states.update(&x.to_le_bytes()));
            session.hash_into(states);
            *frames += 1;
            if let Some((class, front)) = decision.frame(&scores).zip(front) {
                heard(Heard::after(*frames, class, front));
            }
        })
    }

    /// A hash of every score and every state so far.
    pub fn states(&self) -> u64 {
        self.states.clone().finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Scores = {
        let mut scores = [0; CLASSES.len()];
        scores[OTHER] = 10 << 16;
        scores
    };

    fn word(class: usize) -> Scores {
        let mut scores = [0; CLASSES.len()];
        scores[class] = 10 << 16;
        scores
    }

    /// The frames at which words are heard.
    fn heard(frames: &[Scores]) -> Vec<(usize, usize)> {
        let mut decision = Decision::new(THRESHOLD);
        let each = frames.iter().enumerate();
        each.filter_map(|(k, scores)| Some((k, decision.frame(scores)?)))
            .collect()
    }

    #[test]
    fn classes_are_in_the_order_that_a_set_gives_them() {
        assert!(CLASSES.is_sorted());
        assert_eq!(CLASSES[OTHER], "other");
    }

    #[test]
    fn a_word_that_lasts_is_heard_once() {
        let frames = [vec![NONE; 10], vec![word(2); 12], vec![NONE; 30]].concat();
        let found = heard(&frames);
        assert!(matches!(found[..], [(10..17, 2)]), "{found:?}");
        let frames = [frames, vec![word(9); 12]].concat();
        assert!(matches!(heard(&frames)[..], [(_, 2), (52..59, 9)]));
    }

    #[test]
    fn what_does_not_last_is_not_heard() {
        let frames = [vec![NONE; 10], vec![word(2)], vec![NONE; 10]].concat();
        assert_eq!(heard(&frames), []);
        assert_eq!(heard(&[word(OTHER); 50]), []);
        assert_eq!(heard(&[[i32::MAX; CLASSES.len()]; 50]), []);
    }

    #[test]
    fn a_time_is_in_seconds_and_hundredths() {
        let heard = Heard {
            class: 6,
            time: 1_204,
        };
        assert_eq!(heard.to_string(), "  12.04 s  music");
    }
}
