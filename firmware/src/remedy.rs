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
use gatelet::net::Kind;
use gatelet::{Dims, Layout, Model, Precision};

use crate::budget::{Demand, Shortage, plan};
use gatelet_boards::Board;

/// A shift that every layout takes.
const SHIFT: u8 = 24;
/// The fewest tokens and units that are offered: less is no net that anybody wants.
const LEAST: (usize, usize) = (20, 8);

/// Says what takes most of a model's memory, and what to train instead.
pub(crate) fn remedy(model: &Model<'_>, part: &Board, short: &Shortage) -> String {
    let Some(dims) = model.net().dims() else {
        return String::from("train a smaller net");
    };
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
        } => (4 * dims.vocab, state + snapshots),
    };
    let mut remedies = Vec::new();
    let fits = |dims: &Dims| demand(model, dims).is_some_and(|need| plan(part, &need).is_ok());
    let eight = int8(&dims).filter(|_| dims.precision == Precision::F32);
    if eight.is_some_and(|dims| fits(&dims)) {
        remedies.push(String::from("export it with --bits 8"));
    }
    let of_vocabulary = 2 * vocabulary > all;
    if of_vocabulary && !model.vocab().is_bytes() {
        let with = |vocab| {
            Some(Dims {
                vocab,
                ..int8(&dims)?
            })
        };
        if let Some(most) = largest(LEAST.0, dims.vocab, &|n| with(n).is_some_and(|d| fits(&d))) {
            remedies.push(format!("--max-vocab {most}"));
        }
    }
    if of_vocabulary && dims.embedding == 0 {
        let widths = [256, 192, 128, 96, 64, 48, 32, 24, 16, 8];
        let with = |width| int8(&dims)?.with_widths(width, width, true).ok();
        if let Some(width) = widths
            .into_iter()
            .find(|&w| with(w).is_some_and(|d| fits(&d)))
        {
            remedies.push(format!("--embedding {width} --projection {width} --tied"));
        }
    }
    if !of_vocabulary {
        let with = |hidden| {
            let alone = dims.tied && dims.projection == 0;
            let embedding = if alone { hidden } else { dims.embedding };
            Some(Dims {
                hidden,
                embedding,
                ..int8(&dims)?
            })
        };
        if let Some(most) = largest(LEAST.1, dims.hidden, &|n| with(n).is_some_and(|d| fits(&d))) {
            remedies.push(format!("--hidden {most}"));
        }
    }
    let (what, bytes) = match of_vocabulary {
        true => (format!("vocabulary of {} {tokens}", dims.vocab), vocabulary),
        false => (
            format!("{} x {} units", dims.layers, dims.hidden),
            all - vocabulary,
        ),
    };
    let what = format!(
        "its {what} take{} {bytes} of these",
        if of_vocabulary { "s" } else { "" }
    );
    match remedies.is_empty() {
        true => format!("{what}: train a smaller net"),
        false => format!("{what}; what fits: {}", remedies.join(", or ")),
    }
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

/// The same shape in int8.
fn int8(dims: &Dims) -> Option<Dims> {
    let plain = Dims::new(
        dims.cell,
        Precision::Int8,
        dims.layers,
        dims.hidden,
        dims.vocab,
    )
    .ok()?;
    let wide = plain.with_widths(dims.embedding, dims.projection, dims.tied);
    wide.ok()?.with_four_bits(dims.four_bits).ok()
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

/// What a net of another shape asks for, with the rest as it is in `model`.
fn demand(model: &Model<'_>, dims: &Dims) -> Option<Demand> {
    let net = dims.net();
    let layout = Some(model.layout()).filter(|layout| layout.check(&net).is_ok());
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
        net,
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
    let words = own.map_or(0, |own| own.bytes * dims.vocab / model.net().vocab().max(1));
    Some(Demand {
        model_bytes: image_len(&spec).ok()? - 4 * dims.vocab + words,
        state_words: dims.state_words(),
        snapshot_words: dims.snapshot_words(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use gatelet::format::write_image;
    use gatelet::{Cell, KnownAnswer, Provenance, TextRules};
    use gatelet_boards::STM32F405;

    /// Shows a model of zeros.
    fn with_zeros<T>(dims: Dims, each: impl FnOnce(&Model<'_>, usize) -> T) -> T {
        let (inputs, rows) = (
            if dims.embedding == 0 { dims.vocab } else { 1 },
            dims.rows(),
        );
        let table = dims.vocab * dims.embedding_stride();
        let head = if dims.tied {
            0
        } else {
            dims.vocab * dims.head_columns()
        };
        let widest = rows * dims.columns(0).max(dims.columns(dims.layers - 1));
        let small =
            std::vec![0_i8; widest.max(table).max(head).max(dims.projection * dims.stride())];
        let wide = std::vec![0_i16; inputs * rows];
        let long = std::vec![0_i32; dims.vocab.max(rows)];
        let matrix =
            |weights: usize, rows: usize| MatrixSpec::int8(&small[..weights], &long[..rows], SHIFT);
        let affine = |outputs: usize, weights: usize| {
            OperationSpec::dense_int8(matrix(weights, outputs), &long[..outputs])
        };
        let mut operations = Vec::new();
        if dims.embedding > 0 {
            operations.push(OperationSpec::table(matrix(table, dims.vocab)));
        }
        for layer in 0..dims.layers {
            let input = if layer == 0 { &wide } else { &wide[..rows] };
            let weights = matrix(rows * dims.columns(layer), rows);
            operations.push(OperationSpec::cell_int8(input, weights, 3));
        }
        if dims.projection > 0 {
            operations.push(affine(dims.projection, dims.projection * dims.stride()));
        }
        operations.push(affine(dims.vocab, head));
        let characters: Vec<char> = ('\u{4e00}'..).take(dims.vocab).collect();
        let spec = ImageSpec {
            net: dims.net(),
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
    fn planned(dims: Dims, part: &Board) -> Result<(), String> {
        with_zeros(dims, |model, model_bytes| {
            let need = Demand {
                model_bytes,
                state_words: dims.state_words(),
                snapshot_words: dims.snapshot_words(),
            };
            plan(part, &need)
                .map(drop)
                .map_err(|short| remedy(model, part, &short))
        })
    }

    fn lstm(hidden: usize, vocab: usize) -> Dims {
        Dims::new(Cell::Lstm, Precision::Int8, 1, hidden, vocab).unwrap()
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
        let tied = lstm(32, 5995).with_widths(width, width, true).unwrap();
        planned(tied, &STM32F405).unwrap();
    }

    #[test]
    fn a_wide_layer_is_what_is_named_and_what_is_offered_fits() {
        let said = planned(lstm(1000, 64), &STM32F405).unwrap_err();
        assert!(said.starts_with("its 1 x 1000 units take"), "{said}");
        assert!(!said.contains("--max-vocab"), "{said}");
        let hidden = offered(&said, "--hidden");
        assert!((200..1000).contains(&hidden), "{said}");
        planned(lstm(hidden, 64), &STM32F405).unwrap();
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
