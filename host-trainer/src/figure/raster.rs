//! A figure as a PNG of twice its size, every edge antialiased.

use tiny_skia::{
    FillRule, LineCap, LineJoin, Paint, Path, PathBuilder, Pixmap, Rect, Stroke, StrokeDash,
    Transform,
};

use super::font::{self, Piece};
use super::shapes::{Anchor, Color, EDGE, Figure, Form, Item, TINT};
use crate::files::DRAWN_BY;

/// Pixels for a CSS pixel.
const SCALE: f64 = 2.0;
/// Room for the title, in CSS pixels.
pub(super) const TITLE: f64 = 44.0;
/// Room around the figure.
pub(super) const MARGIN: f64 = 12.0;
/// Length of a dash and of the gap after it, in CSS pixels.
pub(super) const DASH: (f64, f64) = (6.0, 4.0);
/// From the middle height of a text down to its base line, as a part of its size: half a capital.
const BASE: f64 = 0.36;

/// RGB pixels of `size` as a PNG file.
///
/// # Errors
/// What the encoder says: a size that is zero or does not fit the pixels.
pub fn png(pixels: &[[u8; 3]], size: (u32, u32)) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, size.0, size.1);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::Balanced);
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
/// What the encoder says, or that the figure is too large.
pub fn draw(figure: &Figure) -> Result<Vec<u8>, String> {
    let pixels = |x: f64| (x * SCALE).ceil() as u32;
    let size = (
        pixels(figure.size.0 + 2.0 * MARGIN),
        pixels(figure.size.1 + 2.0 * MARGIN + TITLE),
    );
    let map = Pixmap::new(size.0, size.1);
    let mut sheet = Sheet(map.ok_or_else(|| "the figure has no size".to_owned())?);
    sheet.0.fill(tiny_skia::Color::WHITE);
    let title = Item::Text {
        at: (4.0, -TITLE / 2.0),
        text: figure.title.clone(),
        size: 17.0,
        anchor: Anchor::Start,
        color: Color::Ink,
        turned: false,
    };
    sheet.item(&title, true);
    figure.items.iter().for_each(|item| sheet.item(item, false));
    // The sheet is white all over, so that nothing is left of transparency.
    let rgb = |pixel: &tiny_skia::PremultipliedColorU8| [pixel.red(), pixel.green(), pixel.blue()];
    let colors: Vec<[u8; 3]> = sheet.0.pixels().iter().map(rgb).collect();
    png(&colors, size)
}

/// What is drawn on.
struct Sheet(Pixmap);

fn paint(color: Color, part: f64) -> Paint<'static> {
    let [r, g, b] = color.light();
    let mut paint = Paint::default();
    paint.set_color_rgba8(r, g, b, (255.0 * part).round() as u8);
    paint
}

/// From CSS pixels of the figure to pixels of the picture.
fn sheet() -> Transform {
    let scale = SCALE as f32;
    let (x, y) = (MARGIN as f32 * scale, (MARGIN + TITLE) as f32 * scale);
    Transform::from_row(scale, 0.0, 0.0, scale, x, y)
}

fn polygon(points: &[(f64, f64)], closed: bool) -> Option<Path> {
    let mut path = PathBuilder::new();
    let (&(x, y), others) = points.split_first()?;
    path.move_to(x as f32, y as f32);
    for &(x, y) in others {
        path.line_to(x as f32, y as f32);
    }
    if closed {
        path.close();
    }
    path.finish()
}

fn glyphs(text: &str, size: f64, bold: bool) -> Option<Path> {
    let mut path = PathBuilder::new();
    let at = |(x, y): (f64, f64)| (x as f32, y as f32);
    for piece in font::outline(text, size, bold) {
        match piece {
            Piece::Move(a) => path.move_to(at(a).0, at(a).1),
            Piece::Line(a) => path.line_to(at(a).0, at(a).1),
            Piece::Quad(a, b) => path.quad_to(at(a).0, at(a).1, at(b).0, at(b).1),
            Piece::Cubic(a, b, c) => {
                let (a, b, c) = (at(a), at(b), at(c));
                path.cubic_to(a.0, a.1, b.0, b.1, c.0, c.1);
            }
        }
    }
    path.finish()
}

impl Sheet {
    fn stroke(&mut self, path: &Path, color: Color, width: f64, dashed: bool) {
        let dash = vec![DASH.0 as f32, DASH.1 as f32];
        let stroke = Stroke {
            width: width as f32,
            line_cap: if dashed {
                LineCap::Butt
            } else {
                LineCap::Round
            },
            line_join: LineJoin::Round,
            dash: dashed.then(|| StrokeDash::new(dash, 0.0)).flatten(),
            ..Stroke::default()
        };
        self.0
            .stroke_path(path, &paint(color, 1.0), &stroke, sheet(), None);
    }

    fn fill(&mut self, path: &Path, color: Color, part: f64, more: Transform) {
        let whole = sheet().pre_concat(more);
        let paint = paint(color, part);
        self.0
            .fill_path(path, &paint, FillRule::Winding, whole, None);
    }

