//! One line of the terminal: the typed text, the completion in grey behind the cursor, a panel on
//! the right.
//!
//! ```text
//! column 1                                            53                        79
//!        > It was a tru|th universally                e  63%   a  12%   o   5%
//!        > <the typed text, when it is longer th|an   not in vocabulary: 'é'
//! ```
//!
//! Every redraw writes all columns once, from left to right, and erases nothing before it is
//! overwritten: at 115200 baud a redraw takes 9 ms, and erasing first would be seen as flicker.
//! Long lines show their end.

use core::fmt::{self, Display, Formatter, Write as _};

use embedded_io::Write;
use gatelet::Word;
use gatelet::visible::picture;
use heapless::String;
use unicode_width::UnicodeWidthChar;

use crate::tokens::{BYTES, WORDS};

/// Columns before the text.
const PROMPT: &str = "> ";
/// Columns for text and completion together.
const TEXT_WIDTH: usize = 49;
/// Columns of the text area that stay free for the completion when the line is long.
const COMPLETION_ROOM: usize = 16;
/// The 1-based column of the panel. It ends before column 80, so that no terminal wraps.
const PANEL_COLUMN: usize = 53;
/// Columns of the panel.
const PANEL_WIDTH: usize = 27;
/// Bytes of the panel's text: four for every column.
const PANEL_BYTES: usize = 4 * PANEL_WIDTH;

const HIDE_CURSOR: &str = "\x1b[?25l";
const SHOW_CURSOR: &str = "\x1b[?25h";
const GREY: &str = "\x1b[90m";
const RED: &str = "\x1b[31m";
const PLAIN: &str = "\x1b[0m";
const ERASE_TO_END: &str = "\x1b[K";
const BELL: &str = "\x07";

/// What stands on the right of the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Panel<'a> {
    /// The most likely next characters, each with its probability in thousandths.
    Suggestions(&'a [(char, u16)]),
    /// The same of bytes, which come as characters up to U+00FF.
    Bytes(&'a [(char, u16)]),
    /// The most likely words.
    Words(&'a [Word]),
    /// Nothing.
    Nothing,
    /// The seed that the board writes from.
    Seed(u64),
    /// Why the last key was refused.
    Refused(Refusal),
}

/// Why a key was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The model has no such character.
    Unknown(char),
    /// The bytes were no character.
    Malformed,
    /// The line is full.
    LineFull,
    /// There is nothing to take back.
    LineEmpty,
    /// There is no completion to accept.
    NoCompletion,
}

impl Display for Refusal {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match *self {
            Refusal::Unknown(c) if columns(c) > 0 && picture(c) == c => {
                write!(f, "not in vocabulary: '{c}'")
            }
            Refusal::Unknown(c) => write!(f, "not in vocabulary: U+{:04X}", u32::from(c)),
            Refusal::Malformed => f.write_str("not UTF-8: set the terminal"),
            Refusal::LineFull => f.write_str("line is full: press Enter"),
            Refusal::LineEmpty => f.write_str("the line is empty"),
            Refusal::NoCompletion => f.write_str("nothing to complete"),
        }
    }
}

/// How a character is shown in the panel, where a space would be invisible.
fn panel_glyph(character: char) -> char {
    match character {
        ' ' => '␣',
        c => picture(c),
    }
}

/// A hexadecimal digit of a character below U+0100: the upper one with 4, the lower one with 0.
pub(crate) fn digit(byte: char, shift: u32) -> char {
    char::from_digit((u32::from(byte) >> shift) & 15, 16).unwrap_or('?')
}

/// Terminal columns of a character; 0 for combining and control characters.
fn columns(character: char) -> usize {
    character.width().unwrap_or(0)
}

/// The terminal and what it shows.
#[derive(Debug)]
pub struct View<W> {
    out: W,
    /// The cursor's distance from the prompt, when text can be echoed there without a redraw.
    echo_at: Option<usize>,
}

impl<W: Write> View<W> {
    /// A view over a terminal whose cursor stands anywhere.
    pub const fn new(out: W) -> Self {
        View { out, echo_at: None }
    }

    /// The terminal itself.
    pub fn out(&mut self) -> &mut W {
        &mut self.out
    }

