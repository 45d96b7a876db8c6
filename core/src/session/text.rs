//! A session that reads texts: where they begin, and in a model of lines where they begin again.
//!
//! ```text
//! begin     state = 0;  of lines, with the line feed read:  state = step(0, LF)
//! read(x)   of lines, for x = LF:  state = 0               then state = step(state, x)
//! ```
//! So in a model of lines ([`TextRules::lines`](crate::TextRules)) the state after a line feed is always the same one, and
//! nothing of a line reaches the next. In all others `read` is a step. Everything that reads or writes text goes through
//! these two; a known answer, a conformance case and a benchmark are plain steps.

use super::Session;
use crate::kernel::Kernel;
use crate::net::TokenId;
use crate::session::error::StepError;
use crate::text::logits::Logits;

impl<K: Kernel> Session<'_, '_, K> {
    /// To where a text begins: the zero state, or in a model of lines that of an empty line.
    #[inline(never)]
    pub fn begin(&mut self) {
        match self.model.vocab().line_break() {
            // It is in the vocabulary, so the step cannot refuse it.
            Some(id) => {
                let _ = self.read(id);
            }
            None => self.reset(),
        }
    }

    /// Takes the next token of a text in and returns the scores of the one after it.
    ///
    /// # Errors
    /// As [`Session::step`].
    #[inline(never)]
    pub fn read(&mut self, id: TokenId) -> Result<Logits<'_>, StepError> {
        if self.model.vocab().line_break() == Some(id) {
            self.storage.fill(0);
            super::start::<K>(self.model, self.storage);
            self.forget_sums();
        }
        self.step(id)
    }
}
