//! The audio front end of a net, as options and checkpoints write it.
//!
//! ```text
//! logmel:BANDS[,KEY=VALUE ..]      mfcc:COEFFICIENTS[,bands=40][,KEY=VALUE ..]
//! rate=16000                       samples a second
//! frame=32ms, hop=16ms             or samples: frame=512; a frame in ms is rounded to fours
//! low=20, high=7600                Hz; high is 19/40 of the rate
//! ```

use std::fmt::{self, Display, Formatter};
use std::str::FromStr;

use gatelet::front;
use gatelet::front::FrontEndKind;
use serde::{Deserialize, Serialize};

/// Bands of MFCCs that do not say how many.
const BANDS: u8 = 40;

/// What makes a net's features of samples. Its text says all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FrontEnd(pub front::FrontEnd);

impl FromStr for FrontEnd {
    type Err = String;

    /// # Errors
    /// What is not understood, or the first field that is out of range.
    fn from_str(text: &str) -> Result<Self, String> {
        let (head, options) = match text.split_once(',') {
            Some((head, options)) => (head, Some(options)),
            None => (text, None),
        };
        let Some((kind, count)) = head.split_once(':') else {
            return Err(format!(
                "{head:?} is neither logmel:BANDS nor mfcc:COEFFICIENTS"
            ));
        };
        let count: u8 = number("the number behind the colon", count)?;
        let (mut bands, kind) = match kind {
            "logmel" => (count, FrontEndKind::LogMel),
            "mfcc" => {
                let coefficients = count;
                (BANDS, FrontEndKind::Mfcc { coefficients })
            }
            _ => return Err(format!("{kind:?} is neither logmel nor mfcc")),
        };
        let (mut rate, mut frame, mut hop) = (16_000, "32ms", "16ms");
        let (mut low, mut high) = (None, None);
        for option in options.into_iter().flat_map(|options| options.split(',')) {
            let (key, value) = option.split_once('=').unwrap_or((option, ""));
            match key {
                "rate" => rate = number(key, value)?,
                "frame" => frame = value,
                "hop" => hop = value,
                "low" => low = Some(number(key, value)?),
                "high" => high = Some(number(key, value)?),
                "bands" if kind != FrontEndKind::LogMel => bands = number(key, value)?,
                _ => return Err(format!("{option:?}: the keys are {}", keys(kind))),
            }
        }
        let plain = front::FrontEnd::log_mel(
            rate,
            samples("frame", frame, (rate, 4))?,
            samples("hop", hop, (rate, 1))?,
            bands,
        );
        let front = front::FrontEnd {
            low: low.unwrap_or(plain.low),
            high: high.unwrap_or(plain.high),
            kind,
            ..plain
        };
        front.check().map_err(|error| error.to_string())?;
        Ok(Self(front))
    }
}

fn keys(kind: FrontEndKind) -> &'static str {
    match kind {
        FrontEndKind::LogMel => "rate, frame, hop, low and high",
        FrontEndKind::Mfcc { .. } => "bands, rate, frame, hop, low and high",
    }
}

fn number<T: FromStr>(key: &str, value: &str) -> Result<T, String> {
    let number = value.parse();
    number.map_err(|_| format!("{key}: {value:?} is no whole number that it can be"))
}

/// A length in samples: `512`, or `32ms`, then the nearest multiple.
fn samples(key: &str, value: &str, (rate, multiple): (u32, u32)) -> Result<u16, String> {
    let Some(milliseconds) = value.strip_suffix("ms") else {
        return number(key, value);
    };
    let wrong = || format!("{key}: {value:?} is no time from 0 to 1000ms");
    let time: f64 = milliseconds.parse().map_err(|_| wrong())?;
    if !(0.0..=1_000.0).contains(&time) {
        return Err(wrong());
    }
    let exact = f64::from(rate) * time / 1_000.0 / f64::from(multiple);
    let samples = exact.round() * f64::from(multiple);
    u16::try_from(samples as u64).map_err(|_| format!("{key}: {value:?} are {samples} samples"))
}

impl Display for FrontEnd {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let front = &self.0;
        match front.kind {
            FrontEndKind::LogMel => write!(f, "logmel:{}", front.bands)?,
            FrontEndKind::Mfcc { coefficients } => {
                write!(f, "mfcc:{coefficients},bands={}", front.bands)?;
            }
        }
        write!(
            f,
            ",rate={},frame={},hop={},low={},high={}",
            front.rate, front.frame, front.hop, front.low, front.high
        )
    }
}

impl TryFrom<String> for FrontEnd {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<FrontEnd> for String {
    fn from(front: FrontEnd) -> Self {
        front.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_says_all_of_it() {
        for (text, whole) in [
            (
                "logmel:40",
                "logmel:40,rate=16000,frame=512,hop=256,low=20,high=7600",
            ),
            (
                "mfcc:13,rate=8000,hop=10ms",
                "mfcc:13,bands=40,rate=8000,frame=256,hop=80,low=20,high=3800",
            ),
            (
                "mfcc:20,bands=20,frame=400,hop=160,low=0,high=8000",
                "mfcc:20,bands=20,rate=16000,frame=400,hop=160,low=0,high=8000",
            ),
            (
                "logmel:64,rate=44100,frame=20ms,hop=10.5ms",
                "logmel:64,rate=44100,frame=884,hop=463,low=20,high=20938",
            ),
        ] {
            let front: FrontEnd = text.parse().unwrap();
            assert_eq!(front.to_string(), whole);
            assert_eq!(whole.parse(), Ok(front));
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, why) in [
            ("", "neither"),
            ("mel", "neither"),
            ("mel:40", "neither logmel nor mfcc"),
            ("logmel:", "behind the colon"),
            ("logmel:300", "behind the colon"),
            ("logmel:40,", "the keys are rate"),
            ("logmel:40,bands=40", "the keys are rate"),
            ("logmel:40,rate", "rate: \"\""),
            (
                "logmel:40,rate=0",
                "rate (Hz) is 0, but must be 1000 to 96000",
            ),
            ("logmel:40,frame=-1ms", "frame: \"-1ms\""),
            ("logmel:40,frame=NaNms", "frame: \"NaNms\""),
            ("logmel:40,rate=96000,frame=900ms", "86400 samples"),
            ("logmel:40,frame=510", "a multiple of 4"),
            ("logmel:40,hop=0", "hop is 0, but must be 1 to 512"),
            (
                "logmel:40,high=9000",
                "high (Hz) is 9000, but must be 21 to 8000",
            ),
            (
                "logmel:40,frame=64,hop=32",
                "bands is 40, but must be 1 to 30",
            ),
            ("mfcc:41", "coefficients is 41, but must be 1 to 40"),
        ] {
            let found = text.parse::<FrontEnd>().unwrap_err();
            assert!(found.contains(why), "{text}: {found}");
        }
    }
}
