//! Curves of texts and of sequences, and what is said of them.

use super::*;
use crate::train::series::options::{SeriesOptions, Task};

/// A run with these training and held-out losses, one evaluation an epoch.
fn curve(losses: &[(f64, f64)]) -> Vec<Metrics> {
    let line = |(at, &(train, valid)): (usize, &(f64, f64))| Metrics {
        epoch: at as f64 + 1.0,
        step: at as u64 + 1,
        characters: 100 * (at as u64 + 1),
        train_nats: train,
        valid_nats: valid,
        valid_bpc: valid / std::f64::consts::LN_2,
        figure: None,
        best: false,
        lr: 0.1,
        gradient_norm: 1.0,
        seconds: 1.0,
        characters_per_second: 1.0,
    };
    losses.iter().enumerate().map(line).collect()
}

fn verdict(losses: &[(f64, f64)], early: bool) -> Verdict {
    let judged = judge(&curve(losses), &Config::default(), early, Some(3.0));
    judged.unwrap().verdict
}

#[test]
fn curves_are_told_apart() {
    use Verdict::{Improving, NothingLearnt, Overfitted, Settled};
    let falls = [(2.9, 2.8), (2.7, 2.6), (2.5, 2.4), (2.3, 2.2)];
    assert_eq!(verdict(&falls, false), Improving);
    assert_eq!(verdict(&falls[..1], false), Improving);
    let few = [(2.5, 2.4), (2.3, 2.2), (2.1, 2.11), (2.1, 2.1), (2.1, 2.09)];
    assert_eq!(verdict(&few, false), Improving);
    let flat = [&few[..], &[(2.1, 2.09); 7]].concat();
    assert_eq!(verdict(&flat, false), Settled);
    let rises = [(2.5, 2.4), (2.0, 2.2), (1.5, 2.25), (1.0, 2.5), (0.5, 2.8)];
    assert_eq!(verdict(&rises, false), Overfitted);
    // Stopped early, back to the best, and cooled down: the last evaluation is the best, and it has overfitted all the same.
    let cooled = [&rises[..], &[(1.9, 2.15), (1.9, 2.14)]].concat();
    assert_eq!(verdict(&cooled, true), Overfitted);
    // The same rise while the training loss rises too is a wild rate and not learning by heart.
    let wild = [(2.5, 2.4), (2.0, 2.2), (2.3, 2.5), (2.4, 2.6), (2.3, 2.6)];
    assert_eq!(verdict(&wild, false), Settled);
    // It need not rise by much.
    let stays = [
        (2.5, 2.4),
        (2.0, 2.2),
        (1.8, 2.21),
        (1.6, 2.22),
        (1.5, 2.21),
    ];
    assert_eq!(verdict(&stays, true), Overfitted);
    // One bad evaluation on the way is nothing.
    let mut bump: Vec<(f64, f64)> = (0..20).map(|i| (3.0, 2.5 - 0.05 * i as f64)).collect();
    bump[10].1 = 2.4;
    assert_eq!(verdict(&bump, false), Improving);
    for nothing in [
        &[(3.5, 3.4), (3.4, 3.2), (3.3, 3.1)][..],
        &[(3.1, 2.99); 8],
        &[(2.0, 3.0), (1.0, 3.5), (0.5, 4.0)],
    ] {
        assert_eq!(verdict(nothing, false), NothingLearnt, "{nothing:?}");
    }
}

#[test]
fn without_an_evaluation_there_is_no_verdict() {
    let config = Config::default();
    assert_eq!(judge(&[], &config, false, None), None);
    assert_eq!(
        judge(&curve(&[(1.0, f64::NAN)]), &config, false, None),
        None
    );
    // A run of an earlier version has no loss of frequencies on record.
    assert!(judge(&curve(&[(5.0, 5.0)]), &config, false, None).is_some());
}

