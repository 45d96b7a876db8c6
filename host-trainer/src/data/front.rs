//! Samples of sound as features, by the engine's own front end: what a net is trained on is what the
//! device computes, to the bit.

use gatelet::front::Frames;

pub use crate::net::FrontEnd;

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
