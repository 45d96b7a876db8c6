//! The lists that shapes are taken from: all of them, or some by chance.

use rand::RngExt;
use rand_pcg::Pcg64;

use crate::train::layers::{Cell, Layers};

/// The lists that shapes are taken from.
#[derive(Clone, Debug)]
pub struct Space {
    /// Cells.
    pub cells: Vec<Cell>,
    /// Numbers of layers.
    pub layers: Vec<usize>,
    /// Numbers of hidden units.
    pub hidden: Vec<usize>,
    /// Widths of the embedding; 0 for none.
    pub embeddings: Vec<usize>,
    /// Widths of the projection; 0 for none.
    pub projections: Vec<usize>,
    /// Whether the embedding is also the head's weights.
    pub tied: Vec<bool>,
    /// Tokens of the vocabulary, or 0: see [`Layers::vocab`].
    pub vocab: usize,
}

/// Whether a net can have this shape: an embedding is tied to a head that reads as many numbers.
fn can_be(shape: &Layers) -> bool {
    !shape.tied || shape.embedding == shape.head_inputs()
}

impl Space {
    /// Every combination of embedding, projection and tied.
    fn widths(&self) -> Vec<Layers> {
        let mut all = Vec::new();
        for &embedding in &self.embeddings {
            for &projection in &self.projections {
                all.extend(self.tied.iter().map(|&tied| Layers {
                    embedding,
                    projection,
                    tied,
                    vocab: self.vocab,
                    ..Layers::PLAIN
                }));
            }
        }
        all
    }

    /// Every shape of the lists that a net can have, once.
    pub(super) fn grid(&self) -> Vec<Layers> {
        let mut shapes = Vec::new();
        for &cell in &self.cells {
            for &layers in &self.layers {
                for &hidden in &self.hidden {
                    for widths in self.widths() {
                        let shape = Layers {
                            cell,
                            layers,
                            hidden,
                            ..widths
                        };
                        if can_be(&shape) && !shapes.contains(&shape) {
                            shapes.push(shape);
                        }
                    }
                }
            }
        }
        shapes
    }

    /// A shape by chance; nothing where what was drawn cannot be tied.
    pub(super) fn draw(&self, rng: &mut Pcg64) -> Option<Layers> {
        let least = self.hidden.iter().copied().min().unwrap_or(1) as f64;
        let most = self.hidden.iter().copied().max().unwrap_or(1) as f64;
        let hidden = (least.ln() + rng.random::<f64>() * (most.ln() - least.ln())).exp();
        let fours = (hidden / 4.0).round() * 4.0;
        let cell = self.cells[rng.random_range(0..self.cells.len() as u64) as usize];
        let layers = self.layers[rng.random_range(0..self.layers.len() as u64) as usize];
        let widths = self.widths();
        // Without a choice nothing is drawn: a seed gives the shapes that it always gave.
        let index = match widths.len() as u64 {
            1 => 0,
            choices => rng.random_range(0..choices) as usize,
        };
        let shape = Layers {
            cell,
            layers,
            hidden: fours.clamp(least, most) as usize,
            ..widths[index]
        };
        Some(shape).filter(can_be)
    }
}
