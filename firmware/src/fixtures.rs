//! Small models for the tests, with weights from a fixed generator.

use gatelet::format::{self, FeatureSpec, ImageSpec, MatrixSpec, OperationSpec, VocabSpec};
use gatelet::net::{Kind, Net};
use gatelet::{
    AlignedBytes, KnownAnswer, Layout, Model, Native, Precision, Provenance, TextRules, TokenId,
};
use gatelet_random::{stacked, with_widths};

use crate::write::Writing;

/// Characters of the small models: ends of words, a control character, multi-byte and double-width
/// ones.
pub(crate) const VOCAB: [char; 12] = [
    '\n', ' ', '\'', 'a', 'b', 'c', 'd', 'e', 'n', 't', 'é', '漢',
];
/// How the consoles of the tests write.
#[derive(Debug)]
pub(crate) struct Settings;

impl Writing for Settings {
    const SEED: u64 = 7;
    const TEMPERATURE: f32 = 0.9;
    const TOP_K: usize = 9;
    const TOP_P: f32 = 0.95;
    const TOKENS: usize = 5;
    const SAID: &'static str = "temperature 0.9, top-k 9, top-p 0.95";
}

/// Units of the small models; not a multiple of four.
const HIDDEN: usize = 6;

/// Words of the small model of words: marks, words that begin alike, one as long as there may be.
pub(crate) const WORDS: [&str; 14] = [
    "\n",
    "!",
    "'",
    ",",
    "a",
    "ab",
    "an",
    "ate",
    "bean",
    "cab",
    "cabcabcabcabcabcabcabcabcabcabca",
    "né",
    "漢",
    "\u{fffd}",
];

/// Numbers of the embedding and the projection of the model of words.
const WIDTH: usize = 7;

/// The model of words: the other's layers, with embedding, projection and a tied head.
pub(crate) const WORD_NET: Net = with_widths(
    Precision::Int8,
    WORDS.len(),
    2,
    Kind::lstm(HIDDEN),
    (WIDTH, WIDTH, true),
);

/// The int8 LSTM of two layers.
pub(crate) const NET: Net = stacked(Precision::Int8, VOCAB.len(), 2, Kind::lstm(HIDDEN));

/// A small int8 LSTM of two layers, as an image.
pub(crate) fn image() -> AlignedBytes<4096> {
    with_known_answer(None, VocabSpec::Characters(&VOCAB), TextRules::default())
}

/// As [`image`], of a text prepared by `rules`; if they have an unknown token, it is the last of
/// the vocabulary.
pub(crate) fn image_with(rules: TextRules) -> AlignedBytes<4096> {
    let mut vocab = VOCAB;
    if rules.unknown {
        vocab[VOCAB.len() - 1] = gatelet::UNKNOWN;
    }
    with_known_answer(None, VocabSpec::Characters(&vocab), rules)
}

/// As [`image`], a model of lines.
pub(crate) fn image_of_lines() -> AlignedBytes<4096> {
    image_with(TextRules {
        lines: true,
        ..TextRules::default()
    })
}

/// The model of words, of lower-case text.
pub(crate) fn image_of_words() -> AlignedBytes<4096> {
    image_of_words_with(false)
}

/// As [`image_of_words`], and of lines where that is so.
pub(crate) fn image_of_words_with(lines: bool) -> AlignedBytes<4096> {
    let rules = TextRules {
        unknown: true,
        lower_case: true,
        lines,
        ..TextRules::default()
    };
    with_known_answer(None, VocabSpec::Words(&WORDS), rules)
}

/// As [`image`], a model of bytes, those of [`BYTES`].
pub(crate) fn image_of_bytes() -> AlignedBytes<4096> {
    with_known_answer(None, VocabSpec::Bytes(&BYTES), TextRules::default())
}

/// Bytes of that model: a control, letters, the two of an é, the greatest.
pub(crate) const BYTES: [u8; VOCAB.len()] = *b"\x01\n abc\x90\xa9\xc3\xe9\xfe\xff";

/// As [`image`], whose known answer is wrong though every checksum is right.
pub(crate) fn image_with_wrong_answer() -> AlignedBytes<4096> {
    let wrong = Some(0x0123_4567_89ab_cdef);
    with_known_answer(wrong, VocabSpec::Characters(&VOCAB), TextRules::default())
}

