//! Text from files and arguments as marks that a terminal shows and does not act on.
//!
//! ```text
//! hidden(c)    Cc (C0, DEL, C1), Zl, Zp (U+2028, U+2029), Default_Ignorable_Code_Point (bidirectional
//!              marks, overrides and isolates, zero-width characters, BOM, variation selectors, tags),
//!              U+FFF9..U+FFFB, and the noncharacters
//! picture(c)   ↵ line feed   ⇥ tab   ␀..␟ other C0   ␡ DEL   ␦ every other hidden one   c itself
//! line(t)      the same, and <U+202E> in the place of ␦
//! text(t)      as line(t), but line feeds and tabs stay, and so do joiners and variation selectors
//!              that stand behind something other than ASCII, which writing and emoji need
//! ```
//!
//! The lists are those of Unicode 16: `UnicodeData.txt` for Cc, Zl and Zp, and
//! `DerivedCoreProperties.txt` for the ignorable ones, whose unassigned neighbours are in it too.

use core::fmt::{self, Display, Formatter, Write};

/// Whether a terminal or a page would act on a character, or show nothing for it.
pub const fn is_hidden(character: char) -> bool {
    matches!(
        character,
        '\0'..='\x1f'
            | '\x7f'..='\u{9f}'
            | '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{fdd0}'..='\u{fdef}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}'
    ) || character as u32 & 0xfffe == 0xfffe
}

/// A character as one that is seen and takes one column where the character itself would take none.
pub const fn picture(character: char) -> char {
    match character {
        '\n' => '↵',
        '\t' => '⇥',
        '\x7f' => '␡',
        '\0'..='\x1f' => match char::from_u32(0x2400 + character as u32) {
            Some(picture) => picture,
            None => '␦',
        },
        _ if is_hidden(character) => '␦',
        _ => character,
    }
}

/// What `T` shows, in one line, without a hidden character.
///
/// ```
/// let name = "novels\u{1b}[2J\u{202e}txt\n";
/// assert_eq!(gatelet::visible::line(name).to_string(), "novels␛[2J<U+202E>txt↵");
/// ```
pub const fn line<T: Display>(shown: T) -> Visible<T> {
    Visible {
        shown,
        lines: false,
    }
}

/// What `T` shows, in lines as it has them, without another hidden character.
///
/// ```
/// let text = "two\r\nlines \u{2764}\u{fe0f}";
/// assert_eq!(gatelet::visible::text(text).to_string(), "two␍\nlines \u{2764}\u{fe0f}");
/// ```
pub const fn text<T: Display>(shown: T) -> Visible<T> {
    Visible { shown, lines: true }
}

/// As [`line()`] and [`text`] make it.
#[derive(Clone, Copy, Debug)]
pub struct Visible<T> {
    shown: T,
    lines: bool,
}

impl<T: Display> Display for Visible<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut marks = Marks {
            lines: self.lines,
            ..Marks::text(f)
        };
        write!(marks, "{}", self.shown)
    }
}

/// Passes text on as it comes, marks in the place of hidden characters.
#[derive(Clone, Debug)]
pub struct Marks<W> {
    out: W,
    lines: bool,
    /// The last character that was no mark.
    before: char,
}

impl<W: Write> Marks<W> {
    /// For a text of several lines, as [`text`] shows it.
    pub const fn text(out: W) -> Self {
        Marks {
            out,
            lines: true,
            before: ' ',
        }
    }

    /// Where it goes.
    pub const fn out(&mut self) -> &mut W {
        &mut self.out
    }

    /// Whether a hidden character is part of a text of several lines.
    fn stays(&self, character: char) -> bool {
        let joins = matches!(
            character,
            '\u{200c}' | '\u{200d}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}'
        );
        let follows =
            !self.before.is_ascii() && (self.before == '\u{fe0f}' || !is_hidden(self.before));
        self.lines && (matches!(character, '\n' | '\t') || joins && follows)
    }
}

