//! A run that was stopped and resumed ends at the bits of one that was left alone: over a table of configurations.
//!
//! ```text
//! for each configuration:  left alone, on one thread
//!                          stopped after 1, 2, 3 ... windows, each part read from the disk, on 1, 2, 3 threads in turn
//! both end at the same last.safetensors, best.safetensors and metrics.jsonl, but for the clock
//! ```
//! A new optimizer, schedule or anything else with memory gets a line in [`table`].

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use gatelet_trainer::data::corpus::{Corpus, IN_MEMORY, Level, Outline, Rules, Text};
use gatelet_trainer::error::Error;
use gatelet_trainer::train::checkpoint::Checkpoint;
use gatelet_trainer::train::config::Config;
use gatelet_trainer::train::layers::Cell;
use gatelet_trainer::train::optim::{Optimizer, Schedule};
use gatelet_trainer::train::run::{Metrics, Mode, RunFolder, Saver, change};
use gatelet_trainer::train::{End, Observer, Position, Trainer};

fn text() -> Text {
    // Every fifth is a space, for the runs on words.
    let character = |i: u32| match i % 5 {
        4 => ' ',
        _ => char::from(b'a' + (i * i / 7 % 13) as u8),
    };
    let content: String = (0..900).map(character).collect();
    Text::from_bytes("made up".to_owned(), content.into_bytes()).unwrap()
}

/// The same with a line break in place of every space.
fn lines() -> Text {
    let whole = text().whole(Rules::default()).unwrap();
    Text::of("lines".to_owned(), whole.replace(' ', "\n").into_bytes())
}

/// Small, with two layers, shards of unequal size (9 streams), 11 windows an epoch.
fn small() -> Config {
    let size = Config {
        hidden: 7,
        layers: 2,
        batch: 9,
        window: 8,
        ..Config::default()
    };
    Config {
        epochs: 3,
        lr: 0.01,
        warmup: 3,
        eval_every: 5,
        patience: 0,
        ..size
    }
}

/// Configurations by what they put to the test, each with the way its run ends.
fn table() -> Vec<(&'static str, Config, End)> {
    let with = |change: fn(&mut Config)| {
        let mut config = small();
        change(&mut config);
        config
    };
    let finished = End::Finished;
    vec![
        ("lstm, cosine", small(), finished),
        ("rnn", with(|c| c.cell = Cell::Rnn), finished),
        (
            "gru, dropout of both kinds",
            with(|c| (c.cell, c.dropout, c.recurrent_dropout) = (Cell::Gru, 0.2, 0.3)),
            finished,
        ),
        (
            "constant rate",
            with(|c| c.schedule = Schedule::Constant),
            finished,
        ),
        (
            "dropout of both kinds",
            with(|c| (c.dropout, c.recurrent_dropout, c.layers) = (0.2, 0.3, 2)),
            finished,
        ),
        (
            "warm-up longer than the run",
            with(|c| c.warmup = 100),
            finished,
        ),
        (
            "evaluation once an epoch",
            with(|c| c.eval_every = 0),
            finished,
        ),
        (
            "evaluation every step",
            with(|c| (c.eval_every, c.epochs) = (1, 1)),
            finished,
        ),
        (
            "one stream, one layer",
            with(|c| (c.batch, c.layers, c.window, c.epochs) = (1, 1, 40, 2)),
            finished,
        ),
        (
            "many streams",
            with(|c| (c.batch, c.window, c.epochs) = (40, 4, 3)),
            finished,
        ),
        (
            "no decay, hard clipping",
            with(|c| (c.weight_decay, c.clip) = (0.0, 0.05)),
            finished,
        ),
        (
            "embedding and projection",
            with(|c| (c.embedding, c.projection, c.dropout) = (5, 6, 0.2)),
            finished,
        ),
        (
            "words, tied",
            with(|c| {
                (c.embedding, c.projection, c.tied, c.epochs) = (6, 6, true, 9);
                (c.level, c.max_vocab, c.recurrent_dropout) = (Level::Word, Some(20), 0.2);
            }),
            finished,
        ),
        (
            "lines",
            with(|c| (c.lines, c.recurrent_dropout) = (true, 0.2)),
            finished,
        ),
        ("no clipping", with(|c| c.clip = f64::INFINITY), finished),
        ("another seed", with(|c| c.seed = u64::MAX), finished),
        (
            "an end after so many characters, in mid-epoch",
            with(|c| (c.characters, c.epochs) = (Some(17 * 72), 9)),
            finished,
        ),
        (
            "early stop at a constant rate",
            with(|c| {
                (c.lr, c.patience, c.epochs, c.hidden) = (0.05, 2, 60, 24);
                c.schedule = Schedule::Constant;
            }),
            End::Early,
        ),
        (
            "early stop and cooldown of a plateau, with dropout",
            with(|c| {
                (c.lr, c.patience, c.epochs, c.hidden) = (0.05, 2, 60, 24);
                (c.schedule, c.dropout, c.eval_every) = (Schedule::Plateau, 0.1, 7);
            }),
            End::Early,
        ),
        (
            "early stop and cooldown, sgd",
            with(|c| {
                *c = c.clone().with_optimizer(Optimizer::Sgd);
                (c.lr, c.patience, c.epochs, c.hidden) = (2.0, 2, 60, 24);
            }),
            End::Early,
        ),
        (
            "early stop",
            with(|c| (c.lr, c.patience, c.epochs, c.hidden) = (0.05, 2, 60, 24)),
            End::Early,
        ),
    ]
}

