//! Keys in, a state and a screen out.

mod words;
mod writing;

use gatelet::{Completer, History, Model, Native, StateBuf, TokenId, Tokenizer};
use proptest::prelude::*;

use super::Console;
use crate::fixtures::{self, NET, Settings, WORD_NET};
use crate::line::{LINE_CAPACITY, Line};
use crate::view::View;
use crate::write::Writer;

const WORDS: usize = NET.snapshot_words();
/// Both models have the same layers.
const _: () = assert!(WORDS == WORD_NET.snapshot_words());
/// Shorter than most lines below, so that the way past its end is taken often.
const DEPTH: usize = 5;

/// Everything a console borrows.
struct Bench {
    image: gatelet::AlignedBytes<4096>,
    state: StateBuf<{ WORD_NET.state_words() }>,
    history: History<DEPTH, WORDS>,
    completer: Completer<2, 16, WORDS>,
}

impl Bench {
    fn new() -> Self {
        Self::with(fixtures::image())
    }

    fn with(image: gatelet::AlignedBytes<4096>) -> Self {
        Bench {
            image,
            state: StateBuf::new(),
            history: History::new(),
            completer: Completer::new(),
        }
    }

    fn console(&mut self) -> Console<'_, '_, Native, Vec<u8>, Settings, DEPTH, WORDS> {
        let model = Model::from_bytes(fixtures::image_bytes(&self.image)).unwrap();
        let kernel = Native::default();
        // As long as what it borrows.
        let model = Box::leak(Box::new(model));
        let line = Line::new(model, kernel, self.state.as_mut(), &mut self.history).unwrap();
        let writer = Writer::new();
        Console::new(line, &mut self.completer, View::new(Vec::new()), writer)
    }
}

type Tested<'m, 's> = Console<'m, 's, Native, Vec<u8>, Settings, DEPTH, WORDS>;

fn press(console: &mut Tested<'_, '_>, bytes: &[u8]) {
    for &byte in bytes {
        console.feed(byte).unwrap();
        console.refresh().unwrap();
    }
}

/// What the terminal got since the last time.
fn drawn(console: &mut Tested<'_, '_>) -> String {
    String::from_utf8(std::mem::take(console.terminal())).unwrap()
}

fn text(console: &Tested<'_, '_>) -> String {
    console.line().chars().collect()
}

/// The invariant of `line.rs`, and that the scores belong to the state.
fn assert_state_is_the_lines(console: &Tested<'_, '_>) {
    let (model, tokens) = (*console.line().model(), console.line().tokens());
    let mut state = [0; WORDS];
    console.line().session().snapshot(&mut state).unwrap();
    assert_eq!(
        state.as_slice(),
        fixtures::state_after(model, tokens),
        "{tokens:?}"
    );
    if model.vocab().is_words() {
        let mut ended: Vec<TokenId> = Vec::new();
        let mut tokenizer = Tokenizer::new();
        for c in console.line().chars() {
            tokenizer.feed(c, &mut |t| ended.extend(model.vocab().id_of_word(t)));
        }
        assert_eq!(tokens, ended, "{:?}", text(console));
        assert_eq!(console.line().unfinished(), tokenizer.unfinished());
    }

    let mut storage = vec![0; model.net().state_words()];
    let mut fresh = gatelet::Session::new(&model, Native::default(), &mut storage).unwrap();
    fresh.restore(&state).unwrap();
    assert_eq!(
        console.line().logits().top::<12>(),
        fresh.logits().top::<12>()
    );
}

#[test]
fn typing_steps_the_net_and_predicts() {
    let mut bench = Bench::new();
    let mut console = bench.console();
    press(&mut console, "cab é".as_bytes());
    assert_eq!(text(&console), "cab é");
    assert_state_is_the_lines(&console);
    let drawn = drawn(&mut console);
    assert!(drawn.matches('%').count() >= 3 * 5, "{drawn:?}");
}

