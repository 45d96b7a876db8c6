//! The text rules applied: normalisation, lower case, folded white space; piece by piece, as a text is read.
//!
//! ```text
//! carry += piece;   cut = the last boundary in carry
//! out = fold(form(lower(form(carry[..cut]))));   carry = carry[cut..]          at the end, cut = all of it
//! ```
//!
//! A *boundary* stands before a character that never joins with what is before it: combining class 0 and
//! NF(K)C_Quick_Check = Yes (UAX #15, section 9). Normalising the two sides of a boundary apart gives the same as
//! normalising both together, so that pieces of any size give the text that the whole would. Almost every letter, and
//! all of ASCII, has a boundary before it: `carry` is a letter with its accents.
//!
//! Lower case comes after the normalisation, which can make capitals (the Kelvin sign is a K, U+2122 is TM), and may
//! need it again. It looks at one character at a time: a final sigma is a σ like the others.
//!
//! Before all of that, line ends become LF and U+FEFF nothing (`plain.rs`).

use std::borrow::Cow;

use gatelet::{Normalisation, TextRules};
use serde::{Deserialize, Serialize};
use unicode_normalization::char::canonical_combining_class;
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick, is_nfkc_quick};

use super::plain::{Changes, Plain, plain};
use super::vocabulary::Vocabulary;
use super::words::Level;

/// Bytes without a boundary that are carried; a text with more in a row is refused.
const MOST_CARRIED: usize = 1 << 20;

/// Unicode normalisation of a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Normalise {
    /// Characters as they are written.
    #[default]
    None,
    /// A letter and its accents become one character where there is one.
    Nfc,
    /// The same, and ligatures, full-width and other variants become the plain character.
    Nfkc,
}

impl From<Normalise> for Normalisation {
    fn from(form: Normalise) -> Self {
        match form {
            Normalise::None => Self::None,
            Normalise::Nfc => Self::Nfc,
            Normalise::Nfkc => Self::Nfkc,
        }
    }
}

impl std::fmt::Display for Normalise {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(Normalisation::from(*self).name())
    }
}

/// What is done to a text before it becomes tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// What an image records.
    pub text: TextRules,
    /// CR is a character, and no line end.
    pub keep_cr: bool,
    /// Every byte is a token: nothing is decoded, and nothing done.
    pub bytes: bool,
}

impl Rules {
    /// Those of a model: CR is a character to one that has it in its vocabulary.
    pub fn of(text: TextRules, vocab: &Vocabulary) -> Self {
        Self {
            text,
            keep_cr: vocab.has('\r'),
            bytes: vocab.level() == Level::Byte,
        }
    }
}

impl From<TextRules> for Rules {
    fn from(text: TextRules) -> Self {
        Self {
            text,
            ..Self::default()
        }
    }
}

/// More than 1 MiB of bytes that all join with what is before them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoBoundary;

/// The rules, with what is left of the pieces so far.
#[derive(Clone, Debug)]
pub struct Preparation {
    rules: TextRules,
    /// Nothing at all is done.
    bytes: bool,
    plain: Plain,
    /// Not normalised yet: what follows may join with it.
    carry: String,
    /// A run of white space under way, and what it becomes.
    space: Option<char>,
    out: String,
}

/// The whole of a text prepared. At the level of bytes its UTF-8 is taken, byte b as the character U+00b.
pub fn prepare(rules: impl Into<Rules>, text: &str) -> String {
    let rules = rules.into();
    if rules.bytes {
        return encoding_rs::mem::decode_latin1(text.as_bytes()).into_owned();
    }
    let mut preparation = Preparation::new(rules);
    let mut whole = String::with_capacity(text.len());
    // As if all of it had been carried to the end.
    preparation.carry.push_str(&plain(text, rules.keep_cr));
    whole.push_str(preparation.finish());
    whole
}

impl Preparation {
    /// At the start of a text.
    pub fn new(rules: impl Into<Rules>) -> Self {
        let rules = rules.into();
        Self {
            rules: rules.text,
            bytes: rules.bytes,
            plain: Plain::new(rules.keep_cr),
            carry: String::new(),
            space: None,
            out: String::new(),
        }
    }

    /// Whether the text comes out as it goes in.
    fn is_identity(&self) -> bool {
        let TextRules {
            lower_case,
            normalisation,
            fold_space,
            ..
        } = self.rules;
        self.bytes || !lower_case && !fold_space && normalisation == Normalisation::None
    }

    /// What became of line ends and byte order marks so far.
    pub fn changes(&self) -> Changes {
        self.plain.changes()
    }

