//! How a model's text was prepared, recorded so that whoever feeds the model prepares its input alike.
//!
//! ```text
//! typed text --normalise--> --lower-case--> --fold white space--> characters --vocabulary--> tokens
//!                                                                  not in it --> the unknown token
//! ```
//!
//! A program with tables for it does all of that to whole texts. This crate has no tables for normalisation and sees
//! one character at a time: [`Vocab::id_of`](crate::Vocab::id_of) does what can be done then, and says what that is.

use core::fmt::{self, Display, Formatter};

/// The character that stands for all that a model with an unknown token does not know: U+FFFD.
pub const UNKNOWN: char = char::REPLACEMENT_CHARACTER;

/// A normalisation form of Unicode (UAX #15).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Normalisation {
    /// Characters as they are written.
    #[default]
    None,
    /// Letters and their accents in one character where there is one.
    Nfc,
    /// The same, and ligatures, full-width and other variants of a character become the plain one.
    Nfkc,
}

impl Normalisation {
    /// `none`, `nfc` or `nfkc`.
    pub const fn name(self) -> &'static str {
        match self {
            Normalisation::None => "none",
            Normalisation::Nfc => "nfc",
            Normalisation::Nfkc => "nfkc",
        }
    }
}

/// What was done to the text a model was trained on. The default is nothing, and no unknown token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct TextRules {
    /// [`UNKNOWN`] in the vocabulary stands for every character that is not in it.
    pub unknown: bool,
    /// Letters are lower-case.
    pub lower_case: bool,
    /// The normalisation form.
    pub normalisation: Normalisation,
    /// A run of white space is one space, or one line feed if it has a line break in it.
    pub fold_space: bool,
    /// Every line is a text of its own: the state is zero before each line feed that is read, and what comes before a
    /// line is a line feed ([`Session::begin`](crate::Session::begin), [`Session::read`](crate::Session::read)).
    pub lines: bool,
}

const CODE_UNKNOWN: u8 = 1;
const CODE_LOWER: u8 = 2;
const CODE_NFC: u8 = 4;
const CODE_NFKC: u8 = 8;
const CODE_FOLD: u8 = 16;
const CODE_LINES: u8 = 32;

impl TextRules {
    /// Largest number that stands for rules in a header.
    pub(crate) const MAX_CODE: u8 = CODE_UNKNOWN | CODE_LOWER | CODE_NFKC | CODE_FOLD | CODE_LINES;

    /// Whether a text is taken as it is, and every character has to be in the vocabulary.
    pub const fn is_plain(&self) -> bool {
        self.code() == 0
    }

    /// The number that stands for these rules in the header.
    pub(crate) const fn code(&self) -> u8 {
        let form = match self.normalisation {
            Normalisation::None => 0,
            Normalisation::Nfc => CODE_NFC,
            Normalisation::Nfkc => CODE_NFKC,
        };
        form | (self.unknown as u8 * CODE_UNKNOWN)
            | (self.lower_case as u8 * CODE_LOWER)
            | (self.fold_space as u8 * CODE_FOLD)
            | (self.lines as u8 * CODE_LINES)
    }

    /// The rules that a number stands for, if it does for any.
    pub(crate) const fn from_code(code: u8) -> Option<Self> {
        let forms = CODE_NFC | CODE_NFKC;
        match code > Self::MAX_CODE || code & forms == forms {
            true => None,
            false => Some(Self::of_code(code)),
        }
    }

    /// The same for a number that stands for rules.
    pub(crate) const fn of_code(code: u8) -> Self {
        TextRules {
            unknown: code & CODE_UNKNOWN != 0,
            lower_case: code & CODE_LOWER != 0,
            normalisation: match code & (CODE_NFC | CODE_NFKC) {
                0 => Normalisation::None,
                CODE_NFC => Normalisation::Nfc,
                _ => Normalisation::Nfkc,
            },
            fold_space: code & CODE_FOLD != 0,
            lines: code & CODE_LINES != 0,
        }
    }
}

impl Display for TextRules {
    /// For people: `lower case, NFC, white space folded, unknown characters as U+FFFD`; `as it is` for none.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let form = match self.normalisation {
            Normalisation::None => None,
            Normalisation::Nfc => Some("NFC"),
            Normalisation::Nfkc => Some("NFKC"),
        };
        let parts = [
            self.lower_case.then_some("lower case"),
            form,
            self.fold_space.then_some("white space folded"),
            self.unknown.then_some("unknown characters as U+FFFD"),
            self.lines.then_some("line by line"),
        ];
        let mut first = true;
        for part in parts.into_iter().flatten() {
            if !first {
                f.write_str(", ")?;
            }
            f.write_str(part)?;
            first = false;
        }
        if first {
            f.write_str("as it is")
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::string::ToString;

    #[test]
    fn codes_and_rules_are_one_to_one() {
        let known = (0..=u8::MAX).filter_map(|code| Some((code, TextRules::from_code(code)?)));
        let mut count = 0;
        for (code, rules) in known {
            assert_eq!(rules.code(), code);
            count += 1;
        }
        assert_eq!(count, 2 * 2 * 3 * 2 * 2);
        assert!(TextRules::from_code(0).is_some_and(|rules| rules.is_plain()));
        assert!(TextRules::from_code(TextRules::MAX_CODE).is_some());
    }

    #[test]
    fn rules_are_said_in_words() {
        let rules = TextRules {
            unknown: true,
            lower_case: true,
            ..TextRules::default()
        };
        assert_eq!(
            rules.to_string(),
            "lower case, unknown characters as U+FFFD"
        );
        assert_eq!(TextRules::default().to_string(), "as it is");
    }
}
