//! Against the same in f64, written apart from it; overflow, which a debug build would notice; and
//! pieces of any size.

extern crate std;

use std::f64::consts::{PI, TAU};
use std::vec::Vec;
use std::{eprintln, vec};

use super::level::log2;
use super::wave::{half_product, half_product_of_halves};
use super::{Frames, FrontEnd, FrontEndError, FrontEndKind};

/// All frames of a signal.
fn features(front: FrontEnd, samples: &[i16]) -> Vec<Vec<f32>> {
    let mut words = vec![7; front.words()];
    let mut frames = Frames::new(front, &mut words).unwrap();
    let (mut all, mut rest) = (Vec::new(), samples);
    while let Some(features) = frames.next(&mut rest) {
        all.push(features.to_vec());
    }
    all
}

/// The same in f64, from the definitions.
fn reference(front: FrontEnd, samples: &[i16]) -> Vec<Vec<f64>> {
    let (frame, hop, fft) = (front.frame as usize, front.hop as usize, front.fft());
    let mel = |f: f64| 2595.0 * (1.0 + f / 700.0).log10();
    let (low, high) = (mel(front.low.into()), mel(front.high.into()));
    let bands = front.bands as usize;
    let edges: Vec<f64> = (0..bands + 2)
        .map(|i| {
            let m = low + (high - low) * i as f64 / (bands + 1) as f64;
            700.0 * (10f64.powf(m / 2595.0) - 1.0) * fft as f64 / f64::from(front.rate)
        })
        .collect();
    let mut line = vec![0.0; frame - hop];
    line.extend(samples.iter().map(|&x| f64::from(x)));
    let starts = (0..)
        .map(|i| i * hop)
        .take_while(|at| at + frame <= line.len());
    starts
        .map(|at| {
            let window = |n: usize| 0.5 - 0.5 * (TAU * n as f64 / frame as f64).cos();
            let x: Vec<f64> = (0..frame).map(|n| line[at + n] * window(n)).collect();
            let power: Vec<f64> = (0..fft / 2)
                .map(|k| {
                    let turn = |n: usize| TAU * (n * k % fft) as f64 / fft as f64;
                    let re: f64 = (0..frame).map(|n| x[n] * turn(n).cos()).sum();
                    let im: f64 = (0..frame).map(|n| x[n] * turn(n).sin()).sum();
                    re * re + im * im
                })
                .collect();
            let level = |b: usize| {
                let weight = |k: f64| {
                    let up = (k - edges[b]) / (edges[b + 1] - edges[b]);
                    let down = (edges[b + 2] - k) / (edges[b + 2] - edges[b + 1]);
                    up.min(down).max(0.0)
                };
                let sum: f64 = (0..fft / 2).map(|k| power[k] * weight(k as f64)).sum();
                (1.0 + sum / fft as f64).log2()
            };
            let levels: Vec<f64> = (0..bands).map(level).collect();
            let FrontEndKind::Mfcc { coefficients } = front.kind else {
                return levels;
            };
            let coefficient = |j: usize| {
                let angle = |b: usize| PI * (j * (2 * b + 1)) as f64 / (2 * bands) as f64;
                let sum: f64 = (0..bands).map(|b| levels[b] * angle(b).cos()).sum();
                sum * (if j == 0 { 1.0 } else { 2.0 } / bands as f64).sqrt()
            };
            (0..coefficients.into()).map(coefficient).collect()
        })
        .collect()
}

/// Signal to noise in dB of the features, and the largest error.
fn compared(front: FrontEnd, samples: &[i16]) -> (f64, f64) {
    let (found, wanted) = (features(front, samples), reference(front, samples));
    assert_eq!(found.len(), wanted.len());
    let (mut signal, mut noise, mut most) = (0.0, 0.0, 0.0_f64);
    for (&x, y) in found.iter().flatten().zip(wanted.iter().flatten()) {
        let off = f64::from(x) - y;
        (signal, noise, most) = (signal + y * y, noise + off * off, most.max(off.abs()));
    }
    (10.0 * (signal / noise.max(1e-30)).log10(), most)
}

/// White noise of this size.
fn noise(size: f64, len: usize) -> Vec<i16> {
    let mut seed = 1_u32;
    let mut next = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f64::from(seed >> 8) / f64::from(1 << 23) - 1.0
    };
    (0..len).map(|_| (next() * size).round() as i16).collect()
}

