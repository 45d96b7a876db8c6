//! Characters or words and their token ids, chosen by how often they occur.
//!
//! ```text
//! without a cap:  all distinct characters; all distinct words, and U+FFFD
//! with --max-vocab N:  the N-1 most frequent (ties: the smaller code point or word), and U+FFFD for all others
//! ids:  ranks by code point, or by the words' bytes
//! at the level of bytes:  all 256, byte b as the character U+00b, so that a net of bytes refuses no file
//! ```

use std::collections::BTreeSet;

use gatelet::UNKNOWN;

use super::words::{Level, WordCounts, WordEncoder};
use crate::error::{Error, Result};

/// Largest vocabulary of a model.
pub const MAX_VOCAB: usize = 16_384;

/// Code points there can be.
pub(super) const CODE_POINTS: usize = char::MAX as usize + 1;

/// How often every token occurs in a text.
#[derive(Clone, Debug)]
pub struct Counts {
    level: Level,
    /// Characters by code point, at their level; or bytes. Pages that are never written cost no memory.
    by_point: Vec<u64>,
    characters: usize,
    /// At the level of words.
    words: Option<WordCounts>,
}

impl Counts {
    /// Nothing yet.
    pub fn new(level: Level) -> Self {
        let words = (level == Level::Word).then(WordCounts::default);
        Self {
            level,
            by_point: vec![0; if words.is_none() { CODE_POINTS } else { 0 }],
            characters: 0,
            words,
        }
    }

    /// Counts the tokens of a piece.
    pub fn add(&mut self, piece: &str) {
        if let Some(words) = &mut self.words {
            return words.add(piece);
        }
        for c in piece.chars() {
            self.by_point[c as usize] += 1;
            self.characters += 1;
        }
    }

    /// Counts what the text ends in.
    pub fn finish(&mut self) {
        if let Some(words) = &mut self.words {
            words.finish();
        }
    }

    /// Tokens in all.
    pub fn tokens(&self) -> usize {
        self.words
            .as_ref()
            .map_or(self.characters, |words| words.tokens)
    }

    /// The characters that occur, ascending, with how often.
    pub fn distinct(&self) -> impl Iterator<Item = (char, u64)> {
        let counts = (0..).zip(&self.by_point).filter(|&(_, &count)| count > 0);
        counts.filter_map(|(point, &count)| Some((char::from_u32(point)?, count)))
    }
}

/// Distinct characters sorted by code point, or words sorted by their bytes; a token id is a rank in this list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vocabulary {
    list: List,
    level: Level,
    /// The id of U+FFFD where it stands for all tokens that are not in the list.
    unknown: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum List {
    Characters(Vec<char>),
    Words(Vec<String>),
}

impl Vocabulary {
    /// All distinct characters of `text`.
    pub fn of(text: &str) -> Self {
        Self {
            list: List::Characters(text.chars().collect::<BTreeSet<_>>().into_iter().collect()),
            level: Level::Char,
            unknown: None,
        }
    }

    /// All bytes, byte b as the character U+00b.
    pub fn of_bytes() -> Self {
        Self {
            list: List::Characters((0..=u8::MAX).map(char::from).collect()),
            level: Level::Byte,
            unknown: None,
        }
    }

    /// The vocabulary of the text `name`, with at most `most` tokens where that is given.
    ///
    /// # Errors
    /// [`Error::EmptyCorpus`], [`Error::OneCharacter`], [`Error::VocabularyTooLarge`].
    pub fn choose(name: &str, counts: &Counts, most: Option<usize>) -> Result<Self> {
        if let Some(words) = &counts.words {
            return Self::choose_words(name, words, most);
        }
        let mut found: Vec<(char, u64)> = counts.distinct().collect();
        let name = name.to_owned();
        if most.is_some() {
            found.retain(|&(c, _)| c != UNKNOWN);
        }
        match *found {
            [] => return Err(Error::EmptyCorpus { name }),
            [(only, _)] => return Err(Error::OneCharacter { name, only }),
            _ if counts.level == Level::Byte => return Ok(Self::of_bytes()),
            _ => {}
        }
        if let Some(most) = most {
            // Stable, and the characters ascend: so do those that are equally frequent. CR, which is there only when it
            // is to be a character, is kept: a vocabulary without it takes it for a line end.
            found.sort_by_key(|&(c, count)| (c != '\r', std::cmp::Reverse(count)));
            found.truncate(most - 1);
            found.push((UNKNOWN, 0));
            found.sort_unstable();
        }
        let found: Vec<char> = found.into_iter().map(|(c, _)| c).collect();
        let count = found.len();
        Self::from_sorted(found)
            .and_then(|vocab| vocab.with_unknown(most.is_some()))
            .ok_or(Error::VocabularyTooLarge {
                name,
                found: count,
                tokens: "characters",
                most: MAX_VOCAB,
            })
    }

