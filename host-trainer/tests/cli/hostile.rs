//! Files that somebody damaged or made up: a line and exit code 1, never a panic, never a success that is none.

use std::fs;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::Stdio;

use gatelet_trainer::data::corpus::{Corpus, Outline, Text};
use gatelet_trainer::error::Error;
use gatelet_trainer::train::Trainer;
use gatelet_trainer::train::checkpoint::Checkpoint;
use serde_json::{Value, json};

use crate::place::Place;

/// A checkpoint in its parts.
#[derive(Clone)]
struct Parts {
    header: Value,
    meta: Value,
    numbers: Vec<u8>,
}

impl Parts {
    fn read(path: &Path) -> Self {
        let bytes = fs::read(path).unwrap();
        let (length, rest) = bytes.split_first_chunk::<8>().unwrap();
        let (header, numbers) = rest.split_at(u64::from_le_bytes(*length) as usize);
        let mut header: Value = serde_json::from_slice(header).unwrap();
        let metadata = header["__metadata__"].as_object_mut().unwrap();
        metadata.remove("sha256").unwrap();
        let meta = serde_json::from_str(metadata["gatelet"].as_str().unwrap()).unwrap();
        let numbers = numbers.to_vec();
        Self {
            header,
            meta,
            numbers,
        }
    }

    /// The file's bytes, without a seal.
    fn bytes(&self) -> Vec<u8> {
        let mut header = self.header.clone();
        header["__metadata__"]["gatelet"] = self.meta.to_string().into();
        let mut header = header.to_string().into_bytes();
        header.resize(header.len().next_multiple_of(8), b' ');
        let length = (header.len() as u64).to_le_bytes();
        [&length, &header[..], &self.numbers].concat()
    }

    /// The bytes of a tensor's element.
    fn element(&mut self, tensor: &str, at: usize) -> &mut [u8] {
        let from = self.header[tensor]["data_offsets"][0].as_u64().unwrap() as usize;
        &mut self.numbers[from + 4 * at..][..4]
    }
}

/// A place with a run that was stopped in the middle, whose last.safetensors is the only checkpoint to resume.
fn stopped() -> (Place, Parts) {
    let place = Place::new();
    let run = "train text.txt --hidden 8 --batch 4 --window 16 --epochs 9 --eval-every 7 --out run -q \
               --schedule plateau";
    place.good(&run.split_whitespace().collect::<Vec<_>>());
    fs::remove_file(place.path("run/previous.safetensors")).unwrap();
    let mut parts = Parts::read(&place.path("run/last.safetensors"));
    // In the middle of an epoch, so that every number has a meaning.
    let position = &mut parts.meta["position"];
    assert_eq!(position["ended"], "finished");
    (position["epoch"], position["window"], position["ended"]) = (4.into(), 3.into(), Value::Null);
    (position["step"], position["characters"]) = (137.into(), (137 * 4 * 16).into());
    position["evaluated_at"][0] = (133 * 4 * 16).into();
    (place, parts)
}

/// Every number of a value, by its path.
fn numbers(value: &Value, path: &str, all: &mut Vec<String>) {
    match value {
        Value::Number(_) => all.push(path.to_owned()),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                numbers(item, &format!("{path}/{index}"), all);
            }
        }
        Value::Object(members) => {
            for (key, member) in members {
                numbers(member, &format!("{path}/{key}"), all);
            }
        }
        _ => {}
    }
}

/// Reads a checkpoint and trains three windows on; gives the error, if there is one.
fn go_on(bytes: &[u8], corpus: &Corpus) -> Result<(), Error> {
    let checkpoint = Checkpoint::from_bytes(bytes, Path::new("x"))?;
    let mut trainer = Trainer::resume(corpus, checkpoint)?;
    (0..3).try_for_each(|_| trainer.step().map(drop))
}

