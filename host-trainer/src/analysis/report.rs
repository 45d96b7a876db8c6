//! What a model is made of and what it needs on a device, as a table and as JSON.

use gatelet::layer::Matrix;
use gatelet::net::{Input, Kind, Net, Operation, Reads, Value};
use gatelet::visible::line;
use gatelet::{Layout, Model, Native, Precision, Weights};
use serde::Serialize;

use crate::data::corpus::Level;
use crate::hex::hex;
use crate::image::storage;
use crate::net::FrontEnd;
use crate::units::{bytes, grouped};

/// One matrix or table of a model.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Part {
    /// `layer 0 input`, `layer 0 weights`, `head`.
    pub name: String,
    /// Rows and columns, without padding.
    pub shape: [usize; 2],
    /// Smallest and largest scale of a row: the real value of one integer step. `None` for f32.
    pub scales: Option<[f64; 2]>,
    /// Integer bits of the layer's c, where it has one and is int8.
    pub cell_bits: Option<u32>,
    /// Bytes in the image, with multipliers and bias.
    pub bytes: usize,
    /// Multiply-accumulates a step.
    pub macs: usize,
}

/// A model's description.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Description {
    /// `rnn`, `lstm` or `gru`; several with `and`; empty without a recurrent layer.
    pub cell: String,
    /// `f32` or `int8`.
    pub precision: String,
    /// How the weight matrices are arranged.
    pub layout: String,
    /// The processors whose kernel reads this layout; others run it slower.
    pub layout_for: &'static str,
    /// Recurrent layers.
    pub layers: usize,
    /// Units of each.
    pub units: Vec<usize>,
    /// Characters or words; 0 for features.
    pub vocab: usize,
    /// Numbers that are read at every step; 0 for tokens.
    pub features: usize,
    /// What is read: `characters`, `words`, `bytes`, or `features`.
    pub tokens: &'static str,
    /// What makes the features of samples; `None` where they are not made of such.
    pub front_end: Option<FrontEnd>,
    /// Numbers of each output.
    pub outputs: Vec<usize>,
    /// Numbers of an embedding; 0 without one.
    pub embedding: usize,
    /// Numbers of the projection; 0 without one.
    pub projection: usize,
    /// Whether the head's weights are the embedding's.
    pub tied: bool,
    /// All characters, ascending; empty for words and bytes.
    pub characters: String,
    /// Whether U+FFFD among them is the unknown token, which stands for all others and is never written.
    pub unknown_token: bool,
    /// What is done to a text before the model sees it, in words; `as it is` for nothing.
    pub text_rules: String,
    /// Its parts.
    pub parts: Vec<Part>,
    /// Multiply-accumulates a step.
    pub macs_per_step: usize,
    /// Flash for the model: bytes of the image.
    pub flash_bytes: usize,
    /// RAM for one session: state, scratch and logits.
    pub ram_bytes: usize,
    /// RAM for each snapshot kept (undo, beam search).
    pub snapshot_bytes: usize,
    /// Origin.
    pub provenance: Origin,
    /// Steps of the known-answer test; 0 when there is none.
    pub known_answer_steps: usize,
    /// Hash of the known-answer test.
    pub known_answer_hash: String,
    /// Whether the test passes here; `None` when there is none.
    pub known_answer_passes: Option<bool>,
}

/// Origin of a model.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Origin {
    /// Path of the text.
    pub corpus: String,
    /// Its SHA-256.
    pub corpus_sha256: String,
    /// The command that makes the net again.
    pub command: String,
    /// Name and version of the trainer.
    pub trainer: String,
    /// Seed.
    pub seed: u64,
    /// Held-out loss of the f32 net, nats a character.
    pub nats_f32: Option<f64>,
    /// Held-out loss of this model.
    pub nats: Option<f64>,
    /// Characters held out.
    pub heldout_tokens: u32,
}

/// Four decimals are what an image holds; NaN is nothing.
fn measured(nats: f32) -> Option<f64> {
    (!nats.is_nan()).then(|| (f64::from(nats) * 1e4).round() / 1e4)
}

/// Smallest and largest scale of rows with these multipliers.
fn scales(multipliers: &[i32], unit: f64, shift: u32) -> [f64; 2] {
    let scale = |m: &i32| f64::from(*m) * 128.0 / unit / f64::from(shift).exp2();
    multipliers
        .iter()
        .map(scale)
        .fold([f64::INFINITY, 0.0], |[low, high], s| {
            [low.min(s), high.max(s)]
        })
}

