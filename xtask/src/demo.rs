//! The demo: the default model's console boots in QEMU, gets a prefix typed into its serial port,
//! and predicts.

use std::io::{self, IsTerminal};
use std::time::Instant;

use anyhow::{Result, bail, ensure};

use crate::board;
use crate::command::Usage;
use crate::emulator::Emulator;
use crate::firmware::{self, Log};
use crate::{ask, handover, setup};

/// What is typed when nobody says otherwise.
pub(crate) const PROMPT: &str = "It was a very extra";

/// Runs it; hands the console over when somebody is there.
pub(crate) fn run(prompt: &str) -> Result<()> {
    if let Some(control) = prompt.chars().find(|c| c.is_control()) {
        bail!(Usage(format!(
            "--prompt holds the control character {control:?}; leave it out"
        )));
    }
    setup::targets()?;
    setup::qemu()?;
    let chosen = std::env::var("GATELET_MODEL").ok();
    println!(
        "building the firmware of an {} with {}",
        board::default().name,
        chosen.as_deref().unwrap_or("the default model")
    );
    let started = Instant::now();
    let elf = firmware::console(Log::Semihosting).build()?.elf;
    println!(
        "built in {:.1} s; booting it in QEMU ({})",
        started.elapsed().as_secs_f32(),
        board::default()
    );

    let person = ask::person() && io::stdout().is_terminal();
    let mut emulator = Emulator::boot(&elf, person)?;
    let banner = emulator.wait_for("prompt or refusal", |screen| {
        let refused = screen.text().contains("refused:");
        (refused || screen.line().is_some_and(|l| !l.panel.is_empty())).then(|| screen.text())
    })?;
    if !person {
        let said = banner
            .lines()
            .filter(|line| !line.trim().is_empty() && !line.starts_with('>'));
        said.for_each(|line| println!("  | {}", line.trim_end()));
    }
    ensure!(!banner.contains("refused:"), "the board refuses the model");

    if !person {
        println!("typing {prompt:?} into its serial port");
    }
    let line = emulator.type_text(prompt)?;
    if person {
        println!(
            "\r\n\nThis is the board's console now. Tab takes the grey text, Ctrl-] ends.\r\n"
        );
        // Its line once more, below the note.
        emulator.send(b"\x0c")?;
        return handover::connect(&mut emulator);
    }
    println!("  > {}[{}]    {}", line.typed, line.completion, line.panel);
    println!("most likely next: {}", line.panel);
    println!("completion:       {}", line.completion);
    let accepted = emulator.press("\t")?;
    println!("after Tab:        {}", accepted.typed);
    Ok(())
}
