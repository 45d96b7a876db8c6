//! A figure as a PNG: drawn at four times the size and averaged down to twice, which smooths every edge.
//!
//! The fonts travel in the program: machines without any font draw the same picture.

use plotters::prelude::*;
use plotters::style::Color as _;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{FontStyle, FontTransform, register_font};

use super::{Anchor, Color, Figure, Item};
use crate::files::DRAWN_BY;

/// Pixels drawn for a CSS pixel.
const DRAWN: f64 = 4.0;
/// Drawn pixels averaged into one, each way.
const AVERAGED: usize = 2;
/// Room for the title, in CSS pixels.
const TITLE: f64 = 44.0;
/// Room around the figure.
const MARGIN: f64 = 12.0;
/// Length of a dash and of the gap after it, in CSS pixels; as in the SVG.
const DASH: (f64, f64) = (6.0, 4.0);
/// Registered under a name that no font of the system has.
const FONT: &str = "DejaVu Sans";

pub(super) fn light(color: Color) -> RGBColor {
    match color {
        Color::Ink => RGBColor(31, 35, 40),
        Color::Muted => RGBColor(89, 99, 110),
        Color::Grid => RGBColor(224, 227, 231),
        Color::Series(0) => RGBColor(0, 114, 178),
        Color::Series(1) => RGBColor(213, 94, 0),
        Color::Series(2) => RGBColor(0, 158, 115),
        Color::Series(_) => RGBColor(170, 68, 153),
    }
}

/// RGB pixels of `size` as a PNG file.
///
/// # Errors
/// What the encoder says: a size that is zero or does not fit the pixels.
pub fn png(pixels: &[[u8; 3]], size: (u32, u32)) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, size.0, size.1);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::High);
    let signed = encoder.add_text_chunk("Software".to_owned(), DRAWN_BY.to_owned());
    signed.map_err(|error| error.to_string())?;
    let mut writer = encoder.write_header().map_err(|error| error.to_string())?;
    writer
        .write_image_data(bytemuck::cast_slice(pixels))
        .map_err(|error| error.to_string())?;
    writer.finish().map_err(|error| error.to_string())?;
    Ok(bytes)
}

/// The figure under its title, as a PNG file.
///
/// # Errors
/// What the drawing library says.
pub fn draw(figure: &Figure) -> Result<Vec<u8>, String> {
    for (style, font) in [
        (FontStyle::Normal, dejavu::sans::regular()),
        (FontStyle::Bold, dejavu::sans::bold()),
    ] {
        register_font(FONT, style, font)
            .map_err(|_| "the built-in font does not load".to_owned())?;
    }
    let even = |x: f64| ((x * DRAWN) as usize).next_multiple_of(AVERAGED);
    let (width, height) = (
        even(figure.size.0 + 2.0 * MARGIN),
        even(figure.size.1 + 2.0 * MARGIN + TITLE),
    );
    let mut large = vec![255; width * height * 3];
    draw_on(&mut large, (width as u32, height as u32), figure)
        .map_err(|error| error.to_string())?;
    let small = averaged(&large, width, height);
    png(
        &small,
        ((width / AVERAGED) as u32, (height / AVERAGED) as u32),
    )
}

/// Means of squares of pixels.
fn averaged(large: &[u8], width: usize, height: usize) -> Vec<[u8; 3]> {
    let mut small = Vec::with_capacity(width * height / AVERAGED / AVERAGED);
    for y in (0..height).step_by(AVERAGED) {
        for x in (0..width).step_by(AVERAGED) {
            let mean = |channel: usize| {
                let at = |dx: usize, dy: usize| {
                    large[((y + dy) * width + x + dx) * 3 + channel] as usize
                };
                let sum: usize = (0..AVERAGED * AVERAGED)
                    .map(|i| at(i % AVERAGED, i / AVERAGED))
                    .sum();
                ((sum + AVERAGED * AVERAGED / 2) / (AVERAGED * AVERAGED)) as u8
            };
            small.push([mean(0), mean(1), mean(2)]);
        }
    }
    small
}

