//! `gatelet import`.

use std::path::PathBuf;

use gatelet::net::Input as NetInput;
use gatelet_import::{Imported, Options, Row};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::out::{say, say_json};
use super::stream::Destination;
use super::table::{Align, Table};
use crate::error::{Error, Result};
use crate::files::{self, CHECKPOINT};
use crate::hex::hex;
use crate::import::checkpoint;
use crate::shell::quoted;

/// Take a trained net from PyTorch, Keras, ONNX, TFLite, RTNeural, an amplifier trainer or NAM.
///
/// What cannot come along is named, with the reason and what to do. The result is a checkpoint, which every command takes.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  gatelet import model.keras\n  gatelet import model.onnx --out net.safetensors\n  \
gatelet import weights.pt --net \"gru 24, linear 3\"\nThen:\n  gatelet run net.safetensors --input x.npy --output y.npy\n  \
gatelet export net.safetensors --calibrate x.npy --out net.gatelet"
)]
pub(super) struct Args {
    /// .onnx, .keras, .h5, .safetensors, .pt, .tflite, .json or .nam
    file: PathBuf,
    /// How the layers follow each other, where the file does not say it: a file, or words such as "gru 24, linear 3"
    #[arg(long, value_name = "ORDER")]
    net: Option<String>,
    /// The checkpoint to write [default: FILE with .safetensors for its ending]
    #[arg(long, value_name = "NET")]
    out: Option<Destination>,
    /// Replace a checkpoint that is there
    #[arg(long)]
    force: bool,
    /// Print the result as one JSON object on the last line of stdout
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<()> {
    let path = &args.file;
    let order = args.net.as_deref().map(order).transpose()?;
    let out = match &args.out {
        Some(out) => out.clone(),
        None => {
            let plain = path.with_extension("safetensors");
            let own = path.with_extension("gatelet.safetensors");
            Destination::File(if plain == *path { own } else { plain })
        }
    };
    let output = out.output(CHECKPOINT, args.force)?.made_from([path]);
    output.check()?;
    let failed = |source| Error::Import {
        path: path.clone(),
        source,
    };
    let options = Options {
        order: order.as_deref(),
    };
    let bytes = gatelet_import::bytes(path).map_err(failed)?;
    let draft = gatelet_import::read(&bytes, path, options).map_err(failed)?;
    let imported = gatelet_import::lower(draft).map_err(failed)?;
    let sha256 = hex(&Sha256::digest(&bytes));
    let net = checkpoint(&imported, (path, &sha256), &command(args))?;
    output.write(&net.to_bytes()?)?;
    if args.json {
        return say_json(summary(args, &imported, net.params.data.len()));
    }
    show(&imported, net.params.data.len())?;
    say(format!("wrote {out}"))
}

/// The command that makes the checkpoint again.
fn command(args: &Args) -> String {
    let mut words = vec!["gatelet".to_owned(), "import".to_owned()];
    words.push(quoted(&args.file.display().to_string()));
    if let Some(net) = &args.net {
        words.extend(["--net".to_owned(), quoted(net)]);
    }
    words.join(" ")
}

/// The description that `--net` gives: a file's text, or the words themselves.
fn order(given: &str) -> Result<String> {
    let path = PathBuf::from(given);
    if !path.is_file() {
        let is_path = given.ends_with(".json") || given.contains(['/', '\\']);
        return match is_path {
            false => Ok(given.to_owned()),
            true => Err(Error::Usage(format!(
                "--net {given}: there is no such file"
            ))),
        };
    }
    let read = files::read(&path, files::JSON).and_then(|bytes| {
        String::from_utf8(bytes).map_err(|error| std::io::Error::other(error.to_string()))
    });
    read.map_err(|source| Error::Read { path, source })
}

/// Names and widths of inputs, or of outputs.
fn ports(ports: &[gatelet_import::Port]) -> String {
    let all = ports.iter().map(|port| {
        let softmax = if port.softmax { ", softmax" } else { "" };
        format!("{} ({}{softmax})", port.name, port.width)
    });
    all.collect::<Vec<_>>().join(", ")
}

fn summary(args: &Args, net: &Imported, parameters: usize) -> serde_json::Value {
    let rows = net.rows.iter().map(|row| {
        let operation = row.operation.and_then(|k| net.net.operation(k));
        json!({
            "layer": row.name, "from": row.from, "tensors": row.tensors, "notes": row.notes,
            "operation": operation.map(|of| of.kind.to_string()),
        })
    });
    json!({
        "file": args.file.display().to_string(), "format": net.format,
        "parameters": parameters, "notes": net.notes,
        "layers": rows.collect::<Vec<_>>(),
        "inputs": net.inputs.iter().map(|port| json!({ "name": port.name, "width": port.width })).collect::<Vec<_>>(),
        "outputs": net.outputs.iter().map(|port| json!({ "name": port.name, "width": port.width, "softmax": port.softmax })).collect::<Vec<_>>(),
    })
}

/// The net as a table, and what was done to it on the way.
fn show(net: &Imported, parameters: usize) -> Result<()> {
    let given = match net.net.input {
        NetInput::Tokens { vocab } => format!("a token of {vocab}"),
        NetInput::Features { width, .. } => format!("{width} numbers"),
    };
    say(format!(
        "{}: {given} at every step, {} operations, {parameters} parameters, {} multiply-accumulates a step",
        net.format,
        net.net.len(),
        net.net.macs_per_step()
    ))?;
    say(format!("inputs: {}", ports(&net.inputs)))?;
    let columns = ["operation", "reads", "layer", "in the file", "tensors"];
    let mut table = Table::new(&columns.map(|name| (name, Align::Left)));
    for row in &net.rows {
        table.row(cells(net, row));
    }
    say(table)?;
    say(format!("outputs: {}", ports(&net.outputs)))?;
    let notes = net.rows.iter().flat_map(|row| {
        let notes = row.notes.iter();
        notes.map(|note| format!("{}: {note}", row.name))
    });
    for note in notes.chain(net.notes.iter().cloned()) {
        say(format!("  {note}"))?;
    }
    Ok(())
}

fn cells(net: &Imported, row: &Row) -> Vec<String> {
    let operation = row.operation.and_then(|k| net.net.operation(k));
    let value = |code: u8| match code {
        0 => "input".to_owned(),
        code => code.to_string(),
    };
    let reads = operation.map(|of| of.operand.parts().map(|part| value(part.code())));
    let reads = reads.map(|all| all.collect::<Vec<_>>().join(" "));
    let shown = match (row.operation, operation) {
        (Some(k), Some(of)) => format!("{} {}", k + 1, of.kind),
        _ => "-".to_owned(),
    };
    vec![
        shown,
        reads.unwrap_or_default(),
        row.name.clone(),
        row.from.clone(),
        row.tensors.join(" "),
    ]
}
