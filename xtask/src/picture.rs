//! The boxes and arrows of a graph whose places are known, as SVG.

use std::fmt::Write;

use crate::layered::{self, BOX, Graph, Layout, Place};

/// Sizes in pixels.
const LINE: f32 = 15.0;
const LAYER: f32 = 52.0;
const MARGIN: f32 = 20.0;
/// A letter of the caption.
const CAPTION: f32 = 6.4;
/// Characters of the small text in a line of a box.
const LETTERS: usize = 30;
/// Lines of it in a box.
const LINES: usize = 4;

/// The picture: arrows, those upwards in red, and boxes over them.
pub(crate) fn svg(graph: &Graph, title: &str, caption: &str) -> String {
    let Layout { places, chains, up } = &layered::lay_out(graph);
    let texts: Vec<Vec<String>> = graph.nodes.iter().map(|node| wrapped(&node.text)).collect();
    let height = |place: &Place| {
        let lines = place.node.map_or(0, |node| texts[node].len() + 1);
        12.0 + LINE * lines as f32
    };
    let edge = |sign: f32| {
        let edges = places
            .iter()
            .map(move |place| sign * place.x + place.width() / 2.0);
        edges.fold(f32::MIN, f32::max)
    };
    // Room for the longest line above the boxes too.
    let words = CAPTION * caption.chars().count() as f32 + 2.0 * MARGIN;
    let (left, right) = (MARGIN + edge(-1.0), MARGIN + edge(1.0));
    let spare = (words - left - right).max(0.0) / 2.0;
    let (left, right) = (left + spare, right + spare);
    // Boxes of a layer have one upper edge.
    let last = places
        .iter()
        .map(|place| place.layer)
        .max()
        .unwrap_or_default();
    let (mut tops, mut bottom) = (Vec::new(), 58.0);
    for layer in 0..=last {
        let row = places.iter().filter(|place| place.layer == layer);
        tops.push(bottom);
        bottom += row.map(height).fold(0.0, f32::max) + LAYER;
    }
    let end = bottom - LAYER + MARGIN;
    let top = |place: &Place| tops[place.layer];
    let tall = |layer: usize| {
        let row = places.iter().filter(|place| place.layer == layer);
        row.map(height).fold(0.0, f32::max)
    };

    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0:.0} {1:.0}\" width=\"{0:.0}\" \
         height=\"{1:.0}\" font-family=\"Helvetica, Arial, sans-serif\">\n\
         <title>{title}</title>\n\
         <defs><marker id=\"head\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"8\" \
         markerHeight=\"8\" orient=\"auto\"><path d=\"M0 0L8 4L0 8z\" fill=\"context-stroke\"/>\
         </marker></defs>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n\
         <text x=\"{MARGIN}\" y=\"26\" font-size=\"16\" font-weight=\"bold\">{title}</text>\n\
         <text x=\"{MARGIN}\" y=\"43\" font-size=\"11.5\" fill=\"#555555\">{caption}</text>\n",
        left + right,
        end,
    );
    // Arrows leave and reach a box beside each other, in the order of their other ends.
    let port = |chain: &[usize], begin: bool| {
        let (place, other) = ends(chain, begin);
        let mut others: Vec<f32> = chains
            .iter()
            .map(|chain| ends(chain, begin))
            .filter(|(p, _)| *p == place)
            .map(|(_, other)| places[other].x)
            .collect();
        others.sort_by(f32::total_cmp);
        let at = others
            .iter()
            .position(|x| *x == places[other].x)
            .unwrap_or_default();
        let step = 150.0 / (others.len() as f32).max(6.0);
        places[place].x + step * (at as f32 - (others.len() - 1) as f32 / 2.0)
    };
    for chain in chains {
        let mut path = String::new();
        let (mut x, mut y) = (0.0, 0.0);
        for (i, index) in chain.iter().enumerate() {
            let place = &places[*index];
            let middle = match i {
                0 => port(chain, true),
                i if i + 1 == chain.len() => port(chain, false),
                _ => place.x,
            } + left;
            if i == 0 {
                (x, y) = (middle, top(place) + height(place));
                let _ = write!(path, "M{x:.1} {y:.1}");
                let below = top(place) + tall(place.layer);
                if below > y {
                    y = below;
                    let _ = write!(path, "V{y:.1}");
                }
                continue;
            }
            let half = (top(place) - y) / 2.0;
            let _ = write!(
                path,
                "C{x:.1} {:.1} {middle:.1} {:.1} {middle:.1} {:.1}",
                y + half,
                top(place) - half,
                top(place)
            );
            (x, y) = (middle, top(place));
            if place.node.is_none() {
                y += tall(place.layer);
                let _ = write!(path, "V{y:.1}");
            }
        }
        let _ = writeln!(
            svg,
            "<path d=\"{path}\" fill=\"none\" stroke=\"#5b6b7b\" stroke-width=\"1.3\" \
             marker-end=\"url(#head)\"/>"
        );
    }
    for (from, to) in up {
        let (from, to) = (&places[*from], &places[*to]);
        let side = if from.x <= to.x { 1.0 } else { -1.0 };
        let x = [from, to].map(|place| place.x + left + side * BOX / 2.0);
        let y = [from, to].map(|place| top(place) + height(place) / 2.0);
        let out = x.map(|x| x + side * 46.0);
        let _ = writeln!(
            svg,
            "<path d=\"M{:.1} {:.1}C{:.1} {:.1} {:.1} {:.1} {:.1} {:.1}\" fill=\"none\" \
             stroke=\"#c0392b\" stroke-width=\"1.3\" marker-end=\"url(#head)\"/>",
            x[0], y[0], out[0], y[0], out[1], y[1], x[1], y[1]
        );
    }
    for place in places {
        let Some(node) = place.node else { continue };
        let (x, y) = (place.x + left - BOX / 2.0, top(place));
        let _ = writeln!(
            svg,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{BOX}\" height=\"{:.1}\" rx=\"5\" \
             fill=\"#eef3f8\" stroke=\"#8fa3b7\"/>",
            height(place)
        );
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" font-size=\"13\" font-weight=\"bold\">{}</text>",
            x + 9.0,
            y + 17.0,
            escaped(&graph.nodes[node].name)
        );
        for (i, line) in texts[node].iter().enumerate() {
            let _ = writeln!(
                svg,
                "<text x=\"{:.1}\" y=\"{:.1}\" font-size=\"11\" fill=\"#333333\">{}</text>",
                x + 9.0,
                y + 17.0 + LINE * (i + 1) as f32,
                escaped(line)
            );
        }
    }
    svg.push_str("</svg>\n");
    svg
}

