//! The bytes of a text to characters, piece by piece.
//!
//! ```text
//! head     the first four bytes are held back until they are all there: a byte order mark may be among them
//!          EF BB BF  UTF-8      FF FE  UTF-16LE      FE FF  UTF-16BE      none  what was asked for, or UTF-8
//! piece    bytes --encoding_rs--> characters;  an unfinished character waits for the next piece
//! bytes    at the level of bytes nothing is decoded: byte b is the character U+00b
//! ```
//!
//! A byte order mark wins over the encoding that was asked for, as browsers have it. What is malformed is an error with
//! its offset; nothing is replaced.

use std::fmt::{self, Display, Formatter};
use std::str::FromStr;

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{DecoderResult, Encoding as Whatwg, UTF_8, UTF_16BE, UTF_16LE};

/// The longest byte order mark, that of UTF-32.
const HEAD: usize = 4;
/// Byte order mark of UTF-32LE, which begins like that of UTF-16LE.
const UTF_32LE: [u8; HEAD] = [0xff, 0xfe, 0, 0];
/// Byte order mark of UTF-32BE.
const UTF_32BE: [u8; HEAD] = [0, 0, 0xfe, 0xff];
/// Bytes that a guess looks at.
const LOOKED_AT: usize = 64 << 10;

/// A character encoding, by one of the names of the WHATWG: `windows-1252`, `shift_jis`, `utf-16le`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Encoding(&'static Whatwg);

impl Encoding {
    /// UTF-8.
    pub const UTF_8: Self = Self(UTF_8);

    /// Its name, as [`FromStr`] takes it.
    pub fn name(self) -> String {
        self.0.name().to_ascii_lowercase()
    }

    /// The encoding that bytes which are not UTF-8 are probably in.
    pub fn guess(bytes: &[u8]) -> Self {
        let bytes = &bytes[..bytes.len().min(LOOKED_AT)];
        if let Some(wide) = Self::wide(bytes) {
            return wide;
        }
        let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
        detector.feed(bytes, true);
        Self(detector.guess(None, Utf8Detection::Deny))
    }

    /// UTF-16 without a byte order mark, by its zeros: of letters of western scripts every other byte is one.
    fn wide(bytes: &[u8]) -> Option<Self> {
        let zeros = |from: usize| bytes.iter().skip(from).step_by(2).filter(|&&b| b == 0);
        let (even, odd) = (zeros(0).count(), zeros(1).count());
        let many = |zeros: usize, others: usize| 8 * zeros > bytes.len() && zeros > 8 * others;
        if many(odd, even) {
            Some(Self(UTF_16LE))
        } else if many(even, odd) {
            Some(Self(UTF_16BE))
        } else {
            None
        }
    }
}

impl FromStr for Encoding {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match Whatwg::for_label_no_replacement(name.as_bytes()) {
            Some(encoding) => Ok(Self(encoding)),
            None => Err(
                "no encoding has this name; known are utf-8, utf-16le, utf-16be, windows-1250 to \
                 windows-1258, iso-8859-2 to iso-8859-16, koi8-r, macintosh, shift_jis, euc-jp, \
                 gbk, gb18030, big5, euc-kr and other names of the WHATWG"
                    .to_owned(),
            ),
        }
    }
}

impl Display for Encoding {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name())
    }
}

impl fmt::Debug for Encoding {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Display::fmt(self, f)
    }
}

/// Why bytes are no text, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Malformed {
    /// The bytes from this offset on are none of the encoding.
    At(u64, Encoding),
    /// The text begins with the byte order mark of UTF-32.
    Utf32,
    /// It would be UTF-8 with a zero at every other byte, and so is UTF-16.
    Wide(Encoding),
}

/// Bytes to characters.
pub(super) struct Decoder {
    state: State,
    out: String,
    /// Bytes taken so far.
    offset: u64,
}

enum State {
    /// At the level of bytes.
    Bytes,
    /// Looking for a byte order mark, with what was asked for.
    Head(Option<Encoding>, Vec<u8>),
    Running(Encoding, encoding_rs::Decoder),
}

impl Decoder {
    /// At the start of a text; UTF-8, or what its byte order mark says, if nothing is asked for.
    pub(super) fn new(asked: Option<Encoding>) -> Self {
        Self::in_state(State::Head(asked, Vec::new()))
    }

    /// At the start of what is taken as bytes.
    pub(super) fn of_bytes() -> Self {
        Self::in_state(State::Bytes)
    }

    fn in_state(state: State) -> Self {
        Self {
            state,
            out: String::new(),
            offset: 0,
        }
    }

    /// The encoding, as soon as it is known.
    pub(super) fn encoding(&self) -> Option<Encoding> {
        match self.state {
            State::Running(encoding, _) => Some(encoding),
            State::Bytes | State::Head(..) => None,
        }
    }

