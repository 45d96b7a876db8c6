//! What is said about a sequence of answers, voice or noise, one a frame.
//!
//! ```text
//! CONFIRM equal answers in a row that say something new -> a line, with the time of the first
//! ```

use core::fmt::{self, Display, Formatter};

use crate::bands::{FRAME, RATE};

/// Frames in a row that make a change: 96 ms.
const CONFIRM: u32 = 6;

/// What has been heard so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hearing {
    frames: u32,
    voice: u32,
    /// What was said last.
    said: Option<bool>,
    /// The last answer, and how often in a row it came.
    last: bool,
    row: u32,
}

/// From this frame on it is something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// The first frame.
    pub frame: u32,
    /// Whether it is voice.
    pub voice: bool,
}

impl Hearing {
    /// Nothing heard.
    pub const fn new() -> Self {
        Hearing {
            frames: 0,
            voice: 0,
            said: None,
            last: false,
            row: 0,
        }
    }

    /// Takes an answer in.
    pub fn frame(&mut self, voice: bool) -> Option<Change> {
        self.row = if voice == self.last { self.row + 1 } else { 1 };
        self.last = voice;
        self.frames += 1;
        self.voice += u32::from(voice);
        (self.row >= CONFIRM && self.said != Some(voice)).then(|| {
            self.said = Some(voice);
            let frame = self.frames - self.row;
            Change { frame, voice }
        })
    }

    /// Frames so far.
    pub fn frames(&self) -> u32 {
        self.frames
    }
}

/// When a frame begins, in seconds and hundredths.
struct Time(u32);

impl Display for Time {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let hundredths = u64::from(self.0) * FRAME as u64 * 100 / u64::from(RATE);
        write!(f, "{:4}.{:02} s", hundredths / 100, hundredths % 100)
    }
}

impl Display for Change {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let what = if self.voice { "voice" } else { "noise" };
        write!(f, "{}  {what}", Time(self.frame))
    }
}

impl Display for Hearing {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (all, voice) = (Time(self.frames), Time(self.voice));
        write!(f, "{all}  end; voice in{voice} of it")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(answers: &str) -> Vec<String> {
        let mut hearing = Hearing::new();
        let changes = answers.chars().filter_map(|c| hearing.frame(c == 'v'));
        let mut said: Vec<String> = changes.map(|change| change.to_string()).collect();
        said.push(hearing.to_string());
        said
    }

    #[test]
    fn a_change_has_the_time_of_its_first_frame() {
        let answers = ["n".repeat(10), "v".repeat(50), "n".repeat(40)].concat();
        let expected = [
            "   0.00 s  noise",
            "   0.16 s  voice",
            "   0.96 s  noise",
            "   1.60 s  end; voice in   0.80 s of it",
        ];
        assert_eq!(said(&answers), expected);
    }

    #[test]
    fn what_does_not_last_is_not_said() {
        assert_eq!(said(&"vvvvvn".repeat(20)).len(), 1);
        let blip = ["v".repeat(20), "nnnnn".into(), "v".repeat(20)].concat();
        assert_eq!(said(&blip).len(), 2);
        assert_eq!(said(""), ["   0.00 s  end; voice in   0.00 s of it"]);
    }
}