/// Stops a run after so many windows, as Ctrl-C would.
struct StopAfter<'a> {
    windows: usize,
    stop: &'a AtomicBool,
}

impl Observer for StopAfter<'_> {
    fn window(&mut self, _: &Position, _: f64, _: f64) {
        self.windows = self.windows.saturating_sub(1);
        if self.windows == 0 {
            self.stop.store(true, Ordering::Relaxed);
        }
    }
    fn evaluation(&mut self, _: &Metrics) {}
}

fn run(trainer: &mut Trainer<'_>, folder: &RunFolder, windows: usize) -> Result<End, Error> {
    let stop = AtomicBool::new(false);
    let mut observer = StopAfter {
        windows,
        stop: &stop,
    };
    trainer.run(folder, &stop, &mut observer)
}

fn open(place: &tempfile::TempDir, name: &str) -> RunFolder {
    RunFolder::open(&place.path().join(name), Mode::New).unwrap()
}

fn fresh<'c>(corpus: &'c Corpus, config: &Config) -> Trainer<'c> {
    Trainer::new(corpus, config.clone(), "test".to_owned()).unwrap()
}

fn on_threads<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> T {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    pool.unwrap().install(work)
}

/// Bytes of both checkpoints and the metrics, without what depends on the clock.
fn result(folder: &RunFolder) -> (Vec<u8>, Vec<u8>, Vec<Metrics>) {
    let (mut last, found) = folder.load().unwrap();
    assert!(found.damaged.is_empty() && found.path == folder.last());
    let position = last.meta.position.as_mut().unwrap();
    (position.seconds, position.evaluated_at.1) = (0.0, 0.0);
    let mut metrics = folder.rewind_metrics(u64::MAX).unwrap();
    for line in &mut metrics {
        (line.seconds, line.characters_per_second) = (0.0, 0.0);
    }
    let best = std::fs::read(folder.best()).unwrap();
    (last.to_bytes().unwrap(), best, metrics)
}

fn assert_same(name: &str, one: &RunFolder, other: &RunFolder) {
    let (a, b) = (result(one), result(other));
    assert_eq!(a.2, b.2, "{name}: metrics");
    assert!(a.0 == b.0, "{name}: last.safetensors");
    assert!(a.1 == b.1, "{name}: best.safetensors");
}

#[test]
fn stopped_and_resumed_runs_end_at_the_same_bits() {
    let text = text();
    for (name, config, expected) in table() {
        // The same text with short lines.
        let text = match config.lines {
            true => lines(),
            false => text.clone(),
        };
        let folder = std::env::temp_dir();
        let text = config.arranged(text, (IN_MEMORY, &folder)).unwrap();
        let outline = Outline::of(&text, &config.corpus_options()).unwrap();
        let corpus = outline.corpus(&text, &folder).unwrap();
        let place = tempfile::tempdir().unwrap();
        let (whole, parts) = (open(&place, "whole"), open(&place, "parts"));
        let end = on_threads(1, || run(&mut fresh(&corpus, &config), &whole, usize::MAX));
        assert_eq!(end.unwrap(), expected, "{name}");

        let mut trainer = fresh(&corpus, &config);
        let mut stops = 0;
        loop {
            // 1, 2, 3, 4 ...: inside an epoch, at its end, at an evaluation, and one past each.
            let threads = stops % 3 + 1;
            let end = on_threads(threads, || run(&mut trainer, &parts, stops + 1)).unwrap();
            if end != End::Interrupted {
                assert_eq!(end, expected, "{name}");
                break;
            }
            stops += 1;
            trainer = Trainer::resume(&corpus, parts.load().unwrap().0).unwrap();
        }
        assert!(stops >= 3, "{name}: stopped {stops} times");
        assert_same(name, &whole, &parts);

        // Once ended, it stays ended.
        let mut again = Trainer::resume(&corpus, parts.load().unwrap().0).unwrap();
        assert_eq!(run(&mut again, &parts, 1).unwrap(), expected, "{name}");
        assert_same(name, &whole, &parts);
    }
}

