//! What a run of `cargo xtask bench` measured: one JSON object for programs. `show.rs` shows it to people.

use serde::{Deserialize, Serialize};

/// Everything one run measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Samples behind every median.
    pub samples: usize,
    /// The machine.
    pub machine: Machine,
    /// A step of every shape and precision.
    pub steps: Vec<Step>,
}

/// The limits of the machine, whatever runs on it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// Multiply-adds in f32 on registers, in 10^9 operations a second; one multiply-add is two.
    pub fma_gflops: f64,
    /// Reads of a footprint that fits the first, second, third cache.
    pub reads: Vec<ReadSpeed>,
}

/// How fast a footprint is read again and again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReadSpeed {
    /// The cache it is meant for.
    pub cache: String,
    /// Bytes.
    pub footprint_bytes: usize,
    /// 10^9 bytes a second.
    pub gbytes: f64,
}

/// One shape in one precision: its limits and its kernels, timed in turn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// f32, int8 or int4.
    pub precision: String,
    /// Layers.
    pub layers: usize,
    /// Units of a layer.
    pub hidden: usize,
    /// Characters.
    pub vocab: usize,
    /// Multiply-accumulates.
    pub macs: usize,
    /// Bytes that have to be read: the matrices and one gathered row.
    pub footprint_bytes: usize,
    /// Microseconds to read them once, always forward.
    pub limit_us: f64,
    /// Microseconds to read them once, forward and backward in turn.
    pub alternating_us: f64,
    /// The kernels.
    pub kernels: Vec<Timed>,
}

/// One kernel's step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Timed {
    /// The kernel.
    pub isa: String,
    /// Microseconds a step.
    pub us: f64,
    /// Times the forward limit.
    pub ratio: f64,
    /// Times the alternating limit.
    pub ratio_alternating: f64,
    /// 10^9 multiply-accumulates a second.
    pub gmacs: f64,
    /// 10^9 bytes of the footprint a second.
    pub gbytes: f64,
}

/// Medians of one shape, in seconds.
#[derive(Clone, Debug)]
pub struct Medians {
    /// Of the forward read.
    pub forward: f64,
    /// Of the alternating read.
    pub alternating: f64,
    /// Of every kernel.
    pub kernels: Vec<(&'static str, f64)>,
}

impl Step {
    /// Its layers and units, as in `2x512`.
    pub fn shape(&self) -> String {
        format!("{}x{}", self.layers, self.hidden)
    }

    /// The kernel that takes the least time.
    pub fn fastest(&self) -> Option<&Timed> {
        self.kernels.iter().min_by(|a, b| a.us.total_cmp(&b.us))
    }

    /// Ratios and throughputs from medians.
    pub fn new(net: &gatelet::net::Net, footprint_bytes: usize, medians: &Medians) -> Self {
        let (layers, hidden) = crate::layers(net);
        let macs = net.macs_per_step();
        let timed = |&(isa, seconds): &(&'static str, f64)| Timed {
            isa: isa.to_owned(),
            us: seconds * 1e6,
            ratio: seconds / medians.forward,
            ratio_alternating: seconds / medians.alternating,
            gmacs: macs as f64 / seconds / 1e9,
            gbytes: footprint_bytes as f64 / seconds / 1e9,
        };
        Self {
            precision: crate::numbers(net).to_owned(),
            layers,
            hidden,
            vocab: net.vocab(),
            macs,
            footprint_bytes,
            limit_us: medians.forward * 1e6,
            alternating_us: medians.alternating * 1e6,
            kernels: medians.kernels.iter().map(timed).collect(),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::lstm;

    pub(crate) fn report() -> Report {
        let net = lstm(1, 64, 96);
        let medians = Medians {
            forward: 0.5e-6,
            alternating: 0.25e-6,
            kernels: vec![("scalar", 20e-6), ("portable", 2e-6)],
        };
        Report {
            samples: 101,
            machine: Machine {
                fma_gflops: 230.4,
                reads: vec![ReadSpeed {
                    cache: "L1".to_owned(),
                    footprint_bytes: 24 * 1024,
                    gbytes: 270.0,
                }],
            },
            steps: vec![Step::new(&net, 91_136, &medians)],
        }
    }

    #[test]
    fn ratios_and_throughputs() {
        let step = &report().steps[0];
        assert_eq!(step.macs, 256 * 64 + 96 * 64);
        let portable = &step.kernels[1];
        assert!((portable.us - 2.0).abs() < 1e-9);
        assert!((portable.ratio - 4.0).abs() < 1e-9);
        assert!((portable.ratio_alternating - 8.0).abs() < 1e-9);
        assert!((portable.gmacs - 22.528e3 / 2.0 / 1e3).abs() < 1e-9);
        assert!((portable.gbytes - 91.136 / 2.0).abs() < 1e-9);
    }

    #[test]
    fn the_json_comes_back_and_is_one_line() {
        let report = report();
        let text = serde_json::to_string(&report).unwrap();
        assert!(!text.contains('\n'));
        assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), report);
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["steps"][0]["kernels"][1]["isa"], "portable");
    }
}
