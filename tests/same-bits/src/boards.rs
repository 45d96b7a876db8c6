//! Models for `firmware/src/bin/shapes.rs`: nets that mix the operations, and those on which a
//! kernel falls back to a slower one. That is for requantizations by other shifts than 24, layouts
//! that no board's kernel reads, and matrices of more than 512 columns; some of them with an
//! embedding, a projection or a tied head, and some with 4-bit weights.
//!
//! ```text
//! file = for each model: u32 length of the image, little-endian; 12 zeros; the image
//! ```
//!
//! The hash in an image is the scalar kernel's, computed here.

use gatelet::format::{KnownAnswer, repack};
use gatelet::net::{Input, Kind, Net};
use gatelet::{Layout, Model, Precision, Scalar};
use gatelet_random::{LSTM, RNN, SIZES, Seeded, in_four_bits, with_widths};

use crate::random::{Shifts, random};

/// Net `seed` that mixes the operations.
pub(crate) fn mixed(seed: u64, precision: Precision) -> Net {
    let sizes = match cfg!(miri) {
        true => &[1, 3, 5, 17][..],
        false => &SIZES,
    };
    gatelet_random::mixed(&mut Seeded::new(seed), precision, sizes)
}

/// The smallest and the largest that an image may have, and those beside 24; in the layers, in the head, in both.
const SHIFTS: [Shifts; 6] = [[8, 8], [31, 31], [23, 24], [24, 25], [8, 24], [24, 31]];
const TILES: [Layout; 3] = [Layout::Tiles4, Layout::Tiles8, Layout::Tiles16];
/// Layers and units of the small models.
const SMALL: [(usize, usize); 2] = [(1, 5), (2, 17)];
/// Embedding, projection, tied.
const WIDTHS: [(usize, usize, bool); 3] = [(7, 7, true), (9, 0, false), (4, 6, false)];
/// Models of 520 columns, in the upper layer, or in the layer and the head. Those for small flashes first.
const WIDE: [(Kind, usize, usize, Layout, Shifts); 6] = [
    (RNN, 2, 260, Layout::Rows, [24, 24]),
    (RNN, 1, 520, Layout::Rows, [24, 24]),
    (RNN, 1, 517, Layout::Rows, [31, 8]),
    (RNN, 2, 258, Layout::Tiles8, [24, 24]),
    (LSTM, 2, 260, Layout::Rows, [24, 24]),
    (LSTM, 1, 520, Layout::Rows, [24, 24]),
];
/// Models with 4-bit weights in rows: as [`WIDE`], with shifts around the least that a kernel takes for so many columns.
const FOUR_BITS: [(Kind, usize, usize, Shifts); 12] = [
    (RNN, 1, 4, [8, 31]),
    (RNN, 2, 5, [13, 14]),
    (RNN, 1, 9, [14, 15]),
    (LSTM, 2, 9, [15, 24]),
    (LSTM, 1, 28, [16, 25]),
    (LSTM, 1, 33, [31, 16]),
    (LSTM, 2, 17, [24, 8]),
    (RNN, 1, 512, [20, 24]),
    (RNN, 2, 256, [19, 20]),
    (RNN, 1, 505, [24, 19]),
    (RNN, 1, 516, [24, 20]),
    (LSTM, 1, 260, [24, 20]),
];
/// Nets that mix the operations, each in rows and, if it can be, in the layout of the Armv7E-M.
const MIXED: usize = 24;
/// What a session of theirs may take: the board's program has so many words for each kernel.
const MIXED_WORDS: usize = 544;
/// Steps of their known answers.
const MIXED_STEPS: usize = 5;
/// Bytes of the largest image, and more.
const ROOM: usize = 2 << 20;

/// A model of the file.
#[derive(Clone, Copy)]
struct Wanted {
    layers: usize,
    layer: Kind,
    vocab: usize,
    /// Embedding, projection, tied.
    widths: (usize, usize, bool),
    four_bits: bool,
    layout: Layout,
    shifts: Shifts,
    steps: usize,
}

impl Wanted {
    /// Without embedding, projection and 4-bit weights; for twelve steps.
    fn plain(kind: Kind, layers: usize, hidden: usize, vocab: usize) -> Self {
        Wanted {
            layers,
            layer: kind.with_units(hidden),
            vocab,
            widths: (0, 0, false),
            four_bits: false,
            layout: Layout::Rows,
            shifts: [24, 24],
            steps: 12,
        }
    }

    fn net(&self) -> Net {
        let net = with_widths(
            Precision::Int8,
            self.vocab,
            self.layers,
            self.layer,
            self.widths,
        );
        match self.four_bits {
            true => in_four_bits(net, 0..net.len()),
            false => net,
        }
    }
}

