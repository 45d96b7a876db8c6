//! A label track: what is heard when in a recording, as audio editors write it.
//!
//! ```text
//! NAME.txt beside NAME.wav     start TAB end TAB label, a line each, in seconds and in order
//! ```
//! A step that is in none of the spans is asked nothing.

use std::path::Path;

use crate::classes::Classes;
use crate::error::{Error, Result};
use crate::file::Known;
use crate::place::At;

/// Bytes that a track may have.
const MOST: u64 = 16 << 20;

/// A label from a time up to another, in seconds.
#[derive(Clone, Copy, Debug)]
struct Span {
    start: f64,
    end: f64,
    label: u16,
}

/// Spans that follow each other.
#[derive(Debug)]
pub(crate) struct Track(Vec<Span>);

impl Track {
    /// Reads a track.
    pub(crate) fn read(path: &Path, classes: &mut Classes) -> Result<Self> {
        let file = Known::new(path)?;
        if file.len > MOST {
            return Err(Error::form(path, "a label track has at most 16 MiB"));
        }
        let bytes = file.head(MOST)?;
        let text = std::str::from_utf8(&bytes);
        let text = text.map_err(|_| Error::form(path, "it is no text: a label track is one"))?;
        let mut spans: Vec<Span> = Vec::new();
        let lines = (1..).zip(text.lines());
        for (line, text) in lines.filter(|(_, text)| !text.trim().is_empty()) {
            let wrong = |what: &str| Error::row(path, At::Line(line), what);
            let mut fields = text.splitn(3, '\t').map(str::trim);
            let mut time = || fields.next()?.parse::<f64>().ok();
            let times = time().zip(time());
            let times = times.filter(|(start, end)| start.is_finite() && end.is_finite());
            let label = fields.next().filter(|label| !label.is_empty());
            let Some(((start, end), label)) = times.zip(label) else {
                return Err(wrong("it is not start, end and label with tabs between"));
            };
            if start >= end {
                return Err(wrong("its end is not after its start"));
            }
            if spans.last().is_some_and(|last| start < last.end) {
                return Err(wrong("it begins before the end of the one before"));
            }
            let label = classes.number(label, path, "the track")?;
            spans.push(Span { start, end, label });
        }
        Ok(Self(spans))
    }

    /// The number of the label at a time; NaN where there is none.
    pub(crate) fn at(&self, seconds: f64) -> f32 {
        let next = self.0.partition_point(|span| span.end <= seconds);
        let span = self.0.get(next).filter(|span| span.start <= seconds);
        span.map_or(f32::NAN, |span| f32::from(span.label))
    }
}
