//! Bands of equal width on the mel scale: triangles, each from its left neighbour's middle to its
//! right one's.
//!
//! ```text
//! mel(f) = 2595 log10(1 + f / 700), so middles in equal steps are     700 + f_i = (700 + low) r^i
//! r = ((700 + high) / (700 + low))^(1 / (bands + 1)),                 i = 0 .. bands + 1
//! weight of bin k between f_i and f_(i+1):  w = (k - f_i) / (f_(i+1) - f_i) in band i, 1 - w in i - 1
//! ```

use super::fft::Complex;
use super::recipe::FrontEnd;
use super::spectrum::power_at;

/// Bits behind the point of a ratio.
const RATIO: u32 = 24;
/// Bits behind the point of an edge, in bins.
const EDGE: u32 = 12;
/// Bits behind the point of a weight.
pub(super) const WEIGHT: u32 = 15;

/// The product of two ratios, at most 128.
fn times(a: u32, b: u32) -> u32 {
    let product = (u64::from(a) * u64::from(b)) >> RATIO;
    product.min(1 << (RATIO + 7)) as u32
}

/// The largest number whose power of `n` is at most `ratio`.
fn root(ratio: u32, n: usize) -> u32 {
    let mut root = 0;
    for bit in (0..RATIO + 7).rev() {
        let larger = root | 1 << bit;
        let power = (0..n).fold(1 << RATIO, |power, _| times(power, larger));
        if power <= ratio {
            root = larger;
        }
    }
    root
}

/// Fills the tables of a front end that was checked. `weights: [fft / 2]`, of every bin that in the
/// band that rises there, Q0.15; `starts: [bands + 2]`, the first bin behind every edge.
pub(super) fn make_tables(front: &FrontEnd, weights: &mut [u16], starts: &mut [u16]) {
    let [low, high] = [front.low, front.high].map(|f| 700 + u32::from(f));
    // 16 and then 8 bits of a quotient below 2^7.
    let (whole, rest) = ((high << 16) / low.max(1), (high << 16) % low.max(1));
    let ratio = (whole << 8) + (rest << 8) / low.max(1);
    let r = root(ratio, usize::from(front.bands) + 1);
    // Bins in a Hz, with 21 bits behind the point; the rate is 1000 at least.
    let bins_per_hz = ((front.fft() as u32) << 21) / front.rate.max(1);
    let edge = |hz: u32| {
        let above = u64::from(hz.saturating_sub(700 << 16));
        ((above * u64::from(bins_per_hz)) >> (16 + 21 - EDGE)) as u32
    };
    let bins = weights.len() as u32;
    let first_bin = |edge: u32| edge.div_ceil(1 << EDGE).min(bins) as usize;
    // 700 + f_i, with 16 bits behind the point: below 2^32.
    let mut hz = low << 16;
    let mut from = edge(hz);
    for to in starts {
        *to = first_bin(from) as u16;
        let next = (u64::from(hz) * u64::from(r) + (1 << (RATIO - 1))) >> RATIO;
        hz = next.min(u32::MAX.into()) as u32;
        let end = edge(hz);
        let bins = first_bin(from)..first_bin(end);
        // So many bits less, that both fit 16.
        let shift = 16_u32.saturating_sub((end - from).leading_zeros());
        let width = ((end - from) >> shift).max(1);
        let first = bins.start;
        for (k, weight) in weights.iter_mut().enumerate().take(bins.end).skip(first) {
            let above = ((k as u32) << EDGE).saturating_sub(from) >> shift;
            *weight = ((above << WEIGHT) / width).min(32_767) as u16;
        }
        from = end;
    }
}

/// Calls `each` with the energy of every band, from the lowest on, with [`WEIGHT`] bits behind the
/// point. The arguments are those of [`make_tables`], and a spectrum's power.
pub(super) fn energies(
    spectrum: &[Complex],
    weights: &[u16],
    starts: &[u16],
    mut each: impl FnMut(u64),
) {
    let mut rising_before = None;
    for &[start, end] in starts.array_windows::<2>() {
        let bins = usize::from(start)..usize::from(end);
        let powers = spectrum.get(bins.clone()).unwrap_or_default();
        let weights = weights.get(bins).unwrap_or_default();
        let (mut all, mut rising) = (0, 0);
        for (&bin, &weight) in powers.iter().zip(weights) {
            let power = power_at(bin);
            all += power;
            rising += power * u64::from(weight);
        }
        if let Some(before) = rising_before {
            each(before + (all << WEIGHT) - rising);
        }
        rising_before = Some(rising);
    }
}
