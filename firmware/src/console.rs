//! What each key does.
//!
//! ```text
//! character   echo it, step the net            Tab         type the completion's characters
//!             (of a model of bytes: the bytes of its UTF-8, and control characters too)
//! Backspace   restore the state before it      Enter       leave the line, reset the state
//! Ctrl-G      the board goes on writing        Ctrl-N      it will write something else
//! Ctrl-C/L    draw again                       others      refused, with a bell and the reason
//! ```
//!
//! A key only changes the [`Line`]. Suggestions, completion and the redraw come in
//! [`Console::refresh`], which the caller runs when no more input waits: pasted text is not slowed
//! down by completions nobody sees.

use embedded_io::Write;
use gatelet::{Completer, Kernel, Word};
use heapless::Vec;

pub use crate::budget::BEAM;
use crate::keys::{Decoder, Key};
use crate::line::{Ahead, Line};
use crate::tokens::{are_bytes, are_words};
use crate::view::{Panel, Refusal, View, digit};
use crate::write::{Writer, Writing};

/// Characters that the search for a completion looks ahead at most.
pub const COMPLETION: usize = 16;
/// Most likely next characters or words shown.
pub const SUGGESTIONS: usize = 3;

/// A line, what is predicted for it, and the terminal that shows both.
#[derive(Debug)]
pub struct Console<'m, 's, K: Kernel, W: Write, S, const DEPTH: usize, const WORDS: usize> {
    line: Line<'m, 's, K, DEPTH, WORDS>,
    completer: &'s mut Completer<BEAM, COMPLETION, WORDS>,
    view: View<W>,
    writer: Writer<S>,
    decoder: Decoder,
    /// For the line as it is; `None` when it has to be computed.
    completion: Option<Ahead>,
    /// The terminal does not show what it should.
    dirty: bool,
    refusal: Option<Refusal>,
    /// The last key was about writing: the panel shows the seed.
    wrote: bool,
}

