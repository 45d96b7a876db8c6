//! What to do about a model that does not fit its board: the part of it that takes most, and
//! options of `gatelet train` with which a net like it fits.
//!
//! ```text
//! vocabulary   rows of a token: in the first layer's input or the embedding, in the head; and the logits in RAM
//! layers       all else of the image; and the states in RAM
//! ```
//! Each remedy was tried: its image was measured by core's writer and planned for the board as the
//! model's own was. Of a vocabulary of words the average of its words stands for those that would
//! be left.

use std::format;
use std::string::String;
use std::vec::Vec;

use gatelet::format::{
    FeatureSpec, ImageSpec, MatrixSpec, OperationSpec, Section, SectionKind, VocabSpec, image_len,
};
use gatelet::net::{Activation, Input, Kind, Net, Operand, Operation, Value};
use gatelet::{Layout, Model, Precision};

use crate::budget::{Demand, Shortage, plan};
use gatelet_boards::Board;

/// A shift that every layout takes.
const SHIFT: u8 = 24;
/// The fewest tokens and units that are offered: less is no net that anybody wants.
const LEAST: (usize, usize) = (20, 8);

/// Says what takes most of a model's memory, and what to train instead.
pub(crate) fn remedy(model: &Model<'_>, part: &Board, short: &Shortage) -> String {
    let net = model.net();
    let tokens = match (model.vocab().is_words(), model.vocab().is_bytes()) {
        (true, _) => "words",
        (_, true) => "bytes",
        _ => "characters",
    };
    let (vocabulary, all) = match short {
        Shortage::Flash { .. } => {
            let of = |wanted: bool| {
                let sections = model.sections();
                let chosen = sections.filter(move |s| is_of_vocabulary(model, s) == wanted);
                chosen.map(|section| section.bytes).sum::<usize>()
            };
            (of(true), of(true) + of(false))
        }
        Shortage::Ram {
            state, snapshots, ..
        } => (4 * net.vocab(), state + snapshots),
    };
    let mut remedies = Vec::new();
    let int8 = net.with_precision(Precision::Int8);
    let fits = |net: &Net| {
        let net = net.checked().ok();
        let need = net.and_then(|net| demand(model, &net));
        need.is_some_and(|need| plan(part, &need).is_ok())
    };
    if net.precision == Precision::F32 && fits(&int8) {
        remedies.push(String::from("export it with --bits 8"));
    }
    let of_vocabulary = 2 * vocabulary > all;
    if of_vocabulary && !model.vocab().is_bytes() {
        let with = |vocab| with_vocab(int8, vocab);
        if let Some(most) = largest(LEAST.0, net.vocab(), &|n| fits(&with(n))) {
            remedies.push(format!("--max-vocab {most}"));
        }
    }
    if of_vocabulary {
        let widths = [256, 192, 128, 96, 64, 48, 32, 24, 16, 8];
        let with = |width| with_embedding(&int8, width).is_some_and(|net| fits(&net));
        if let Some(width) = widths.into_iter().find(|&width| with(width)) {
            remedies.push(format!("--embedding {width} --projection {width} --tied"));
        }
    }
    if !of_vocabulary && let Some(hidden) = hidden(net) {
        let with = |hidden| with_hidden(int8, hidden);
        if let Some(most) = largest(LEAST.1, hidden, &|n| fits(&with(n))) {
            remedies.push(format!("--hidden {most}"));
        }
    }
    let (what, bytes, one) = match of_vocabulary {
        true => {
            let what = format!("vocabulary of {} {tokens}", net.vocab());
            (what, vocabulary, true)
        }
        false => {
            let layers = net.operations().filter(|of| of.kind.is_recurrent());
            let layers: Vec<String> = layers.map(|of| format!("{}", of.kind)).collect();
            (layers.join(", "), all - vocabulary, layers.len() == 1)
        }
    };
    let s = if one { "s" } else { "" };
    let what = format!("its {what} take{s} {bytes} of these");
    match remedies.is_empty() {
        true => format!("{what}: train a smaller net"),
        false => format!("{what}; what fits: {}", remedies.join(", or ")),
    }
}

/// Units of a net's layers, if they are alike: of such a net one option changes them all.
fn hidden(net: &Net) -> Option<usize> {
    let mut layers = net.operations().filter(|of| of.kind.is_recurrent());
    let first = layers.next()?.kind;
    layers.all(|of| of.kind == first).then_some(first.units())
}

/// The same net with layers of so many units, and an embedding whose rows score what one of them
/// gives.
fn with_hidden(net: Net, hidden: usize) -> Net {
    let mut with = net;
    for (index, of) in net.operations().enumerate() {
        let reads = of.operand.part(0).operation();
        let reads = reads.and_then(|maker| net.operation(maker));
        if of.kind.is_recurrent() {
            with = with.with_units(index, hidden);
        }
        if let (Some(table), true) = (of.tied, reads.is_some_and(|of| of.kind.is_recurrent())) {
            with = with.with_units(table.into(), hidden);
        }
    }
    with
}

