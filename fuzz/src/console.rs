//! The console's whole byte language, and the serial line before it: bytes come in bursts and wait
//! in the board's queue while the net computes.
//!
//! ```text
//! bytes --bursts--> queue (when it is full the sender waits) --> Console::feed ... Console::refresh --> terminal
//! ```

use std::sync::OnceLock;
use std::time::Instant;

use gatelet::format::{
    FeatureSpec, ImageSpec, MatrixSpec, OperationSpec, VocabSpec, image_len, write_image,
};
use gatelet::net::{Kind, Net};
use gatelet::{
    Completer, History, KnownAnswer, Layout, Model, Native, Precision, Provenance, Session,
    StateBuf, TextRules, UNKNOWN, visible,
};
use gatelet_firmware::console::{BEAM, COMPLETION};
use gatelet_firmware::view::View;
use gatelet_firmware::write::{Writer, Writing};
use gatelet_firmware::{Console, Line};
use gatelet_random::stacked;
use heapless::spsc::Queue;

use crate::counts::Counts;
use crate::entropy::{Entropy, Source};
use crate::image::Aligned;

/// Inputs so far.
pub static CONSOLE: Counts = Counts::new("console");
/// Inputs so far.
pub static SERIAL: Counts = Counts::new("serial");

const VOCAB: [char; 10] = [
    '\n', ' ', '\'', 'a', 'b', 'é', '\u{202e}', '漢', UNKNOWN, '😀',
];
const WORDS_VOCAB: [&str; 10] = [
    "\n", "!", "'", ",", "a", "ab", "né", "the", "漢", "\u{fffd}",
];

const HIDDEN: usize = 5;
const NET: Net = stacked(Precision::Int8, VOCAB.len(), 1, Kind::lstm(HIDDEN));
const STATE: usize = NET.state_words();
const SNAPSHOT: usize = NET.snapshot_words();
/// Shorter than most lines, so that the way past its end is taken often.
const DEPTH: usize = 5;

/// How the console writes by itself.
#[derive(Debug)]
struct Settings;

impl Writing for Settings {
    const SEED: u64 = 7;
    const TEMPERATURE: f32 = 0.9;
    const TOP_K: usize = 9;
    const TOP_P: f32 = 0.95;
    const TOKENS: usize = 3;
    const SAID: &'static str = "temperature 0.9, top-k 9, top-p 0.95";
}

/// Images of the models: of characters, of characters with an unknown token, of lines, of words, of
/// lower case.
fn images() -> &'static [Aligned] {
    static IMAGES: OnceLock<Vec<Aligned>> = OnceLock::new();
    IMAGES.get_or_init(|| {
        let plain = TextRules::default();
        let unknown = TextRules {
            unknown: true,
            ..plain
        };
        let lines = TextRules {
            lines: true,
            fold_space: true,
            ..plain
        };
        let lower = TextRules {
            lower_case: true,
            ..unknown
        };
        let characters = VocabSpec::Characters(&VOCAB);
        let words = VocabSpec::Words(&WORDS_VOCAB);
        let bytes = VocabSpec::Bytes(&[0, 9, 10, 13, 27, 32, 97, 127, 155, 255]);
        [
            (plain, characters),
            (unknown, characters),
            (lines, characters),
            (lower, words),
            (plain, bytes),
        ]
        .map(|(rules, vocab)| image(rules, vocab))
        .to_vec()
    })
}

