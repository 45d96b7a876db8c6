//! Bytes from the serial line to keys: UTF-8 first, then control characters and the sequences of
//! ECMA-48.
//!
//! ```text
//! 0x20..=0x7e, UTF-8      Char        08 7f   Backspace      CSI ESC O ESC SP     ignored to the final byte:
//! 0d, 0a, 0d 0a           Enter       03 0c   Redraw                              arrows, F-keys, mouse, reports
//! 09                      Tab         07      GoOn           OSC DCS APC PM SOS   ignored to BEL, ESC \ or a control
//! others below 20         Control     0e      NextSeed       ESC other            ignored: Alt + key
//! 00                      nothing: a telnet's CR NUL, a break                     CSI is ESC [ or U+009B, and so on
//!
//! CSI 200 ~ text CSI 201 ~   pasted: line breaks and tabs are characters of it, controls do nothing but 03, which ends it
//! ```
//!
//! A byte that cannot continue a UTF-8 sequence ends it as [`Key::Malformed`] and is then looked at
//! on its own, so one damaged byte costs one character. A single byte 80..=9f is no C1 control:
//! UTF-8 has them in two.
//!
//! Whatever was cut off, a control character ends it and is its own key: Enter and Ctrl-C always
//! work. ADR 9 says why this is not a crate, and `keys/reference.rs` compares it with one.

/// What a person did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// Typed a printable character, or pasted a character, a line feed or a tab.
    Char(char),
    /// Return or line feed; CR LF and CR NUL count once.
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

/// Where in a control sequence the decoder stands. Names as in ECMA-48 and ECMA-35.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// Outside.
    #[default]
    Text,
    /// After ESC.
    Escape,
    /// After ESC and an intermediate byte.
    Intermediate,
    /// After CSI.
    Csi,
    /// After CSI and a number that is not at its end.
    Number(u8),
    /// Further in a control sequence, or after ESC O: everything to the final byte.
    Parameters,
    /// In OSC, DCS, APC, PM or SOS.
    String,
    /// In the mouse's bytes behind a sequence, of which so many are to come.
    Mouse(u8),
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
    state: State,
    /// The last byte that was no NUL.
    last: u8,
    /// Between the brackets of a paste.
    pasting: bool,
}

impl Decoder {
    /// A decoder at the start of a stream.
    pub const fn new() -> Self {
        Decoder {
            bytes: [0; 4],
            have: 0,
            need: 0,
            state: State::Text,
            last: 0,
            pasting: false,
        }
    }

    /// Takes one byte. Up to two keys come out: a damaged character that this byte ends, and the
    /// byte's own.
    pub fn feed(&mut self, byte: u8) -> impl Iterator<Item = Key> + use<> {
        let mut keys = [None, None];
        if self.have > 0 {
            if byte & 0xc0 == 0x80 {
                return [self.continue_character(byte), None].into_iter().flatten();
            }
            self.have = 0;
            keys[0] = self.malformed();
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
        match character {
            Some(character) => self.character(character, false),
            None => self.malformed(),
        }
    }

    fn first_byte(&mut self, byte: u8) -> Option<Key> {
        if let State::Mouse(left) = self.state
            && byte >= b' '
        {
            self.state = match left {
                ..=1 => State::Text,
                _ => State::Mouse(left - 1),
            };
            return None;
        }
        if byte == 0 {
            return None;
        }
        let after_return = core::mem::replace(&mut self.last, byte) == b'\r';
        match byte {
            ..0x80 => self.character(char::from(byte), after_return),
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
            _ => self.malformed(),
        }
    }

    /// What is no character ends what was under way, but for a string, whose inside is nobody's.
    fn malformed(&mut self) -> Option<Key> {
        if self.state == State::String {
            return None;
        }
        self.state = State::Text;
        Some(Key::Malformed)
    }

    fn character(&mut self, character: char, after_return: bool) -> Option<Key> {
        let state = core::mem::take(&mut self.state);
        match character {
            '\x1b' => self.state = State::Escape,
            // C1: ESC and the character 0x40 before it.
            '\u{80}'..='\u{9f}' => self.escape(character as u8 - 0x40),
            ..' ' | '\x7f' => return self.control(state, character as u8, after_return),
            _ if state == State::Text => return Some(Key::Char(character)),
            _ if state == State::String => self.state = state,
            // Alt + é, whole.
            ' '..='~' => self.in_sequence(state, character as u8),
            _ if state == State::Escape => {}
            _ => return Some(Key::Char(character)),
        }
        None
    }

    /// The byte after ESC.
    fn escape(&mut self, byte: u8) {
        self.state = match byte {
            b'[' => State::Csi,
            b'O' => State::Parameters,
            b'P' | b'X' | b']' | b'^' | b'_' => State::String,
            b' '..=b'/' => State::Intermediate,
            _ => State::Text,
        };
    }

    fn in_sequence(&mut self, state: State, byte: u8) {
        self.state = match (state, byte) {
            (State::Escape, _) => return self.escape(byte),
            (State::Intermediate, b' '..=b'/') => State::Intermediate,
            (State::Csi, b'0'..=b'9') => State::Number(byte - b'0'),
            // A mouse's button and position: X10, and what xterm calls highlight tracking.
            (State::Csi, b'M') => State::Mouse(3),
            (State::Csi, b't') => State::Mouse(2),
            (State::Csi, b'T') => State::Mouse(6),
            // F1 to F5 of the Linux console have a second bracket.
            (State::Csi, b'[') => State::Parameters,
            (State::Number(n), b'0'..=b'9') => {
                State::Number(n.saturating_mul(10).saturating_add(byte - b'0'))
            }
            (State::Number(200), b'~') => {
                self.pasting = true;
                State::Text
            }
            (State::Number(201), b'~') => {
                self.pasting = false;
                State::Text
            }
            // In rxvt a final byte, where everywhere else more would follow.
            (State::Number(_), b'$') => State::Text,
            (State::Csi | State::Number(_) | State::Parameters, b' '..=b'?') => State::Parameters,
            _ => State::Text,
        };
    }

    /// A control character, which ends every sequence.
    fn control(&mut self, state: State, byte: u8, after_return: bool) -> Option<Key> {
        Some(match byte {
            b'\n' if after_return => return None,
            0x07 if state == State::String => return None,
            // What they are for: they cancel.
            0x18 | 0x1a if state != State::Text => return None,
            0x03 => {
                self.pasting = false;
                Key::Redraw
            }
            b'\r' | b'\n' if self.pasting => Key::Char('\n'),
            b'\t' if self.pasting => Key::Char('\t'),
            _ if self.pasting => Key::Control(byte),
            b'\r' | b'\n' => Key::Enter,
            b'\t' => Key::Tab,
            0x08 | 0x7f => Key::Backspace,
            0x0c => Key::Redraw,
            0x07 => Key::GoOn,
            0x0e => Key::NextSeed,
            _ => Key::Control(byte),
        })
    }
}

#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;
