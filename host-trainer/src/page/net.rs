//! The report of a net without a text as one HTML page.
//!
//! ```text
//! essential: what net, how large, does it fit
//! operations | on the device | integers | numbers | origin
//! ```
//! What was not asked for with a sequence is said in a line, with the option that asks.

use maud::{Markup, html};
use serde::Serialize;

use super::{device, document, percent};
use crate::analysis::device::Processor;
use crate::analysis::explain::{NetExplanation, OperationLine};
use crate::analysis::ranges::Ranges;
use crate::analysis::report::Origin;
use crate::units::{bytes, decimals, grouped};

/// What there is to say of a net.
#[derive(Clone, Debug, Serialize)]
pub struct NetFindings {
    /// Name of its file.
    pub name: String,
    /// Parameters.
    pub parameters: usize,
    /// What each operation takes, and what rounding costs.
    pub explanation: NetExplanation,
    /// Its numbers on a sequence, if one was given.
    pub ranges: Option<Ranges>,
    /// Where it comes from.
    pub origin: Origin,
}

/// The whole page.
pub fn page(findings: &NetFindings) -> String {
    let title = format!("{}: report of a net", findings.name);
    document(
        &title,
        &html! {
            (essential(findings))
            (operations(&findings.explanation))
            @if findings.explanation.f32_only.is_none() {
                section id="device" {
                    h2 { "On the device" }
                    p {
                        "The int8 image. A session takes "
                        (bytes(findings.explanation.session_bytes)) " of RAM."
                    }
                    (device::boards(&findings.explanation.boards))
                }
                (integers(&findings.explanation))
            }
            (numbers(findings.ranges.as_ref()))
            (origin(findings))
        },
    )
}

/// `40.2 dB`.
fn ratio(decibels: Option<f64>) -> String {
    decibels.map_or_else(
        || "no error".to_owned(),
        |db| format!("{} dB", decimals(db, 1)),
    )
}

/// A number, and a dash for none.
fn number(count: impl Into<u64>) -> String {
    match count.into() {
        0 => "–".to_owned(),
        count => grouped(count),
    }
}

/// An operation under its number.
fn named(index: usize, name: &str) -> String {
    format!("{} {name}", index + 1)
}

fn essential(findings: &NetFindings) -> Markup {
    let explanation = &findings.explanation;
    let macs: usize = explanation.operations.iter().map(|of| of.macs).sum();
    html! {
        section id="essential" {
            h1 { (findings.name) }
            p.lead {
                (explanation.operations.len()) " operations, "
                (grouped(findings.parameters)) " parameters, "
                (grouped(macs)) " multiply-accumulates a step."
                @if let Some(why) = &explanation.f32_only {
                    " It can be exported in f32 only: " (why) "."
                }
            }
            dl.tiles {
                div.tile { dt { "Image in f32" }
                    dd.big { (bytes(explanation.bytes[0])) }
                    dd.more { "of flash" }
                }
                @if let Some(home) = explanation.boards.first() {
                    div.tile { dt { "Image in int8" }
                        dd.big { (bytes(explanation.bytes[1])) }
                        dd.more { "with 4-bit weights " (bytes(explanation.bytes[2])) }
                    }
                    div.tile { dt { (home.board.name) ", " (home.board.processor.name()) }
                        @if home.fits { dd class="big good" { "✓ it fits" } }
                        @else { dd class="big bad" { "✗ too large" } }
                        dd.more { "about " (grouped(home.instructions)) " instructions a step" }
                    }
                }
                @if let Some([int8, _]) = &explanation.measured {
                    @for output in int8.outputs.iter().take(1) {
                        div.tile { dt { "Output " (output.name) ", int8" }
                            dd.big { (ratio(output.decibels)) }
                            dd.more { "signal to noise against f32" }
                        }
                    }
                }
            }
        }
    }
}

