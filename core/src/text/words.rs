//! A sorted list of words inside an image: front-coded, looked up and decoded without allocation.
//!
//! ```text
//! offsets   u32 for every block of 8 words: where it starts, in bytes from the start of the list
//! block     first word:  len u8, bytes          others:  shared u8, rest u8, bytes
//!           a word is the first `shared` bytes of the one before it, then `rest` bytes of its own
//!
//! word(id)         start at block id / 8, decode id % 8 + 1 words
//! words before x   binary search over the blocks' first words, which stand as they are; then decode one block
//! ```
//!
//! Front coding takes about half of the bytes that the words have; blocks keep a look-up at 8 decoded words. A list has
//! one encoding only: `shared` is all that two words have in common, and blocks follow each other without a gap.

use core::fmt::{self, Display, Formatter};
use core::ops::{Deref, Range};

/// The most bytes of a word.
pub const MAX_WORD: usize = 32;
/// Words of a block.
const BLOCK: usize = 8;
/// Bytes of a block's offset.
const OFFSET: usize = 4;

/// A word of a vocabulary: at most [`MAX_WORD`] bytes of UTF-8.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Word(heapless::String<MAX_WORD>);

impl Word {
    /// The same text, if it is short enough.
    pub(crate) fn new(text: &str) -> Option<Self> {
        let mut word = heapless::String::new();
        word.push_str(text).ok()?;
        Some(Word(word))
    }

    /// Adds a character, if there is room.
    pub(crate) fn push(&mut self, character: char) -> Option<()> {
        self.0.push(character).ok()
    }
}

impl Deref for Word {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Display for Word {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

/// The words of a model, borrowed from its image.
#[derive(Clone, Copy, Debug)]
pub struct Words<'a> {
    /// Offsets and blocks.
    bytes: &'a [u8],
    /// Words.
    count: usize,
}

/// Decodes one word after the other.
struct Cursor<'a> {
    rest: &'a [u8],
    word: heapless::Vec<u8, MAX_WORD>,
}

impl<'a> Cursor<'a> {
    fn new(rest: &'a [u8]) -> Self {
        let word = heapless::Vec::new();
        Cursor { rest, word }
    }

    fn byte(&mut self) -> Option<usize> {
        let (&byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(byte.into())
    }

    /// The next word, the first of a block or not; and how many bytes it shares with the one before.
    fn advance(&mut self, first: bool) -> Option<usize> {
        let shared = if first { 0 } else { self.byte()? };
        if shared > self.word.len() {
            return None;
        }
        let own = self.byte()?;
        let (own, rest) = self.rest.split_at_checked(own)?;
        self.rest = rest;
        self.word.truncate(shared);
        self.word.extend_from_slice(own).ok()?;
        Some(shared)
    }
}

impl<'a> Words<'a> {
    /// Checks a list of `count` words.
    ///
    /// # Errors
    /// The index of the first word that cannot be decoded, is empty, too long or no UTF-8, does not come after the one
    /// before it, or is not encoded as it has to be; `count` if something follows the last.
    pub(crate) fn new(bytes: &'a [u8], count: usize) -> Result<Self, usize> {
        let words = Words { bytes, count };
        let blocks = bytes.get(OFFSET * count.div_ceil(BLOCK)..).ok_or(0_usize)?;
        let mut cursor = Cursor::new(blocks);
        let mut before: heapless::Vec<u8, MAX_WORD> = heapless::Vec::new();
        for index in 0..count {
            let first = index % BLOCK == 0;
            let at = bytes.len() - cursor.rest.len();
            if first && words.offset(index / BLOCK) != Some(at) {
                return Err(index);
            }
            let shared = cursor.advance(first).ok_or(index)?;
            let common = if first {
                0
            } else {
                common(&before, &cursor.word)
            };
            let good = before < cursor.word && core::str::from_utf8(&cursor.word).is_ok();
            if !good || shared != common {
                return Err(index);
            }
            before.clone_from(&cursor.word);
        }
        match cursor.rest {
            [] => Ok(words),
            _ => Err(count),
        }
    }

