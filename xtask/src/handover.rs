//! Connecting this terminal to the emulated serial port, and giving it back on every path.

use std::io::{self, IsTerminal, Read};
use std::path::PathBuf;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use anyhow::{Result, bail};

use crate::emulator::Emulator;
use crate::firmware::{self, Log};
use crate::terminal::RawTerminal;
use crate::{ask, setup};

/// Ctrl-], as in telnet: the key that ends the connection.
const END: u8 = 0x1d;
/// What ends most programs; here it is a key for the board, as any other.
const CTRL_C: u8 = 0x03;
/// How long the console may be silent before its work counts as done, when the input has ended.
const QUIET: Duration = Duration::from_millis(1500);

/// Builds the console and runs it on this terminal; without one, input comes from stdin to its end.
pub(crate) fn run(model: Option<PathBuf>) -> Result<()> {
    setup::qemu()?;
    let elf = firmware::console(Log::Semihosting)
        .model(model)
        .build()?
        .elf;
    if ask::person() {
        println!("Ctrl-] ends the emulator.");
    }
    let mut emulator = Emulator::boot(&elf, true)?;
    let connected = connect(&mut emulator);
    println!();
    println!(
        "the log: defmt-print -e '{}' < '{}'",
        elf.display(),
        emulator.log.display()
    );
    connected
}

/// Passes keys on until Ctrl-], the end of the input, or the end of QEMU.
pub(crate) fn connect(emulator: &mut Emulator) -> Result<()> {
    let terminal = io::stdin().is_terminal();
    let raw = RawTerminal::enter(terminal)?;
    // What is typed before the receiver listens would be lost.
    emulator.wait_for("output", |screen| (screen.redraws() > 0).then_some(()))?;
    let keys = keys();
    let mut drawn_at_end = None;
    loop {
        if emulator.ended() {
            bail!("QEMU has ended by itself");
        }
        match keys.recv_timeout(Duration::from_millis(100)) {
            Ok(bytes) => {
                let end = bytes.iter().position(|&b| terminal && b == END);
                if terminal && end.is_none() && bytes == [CTRL_C] {
                    // Somebody wants to leave. The board answers the key by drawing its line again,
                    // below this.
                    print!("\r\n\x1b[KCtrl-] ends.\r\n");
                }
                emulator.send(bytes.get(..end.unwrap_or(bytes.len())).unwrap_or_default())?;
                if end.is_some() {
                    break;
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                // The input is at its end: let the console finish what it was given.
                let drawn = emulator.look(|screen| screen.redraws());
                if drawn_at_end.replace(drawn) == Some(drawn) {
                    break;
                }
                std::thread::sleep(QUIET);
            }
        }
    }
    drop(raw);
    Ok(())
}

/// What is typed, read by a thread of its own: a read cannot be interrupted when QEMU ends.
fn keys() -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = [0; 256];
        while let Ok(count @ 1..) = io::stdin().read(&mut bytes) {
            if sender
                .send(bytes.get(..count).unwrap_or_default().to_vec())
                .is_err()
            {
                break;
            }
        }
    });
    receiver
}