/// A run that stops early goes back to its best net and ends with the rate at its floor, whenever that is.
#[test]
fn a_run_that_stops_early_has_annealed() {
    let text = text();
    let corpus = Corpus::new(&text, 0.1).unwrap();
    for (schedule, patience) in [
        (Schedule::Cosine, 2),
        (Schedule::Cosine, 5),
        (Schedule::Plateau, 3),
    ] {
        let config = Config {
            lr: 0.05,
            epochs: 500,
            hidden: 24,
            patience,
            schedule,
            ..small()
        };
        let place = tempfile::tempdir().unwrap();
        let folder = open(&place, "run");
        let mut trainer = fresh(&corpus, &config);
        assert_eq!(run(&mut trainer, &folder, usize::MAX).unwrap(), End::Early);
        let metrics = folder.rewind_metrics(u64::MAX).unwrap();
        let cooldown = trainer.position().cooldown.unwrap();
        let before: Vec<&Metrics> = metrics
            .iter()
            .filter(|m| m.step <= cooldown.start)
            .collect();
        let best = before.iter().rfind(|m| m.best).unwrap();
        assert_eq!(
            before.len() - 1,
            patience + before.iter().position(|m| m.step == best.step).unwrap()
        );
        let last = metrics.last().unwrap();
        assert!((last.lr / config.lr - 0.01).abs() < 1e-9, "{}", last.lr);
        assert_eq!(last.step, cooldown.start + cooldown.steps);
        // It began from the best net, and ends nearer to it than where the patience was exhausted.
        let exhausted = before.last().unwrap();
        assert!(
            last.valid_nats < exhausted.valid_nats,
            "{last:?} {exhausted:?}"
        );
        assert!(folder.best_nats().unwrap() <= best.valid_nats);
    }
}

/// A kill at a step leaves what was on the disk at that step: every checkpoint of a run leads to the same end.
#[test]
fn every_checkpoint_of_a_run_leads_to_the_same_end() {
    struct Copies<'a>(&'a RunFolder, Vec<Vec<u8>>);
    impl Observer for Copies<'_> {
        fn window(&mut self, _: &Position, _: f64, _: f64) {
            self.1.push(std::fs::read(self.0.last()).unwrap());
        }
        fn evaluation(&mut self, _: &Metrics) {}
    }
    let text = text();
    let corpus = Corpus::new(&text, 0.1).unwrap();
    let place = tempfile::tempdir().unwrap();
    let whole = open(&place, "whole").saving_every(Duration::ZERO);
    let mut copies = Copies(&whole, Vec::new());
    let config = Config {
        epochs: 2,
        eval_every: 8,
        ..small()
    };
    let never = AtomicBool::new(false);
    fresh(&corpus, &config)
        .run(&whole, &never, &mut copies)
        .unwrap();
    let copies = copies.1;
    assert_eq!(copies.len(), 22, "one of each step, the first of step 0");
    let metrics = std::fs::read(whole.path().join("metrics.jsonl")).unwrap();
    for (step, bytes) in copies.iter().enumerate() {
        let folder = open(&place, &step.to_string());
        std::fs::write(folder.last(), bytes).unwrap();
        // All lines are there, and a torn one: more than this checkpoint knows of.
        let torn = [&metrics[..], b"{\"epoch\":1.5,\"st"].concat();
        std::fs::write(folder.path().join("metrics.jsonl"), torn).unwrap();
        let (checkpoint, found) = folder.load().unwrap();
        assert_eq!(found.step, step as u64);
        // The best net so far is what the whole run had at that step: none, or a later one that comes again.
        std::fs::copy(whole.best(), folder.best()).unwrap();
        let mut trainer = Trainer::resume(&corpus, checkpoint).unwrap();
        assert_eq!(
            run(&mut trainer, &folder, usize::MAX).unwrap(),
            End::Finished
        );
        assert_same(&format!("from step {step}"), &whole, &folder);
    }
}

#[test]
fn a_time_limit_holds_over_all_parts_of_a_run() {
    let text = text();
    let corpus = Corpus::new(&text, 0.1).unwrap();
    let place = tempfile::tempdir().unwrap();
    let folder = open(&place, "run");
    let config = Config {
        epochs: 1_000_000,
        minutes: Some(0.01),
        ..small()
    };
    let mut trainer = fresh(&corpus, &config);
    assert_eq!(run(&mut trainer, &folder, 3).unwrap(), End::Interrupted);
    let mut trainer = Trainer::resume(&corpus, folder.load().unwrap().0).unwrap();
    assert_eq!(run(&mut trainer, &folder, usize::MAX).unwrap(), End::Time);
    assert!(trainer.position().seconds >= 0.6);
    let (mut checkpoint, _) = folder.load().unwrap();
    assert_eq!(
        checkpoint.meta.position.as_ref().unwrap().ended,
        Some(End::Time)
    );
    // With more time it goes on, and the time so far counts.
    let more = Config {
        minutes: Some(0.02),
        ..checkpoint.config().unwrap().clone()
    };
    let steps = trainer.position().step;
    change(&mut checkpoint.meta, more, &["minutes"]).unwrap();
    let mut trainer = Trainer::resume(&corpus, checkpoint).unwrap();
    assert_eq!(run(&mut trainer, &folder, usize::MAX).unwrap(), End::Time);
    assert!(trainer.position().seconds >= 1.2 && trainer.position().step > steps);
}

