//! The report of a run as one HTML page that needs nothing else: no script, no other file, no network.
//!
//! ```text
//! essential (one screen): what net, on what text, how good, does it fit the board, what does it write
//! learning | samples by epoch | the gradient's reach | gates over a text | confusion | on the device | origin
//! ```
//! A net without a text has a page of its own ([`net`]), and so has a run on sequences ([`sequences`]).
//! `maud` checks the HTML at compile time and escapes every text that is put in, and texts come from anywhere here: names of
//! folders, a corpus, what a net wrote. Hidden characters in them become marks. Figures are inline SVG whose colours the style sheet's themes fill in.

mod device;
pub mod figures;
pub mod net;
mod sequence_figures;
pub mod sequences;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::analysis::findings::{Findings, Reach};
use crate::analysis::names::{cells, sizes};
use crate::figure::{Figure, svg::svg, visible};
use crate::train::samples::Sample;
use crate::units::{bytes, decimals, duration, epochs, grouped, raised};
use figures::Figures;

const STYLE: &str = include_str!("style.css");
/// Samples shown, at most.
const SAMPLES: usize = 8;

/// `An LSTM with 2 layers of 128 units`, `A GRU and LSTM with layers of 64, 32 units`.
fn net_name(findings: &Findings) -> String {
    let net = &findings.net;
    let (cells, sizes) = (cells(net), sizes(net));
    let article = if cells.starts_with("gru") { "A" } else { "An" };
    let layers = match sizes.split_once(" x ") {
        Some(("1", units)) => format!("one layer of {units} units"),
        Some((layers, units)) => format!("{layers} layers of {units} units"),
        None => format!("layers of {sizes} units"),
    };
    let cells = cells.to_uppercase().replace(" AND ", " and ");
    format!("{article} {cells} with {layers}")
}

/// A part in percent with as many digits as say something.
fn percent(part: f64) -> String {
    let x = 100.0 * part;
    match x {
        _ if !x.is_finite() => "–".to_owned(),
        10.0.. => format!("{x:.0} %"),
        1.0.. => format!("{x:.1} %"),
        0.01.. => format!("{x:.2} %"),
        0.0 => "0".to_owned(),
        _ => {
            let text = format!("{x:.0e}");
            let (digit, power) = text.split_once('e').unwrap_or((&text, "0"));
            format!("{digit}·10{} %", raised(power.parse().unwrap_or(0)))
        }
    }
}

/// The last part of a path.
fn file_name(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}

/// The whole page.
pub fn page(findings: &Findings, figures: &Figures) -> String {
    let title = format!("{}: report of a run", findings.name);
    document(
        &title,
        &html! {
            (essential(findings, figures))
            @if !findings.metrics.is_empty() { (learning(findings, figures)) }
            (samples(findings))
            (reach(findings, figures))
            (gates(findings, figures))
            (confusion(findings, figures))
            (device::section(findings))
            (origin(findings, figures))
        },
    )
}

/// A page of these sections.
fn document(title: &str, sections: &Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="generator" content="gatelet report";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main { (sections) }
            }
        }
    };
    // Markup has no such marks of its own: maud has escaped every other `<` of a text.
    let page = gatelet::visible::text(page.into_string()).to_string();
    page.replace("<U+", "&lt;U+")
}

/// A figure with its caption; `class` says what happens where it is wider than the screen.
fn picture(figure: &Figure, class: &str, caption: Markup) -> Markup {
    html! {
        figure {
            div class=(class) { (svg(figure)) }
            figcaption { (caption) " " a href=(format!("{}.png", figure.name)) { "PNG" } }
        }
    }
}

fn written(sample: &Sample) -> Markup {
    html! { p.sample { b { (sample.prompt) } (sample.text) } }
}

