//! How a text becomes a corpus.

use gatelet::TextRules;

use super::prepare::Rules;
use super::words::Level;

/// How a text becomes a corpus.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CorpusOptions {
    /// What a token is.
    pub level: Level,
    /// Last fraction of the text that is held back for validation.
    pub valid_fraction: f64,
    /// What is done to the text.
    pub rules: TextRules,
    /// CR is a character, and no line end.
    pub keep_cr: bool,
    /// Largest vocabulary, with the unknown token; `None` keeps every character.
    pub max_vocab: Option<usize>,
}

impl CorpusOptions {
    /// What is done to the text.
    pub fn rules(&self) -> Rules {
        Rules {
            text: self.rules,
            keep_cr: self.keep_cr,
            bytes: self.level == Level::Byte,
        }
    }
}
