//! The typed line and the net's state that belongs to it.
//!
//! ```text
//! type(c):   text += c;   for every token that ends with c:  history.push(state);  state = step(state, token)
//! pop():     text -= last;  as long as there are more tokens than the text has:  state = history.pop()
//!            or, when the ring is empty,  state = run(tokens)
//! clear():   text = "";  state = that of the start of a text
//! ```
//!
//! A text starts from the zero state, in a model of lines after a line break ([`Session::begin`]).
//! In a model of characters each is a token. In one of words a token ends with the character after
//! it: the letters of a word under way are in the line and not in the state, and only narrow down
//! what is suggested.
//!
//! One invariant holds after every call, and the tests look at nothing else: **the state is what
//! feeding the tokens of the text to a fresh session would give**. Restoring a snapshot costs a
//! copy and one head product; the ring holds the last `DEPTH` states, and past it the line is
//! computed again from its start, which refills the ring.

use gatelet::{
    Completer, History, Kernel, Logits, Model, Session, SessionError, SnapshotError, TokenId,
    Tokenizer, words_with,
};
use heapless::Vec;

use crate::tokens::{are_bytes, are_words};

/// Characters a line holds. More would only make the recomputation longer than a person waits.
pub const LINE_CAPACITY: usize = 256;

/// Characters of a completion at most: a word of a vocabulary, and the spaces around it.
pub const AHEAD: usize = gatelet::format::MAX_WORD + 2;
/// What text goes on after with a space.
pub(crate) const CLOSING: [char; 7] = ['.', ',', ';', ':', '!', '?', ')'];

/// What a completion adds to the line.
pub type Ahead = Vec<char, AHEAD>;

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
    text: Vec<char, LINE_CAPACITY>,
    /// Those of the text that have ended.
    tokens: Vec<TokenId, LINE_CAPACITY>,
    /// At the end of the text, in a model of words.
    tokenizer: Tokenizer,
}

