//! Shapes of a sweep: the grid, shapes by chance, budgets, nets of words.

use std::collections::BTreeSet;

use super::*;
use crate::analysis::device::Processor;
use crate::train::layers::Cell;

fn space() -> Space {
    Space {
        cells: vec![Cell::Rnn, Cell::Lstm],
        layers: vec![1, 2],
        hidden: vec![16, 64, 64],
        embeddings: vec![0],
        projections: vec![0],
        tied: vec![false],
        vocab: 30,
    }
}

/// A text of characters, whose jobs' commands do not depend on the shape.
fn source() -> Source<'static> {
    Source {
        name: "t",
        step: "character",
        words: &[],
        front_end: None,
        job: &|shape| Ok((shape.net(), "a command".to_owned())),
    }
}

fn budget(flash: Option<usize>, instructions: Option<u64>) -> Budget {
    Budget {
        processor: Processor::CortexM4,
        flash,
        instructions,
    }
}

#[test]
fn a_grid_has_every_shape_once_and_the_budget_cuts_it() {
    let all = candidates(&space(), None, &budget(None, None), &source()).unwrap();
    assert_eq!((all.0.len(), all.1), (8, 0));
    assert_eq!(all.0[0].name, "rnn-1x16");
    assert!(all.0.is_sorted_by_key(|c| c.flash));
    let most = all.0[3].flash;
    let some = candidates(&space(), None, &budget(Some(most), None), &source()).unwrap();
    assert_eq!((some.0.len(), some.1), (4, 4));
    let few = budget(None, Some(all.0[0].instructions));
    assert_eq!(
        candidates(&space(), None, &few, &source()).unwrap().0.len(),
        1
    );
    let error = candidates(
        &space(),
        None,
        &budget(Some(10), Some(1_000_000)),
        &source(),
    );
    let error = error.unwrap_err().to_string();
    assert!(
        error.contains("the smallest, rnn-1x16, needs") && error.contains("(--max-flash 10)"),
        "{error}"
    );
}

#[test]
fn random_shapes_are_distinct_within_the_lists_and_the_same_for_a_seed() {
    let draw = |count, seed| {
        candidates(
            &space(),
            Some((count, seed)),
            &budget(None, None),
            &source(),
        )
        .unwrap()
        .0
    };
    let shapes = draw(12, 5);
    assert_eq!(shapes.len(), 12);
    assert_eq!(shapes, draw(12, 5));
    assert_ne!(shapes, draw(12, 6));
    let names: BTreeSet<&str> = shapes.iter().map(|c| &*c.name).collect();
    assert_eq!(names.len(), 12);
    assert!(
        shapes
            .iter()
            .all(|c| (16..=64).contains(&c.shape.hidden) && c.shape.hidden % 4 == 0)
    );
    // 13 widths, two cells, two depths: there are no more.
    assert_eq!(draw(100, 1).len(), 52);
}

#[test]
fn a_seed_keeps_its_shapes() {
    let names = |space: &Space| -> Vec<String> {
        let found = candidates(space, Some((6, 3)), &budget(None, None), &source());
        let found = found.unwrap().0.into_iter();
        found.map(|candidate| candidate.name).collect()
    };
    // As drawn before there were embeddings.
    let first = [
        "rnn-1x20",
        "rnn-1x28",
        "lstm-1x16",
        "rnn-2x56",
        "lstm-1x56",
        "lstm-2x52",
    ];
    assert_eq!(names(&space()), first);
    let wider = Space {
        embeddings: vec![0, 8],
        ..space()
    };
    let drawn = names(&wider);
    assert_eq!(drawn, names(&wider));
    assert!(drawn.iter().any(|name| name.ends_with("-e8")), "{drawn:?}");
}

#[test]
fn only_nets_that_can_be_tied_are() {
    let lists = Space {
        cells: vec![Cell::Gru],
        layers: vec![1],
        hidden: vec![16, 32],
        embeddings: vec![0, 16],
        projections: vec![0, 16],
        tied: vec![true],
        vocab: 30,
    };
    let names = |space: &Space, random| -> Vec<String> {
        let found = candidates(space, random, &budget(None, None), &source());
        let mut names: Vec<String> = found.unwrap().0.into_iter().map(|c| c.name).collect();
        names.sort();
        names
    };
    let tied = [
        "gru-1x16-e16-p16-tied",
        "gru-1x16-e16-tied",
        "gru-1x32-e16-p16-tied",
    ];
    assert_eq!(names(&lists, None), tied);
    let both = Space {
        tied: vec![false, true],
        ..lists.clone()
    };
    assert_eq!(names(&both, None).len(), 8 + 3);
    // Five widths with a projection, and one whose hidden units are those of the embedding.
    let drawn = names(&lists, Some((100, 1)));
    assert_eq!(drawn.len(), 5 + 1, "{drawn:?}");
    let none = Space {
        embeddings: vec![0, 8],
        ..lists
    };
    for random in [None, Some((3, 1))] {
        let error = candidates(&none, random, &budget(None, None), &source());
        let error = error.unwrap_err().to_string();
        assert!(
            error.starts_with("--tied is true: no --embedding"),
            "{error}"
        );
    }
}

#[test]
fn words_are_paid_for() {
    let words = ["a", "longer", "vocabulary"].map(str::to_owned);
    let long = words.clone().map(|word| word + "-of-words");
    let shapes = Space {
        cells: vec![Cell::Lstm],
        layers: vec![1],
        hidden: vec![8],
        embeddings: vec![4],
        projections: vec![4],
        tied: vec![true],
        vocab: words.len(),
    };
    let flash = |words: &[String]| {
        let source = Source { words, ..source() };
        let found = candidates(&shapes, None, &budget(None, None), &source);
        found.unwrap().0[0].flash
    };
    let (less, more) = (flash(&words), flash(&long));
    assert!(
        (27 - 15..=27 + 15).contains(&(more - less)),
        "{less} {more}"
    );
}
