//! What a model will need on a device: flash, RAM, instructions a character, and the boards it fits.
//!
//! ```text
//! flash         = bytes of the int8 image in the layout of the processor's kernel  + code
//! RAM           = session (state, scratch, logits)                                 + stack, and what the console keeps
//! instructions ~= a MACs + b units + c upper layers + d outputs + e features + f  fitted to counts of QEMU
//!                 and those of a frame, where a front end makes the features          [`front_end`]
//! ```
//! Sizes are exact: they come from `core`'s own arithmetic. Instructions are an estimate, from a fit to counted shapes;
//! `cargo xtask firmware bench` counts a model's own. An instruction takes one cycle or more, so this is no time.

mod front_end;

use gatelet::front::FrontEnd;
use gatelet::net::{Kind, Net, Reset, Value};
use gatelet::{Layout, Precision, Provenance};
use serde::Serialize;

use crate::analysis::footprint::{self, Contents};
use crate::error::Result;

/// A processor with a kernel of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
#[value(rename_all = "kebab-case")]
pub enum Processor {
    /// Armv6-M.
    CortexM0,
    /// Armv7-M.
    CortexM3,
    /// Armv7E-M, with DSP instructions; the same kernel as on a Cortex-M7.
    CortexM4,
    /// Armv8-M with DSP instructions.
    CortexM33,
    /// Armv8.1-M with Helium.
    CortexM55,
}

/// The fit `instructions = mac MACs + unit units + upper (layers - 1) + output outputs + feature features + step`,
/// units counted over all layers, outputs over all dense operations.
#[derive(Clone, Copy, Debug)]
struct Cost {
    mac: f64,
    unit_lstm: f64,
    unit_rnn: f64,
    /// A GRU's own mac, unit, upper and step: its products are several matrices, one more in a layer above
    /// another.
    gru: [f64; 4],
    /// What a unit takes besides of a GRU that has no step in assembly: reset before the product, a
    /// relu, hard sigmoids.
    other_gru: f64,
    output: f64,
    feature: f64,
    step: f64,
}

impl Processor {
    /// Every processor, the smallest first.
    pub const ALL: [Self; 5] = [
        Self::CortexM0,
        Self::CortexM3,
        Self::CortexM4,
        Self::CortexM33,
        Self::CortexM55,
    ];

    /// That of a board; a Cortex-M7 runs the kernel of a Cortex-M4.
    const fn of(processor: gatelet_boards::Processor) -> Self {
        match processor {
            gatelet_boards::Processor::CortexM0 => Self::CortexM0,
            gatelet_boards::Processor::CortexM3 => Self::CortexM3,
            gatelet_boards::Processor::CortexM4 | gatelet_boards::Processor::CortexM7 => {
                Self::CortexM4
            }
            gatelet_boards::Processor::CortexM33 => Self::CortexM33,
            gatelet_boards::Processor::CortexM55 => Self::CortexM55,
        }
    }

