//! The section on the device: memory, boards, instructions.

use maud::{Markup, html};

use crate::analysis::device::{ENGINE, Fit, Program};
use crate::analysis::findings::Findings;
use crate::units::{bytes, grouped};

/// Flash, RAM and instructions, exact where they can be and named an estimate where not.
pub(super) fn section(findings: &Findings) -> Markup {
    let device = &findings.device;
    html! {
        section id="device" {
            h2 { "On the device" }
            p { "As int8 the net has " (format!("{:.4}", device.int8.nats)) " nats on " (grouped(device.int8.tokens))
                " held-out tokens, where f32 has " (format!("{:.4}", device.f32.nats)) ". A session takes "
                (bytes(device.session_bytes)) " of RAM, each snapshot (to go back, to complete words) "
                (bytes(device.snapshot_bytes)) " more; a step takes " (grouped(device.macs))
                " multiply-accumulates." }
            (boards(&device.boards))
        }
    }
}

/// What a model needs on boards, and whether it fits.
pub(super) fn boards(boards: &[Fit]) -> Markup {
    let layout = boards
        .first()
        .map(|fit| (&fit.layout, fit.board.processor.name()));
    html! {
        div.scroll {
            table {
                thead { tr {
                    th.name { "board" } th.name { "processor" } th { "model" } th { "flash: need" } th { "have" } th { "RAM: need" } th { "have" }
                    th { "instructions" } th.name { "fits" }
                } }
                tbody {
                    @for fit in boards {
                        tr {
                            th { (fit.board.name) @if fit.board.program == Program::Console { " *" } }
                            td.name { (fit.board.processor.name()) }
                            td { (bytes(fit.model)) }
                            td { (bytes(fit.flash)) } td { (bytes(fit.board.flash)) }
                            td { (bytes(fit.ram)) } td { (bytes(fit.board.ram)) }
                            td { "≈ " (grouped(fit.instructions)) }
                            @if fit.fits { td class="name good" { "✓ yes" } } @else { td class="name bad" { "✗ no" } }
                        }
                    }
                }
            }
        }
        p.note {
            @if boards.iter().any(|fit| fit.board.program == Program::Console) {
                "* With the whole console: code, stack, completion and history. The others: the"
            } @else { "The" }
            " engine alone, " (bytes(ENGINE.0)) " of code and "
            (bytes(ENGINE.1)) " of stack; your program comes on top."
            @if let Some((layout, processor)) = layout {
                " The model's size depends on the layout of its weights (" (layout) " on the " (processor) ")."
            } }
        p.note { "Instructions a step are an estimate: a fit to shapes that were counted in QEMU. An instruction takes a processor "
            "one cycle or more, so this is no time. " code { "cargo xtask firmware bench" } " counts." }
    }
}
