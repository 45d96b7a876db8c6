//! Bytes from the serial line to keys: incremental UTF-8, control characters, escape sequences.
//!
//! ```text
//! 0x20..=0x7e, UTF-8      Char        08 7f   Backspace      1b [ params final   ignored (arrows, Delete, F-keys)
//! 0d, 0a, 0d 0a           Enter       03 0c   Redraw         1b O final          ignored (F1..F4, keypad)
//! 09                      Tab         07      GoOn           1b other            ignored (Alt + key)
//! others below 20         Control     0e      NextSeed
//! ```
//!
//! A byte that cannot continue a UTF-8 sequence ends it as [`Key::Malformed`] and is then looked at on its own, so
//! one damaged byte costs one character.

/// What a person did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// Typed a printable character.
    Char(char),
    /// Return or line feed; CR LF counts once.
    Enter,
    /// Accept the completion.
    Tab,
    /// Take one character back.
    Backspace,
    /// Ctrl-C or Ctrl-L: draw the line again.
    Redraw,
    /// Ctrl-G: let the board write.
    GoOn,
    /// Ctrl-N: let it write something else.
    NextSeed,
    /// Another control character, with its code.
    Control(u8),
    /// Bytes that are not UTF-8.
    Malformed,
}

/// Where in an escape sequence the decoder stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Escape {
    /// Outside.
    #[default]
    None,
    /// After ESC.
    Started,
    /// After ESC `[`: parameters, then one final byte.
    Csi,
    /// After ESC `O`: one final byte.
    Ss3,
}

/// The decoder's state: at most three bytes of an unfinished character.
#[derive(Clone, Copy, Debug, Default)]
pub struct Decoder {
    /// Bytes of the character under way.
    bytes: [u8; 4],
    /// How many of them have come.
    have: usize,
    /// How many the first one announced.
    need: usize,
    escape: Escape,
    after_return: bool,
}

impl Decoder {
    /// A decoder at the start of a stream.
    pub const fn new() -> Self {
        Decoder {
            bytes: [0; 4],
            have: 0,
            need: 0,
            escape: Escape::None,
            after_return: false,
        }
    }

    /// Takes one byte. Up to two keys come out: a damaged character that this byte ends, and the byte's own.
    pub fn feed(&mut self, byte: u8) -> impl Iterator<Item = Key> + use<> {
        let mut keys = [None, None];
        if self.have > 0 {
            if byte & 0xc0 == 0x80 {
                return [self.continue_character(byte), None].into_iter().flatten();
            }
            self.have = 0;
            keys[0] = Some(Key::Malformed);
        }
        keys[1] = self.first_byte(byte);
        keys.into_iter().flatten()
    }

    fn continue_character(&mut self, byte: u8) -> Option<Key> {
        if let Some(slot) = self.bytes.get_mut(self.have) {
            *slot = byte;
        }
        self.have += 1;
        if self.have < self.need {
            return None;
        }
        let encoded = self.bytes.get(..self.have).unwrap_or_default();
        self.have = 0;
        // The standard library's check also refuses overlong forms and surrogates.
        let character = core::str::from_utf8(encoded)
            .ok()
            .and_then(|text| text.chars().next());
        Some(character.map_or(Key::Malformed, Key::Char))
    }

