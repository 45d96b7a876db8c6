//! The font of the pictures. It travels in the program: machines without any font draw the same picture.

use std::sync::LazyLock;

use ab_glyph::{Font, FontRef, OutlineCurve};

/// Regular, and bold for titles; none if the bytes in the program were no fonts, and then there is no text.
static FONTS: LazyLock<[Option<FontRef<'static>>; 2]> = LazyLock::new(|| {
    [dejavu::sans::regular(), dejavu::sans::bold()].map(|font| FontRef::try_from_slice(font).ok())
});

fn font(bold: bool) -> Option<&'static FontRef<'static>> {
    FONTS[usize::from(bold)].as_ref()
}

/// Pixels of a unit of the font, at a size in pixels.
fn scale(font: &FontRef<'static>, size: f64) -> f64 {
    size / f64::from(font.units_per_em().unwrap_or(2048.0))
}

/// Width of a text in pixels.
pub(super) fn width(text: &str, size: f64) -> f64 {
    let Some(font) = font(false) else {
        return 0.6 * size * text.chars().count() as f64;
    };
    let advance = |c| f64::from(font.h_advance_unscaled(font.glyph_id(c)));
    scale(font, size) * text.chars().map(advance).sum::<f64>()
}

/// A piece of a glyph's edge, in pixels, y downwards.
pub(super) enum Piece {
    /// The pen goes here without drawing.
    Move((f64, f64)),
    /// A straight edge.
    Line((f64, f64)),
    /// A curve with one control point.
    Quad((f64, f64), (f64, f64)),
    /// A curve with two.
    Cubic((f64, f64), (f64, f64), (f64, f64)),
}

/// Edges of a text whose base line starts at (0, 0).
pub(super) fn outline(text: &str, size: f64, bold: bool) -> Vec<Piece> {
    let Some(font) = font(bold) else {
        return Vec::new();
    };
    let scale = scale(font, size);
    let (mut x, mut pieces) = (0.0, Vec::new());
    for c in text.chars() {
        let glyph = font.glyph_id(c);
        let place = |p: ab_glyph::Point| (x + scale * f64::from(p.x), -scale * f64::from(p.y));
        let mut pen = None;
        for curve in font
            .outline(glyph)
            .map_or(Vec::new(), |outline| outline.curves)
        {
            let (start, end) = match curve {
                OutlineCurve::Line(a, b) => (a, b),
                OutlineCurve::Quad(a, _, b) => (a, b),
                OutlineCurve::Cubic(a, _, _, b) => (a, b),
            };
            if pen != Some(start) {
                pieces.push(Piece::Move(place(start)));
            }
            pen = Some(end);
            pieces.push(match curve {
                OutlineCurve::Line(_, b) => Piece::Line(place(b)),
                OutlineCurve::Quad(_, b, c) => Piece::Quad(place(b), place(c)),
                OutlineCurve::Cubic(_, b, c, d) => Piece::Cubic(place(b), place(c), place(d)),
            });
        }
        x += scale * f64::from(font.h_advance_unscaled(glyph));
    }
    pieces
}