    /// Takes the next bytes; gives the characters that are complete with them. `last` says that there are no more.
    ///
    /// # Errors
    /// Where they are malformed.
    pub(super) fn push(&mut self, bytes: &[u8], last: bool) -> Result<&str, Malformed> {
        self.out.clear();
        match &mut self.state {
            State::Bytes => {
                self.out.push_str(&encoding_rs::mem::decode_latin1(bytes));
                return Ok(&self.out);
            }
            State::Head(asked, head) => {
                let (asked, mut head) = (*asked, std::mem::take(head));
                let missing = HEAD.saturating_sub(head.len()).min(bytes.len());
                let (more, rest) = bytes.split_at(missing);
                head.extend_from_slice(more);
                if head.len() < HEAD && !last {
                    self.state = State::Head(asked, head);
                    return Ok("");
                }
                let (encoding, mark) = begin(&head, asked)?;
                // A text so short that it is all there, or one in a piece of some length, shows its zeros.
                let zeros = [&head[..], &rest[..rest.len().min(LOOKED_AT)]].concat();
                if asked.is_none()
                    && mark == 0
                    && let Some(wide) = Encoding::wide(&zeros)
                {
                    return Err(Malformed::Wide(wide));
                }
                let decoder = encoding.0.new_decoder_without_bom_handling();
                self.state = State::Running(encoding, decoder);
                self.offset = mark as u64;
                self.decode(&head[mark..], last && rest.is_empty())?;
                if !rest.is_empty() {
                    self.decode(rest, last)?;
                }
            }
            State::Running(..) => self.decode(bytes, last)?,
        }
        Ok(&self.out)
    }

    /// Adds the characters of `bytes` to `out`.
    fn decode(&mut self, mut bytes: &[u8], last: bool) -> Result<(), Malformed> {
        let State::Running(encoding, decoder) = &mut self.state else {
            return Ok(());
        };
        if bytes.is_empty() && !last {
            return Ok(());
        }
        loop {
            let room = decoder.max_utf8_buffer_length_without_replacement(bytes.len());
            self.out.reserve(room.unwrap_or(4 * bytes.len()));
            let (result, read) =
                decoder.decode_to_string_without_replacement(bytes, &mut self.out, last);
            self.offset += read as u64;
            bytes = &bytes[read..];
            match result {
                DecoderResult::InputEmpty => return Ok(()),
                DecoderResult::OutputFull => {}
                DecoderResult::Malformed(bad, after) => {
                    let at = self.offset - u64::from(bad) - u64::from(after);
                    return Err(Malformed::At(at, *encoding));
                }
            }
        }
    }
}