impl<'m, 's, K: Kernel, const DEPTH: usize, const WORDS: usize> Line<'m, 's, K, DEPTH, WORDS> {
    /// An empty line in caller-owned memory: `storage` holds `Net::state_words()` words or more,
    /// `WORDS` is `Net::snapshot_words()`.
    ///
    /// # Errors
    /// The memory is not of this model's size.
    pub fn new(
        model: &'m Model<'m>,
        kernel: K,
        storage: &'s mut [u32],
        history: &'s mut History<DEPTH, WORDS>,
    ) -> Result<Self, LineError> {
        let mut session = Session::new(model, kernel, storage).map_err(LineError::Session)?;
        session.begin();
        let need = model.net().snapshot_words();
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
            text: Vec::new(),
            tokens: Vec::new(),
            tokenizer: Tokenizer::new(),
        })
    }

    /// The tokens of the line that have ended.
    pub fn tokens(&self) -> &[TokenId] {
        &self.tokens
    }

    /// The characters of the line.
    pub fn chars(&self) -> impl DoubleEndedIterator<Item = char> + Clone {
        self.text.iter().copied()
    }

    /// The same.
    pub fn text(&self) -> &[char] {
        &self.text
    }

    /// Whether nothing is typed.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// The model behind it.
    pub fn model(&self) -> &'m Model<'m> {
        self.session.model()
    }

    /// The session, to look at its state.
    pub fn session(&self) -> &Session<'m, 's, K> {
        &self.session
    }

    /// The scores of the next token.
    pub fn logits(&self) -> Logits<'_> {
        self.session.logits()
    }

    /// Whether there is no room for another character.
    pub fn is_full(&self) -> bool {
        self.text.is_full()
    }

    /// What the line shows of a character: its small letter, or the mark of an unknown one, where
    /// the model takes it for that; `None` if the model has no such character.
    pub fn shown(&self, character: char) -> Option<char> {
        let vocab = self.model().vocab();
        match are_words(&vocab) {
            true => Some(character),
            false => vocab.char_of(vocab.id_of(character)?),
        }
    }

    /// Types one character; false when the line is full or the model has no such character, and
    /// nothing changes then.
    #[inline(never)] // called in six places: 400 bytes
    pub fn type_char(&mut self, character: char) -> bool {
        let Some(shown) = self.shown(character) else {
            return false;
        };
        if self.text.push(shown).is_err() {
            return false;
        }
        let vocab = self.model().vocab();
        if are_words(&vocab) {
            self.end_words(shown);
        } else if let Some(id) = vocab.id_of(shown) {
            self.push(id);
        }
        true
    }

    /// Takes the last character back; false when there is none.
    pub fn pop(&mut self) -> bool {
        if self.text.pop().is_none() {
            return false;
        }
        let mut left = self.text.len();
        if are_words(&self.model().vocab()) {
            left = 0;
            self.tokenizer = Tokenizer::new();
            for &character in &self.text {
                self.tokenizer.feed(character, &mut |_| left += 1);
            }
        }
        let mut restored = true;
        while self.tokens.len() > left {
            self.tokens.pop();
            restored = restored && matches!(self.history.pop(&mut self.session), Ok(true));
        }
        if !restored {
            self.run_again();
        }
        true
    }

    /// Empties the line; the state is that of a new line.
    pub fn clear(&mut self) {
        self.text.clear();
        self.tokens.clear();
        self.tokenizer = Tokenizer::new();
        self.history.clear();
        self.session.begin();
    }

    /// The letters of the word under way, in a model of words; `None` if it is longer than all the
    /// model knows.
    pub fn unfinished(&self) -> Option<&str> {
        self.tokenizer.unfinished()
    }

    /// The `N` likeliest tokens: in a model of words, of those that begin as the word under way
    /// does.
    pub fn likely<const N: usize>(&self) -> Vec<gatelet::Suggestion, N> {
        let (logits, vocab) = (self.session.logits(), self.model().vocab());
        match self.unfinished() {
            _ if !are_words(&vocab) => logits.top(),
            Some(letters) => words_with(&logits, &vocab, letters),
            None => Vec::new(),
        }
    }

    /// The likeliest continuation to the end of a word. The state is the same afterwards.
    pub fn complete<const WIDTH: usize, const LEN: usize>(
        &mut self,
        completer: &mut Completer<WIDTH, LEN, WORDS>,
    ) -> Option<Ahead> {
        let vocab = self.model().vocab();
        if are_words(&vocab) {
            return self.complete_word();
        }
        // What is no ASCII is part of a word to a model of bytes: most of it is, in UTF-8.
        let in_word =
            |c: char| c.is_alphanumeric() || c == '\'' || are_bytes(&vocab) && !c.is_ascii();
        let ends_word = |id| vocab.char_of(id).is_none_or(|c| !in_word(c));
        let completion = completer
            .complete(&mut self.session, ends_word)
            .unwrap_or(None)?;
        let characters = completion.tokens.iter();
        // At most LEN of them, which are fewer than a word may have.
        let characters = characters.filter_map(|&id| vocab.char_of(id)).take(AHEAD);
        Some(characters.collect())
    }

    /// What is missing of the likeliest word, with the spaces that stand around a word.
    fn complete_word(&self) -> Option<Ahead> {
        let typed = self.unfinished()?.chars().count();
        let likeliest = self.likely::<1>();
        let token = self.model().vocab().word(likeliest.first()?.id)?;
        let word = token.chars().any(char::is_alphanumeric);
        let space = |there: bool| there.then_some(' ').into_iter();
        let last = self.text.last();
        let before = word && last.is_some_and(|last| CLOSING.contains(last));
        let rest = token.chars().skip(typed);
        let ahead = space(before).chain(rest).chain(space(word));
        Some(ahead.take(AHEAD).collect())
    }

    /// Feeds the tokens that end with a character of the text to the net.
    fn end_words(&mut self, character: char) {
        let vocab = self.model().vocab();
        let mut ended: Vec<TokenId, LINE_CAPACITY> = Vec::new();
        // A model of words has an id for every one, and the line no more tokens than characters.
        self.tokenizer.feed(character, &mut |token| {
            let id = vocab.id_of_word(token);
            let _ = id.map(|id| ended.push(id));
        });
        for id in ended {
            self.push(id);
        }
    }

    /// Steps the net. `new` has checked the snapshot's length, and the token is the vocabulary's:
    /// neither refuses.
    fn push(&mut self, id: TokenId) {
        let _ = self.history.push(&self.session);
        let _ = self.session.read(id);
        let _ = self.tokens.push(id);
    }

    /// The state from the tokens alone, refilling the history on the way.
    fn run_again(&mut self) {
        self.history.clear();
        self.session.begin();
        for &id in &self.tokens {
            // Both have accepted every token of the line before.
            let _ = self.history.push(&self.session);
            let _ = self.session.read(id);
        }
    }
}
