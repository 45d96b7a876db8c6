//! Whether a text looks like a list: names, words, places, one a line.
//!
//! ```text
//! a list has many short lines      mean <= 30 characters, 99 % <= 60;  mean <= 3 words, 95 % <= 5
//! that are not parts of a text     hardly any is blank, indented, or ends with a mark of prose, verse or code
//! but things                       mostly letters, hardly any marks of code or tables; half of them distinct
//! of any length                    lines of several words are not all nearly as long as the longest: that is wrapped prose
//! ```
//! Prose, chat, verse, code, tables, logs and numbers each miss several of these; a text that misses one is not taken for a
//! list. Of a long text the beginning is looked at.

use std::collections::HashSet;

use super::lines::Order;
use super::{CorpusOptions, Text};
use crate::error::Result;

/// Bytes that are looked at.
const LOOKED_AT: usize = 1 << 20;
/// Lines without which nothing is said.
const LEAST: usize = 50;
/// Marks that end lines of prose, verse and code, and hardly any name.
const ENDS: &str = ".,;:!?{}()[]<>\"=\\|/*+-…。，、";
/// Marks of code and tables.
const MARKS: &str = "{}[]()<>=;:\"\\|/*#$&^%@~`,_\t";

/// What a text looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Looks {
    /// A list.
    pub list: bool,
    /// Lines, not necessarily of a list, that are sorted.
    pub sorted: bool,
}

/// Looks at the beginning of a text.
///
/// # Errors
/// As [`Text::pass`].
pub fn looks(text: &Text, options: &CorpusOptions) -> Result<Looks> {
    let mut start = String::new();
    text.pass(options.rules(), &mut |piece, _| {
        start.push_str(piece);
        Ok(start.len() < LOOKED_AT)
    })?;
    if start.len() >= LOOKED_AT {
        // The last line is cut.
        start.truncate(start.rfind('\n').unwrap_or(0));
    }
    Ok(looks_of(&start))
}

