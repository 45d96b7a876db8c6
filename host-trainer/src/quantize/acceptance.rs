//! What an int8 image may lose: bounds past which `gatelet export` refuses to write it.
//!
//! ```text
//! loss     held-out nats in int8 - in f32        <= 0.02      mean KL   int8 from f32 over the free run     <= 0.02
//! growth   KL of the last tenth - of the first   <= 0.01      RMS       of h or c, last tenth, beside f32   <= 10 %
//! ```
//! Of a net without a vocabulary: signal to noise of values at least 20 dB, an error of a tenth; of
//! scores at least 99 % of the decisions as in f32.
//!
//! Whatever is not within its bound is past it, NaN too. The bounds leave room above what sound
//! nets were seen to have on `corpora/novels.txt` (2026-11-25): the default model's recipe, and
//! seven LSTMs and RNNs of 8 to 64 units, of characters and of words, after one or two epochs.

use std::fmt::{self, Display, Formatter};

use serde::Serialize;

use crate::quantize::export::{NetReport, OutputReport, Report};

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Held-out loss above that of f32, nats.
    Loss,
    /// Mean divergence from f32 over the free run, nats a step.
    Divergence,
    /// Divergence of the last tenth less that of the first, nats a step.
    Growth,
    /// Distance of the state's RMS from that of f32 over the last tenth, as a part of it.
    RmsDrift,
}

impl Measure {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Loss, Self::Divergence, Self::Growth, Self::RmsDrift];

    /// The largest that is let through. Where they come from: docs/training.md, "The gate of an
    /// export".
    pub const fn bound(self) -> f64 {
        match self {
            // Nets that quantize well lose less than 0.003 nats; 0.02 is a visible part of what
            // another size of net gains.
            Self::Loss => 0.02,
            // 0.0008 for the default model's recipe, 0.00002 to 0.0003 for the small ones.
            Self::Divergence => 0.02,
            // Below 0.0002 in all of these.
            Self::Growth => 0.01,
            // Of h below 0.002, of c up to 0.04: a cell that int8 cut leaves the end of the range
            // sooner than in f32.
            Self::RmsDrift => 0.1,
        }
    }

    /// Its value; `None` for an image that was not quantized.
    pub fn of(self, report: &Report) -> Option<f64> {
        let run = report.closed_loop.as_ref()?;
        Some(match self {
            Self::Loss => report.loss_nats,
            Self::Divergence => run.divergence.mean,
            Self::Growth => run.growth(),
            Self::RmsDrift => run.rms_drift(),
        })
    }
}

/// A bound that an image is past.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Breach {
    /// What was measured.
    pub measure: Measure,
    /// What was found.
    pub found: f64,
    /// The largest that is let through.
    pub bound: f64,
}

impl Display for Breach {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Breach { found, bound, .. } = self;
        match self.measure {
            Measure::Loss => write!(
                f,
                "held-out loss {found:+.4} nats against f32 (at most {bound})"
            ),
            Measure::Divergence => write!(
                f,
                "divergence {found:.4} nats a step in the free run (at most {bound})"
            ),
            Measure::Growth => write!(
                f,
                "divergence grown by {found:.4} nats from first to last tenth (at most {bound})"
            ),
            Measure::RmsDrift => write!(
                f,
                "RMS of the state {:.1} % from that of f32 (at most {:.0} %)",
                100.0 * found,
                100.0 * bound
            ),
        }
    }
}

/// The bounds that an export is past; none for an f32 image.
pub fn breaches(report: &Report) -> Vec<Breach> {
    let past = |measure: Measure| {
        let (found, bound) = (measure.of(report)?, measure.bound());
        let within = found <= bound;
        (!within).then_some(Breach {
            measure,
            found,
            bound,
        })
    };
    Measure::ALL.into_iter().filter_map(past).collect()
}

/// The least signal to noise in dB at an output of values.
const DECIBELS: f64 = 20.0;
/// The least part of the steps at which an output of scores decides as in f32.
const AGREEMENT: f64 = 0.99;

/// A bound that the image of a net without a vocabulary is past.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NetBreach {
    /// Signal to noise of an output of values.
    Decibels {
        /// The output.
        output: String,
        /// What was found.
        found: f64,
        /// The least that is let through.
        bound: f64,
    },
    /// Decisions of an output of scores.
    Agreement {
        /// The output.
        output: String,
        /// What was found.
        found: f64,
        /// The least that is let through.
        bound: f64,
    },
}

impl Display for NetBreach {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Decibels {
                output,
                found,
                bound,
            } => write!(
                f,
                "output {output} has {found:.1} dB of signal to noise against f32 (at least {bound})"
            ),
            Self::Agreement {
                output,
                found,
                bound,
            } => write!(
                f,
                "output {output} decides as in f32 at {:.2} % of the steps (at least {:.0} %)",
                100.0 * found,
                100.0 * bound
            ),
        }
    }
}