    /// Offsets and blocks, as in the image.
    pub(crate) fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none; never true for the words of a model.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Where block `index` starts.
    fn offset(&self, index: usize) -> Option<usize> {
        let offset = self.bytes.get(OFFSET * index..)?.first_chunk::<OFFSET>()?;
        Some(u32::from_le_bytes(*offset) as usize)
    }

    /// A cursor before the first word of block `index`.
    fn block(&self, index: usize) -> Option<Cursor<'a>> {
        Some(Cursor::new(self.bytes.get(self.offset(index)?..)?))
    }

    /// Word `index`, if there is one.
    pub fn get(&self, index: usize) -> Option<Word> {
        if index >= self.count {
            return None;
        }
        let mut cursor = self.block(index / BLOCK)?;
        cursor.advance(true)?;
        for _ in 0..index % BLOCK {
            cursor.advance(false)?;
        }
        Word::new(core::str::from_utf8(&cursor.word).ok()?)
    }

    /// The place of a word, if it is there.
    pub fn rank(&self, word: &str) -> Option<usize> {
        let rank = self.count_while(&|other| other < word.as_bytes());
        (self.get(rank)?.as_bytes() == word.as_bytes()).then_some(rank)
    }

    /// The places of the words that begin with `prefix`; empty where the next word after it would be, if none does.
    pub fn with_prefix(&self, prefix: &str) -> Range<usize> {
        let prefix = prefix.as_bytes();
        let from = self.count_while(&|word| word < prefix);
        let to = self.count_while(&|word| word < prefix || word.starts_with(prefix));
        from..to
    }

    /// How many words are `before`, which is true for none that comes after one for which it is false.
    fn count_while(&self, before: &dyn Fn(&[u8]) -> bool) -> usize {
        let first_of = |block| {
            let mut cursor = self.block(block)?;
            cursor.advance(true)?;
            Some(cursor)
        };
        // Of the blocks, those whose first word is before.
        let (mut low, mut high) = (0, self.count.div_ceil(BLOCK));
        while low < high {
            let middle = low + (high - low) / 2;
            match first_of(middle) {
                Some(cursor) if before(&cursor.word) => low = middle + 1,
                _ => high = middle,
            }
        }
        let Some(block) = low.checked_sub(1) else {
            return 0;
        };
        let start = block * BLOCK;
        let Some(mut cursor) = first_of(block) else {
            return start;
        };
        let mut found = 1;
        while found < BLOCK.min(self.count - start)
            && cursor.advance(false).is_some()
            && before(&cursor.word)
        {
            found += 1;
        }
        start + found
    }
}

