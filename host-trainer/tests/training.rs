//! Whole runs in memory and on disk: learning, independence of threads, and resuming.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use gatelet_trainer::data::corpus::{Corpus, CorpusOptions, Outline, Text};
use gatelet_trainer::error::Error;
use gatelet_trainer::net::Params;
use gatelet_trainer::train::checkpoint::Checkpoint;
use gatelet_trainer::train::config::Config;
use gatelet_trainer::train::layers::Cell;
use gatelet_trainer::train::optim::{Optimizer, Schedule};
use gatelet_trainer::train::run::{Metrics, Mode, RunFolder};
use gatelet_trainer::train::{End, Observer, Position, Trainer};

fn content() -> String {
    (0..900_u32)
        .map(|i| char::from(b'a' + (i * i / 7 % 13) as u8))
        .collect()
}

fn text() -> Text {
    Text::from_bytes("made up".to_owned(), content().into_bytes()).unwrap()
}

fn config(cell: Cell) -> Config {
    // 9 streams: shards of 5 and 4 rows, so that the split of the state among shards is put to the test.
    let size = Config {
        cell,
        hidden: 7,
        layers: 2,
        ..Config::default()
    };
    Config {
        batch: 9,
        window: 8,
        epochs: 4,
        lr: 0.01,
        warmup: 3,
        eval_every: 5,
        patience: 0,
        ..size
    }
}

fn trainer(corpus: &Corpus, cell: Cell) -> Trainer<'_> {
    Trainer::new(corpus, config(cell), "test".to_owned()).unwrap()
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
            self.stop.store(true, std::sync::atomic::Ordering::Relaxed);
        }
    }
    fn evaluation(&mut self, _: &Metrics) {}
}

fn run(trainer: &mut Trainer<'_>, folder: &RunFolder, windows: usize) -> End {
    let stop = AtomicBool::new(false);
    trainer
        .run(
            folder,
            &stop,
            &mut StopAfter {
                windows,
                stop: &stop,
            },
        )
        .unwrap()
}

fn read(path: &Path) -> Checkpoint {
    Checkpoint::from_bytes(&std::fs::read(path).unwrap(), path).unwrap()
}

/// The metrics without what depends on the clock.
fn timeless(folder: &RunFolder) -> Vec<String> {
    let metrics = folder.rewind_metrics(u64::MAX).unwrap();
    let timeless = |m: Metrics| Metrics {
        seconds: 0.0,
        characters_per_second: 0.0,
        ..m
    };
    metrics
        .into_iter()
        .map(|m| serde_json::to_string(&timeless(m)).unwrap())
        .collect()
}

#[test]
fn a_resumed_run_equals_an_uninterrupted_one_bit_for_bit() {
    for cell in [Cell::Lstm, Cell::Rnn] {
        let text = text();
        let corpus = Corpus::new(&text, 0.1).unwrap();
        let temporary = tempfile::tempdir().unwrap();
        let whole = RunFolder::open(&temporary.path().join("whole"), Mode::New).unwrap();
        let mut one = trainer(&corpus, cell);
        assert_eq!(run(&mut one, &whole, usize::MAX), End::Finished);

        // The parts read their text from a file of tokens, which may not make a difference.
        let path = temporary.path().join("text.txt");
        std::fs::write(&path, content()).unwrap();
        let mut streamed = Text::open(&path, 0).unwrap();
        streamed.name.clone_from(&text.name);
        let corpus = Corpus::new(&streamed, 0.1).unwrap();
        let parts = RunFolder::open(&temporary.path().join("parts"), Mode::New).unwrap();
        let mut resumed = trainer(&corpus, cell);
        // Inside an epoch, at an evaluation (5), at the end of an epoch (11).
        for windows in [3, 2, 6, 7] {
            assert_eq!(run(&mut resumed, &parts, windows), End::Interrupted);
            assert!(parts.best().is_file() && parts.last().is_file());
            resumed = Trainer::resume(&corpus, read(&parts.last())).unwrap();
        }
        assert_eq!(run(&mut resumed, &parts, usize::MAX), End::Finished);

        assert_eq!(
            std::fs::read(whole.best()).unwrap(),
            std::fs::read(parts.best()).unwrap(),
            "{cell}: best"
        );
        let (a, b) = (read(&whole.last()), read(&parts.last()));
        assert_eq!(a.params, b.params, "{cell}: last");
        assert_eq!(a.resume, b.resume, "{cell}: optimizer and state");
        assert_eq!(timeless(&whole), timeless(&parts), "{cell}: metrics");
        let samples = |run: &RunFolder| std::fs::read(run.path().join("samples.jsonl")).unwrap();
        assert!(!samples(&whole).is_empty());
        assert_eq!(samples(&whole), samples(&parts), "{cell}: samples");
        assert!(whole.plot().is_file() && parts.plot().is_file());
    }
}