/// Each number of the metadata becomes zero, small, large, huge, negative, a fraction, nothing and a word. That is
/// refused, or it is another run that goes on; nothing panics.
#[test]
fn no_number_of_a_checkpoint_makes_the_program_panic() {
    let (place, parts) = stopped();
    let text = Text::read(&place.path("text.txt")).unwrap();
    let config = gatelet_trainer::train::config::Config::default();
    let outline = Outline::of(&text, &config.corpus_options()).unwrap();
    let corpus = outline.corpus(&text, &place.path("")).unwrap();
    go_on(&parts.bytes(), &corpus).unwrap();
    let mut fields = Vec::new();
    numbers(&parts.meta, "", &mut fields);
    assert!(fields.len() > 40, "{fields:?}");
    let values = [
        json!(0),
        json!(1),
        json!(5000),
        json!(u32::MAX),
        json!(1_u64 << 53),
        json!(i64::MAX),
        json!(u64::MAX),
        json!(-1),
        json!(0.5),
        json!(-1e-3),
        json!(1e308),
        json!(-1e308),
        Value::Null,
        json!("NaN"),
    ];
    let mut refused = 0;
    for field in &fields {
        for value in &values {
            let mut changed = parts.clone();
            *changed.meta.pointer_mut(field).unwrap() = value.clone();
            let bytes = changed.bytes();
            let outcome = catch_unwind(AssertUnwindSafe(|| go_on(&bytes, &corpus)));
            let outcome = outcome.unwrap_or_else(|_| panic!("{field} = {value} panics"));
            refused += usize::from(outcome.is_err());
        }
    }
    // Half of the values are no count at all; what is left may be that of another run.
    assert!(
        refused > 7 * fields.len(),
        "{refused} of {} x 14",
        fields.len()
    );
}

/// What no run can come to is refused by the program, in a line that names it; and nothing is written.
#[test]
fn a_position_that_no_run_has_is_refused() {
    let (place, parts) = stopped();
    let position = parts.meta["position"].clone();
    let resume = ["train", "text.txt", "--out", "run", "--resume", "-q"];
    for (name, value) in [
        ("window", json!(5000)),
        ("window", json!(u64::MAX)),
        ("epoch", json!(u64::MAX)),
        ("epoch", json!(10)),
        ("epoch", json!(9)),
        ("step", json!(0)),
        ("step", json!(u64::MAX)),
        ("step", json!(1_000_000)),
        ("characters", json!(u64::MAX)),
        ("characters", json!(1_u64 << 50)),
        ("loss_sum", json!(-1.0)),
        ("loss_sum", Value::Null),
        ("loss_count", json!(u64::MAX)),
        ("best_nats", json!(-1.0)),
        ("evaluations_since_best", json!(u64::MAX)),
        ("plateau", json!({"scale": 0.0, "best": null, "waited": 0})),
        ("plateau", json!({"scale": 2.0, "best": null, "waited": 0})),
        (
            "plateau",
            json!({"scale": 1.0, "best": null, "waited": u64::MAX}),
        ),
        ("plateau", json!({"scale": 1.0, "best": -3.0, "waited": 0})),
        (
            "cooldown",
            json!({"start": 1_u64 << 40, "steps": 1, "rate": 0.1}),
        ),
        (
            "cooldown",
            json!({"start": 0, "steps": u64::MAX, "rate": 0.1}),
        ),
        ("cooldown", json!({"start": 0, "steps": 1, "rate": -0.1})),
        ("gradient_norm", json!(-1.0)),
        ("lr", json!(1e9)),
        ("seconds", json!(-5.0)),
        ("seconds", json!(1e300)),
        ("evaluated_at", json!([u64::MAX, 0.0])),
        ("evaluated_at", json!([0, -1.0])),
        ("ended", json!("finished")),
        ("ended", json!("time")),
        ("ended", json!("never")),
    ] {
        let mut changed = parts.clone();
        changed.meta["position"][name] = value.clone();
        place.write("run/last.safetensors", &changed.bytes());
        let parts = ["run/last.safetensors: "];
        place.bad(&resume, 1, &parts);
    }
    assert_eq!(position["window"], 3, "it was in the middle");
    place.write("run/last.safetensors", &parts.bytes());
    place.good(&resume);
}

