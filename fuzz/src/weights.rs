//! Files of PyTorch (zips of pickles, safetensors), JSON and TFLite: the nets that the tests of
//! gatelet-import read, with changes in pickles, texts, tables and numbers; and orders of layers.

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
pub static COUNTS: Counts = Counts::new("weights");

/// The files that are changed, and an order that fits.
const FILES: [(&str, &str); 13] = [
    ("torch/gru.pt", "gru 5 x2, linear 2"),
    ("torch/strided.pt", "gru 3, linear 2, tanh"),
    ("torch/trained.pth", "lstm 4, linear 1"),
    (
        "torch/deep.safetensors",
        "batchnorm 4, lstm 6 x2, linear 5, relu, linear 3, softmax",
    ),
    (
        "torch/words.safetensors",
        "embedding 3, rnn 4 relu, linear 7",
    ),
    (
        "torch/heads.safetensors",
        "gru 4 first, concat input, gru 3 second, unused voice, linear 2",
    ),
    ("json/rtneural.json", ""),
    ("json/amplifier.json", ""),
    ("json/nam.json", ""),
    ("json/state.json", "gru 3, gru 3 x2, add input, linear 2"),
    ("tflite/deep.tflite", ""),
    ("tflite/heads.tflite", ""),
    ("tflite/int8.tflite", ""),
];

/// A file that is changed: its members, where it is a zip.
struct File {
    name: &'static str,
    order: &'static str,
    members: Vec<(String, Vec<u8>)>,
}

fn files() -> &'static [File] {
    static MADE: OnceLock<Vec<File>> = OnceLock::new();
    MADE.get_or_init(|| {
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../host-trainer/import/tests/data");
        let file = |(name, order): (&'static str, _)| {
            let bytes = std::fs::read(data.join(name)).expect(name);
            let members = match bytes.starts_with(b"PK") {
                true => members(&bytes),
                false => vec![(String::new(), bytes)],
            };
            File {
                name,
                order,
                members,
            }
        };
        FILES.map(file).into()
    })
}

fn members(bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).expect("a zip");
    let count = archive.len();
    let member = |number| {
        let mut member = archive.by_index(number).expect("a member");
        let mut bytes = Vec::new();
        member.read_to_end(&mut bytes).expect("its bytes");
        (member.name().expect("a name").into_owned(), bytes)
    };
    (0..count).map(member).collect()
}

fn packed(members: &[(String, Vec<u8>)]) -> Vec<u8> {
    if let [(name, bytes)] = members
        && name.is_empty()
    {
        return bytes.clone();
    }
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
    let file = &files[entropy.below(files.len())];
    let mut members = file.members.clone();
    for _ in 0..entropy.below(4) {
        let number = entropy.below(members.len());
        let (name, bytes) = &mut members[number];
        match entropy.below(4) {
            0 => change::bytes(bytes, &mut entropy),
            1 if name.ends_with("data.pkl") => change_pickle(bytes, &mut entropy),
            _ if file.name.ends_with(".json") => change_text(bytes, &mut entropy),
            _ => change_word(bytes, &mut entropy),
        }
    }
    let mut bytes = packed(&members);
    if entropy.rarely(16) {
        change::bytes(&mut bytes, &mut entropy);
    }
    let mut order = file.order.as_bytes().to_vec();
    if entropy.rarely(4) {
        change_order(&mut order, &mut entropy);
    }
    let order = String::from_utf8_lossy(&order);
    let order = Some(order.as_ref()).filter(|order| !order.is_empty() && !entropy.rarely(4));
    let draft = read(&bytes, Path::new(file.name), Options { order });
    COUNTS.count(imported::accepted(draft), start);
}

/// Puts an edge of a size, an offset or a number in the place of four bytes.
fn change_word(bytes: &mut [u8], entropy: &mut Entropy<'_>) {
    const EDGES: [u32; 12] = [
        0,
        1,
        2,
        3,
        8,
        0x7f80_0000,
        0x7fc0_0000,
        0x7fff_ffff,
        0x8000_0000,
        0xffff_fffc,
        0xffff_ffff,
        0x3f80_0000,
    ];
    let (words, _) = bytes.as_chunks_mut::<4>();
    if !words.is_empty() {
        let at = entropy.word() as usize % words.len();
        words[at] = match entropy.below(2) {
            0 => entropy.one(&EDGES).to_le_bytes(),
            _ => (u32::from(entropy.byte()) * 4).to_le_bytes(),
        };
    }
}

/// Puts opcodes into a pickle.
fn change_pickle(bytes: &mut Vec<u8>, entropy: &mut Entropy<'_>) {
    const OPCODES: [&[u8]; 24] = [
        b"(",
        b")",
        b"]",
        b"}",
        b"t",
        b"\x85",
        b"\x86",
        b"\x87",
        b"R",
        b"b",
        b"Q",
        b"s",
        b"u",
        b"a",
        b"e",
        b"0",
        b"1",
        b"2",
        b"h\x00",
        b"q\x03",
        b"K\x05",
        b"J\xff\xff\xff\xff",
        b"\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f",
        b"cos\nsystem\n",
    ];
    let at = change::place(bytes, entropy);
    let opcode = entropy.one(&OPCODES);
    bytes.splice(at..at, opcode.iter().copied());
}

/// Puts another word in the place of a number or a key of a JSON.
fn change_text(bytes: &mut Vec<u8>, entropy: &mut Entropy<'_>) {
    const WORDS: [&str; 20] = [
        "0",
        "1",
        "3",
        "-1",
        "1.5",
        "1e308",
        "4294967296",
        "null",
        "true",
        "[]",
        "{}",
        "[[0]]",
        "[1, 2, 3]",
        "\"relu\"",
        "\"gru\"",
        "\"dense\"",
        "\"softmax\"",
        "\"skip\"",
        "\"weights\"",
        "1, 2",
    ];
    let first = change::place(bytes, entropy);
    let is = |byte: &u8| byte.is_ascii_alphanumeric() || b"\".-_".contains(byte);
    let Some(start) = bytes.iter().skip(first).position(is).map(|at| first + at) else {
        return change::bytes(bytes, entropy);
    };
    let len = bytes[start..].iter().position(|byte| !is(byte));
    let end = len.map_or(bytes.len(), |len| start + len);
    bytes.splice(start..end, entropy.one(&WORDS).bytes());
}

/// Puts another word into an order of layers.
fn change_order(order: &mut Vec<u8>, entropy: &mut Entropy<'_>) {
    const WORDS: [&str; 16] = [
        "gru",
        "lstm 4",
        "rnn relu",
        "linear",
        "embedding",
        "add input",
        "concat rnn",
        "softmax",
        "unused fc",
        ",",
        " ",
        "x2",
        "18446744073709551615",
        "{\"layers\": [",
        "é",
        "input",
    ];
    let at = change::place(order, entropy);
    order.splice(at..at, entropy.one(&WORDS).bytes());
}