/// The bounds that an export of a net without a vocabulary is past; none for an f32 image.
pub fn net_breaches(report: &NetReport) -> Vec<NetBreach> {
    let past = |of: &OutputReport| {
        let output = of.name.clone();
        match (of.agreement, of.decibels) {
            (Some(found), _) => (found < AGREEMENT).then_some(NetBreach::Agreement {
                output,
                found,
                bound: AGREEMENT,
            }),
            (None, Some(found)) => {
                let within = found >= DECIBELS;
                (!within).then_some(NetBreach::Decibels {
                    output,
                    found,
                    bound: DECIBELS,
                })
            }
            (None, None) => None,
        }
    };
    report.outputs.iter().filter_map(past).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::Scores;
    use crate::quantize::calibrate::Saturation;
    use crate::quantize::closed_loop::{ClosedLoop, Course, Divergence, Rms};

    fn report(hidden: f64) -> Report {
        let scores = Scores {
            nats: 1.0,
            bpc: 1.0,
            top1: 0.5,
            top3: 0.5,
            tokens: 9,
        };
        let course = |last| Course {
            entropy: 1.0,
            hidden: Rms { first: 0.5, last },
            cell: None,
            cell_uncut: None,
        };
        let run = ClosedLoop {
            characters: 9,
            agreed: 3,
            divergence: Divergence {
                mean: 0.02,
                first: 0.02,
                last: 0.03,
                largest: 9.0,
            },
            int8: course(hidden),
            f32_reading: course(0.5),
            f32_writing: course(0.1),
            saturation: Saturation::default(),
        };
        Report {
            weight_bits: Some("8"),
            float_nats: None,
            precision: "int8".to_owned(),
            bytes: 1,
            before: scores,
            after: scores,
            loss_nats: 0.02,
            cell_ranges: Vec::new(),
            cell_bits: Vec::new(),
            embedding_range: None,
            projection_range: None,
            saturated_inputs: 0,
            saturation: None,
            closed_loop: Some(run),
        }
    }

    #[test]
    fn every_bound_holds_by_itself() {
        let past = |change: &dyn Fn(&mut Report, &mut ClosedLoop)| -> Vec<Measure> {
            let mut report = report(0.5);
            let mut run = report.closed_loop.unwrap();
            change(&mut report, &mut run);
            report.closed_loop = Some(run);
            breaches(&report).iter().map(|b| b.measure).collect()
        };
        assert_eq!(past(&|_, _| ()), [], "at the bounds");
        assert_eq!(past(&|r, _| r.loss_nats = 0.0201), [Measure::Loss]);
        assert_eq!(past(&|r, _| r.loss_nats = f64::NAN), [Measure::Loss]);
        let mean = past(&|_, run| run.divergence.mean = 0.0201);
        assert_eq!(mean, [Measure::Divergence]);
        let last = past(&|_, run| run.divergence.last = 0.0301);
        assert_eq!(last, [Measure::Growth]);
        for hidden in [0.44, 0.56] {
            let rms = past(&|_, run| run.int8.hidden.last = hidden);
            assert_eq!(rms, [Measure::RmsDrift]);
        }
        let cells = past(&|_, run| {
            run.int8.cell = Some(Rms {
                first: 1.0,
                last: 2.0,
            });
            run.f32_reading.cell = Some(Rms {
                first: 1.0,
                last: 3.0,
            });
        });
        assert_eq!(cells, [Measure::RmsDrift]);
    }

    #[test]
    fn outputs_have_bounds() {
        let output = |decibels, agreement| OutputReport {
            name: "y".to_owned(),
            width: 2,
            decibels,
            largest_error: 0.1,
            largest: 1.0,
            agreement,
        };
        let past = |of| {
            net_breaches(&NetReport {
                precision: "int8".to_owned(),
                weight_bits: Some("8"),
                bytes: 1,
                steps: 1,
                outputs: vec![of],
                costs: Vec::new(),
                state_bits: Vec::new(),
                doubled: 0,
                saturated_inputs: 0,
            })
            .len()
        };
        assert_eq!(past(output(Some(20.0), None)), 0, "at the bound");
        assert_eq!(past(output(None, None)), 0, "no error at all");
        assert_eq!(past(output(Some(19.9), None)), 1);
        assert_eq!(past(output(Some(f64::NAN), None)), 1);
        assert_eq!(past(output(Some(3.0), Some(0.99))), 0);
        assert_eq!(past(output(Some(50.0), Some(0.98))), 1);
    }

    #[test]
    fn an_f32_image_has_no_bounds() {
        let mut report = report(9.0);
        assert!(!breaches(&report).is_empty());
        report.closed_loop = None;
        assert_eq!(breaches(&report), []);
    }
}
