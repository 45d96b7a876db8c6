//! Runs on sequences of numbers: what they learn, that they can be stopped anywhere, and that what
//! comes out is what was trained.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use gatelet::Isa;
use gatelet_series::Set;
use gatelet_trainer::analysis::answers::Answers;
use gatelet_trainer::net::Interface;
use gatelet_trainer::quantize::Sequence;
use gatelet_trainer::quantize::WeightBits;
use gatelet_trainer::quantize::export::{calibrated_net, image_by, own_image};
use gatelet_trainer::train::checkpoint::Checkpoint;
use gatelet_trainer::train::config::{Config, Qat};
use gatelet_trainer::train::layers::Cell;
use gatelet_trainer::train::run::{Metrics, Mode, RunFolder};
use gatelet_trainer::train::series::options::{SeriesOptions, Task};
use gatelet_trainer::train::series::{Given, Series};
use gatelet_trainer::train::{End, Observer, Position, Trainer};

/// A number from 0 to below 1, the same on every machine.
fn number(seed: u32) -> f64 {
    let mut x = seed.wrapping_mul(0x9E37_79B9) ^ 0x85EB_CA6B;
    x ^= x >> 16;
    x = x.wrapping_mul(0x7FEB_352D);
    x ^= x >> 15;
    f64::from(x) / f64::from(u32::MAX)
}

/// 60 sequences of 9 to 20 steps: a wave about 1000 with small ripples, fast or slow, and a
/// feature that says nothing. The class is the speed; `next` is the ripple times 3, a step before.
fn table(path: &Path) {
    let mut text = String::from("id,pressure,idle,kind,next\n");
    for id in 0..60_u32 {
        let fast = id % 2 == 1;
        let (speed, phase) = (if fast { 1.4 } else { 0.5 }, 6.3 * number(id));
        let mut before = 0.0;
        for t in 0..9 + id % 12 {
            let noise = 0.05 * number(id * 100 + t);
            let ripple = (phase + speed * f64::from(t)).sin() + noise;
            let kind = if fast { "fast" } else { "slow" };
            let pressure = 1000.0 + 20.0 * ripple;
            writeln!(text, "s{id},{pressure:.3},0.25,{kind},{:.4}", 3.0 * before).unwrap();
            before = ripple;
        }
    }
    std::fs::write(path, text).unwrap();
}

fn options(task: Task) -> SeriesOptions {
    let target = match task {
        Task::Classify | Task::Label => "kind",
        Task::Forecast => "pressure",
        Task::Regress => "next",
    };
    SeriesOptions {
        features: vec!["pressure".to_owned(), "idle".to_owned()],
        target: vec![target.to_owned()],
        group: Some("id".to_owned()),
        ahead: if task == Task::Forecast { 2 } else { 0 },
        ..SeriesOptions::of(task)
    }
}

fn config(task: Task, cell: Cell) -> Config {
    Config {
        cell,
        hidden: 12,
        batch: 9,
        window: 8,
        epochs: 60,
        lr: 0.02,
        warmup: 5,
        patience: 0,
        valid_fraction: 0.2,
        series: Some(options(task)),
        ..Config::default()
    }
}

fn data(path: &Path, config: &Config, given: Option<Given>) -> Series {
    let options = config.series.as_ref().unwrap();
    let set = Set::open(path, &options.reading(&[])).unwrap();
    Series::new("waves".to_owned(), set, None, (options, config), given).unwrap()
}

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

fn run(trainer: &mut Trainer<'_>, folder: &RunFolder, windows: usize) -> End {
    let stop = AtomicBool::new(false);
    let mut observer = StopAfter {
        windows,
        stop: &stop,
    };
    trainer.run(folder, &stop, &mut observer).unwrap()
}

/// Trains on so many windows.
fn steps(trainer: &mut Trainer<'_>, windows: std::ops::Range<usize>) {
    for _ in windows {
        trainer.step().unwrap();
    }
}

fn read(path: &Path) -> Checkpoint {
    Checkpoint::from_bytes(&std::fs::read(path).unwrap(), path).unwrap()
}

#[test]
fn every_task_is_learnt_and_the_net_takes_raw_numbers() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("waves.csv");
    table(&path);
    for (task, cell) in [
        (Task::Classify, Cell::Gru),
        (Task::Label, Cell::Lstm),
        (Task::Forecast, Cell::Gru),
        (Task::Regress, Cell::Lstm),
    ] {
        let config = config(task, cell);
        let data = data(&path, &config, None);
        let folder = RunFolder::open(&place.path().join(task.to_string()), Mode::New).unwrap();
        let mut trainer = Trainer::new(&data, config, "test".to_owned()).unwrap();
        let before = trainer.judge().unwrap().figure.unwrap();
        assert_eq!(run(&mut trainer, &folder, usize::MAX), End::Finished);
        let best = read(&folder.best());
        let lines = folder.rewind_metrics(u64::MAX).unwrap();
        let trained = lines
            .iter()
            .rfind(|line| line.best)
            .unwrap()
            .figure
            .unwrap();
        match task.is_of_classes() {
            true => assert!(trained > 0.9 && before < 0.8, "{task}: {before} {trained}"),
            // Of a wave that has only just begun nobody knows what follows.
            false => assert!(trained < 0.25 && before > 0.5, "{task}: {before} {trained}"),
        }
        // A session that is given the numbers of the file is as good, of the same net in f32.
        let isa = Isa::detect();
        let image = own_image(&best).unwrap().for_isa(isa).unwrap();
        let found = Answers::of(&best, &data, &image, isa).unwrap();
        let [change] = &found.changes[..] else {
            panic!("{found:?}");
        };
        assert!(
            (change.float - trained).abs() < 1e-3,
            "{task}: {change:?} {trained}"
        );
    }
}

