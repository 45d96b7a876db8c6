//! The demos that hear: a sound goes to a board in QEMU over its serial line, and what comes back
//! is compared with what the engine on this machine makes of the same sound.
//!
//! ```text
//! amplifier   48 kHz, f32 -> an mps2-an500, Cortex-M7 -> a .wav; near the scalar kernel's
//! keyword     16 kHz, 16 bits -> an STM32F405 -> words; a net that is trained first (`cargo xtask demo`)
//! voice       16 kHz, 16 bits -> an STM32F405, Cortex-M4 -> lines; the scalar kernel's to the bit
//! ```

mod amplifier;
pub(crate) mod keyword;
mod model;
mod start;
mod voice;
pub(crate) mod wav;

use std::path::PathBuf;

use anyhow::{Result, bail};

use self::wav::Sound;
use crate::command::{Usage, root, work_folder};
use crate::setup;

/// What a sound goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum What {
    /// A guitar amplifier: sound in, sound out
    Amplifier,
    /// Voice or noise: sound in, lines out
    Voice,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Which board's program
    #[arg(value_enum)]
    what: What,
    /// The sound, a .wav of any rate and number of channels [default: one that is made up]
    #[arg(value_name = "FILE.wav")]
    file: Option<PathBuf>,
    /// Where the amplified sound goes [default: firmware-images/amplified.wav in cargo's target
    /// folder]
    #[arg(long, value_name = "FILE.wav")]
    out: Option<PathBuf>,
    /// Replace --out if it is there
    #[arg(long)]
    force: bool,
    /// Another net of this kind [default: firmware/models/amplifier.gatelet or voice.gatelet]
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
    /// No more of the sound than so many seconds
    #[arg(long, value_name = "N", value_parser = seconds)]
    seconds: Option<f64>,
}

fn seconds(text: &str) -> Result<f64, String> {
    let seconds = text.parse().map_err(|_| "no number".to_owned())?;
    match seconds {
        0.001..=3_600.0 => Ok(seconds),
        _ => Err("from 0.001 to 3600".to_owned()),
    }
}

/// What `cargo xtask test` runs: both, short.
pub(crate) fn check() -> Result<()> {
    for (what, seconds) in [(What::Amplifier, 0.2), (What::Voice, 2.5)] {
        run(&Options {
            what,
            file: None,
            out: None,
            force: false,
            model: None,
            seconds: Some(seconds),
        })?;
    }
    Ok(())
}

/// Runs one, and compares.
pub(crate) fn run(options: &Options) -> Result<()> {
    let out = match (options.what, &options.out) {
        (What::Voice, Some(_)) => {
            bail!(Usage(
                "--out is for the amplifier: voice gives lines".to_owned()
            ));
        }
        (_, Some(path)) => Some(gatelet_files::Output::new(path, WAV, options.force)),
        (_, None) => None,
    };
    if let Some(out) = &out {
        out.check()?;
    }
    setup::targets()?;
    setup::qemu()?;
    let rate = match options.what {
        What::Amplifier => amplifier::RATE,
        What::Voice => voice::RATE,
    };
    let sound = sound(options, rate)?;
    match options.what {
        What::Amplifier => {
            let amplified = amplifier::run(&model(options, "amplifier.gatelet")?, &sound)?;
            match out {
                Some(out) => out.write(&amplified.to_bytes()?)?,
                None => {
                    let path = work_folder()?.join("amplified.wav");
                    gatelet_files::replace(&path, &amplified.to_bytes()?)?;
                    println!("{}", path.display());
                }
            }
            Ok(())
        }
        What::Voice => voice::run(&model(options, "voice.gatelet")?, &sound),
    }
}

/// What `--out` may replace.
const WAV: gatelet_files::Kind = gatelet_files::Kind {
    name: "a .wav",
    is: |file| {
        let mut head = [0; 4];
        let read = std::io::Read::read(file, &mut head)?;
        Ok(head[..read] == *b"RIFF")
    },
};

/// The sound at a rate: of the file, or one that is made up and kept beside what the boards run.
fn sound(options: &Options, rate: u32) -> Result<Sound> {
    let (sound, name) = match &options.file {
        Some(path) => (Sound::read(path)?, path.display().to_string()),
        None => {
            let (name, samples) = match options.what {
                What::Amplifier => ("guitar.wav", amplifier::made_up()),
                What::Voice => ("scene.wav", voice::made_up()),
            };
            let sound = Sound { samples, rate };
            let path = work_folder()?.join(name);
            gatelet_files::replace(&path, &sound.to_bytes()?)?;
            (sound, path.display().to_string())
        }
    };
    let from = sound.rate;
    let sound = match options.seconds {
        Some(seconds) => sound.cut(seconds),
        None => sound,
    };
    let sound = sound.at(rate);
    print!("{name}: {:.2} s", sound.seconds());
    match from == rate {
        true => println!(", {rate} samples a second"),
        false => println!(", {from} samples a second, made {rate}"),
    }
    Ok(sound)
}

/// The net that is asked for.
fn model(options: &Options, usual: &str) -> Result<PathBuf> {
    Ok(match &options.model {
        Some(path) => std::path::absolute(path)?,
        None => root().join("firmware/models").join(usual),
    })
}