    /// `Cortex-M4`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::CortexM0 => "Cortex-M0",
            Self::CortexM3 => "Cortex-M3",
            Self::CortexM4 => "Cortex-M4",
            Self::CortexM33 => "Cortex-M33",
            Self::CortexM55 => "Cortex-M55",
        }
    }

    /// The layout of an int8 image that its kernel reads.
    pub fn layout(self, net: &Net) -> Layout {
        let int8 = net.with_precision(Precision::Int8);
        match self {
            Self::CortexM4 | Self::CortexM33 if Layout::Pairs.check(&int8).is_ok() => Layout::Pairs,
            _ => Layout::Rows,
        }
    }

    /// Least squares of the relative error over the nine shapes of the test below, counted by `firmware bench` in QEMU on
    /// 2026-11-24. On the default model, which was not among them, 0.3 to 1.6 % off; 5 % on the Cortex-M55, which works in
    /// tiles whose edges this does not know. A GRU's were counted on 2026-11-30, six shapes.
    /// Features and `other_gru` come from two nets, the last of [`tests`], of 2026-12-01.
    fn cost(self) -> Cost {
        let ([mac, unit_lstm, unit_rnn], gru, [other_gru, output, feature, step]) = match self {
            Self::CortexM0 => (
                [3.508, 351.4, 131.6],
                [3.569, 293.6, 3392.0, 1011.0],
                [126.0, 91.0, 511.1, 1011.0],
            ),
            Self::CortexM3 => (
                [2.235, 169.9, 78.7],
                [2.278, 151.9, 2055.0, 638.0],
                [78.9, 49.4, 343.7, 638.0],
            ),
            Self::CortexM4 => (
                [0.672, 93.0, 33.2],
                [0.609, 130.3, 729.0, 649.0],
                [105.6, 5.07, 39.5, 649.0],
            ),
            Self::CortexM33 => (
                [0.671, 93.3, 33.4],
                [0.608, 130.9, 713.0, 549.0],
                [103.7, 4.98, 37.5, 549.0],
            ),
            Self::CortexM55 => (
                [0.084, 67.2, 42.1],
                [0.150, 68.8, 1374.0, 2063.0],
                [-5.9, -0.44, 8.5, 689.0],
            ),
        };
        Cost {
            mac,
            unit_lstm,
            unit_rnn,
            gru,
            other_gru,
            output,
            feature,
            step,
        }
    }

    /// About how many instructions each operation of an int8 model takes, and what else is in a
    /// step.
    pub fn by_operation(self, net: &Net) -> (Vec<u64>, u64) {
        // Without pairs these run the kernel of the Cortex-M3 (firmware/build.rs).
        let rows = self.layout(net) == Layout::Rows;
        let cost = match self {
            Self::CortexM4 | Self::CortexM33 if rows => Self::CortexM3.cost(),
            _ => self.cost(),
        };
        let count = |sum: f64| sum.max(0.0).round() as u64;
        let [gru_mac, gru_unit, gru_upper, gru_step] = cost.gru;
        // As the fit has it, also of what stands behind a GRU.
        let has_gru = net
            .operations()
            .any(|of| matches!(of.kind, Kind::Gru { .. }));
        let dense_mac = if has_gru { gru_mac } else { cost.mac };
        let (mut all, mut grus) = (Vec::new(), 0);
        for (index, of) in net.operations().enumerate() {
            let (macs, units) = (net.macs(index) as f64, of.kind.units() as f64);
            all.push(count(match of.kind {
                Kind::Embedding { .. } => units,
                Kind::Add => net.width(Value::of(index)) as f64,
                Kind::Dense { .. } => dense_mac * macs + cost.output * units,
                Kind::Rnn { .. } => cost.mac * macs + cost.unit_rnn * units,
                Kind::Lstm { .. } => cost.mac * macs + cost.unit_lstm * units,
                Kind::Gru { .. } => {
                    grus += 1;
                    let more = match grus {
                        1 => gru_step - cost.step,
                        _ => gru_upper,
                    };
                    let other = match of.kind.with_units(1) == Kind::gru(1, Reset::After) {
                        true => 0.0,
                        false => cost.other_gru * units,
                    };
                    let more = more + other;
                    gru_mac * macs + gru_unit * units + more
                }
            }));
        }
        let features = if net.takes_tokens() {
            0
        } else {
            net.width(Value::INPUT)
        };
        (all, count(cost.step + cost.feature * features as f64))
    }

    /// About how many instructions a step of an int8 model takes, with the front end's frame.
    pub fn instructions(self, net: &Net, front_end: Option<&FrontEnd>) -> u64 {
        let (operations, rest) = self.by_operation(net);
        let frame = front_end.map_or(0, |front| self.frame_instructions(front));
        operations.iter().sum::<u64>() + rest + frame
    }
}

/// What runs beside the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Program {
    /// The console of this project: completion, history, log.
    Console,
    /// The engine alone, called by a program of one's own, which comes on top.
    Engine,
}

