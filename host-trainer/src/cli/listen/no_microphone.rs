//! The microphone of a program that was built without one.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::source::Sound;
use crate::error::{Error, Result};

/// What there is instead.
fn none() -> Error {
    Error::Usage(
        "this program was built without a microphone: name a recording, --wav FILE, or pipe \
         samples in, as in `arecord -t raw -f S16_LE -r 16000 -c 1 | gatelet listen NET --stdin`, \
         or build it with one: cargo install --path host-trainer --features microphone (on Linux \
         it needs libasound2-dev)"
            .to_owned(),
    )
}

/// Names of the microphones.
pub(super) fn list() -> Result<Vec<String>> {
    Err(none())
}

/// Opens a microphone.
pub(super) fn open(_: Option<&str>, _: u32, _: Arc<AtomicBool>) -> Result<Sound> {
    Err(none())
}
