//! What becomes of an image that was made and measured: it is written, or loses too much.

use std::fmt::Display;

use serde::Serialize;

use super::super::out::{say, say_json};
use super::args::Args;
use crate::error::Result;
use crate::files::Output;
use crate::image::Image;

/// What an export found of its image.
pub(super) struct Outcome<'a, R, B> {
    pub(super) image: &'a Image,
    /// Why the weights are not arranged as asked.
    pub(super) note: Option<String>,
    pub(super) report: &'a R,
    /// The bounds that it is past.
    pub(super) past: Vec<B>,
}

impl<R: Serialize, B: Serialize + Display> Outcome<'_, R, B> {
    /// Writes the image, unless it is past a bound, and says what `show` says of it. Gives the
    /// bounds for which it is not written.
    pub(super) fn finish(
        self,
        args: &Args,
        out: &Output,
        show: impl FnOnce() -> Result<()>,
    ) -> Result<Option<String>> {
        let written = self.past.is_empty() || args.accept_loss;
        if written {
            out.write(self.image.bytes())?;
        }
        show()?;
        let layout = show_layout(self.image, self.note)?;
        let past: Vec<String> = self.past.iter().map(B::to_string).collect();
        let past = Some(past.join("; ")).filter(|past| !past.is_empty());
        if let (true, Some(past)) = (written, &past) {
            say(format!(
                "note: written all the same (--accept-loss): {past}"
            ))?;
        }
        if args.json {
            let mut object = serde_json::to_value(self.report).unwrap_or_default();
            object["out"] = args.out.to_string().into();
            object["layout"] = layout.into();
            object["written"] = written.into();
            object["past_bounds"] = serde_json::to_value(&self.past).unwrap_or_default();
            say_json(object)?;
        }
        Ok(past.filter(|_| !written))
    }
}

/// Says what an image is, as in `net.gatelet: 18528 bytes, int8, weights of 4 bits`.
pub(super) fn show_image(
    args: &Args,
    bytes: usize,
    precision: &str,
    weight_bits: Option<&str>,
) -> Result<()> {
    let bits = match weight_bits {
        Some("4") => ", weights of 4 bits",
        Some("mixed") => ", some matrices of 4 bits",
        _ => "",
    };
    say(format!("{}: {bytes} bytes, {precision}{bits}", args.out))
}

/// Says how the weights are arranged, and why not as asked.
pub(super) fn show_layout(image: &Image, note: Option<String>) -> Result<&'static str> {
    let layout = image
        .model()
        .map_or("unknown", |model| model.layout().name());
    say(format!("layout {layout}"))?;
    if let Some(note) = note {
        say(format!("note: {note}"))?;
    }
    Ok(layout)
}