#[test]
fn numbers_that_no_optimizer_and_no_cell_has_are_refused() {
    let (place, parts) = stopped();
    let resume = ["train", "text.txt", "--out", "run", "--resume", "-q"];
    for (tensor, value) in [
        ("optimizer.square", -1.0),
        ("optimizer.square", f32::NAN),
        ("optimizer.mean", f32::INFINITY),
        ("state.h", 2.0),
        ("state.h", f32::NAN),
        ("state.c", f32::NEG_INFINITY),
        ("head.bias", f32::NAN),
    ] {
        let mut changed = parts.clone();
        changed
            .element(tensor, 3)
            .copy_from_slice(&value.to_le_bytes());
        place.write("run/last.safetensors", &changed.bytes());
        place.bad(&resume, 1, &["run/last.safetensors: ", tensor, "element 3"]);
    }
    // Two halves of a bias, each finite.
    let mut changed = parts.clone();
    for half in ["rnn.bias_ih_l0", "rnn.bias_hh_l0"] {
        changed
            .element(half, 0)
            .copy_from_slice(&f32::MAX.to_le_bytes());
    }
    place.write("run/last.safetensors", &changed.bytes());
    place.bad(&resume, 1, &["rnn.bias_ih_l0", "rnn.bias_hh_l0"]);
    // Tensors of another shape, though of as many numbers.
    for tensor in ["state.h", "optimizer.mean", "head.weight"] {
        let mut changed = parts.clone();
        let shape = changed.header[tensor]["shape"].as_array_mut().unwrap();
        shape.push(json!(1));
        place.write("run/last.safetensors", &changed.bytes());
        place.bad(&resume, 1, &["run/last.safetensors: ", tensor, "shape"]);
    }
}

/// A net whose options describe another one than its tensors.
#[test]
fn options_of_another_net_are_refused() {
    let (place, parts) = stopped();
    for (name, value) in [
        ("hidden", json!(9)),
        ("layers", json!(2)),
        ("cell", json!("rnn")),
    ] {
        let mut changed = parts.clone();
        changed.meta["config"][name] = value;
        place.write("x.safetensors", &changed.bytes());
        let qat = [
            "train",
            "text.txt",
            "--qat",
            "x.safetensors",
            "--out",
            "q",
            "-q",
        ];
        place.bad(&qat, 1, &["x.safetensors: "]);
        place.bad(&["inspect", "x.safetensors"], 1, &["x.safetensors: "]);
    }
}

/// A digest is checked wherever it stands.
#[test]
fn a_stale_digest_is_refused() {
    let place = Place::new();
    place.train("run");
    let parts = Parts::read(&place.path("run/best.safetensors"));
    place.write("plain.safetensors", &parts.bytes());
    place.good(&["inspect", "plain.safetensors"]);
    let text = String::from_utf8_lossy(&parts.bytes()[8..]).into_owned();
    let end = text.find("\"__metadata__\":{").unwrap();
    assert!(end > 0, "it is among the others");
    let bytes = parts.bytes();
    let stale = "7".repeat(64);
    for (from, to) in [
        (
            "\"__metadata__\":{",
            format!("\"__metadata__\": {{ \"sha256\" : \"{stale}\", "),
        ),
        (
            "\"__metadata__\":{",
            format!("\"__metadata__\":{{\"sh\\u0061256\":\"{stale}\","),
        ),
        (
            "\"__metadata__\":{",
            format!("\"__metadata__\":{{\"sha256\":\"{stale}\",\"sha256\":\"{stale}\","),
        ),
    ] {
        let at = bytes
            .windows(from.len())
            .position(|w| w == from.as_bytes())
            .unwrap();
        let old = u64::from_le_bytes(*bytes.first_chunk::<8>().unwrap()) as usize;
        let header = [
            &bytes[8..at],
            to.as_bytes(),
            &bytes[at + from.len()..8 + old],
        ]
        .concat();
        let mut header = header.trim_ascii_end().to_vec();
        header.resize(header.len().next_multiple_of(8), b' ');
        let length = (header.len() as u64).to_le_bytes();
        place.write(
            "stale.safetensors",
            &[&length, &header[..], &bytes[8 + old..]].concat(),
        );
        place.bad(
            &["inspect", "stale.safetensors"],
            1,
            &["stale.safetensors is damaged"],
        );
    }
}

