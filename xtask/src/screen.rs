//! What a person at the serial console sees: the emulated board's output through a terminal
//! emulator.

/// A 80 x 24 terminal, and how often the console has redrawn its line.
pub(crate) struct Screen {
    terminal: vt100::Parser,
    /// Redraws end by showing the cursor.
    redraws: usize,
    bells: usize,
    tail: Vec<u8>,
}

/// The console's line, taken apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Line {
    /// The visible part of what was typed.
    pub(crate) typed: String,
    /// The grey completion behind the cursor.
    pub(crate) completion: String,
    /// The right side: suggestions, or why a key was refused.
    pub(crate) panel: String,
}

/// What ends every redraw.
const SHOW_CURSOR: &[u8] = b"\x1b[?25h";
/// The console's prompt.
const PROMPT: &str = "> ";
/// The first column of the panel, from 0.
const PANEL_COLUMN: u16 = 52;

impl Screen {
    /// An empty one.
    pub(crate) fn new() -> Self {
        Screen {
            terminal: vt100::Parser::new(24, 80, 0),
            redraws: 0,
            bells: 0,
            tail: Vec::new(),
        }
    }

    /// Takes what the board has sent.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        self.terminal.process(bytes);
        self.bells += bytes.iter().filter(|&&b| b == 7).count();
        // A sequence may come in two parts.
        self.tail.extend_from_slice(bytes);
        self.redraws += self
            .tail
            .windows(SHOW_CURSOR.len())
            .filter(|w| *w == SHOW_CURSOR)
            .count();
        let keep = self.tail.len().min(SHOW_CURSOR.len() - 1);
        self.tail.drain(..self.tail.len() - keep);
    }

    /// Times the console has drawn its line, or a line of its own, to the end.
    pub(crate) fn redraws(&self) -> usize {
        self.redraws
    }

    /// Times the bell rang.
    pub(crate) fn bells(&self) -> usize {
        self.bells
    }

    /// Everything on the screen.
    pub(crate) fn text(&self) -> String {
        self.terminal.screen().contents()
    }

    /// The line the cursor is in, if it is the console's and no redraw is under way.
    pub(crate) fn line(&self) -> Option<Line> {
        let screen = self.terminal.screen();
        let (row, cursor) = screen.cursor_position();
        let text = |from: u16, to: u16, grey: bool| {
            (from..to)
                .filter_map(|column| screen.cell(row, column))
                .take_while(|cell| !grey || cell.fgcolor() == vt100::Color::Idx(8))
                .map(|cell| match cell.contents() {
                    "" => " ",
                    drawn => drawn,
                })
                .collect::<String>()
        };
        let prompt = PROMPT.len() as u16;
        let whole = !screen.hide_cursor() && text(0, prompt, false) == PROMPT;
        whole.then(|| Line {
            typed: text(prompt, cursor, false),
            completion: text(cursor, PANEL_COLUMN, true),
            panel: text(PANEL_COLUMN, 80, false).trim().to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_taken_apart() {
        let mut screen = Screen::new();
        let drawn = format!(
            "banner\r\n\x1b[?25l\r> It was\x1b[90m not\x1b[0m{:40}e  63%\x1b[K\x1b[9G\x1b[?25h\x07",
            ""
        );
        screen.feed(&drawn.as_bytes()[..drawn.len() - 3]);
        assert_eq!(screen.redraws(), 0);
        screen.feed(&drawn.as_bytes()[drawn.len() - 3..]);
        assert_eq!((screen.redraws(), screen.bells()), (1, 1));
        let line = screen.line().unwrap();
        assert_eq!(line.typed, "It was");
        assert_eq!(line.completion, " not");
        assert_eq!(line.panel, "e  63%");
        assert!(screen.text().starts_with("banner"));
    }

    #[test]
    fn other_lines_are_not_the_consoles() {
        let mut screen = Screen::new();
        screen.feed(b"error: refused");
        assert_eq!(screen.line(), None);
    }
}
