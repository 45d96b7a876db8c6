//! Random numbers that a seed decides: SplitMix64 (Steele, Lea, Flood: "Fast Splittable
//! Pseudorandom Number Generators", 2014).

/// The mixing function: every bit of the result depends on every bit of `z`.
const fn mixed(z: u64) -> u64 {
    let z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// 64 bits of several numbers.
pub(crate) fn hash(of: &[u64]) -> u64 {
    of.iter().fold(0, |state, &x| mixed(state ^ mixed(x)))
}

/// A number in -1..1, in steps of 2^-23.
pub(crate) fn between(bits: u64) -> f32 {
    ((bits >> 40) as f32) / 8_388_608.0 - 1.0
}

/// The sum of eight uniform numbers, which is close to a normal one: its deviation is 1, and it is
/// within 4.9.
pub(crate) fn normal(bits: u64) -> f32 {
    let pieces = |bits: u64| (0..4).map(move |k| (bits >> (16 * k) & 0xffff) as u32);
    let sum: u32 = pieces(bits).chain(pieces(mixed(bits))).sum();
    // Eight numbers of 0..=65535: the mean is 8 * 32767.5, the variance 8 * (65536^2 - 1) / 12.
    (sum as f32 - 262_140.0) / 53_509.9
}

/// Puts a list into an order that a seed decides.
pub(crate) fn shuffle<T>(list: &mut [T], seed: u64) {
    for k in (1..list.len()).rev() {
        let bits = u128::from(hash(&[seed, k as u64]));
        let at = (bits * (k as u128 + 1)) >> 64;
        list.swap(k, at as usize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normal_numbers_have_mean_0_and_deviation_1() {
        let all: Vec<f64> = (0..100_000)
            .map(|k| f64::from(normal(hash(&[k]))))
            .collect();
        let mean = all.iter().sum::<f64>() / 1e5;
        let variance = all.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / 1e5;
        // Three standard errors: 3 / sqrt(1e5), 3 * sqrt(2 / 1e5).
        assert!(
            mean.abs() < 0.0095 && (variance - 1.0).abs() < 0.0135,
            "{mean} {variance}"
        );
    }

    #[test]
    fn every_place_is_equally_likely() {
        let mut counts = [[0_u32; 4]; 4];
        for seed in 0..4000 {
            let mut list = [0, 1, 2, 3];
            shuffle(&mut list, seed);
            list.iter()
                .enumerate()
                .for_each(|(place, &of)| counts[of][place] += 1);
        }
        // Five standard deviations of a binomial of 4000 and 1/4.
        assert!(
            counts.iter().flatten().all(|&n| n.abs_diff(1000) < 137),
            "{counts:?}"
        );
    }
}