fn image(rules: TextRules, vocab: VocabSpec<'_>) -> Aligned {
    let mut entropy = Entropy::new(b"a console");
    let (rows, columns) = (4 * HIDDEN, NET.columns(0));
    let used = |k: usize| k % columns < HIDDEN;
    let mut weight = |k: usize| {
        if used(k) {
            (entropy.random() % 255) as i16 as i8
        } else {
            0
        }
    };
    let mut weights =
        |count: usize| -> Vec<i8> { (0..count).map(|k| weight(k).max(-127)).collect() };
    let (layer, head) = (weights(rows * columns), weights(VOCAB.len() * columns));
    let input: Vec<i16> = (0..VOCAB.len() * rows)
        .map(|_| (entropy.random() % 8192) as i16 - 4096)
        .collect();
    let multipliers = vec![1 << 21; rows];
    let weights = MatrixSpec::int8(&layer, &multipliers, 24);
    let layer = OperationSpec::cell_int8(&input, weights, 4);
    let weights = MatrixSpec::int8(&head, &[1 << 26; VOCAB.len()], 24);
    let head = OperationSpec::dense_int8(weights, &[0; VOCAB.len()]);
    let spec = ImageSpec {
        net: NET,
        layout: Layout::Rows,
        vocab,
        features: FeatureSpec::default(),
        operations: &[layer, head],
        outputs: Default::default(),
        provenance: Provenance::default(),
        known_answer: KnownAnswer::default(),
        rules,
    };
    let mut image = vec![0; image_len(&spec).expect("parts that fit together")];
    let len = write_image(&spec, &mut image).expect("as long as it said");
    Aligned::new(&image[..len])
}

type Tested<'m, 's> = Console<'m, 's, Native, Vec<u8>, Settings, DEPTH, SNAPSHOT>;

/// What a console borrows.
struct Bench {
    state: StateBuf<STATE>,
    history: History<DEPTH, SNAPSHOT>,
    completer: Completer<BEAM, COMPLETION, SNAPSHOT>,
}

impl Bench {
    fn new() -> Self {
        Self {
            state: StateBuf::new(),
            history: History::new(),
            completer: Completer::new(),
        }
    }

    fn console<'m>(&mut self, model: &'m Model<'m>) -> Tested<'m, '_> {
        let kernel = Native::default();
        let line = Line::new(model, kernel, self.state.as_mut(), &mut self.history);
        let writer = Writer::new();
        let view = View::new(Vec::new());
        Console::new(
            line.expect("as much as it needs"),
            &mut self.completer,
            view,
            writer,
        )
    }
}

/// Pieces that terminals send, and parts of them.
const PIECES: [&[u8]; 36] = [
    b"\r",
    b"\n",
    b"\r\n",
    b"\r\0",
    b"\t",
    b"\x08",
    b"\x7f",
    b"\x03",
    b"\x0c",
    b"\x07",
    b"\x0e",
    b"\x1b",
    b"\x1b[",
    b"\x1b[A",
    b"\x1b[[A",
    b"\x1b[3~",
    b"\x1bO",
    b"\x1bOP",
    b"\x1b]0;a\x07",
    b"\x1b]11;rgb:0/0/0\x1b\\",
    b"\x1bP1$r0m\x1b\\",
    b"\x1b_a\x1b\\",
    b"\x1bX",
    b"\x1b^b\x9c",
    b"\x1b[M !!",
    b"\x1b[<0;1;2M",
    b"\x1b[200~ab\ta\x1b[201~",
    b"\x1b[200~",
    b"\x1b[201~",
    b"\x1b[?62;c",
    b"\x9b1;2R",
    "é".as_bytes(),
    "漢".as_bytes(),
    "\u{202e}".as_bytes(),
    b"\xc3",
    b"\xf0\x9f",
];

/// Bytes of an input: pieces, text, and any others.
fn bytes(entropy: &mut Entropy<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..entropy.below(40) {
        match entropy.below(8) {
            0 => bytes.push(entropy.byte()),
            1..=3 => bytes.extend_from_slice(entropy.one(&PIECES)),
            _ => bytes.push(entropy.one(b"ab ab'\x08\t")),
        }
    }
    bytes
}

fn start() -> Instant {
    static START: OnceLock<Instant> = OnceLock::new();
    *START.get_or_init(Instant::now)
}

