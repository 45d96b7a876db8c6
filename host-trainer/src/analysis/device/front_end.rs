//! About how many instructions the front end of a net of sound takes.
//!
//! ```text
//! instructions of a frame ~= a points log2(points)          points of the spectrum
//! ```
//! Most of a frame is its FFT. `a` is from one recipe, 512 points and 40 bands every 256 samples
//! (`docs/adr/0011-front-end.md`), so that others are told less well.

use gatelet::front::FrontEnd;

use super::Processor;

impl Processor {
    /// Instructions of the frame that was counted: in QEMU, on 2026-12-01. A Cortex-M33 and a
    /// Cortex-M55 run the same code as a Cortex-M4, and were not counted.
    const fn counted_frame(self) -> f64 {
        match self {
            Self::CortexM0 => 136_664.0,
            Self::CortexM3 => 62_956.0,
            Self::CortexM4 | Self::CortexM33 | Self::CortexM55 => 44_916.0,
        }
    }

    /// About how many instructions the features of a frame take.
    pub fn frame_instructions(self, front: &FrontEnd) -> u64 {
        let work = |points: usize| (points * points.ilog2() as usize) as f64;
        (self.counted_frame() * work(front.fft()) / work(512)).round() as u64
    }
}

#[cfg(test)]
mod tests {
    use gatelet::Precision;
    use gatelet::net::{Activation, Kind, Net, Reset};

    use super::*;

    /// The net that was counted with its front end: a GRU of 64 units, 67,978 on a Cortex-M4.
    #[test]
    fn the_net_that_was_counted_is_told() {
        let front = FrontEnd::log_mel(16_000, 512, 256, 40);
        let head = Kind::Dense {
            units: 12,
            activation: Activation::None,
        };
        let net = Net::features(Precision::Int8, 40).then(Kind::gru(64, Reset::After));
        let net = net.then(head).scores();
        let m4 = Processor::CortexM4;
        let found = m4.instructions(&net, Some(&front)) as f64;
        assert!((found / 67_978.0 - 1.0).abs() < 0.02, "{found}");
        let short = FrontEnd::log_mel(16_000, 256, 128, 40);
        assert!(m4.frame_instructions(&short) < m4.frame_instructions(&front) / 2);
    }
}
