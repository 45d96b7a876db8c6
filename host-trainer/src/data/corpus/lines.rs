//! A list: a text whose lines have nothing to do with each other, in an order in which a net can learn them.
//!
//! ```text
//! lines      those of the prepared text that are not blank, without their line feeds
//! held out   h(line) < threshold      h: 16 bits of SHA-256; the threshold lets through as many as the fraction asks for
//! order      by h(number of the line), on either side; the held-out side last
//! text       LF line LF line ... LF line | LF line ... LF line LF          |: here the held-out part begins
//! ```
//! What is held out depends on the characters of a line alone. So the same list in another order, a run with another
//! --seed, and a longer list hold out the same lines, and a line that occurs twice never stands on both sides.
//!
//! Memory: two tables of 65,536 numbers, and the text once more. Of a text that is not in memory the arranged one is in a
//! temporary file without a name. The text is read three times: for the threshold, for the places, for the lines.

use std::borrow::Cow;
use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::options::CorpusOptions;
use super::split::{HeldOut, List};
use super::text::{Pass, Seen, Text};
use super::words::{Level, line_tokens};
use crate::error::{Error, Result};

/// Values of h.
const BUCKETS: usize = 1 << 16;
/// Bytes of a line at most.
const MOST: usize = 1 << 20;

/// Whether lines that come one after the other are sorted, by their bytes or as a dictionary is.
#[derive(Clone, Debug, Default)]
pub(super) struct Order {
    before: [String; 2],
    pairs: usize,
    ascending: [usize; 2],
    descending: [usize; 2],
}

impl Order {
    /// Takes the next line.
    pub(super) fn add(&mut self, line: &str) {
        let letters = |c: &char| c.is_alphanumeric();
        let folded: String = line.chars().filter(letters).collect();
        let now = [line.to_owned(), folded.to_lowercase()];
        if now[0] == self.before[0] {
            return;
        }
        for (key, (before, now)) in self.before.iter().zip(&now).enumerate() {
            self.ascending[key] += usize::from(before <= now);
            self.descending[key] += usize::from(before >= now);
        }
        self.pairs += 1;
        self.before = now;
    }

    /// Whether nearly all lines are in order, of enough to say so.
    pub(super) fn is_sorted(&self) -> bool {
        let nearly = |count: &usize| 50 * count >= 49 * self.pairs;
        self.pairs >= 20 && self.ascending.iter().chain(&self.descending).any(nearly)
    }
}

/// Hands the lines of a prepared text that are not blank to `each`.
fn each_line(
    text: &Text,
    options: &CorpusOptions,
    each: &mut dyn FnMut(&str) -> Result<()>,
) -> Result<Seen> {
    let fold_space = options.rules.fold_space;
    let mut whole = |line: &str| {
        // What is left of it when white space is folded again.
        let line = if fold_space { line.trim() } else { line };
        match line.trim().is_empty() {
            true => Ok(()),
            false => each(line),
        }
    };
    let (mut begun, mut number) = (String::new(), 1_usize);
    let pass = text.pass(options.rules(), &mut |piece, _| {
        let mut rest = piece;
        while let Some((line, after)) = rest.split_once('\n') {
            match begun.is_empty() {
                true => whole(line)?,
                false => {
                    begun.push_str(line);
                    whole(&begun)?;
                    begun.clear();
                }
            }
            (rest, number) = (after, number + 1);
        }
        begun.push_str(rest);
        if begun.len() > MOST {
            return Err(Error::Some(format!(
                "{}: line {number} has more than {MOST} bytes: this is no list (--no-lines learns the text as one)",
                text.name
            )));
        }
        Ok(true)
    })?;
    whole(&begun)?;
    match pass {
        Pass::Whole(seen) => Ok(seen),
        Pass::Stopped => Err(text.changed()),
    }
}

/// h of some bytes.
fn bucket(bytes: &[u8]) -> usize {
    let hash = Sha256::digest(bytes);
    usize::from(hash[0]) << 8 | usize::from(hash[1])
}