/// The same net of another vocabulary: its last operation scores it.
fn with_vocab(mut net: Net, vocab: usize) -> Net {
    net.input = Input::Tokens { vocab };
    net.with_units(net.len() - 1, vocab)
}

/// The same net with an embedding, and a projection to it before a head that has its weights. None
/// of a net that has an embedding.
fn with_embedding(net: &Net, width: usize) -> Option<Net> {
    let is_embedding = |kind: Kind| matches!(kind, Kind::Embedding { .. });
    if net.operations().any(|of| is_embedding(of.kind)) {
        return None;
    }
    let mut wide = Net::new(net.precision, net.input).then(Kind::Embedding { units: width });
    for (index, of) in net.operations().enumerate() {
        // What there is moves up by one; what read the token reads the embedding.
        let parts: Vec<Value> = of
            .operand
            .parts()
            .map(|v| Value::of(v.code().into()))
            .collect();
        let of = Operation {
            operand: Operand::of(&parts),
            ..*of
        };
        if index + 1 < net.len() {
            wide = wide.with_operation(of);
            continue;
        }
        let projection = Kind::Dense {
            units: width,
            activation: Activation::None,
        };
        wide = wide.with(projection, of.operand);
        wide = wide.with_operation(Operation {
            operand: Operand::one(wide.last()),
            bits: 8,
            tied: Some(0),
            ..of
        });
    }
    Some(wide.scores())
}

/// Whether a section has rows of tokens.
fn is_of_vocabulary(model: &Model<'_>, section: &Section) -> bool {
    let net = model.net();
    let Some(index) = section.name.operation else {
        return section.name.kind == SectionKind::Vocabulary;
    };
    match net.operation(index).map(|of| of.kind) {
        Some(Kind::Embedding { .. }) => true,
        Some(Kind::Dense { units, .. }) => units == net.vocab() && index + 1 == net.len(),
        _ => section.name.kind == SectionKind::Input && net.reads_token(index),
    }
}

/// The largest of `least..most` that is good, in two digits; what is smaller than a good one is
/// good.
fn largest(least: usize, most: usize, good: &dyn Fn(usize) -> bool) -> Option<usize> {
    let (mut below, mut above) = (least, most);
    if !good(least) {
        return None;
    }
    while above - below > 1 {
        let middle = below.midpoint(above);
        if good(middle) {
            below = middle
        } else {
            above = middle
        }
    }
    let digit = 10_usize.pow(below.ilog10().saturating_sub(1));
    Some((below / digit * digit).max(least))
}

