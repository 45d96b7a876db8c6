//! `gatelet listen`.

#[cfg(feature = "microphone")]
mod microphone;
#[cfg(not(feature = "microphone"))]
#[path = "no_microphone.rs"]
mod microphone;
mod show;
mod source;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use gatelet::visible;
use serde_json::json;

use self::show::Show;
use self::source::Sound;
use super::out::{note, say, say_json};
use super::stream::Input;
use crate::any_model::AnyModel;
use crate::error::{Error, Result};
use crate::isa::{isa, isa_named};
use crate::listen::{self, Decision, Ear, Rule};

/// Let a net hear: a microphone, a recording or standard input, and say what it hears as it comes.
///
/// A line is printed when another class is heard: when the likeliest, in a mean over --smooth
/// milliseconds, is past --threshold. On a terminal the scores are shown too. Ctrl-C ends it.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The net is one of scores with a front end (gatelet train --front-end), or \
one whose steps are samples.\n\
Examples:\n  gatelet listen words.gatelet --wav speech.wav --names cancel,other,timer\n  \
arecord -t raw -f S16_LE -r 16000 -c 1 | gatelet listen runs/words/best.safetensors --stdin\n  \
gatelet listen words.gatelet --device list"
)]
pub(super) struct Args {
    /// Checkpoint or .gatelet image
    model: Input,
    /// A recording to hear, instead of a microphone; of several channels the mean
    #[arg(long, value_name = "FILE", conflicts_with_all = ["stdin", "device"])]
    wav: Option<PathBuf>,
    /// Hear it as fast as it was spoken, not as fast as this machine can
    #[arg(long, requires = "wav")]
    real_time: bool,
    /// Hear standard input: raw samples of one channel, 16 bits each, little-endian, at the net's
    /// rate
    #[arg(long, conflicts_with = "device")]
    stdin: bool,
    /// The microphone, by its name or a part of it; `list` names those there are [default: that of
    /// the system]
    #[arg(long, value_name = "NAME")]
    device: Option<String>,
    /// Samples a second, of a net without a front end that does not say it itself
    #[arg(long, value_name = "HZ")]
    rate: Option<u32>,
    /// Names of the classes, in the order of the scores [default: those that the checkpoint has; an
    /// image has none]
    #[arg(long, value_name = "A,B,..", value_delimiter = ',')]
    names: Vec<String>,
    /// Probability from which on a class is heard
    #[arg(long, value_name = "P", default_value_t = 0.6)]
    threshold: f32,
    /// Milliseconds over which probabilities are averaged
    #[arg(long, value_name = "MS", default_value_t = 100.0)]
    smooth: f64,
    /// Milliseconds for which nothing else is heard after something was
    #[arg(long, value_name = "MS", default_value_t = 300.0)]
    hold: f64,
    /// Kernel to use [default: GATELET_ISA, or the fastest of this machine]
    #[arg(long, value_name = "NAME", alias = "isa")]
    kernel: Option<String>,
    /// Print the result as one JSON object on the last line of stdout, in place of the lines
    #[arg(long)]
    json: bool,
}

impl Args {
    fn rule(&self) -> Result<Rule> {
        let option = |option, found: String, rule| Error::Option {
            option,
            found,
            rule,
        };
        if !(self.threshold > 0.0 && self.threshold <= 1.0) {
            let rule = "it has to be above 0 and at most 1";
            return Err(option("threshold", self.threshold.to_string(), rule));
        }
        for (name, found) in [("smooth", self.smooth), ("hold", self.hold)] {
            if !(0.0..=60_000.0).contains(&found) {
                let rule = "it has to be 0 to 60000 milliseconds";
                return Err(option(name, found.to_string(), rule));
            }
        }
        if self.rate.is_some_and(|rate| !(1..=384_000).contains(&rate)) {
            let found = self.rate.unwrap_or_default().to_string();
            return Err(option("rate", found, "it has to be 1 to 384000 Hz"));
        }
        Ok(Rule {
            threshold: self.threshold,
            smooth: self.smooth / 1_000.0,
            hold: self.hold / 1_000.0,
        })
    }