/// Bytes of a matrix with its multipliers, and the scales of its rows in steps of `unit`.
fn matrix(matrix: &Matrix<'_>, unit: f64) -> (usize, Option<[f64; 2]>) {
    match matrix {
        Matrix::F32(matrix) => (size_of_val(matrix.weights), None),
        Matrix::Int8(of) => (
            of.weights.bytes() + size_of_val(of.multipliers),
            Some(scales(of.multipliers, unit, of.shift)),
        ),
    }
}

/// The lines of operation `index`, called `name`.
fn operation(model: &Model<'_>, index: usize, of: &Operation, name: &str) -> Vec<Part> {
    let (net, weights) = (model.net(), model.weights(index));
    let part = |what: &str, shape, (bytes, scales), macs| Part {
        name: format!("{name}{what}"),
        shape,
        scales,
        cell_bits: None,
        bytes,
        macs,
    };
    let units = of.kind.units();
    let read: usize = of.operand.parts().map(|value| net.width(value)).sum();
    let all: Vec<Matrix<'_>> = weights.matrices().into_iter().flatten().collect();
    let line = |what, number: usize, (rows, columns), unit, macs| {
        let found = all.get(number).map_or((0, None), |of| matrix(of, unit));
        part(what, [rows, columns], found, macs)
    };
    if let Kind::Embedding { .. } = of.kind {
        // The unit of a look-up is 1/128, and its operand has no scale of its own.
        return vec![line("", 0, (net.vocab(), units), 128.0 * 128.0, 0)];
    }
    if let Kind::Dense { .. } = of.kind {
        let mut head = line("", 0, (units, read), 65_536.0, units * read);
        head.bytes += match &weights {
            Weights::DenseF32(of) => size_of_val(of.bias),
            Weights::DenseInt8(of) => size_of_val(of.bias),
            _ => 0,
        };
        if let (Some(_), Some(Matrix::Int8(tied))) = (of.tied, all.first()) {
            head.bytes -= tied.weights.bytes();
        } else if let (Some(_), Some(Matrix::F32(tied))) = (of.tied, all.first()) {
            head.bytes -= size_of_val(tied.weights);
        }
        return vec![head];
    }
    if let Weights::AddInt8(sum) = &weights {
        let bytes = size_of_val(sum.multipliers);
        return vec![part("", [2, sum.multipliers.len() / 2], (bytes, None), 0)];
    }
    if let Kind::Add = of.kind {
        return Vec::new();
    }
    let token = net.reads_token(index);
    let inputs = if token { net.vocab() } else { 1 };
    let form = of.kind.cell();
    let carries = form.is_some_and(|form| form.carries(Precision::F32));
    let (input_bytes, cell_bits) = match &weights {
        Weights::CellF32(of) => (size_of_val(of.input), None),
        Weights::RecurrentF32(of) => (size_of_val(of.input) + size_of_val(of.bias), None),
        Weights::RecurrentInt8(of) => {
            let bytes = size_of_val(of.input) + size_of_val(of.bias);
            (bytes, carries.then_some(of.state_bits))
        }
        Weights::CellInt8(layer) => (size_of_val(layer.input), carries.then_some(layer.cell_bits)),
        _ => (0, None),
    };
    let step = all.first().and_then(|first| match first {
        Matrix::F32(_) => None,
        Matrix::Int8(_) => Some([1.0 / 4096.0; 2]),
    });
    let rows = of.kind.gates() * units;
    let what = if token { " input rows" } else { " bias" };
    let mut lines = vec![part(what, [inputs, rows], (input_bytes, step), 0)];
    let Some(form) = form else {
        return lines;
    };
    let one = all.len() == 1;
    let names = [
        " gate weights",
        " candidate weights",
        " candidate's h weights",
    ];
    // Those that are there, of which `all` has one each.
    let matrices = names.into_iter().zip(form.matrices).enumerate();
    let matrices = matrices.filter(|(number, _)| net.matrix(index, *number).is_some());
    for (number, (_, (name, matrix))) in matrices.enumerate() {
        let Some(matrix) = matrix else { continue };
        let columns = match matrix.reads {
            Reads::All => read + units,
            Reads::Inputs => read,
            Reads::Own | Reads::Made => units,
        };
        let shape = (matrix.rows * units, columns);
        let name = if one { " weights" } else { name };
        let found = line(name, number, shape, 4096.0, shape.0 * shape.1);
        lines.push(Part {
            cell_bits: if number == 0 { cell_bits } else { None },
            ..found
        });
    }
    lines
}

