//! Numbers as people read them: one form for each kind, wherever it is shown.
//!
//! ```text
//! bytes     836 bytes, 160.1 KiB, 4.36 MiB         epochs   49, 2.5
//! grouped   75,603                                 seconds  12 s, 3 min 07 s, 1 h 02 min
//! decimals  1.2345, and 1·10³⁰⁸ where digits would say nothing
//! ```
//! `xtask`, which links nothing of the project, includes this file: it uses the standard library only.

use std::fmt::Display;

/// From here on a number is written as a power of ten.
const HUGE: f64 = 1e9;

/// A number with commas between its thousands.
pub fn grouped(number: impl Display) -> String {
    let text = number.to_string();
    let start = text.find(|c: char| c.is_ascii_digit()).unwrap_or(0);
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let end = start + digits(&text[start..]);
    let mut out = text[..start].to_owned();
    for (at, digit) in text[start..end].char_indices() {
        if at > 0 && (end - start - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out + &text[end..]
}

/// A size: `836 bytes`, `160.1 KiB`, `4.36 MiB`.
pub fn bytes(bytes: usize) -> String {
    let kib = (bytes as f64 / 1024.0 * 10.0).round() / 10.0;
    match bytes {
        1 => "1 byte".to_owned(),
        0..1024 => format!("{} bytes", grouped(bytes)),
        _ if kib < 1024.0 => format!("{} KiB", short(kib, 1)),
        _ => {
            let mib = short(bytes as f64 / 1_048_576.0, 2);
            format!("{} MiB", grouped(mib))
        }
    }
}

/// A number with at most so many decimals, and none that say nothing.
fn short(x: f64, decimals: usize) -> String {
    let text = format!("{x:.decimals$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

/// Passes over a text: `49`, and `2.5` where a pass is not whole.
pub fn epochs(epochs: f64) -> String {
    match epochs.abs() < HUGE {
        true => grouped(short(epochs, 1)),
        false => decimals(epochs, 1),
    }
}

/// A number with so many decimals; a huge one as a power of ten.
pub fn decimals(x: f64, decimals: usize) -> String {
    if x.is_nan() {
        return "no number".to_owned();
    }
    if x.is_infinite() {
        return if x > 0.0 { "∞" } else { "−∞" }.to_owned();
    }
    match x.abs() < HUGE {
        true => grouped(format!("{x:.decimals$}")).replace('-', "−"),
        false => power(x),
    }
}

/// `1.5·10³⁰⁸`.
pub fn power(x: f64) -> String {
    let text = format!("{x:.1e}").replace('-', "−");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent = exponent.replace('−', "-").parse().unwrap_or(0);
    format!("{}·10{}", digits.trim_end_matches(".0"), raised(exponent))
}

/// An exponent as it stands above the line: `⁻³`.
pub fn raised(n: i32) -> String {
    let raised = |c: char| match c {
        '-' => '⁻',
        '1' => '¹',
        '2' => '²',
        '3' => '³',
        digit => char::from_u32(0x2070 + u32::from(digit) - u32::from('0')).unwrap_or(digit),
    };
    n.to_string().chars().map(raised).collect()
}

/// Seconds as `12 s`, `3 min 07 s` or `1 h 02 min`.
pub fn duration(seconds: f64) -> String {
    let s = seconds.clamp(0.0, 1e9).round() as u64;
    match s {
        0..60 => format!("{s} s"),
        60..3600 => format!("{} min {:02} s", s / 60, s % 60),
        _ => format!("{} h {:02} min", grouped(s / 3600), s / 60 % 60),
    }
}

/// A name at the beginning of a line: `accuracy` becomes `Accuracy`.
pub fn capital(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|c| c.to_uppercase().to_string());
    first.unwrap_or_default() + letters.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_have_commas_and_decimals_none() {
        let all = [7_u64, 999, 1000, 12_345_678].map(grouped);
        assert_eq!(all, ["7", "999", "1,000", "12,345,678"]);
        assert_eq!(grouped(-1234.5), "-1,234.5");
        assert_eq!(grouped("-12345.6789"), "-12,345.6789");
        assert_eq!(grouped(""), "");
    }

    #[test]
    fn sizes_are_in_powers_of_1024_and_never_1024_of_one() {
        let sizes = [
            (0, "0 bytes"),
            (1, "1 byte"),
            (836, "836 bytes"),
            (1023, "1,023 bytes"),
            (1024, "1 KiB"),
            (163_936, "160.1 KiB"),
            (128 << 10, "128 KiB"),
            ((1 << 20) - 1, "1 MiB"),
            (1 << 20, "1 MiB"),
            (4_572_480, "4.36 MiB"),
            (2_000 << 20, "2,000 MiB"),
        ];
        for (size, shown) in sizes {
            assert_eq!(bytes(size), shown);
        }
    }

    #[test]
    fn whole_epochs_have_no_decimals() {
        let all = [49.0, 0.5, 2.25, 48.999_999, 1200.0, 1e308].map(epochs);
        assert_eq!(all, ["49", "0.5", "2.2", "49", "1,200", "1·10³⁰⁸"]);
    }

    #[test]
    fn no_number_is_hundreds_of_digits_long() {
        let all = [1.23456, -1234.5, 1.5e308, f64::NAN, f64::NEG_INFINITY].map(|x| decimals(x, 3));
        assert_eq!(all, ["1.235", "−1,234.500", "1.5·10³⁰⁸", "no number", "−∞"]);
        assert_eq!([raised(-12), raised(3)], ["⁻¹²", "³"]);
    }

    #[test]
    fn durations_have_two_units_at_most() {
        assert_eq!(
            [12.4, 59.6, 187.0, 3720.0].map(duration),
            ["12 s", "1 min 00 s", "3 min 07 s", "1 h 02 min"]
        );
    }
}
