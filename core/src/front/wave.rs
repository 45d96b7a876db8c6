//! Sines in 16 bits, and products with them.
//!
//! The table is computed when the program is compiled, in f64 that the compiler rounds the same way
//! everywhere.

/// Points of a turn.
pub(super) const TURN: usize = 1_024;
/// `round(32767 sin(2 pi k / 1024))`. All of a turn: a quarter would do, for a third of the time more.
static SINES: [i16; TURN] = sines();

#[expect(
    clippy::indexing_slicing,
    reason = "evaluated when the program is compiled"
)]
const fn sines() -> [i16; TURN] {
    let mut all = [0; TURN];
    let mut k = 0;
    while k <= TURN / 4 {
        let x = core::f64::consts::TAU * k as f64 / TURN as f64;
        // Taylor's series: the next term is below 1e-16.
        let (mut sum, mut term, mut n) = (0.0, x, 1.0);
        while n < 20.0 {
            sum += term;
            term *= -x * x / ((n + 1.0) * (n + 2.0));
            n += 2.0;
        }
        let sine = (32_767.0 * sum + 0.5) as i16;
        all[k] = sine;
        all[TURN / 2 - k] = sine;
        all[TURN / 2 + k] = -sine;
        all[(TURN - k) % TURN] = -sine;
        k += 1;
    }
    all
}

/// The sine of `k / 1024` turns, Q0.15.
#[inline(always)]
pub(super) fn sine(k: usize) -> i16 {
    SINES.get(k % TURN).copied().unwrap_or_default()
}

/// The cosine of `k / 1024` turns, Q0.15.
#[inline(always)]
pub(super) fn cosine(k: usize) -> i16 {
    sine(k + TURN / 4)
}

/// The cosine of `phase / 2^32` turns, Q0.15: linear between the table's.
pub(super) fn cosine_at(phase: u32) -> i32 {
    let (k, part) = ((phase >> 22) as usize, (phase >> 7 & 0x7fff) as i32);
    let (from, to) = (i32::from(cosine(k)), i32::from(cosine(k + 1)));
    from + (((to - from) * part + (1 << 14)) >> 15)
}

/// `x w >> 16`, rounded down: half of x times a number in Q0.15.
#[inline(always)]
#[cfg(not(armv6m))]
pub(super) fn half_product(x: i32, w: i16) -> i32 {
    ((i64::from(x) * i64::from(w)) >> 16) as i32
}

/// The same where the processor has no product of 64 bits.
#[inline(always)]
#[cfg(any(armv6m, test))]
pub(super) fn half_product_of_halves(x: i32, w: i16) -> i32 {
    let (high, low, w) = (x >> 16, x & 0xffff, i32::from(w));
    high * w + ((low * w) >> 16)
}

#[cfg(armv6m)]
pub(super) use self::half_product_of_halves as half_product;
