//! What an image hears in a stream, against what is said in it.

use std::fmt::Display;
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use gatelet::front::FrontEnd;
use gatelet::{Scalar, Session};
use gatelet_sound::bands::RATE;
use gatelet_sound::spotter::{Decision, Heard, OTHER, Scores, is_spotter, scores};
use gatelet_sound::synth::spoken::Stream;

use crate::listen::model::Image;

/// Seconds after its end in which a word may be heard.
const LATE: f64 = 0.6;

/// The words of a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Words {
    /// How many are said, and how many of them are the first that is heard there.
    pub(super) said: usize,
    pub(super) right: usize,
    /// Something else was heard there, or nothing.
    pub(super) wrong: usize,
    pub(super) missed: usize,
    /// Mean seconds from the end of a word that is right until it is heard.
    pub(super) late: f64,
}

impl Words {
    /// Right of 100.
    pub(super) fn percent(&self) -> f64 {
        100.0 * self.right as f64 / self.said.max(1) as f64
    }
}

/// What an image hears in a stream: the scores of every frame, past any threshold.
pub(super) struct Hearing {
    /// In units of 2^-16 nats.
    scores: Vec<Scores>,
    front: FrontEnd,
}

impl Hearing {
    /// Listens to samples.
    pub(super) fn of(path: &Path, samples: &[i16]) -> Result<Self> {
        let image = Image::read(path)?;
        let model = image.model()?;
        let front = model.front_end().filter(|_| is_spotter(&model));
        let front = front
            .with_context(|| format!("{}: it is no spotter of these words", path.display()))?;
        let failed = |error: &dyn Display| anyhow!("{}: {error}", path.display());
        let mut storage = vec![0; model.session_words()];
        let session = Session::new(&model, Scalar, &mut storage);
        let mut session = session.map_err(|error| failed(&error))?;
        let mut all = Vec::new();
        let pushed = session.push_samples(samples, |session| all.push(scores(session)));
        pushed.map_err(|error| failed(&error))?;
        Ok(Self { scores: all, front })
    }

    /// The words past a threshold.
    pub(super) fn words(&self, threshold: i32) -> Vec<Heard> {
        let mut decision = Decision::new(threshold);
        let each = (1..).zip(&self.scores);
        let heard = each.filter_map(|(frames, scores)| {
            let class = decision.frame(scores)?;
            Some(Heard::after(frames, class, self.front))
        });
        heard.collect()
    }
}

/// Counts the words of a stream; one is right when the first that is heard from its middle on is it.
pub(super) fn words(stream: &Stream, heard: &[Heard]) -> Words {
    let mut count = Words::default();
    for word in stream.said.iter().filter(|span| span.class != OTHER) {
        let from = word.start + 0.5 * (word.end - word.start);
        let times = heard
            .iter()
            .map(|of| (f64::from(of.time) / 100.0, of.class));
        let first = times
            .skip_while(|(time, _)| *time < from)
            .take_while(|(time, _)| *time < word.end + LATE)
            .next();
        count.said += 1;
        match first {
            Some((time, class)) if class == word.class => {
                count.right += 1;
                count.late += time - word.end;
            }
            Some(_) => count.wrong += 1,
            None => count.missed += 1,
        }
    }
    count.late /= count.right.max(1) as f64;
    count
}

/// Words that are heard where none is said, in 10 minutes.
pub(super) fn alarms(stream: &Stream, heard: &[Heard]) -> (usize, f64) {
    let minutes = stream.samples.len() as f64 / f64::from(RATE) / 60.0;
    (heard.len(), heard.len() as f64 * 10.0 / minutes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use gatelet_sound::synth::spoken::Span;

    #[test]
    fn the_first_that_is_heard_counts() {
        let span = |class, start| Span {
            class,
            start,
            end: start + 0.5,
        };
        let stream = Stream {
            samples: vec![0; 16_000 * 60],
            said: vec![span(1, 1.0), span(2, 5.0), span(OTHER, 7.0), span(3, 9.0)],
        };
        let at = |class, time| Heard { class, time };
        let heard = [at(4, 110), at(1, 160), at(2, 590), at(4, 600), at(5, 990)];
        let found = words(&stream, &heard);
        assert_eq!((found.said, found.right, found.wrong), (3, 2, 1));
        assert_eq!(found.missed, 0);
        assert!((found.late - 0.25).abs() < 1e-9);
        assert_eq!(alarms(&stream, &heard), (5, 50.0));
    }
}