impl<W: Write> Write for Marks<W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            let shown = match self.stays(character) {
                true => character,
                false => picture(character),
            };
            // A mark is nothing that could be joined to.
            self.before = if shown == character { character } else { ' ' };
            match shown {
                '␦' if character != '␦' => {
                    write!(self.out, "<U+{:04X}>", u32::from(character))?
                }
                shown => self.out.write_char(shown)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::string::{String, ToString};

    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_kind_of_hidden_character_becomes_a_mark() {
        for (hidden, marks) in [
            ("\0\x07\x1b\x1f\x7f", "␀␇␛␟␡"),
            ("\r\n\t", "␍↵⇥"),
            ("\u{80}\u{9b}\u{9f}", "<U+0080><U+009B><U+009F>"),
            ("\u{61c}\u{200e}\u{200f}", "<U+061C><U+200E><U+200F>"),
            ("\u{202a}\u{202e}", "<U+202A><U+202E>"),
            ("\u{2066}\u{2069}", "<U+2066><U+2069>"),
            ("\u{2028}\u{2029}", "<U+2028><U+2029>"),
            (
                "\u{200b}\u{200d}\u{2060}\u{feff}",
                "<U+200B><U+200D><U+2060><U+FEFF>",
            ),
            ("\u{e0001}\u{e0041}\u{e007f}", "<U+E0001><U+E0041><U+E007F>"),
            ("a\u{fe0f}\u{e0100}", "a<U+FE0F><U+E0100>"),
            (
                "\u{ad}\u{180e}\u{3164}\u{fff9}",
                "<U+00AD><U+180E><U+3164><U+FFF9>",
            ),
            ("\u{fffe}\u{10ffff}", "<U+FFFE><U+10FFFF>"),
        ] {
            assert_eq!(line(hidden).to_string(), marks);
        }
    }

    #[test]
    fn what_is_seen_stays() {
        let text = "é e\u{301} 漢字 😀 ␦ \u{a0}\u{fffd} שלום";
        assert_eq!(line(text).to_string(), text);
    }

    #[test]
    fn a_text_keeps_its_lines_and_what_its_writing_needs() {
        // A Persian word with a non-joiner; a red heart; a family; a rainbow flag.
        for whole in [
            "a\n\tb",
            "می\u{200c}خواهم",
            "\u{2764}\u{fe0f}",
            "👩\u{200d}👦",
            "🏳\u{fe0f}\u{200d}🌈",
        ] {
            assert_eq!(text(whole).to_string(), whole);
        }
        for (lone, marks) in [
            ("a\u{200d}b", "a<U+200D>b"),
            ("\u{200c}", "<U+200C>"),
            ("é\u{200d}\u{200d}", "é\u{200d}<U+200D>"),
            ("é\u{202e}\u{200d}", "é<U+202E><U+200D>"),
            ("a\u{fe0f}\u{200d}", "a<U+FE0F><U+200D>"),
            ("\r\n", "␍\n"),
        ] {
            assert_eq!(text(lone).to_string(), marks);
        }
    }

    #[test]
    fn it_is_what_is_formatted_that_is_shown() {
        assert_eq!(line('\x1b').to_string(), "␛");
        assert_eq!(
            line(format_args!("{}\u{202e}{}", 1, 2.5)).to_string(),
            "1<U+202E>2.5"
        );
    }

    proptest! {
        #[test]
        fn nothing_hidden_comes_through(shown in any::<String>()) {
            prop_assert!(!line(&shown).to_string().chars().any(is_hidden));
            let lines = text(&shown).to_string();
            prop_assert!(!lines.chars().any(|c| c.is_control() && !"\n\t".contains(c)));
            let never = ['\u{202e}', '\u{2028}', '\u{feff}', '\u{200b}', '\u{e0041}'];
            let raw = lines.contains(never);
            prop_assert!(!raw);
        }

        #[test]
        fn a_picture_is_one_character_that_is_seen(c in any::<char>()) {
            prop_assert!(!is_hidden(picture(c)));
            prop_assert!(is_hidden(c) || picture(c) == c);
        }
    }
}
