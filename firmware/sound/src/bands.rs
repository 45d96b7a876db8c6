//! Log energies of seven octaves of a frame of 16 ms, in integers.
//!
//! ```text
//! low[n]  = (3 (x[n-5] + x[n+5]) - 25 (x[n-3] + x[n+3]) + 150 (x[n-1] + x[n+1]) + 256 x[n]) / 512
//! high[n] = x[n] - low[n]                        the upper octave of what goes in
//! x'[n]   = low[2 n]                             goes into the next of six such stages
//! band    = (log2(1 + mean high^2) - 12) / 6     of the last stage also that of x'
//! ```
//! A half-band filter (Lagrange's, of degree 5: an ideal one's coefficients, maximally flat) needs
//! three multiplications a sample. At 16 kHz the bands are 4 to 8 kHz, 2 to 4 kHz, and so on, down
//! to what is below 125 Hz. log2 is linear between powers of two, which is within 0.09 of it.

/// Samples a second.
pub const RATE: u32 = 16_000;
/// Samples of a frame.
pub const FRAME: usize = 256;
/// Numbers of a frame.
pub const BANDS: usize = STAGES + 1;
const STAGES: usize = 6;
/// Coefficients of the filter, zeros included.
const TAPS: usize = 11;
/// Samples of the frame before that a frame needs.
const PAST: usize = TAPS - 1;

/// The filters' memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bands {
    /// The last inputs of every stage.
    past: [[i32; PAST]; STAGES],
}

impl Bands {
    /// After silence.
    pub const fn new() -> Self {
        Bands {
            past: [[0; PAST]; STAGES],
        }
    }

    /// Takes a frame in; its bands, the highest first.
    pub fn frame(&mut self, samples: &[i16; FRAME]) -> [f32; BANDS] {
        // Behind the samples of the frame before.
        let mut line = [0; PAST + FRAME];
        let here = line.iter_mut().skip(PAST);
        here.zip(samples).for_each(|(to, &x)| *to = x.into());
        let (mut bands, mut count) = ([0.0; BANDS], FRAME);
        for (past, band) in self.past.iter_mut().zip(&mut bands) {
            let start = line.iter_mut().zip(past.iter());
            start.for_each(|(to, &x)| *to = x);
            let end = line.iter().skip(count);
            past.iter_mut().zip(end).for_each(|(to, &x)| *to = x);
            let mut next = [0; PAST + FRAME];
            let mut to = next.iter_mut().skip(PAST);
            let mut energy = 0;
            let windows = line.array_windows::<TAPS>().take(count);
            for (n, &[a, _, c, _, e, x, g, _, i, _, k]) in windows.enumerate() {
                let low = (3 * (a + k) - 25 * (c + i) + 150 * (e + g) + 256 * x + 256) >> 9;
                energy += square(x - low);
                if let Some(to) = (n % 2 == 0).then(|| to.next()).flatten() {
                    *to = low;
                }
            }
            *band = level(energy / count as u64);
            (line, count) = (next, count / 2);
        }
        let rest = line.iter().skip(PAST).take(count);
        if let Some(last) = bands.last_mut() {
            *last = level(rest.map(|&x| square(x)).sum::<u64>() / count as u64);
        }
        bands
    }
}

fn square(x: i32) -> u64 {
    let x = u64::from(x.unsigned_abs());
    x * x
}

/// A mean square as a number around zero: -2 for silence, 3 for the loudest there is.
fn level(mean: u64) -> f32 {
    (log2(mean + 1) - 12 * 256) as f32 * (1.0 / (6.0 * 256.0))
}

/// 256 times the logarithm of a number from 1 on, rounded down.
fn log2(x: u64) -> i32 {
    let whole = 63 - x.leading_zeros();
    // The bits below the first, as 256ths.
    let part = (u128::from(x) << 8 >> whole) as i32 - 256;
    256 * whole as i32 + part
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frames of a sine, without the first, in which the filters start.
    fn sine(hz: f64, size: f64) -> [f32; BANDS] {
        let mut bands = Bands::new();
        let mut last = [0.0; BANDS];
        for frame in 0..8 {
            let mut samples = [0; FRAME];
            for (n, to) in samples.iter_mut().enumerate() {
                let t = (frame * FRAME + n) as f64 / f64::from(RATE);
                *to = (size * (t * hz * std::f64::consts::TAU).sin()).round() as i16;
            }
            last = bands.frame(&samples);
        }
        last
    }

    #[test]
    fn a_sine_is_loudest_in_its_octave() {
        for (band, hz) in [5_700.0, 2_800.0, 1_400.0, 700.0, 350.0, 180.0, 60.0]
            .into_iter()
            .enumerate()
        {
            let found = sine(hz, 8_000.0);
            let loudest = (0..BANDS).max_by(|&a, &b| found[a].total_cmp(&found[b]));
            assert_eq!(loudest, Some(band), "{hz} Hz: {found:?}");
            // Mean square 32 million, nearly all of which is in the band.
            let whole = (f64::log2(32e6) as f32 - 12.0) / 6.0;
            assert!((found[band] - whole).abs() < 0.15, "{hz} Hz: {found:?}");
        }
    }

    #[test]
    fn silence_and_noise_at_the_limits_have_their_levels() {
        let mut bands = Bands::new();
        assert_eq!(bands.frame(&[0; FRAME]), [-2.0; BANDS]);
        let mut loudest = [i16::MIN; FRAME];
        loudest.iter_mut().step_by(2).for_each(|x| *x = i16::MAX);
        for _ in 0..4 {
            let found = bands.frame(&loudest);
            assert!(found.iter().all(|x| (-2.0..=3.5).contains(x)), "{found:?}");
        }
        assert!(bands.frame(&loudest)[0] > 2.9);
    }

    #[test]
    fn the_logarithm_is_within_a_tenth() {
        for x in [1, 2, 3, 255, 256, 1_000_000, u64::MAX] {
            let off = (x as f64).log2() - f64::from(log2(x)) / 256.0;
            assert!((-1e-9..0.1).contains(&off), "{x}: {off}");
        }
    }

    /// Cut into frames anywhere it is one signal: a frame depends on what was before it.
    #[test]
    fn frames_go_on_where_the_last_ended() {
        let noise = |n: usize| ((n * n * 7919 + n * 104_729) % 20_001) as i16;
        let frame = |from: usize| core::array::from_fn(|n| noise(from + n));
        let (mut whole, mut late) = (Bands::new(), Bands::new());
        whole.frame(&frame(0));
        whole.frame(&frame(FRAME));
        late.frame(&frame(FRAME));
        // Filters of six stages remember at most 10 * 2^6 samples.
        for from in 2..5 {
            whole.frame(&frame(from * FRAME));
            late.frame(&frame(from * FRAME));
        }
        assert_eq!(whole, late);
    }
}
