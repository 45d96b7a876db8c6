//! Files of Keras: the nets that the tests of gatelet-import read, with changes in configurations,
//! HDF5 and zips.

use std::io::{Cursor, Read, Write};
use std::path::Path;
use std::sync::OnceLock;
use std::time::Instant;

use gatelet_import::{Options, read};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use crate::change;
use crate::counts::Counts;
use crate::entropy::{Entropy, Source};
use crate::imported;

/// Inputs so far.
pub static COUNTS: Counts = Counts::new("keras");

/// A file: its members, where it is a zip, or all of it.
enum File {
    Zip(Vec<(String, Vec<u8>)>),
    Hdf5(Vec<u8>),
}

/// The files that are changed.
fn files() -> &'static [File] {
    static FILES: OnceLock<Vec<File>> = OnceLock::new();
    FILES.get_or_init(|| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../host-trainer/import/tests");
        let names = [
            "chain.keras",
            "heads.keras",
            "last.keras",
            "nested.keras",
            "words.keras",
            "cudnn2.h5",
            "heads2.h5",
            "state.h5",
        ];
        let file = |name: &str| {
            let bytes = std::fs::read(folder.join("data/keras").join(name)).expect(name);
            match name.ends_with(".h5") {
                true => File::Hdf5(bytes),
                false => File::Zip(members(&bytes)),
            }
        };
        names.map(file).into()
    })
}

fn members(bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).expect("a zip");
    let len = archive.len();
    let member = |number| {
        let mut member = archive.by_index(number).expect("a member");
        let mut bytes = Vec::new();
        member.read_to_end(&mut bytes).expect("its bytes");
        (member.name().expect("a name").into_owned(), bytes)
    };
    (0..len).map(member).collect()
}

fn packed(members: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut made = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for (name, bytes) in members {
        made.start_file(name, options).expect("a member");
        made.write_all(bytes).expect("its bytes");
    }
    made.finish().expect("a zip").into_inner()
}

/// One input.
///
/// # Panics
/// When reading or running panics, a net that is accepted has other outputs than it says, or a
/// refusal is not one line.
pub fn run(input: &[u8]) {
    static START: OnceLock<Instant> = OnceLock::new();
    let start = *START.get_or_init(Instant::now);
    let mut entropy = Entropy::new(input);
    let files = files();
    let (name, mut bytes) = match &files[entropy.below(files.len())] {
        File::Zip(members) => {
            let mut members = members.clone();
            for _ in 0..=entropy.below(3) {
                let (name, bytes) = {
                    let number = entropy.below(members.len());
                    &mut members[number]
                };
                match name.ends_with(".json") {
                    true => change_text(bytes, &mut entropy),
                    false => change::bytes(bytes, &mut entropy),
                }
            }
            ("net.keras", packed(&members))
        }
        File::Hdf5(bytes) => {
            let mut bytes = bytes.clone();
            for _ in 0..=entropy.below(3) {
                match entropy.below(2) {
                    0 => change::bytes(&mut bytes, &mut entropy),
                    _ => change_in_place(&mut bytes, &mut entropy),
                }
            }
            ("net.h5", bytes)
        }
    };
    if entropy.rarely(16) {
        change::bytes(&mut bytes, &mut entropy);
    }
    let draft = read(&bytes, Path::new(name), Options::default());
    COUNTS.count(imported::accepted(draft), start);
}

/// What may stand where another word or number stands.
const WORDS: [&str; 30] = [
    "0",
    "1",
    "2",
    "3",
    "-1",
    "1.5",
    "1e308",
    "1025",
    "4294967296",
    "18446744073709551615",
    "null",
    "true",
    "false",
    "[]",
    "{}",
    "[null, null, 3]",
    "[[0]]",
    "\"linear\"",
    "\"relu\"",
    "\"tanh\"",
    "\"softmax\"",
    "\"hard_sigmoid\"",
    "\"Add\"",
    "\"Concatenate\"",
    "\"Flatten\"",
    "\"Reshape\"",
    "\"LSTM\"",
    "\"GRU\"",
    "\"Sequential\"",
    "\"Functional\"",
];

/// Puts another word or number in the place of one of the JSON, or another of its own.
fn change_text(bytes: &mut Vec<u8>, entropy: &mut Entropy<'_>) {
    let words = words(bytes);
    if words.is_empty() || entropy.rarely(8) {
        return change::bytes(bytes, entropy);
    }
    let (start, end) = words[entropy.word() as usize % words.len()];
    let word = match entropy.below(2) {
        0 => entropy.one(&WORDS).as_bytes().to_vec(),
        _ => {
            let (start, end) = words[entropy.word() as usize % words.len()];
            bytes[start..end].to_vec()
        }
    };
    bytes.splice(start..end, word);
}

/// The same in the configuration of an HDF5 file, where the length stays as it is.
fn change_in_place(bytes: &mut [u8], entropy: &mut Entropy<'_>) {
    let config = b"{\"class_name\"";
    let Some(start) = bytes.windows(config.len()).position(|part| part == config) else {
        return;
    };
    let text = &bytes[start..];
    let end = text.iter().position(|byte| !(b' '..=b'~').contains(byte));
    let words = words(&text[..end.unwrap_or(text.len())]);
    let (from, to) = words[entropy.word() as usize % words.len()];
    let mut word = entropy.one(&WORDS).as_bytes().to_vec();
    if word.len() <= to - from {
        word.resize(to - from, b' ');
        bytes[start + from..start + to].copy_from_slice(&word);
    }
}

/// Where the words and numbers of a JSON stand: strings with their quotes, and what is between
/// commas, colons, brackets and spaces.
fn words(text: &[u8]) -> Vec<(usize, usize)> {
    let mut all = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let len = match rest[0] {
            b'"' => rest[1..]
                .iter()
                .position(|byte| *byte == b'"')
                .map_or(1, |len| len + 2),
            b' ' | b',' | b':' | b'[' | b']' | b'{' | b'}' => {
                at += 1;
                continue;
            }
            _ => {
                let end = |byte: &u8| b" ,:[]{}\"".contains(byte);
                rest.iter().position(end).unwrap_or(rest.len())
            }
        };
        all.push((at, at + len));
        at += len;
    }
    all
}