/// A board.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Board {
    /// What people call it.
    pub name: &'static str,
    /// Its processor.
    pub processor: Processor,
    /// Bytes of flash.
    pub flash: usize,
    /// Bytes of RAM in one piece.
    pub ram: usize,
    /// What is meant to run on it.
    pub program: Program,
}

impl Board {
    /// The project's own.
    pub const HOME: Self = Self::of(&gatelet_boards::STM32F405);

    /// Those that reports are about, the project's own first.
    pub fn all() -> impl Iterator<Item = Self> {
        let boards = gatelet_boards::BOARDS.into_iter();
        boards.filter(|b| b.in_reports).map(|b| Self::of(&b))
    }

    const fn of(board: &gatelet_boards::Board) -> Self {
        Board {
            name: board.name,
            processor: Processor::of(board.processor),
            flash: board.flash_bytes,
            ram: board.ram_bytes,
            program: match board.runs {
                gatelet_boards::Use::Console => Program::Console,
                gatelet_boards::Use::Engine => Program::Engine,
            },
        }
    }
}

const KIB: usize = 1024;

/// Flash kept for the console's code, and RAM for its stack and its static data: the plan of `firmware/src/budget.rs`.
const CONSOLE: (usize, usize) = (87 * KIB, (16 + 8) * KIB);
/// Snapshots that the console needs at least: eight to go back, five of its completion; `firmware/src/budget.rs`.
const CONSOLE_SNAPSHOTS: usize = 13;
/// Flash of the engine's steps and of its loader, and RAM of a step's stack, rounded up to 1 KiB; docs/benchmarks.md.
pub(crate) const ENGINE: (usize, usize) = (12_272 + 20_112, KIB);

/// A board with what a model needs there.
#[derive(Clone, Debug, Serialize)]
pub struct Fit {
    /// The board.
    pub board: Board,
    /// Layout of the image there.
    pub layout: String,
    /// Bytes of the image.
    pub model: usize,
    /// Bytes of flash needed, code included.
    pub flash: usize,
    /// Bytes of RAM needed.
    pub ram: usize,
    /// Estimated instructions a step, with the frame of a front end.
    pub instructions: u64,
    /// Whether both memories suffice.
    pub fits: bool,
}

/// Bytes of the int8 image of a net on a processor, at most, with what it will hold: of where it
/// comes from, `corpus` and `command`.
///
/// # Errors
/// [`Error::Export`](crate::error::Error::Export) when there can be no such image.
pub fn int8_bytes(net: &Net, processor: Processor, contents: Contents<'_>) -> Result<usize> {
    let from = Provenance {
        corpus: contents.from.corpus,
        command: contents.from.command,
        trainer: concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION")),
        ..Provenance::default()
    };
    let contents = Contents { from, ..contents };
    footprint::int8_bytes(net, processor.layout(net), contents)
}

/// What a net's int8 model needs on a board, with the front end that its features come from;
/// `bytes` gives the image's size in a layout.
pub fn fit(
    board: Board,
    (net, front_end): (&Net, Option<&FrontEnd>),
    bytes: impl Fn(Layout) -> usize,
) -> Fit {
    let layout = board.processor.layout(net);
    let int8 = net.with_precision(Precision::Int8);
    let frame_words = front_end.map_or(0, FrontEnd::words);
    let (model, session) = (bytes(layout), 4 * (int8.state_words() + frame_words));
    let (flash, ram) = match board.program {
        Program::Console => (
            CONSOLE.0,
            CONSOLE.1 + CONSOLE_SNAPSHOTS * 4 * int8.snapshot_words(),
        ),
        Program::Engine => ENGINE,
    };
    let (flash, ram) = (model + flash, session + ram);
    Fit {
        layout: layout.to_string(),
        model,
        flash,
        ram,
        instructions: board.processor.instructions(net, front_end),
        fits: flash <= board.flash && ram <= board.ram,
        board,
    }
}

