//! The report of a run on sequences as one HTML page.
//!
//! ```text
//! essential: what net, on what, how good, does it fit
//! learning | classes or errors | over the steps | the worst | integers | on the device | origin
//! ```

use maud::{Markup, html};

pub use super::sequence_figures::SequenceFigures;
use super::{device, document, file_name, percent, picture};
use crate::analysis::names::{cells, sizes};
use crate::analysis::sequences::{Classes, SequenceFindings};
use crate::train::series::options::Task;
use crate::units::{bytes, capital, decimals, duration, epochs, grouped};

/// The whole page.
pub fn page(findings: &SequenceFindings, figures: &SequenceFigures) -> String {
    let title = format!("{}: report of a run", findings.name);
    document(
        &title,
        &html! {
            (essential(findings))
            (learning(findings, figures))
            @if let Some(of) = &findings.classes { (classes(findings, of, figures)) }
            @else { (errors(findings, figures)) }
            (steps(findings, figures))
            (worst(findings))
            (integers(findings))
            (origin(findings, figures))
        },
    )
}

/// The figure as it is read: a part in percent, or an error.
fn figure(findings: &SequenceFindings, x: f64) -> String {
    match findings.task.is_of_classes() {
        true => percent(x),
        false => decimals(x, 4),
    }
}

/// A number of the data, in four digits.
fn number(x: f64) -> String {
    match x.abs() {
        0.0 => "0".to_owned(),
        0.001..1e6 => {
            let digits = 3 - (x.abs().log10().floor() as i32).clamp(-3, 3);
            decimals(x, digits.max(0) as usize)
        }
        _ => format!("{x:.3e}"),
    }
}

fn essential(findings: &SequenceFindings) -> Markup {
    let name = findings.task.terms().figure.unwrap_or_default();
    let how = match findings.ended.as_deref() {
        Some("finished") => "all epochs done",
        Some("early") => "stopped early: no better evaluation",
        Some("time") => "the time was up",
        Some("interrupted") => "interrupted; can be resumed",
        _ => "still going on, or killed; can be resumed",
    };
    let [train, valid, test] = findings.sequences;
    html! {
        section id="essential" {
            h1 { (findings.name) }
            p.lead {
                (cells(&findings.net).to_uppercase().replace(" AND ", " and ")) " "
                (sizes(&findings.net)) ", " (grouped(findings.parameters)) " parameters, trained to "
                (findings.task.to_string()) " on " (file_name(&findings.corpus)) ": "
                (grouped(train)) " sequences to learn from, " (grouped(valid)) " held out"
                @if test > 0 { ", " (grouped(test)) " of a test part" }
                @if let Some(last) = findings.metrics.last() {
                    "; " (epochs(last.epoch)) @if last.epoch == 1.0 { " epoch in " } @else { " epochs in " }
                    (duration(last.seconds))
                }
                "; " (how) "."
            }
            dl.tiles {
                div.tile { dt { (capital(name)) ", " (findings.part) }
                    dd.big { (figure(findings, findings.figure)) }
                    dd.more { "of " (grouped(findings.counted)) " answers" }
                }
                @if let Some(of) = &findings.classes {
                    div.tile { dt { "Mean F1" }
                        dd.big { (decimals(of.macro_f1, 3)) }
                        dd.more { (findings.answers.len()) " classes" }
                    }
                } @else if let Some(first) = findings.values.first() {
                    div.tile { dt { "RMS error" }
                        dd.big { (number(first.rms)) }
                        dd.more { "of " (findings.answers.first().map_or("", |name| name)) }
                    }
                }
                @if let Some(int8) = &findings.int8 {
                    @if let (Some(change), Some(home)) = (int8.changes.last(), int8.boards.first()) {
                        div.tile { dt { "On the device, int8" }
                            dd.big { (bytes(home.model)) }
                            dd.more { (name) " " (figure(findings, change.image)) "; "
                                (bytes(int8.session_bytes)) " of RAM" }
                        }
                        div.tile { dt { (home.board.name) ", " (home.board.processor.name()) }
                            @if home.fits { dd class="big good" { "✓ it fits" } }
                            @else { dd class="big bad" { "✗ too large" } }
                            dd.more { "about " (grouped(home.instructions)) " instructions a step" }
                        }
                    }
                }
            }
        }
    }
}