/// Writes the file; says how many models it has.
pub(crate) fn write(path: &str) -> Result<usize, String> {
    let mut all = Vec::new();
    for kind in [RNN, LSTM] {
        for (layers, hidden) in SMALL {
            let plain = |vocab| Wanted::plain(kind, layers, hidden, vocab);
            all.extend(TILES.map(|layout| Wanted { layout, ..plain(9) }));
            for (index, shifts) in SHIFTS.into_iter().enumerate() {
                all.extend([Layout::Rows, TILES[index % 3]].map(|layout| Wanted {
                    layout,
                    shifts,
                    ..plain(5 + index)
                }));
            }
        }
    }
    for (index, widths) in WIDTHS.into_iter().enumerate() {
        for (kind, (layers, hidden)) in [(RNN, SMALL[0]), (LSTM, SMALL[1])] {
            let forms = [
                (Layout::Rows, SHIFTS[index]),
                (Layout::Rows, SHIFTS[3 + index]),
                (TILES[index], [24, 24]),
            ];
            all.extend(forms.map(|(layout, shifts)| Wanted {
                widths,
                layout,
                shifts,
                ..Wanted::plain(kind, layers, hidden, 33 + index)
            }));
        }
    }
    all.extend(WIDE.map(|(kind, layers, hidden, layout, shifts)| Wanted {
        layout,
        shifts,
        steps: 4,
        ..Wanted::plain(kind, layers, hidden, 3)
    }));
    all.extend(FOUR_BITS.map(|(kind, layers, hidden, shifts)| Wanted {
        four_bits: true,
        shifts,
        steps: 6,
        ..Wanted::plain(kind, layers, hidden, 6)
    }));
    let mut images = Vec::new();
    for wanted in &all {
        images.push(image(
            &wanted.net(),
            wanted.layout,
            wanted.shifts,
            wanted.steps,
        )?);
    }
    let nets = (0..).map(|seed| mixed(seed, Precision::Int8));
    for net in nets
        .filter(|net| net.state_words() <= MIXED_WORDS)
        .take(MIXED)
    {
        for layout in [Layout::Rows, Layout::Pairs] {
            if layout.check(&net).is_ok() {
                images.push(image(&net, layout, [24, 24], MIXED_STEPS)?);
            }
        }
    }
    let mut file = Vec::new();
    for image in &images {
        file.extend((image.len() as u32).to_le_bytes());
        file.extend([0; 12]);
        file.extend(image);
    }
    std::fs::write(path, file).map_err(|error| error.to_string())?;
    Ok(images.len())
}

/// One model with its known answer.
fn image(net: &Net, layout: Layout, shifts: Shifts, steps: usize) -> Result<Vec<u8>, String> {
    let (mut rows, mut packed) = (vec![0; ROOM], vec![0; ROOM]);
    let (rows, packed) = (aligned(&mut rows), aligned(&mut packed));
    let (mut tokens, mut numbers) = (Vec::new(), Vec::new());
    for step in 0..steps {
        match net.input {
            Input::Tokens { vocab } => tokens.push((step * 7 % vocab) as u16),
            Input::Features { width, .. } => numbers.extend(features(step, width)),
        }
    }
    let mut hash = 0;
    // Once to compute the answer, once with it.
    for _ in 0..2 {
        let len = {
            let known_answer = KnownAnswer {
                tokens: &tokens,
                features: &numbers,
                hash,
            };
            random(net, shifts, known_answer, rows)?
        };
        let model = Model::from_bytes(&rows[..len]).map_err(|error| error.to_string())?;
        let len = repack(&model, layout, packed).map_err(|error| error.to_string())?;
        let model = Model::from_bytes(&packed[..len]).map_err(|error| error.to_string())?;
        if hash != 0 {
            return Ok(packed[..len].to_vec());
        }
        hash = model
            .known_answer_hash(Scalar, &mut vec![0; net.state_words()])
            .map_err(|error| error.to_string())?;
    }
    Err(format!("the hash of {net:?} is 0"))
}

/// The part of a buffer that starts at a multiple of 16.
fn aligned(buffer: &mut [u8]) -> &mut [u8] {
    let start = buffer.as_ptr().align_offset(16);
    &mut buffer[start..]
}

/// The features of a step: within 2, and some of them far out.
pub(crate) fn features(step: usize, width: usize) -> Vec<f32> {
    let number = |k: usize| {
        let x = ((step * 31 + k * 17) % 401) as f32 / 100.0 - 2.0;
        if (step + k).is_multiple_of(29) {
            20.0 * x
        } else {
            x
        }
    };
    (0..width).map(number).collect()
}
