//! Amounts as people write them: `128KiB`, `100k`.

/// Bytes of `128KiB`, `128 kB`, `1MiB` or `131072`.
///
/// # Errors
/// Says what can be read.
pub fn bytes(text: &str) -> std::result::Result<usize, String> {
    number(
        text,
        &[
            ("kib", 1024.0),
            ("mib", 1_048_576.0),
            ("kb", 1e3),
            ("mb", 1e6),
            ("k", 1024.0),
            ("m", 1_048_576.0),
            ("b", 1.0),
            ("", 1.0),
        ],
    )
    .map(|x| x as usize)
    .ok_or_else(|| "expected a number of bytes, for example 131072, 128KiB or 0.5MiB".to_owned())
}

/// A number of instructions: `100k`, `1.5M` or `62594`.
///
/// # Errors
/// Says what can be read.
pub fn instructions(text: &str) -> std::result::Result<u64, String> {
    number(text, &[("k", 1e3), ("m", 1e6), ("", 1.0)])
        .map(|x| x as u64)
        .ok_or_else(|| {
            "expected a number of instructions, for example 62594, 100k or 1.5M".to_owned()
        })
}

/// A positive number with one of the units, the longest first.
fn number(text: &str, units: &[(&str, f64)]) -> Option<f64> {
    let text = text.trim().to_ascii_lowercase().replace('_', "");
    let (digits, scale) = units
        .iter()
        .find_map(|&(unit, scale)| Some((text.strip_suffix(unit)?, scale)))?;
    let x = digits.trim().parse::<f64>().ok()? * scale;
    (1.0..=1e15).contains(&x).then_some(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_with_their_units() {
        assert_eq!(bytes("128KiB"), Ok(131_072));
        assert_eq!(bytes("128 kB"), Ok(128_000));
        assert_eq!(bytes("0.5MiB"), Ok(524_288));
        assert_eq!(bytes("64_000"), Ok(64_000));
        assert_eq!(instructions("100k"), Ok(100_000));
        assert_eq!(instructions("1.5M"), Ok(1_500_000));
        for bad in ["", "x", "-5", "0", "nan", "inf", "12 GB", "1e99"] {
            assert!(bytes(bad).is_err() && instructions(bad).is_err(), "{bad}");
        }
    }
}