/// Bytes of [`image`] that are the image; the rest are zeros.
pub(crate) fn image_bytes(buffer: &AlignedBytes<4096>) -> &[u8] {
    let length = u32::from_le_bytes([buffer.0[16], buffer.0[17], buffer.0[18], buffer.0[19]]);
    &buffer.0[..length as usize]
}

fn with_known_answer(
    wrong: Option<u64>,
    vocab: VocabSpec<'_>,
    rules: TextRules,
) -> AlignedBytes<4096> {
    let tokens = [3, 4, 5, 1, 9, 11];
    let write = |hash| {
        let tokens = &tokens;
        let known_answer = KnownAnswer {
            tokens,
            hash,
            ..KnownAnswer::default()
        };
        write(known_answer, vocab, rules)
    };
    let first = write(0);
    let model = Model::from_bytes(image_bytes(&first)).unwrap();
    let mut storage = vec![0; model.net().state_words()];
    let right = model
        .known_answer_hash(Native::default(), &mut storage)
        .unwrap();
    write(wrong.unwrap_or(right))
}

fn write(
    known_answer: KnownAnswer<'_>,
    vocab: VocabSpec<'_>,
    rules: TextRules,
) -> AlignedBytes<4096> {
    let (net, width) = match vocab {
        VocabSpec::Words(_) => (WORD_NET, WIDTH),
        _ => (NET, 0),
    };
    let (first, head) = (usize::from(width > 0), net.len() - 1);
    let mut seed = 1u32;
    let mut next = move || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        seed >> 16
    };
    let rows = 4 * HIDDEN;
    let mut int16 = |n: usize| (0..n).map(|_| (next() as i16) / 4).collect::<Vec<_>>();
    let tokens = if width == 0 { net.vocab() } else { 1 };
    let inputs = [int16(rows * tokens), int16(rows)];
    // The columns behind the last unit are padding, and zero.
    let mut int8 = |rows: usize, columns: usize, stride: usize, used: usize| {
        let weight = |i: usize| match (i % columns % stride) < used {
            true => (next() % 255) as i8,
            false => 0,
        };
        (0..rows * columns)
            .map(weight)
            .map(|w| w.max(-127))
            .collect::<Vec<_>>()
    };
    let stride = HIDDEN.next_multiple_of(4);
    // The embedding's columns have no padding to speak of: 8 of 7, which the look-up leaves zero.
    let weights = [0, 1].map(|layer| int8(rows, net.columns(first + layer), stride, HIDDEN));
    let read = if width == 0 { HIDDEN } else { width };
    let head = int8(net.vocab(), net.columns(head), stride, read);
    let projected = int8(width, stride, stride, HIDDEN);
    let multipliers = vec![1 << 22; rows];
    let (ones, steep) = (vec![1 << 24; net.vocab()], vec![1 << 27; net.vocab()]);
    let (bias, zeros) = (vec![0; net.vocab()], vec![0; width]);
    let mut operations = Vec::new();
    if width > 0 {
        operations.push(OperationSpec::table(MatrixSpec::int8(&head, &ones, 24)));
    }
    for (input, weights) in inputs.iter().zip(&weights) {
        let weights = MatrixSpec::int8(weights, &multipliers, 24);
        operations.push(OperationSpec::cell_int8(input, weights, 4));
    }
    if width > 0 {
        let weights = MatrixSpec::int8(&projected, &steep[..width], 24);
        operations.push(OperationSpec::dense_int8(weights, &zeros));
    }
    let own = if width > 0 { &[] } else { &head[..] };
    operations.push(OperationSpec::dense_int8(
        MatrixSpec::int8(own, &steep, 24),
        &bias,
    ));
    let spec = ImageSpec {
        net,
        layout: Layout::Rows,
        vocab,
        features: FeatureSpec::default(),
        operations: &operations,
        outputs: Default::default(),
        provenance: Provenance::default(),
        known_answer,
        rules,
    };
    let mut buffer = AlignedBytes([0; 4096]);
    format::write_image(&spec, &mut buffer.0).unwrap();
    buffer
}

/// The state after reading these tokens from the start of a text: what every line must have.
pub(crate) fn state_after(model: Model<'_>, tokens: &[TokenId]) -> Vec<u32> {
    let mut storage = vec![0; model.net().state_words()];
    let mut session = gatelet::Session::new(&model, Native::default(), &mut storage).unwrap();
    session.begin();
    for &id in tokens {
        session.read(id).unwrap();
    }
    let mut state = vec![0; model.net().snapshot_words()];
    session.snapshot(&mut state).unwrap();
    state
}
