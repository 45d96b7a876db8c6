//! Checkpoints: safetensors files with metadata, changed and sealed again; what is read becomes an
//! image that runs.

use std::path::Path;
use std::sync::OnceLock;
use std::time::Instant;

use gatelet::Isa;
use gatelet_trainer::any_model::AnyModel;
use gatelet_trainer::data::corpus::Vocabulary;
use gatelet_trainer::net::Params;
use gatelet_trainer::seal::seal;
use gatelet_trainer::train::checkpoint::{Checkpoint, FORMAT, Interface, Meta, Provenance};
use gatelet_trainer::train::config::Config;
use gatelet_trainer::train::layers::{Cell, Layers};

use crate::change;
use crate::counts::Counts;
use crate::entropy::{Entropy, Source};
use crate::image;

/// Inputs so far.
pub static COUNTS: Counts = Counts::new("checkpoint");

/// The files that are changed: without their seal.
fn files() -> &'static [Vec<u8>] {
    static FILES: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    FILES.get_or_init(|| {
        let shapes = [
            (Cell::Lstm, 1, 3, 0, 0),
            (Cell::Rnn, 2, 5, 0, 0),
            (Cell::Lstm, 2, 4, 4, 5),
        ];
        let file = |(cell, layers, hidden, embedding, projection)| {
            let shape = Layers {
                cell,
                layers,
                hidden,
                vocab: 4,
                embedding,
                projection,
                ..Layers::PLAIN
            };
            let config = Config {
                cell,
                layers,
                hidden,
                embedding,
                projection,
                ..Config::default()
            };
            let meta = Meta {
                format: FORMAT,
                net: shape.net(),
                interface: Interface::default(),
                vocabulary: "abcd".to_owned(),
                words: Vec::new(),
                series: None,
                config: Some(config),
                provenance: Provenance {
                    corpus: "a.txt".to_owned(),
                    corpus_sha256: "00".repeat(32),
                    command: "gatelet train a.txt".to_owned(),
                    trainer: "gatelet-trainer 0".to_owned(),
                    seed: 1,
                    nats: Some(1.5),
                    unigram_nats: None,
                    epoch: 2,
                    characters: 10,
                    changes: Vec::new(),
                },
                position: None,
            };
            let checkpoint = Checkpoint {
                meta,
                vocab: Some(Vocabulary::of("abcd")),
                starts: Vec::new(),
                params: Params::init(shape.net(), 1),
                learned: None,
                resume: None,
            };
            unsealed(&checkpoint.to_bytes().expect("a shape in range"))
        };
        shapes.map(file).to_vec()
    })
}

/// Header and numbers of a file.
fn parts(file: &[u8]) -> (&[u8], &[u8]) {
    let len = u64::from_le_bytes(file[..8].try_into().expect("8 bytes")) as usize;
    file[8..].split_at(len)
}

fn joined(header: &[u8], numbers: &[u8]) -> Vec<u8> {
    let len = header.len().next_multiple_of(8);
    let mut file = (len as u64).to_le_bytes().to_vec();
    file.extend_from_slice(header);
    file.resize(8 + len, b' ');
    file.extend_from_slice(numbers);
    file
}

/// A sealed file without its seal, so that it can be sealed again.
fn unsealed(file: &[u8]) -> Vec<u8> {
    let (header, numbers) = parts(file);
    let text = std::str::from_utf8(header).expect("JSON");
    let start = text.find("\"sha256\"").expect("a seal");
    let end = start + text[start..].find(',').expect("other keys") + 1;
    let header = [&text[..start], &text[end..]].concat();
    joined(header.as_bytes(), numbers)
}

/// One input.
///
/// # Panics
/// When reading or running panics, or a net that is accepted gives no numbers.
pub fn run(input: &[u8]) {
    static START: OnceLock<Instant> = OnceLock::new();
    let start = *START.get_or_init(Instant::now);
    let mut entropy = Entropy::new(input);
    let files = files();
    let file = &files[entropy.below(files.len())];
    let (header, numbers) = parts(file);
    let (mut header, mut numbers) = (header.to_vec(), numbers.to_vec());
    for _ in 0..entropy.below(4) {
        match entropy.below(4) {
            0 => change_header(&mut header, &mut entropy),
            1 => {
                let len = (numbers.len() + entropy.below(9)).saturating_sub(4);
                numbers.resize(len, 0);
            }
            _ => change_number(&mut numbers, &mut entropy),
        }
    }
    let mut bytes = seal(&joined(&header, &numbers));
    if entropy.rarely(16) {
        change::bytes(&mut bytes, &mut entropy);
    }
    let accepted = match AnyModel::from_bytes(&bytes, Path::new("checkpoint"), Isa::detect()) {
        Ok(any) => {
            let image = any.image.bytes();
            image::load(image, &mut entropy).expect("the image of a net that was read");
            true
        }
        Err(error) => {
            assert!(!error.to_string().is_empty());
            false
        }
    };
    COUNTS.count(accepted, start);
}

/// Changes a number of the JSON, or any byte of it.
fn change_header(header: &mut Vec<u8>, entropy: &mut Entropy<'_>) {
    const NUMBERS: [&str; 14] = [
        "0",
        "1",
        "3",
        "4",
        "5",
        "-1",
        "1.5",
        "1e308",
        "1025",
        "65536",
        "4294967296",
        "18446744073709551615",
        "null",
        "\"x\"",
    ];
    let digits = header
        .iter()
        .enumerate()
        .filter(|(_, b)| b.is_ascii_digit());
    let places: Vec<usize> = digits.map(|(at, _)| at).collect();
    match entropy.below(4) {
        0 if !header.is_empty() => {
            let at = entropy.below(header.len().min(1 << 16));
            header[at] = entropy.byte();
        }
        1 if !header.is_empty() => {
            let at = entropy.below(header.len().min(1 << 16));
            header.remove(at);
        }
        _ if !places.is_empty() => {
            let at = places[entropy.below(places.len().min(1 << 16))];
            let end = header[at..].iter().position(|b| !b.is_ascii_digit());
            let end = end.map_or(header.len(), |len| at + len);
            header.splice(at..end, entropy.one(&NUMBERS).bytes());
        }
        _ => {}
    }
}

/// Puts an unusual number among the weights.
fn change_number(numbers: &mut [u8], entropy: &mut Entropy<'_>) {
    let (places, _) = numbers.as_chunks_mut::<4>();
    if !places.is_empty() {
        let at = entropy.below(places.len().min(1 << 16));
        places[at] = entropy.one(&image::SPECIAL).to_le_bytes();
    }
}