    /// Shows one typed character at once, before the time-consuming part. Cheap, and only an
    /// approximation: [`View::draw`] comes after.
    ///
    /// # Errors
    /// Passes on what the terminal says.
    pub fn echo(&mut self, character: char) -> Result<(), W::Error> {
        let shown = picture(character);
        if let Some(at) = self.echo_at
            && at + columns(shown) < TEXT_WIDTH - COMPLETION_ROOM
        {
            self.echo_at = Some(at + columns(shown));
            self.put(format_args!("{shown}"))?;
        }
        Ok(())
    }

    /// Sounds the terminal's bell.
    ///
    /// # Errors
    /// Passes on what the terminal says.
    pub fn bell(&mut self) -> Result<(), W::Error> {
        self.put(format_args!("{BELL}"))
    }

    /// Draws the whole line and leaves the cursor behind the typed text.
    ///
    /// # Errors
    /// Passes on what the terminal says.
    pub fn draw(
        &mut self,
        text: &[char],
        completion: &[char],
        panel: Panel<'_>,
    ) -> Result<(), W::Error> {
        let text = text.iter().copied().map(picture);
        let completion = completion.iter().copied().map(picture);
        let wanted = completion.clone().map(columns).sum::<usize>();
        let (skip, typed) = fitting(text.clone(), TEXT_WIDTH - wanted.clamp(1, COMPLETION_ROOM));
        self.echo_at = (skip == 0).then_some(typed);

        self.put(format_args!("{HIDE_CURSOR}\r{PROMPT}"))?;
        if skip > 0 {
            self.put(format_args!("{GREY}<{PLAIN}"))?;
        }
        for c in text.skip(skip) {
            self.put(format_args!("{c}"))?;
        }
        self.put(format_args!("{GREY}"))?;
        let mut used = typed;
        for c in completion {
            if used + columns(c) > TEXT_WIDTH {
                break;
            }
            used += columns(c);
            self.put(format_args!("{c}"))?;
        }
        self.put(format_args!("{PLAIN}"))?;
        self.blanks(PANEL_COLUMN - 1 - PROMPT.len() - used)?;
        let (style, words) = panel_text(panel);
        let width = words.chars().map(columns).sum::<usize>();
        self.put(format_args!("{style}{words}{PLAIN}"))?;
        self.blanks(PANEL_WIDTH.saturating_sub(width))?;
        let cursor = PROMPT.len() + typed + 1;
        self.put(format_args!("{ERASE_TO_END}\x1b[{cursor}G{SHOW_CURSOR}"))
    }

    /// Draws the line once more without completion and panel, and goes to the next.
    ///
    /// # Errors
    /// Passes on what the terminal says.
    pub fn finish(&mut self, text: &[char]) -> Result<(), W::Error> {
        self.draw(text, &[], Panel::Nothing)?;
        self.echo_at = None;
        self.put(format_args!("\r\n"))
    }

    /// A line of its own, for banners and refusals.
    ///
    /// # Errors
    /// Passes on what the terminal says.
    pub fn line(&mut self, text: fmt::Arguments<'_>) -> Result<(), W::Error> {
        self.echo_at = None;
        self.put(format_args!(
            "\r{PLAIN}{SHOW_CURSOR}{ERASE_TO_END}{text}\r\n"
        ))
    }

    fn blanks(&mut self, count: usize) -> Result<(), W::Error> {
        self.put(format_args!("{:count$}", ""))
    }

    fn put(&mut self, text: fmt::Arguments<'_>) -> Result<(), W::Error> {
        put(&mut self.out, text)
    }
}

/// `write!`, with the terminal's own error.
///
/// # Errors
/// Passes on what the terminal says.
pub fn put<W: Write>(out: &mut W, text: fmt::Arguments<'_>) -> Result<(), W::Error> {
    match out.write_fmt(text) {
        Err(embedded_io::WriteFmtError::Other(error)) => Err(error),
        // A `Display` that gives up leaves a short text; there is nothing better to do with it
        // here.
        Ok(()) | Err(embedded_io::WriteFmtError::FmtError) => Ok(()),
    }
}

/// How many characters at the start do not fit into `width` columns, and the columns of the rest,
/// with the mark that stands for the hidden part.
fn fitting(text: impl DoubleEndedIterator<Item = char> + Clone, width: usize) -> (usize, usize) {
    let count = text.clone().count();
    let all = text.clone().map(columns).sum::<usize>();
    if all <= width {
        return (0, all);
    }
    let mut used = 1;
    let mut shown = 0;
    for c in text.rev() {
        if used + columns(c) > width {
            break;
        }
        used += columns(c);
        shown += 1;
    }
    (count - shown, used)
}

