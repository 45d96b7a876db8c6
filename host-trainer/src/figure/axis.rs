//! Axes: from a number to a place, and where the ticks stand.
//!
//! ```text
//! linear  ticks at multiples of 1, 2 or 5 times a power of ten, about as many as asked for
//! log     ticks at powers of ten, every n-th so that no more than asked for are shown
//! ```

/// How the numbers of an axis stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Equal steps are equal differences.
    Linear,
    /// Equal steps are equal ratios.
    Log,
}

/// An axis: the numbers at its ends, and the pixels there.
#[derive(Clone, Copy, Debug)]
pub struct Axis {
    /// How the numbers stand.
    pub scale: Scale,
    /// Smallest and largest number.
    pub range: (f64, f64),
    /// Pixels of the smallest and of the largest number.
    pub pixels: (f64, f64),
}

impl Axis {
    /// The pixel of a number; the ends of the axis for numbers outside.
    pub fn place(&self, x: f64) -> f64 {
        let of = |x: f64| match self.scale {
            Scale::Linear => x,
            Scale::Log => x.max(f64::MIN_POSITIVE).log10(),
        };
        let (low, high) = (of(self.range.0), of(self.range.1));
        let part = ((of(x) - low) / (high - low)).clamp(0.0, 1.0);
        self.pixels.0 + part * (self.pixels.1 - self.pixels.0)
    }

    /// Numbers with a tick, at most about `most`, and their labels.
    pub fn ticks(&self, most: usize) -> Vec<(f64, String)> {
        match self.scale {
            Scale::Linear => linear(self.range, most),
            Scale::Log => log(self.range, most),
        }
    }
}

fn linear((low, high): (f64, f64), most: usize) -> Vec<(f64, String)> {
    let rough = (high - low) / most.max(1) as f64;
    if !(rough > 0.0 && rough.is_finite()) {
        return Vec::new();
    }
    let power = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|factor| factor * power)
        .find(|&step| step >= rough * 0.999)
        .unwrap_or(10.0 * power);
    let decimals = (-step.log10().floor()).clamp(0.0, 12.0) as usize;
    let first = (low / step - 1e-9).ceil() as i64;
    let last = (high / step + 1e-9).floor() as i64;
    (first..=last)
        .map(|n| {
            let x = n as f64 * step;
            (x, format!("{x:.decimals$}"))
        })
        .collect()
}

fn log((low, high): (f64, f64), most: usize) -> Vec<(f64, String)> {
    let first = (low.max(f64::MIN_POSITIVE).log10() - 1e-9).ceil() as i32;
    let last = (high.max(f64::MIN_POSITIVE).log10() + 1e-9).floor() as i32;
    let every = ((last - first + 1).max(1) as usize).div_ceil(most.max(1)) as i32;
    (first..=last)
        .filter(|n| n.rem_euclid(every) == 0)
        .map(|n| (10_f64.powi(n), power_of_ten(n)))
        .collect()
}

/// `10⁻³`; small powers are written out.
fn power_of_ten(n: i32) -> String {
    match n {
        0 => "1".to_owned(),
        1 => "10".to_owned(),
        2 => "100".to_owned(),
        _ => format!("10{}", raised(n)),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(scale: Scale, range: (f64, f64), most: usize) -> Vec<String> {
        let axis = Axis {
            scale,
            range,
            pixels: (0.0, 100.0),
        };
        axis.ticks(most).into_iter().map(|tick| tick.1).collect()
    }

    #[test]
    fn ticks_are_round_numbers_within_the_range() {
        assert_eq!(
            labels(Scale::Linear, (1.42, 2.2), 5),
            ["1.6", "1.8", "2.0", "2.2"]
        );
        assert_eq!(
            labels(Scale::Linear, (0.0, 64.0), 8),
            ["0", "10", "20", "30", "40", "50", "60"]
        );
        assert_eq!(
            labels(Scale::Log, (2e-7, 3.0), 4),
            ["10⁻⁶", "10⁻⁴", "10⁻²", "1"]
        );
        assert!(labels(Scale::Linear, (1.0, 1.0), 4).is_empty());
    }

    #[test]
    fn places_are_in_proportion_and_never_outside() {
        let axis = Axis {
            scale: Scale::Log,
            range: (1e-4, 1.0),
            pixels: (200.0, 0.0),
        };
        assert!((axis.place(1e-2) - 100.0).abs() < 1e-9);
        assert_eq!((axis.place(0.0), axis.place(50.0)), (200.0, 0.0));
    }
}