#[test]
fn a_run_killed_between_checkpoints_goes_on_from_the_last_one() {
    let text = text();
    let corpus = Corpus::new(&text, 0.1).unwrap();
    let temporary = tempfile::tempdir().unwrap();
    let folder = RunFolder::open(&temporary.path().join("run"), Mode::New).unwrap();
    let mut killed = trainer(&corpus, Cell::Lstm);
    run(&mut killed, &folder, 7);
    let saved = read(&folder.last());
    let lines = timeless(&folder).len();
    // What a kill leaves: metrics after the checkpoint, a torn line, half a temporary file.
    let metrics = folder.path().join("metrics.jsonl");
    let mut torn = std::fs::read_to_string(&metrics).unwrap();
    let later = torn.replace("\"step\":5", "\"step\":999");
    torn.push_str(&later);
    torn.push_str("{\"epoch\":1.2,\"st");
    std::fs::write(&metrics, torn).unwrap();
    std::fs::write(folder.path().join("last.safetensors.tmp"), b"half").unwrap();

    let mut resumed = Trainer::resume(&corpus, saved).unwrap();
    assert_eq!(run(&mut resumed, &folder, usize::MAX), End::Finished);
    let mut straight = trainer(&corpus, Cell::Lstm);
    let other = RunFolder::open(&temporary.path().join("other"), Mode::New).unwrap();
    run(&mut straight, &other, usize::MAX);
    assert_eq!(resumed.params(), straight.params());
    assert_eq!(timeless(&folder), timeless(&other));
    assert!(lines < timeless(&folder).len());
}

#[test]
fn the_result_does_not_depend_on_the_number_of_threads() {
    let text = text();
    let corpus = Corpus::new(&text, 0.1).unwrap();
    let with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| {
            let mut trainer = trainer(&corpus, Cell::Lstm);
            for _ in 0..20 {
                trainer.step().unwrap();
            }
            (
                trainer.params().clone(),
                trainer.evaluate().unwrap().to_bits(),
            )
        })
    };
    let one = with(1);
    assert_eq!(one, with(2));
    assert_eq!(one, with(3));
}

#[test]
fn a_repeated_text_is_learnt_by_heart() {
    for (cell, layers) in [(Cell::Lstm, 2), (Cell::Rnn, 1), (Cell::Gru, 2)] {
        let text =
            Text::from_bytes("loop".to_owned(), "the cat sat. ".repeat(60).into_bytes()).unwrap();
        let corpus = Corpus::new(&text, 0.2).unwrap();
        let size = Config {
            cell,
            layers,
            hidden: 24,
            batch: 4,
            window: 16,
            ..Config::default()
        };
        let config = Config {
            epochs: 60,
            lr: 0.02,
            warmup: 0,
            ..size
        };
        let mut trainer = Trainer::new(&corpus, config, "test".to_owned()).unwrap();
        while trainer.position().epoch < 60 {
            trainer.step().unwrap();
        }
        let nats = trainer.evaluate().unwrap();
        assert!(nats < 0.02, "{cell}: {nats} nats");
    }
}

#[test]
fn early_stopping_waits_for_the_patience() {
    // Noise cannot be learnt: the held-out loss soon rises.
    let noise: String = (0..600_u64)
        .scan(1_u64, |x, _| {
            *x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            Some(char::from(b'a' + (*x >> 60) as u8))
        })
        .collect();
    let text = Text::from_bytes("noise".to_owned(), noise.into_bytes()).unwrap();
    let corpus = Corpus::new(&text, 0.1).unwrap();
    let size = Config {
        hidden: 32,
        batch: 4,
        window: 16,
        lr: 0.02,
        ..Config::default()
    };
    let config = Config {
        epochs: 500,
        patience: 3,
        warmup: 0,
        ..size
    };
    let temporary = tempfile::tempdir().unwrap();
    let folder = RunFolder::open(&temporary.path().join("run"), Mode::New).unwrap();
    let mut trainer = Trainer::new(&corpus, config, "test".to_owned()).unwrap();
    assert_eq!(run(&mut trainer, &folder, usize::MAX), End::Early);
    let metrics = folder.rewind_metrics(u64::MAX).unwrap();
    let cooldown = trainer.position().cooldown.unwrap();
    let waited = metrics.iter().take_while(|m| m.step <= cooldown.start);
    let before: Vec<&Metrics> = waited.collect();
    assert_eq!(
        before.len() - 1 - before.iter().rposition(|m| m.best).unwrap(),
        3
    );
    // The cooldown may find a better one.
    let best = metrics.iter().rposition(|m| m.best).unwrap();
    let checkpoint = read(&folder.best());
    assert_eq!(
        checkpoint.meta.provenance.nats,
        Some(metrics[best].valid_nats)
    );
}