/// The panel's colour and words, at most [`PANEL_WIDTH`] columns.
fn panel_text(panel: Panel<'_>) -> (&'static str, String<PANEL_BYTES>) {
    let mut words = String::new();
    // What does not fit is left out, which only a mistake in the widths above could bring about.
    let (style, _) = match panel {
        Panel::Suggestions(list) => (
            PLAIN,
            list.iter().try_for_each(|&(character, permille)| {
                let character = panel_glyph(character);
                write!(words, "{character} {:>4}  ", percent(permille))
            }),
        ),
        Panel::Bytes(list) if BYTES => (
            PLAIN,
            list.iter().try_for_each(|&(byte, permille)| {
                let hex = [digit(byte, 4), digit(byte, 0)];
                let [first, second] = match byte {
                    ' '..='~' => [' ', panel_glyph(byte)],
                    _ => hex,
                };
                // Three of them fill the panel.
                write!(words, "{first}{second} {:>4}  ", percent(permille))
            }),
        ),
        Panel::Words(list) if WORDS => (PLAIN, push_words(&mut words, list)),
        Panel::Bytes(_) | Panel::Words(_) | Panel::Nothing => (PLAIN, Ok(())),
        Panel::Seed(seed) => (GREY, write!(words, "seed {seed}")),
        Panel::Refused(refusal) => (RED, write!(words, "{refusal}")),
    };
    (style, words)
}

/// Words with two blanks between them. Of one that does not fit the beginning stands, and none
/// after it.
fn push_words(text: &mut String<PANEL_BYTES>, list: &[Word]) -> fmt::Result {
    let mut left = PANEL_WIDTH;
    for (index, word) in list.iter().enumerate() {
        let between = if index > 0 { "  " } else { "" };
        let Some(room) = left.checked_sub(between.len()).filter(|&room| room > 1) else {
            break;
        };
        text.push_str(between).map_err(|_| fmt::Error)?;
        let shown = word.chars().map(panel_glyph);
        let width = shown.clone().map(columns).sum::<usize>();
        let cut = width > room;
        let mut used = 0;
        for c in shown {
            // The mark of a cut word takes a column.
            if cut && used + columns(c) > room - 1 {
                text.push('…').map_err(|_| fmt::Error)?;
                return Ok(());
            }
            used += columns(c);
            text.push(c).map_err(|_| fmt::Error)?;
        }
        left = room - used;
    }
    Ok(())
}