fn essential(findings: &Findings, figures: &Figures) -> Markup {
    let scores = &findings.confusion.scores;
    let device = &findings.device;
    let home = &device.boards[0];
    let nats = findings.nats();
    let how = match findings.ended.as_deref() {
        Some("finished") => "all epochs done",
        Some("early") => "stopped early: no better evaluation",
        Some("time") => "the time was up",
        Some("interrupted") => "interrupted; can be resumed",
        _ => "still going on, or killed; can be resumed",
    };
    html! {
        section id="essential" {
            h1 { (findings.name) }
            p.lead {
                (net_name(findings)) ", trained on " (file_name(&findings.corpus)) " ("
                (grouped(findings.characters.0)) " " (findings.unit) "s, " (findings.net.vocab()) " different)"
                @if let Some(last) = findings.metrics.last() {
                    " for " (epochs(last.epoch)) @if last.epoch == 1.0 { " epoch in " } @else { " epochs in " }
                     (duration(last.seconds))
                }
                "; " (how) "."
            }
            dl.tiles {
                div.tile { dt { "Held-out loss" }
                    dd.big { @if nats.is_finite() { (decimals(nats / std::f64::consts::LN_2, 3)) " bits" } @else { "not measured" } }
                    dd.more { "a " (findings.unit) @if nats.is_finite() { ", " (decimals(nats, 3)) " nats" } }
                }
                div.tile { dt { "Next " (findings.unit) " right" }
                    dd.big { (percent(scores.top1)) }
                    dd.more { "among the three likeliest: " (percent(scores.top3)) }
                }
                div.tile { dt { "On the device, int8" }
                    dd.big { (bytes(home.model)) }
                    dd.more { "flash; " (bytes(device.session_bytes)) " of RAM; loss "
                        (signed(device.int8.nats - device.f32.nats)) " nats" }
                }
                div.tile { dt { (home.board.name) ", " (home.board.processor.name()) }
                    @if home.fits { dd class="big good" { "✓ it fits" } } @else { dd class="big bad" { "✗ too large" } }
                    dd.more { "about " (grouped(home.instructions)) " instructions a " (findings.unit) }
                }
            }
            div.pair {
                @if let Some(loss) = &figures.loss {
                    (picture(loss, "scroll fit", html! { "Loss on text it learns from and on text it never sees." }))
                }
                div {
                    h3 style="margin-top:6px" { "It writes" }
                    div.quote { (written(&findings.sample)) }
                    p.note style="margin-top:8px" {
                        "The best net, "
                        @if findings.sample.prompt.is_empty() { "from the start of a line" }
                        @else { "going on from the grey beginning of the held-out text" }
                        ", at temperature " (findings.sample.temperature) "."
                    }
                }
            }
        }
    }
}

/// `+0.0012`, with the sign of a minus that is as wide as a plus.
fn signed(nats: f64) -> String {
    let plus = if nats >= 0.0 { "+" } else { "" };
    format!("{plus}{}", decimals(nats, 4))
}

/// `0.053 nats below`.
fn apart(nats: f64) -> String {
    let side = if nats < 0.0 { "below" } else { "above" };
    format!("{} nats {side}", decimals(nats.abs(), 3))
}

fn learning(findings: &Findings, figures: &Figures) -> Markup {
    let (first, last) = (findings.metrics.first(), findings.metrics.last());
    let speed = last.map_or(0.0, |m| m.characters as f64 / m.seconds.max(1e-9));
    html! {
        section id="learning" {
            h2 { "Learning" }
            @if let Some(judgement) = &findings.judgement {
                p { strong { (judgement.verdict) } ": " (judgement.reason) "; " (judgement.advice) "." }
            }
            @if let (Some(first), Some(last), Some(best)) = (first, last, findings.best()) {
                p { "From " (decimals(first.valid_nats, 3)) " nats after the first evaluation to "
                    (decimals(best.valid_nats, 3)) " after epoch " (epochs(best.epoch)) " of "
                    (epochs(last.epoch)) ". At the end the loss on held-out text is " (apart(last.valid_nats - last.train_nats))
                    " that on training text"
                    @if findings.dropout > 0.0 { ", which is measured with dropout" } ". "
                    (decimals(speed, 0)) " " (findings.unit) "s a second, " (grouped(last.characters)) " in all." }
            }
            div.pair {
                @if let Some(norm) = &figures.norm {
                    (picture(norm, "scroll fit", html! { "Global norm of the gradient at each evaluation, before clipping." }))
                }
                @if let Some(rate) = &figures.rate {
                    (picture(rate, "scroll fit", html! { "Learning rate at each evaluation." }))
                }
            }
        }
    }
}