/// The threshold under which as much is held out as is asked for, but at least a line. `lines` and `tokens`: how many have
/// each h.
fn threshold(held_out: HeldOut, lines: &[usize], tokens: &[usize]) -> usize {
    let (counts, wanted) = match held_out {
        HeldOut::Fraction(fraction) => {
            let all: usize = lines.iter().sum();
            (lines, (all as f64 * fraction) as usize)
        }
        // The line feed behind the last line is one more.
        HeldOut::Tokens(wanted) => (tokens, wanted.saturating_sub(1)),
    };
    let least = counts.iter().position(|&count| count > 0).unwrap_or(0) + 1;
    let mut sum = 0;
    let over = counts.iter().position(|count| {
        sum += count;
        sum > wanted
    });
    over.unwrap_or(BUCKETS).max(least)
}

/// Where the arranged text goes.
enum Place {
    Memory(Vec<u8>),
    File(File),
}

impl Place {
    fn put(&mut self, at: usize, line: &[u8]) -> std::io::Result<()> {
        match self {
            Self::Memory(bytes) => bytes[at..at + line.len()].copy_from_slice(line),
            Self::File(file) => {
                file.seek(SeekFrom::Start(at as u64))?;
                file.write_all(line)?;
            }
        }
        Ok(())
    }
}

/// A line as the text has it: at the level of bytes a character stands for one.
fn bytes_of(level: Level, line: &str) -> Cow<'_, [u8]> {
    match level {
        Level::Byte => line.chars().map(|c| c as u8).collect(),
        Level::Char | Level::Word => line.as_bytes().into(),
    }
}

/// `text` as the list it is, in the order in which it is learnt, prepared by the rules. One of more than `in_memory` bytes goes
/// to a file in `folder`.
///
/// # Errors
/// [`Error::EmptyCorpus`], [`Error::TextChanged`], [`Error::TokenFile`], [`Error::Some`] for a line that is none, or as
/// [`Text::pass`].
pub fn arrange(
    text: Text,
    options: &CorpusOptions,
    held_out: HeldOut,
    (in_memory, folder): (u64, &Path),
) -> Result<Text> {
    let (mut lines, mut tokens) = (vec![0_usize; BUCKETS], vec![0_usize; BUCKETS]);
    let mut order = Order::default();
    let seen = each_line(&text, options, &mut |line| {
        let h = bucket(line.as_bytes());
        lines[h] += 1;
        tokens[h] += 1 + line_tokens(options.level, line);
        order.add(line);
        Ok(())
    })?;
    let threshold = threshold(held_out, &lines, &tokens);
    let list = List {
        lines: lines.iter().sum(),
        held_out: lines[..threshold].iter().sum(),
        train_tokens: tokens[threshold..].iter().sum(),
        sorted: order.is_sorted(),
    };
    if list.lines == 0 {
        return Err(Error::EmptyCorpus { name: text.name });
    }

    // The place of the next line of every h on either side: training first.
    let mut places = vec![0_usize; 2 * BUCKETS];
    let mut number = 0_u64;
    let of = |line: &str, number: &mut u64| {
        *number += 1;
        let side = usize::from(bucket(line.as_bytes()) < threshold);
        side * BUCKETS + bucket(&number.to_le_bytes())
    };
    each_line(&text, options, &mut |line| {
        places[of(line, &mut number)] += 1 + bytes_of(options.level, line).len();
        Ok(())
    })?;
    let mut end = 0;
    for place in &mut places {
        (*place, end) = (end, end + *place);
    }
    let failed = |source| Error::TokenFile {
        folder: folder.to_owned(),
        source,
    };
    let mut place = match text.bytes() > in_memory {
        false => Place::Memory(vec![b'\n'; end + 1]),
        true => Place::File(tempfile::tempfile_in(folder).map_err(failed)?),
    };
    let (mut put, mut whole) = (0, Vec::new());
    number = 0;
    let again = each_line(&text, options, &mut |line| {
        let at = &mut places[of(line, &mut number)];
        whole.clear();
        whole.push(b'\n');
        whole.extend_from_slice(&bytes_of(options.level, line));
        if *at + whole.len() > end {
            return Err(text.changed());
        }
        place.put(*at, &whole).map_err(failed)?;
        (*at, put) = (*at + whole.len(), put + whole.len());
        Ok(())
    })?;
    if again != seen || put != end {
        return Err(text.changed());
    }
    place.put(end, b"\n").map_err(failed)?;
    match place {
        Place::Memory(bytes) => Ok(text.arranged(bytes, seen, list)),
        Place::File(file) => text.arranged_in(file, seen, list),
    }
}
