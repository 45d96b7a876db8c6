//! Short rows of words: what the course's systems learn from.
//!
//! ```text
//! a table      one row a line, words between tabs; the first `length` columns count
//! a text       every run of `length` words with nothing but white space between them, small letters,
//!              all of the `most` commonest words; each run once
//! ids          ranks of the words in bytewise order
//! ```
//! Rows of one table often begin alike and go on differently, so no model can be right about all of
//! them. [`Grams::best_possible`] counts how often the best one is: what an accuracy is to be held
//! against.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_pcg::Pcg64;
use sha2::{Digest, Sha256};

use crate::data::corpus::{Rules, Text};
use crate::error::{Error, Result};
use crate::hex::hex;

/// Rows of words, all of one length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grams {
    /// The words in bytewise order; an id is a rank.
    words: Vec<String>,
    /// [rows, length]
    ids: Vec<u16>,
    length: usize,
    sha256: String,
}

impl Grams {
    /// The first `length` columns of a table.
    ///
    /// # Errors
    /// As [`Text::pass`], or [`Error::Table`] for a line of fewer columns and for a table of more words than ids.
    pub fn read(path: &Path, length: usize) -> Result<Self> {
        let text = Text::read(path)?;
        Self::from_table(&text.name, &text.whole(Rules::default())?, length)
    }

    /// The same for a table in memory; `name` is for messages.
    ///
    /// # Errors
    /// [`Error::Table`].
    pub fn from_table(name: &str, table: &str, length: usize) -> Result<Self> {
        let mut rows = Vec::new();
        for (index, line) in table.lines().enumerate() {
            let row: Vec<&str> = line.split('\t').take(length).collect();
            if row.len() < length || row.contains(&"") {
                let have = row.iter().filter(|word| !word.is_empty()).count();
                let what = format!("{have} words where {length} are needed, with tabs between");
                return Err(Error::Table {
                    name: format!("{name}, line {}", index + 1),
                    what,
                });
            }
            rows.push(row);
        }
        Self::new((name, table), rows.concat(), length)
    }

    /// The runs of `length` words of a text, all of its `most` commonest words (ties: the smaller
    /// word).
    ///
    /// # Errors
    /// [`Error::Table`] when there is none.
    pub fn from_text(name: &str, text: &str, length: usize, most: usize) -> Result<Self> {
        let (source, text) = (text, text.to_lowercase());
        let is_letter = |c: char| c.is_alphabetic() || c == '\'';
        // What stands between two words belongs to the second: (word, whether only white space was
        // before it).
        let mut words: Vec<(&str, bool)> = Vec::new();
        let mut joined = true;
        for piece in text.split_inclusive(|c| !is_letter(c)) {
            let word = piece.trim_end_matches(|c| !is_letter(c));
            if !word.is_empty() {
                words.push((word, joined));
                joined = true;
            }
            joined &= piece[word.len()..].chars().all(char::is_whitespace);
        }
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        words
            .iter()
            .for_each(|(word, _)| *counts.entry(word).or_default() += 1);
        let mut common: Vec<(&str, usize)> = counts.into_iter().collect();
        common.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
        common.truncate(most);
        let common: BTreeSet<&str> = common.into_iter().map(|(word, _)| word).collect();
        let runs = words.windows(length).filter(|run| {
            run.iter().all(|(word, _)| common.contains(word)) && run[1..].iter().all(|r| r.1)
        });
        let runs: BTreeSet<Vec<&str>> = runs
            .map(|run| run.iter().map(|(word, _)| *word).collect())
            .collect();
        Self::new((name, source), runs.into_iter().flatten().collect(), length)
    }

    /// From words, row after row, and where they come from.
    fn new((name, source): (&str, &str), rows: Vec<&str>, length: usize) -> Result<Self> {
        let words: BTreeSet<&str> = rows.iter().copied().collect();
        let failed = |what: String| Error::Table {
            name: name.to_owned(),
            what,
        };
        if words.is_empty() {
            return Err(failed(format!("no row of {length} words")));
        }
        let ranks: HashMap<&str, u16> = words.iter().copied().zip(0..=u16::MAX - 1).collect();
        if ranks.len() < words.len() {
            return Err(failed(format!(
                "{} different words, at most 65535",
                words.len()
            )));
        }
        Ok(Self {
            ids: rows.iter().map(|word| ranks[word]).collect(),
            words: words.into_iter().map(str::to_owned).collect(),
            length,
            sha256: hex(&Sha256::digest(source)),
        })
    }

    /// SHA-256 of the table or text, in hexadecimal.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// The words in bytewise order; an id is a rank.
    pub fn words(&self) -> &[String] {
        &self.words
    }

