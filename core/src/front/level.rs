//! Logarithms of energies, and their discrete cosine transform.

use super::wave::cosine_at;

/// Bits behind the point of a level, and of a coefficient.
pub(super) const LEVEL: u32 = 16;

/// `log2(x)`, Q6.16, within 0.0002; of 0 it is 0.
///
/// ```text
/// x = 2^e (1 + m):  log2(x) = e + m + m (1 - m) (0.4381 - 0.2367 m + 0.0803 m^2)
/// ```
/// The polynomial is the least squares' of degree 2 for (log2(1 + m) - m) / (m (1 - m)), weighted by
/// its denominator.
pub(super) fn log2(x: u64) -> i32 {
    let zeros = x.leading_zeros();
    if zeros == u64::BITS {
        return 0;
    }
    let exponent = u64::BITS - 1 - zeros;
    let m = (x << zeros << 1 >> 48) as u32;
    let curve = 28_710 + ((m * 5_263) >> 16) * m / 65_536 - ((15_512 * m) >> 16);
    let bulge = (((m * (65_536 - m)) >> 16) * curve) >> 16;
    (exponent << LEVEL) as i32 + (m + bulge) as i32
}

/// The DCT-II of `levels: [bands]`, orthonormal: `coefficients`, from the first on.
///
/// ```text
/// c_j = sqrt(2 / bands) sum_b levels[b] cos(pi j (2 b + 1) / (2 bands)),      c_0 divided by sqrt(2)
/// ```
pub(super) fn dct(levels: &[i32], mut put: impl FnMut(usize, i32), coefficients: usize) {
    let bands = levels.len().max(1) as u32;
    // A quarter of a band's turn; bands are 128 at most.
    let step = (u32::MAX / (4 * bands).max(1)).wrapping_add(u32::from(bands.is_power_of_two()));
    for j in 0..coefficients {
        let by = (j as u32).wrapping_mul(step);
        let mut phase = by;
        let mut sum = 0_i64;
        for &level in levels {
            sum += i64::from(level) * i64::from(cosine_at(phase));
            phase = phase.wrapping_add(by << 1);
        }
        // Q0.15: with 24 bits or more under the root it is exact to 2^-12.
        let norm = ((1 << if j == 0 { 30 } else { 31 }) / bands).isqrt();
        put(j, (((sum >> 15) * i64::from(norm)) >> 15) as i32);
    }
}