    fn first_byte(&mut self, byte: u8) -> Option<Key> {
        let after_return = core::mem::replace(&mut self.after_return, byte == b'\r');
        let escape = core::mem::take(&mut self.escape);
        if matches!(byte, 0x20..=0x7f) && escape != Escape::None {
            self.escape = match (escape, byte) {
                (Escape::Started, b'[') => Escape::Csi,
                (Escape::Started, b'O') => Escape::Ss3,
                (Escape::Csi, 0x20..=0x3f) => Escape::Csi,
                _ => Escape::None,
            };
            return None;
        }
        match byte {
            b'\n' if after_return => None,
            b'\r' | b'\n' => Some(Key::Enter),
            b'\t' => Some(Key::Tab),
            0x08 | 0x7f => Some(Key::Backspace),
            0x03 | 0x0c => Some(Key::Redraw),
            0x07 => Some(Key::GoOn),
            0x0e => Some(Key::NextSeed),
            0x1b => {
                self.escape = Escape::Started;
                None
            }
            0x00..=0x1f => Some(Key::Control(byte)),
            0x20..=0x7e => Some(Key::Char(char::from(byte))),
            0xc2..=0xf4 => {
                self.need = match byte {
                    0xc2..=0xdf => 2,
                    0xe0..=0xef => 3,
                    _ => 4,
                };
                self.bytes = [byte, 0, 0, 0];
                self.have = 1;
                None
            }
            _ => Some(Key::Malformed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn keys(bytes: &[u8]) -> Vec<Key> {
        let mut decoder = Decoder::new();
        bytes.iter().flat_map(|&b| decoder.feed(b)).collect()
    }

    fn typed(text: &str) -> Vec<Key> {
        text.chars().map(Key::Char).collect()
    }

    #[test]
    fn control_characters() {
        assert_eq!(keys(b"\t"), [Key::Tab]);
        assert_eq!(keys(b"\x08\x7f"), [Key::Backspace, Key::Backspace]);
        assert_eq!(keys(b"\x03\x0c"), [Key::Redraw, Key::Redraw]);
        assert_eq!(keys(b"\x07\x0e"), [Key::GoOn, Key::NextSeed]);
        assert_eq!(keys(b"\x01\x00"), [Key::Control(1), Key::Control(0)]);
    }

    #[test]
    fn a_line_ends_once() {
        assert_eq!(keys(b"\r"), [Key::Enter]);
        assert_eq!(keys(b"\n"), [Key::Enter]);
        assert_eq!(keys(b"\r\n"), [Key::Enter]);
        assert_eq!(keys(b"\r\r\n\n"), [Key::Enter; 3]);
        assert_eq!(keys(b"\ra\n"), [Key::Enter, Key::Char('a'), Key::Enter]);
    }

    #[test]
    fn arrows_and_function_keys_are_swallowed_whole() {
        for sequence in [
            "\x1b[A",
            "\x1b[D",
            "\x1b[3~",
            "\x1b[1;5C",
            "\x1bOP",
            "\x1bf",
            "\x1b[15~",
            "\x1b\x1b[A",
        ] {
            assert_eq!(
                keys(format!("a{sequence}b").as_bytes()),
                typed("ab"),
                "{sequence:?}"
            );
        }
    }

    #[test]
    fn a_control_character_ends_an_escape_sequence() {
        assert_eq!(keys(b"\x1b[1\ra"), [Key::Enter, Key::Char('a')]);
    }

    #[test]
    fn damaged_utf8_costs_one_character() {
        assert_eq!(keys(b"\xc3a"), [Key::Malformed, Key::Char('a')]);
        assert_eq!(keys(b"\x80a"), [Key::Malformed, Key::Char('a')]);
        assert_eq!(keys(b"\xe0\x80\x80a"), [Key::Malformed, Key::Char('a')]);
        assert_eq!(keys(b"\xed\xa0\x80a"), [Key::Malformed, Key::Char('a')]);
        assert_eq!(keys(b"\xf5a"), [Key::Malformed, Key::Char('a')]);
        assert_eq!(keys(b"\xe2\x82\xc3\xa9"), [Key::Malformed, Key::Char('é')]);
        assert_eq!(keys(b"\xf0\x9f\r"), [Key::Malformed, Key::Enter]);
    }

    proptest! {
        #[test]
        fn text_comes_through(text in "[^\\x00-\\x1f\\x7f-\\u{9f}]*") {
            prop_assert_eq!(keys(text.as_bytes()), typed(&text));
        }

        #[test]
        fn any_bytes_and_then_a_line_are_understood(
            noise in proptest::collection::vec(any::<u8>(), 0..64),
        ) {
            // Whatever came before, a control character brings the decoder back.
            let mut bytes = noise;
            bytes.extend_from_slice(b"\x03ok");
            let all = keys(&bytes);
            prop_assert_eq!(&all[all.len() - 3..], &[Key::Redraw, Key::Char('o'), Key::Char('k')]);
        }
    }
}