    /// The ids of the rows.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[u16]> + Clone {
        self.ids.chunks_exact(self.length)
    }

    /// The id of a word.
    pub fn id(&self, word: &str) -> Option<u16> {
        let found = self.words.binary_search_by(|have| have.as_str().cmp(word));
        found.ok().and_then(|rank| u16::try_from(rank).ok())
    }

    /// The ids of words with blanks between.
    ///
    /// # Errors
    /// [`Error::Table`] for a word that no row has.
    pub fn ids(&self, phrase: &str) -> Result<Vec<u16>> {
        let unknown = |word: &str| Error::Table {
            name: format!("{phrase:?}"),
            what: format!("no row has the word {word:?}"),
        };
        phrase
            .split_whitespace()
            .map(|word| self.id(word).ok_or_else(|| unknown(word)))
            .collect()
    }

    /// The rows in two parts, every `n`-th set of words in the second: rows of the very same words,
    /// in whatever order, are on one side. The order of the sets follows from `seed`.
    pub fn split_by_words(&self, n: usize, seed: u64) -> [Vec<&[u16]>; 2] {
        let mut sets: BTreeMap<Vec<u16>, Vec<&[u16]>> = BTreeMap::new();
        for row in self.rows() {
            let mut words = row.to_vec();
            words.sort_unstable();
            sets.entry(words).or_default().push(row);
        }
        let mut sets: Vec<_> = sets.into_values().collect();
        sets.shuffle(&mut Pcg64::seed_from_u64(seed));
        let mut parts = [Vec::new(), Vec::new()];
        for (index, rows) in sets.into_iter().enumerate() {
            parts[usize::from(index % n == n - 1)].extend(rows);
        }
        parts
    }

    /// Words with blanks between; `other` for an id that is none of theirs.
    pub fn shown(&self, ids: &[u16], other: &str) -> String {
        let word = |&id: &u16| {
            self.words
                .get(usize::from(id))
                .map_or(other, String::as_str)
        };
        ids.iter().map(word).collect::<Vec<_>>().join(" ")
    }

    /// The part of the rows whose word `answer` (from 0) the best of all models gets right, when it
    /// sees the words `seen`: for each beginning it says what follows most often.
    pub fn best_possible(&self, seen: std::ops::Range<usize>, answer: usize) -> f64 {
        let mut counts: HashMap<&[u16], HashMap<u16, usize>> = HashMap::new();
        for row in self.rows() {
            let answers = counts.entry(&row[seen.clone()]).or_default();
            *answers.entry(row[answer]).or_default() += 1;
        }
        let right = counts.values().filter_map(|answers| answers.values().max());
        right.sum::<usize>() as f64 / self.rows().len() as f64
    }

    /// The `n` likeliest words with their probabilities, as a line to show.
    pub fn likeliest(&self, probabilities: &[f32], n: usize) -> String {
        let mut order: Vec<usize> = (0..self.words.len().min(probabilities.len())).collect();
        order.sort_by(|&a, &b| probabilities[b].total_cmp(&probabilities[a]));
        let shown = order.iter().take(n).map(|&k| {
            let percent = 100.0 * probabilities[k];
            format!("{} {percent:.1} %", self.words[k])
        });
        shown.collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_its_first_columns() {
        let grams = Grams::from_table("t", "b\ta\tx\nb\tc\ty\nb\ta\tz\n", 2).unwrap();
        assert_eq!(grams.words(), ["a", "b", "c"]);
        assert_eq!(grams.rows().collect::<Vec<_>>(), [[1, 0], [1, 2], [1, 0]]);
        assert_eq!(grams.ids("b c").unwrap(), [1, 2]);
        // "b" is followed by "a" twice and by "c" once.
        assert!((grams.best_possible(0..1, 1) - 2.0 / 3.0).abs() < 1e-12);
        assert_eq!(grams.best_possible(1..2, 0), 1.0);
        assert_eq!(grams.likeliest(&[0.25, 0.5, 0.25], 2), "b 50.0 %, a 25.0 %");
    }

    #[test]
    fn bad_tables_and_words_are_named() {
        let message = |table: &str| Grams::from_table("t", table, 2).unwrap_err().to_string();
        assert_eq!(
            message("a\tb\na\n"),
            "t, line 2: 1 words where 2 are needed, with tabs between"
        );
        assert_eq!(
            message("a\t\n"),
            "t, line 1: 1 words where 2 are needed, with tabs between"
        );
        assert_eq!(message(""), "t: no row of 2 words");
        let grams = Grams::from_table("t", "a\tb\n", 2).unwrap();
        let unknown = grams.ids("a who").unwrap_err().to_string();
        assert_eq!(unknown, "\"a who\": no row has the word \"who\"");
        let missing = Grams::read(Path::new("no such table"), 2).unwrap_err();
        assert!(
            missing
                .to_string()
                .starts_with("cannot read no such table: ")
        );
    }

    #[test]
    fn a_text_is_its_runs_of_common_words() {
        let text = "Can I have, can I\nhave your? I have your (can I) rare have your  can";
        // "rare" is the only word that is not among the four commonest, and marks end a run.
        let grams = Grams::from_text("t", text, 3, 4).unwrap();
        let rows: Vec<String> = grams.rows().map(|row| grams.shown(row, ".")).collect();
        assert_eq!(rows, ["can i have", "have your can", "i have your"]);
        assert_eq!(
            Grams::from_text("t", "a, b", 2, 9).unwrap_err().to_string(),
            "t: no row of 2 words"
        );
    }

    #[test]
    fn rows_of_the_same_words_are_not_split() {
        let words = |k: usize| format!("{}\t{}\n", k / 12, k % 12);
        let table: String = (0..144).map(words).collect();
        let grams = Grams::from_table("t", &table, 2).unwrap();
        let [most, fifth] = grams.split_by_words(5, 1);
        // 78 sets: 12 pairs of one word and 66 of two, of which the latter have two rows each.
        assert_eq!(most.len() + fifth.len(), 144);
        assert!((15..=30).contains(&fifth.len()), "{}", fifth.len());
        for row in &fifth {
            assert!(!most.contains(&&[row[1], row[0]][..]), "{row:?}");
        }
        assert_ne!(grams.split_by_words(5, 2)[1], fifth);
    }

    /// The table that the course's parameter counts need.
    #[test]
    fn the_love_grams_have_139_words() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpora/love_grams.tsv");
        let grams = Grams::read(&folder, 3).unwrap();
        assert_eq!((grams.words().len(), grams.rows().len()), (139, 1792));
        let three = |share: f64| (share * 1000.0).round();
        assert_eq!(three(grams.best_possible(0..1, 1)), 278.0);
        assert_eq!(three(grams.best_possible(0..2, 2)), 355.0);
    }
}