/// A probability in at most four columns: `93%`, `<1%`, `100%`.
fn percent(permille: u16) -> String<8> {
    let mut text = String::new();
    // Four characters always fit into eight bytes.
    let _ = match (permille + 5) / 10 {
        0 => text.write_str("<1%"),
        rounded => write!(text, "{rounded}%"),
    };
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use gatelet::visible::is_hidden;

    fn drawn(text: &str, completion: &str, panel: Panel<'_>) -> std::string::String {
        let mut view = View::new(Vec::new());
        let [text, completion] = [text, completion].map(|text| text.chars().collect::<Vec<_>>());
        view.draw(&text, &completion, panel).unwrap();
        std::string::String::from_utf8(view.out).unwrap()
    }

    /// The columns a terminal shows: the bytes without escape sequences.
    fn plain(drawn: &str) -> std::string::String {
        let mut text = std::string::String::new();
        let mut rest = drawn.chars();
        while let Some(c) = rest.next() {
            match c {
                '\x1b' => {
                    rest.by_ref().skip(1).find(char::is_ascii_alphabetic);
                }
                '\r' => {}
                c => text.push(c),
            }
        }
        text
    }

    #[test]
    fn a_redraw_fills_the_line_and_puts_the_cursor_behind_the_text() {
        let panel = Panel::Suggestions(&[('e', 634), (' ', 120), ('x', 3)]);
        let out = drawn("It was a tru", "th", panel);
        assert_eq!(
            plain(&out),
            format!("{:52}e  63%  ␣  12%  x  <1%     ", "> It was a truth")
        );
        assert!(out.contains("\x1b[15G"), "{out:?}");
        assert!(out.contains("\x1b[90mth\x1b[0m"), "{out:?}");
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        for length in 0..200 {
            for character in ["a", "漢", "é"] {
                let out = plain(&drawn(
                    &character.repeat(length),
                    &"漢b".repeat(9),
                    Panel::Refused(Refusal::Unknown('漢')),
                ));
                let width = out.chars().map(columns).sum::<usize>();
                assert_eq!(width, PANEL_COLUMN - 1 + PANEL_WIDTH, "{length} {out:?}");
            }
        }
    }

    #[test]
    fn a_long_line_shows_its_end() {
        let out = plain(&drawn(
            &format!("{}end", "x".repeat(90)),
            "ing",
            Panel::Nothing,
        ));
        assert!(out.starts_with("> <xxx"), "{out}");
        assert!(out.contains("xending  "), "{out}");
    }

    #[test]
    fn characters_without_a_picture_get_one() {
        let out = plain(&drawn(
            "a\n\tb",
            "\u{1}",
            Panel::Suggestions(&[('\n', 1000)]),
        ));
        assert!(out.starts_with("> a↵⇥b␁"), "{out}");
        assert!(out.contains("↵ 100%"), "{out}");
    }

    #[test]
    fn no_hidden_character_reaches_the_terminal() {
        let all: std::string::String = (0..=u32::from(char::MAX))
            .filter_map(char::from_u32)
            .filter(|&c| is_hidden(c))
            .collect();
        for hidden in all.chars() {
            let text = format!("a{hidden}b");
            let panel = Panel::Suggestions(&[(hidden, 630), (hidden, 120)]);
            let out = plain(&drawn(&text, &text, panel))
                + &plain(&drawn("", "", Panel::Refused(Refusal::Unknown(hidden))));
            assert!(!out.contains(is_hidden), "{hidden:?}: {out:?}");
            let width = out.chars().map(columns).sum::<usize>();
            assert_eq!(width, 2 * (PANEL_COLUMN - 1 + PANEL_WIDTH), "{out:?}");
        }
    }

    #[test]
    fn echo_stops_where_a_redraw_would_scroll() {
        let mut view = View::new(Vec::new());
        view.echo('a').unwrap();
        assert!(
            view.out.is_empty(),
            "nothing is known of the cursor before the first draw"
        );
        view.draw(&[], &[], Panel::Nothing).unwrap();
        view.out.clear();
        for _ in 0..100 {
            view.echo('a').unwrap();
        }
        assert!(view.out.len() < TEXT_WIDTH);
    }

    #[test]
    fn words_fit_the_panel_and_the_last_may_be_cut() {
        let image = crate::fixtures::image_of_words();
        let model = gatelet::Model::from_bytes(crate::fixtures::image_bytes(&image)).unwrap();
        let all: Vec<Word> = model.vocab().words().collect();
        let long = |text: &str| all.iter().find(|w| w.starts_with(text)).unwrap().clone();
        let shown = |list: &[Word]| panel_text(Panel::Words(list)).1.to_string();
        assert_eq!(shown(&[long("an"), long("\n"), long("be")]), "an  ↵  bean");
        let wide = long("cabcabcab");
        assert_eq!(wide.len(), 32);
        assert_eq!(
            shown(core::slice::from_ref(&wide)),
            format!("{}…", &wide[..26])
        );
        assert_eq!(
            shown(&[long("bean"), wide.clone(), wide.clone()]),
            format!("bean  {}…", &wide[..20])
        );
        for (a, b) in all.iter().flat_map(|a| all.iter().map(move |b| (a, b))) {
            for c in [long("漢"), wide.clone()] {
                let text = shown(&[a.clone(), b.clone(), c]);
                assert!(
                    text.chars().map(columns).sum::<usize>() <= PANEL_WIDTH,
                    "{text}"
                );
            }
        }
    }

    #[test]
    fn every_refusal_fits_the_panel() {
        for refusal in [
            Refusal::Unknown('漢'),
            Refusal::Unknown('\u{10ffff}'),
            Refusal::Unknown('\u{301}'),
            Refusal::Unknown('\u{2028}'),
            Refusal::Malformed,
            Refusal::LineFull,
            Refusal::LineEmpty,
            Refusal::NoCompletion,
        ] {
            let (_, words) = panel_text(Panel::Refused(refusal));
            let width = words.chars().map(columns).sum::<usize>();
            assert!((1..=PANEL_WIDTH).contains(&width), "{words}");
        }
    }

    #[test]
    fn every_seed_fits_the_panel() {
        let (_, words) = panel_text(Panel::Seed(u64::MAX));
        assert_eq!(words, "seed 18446744073709551615");
        assert!(words.len() <= PANEL_WIDTH);
    }
}