    /// The names of so many classes.
    fn names(&self, any: &AnyModel, classes: usize) -> Result<Vec<String>> {
        let trained = any.checkpoint.as_ref();
        let trained = trained.and_then(|of| of.meta.series.as_ref());
        let own: &[String] = trained.map_or(&[], |series| &series.answers);
        match &self.names[..] {
            [] if own.len() == classes => Ok(own.to_vec()),
            [] => Ok((0..classes).map(|class| format!("class {class}")).collect()),
            names if names.len() == classes => Ok(names.to_vec()),
            names => Err(Error::Usage(format!(
                "--names has {} names, and the net tells {classes} classes apart",
                names.len()
            ))),
        }
    }

    fn ear(&self, any: &AnyModel) -> Result<Ear> {
        let trained = any.checkpoint.as_ref();
        let rate = trained.and_then(|of| of.meta.series.as_ref()?.rate);
        let ear = Ear::of(&any.given(), rate.or(self.rate)).map_err(|what| {
            let name = visible::line(self.model.path().display()).to_string();
            Error::Some(format!("{name}: {what}"))
        })?;
        match self.rate {
            Some(given) if given != ear.rate => Err(Error::Usage(format!(
                "--rate is {given}, and the net takes {} samples a second",
                ear.rate
            ))),
            _ => Ok(ear),
        }
    }

    fn sound(&self, ear: &Ear, stop: Arc<AtomicBool>) -> Result<Sound> {
        match &self.wav {
            Some(path) => Sound::wav(path, (ear.rate, self.real_time), stop),
            None if self.stdin => Sound::stdin(stop),
            None => microphone::open(self.device.as_deref(), ear.rate, stop),
        }
    }
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<()> {
    if args.device.as_deref() == Some("list") {
        return microphone::list()?.into_iter().try_for_each(say);
    }
    let rule = args.rule()?;
    let isa = match &args.kernel {
        None => isa()?,
        Some(name) => isa_named(name)?,
    };
    let any = args.model.any_model_for(isa)?;
    let ear = args.ear(&any)?;
    let classes = any.given().net().output_width(0);
    let names = args.names(&any, classes)?;
    let stop = Arc::new(AtomicBool::new(false));
    let mut sound = args.sound(&ear, Arc::clone(&stop))?;
    let handler = Arc::clone(&stop);
    ctrlc::set_handler(move || handler.store(true, Ordering::Relaxed))
        .map_err(|error| Error::Start(error.to_string()))?;

    let mut decision = Decision::new(rule, classes, ear.seconds(1));
    let mut show = Show::new(&names);
    let (mut steps, mut all, mut last) = (0, Vec::new(), Vec::new());
    let samples = listen::listen(any.model(), isa, &mut sound, &mut |scores| {
        steps += 1;
        let (time, heard) = (ear.seconds(steps), decision.step(scores));
        last.clear();
        last.extend_from_slice(scores);
        show.levels(time, &decision);
        let Some(heard) = heard else { return Ok(()) };
        let (name, p) = (&names[heard.class], heard.probability);
        if args.json {
            all.push(json!({ "time": time, "class": name, "probability": p }));
            return Ok(());
        }
        show.line(|| say(format!("{time:7.2} s  {name} {p:.2}")))
    });
    show.finish();
    let samples = samples?;
    if steps == 0 && !stop.load(Ordering::Relaxed) {
        return Err(sound.too_short(samples, ear.hop()));
    }
    let seconds = samples as f64 / f64::from(ear.rate);
    if args.json {
        return say_json(json!({
            "seconds": seconds, "steps": steps, "classes": names, "heard": all, "scores": last,
            "kernel": isa.name(),
        }));
    }
    note(format!("heard {seconds:.2} s, kernel {}", isa.name()));
    Ok(())
}