#[cfg(test)]
mod tests {
    use gatelet::net::{Activation, GateActivation, Operand, RnnActivation};

    use super::*;
    use crate::quantize::export::random;
    use gatelet_random::{GRU, LSTM, RNN, stacked};

    /// Kind, layers, hidden, characters, and the instructions of a step on each of [`Processor::ALL`]; docs/benchmarks.md
    /// has the boards. The last LSTM is the default model, which the fit has not seen.
    #[rustfmt::skip]
    const COUNTED: [(Kind, usize, usize, usize, [u64; 5]); 16] = [
        (LSTM, 1, 32, 64, [39_551, 22_919, 8_018, 7_921, 3_314]),
        (LSTM, 1, 64, 96, [111_284, 66_618, 22_210, 22_110, 6_529]),
        (LSTM, 2, 64, 64, [238_158, 144_075, 48_188, 48_095, 12_943]),
        (RNN, 1, 128, 64, [109_587, 68_619, 21_537, 21_436, 8_064]),
        (RNN, 2, 64, 96, [91_408, 56_733, 17_865, 17_768, 7_650]),
        (LSTM, 3, 20, 30, [55_055, 31_584, 12_216, 12_130, 5_649]),
        (LSTM, 1, 96, 128, [219_510, 133_718, 43_796, 43_697, 12_184]),
        (LSTM, 1, 128, 64, [310_654, 190_533, 62_594, 62_494, 15_650]),
        (RNN, 1, 32, 40, [16_957, 10_287, 3_470, 3_370, 2_209]),
        (LSTM, 1, 128, 81, [320_729, 196_882, 64_973, 64_872, 16_448]),
        (GRU, 1, 128, 64, [249_161, 154_175, 52_750, 52_656, 19_105]),
        (GRU, 1, 32, 64, [34_545, 20_352, 8_296, 8_202, 5_083]),
        (GRU, 1, 64, 96, [93_819, 56_790, 20_563, 20_469, 9_174]),
        (GRU, 1, 96, 128, [182_284, 111_912, 38_716, 38_622, 15_209]),
        (GRU, 2, 64, 64, [196_072, 119_496, 42_504, 42_403, 17_976]),
        (GRU, 3, 20, 30, [51_621, 30_347, 14_141, 14_031, 9_864]),
    ];

    #[test]
    fn the_estimate_is_near_what_was_counted() {
        for (kind, layers, hidden, vocab, counted) in COUNTED {
            let net = stacked(Precision::Int8, vocab, layers, kind.with_units(hidden));
            for (processor, counted) in Processor::ALL.into_iter().zip(counted) {
                let estimate = processor.instructions(&net, None) as f64;
                let error = (estimate / counted as f64 - 1.0).abs();
                let bound = if processor == Processor::CortexM55 {
                    0.08
                } else {
                    0.02
                };
                assert!(
                    error < bound,
                    "{}, {net}: {estimate} for {counted}",
                    processor.name()
                );
            }
        }
    }

    /// A net of several kinds costs what its operations do: more than one of the cheaper kind, and
    /// less than one of the dearer.
    #[test]
    fn every_layer_costs_what_its_kind_does() {
        let both = |below: Kind, above: Kind| {
            let net = Net::tokens(Precision::Int8, 64).then(below.with_units(64));
            let head = Kind::Dense {
                units: 64,
                activation: gatelet::net::Activation::None,
            };
            net.then(above.with_units(64)).then(head).scores()
        };
        for processor in Processor::ALL {
            let cost = |below, above| processor.instructions(&both(below, above), None);
            let mixed = cost(LSTM, RNN);
            assert!(cost(RNN, RNN) < mixed && mixed < cost(LSTM, LSTM));
            let halves = (cost(GRU, GRU) + cost(LSTM, LSTM)) as f64 / 2.0;
            let found = cost(GRU, LSTM) as f64;
            assert!((found / halves - 1.0).abs() < 0.15, "{found} {halves}");
        }
    }