/// What operation `index` is called; `layers` are before it.
fn name(net: &Net, index: usize, of: &Operation, layers: usize) -> String {
    let value = Value::of(index);
    let output = net.outputs().position(|output| output.value() == value);
    match (of.kind, output) {
        (Kind::Embedding { .. }, _) => "embedding".to_owned(),
        (Kind::Dense { .. }, Some(_)) if of.tied.is_some() => "head (tied)".to_owned(),
        (Kind::Dense { .. }, Some(_)) if net.output_len() == 1 => "head".to_owned(),
        (Kind::Dense { .. }, Some(output)) => format!("head {output}"),
        (Kind::Dense { .. }, None) if net.dims().is_some() => "projection".to_owned(),
        (Kind::Dense { .. }, None) => format!("dense {index}"),
        (Kind::Add, _) => format!("sum {index}"),
        _ => format!("layer {layers}"),
    }
}

/// Describes a model.
pub fn describe(model: &Model<'_>) -> Description {
    let net = model.net();
    let (mut parts, mut units, mut cells) = (Vec::new(), Vec::new(), Vec::new());
    let (mut embedding, mut denses) = (0, Vec::new());
    for (index, of) in net.operations().enumerate() {
        let name = name(net, index, of, units.len());
        match of.kind {
            Kind::Embedding { units } => embedding = units,
            Kind::Dense { units, .. } => denses.push(units),
            Kind::Add => {}
            cell => {
                units.push(cell.units());
                cells.push(cell.name());
            }
        }
        parts.extend(operation(model, index, of, &name));
    }
    cells.sort_unstable();
    cells.dedup();
    let projection = match denses[..] {
        [first, _, ..] => first,
        _ => 0,
    };

    let (from, test) = (model.provenance(), model.known_answer());
    let known_answer_steps = match net.input {
        Input::Tokens { .. } => test.tokens.len(),
        Input::Features { width, .. } => test.features.len() / width.max(1),
    };
    let passes = || {
        model
            .self_test(Native::default(), &mut storage(model.net()))
            .is_ok()
    };
    Description {
        cell: cells.join(" and "),
        precision: net.precision.to_string(),
        layout: model.layout().to_string(),
        layout_for: match model.layout() {
            Layout::Pairs => "Cortex-M4, M7 and M33; others run it slower",
            _ if net.precision == Precision::F32 => "every processor",
            _ => {
                "every processor; a Cortex-M4, M7 or M33 runs an image made with --target cortex-m4 faster"
            }
        },
        layers: units.len(),
        units,
        vocab: net.vocab(),
        features: match net.input {
            Input::Tokens { .. } => 0,
            Input::Features { width, .. } => width,
        },
        tokens: match (net.takes_tokens(), Level::of(&model.vocab())) {
            (false, _) => "features",
            (_, Level::Word) => "words",
            (_, Level::Byte) => "bytes",
            (_, Level::Char) => "characters",
        },
        front_end: model.front_end().map(FrontEnd),
        outputs: (0..net.output_len())
            .map(|index| net.output_width(index))
            .collect(),
        embedding,
        projection,
        tied: net.operations().any(|of| of.tied.is_some()),
        characters: match model.vocab().is_bytes() {
            true => String::new(),
            false => model.vocab().chars().collect(),
        },
        unknown_token: model.rules().unknown,
        text_rules: model.rules().to_string(),
        parts,
        macs_per_step: net.macs_per_step(),
        flash_bytes: model.image_bytes(),
        ram_bytes: 4 * model.session_words(),
        snapshot_bytes: 4 * model.snapshot_words(),
        provenance: Origin {
            corpus: from.corpus.to_owned(),
            corpus_sha256: hex(&from.corpus_sha256),
            command: from.command.to_owned(),
            trainer: from.trainer.to_owned(),
            seed: from.seed,
            nats_f32: measured(from.nats_f32),
            nats: measured(from.nats),
            heldout_tokens: from.heldout_tokens,
        },
        known_answer_steps,
        known_answer_hash: format!("{:016x}", test.hash),
        known_answer_passes: (known_answer_steps > 0).then(passes),
    }
}

