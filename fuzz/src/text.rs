//! Texts: the rules on any Unicode, and the tokenizer of words.

use std::sync::OnceLock;
use std::time::Instant;

use gatelet::{Normalisation, TextRules, Tokenizer, UNKNOWN};
use gatelet_trainer::data::corpus::prepare::{Preparation, prepare};

use crate::counts::Counts;
use crate::entropy::{Entropy, Source};

/// Inputs so far.
pub static COUNTS: Counts = Counts::new("text");

/// Characters at which something happens: breaks, spaces, marks that join, case that grows,
/// compatibility, hangul, the ends.
const NOTABLE: [char; 40] = [
    '\n',
    '\r',
    '\t',
    ' ',
    '\u{b}',
    '\u{85}',
    '\u{a0}',
    '\u{2028}',
    '\u{2029}',
    '\u{3000}',
    '\'',
    '\u{2019}',
    'a',
    'A',
    'é',
    'e',
    '\u{301}',
    '\u{323}',
    '\u{345}',
    'ß',
    'İ',
    'ﬁ',
    '½',
    'Ａ',
    'Σ',
    'ς',
    '가',
    '\u{1100}',
    '\u{1161}',
    '\u{11a8}',
    '漢',
    '😀',
    '\u{200d}',
    '\u{fe0f}',
    '\u{feff}',
    '\u{fffd}',
    '\u{202e}',
    '\0',
    '\u{10ffff}',
    '١',
];

/// One input.
///
/// # Panics
/// When a text in pieces is prepared otherwise than as a whole, a token is none, or a rule is not
/// kept.
pub fn run(input: &[u8]) {
    static START: OnceLock<Instant> = OnceLock::new();
    let start = *START.get_or_init(Instant::now);
    let mut entropy = Entropy::new(input);
    let rules = TextRules {
        lower_case: entropy.rarely(2),
        normalisation: entropy.one(&[Normalisation::None, Normalisation::Nfc, Normalisation::Nfkc]),
        fold_space: entropy.rarely(2),
        ..TextRules::default()
    };
    let text: String = (0..entropy.below(48))
        .map(|_| character(&mut entropy))
        .collect();
    let whole = prepare(rules, &text);
    in_pieces(rules, &text, &whole, &mut entropy);
    kept(rules, &whole);
    tokens(&whole);
    COUNTS.count(true, start);
}

/// Any character, often one at which something happens.
fn character(entropy: &mut Entropy<'_>) -> char {
    match entropy.below(4) {
        0 => char::from_u32(entropy.word() as u32 % 0x11_0000).unwrap_or(UNKNOWN),
        1 => char::from_u32(entropy.below(0x3000) as u32).unwrap_or(UNKNOWN),
        _ => entropy.one(&NOTABLE),
    }
}

/// Wherever a text is cut, it becomes the same.
fn in_pieces(rules: TextRules, text: &str, whole: &str, entropy: &mut Entropy<'_>) {
    let mut preparation = Preparation::new(rules);
    let mut found = String::new();
    let mut rest = text;
    while !rest.is_empty() {
        let count = 1 + entropy.below(6);
        let end = rest
            .char_indices()
            .nth(count)
            .map_or(rest.len(), |(at, _)| at);
        let (piece, after) = rest.split_at(end);
        found.push_str(
            preparation
                .push(piece)
                .expect("far less than a boundary's limit"),
        );
        rest = after;
    }
    found.push_str(preparation.finish());
    assert_eq!(found, whole, "{rules:?} in pieces: {text:?}");
}

/// What the rules promise of a text.
fn kept(rules: TextRules, whole: &str) {
    if rules.fold_space {
        let mut before = 'x';
        for character in whole.chars() {
            assert!(
                !character.is_whitespace() || matches!(character, ' ' | '\n'),
                "{whole:?}"
            );
            assert!(
                !character.is_whitespace() || !before.is_whitespace(),
                "{whole:?}"
            );
            before = character;
        }
    }
    if rules.normalisation != Normalisation::None {
        assert_eq!(prepare(rules, whole), whole, "prepared twice");
    }
}

/// Tokens are words of the right form, and together what the text says.
fn tokens(text: &str) {
    let mut all = Vec::new();
    let mut tokenizer = Tokenizer::new();
    for character in text.chars() {
        tokenizer.feed(character, &mut |token| all.push(token.to_owned()));
    }
    tokenizer.finish(&mut |token| all.push(token.to_owned()));
    let mut long = false;
    for token in &all {
        assert!(!token.is_empty() && token.len() <= 32, "{token:?}");
        let mut characters = token.chars();
        let one = characters.next().is_some() && characters.next().is_none();
        let word =
            token.chars().all(Tokenizer::in_word) && token.chars().any(char::is_alphanumeric);
        assert!(one || word, "{token:?} of {text:?}");
        long |= token == "\u{fffd}";
    }
    if !long && !text.contains(UNKNOWN) {
        let said: String = all.concat();
        let plain = |c: &char| *c == '\n' || !c.is_whitespace();
        let given: String = text.chars().filter(plain).map(Tokenizer::plain).collect();
        assert_eq!(said, given, "{text:?}");
    }
}
