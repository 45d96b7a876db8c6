//! Recordings as a net of sound is given them: one channel, 16-bit samples, and the features that
//! the engine's own front end makes of those. What a net is trained on, and what `gatelet run` and
//! `gatelet listen` give it, is what the device computes, to the bit.

use gatelet::front::Frames;
use gatelet_arrays::Sequence;

pub use crate::net::FrontEnd;

/// Checks that a recording has the rate that a net takes, in Hz.
///
/// # Errors
/// What to do, where it has not.
pub fn check_rate(rate: u32, found: u32) -> Result<(), String> {
    match found == rate {
        true => Ok(()),
        false => Err(format!(
            "it has {found} samples a second, and the net takes {rate}: bring it to that rate \
             (sox IN.wav -r {rate} OUT.wav)"
        )),
    }
}

/// One channel of a recording, the mean of those that it has: `[frames]`, within 1.
pub fn mixed(recording: &Sequence) -> Vec<f32> {
    let channels = recording.width.max(1) as f32;
    let mean = |frame: &[f32]| frame.iter().fold(0.0, |sum, x| sum + x) / channels;
    recording.steps().map(mean).collect()
}

/// Samples within 1 as a converter of 16 bits gives them.
pub fn integers(samples: &[f32]) -> Vec<i16> {
    let whole = |x: &f32| (x * 32_768.0).round() as i16;
    samples.iter().map(whole).collect()
}

/// The features of a recording, as a device has them that hears it from the first sample on:
/// `[frames, features]`, a frame for every hop of samples.
pub fn features(front: &FrontEnd, samples: &[i16]) -> Vec<f32> {
    let mut words = vec![0; front.0.words()];
    // A recipe is checked where it is read, and the words were counted.
    let Ok(mut frames) = Frames::new(front.0, &mut words) else {
        return Vec::new();
    };
    let mut all =
        Vec::with_capacity(samples.len() / usize::from(front.0.hop.max(1)) * front.0.features());
    let mut rest = samples;
    while let Some(features) = frames.next(&mut rest) {
        all.extend_from_slice(features);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_for_every_hop() {
        let front: FrontEnd = "logmel:20,frame=256,hop=100".parse().unwrap();
        let samples: Vec<i16> = (0..1_050).map(|n| (n * n % 2_001) as i16 - 1_000).collect();
        let all = features(&front, &samples);
        assert_eq!(all.len(), 10 * 20);
        // The first frame has 100 samples, behind silence.
        assert_eq!(all[..20], features(&front, &samples[..100]));
        assert!(all.iter().all(|x| (0.0..40.0).contains(x)));
    }
}
