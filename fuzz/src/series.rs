//! Data to train on: tables, `.ts` files, arrays in and out of archives, and recordings, with what
//! goes wrong in each.

use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Instant;

use gatelet_series::{Error, Fill, Options, Set, Task, Wanted, WantedBuffer};
use tempfile::TempDir;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use crate::counts::Counts;
use crate::entropy::{Entropy, Source};

/// Inputs so far.
pub static COUNTS: Counts = Counts::new("series");

/// Bytes of numbers that may be held.
const MEMORY: u64 = 1 << 20;

/// One input.
///
/// # Panics
/// When reading panics, numbers read by position differ from those in memory, one is not finite, or
/// a refusal is not one line.
pub fn run(input: &[u8]) {
    static START: OnceLock<Instant> = OnceLock::new();
    let start = *START.get_or_init(Instant::now);
    thread_local! {
        static FOLDER: TempDir = tempfile::tempdir().expect("a folder");
    }
    let mut entropy = Entropy::new(input);
    FOLDER.with(|folder| {
        let (path, target) = file(folder.path(), &mut entropy);
        let table = path.extension().is_some_and(|ending| ending == "csv");
        let options = options(target, table, &mut entropy);
        COUNTS.count(accepted(&path, &options), start);
    });
}

/// A file, and perhaps one of what is asked.
fn file(folder: &Path, entropy: &mut Entropy<'_>) -> (PathBuf, Option<String>) {
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.join(name);
        std::fs::write(&path, bytes).expect("a file");
        path
    };
    let changed = |mut bytes: Vec<u8>, entropy: &mut Entropy<'_>| {
        if entropy.rarely(3) {
            (0..=entropy.below(3)).for_each(|_| change(&mut bytes, entropy));
        }
        bytes
    };
    match entropy.below(6) {
        0 | 1 => {
            let text = table(entropy).into_bytes();
            (write("a.csv", &changed(text, entropy)), None)
        }
        2 => {
            let text = cases(entropy).into_bytes();
            (write("a.ts", &changed(text, entropy)), None)
        }
        3 => {
            let shape = shape(entropy);
            let answers = array(&shape[..entropy.below(shape.len() + 1)], entropy);
            let x = array(&shape, entropy);
            write("y.npy", &changed(answers, entropy));
            (
                write("x.npy", &changed(x, entropy)),
                Some("y.npy".to_owned()),
            )
        }
        4 => {
            let bytes = archive(entropy);
            (write("a.npz", &changed(bytes, entropy)), None)
        }
        _ => {
            let bytes = recording(entropy);
            (write("a.wav", &changed(bytes, entropy)), None)
        }
    }
}

/// Words of tables: names, numbers, and what is neither.
const WORDS: [&str; 24] = [
    "x",
    "y",
    "l",
    "g",
    "t",
    "0",
    "1",
    "2",
    "-1.5",
    "3e38",
    "1e39",
    "inf",
    "NaN",
    "",
    "?",
    "a",
    "b",
    "\"q\"",
    "\"un",
    "2026-01-01",
    "1,5",
    "\u{e9}",
    "\u{7}",
    "99999999999999999999",
];

fn table(entropy: &mut Entropy<'_>) -> String {
    let separator = entropy.one(&[",", ",", ",", ";", "\t"]);
    let columns = if entropy.rarely(4) {
        1 + entropy.below(5)
    } else {
        5
    };
    let names: Vec<&str> = match entropy.rarely(10) {
        true => (0..columns).map(|_| entropy.one(&WORDS)).collect(),
        false => ["x", "y", "l", "g", "t"][..columns].to_vec(),
    };
    let mut text = names.join(separator);
    let wild = entropy.rarely(5);
    let mixed = entropy.rarely(2);
    for row in 0..entropy.below(200) {
        let fields: Vec<String> = (0..columns)
            .map(|k| match k {
                _ if wild && entropy.rarely(40) => entropy.one(&WORDS).to_owned(),
                2 if mixed => entropy.one(&["a", "b", "1"]).to_owned(),
                2 => ["a", "b", "1"][row / 7 % 5 % 3].to_owned(),
                3 => (row / 7 % 5).to_string(),
                4 if entropy.rarely(30) => (row * 3).to_string(),
                4 => row.to_string(),
                _ if entropy.rarely(20) => String::new(),
                _ => (entropy.random() as i16).to_string(),
            })
            .collect();
        text.push('\n');
        text += &fields.join(separator);
    }
    text
}

fn cases(entropy: &mut Entropy<'_>) -> String {
    let mut text = entropy
        .one(&[
            "@classLabel true a b\n",
            "@targetLabel true\n",
            "# none\n",
            "@timestamps true\n",
        ])
        .to_owned();
    text += "@data\n";
    let dimensions = 1 + entropy.below(3);
    for _ in 0..entropy.below(12) {
        let steps = 1 + entropy.below(30);
        for _ in 0..dimensions {
            let numbers: Vec<String> = (0..steps)
                .map(|_| match entropy.rarely(200) {
                    true => entropy.one(&["?", "NaN", "inf", "x", ""]).to_owned(),
                    false => (entropy.random() as i16).to_string(),
                })
                .collect();
            text += &numbers.join(",");
            text.push(':');
        }
        text += entropy.one(&["a", "b", "1", "2.5", ""]);
        text.push('\n');
    }
    text
}