/// Bytes that two words begin with in common.
fn common(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

/// The words with, for each, how many bytes it shares with the one before it in its block.
fn with_shared<'a>(words: &'a [&'a str]) -> impl Iterator<Item = (usize, &'a [u8], usize)> {
    let before = core::iter::once(&"").chain(words);
    let pairs = before.zip(words).enumerate();
    pairs.map(|(index, (before, word))| {
        let shared = match index % BLOCK {
            0 => 0,
            _ => common(before.as_bytes(), word.as_bytes()),
        };
        (index, word.as_bytes(), shared)
    })
}

/// Bytes of a word in a list.
fn bytes_of((index, word, shared): (usize, &[u8], usize)) -> usize {
    let lengths = if index.is_multiple_of(BLOCK) { 1 } else { 2 };
    lengths + word.len() - shared
}

/// Bytes of the list of these words.
pub(crate) fn len(words: &[&str]) -> usize {
    let blocks: usize = with_shared(words).map(bytes_of).sum();
    OFFSET * words.len().div_ceil(BLOCK) + blocks
}

/// Hands the list of these words to `sink`, in pieces.
pub(crate) fn emit(words: &[&str], sink: &mut dyn FnMut(&[u8])) {
    let mut at = OFFSET * words.len().div_ceil(BLOCK);
    for word in with_shared(words) {
        if word.0.is_multiple_of(BLOCK) {
            sink(&(at as u32).to_le_bytes());
        }
        at += bytes_of(word);
    }
    for (index, word, shared) in with_shared(words) {
        let own = word.get(shared..).unwrap_or_default();
        if !index.is_multiple_of(BLOCK) {
            sink(&[shared as u8]);
        }
        sink(&[own.len() as u8]);
        sink(own);
    }
}

/// The first of words to be written that is empty, too long, or does not come after the one before it.
pub(crate) fn check(words: &[&str]) -> Result<(), usize> {
    let mut before = "";
    for (index, word) in words.iter().enumerate() {
        if word.as_bytes() <= before.as_bytes() || word.len() > MAX_WORD {
            return Err(index);
        }
        before = word;
    }
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests {
    extern crate std;
    use super::*;
    use proptest::prelude::*;
    use std::string::String;
    use std::vec::Vec;

    pub(crate) fn encoded(words: &[&str]) -> Vec<u8> {
        let mut bytes = Vec::new();
        emit(words, &mut |piece| bytes.extend_from_slice(piece));
        assert_eq!(bytes.len(), len(words));
        bytes
    }

    const SOME: [&str; 11] = [
        "\n",
        "'",
        "a",
        "an",
        "and",
        "ant",
        "be",
        "been",
        "bee\u{301}",
        "é",
        "\u{fffd}",
    ];

    #[test]
    fn the_bytes_are_those_of_the_text() {
        let bytes = encoded(&["a", "an", "ant", "bee"]);
        assert_eq!(bytes, b"\x04\0\0\0\x01a\x01\x01n\x02\x01t\x00\x03bee");
        assert_eq!(encoded(&SOME)[4..8], [8 + 2 + 5 * 3 + 2 * 4, 0, 0, 0]);
    }

    #[test]
    fn every_damaged_byte_is_found_or_gives_another_good_list() {
        let good = encoded(&SOME);
        assert!(Words::new(&good, SOME.len()).is_ok());
        assert_eq!(
            Words::new(&good, SOME.len() - 1).unwrap_err(),
            SOME.len() - 1
        );
        for length in 0..good.len() {
            assert!(Words::new(&good[..length], SOME.len()).is_err(), "{length}");
        }
        for (at, value) in (0..good.len()).flat_map(|at| (0..=255).map(move |v| (at, v))) {
            let mut bytes = good.clone();
            bytes[at] = value;
            let Ok(words) = Words::new(&bytes, SOME.len()) else {
                continue;
            };
            let list: Vec<Word> = (0..SOME.len()).filter_map(|i| words.get(i)).collect();
            let list: Vec<&str> = list.iter().map(|word| &**word).collect();
            assert_eq!(encoded(&list), bytes, "byte {at} is {value}");
        }
    }

    #[test]
    fn what_cannot_be_written_is_named() {
        assert_eq!(check(&SOME), Ok(()));
        assert_eq!(check(&["a", "a"]), Err(1));
        assert_eq!(check(&["b", "a"]), Err(1));
        assert_eq!(check(&[""]), Err(0));
        assert_eq!(check(&["abcdefghijklmnopqrstuvwxyz0123456"]), Err(0));
        assert_eq!(check(&["abcdefghijklmnopqrstuvwxyz012345"]), Ok(()));
    }

    proptest! {
        /// Every list comes back, and every question has the answer of a search from the first word to the last.
        #[test]
        fn lists_answer_as_a_plain_search_does(
            words in proptest::collection::btree_set("[ab'é\u{2019}]{1,6}|[a-c]{1,32}", 1..60),
            asked in "[ab'é]{0,4}",
        ) {
            let words: Vec<String> = words.into_iter().filter(|w| w.len() <= MAX_WORD).collect();
            let list: Vec<&str> = words.iter().map(String::as_str).collect();
            prop_assert_eq!(check(&list), Ok(()));
            let bytes = encoded(&list);
            let found = Words::new(&bytes, list.len()).unwrap();
            for (index, &word) in list.iter().enumerate() {
                prop_assert_eq!(&*found.get(index).unwrap(), word);
                prop_assert_eq!(found.rank(word), Some(index));
            }
            prop_assert_eq!(found.get(list.len()), None);
            prop_assert_eq!(found.rank(&asked), list.iter().position(|w| *w == asked));
            let from = list.iter().filter(|w| ***w < *asked).count();
            let many = list.iter().filter(|w| w.starts_with(&asked)).count();
            prop_assert_eq!(found.with_prefix(&asked), from..from + many);
        }
    }
}
