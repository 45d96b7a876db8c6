//! What `gatelet train` says: at the start what it is about to make, at the end what came out and how to go on.

use serde_json::json;

use super::super::out::{say, say_json};
use super::super::recipe;
use super::super::stream::Input;
use super::super::terminal::{command, width};
use super::args::Args;
use crate::analysis::blame::Planned;
use crate::analysis::footprint::{self, Contents};
use crate::analysis::names::described;
use crate::data::corpus::List;
use crate::error::{Error, Result};
use crate::shell::quoted;
use crate::train::config::Config;
use crate::train::run::RunFolder;
use crate::train::series::{Part, Series};
use crate::train::verdict::{Verdict, judge};
use crate::train::{End, Trainer};
use crate::units::{bytes, grouped};

/// Tokens below which a text is said to be short.
const SHORT: usize = 60_000;

/// What of a new run's recipe was chosen by the amount of text, and why, in one line.
fn chosen(args: &Args, c: &Config, tokens: usize, unit: &str) -> String {
    let why = match c.characters {
        Some(most) if most < tokens as u64 => "it is long, so a part of it is read once",
        _ if tokens < SHORT && c.dropout >= 0.3 => {
            "it is short, so steps are small and many, and dropout is strong"
        }
        _ if tokens < SHORT => "it is short, so steps are small and many",
        _ if c.dropout > 0.0 => "it is read often, so some dropout",
        _ => "it is long for its passes, so no dropout",
    };
    let words = recipe::followed(c, &args.given());
    format!(
        "recipe for {} {unit}s to train on ({why}): {}",
        grouped(tokens),
        match words.is_empty() {
            true => "all of it was given".to_owned(),
            false => words.join(" "),
        }
    )
}

/// The command that goes on with this run.
fn resume_command(args: &Args) -> String {
    let out = quoted(&args.out.display().to_string());
    let text = quoted(&args.text.to_string());
    let again = match args.text {
        Input::Stdin => " (with the text on standard input again)",
        Input::File(_) => "",
    };
    format!("gatelet train {text} --out {out} --resume{again}")
}

/// Adds to the error of a diverged run the command that goes on with a quarter of its learning rate.
pub(super) fn with_command(mut error: Error, args: &Args, lr: f64) -> Error {
    if let Some(kept) = error.kept() {
        *kept += &format!(", as with `{} --lr {}`", resume_command(args), lr / 4.0);
    }
    error
}

/// The sequences that are learnt from, and those that are held out.
pub(super) fn data(data: &Series) -> String {
    let (train, valid, test) = (data.train(), data.valid(), data.test());
    let (set, options) = (train.set(), data.options());
    let count = |part: &Part| grouped(part.picked().len());
    let steps = match train.steps_of_all() {
        (least, most) if least == most => format!("{most} steps each"),
        (least, most) => format!("{least} to {most} steps"),
    };
    let rate = match (set.rate(), options.front_end) {
        (_, Some(front)) => format!(", each a frame: {}", front.0),
        (Some(hz), None) => format!(" at {hz} Hz"),
        (None, None) => String::new(),
    };
    let asked = match options.task.is_of_classes() {
        true => format!("{} classes: {}", set.outputs(), some(set.classes())),
        false => format!("{} numbers: {}", set.outputs(), some(set.targets())),
    };
    let tested = match test.picked().is_empty() {
        true => String::new(),
        false => format!(", {} of a test part", count(test)),
    };
    let goes_in = match options.tokens {
        0 => format!("{} features", set.width()),
        tokens => format!("one of {tokens} tokens a step"),
    };
    format!(
        "{} sequences to learn from, {} held out{tested}; {steps}{rate}\n{goes_in}: {}\n{asked}",
        count(train),
        count(valid),
        some(set.features())
    )
}

/// The first of some names.
fn some(names: &[String]) -> String {
    const SHOWN: usize = 10;
    let shown = names.iter().take(SHOWN).map(String::as_str);
    let shown = shown.collect::<Vec<_>>().join(", ");
    match names.len() > SHOWN {
        true => format!("{shown} .."),
        false => shown,
    }
}

/// A net of any operations, and what it will need on a device.
fn introduction_of_net(trainer: &Trainer<'_>) -> String {
    let net = trainer.params().net();
    let operations: Vec<String> = net
        .operations()
        .map(|of| format!("{} {}", of.kind.name(), of.kind.units()))
        .collect();
    let config = trainer.config();
    format!(
        "{}, {} parameters, {} multiply-accumulates a step\n\
         --batch {} --window {} --epochs {} --lr {} --patience {}",
        operations.join(", "),
        grouped(trainer.params().data.len()),
        grouped(net.macs_per_step()),
        config.batch,
        config.window,
        config.epochs,
        config.lr,
        config.patience,
    )
}

