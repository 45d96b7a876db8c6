//! What quantization does to a net: the range of c, and numbers that saturate.

use gatelet::kernel::integer;
use gatelet::layer::ProductInt8;
use gatelet::net::{Kind, Net};
use gatelet::{EmbeddingInt8, Kernel, Model, Precision, Session, TokenId, Weights, WithKernel};
use serde::Serialize;

use crate::error::{Error, Result};
use crate::image::{states, storage};
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

/// Counts saturations while an int8 model reads `tokens`; f32 models have none. A layer that reads
/// what a dense operation or a sum makes is left out: a snapshot has the states alone.
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
        let net = model.net();
        let mut counts = Saturation {
            steps: tokens.len(),
            ..Saturation::default()
        };
        if net.precision != Precision::Int8 {
            return Ok(counts);
        }
        let states = states(net);
        let mut storage = storage(net);
        let mut session = Session::new(&model, kernel, &mut storage).map_err(Error::inference)?;
        let mut before = vec![0_u32; net.snapshot_words()];
        let mut after = before.clone();
        for &id in tokens {
            session.snapshot(&mut before).map_err(Error::inference)?;
            if model.vocab().line_break() == Some(TokenId(id)) {
                before.fill(0);
            }
            session.read(TokenId(id)).map_err(Error::inference)?;
            session.snapshot(&mut after).map_err(Error::inference)?;
            let (old, new): (&[i8], &[i8]) =
                (bytemuck::cast_slice(&before), bytemuck::cast_slice(&after));
            for state in &states {
                let Some(of) = net.operation(state.operation) else {
                    continue;
                };
                // The operand: embeddings and what layers have just produced, and the own h before.
                let read = of.operand.parts().map(|value| match value.operation() {
                    None => Some(Vec::new()),
                    Some(maker) => match model.weights(maker) {
                        Weights::EmbeddingInt8(table) => Some(embedded(&table, TokenId(id))),
                        _ => {
                            let state = states.iter().find(|state| state.operation == maker);
                            state.map(|state| new[state.h.clone()].to_vec())
                        }
                    },
                });
                let Some(read) = read.collect::<Option<Vec<_>>>() else {
                    continue;
                };
                let x = read.iter().flatten().chain(&old[state.h.clone()]);
                let x: Vec<i32> = x.map(|&h| h.into()).collect();
                let rows_of_tokens = net.reads_token(state.operation);
                let token = if rows_of_tokens { usize::from(id) } else { 0 };
                // Of a GRU the gates: the parts of its candidate are not saturated.
                let (rows, slots, input, product) = match model.weights(state.operation) {
                    Weights::CellInt8(layer) => {
                        let product = ProductInt8 {
                            weights: layer.weights,
                            multipliers: layer.multipliers,
                            shift: layer.shift,
                        };
                        let rows = of.kind.gates() * of.kind.units();
                        (rows, layer.multipliers.len(), layer.input, product)
                    }
                    Weights::RecurrentInt8(cell) => {
                        let rows = net.matrix(state.operation, 0).map_or(0, |(rows, _)| rows);
                        let slots = of.kind.gates() * of.kind.units();
                        (rows, slots, cell.input, cell.matrices[0])
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
                // What a GRU carries is a mean of what is within the range.
                if let Kind::Lstm { .. } = of.kind {
                    let after: &[i16] = bytemuck::cast_slice(&after);
                    let c = &after[state.carried.clone()];
                    let ends = c.iter().filter(|&&c| c == i16::MAX || c == i16::MIN);
                    counts.c += ends.count();
                    counts.c_of += c.len();
                }
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
