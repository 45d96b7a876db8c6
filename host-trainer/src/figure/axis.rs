//! Axes: from a number to a place, and where the ticks stand.
//!
//! ```text
//! linear      ticks at multiples of 1, 2 or 5 times a power of ten, about as many as asked for
//! log         ticks at powers of ten, every n-th so that no more than asked for are shown; over less
//!             than two of them, at 2 and 5 times a power too
//! around zero log to both sides of zero from `unit` on, linear between: numbers below, at and near
//!             zero stay apart
//! ```

use crate::units::{grouped, power, raised};

/// How the numbers of an axis stand.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scale {
    /// Equal steps are equal differences.
    Linear,
    /// Equal steps are equal ratios.
    Log,
    /// Logarithmic on both sides of zero, from this number on.
    AroundZero(f64),
}

impl Scale {
    /// Whether a number has a place.
    pub fn has(self, x: f64) -> bool {
        x.is_finite() && (self != Self::Log || x > 0.0)
    }

    /// The number whose differences are equal where the scale's steps are.
    fn of(self, x: f64) -> f64 {
        match self {
            Self::Linear => x,
            Self::Log => x.max(f64::MIN_POSITIVE).log10(),
            Self::AroundZero(unit) if x.abs() < unit => x / unit,
            Self::AroundZero(unit) => x.signum() * (1.0 + (x.abs() / unit).log10()),
        }
    }
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
        let of = |x| self.scale.of(x);
        let (low, high) = (of(self.range.0), of(self.range.1));
        let part = ((of(x) - low) / (high - low)).clamp(0.0, 1.0);
        self.pixels.0 + part * (self.pixels.1 - self.pixels.0)
    }

    /// Numbers with a tick, at most about `most`, and their labels.
    pub fn ticks(&self, most: usize) -> Vec<(f64, String)> {
        match self.scale {
            Scale::Linear => linear(self.range, most),
            Scale::Log => log(self.range, most),
            Scale::AroundZero(unit) => around_zero(self.range, unit, most),
        }
    }
}

fn linear((low, high): (f64, f64), most: usize) -> Vec<(f64, String)> {
    let rough = (high - low) / most.max(1) as f64;
    if !(rough > 0.0 && rough.is_finite()) {
        return Vec::new();
    }
    let base = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|factor| factor * base)
        .find(|&step| step >= rough * 0.999)
        .unwrap_or(10.0 * base);
    let decimals = (-(step * 1.001).log10().floor()).clamp(0.0, 12.0) as usize;
    let first = (low / step - 1e-9).ceil() as i64;
    let last = (high / step + 1e-9).floor() as i64;
    let label = |x: f64| match step {
        1e6.. | ..1e-5 if x != 0.0 => power(x),
        _ => grouped(format!("{x:.decimals$}")).replace('-', "−"),
    };
    (first..=last)
        .map(|n| n as f64 * step)
        .map(|x| (x, label(x)))
        .collect()
}

fn log((low, high): (f64, f64), most: usize) -> Vec<(f64, String)> {
    let exponent = |x: f64| x.max(f64::MIN_POSITIVE).log10();
    let first = (exponent(low) - 1e-9).ceil() as i32;
    let last = (exponent(high) + 1e-9).floor() as i32;
    if exponent(high) - exponent(low) < 2.0 {
        let between = |n: i32| [1.0, 2.0, 5.0].map(|factor| factor * 10_f64.powi(n));
        let inside = |x: &f64| (low * 0.999..=high * 1.001).contains(x);
        return (first - 1..=last)
            .flat_map(between)
            .filter(inside)
            .map(|x| (x, plain(x)))
            .collect();
    }
    let every = ((last - first + 1).max(1) as usize).div_ceil(most.max(1)) as i32;
    (first..=last)
        .filter(|n| n.rem_euclid(every) == 0)
        .map(|n| (10_f64.powi(n), power_of_ten(n)))
        .collect()
}

/// Powers of ten from `unit` on, to both sides, and zero.
fn around_zero((low, high): (f64, f64), unit: f64, most: usize) -> Vec<(f64, String)> {
    let first = (unit.max(f64::MIN_POSITIVE).log10() - 1e-9).ceil() as i32;
    let powers = |far: f64| {
        let last = (far.max(f64::MIN_POSITIVE).log10() + 1e-9).floor() as i32;
        first..=last
    };
    let all = powers(high.max(-low)).count() + powers((-low).min(high)).count() + 1;
    let every = all.div_ceil(most.max(1)).max(1);
    let side = |far: f64, sign: f64| {
        powers(far).step_by(every).map(move |n| {
            let minus = if sign < 0.0 { "−" } else { "" };
            (sign * 10_f64.powi(n), format!("{minus}{}", power_of_ten(n)))
        })
    };
    let mut ticks: Vec<(f64, String)> = side(-low, -1.0).collect();
    ticks.reverse();
    if low <= 0.0 && high >= 0.0 {
        ticks.push((0.0, "0".to_owned()));
    }
    ticks.extend(side(high, 1.0));
    ticks
}

/// A round number as it is; a very large or small one as a power.
fn plain(x: f64) -> String {
    match x {
        1e6.. | ..1e-4 => power(x),
        _ => {
            let decimals = (-(x * 1.001).log10().floor()).clamp(0.0, 5.0) as usize;
            grouped(format!("{x:.decimals$}"))
        }
    }
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
            labels(Scale::Linear, (-1000.0, 2000.0), 4),
            ["−1,000", "0", "1,000", "2,000"]
        );
        assert_eq!(
            labels(Scale::Log, (2e-7, 3.0), 4),
            ["10⁻⁶", "10⁻⁴", "10⁻²", "1"]
        );
        assert_eq!(labels(Scale::Log, (0.7, 12.0), 6), ["1", "2", "5", "10"]);
        assert!(labels(Scale::Linear, (1.0, 1.0), 4).is_empty());
        assert_eq!(
            labels(Scale::AroundZero(1e-4), (-2e-4, 0.3), 8),
            ["−10⁻⁴", "0", "10⁻⁴", "10⁻³", "10⁻²", "10⁻¹"]
        );
    }

    #[test]
    fn labels_stay_short_whatever_the_numbers() {
        for high in [1e-300, 1e-9, 0.3, 4e5, 1e12, 1e300] {
            for scale in [Scale::Linear, Scale::Log, Scale::AroundZero(1e-4)] {
                for label in labels(scale, (high / 40.0, high), 6) {
                    assert!(label.chars().count() <= 16, "{label}");
                }
            }
        }
    }

    #[test]
    fn places_are_in_proportion_and_never_outside() {
        let mut axis = Axis {
            scale: Scale::Log,
            range: (1e-4, 1.0),
            pixels: (200.0, 0.0),
        };
        assert!((axis.place(1e-2) - 100.0).abs() < 1e-9);
        assert_eq!((axis.place(0.0), axis.place(50.0)), (200.0, 0.0));
        axis.scale = Scale::AroundZero(1e-4);
        axis.range = (-1e-2, 1e-2);
        assert!((axis.place(0.0) - 100.0).abs() < 1e-9);
        let places = [-1e-3, -1e-5, 0.0, 1e-5, 1e-4, 1e-3].map(|x| axis.place(x));
        assert!(places.is_sorted_by(|a, b| a > b), "{places:?}");
    }
}
