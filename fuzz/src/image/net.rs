//! Small language models.

use gatelet::format::{FeatureSpec, ImageSpec, VocabSpec};
use gatelet::net::Net;
use gatelet::{KnownAnswer, Layout, Normalisation, Precision, Provenance, TextRules, UNKNOWN};
use gatelet_random::{GRU, LSTM, Operations, RNN, in_four_bits, with_widths};

use super::aligned::written;
use super::numbers::{Maker, Size};
use crate::entropy::{Entropy, Source};

/// A net of equal layers.
fn net(entropy: &mut Entropy<'_>) -> Net {
    let kind = entropy.one(&[RNN, LSTM, LSTM, GRU]);
    let precision = entropy.one(&[Precision::F32, Precision::Int8, Precision::Int8]);
    let layers = entropy.one(&[1, 1, 1, 2, 2, 3]);
    let hidden = match entropy.below(16) {
        0 => entropy.one(&[15, 16, 17, 33]),
        _ => 1 + entropy.below(9),
    };
    let vocab = 2 + entropy.below(8);
    let width = |entropy: &mut Entropy<'_>| match entropy.below(3) {
        0 => 4 + entropy.below(6),
        _ => 0,
    };
    let (embedding, projection) = (width(entropy), width(entropy));
    let tied = entropy.rarely(3) && embedding > 0;
    let widths = match tied {
        true if hidden < 4 => (embedding, embedding, true),
        true if projection == 0 => (hidden, 0, true),
        true => (embedding, embedding, true),
        false => (embedding, projection, false),
    };
    let net = with_widths(precision, vocab, layers, kind.with_units(hidden), widths);
    match entropy.rarely(3) {
        true => {
            let first = usize::from(widths.0 > 0);
            let four: Vec<usize> = (first..first + layers)
                .filter(|_| entropy.rarely(2))
                .collect();
            let head = (!tied && entropy.rarely(2)).then_some(net.len() - 1);
            let four = in_four_bits(net, four.into_iter().chain(head));
            four.checked().unwrap_or(net)
        }
        false => net,
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
    let net = net(entropy);
    let layout = entropy.one(&Layout::ALL);
    let layout = match layout.check(&net) {
        Ok(()) => layout,
        Err(_) => Layout::Rows,
    };
    let size = Size::any(entropy);
    let (rules, kind) = rules(entropy);
    let tokens: Vec<u16> = (0..entropy.one(&[0, 1, 6, 64]))
        .map(|_| entropy.below(net.vocab()) as u16)
        .collect();
    let corpus = "c".repeat(entropy.one(&[0, 1, 127, 128]));
    let mut maker = Maker {
        entropy,
        layout,
        size,
    };
    let numbers = Operations::new(&net, &mut maker);
    let mut characters = CHARACTERS.to_vec();
    let (mut words, mut bytes) = (WORDS.to_vec(), BYTES.to_vec());
    while characters.len() > net.vocab() {
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
