//! What a run on sequences has to say: everything that its report shows, as numbers.
//!
//! ```text
//! run folder  -> curve, origin
//! best net    -> answers to what it has not learnt from, sequence by sequence    [`each_step`]
//!             -> int8 image: what it costs in answers, flash, RAM, instructions  [`Answers`]
//! ```
//! The test part is looked at where the data has one, else the part that the best net was chosen by.

use gatelet::net::{Net, Precision};
use gatelet::{Isa, Model};
use rayon::prelude::*;
use serde::Serialize;

use crate::analysis::answers::{Answers, CALIBRATED, Change, image_of};
use crate::analysis::device::{Board, Fit, fit};
use crate::analysis::roc::{Odds, Roc};
pub use crate::analysis::seen::Line;
use crate::analysis::seen::{Asked, PARTS, Seen, look, model};
pub use crate::analysis::shown::Shown;
use crate::analysis::shown::show;
use crate::error::{Error, Result};
use crate::image::Image;
use crate::isa::isa;
use crate::quantize::WeightBits;
use crate::quantize::export::own_image;
use crate::train::checkpoint::Checkpoint;
use crate::train::dataset::Dataset;
use crate::train::run::Metrics;
use crate::train::runs::Run;
use crate::train::series::Series;
use crate::train::series::answers::Answer;
use crate::train::series::options::Task;
use crate::train::series::tally::{OfClass, Tally};

/// Sequences that are looked at at a time.
const AT_ONCE: usize = 64;
/// Sequences of the table of the worst.
const WORST: usize = 10;

/// When the answer to a sequence is there.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Decision {
    /// Part of a sequence after which its last answer does not change any more: mean and median.
    pub mean: f64,
    /// See `mean`.
    pub median: f64,
    /// Part of the answers that would be right after each tenth of the sequence.
    pub right: [f64; PARTS],
}

/// What there is to say of classes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Classes {
    /// How often each (row) was taken for each (column), row by row.
    pub confusion: Vec<u64>,
    /// Precision, recall, F1.
    pub of_each: Vec<OfClass>,
    /// Mean F1 of the classes.
    pub macro_f1: f64,
    /// Of each class, against all others.
    pub roc: Vec<Roc>,
    /// Of a class a sequence.
    pub decision: Option<Decision>,
}

/// Errors of one number that is asked for, in the data's units.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Value {
    /// Mean absolute error.
    pub absolute: f64,
    /// Root of the mean squared error.
    pub rms: f64,
    /// Error to signal.
    pub figure: f64,
    /// Of a forecast: root of the mean squared error of saying that the last value stays.
    pub last_stays: Option<f64>,
}

/// The int8 image.
#[derive(Clone, Debug, Serialize)]
pub struct Integers {
    /// Its answers beside those of f32.
    pub changes: Vec<Change>,
    /// Multiply-accumulates a step.
    pub macs: usize,
    /// Bytes of a session.
    pub session_bytes: usize,
    /// Boards.
    pub boards: Vec<Fit>,
}

/// Everything the report of a run on sequences shows.
#[derive(Clone, Debug, Serialize)]
pub struct SequenceFindings {
    /// Name of the run folder.
    pub name: String,
    /// What is asked.
    pub task: Task,
    /// The net.
    #[serde(serialize_with = "crate::net::stored::serialize")]
    pub net: Net,
    /// Numbers that were trained.
    pub parameters: usize,
    /// The data.
    pub corpus: String,
    /// SHA-256 of the data.
    pub corpus_sha256: String,
    /// The command that makes the net again.
    pub command: String,
    /// Name and version of the trainer.
    pub trainer: String,
    /// Seed.
    pub seed: u64,
    /// Why the run ended, if it has.
    pub ended: Option<String>,
    /// Evaluations.
    pub metrics: Vec<Metrics>,
    /// Names of what goes in.
    pub features: Vec<String>,
    /// Names of the classes or of the numbers asked for.
    pub answers: Vec<String>,
    /// Sequences to learn from, held out, of the test part.
    pub sequences: [usize; 3],
    /// The part that is looked at: `held out` or `test`.
    pub part: &'static str,
    /// Answers that were counted.
    pub counted: u64,
    /// Accuracy or error to signal.
    pub figure: f64,
    /// Of classes.
    pub classes: Option<Classes>,
    /// Of each number asked for.
    pub values: Vec<Value>,
    /// Best, median and worst sequence; of few, fewer.
    pub shown: Vec<Shown>,
    /// The worst sequences, the worst first.
    pub worst: Vec<Line>,
    /// The int8 image.
    pub int8: Option<Integers>,
    /// Why there is none.
    pub no_int8: Option<String>,
}

