//! How an export ends, in the same lines for every net.
//!
//! ```text
//! moves.gatelet: 5432 bytes, int8, weights of 4 bits      what was measured follows
//! layout pairs
//! note: written all the same (--accept-loss): ..          of an image past its bounds
//! ```

use std::path::PathBuf;

use serde::Serialize;
use serde_json::Value;

use super::super::out::{say, say_json};
use super::args::Args;
use crate::error::{Error, Result};
use crate::files::Output;
use crate::image::Image;

/// An image that was made, and what became of it.
pub(super) struct Outcome<'a> {
    args: &'a Args,
    image: Image,
    /// Why it is not arranged as asked.
    note: Option<String>,
    /// The bounds that it is past.
    past: Option<String>,
}

impl<'a> Outcome<'a> {
    /// Writes an image, arranged for its target; one past its bounds only where that is accepted.
    pub(super) fn write(
        args: &'a Args,
        out: &Output,
        (image, note): (Image, Option<String>),
        past: Option<String>,
    ) -> Result<Self> {
        if past.is_none() || args.accept_loss {
            out.write(image.bytes())?;
        }
        Ok(Self {
            args,
            image,
            note,
            past,
        })
    }

    fn is_written(&self) -> bool {
        self.past.is_none() || self.args.accept_loss
    }

    /// Says how the image is arranged, and that it was written all the same.
    pub(super) fn say(&self) -> Result<()> {
        say(format!("layout {}", self.layout()))?;
        if let Some(note) = &self.note {
            say(format!("note: {note}"))?;
        }
        match &self.past {
            Some(past) if self.is_written() => say(format!(
                "note: written all the same (--accept-loss): {past}"
            )),
            _ => Ok(()),
        }
    }

    fn layout(&self) -> &'static str {
        let model = self.image.model();
        model.map_or("unknown", |model| model.layout().name())
    }

    /// Prints a report as JSON where that is asked for, with what there is `more`.
    pub(super) fn say_json(&self, report: &impl Serialize, more: &[(&str, Value)]) -> Result<()> {
        if !self.args.json {
            return Ok(());
        }
        let mut object = serde_json::to_value(report).unwrap_or_default();
        object["out"] = self.args.out.to_string().into();
        object["layout"] = self.layout().into();
        object["written"] = self.is_written().into();
        for (name, value) in more {
            object[*name] = value.clone();
        }
        say_json(object)
    }

    /// The error of an image that is not written.
    pub(super) fn end(self, lossy: fn(PathBuf, String) -> Error) -> Result<()> {
        let is_written = self.is_written();
        match self.past {
            Some(past) if !is_written => Err(lossy(self.args.out.path().to_owned(), past)),
            _ => Ok(()),
        }
    }
}

/// Says what an image is.
pub(super) fn say_image(
    args: &Args,
    (bytes, precision): (usize, &str),
    weight_bits: Option<&str>,
) -> Result<()> {
    let bits = match weight_bits {
        Some("4") => ", weights of 4 bits",
        Some("mixed") => ", some matrices of 4 bits",
        _ => "",
    };
    say(format!("{}: {bytes} bytes, {precision}{bits}", args.out))
}
