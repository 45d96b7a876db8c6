//! Heat maps: a grid of colours with its labels and a bar that says what a colour means.

use super::{Anchor, Color, Figure, Item};

/// ColorBrewer's YlGnBu of nine steps: nothing is pale yellow, all is dark blue.
const SEQUENTIAL: [[u8; 3]; 9] = [
    [255, 255, 217],
    [237, 248, 177],
    [199, 233, 180],
    [127, 205, 187],
    [65, 182, 196],
    [29, 145, 192],
    [34, 94, 168],
    [37, 52, 148],
    [8, 29, 88],
];

/// ColorBrewer's RdBu of nine steps, turned: negative is blue, zero nearly white, positive red.
const DIVERGING: [[u8; 3]; 9] = [
    [33, 102, 172],
    [67, 147, 195],
    [146, 197, 222],
    [209, 229, 240],
    [247, 247, 247],
    [253, 219, 199],
    [244, 165, 130],
    [214, 96, 77],
    [178, 24, 43],
];

/// How numbers become colours.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Palette {
    /// From 0 to 1.
    Part,
    /// From 0 to 1, the small ones stretched: the colour goes with the square root.
    PartStretched,
    /// From minus to plus this number.
    Signed(f64),
}

impl Palette {
    /// Part 0..=1 of the palette at which a number stands.
    fn position(self, x: f64) -> f64 {
        match self {
            Palette::Part => x.clamp(0.0, 1.0),
            Palette::PartStretched => x.clamp(0.0, 1.0).sqrt(),
            Palette::Signed(most) => (0.5 + 0.5 * x / most.max(1e-12)).clamp(0.0, 1.0),
        }
    }

    fn steps(self) -> &'static [[u8; 3]; 9] {
        match self {
            Palette::Part | Palette::PartStretched => &SEQUENTIAL,
            Palette::Signed(_) => &DIVERGING,
        }
    }

    fn at(self, position: f64) -> [u8; 3] {
        let steps = self.steps();
        let scaled = position * (steps.len() - 1) as f64;
        let low = (scaled.floor() as usize).min(steps.len() - 2);
        let part = scaled - low as f64;
        let mix = |channel: usize| {
            let (a, b) = (
                f64::from(steps[low][channel]),
                f64::from(steps[low + 1][channel]),
            );
            (a + part * (b - a)).round() as u8
        };
        [mix(0), mix(1), mix(2)]
    }

    /// The colour of a number; grey when it is none.
    pub fn color(self, x: f64) -> [u8; 3] {
        if x.is_nan() {
            return [160, 160, 160];
        }
        self.at(self.position(x))
    }

    /// Numbers marked on the bar.
    fn marks(self) -> Vec<(f64, String)> {
        match self {
            Palette::Part => [0.0, 0.5, 1.0].map(|x| (x, format!("{x}"))).to_vec(),
            Palette::PartStretched => [0.0, 0.01, 0.1, 0.3, 0.6, 1.0]
                .map(|x| (x, format!("{} %", 100.0 * x)))
                .to_vec(),
            Palette::Signed(most) => [-most, 0.0, most]
                .map(|x| {
                    let decimals = if most < 9.95 { 1 } else { 0 };
                    (
                        x,
                        if x == 0.0 {
                            "0".to_owned()
                        } else {
                            format!("{x:+.decimals$}").replace('-', "−")
                        },
                    )
                })
                .to_vec(),
        }
    }
}

/// Adds the cells of `values`, row by row.
pub fn cells(
    figure: &mut Figure,
    at: (f64, f64),
    cell: (f64, f64),
    columns: usize,
    values: &[f64],
    palette: Palette,
) {
    figure.items.push(Item::Cells {
        at,
        cell,
        columns,
        colors: values.iter().map(|&x| palette.color(x)).collect(),
    });
}

/// Adds a bar of the palette, from left to right, with its numbers below.
pub fn bar(figure: &mut Figure, at: (f64, f64), width: f64, palette: Palette) {
    const PARTS: usize = 64;
    let colors = (0..PARTS)
        .map(|i| palette.at((i as f64 + 0.5) / PARTS as f64))
        .collect();
    figure.items.push(Item::Cells {
        at,
        cell: (width / PARTS as f64, 8.0),
        columns: PARTS,
        colors,
    });
    for (number, label) in palette.marks() {
        let x = at.0 + width * palette.position(number);
        figure.rule((x, at.1 + 8.0), (x, at.1 + 12.0), Color::Muted);
        figure.text((x, at.1 + 20.0), label, 11.0, Anchor::Middle, Color::Muted);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_and_middle_have_the_palette_s_colours() {
        assert_eq!(Palette::Part.color(0.0), SEQUENTIAL[0]);
        assert_eq!(Palette::Part.color(1.0), SEQUENTIAL[8]);
        assert_eq!(Palette::Part.color(7.0), SEQUENTIAL[8]);
        assert_eq!(Palette::Signed(2.0).color(0.0), DIVERGING[4]);
        assert_eq!(Palette::Signed(2.0).color(-2.0), DIVERGING[0]);
        assert_eq!(Palette::PartStretched.color(0.25), SEQUENTIAL[4]);
        assert_eq!(Palette::Part.color(f64::NAN), [160; 3]);
    }
}