/// Something like a voice at 16 kHz: a pitch that moves, with three formants, and pauses.
fn voice(len: usize) -> Vec<i16> {
    let (mut phase, background) = (0.0, noise(3.0, len));
    (0..len)
        .map(|n| {
            let t = n as f64 / 16_000.0;
            phase += TAU * (120.0 + 25.0 * (TAU * 1.3 * t).sin()) / 16_000.0;
            let loud = (TAU * 2.1 * t).sin().max(0.0).powi(2);
            let sum: f64 = (1..30)
                .map(|h| {
                    let f = 120.0 * f64::from(h);
                    let near = |at: f64, wide: f64| (-((f - at) / wide).powi(2)).exp();
                    let size = near(600.0, 150.0)
                        + 0.5 * near(1_500.0, 250.0)
                        + 0.2 * near(2_600.0, 300.0);
                    size * (f64::from(h) * phase).sin()
                })
                .sum();
            (6_000.0 * loud * sum).round() as i16 + background[n]
        })
        .collect()
}

const MFCC: FrontEndKind = FrontEndKind::Mfcc { coefficients: 13 };

/// Front ends of all sizes of spectra, padded and not.
fn all() -> Vec<FrontEnd> {
    let log_mel = FrontEnd::log_mel;
    let mfcc = |front| FrontEnd {
        kind: MFCC,
        ..front
    };
    vec![
        log_mel(16_000, 512, 256, 40),
        mfcc(log_mel(16_000, 512, 320, 40)),
        log_mel(16_000, 400, 160, 40),
        mfcc(log_mel(8_000, 256, 128, 20)),
        log_mel(16_000, 1_024, 512, 128),
        log_mel(8_000, 128, 64, 16),
        log_mel(16_000, 36, 10, 5),
        mfcc(log_mel(48_000, 1_024, 480, 64)),
    ]
}

#[test]
fn within_50_db_of_f64_on_voice_and_noise() {
    for front in all() {
        for (name, samples) in [
            ("voice", voice(6_000)),
            ("loud noise", noise(32_767.0, 4_000)),
            ("noise", noise(300.0, 4_000)),
        ] {
            let (decibels, most) = compared(front, &samples);
            eprintln!("{front} | {name}: {decibels:.1} dB, at most {most:.4}");
            assert!(decibels > 50.0, "{front} on {name}: {decibels} dB");
        }
        if front.frame < 128 {
            continue;
        }
        let (decibels, most) = compared(front, &noise(4.0, 3_000));
        eprintln!("{front} | faint noise: {decibels:.1} dB, at most {most:.4}");
        assert!(decibels > 40.0, "{front} on faint noise: {decibels} dB");
    }
}

#[test]
fn nothing_overflows_at_full_scale() {
    for front in all() {
        let len = 3 * usize::from(front.frame);
        let mut square = |period: usize| -> Vec<i16> {
            let high = |n: usize| n % period < period.div_ceil(2);
            let of = |n| if high(n) { i16::MAX } else { i16::MIN };
            (0..len).map(of).collect()
        };
        let mut signals: Vec<Vec<i16>> = [1, 2, 3, 4, 7, 16, 64, 100, 256, 512, 1_024]
            .into_iter()
            .map(&mut square)
            .collect();
        signals.push(vec![i16::MIN; len]);
        signals.push(noise(1e9, len));
        let mut impulse = vec![0; len];
        impulse[len / 2] = i16::MIN;
        signals.push(impulse);
        for samples in &signals {
            let most = if front.kind == MFCC {
                40.0 * 12.0
            } else {
                40.0
            };
            for features in features(front, samples) {
                assert!(
                    features.iter().all(|x| x.abs() < most),
                    "{front}: {features:?}"
                );
            }
        }
        assert!(
            features(front, &vec![0; len])
                .iter()
                .flatten()
                .all(|&x| x == 0.0)
        );
    }
}

/// A signal that turns with a bin's cosine is the most that its spectrum can hold.
#[test]
fn nothing_overflows_in_any_bin() {
    let front = FrontEnd::log_mel(16_000, 1_024, 1_024, 128);
    for k in 1..512_usize {
        for quarter in 0..4 {
            let up = |n: usize| {
                (TAU * (n * k) as f64 / 1_024.0 + PI / 4.0 * f64::from(quarter)).cos() > 0.0
            };
            let of = |n| if up(n) { i16::MAX } else { i16::MIN };
            let samples: Vec<i16> = (0..1_024).map(of).collect();
            let loudest = features(front, &samples)[0]
                .iter()
                .copied()
                .fold(0.0, f32::max);
            assert!((28.0..40.0).contains(&loudest), "{k}: {loudest}");
        }
    }
}

#[test]
fn pieces_of_any_size_give_the_same_bits() {
    let samples = voice(5_000);
    for front in all() {
        let whole = features(front, &samples);
        for size in [1, 3, 160, 255, 257, 1_025] {
            let mut words = vec![0; front.words()];
            let mut frames = Frames::new(front, &mut words).unwrap();
            let mut found = Vec::new();
            for mut piece in samples.chunks(size) {
                while let Some(features) = frames.next(&mut piece) {
                    found.push(features.to_vec());
                }
                assert!(piece.is_empty());
            }
            assert_eq!(found, whole, "{front}: {size}");
        }
    }
}