#[test]
fn advice_changes_what_there_is_to_change() {
    let of = |config: Config, losses: &[(f64, f64)]| {
        judge(&curve(losses), &config, false, None).unwrap().advice
    };
    let rises = [(2.0, 2.2), (1.5, 2.4), (1.0, 2.5)];
    let config = Config {
        dropout: 0.6,
        hidden: 16,
        ..Config::default()
    };
    assert_eq!(of(config, &rises), "more text helps");
    let advice = of(Config::default(), &rises);
    assert_eq!(
        advice,
        "more text, --dropout 0.2 or a smaller net (--hidden 64) helps"
    );
    let falls = [(2.9, 2.8), (2.7, 2.6), (2.5, 2.4)];
    assert!(of(Config::default(), &falls).contains("--resume --epochs 40"));
    let minutes = Config {
        minutes: Some(1.5),
        ..Config::default()
    };
    assert!(of(minutes, &falls).contains("--resume --minutes 3"));
}

/// A run on sequences with these losses and figures, and the options for it.
fn of_task(task: Task, losses: &[(f64, f64, f64)]) -> (Vec<Metrics>, Config) {
    let pairs: Vec<(f64, f64)> = losses.iter().map(|of| (of.0, of.1)).collect();
    let mut curve = curve(&pairs);
    for (line, of) in curve.iter_mut().zip(losses) {
        line.figure = Some(of.2);
    }
    let config = Config {
        series: Some(SeriesOptions::of(task)),
        ..Config::of_sequences()
    };
    (curve, config)
}

#[test]
fn a_run_of_classes_is_told_by_accuracy_and_loss() {
    let judged = |losses: &[(f64, f64, f64)], unigram| {
        let (curve, config) = of_task(Task::Classify, losses);
        judge(&curve, &config, false, unigram).unwrap()
    };
    let falls = [(0.7, 0.6, 0.7), (0.5, 0.5, 0.8), (0.4, 0.4, 0.9)];
    let improving = judged(&falls, Some(0.69)).to_string();
    let said = "fell by 50.0 % in the second half of the run, accuracy went from 0.700 to 0.900";
    assert!(
        improving.starts_with("still improving") && improving.contains(said),
        "{improving}"
    );
    let flat = judged(&[(0.7, 0.69, 0.5); 4], Some(0.69));
    assert_eq!(flat.verdict, Verdict::NothingLearnt);
    assert!(
        flat.reason.contains("each class occurs has 0.690 nats"),
        "{flat}"
    );
    assert!(
        flat.reason.contains("accuracy 0.500") && flat.advice.contains("more data"),
        "{flat}"
    );
    let rises = [(0.5, 0.4, 0.8), (0.3, 0.5, 0.8), (0.1, 0.6, 0.7)];
    let learnt_by_heart = judged(&rises, Some(0.69));
    assert_eq!(learnt_by_heart.verdict, Verdict::Overfitted);
    let said = "rose by 0.200 nats while the training loss fell by 0.400, accuracy went from 0.800";
    assert!(learnt_by_heart.reason.contains(said), "{learnt_by_heart}");
    // The loss may fall for ever.
    let right = judged(
        &[(0.2, 0.2, 0.9), (0.1, 0.1, 1.0), (0.0, 0.05, 1.0)],
        Some(0.69),
    );
    assert_eq!(right.verdict, Verdict::Settled);
    assert_eq!(right.reason, "every answer to what is held out is right");
    assert_eq!(right.advice, "a smaller net (--hidden 16) may do as well");
}

#[test]
fn a_run_of_values_is_told_by_error_to_signal() {
    let judged = |losses: &[(f64, f64, f64)]| {
        let (curve, config) = of_task(Task::Regress, losses);
        judge(&curve, &config, false, None).unwrap()
    };
    let nothing = judged(&[(1.0, 1.1, 1.05), (0.9, 1.0, 0.99)]);
    assert_eq!(nothing.verdict, Verdict::NothingLearnt);
    assert!(
        nothing.reason.contains("always saying the mean has 1"),
        "{nothing}"
    );
    let rises = [(0.5, 0.4, 0.4), (0.3, 0.5, 0.5), (0.1, 0.6, 0.6)];
    let learnt_by_heart = judged(&rises);
    assert_eq!(learnt_by_heart.verdict, Verdict::Overfitted);
    let reason = learnt_by_heart.reason;
    assert!(
        reason.contains("error to signal went from 0.400 to 0.600"),
        "{reason}"
    );
    assert!(!reason.contains("nats"), "{reason}");
}
