//! This terminal while it is connected to the emulated serial port.

use std::io::{self, Write};

use anyhow::{Context, Result};

/// Every key comes at once and unechoed, until this value goes.
pub(crate) struct RawTerminal;

impl RawTerminal {
    pub(crate) fn enter(terminal: bool) -> Result<Option<Self>> {
        if !terminal {
            return Ok(None);
        }
        crossterm::terminal::enable_raw_mode().context("the terminal has no raw mode")?;
        Ok(Some(RawTerminal))
    }
}

impl Drop for RawTerminal {
    fn drop(&mut self) {
        give_terminal_back();
    }
}

/// Lines, echo and cursor as before. Does nothing when nothing was changed.
pub(crate) fn give_terminal_back() {
    if crossterm::terminal::is_raw_mode_enabled().unwrap_or(false) {
        let _ = crossterm::terminal::disable_raw_mode();
        let mut stdout = io::stdout();
        // Plain colours, a visible cursor, a fresh line.
        let _ = stdout
            .write_all(b"\x1b[0m\x1b[?25h\r\n")
            .and_then(|()| stdout.flush());
    }
}
