//! What the program prints: standard output and standard error each have one way out, and on it nothing that comes from
//! a file, a text or an argument can act on the terminal ([`gatelet::visible`]).
//!
//! ```text
//! say        results             hidden characters as marks; line breaks and tabs stay
//! say_json   results for programs    the same characters as \u escapes: what a program reads is what there was
//! note       progress, warnings  as say, to standard error; nobody reading it is no reason to stop
//! fail       the error, one line line breaks are marks too
//! ```
//! Where standard output is for the bytes of a file (`--out -`), results go to standard error.
//!
//! What `gatelet generate` writes into a file or a pipe is text and stays as it is; on a terminal it is marked.

use std::ffi::OsString;
use std::fmt::Display;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Parser;
use gatelet::visible;
use serde::Serialize;

use crate::error::Result;

/// Whether standard output is for the bytes of a file.
static FOR_BYTES: AtomicBool = AtomicBool::new(false);

/// From now on, results go to standard error.
pub(super) fn stdout_is_for_bytes() {
    FOR_BYTES.store(true, Ordering::Relaxed);
}

/// Writes a line where results go.
fn result(line: impl Display) -> Result<()> {
    match FOR_BYTES.load(Ordering::Relaxed) {
        true => Ok(writeln!(io::stderr().lock(), "{line}")?),
        false => Ok(writeln!(io::stdout().lock(), "{line}")?),
    }
}

/// Writes lines to standard output.
pub(super) fn say(lines: impl Display) -> Result<()> {
    result(visible::text(lines))
}

/// Writes a value as one line of JSON to standard output.
pub(super) fn say_json(value: impl Serialize) -> Result<()> {
    let json = serde_json::to_string(&value).map_err(io::Error::from)?;
    result(escaped(&json))
}

/// Writes lines to standard error.
pub(super) fn note(lines: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{}", visible::text(lines));
}

/// Says in one line on standard error why the command failed.
pub(super) fn fail(error: impl Display) {
    let _ = writeln!(io::stderr().lock(), "error: {}", visible::line(error));
}

/// JSON whose hidden characters are escaped. Outside of strings it has none.
fn escaped(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for character in json.chars() {
        if visible::is_hidden(character) {
            let units = character.encode_utf16(&mut [0; 2]).to_vec();
            text.extend(units.iter().map(|unit| format!("\\u{unit:04x}")));
        } else {
            text.push(character);
        }
    }
    text
}

/// Parses the arguments of this process, and ends it where that fails. An error quotes arguments: where one has hidden
/// characters, it is the error of their marks that is shown.
pub(super) fn parse<P: Parser>() -> P {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let error = match P::try_parse_from(&arguments) {
        Ok(parsed) => return parsed,
        Err(error) => error,
    };
    let marked: Vec<OsString> = arguments
        .iter()
        .map(|argument| match argument.to_str() {
            Some(text) => visible::line(text).to_string().into(),
            None => argument.clone(),
        })
        .collect();
    if marked == arguments {
        error.exit();
    }
    match P::try_parse_from(&marked) {
        Err(same) if same.kind() == error.kind() => same.exit(),
        // The marks are no error, or another one.
        _ => {
            let shown = error.render().to_string();
            let _ = write!(io::stderr().lock(), "{}", visible::text(shown));
            std::process::exit(error.exit_code())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_keeps_its_value_without_a_hidden_character() {
        let value = serde_json::json!({ "é\u{202e}": "a\u{1b}\u{7f}\u{9b}\u{feff}\u{e0041}\n\\" });
        let text = escaped(&value.to_string());
        assert!(!text.contains(visible::is_hidden), "{text}");
        let back: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(back, value);
    }
}
