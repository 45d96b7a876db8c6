//! What quantization does to a net: the range of c, and numbers that saturate.

use gatelet::kernel::integer;
use gatelet::layer::ProductInt8;
use gatelet::net::Net;
use gatelet::{EmbeddingInt8, Kernel, Model, Precision, Session, TokenId, Weights, WithKernel};
use serde::Serialize;

use crate::error::{Error, Result};
use crate::image::LanguageModel as _;
use crate::image::storage;
use crate::isa::isa;

/// Numbers that hit the end of their range while a text was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Saturation {
    /// Characters read.
    pub steps: usize,
    /// Gate pre-activations beyond Q3.12, of `steps * rows` a layer.
    pub z: usize,
    /// Pre-activations in all.
    pub z_of: usize,
    /// Cell states at an end of int16.
    pub c: usize,
    /// Cell states in all.
    pub c_of: usize,
}

/// Steps that fit a budget of multiply-accumulates, at most `most`.
pub fn steps_within(net: &Net, most: usize) -> usize {
    // About ten seconds of the scalar kernel.
    const BUDGET: usize = 6_000_000_000;
    (BUDGET / net.macs_per_step().max(1)).clamp(64, most)
}

/// Counts saturations while an int8 model reads `tokens`; f32 models have none.
///
/// # Errors
/// [`Error::Inference`] when a token is outside the vocabulary.
pub fn saturation(model: Model<'_>, tokens: &[u16]) -> Result<Saturation> {
    isa()?.run(Count { model, tokens })
}

struct Count<'a> {
    model: Model<'a>,
    tokens: &'a [u16],
}

impl WithKernel for Count<'_> {
    type Output = Result<Saturation>;

    fn run<K: Kernel>(self, kernel: K) -> Self::Output {
        let Count { model, tokens } = self;
        let dims = model.dims();
        let mut counts = Saturation {
            steps: tokens.len(),
            ..Saturation::default()
        };
        if dims.precision != Precision::Int8 {
            return Ok(counts);
        }
        let mut storage = storage(model.net());
        let mut session = Session::new(&model, kernel, &mut storage).map_err(Error::inference)?;
        let mut before = vec![0_u32; dims.snapshot_words()];
        let mut after = before.clone();
        let stride = dims.stride();
        for &id in tokens {
            session.snapshot(&mut before).map_err(Error::inference)?;
            if model.vocab().line_break() == Some(TokenId(id)) {
                before.fill(0);
            }
            session.read(TokenId(id)).map_err(Error::inference)?;
            session.snapshot(&mut after).map_err(Error::inference)?;
            let (old, new): (&[i8], &[i8]) =
                (bytemuck::cast_slice(&before), bytemuck::cast_slice(&after));
            for index in 0..dims.layers {
                let operation = dims.first_layer() + index;
                // The operand of an upper layer: what the layer below has just produced, and the layer's own h. Of the
                // first: the token's embedding, if there is one, and h.
                let below = match (index, model.weights(0)) {
                    (0, Weights::EmbeddingInt8(table)) => embedded(&table, TokenId(id)),
                    (0, _) => Vec::new(),
                    _ => new[(index - 1) * stride..index * stride].to_vec(),
                };
                let x: Vec<i32> = below
                    .iter()
                    .chain(&old[index * stride..(index + 1) * stride])
                    .map(|&h| h.into())
                    .collect();
                let rows_of_tokens = model.net().reads_token(operation);
                let token = if rows_of_tokens { usize::from(id) } else { 0 };
                // Of a GRU the gates: the parts of its candidate are not saturated.
                let (rows, slots, input, product) = match model.weights(operation) {
                    Weights::CellInt8(layer) => {
                        let product = ProductInt8 {
                            weights: layer.weights,
                            multipliers: layer.multipliers,
                            shift: layer.shift,
                        };
                        (dims.rows(), layer.multipliers.len(), layer.input, product)
                    }
                    Weights::RecurrentInt8(gru) => {
                        let units = gru.kind.units();
                        (2 * units, 3 * units, gru.input, gru.matrices[0])
                    }
                    _ => continue,
                };
                let addends = &input[token * slots..(token + 1) * slots];
                for row in 0..rows {
                    let slot = product.weights.order().slot(row);
                    let (m, addend) = (product.multipliers[slot], addends[slot]);
                    let row = product.weights.row(row);
                    let acc: i32 = row.zip(&x).map(|(w, x)| i32::from(w) * x).sum();
                    let z = i64::from(addend) + ((i64::from(acc) * i64::from(m)) >> product.shift);
                    counts.z += usize::from(i16::try_from(z).is_err());
                }
                counts.z_of += rows;
            }
            if dims.cell == gatelet::Cell::Gru {
                // What it carries is a mean of what is within the range.
                continue;
            }
            let cells: &[i16] = bytemuck::cast_slice(&after[dims.layers * stride / 4..]);
            for layer in cells.chunks_exact(stride) {
                counts.c += layer[..dims.hidden]
                    .iter()
                    .filter(|&&c| c == i16::MAX || c == i16::MIN)
                    .count();
                counts.c_of += dims.hidden;
            }
        }
        Ok(counts)
    }
}

/// A token's part of the first layer's operand (docs/numerics.md).
fn embedded(table: &EmbeddingInt8<'_>, id: TokenId) -> Vec<i8> {
    let multiplier = table.multipliers.get(id.index()).copied().unwrap_or(0);
    let row = table.weights.row(id.index());
    row.map(|e| integer::embedded(e, multiplier, table.shift))
        .collect()
}
