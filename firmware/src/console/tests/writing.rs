//! The board writes: what it draws, from which seed, and where it stops.

use gatelet::{Model, Native, Sampler, TokenId};

use super::{Bench, assert_state_is_the_lines, drawn, press, text};
use crate::fixtures::{self, Settings};
use crate::line::{AHEAD, LINE_CAPACITY};
use crate::write::Writing;

/// Tokens that a session and a sampler alone draw after `prompt`, from a seed, at the settings of
/// the fixtures.
fn drawn_after(model: Model<'_>, prompt: &[TokenId], seed: u64, count: usize) -> Vec<TokenId> {
    let mut sampler = Sampler::new(seed)
        .with_temperature(Settings::TEMPERATURE)
        .and_then(|s| s.with_top_k(Settings::TOP_K))
        .and_then(|s| s.with_top_p(Settings::TOP_P))
        .unwrap();
    let mut storage = vec![0; model.net().state_words()];
    let mut session = gatelet::Session::new(&model, Native::default(), &mut storage).unwrap();
    session.begin();
    for &id in prompt {
        session.read(id).unwrap();
    }
    let mut tokens = prompt.to_vec();
    for _ in 0..count {
        let id = sampler.sample(&session.logits());
        session.read(id).unwrap();
        tokens.push(id);
    }
    tokens
}

#[test]
fn the_board_writes_what_a_sampler_draws_from_the_seed() {
    let lines = [
        fixtures::image_of_lines(),
        fixtures::image_of_words_with(true),
    ];
    let images = [fixtures::image(), fixtures::image_of_words()];
    for image in images.into_iter().chain(lines) {
        for start in ["", "cab ", "ab"] {
            let mut bench = Bench::with(image.clone());
            let mut console = bench.console();
            let model = *console.line().model();
            press(&mut console, start.as_bytes());
            let mut prompt = console.line().tokens().to_vec();
            if model.vocab().is_words() && !start.is_empty() && !start.ends_with(' ') {
                // The word under way ends where the board goes on.
                prompt.extend(model.vocab().id_of_word(start));
            }
            // One text, however often it is told to go on.
            for times in 1..=4 {
                press(&mut console, b"\x07");
                assert!(drawn(&mut console).contains("seed 7"));
                let wanted = drawn_after(model, &prompt, 7, 5 * times);
                assert_eq!(console.line().tokens(), wanted, "{start:?}");
                assert_state_is_the_lines(&console);
            }
            // The line is a person's again.
            press(&mut console, b"\x7f\x7f\x7f");
            assert_state_is_the_lines(&console);
            while !console.line().is_empty() {
                press(&mut console, b"\x7f");
            }
            press(&mut console, start.as_bytes());
            press(&mut console, b"\x07");
            let again = drawn_after(model, &prompt, 7, 5);
            assert_eq!(console.line().tokens(), again, "from the seed again");
        }
    }
}

#[test]
fn another_seed_writes_another_text() {
    let mut bench = Bench::new();
    let mut console = bench.console();
    let model = *console.line().model();
    press(&mut console, b"\x0e");
    assert!(drawn(&mut console).contains("seed 8"));
    press(&mut console, b"\x07\x07");
    let wanted = drawn_after(model, &[], 8, 10);
    assert_eq!(console.line().tokens(), wanted);
    assert_ne!(wanted, drawn_after(model, &[], 7, 10));
    press(&mut console, b"\x0e");
    assert!(drawn(&mut console).contains("seed 9"));
    assert_eq!(
        console.line().tokens(),
        wanted,
        "a seed alone writes nothing"
    );
}

#[test]
fn writing_stops_where_the_line_is_full() {
    for (image, spare) in [
        (fixtures::image(), 1),
        (fixtures::image_of_words(), AHEAD + 1),
    ] {
        let mut bench = Bench::with(image);
        let mut console = bench.console();
        for _ in 0..LINE_CAPACITY {
            press(&mut console, b"\x07");
        }
        assert!(drawn(&mut console).contains("line is full"));
        let room = LINE_CAPACITY - text(&console).chars().count();
        assert!(room < spare, "{room}");
        assert_state_is_the_lines(&console);
    }
}