impl<'m, 's, K: Kernel, W: Write, S: Writing, const DEPTH: usize, const WORDS: usize>
    Console<'m, 's, K, W, S, DEPTH, WORDS>
{
    /// A console with an empty line; [`Console::refresh`] draws it.
    pub const fn new(
        line: Line<'m, 's, K, DEPTH, WORDS>,
        completer: &'s mut Completer<BEAM, COMPLETION, WORDS>,
        view: View<W>,
        writer: Writer<S>,
    ) -> Self {
        Console {
            line,
            completer,
            view,
            writer,
            decoder: Decoder::new(),
            completion: None,
            dirty: true,
            refusal: None,
            wrote: false,
        }
    }

    /// The line.
    pub fn line(&self) -> &Line<'m, 's, K, DEPTH, WORDS> {
        &self.line
    }

    /// The terminal.
    pub fn terminal(&mut self) -> &mut W {
        self.view.out()
    }

    /// Takes one received byte.
    ///
    /// # Errors
    /// Passes on what the terminal says.
    pub fn feed(&mut self, byte: u8) -> Result<(), W::Error> {
        for key in self.decoder.feed(byte) {
            self.press(key)?;
        }
        Ok(())
    }

    /// Predicts and draws, if anything has changed.
    ///
    /// # Errors
    /// Passes on what the terminal says.
    pub fn refresh(&mut self) -> Result<(), W::Error> {
        if !core::mem::take(&mut self.dirty) {
            return Ok(());
        }
        self.predict();
        let vocab = self.line.model().vocab();
        let likely = self.line.likely::<SUGGESTIONS>();
        let mut words: Vec<Word, SUGGESTIONS> = Vec::new();
        let mut characters: Vec<(char, u16), SUGGESTIONS> = Vec::new();
        if are_words(&vocab) {
            words.extend(likely.iter().filter_map(|s| vocab.word(s.id)));
        } else {
            let shown = likely
                .iter()
                .filter_map(|s| Some((vocab.char_of(s.id)?, s.permille)));
            characters.extend(shown);
        }
        let panel = match self.refusal {
            Some(why) => Panel::Refused(why),
            None if self.wrote => Panel::Seed(self.writer.seed()),
            None if are_words(&vocab) => Panel::Words(&words),
            None if are_bytes(&vocab) => Panel::Bytes(&characters),
            None => Panel::Suggestions(&characters),
        };
        let ahead = self.completion.as_deref().unwrap_or_default();
        if are_bytes(&vocab) {
            let (typed, ahead) = (hex(self.line.text()), hex(ahead));
            return self.view.draw(&typed, &ahead, panel);
        }
        self.view.draw(self.line.text(), ahead, panel)
    }

    fn press(&mut self, key: Key) -> Result<(), W::Error> {
        self.dirty = true;
        self.refusal = None;
        self.wrote = false;
        if !matches!(key, Key::GoOn | Key::Redraw) {
            self.writer.start_again();
        }
        match key {
            Key::Char(character) => self.type_character(character),
            Key::Tab => self.accept(),
            Key::Backspace => {
                if self.line.pop() {
                    self.completion = None;
                    Ok(())
                } else {
                    self.refuse(Refusal::LineEmpty)
                }
            }
            Key::Enter => {
                if are_bytes(&self.line.model().vocab()) {
                    self.view.finish(&hex(self.line.text()))?;
                } else {
                    self.view.finish(self.line.text())?;
                }
                self.line.clear();
                self.completion = None;
                Ok(())
            }
            Key::Redraw => Ok(()),
            Key::GoOn => self.go_on(),
            Key::NextSeed => {
                self.writer.next_seed();
                self.wrote = true;
                Ok(())
            }
            Key::Control(code) => {
                let control = char::from(code);
                match self.line.shown(control) {
                    Some(_) => self.type_one(control),
                    None => self.refuse(Refusal::Unknown(control)),
                }
            }
            Key::Malformed => self.refuse(Refusal::Malformed),
        }
    }

    fn type_character(&mut self, character: char) -> Result<(), W::Error> {
        if character.is_ascii() || !are_bytes(&self.line.model().vocab()) {
            return self.type_one(character);
        }
        let mut bytes = [0; 4];
        let bytes = character.encode_utf8(&mut bytes).bytes();
        bytes
            .map(char::from)
            .try_for_each(|byte| self.type_one(byte))
    }

    fn type_one(&mut self, character: char) -> Result<(), W::Error> {
        let Some(shown) = self.line.shown(character) else {
            return self.refuse(Refusal::Unknown(character));
        };
        if self.line.is_full() {
            return self.refuse(Refusal::LineFull);
        }
        self.view.echo(shown)?;
        self.line.type_char(character);
        self.completion = None;
        Ok(())
    }

    /// Takes the completion into the line, as far as it has room.
    fn accept(&mut self) -> Result<(), W::Error> {
        self.predict();
        if self.line.is_full() {
            return self.refuse(Refusal::LineFull);
        }
        match self.completion.take() {
            Some(completion) => {
                for character in completion {
                    self.line.type_char(character);
                }
                Ok(())
            }
            None => self.refuse(Refusal::NoCompletion),
        }
    }

    /// Lets the board write. Every token is echoed as it comes, and the flush tells the terminal's
    /// other end that somebody is at work.
    fn go_on(&mut self) -> Result<(), W::Error> {
        self.completion = None;
        for _ in 0..S::TOKENS {
            let before = self.line.chars().count();
            if !self.writer.write(&mut self.line) {
                break;
            }
            self.wrote = true;
            for character in self.line.chars().skip(before) {
                self.view.echo(character)?;
            }
            self.view.out().flush()?;
        }
        match self.wrote {
            true => Ok(()),
            false => self.refuse(Refusal::LineFull),
        }
    }

    /// Computes the completion, unless it is there.
    fn predict(&mut self) {
        if self.completion.is_none() {
            self.completion = self.line.complete(self.completer);
        }
    }

    fn refuse(&mut self, why: Refusal) -> Result<(), W::Error> {
        self.refusal = Some(why);
        self.view.bell()
    }
}

/// Tokens of a line of bytes that are shown: more than it has columns.
const SHOWN: usize = 64;

/// The last bytes of a line, which come as characters, as a person reads them: what is no printable
/// ASCII as `\xNN`.
fn hex(bytes: &[char]) -> Vec<char, { 4 * SHOWN }> {
    let mut text = Vec::new();
    for &byte in bytes.iter().skip(bytes.len().saturating_sub(SHOWN)) {
        // There is room for four characters of each.
        let _ = match byte {
            ' '..='~' => text.push(byte),
            _ => text
                .extend_from_slice(&['\\', 'x', digit(byte, 4), digit(byte, 0)])
                .map_err(|_| byte),
        };
    }
    text
}

#[cfg(test)]
mod tests;