/// Asks a run everything. `told` hears what is being done.
///
/// # Errors
/// Data that is not the run's, or what reading it and the nets say.
pub fn ask(
    run: Run,
    checkpoint: &Checkpoint,
    data: &Series,
    told: &mut dyn FnMut(&str),
) -> Result<SequenceFindings> {
    if crate::hex::hex(&data.sha256()) != run.corpus_sha256 {
        return Err(Error::NoCorpus {
            corpus: data.name().to_owned(),
            why: "is not what the run was trained on",
        });
    }
    let described = checkpoint.meta.series.as_ref();
    let described = described.ok_or(Error::NoVocabulary)?;
    let isa = isa()?;
    let (part, of) = match data.test().picked().is_empty() {
        true => ("held out", data.valid()),
        false => ("test", data.test()),
    };
    let asked = Asked {
        part: of,
        empty: &data.tally(),
        means: &described.means,
        answers: &described.answers,
        task: described.task,
    };
    told("the int8 image");
    let plan = checkpoint.plan();
    let bits = plan.map_or_else(WeightBits::default, |plan| plan.scheme.bits);
    let inputs = data.train().inputs(CALIBRATED)?;
    let features = inputs.sequences();
    let image = image_of(checkpoint, &features, (Precision::Int8, bits));
    let (image, no_int8) = match image {
        Ok((image, _)) => (Some(image), None),
        Err(error) => (None, Some(error.to_string())),
    };
    let int8 = image
        .as_ref()
        .map(|image| integers(checkpoint, data, image, isa));
    told("its answers");
    let float = own_image(checkpoint)?.for_isa(isa)?;
    let fast = image.map(|image| image.for_isa(isa)).transpose()?;
    let model = model(&float)?;
    let (tally, seen, odds) = everything(&model, isa, &asked)?;
    let lines = lines(&asked, &tally, &seen);
    let mut order: Vec<usize> = (0..lines.len()).collect();
    order.sort_by(|&a, &b| lines[a].loss.total_cmp(&lines[b].loss).then(a.cmp(&b)));
    let mut shown = Vec::new();
    let places = [
        ("worst", order.len().max(1) - 1),
        ("best", 0),
        ("median", order.len() / 2),
    ];
    for (n, &(which, at)) in places.iter().enumerate() {
        if places[..n].iter().any(|of| of.1 == at) {
            continue;
        }
        if let Some(&place) = order.get(at) {
            let of = (which, place, &lines[place]);
            shown.push(show(&model, fast.as_ref(), isa, &asked, of)?);
        }
    }
    shown.sort_by_key(|of| {
        ["best", "median", "worst"]
            .iter()
            .position(|&name| name == of.which)
    });
    let of_values = tally.errors.iter().enumerate().map(|(k, sums)| {
        let count = sums.count.max(1) as f64;
        let stays = seen.iter().fold((0.0, 0), |sum, one| {
            let one = one.stays.get(k).copied().unwrap_or_default();
            (sum.0 + one.0, sum.1 + one.1)
        });
        Value {
            absolute: sums.absolute / count,
            rms: (sums.squared / count).sqrt(),
            figure: sums.squared / sums.signal.max(f64::MIN_POSITIVE),
            last_stays: (stays.1 > 0).then(|| (stays.0 / stays.1 as f64).sqrt()),
        }
    });
    let is_of_classes = asked.task.is_of_classes();
    let from = &checkpoint.meta.provenance;
    Ok(SequenceFindings {
        name: run.name,
        task: asked.task,
        net: *checkpoint.params.net(),
        parameters: checkpoint.params.data.len(),
        corpus: run.corpus,
        corpus_sha256: run.corpus_sha256,
        command: run.command,
        trainer: from.trainer.clone(),
        seed: from.seed,
        ended: run.ended,
        metrics: run.metrics,
        features: described.features.clone(),
        answers: described.answers.clone(),
        sequences: [data.train(), data.valid(), data.test()].map(|part| part.picked().len()),
        part,
        counted: tally.count(),
        figure: tally.figure(),
        classes: is_of_classes.then(|| Classes {
            confusion: tally.confusion.clone(),
            of_each: tally.of_each(),
            macro_f1: tally.macro_f1(),
            roc: (0..tally.classes).map(|class| odds.roc(class)).collect(),
            decision: (asked.task == Task::Classify)
                .then(|| decision(&seen))
                .flatten(),
        }),
        values: of_values.collect(),
        shown,
        worst: order
            .iter()
            .rev()
            .take(WORST)
            .map(|&at| lines[at].clone())
            .collect(),
        int8: int8.transpose()?,
        no_int8,
    })
}

