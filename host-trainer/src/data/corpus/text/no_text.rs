//! Bytes that are no text: where, in which line, and what they may be.

use std::path::Path;

use super::super::decode::{Decoder, Encoding, Malformed};
use super::{Content, Text};
use crate::error::Error;

impl Text {
    /// The error for bytes that are no text, with where they are and what they may be.
    pub(super) fn not_text(&self, what: Malformed) -> Error {
        let (what, guess) = match what {
            Malformed::At(offset, encoding) => {
                let line = 1 + self.line_ends(offset);
                let what =
                    format!("is not {encoding}: invalid byte at offset {offset} (line {line})");
                let unasked = self.encoding.is_none() && encoding == Encoding::UTF_8;
                (what, unasked.then(|| self.guess(offset)))
            }
            Malformed::Utf32 => {
                let command = self.conversion("UTF-32");
                let what = "is UTF-32 by its byte order mark, which is not read: convert it first";
                return self.no_text(format!("{what}, with {command}"));
            }
            Malformed::Wide(guess) => {
                let what =
                    "has a zero at every other byte, as UTF-16 has without a byte order mark";
                (what.to_owned(), Some(guess))
            }
        };
        self.no_text(match guess {
            None => format!("{what}; --encoding names another"),
            Some(guess) => format!(
                "{what}; if it is {guess}, read it with --encoding {}, or convert it with {}; if it is \
                 no text, train with --level byte",
                guess.name(),
                self.conversion(&guess.to_string().to_ascii_uppercase()),
            ),
        })
    }

    fn no_text(&self, what: String) -> Error {
        let name = self.name.clone();
        Error::NotText { name, what }
    }

    /// The command that converts it to UTF-8.
    fn conversion(&self, from: &str) -> String {
        match &self.content {
            // Nobody knows what came through a pipe; what is in memory may be that.
            Content::Memory { .. } if !Path::new(&self.name).is_file() => {
                format!("`iconv -f {from} -t UTF-8`")
            }
            _ => {
                let name = crate::shell::quoted(&self.name);
                format!("`iconv -f {from} -t UTF-8 {name} > {name}.utf8`")
            }
        }
    }

    /// What bytes that are not UTF-8 may be, by those around `offset`.
    fn guess(&self, offset: u64) -> Encoding {
        const AROUND: u64 = 32 << 10;
        let mut around = Vec::new();
        let mut at = 0;
        // What cannot be read any more is not looked at.
        let _ = self.blocks(&mut |block, _| {
            let from = offset.saturating_sub(AROUND).saturating_sub(at) as usize;
            let to = (offset + AROUND).saturating_sub(at) as usize;
            let part = block.get(from..to.min(block.len()));
            around.extend_from_slice(part.unwrap_or_default());
            at += block.len() as u64;
            Ok(at < offset + AROUND)
        });
        Encoding::guess(&around)
    }

    /// Line ends of the characters before a byte.
    fn line_ends(&self, offset: u64) -> usize {
        let mut decoder = Decoder::new(self.encoding);
        let (mut lines, mut after_cr, mut at) = (0, false, 0);
        let mut count = |text: &str| {
            for byte in text.bytes() {
                lines += usize::from(byte == b'\r' || byte == b'\n' && !after_cr);
                after_cr = byte == b'\r';
            }
        };
        let _ = self.blocks(&mut |block, _| {
            let wanted = (offset - at).min(block.len() as u64);
            if let Ok(text) = decoder.push(&block[..wanted as usize], at + wanted == offset) {
                count(text);
            }
            at += wanted;
            Ok(at < offset)
        });
        lines
    }
}
