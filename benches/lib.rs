//! What the benchmarks share: shapes, models, the step that is timed, the machine's limits, and the rounds that
//! time all of it side by side.
//!
//! - [`limit`]: how fast this machine reads a footprint and multiplies: what a kernel is compared with.
//! - [`rounds`]: interleaved samples and their medians. [`contest`]: kernels and limits of one shape in such rounds.
//!   [`report`]: the numbers, as JSON. [`show`]: as tables and as a picture.
//! - `bin/summary.rs` is `cargo xtask bench`; `bin/participant.rs` is Gatelet's side of `peers/run.py`;
//!   `benches/` is `cargo bench`.

pub mod contest;
pub mod limit;
pub mod report;
pub mod rounds;
pub mod show;

use gatelet::{Dims, FourBits, Isa, Precision};
use gatelet_trainer::error::{Error, Result};
use gatelet_trainer::image::Image;
use gatelet_trainer::quantize::export;
use gatelet_trainer::random;
use gatelet_trainer::shape::{Cell, Shape};

/// Seed of every random model here.
pub const SEED: u64 = 1;
/// Characters of the models in the summary and in the comparison with peers.
pub const VOCAB: usize = 96;
/// Layers and hidden units of the models in the summary and in the comparison with peers.
pub const SHAPES: [(usize, usize); 5] = [(1, 64), (1, 128), (1, 256), (1, 512), (2, 512)];

/// An LSTM's shape.
pub fn lstm(layers: usize, hidden: usize, vocab: usize) -> Shape {
    Shape {
        cell: Cell::Lstm,
        layers,
        hidden,
        vocab,
        ..Shape::PLAIN
    }
}

/// A shape in reports and bench ids, as in `2x512-v96`.
pub fn shape_name(layers: usize, hidden: usize, vocab: usize) -> String {
    format!("{layers}x{hidden}-v{vocab}")
}

/// A model of random weights in the layout that `isa` reads fastest.
///
/// # Errors
/// What the exporter refuses.
pub fn model(shape: Shape, precision: Precision, isa: Isa) -> Result<Image> {
    prepared(&export::random(shape, precision, SEED, "bench")?, isa)
}

/// The same with weights of 4 bits, but for the input rows.
///
/// # Errors
/// What the exporter refuses.
pub fn model_of_four_bits(shape: Shape, isa: Isa) -> Result<Image> {
    let dims = shape.dims(Precision::Int8);
    let dims = dims.map_err(|why| Error::Export(why.to_string()))?;
    let layers = std::array::from_fn(|layer| layer < shape.layers);
    let dims = dims.with_four_bits(FourBits::new(layers, true));
    let dims = dims.map_err(|why| Error::Export(why.to_string()))?;
    prepared(&random::image(&dims.net(), false, SEED, "bench")?, isa)
}

/// What reports and ids call the numbers of a model: `f32`, `int8`, or `int4` for weights of 4 bits.
pub fn numbers(dims: &Dims) -> &'static str {
    match (dims.precision, dims.weight_bits()) {
        (Precision::F32, _) => "f32",
        (_, "4") => "int4",
        _ => "int8",
    }
}

/// The image as `isa` reads it fastest. Every benchmark gets its model through here, so that all of them measure
/// what a user of that kernel would run.
///
/// # Errors
/// What the repacking refuses.
pub fn prepared(image: &Image, isa: Isa) -> Result<Image> {
    image.for_isa(isa)
}

/// Bytes that one step has to read: every matrix element once, and the gathered row of the first layer.
///
/// f32: 4 bytes a weight, 4 an element of the row. int8: 1 byte a weight, 2 an element of the row (int16). int4: half a byte
/// a weight.
pub fn footprint(dims: &Dims) -> usize {
    let weights = dims.macs_per_step();
    match numbers(dims) {
        "f32" => 4 * weights + 4 * dims.rows(),
        "int4" => weights / 2 + 2 * dims.rows(),
        _ => weights + 2 * dims.rows(),
    }
}

/// The token after `id`: 37 has no common factor with the vocabularies used here, so that every row of the input
/// table gets its turn and none is found in a nearer cache than a text would find it.
pub fn next_token(id: u16, vocab: usize) -> u16 {
    ((usize::from(id) + 37) % vocab) as u16
}

#[cfg(test)]
mod tests {
    use super::*;
    use gatelet::{Kernel, Model, Session, TokenId, WithKernel};
    use gatelet_trainer::image::storage;

    struct LogitsAfter<'a>(Model<'a>, &'a [u16]);

    impl WithKernel for LogitsAfter<'_> {
        type Output = Vec<f32>;

        fn run<K: Kernel>(self, kernel: K) -> Vec<f32> {
            let mut memory = storage(self.0.net());
            let mut session = Session::new(&self.0, kernel, &mut memory).unwrap();
            for &id in self.1 {
                session.step(TokenId(id)).unwrap();
            }
            let logits = session.logits();
            (0..logits.len())
                .map(|id| logits.get(TokenId(id as u16)).unwrap())
                .collect()
        }
    }

    #[test]
    fn a_prepared_model_computes_what_the_plain_one_does() {
        let tokens = [5, 90, 0, 17, 41];
        for (layers, hidden) in [(1, 32), (2, 60)] {
            for precision in [Precision::F32, Precision::Int8] {
                let shape = lstm(layers, hidden, VOCAB);
                let plain = export::random(shape, precision, SEED, "bench").unwrap();
                let scalar = Isa::from_name("scalar").unwrap();
                let expected = scalar.run(LogitsAfter(plain.model().unwrap(), &tokens));
                assert!(expected.iter().any(|&x| x != expected[0]));
                for isa in Isa::available() {
                    let image = model(shape, precision, isa).unwrap();
                    let found = isa.run(LogitsAfter(image.model().unwrap(), &tokens));
                    let most = match precision {
                        Precision::F32 => 1e-4,
                        Precision::Int8 => 0.0,
                    };
                    for (a, b) in expected.iter().zip(&found) {
                        assert!((a - b).abs() <= most, "{}: {a} {b}", isa.name());
                    }
                }
            }
        }
    }

    #[test]
    fn footprints_count_matrices_and_one_row() {
        let dims = |precision| Dims::new(gatelet::Cell::Lstm, precision, 2, 8, 10).unwrap();
        let weights = 32 * 8 + 32 * 16 + 10 * 8;
        assert_eq!(footprint(&dims(Precision::F32)), 4 * weights + 4 * 32);
        assert_eq!(footprint(&dims(Precision::Int8)), weights + 2 * 32);
    }

    #[test]
    fn every_token_gets_its_turn() {
        for vocab in [64, 96, 256] {
            let mut seen = vec![false; vocab];
            let mut id = 0;
            for _ in 0..vocab {
                id = next_token(id, vocab);
                seen[usize::from(id)] = true;
            }
            assert!(seen.iter().all(|&seen| seen), "{vocab}");
        }
    }
}