/// The same of a whole text.
fn looks_of(text: &str) -> Looks {
    let all = text.trim_end_matches('\n').split('\n');
    let lines: Vec<&str> = all.clone().filter(|line| !line.trim().is_empty()).collect();
    let count = lines.len();
    if count < LEAST {
        return Looks {
            list: false,
            sorted: false,
        };
    }
    let blank = all.count() - count;
    let part = |of: usize, percent: usize| of * 100 <= percent * count;
    let those = |which: &dyn Fn(&str) -> bool| lines.iter().filter(|line| which(line)).count();

    let mut lengths: Vec<usize> = lines.iter().map(|line| line.chars().count()).collect();
    let characters: usize = lengths.iter().sum();
    lengths.sort_unstable();
    let percentile = |percent: usize| lengths[(count - 1) * percent / 100];
    let short = characters <= 30 * count && percentile(99) <= 60;

    let words = |line: &str| line.split_whitespace().count();
    // Where there are no spaces two characters count as a word.
    let wide = |line: &str| line.chars().filter(|&c| c >= '\u{2e80}').count();
    let halves: usize = lines.iter().map(|line| 2 * words(line) + wide(line)).sum();
    let few_words = halves <= 6 * count && part(those(&|line| words(line) > 5), 5);

    let ended = |line: &str| line.trim_end().ends_with(|c| ENDS.contains(c));
    let indented = |line: &str| line.starts_with(char::is_whitespace);
    let by_themselves = part(blank, 1) && part(those(&indented), 1) && part(those(&ended), 5);

    let whole = || lines.iter().flat_map(|line| line.chars());
    let written = whole().filter(|c| !c.is_whitespace()).count();
    let letters = whole().filter(|c| c.is_alphabetic()).count();
    let marks = whole().filter(|&c| MARKS.contains(c)).count();
    let distinct = lines.iter().collect::<HashSet<_>>().len();
    let things = 10 * letters >= 6 * written && 50 * marks <= characters && 2 * distinct >= count;

    let nearly = lengths.iter().filter(|&&n| 10 * n >= 7 * percentile(95));
    let spaced: usize = lines.iter().map(|line| words(line)).sum();
    let wrapped = 2 * spaced > 3 * count && 100 * nearly.count() > 85 * count;

    let mut order = Order::default();
    lines.iter().for_each(|line| order.add(line));
    Looks {
        list: short && few_words && by_themselves && things && !wrapped,
        // Sorted times are a log.
        sorted: order.is_sorted()
            && part(those(&|line| !line.starts_with(char::is_alphabetic)), 10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str) -> String {
        let path = format!("{}/../{path}", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(path).unwrap()
    }

    /// Different words from those of the novels.
    fn vocabulary() -> Vec<String> {
        let text = file("corpora/novels.txt").to_lowercase();
        let words = text.split(|c: char| !c.is_alphabetic());
        let mut words: Vec<String> = words.filter(|w| w.len() > 2).map(str::to_owned).collect();
        words.sort_unstable();
        words.dedup();
        words
    }

    fn is_list(text: &str) -> bool {
        looks_of(text).list
    }

    #[test]
    fn names_words_and_titles_are_lists() {
        let words = vocabulary();
        let sorted = looks_of(&words.join("\n"));
        assert!(sorted.list && sorted.sorted);
        // Two and three words of different lengths, with capitals, apostrophes and hyphens; in an order of their own.
        let shuffled = |i: usize| &words[i * 7919 % words.len()];
        let names: String = (0..400)
            .map(|i| match i % 4 {
                0 => format!("{} {}\n", shuffled(i), shuffled(i + 9)),
                1 => format!("{} O'{}\n", shuffled(i), shuffled(i + 9)),
                2 => format!("{}-{}\n", shuffled(i), shuffled(i + 9)),
                _ => format!("{} von {}\n", shuffled(i), shuffled(i + 9)),
            })
            .collect();
        let looks = looks_of(&names);
        assert!(looks.list && !looks.sorted, "{names}");
        assert!(is_list(&(names.clone() + "\n\n\n")));
        let chinese: Vec<String> = (0..200_u32)
            .map(|i| {
                (0..3)
                    .filter_map(|k| char::from_u32(0x4e00 + (i * 91 + k * 37) % 900))
                    .collect()
            })
            .collect();
        assert!(is_list(&chinese.join("\n")));
        // Too few to say.
        assert!(!is_list(&words[..20].join("\n")));
    }

    #[test]
    fn texts_code_tables_and_numbers_are_none() {
        for path in [
            "corpora/novels.txt",
            "corpora/love_grams.tsv",
            "corpora/chat.py",
            "README.md",
            "Cargo.lock",
            "host-trainer/src/net/shard.rs",
            "core/src/lib.rs",
            "docs/training.md",
        ] {
            assert!(!is_list(&file(path)), "{path}");
        }
        let numbers: String = (0..500)
            .map(|i| format!("{}.{}\n", 20 + i % 7, i * 37 % 100))
            .collect();
        assert!(!is_list(&numbers));
        let one_a_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join("\n");
        // Running text, one word a line: the words of a text are not distinct.
        assert!(!is_list(&one_a_line(&file("corpora/novels.txt"))));
    }

    #[test]
    fn chat_and_verse_and_prose_of_any_width_are_none() {
        let novels = file("corpora/novels.txt");
        let words: Vec<&str> = novels.split_whitespace().take(8000).collect();
        for width in [20, 24, 30, 40, 60] {
            let mut wrapped = String::new();
            let mut line = 0;
            for word in &words {
                let gap = if line + word.len() > width { '\n' } else { ' ' };
                line = if gap == '\n' { 0 } else { line + 1 } + word.len();
                wrapped.push(gap);
                wrapped += word;
            }
            assert!(!is_list(&wrapped), "{width}");
        }
        // Utterances and verses: sentences, or halves of them, of three to nine words, without marks.
        let mut words = words
            .iter()
            .map(|w| w.trim_matches(|c: char| !c.is_alphabetic()));
        let utterances: String = (0..800)
            .map(|i| {
                words
                    .by_ref()
                    .take(3 + i * 5 % 7)
                    .collect::<Vec<_>>()
                    .join(" ")
                    + "\n"
            })
            .collect();
        assert!(!is_list(&utterances));
        let verse = "Tyger Tyger, burning bright,\nIn the forests of the night;\nWhat immortal hand or eye,\nCould frame thy fearful symmetry?\n\n";
        assert!(!is_list(&verse.repeat(20)));
    }
}