fn shape(entropy: &mut Entropy<'_>) -> Vec<u64> {
    let sizes = match entropy.rarely(3) {
        true => 1 + entropy.below(4),
        false => 3,
    };
    let size = |entropy: &mut Entropy<'_>| match entropy.rarely(20) {
        true => 0,
        false => 1 + entropy.below(9) as u64,
    };
    (0..sizes).map(|_| size(entropy)).collect()
}

/// A `.npy`; some declare what is not there.
fn array(shape: &[u64], entropy: &mut Entropy<'_>) -> Vec<u8> {
    let (descr, size) = entropy.one(&[
        ("<f4", 4),
        ("<f4", 4),
        ("<f4", 4),
        ("<i8", 8),
        (">f8", 8),
        ("<f2", 2),
        ("|i1", 1),
        ("<i8", 8),
        ("|b1", 1),
        ("<U2", 8),
        ("|O", 8),
        ("<c8", 8),
    ]);
    let count = shape.iter().product::<u64>() as usize;
    let mut sizes: Vec<String> = shape.iter().map(u64::to_string).collect();
    if entropy.rarely(12) && !sizes.is_empty() {
        let huge = ["4294967296", "18446744073709551615", "-1", "1099511627776"];
        let at = entropy.below(sizes.len());
        sizes[at] = entropy.one(&huge).to_owned();
    }
    let order = if entropy.rarely(4) { "True" } else { "False" };
    let text = format!(
        "{{'descr': '{descr}', 'fortran_order': {order}, 'shape': ({},), }}\n",
        sizes.join(", ")
    );
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((text.len() as u16).to_le_bytes());
    bytes.extend(text.bytes());
    for _ in 0..count {
        match descr {
            "<f4" if entropy.rarely(200) => bytes.extend(f32::NAN.to_le_bytes()),
            "<f4" => bytes.extend(f32::from(entropy.random() as i8).to_le_bytes()),
            ">f8" => bytes.extend(f64::from(entropy.random() as i32).to_be_bytes()),
            "<i8" => bytes.extend((entropy.below(4) as i64 - 1).to_le_bytes()),
            "|i1" | "|b1" => bytes.push(entropy.below(2) as u8),
            _ => bytes.extend(&entropy.random().to_le_bytes()[..size]),
        }
    }
    bytes
}

fn archive(entropy: &mut Entropy<'_>) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let shape = shape(entropy);
    let names = ["x", "y", "X_train", "y_train", "X_test", "y_test"];
    let (first, last) = entropy.one(&[(0, 2), (0, 2), (2, 6), (0, 6), (0, 1), (2, 5)]);
    for (k, name) in names[first..last].iter().enumerate() {
        let method = match entropy.rarely(3) {
            true => CompressionMethod::Deflated,
            false => CompressionMethod::Stored,
        };
        let len = match k % 2 {
            0 => shape.len(),
            _ => entropy.below(shape.len() + 1),
        };
        let mut bytes = array(&shape[..len], entropy);
        if entropy.rarely(10) {
            // A bomb, behind whatever its header says.
            bytes.resize(bytes.len() + (4 << 20), 0);
        }
        let options = SimpleFileOptions::default().compression_method(method);
        zip.start_file(format!("{name}.npy"), options)
            .expect("a member");
        zip.write_all(&bytes).expect("its bytes");
    }
    zip.finish().expect("a zip").into_inner()
}

fn recording(entropy: &mut Entropy<'_>) -> Vec<u8> {
    let channels = 1 + entropy.below(3) as u16;
    let (format, bits) = entropy.one(&[(1_u16, 16_u16), (1, 8), (1, 24), (3, 32)]);
    let frame = channels * bits / 8;
    let frames = entropy.below(300);
    let data = frames * usize::from(frame);
    let mut bytes = b"RIFF".to_vec();
    bytes.extend((36 + data as u32).to_le_bytes());
    bytes.extend(b"WAVEfmt \x10\0\0\0");
    bytes.extend(format.to_le_bytes());
    bytes.extend(channels.to_le_bytes());
    bytes.extend(8000_u32.to_le_bytes());
    bytes.extend((8000 * u32::from(frame)).to_le_bytes());
    bytes.extend(frame.to_le_bytes());
    bytes.extend(bits.to_le_bytes());
    bytes.extend(b"data");
    bytes.extend((data as u32).to_le_bytes());
    bytes.extend((0..data).map(|_| entropy.random() as u8 & 0x3f));
    bytes
}

