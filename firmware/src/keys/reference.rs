//! The decoder against `vte`, the parser of a terminal, on any bytes.
//!
//! A terminal and this console differ on purpose in six things, which stand around `vte` here: a
//! control character ends a sequence instead of being run inside it, BEL ends every string, `ESC O`
//! takes parameters, the bytes of a mouse follow `CSI M`, `CSI [` has a final byte of its own, and
//! so has a number before `$`.

use proptest::prelude::*;
use vte::{Params, Parser, Perform};

use super::{Decoder, Key};

/// What `vte` said last.
#[derive(Default)]
struct Said {
    printed: Option<char>,
    /// Parameters and final byte of a control sequence without intermediate bytes.
    sequence: Option<(Vec<Vec<u16>>, char)>,
    /// The byte after ESC.
    escape: Option<u8>,
}

impl Perform for Said {
    fn print(&mut self, character: char) {
        self.printed = Some(character);
    }

    fn csi_dispatch(&mut self, params: &Params, intermediates: &[u8], ignore: bool, last: char) {
        let plain = intermediates.is_empty() && !ignore;
        let params = params.iter().map(<[u16]>::to_vec).collect();
        self.sequence = plain.then_some((params, last));
    }

    fn esc_dispatch(&mut self, intermediates: &[u8], ignore: bool, byte: u8) {
        self.escape = (intermediates.is_empty() && !ignore).then_some(byte);
    }
}

/// What leaves `vte` where every byte up to a final one is ignored.
const PARAMETERS: &[u8] = b"\x1b[;";

/// `vte`, and the ASCII it was fed since it stood outside of a sequence.
#[derive(Default)]
struct Terminal {
    since: Vec<u8>,
}

impl Terminal {
    /// What it says to the last of these bytes after all it was fed.
    fn probe(&self, bytes: &[u8]) -> Said {
        let mut parser = Parser::new();
        parser.advance(&mut Said::default(), &self.since);
        let mut said = Said::default();
        for &byte in bytes {
            said = Said::default();
            parser.advance(&mut said, &[byte]);
        }
        said
    }

    fn in_text(&self) -> bool {
        self.probe(b"a").printed.is_some()
    }

    /// A letter ends every sequence, but no string.
    fn in_string(&self) -> bool {
        self.probe(b"aa").printed.is_none()
    }

    fn feed(&mut self, byte: u8) -> Said {
        let said = self.probe(&[byte]);
        if byte == 0x1b {
            self.since.clear();
        }
        self.since.push(byte);
        if self.in_text() {
            self.since.clear();
        }
        said
    }

    /// Outside of every sequence.
    fn reset(&mut self) {
        self.since.clear();
    }
}

/// The keys of bytes without a NUL.
fn reference(mut bytes: &[u8]) -> Vec<Key> {
    let mut keys = Vec::new();
    let mut terminal = Terminal::default();
    let (mut pasting, mut mouse, mut last) = (false, 0, 0);
    while let Some((&first, rest)) = bytes.split_first() {
        if mouse > 0 && first >= b' ' {
            (mouse, bytes, last) = (mouse - 1, rest, first);
            continue;
        }
        let cancelled = std::mem::take(&mut mouse) > 0;
        // A character, or what is none.
        let chunk = bytes.utf8_chunks().next().unwrap();
        let character = chunk.valid().chars().next();
        let length = character.map_or(chunk.invalid().len(), char::len_utf8);
        let before = std::mem::replace(&mut last, bytes[length - 1]);
        bytes = &bytes[length..];
        let Some(character) = character else {
            if !terminal.in_string() {
                terminal.reset();
                keys.push(Key::Malformed);
            }
            continue;
        };
        match character {
            '\x1b' => {
                terminal.feed(0x1b);
            }
            '\u{80}'..='\u{9f}' => {
                terminal.feed(0x1b);
                if terminal.feed(character as u8 - 0x40).escape == Some(b'O') {
                    terminal.since = PARAMETERS.to_vec();
                }
            }
            ..' ' | '\x7f' => {
                let ends = match character {
                    '\x07' => terminal.in_string(),
                    '\x18' | '\x1a' => cancelled || !terminal.in_text(),
                    _ => false,
                };
                terminal.reset();
                let again = character == '\n' && before == b'\r';
                if !ends && !again {
                    keys.push(control(character as u8, &mut pasting));
                }
            }
            '$' if is_number(&terminal.since) => terminal.reset(),
            ' '..='~' => {
                let at_start = terminal.since == b"\x1b[";
                let said = terminal.feed(character as u8);
                keys.extend(said.printed.map(Key::Char));
                match (said.escape, said.sequence) {
                    // ESC O and CSI [ go on as a control sequence does.
                    (Some(b'O'), _) => terminal.since = PARAMETERS.to_vec(),
                    (_, Some((_, '['))) if at_start => {
                        terminal.since = PARAMETERS.to_vec();
                    }
                    (_, Some((_, 'M'))) if at_start => mouse = 3,
                    (_, Some((_, 't'))) if at_start => mouse = 2,
                    (_, Some((_, 'T'))) if at_start => mouse = 6,
                    (_, Some((params, '~'))) if params == [[200]] => pasting = true,
                    (_, Some((params, '~'))) if params == [[201]] => pasting = false,
                    _ => {}
                }
            }
            _ if terminal.in_text() => keys.push(Key::Char(character)),
            _ if terminal.in_string() => {}
            _ => {
                let alt = terminal.since == [0x1b];
                terminal.reset();
                keys.extend((!alt).then_some(Key::Char(character)));
            }
        }
    }
    keys
}