    /// The same of words. They always have the unknown token.
    fn choose_words(name: &str, counts: &WordCounts, most: Option<usize>) -> Result<Self> {
        let found = counts.by_frequency();
        let name = name.to_owned();
        if found.is_empty() {
            return Err(Error::EmptyCorpus { name });
        }
        let found = &found[..found.len().min(most.map_or(usize::MAX, |most| most - 1))];
        let mut words: Vec<String> = found.iter().map(|(word, _)| (*word).to_owned()).collect();
        words.push(UNKNOWN.to_string());
        words.sort_unstable();
        let count = words.len();
        Self::from_words(words).ok_or(Error::VocabularyTooLarge {
            name,
            found: count,
            tokens: "words",
            most: MAX_VOCAB,
        })
    }

    /// From a list of words that is already sorted by their bytes, has no repetition, no empty word and none above core's
    /// limit, and U+FFFD; `None` when it is not so, or when its length is outside 2..=16384.
    pub fn from_words(words: Vec<String>) -> Option<Self> {
        let ordered = words.windows(2).all(|pair| pair[0] < pair[1]);
        let lengths = 1..=gatelet::words::MAX_WORD;
        let fit = words.iter().all(|word| lengths.contains(&word.len()));
        let good = ordered && fit && (2..=MAX_VOCAB).contains(&words.len());
        let vocab = good.then_some(Self {
            list: List::Words(words),
            level: Level::Word,
            unknown: None,
        })?;
        let unknown = vocab.rank(UNKNOWN)?;
        Some(Self {
            unknown: Some(unknown),
            ..vocab
        })
    }

    /// From a list that is already sorted by code point and free of repetition; `None` when it is not,
    /// or when its length is outside 2..=16384.
    pub fn from_sorted(chars: Vec<char>) -> Option<Self> {
        let ordered = chars.windows(2).all(|pair| pair[0] < pair[1]);
        (ordered && (2..=MAX_VOCAB).contains(&chars.len())).then_some(Self {
            list: List::Characters(chars),
            level: Level::Char,
            unknown: None,
        })
    }

    /// The same of bytes, as characters up to U+00FF; `None` as in [`Vocabulary::from_sorted`].
    pub fn from_bytes(chars: Vec<char>) -> Option<Self> {
        let list = Self::from_sorted(chars)?;
        let fit = list.chars().iter().all(|&c| c <= '\u{ff}');
        fit.then_some(Self {
            level: Level::Byte,
            ..list
        })
    }

    /// The vocabulary of a model; `None` if it is none that a trainer makes.
    pub fn of_model(vocab: &gatelet::Vocab<'_>) -> Option<Self> {
        match Level::of(vocab) {
            Level::Word => Self::from_words(vocab.words().map(|word| word.to_string()).collect()),
            Level::Byte => Self::from_bytes(vocab.chars().collect()),
            Level::Char => Self::from_sorted(vocab.chars().collect())
                .and_then(|list| list.with_unknown(vocab.rules().unknown)),
        }
    }

    /// The same, for a model that has to have one.
    ///
    /// # Errors
    /// [`Error::Inference`] when it has none.
    pub fn needed(model: &gatelet::Model<'_>) -> Result<Self> {
        Self::of_model(&model.vocab())
            .ok_or_else(|| Error::Inference("its vocabulary is empty".to_owned()))
    }

    /// The same, in which U+FFFD is the unknown token if `unknown`; `None` when it has to be and is not there.
    pub fn with_unknown(mut self, unknown: bool) -> Option<Self> {
        self.unknown = match unknown {
            true => Some(self.rank(UNKNOWN)?),
            false => None,
        };
        Some(self)
    }