#[test]
fn changes_are_recorded_and_the_rest_stays() {
    let text = text();
    let corpus = Corpus::new(&text, 0.1).unwrap();
    let place = tempfile::tempdir().unwrap();
    let folder = open(&place, "run");
    let (_, config, _) = table().pop().unwrap();
    let options = ["epochs", "seed", "lr", "patience"];
    assert_eq!(
        run(&mut fresh(&corpus, &config), &folder, usize::MAX).unwrap(),
        End::Early
    );
    let stopped: Checkpoint = folder.load().unwrap().0;
    let position = stopped.meta.position.clone().unwrap();
    let more = position.epoch + 2;
    let changed = |edit: &dyn Fn(&mut Config)| {
        let mut meta = stopped.meta.clone();
        let mut config = meta.config().unwrap().clone();
        edit(&mut config);
        change(&mut meta, config, &options).map(|changes| (meta, changes))
    };

    // Without a change nothing at all changes.
    let (same, none) = changed(&|_| {}).unwrap();
    assert_eq!((same, none), (stopped.meta.clone(), Vec::new()));
    assert!(matches!(
        changed(&|c| c.seed = 3),
        Err(Error::ResumeMismatch { option: "seed", .. })
    ));
    assert!(matches!(
        changed(&|c| c.epochs = 1),
        Err(Error::Option {
            option: "epochs",
            ..
        })
    ));
    // A change that does not lift the reason to end leaves the run ended.
    let (meta, changes) = changed(&|c| c.lr = 0.001).unwrap();
    assert_eq!(meta.position.unwrap().ended, Some(End::Early));
    assert_eq!(changes.len(), 1);
    // One that does makes it go on, at the rate of the schedule.
    let (meta, changes) = changed(&|c| (c.patience, c.epochs) = (0, more)).unwrap();
    assert_eq!(changes.len(), 2);
    let open = meta.position.as_ref().unwrap();
    assert!(position.cooldown.is_some());
    assert_eq!((open.ended, open.cooldown), (None, None));
    let record = format!(
        "test # from step {}: --resume --epochs {more} --patience 0",
        position.step
    );
    assert_eq!(meta.provenance.command, record);
    let checkpoint = Checkpoint {
        meta,
        ..stopped.clone()
    };
    let mut trainer = Trainer::resume(&corpus, checkpoint).unwrap();
    assert_eq!(
        run(&mut trainer, &folder, usize::MAX).unwrap(),
        End::Finished
    );
    assert!(trainer.position().epoch == more && trainer.position().step > position.step);
}

/// A checkpoint must not know of a metrics line, or of a best net, that is not on the disk yet.
#[test]
fn a_checkpoint_comes_after_what_it_knows_of() {
    let text = text();
    let corpus = Corpus::new(&text, 0.1).unwrap();
    let place = tempfile::tempdir().unwrap();
    let source = open(&place, "source");
    run(&mut fresh(&corpus, &small()), &source, 7).unwrap();
    let lines = source.rewind_metrics(u64::MAX).unwrap();
    let (checkpoint, _) = source.load().unwrap();
    for blocked in ["metrics.jsonl", "best.safetensors"] {
        let folder = open(&place, blocked);
        let mut saver = Saver::new(&folder, 0);
        // A folder in its place cannot be written by anybody, whatever the rights.
        let obstacle = folder.path().join(blocked);
        std::fs::create_dir_all(obstacle.join("below")).unwrap();
        saver.best(&checkpoint).unwrap();
        saver.metrics(lines[0].clone());
        for _ in 0..2 {
            assert!(matches!(saver.save(&checkpoint), Err(Error::Write { .. })));
            assert!(!folder.last().exists(), "{blocked}");
        }
        std::fs::remove_dir_all(&obstacle).unwrap();
        saver.save(&checkpoint).unwrap();
        assert_eq!(folder.load().unwrap().1.step, 7);
        assert_eq!(
            folder.rewind_metrics(u64::MAX).unwrap(),
            lines[..1],
            "{blocked}"
        );
        assert!(folder.best().is_file());
    }
}