impl std::fmt::Display for Description {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sizes = |all: &[usize]| {
            let mut distinct = all.to_vec();
            distinct.dedup();
            let of: Vec<String> = match distinct.len() {
                1 => distinct.iter().map(usize::to_string).collect(),
                _ => all.iter().map(usize::to_string).collect(),
            };
            of.join(", ")
        };
        let layers = match self.layers {
            0 => "no recurrent layer".to_owned(),
            1 => format!("1 layer of {} units", sizes(&self.units)),
            _ => format!("{} layers of {} units", self.layers, sizes(&self.units)),
        };
        let cell = match self.cell.as_str() {
            "" => "dense",
            cell => cell,
        };
        write!(
            f,
            "{cell} {}, {layers}, {} {}",
            self.precision,
            self.vocab + self.features,
            self.tokens
        )?;
        if self.tokens == "features" {
            write!(f, " in, {} numbers out", sizes(&self.outputs))?;
        }
        writeln!(f)?;
        if let Some(front) = &self.front_end {
            writeln!(f, "reads sound: {}", front.0)?;
        }
        writeln!(f, "layout {}, for {}", self.layout, self.layout_for)?;
        if self.tokens != "features" {
            writeln!(f, "reads text {}", self.text_rules)?;
        }
        writeln!(f)?;
        let names = self.parts.iter().map(|part| part.name.chars().count());
        let wide = names.max().unwrap_or(0).max(20);
        writeln!(
            f,
            "{:<wide$} {:>14} {:>10} {:>10}  {:<24} c",
            "part", "shape", "bytes", "MACs/step", "scale of a row"
        )?;
        for part in &self.parts {
            let shape = format!("{} x {}", part.shape[0], part.shape[1]);
            let scale = match part.scales {
                None => "-".to_owned(),
                Some([low, high]) if low == high => format!("{low:.6}"),
                Some([low, high]) => format!("{low:.6} .. {high:.6}"),
            };
            let c = part
                .cell_bits
                .map_or_else(String::new, |bits| format!("Q{bits}.{}", 15 - bits));
            let (bytes, macs) = (grouped(part.bytes), grouped(part.macs));
            let row = format!(
                "{:<wide$} {shape:>14} {bytes:>10} {macs:>10}  {scale:<24} {c}",
                part.name
            );
            writeln!(f, "{}", row.trim_end())?;
        }
        let parts: usize = self.parts.iter().map(|p| p.bytes).sum();
        let rest = grouped(self.flash_bytes.saturating_sub(parts));
        writeln!(f, "{:<wide$} {:>14} {rest:>10}", "header, vocabulary", "")?;
        writeln!(
            f,
            "{:<wide$} {:>14} {:>10} {:>10}",
            "all",
            "",
            grouped(self.flash_bytes),
            grouped(self.macs_per_step)
        )?;
        writeln!(f)?;
        writeln!(
            f,
            "on the device  flash {} bytes ({}) for the model",
            grouped(self.flash_bytes),
            bytes(self.flash_bytes)
        )?;
        writeln!(
            f,
            "               RAM {} bytes for a session, and {} for each snapshot (undo, beam)",
            grouped(self.ram_bytes),
            grouped(self.snapshot_bytes)
        )?;
        let test = match self.known_answer_passes {
            None => "none".to_owned(),
            Some(passes) => {
                let verdict = if passes { "passes here" } else { "FAILS here" };
                format!(
                    "{} {}, hash {}, {verdict}",
                    self.known_answer_steps,
                    if self.tokens == "features" {
                        "steps"
                    } else {
                        "tokens"
                    },
                    self.known_answer_hash
                )
            }
        };
        writeln!(f, "known answer   {test}")?;
        writeln!(f)?;
        let from = &self.provenance;
        let nats = |nats: Option<f64>| {
            nats.map_or_else(|| "not measured".to_owned(), |n| format!("{n:.4} nats"))
        };
        let (origin, made) = match self.tokens {
            "features" => ("from     ", "made by   "),
            _ => ("text     ", "trained by"),
        };
        writeln!(f, "{origin}      {}", line(&from.corpus))?;
        writeln!(f, "sha256         {}", from.corpus_sha256)?;
        writeln!(f, "{made}     {}", line(&from.command))?;
        writeln!(
            f,
            "with           {}, seed {}",
            line(&from.trainer),
            from.seed
        )?;
        if from.nats_f32.is_none() && from.nats.is_none() {
            return write!(f, "held out       not measured");
        }
        write!(
            f,
            "held out       f32 {}, this model {}",
            nats(from.nats_f32),
            nats(from.nats)
        )?;
        if from.heldout_tokens > 0 {
            write!(f, ", on {} {}", grouped(from.heldout_tokens), self.tokens)?;
        }
        Ok(())
    }
}
