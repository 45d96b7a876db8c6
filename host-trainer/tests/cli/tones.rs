//! Recordings of two tones, and a net that tells them apart.

use std::f64::consts::TAU;

use crate::place::Place;

/// Samples a second.
pub(crate) const RATE: u32 = 8_000;
/// What makes features of them.
pub(crate) const FRONT: &str = "logmel:12,rate=8000,frame=128,hop=100";
/// Hz of a low and of a high tone.
pub(crate) const HZ: [f64; 2] = [300.0, 1_500.0];

/// So many samples of a tone under a little noise, within 16 bits.
pub(crate) fn tone(hz: f64, samples: u32, seed: u32) -> Vec<i16> {
    let noise = |n: u32| {
        let mixed = (n ^ seed.wrapping_mul(0x9E37_79B9)).wrapping_mul(0x85EB_CA6B);
        f64::from((mixed ^ (mixed >> 15)) % 2_001) - 1_000.0
    };
    let sample = |n| 9_000.0 * (TAU * hz * f64::from(n) / f64::from(RATE)).sin() + 2.0 * noise(n);
    (0..samples).map(|n| sample(n) as i16).collect()
}

/// Writes a recording of 16 bits; `channels` are beside each other.
pub(crate) fn wav(place: &Place, name: &str, rate: u32, channels: &[&[i16]]) {
    let spec = hound::WavSpec {
        channels: channels.len() as u16,
        sample_rate: rate,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(place.path(name), spec).unwrap();
    for n in 0..channels[0].len() {
        channels
            .iter()
            .for_each(|channel| writer.write_sample(channel[n]).unwrap());
    }
    writer.finalize().unwrap();
}

/// A folder `tones` of 24 recordings, of 0.1 to 0.2 s, whose class is `low` or `high`.
pub(crate) fn recordings(place: &Place) {
    std::fs::create_dir(place.path("tones")).unwrap();
    for k in 0..24_u32 {
        let (class, hz) = [("low", HZ[0]), ("high", HZ[1])][k as usize % 2];
        let samples = tone(hz, 800 + 30 * k, k);
        wav(place, &format!("tones/{class}_{k}.wav"), RATE, &[&samples]);
    }
}

/// The command that trains on them: a run that hears, or one whose steps are samples.
pub(crate) fn train<'a>(out: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let line = "train tones --task classify --cell gru --hidden 8 --batch 4 --lr 0.02 -q --out";
    let mut line: Vec<&str> = line.split(' ').collect();
    line.push(out);
    line.extend(more);
    line
}

/// A run of the net that hears: `run/best.safetensors`.
pub(crate) fn hearing() -> Place {
    let place = Place::new();
    recordings(&place);
    let more = ["--front-end", FRONT, "--epochs", "20"];
    place.good(&train("run", &more));
    place
}