/// What another net asks for, with the rest as it is in `model`.
fn demand(model: &Model<'_>, net: &Net) -> Option<Demand> {
    let layout = Some(model.layout()).filter(|layout| layout.check(net).is_ok());
    let matrix = MatrixSpec {
        shift: SHIFT,
        ..MatrixSpec::default()
    };
    let operation = OperationSpec {
        weights: matrix,
        candidate: matrix,
        hidden: matrix,
        ..OperationSpec::default()
    };
    let spec = ImageSpec {
        net: *net,
        layout: layout.unwrap_or(Layout::Rows),
        vocab: VocabSpec::Characters(&[]),
        features: FeatureSpec::default(),
        operations: &std::vec![operation; net.len()],
        outputs: Default::default(),
        provenance: model.provenance(),
        known_answer: model.known_answer(),
        rules: model.rules(),
    };
    let own = model
        .sections()
        .find(|s| s.name.kind == SectionKind::Vocabulary);
    let words = own.map_or(0, |own| {
        own.bytes * net.vocab() / model.net().vocab().max(1)
    });
    Some(Demand {
        model_bytes: image_len(&spec).ok()? - 4 * net.vocab() + words,
        state_words: net.state_words(),
        snapshot_words: net.snapshot_words(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use gatelet::format::write_image;
    use gatelet::{KnownAnswer, Provenance, TextRules};
    use gatelet_boards::STM32F405;
    use gatelet_random::{stacked, with_widths};

    /// Shows a model of zeros.
    fn with_zeros<T>(net: Net, each: impl FnOnce(&Model<'_>, usize) -> T) -> T {
        let sizes = (0..net.len()).filter_map(|index| net.matrix(index, 0));
        let most = |of: fn((usize, usize)) -> usize| sizes.clone().map(of).max().unwrap();
        let small = std::vec![0_i8; most(|(rows, columns)| rows * columns)];
        let rows = most(|(rows, _)| rows);
        let (wide, long) = (std::vec![0_i16; net.vocab() * rows], std::vec![0_i32; rows]);
        let operation = |(index, of): (usize, &Operation)| {
            let (rows, columns) = net.matrix(index, 0).unwrap();
            let own = if of.tied.is_some() { 0 } else { rows * columns };
            let matrix = MatrixSpec::int8(&small[..own], &long[..rows], SHIFT);
            match of.kind {
                Kind::Embedding { .. } => OperationSpec::table(matrix),
                Kind::Dense { .. } => OperationSpec::dense_int8(matrix, &long[..rows]),
                _ => {
                    let tokens = if net.reads_token(index) {
                        net.vocab()
                    } else {
                        1
                    };
                    OperationSpec::cell_int8(&wide[..tokens * rows], matrix, 3)
                }
            }
        };
        let operations: Vec<_> = net.operations().enumerate().map(operation).collect();
        let characters: Vec<char> = ('\u{4e00}'..).take(net.vocab()).collect();
        let spec = ImageSpec {
            net,
            layout: Layout::Rows,
            vocab: VocabSpec::Characters(&characters),
            features: FeatureSpec::default(),
            operations: &operations,
            outputs: Default::default(),
            provenance: Provenance::default(),
            known_answer: KnownAnswer::default(),
            rules: TextRules::default(),
        };
        let most = image_len(&spec).unwrap();
        let mut room = std::vec![0; most + 16];
        let start = room.as_ptr().align_offset(16);
        let len = write_image(&spec, &mut room[start..start + most]).unwrap();
        each(&Model::from_bytes(&room[start..start + len]).unwrap(), len)
    }

    /// What is planned for a model that is there, and what is said of one that does not fit.
    fn planned(net: Net, part: &Board) -> Result<(), String> {
        with_zeros(net, |model, model_bytes| {
            let need = Demand {
                model_bytes,
                state_words: net.state_words(),
                snapshot_words: net.snapshot_words(),
            };
            plan(part, &need)
                .map(drop)
                .map_err(|short| remedy(model, part, &short))
        })
    }

    fn lstm(hidden: usize, vocab: usize) -> Net {
        stacked(Precision::Int8, vocab, 1, Kind::lstm(hidden))
    }

    /// The number behind an option.
    fn offered(said: &str, option: &str) -> usize {
        let (_, behind) = said.split_once(option).unwrap_or_else(|| panic!("{said}"));
        let digits: String = behind
            .trim_start()
            .chars()
            .take_while(char::is_ascii_digit)
            .collect();
        digits.parse().unwrap()
    }

    #[test]
    fn a_large_vocabulary_is_what_is_named_and_what_is_offered_fits() {
        let said = planned(lstm(32, 5995), &STM32F405).unwrap_err();
        assert!(
            said.starts_with("its vocabulary of 5995 characters takes"),
            "{said}"
        );
        assert!(!said.contains("--hidden"), "{said}");
        let vocab = offered(&said, "--max-vocab");
        assert!((2000..5995).contains(&vocab), "{said}");
        planned(lstm(32, vocab), &STM32F405).unwrap();
        let width = offered(&said, "--embedding");
        assert_eq!(offered(&said, "--projection"), width);
        let widths = (width, width, true);
        let tied = with_widths(Precision::Int8, 5995, 1, Kind::lstm(32), widths);
        assert_eq!(with_embedding(&lstm(32, 5995), width), Some(tied));
        assert_eq!(with_embedding(&tied, width), None);
        planned(tied, &STM32F405).unwrap();
    }

    #[test]
    fn a_wide_layer_is_what_is_named_and_what_is_offered_fits() {
        let said = planned(lstm(1000, 64), &STM32F405).unwrap_err();
        assert!(said.starts_with("its lstm 1000 takes"), "{said}");
        assert!(!said.contains("--max-vocab"), "{said}");
        let hidden = offered(&said, "--hidden");
        assert!((200..1000).contains(&hidden), "{said}");
        planned(lstm(hidden, 64), &STM32F405).unwrap();
    }

    #[test]
    fn layers_that_differ_are_named_and_no_option_is_made_up_for_them() {
        let net = Net::tokens(Precision::Int8, 20).then(Kind::lstm(600));
        let head = Kind::Dense {
            units: 20,
            activation: Activation::None,
        };
        let net = net.then(Kind::lstm(500)).then(head).scores();
        let said = planned(net, &STM32F405).unwrap_err();
        assert!(said.starts_with("its lstm 600, lstm 500 take "), "{said}");
        assert!(said.ends_with(": train a smaller net"), "{said}");
    }

    #[test]
    fn an_embedding_that_scores_what_a_layer_gives_is_as_wide_as_it() {
        let tied = |hidden| {
            let widths = (hidden, 0, true);
            with_widths(Precision::Int8, 50, 2, Kind::lstm(hidden), widths)
        };
        assert_eq!(hidden(&tied(64)), Some(64));
        assert_eq!(with_hidden(tied(64), 20), tied(20));
    }

    #[test]
    fn memory_for_scores_is_the_vocabulary_s_too() {
        let part = Board {
            ram_bytes: 48 << 10,
            ..STM32F405
        };
        let said = planned(lstm(8, 8000), &part).unwrap_err();
        assert!(said.starts_with("its vocabulary of 8000"), "{said}");
        planned(lstm(8, offered(&said, "--max-vocab")), &part).unwrap();
    }
}
