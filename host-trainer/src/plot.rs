//! The loss curve as a picture: training and held-out loss over characters, with the best point marked.

use std::path::Path;

use plotters::prelude::*;
use plotters::style::{FontStyle, register_font};

use crate::error::{Error, Result};
use crate::files;
use crate::run::Metrics;

const SIZE: (u32, u32) = (1200, 750);
const FONT: &str = "DejaVu Sans";
const TRAIN: RGBColor = RGBColor(52, 118, 186);
const VALID: RGBColor = RGBColor(222, 107, 32);
const INK: RGBColor = RGBColor(48, 52, 60);
const GRID: RGBColor = RGBColor(226, 228, 232);

/// Draws `loss.png` from the lines of `metrics.jsonl`; with none there is nothing to draw yet.
///
/// # Errors
/// [`Error::Plot`], [`Error::Output`] or [`Error::Write`].
pub fn loss_curve(path: &Path, history: &[Metrics]) -> Result<()> {
    if history.is_empty() {
        return Ok(());
    }
    let failed = |what: String| Error::Plot {
        path: path.to_owned(),
        what,
    };
    let pixels = draw(history).map_err(failed)?;
    files::write_as(files::PNG, path, &encode(&pixels).map_err(failed)?)
}

/// RGB pixels as a PNG file.
fn encode(pixels: &[u8]) -> std::result::Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, SIZE.0, SIZE.1);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let signed = encoder.add_text_chunk("Software".to_owned(), files::DRAWN_BY.to_owned());
    signed.map_err(|error| error.to_string())?;
    let mut writer = encoder.write_header().map_err(|error| error.to_string())?;
    writer
        .write_image_data(pixels)
        .map_err(|error| error.to_string())?;
    writer.finish().map_err(|error| error.to_string())?;
    Ok(bytes)
}

fn draw(history: &[Metrics]) -> std::result::Result<Vec<u8>, String> {
    // The font travels in the program: machines without any font draw the same picture.
    register_font(FONT, FontStyle::Normal, dejavu::sans::regular())
        .map_err(|_| "the built-in font does not load".to_owned())?;
    let mut pixels = vec![255_u8; (SIZE.0 * SIZE.1 * 3) as usize];
    draw_on(&mut pixels, history).map_err(|error| error.to_string())?;
    Ok(pixels)
}

/// Characters of the horizontal axis with the unit that keeps its numbers short.
fn unit(characters: f64) -> (f64, &'static str) {
    match characters {
        x if x >= 2e6 => (1e6, "million characters"),
        x if x >= 2e3 => (1e3, "thousand characters"),
        _ => (1.0, "characters"),
    }
}

fn draw_on(
    pixels: &mut [u8],
    history: &[Metrics],
) -> std::result::Result<(), Box<dyn std::error::Error>> {
    let last = history.last().map_or(1.0, |m| m.characters as f64);
    let (scale, unit) = unit(last);
    let train: Vec<(f64, f64)> = history
        .iter()
        .map(|m| (m.characters as f64 / scale, m.train_nats))
        .collect();
    let valid: Vec<(f64, f64)> = history
        .iter()
        .map(|m| (m.characters as f64 / scale, m.valid_nats))
        .collect();
    let values = || {
        train
            .iter()
            .chain(&valid)
            .map(|p| p.1)
            .filter(|y| y.is_finite())
    };
    let (low, high) = (
        values().fold(f64::INFINITY, f64::min),
        values().fold(f64::NEG_INFINITY, f64::max),
    );
    let margin = ((high - low) * 0.06).max(0.01);
    let (low, high) = ((low - margin).max(0.0), high + margin);

    let root = BitMapBackend::with_buffer(pixels, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let text = |size: i32| (FONT, size).into_font().color(&INK);
    let mut chart = ChartBuilder::on(&root)
        .caption("Loss while training", text(30))
        .margin(24)
        .x_label_area_size(64)
        .y_label_area_size(84)
        .right_y_label_area_size(76)
        .build_cartesian_2d(0.0..last / scale * 1.01, low..high)?
        .set_secondary_coord(
            0.0..last / scale * 1.01,
            low / std::f64::consts::LN_2..high / std::f64::consts::LN_2,
        );
    chart
        .configure_mesh()
        .x_desc(format!("{unit} trained on"))
        .y_desc("nats a character")
        .label_style(text(18))
        .axis_desc_style(text(20))
        .bold_line_style(GRID)
        .light_line_style(WHITE)
        .axis_style(INK)
        .draw()?;
    chart
        .configure_secondary_axes()
        .y_desc("bits a character")
        .label_style(text(18))
        .axis_desc_style(text(20))
        .axis_style(INK)
        .draw()?;

    let legend = |color: RGBColor| {
        move |(x, y): (i32, i32)| PathElement::new(vec![(x, y), (x + 28, y)], color.stroke_width(4))
    };
    // A line of one point would not be seen.
    if let [only] = train[..]
        && only.1.is_finite()
    {
        chart.draw_series([Circle::new(only, 5, TRAIN.filled())])?;
    }
    chart
        .draw_series(LineSeries::new(train, TRAIN.stroke_width(3)))?
        .label("training")
        .legend(legend(TRAIN));
    chart
        .draw_series(LineSeries::new(valid.clone(), VALID.stroke_width(3)))?
        .label("held out")
        .legend(legend(VALID));
    if let Some(&best) = valid
        .iter()
        .filter(|p| p.1.is_finite())
        .min_by(|a, b| a.1.total_cmp(&b.1))
    {
        chart
            .draw_series([best].map(|point| Circle::new(point, 8, VALID.filled())))?
            .label(format!(
                "best: {:.3} nats, {:.3} bits",
                best.1,
                best.1 / std::f64::consts::LN_2
            ))
            .legend(|(x, y)| Circle::new((x + 14, y), 7, VALID.filled()));
        chart.draw_series([best].map(|point| Circle::new(point, 4, WHITE.filled())))?;
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperRight)
        .margin(20)
        .legend_area_size(40)
        .background_style(WHITE.mix(0.9))
        .border_style(GRID)
        .label_font(text(19))
        .draw()?;
    root.present()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(step: u64, train_nats: f64, valid_nats: f64) -> Metrics {
        Metrics {
            epoch: 1.0,
            step,
            characters: step * 1000,
            train_nats,
            valid_nats,
            valid_bpc: 0.0,
            best: false,
            lr: 0.0,
            gradient_norm: 0.0,
            seconds: 0.0,
            characters_per_second: 0.0,
        }
    }

    #[test]
    fn draws_a_png_and_nothing_before_there_is_a_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("loss.png");
        loss_curve(&path, &[]).unwrap();
        assert!(!path.exists());
        let lines = [line(1, 2.0, 2.1), line(2, 1.0, 1.5), line(3, f64::NAN, 1.6)];
        for count in 1..=3 {
            loss_curve(&path, &lines[..count]).unwrap();
            assert!(std::fs::read(&path).unwrap().starts_with(b"\x89PNG"));
        }
        // One evaluation is a point, beside the line in the legend.
        let blue = |lines| {
            let color = [TRAIN.0, TRAIN.1, TRAIN.2];
            let pixels = draw(lines).unwrap();
            pixels.chunks(3).filter(|pixel| *pixel == color).count()
        };
        assert!(blue(&lines[..1]) > blue(&[line(1, f64::NAN, 2.1)]));
    }
}
