//! What an amplifier makes of a guitar: a circuit that a net learns.
//!
//! ```text
//! tone      a high-pass at 90 Hz, and what is above 700 Hz once more
//! supply    s = 1 - SAG e        e follows |y|: up in 4 ms, down in 25 ms
//! valve     y = s (tanh(s DRIVE x + BIAS) - tanh BIAS)
//! speaker   two low-passes at 4.5 kHz
//! ```
//! Loud notes lower the supply: they are compressed, and what follows is softer for a while.

use super::OnePole;
use super::guitar::RATE;

const DRIVE: f64 = 9.0;
const BIAS: f64 = 0.25;
const SAG: f64 = 0.45;
/// Of the output, so that it stays within -1 and 1.
const VOLUME: f64 = 0.8;

/// The circuit's memory.
#[derive(Clone, Debug)]
pub struct Circuit {
    bass: OnePole,
    bright: OnePole,
    speaker: [OnePole; 2],
    envelope: f64,
    up: f64,
    down: f64,
}

impl Default for Circuit {
    fn default() -> Self {
        Self::new()
    }
}

impl Circuit {
    /// Switched on a while ago.
    pub fn new() -> Self {
        let rate = f64::from(RATE);
        let part = |ms: f64| 1.0 - (-1_000.0 / (ms * rate)).exp();
        Self {
            bass: OnePole::new(90.0, rate),
            bright: OnePole::new(700.0, rate),
            speaker: [OnePole::new(4_500.0, rate), OnePole::new(4_500.0, rate)],
            envelope: 0.0,
            up: part(4.0),
            down: part(25.0),
        }
    }

    /// A sample through it.
    pub fn next(&mut self, x: f32) -> f32 {
        let x = f64::from(x);
        let x = x - self.bass.next(x);
        let x = x + 0.8 * (x - self.bright.next(x));
        let supply = 1.0 - SAG * self.envelope;
        let y = supply * ((supply * DRIVE * x + BIAS).tanh() - BIAS.tanh());
        let toward = y.abs() - self.envelope;
        self.envelope += toward * if toward > 0.0 { self.up } else { self.down };
        let [first, second] = &mut self.speaker;
        (VOLUME * second.next(first.next(y))) as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sine(size: f32, samples: usize) -> Vec<f32> {
        let mut circuit = Circuit::new();
        let wave = (0..samples).map(|n| size * (n as f32 * 0.0288).sin());
        wave.map(|x| circuit.next(x)).collect()
    }

    fn peak(sound: &[f32]) -> f32 {
        sound.iter().fold(0.0, |peak, x| x.abs().max(peak))
    }

    #[test]
    fn loud_is_less_than_proportionally_louder() {
        let [soft, loud] = [0.005, 0.5].map(|size| peak(&sine(size, 9_600)[4_800..]));
        assert!(loud > 5.0 * soft && loud < 50.0 * soft, "{soft} {loud}");
        assert!(loud < 1.0);
    }

    /// The first waves of a loud note are louder than those behind them.
    #[test]
    fn the_supply_sags() {
        let sound = sine(0.5, 4_800);
        assert!(peak(&sound[..400]) > 1.2 * peak(&sound[4_400..]));
    }
}
