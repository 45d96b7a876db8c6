//! A picture of numbers: a row each, a dot for each series, on an axis that may be logarithmic.

use std::fmt::Write;

/// One number.
#[derive(Debug)]
pub(crate) struct Dot {
    pub(crate) row: String,
    pub(crate) series: String,
    pub(crate) value: f32,
}

/// Sizes in pixels.
const WIDTH: f32 = 760.0;
const LEFT: f32 = 120.0;
const RIGHT: f32 = 24.0;
const ROW: f32 = 26.0;
const TOP: f32 = 84.0;
/// One a series: dark enough on white, and apart for people who do not see red and green.
const COLOURS: [&str; 6] = [
    "#0b62a4", "#d1711f", "#4b8b3b", "#8e44ad", "#7f7f7f", "#b8860b",
];
/// Where a logarithmic axis has lines, if the numbers reach them.
const MARKS: [f32; 9] = [0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0];

/// The picture, as SVG. Rows and series have the order in which they come first.
pub(crate) fn svg(title: &str, caption: &str, dots: &[Dot], logarithmic: bool) -> String {
    let rows = firsts(dots.iter().map(|dot| &*dot.row));
    let series = firsts(dots.iter().map(|dot| &*dot.series));
    let largest = dots.iter().map(|dot| dot.value).fold(0.0, f32::max) * 1.05;
    let least = dots.iter().map(|dot| dot.value).fold(f32::MAX, f32::min) * 0.9;
    let marks: Vec<f32> = match logarithmic {
        true => MARKS
            .into_iter()
            .filter(|mark| (least..largest).contains(mark))
            .collect(),
        false => (0..=largest as u32).map(|mark| mark as f32).collect(),
    };
    let x = |value: f32| {
        let share = match logarithmic {
            true => (value / least).ln() / (largest / least).ln(),
            false => value / largest,
        };
        LEFT + share * (WIDTH - LEFT - RIGHT)
    };
    let bottom = TOP + ROW * rows.len() as f32;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {0:.0}\" width=\"{WIDTH}\" \
         height=\"{0:.0}\" font-family=\"Helvetica, Arial, sans-serif\" font-size=\"12\">\n\
         <title>{title}</title>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n\
         <text x=\"16\" y=\"25\" font-size=\"16\" font-weight=\"bold\">{title}</text>\n\
         <text x=\"16\" y=\"43\" fill=\"#555555\">{caption}</text>\n",
        bottom + 30.0
    );
    let mut line = |text: std::fmt::Arguments<'_>| {
        let _ = svg.write_fmt(text);
        svg.push('\n');
    };
    let mut at = 16.0;
    for (name, colour) in series.iter().zip(COLOURS.iter().cycle()) {
        line(format_args!(
            "<circle cx=\"{:.1}\" cy=\"61\" r=\"5\" fill=\"{colour}\"/>",
            at + 5.0
        ));
        line(format_args!(
            "<text x=\"{:.1}\" y=\"65\">{name}</text>",
            at + 15.0
        ));
        at += 36.0 + 7.0 * name.chars().count() as f32;
    }
    for mark in marks {
        let x = x(mark);
        line(format_args!(
            "<path d=\"M{x:.1} {:.1}V{bottom:.1}\" stroke=\"#dddddd\"/>",
            TOP - 6.0
        ));
        let y = bottom + 17.0;
        line(format_args!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"middle\" fill=\"#555555\">{mark}</text>"
        ));
    }
    for (index, row) in rows.iter().enumerate() {
        let y = TOP + ROW * (index as f32 + 0.5);
        line(format_args!(
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{row}</text>",
            LEFT - 12.0,
            y + 4.0
        ));
        line(format_args!(
            "<path d=\"M{LEFT} {y:.1}H{:.1}\" stroke=\"#eeeeee\"/>",
            WIDTH - RIGHT
        ));
        // The first series on top.
        for dot in dots.iter().filter(|dot| dot.row == *row).rev() {
            let index = series
                .iter()
                .position(|name| *name == dot.series)
                .unwrap_or_default();
            let (x, colour) = (x(dot.value), COLOURS[index % COLOURS.len()]);
            line(format_args!(
                "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"5.5\" fill=\"{colour}\" \
                 stroke=\"#ffffff\"><title>{}: {}</title></circle>",
                dot.series, dot.value
            ));
        }
    }
    svg.push_str("</svg>\n");
    svg
}

fn firsts<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut found: Vec<&str> = Vec::new();
    for name in names {
        if !found.contains(&name) {
            found.push(name);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_lie_by_their_values() {
        let dot = |row: &str, value| Dot {
            row: row.to_owned(),
            series: "s".to_owned(),
            value,
        };
        let at = |picture: &str| -> Vec<f32> {
            let dots = picture.split("<circle cx=\"").skip(2);
            dots.map(|rest| rest.split('"').next().unwrap().parse().unwrap())
                .collect()
        };
        let dots = [dot("a", 1.0), dot("b", 10.0), dot("c", 100.0)];
        let x = at(&svg("t", "c", &dots, true));
        assert!((x[1] - x[0] - (x[2] - x[1])).abs() < 0.2, "{x:?}");
        let x = at(&svg("t", "c", &dots, false));
        assert!((x[2] - x[1] - 10.0 * (x[1] - x[0])).abs() < 0.5, "{x:?}");
    }
}
