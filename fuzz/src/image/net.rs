//! Small language models.

use gatelet::format::{FeatureSpec, ImageSpec, VocabSpec};
use gatelet::{
    Cell, Dims, FourBits, KnownAnswer, Layout, Normalisation, Precision, Provenance, TextRules,
    UNKNOWN,
};
use gatelet_random::Operations;

use super::aligned::written;
use super::numbers::{Maker, Size};
use crate::entropy::{Entropy, Source};

/// A shape.
fn dims(entropy: &mut Entropy<'_>) -> Dims {
    let cell = entropy.one(&[Cell::Rnn, Cell::Lstm, Cell::Lstm, Cell::Gru]);
    let precision = entropy.one(&[Precision::F32, Precision::Int8, Precision::Int8]);
    let layers = entropy.one(&[1, 1, 1, 2, 2, 3]);
    let hidden = match entropy.below(16) {
        0 => entropy.one(&[15, 16, 17, 33]),
        _ => 1 + entropy.below(9),
    };
    let vocab = 2 + entropy.below(8);
    let plain = Dims::new(cell, precision, layers, hidden, vocab).expect("small numbers");
    let width = |entropy: &mut Entropy<'_>| match entropy.below(3) {
        0 => 4 + entropy.below(6),
        _ => 0,
    };
    let (embedding, projection) = (width(entropy), width(entropy));
    let tied = entropy.rarely(3) && embedding > 0;
    let dims = match tied {
        true if hidden < 4 => plain.with_widths(embedding, embedding, true),
        true if projection == 0 => plain.with_widths(hidden, 0, true),
        true => plain.with_widths(embedding, embedding, true),
        false => plain.with_widths(embedding, projection, false),
    };
    let dims = dims.expect("widths of 4 and more");
    match entropy.rarely(3) {
        true => {
            let four = FourBits::new(
                std::array::from_fn(|layer| layer < layers && entropy.rarely(2)),
                !tied && entropy.rarely(2),
            );
            dims.with_four_bits(four).unwrap_or(dims)
        }
        false => dims,
    }
}

/// What the tokens are.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Tokens {
    Characters,
    Words,
    Bytes,
}

/// Rules, and what the tokens are.
fn rules(entropy: &mut Entropy<'_>) -> (TextRules, Tokens) {
    let tokens = match entropy.below(8) {
        0 | 1 => Tokens::Words,
        2 => Tokens::Bytes,
        _ => Tokens::Characters,
    };
    let rules = match entropy.rarely(3) {
        true => TextRules {
            unknown: entropy.rarely(2),
            lower_case: entropy.rarely(2),
            normalisation: entropy.one(&[
                Normalisation::None,
                Normalisation::Nfc,
                Normalisation::Nfkc,
            ]),
            fold_space: entropy.rarely(2),
            lines: entropy.rarely(2),
        },
        false => TextRules::default(),
    };
    let rules = match tokens {
        Tokens::Characters => rules,
        Tokens::Words => TextRules {
            unknown: true,
            ..rules
        },
        Tokens::Bytes => TextRules {
            lines: rules.lines,
            ..TextRules::default()
        },
    };
    (rules, tokens)
}

const BYTES: [u8; 11] = [0, 9, 10, 32, 65, 97, 127, 128, 200, 254, 255];
const CHARACTERS: [char; 11] = ['\n', ' ', 'a', 'b', 'c', 'x', 'é', 'ß', '漢', UNKNOWN, '😀'];
const WORDS: [&str; 11] = [
    "\n",
    "!",
    "a",
    "ab",
    "abc",
    "abcabcabcabcabcabcabcabcabcabcab",
    "b",
    "né",
    "z",
    "漢",
    "\u{fffd}",
];

/// An image of random numbers.
///
/// # Panics
/// When the writer refuses it.
pub(super) fn image(entropy: &mut Entropy<'_>) -> Vec<u8> {
    let dims = dims(entropy);
    let layout = entropy.one(&Layout::ALL);
    let layout = match layout.check(&dims.net()) {
        Ok(()) => layout,
        Err(_) => Layout::Rows,
    };
    let size = Size::any(entropy);
    let (rules, kind) = rules(entropy);
    let tokens: Vec<u16> = (0..entropy.one(&[0, 1, 6, 64]))
        .map(|_| entropy.below(dims.vocab) as u16)
        .collect();
    let corpus = "c".repeat(entropy.one(&[0, 1, 127, 128]));
    let mut maker = Maker {
        entropy,
        layout,
        size,
    };
    let net = dims.net();
    let numbers = Operations::new(&net, &mut maker);
    let mut characters = CHARACTERS.to_vec();
    let (mut words, mut bytes) = (WORDS.to_vec(), BYTES.to_vec());
    while characters.len() > dims.vocab {
        // The unknown token stays.
        let at = if characters[0] == UNKNOWN { 1 } else { 0 };
        characters.remove(at);
        words.remove(0);
        bytes.remove(0);
    }
    let vocab = match kind {
        Tokens::Words => VocabSpec::Words(&words),
        Tokens::Bytes => VocabSpec::Bytes(&bytes),
        Tokens::Characters => VocabSpec::Characters(&characters),
    };
    let line_feed = match kind {
        Tokens::Words => words.contains(&"\n"),
        Tokens::Bytes => bytes.contains(&b'\n'),
        Tokens::Characters => characters.contains(&'\n'),
    };
    let rules = TextRules {
        unknown: rules.unknown && (kind == Tokens::Words || characters.contains(&UNKNOWN)),
        lines: rules.lines && line_feed,
        ..rules
    };
    let known_answer = KnownAnswer {
        tokens: &tokens,
        hash: maker.entropy.random(),
        ..KnownAnswer::default()
    };
    let provenance = Provenance {
        corpus: &corpus,
        seed: maker.entropy.random() >> maker.entropy.below(64),
        ..Provenance::default()
    };
    written(&ImageSpec {
        net,
        layout,
        vocab,
        features: FeatureSpec::default(),
        operations: &numbers.specs(),
        outputs: Default::default(),
        provenance,
        known_answer,
        rules,
    })
}