/// What integers cost, and what they need.
fn integers(checkpoint: &Checkpoint, data: &Series, image: &Image, isa: Isa) -> Result<Integers> {
    let answers = Answers::of(checkpoint, data, &image.for_isa(isa)?, isa)?;
    let model = model(image)?;
    let (net, front_end) = (model.net(), model.front_end());
    let bytes = |layout| {
        let packed: Option<Image> = image.repacked(layout).ok();
        packed.map_or(image.bytes().len(), |image| image.bytes().len())
    };
    Ok(Integers {
        changes: answers.changes,
        macs: net.macs_per_step(),
        session_bytes: 4 * model.session_words(),
        boards: Board::all()
            .map(|board| fit(board, (net, front_end.as_ref()), bytes))
            .collect(),
    })
}

/// Looks at every sequence of the part.
fn everything(model: &Model<'_>, isa: Isa, asked: &Asked<'_>) -> Result<(Tally, Vec<Seen>, Odds)> {
    let ahead = match asked.task {
        // The numbers of one step come side by side, `name+1` of all columns first.
        Task::Forecast => asked
            .answers
            .iter()
            .filter(|name| name.ends_with("+1"))
            .count(),
        _ => 0,
    };
    let (mut tally, mut all, mut odds) = (
        asked.empty.clone(),
        Vec::new(),
        Odds::new(asked.empty.classes),
    );
    for some in asked.part.picked().chunks(AT_ONCE) {
        let one = |&k: &usize| {
            let (mut tally, mut odds) = (asked.empty.clone(), Odds::new(asked.empty.classes));
            let seen = look(
                model,
                isa,
                (asked.part, k),
                ahead,
                &mut |given, log, of| match of {
                    Answer::None => {}
                    Answer::Class(class) => {
                        tally.class(given, class);
                        odds.add(log, class);
                    }
                    Answer::Numbers(numbers) => tally.values(given, numbers, asked.means),
                },
            )?;
            let seen = Seen {
                errors: tally.errors.clone(),
                ..seen
            };
            Ok::<_, Error>((tally, seen, odds))
        };
        let some: Vec<_> = some.par_iter().map(one).collect::<Result<_>>()?;
        // In their order.
        for (of, seen, its) in some {
            tally.add(&of);
            odds.merge(&its);
            all.push(seen);
        }
    }
    Ok((tally, all, odds))
}

/// Every sequence in a line.
fn lines(asked: &Asked<'_>, tally: &Tally, seen: &[Seen]) -> Vec<Line> {
    let set = asked.part.set();
    let line = |(&k, of): (&usize, &Seen)| {
        let loss = match asked.task.is_of_classes() {
            true => of.nats / of.answers.max(1) as f64,
            // Every number by the mean signal that it has in the whole part.
            false => {
                let all = of.errors.iter().zip(&tally.errors);
                let part = all.filter(|(own, _)| own.count > 0).map(|(own, all)| {
                    let signal = all.signal / all.count.max(1) as f64;
                    own.squared / own.count as f64 / signal.max(f64::MIN_POSITIVE)
                });
                part.sum::<f64>() / of.errors.len().max(1) as f64
            }
        };
        Line {
            name: set.name(k).to_owned(),
            start: set.start(k),
            steps: set.steps(k),
            loss,
            right: asked
                .task
                .is_of_classes()
                .then(|| of.right as f64 / of.answers.max(1) as f64),
            taken: of
                .class
                .filter(|_| asked.task == Task::Classify)
                .map(|class| [class, of.taken]),
        }
    };
    asked.part.picked().iter().zip(seen).map(line).collect()
}

fn decision(seen: &[Seen]) -> Option<Decision> {
    let mut parts: Vec<f64> = seen.iter().map(|of| of.decided).collect();
    parts.sort_by(f64::total_cmp);
    let median = *parts.get(parts.len() / 2)?;
    let right = std::array::from_fn(|at| {
        let right = seen
            .iter()
            .filter(|of| of.class == Some(of.early[at]))
            .count();
        right as f64 / seen.len() as f64
    });
    Some(Decision {
        mean: parts.iter().sum::<f64>() / parts.len() as f64,
        median,
        right,
    })
}