/// Cuts the end off, changes bytes, or says a piece twice.
fn change(bytes: &mut Vec<u8>, entropy: &mut Entropy<'_>) {
    if bytes.is_empty() {
        return;
    }
    let at = entropy.word() as usize % bytes.len();
    match entropy.below(6) {
        0 => bytes.truncate(at),
        1 => {
            let end = (at + entropy.below(64)).min(bytes.len());
            let piece = bytes[at..end].to_vec();
            bytes.splice(at..at, piece);
        }
        _ => {
            for byte in bytes.iter_mut().skip(at).take(1 << entropy.below(3)) {
                *byte = entropy.one(&[0, 1, 0x7f, 0xff, b'"', b'\n', b',', b'9', b':', b'(']);
            }
        }
    }
}

/// Options, most of which the file has an answer to.
fn options(target: Option<String>, table: bool, entropy: &mut Entropy<'_>) -> Options {
    let task = match entropy.below(4) {
        0 => Task::Classify,
        1 => Task::Label,
        2 => Task::Regress,
        _ if entropy.rarely(10) => Task::Forecast { steps: 0 },
        _ => Task::Forecast {
            steps: 1 + entropy.below(3),
        },
    };
    let forecast = matches!(task, Task::Forecast { .. });
    let wild = entropy.rarely(8);
    let some = |name: &str| vec![name.to_owned()];
    let often = |entropy: &mut Entropy<'_>, name: &str| match table != wild {
        true => (!entropy.rarely(3)).then(|| name.to_owned()),
        false => None,
    };
    let window = entropy.rarely(2).then(|| entropy.below(30));
    Options {
        target: match (target, task) {
            (Some(name), _) if !forecast => vec![name],
            _ if wild == table => Vec::new(),
            (_, Task::Classify | Task::Label) => some("l"),
            _ => some("y"),
        },
        features: match (table != wild, entropy.below(4)) {
            (true, 0..3) => some("x"),
            (false, 0) => some("0"),
            _ => Vec::new(),
        },
        group: often(entropy, "g"),
        sequence: (table && entropy.rarely(6)).then(|| "l".to_owned()),
        time: (table && entropy.rarely(3)).then(|| "t".to_owned()),
        fill: entropy.one(&[
            None,
            Some(Fill::Previous),
            Some(Fill::Linear),
            Some(Fill::Zero),
            Some(Fill::Drop),
        ]),
        hop: match window {
            Some(_) if entropy.rarely(2) => Some(entropy.below(9)),
            _ => None,
        },
        window,
        once: entropy.one(&[None, None, None, Some(true), Some(false)]),
        channel: entropy.one(&[None, None, Some(0), Some(1)]),
        memory: MEMORY,
        ..Options::new(task)
    }
}

/// Opens data both ways.
fn accepted(path: &Path, options: &Options) -> bool {
    let streamed = Options {
        memory: 0,
        ..options.clone()
    };
    let by_position = Set::open(path, &streamed);
    match (Set::open(path, options), by_position) {
        (Ok(held), Ok(streamed)) => {
            same(&held, &streamed);
            true
        }
        // What has to be in memory whole.
        (Ok(_), Err(Error::Memory { .. })) => true,
        (Err(error), Err(other)) => {
            let text = error.to_string();
            assert!(
                !text.is_empty() && !text.contains(char::is_control),
                "{text:?}"
            );
            let memory = matches!(other, Error::Memory { .. });
            assert!(memory || other.to_string() == text, "{text}: {other}");
            false
        }
        (held, streamed) => panic!("in memory {held:?}, by position {streamed:?}"),
    }
}

/// That both give the same bits, which are numbers.
fn same(held: &Set, streamed: &Set) {
    assert_eq!(
        (held.len(), held.notes()),
        (streamed.len(), streamed.notes())
    );
    assert!(!held.is_empty() && held.width() > 0 && held.outputs() > 0);
    let (mut one, mut other) = (WantedBuffer::new(), WantedBuffer::new());
    for k in (0..held.len()).take(40) {
        let steps = held.steps(k);
        let mut inputs = vec![f32::NAN; steps * held.width()];
        held.read(k, 0, &mut inputs, &mut one)
            .expect("steps in memory");
        assert!(inputs.iter().all(|x| x.is_finite()), "{inputs:?}");
        let from = steps / 2;
        let mut half = vec![f32::NAN; (steps - from) * held.width()];
        streamed
            .read(k, from, &mut half, &mut other)
            .expect("steps by position");
        let bits = |numbers: &[f32]| numbers.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&inputs[from * held.width()..]), bits(&half));
        match (one.wanted(), other.wanted()) {
            (Wanted::Class(a), Wanted::Class(b)) => assert_eq!(a, b),
            (Wanted::Labels(a), Wanted::Labels(b)) => assert_eq!(&a[from..], b),
            (Wanted::Values(a), Wanted::Values(b)) => {
                assert_eq!(bits(&a[from * held.outputs()..]), bits(b));
            }
            (Wanted::Value(a), Wanted::Value(b)) => assert_eq!(bits(a), bits(b)),
            (a, b) => panic!("{a:?} in memory, {b:?} by position"),
        }
    }
}