/// The box at an end of an arrow, and the place beside it.
fn ends(chain: &[usize], begin: bool) -> (usize, usize) {
    match (begin, chain) {
        (true, [first, second, ..]) => (*first, *second),
        (_, [.., second, last]) => (*last, *second),
        _ => (0, 0),
    }
}

/// A text in the lines of a box; what is too long ends with an ellipsis.
fn wrapped(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = &lines[lines.len() - 1];
        let length = line.chars().count() + 1 + word.chars().count();
        if !line.is_empty() && length > LETTERS {
            lines.push(String::new());
        }
        let last = lines.len() - 1;
        let line = &mut lines[last];
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if lines.len() > LINES {
        lines.truncate(LINES);
        lines[LINES - 1].push('…');
    }
    lines.retain(|line| !line.is_empty());
    lines
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layered::tests::graph;

    #[test]
    fn every_box_and_arrow_is_drawn() {
        let picture = svg(
            &graph(4, &[(0, 1), (1, 2), (0, 2), (2, 3), (3, 2)]),
            "title",
            "",
        );
        assert_eq!(picture.matches("rx=\"5\"").count(), 4);
        assert_eq!(picture.matches("marker-end").count(), 4);
        assert_eq!(picture.matches("#c0392b").count(), 1);
        assert!(picture.contains("a &amp; b"));
    }
}
