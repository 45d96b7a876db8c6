//! Times of steps: numbers, or dates.

use std::path::Path;

use crate::error::{Error, Result};
use crate::place::{At, Place};

/// Days from 1970-01-01 in the Gregorian calendar (Howard Hinnant, "chrono-Compatible Low-Level
/// Date Algorithms": years begin in March, eras have 400 years).
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Seconds from 1970 of `2026-01-31`, `2026-01-31 23:59`, `2026/01/31T23:59:59.5Z`. A time zone
/// other than Z is not read.
fn date(text: &str) -> Option<f64> {
    let text = text.strip_suffix('Z').unwrap_or(text);
    let (date, time) = match text.split_once(['T', ' ']) {
        Some((date, time)) => (date, time.trim()),
        None => (text, "00:00"),
    };
    let mut parts = date.split(['-', '/']);
    let mut part = |digits: usize, most: i64| {
        let part = parts.next()?;
        let all = part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit());
        let number: i64 = all.then(|| part.parse().ok())??;
        (number <= most).then_some(number)
    };
    let (year, month, day) = (part(4, 9999)?, part(2, 12)?, part(2, 31)?);
    if parts.next().is_some() || month == 0 || day == 0 {
        return None;
    }
    let mut parts = time.split(':');
    let mut part = |most: f64| {
        let part = parts.next()?;
        let number: f64 = part.parse().ok()?;
        (part.starts_with(|c: char| c.is_ascii_digit()) && number < most).then_some(number)
    };
    let (hours, minutes) = (part(24.0)?, part(60.0)?);
    let seconds = if time.matches(':').count() == 2 {
        part(61.0)?
    } else {
        0.0
    };
    let whole = hours.fract() == 0.0 && minutes.fract() == 0.0 && parts.next().is_none();
    let days = days(year, month, day) as f64;
    whole.then_some(days * 86_400.0 + hours * 3600.0 + minutes * 60.0 + seconds)
}

/// A time: a number in whatever units, or a date, in seconds.
fn time(text: &str) -> Option<f64> {
    let number = text.parse::<f64>().ok().filter(|time| time.is_finite());
    number.or_else(|| date(text))
}

/// Differences that decide how long a step takes.
const DIFFERENCES: usize = 1 << 16;

/// A difference of so many steps is a gap.
const GAP: f64 = 1.5;

/// The times of a file's sequences.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    /// The last time of each sequence.
    last: Vec<Option<f64>>,
    differences: Vec<f64>,
    /// What a step takes, when it is known.
    step: f64,
}

impl Clock {
    /// The time from the step before; none for the first step.
    ///
    /// # Errors
    /// [`Error::NoTime`], [`Error::Backwards`].
    fn since(
        &mut self,
        sequence: usize,
        text: &[u8],
        path: &Path,
        at: At,
        column: &str,
    ) -> Result<Option<f64>> {
        let place = || Place {
            path: path.to_owned(),
            at,
            column: column.to_owned(),
        };
        let text = String::from_utf8_lossy(text);
        let now = time(text.trim()).ok_or_else(|| Error::NoTime {
            place: place(),
            found: text.trim().to_owned(),
        })?;
        if self.last.len() <= sequence {
            self.last.resize(sequence + 1, None);
        }
        match self.last[sequence].replace(now) {
            None => Ok(None),
            Some(before) if now > before => Ok(Some(now - before)),
            Some(before) => Err(Error::Backwards {
                place: place(),
                found: now,
                before,
            }),
        }
    }

    /// A step of the first reading, which finds what a step takes.
    ///
    /// # Errors
    /// As [`Self::since`].
    pub(crate) fn learn(
        &mut self,
        sequence: usize,
        text: &[u8],
        path: &Path,
        at: At,
        column: &str,
    ) -> Result<()> {
        let since = self.since(sequence, text, path, at, column)?;
        if self.differences.len() < DIFFERENCES {
            self.differences.extend(since);
        }
        Ok(())
    }

    /// What a step takes: the median of the first differences. Times begin anew.
    pub(crate) fn learnt(&mut self) -> f64 {
        self.last.clear();
        let differences = &mut self.differences;
        let middle = differences.len() / 2;
        if !differences.is_empty() {
            self.step = *differences.select_nth_unstable_by(middle, f64::total_cmp).1;
        }
        self.step
    }

    /// A step of the second reading: how many steps are missing before it.
    ///
    /// # Errors
    /// As [`Self::since`].
    pub(crate) fn missing(
        &mut self,
        sequence: usize,
        text: &[u8],
        path: &Path,
        at: At,
        column: &str,
    ) -> Result<f64> {
        Ok(match self.since(sequence, text, path, at, column)? {
            Some(since) if since > GAP * self.step => (since / self.step).round() - 1.0,
            _ => 0.0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_seconds_from_1970() {
        // Python: datetime(2026, 1, 31, 23, 59, 59, 500000, tzinfo=timezone.utc).timestamp()
        assert_eq!(date("2026-01-31T23:59:59.5Z"), Some(1_769_903_999.5));
        assert_eq!(date("1970/01/01"), Some(0.0));
        assert_eq!(date("2000-02-29 00:01"), Some(951_782_460.0));
        assert_eq!(date("1969-12-31 23:59:59"), Some(-1.0));
        for wrong in [
            "31.01.2026",
            "2026-13-01",
            "2026-01-01 25:00",
            "2026-01-01 1:-1",
            "now",
            "",
        ] {
            assert_eq!(time(wrong), None, "{wrong}");
        }
        assert_eq!(time("1e3"), Some(1000.0));
        assert_eq!(time("inf"), None);
    }
}