    /// Takes the next piece; gives the prepared text that is certain now.
    ///
    /// # Errors
    /// [`NoBoundary`].
    pub fn push<'a>(&'a mut self, piece: &'a str) -> Result<&'a str, NoBoundary> {
        let piece = match self.bytes {
            true => Cow::Borrowed(piece),
            false => self.plain.push(piece),
        };
        if self.is_identity() {
            return Ok(match piece {
                Cow::Borrowed(piece) => piece,
                Cow::Owned(piece) => {
                    self.out = piece;
                    &self.out
                }
            });
        }
        self.out.clear();
        if self.rules.normalisation == Normalisation::None {
            self.settle(&piece);
            return Ok(&self.out);
        }
        self.carry.push_str(&piece);
        let cut = last_boundary(&self.carry, self.rules.normalisation);
        if self.carry.len() - cut > MOST_CARRIED {
            return Err(NoBoundary);
        }
        let carry = std::mem::take(&mut self.carry);
        self.settle(&carry[..cut]);
        self.carry = carry;
        self.carry.drain(..cut);
        Ok(&self.out)
    }

    /// The rest, when there are no more pieces.
    pub fn finish(&mut self) -> &str {
        self.out.clear();
        let carry = std::mem::take(&mut self.carry);
        if self.is_identity() {
            self.out = carry;
        } else {
            self.settle(&carry);
        }
        self.out.extend(self.space.take());
        &self.out
    }

    /// Prepares a text that starts and ends at a boundary. Runs of ASCII, up to the last letter, which an accent may
    /// follow, are normalised already and skip the tables.
    fn settle(&mut self, mut text: &str) {
        if self.rules.normalisation == Normalisation::None {
            return self.form(text);
        }
        while !text.is_empty() {
            let odd = text.bytes().position(|b| !b.is_ascii());
            let plain = odd.map_or(text.len(), |at| at.saturating_sub(1));
            let (ascii, rest) = text.split_at(plain);
            self.form(ascii);
            let odd = odd.map_or(0, |at| at - plain);
            let next = rest.bytes().skip(odd).position(|b| b.is_ascii());
            let (odd, rest) = rest.split_at(next.map_or(rest.len(), |at| odd + at));
            self.form(odd);
            text = rest;
        }
    }

    /// Normalises and makes small; all at once.
    fn form(&mut self, text: &str) {
        let lower = char::to_lowercase;
        let form = match text.is_ascii() {
            true => Normalisation::None,
            false => self.rules.normalisation,
        };
        match (form, self.rules.lower_case) {
            (Normalisation::None, false) => self.fold(text.chars()),
            (Normalisation::None, true) => self.fold(text.chars().flat_map(lower)),
            (Normalisation::Nfc, false) => self.fold(text.nfc()),
            (Normalisation::Nfc, true) => self.fold(text.nfc().flat_map(lower).nfc()),
            (Normalisation::Nfkc, false) => self.fold(text.nfkc()),
            (Normalisation::Nfkc, true) => self.fold(text.nfkc().flat_map(lower).nfkc()),
        }
    }

    /// Adds characters to `out`, runs of white space as one.
    fn fold(&mut self, chars: impl Iterator<Item = char>) {
        if !self.rules.fold_space {
            return self.out.extend(chars);
        }
        for c in chars {
            if c.is_whitespace() {
                let breaks = matches!(
                    c,
                    '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}'
                );
                let kept = if breaks { '\n' } else { ' ' };
                self.space = Some(self.space.map_or(kept, |before| before.min(kept)));
            } else {
                self.out.extend(self.space.take());
                self.out.push(c);
            }
        }
    }
}

/// Whether a character never joins with what is before it.
fn is_boundary(c: char, form: Normalisation) -> bool {
    let alone = std::iter::once(c);
    c.is_ascii()
        || canonical_combining_class(c) == 0
            && match form {
                Normalisation::None => true,
                Normalisation::Nfc => is_nfc_quick(alone) == IsNormalized::Yes,
                Normalisation::Nfkc => is_nfkc_quick(alone) == IsNormalized::Yes,
            }
}

