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

use gatelet::net::{Kind, Net};
use gatelet::{Isa, Precision};
use gatelet_random::{in_four_bits, stacked};
use gatelet_trainer::error::Result;
use gatelet_trainer::image::Image;
use gatelet_trainer::quantize::export;
use gatelet_trainer::random;

/// Seed of every random model here.
pub const SEED: u64 = 1;
/// Characters of the models in the summary and in the comparison with peers.
pub const VOCAB: usize = 96;
/// Layers and hidden units of the models in the summary and in the comparison with peers.
pub const SHAPES: [(usize, usize); 5] = [(1, 64), (1, 128), (1, 256), (1, 512), (2, 512)];

/// An LSTM, in f32.
pub fn lstm(layers: usize, hidden: usize, vocab: usize) -> Net {
    stacked(Precision::F32, vocab, layers, Kind::lstm(hidden))
}

/// Layers, and units of each, of a net of equal ones.
pub fn layers(net: &Net) -> (usize, usize) {
    let hidden = net.operation(0).map_or(0, |first| first.kind.units());
    (net.recurrent_count(), hidden)
}

/// Such a net in reports and bench ids, as in `2x512-v96`.
pub fn shape_name(net: &Net) -> String {
    let (layers, hidden) = layers(net);
    format!("{layers}x{hidden}-v{}", net.vocab())
}

/// A model of random weights in the layout that `isa` reads fastest.
///
/// # Errors
/// What the exporter refuses.
pub fn model(net: &Net, precision: Precision, isa: Isa) -> Result<Image> {
    let net = net.with_precision(precision);
    prepared(&export::random(&net, SEED, "bench")?, isa)
}

/// The same with weights of 4 bits, but for the input rows.
///
/// # Errors
/// What the exporter refuses.
pub fn model_of_four_bits(net: &Net, isa: Isa) -> Result<Image> {
    let net = in_four_bits(net.with_precision(Precision::Int8), 0..net.len());
    prepared(&random::image(&net, false, SEED, "bench")?, isa)
}

/// What reports and ids call the numbers of a model: `f32`, `int8`, or `int4` for weights of 4 bits.
pub fn numbers(net: &Net) -> &'static str {
    match net.precision {
        Precision::F32 => "f32",
        Precision::Int8 if net.operations().all(|of| of.bits == 4) => "int4",
        Precision::Int8 => "int8",
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
pub fn footprint(net: &Net) -> usize {
    let weights = net.macs_per_step();
    let row = net
        .operation(0)
        .map_or(0, |of| of.kind.gates() * of.kind.units());
    match numbers(net) {
        "f32" => 4 * weights + 4 * row,
        "int4" => weights / 2 + 2 * row,
        _ => weights + 2 * row,
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
                let net = lstm(layers, hidden, VOCAB).with_precision(precision);
                let plain = export::random(&net, SEED, "bench").unwrap();
                let scalar = Isa::from_name("scalar").unwrap();
                let expected = scalar.run(LogitsAfter(plain.model().unwrap(), &tokens));
                assert!(expected.iter().any(|&x| x != expected[0]));
                for isa in Isa::available() {
                    let image = model(&net, precision, isa).unwrap();
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
        let net = |precision| lstm(2, 8, 10).with_precision(precision);
        let weights = 32 * 8 + 32 * 16 + 10 * 8;
        assert_eq!(footprint(&net(Precision::F32)), 4 * weights + 4 * 32);
        assert_eq!(footprint(&net(Precision::Int8)), weights + 2 * 32);
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
