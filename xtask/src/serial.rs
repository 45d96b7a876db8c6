//! A board's serial line in QEMU, with blocks on it: the host's side of `firmware/src/stream.rs`.

use std::io::{BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use gatelet_sound::wire::{self, ACK, Receiver};

use crate::board::Board;
use crate::emulator::{PATIENCE, Running, connect};

/// The largest block that comes back, with what is around it.
const BYTES: usize = 1 << 12;

/// A board that runs a program.
pub(crate) struct Serial {
    _running: Running,
    sends: UnixStream,
    comes: BufReader<UnixStream>,
}

impl Serial {
    /// Starts the program; instructions of it can be counted.
    pub(crate) fn start(elf: &Path, board: &Board) -> Result<Self> {
        let qemu = board.qemu.context("the board is none of QEMU's")?;
        let (running, sends) = connect(elf, board, qemu.icount_shift, Stdio::null())?;
        sends.set_read_timeout(Some(PATIENCE))?;
        let comes = sends
            .try_clone()
            .context("the serial port has one end only")?;
        Ok(Serial {
            _running: running,
            sends,
            comes: BufReader::new(comes),
        })
    }

    /// Sends bytes as a block.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> Result<()> {
        let (before, behind) = wire::around(bytes);
        let block = [&before[..], bytes, &behind].concat();
        self.sends.write_all(&block).context("QEMU has ended")
    }

    fn byte(&mut self) -> Result<u8> {
        let mut byte = [0];
        self.comes
            .read_exact(&mut byte)
            .context("the board says nothing more")?;
        Ok(byte[0])
    }

    /// What the board says until a byte that ends it. A line that begins with `error:` is one.
    fn text(&mut self, end: u8) -> Result<Vec<String>> {
        let (mut text, mut last) = (Vec::new(), 0);
        while last != end {
            last = self.byte()?;
            if last != end {
                text.push(last);
            }
            if last == b'\n' && text.starts_with(b"error: ") {
                bail!(
                    "the board: {}",
                    String::from_utf8_lossy(&text[7..]).trim_end()
                );
            }
        }
        let text = String::from_utf8(text).context("the board says what is no text")?;
        Ok(text.lines().map(str::to_owned).collect())
    }

    /// The next line.
    pub(crate) fn line(&mut self) -> Result<String> {
        Ok(self.text(b'\n')?.pop().unwrap_or_default())
    }

    /// The lines with which a frame is answered.
    pub(crate) fn acknowledged(&mut self) -> Result<Vec<String>> {
        self.text(ACK)
    }

    /// The next block.
    pub(crate) fn block(&mut self) -> Result<Vec<u8>> {
        let mut receiver = Receiver::<BYTES>::new();
        let mut seen = Vec::new();
        loop {
            let byte = self.byte()?;
            seen.push(byte);
            match receiver.push(byte).map(|block| block.map(<[u8]>::to_vec)) {
                None => {}
                Some(Ok(block)) => return Ok(block),
                // What it says instead, if it is text.
                Some(Err(_)) if seen.starts_with(b"er") => {
                    let rest = self.line()?;
                    bail!("the board: {}{rest}", String::from_utf8_lossy(&seen));
                }
                Some(Err(_)) => bail!("a block from the board is damaged"),
            }
        }
    }
}