#[test]
fn a_model_of_bytes_takes_bytes_and_shows_what_is_no_ascii_in_hex() {
    let mut bench = Bench::with(fixtures::image_of_bytes());
    let mut console = bench.console();
    press(&mut console, "ab é\u{1}".as_bytes());
    assert_eq!(text(&console), "ab \u{c3}\u{a9}\u{1}");
    assert_state_is_the_lines(&console);
    let screen = drawn(&mut console);
    assert!(screen.contains(r"ab \xc3\xa9\x01"), "{screen:?}");
    assert!(screen.matches('%').count() >= 3, "{screen:?}");
    // A character of which it has one byte only, and one of which it has none.
    press(&mut console, "ã".as_bytes());
    assert_eq!(text(&console).chars().last(), Some('\u{c3}'));
    press(&mut console, b"\x7fx");
    assert_eq!(text(&console), "ab \u{c3}\u{a9}\u{1}");
    press(&mut console, b"\t\x07");
    assert_state_is_the_lines(&console);
    assert!(text(&console).chars().count() > 6);
    // Lines of any length keep to the terminal's columns, and show their end.
    for _ in 0..LINE_CAPACITY {
        press(&mut console, "\u{e9}".as_bytes());
    }
    drawn(&mut console);
    press(&mut console, b"\x0c");
    let screen = drawn(&mut console);
    assert!(screen.contains(r"\xa9\xc3\xa9"), "{screen:?}");
    press(&mut console, b"\r");
    assert!(text(&console).is_empty());
}

#[test]
fn unknown_characters_are_taken_but_never_suggested() {
    let rules = gatelet::TextRules {
        unknown: true,
        lower_case: true,
        ..gatelet::TextRules::default()
    };
    let mut bench = Bench::with(fixtures::image_with(rules));
    let mut console = bench.console();
    press(&mut console, "CAB Éž漢 n".as_bytes());
    assert_eq!(text(&console), "cab é\u{fffd}\u{fffd} n");
    assert_state_is_the_lines(&console);
    let unknown = console.line().model().vocab().unknown().unwrap();
    for _ in 0..40 {
        assert!(
            console
                .line()
                .logits()
                .top::<12>()
                .iter()
                .all(|s| s.id != unknown)
        );
        let shown = console.completion.clone();
        assert!(shown.is_none_or(|c| !c.contains(&'\u{fffd}')));
        press(&mut console, b"\t");
        if console.line().is_full() {
            break;
        }
    }
    assert_eq!(text(&console).matches('\u{fffd}').count(), 2);
    assert!(!drawn(&mut console).contains("not in vocabulary"));
}

#[test]
fn backspace_restores_within_the_ring_and_recomputes_past_it() {
    let mut bench = Bench::new();
    let mut console = bench.console();
    let typed = "bad cab ate a bean";
    press(&mut console, typed.as_bytes());
    for left in (0..typed.len()).rev() {
        press(&mut console, b"\x7f");
        assert_eq!(text(&console), typed[..left]);
        assert_state_is_the_lines(&console);
    }
    drawn(&mut console);
    press(&mut console, b"\x08");
    assert!(drawn(&mut console).contains("the line is empty"));
    assert_state_is_the_lines(&console);
}

#[test]
fn tab_takes_what_was_shown() {
    let mut bench = Bench::new();
    let mut console = bench.console();
    press(&mut console, b"a b");
    let shown: String = console.completion.iter().flatten().collect();
    assert!(!shown.is_empty());
    press(&mut console, b"\t");
    assert_eq!(text(&console), format!("a b{shown}"));
    assert_eq!(console.line().tokens().len(), 3 + shown.chars().count());
    assert_state_is_the_lines(&console);
}

#[test]
fn tab_does_not_wait_for_a_redraw() {
    let (mut slow, mut fast) = (Bench::new(), Bench::new());
    let (mut slow, mut fast) = (slow.console(), fast.console());
    press(&mut slow, b"ab\tc\t");
    for &byte in b"ab\tc\t" {
        fast.feed(byte).unwrap();
    }
    assert_eq!(text(&fast), text(&slow));
    assert_state_is_the_lines(&fast);
}

#[test]
fn an_empty_line_shows_what_comes_first() {
    let mut bench = Bench::new();
    let mut console = bench.console();
    console.refresh().unwrap();
    assert_eq!(drawn(&mut console).matches('%').count(), 3);
    let shown: String = console.completion.iter().flatten().collect();
    press(&mut console, b"\t");
    assert_eq!(text(&console), shown);
    assert_state_is_the_lines(&console);
}