    /// Nets of features, and the instructions of a step on each of [`Processor::ALL`], 0 where they
    /// were not counted: those of docs/benchmarks.md, which the fit has not seen, and the two that
    /// it was made from, the second of which is RNNoise's net.
    #[test]
    fn the_estimate_of_a_net_of_features_is_near_what_was_counted() {
        let head = |units| Kind::Dense {
            units,
            activation: Activation::None,
        };
        let net = |width, kind, outputs| {
            let net = Net::features(Precision::Int8, width).then(kind);
            net.then(head(outputs)).values()
        };
        let relu = |units| Kind::Gru {
            units,
            reset: Reset::Before,
            gates: GateActivation::Sigmoid,
            candidate: RnnActivation::Relu,
        };
        let of = |operation: usize| Value::of(operation);
        let rnnoise = Net::features(Precision::Int8, 42)
            .then(head(24))
            .then(relu(24))
            .with(relu(48), Operand::of(&[of(0), of(1), Value::INPUT]))
            .with(relu(96), Operand::of(&[of(1), of(2), Value::INPUT]))
            .then(head(22))
            .values()
            .with(head(1), Operand::one(of(1)))
            .values();
        let after = |units| Kind::gru(units, Reset::After);
        let counted: [(Net, [u32; 5]); 5] = [
            (net(6, after(64), 6), [0, 0, 17_754, 0, 0]),
            (net(6, Kind::lstm(64), 6), [0, 0, 19_351, 0, 0]),
            (net(6, after(32), 4), [0, 0, 7_384, 0, 0]),
            (
                net(96, after(32), 4),
                [104_145, 66_970, 16_196, 15_919, 6_937],
            ),
            (rnnoise, [414_171, 258_217, 96_788, 96_266, 28_548]),
        ];
        for (net, counted) in counted {
            assert!(net.checked().is_ok(), "{net}");
            let each = Processor::ALL.into_iter().zip(counted);
            for (processor, counted) in each.filter(|of| of.1 > 0) {
                let estimate = processor.instructions(&net, None) as f64;
                let error = (estimate / f64::from(counted) - 1.0).abs();
                let name = processor.name();
                assert!(error < 0.02, "{name}, {net}: {estimate} for {counted}");
            }
        }
    }

    #[test]
    fn the_size_of_a_net_is_that_of_its_image() {
        for (kind, layers, vocab) in [
            (Kind::lstm(16), 1, 20),
            (RNN.with_units(33), 2, 7),
            (Kind::lstm(10), 3, 90),
        ] {
            let net = stacked(Precision::Int8, vocab, layers, kind);
            let image = random(&net, 1, "a command").unwrap();
            for processor in [Processor::CortexM4, Processor::CortexM0] {
                let layout = processor.layout(&net);
                let expected = match image.repacked(layout) {
                    Ok(image) => image.bytes().len(),
                    Err(error) => panic!("{error}"),
                };
                let contents = Contents::of_text(&[], "random weights", "a command");
                let found = int8_bytes(&net, processor, contents).unwrap();
                let spare = found.checked_sub(expected).expect("never too few");
                assert!(spare <= 64, "{found} {expected}");
            }
        }
    }

    #[test]
    fn a_board_is_full_at_its_last_byte() {
        let net = stacked(Precision::Int8, 64, 1, Kind::lstm(64));
        let with = |flash, ram| {
            let board = Board {
                flash,
                ram,
                ..Board::HOME
            };
            fit(board, (&net, None), |_| 100_000).fits
        };
        let need = fit(Board::HOME, (&net, None), |_| 100_000);
        assert_eq!(need.flash, 100_000 + 87 * 1024);
        assert!(with(need.flash, need.ram));
        assert!(!with(need.flash - 1, need.ram) && !with(need.flash, need.ram - 1));
    }
}
