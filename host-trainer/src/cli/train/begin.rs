//! What runs on texts and on sequences have in common: they begin, go on, and say how they end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use super::super::out::note;
use super::super::progress::Progress;
use super::super::terminal::tell;
use super::args::Args;
use super::summary::{introduction, report, with_command};
use crate::error::{Error, Result};
use crate::train::Trainer;
use crate::train::checkpoint::Meta;
use crate::train::run::{Found, RunFolder};

/// Writes `config.json`: the options and the origin in `meta`.
pub(super) fn write_config(folder: &RunFolder, meta: &Meta) -> Result<()> {
    let config = meta.config()?;
    let shape = meta
        .series
        .is_none()
        .then(|| config.shape(meta.net.vocab()));
    folder.write_config(&json!({ "config": config, "shape": shape, "provenance": meta.provenance }))
}

/// An error that a checkpoint gave, with its file.
pub(super) fn out_of(error: Error, found: &Found) -> Error {
    match error {
        Error::Checkpoint { what, .. } => Error::Checkpoint {
            path: found.path.clone(),
            what,
        },
        other => other,
    }
}

/// Goes on with a run whose options have been changed so.
pub(super) fn go_on(
    args: &Args,
    folder: &RunFolder,
    (trainer, found, changes): (Trainer<'_>, &Found, &[String]),
) -> Result<()> {
    for line in folder.set_aside(found)? {
        note(format_args!("warning: {line}"));
    }
    if trainer.position().ended.is_some() {
        // Nothing more is trained, so nothing has changed either.
        return train(args, folder, trainer);
    }
    if !changes.is_empty() {
        folder.rewind_metrics(trainer.position().step)?;
        folder.write_last(&trainer.checkpoint(true).to_bytes()?)?;
        for change in changes.iter().filter(|_| !args.quiet) {
            note(change);
        }
    }
    write_config(folder, &trainer.checkpoint(false).meta)?;
    train(args, folder, trainer)
}

/// Trains with Ctrl-C handled, and reports.
pub(super) fn train(args: &Args, folder: &RunFolder, mut trainer: Trainer<'_>) -> Result<()> {
    let stop = Arc::new(AtomicBool::new(false));
    let handler = Arc::clone(&stop);
    ctrlc::set_handler(move || {
        // A second Ctrl-C does not wait for the window; the checkpoint on disk is whole all the same.
        if handler.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
    })
    .map_err(|error| Error::Start(error.to_string()))?;
    if !args.quiet {
        tell(&introduction(args, &trainer)?);
    }
    if let Some(end) = trainer.position().ended {
        return report(args, folder, &trainer, end, true);
    }
    let mut progress = Progress::new(args.quiet, trainer.position(), trainer.data().terms());
    let result = trainer.run(folder, &stop, &mut progress);
    progress.finish();
    let lr = trainer.config().lr;
    let end = result.map_err(|error| with_command(error, args, lr))?;
    report(args, folder, &trainer, end, false)
}