#[test]
fn a_snapshot_has_the_samples_of_the_next_frame() {
    let (front, samples) = (FrontEnd::log_mel(16_000, 400, 160, 40), voice(3_000));
    let (mut words, mut other) = (vec![0; front.words()], vec![0; front.words()]);
    let mut frames = Frames::new(front, &mut words).unwrap();
    let mut copy = Frames::new(front, &mut other).unwrap();
    let mut rest = &samples[..1_003];
    while frames.next(&mut rest).is_some() {}
    assert_eq!(frames.state().len(), front.snapshot_words());
    copy.restore(frames.state());
    let [mut a, mut b] = [&samples[1_003..]; 2];
    for _ in 0..12 {
        assert_eq!(frames.next(&mut a).unwrap(), copy.next(&mut b).unwrap());
    }
    frames.reset();
    let mut again = &samples[..];
    assert_eq!(
        frames.next(&mut again).unwrap(),
        features(front, &samples)[0]
    );
    // No snapshot of a stream: it is one all the same.
    copy.restore(&vec![u32::MAX; front.snapshot_words()]);
    assert!(copy.next(&mut &samples[..]).is_some());
}

#[test]
fn what_cannot_be_is_named() {
    let good = FrontEnd::log_mel(16_000, 512, 256, 40);
    let why = |front: FrontEnd| {
        let read = FrontEnd::from_words(front.to_words());
        assert_eq!(read.map(|_| ()), front.check(), "{front:?}");
        front.check().unwrap_err()
    };
    for front in all() {
        assert_eq!(FrontEnd::from_words(front.to_words()), Ok(front));
    }
    assert_eq!(
        why(FrontEnd { rate: 0, ..good }),
        FrontEndError::Rate { found: 0 }
    );
    for frame in [0, 28, 402, 1_028] {
        let error = FrontEndError::Frame {
            found: frame.into(),
        };
        assert_eq!(
            why(FrontEnd {
                frame,
                hop: 1,
                ..good
            }),
            error
        );
    }
    let frame = 512;
    assert_eq!(
        why(FrontEnd { hop: 0, ..good }),
        FrontEndError::Hop { found: 0, frame }
    );
    assert_eq!(
        why(FrontEnd { hop: 513, ..good }),
        FrontEndError::Hop { found: 513, frame }
    );
    let range = FrontEndError::Range {
        low: 20,
        high: 8_001,
        most: 8_000,
    };
    assert_eq!(
        why(FrontEnd {
            high: 8_001,
            ..good
        }),
        range
    );
    assert!(matches!(
        why(FrontEnd { low: 7_600, ..good }),
        FrontEndError::Range { .. }
    ));
    // From 0 to 1,000 Hz there are 32 bins of 31.25 Hz.
    let narrow = FrontEnd {
        low: 0,
        high: 1_000,
        ..good
    };
    assert_eq!(
        why(narrow),
        FrontEndError::Bands {
            found: 40,
            most: 32
        }
    );
    assert_eq!(
        why(FrontEnd { bands: 0, ..good }),
        FrontEndError::Bands {
            found: 0,
            most: 128
        }
    );
    let kind = FrontEndKind::Mfcc { coefficients: 41 };
    let error = FrontEndError::Coefficients {
        found: 41,
        bands: 40,
    };
    assert_eq!(why(FrontEnd { kind, ..good }), error);
    let mut words = [0; 100];
    let error = Frames::new(good, &mut words).unwrap_err();
    assert_eq!(
        error,
        FrontEndError::Storage {
            need: 1_127,
            have: 100
        }
    );
    for word in 0..7 {
        let mut words = good.to_words();
        words[word] = u32::MAX;
        assert!(FrontEnd::from_words(words).is_err(), "{word}");
    }
}

#[test]
fn the_logarithm_is_within_0_0002() {
    let mut x = 1_u64;
    while let Some(next) = x.checked_add(x / 97 + 1) {
        let off = f64::from(log2(x)) / 65_536.0 - (x as f64).log2();
        assert!(off.abs() < 2e-4, "{x}: {off}");
        x = next;
    }
    assert_eq!((log2(0), log2(1), log2(1 << 40)), (0, 0, 40 << 16));
}

#[test]
fn products_of_halves_are_the_same() {
    let mut seed = 1_u32;
    for _ in 0..100_000 {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let w = (seed.rotate_left(7) >> 16) as i16;
        for x in [seed as i32, i32::MIN, i32::MAX, -1, 0] {
            for w in [w, i16::MAX, -i16::MAX] {
                assert_eq!(half_product(x, w), half_product_of_halves(x, w), "{x} {w}");
            }
        }
    }
}