#[test]
fn a_fresh_line_of_a_model_of_lines_shows_how_lines_begin() {
    for image in [
        fixtures::image_of_lines(),
        fixtures::image_of_words_with(true),
    ] {
        let mut bench = Bench::with(image);
        let mut console = bench.console();
        let model = *console.line().model();
        let line_break = model.vocab().line_break().unwrap();
        let mut storage = vec![0; model.net().state_words()];
        let mut plain = gatelet::Session::new(&model, Native::default(), &mut storage).unwrap();
        let expected = plain.step(line_break).unwrap().top::<3>();
        console.refresh().unwrap();
        assert_eq!(console.line().likely::<3>(), expected);
        assert!(!drawn(&mut console).contains("type, and see"));
        // After anything typed, and after Enter, a line begins in the same state.
        press(&mut console, b"cab\r");
        assert_eq!(console.line().likely::<3>(), expected);
        assert_state_is_the_lines(&console);
        // A completion of nothing is the likeliest beginning.
        let shown: String = console.completion.iter().flatten().collect();
        assert!(!shown.is_empty());
        press(&mut console, b"\t");
        assert_eq!(text(&console), shown);
        assert_state_is_the_lines(&console);
    }
}

/// Of what stands before a line break nothing is left behind it.
#[test]
fn a_line_break_in_the_line_starts_a_model_of_lines_again() {
    let mut bench = Bench::with(fixtures::image_of_lines());
    let mut console = bench.console();
    let fresh = console.line().likely::<12>();
    assert!(console.line.type_char('b') && console.line.type_char('\n'));
    assert_eq!(console.line().likely::<12>(), fresh);
    assert_state_is_the_lines(&console);
    // More characters than the history holds, and back over all of them.
    for character in "abcde\ncab".chars() {
        assert!(console.line.type_char(character));
        assert_state_is_the_lines(&console);
    }
    while !console.line().is_empty() {
        press(&mut console, b"\x7f");
        assert_state_is_the_lines(&console);
    }
}

#[test]
fn enter_starts_again_from_nothing() {
    let mut bench = Bench::new();
    let mut console = bench.console();
    press(&mut console, b"bad\r\n");
    assert_eq!(text(&console), "");
    assert_state_is_the_lines(&console);
    assert_eq!(drawn(&mut console).matches("\r\n").count(), 1);
}

#[test]
fn unknown_characters_are_named_and_change_nothing() {
    let mut bench = Bench::new();
    let mut console = bench.console();
    press(&mut console, b"ab");
    for (keys, said) in [
        ("x".as_bytes(), "not in vocabulary: 'x'"),
        ("😀".as_bytes(), "not in vocabulary: '😀'"),
        (b"\x01", "not in vocabulary: U+0001"),
        (b"\xff", "not UTF-8"),
    ] {
        drawn(&mut console);
        press(&mut console, keys);
        let drawn = drawn(&mut console);
        assert!(drawn.contains(said) && drawn.contains('\x07'), "{drawn:?}");
        assert_eq!(text(&console), "ab");
        assert_state_is_the_lines(&console);
    }
    press(&mut console, b"c");
    assert!(
        !drawn(&mut console).contains("not in"),
        "the next key clears the message"
    );
}

#[test]
fn arrows_do_nothing_and_draw_nothing() {
    let mut bench = Bench::new();
    let mut console = bench.console();
    press(&mut console, b"ab");
    drawn(&mut console);
    press(&mut console, b"\x1b[A\x1b[3~\x1bOP");
    assert_eq!(drawn(&mut console), "");
    press(&mut console, b"\x0c");
    assert!(drawn(&mut console).contains("> ab"));
}

#[test]
fn what_terminals_send_by_themselves_does_nothing_and_draws_nothing() {
    let mut bench = Bench::new();
    let mut console = bench.console();
    press(&mut console, b"ab");
    drawn(&mut console);
    for bytes in [
        &b"\0"[..],
        b"\x1b[[A",
        b"\x1b]11;rgb:0000/0000/0000\x1b\\",
        b"\x1bP>|xterm(390)\x1b\\",
        b"\x1b_Gi=31;OK\x1b\\",
        b"\x1b^a\x1b\\\x1bXa\x07",
        b"\x1b[Mabc",
        b"\x1b[<0;10;5M",
        b"\x1b[24;80R\x1b[?1;2c",
        b"\x1b[3$\x1b[1^",
    ] {
        press(&mut console, bytes);
        assert_eq!(drawn(&mut console), "", "{bytes:?}");
        assert_eq!(text(&console), "ab");
        assert_state_is_the_lines(&console);
    }
}