/// Encoding of a text that begins with `head`, and the length of its byte order mark.
fn begin(head: &[u8], asked: Option<Encoding>) -> Result<(Encoding, usize), Malformed> {
    if head == UTF_32LE || head == UTF_32BE {
        return Err(Malformed::Utf32);
    }
    Ok(match Whatwg::for_bom(head) {
        Some((encoding, mark)) => (Encoding(encoding), mark),
        None => (asked.unwrap_or(Encoding::UTF_8), 0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// All of `bytes`, cut at `cuts`.
    fn decoded(asked: Option<Encoding>, bytes: &[u8], cuts: &[usize]) -> Result<String, Malformed> {
        let mut decoder = Decoder::new(asked);
        let (mut text, mut from) = (String::new(), 0);
        for &cut in cuts {
            let cut = cut.clamp(from, bytes.len());
            text.push_str(decoder.push(&bytes[from..cut], false)?);
            from = cut;
        }
        text.push_str(decoder.push(&bytes[from..], true)?);
        Ok(text)
    }

    fn whole(asked: Option<&str>, bytes: &[u8]) -> Result<String, Malformed> {
        decoded(asked.map(|name| name.parse().unwrap()), bytes, &[])
    }

    /// `text` in UTF-16 with a byte order mark.
    fn utf_16(text: &str, big: bool) -> Vec<u8> {
        let order = |unit: u16| {
            if big {
                unit.to_be_bytes()
            } else {
                unit.to_le_bytes()
            }
        };
        let units = std::iter::once(0xfeff).chain(text.encode_utf16());
        units.flat_map(order).collect()
    }

    #[test]
    fn a_byte_order_mark_decides_and_is_no_character() {
        assert_eq!(whole(None, b"\xef\xbb\xbfab").unwrap(), "ab");
        assert_eq!(whole(None, b"\xef\xbb\xbf").unwrap(), "");
        for big in [false, true] {
            let bytes = utf_16("aé漢😀", big);
            for asked in [None, Some("utf-8"), Some("windows-1252")] {
                assert_eq!(whole(asked, &bytes).unwrap(), "aé漢😀");
            }
            assert_eq!(whole(None, &bytes[..2]).unwrap(), "");
        }
        assert_eq!(whole(None, b"\xff\xfe\0\0a\0\0\0"), Err(Malformed::Utf32));
        assert_eq!(whole(None, b"\0\0\xfe\xff\0\0\0a"), Err(Malformed::Utf32));
    }

    #[test]
    fn encodings_have_the_names_of_the_whatwg() {
        let text = |name, bytes: &[u8]| whole(Some(name), bytes).unwrap();
        assert_eq!(text("latin1", b"na\xefve \x93x\x94"), "naïve “x”");
        assert_eq!(text("iso-8859-15", b"\xa4"), "€");
        assert_eq!(text("KOI8-R", b"\xf0\xf2\xe9"), "ПРИ");
        assert_eq!(text("shift_jis", b"\x93\xfa\x96\x7b"), "日本");
        assert_eq!(text("utf-16le", b"a\0b\0"), "ab");
        for wrong in ["", "ebcdic", "iso-2022-kr", "replacement"] {
            assert!(wrong.parse::<Encoding>().is_err(), "{wrong}");
        }
        let all = [UTF_8, UTF_16BE, UTF_16LE, encoding_rs::WINDOWS_1252].map(Encoding);
        assert!(all.iter().all(|e| e.name().parse() == Ok(*e)));
    }

    #[test]
    fn what_is_malformed_is_named_by_its_first_byte() {
        let at = |asked: Option<&str>, bytes: &[u8]| match whole(asked, bytes) {
            Err(Malformed::At(offset, _)) => offset,
            other => panic!("{other:?}"),
        };
        assert_eq!(at(None, b"abc\xffd"), 3);
        assert_eq!(at(None, b"\xef\xbb\xbfabc\xffd"), 6);
        assert_eq!(at(None, b"abcd\xe6\xbc"), 4);
        assert_eq!(at(None, b"\xe9"), 0);
        assert_eq!(at(Some("utf-16le"), b"a\0\0\xd8b\0"), 2, "a lone surrogate");
        assert_eq!(at(Some("utf-16be"), b"\0a\0"), 2, "half a unit");
        assert_eq!(at(Some("shift_jis"), b"ab\x93"), 2);
    }

    #[test]
    fn guesses_are_what_people_have() {
        let of = |bytes: &[u8]| Encoding::guess(bytes).name();
        assert_eq!(of(b"It\x92s na\xefve, caf\xe9."), "windows-1252");
        assert_eq!(of(b"Stra\xdfe und Gr\xf6\xdfe, sch\xf6n"), "windows-1252");
        let russian = encoding_rs::WINDOWS_1251
            .encode("Привет, как дела? Хорошо, спасибо")
            .0;
        assert_eq!(of(&russian), "windows-1251");
        let japanese = encoding_rs::SHIFT_JIS
            .encode("これは日本語の文章です。読めますか。")
            .0;
        assert_eq!(of(&japanese), "shift_jis");
        assert_eq!(of(b"a\0b\0c\0d\0e\0 \0f\0\xe9\0"), "utf-16le");
        assert_eq!(of(b"\0a\0b\0c\0d\0e\0 \0f\0\xe9"), "utf-16be");
        let wide = whole(None, b"a\0b\0c\0d\0e\0");
        assert_eq!(wide, Err(Malformed::Wide(Encoding(UTF_16LE))));
        assert_eq!(whole(Some("utf-8"), b"a\0b\0c\0").unwrap(), "a\0b\0c\0");
        assert!(whole(None, b"one zero\0 is no UTF-16").is_ok());
    }

    #[test]
    fn every_byte_is_a_character_at_the_level_of_bytes() {
        let all: Vec<u8> = (0..=255).collect();
        let text = Decoder::of_bytes().push(&all, true).unwrap().to_owned();
        assert!(text.chars().map(u32::from).eq(0..256));
    }

    proptest! {
        #[test]
        fn pieces_give_what_the_whole_gives(
            text in "\u{feff}?[a-zé漢😀\r\n]{0,30}",
            junk in proptest::collection::vec(any::<u8>(), 0..4),
            cuts in proptest::collection::vec(0..80_usize, 0..8),
        ) {
            let mut cuts = cuts;
            cuts.sort_unstable();
            let mut utf_8 = text.clone().into_bytes();
            utf_8.extend(junk);
            let bytes = [utf_8, utf_16(&text, false), utf_16(&text, true)];
            for bytes in &bytes {
                for asked in [None, Some(Encoding(encoding_rs::SHIFT_JIS))] {
                    let whole = decoded(asked, bytes, &[]);
                    // Zeros are looked for in the first piece only.
                    if !matches!(whole, Err(Malformed::Wide(_))) {
                        prop_assert_eq!(decoded(asked, bytes, &cuts), whole);
                    }
                }
            }
        }
    }
}
