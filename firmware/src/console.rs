//! What each key does.
//!
//! ```text
//! character   echo it, step the net            Tab         type the completion's characters
//! Backspace   restore the state before it      Enter       leave the line, reset the state
//! Ctrl-C/L    draw again                       others      refused, with a bell and the reason
//! ```
//!
//! A key only changes the [`Line`]. Suggestions, completion and the redraw come in [`Console::refresh`], which the
//! caller runs when no more input waits: pasted text is not slowed down by completions nobody sees.

use embedded_io::Write;
use gatelet::{Completer, Kernel, Word};
use heapless::Vec;

pub use crate::budget::BEAM;
use crate::keys::{Decoder, Key};
use crate::line::{Ahead, Line};
use crate::view::{Panel, Refusal, View};

/// Characters that the search for a completion looks ahead at most.
pub const COMPLETION: usize = 16;
/// Most likely next characters or words shown.
pub const SUGGESTIONS: usize = 3;
/// What an empty line says instead.
const HINT: &str = "type, and see what follows";

/// A line, what is predicted for it, and the terminal that shows both.
#[derive(Debug)]
pub struct Console<'m, 's, K: Kernel, W: Write, const DEPTH: usize, const WORDS: usize> {
    line: Line<'m, 's, K, DEPTH, WORDS>,
    completer: &'s mut Completer<BEAM, COMPLETION, WORDS>,
    view: View<W>,
    decoder: Decoder,
    /// For the line as it is; `None` when it has to be computed.
    completion: Option<Ahead>,
    /// The terminal does not show what it should.
    dirty: bool,
    refusal: Option<Refusal>,
}

impl<'m, 's, K: Kernel, W: Write, const DEPTH: usize, const WORDS: usize>
    Console<'m, 's, K, W, DEPTH, WORDS>
{
    /// A console with an empty line; [`Console::refresh`] draws it.
    pub const fn new(
        line: Line<'m, 's, K, DEPTH, WORDS>,
        completer: &'s mut Completer<BEAM, COMPLETION, WORDS>,
        view: View<W>,
    ) -> Self {
        Console {
            line,
            completer,
            view,
            decoder: Decoder::new(),
            completion: None,
            dirty: true,
            refusal: None,
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
        if self.line.is_empty() {
            // The net has seen nothing: what it would predict says nothing either.
            let panel = self.refusal.map_or(Panel::Hint(HINT), Panel::Refused);
            let nothing = core::iter::empty();
            return self.view.draw(nothing.clone(), nothing, panel);
        }
        let vocab = self.line.model().vocab();
        let likely = self.line.likely::<SUGGESTIONS>();
        let mut words: Vec<Word, SUGGESTIONS> = Vec::new();
        let mut characters: Vec<(char, u16), SUGGESTIONS> = Vec::new();
        if vocab.is_words() {
            words.extend(likely.iter().filter_map(|s| vocab.word(s.id)));
        } else {
            let shown = likely
                .iter()
                .filter_map(|s| Some((vocab.char_of(s.id)?, s.permille)));
            characters.extend(shown);
        }
        let panel = match self.refusal {
            Some(why) => Panel::Refused(why),
            None if vocab.is_words() => Panel::Words(&words),
            None => Panel::Suggestions(&characters),
        };
        let completion = self.completion.iter().flatten().copied();
        self.view.draw(self.line.chars(), completion, panel)
    }

    fn press(&mut self, key: Key) -> Result<(), W::Error> {
        self.dirty = true;
        self.refusal = None;
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
                self.view.finish(self.line.chars())?;
                self.line.clear();
                self.completion = None;
                Ok(())
            }
            Key::Redraw => Ok(()),
            Key::Control(code) => self.refuse(Refusal::Unknown(char::from(code))),
            Key::Malformed => self.refuse(Refusal::Malformed),
        }
    }

    fn type_character(&mut self, character: char) -> Result<(), W::Error> {
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

    /// Computes the completion, unless it is there. An empty line has none.
    fn predict(&mut self) {
        if self.completion.is_none() && !self.line.is_empty() {
            self.completion = self.line.complete(self.completer);
        }
    }

    fn refuse(&mut self, why: Refusal) -> Result<(), W::Error> {
        self.refusal = Some(why);
        self.view.bell()
    }
}

#[cfg(test)]
mod tests;