#[test]
fn telnets_return_is_one_enter() {
    let mut bench = Bench::new();
    let mut console = bench.console();
    press(&mut console, b"ab\r\0c");
    let drawn = drawn(&mut console);
    assert!(!drawn.contains('\x07') && !drawn.contains("not in vocabulary"));
    assert_eq!(drawn.matches("\r\n").count(), 1);
    assert_eq!(text(&console), "c");
    assert_state_is_the_lines(&console);
}

#[test]
fn pasted_line_breaks_are_characters() {
    let mut bench = Bench::new();
    let mut console = bench.console();
    press(&mut console, b"\x1b[200~a\r\nb\x1b[201~");
    assert_eq!(text(&console), "a\nb");
    assert_state_is_the_lines(&console);
    press(&mut console, b"\r");
    assert_eq!(text(&console), "");
    let mut bench = Bench::with(fixtures::image_of_words());
    let mut console = bench.console();
    press(&mut console, b"\x1b[200~a\rbean\n\x1b[201~");
    assert_eq!(text(&console), "a\nbean\n");
    assert_state_is_the_lines(&console);
}

#[test]
fn a_full_line_refuses_more() {
    let mut bench = Bench::new();
    let mut console = bench.console();
    for _ in 0..LINE_CAPACITY {
        console.feed(b'a').unwrap();
    }
    console.refresh().unwrap();
    for key in [b'b', b'\t'] {
        drawn(&mut console);
        press(&mut console, &[key]);
        assert!(drawn(&mut console).contains("line is full"));
        assert_eq!(console.line().tokens().len(), LINE_CAPACITY);
    }
    assert_state_is_the_lines(&console);
    press(&mut console, b"\x7fb");
    assert!(text(&console).ends_with("ab"));
    assert_state_is_the_lines(&console);
}

#[test]
fn memory_of_another_model_is_refused() {
    let image = fixtures::image();
    let model = Model::from_bytes(fixtures::image_bytes(&image)).unwrap();
    let mut history = History::<3, { WORDS + 1 }>::new();
    let mut storage = vec![0; NET.state_words()];
    let error = Line::new(&model, Native::default(), &mut storage, &mut history).unwrap_err();
    assert!(error.to_string().contains("snapshot"), "{error}");
    let error = Line::new(&model, Native::default(), &mut storage[1..], &mut history).unwrap_err();
    assert!(error.to_string().contains("words"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whatever is pressed, the state is the one of the visible line fed from the start.
    #[test]
    fn the_state_is_always_the_lines(
        keys in proptest::collection::vec(
            prop_oneof![
                8 => proptest::sample::select(vec!["a", "b", "c", " ", "e", "é", "漢", "'"]),
                5 => Just("\x7f"),
                2 => Just("\t"),
                1 => proptest::sample::select(vec!["\r", "\n", "x", "\x1b[A", "\x03", "\u{1}", "\x07", "\x0e"]),
            ],
            0..60,
        ),
        refresh in any::<u64>(),
        lines in any::<bool>(),
    ) {
        let image = if lines { fixtures::image_of_lines() } else { fixtures::image() };
        let mut bench = Bench::with(image);
        let mut console = bench.console();
        for (index, key) in keys.iter().enumerate() {
            for &byte in key.as_bytes() {
                console.feed(byte).unwrap();
            }
            // Redraws come at any time, or not at all while input waits.
            if refresh >> (index % 64) & 1 == 1 {
                console.refresh().unwrap();
            }
            assert_state_is_the_lines(&console);
        }
    }

    /// No bytes whatever bring the console into a state that is not its line's.
    #[test]
    fn noise_does_no_harm(noise in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut bench = Bench::new();
        let mut console = bench.console();
        for &byte in &noise {
            console.feed(byte).unwrap();
        }
        console.refresh().unwrap();
        assert_state_is_the_lines(&console);
    }
}