fn learning(findings: &SequenceFindings, figures: &SequenceFigures) -> Markup {
    html! {
        section id="learning" {
            h2 { "Learning" }
            @if findings.metrics.is_empty() { p { "It was stopped before its first evaluation." } }
            div.pair {
                @if let Some(loss) = &figures.loss {
                    (picture(loss, "scroll fit", html! { "Loss in the units of training." }))
                }
                @if let Some(of) = &figures.figure {
                    (picture(of, "scroll fit", html! {
                        (capital(findings.task.terms().figure.unwrap_or_default()))
                        " on the part by which the best net is chosen."
                    }))
                }
            }
        }
    }
}

fn classes(findings: &SequenceFindings, of: &Classes, figures: &SequenceFigures) -> Markup {
    html! {
        section id="classes" {
            h2 { "Which class for which" }
            div.pair {
                @if let Some(confusion) = &figures.confusion {
                    (picture(confusion, "scroll fit", html! {
                        "The answers of the part " (findings.part)
                        ". A row sums to 100 %; colours go with the square root."
                    }))
                }
                @if let Some(roc) = &figures.roc {
                    (picture(roc, "scroll fit", html! {
                        "Each class against all others, with its area."
                    }))
                }
            }
                div.scroll { table {
                    thead { tr {
                        th.name { "class" } th { "answers" } th { "precision" } th { "recall" }
                        th { "F1" } th { "ROC area" } th.name { "else taken for" }
                    } }
                    tbody {
                        @for (k, (name, each)) in findings.answers.iter().zip(&of.of_each).enumerate() {
                            tr {
                                th { (name) }
                                td { (grouped(each.count)) }
                                @for x in [each.precision, each.recall, each.f1] {
                                    td { (decimals(x, 3)) }
                                }
                                td { (of.roc[k].area.map_or_else(|| "–".to_owned(), |x| decimals(x, 3))) }
                                td.name { (mistaken(findings, of, k)) }
                            }
                        }
                    }
                } }
            div.pair {
                @if let (Some(early), Some(decision)) = (&figures.early, &of.decision) {
                    div {
                        (picture(early, "scroll fit", html! {
                            "What would be right if the answer were asked for earlier."
                        }))
                        p { "After " (percent(decision.median)) " of a sequence in the median, "
                            (percent(decision.mean)) " in the mean, the answer does not change any more." }
                    }
                }
            }
        }
    }
}

/// The class that one is most often wrongly taken for.
fn mistaken(findings: &SequenceFindings, of: &Classes, k: usize) -> String {
    let n = findings.answers.len();
    let row = of.confusion[k * n..][..n].iter().enumerate();
    let most = row
        .filter(|&(at, &count)| at != k && count > 0)
        .max_by_key(|of| of.1);
    most.map_or_else(String::new, |(at, &count)| {
        format!("{}: {}", findings.answers[at], grouped(count))
    })
}

fn errors(findings: &SequenceFindings, figures: &SequenceFigures) -> Markup {
    let forecast = findings.task == Task::Forecast;
    html! {
        section id="errors" {
            h2 { "Errors" }
            p { "In the units of the data, on the part " (findings.part) ". Error to signal is 0 "
                "where all is right and 1 where the mean is said."
                @if forecast { " That the last value stays is said from the second step of a "
                    "sequence on." } }
            div {
                div.scroll { table {
                    thead { tr {
                        th.name { "asked for" } th { "mean absolute" } th { "RMS" }
                        th { "error to signal" } @if forecast { th { "RMS, the last value stays" } }
                    } }
                    tbody {
                        @for (name, of) in findings.answers.iter().zip(&findings.values) {
                            tr {
                                th { (name) }
                                td { (number(of.absolute)) } td { (number(of.rms)) }
                                td { (decimals(of.figure, 4)) }
                                @if forecast {
                                    td { (of.last_stays.map_or_else(|| "–".to_owned(), number)) }
                                }
                            }
                        }
                    }
                } }
                @if let Some(ahead) = &figures.ahead {
                    (picture(ahead, "scroll fit", html! { "By how far ahead it is." }))
                }
            }
        }
    }
}