/// The first, the last, and others between them, evenly.
fn chosen(samples: &[Sample]) -> Vec<&Sample> {
    if samples.len() <= SAMPLES {
        return samples.iter().collect();
    }
    (0..SAMPLES)
        .map(|i| &samples[i * (samples.len() - 1) / (SAMPLES - 1)])
        .collect()
}

fn samples(findings: &Findings) -> Markup {
    html! {
        section id="samples" {
            h2 { "Samples by epoch" }
            @if findings.samples.is_empty() {
                p { "This run has no samples.jsonl: an older program made it, or it was stopped before its first evaluation. "
                    "What its best net writes stands above." }
            } @else {
                p { "What the net wrote at its evaluations, from the same beginning and the same seed"
                    @if findings.samples.len() > SAMPLES { "; " (SAMPLES) " of " (findings.samples.len()) }
                    "." }
                ol.samples {
                    @for sample in chosen(&findings.samples) {
                        li {
                            div.when { strong { "epoch " (epochs(sample.epoch)) } (decimals(sample.valid_nats, 3)) " nats" }
                            (written(sample))
                        }
                    }
                }
            }
        }
    }
}

/// The lags of the table: powers of four, and the last.
fn shown_lags(last: usize) -> Vec<usize> {
    let mut lags: Vec<usize> = [1, 4, 16, 64, 256, 1024]
        .into_iter()
        .filter(|&k| k < last)
        .collect();
    lags.push(last);
    lags
}

/// One sentence on how far a net's gradient reaches.
fn reach_of(reach: &Reach) -> String {
    match reach.lags.below(0.01) {
        Some(lag) => format!("falls below 1 % of its start at lag {lag}"),
        None => format!(
            "is still above 1 % of its start at lag {}",
            reach.lags.h.len().saturating_sub(1)
        ),
    }
}

