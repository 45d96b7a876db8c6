//! Small models for the tests, with weights from a fixed generator.

use gatelet::format::{self, HeadSpec, ImageSpec, LayerSpec, VocabSpec};
use gatelet::{
    AlignedBytes, Cell, Dims, KnownAnswer, Layout, Model, Native, Precision, Provenance, TextRules,
    TokenId,
};

/// Characters of the small models: ends of words, a control character, multi-byte and double-width ones.
pub(crate) const VOCAB: [char; 12] = [
    '\n', ' ', '\'', 'a', 'b', 'c', 'd', 'e', 'n', 't', 'é', '漢',
];
/// Units of the small models; not a multiple of four.
const HIDDEN: usize = 6;

/// The sizes of the int8 LSTM.
pub(crate) const DIMS: Dims = match Dims::new(Cell::Lstm, Precision::Int8, 2, HIDDEN, VOCAB.len()) {
    Ok(dims) => dims,
    Err(_) => panic!("the shape is out of range"),
};

/// A small int8 LSTM of two layers, as an image.
pub(crate) fn image() -> AlignedBytes<4096> {
    with_known_answer(None, VOCAB, TextRules::default())
}

/// As [`image`], of a text prepared by `rules`; if they have an unknown token, it is the last of the vocabulary.
pub(crate) fn image_with(rules: TextRules) -> AlignedBytes<4096> {
    let mut vocab = VOCAB;
    if rules.unknown {
        vocab[VOCAB.len() - 1] = gatelet::UNKNOWN;
    }
    with_known_answer(None, vocab, rules)
}

/// As [`image`], whose known answer is wrong though every checksum is right.
pub(crate) fn image_with_wrong_answer() -> AlignedBytes<4096> {
    let wrong = Some(0x0123_4567_89ab_cdef);
    with_known_answer(wrong, VOCAB, TextRules::default())
}

/// Bytes of [`image`] that are the image; the rest are zeros.
pub(crate) fn image_bytes(buffer: &AlignedBytes<4096>) -> &[u8] {
    let length = u32::from_le_bytes([buffer.0[16], buffer.0[17], buffer.0[18], buffer.0[19]]);
    &buffer.0[..length as usize]
}

fn with_known_answer(
    wrong: Option<u64>,
    vocab: [char; VOCAB.len()],
    rules: TextRules,
) -> AlignedBytes<4096> {
    let tokens = [3, 4, 5, 1, 9, 11];
    let write = |hash| {
        let tokens = &tokens;
        write(KnownAnswer { tokens, hash }, &vocab, rules)
    };
    let first = write(0);
    let model = Model::from_bytes(image_bytes(&first)).unwrap();
    let mut storage = [0; DIMS.state_words()];
    let right = model
        .known_answer_hash(Native::default(), &mut storage)
        .unwrap();
    write(wrong.unwrap_or(right))
}

fn write(known_answer: KnownAnswer<'_>, vocab: &[char], rules: TextRules) -> AlignedBytes<4096> {
    let mut seed = 1u32;
    let mut next = move || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        seed >> 16
    };
    let rows = DIMS.rows();
    let mut int16 = |n: usize| (0..n).map(|_| (next() as i16) / 4).collect::<Vec<_>>();
    let inputs = [int16(rows * VOCAB.len()), int16(rows)];
    // The columns behind the last unit are padding, and zero.
    let mut int8 = |rows: usize, columns: usize| {
        let weight = |i: usize| match (i % DIMS.stride()) < HIDDEN {
            true => (next() % 255) as i8,
            false => 0,
        };
        (0..rows * columns)
            .map(weight)
            .map(|w| w.max(-127))
            .collect::<Vec<_>>()
    };
    let weights = [int8(rows, DIMS.columns(0)), int8(rows, DIMS.columns(1))];
    let head = int8(VOCAB.len(), DIMS.stride());
    let multipliers = vec![1 << 22; rows];
    let layers: Vec<_> = inputs
        .iter()
        .zip(&weights)
        .map(|(input, weights)| LayerSpec::Int8 {
            input,
            weights,
            multipliers: &multipliers,
            shift: 24,
            cell_bits: 4,
        })
        .collect();
    let spec = ImageSpec {
        dims: DIMS,
        layout: Layout::Rows,
        vocab: VocabSpec::Characters(vocab),
        embedding: None,
        layers: &layers,
        projection: None,
        head: HeadSpec::Int8 {
            weights: &head,
            multipliers: &[1 << 27; VOCAB.len()],
            shift: 24,
            bias: &[0; VOCAB.len()],
        },
        provenance: Provenance::default(),
        known_answer,
        rules,
    };
    let mut buffer = AlignedBytes([0; 4096]);
    format::write_image(&spec, &mut buffer.0).unwrap();
    buffer
}

/// The state after feeding these tokens to a fresh session: what every line must have.
pub(crate) fn state_after(model: Model<'_>, tokens: &[TokenId]) -> Vec<u32> {
    let mut storage = vec![0; model.dims().state_words()];
    let mut session = gatelet::Session::new(model, Native::default(), &mut storage).unwrap();
    for &id in tokens {
        session.step(id).unwrap();
    }
    let mut state = vec![0; model.dims().snapshot_words()];
    session.snapshot(&mut state).unwrap();
    state
}