    fn item(&mut self, item: &Item, bold: bool) {
        match item {
            Item::Line {
                points,
                color,
                width,
                dashed,
            } => {
                if let Some(path) = polygon(points, false) {
                    self.stroke(&path, *color, *width, *dashed);
                }
            }
            Item::Mark {
                at,
                radius,
                form,
                color,
            } => {
                let path = match form {
                    Form::Circle => {
                        PathBuilder::from_circle(at.0 as f32, at.1 as f32, *radius as f32)
                    }
                    _ => polygon(&form.corners(*at, *radius), true),
                };
                if let Some(path) = path {
                    self.fill(&path, *color, TINT, Transform::identity());
                    self.stroke(&path, *color, EDGE, false);
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
                let size = size * 0.94;
                let back = match anchor {
                    Anchor::Start => 0.0,
                    Anchor::Middle => 0.5,
                    Anchor::End => 1.0,
                } * font::width(text, size);
                let turn = if *turned { -90.0 } else { 0.0 };
                let place = Transform::from_translate(at.0 as f32, at.1 as f32)
                    .pre_concat(Transform::from_rotate(turn))
                    .pre_translate(-back as f32, (BASE * size) as f32);
                if let Some(path) = glyphs(text, size, bold) {
                    self.fill(&path, *color, 1.0, place);
                }
            }
            Item::Cells {
                at,
                cell,
                columns,
                colors,
            } => self.cells(*at, *cell, *columns, colors),
        }
    }

    /// Cells end at whole pixels, so that no seam shows between them.
    fn cells(&mut self, at: (f64, f64), cell: (f64, f64), columns: usize, colors: &[[u8; 3]]) {
        let x = |column: usize| ((at.0 + column as f64 * cell.0 + MARGIN) * SCALE).round() as f32;
        let y = |row: usize| ((at.1 + row as f64 * cell.1 + MARGIN + TITLE) * SCALE).round() as f32;
        for (index, &[r, g, b]) in colors.iter().enumerate() {
            let (row, column) = (index / columns.max(1), index % columns.max(1));
            let mut paint = Paint {
                anti_alias: false,
                ..Paint::default()
            };
            paint.set_color_rgba8(r, g, b, 255);
            if let Some(rect) = Rect::from_ltrb(x(column), y(row), x(column + 1), y(row + 1)) {
                self.0.fill_rect(rect, &paint, Transform::identity(), None);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pixels(figure: &Figure) -> (Vec<[u8; 3]>, usize, usize) {
        let bytes = draw(figure).unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(bytes))
            .read_info()
            .unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        let colors = pixels.chunks(3).map(|p| [p[0], p[1], p[2]]).collect();
        (colors, info.width as usize, info.height as usize)
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
        let (pixels, width, height) = pixels(&figure);
        assert_eq!((width, height), (2 * (40 + 24), 2 * (20 + 24 + 44)));
        let count = |color: [u8; 3]| pixels.iter().filter(|pixel| **pixel == color).count();
        assert!(count([200, 0, 0]) > 600 && count([0, 0, 200]) > 600);
        assert!(count([0, 158, 115]) > 60);
    }

    #[test]
    fn edges_are_smooth() {
        let mut figure = Figure::new("f", "", "", (60.0, 60.0));
        figure.rule((2.0, 3.0), (55.0, 50.0), Color::Ink);
        let shades: std::collections::BTreeSet<[u8; 3]> = pixels(&figure).0.into_iter().collect();
        assert!(shades.len() > 16, "{} shades", shades.len());
    }

    #[test]
    fn a_mark_under_another_is_seen() {
        let mark = |form, color| Item::Mark {
            at: (20.0, 20.0),
            radius: 5.0,
            form,
            color: Color::Series(color),
        };
        let mut figure = Figure::new("f", "", "", (40.0, 40.0));
        figure.items.push(mark(Form::Circle, 0));
        let lower = pixels(&figure).0;
        figure.items.push(mark(Form::Diamond, 1));
        let both = pixels(&figure).0;
        figure.items.remove(0);
        let upper = pixels(&figure).0;
        let differ = |a: &[[u8; 3]], b: &[[u8; 3]]| {
            let far = |(a, b): &(&[u8; 3], &[u8; 3])| (0..3).any(|i| a[i].abs_diff(b[i]) > 24);
            a.iter().zip(b).filter(far).count()
        };
        assert!(differ(&upper, &both) > 100, "the circle below is hidden");
        assert!(differ(&lower, &both) > 100, "the diamond above is missing");
    }

    #[test]
    fn a_text_stands_where_its_anchor_says() {
        let mut figure = Figure::new("f", "", "", (200.0, 40.0));
        figure.text((100.0, 20.0), "HHHH", 12.0, Anchor::End, Color::Ink);
        let (pixels, width, _) = pixels(&figure);
        let dark = |at: usize| pixels[at].iter().all(|&x| x < 100);
        let columns = (0..pixels.len())
            .filter(|&at| dark(at))
            .map(|at| at % width);
        let right = columns.max().unwrap() as f64 / SCALE - MARGIN;
        assert!((95.0..=100.0).contains(&right), "{right}");
    }
}
