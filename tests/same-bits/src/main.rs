//! Runs random models with every kernel of this processor and compares: int8 states bit for bit, f32 logits within the
//! bound of docs/numerics.md. Depends on core alone, so it is quickly built for any target; `run.mjs` starts it in node.
//!
//! Exit code 1, and a line that says which, when a kernel is wrong.

use std::process::ExitCode;

use gatelet::format::{
    HeadSpec, ImageSpec, KnownAnswer, LayerSpec, Provenance, repack, write_image,
};
use gatelet::{
    AlignedBytes, Cell, Dims, Isa, Kernel, Layout, Model, Precision, Scalar, Session, StateHash,
    TokenId, WithKernel,
};

/// Steps of a trace. Miri, which checks every access to memory, takes a thousand times as long.
const STEPS: usize = if cfg!(miri) { 2 } else { 24 };
/// Hidden sizes on both sides of the edges of tiles.
const HIDDEN: &[usize] = if cfg!(miri) {
    &[3, 17]
} else {
    &[1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 64]
};
const F32_BOUND: f32 = 2e-4;

/// Numbers in no simple order.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        self.0 >> 33
    }

    fn below(&mut self, n: u64) -> i64 {
        (self.next() % n) as i64
    }

    fn real(&mut self) -> f32 {
        (self.below(2001) - 1000) as f32 / 1000.0
    }
}

/// A model with random weights, in rows; its length in `image`.
fn random(dims: Dims, image: &mut [u8]) -> usize {
    let random = &mut Random(dims.rows() as u64 * 31 + dims.layers as u64);
    let vocab: Vec<char> = (' '..).take(dims.vocab).collect();
    let (rows, stride) = (dims.rows(), dims.stride());
    let padded = |k: usize| k % stride >= dims.hidden;
    let mut real = Vec::new();
    let mut whole = Vec::new();
    let input_rows = |layer| if layer == 0 { dims.vocab } else { 1 };
    for layer in 0..dims.layers {
        let columns = dims.columns(layer);
        let weights = (0..rows * columns).map(|i| i % columns);
        let input = 0..input_rows(layer) * rows;
        let scale = 1.0 / (dims.hidden as f32).sqrt();
        let mut f32_weight = |k| {
            if padded(k) {
                0.0
            } else {
                random.real() * scale
            }
        };
        real.push((
            weights.clone().map(&mut f32_weight).collect::<Vec<f32>>(),
            input.clone().map(|_| random.real()).collect::<Vec<f32>>(),
        ));
        let mut weight = |k| {
            if padded(k) {
                0
            } else {
                (random.below(255) - 127) as i8
            }
        };
        whole.push((
            weights.map(&mut weight).collect::<Vec<i8>>(),
            input
                .map(|_| (random.below(65_536) - 32_768) as i16)
                .collect::<Vec<i16>>(),
            (0..rows)
                .map(|_| random.below(4_000_000) as i32)
                .collect::<Vec<i32>>(),
        ));
    }
    let head = (0..dims.vocab * stride).map(|i| i % stride);
    let head_f32: Vec<f32> = head
        .clone()
        .map(|k| if padded(k) { 0.0 } else { random.real() })
        .collect();
    let head_i8: Vec<i8> = head
        .map(|k| {
            if padded(k) {
                0
            } else {
                (random.below(255) - 127) as i8
            }
        })
        .collect();
    let multipliers: Vec<i32> = (0..dims.vocab)
        .map(|_| random.below(40_000_000) as i32)
        .collect();
    let bias_f32: Vec<f32> = (0..dims.vocab).map(|_| random.real()).collect();
    let bias: Vec<i32> = (0..dims.vocab)
        .map(|_| random.below(100_000) as i32 - 50_000)
        .collect();

    let cell_bits = if dims.cell == Cell::Rnn { 3 } else { 4 };
    let layers: Vec<LayerSpec<'_>> = match dims.precision {
        Precision::F32 => real
            .iter()
            .map(|(weights, input)| LayerSpec::F32 { input, weights })
            .collect(),
        Precision::Int8 => whole
            .iter()
            .map(|(weights, input, multipliers)| LayerSpec::Int8 {
                input,
                weights,
                multipliers,
                shift: 24,
                cell_bits,
            })
            .collect(),
    };
    let spec = ImageSpec {
        dims,
        layout: Layout::Rows,
        vocab: &vocab,
        layers: &layers,
        head: match dims.precision {
            Precision::F32 => HeadSpec::F32 {
                weights: &head_f32,
                bias: &bias_f32,
            },
            Precision::Int8 => HeadSpec::Int8 {
                weights: &head_i8,
                multipliers: &multipliers,
                shift: 20,
                bias: &bias,
            },
        },
        provenance: Provenance::default(),
        known_answer: KnownAnswer::default(),
    };
    write_image(&spec, image).expect("room enough")
}

