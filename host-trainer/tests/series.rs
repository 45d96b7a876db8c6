//! Runs on sequences of numbers: what they learn, that they can be stopped anywhere, and that what
//! comes out is what was trained.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use gatelet::Isa;
use gatelet_series::Set;
use gatelet_trainer::analysis::answers::{Answers, image_of};
use gatelet_trainer::net::Interface;
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
        let inputs = data.train().inputs(2000).unwrap();
        let features = inputs.sequences();
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

/// 144 sequences of 3 or 4 of 6 tokens, in an order without a pattern; the class is the first.
fn tokens(path: &Path) {
    let mut text = String::from("row,token,first\n");
    for row in 0..144_u32 {
        let k = row * 35 % 216;
        let all = [k % 6, k / 6 % 6, k / 36, k % 5];
        for token in &all[..3 + row as usize % 2] {
            writeln!(text, "{row},{token},{}", ["a", "b", "c"][k as usize % 3]).unwrap();
        }
    }
    std::fs::write(path, text).unwrap();
}

#[test]
fn tokens_are_learnt_stopped_and_exported_as_numbers_are() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("tokens.csv");
    tokens(&path);
    for (cell, embedding) in [(Cell::Rnn, 0), (Cell::Lstm, 0), (Cell::Gru, 4)] {
        let series = SeriesOptions {
            features: vec!["token".to_owned()],
            target: vec!["first".to_owned()],
            group: Some("row".to_owned()),
            tokens: 6,
            ..SeriesOptions::of(Task::Classify)
        };
        let config = Config {
            embedding,
            epochs: 40,
            series: Some(series),
            ..config(Task::Classify, cell)
        };
        let data = data(&path, &config, None);
        let open = |name: &str| {
            let path = place.path().join(format!("{name}-{cell}"));
            RunFolder::open(&path, Mode::New).unwrap()
        };
        let (whole, parts) = (open("whole"), open("parts"));
        let mut trainer = Trainer::new(&data, config.clone(), "test".to_owned()).unwrap();
        let net = *trainer.params().net();
        assert_eq!((net.vocab(), net.output_width(0)), (6, 3));
        assert_eq!(run(&mut trainer, &whole, usize::MAX), End::Finished);
        let judged = trainer.judge().unwrap().figure.unwrap();
        assert!(judged > 0.95, "{cell}: {judged}");

        let mut trainer = Trainer::new(&data, config, "test".to_owned()).unwrap();
        for windows in [5, 16, 40] {
            assert_eq!(run(&mut trainer, &parts, windows), End::Interrupted);
            trainer = Trainer::resume(&data, read(&parts.last())).unwrap();
        }
        assert_eq!(run(&mut trainer, &parts, usize::MAX), End::Finished);
        let bytes = |folder: &RunFolder| std::fs::read(folder.best()).unwrap();
        assert_eq!(bytes(&whole), bytes(&parts), "{cell}");

        // The image answers to tokens, in f32 and in integers.
        let (best, isa) = (read(&whole.best()), Isa::detect());
        let inputs = data.train().inputs(2000).unwrap();
        let of = (gatelet::Precision::Int8, WeightBits::EIGHT);
        let (image, _) = image_of(&best, &inputs.sequences(), of).unwrap();
        let answers = Answers::of(&best, &data, &image.for_isa(isa).unwrap(), isa).unwrap();
        let change = &answers.changes[0];
        assert!(
            change.float > 0.95 && change.image > 0.9,
            "{cell}: {change:?}"
        );
    }
}

/// Recordings of two tones, `low_0.wav` and so on, 0.1 to 0.2 s of 8 kHz.
fn tones(folder: &Path) {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 8_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    for k in 0..40_u32 {
        let (name, hz) = [("low", 300.0), ("high", 1_500.0)][k as usize % 2];
        let path = folder.join(format!("{name}_{k}.wav"));
        let mut writer = hound::WavWriter::create(path, spec).unwrap();
        for n in 0..800 + 20 * k {
            let phase = std::f64::consts::TAU * hz * f64::from(n) / 8_000.0;
            let sample = 9_000.0 * phase.sin() + 3_000.0 * number(k * 5_000 + n);
            writer.write_sample(sample as i16).unwrap();
        }
        writer.finalize().unwrap();
    }
}

#[test]
fn a_front_end_goes_from_the_option_to_the_image() {
    let folder = tempfile::tempdir().unwrap();
    tones(folder.path());
    let front = "logmel:12,rate=8000,frame=128,hop=100".parse().unwrap();
    let config = Config {
        series: Some(SeriesOptions {
            front_end: Some(front),
            ..SeriesOptions::of(Task::Classify)
        }),
        epochs: 30,
        ..config(Task::Classify, Cell::Gru)
    };
    let data = data(folder.path(), &config, None);
    assert_eq!(
        (data.train().set().width(), data.train().longest()),
        (12, 15)
    );
    let out = tempfile::tempdir().unwrap();
    let run_folder = RunFolder::open(&out.path().join("run"), Mode::New).unwrap();
    let mut trainer = Trainer::new(&data, config, "train".to_owned()).unwrap();
    run(&mut trainer, &run_folder, usize::MAX);
    let checkpoint = read(&run_folder.best());
    assert_eq!(checkpoint.meta.interface.front_end, Some(front));
    let image = own_image(&checkpoint).unwrap();
    let model = image.model().unwrap();
    assert_eq!(model.front_end(), Some(front.0));
    // Samples in: what a device says.
    let mut wav = hound::WavReader::open(folder.path().join("high_39.wav")).unwrap();
    let samples: Vec<i16> = wav.samples().map(Result::unwrap).collect();
    let mut storage = vec![0; model.session_words()];
    let mut session = gatelet::Session::new(&model, gatelet::Scalar, &mut storage).unwrap();
    let mut class = None;
    let pushed = session.push_samples(&samples, |session| {
        class = Some(session.logits().argmax().0);
    });
    assert_eq!((pushed.unwrap(), class), (15, Some(0)));
}
