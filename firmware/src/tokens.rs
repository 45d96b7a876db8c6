//! What a token is to the program: a program with a model of characters has no code for words and
//! none for bytes. `build.rs` says which kind the model has; on the host there are all of them.

use gatelet::Vocab;

/// Whether a program may have a model of words.
pub(crate) const WORDS: bool = cfg!(token_words);
/// Whether a program may have a model of bytes.
pub(crate) const BYTES: bool = cfg!(token_bytes);

/// Whether a program may have a model of anything but words.
const NO_WORDS: bool = cfg!(token_no_words);

/// Whether the tokens are words. A program with a model of words has no beam search.
pub(crate) fn are_words(vocab: &Vocab<'_>) -> bool {
    WORDS && (!NO_WORDS || vocab.is_words())
}

/// Whether the tokens are bytes.
pub(crate) fn are_bytes(vocab: &Vocab<'_>) -> bool {
    BYTES && vocab.is_bytes()
}