/// A control sequence that has come as far as a number.
fn is_number(since: &[u8]) -> bool {
    let digits = since.strip_prefix(b"\x1b[").unwrap_or_default();
    !digits.is_empty() && digits.iter().all(u8::is_ascii_digit)
}

fn control(byte: u8, pasting: &mut bool) -> Key {
    match (byte, *pasting) {
        (0x03, _) => {
            *pasting = false;
            Key::Redraw
        }
        (b'\r' | b'\n', true) => Key::Char('\n'),
        (b'\t', true) => Key::Char('\t'),
        (_, true) => Key::Control(byte),
        (b'\r' | b'\n', false) => Key::Enter,
        (b'\t', false) => Key::Tab,
        (0x08 | 0x7f, false) => Key::Backspace,
        (0x0c, false) => Key::Redraw,
        (0x07, false) => Key::GoOn,
        (0x0e, false) => Key::NextSeed,
        (_, false) => Key::Control(byte),
    }
}

/// How many characters a damaged stretch is counted as differs; where it is does not.
fn compared(keys: Vec<Key>) -> Vec<Key> {
    let mut keys = keys;
    keys.dedup_by(|a, b| *a == Key::Malformed && *b == Key::Malformed);
    keys
}

fn decoded(bytes: &[u8]) -> Vec<Key> {
    let mut decoder = Decoder::new();
    compared(bytes.iter().flat_map(|&b| decoder.feed(b)).collect())
}

/// Bytes of which many are parts of sequences.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let parts: Vec<&[u8]> = vec![
        b"\x1b",
        b"\x1b[",
        b"\x1b]",
        b"\x1bP",
        b"\x1bO",
        b"\x1b_",
        b"\x1b\\",
        b"\x9b",
        b"\xc2\x9b",
        b"\xc2\x90",
        b"\xc2\x9c",
        b"\xc3\xa9",
        b"\xe6\xbc\xa2",
        b"\xf0\x9f",
        b"[",
        b"M",
        b"<",
        b"?",
        b";",
        b":",
        b"0",
        b"1",
        b"200",
        b"201",
        b"$",
        b"(",
        b" ",
        b"~",
        b"A",
        b"y",
        b"a",
        b"\r",
        b"\n",
        b"\t",
        b"\x07",
        b"\x18",
        b"\x1a",
        b"\x03",
        b"\x7f",
        b"\x1b[200~",
        b"\x1b[201~",
        b"\x1b[M",
        b"\x1b[[",
    ];
    let part = prop_oneof![
        6 => proptest::sample::select(parts).prop_map(<[u8]>::to_vec),
        1 => (1_u8..).prop_map(|byte| vec![byte]),
    ];
    proptest::collection::vec(part, 0..40).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases.max(4000)))]

    #[test]
    fn any_bytes_give_the_keys_of_a_terminals_parser(bytes in bytes()) {
        // A character that is not at its end yet is none in either.
        let bytes = [&bytes[..], b"\x03"].concat();
        prop_assert_eq!(decoded(&bytes), compared(reference(&bytes)));
    }

    #[test]
    fn noise_gives_the_keys_of_a_terminals_parser(
        bytes in proptest::collection::vec(1_u8.., 0..80),
    ) {
        // A character that is not at its end yet is none in either.
        let bytes = [&bytes[..], b"\x03"].concat();
        prop_assert_eq!(decoded(&bytes), compared(reference(&bytes)));
    }
}