/// Where the last character with a boundary before it stands; 0 if there is none.
fn last_boundary(text: &str, form: Normalisation) -> usize {
    let mut places = text.char_indices().rev();
    places
        .find(|&(_, c)| is_boundary(c, form))
        .map_or(0, |(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rules(lower_case: bool, normalisation: Normalisation, fold_space: bool) -> TextRules {
        TextRules {
            unknown: false,
            lower_case,
            normalisation,
            fold_space,
            lines: false,
        }
    }

    const FORMS: [Normalisation; 3] =
        [Normalisation::None, Normalisation::Nfc, Normalisation::Nfkc];

    fn all_rules() -> impl Iterator<Item = TextRules> {
        FORMS.into_iter().flat_map(|form| {
            [(false, false), (false, true), (true, false), (true, true)]
                .map(|(lower, fold)| rules(lower, form, fold))
        })
    }

    #[test]
    fn rules_do_what_they_say() {
        let (none, nfc, nfkc) = (FORMS[0], FORMS[1], FORMS[2]);
        let text = "A\u{308}b \u{fb01} \u{212a}";
        assert_eq!(prepare(rules(false, none, false), text), text);
        assert_eq!(prepare(rules(false, nfc, false), text), "Äb \u{fb01} K");
        assert_eq!(prepare(rules(true, nfc, false), text), "äb \u{fb01} k");
        assert_eq!(prepare(rules(true, nfkc, false), text), "äb fi k");
        assert_eq!(prepare(rules(true, none, false), "ΣΑΣ"), "σασ");
        let ends = "A\r\nB\rC\n\u{feff}";
        assert_eq!(prepare(rules(true, none, false), ends), "a\nb\nc\n");
        let kept = Rules {
            keep_cr: true,
            ..Rules::from(rules(true, none, false))
        };
        assert_eq!(prepare(kept, ends), "a\r\nb\rc\n");
        let bytes = Rules {
            bytes: true,
            ..kept
        };
        assert_eq!(prepare(bytes, "A\r\né"), "A\r\n\u{c3}\u{a9}");
        let spaced = " a\t b \r\n\r\n  c\u{2003}d\u{b}e ";
        let folded = " a b\nc d\ne ";
        assert_eq!(prepare(rules(false, none, true), spaced), folded);
    }

    /// What makes cutting right when letters are made small after the normalisation: a character that is a boundary
    /// becomes characters of which the first is one.
    #[test]
    fn lower_case_keeps_boundaries() {
        for c in (0..=u32::from(char::MAX)).filter_map(char::from_u32) {
            for form in [Normalisation::Nfc, Normalisation::Nfkc] {
                let first = c.to_lowercase().next().unwrap();
                assert!(!is_boundary(c, form) || is_boundary(first, form), "{c:?}");
            }
        }
    }

    #[test]
    fn what_never_ends_is_refused_with_the_memory_bounded() {
        let mut preparation = Preparation::new(rules(false, Normalisation::Nfc, false));
        let accents = "\u{301}".repeat(10_000);
        let refused = (0..2000).position(|_| preparation.push(&accents).is_err());
        assert_eq!(refused, Some(MOST_CARRIED / accents.len()));
    }

    /// Letters, accents of several classes, Hangul in pieces, compatibility characters, spaces.
    fn text() -> impl Strategy<Value = String> {
        let odd = "aAeE ksKS\n\r\t\u{301}\u{308}\u{323}\u{327}\u{345}\u{130}\u{3a3}\u{391}\u{1100}\u{1161}\u{11a8}\
                   \u{ac00}\u{fb01}\u{212a}\u{2122}\u{a0}\u{2028}\u{958}\u{93c}\u{915}\u{1f600}\u{ff21}\u{ff76}\u{ff9e}";
        let one = prop_oneof![
            4 => proptest::sample::select(odd.chars().collect::<Vec<_>>()),
            1 => any::<char>(),
        ];
        proptest::collection::vec(one, 0..40).prop_map(|chars| chars.into_iter().collect())
    }

    proptest! {
        #[test]
        fn pieces_give_what_the_whole_gives(text in text(), cuts in proptest::collection::vec(0..40_usize, 0..8)) {
            let chars: Vec<char> = text.chars().collect();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|at| at.min(chars.len())).collect();
            cuts.extend([0, chars.len()]);
            cuts.sort_unstable();
            for rules in all_rules() {
                let mut preparation = Preparation::new(rules);
                let mut streamed = String::new();
                for range in cuts.windows(2) {
                    let piece: String = chars[range[0]..range[1]].iter().collect();
                    streamed.push_str(preparation.push(&piece).unwrap());
                }
                streamed.push_str(preparation.finish());
                prop_assert_eq!(&streamed, &prepare(rules, &text), "{:?}", rules);
            }
        }

        #[test]
        fn a_prepared_text_is_prepared(text in text()) {
            for rules in all_rules() {
                let once = prepare(rules, &text);
                prop_assert_eq!(&prepare(rules, &once), &once, "{:?}", rules);
            }
        }

        #[test]
        fn the_form_is_that_of_the_whole_text(text in text()) {
            let text = plain(&text, false);
            prop_assert_eq!(prepare(rules(false, Normalisation::Nfc, false), &text), text.nfc().collect::<String>());
            prop_assert_eq!(prepare(rules(false, Normalisation::Nfkc, false), &text), text.nfkc().collect::<String>());
        }
    }
}