#[test]
fn a_diverged_run_stops_and_keeps_its_parameters() {
    let text = text();
    let corpus = Corpus::new(&text, 0.1).unwrap();
    let temporary = tempfile::tempdir().unwrap();
    let folder = RunFolder::open(&temporary.path().join("run"), Mode::New).unwrap();
    run(&mut trainer(&corpus, Cell::Rnn), &folder, 7);
    let good = read(&folder.last());
    let files = || [folder.last(), folder.best()].map(|path| std::fs::read(path).unwrap());
    let kept = files();
    let bits = |params: &Params<f32>| params.data.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
    // Finite weights whose products overflow, which the first step finds; and a weight of a character's row that is no
    // number, which no loss shows and the check before saving finds.
    let overflowing = vec![3e38; good.params.data.len()];
    let mut no_number = good.params.data.clone();
    no_number[0] = f32::NAN;
    for (data, at_once) in [(overflowing, true), (no_number, false)] {
        let mut checkpoint = good.clone();
        checkpoint.params.data = data;
        let mut broken = Trainer::resume(&corpus, checkpoint).unwrap();
        let before = bits(broken.params());
        let stop = AtomicBool::new(false);
        let mut observer = StopAfter {
            windows: 100,
            stop: &stop,
        };
        let error = broken.run(&folder, &stop, &mut observer).unwrap_err();
        match &error {
            Error::Diverged { .. } => assert!(at_once, "{error}"),
            Error::NotANumber { tensor, .. } => {
                assert!(!at_once && tensor == "rnn.weight_ih_l0", "{error}");
            }
            _ => panic!("{error}"),
        }
        assert!(error.to_string().contains("best.safetensors"), "{error}");
        assert_eq!(files(), kept, "what is good stays");
        assert_eq!(bits(broken.params()) == before, at_once);
    }
}

#[test]
fn metrics_lines_of_another_version_are_kept_and_torn_ones_are_not() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = RunFolder::open(&temporary.path().join("run"), Mode::New).unwrap();
    let path = folder.path().join("metrics.jsonl");
    let known = "{\"epoch\":1.0,\"step\":5,\"characters\":9,\"train_nats\":2.0,\"valid_nats\":2.0,\"valid_bpc\":2.9,\
        \"best\":true,\"lr\":0.1,\"gradient_norm\":1.0,\"seconds\":1.0,\"characters_per_second\":9.0}\n";
    let foreign = "{\"step\":6,\"loss\":2.5}\n";
    let later = known.replace("\"step\":5", "\"step\":8");
    let all = [known, foreign, "{\"step\":7,\"lo\n", &later, "{\"step\":7}"].concat();
    std::fs::write(&path, [all.as_bytes(), b"\xff\xfe"].concat()).unwrap();
    let lines = folder.rewind_metrics(7).unwrap();
    assert_eq!(lines.iter().map(|m| m.step).collect::<Vec<_>>(), [5]);
    let kept = std::fs::read_to_string(&path).unwrap();
    assert_eq!(kept, [known, foreign].concat());
}

#[test]
fn another_text_cannot_be_resumed() {
    let text = text();
    let corpus = Corpus::new(&text, 0.1).unwrap();
    let checkpoint = trainer(&corpus, Cell::Lstm).checkpoint(true);
    let other =
        Text::from_bytes("other".to_owned(), "abcdefghijklm".repeat(80).into_bytes()).unwrap();
    let other = Corpus::new(&other, 0.1).unwrap();
    assert!(matches!(
        Trainer::resume(&other, checkpoint.clone()),
        Err(Error::OtherCorpus { .. })
    ));
    // The same text with another vocabulary is not that of the run either.
    let options = CorpusOptions {
        valid_fraction: 0.1,
        max_vocab: Some(5),
        ..CorpusOptions::default()
    };
    let outline = Outline::of(&text, &options).unwrap();
    let capped = outline.corpus(&text, &std::env::temp_dir()).unwrap();
    assert!(matches!(
        Trainer::resume(&capped, checkpoint),
        Err(Error::Checkpoint { .. })
    ));
}