    /// Number of tokens.
    #[allow(
        clippy::len_without_is_empty,
        reason = "a vocabulary of a model is never empty"
    )]
    pub fn len(&self) -> usize {
        match &self.list {
            List::Characters(list) => list.len(),
            List::Words(list) => list.len(),
        }
    }

    /// What its tokens are.
    pub fn level(&self) -> Level {
        self.level
    }

    /// The characters, ascending, or the bytes as characters; none at the level of words.
    pub fn chars(&self) -> &[char] {
        match &self.list {
            List::Characters(list) => list,
            List::Words(_) => &[],
        }
    }

    /// The words, ascending; none at the level of characters.
    pub fn words(&self) -> &[String] {
        match &self.list {
            List::Characters(_) => &[],
            List::Words(list) => list,
        }
    }

    /// The token of everything that is not in the list, if there is one.
    pub fn unknown(&self) -> Option<u16> {
        self.unknown
    }

    /// The place of a character, or of the word that it is, in the list.
    fn rank(&self, c: char) -> Option<u16> {
        let rank = match &self.list {
            List::Characters(list) => list.binary_search(&c).ok()?,
            List::Words(list) => {
                let mut bytes = [0; 4];
                let word = &*c.encode_utf8(&mut bytes);
                list.binary_search_by(|other| other.as_str().cmp(word))
                    .ok()?
            }
        };
        u16::try_from(rank).ok()
    }

    /// The token of a line feed, if there is one.
    pub fn line_break(&self) -> Option<u16> {
        self.rank('\n')
    }

    /// Whether a character is in the list itself.
    pub fn has(&self, c: char) -> bool {
        self.rank(c).is_some()
    }

    /// Token id of a character.
    pub fn id_of(&self, c: char) -> Option<u16> {
        self.rank(c).or(self.unknown)
    }

    /// Token ids of a text; `place` names it in the error.
    ///
    /// # Errors
    /// [`Error::UnknownCharacter`] for the first character outside the vocabulary.
    pub fn encode(&self, text: &str, place: &str) -> Result<Vec<u16>> {
        if let (List::Words(words), Some(unknown)) = (&self.list, self.unknown) {
            let (mut encoder, mut ids) = (WordEncoder::new(words, unknown), Vec::new());
            encoder.encode(text, &mut ids);
            encoder.finish(&mut ids);
            return Ok(ids);
        }
        text.chars()
            .enumerate()
            .map(|(position, found)| {
                self.id_of(found)
                    .ok_or_else(|| self.not_known(place, found, position))
            })
            .collect()
    }

    /// The error for a character that has no token.
    pub(super) fn not_known(&self, place: &str, found: char, position: usize) -> Error {
        Error::UnknownCharacter {
            place: place.to_owned(),
            found,
            position,
            vocab: self.len(),
            hint: self.other_case(found),
        }
    }

    /// A hint for a letter of which only the other case is known.
    fn other_case(&self, c: char) -> String {
        let known = |o: &char| *o != c && self.id_of(*o).is_some();
        c.to_lowercase()
            .chain(c.to_uppercase())
            .find(known)
            .map_or_else(String::new, |o| format!(" (it knows {o:?})"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(text: &str) -> Counts {
        let mut counts = Counts::new(Level::Char);
        counts.add(text);
        counts
    }

    #[test]
    fn the_cap_keeps_the_most_frequent_and_ties_go_to_the_smaller_code_point() {
        let text = "aaaa bbb é漢😀z\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}";
        let choose = |most| Vocabulary::choose("t", &counts(text), most).unwrap();
        let all = choose(None);
        assert_eq!((all.len(), all.unknown()), (8, None));
        let four = choose(Some(5));
        assert_eq!(four.chars(), [' ', 'a', 'b', 'z', UNKNOWN]);
        assert_eq!(four.unknown(), Some(4));
        assert_eq!(four.encode("é a\u{fffd}", "t").unwrap(), [4, 0, 1, 4]);
        // Room for all: the unknown token is there nevertheless.
        assert_eq!(choose(Some(100)).len(), 8);
        assert_eq!(choose(Some(100)).unknown(), Some(6));
    }

    #[test]
    fn too_many_characters_are_refused_unless_capped() {
        let text: String = ('\u{4e00}'..).take(MAX_VOCAB + 1).collect();
        let error = Vocabulary::choose("t", &counts(&text), None).unwrap_err();
        assert!(error.to_string().contains("--max-vocab"), "{error}");
        let capped = Vocabulary::choose("t", &counts(&text), Some(MAX_VOCAB)).unwrap();
        assert_eq!(capped.len(), MAX_VOCAB);
    }

    #[test]
    fn unknown_characters_are_named_with_a_way_out() {
        let vocab = Vocabulary::of("abc");
        let error = vocab.encode("abXc", "prefix").unwrap_err().to_string();
        assert!(error.contains("'X' (U+0058) at position 2"), "{error}");
        let error = vocab.encode("A", "prefix").unwrap_err().to_string();
        assert!(error.contains("it knows 'a'"), "{error}");
    }

    #[test]
    fn vocabularies_from_outside_are_checked() {
        assert!(Vocabulary::from_sorted(vec!['a', 'b']).is_some());
        assert!(Vocabulary::from_sorted(vec!['b', 'a']).is_none());
        assert!(Vocabulary::from_sorted(vec!['a', 'a']).is_none());
        assert!(Vocabulary::from_sorted(vec!['a']).is_none());
        let vocab = Vocabulary::of("ab");
        assert!(vocab.clone().with_unknown(false).is_some());
        assert!(vocab.with_unknown(true).is_none());
    }
}