#[test]
fn a_run_that_is_stopped_anywhere_goes_on_to_the_same_bits() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("waves.csv");
    table(&path);
    for task in [Task::Classify, Task::Regress] {
        let config = Config {
            epochs: 3,
            series: Some(SeriesOptions {
                noise: 0.1,
                gain: 0.2,
                class_weights: task.is_of_classes(),
                ..options(task)
            }),
            ..config(task, Cell::Gru)
        };
        let whole = RunFolder::open(&place.path().join(format!("{task}-w")), Mode::New).unwrap();
        let first = data(&path, &config, None);
        let mut one = Trainer::new(&first, config.clone(), "test".to_owned()).unwrap();
        assert_eq!(run(&mut one, &whole, usize::MAX), End::Finished);

        let parts = RunFolder::open(&place.path().join(format!("{task}-p")), Mode::New).unwrap();
        let mut trainer = Trainer::new(&first, config.clone(), "test".to_owned()).unwrap();
        // In the middle of a batch of long sequences, and at the end of others.
        for windows in [1, 2, 3, 4, 1] {
            assert_eq!(run(&mut trainer, &parts, windows), End::Interrupted);
            trainer = Trainer::resume(&first, read(&parts.last())).unwrap();
        }
        assert_eq!(run(&mut trainer, &parts, usize::MAX), End::Finished);
        assert_eq!(
            read(&whole.last()).params,
            read(&parts.last()).params,
            "{task}"
        );
        let bytes = |folder: &RunFolder| std::fs::read(folder.best()).unwrap();
        assert_eq!(bytes(&whole), bytes(&parts), "{task}");
    }
}

#[test]
fn threads_change_nothing() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("waves.csv");
    table(&path);
    let of = |threads| {
        let config = config(Task::Label, Cell::Gru);
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| {
            let data = data(&path, &config, None);
            let mut trainer = Trainer::new(&data, config.clone(), String::new()).unwrap();
            steps(&mut trainer, 0..12);
            (trainer.params().clone(), trainer.judge().unwrap())
        })
    };
    assert_eq!(of(1), of(3));
}

/// A net that is trained for integers answers as the image that is made of it, to the last answer.
#[test]
fn what_is_trained_for_integers_is_what_its_image_answers() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("waves.csv");
    table(&path);
    for (task, cell, bits) in [
        (Task::Classify, Cell::Gru, 8),
        (Task::Label, Cell::Lstm, 4),
        (Task::Regress, Cell::Gru, 8),
    ] {
        let float = config(task, cell);
        let first = data(&path, &float, None);
        let mut trainer = Trainer::new(&first, float.clone(), String::new()).unwrap();
        steps(&mut trainer, 0..200);
        let from = trainer.checkpoint(false);
        let net = *from.params.net();
        let given = Given {
            net,
            interface: Interface::default(),
            for_integers: true,
        };
        let data = data(&path, &float, Some(given));
        let features = data.train().features(2000).unwrap();
        let features: Vec<Sequence<'_>> =
            features.iter().map(|of| Sequence::Features(of)).collect();
        let weight_bits = match bits {
            8 => WeightBits::EIGHT,
            _ => WeightBits::four(&net),
        };
        let mut scheme = calibrated_net(&from, &features, weight_bits).unwrap();
        scheme = scheme.with_bits(weight_bits);
        data.scaling().fold_scheme(&mut scheme, -1);
        let qat = Qat {
            from: "float".to_owned(),
            from_sha256: "0".repeat(64),
            nats: None,
            scheme,
        };
        let config = Config {
            qat: Some(qat),
            ..float
        };
        let mut trainer = Trainer::qat(&data, &from, config, String::new()).unwrap();
        steps(&mut trainer, 0..40);
        let judged = trainer.judge().unwrap().figure.unwrap();
        let made = trainer.checkpoint(false);
        let isa = Isa::detect();
        let image = image_by(&made, made.plan().unwrap(), &features).unwrap();
        let answers = Answers::of(&made, &data, &image.for_isa(isa).unwrap(), isa).unwrap();
        let found = answers.changes[0].image;
        match task.is_of_classes() {
            true => assert_eq!(found, judged, "{task} {cell}"),
            // Values are compared as floats, which are multiplied in another order.
            false => assert!((found - judged).abs() < 1e-5 * judged, "{found} {judged}"),
        }
    }
}

#[test]
fn a_net_that_does_not_fit_the_data_is_refused_with_both_sizes() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("waves.csv");
    table(&path);
    let config = config(Task::Classify, Cell::Gru);
    let other = gatelet::net::Net::features(gatelet::Precision::F32, 3)
        .then(gatelet::net::Kind::lstm(4))
        .values();
    let options = config.series.as_ref().unwrap();
    let set = Set::open(&path, &options.reading(&[])).unwrap();
    let given = Given {
        net: other,
        interface: Interface::default(),
        for_integers: false,
    };
    let error = Series::new(
        "waves".to_owned(),
        set,
        None,
        (options, &config),
        Some(given),
    )
    .unwrap_err();
    let said = error.to_string();
    assert!(
        said.contains("takes 3 numbers") && said.contains("pressure, idle"),
        "{said}"
    );
}