/// State hash and last logits after some steps.
struct Trace<'a>(Model<'a>);

impl WithKernel for Trace<'_> {
    type Output = (u64, Vec<f32>);

    fn run<K: Kernel>(self, kernel: K) -> Self::Output {
        let dims = self.0.dims();
        let mut memory = vec![0; dims.state_words()];
        let mut session = Session::new(self.0, kernel, &mut memory).expect("room enough");
        let mut hash = StateHash::new();
        for step in 0..STEPS {
            let id = TokenId((step * 7 % dims.vocab) as u16);
            session.step(id).expect("a token of the vocabulary");
            session.hash_into(&mut hash);
        }
        let logits = session.logits();
        let ids = (0..logits.len() as u16).map(TokenId);
        (hash.finish(), ids.filter_map(|id| logits.get(id)).collect())
    }
}

/// Compares one shape on every kernel, each in rows and in its own layout; says what differs.
fn compare(dims: Dims, rows: &mut [u8], packed: &mut [u8]) -> Result<usize, String> {
    let len = random(dims, rows);
    let model = Model::from_bytes(&rows[..len]).map_err(|error| error.to_string())?;
    let (hash, logits) = Isa::Scalar(Scalar).run(Trace(model));
    let mut compared = 0;
    for isa in Isa::available() {
        let len = repack(&model, isa.layout(&dims), packed).map_err(|error| error.to_string())?;
        let own = Model::from_bytes(&packed[..len]).map_err(|error| error.to_string())?;
        for model in [model, own] {
            let found = isa.run(Trace(model));
            let off = logits.iter().zip(&found.1).map(|(a, b)| (a - b).abs());
            let off = off.fold(0.0, f32::max);
            let good = match dims.precision {
                Precision::Int8 => found.0 == hash && off == 0.0,
                Precision::F32 => off <= F32_BOUND,
            };
            if !good {
                let layout = model.layout();
                return Err(format!("{}, {layout}: {dims:?}: off by {off}", isa.name()));
            }
            compared += 1;
        }
    }
    Ok(compared)
}

fn main() -> ExitCode {
    let mut rows = Box::new(AlignedBytes([0; 1 << 19]));
    let mut packed = Box::new(AlignedBytes([0; 1 << 19]));
    let mut compared = 0;
    for cell in [Cell::Rnn, Cell::Lstm] {
        for precision in [Precision::Int8, Precision::F32] {
            for (index, &hidden) in HIDDEN.iter().enumerate() {
                let (layers, vocab) = (1 + index % 3, [3, 8, 9, 33][index % 4]);
                let dims = Dims::new(cell, precision, layers, hidden, vocab).expect("in range");
                match compare(dims, &mut rows.0, &mut packed.0) {
                    Ok(count) => compared += count,
                    Err(what) => {
                        println!("{what}");
                        return ExitCode::FAILURE;
                    }
                }
            }
        }
    }
    let names: Vec<&str> = Isa::available().map(Isa::name).collect();
    println!("{compared} traces agree: {}", names.join(", "));
    ExitCode::SUCCESS
}