fn operations(found: &NetExplanation) -> Markup {
    let reads = |of: &OperationLine| -> String {
        let codes = of.reads.iter().map(|&code| match code {
            0 => "input".to_owned(),
            code => code.to_string(),
        });
        codes.collect::<Vec<_>>().join(" ")
    };
    let in_int8 = found.f32_only.is_none();
    html! {
        section id="operations" {
            h2 { "Operations" }
            p {
                "What each takes: bytes of its numbers in the three images, bytes that a session "
                "keeps of it from step to step in int8"
                @if in_int8 {
                    ", and about how many instructions of a step on each processor in int8"
                }
                "."
            }
            div.scroll { table {
                thead { tr {
                    th.name { "operation" } th.name { "reads" } th { "MACs" }
                    th { "f32" } th { "int8" } th { "4 bits" } th { "state" }
                    @if in_int8 { @for processor in Processor::ALL { th { (processor.name()) } } }
                } }
                tbody {
                    @for (index, of) in found.operations.iter().enumerate() {
                        tr {
                            th { (named(index, &of.name)) }
                            td.name { (reads(of)) }
                            td { (number(of.macs as u64)) }
                            @for bytes in of.bytes { td { (number(bytes as u64)) } }
                            td { (number(of.state_bytes as u64)) }
                            @for &count in &of.instructions { td { (number(count)) } }
                        }
                    }
                    @if in_int8 {
                        tr {
                            th { "features, the rest" } td.name {} td {} td {} td {} td {} td {}
                            @for &count in &found.other_instructions { td { (number(count)) } }
                        }
                        @if !found.frame_instructions.is_empty() { tr {
                            th { "front end, a frame" }
                            td.name {} td {} td {} td {} td {} td {}
                            @for &count in &found.frame_instructions { td { (number(count)) } }
                        } }
                    }
                }
            } }
        }
    }
}

fn integers(found: &NetExplanation) -> Markup {
    html! {
        section id="integers" {
            h2 { "What integers cost" }
            @if let Some([int8, four]) = &found.measured {
                p {
                    "Signal to noise at the outputs against f32, over " (grouped(int8.steps))
                    " steps, before any training for integers; of an operation when its weights "
                    "alone are rounded."
                }
                div.scroll { table {
                    thead { tr { th.name { "" } th { "int8" } th { "4 bits" } } }
                    tbody {
                        @for (a, b) in int8.outputs.iter().zip(&four.outputs) {
                            tr {
                                th { "output " (a.name) ": the whole image" }
                                @for of in [a, b] { td { (ratio(of.decibels)) } }
                            }
                        }
                        @for (a, b) in int8.costs.iter().zip(&four.costs) {
                            tr {
                                th { (a.name) }
                                @for of in [a, b] { td { (ratio(of.decibels)) } }
                            }
                        }
                    }
                } }
            } @else {
                p {
                    "Not measured: name a sequence of what the net is given, "
                    code { "--calibrate FILE" } "."
                }
            }
        }
    }
}

fn numbers(found: Option<&Ranges>) -> Markup {
    html! {
        section id="numbers" {
            h2 { "Its numbers on a sequence" }
            @if let Some(found) = found {
                p {
                    "The largest magnitudes over " (grouped(found.steps)) " steps in f32, and how "
                    "often gates are within 0.01 of their low end and of their high end. A gate "
                    "that is nearly always at one end has nothing left to decide."
                }
                div.scroll { table {
                    thead { tr {
                        th.name { "operation" } th { "largest" } th { "c" } th { "99.9 % of c" }
                        th.name { "gates: low, high" }
                    } }
                    tbody {
                        @for (index, of) in found.operations.iter().enumerate() {
                            tr {
                                th { (named(index, &of.name)) }
                                td { (decimals(of.largest, 3)) }
                                @for at in 0..2 {
                                    td { @if let Some(c) = of.cell { (decimals(c[at], 2)) } }
                                }
                                td.name {
                                    @for (k, gate) in of.gates.iter().enumerate() {
                                        @if k > 0 { "; " }
                                        (gate.name) " " (percent(gate.low)) ", "
                                        (percent(gate.high))
                                    }
                                }
                            }
                        }
                    }
                } }
            } @else {
                p {
                    "Not followed: name a sequence of what the net is given, "
                    code { "--input FILE" } "."
                }
            }
        }
    }
}

fn origin(findings: &NetFindings) -> Markup {
    let from = &findings.origin;
    html! {
        section id="origin" {
            h2 { "Where it comes from" }
            dl.origin {
                dt { "file" } dd { (from.corpus) }
                dt { "SHA-256" } dd { code { (from.corpus_sha256) } }
                dt { "made by" } dd { code { (from.command) } }
                dt { "with" } dd { (from.trainer) }
            }
            p.note {
                "It was trained on no text here, so there is no curve, no sample and no loss. "
                "Beside this page: its numbers in " a href="report.json" { "report.json" } "."
            }
            footer { "Made by gatelet " (env!("CARGO_PKG_VERSION")) " report." }
        }
    }
}