/// What decides the rest of a run is in its checkpoint for every optimizer and schedule, and the recorded options too.
#[test]
fn every_optimizer_and_the_plateau_are_resumed_bit_for_bit() {
    let base = || Config {
        schedule: Schedule::Plateau,
        plateau_patience: 1,
        plateau_factor: 0.3,
        label_smoothing: 0.1,
        eval_every: 4,
        ..config(Cell::Lstm)
    };
    for (optimizer, lr, momentum) in [
        (Optimizer::Adam, 0.05, 0.0),
        (Optimizer::Sgd, 4.0, 0.9),
        (Optimizer::Sgd, 4.0, 0.0),
        (Optimizer::RmsProp, 0.05, 0.0),
        (Optimizer::RmsProp, 0.05, 0.5),
    ] {
        let config = Config {
            lr,
            momentum,
            decay_biases: false,
            weight_decay: 0.02,
            ..base().with_optimizer(optimizer)
        };
        let text = text();
        let corpus = Corpus::new(&text, 0.1).unwrap();
        let temporary = tempfile::tempdir().unwrap();
        let new = || Trainer::new(&corpus, config.clone(), "test".to_owned()).unwrap();
        let whole = RunFolder::open(&temporary.path().join("whole"), Mode::New).unwrap();
        let mut one = new();
        assert_eq!(run(&mut one, &whole, usize::MAX), End::Finished);
        let scale = one.position().plateau.scale;
        assert!(
            scale < 0.5,
            "{optimizer}: no plateau was found, scale {scale}"
        );

        let parts = RunFolder::open(&temporary.path().join("parts"), Mode::New).unwrap();
        let mut resumed = new();
        for windows in [3, 6, 10, 7] {
            assert_eq!(run(&mut resumed, &parts, windows), End::Interrupted);
            resumed = Trainer::resume(&corpus, read(&parts.last())).unwrap();
        }
        assert_eq!(run(&mut resumed, &parts, usize::MAX), End::Finished);
        let (a, b) = (read(&whole.last()), read(&parts.last()));
        assert_eq!(a.params, b.params, "{optimizer}: last");
        assert_eq!(a.resume, b.resume, "{optimizer}: optimizer and state");
        let plateau = |checkpoint: &Checkpoint| checkpoint.meta.position.as_ref().unwrap().plateau;
        assert_eq!(plateau(&a), plateau(&b), "{optimizer}");
        assert_eq!(timeless(&whole), timeless(&parts), "{optimizer}: metrics");
    }
}

#[test]
fn every_optimizer_learns_a_repeated_text() {
    for optimizer in [
        Optimizer::AdamW,
        Optimizer::Adam,
        Optimizer::Sgd,
        Optimizer::RmsProp,
    ] {
        let text =
            Text::from_bytes("loop".to_owned(), "the cat sat. ".repeat(60).into_bytes()).unwrap();
        let corpus = Corpus::new(&text, 0.2).unwrap();
        // The learning rate that the optimizer comes with.
        let config = Config {
            hidden: 24,
            batch: 4,
            window: 16,
            epochs: 80,
            warmup: 10,
            ..Config::default().with_optimizer(optimizer)
        };
        let mut trainer = Trainer::new(&corpus, config, "test".to_owned()).unwrap();
        while trainer.position().epoch < 80 {
            trainer.step().unwrap();
        }
        let nats = trainer.evaluate().unwrap();
        assert!(nats < 0.1, "{optimizer}: {nats} nats");
    }
}

#[test]
fn label_smoothing_leaves_doubt_and_the_losses_comparable() {
    let text =
        Text::from_bytes("loop".to_owned(), "the cat sat. ".repeat(60).into_bytes()).unwrap();
    let corpus = Corpus::new(&text, 0.2).unwrap();
    let smoothing = 0.2;
    let config = Config {
        hidden: 24,
        batch: 4,
        window: 16,
        epochs: 80,
        lr: 0.02,
        label_smoothing: smoothing,
        ..Config::default()
    };
    let mut trainer = Trainer::new(&corpus, config, "test".to_owned()).unwrap();
    let mut last = 0.0;
    while trainer.position().epoch < 80 {
        last = trainer.step().unwrap();
    }
    // The best net gives the right character 1 - s + s / vocab.
    let vocab = corpus.vocab.len() as f64;
    let floor = -(1.0 - smoothing + smoothing / vocab).ln();
    let nats = trainer.evaluate().unwrap();
    assert!(
        (nats - floor).abs() < 0.03,
        "{nats} nats, the floor is {floor}"
    );
    assert!(
        (last - nats).abs() < 0.03,
        "trained {last}, held out {nats}"
    );
}