/// Finite weights whose loss is no number: an error, and no NaN where a loss would stand.
#[test]
fn a_loss_that_is_no_number_is_an_error() {
    let place = Place::new();
    place.train("run");
    let mut parts = Parts::read(&place.path("run/best.safetensors"));
    for tensor in ["head.weight", "rnn.weight_hh_l0", "rnn.weight_ih_l0"] {
        let shape = parts.header[tensor]["shape"].clone();
        let count = shape
            .as_array()
            .unwrap()
            .iter()
            .map(|n| n.as_u64().unwrap());
        for at in 0..count.product::<u64>() as usize {
            let value: f32 = if at % 3 == 0 { -3.3e38 } else { 3.3e38 };
            parts
                .element(tensor, at)
                .copy_from_slice(&value.to_le_bytes());
        }
    }
    place.write("huge.safetensors", &parts.bytes());
    for line in [
        &["eval", "huge.safetensors", "text.txt"][..],
        &["eval", "huge.safetensors", "text.txt", "--json"],
        &["predict", "huge.safetensors", "it"],
        &[
            "generate",
            "huge.safetensors",
            "--length",
            "5",
            "--prompt",
            "it",
            "--json",
        ],
        &[
            "export",
            "huge.safetensors",
            "--bits",
            "f32",
            "--out",
            "h.gatelet",
        ],
        &["explain", "huge.safetensors"],
    ] {
        place.bad(line, 1, &[]);
    }
}

/// What never ends is not read to its end, and a model out of a pipe is as good as one in a file.
#[cfg(target_os = "linux")]
#[test]
fn what_never_ends_is_refused() {
    let place = Place::new();
    place.train("run");
    place.good(&["export", "run/best.safetensors", "--out", "m.gatelet"]);
    for device in ["/dev/zero", "/dev/urandom"] {
        for line in [
            &["eval", device, "text.txt"][..],
            &["predict", device, "it"],
            &["generate", device, "--length", "3"],
            &["inspect", device],
            &["verify", device],
            &["trace", device, "text.txt"],
            &["explain", device],
            &["export", device, "--out", "x.gatelet"],
            &["suite", device, "--out", "x.suite"],
            &["train", "text.txt", "--qat", device, "--out", "x"],
            &["eval", "m.gatelet", device],
            &["train", device, "--out", "x", "--stream-above", "1"],
        ] {
            place.bad(line, 1, &[device]);
        }
    }
    for model in ["m.gatelet", "run/best.safetensors", "run/last.safetensors"] {
        let bytes = fs::read(place.path(model)).unwrap();
        let child = |bytes: Vec<u8>| {
            let command = place
                .command(&["inspect", "/dev/stdin"])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn();
            let mut child = command.unwrap();
            let mut stdin = child.stdin.take().unwrap();
            std::thread::spawn(move || stdin.write_all(&bytes));
            child.wait_with_output().unwrap().status.code()
        };
        assert_eq!(child(bytes.clone()), Some(0), "{model}");
        assert_eq!(child(bytes[..bytes.len() - 1].to_vec()), Some(1), "{model}");
        assert_eq!(child([&bytes[..], b"x"].concat()), Some(1), "{model}");
    }
}

/// The files of a run folder, read by the commands that look at runs.
#[test]
fn a_run_folder_that_was_made_up_is_refused_in_a_line() {
    let place = Place::new();
    place.train("run");
    let config = fs::read(place.path("run/config.json")).unwrap();
    let config: Value = serde_json::from_slice(&config).unwrap();
    for (name, value) in [
        ("hidden", json!(u64::MAX)),
        ("hidden", json!(0)),
        ("layers", json!(1_u64 << 40)),
        ("vocab", json!(u64::MAX)),
        ("vocab", json!(-1)),
    ] {
        let mut changed = config.clone();
        changed["shape"][name] = value;
        place.write("run/config.json", changed.to_string().as_bytes());
        place.bad(&["compare", "run"], 1, &["config.json"]);
        place.bad(&["report", "run"], 1, &["config.json"]);
    }
    fs::remove_file(place.path("run/config.json")).unwrap();
    std::os::unix::fs::symlink("/dev/zero", place.path("run/config.json")).unwrap();
    for line in [["compare", "run"], ["report", "run"]] {
        let output = place.run(&line);
        assert_eq!(output.status.code(), Some(1), "{line:?}");
    }
}