fn steps(findings: &SequenceFindings, figures: &SequenceFigures) -> Markup {
    html! {
        section id="steps" {
            h2 { "Over the steps" }
            p {
                @if findings.task.is_of_classes() {
                    "The probabilities of the likeliest classes at each step"
                    @if findings.int8.is_some() { "; broken lines are those of the int8 image" } "."
                } @else { "What the net says and what was asked for at each step." }
                @if findings.shown.iter().any(|of| of.heard.is_some()) {
                    " Above them is what the front end made of the sound, dark where it is loud."
                }
                " At most the first 400 steps."
            }
            @for (of, figure) in findings.shown.iter().zip(&figures.shown) {
                h3 { (capital(of.which)) ": " (of.line.name)
                    @if let Some([class, taken]) = of.line.taken {
                        ", " (name(findings, class))
                        @if class != taken { ", taken for " (name(findings, taken)) }
                    } }
                (picture(figure, "scroll fit", html! { (loss(findings, of.line.loss)) "." }))
            }
        }
    }
}

fn name(findings: &SequenceFindings, class: u16) -> &str {
    findings
        .answers
        .get(usize::from(class))
        .map_or("–", |name| name)
}

fn loss(findings: &SequenceFindings, x: f64) -> String {
    match findings.task.is_of_classes() {
        true => format!("{} nats an answer", decimals(x, 3)),
        false => format!("Error to signal {}", decimals(x, 4)),
    }
}

fn worst(findings: &SequenceFindings) -> Markup {
    let of_classes = findings.task.is_of_classes();
    let whole = findings.task == Task::Classify;
    html! {
        section id="worst" {
            h2 { "The worst sequences" }
            div.scroll { table {
                thead { tr {
                    th.name { "sequence" } th { "from step" } th { "steps" }
                    @if of_classes { th { "nats an answer" } } @else { th { "error to signal" } }
                    @if whole { th.name { "class" } th.name { "taken for" } }
                    @else if of_classes { th { "right" } }
                } }
                tbody {
                    @for of in &findings.worst {
                        tr {
                            th { (of.name) } td { (grouped(of.start)) } td { (grouped(of.steps)) }
                            td { (decimals(of.loss, 4)) }
                            @if let (true, Some([class, taken])) = (whole, of.taken) {
                                td.name { (name(findings, class)) }
                                @if class == taken { td class="name good" { (name(findings, taken)) } }
                                @else { td class="name bad" { (name(findings, taken)) } }
                            } @else if let Some(right) = of.right { td { (percent(right)) } }
                        }
                    }
                }
            } }
        }
    }
}

fn integers(findings: &SequenceFindings) -> Markup {
    html! {
        section id="device" {
            h2 { "On the device" }
            @if let Some(why) = &findings.no_int8 { p { "There is no int8 image: " (why) "." } }
            @if let Some(int8) = &findings.int8 {
                p { "A session takes " (bytes(int8.session_bytes)) " of RAM; a step takes "
                    (grouped(int8.macs)) " multiply-accumulates." }
                div.scroll { table {
                    thead { tr {
                        th.name { "part" } th { "sequences" } th { "answers" }
                        th { (findings.task.terms().figure.unwrap_or_default()) ": as trained" }
                        th { "int8" }
                        @if findings.classes.is_some() { th { "mean F1: as trained" } th { "int8" } }
                    } }
                    tbody {
                        @for of in &int8.changes {
                            tr {
                                th { (of.part) } td { (grouped(of.sequences)) } td { (grouped(of.answers)) }
                                @for x in [of.float, of.image] { td { (decimals(x, 4)) } }
                                @for x in of.f1.iter().flatten() { td { (decimals(*x, 4)) } }
                            }
                        }
                    }
                } }
                (device::boards(&int8.boards))
            }
        }
    }
}

fn origin(findings: &SequenceFindings, figures: &SequenceFigures) -> Markup {
    html! {
        section id="origin" {
            h2 { "Where it comes from" }
            dl.origin {
                dt { "data" } dd { (findings.corpus) }
                dt { "SHA-256" } dd { code { (findings.corpus_sha256) } }
                dt { "goes in" } dd { (findings.features.join(", ")) }
                dt { "trained by" } dd { code { (findings.command) } }
                dt { "with" } dd { (findings.trainer) ", seed " (findings.seed) }
            }
            p.note { "Beside this page: its numbers in " a href="report.json" { "report.json" } ", its pictures in "
                @for (i, figure) in figures.all().enumerate() {
                    @if i > 0 { ", " } a href=(format!("{}.png", figure.name)) { (figure.name) ".png" }
                } "." }
            footer { "Made by gatelet " (env!("CARGO_PKG_VERSION")) " report." }
        }
    }
}
