//! The power of a frame at every frequency.
//!
//! ```text
//! x'[n] = x[n] (1 - cos(2 pi n / frame)) / 2                             Hann
//! z[n]  = x'[2n] + i x'[2n+1],  Z its transform of N = M/2 points, W = e^(-2 pi i / M)
//! 2 X[k] = (Z[k] + Z*[N-k]) - i W^k (Z[k] - Z*[N-k])                     power = |X[k]|^2
//! ```

use super::fft::{Complex, half_turned, transform};
use super::wave::{TURN, cosine_at};

/// Bits behind the point of a spectrum while it is computed.
const POINT: u32 = 6;

/// The first half of a window of `frame` samples, and its middle: `[frame / 2 + 1]`, Q0.16.
pub(super) fn make_window(window: &mut [u16], frame: usize) {
    let step = u32::MAX / frame.max(1) as u32;
    let mut phase = 0_u32;
    for to in window {
        // cos is at most 32767 in magnitude.
        *to = (32_767 - cosine_at(phase)) as u16;
        phase = phase.wrapping_add(step);
    }
}

/// A sample times its weight.
#[inline(always)]
fn weighted(x: i16, weight: u16) -> i32 {
    const SHIFT: u32 = 16 - POINT;
    (i32::from(x) * i32::from(weight) + (1 << (SHIFT - 1))) >> SHIFT
}

/// Puts the power of `samples: [frame]` at frequency k into `spectrum[k]`, as the low and the high
/// half of a u64, for k from 1 on; `spectrum: [M / 2]`. `window` is that of [`make_window`].
#[inline(never)]
pub(super) fn power(samples: &[i16], window: &[u16], spectrum: &mut [Complex]) {
    load(samples, window, spectrum);
    transform(spectrum);
    let step = TURN / 2 / spectrum.len().max(1);
    let half = spectrum.len() / 2;
    let (low, high) = spectrum.split_at_mut_checked(half).unwrap_or_default();
    if let Some(middle) = high.first_mut() {
        let [re, im] = *middle;
        *middle = squared(re, im, POINT);
    }
    // What does not change is in no band.
    if let Some(first) = low.first_mut() {
        *first = [0; 2];
    }
    let mut k = step;
    let pairs = low.iter_mut().skip(1).zip(high.iter_mut().rev());
    for (a, b) in pairs {
        let ([ar, ai], [br, bi]) = (*a, *b);
        let (re, im) = (ar + br, ai - bi);
        let [odd_re, odd_im] = half_turned([ai + bi, br - ar], k);
        *a = squared(re + (odd_re << 1), im + (odd_im << 1), POINT + 1);
        *b = squared(re - (odd_re << 1), im - (odd_im << 1), POINT + 1);
        k += step;
    }
}

/// Weighs samples and puts them, in pairs, where the transform wants them; zeros behind them.
#[inline(never)]
fn load(samples: &[i16], window: &[u16], spectrum: &mut [Complex]) {
    if samples.len() < 2 * spectrum.len() {
        spectrum.fill([0; 2]);
    }
    let shift = spectrum.len().leading_zeros() + 1;
    let mut put = |pair: usize, z: Complex| {
        let place = pair.reverse_bits() >> (shift & (usize::BITS - 1));
        if let Some(to) = spectrum.get_mut(place) {
            *to = z;
        }
    };
    let (first, second) = samples
        .split_at_checked(samples.len() / 2)
        .unwrap_or_default();
    let rising = window.as_chunks::<2>().0.iter();
    let falling = window.get(1..).unwrap_or_default().as_chunks::<2>().0;
    let mut pair = 0;
    for (&[x0, x1], &[w0, w1]) in first.as_chunks::<2>().0.iter().zip(rising) {
        put(pair, [weighted(x0, w0), weighted(x1, w1)]);
        pair += 1;
    }
    let second = second.as_chunks::<2>().0.iter();
    for (&[x0, x1], &[w1, w0]) in second.zip(falling.iter().rev()) {
        put(pair, [weighted(x0, w0), weighted(x1, w1)]);
        pair += 1;
    }
}

/// `|z|^2` without the bits behind the point, as two halves.
#[inline(always)]
fn squared(re: i32, im: i32, point: u32) -> Complex {
    let rounded = |x: i32| i64::from((x + (1 << (point - 1))) >> point);
    let (re, im) = (rounded(re), rounded(im));
    let power = (re * re + im * im) as u64;
    [power as i32, (power >> 32) as i32]
}

/// The power at a frequency, put there by [`power`].
#[inline(always)]
pub(super) fn power_at([low, high]: Complex) -> u64 {
    u64::from(high as u32) << 32 | u64::from(low as u32)
}
