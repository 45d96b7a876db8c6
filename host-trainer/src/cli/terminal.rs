//! How wide the terminal is, and lines that fit it without breaking a word.
//!
//! ```text
//! fitting   one line of fields: the least important go, none is cut
//! wrapped   prose: between words
//! command   a command to copy: before its options, with `\`
//! ```
//! Where there is no terminal, every line is whole: what reads it may want all of it.

use std::io;

use gatelet::visible;
use terminal_size::terminal_size_of;

use super::out::note;

/// Columns of the terminal behind standard error; none where it is no terminal.
pub(super) fn width() -> Option<usize> {
    terminal_size_of(io::stderr()).map(|(width, _)| usize::from(width.0))
}

/// Columns of the terminal behind standard output.
pub(super) fn output_width() -> Option<usize> {
    terminal_size_of(io::stdout()).map(|(width, _)| usize::from(width.0))
}

/// A part of a line, and how soon it is left out: the highest number first, 0 never.
pub(super) type Field = (u8, String);

/// The fields that fit into so many columns, in their order.
pub(super) fn fitting(fields: &[Field], width: Option<usize>) -> String {
    let columns = |line: &str| line.chars().count();
    let mut most = u8::MAX;
    loop {
        let kept = fields.iter().filter(|field| field.0 <= most);
        let kept: Vec<&str> = kept.map(|field| field.1.as_str()).collect();
        let line = kept.join("  ").trim_end().to_owned();
        let lower = fields
            .iter()
            .map(|field| field.0)
            .filter(|&rank| rank < most);
        match (width, lower.max()) {
            (Some(width), Some(next)) if columns(&line) > width => most = next,
            _ => return line,
        }
    }
}

/// Prose that breaks between words; a line that begins with blanks keeps them.
pub(super) fn wrapped(text: &str, width: Option<usize>) -> String {
    let Some(width) = width else {
        return text.to_owned();
    };
    let fill = |line: &str| {
        let options = textwrap::Options::new(width.max(20))
            .break_words(false)
            .word_splitter(textwrap::WordSplitter::NoHyphenation);
        textwrap::fill(line, options)
    };
    text.split('\n').map(fill).collect::<Vec<_>>().join("\n")
}

/// A command on lines of its own, as a shell takes it.
pub(super) fn command(line: &str, width: Option<usize>) -> String {
    let Some(width) = width.filter(|&width| line.chars().count() + 2 > width) else {
        return format!("  {line}");
    };
    let (mut out, mut column) = ("  ".to_owned(), 2);
    for (index, part) in line.split(" --").enumerate() {
        let part = match index {
            0 => part.to_owned(),
            _ => format!("--{part}"),
        };
        let length = part.chars().count();
        // Room for the backslash too.
        if index > 0 && column + 1 + length + 2 > width {
            out += " \\\n    ";
            column = 4;
        } else if index > 0 {
            out += " ";
            column += 1;
        }
        out += &part;
        column += length;
    }
    out
}

/// Says something on standard error.
pub(super) fn tell(text: &str) {
    // As it will be shown: a mark is wider than what it stands for.
    note(wrapped(&visible::text(text).to_string(), width()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_important_fields_go_first_and_none_is_cut() {
        let fields: Vec<Field> = [
            (0, "epoch 49"),
            (3, "3 min 07 s"),
            (1, "best"),
            (2, "1.5 bits"),
        ]
        .map(|(rank, text)| (rank, text.to_owned()))
        .to_vec();
        let whole = "epoch 49  3 min 07 s  best  1.5 bits";
        assert_eq!(fitting(&fields, None), whole);
        assert_eq!(fitting(&fields, Some(whole.len())), whole);
        assert_eq!(fitting(&fields, Some(35)), "epoch 49  best  1.5 bits");
        assert_eq!(fitting(&fields, Some(20)), "epoch 49  best");
        assert_eq!(fitting(&fields, Some(3)), "epoch 49");
    }

    #[test]
    fn prose_breaks_between_words() {
        let text = "its int8 image needs at most 177.2 KiB of flash, 896 bytes of RAM and 512 bytes for each snapshot, 2,224 multiply-accumulates a character";
        for width in [24, 40, 60, 80, 100, 200] {
            let lines = wrapped(text, Some(width));
            assert!(lines.lines().all(|line| line.len() <= width), "{lines}");
            assert_eq!(lines.replace('\n', " "), text);
        }
        assert_eq!(wrapped(text, None), text);
    }

    #[test]
    fn a_command_that_is_broken_is_the_same_command() {
        let line =
            "gatelet train corpora/novels.txt --cell lstm --hidden 64 --out 'runs/a b' --epochs 5";
        for width in [24, 40, 60, 80] {
            let shown = command(line, Some(width));
            let words = |text: &str| -> Vec<String> {
                let joined = text.replace("\\\n", "");
                joined.split_whitespace().map(str::to_owned).collect()
            };
            assert_eq!(words(&shown), words(line));
            let longest = shown.lines().map(str::len).max().unwrap();
            assert!(longest <= width.max(36), "{shown}");
        }
        assert_eq!(command(line, None), format!("  {line}"));
    }
}