/// The net, what it will need on a device, and what a preset stands for.
pub(super) fn introduction(args: &Args, trainer: &Trainer<'_>) -> Result<String> {
    if trainer.data().vocab().is_none() {
        return Ok(introduction_of_net(trainer));
    }
    let net = trainer.params().net();
    let checkpoint = trainer.checkpoint(false);
    let contents = Contents {
        words: checkpoint.vocabulary()?.words(),
        front_end: None,
        from: checkpoint.meta.provenance.of_image(),
    };
    let need = footprint::int8(net, contents)?;
    let unit = checkpoint.vocabulary()?.level().unit();
    let mut text = format!(
        "{}, {} {unit}s, {} parameters\n\
         its int8 image needs at most {} of flash, {} of RAM and {} for each snapshot, \
         {} multiply-accumulates a {unit}",
        described(net),
        net.vocab(),
        grouped(trainer.params().data.len()),
        bytes(need.flash_bytes),
        bytes(need.ram_bytes),
        bytes(need.snapshot_bytes),
        grouped(need.macs_per_step),
    );
    let config = checkpoint.config()?;
    let planned = Planned {
        layers: config.shape(net.vocab()),
        words: contents.words,
        unit,
        from: contents.from,
    };
    if let Some(blame) = planned.blame() {
        text += &format!("\n{blame}");
    }
    if trainer.position().step == 0 && config.qat.is_none() {
        let tokens = trainer.data().train_len();
        text += &format!("\n{}", chosen(args, config, tokens, unit));
    }
    if let Some((preset, _)) = args.recipe.preset() {
        let out = quoted(&args.out.display().to_string());
        let line = format!("{} --out {out}", checkpoint.meta.provenance.command);
        text += &format!("\npreset {preset} here is:\n{}", command(&line, width()));
    }
    Ok(text)
}

/// What a list is, and what is held out of it; `asked` says that nobody has to be told how to have it otherwise.
pub(super) fn recognised(name: &str, list: &List, asked: bool) -> String {
    let lines = format!("a list of {} lines", grouped(list.lines));
    let what = match asked {
        true => format!("{name} is {lines}: every line is learnt by itself"),
        false => format!(
            "{name} looks like {lines}: every line is learnt by itself (--no-lines learns it as one text)"
        ),
    };
    let sorted = if list.sorted { "it is sorted; " } else { "" };
    let held_out = grouped(list.held_out);
    format!("{what}; {sorted}{held_out} lines, chosen by a shuffle, are held out")
}

/// Says how the run ended.
pub(super) fn report(
    args: &Args,
    folder: &RunFolder,
    trainer: &Trainer<'_>,
    end: End,
    before: bool,
) -> Result<()> {
    let position = trainer.position();
    let config = trainer.config();
    let terms = trainer.data().terms();
    let unit = terms.unit;
    let best = folder.best();
    let best_nats = folder.best_nats();
    let history = folder.rewind_metrics(position.step)?;
    let mut lowest = history
        .iter()
        .rev()
        .filter(|m| Some(m.valid_nats) == best_nats);
    let figure = lowest.next().and_then(|m| m.figure);
    let nats = best_nats.map_or_else(String::new, |nats| match (terms.figure, figure) {
        (Some(name), Some(figure)) => format!(
            ": {name} {figure:.4}, loss {nats:.4} {}on what is held out",
            if terms.loss.is_empty() { "" } else { "nats " }
        ),
        // The net that a run for integers began with, of which only the loss is kept.
        (Some(_), None) => format!(": loss {nats:.4} on what is held out"),
        _ => format!(
            ": {nats:.4} nats, {:.4} bits a {unit} on held-out text",
            nats / std::f64::consts::LN_2
        ),
    });
    let how = match end {
        End::Finished if position.epoch == 1 => "one epoch done".to_owned(),
        End::Finished => format!("all {} epochs done", position.epoch),
        End::Early => format!(
            "no better evaluation in {}, {}stopped early",
            config.patience,
            match position.cooldown {
                Some(_) => "so back to the best net, cooled down, ",
                None => "",
            }
        ),
        End::Time => "the time is up".to_owned(),
        End::Interrupted => "interrupted".to_owned(),
    };
    let already = if before {
        "nothing to do, this run has ended: "
    } else {
        ""
    };
    say(format!(
        "{already}{how} after {} {unit}s; the best net is {}{nats}",
        grouped(position.characters),
        best.display()
    ))?;
    let judged = judge(&history, config, end == End::Early, trainer.unigram_nats());
    if let Some(judged) = &judged {
        say(judged)?;
    }
    let improving = judged
        .as_ref()
        .is_some_and(|judged| judged.verdict == Verdict::Improving);
    let more = match end {
        End::Interrupted => Some(String::new()),
        _ if !before && !improving => None,
        End::Finished => Some(match config.characters {
            Some(most) => format!(" --characters {}", 2 * most),
            None => format!(" --epochs {}", 2 * position.epoch),
        }),
        End::Early => Some(" --patience 0".to_owned()),
        End::Time => Some(format!(
            " --minutes {}",
            2.0 * config.minutes.unwrap_or(5.0)
        )),
    };
    if let Some(more) = more {
        say(format!("to go on: {}{more}", resume_command(args)))?;
    }
    if args.json {
        say_json(json!({
            "out": args.out.display().to_string(),
            "checkpoint": best.display().to_string(),
            "ended": end,
            "nats": best_nats,
            "figure": figure,
            "verdict": judged.as_ref().map(|judged| judged.verdict),
            "reason": judged.as_ref().map(|judged| &judged.reason),
            "advice": judged.as_ref().map(|judged| &judged.advice),
            "unigram_nats": trainer.unigram_nats(),
            "bpc": best_nats.map(|nats| nats / std::f64::consts::LN_2),
            "epochs": position.epoch,
            "steps": position.step,
            "characters": position.characters,
            "seconds": position.seconds,
        }))?;
    }
    Ok(())
}
