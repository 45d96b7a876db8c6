//! The typed line and the net's state that belongs to it.
//!
//! ```text
//! push(id):  history.push(state);  state = step(state, id);  tokens += id
//! pop():     tokens -= last;  state = history.pop()   or, when the ring is empty,  state = run(tokens)
//! clear():   tokens = [];  state = 0
//! ```
//!
//! One invariant holds after every call, and the tests look at nothing else: **the state is what feeding the tokens
//! to a fresh session would give**. Restoring a snapshot costs a copy and one head product; the ring holds the last
//! `DEPTH` states, and past it the line is computed again from its start, which refills the ring.

use gatelet::{
    Completer, Completion, History, Kernel, Logits, Model, Session, SessionError, SnapshotError,
    TokenId,
};
use heapless::Vec;

/// Characters a line holds. More would only make the recomputation longer than a person waits.
pub const LINE_CAPACITY: usize = 256;

/// Why a line could not be made: the caller's memory does not belong to this model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineError {
    /// The session's storage is too small.
    Session(SessionError),
    /// `WORDS` is not the length of a snapshot.
    Snapshot(SnapshotError),
}

impl core::fmt::Display for LineError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            LineError::Session(error) => write!(f, "{error}"),
            LineError::Snapshot(error) => write!(f, "{error}"),
        }
    }
}

impl core::error::Error for LineError {}

/// A line under way; `DEPTH` snapshots of `WORDS` words each.
#[derive(Debug)]
pub struct Line<'m, 's, K: Kernel, const DEPTH: usize, const WORDS: usize> {
    session: Session<'m, 's, K>,
    history: &'s mut History<DEPTH, WORDS>,
    tokens: Vec<TokenId, LINE_CAPACITY>,
}

impl<'m, 's, K: Kernel, const DEPTH: usize, const WORDS: usize> Line<'m, 's, K, DEPTH, WORDS> {
    /// An empty line in caller-owned memory: `storage` holds `Dims::state_words()` words or more, `WORDS` is
    /// `Dims::snapshot_words()`.
    ///
    /// # Errors
    /// The memory is not of this model's size.
    pub fn new(
        model: Model<'m>,
        kernel: K,
        storage: &'s mut [u32],
        history: &'s mut History<DEPTH, WORDS>,
    ) -> Result<Self, LineError> {
        let session = Session::new(model, kernel, storage).map_err(LineError::Session)?;
        let need = model.dims().snapshot_words();
        if WORDS != need {
            return Err(LineError::Snapshot(SnapshotError::Length {
                need,
                have: WORDS,
            }));
        }
        history.clear();
        Ok(Line {
            session,
            history,
            tokens: Vec::new(),
        })
    }

    /// The tokens of the line.
    pub fn tokens(&self) -> &[TokenId] {
        &self.tokens
    }

    /// The characters of the line.
    pub fn chars(&self) -> impl DoubleEndedIterator<Item = char> + Clone {
        let vocab = self.model().vocab();
        self.tokens.iter().filter_map(move |&id| vocab.char_of(id))
    }

    /// The model behind it.
    pub fn model(&self) -> &Model<'m> {
        self.session.model()
    }

    /// The session, to look at its state.
    pub fn session(&self) -> &Session<'m, 's, K> {
        &self.session
    }

    /// The scores of the next character.
    pub fn logits(&self) -> Logits<'_> {
        self.session.logits()
    }

    /// Whether there is no room for another token.
    pub fn is_full(&self) -> bool {
        self.tokens.is_full()
    }

    /// Types one token of the vocabulary; false when the line is full or the token unknown, and nothing changes then.
    pub fn push(&mut self, id: TokenId) -> bool {
        // `new` has checked the snapshot's length: history and session cannot refuse each other.
        if self.is_full() || self.history.push(&self.session).is_err() {
            return false;
        }
        if self.session.step(id).is_err() {
            let _ = self.history.pop(&mut self.session);
            return false;
        }
        self.tokens.push(id).is_ok()
    }

    /// Takes the last token back; false when there is none.
    pub fn pop(&mut self) -> bool {
        if self.tokens.pop().is_none() {
            return false;
        }
        if !matches!(self.history.pop(&mut self.session), Ok(true)) {
            self.run_again();
        }
        true
    }

    /// Empties the line; the state is that of a fresh session.
    pub fn clear(&mut self) {
        self.tokens.clear();
        self.history.clear();
        self.session.reset();
    }

    /// The likeliest continuation to the end of a word. The state is the same afterwards.
    pub fn complete<const WIDTH: usize, const LEN: usize>(
        &mut self,
        completer: &mut Completer<WIDTH, LEN, WORDS>,
    ) -> Option<Completion<LEN>> {
        let vocab = self.model().vocab();
        let ends_word = |id| {
            vocab
                .char_of(id)
                .is_none_or(|c| !c.is_alphanumeric() && c != '\'')
        };
        completer
            .complete(&mut self.session, ends_word)
            .unwrap_or(None)
    }

    /// The state from the tokens alone, refilling the history on the way.
    fn run_again(&mut self) {
        self.history.clear();
        self.session.reset();
        for &id in &self.tokens {
            // Both have accepted every token of the line before.
            let _ = self.history.push(&self.session);
            let _ = self.session.step(id);
        }
    }
}