/// One input of the target `console`: a byte at a time, now and then drawn.
///
/// # Panics
/// When the state is not that of the line that is shown, or something that is hidden reaches the
/// terminal.
pub fn run(input: &[u8]) {
    let start = start();
    let mut entropy = Entropy::new(input);
    let images = images();
    let image = &images[entropy.below(images.len())];
    let model = Model::from_bytes(image.bytes()).expect("a good image");
    let mut bench = Bench::new();
    let mut console = bench.console(&model);
    for byte in bytes(&mut entropy) {
        console
            .feed(byte)
            .expect("a terminal that takes everything");
        if entropy.rarely(4) {
            console.refresh().expect("a terminal that takes everything");
            assert_state(&console);
        }
    }
    console.refresh().expect("a terminal that takes everything");
    assert_state(&console);
    assert_shown(console.terminal());
    CONSOLE.count(true, start);
}

/// The state is that of the line's tokens, fed from the start.
fn assert_state(console: &Tested<'_, '_>) {
    let (model, tokens) = (*console.line().model(), console.line().tokens());
    let mut storage = vec![0; STATE];
    let mut fresh = Session::new(&model, Native::default(), &mut storage).expect("room enough");
    fresh.begin();
    for &id in tokens {
        fresh.read(id).expect("a token of the vocabulary");
    }
    let (mut expected, mut found) = ([0; SNAPSHOT], [0; SNAPSHOT]);
    fresh.snapshot(&mut expected).expect("as many words");
    console
        .line()
        .session()
        .snapshot(&mut found)
        .expect("as many words");
    assert_eq!(found, expected, "after {} tokens", tokens.len());
}

/// The terminal gets UTF-8, and of what it would act on only what the view draws with.
fn assert_shown(out: &[u8]) {
    let text = std::str::from_utf8(out).expect("UTF-8");
    for character in text.chars() {
        let drawn = matches!(character, '\x1b' | '\r' | '\n' | '\x07' | '\x08');
        assert!(
            drawn || !visible::is_hidden(character),
            "{character:?} in {text:?}"
        );
    }
}

/// Bytes that wait while the net computes, as on the board.
const QUEUE: usize = 16;

/// One input of the target `serial`: bursts of bytes through the queue. Whatever their timing, the
/// line is the same.
///
/// # Panics
/// When a byte is lost, or when timing changes what was typed.
pub fn serial(input: &[u8]) {
    let start = start();
    let mut entropy = Entropy::new(input);
    let images = images();
    let image = &images[entropy.below(images.len())];
    let model = Model::from_bytes(image.bytes()).expect("a good image");
    let bytes = bytes(&mut entropy);

    let mut slow = Bench::new();
    let mut one_by_one = slow.console(&model);
    for &byte in &bytes {
        one_by_one
            .feed(byte)
            .expect("a terminal that takes everything");
        one_by_one
            .refresh()
            .expect("a terminal that takes everything");
    }

    let mut fast = Bench::new();
    let mut console = fast.console(&model);
    let mut queue: Queue<u8, QUEUE> = Queue::new();
    let (mut received, mut typed) = queue.split();
    let mut line = bytes.iter();
    let mut fed = 0;
    while fed < bytes.len() {
        // The interrupt takes what comes until the queue is full; then the sender waits.
        for _ in 0..entropy.below(2 * QUEUE) {
            if received.len() + 1 >= received.capacity() {
                break;
            }
            let Some(&byte) = line.next() else { break };
            received.enqueue(byte).expect("there was room");
        }
        // The console takes all that waits, and draws once.
        while let Some(byte) = typed.dequeue() {
            console
                .feed(byte)
                .expect("a terminal that takes everything");
            fed += 1;
        }
        console.refresh().expect("a terminal that takes everything");
    }
    assert_eq!(console.line().tokens(), one_by_one.line().tokens());
    assert!(console.line().chars().eq(one_by_one.line().chars()));
    assert_state(&console);
    assert_shown(console.terminal());
    SERIAL.count(true, start);
}
