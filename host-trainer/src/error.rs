//! Everything that can go wrong, said so that the reader knows what, where, and what to do.

use std::io;
use std::path::PathBuf;

/// Result of every operation of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong. The text is one line and is shown to the user as it is.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file or folder could not be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Standard output could not be written.
    #[error("cannot write to standard output: {0}")]
    Stdout(#[from] io::Error),
    /// The bytes of a text are no characters.
    #[error("{name} {what}")]
    NotText {
        /// The text's name.
        name: String,
        /// Which encoding it is not in, where that shows, and what to do.
        what: String,
    },
    /// A command line that asks for what cannot be.
    #[error("{0}")]
    Usage(String),
    /// A text that cannot be read twice is too large to be held in memory.
    #[error(
        "{name} is no regular file and has more than {mib} MiB: such a text is held in memory; write it to a file first, which may have any size"
    )]
    Unsized {
        /// The text's name.
        name: String,
        /// The bound.
        mib: u64,
    },
    /// The text has no characters.
    #[error("{name} is empty: training needs a text of at least two different characters")]
    EmptyCorpus {
        /// The text's name.
        name: String,
    },
    /// The text repeats one character.
    #[error(
        "{name} has one distinct character ({only:?}): there is nothing to predict; give a text with at least two"
    )]
    OneCharacter {
        /// The text's name.
        name: String,
        /// The only character.
        only: char,
    },
    /// More distinct characters than a model may have.
    #[error(
        "{name} has {found} distinct {tokens}; a model holds at most {most}: --max-vocab {most} keeps the most frequent and an unknown token"
    )]
    VocabularyTooLarge {
        /// The text's name.
        name: String,
        /// Distinct tokens found.
        found: usize,
        /// What they are: `characters` or `words`.
        tokens: &'static str,
        /// Largest vocabulary.
        most: usize,
    },
    /// The text is not what it was when it was read before.
    #[error("{name} changed while it was being read: wait until it is complete, then start again")]
    TextChanged {
        /// The text's name.
        name: String,
    },
    /// A normalised text has too much in a row that joins with what is before it.
    #[error(
        "{name} has more than 1 MiB of combining characters in a row: it is no text that can be normalised; use --normalise none"
    )]
    NoBoundary {
        /// The text's name.
        name: String,
    },
    /// The tokens of a streamed text could not be put away.
    #[error(
        "cannot write the text's tokens to a temporary file in {}: {source}; it takes one byte a character, or two for more than 256 different ones", folder.display()
    )]
    TokenFile {
        /// The folder.
        folder: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The text is so short that nothing can be said of a net that is trained on it.
    #[error(
        "{name} is too short: it has {bytes} bytes, and {least} are needed, so that a tenth held out says what was learnt; \
         give a longer text, or --batch 2 --window 8 to train on it all the same"
    )]
    Scant {
        /// The text's name.
        name: String,
        /// How many it has.
        bytes: u64,
        /// Bytes needed.
        least: u64,
    },
    /// The text is shorter than training needs.
    #[error(
        "{name} is too short: its {part} has {have} {unit}s, and {need} are needed ({why}); give a longer text or smaller options"
    )]
    TooShort {
        /// The text's name.
        name: String,
        /// `training part`, `validation part` or `text`.
        part: &'static str,
        /// `character` or `token`.
        unit: &'static str,
        /// How many are there.
        have: usize,
        /// Characters needed.
        need: usize,
        /// How `need` comes about.
        why: String,
    },
    /// A table of words that cannot be used.
    #[error("{name}: {what}")]
    Table {
        /// The table, and the line in it.
        name: String,
        /// What is wrong.
        what: String,
    },
    /// A character that the model does not know.
    #[error("{place}: character {found:?} (U+{:04X}) at position {position} is not in the model's vocabulary of {vocab} characters; remove or replace it, or train on a text that has it{hint}", *found as u32)]
    UnknownCharacter {
        /// Where it stood: `prefix`, `prompt` or the text's name.
        place: String,
        /// The character.
        found: char,
        /// Its position, in characters from 0.
        position: usize,
        /// Size of the vocabulary.
        vocab: usize,
        /// A way out, or nothing.
        hint: String,
    },
    /// An option outside its range.
    #[error("--{option} is {found}: {rule}")]
    Option {
        /// Name of the option, without the dashes.
        option: &'static str,
        /// The value given.
        found: String,
        /// What it has to be.
        rule: &'static str,
    },
    /// The run folder is there already.
    #[error("{} exists already: choose another --out, continue that run with --resume, or replace its run files with --force", .0.display())]
    OutputExists(PathBuf),
    /// What stands at the place of an output is not replaced.
    #[error(transparent)]
    Output(gatelet_files::Error),
    /// `--out` names something that is no folder.
    #[error("{} is not a folder: --out of `train` names a folder", .0.display())]
    NotAFolder(PathBuf),
    /// `--resume` without a run.
    #[error("{} holds no run to resume (no last.safetensors): leave --resume out to start one", .0.display())]
    NothingToResume(PathBuf),
    /// Another process trains there.
    #[error("{} is in use: another gatelet trains in it; wait for that one or stop it, or choose another --out", .0.display())]
    Busy(PathBuf),
    /// No checkpoint of a run is whole.
    #[error("{newest}; and {older}; there is nothing left to resume: start again with --force")]
    NoneWhole {
        /// What is wrong with `last.safetensors`.
        newest: String,
        /// What is wrong with `previous.safetensors`.
        older: String,
    },
    /// The last state of a run could not be written.
    #[error("cannot write {}: {source}, nor a folder in {}: {elsewhere}; the run stands at step {step} and step {saved} is on disk: make room, then --resume trains the rest again; --fallback-dir DIR names another disk", path.display(), fallback.display())]
    NotSaved {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
        /// Where else it was tried.
        fallback: PathBuf,
        /// Why that failed.
        elsewhere: String,
        /// Steps done.
        step: u64,
        /// Steps of the checkpoint on disk.
        saved: u64,
    },
    /// The last state of a run could not be written into its folder, and is in another one.
    #[error("cannot write {}: {source}; the run stands at step {step} and is whole in {} instead: go on there with --out {} --resume, or make room and copy its files back", path.display(), folder.display(), folder.display())]
    SavedElsewhere {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
        /// Steps done.
        step: u64,
        /// The folder it is in.
        folder: PathBuf,
    },
    /// `--resume` with an option that differs from the run's.
    #[error(
        "--{option} {given} differs from the run's {stored}, and cannot change while it runs: leave it out, or start a new run"
    )]
    ResumeMismatch {
        /// Name of the option, without the dashes.
        option: &'static str,
        /// The value given.
        given: String,
        /// The run's value.
        stored: String,
    },
    /// `--resume` with another text.
    #[error(
        "{name} is not the text of this run: sha256 is {found}, the run was made from {expected}"
    )]
    OtherCorpus {
        /// The text's name.
        name: String,
        /// Its hash.
        found: String,
        /// The hash in the checkpoint.
        expected: String,
    },
    /// Loss became NaN or infinite.
    #[error("training diverged: the loss is {loss} at step {step} (epoch {epoch}); {kept}")]
    Diverged {
        /// The loss.
        loss: f64,
        /// Optimizer steps done.
        step: u64,
        /// Epoch, from 1.
        epoch: usize,
        /// What is left on disk, and how to go on.
        kept: String,
    },
    /// A parameter became NaN or infinite, though no loss did.
    #[error(
        "training diverged: a number of {tensor} is {value} at step {step} (epoch {epoch}), nothing of it was written; {kept}"
    )]
    NotANumber {
        /// Its tensor, as a checkpoint calls it.
        tensor: String,
        /// What it is.
        value: f32,
        /// Optimizer steps done.
        step: u64,
        /// Epoch, from 1.
        epoch: usize,
        /// What is left on disk, and how to go on.
        kept: String,
    },
    /// Loss is far above that of a net that knows nothing, and stays there.
    #[error(
        "training diverged: the loss is {loss:.1} at step {step} (epoch {epoch}) and was above {limit:.1} for {windows} windows; {kept}"
    )]
    Exploded {
        /// The bound.
        limit: f64,
        /// Windows in a row above it.
        windows: u32,
        /// The loss of the last of them.
        loss: f64,
        /// Optimizer steps done.
        step: u64,
        /// Epoch, from 1.
        epoch: usize,
        /// What is left on disk, and how to go on.
        kept: String,
    },
    /// A checkpoint whose bytes are not those that were written.
    #[error("{} is damaged: {what}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// How it was noticed.
        what: crate::seal::Damage,
    },
    /// The file is neither a checkpoint nor a model image.
    #[error("{} is no model: expected a safetensors checkpoint or a .gatelet image, found {found}", path.display())]
    NotAModel {
        /// The file.
        path: PathBuf,
        /// What was found in its place.
        found: String,
    },
    /// A checkpoint that does not hold what it should.
    #[error("{}: {what}", path.display())]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// What is wrong, naming the tensor or the field.
        what: String,
    },
    /// A net without a vocabulary, where a net of a text is wanted.
    #[error(
        "the net has no vocabulary, and this is for nets of texts: `gatelet inspect` shows what it is, `gatelet run` runs it, `gatelet export --calibrate` makes its image"
    )]
    NoVocabulary,
    /// The operation wants a checkpoint.
    #[error("{} is a .gatelet image, and {needs} needs a checkpoint (best.safetensors of a run folder)", path.display())]
    NeedsCheckpoint {
        /// The file.
        path: PathBuf,
        /// The command.
        needs: &'static str,
    },
    /// An image that `core` refuses.
    #[error("{}: {what}", path.display())]
    Image {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: gatelet::LoadError,
    },
    /// The loss of a model is no number.
    #[error(
        "the model's loss is {nats} after {tokens} tokens: its weights are too large for f32; train with a smaller --lr or --clip, or more --weight-decay"
    )]
    NoLoss {
        /// The mean so far.
        nats: f64,
        /// Over so many.
        tokens: usize,
    },
    /// What a model says comes next is no number.
    #[error(
        "the model's probabilities are no numbers: its weights are too large for f32; train with a smaller --lr or --clip, or more --weight-decay"
    )]
    NoProbabilities,
    /// An image whose known answer is another.
    #[error("{}: {what}; export the model again", path.display())]
    Answer {
        /// The file.
        path: PathBuf,
        /// What is wrong, with the kernel.
        what: String,
    },
    /// A net whose weights are too large to be computed with.
    #[error(
        "the net's weights have exploded: {0}; train again with a lower --lr or --clip, or more --weight-decay"
    )]
    TooLarge(gatelet::LoadError),
    /// A model was run on tokens it does not have.
    #[error("the model cannot be run: {0}")]
    Inference(String),
    /// A number too large for the integer specification.
    #[error(
        "{name} cannot be quantized to int8: its largest weight is {largest}; train with more --weight-decay, or export with --bits f32"
    )]
    Quantize {
        /// Which matrix.
        name: String,
        /// Its largest magnitude.
        largest: f32,
    },
    /// An int8 image loses more than its bounds.
    #[error("{} is not written, int8 loses too much: {what}; train longer, with --qat or a larger --hidden, export with --bits f32, or write it all the same with --accept-loss", path.display())]
    Lossy {
        /// The image.
        path: PathBuf,
        /// Every measure past its bound, with both.
        what: String,
    },
    /// The same of a net without a vocabulary.
    #[error("{} is not written, int8 loses too much: {what}; export with --bits f32, or write it all the same with --accept-loss", path.display())]
    NetLossy {
        /// The image.
        path: PathBuf,
        /// Every measure past its bound, with both.
        what: String,
    },
    /// An image could not be made.
    #[error("the image cannot be made: {0}")]
    Export(String),
    /// The text a checkpoint was trained on is not at hand.
    #[error("{corpus}, the text of this checkpoint, {why}: name a text with --text FILE")]
    NoText {
        /// Its path as it was given to `train`.
        corpus: String,
        /// `is not here` or `has changed since`.
        why: &'static str,
    },
    /// An unknown kernel.
    #[error("--isa {name} is not on this machine: it has {have}")]
    Isa {
        /// The name given.
        name: String,
        /// Names of the kernels here.
        have: String,
    },
    /// Drawing the loss curve failed.
    #[error("cannot draw {}: {what}", path.display())]
    Plot {
        /// The picture.
        path: PathBuf,
        /// Why.
        what: String,
    },
    /// A folder that no training run left.
    #[error("{} is no run folder: {what}", path.display())]
    NotARun {
        /// The folder.
        path: PathBuf,
        /// What is missing.
        what: String,
    },
    /// The text of a run is not at hand.
    #[error("{corpus}, the text of this run, {why}: name it with --corpus FILE")]
    NoCorpus {
        /// Its path.
        corpus: String,
        /// `is not here` or `is not the one the run was made from`.
        why: &'static str,
    },
    /// No shape of a sweep is within its budget.
    #[error(
        "no shape fits: the smallest, {smallest}, needs {need}; allow more, or give smaller \
         {smaller}"
    )]
    NothingFits {
        /// The shape that needs least.
        smallest: String,
        /// What it needs and what is allowed.
        need: String,
        /// The options that make nets smaller.
        smaller: &'static str,
    },
    /// The folder holds a sweep that was made otherwise.
    #[error("{} holds a sweep with another {what} ({stored}, not {given}): choose another --out", path.display())]
    OtherSweep {
        /// The folder.
        path: PathBuf,
        /// What differs.
        what: &'static str,
        /// As it is there.
        stored: String,
        /// As it was given.
        given: String,
    },
    /// Jobs of a sweep, or runs of a comparison, went wrong.
    #[error("{0}")]
    Some(String),
    /// A net of another program cannot be imported.
    #[error("{}: {source}", path.display())]
    Import {
        /// The file.
        path: PathBuf,
        /// Why.
        source: gatelet_import::Error,
    },
    /// Data that cannot be trained on.
    #[error("{0}")]
    Series(Box<gatelet_series::Error>),
    /// A file is no sequence of numbers.
    #[error("{}: {source}", path.display())]
    Sequence {
        /// The file.
        path: PathBuf,
        /// Why.
        source: gatelet_arrays::Error,
    },
    /// A step's numbers are none that the net takes.
    #[error("step {step}: {what}")]
    Step {
        /// The step, from 0.
        step: usize,
        /// Why.
        what: String,
    },
    /// A net's outputs are not those expected.
    #[error("the outputs differ: {0}")]
    Differs(String),
    /// Threads could not be started, or a signal handler not set.
    #[error("cannot start: {0}")]
    Start(String),
}

impl Error {
    /// What a run that diverged says of what is left and of how to go on.
    pub(crate) fn kept(&mut self) -> Option<&mut String> {
        match self {
            Error::Diverged { kept, .. }
            | Error::NotANumber { kept, .. }
            | Error::Exploded { kept, .. } => Some(kept),
            _ => None,
        }
    }

    /// An error of `core`'s session, in its own words.
    pub(crate) fn inference(error: impl std::fmt::Display) -> Self {
        Self::Inference(error.to_string())
    }
}

impl From<gatelet_files::Error> for Error {
    fn from(error: gatelet_files::Error) -> Self {
        match error {
            gatelet_files::Error::Write { path, source } => Self::Write { path, source },
            other => Self::Output(other),
        }
    }
}

impl From<gatelet_series::Error> for Error {
    fn from(error: gatelet_series::Error) -> Self {
        Self::Series(Box::new(error))
    }
}

/// An error of a `main` that returns it: shown as the one line it is, and not as a data structure.
pub struct Shown(Error);

impl From<Error> for Shown {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl std::fmt::Debug for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_main_is_its_one_line() {
        let error = || Error::Export("no room".to_owned());
        assert_eq!(format!("{:?}", Shown::from(error())), error().to_string());
    }
}