fn reach(findings: &Findings, figures: &Figures) -> Markup {
    let own = &findings.reach[0];
    let lags = shown_lags(own.lags.h.len().saturating_sub(1));
    html! {
        section id="lag" {
            h2 { "How far back the gradient reaches" }
            p { "To learn from a " (findings.unit) " k steps back, the gradient of the loss has to come back through k steps. In a plain RNN "
                "each step multiplies it by the same matrix and by slopes below one, so it vanishes; an LSTM also carries it in its "
                "cell state, which a step multiplies by the forget gate alone, and a GRU in the part of its state that the update gate keeps. Measured by backpropagation from "
                (own.lags.positions) " predictions of held-out text: the gradient of this net " (reach_of(own)) "." }
            div.pair {
                (picture(&figures.lag, "scroll fit", html! {
                    "Norm over the units of all layers. Untrained nets have the same size as this one and start as training starts."
                }))
                div.scroll {
                    h3 { "The norm, as part of that at lag 0" }
                    table {
                        thead { tr {
                            th.name { "net" }
                            @for lag in &lags { th { "lag " (lag) } }
                            th { "below 1 %" }
                        } }
                        tbody {
                            @for reach in &findings.reach {
                                tr {
                                    th { (reach.name) }
                                    @for &lag in &lags { td { (percent(reach.lags.part(lag))) } }
                                    td { @if let Some(lag) = reach.lags.below(0.01) { "from " (lag) } @else { "never" } }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn gates(findings: &Findings, figures: &Figures) -> Markup {
    let activity = &findings.activity;
    html! {
        section id="gates" {
            h2 { @if activity.cell == "rnn" { "States over a text" } @else { "Gates over a text" } }
            p { "The " (activity.units.len()) " units of layer " (activity.layer + 1) " that change most, a row each; a column is a " (findings.unit) ". "
                "Units that go alike stand together. "
                @match activity.cell {
                    "lstm" => "Dark in f means that the memory is kept, light that it is thrown away; c is that memory, and h what the rest of the net sees of it.",
                    "gru" => "Dark in z means that the state is kept, light that n replaces it; r says how much of the state n is made of.",
                    _ => {}
                } }
            (picture(&figures.gates, "scroll", html! { "Blanks are ␣, ends of lines ↵. " }))
        }
    }
}

fn confusion(findings: &Findings, figures: &Figures) -> Markup {
    let confusion = &findings.confusion;
    let n = confusion.tokens.len();
    let shown = |name: &str| name.chars().map(visible).collect::<String>();
    let mut right: Vec<(&str, f64)> = confusion
        .tokens
        .iter()
        .enumerate()
        .map(|(i, name)| (&**name, confusion.parts[i * (n + 2)]))
        .collect();
    right.sort_by(|a, b| b.1.total_cmp(&a.1));
    html! {
        section id="confusion" {
            h2 { "Which " (findings.unit) " for which" }
            div.pair {
                (picture(&figures.confusion, "scroll fit", html! {
                    "The likeliest next " (findings.unit) " against the one that came, on " (grouped(confusion.scores.tokens))
                    " " (findings.unit) "s of held-out text. A row sums to 100 %; colours go with the square root."
                }))
                div {
                    p { "Of all " (findings.unit) "s " (percent(confusion.scores.top1)) " were the likeliest, " (percent(confusion.scores.top3))
                        " among the three likeliest."
                        @if let (Some(best), Some(worst)) = (right.first(), right.last()) {
                            " Of the frequent ones it knows " code { (shown(best.0)) } " best (" (percent(best.1)) ") and "
                            code { (shown(worst.0)) } " least (" (percent(worst.1)) ")."
                        } }
                    h3 { "Commonest mistakes" }
                    div.scroll { table {
                        thead { tr { th.name { "came" } th.name { "was likelier" } th { "of the " (findings.unit) " that came" } } }
                        tbody { @for mistake in confusion.mistakes(10) {
                            tr { th { code { (shown(&mistake.actual)) } } td.name { code { (shown(&mistake.predicted)) } } td { (percent(mistake.part)) } }
                        } }
                    } }
                }
            }
        }
    }
}

fn origin(findings: &Findings, figures: &Figures) -> Markup {
    html! {
        section id="origin" {
            h2 { "Where it comes from" }
            dl.origin {
                dt { "text" } dd { (findings.corpus) ", its last " (grouped(findings.characters.1)) " " (findings.unit) "s held out" }
                dt { "SHA-256" } dd { code { (findings.corpus_sha256) } }
                dt { "trained by" } dd { code { (findings.command) } }
                dt { "with" } dd { (findings.trainer) ", seed " (findings.seed) }
                dt { "parameters" } dd { (grouped(findings.parameters)) }
            }
            p.note { "Beside this page: its numbers in " a href="report.json" { "report.json" } ", its pictures in "
                @for (i, figure) in figures.all().enumerate() {
                    @if i > 0 { ", " } a href=(format!("{}.png", figure.name)) { (figure.name) ".png" }
                } "." }
            footer { "Made by gatelet " (env!("CARGO_PKG_VERSION")) " report." }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        let percents = [0.5634, 0.0512, 0.00123, 0.000_01, 0.0, f64::NAN].map(percent);
        assert_eq!(percents, ["56 %", "5.1 %", "0.12 %", "1·10⁻³ %", "0", "–"]);
        assert_eq!(shown_lags(64), [1, 4, 16, 64]);
        assert_eq!(shown_lags(10), [1, 4, 10]);
        assert_eq!(shown_lags(0), [0]);
    }
}
