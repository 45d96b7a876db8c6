//! `cargo xtask demo keyword`: a keyword spotter from nothing.
//!
//! ```text
//! espeak-ng -> words, talk, noise -> gatelet train --front-end -> gatelet export
//!           -> a board in QEMU that prints words as they come; the same as on this machine
//! ```
//! With `--measure` three seeds are trained, and heard on voices that nothing was learnt of.

mod espeak;
mod measure;
mod set;
mod stream;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use gatelet_sound::spotter::THRESHOLD;
use gatelet_sound::synth::spoken::Stream;
use serde_json::{Value, json};

use self::espeak::Part;
use self::measure::Hearing;
use self::set::{Set, folder};
use crate::bench;
use crate::board;
use crate::command::{gatelet, json_line, output, root, target_folder};
use crate::setup;

/// What the net is, and how it is trained, after `train DATA`.
const TRAIN: &str = "--task label --front-end logmel:32,frame=256,hop=256 --cell gru --hidden 64 \
                     --window 250 --batch 32 --lr 0.004 --epochs 30 --patience 0 --eval-every 0";
/// The layout of the board's kernel, in words of `gatelet export`.
const TARGET: &str = "cortex-m4";
/// Where the measures are recorded.
const RESULTS: &str = "benches/results/keyword.tsv";

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Seed of the net that the board gets
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Train with seeds 1, 2 and 3 and count what each hears right, instead of the board
    #[arg(long)]
    measure: bool,
    /// Write the counts into benches/results/keyword.tsv
    #[arg(long, requires = "measure")]
    record: bool,
}

/// A net that was trained and exported.
struct Net {
    image: PathBuf,
    bytes: u64,
    /// Of training.
    seconds: f64,
}

/// Makes the set, trains, and lets the board listen.
pub(crate) fn run(options: &Options) -> Result<()> {
    setup::espeak()?;
    if !options.measure {
        setup::targets()?;
        setup::qemu()?;
    }
    let work = target_folder()?.join("keyword");
    fs::create_dir_all(&work)?;
    let set = Set::made(&work)?;
    if options.measure {
        return measured(&work, &set, options.record);
    }
    let net = trained(&work, &set, options.seed)?;
    println!(
        "trained in {:.0} s; {} bytes: {}",
        net.seconds,
        net.bytes,
        net.image.display()
    );
    stream::run(&net.image, &set)
}

/// Trains a net, unless that was done, and exports it for the board.
fn trained(work: &Path, set: &Set, seed: u64) -> Result<Net> {
    let run = work.join(format!("run-{seed}"));
    let (image, stamp) = (run.join("keyword.gatelet"), run.join("done.json"));
    let recipe = format!("{TRAIN}; set {}", set::VERSION);
    let done = fs::read_to_string(&stamp).unwrap_or_default();
    let mut done: Value = serde_json::from_str(&done).unwrap_or_default();
    if done["recipe"] != recipe {
        let mut train = gatelet()?;
        train.arg("train").arg(set.data()).arg("--out").arg(&run);
        train.args(TRAIN.split_whitespace());
        train.args(["--seed", &seed.to_string(), "--force", "--quiet", "--json"]);
        let trained: Value = json_line(&output(&mut train)?)?;
        done = json!({ "recipe": recipe, "seconds": trained["seconds"] });
        fs::write(stamp, done.to_string())?;
    }
    let mut export = gatelet()?;
    export.arg("export").arg(run.join("best.safetensors"));
    export.arg("--out").arg(&image);
    export.args(["--target", TARGET, "--force", "--accept-loss", "--json"]);
    let exported: Value = json_line(&output(&mut export)?)?;
    Ok(Net {
        image,
        bytes: exported["bytes"].as_u64().context("bytes")?,
        seconds: done["seconds"].as_f64().context("seconds")?,
    })
}

/// How a threshold is chosen: what is heard and what is alarmed at, past some of them, of the voices
/// that are held out.
fn thresholds((words, talk): &Judged) {
    for nats in 1..=6 {
        let found = measure::words(&words.0, &words.1.words(nats << 16));
        let (_, often) = measure::alarms(&talk.0, &talk.1.words(nats << 16));
        println!(
            "      past {nats} nats: {:.1} % right, {often:.1} alarms in 10 min",
            found.percent()
        );
    }
}

/// Streams of words and of talk, and what a net hears in them.
type Judged = ((Stream, Hearing), (Stream, Hearing));

fn judged(image: &Path, set: &Set, part: Part) -> Result<Judged> {
    let one = |of: &str| -> Result<(Stream, Hearing)> {
        let stream = set.stream(&format!("{}-{of}", folder(part)))?;
        let hearing = Hearing::of(image, &stream.samples)?;
        Ok((stream, hearing))
    };
    Ok((one("words")?, one("talk")?))
}

/// Three seeds, and what each hears.
fn measured(work: &Path, set: &Set, record: bool) -> Result<()> {
    let mut table = String::from(
        "seed\tright\twords\tpercent\twrong\tmissed\tlate_s\talarms\talarms_10_min\tinstructions\tbytes\ttrain_s\n",
    );
    let names =
        "seed  of unseen voices at 10 dB             alarms in other speech      image   training";
    println!("{names}");
    let board = board::default();
    let (mut percents, mut all) = (Vec::new(), Vec::new());
    for seed in 1..=3 {
        let net = trained(work, set, seed)?;
        let model = Some(net.image.clone());
        let frame = bench::measure(board, "keyword", model, TARGET)?.instructions_per_step;
        println!("      {frame} instructions a frame on the {board}");
        for part in [Part::Valid, Part::Test] {
            let judged = judged(&net.image, set, part)?;
            if part == Part::Valid {
                thresholds(&judged);
            }
            let (words, talk) = &judged;
            let found = measure::words(&words.0, &words.1.words(THRESHOLD));
            let (alarms, often) = measure::alarms(&talk.0, &talk.1.words(THRESHOLD));
            println!(
                "{seed:4}  {:5}: {:.1} % of {} ({} wrong, {} missed)  {alarms}, {often:.2} in 10 min  {} bytes  {:.0} s",
                folder(part),
                found.percent(),
                found.said,
                found.wrong,
                found.missed,
                net.bytes,
                net.seconds
            );
            if part == Part::Test {
                percents.push(found.percent());
                all.push(often);
                table += &format!(
                    "{seed}\t{}\t{}\t{:.2}\t{}\t{}\t{:.3}\t{alarms}\t{often:.2}\t{frame}\t{}\t{:.0}\n",
                    found.right,
                    found.said,
                    found.percent(),
                    found.wrong,
                    found.missed,
                    found.late,
                    net.bytes,
                    net.seconds
                );
            }
        }
    }
    let median = |mut of: Vec<f64>| {
        of.sort_by(f64::total_cmp);
        of.get(of.len() / 2).copied().unwrap_or_default()
    };
    println!(
        "medians: {:.1} % right, {:.2} alarms in 10 min",
        median(percents),
        median(all)
    );
    if record {
        fs::write(root().join(RESULTS), table)?;
    }
    Ok(())
}
