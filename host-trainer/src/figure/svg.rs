//! A figure as SVG for the page: colours are class names, and the style sheet's themes fill them in.
//!
//! Shapes are closed by an end tag: in HTML an SVG element that is not would take in all that follow.
//! Cells become one PNG of one pixel a cell, stretched without smoothing: a heat map of thousands of cells stays small.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use maud::{Markup, PreEscaped, html};

use super::raster::{DASH, MARGIN, TITLE, png};
use super::shapes::{Anchor, Color, EDGE, Figure, Form, Item, TINT};
use crate::files::DRAWN_BY;

/// Two decimals are more than a screen shows.
fn short(x: f64) -> String {
    let text = format!("{x:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A file as a URL that carries its bytes.
pub fn data_url(bytes: &[u8]) -> String {
    format!("data:image/png;base64,{}", STANDARD.encode(bytes))
}

/// The figure's SVG element.
pub fn svg(figure: &Figure) -> Markup {
    let (width, height) = figure.size;
    html! {
        svg xmlns="http://www.w3.org/2000/svg" viewBox=(format!("0 0 {} {}", short(width), short(height)))
            width=(short(width)) height=(short(height)) role="img" aria-label=(figure.alt) {
            title { (figure.alt) }
            @for item in &figure.items { (shape(item)) }
        }
    }
}

/// The figure under its title as a file of its own, in the light theme.
pub fn file(figure: &Figure) -> String {
    let (width, height) = (
        figure.size.0 + 2.0 * MARGIN,
        figure.size.1 + 2.0 * MARGIN + TITLE,
    );
    let rules = Color::ALL.map(|color| {
        let (name, [r, g, b]) = (color.name(), color.light());
        let rgb = format!("#{r:02x}{g:02x}{b:02x}");
        format!(".{name}{{fill:{rgb}}}.l.{name}{{stroke:{rgb};fill:none}}.m.{name}{{stroke:{rgb}}}")
    });
    let style = format!(
        "text{{font-family:'DejaVu Sans',sans-serif}}.l{{stroke-linejoin:round}}{}",
        rules.concat()
    );
    let drawing = html! {
        svg xmlns="http://www.w3.org/2000/svg" viewBox=(format!("0 0 {} {}", short(width), short(height)))
            width=(short(width)) height=(short(height)) role="img" aria-label=(figure.alt) {
            (PreEscaped(format!("<!-- {DRAWN_BY} -->")))
            title { (figure.alt) }
            style { (style) }
            rect width="100%" height="100%" fill="white" {}
            text class="ink" x=(short(MARGIN + 4.0)) y=(short(MARGIN + TITLE / 2.0)) font-size="17" font-weight="bold"
                dominant-baseline="central" { (figure.title) }
            g transform=(format!("translate({MARGIN} {})", MARGIN + TITLE)) {
                @for item in &figure.items { (shape(item)) }
            }
        }
    };
    format!("{}\n", drawing.into_string())
}

fn shape(item: &Item) -> Markup {
    match item {
        Item::Line {
            points,
            color,
            width,
            dashed,
        } => {
            let points: Vec<String> = points
                .iter()
                .map(|&(x, y)| format!("{},{}", short(x), short(y)))
                .collect();
            let dash = dashed.then(|| format!("{} {}", DASH.0, DASH.1));
            html! { polyline class=(format!("l {}", color.name())) points=(points.join(" "))
            stroke-width=(short(*width)) stroke-dasharray=[dash] {} }
        }
        Item::Mark {
            at,
            radius,
            form,
            color,
        } => {
            let class = format!("m {}", color.name());
            let corners = form.corners(*at, *radius);
            let corners: Vec<String> = corners
                .iter()
                .map(|&(x, y)| format!("{},{}", short(x), short(y)))
                .collect();
            html! {
                @if *form == Form::Circle {
                    circle class=(class) cx=(short(at.0)) cy=(short(at.1)) r=(short(*radius))
                        stroke-width=(EDGE) fill-opacity=(TINT) {}
                } @else {
                    polygon class=(class) points=(corners.join(" "))
                        stroke-width=(EDGE) fill-opacity=(TINT) {}
                }
            }
        }
        Item::Text {
            at,
            text,
            size,
            anchor,
            color,
            turned,
        } => {
            let (x, y) = (short(at.0), short(at.1));
            let anchor = match anchor {
                Anchor::Start => "start",
                Anchor::Middle => "middle",
                Anchor::End => "end",
            };
            let turn = turned.then(|| format!("rotate(-90 {x} {y})"));
            html! { text class=(color.name()) x=(x) y=(y) font-size=(short(*size)) text-anchor=(anchor)
            dominant-baseline="central" transform=[turn] { (text) } }
        }
        Item::Cells {
            at,
            cell,
            columns,
            colors,
        } => {
            let rows = colors.len() / columns.max(&1);
            // The encoder refuses an empty picture only, and then there is nothing to show.
            let picture = png(colors, (*columns as u32, rows as u32)).unwrap_or_default();
            html! { image x=(short(at.0)) y=(short(at.1)) width=(short(cell.0 * *columns as f64)) height=(short(cell.1 * rows as f64))
            preserveAspectRatio="none" style="image-rendering:pixelated" href=(data_url(&picture)) {} }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_escaped_and_cells_are_a_picture() {
        let mut figure = Figure::new("f", "t", "a <b> & \"c\"", (100.0, 50.0));
        figure.text(
            (1.0, 2.005),
            "<script>&",
            12.0,
            Anchor::Middle,
            Color::Series(1),
        );
        figure.items.push(Item::Cells {
            at: (0.0, 0.0),
            cell: (2.0, 3.0),
            columns: 2,
            colors: vec![[1, 2, 3]; 4],
        });
        let text = svg(&figure).into_string();
        assert!(text.contains("&lt;script&gt;&amp;") && !text.contains("<script"));
        assert!(
            text.contains("aria-label=\"a &lt;b&gt; &amp; &quot;c&quot;\""),
            "{text}"
        );
        assert!(
            text.contains("width=\"4\" height=\"6\"")
                && text.contains("href=\"data:image/png;base64,iVBOR"),
            "{text}"
        );
    }

    #[test]
    fn a_file_has_its_colours_with_it() {
        let mut figure = Figure::new("f", "A < B", "alt", (100.0, 50.0));
        figure.rule((0.0, 1.0), (2.0, 3.0), Color::Series(1));
        let text = file(&figure);
        assert!(text.contains(".l.s1{stroke:#d55e00;fill:none}"), "{text}");
        assert!(text.contains("A &lt; B") && text.contains("viewBox=\"0 0 124 118\""));
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!(
            [short(2.0), short(0.125), short(-10.5), short(100.0)],
            ["2", "0.12", "-10.5", "100"]
        );
    }
}
