//! A console of words: letters narrow them down, and the net steps when one has ended.

use proptest::prelude::*;

use super::{Bench, assert_state_is_the_lines, drawn, press, text};
use crate::fixtures;
use crate::line::LINE_CAPACITY;

#[test]
fn a_word_steps_the_net_when_it_has_ended() {
    let mut bench = Bench::with(fixtures::image_of_words());
    let mut console = bench.console();
    press(&mut console, "Bean".as_bytes());
    assert_eq!(
        (text(&console).as_str(), console.line().tokens().len()),
        ("Bean", 0)
    );
    press(&mut console, " x,".as_bytes());
    let vocab = console.line().model().vocab();
    let ids = console.line().tokens().iter();
    let words: Vec<String> = ids
        .filter_map(|&id| Some(vocab.word(id)?.to_string()))
        .collect();
    assert_eq!(words, ["bean", "\u{fffd}", ","]);
    assert_state_is_the_lines(&console);
    // Back over the comma: the unknown word is one under way again, and has left the state.
    press(&mut console, b"\x7f");
    assert_eq!(console.line().unfinished(), Some("x"));
    assert_eq!(console.line().tokens().len(), 1);
    assert_state_is_the_lines(&console);
}

#[test]
fn letters_narrow_down_the_words_and_tab_takes_the_first() {
    let mut bench = Bench::with(fixtures::image_of_words());
    let mut console = bench.console();
    press(&mut console, b"bean A");
    let vocab = console.line().model().vocab();
    let likely = console.line().likely::<3>();
    let all: Vec<String> = likely
        .iter()
        .filter_map(|s| Some(vocab.word(s.id)?.to_string()))
        .collect();
    assert_eq!(all.len(), 3);
    assert!(all.iter().all(|word| word.starts_with('a')), "{all:?}");
    let shown = drawn(&mut console);
    assert!(shown.contains(&all.join("  ")), "{shown:?}");
    press(&mut console, b"\t");
    assert_eq!(text(&console), format!("bean A{} ", &all[0][1..]));
    assert_state_is_the_lines(&console);

    // Nothing begins so.
    press(&mut console, b"\x7fq");
    assert!(console.completion.is_none() && console.line().likely::<3>().is_empty());
    drawn(&mut console);
    press(&mut console, b"\t");
    assert!(drawn(&mut console).contains("nothing to complete"));
    assert_state_is_the_lines(&console);
}

#[test]
fn a_word_after_a_mark_gets_a_space_before_it() {
    let mut bench = Bench::with(fixtures::image_of_words());
    let mut console = bench.console();
    press(&mut console, b"cab,");
    let mut spaced = 0;
    for _ in 0..30 {
        let shown: String = console.completion.iter().flatten().collect();
        let word = shown.chars().any(char::is_alphanumeric);
        let mark = text(&console).ends_with(|c: char| ",!".contains(c));
        assert_eq!(shown.starts_with(' '), word && mark, "{shown:?}");
        assert_eq!(shown.ends_with(' '), word, "{shown:?}");
        spaced += usize::from(word && mark);
        let before = text(&console);
        press(&mut console, b"\t");
        assert_eq!(text(&console), before + &shown);
        assert_state_is_the_lines(&console);
        press(&mut console, b",");
    }
    assert!(spaced > 0);
}

#[test]
fn a_word_longer_than_all_is_taken_and_taken_back() {
    let mut bench = Bench::with(fixtures::image_of_words());
    let mut console = bench.console();
    press(&mut console, "a ".as_bytes());
    press(&mut console, "x".repeat(40).as_bytes());
    assert!(console.line().unfinished().is_none() && console.completion.is_none());
    press(&mut console, b" ");
    assert_eq!(console.line().tokens().len(), 2);
    assert_state_is_the_lines(&console);
    for _ in 0..41 {
        press(&mut console, b"\x7f");
        assert_state_is_the_lines(&console);
    }
    assert_eq!(text(&console), "a ");
    // As many tokens end with one character as there are apostrophes: more than the ring holds.
    press(&mut console, "'".repeat(9).as_bytes());
    press(&mut console, b".");
    assert_eq!(console.line().tokens().len(), 1 + 9 + 1);
    assert_state_is_the_lines(&console);
    press(&mut console, b"\x7f");
    assert_eq!(console.line().tokens().len(), 1);
    assert_state_is_the_lines(&console);
}

#[test]
fn a_full_line_of_words_refuses_more() {
    let mut bench = Bench::with(fixtures::image_of_words());
    let mut console = bench.console();
    for _ in 0..LINE_CAPACITY - 2 {
        console.feed(b',').unwrap();
    }
    press(&mut console, b"c\t");
    assert_eq!(text(&console).chars().count(), LINE_CAPACITY);
    assert_state_is_the_lines(&console);
    drawn(&mut console);
    press(&mut console, b"b");
    assert!(drawn(&mut console).contains("line is full"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whatever is pressed, the state is the one of the words that have ended.
    #[test]
    fn the_state_is_always_the_words(
        keys in proptest::collection::vec(
            prop_oneof![
                8 => proptest::sample::select(vec!["a", "b", "N", " ", "é", "漢", "'", ",", "\u{2019}"]),
                5 => Just("\x7f"),
                2 => Just("\t"),
                1 => proptest::sample::select(vec!["\r", "x", "\x1b[A", "\x03", "\u{1}", "\x07", "\x0e", "cabcabcabcabcabcab"]),
            ],
            0..60,
        ),
    ) {
        let mut bench = Bench::with(fixtures::image_of_words());
        let mut console = bench.console();
        for key in &keys {
            for &byte in key.as_bytes() {
                console.feed(byte).unwrap();
            }
            assert_state_is_the_lines(&console);
        }
        console.refresh().unwrap();
    }
}
