//! Models of ONNX: the nets that the tests of gatelet-import read, with changes in names, kinds of
//! nodes, numbers and lengths.

use std::path::Path;
use std::sync::OnceLock;
use std::time::Instant;

use gatelet_import::{Options, read};

use crate::change;
use crate::counts::Counts;
use crate::entropy::{Entropy, Source};
use crate::imported;

/// Inputs so far.
pub static COUNTS: Counts = Counts::new("onnx");

/// The files that are changed.
fn files() -> &'static [Vec<u8>] {
    static FILES: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    FILES.get_or_init(|| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../host-trainer/import/tests");
        let names = [
            "states",
            "plain",
            "reset",
            "dense",
            "words",
            "heads",
            "last_dynamo",
            "step",
            "step_dynamo",
            "before",
        ];
        let file = |name: &str| {
            let path = folder.join("data/onnx").join(format!("{name}.onnx"));
            std::fs::read(path).expect(name)
        };
        names.map(file).into()
    })
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
    let mut bytes = files[entropy.below(files.len())].clone();
    for _ in 0..=entropy.below(4) {
        match entropy.below(4) {
            0 => change::bytes(&mut bytes, &mut entropy),
            _ => change_word(&mut bytes, &mut entropy),
        }
    }
    let draft = read(&bytes, Path::new("net.onnx"), Options::default());
    COUNTS.count(imported::accepted(draft), start);
}

/// Kinds of nodes, and names of attributes, that may stand where one of the same length stands.
const WORDS: [&str; 40] = [
    "Add",
    "Sub",
    "Mul",
    "Div",
    "Neg",
    "GRU",
    "RNN",
    "Not",
    "LSTM",
    "Gemm",
    "Relu",
    "Tanh",
    "Cast",
    "Loop",
    "Size",
    "Tile",
    "Clip",
    "Slice",
    "Split",
    "Shape",
    "Where",
    "Equal",
    "Gather",
    "Concat",
    "MatMul",
    "Expand",
    "Sigmoid",
    "Reshape",
    "Flatten",
    "Squeeze",
    "Softmax",
    "Identity",
    "Constant",
    "Unsqueeze",
    "Transpose",
    "axis",
    "axes",
    "perm",
    "layout",
    "hidden_size",
];

/// Puts another word of the same length in the place of one: so that names of values change places,
/// and lengths stay right.
fn change_word(bytes: &mut Vec<u8>, entropy: &mut Entropy<'_>) {
    let words = words(bytes);
    if words.is_empty() {
        return change::bytes(bytes, entropy);
    }
    let (start, end) = words[entropy.word() as usize % words.len()];
    let len = end - start;
    let known = WORDS.iter().filter(|word| word.len() == len);
    let mut all: Vec<Vec<u8>> = known.map(|word| word.as_bytes().to_vec()).collect();
    let own = words.iter().filter(|(from, to)| to - from == len);
    all.extend(own.map(|(from, to)| bytes[*from..*to].to_vec()));
    let word = &all[entropy.word() as usize % all.len()];
    bytes[start..end].copy_from_slice(word);
}

/// Where strings stand: a length, and as many printable letters.
fn words(bytes: &[u8]) -> Vec<(usize, usize)> {
    let mut all = Vec::new();
    for (at, len) in bytes.iter().enumerate() {
        let (start, len) = (at + 1, usize::from(*len));
        let Some(text) = bytes.get(start..start + len).filter(|_| len < 64) else {
            continue;
        };
        if len > 0 && text.iter().all(|byte| (b'!'..=b'~').contains(byte)) {
            all.push((start, start + len));
        }
    }
    all
}