fn draw_on(
    pixels: &mut [u8],
    size: (u32, u32),
    figure: &Figure,
) -> Result<(), Box<dyn std::error::Error>> {
    let root = BitMapBackend::with_buffer(pixels, size).into_drawing_area();
    root.fill(&WHITE)?;
    let place = |(x, y): (f64, f64)| {
        let (x, y) = ((x + MARGIN) * DRAWN, (y + MARGIN + TITLE) * DRAWN);
        (x.round() as i32, y.round() as i32)
    };
    let title = (FONT, 17.0 * DRAWN, FontStyle::Bold)
        .into_font()
        .color(&light(Color::Ink));
    root.draw_text(
        &figure.title,
        &title.pos(Pos::new(HPos::Left, VPos::Center)),
        place((4.0, -TITLE / 2.0)),
    )?;
    for item in &figure.items {
        match item {
            Item::Line {
                points,
                color,
                width,
                dashed,
            } => {
                let style = light(*color).stroke_width((width * DRAWN).round() as u32);
                let pieces = if *dashed {
                    dashes(points)
                } else {
                    vec![points.clone()]
                };
                for piece in pieces {
                    let piece: Vec<_> = piece.into_iter().map(place).collect();
                    root.draw(&PathElement::new(piece, style))?;
                }
            }
            Item::Dot { at, radius, color } => {
                root.draw(&Circle::new(
                    place(*at),
                    (radius * DRAWN) as i32,
                    light(*color).filled(),
                ))?;
            }
            Item::Text {
                at,
                text,
                size,
                anchor,
                color,
                turned,
            } => {
                let across = match anchor {
                    Anchor::Start => HPos::Left,
                    Anchor::Middle => HPos::Center,
                    Anchor::End => HPos::Right,
                };
                let font = (FONT, size * DRAWN * 0.94).into_font();
                let font = if *turned {
                    font.transform(FontTransform::Rotate270)
                } else {
                    font
                };
                let style = font
                    .color(&light(*color))
                    .pos(Pos::new(across, VPos::Center));
                // The library centres the box of a line, whose letters stand above its middle.
                let sink = size * 0.09;
                let (x, y) = if *turned {
                    (at.0 + sink, at.1)
                } else {
                    (at.0, at.1 + sink)
                };
                root.draw_text(text, &style, place((x, y)))?;
            }
            Item::Cells {
                at,
                cell,
                columns,
                colors,
            } => {
                for (index, &[r, g, b]) in colors.iter().enumerate() {
                    let (row, column) = ((index / columns) as f64, (index % columns) as f64);
                    let from = place((at.0 + column * cell.0, at.1 + row * cell.1));
                    let to = place((at.0 + (column + 1.0) * cell.0, at.1 + (row + 1.0) * cell.1));
                    root.draw(&Rectangle::new([from, to], RGBColor(r, g, b).filled()))?;
                }
            }
        }
    }
    root.present()?;
    Ok(())
}

/// A line cut into dashes.
fn dashes(points: &[(f64, f64)]) -> Vec<Vec<(f64, f64)>> {
    let mut pieces = Vec::new();
    let mut piece: Vec<(f64, f64)> = points.first().copied().into_iter().collect();
    let (mut drawing, mut left) = (true, DASH.0);
    for pair in points.windows(2) {
        let ((mut x, mut y), (to_x, to_y)) = (pair[0], pair[1]);
        loop {
            let distance = (to_x - x).hypot(to_y - y);
            if distance <= left {
                left -= distance;
                if drawing {
                    piece.push((to_x, to_y));
                }
                break;
            }
            (x, y) = (
                x + (to_x - x) * left / distance,
                y + (to_y - y) * left / distance,
            );
            if drawing {
                piece.push((x, y));
                pieces.push(std::mem::take(&mut piece));
            } else {
                piece = vec![(x, y)];
            }
            drawing = !drawing;
            left = if drawing { DASH.0 } else { DASH.1 };
        }
    }
    if drawing && piece.len() > 1 {
        pieces.push(piece);
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dashes_cover_the_line_but_for_the_gaps() {
        let length = |points: &[(f64, f64)]| -> f64 {
            let parts = points
                .windows(2)
                .map(|p| (p[1].0 - p[0].0).hypot(p[1].1 - p[0].1));
            parts.sum()
        };
        let line = [(0.0, 0.0), (30.0, 40.0), (30.0, 90.0)];
        let pieces = dashes(&line);
        let drawn: f64 = pieces.iter().map(|piece| length(piece)).sum();
        assert!((drawn - 60.0).abs() < 1e-9, "{drawn}");
        assert_eq!(pieces.len(), 10);
    }

    #[test]
    fn a_picture_has_twice_the_size_and_the_colours_asked_for() {
        let mut figure = Figure::new("f", "", "", (40.0, 20.0));
        figure.items.push(Item::Cells {
            at: (0.0, 0.0),
            cell: (20.0, 20.0),
            columns: 2,
            colors: vec![[200, 0, 0], [0, 0, 200]],
        });
        figure.rule((0.0, 10.0), (40.0, 10.0), Color::Series(2));
        let bytes = draw(&figure).unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(bytes))
            .read_info()
            .unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        assert_eq!(
            (info.width, info.height),
            (2 * (40 + 24), 2 * (20 + 24 + 44))
        );
        let count = |color: [u8; 3]| pixels.chunks(3).filter(|pixel| *pixel == color).count();
        assert!(count([200, 0, 0]) > 600 && count([0, 0, 200]) > 600);
        assert!(count([0, 158, 115]) > 60);
    }
}
