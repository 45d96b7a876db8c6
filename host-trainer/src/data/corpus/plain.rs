//! Line ends and byte order marks: every text has LF and no U+FEFF.
//!
//! ```text
//! CR LF, CR  ->  LF       a CR gives its LF at once, and takes away the LF that follows it, in whatever piece that is
//! U+FEFF     ->  nothing  wherever it stands: files that were joined have it inside
//! ```
//!
//! A net that was trained with CR as a character has it in its vocabulary: then CR stays.

use std::borrow::Cow;

/// U+FEFF, of which U+2060 has taken over what else it meant.
const MARK: char = '\u{feff}';

/// What became of a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// CR LF that became LF.
    pub cr_lf: u64,
    /// Lone CR that became LF.
    pub cr: u64,
    /// U+FEFF that were left out, without the one that a text may begin with.
    pub marks: u64,
}

/// The rule, with what is left of the pieces so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Plain {
    keep_cr: bool,
    after_cr: bool,
    changes: Changes,
}

impl Plain {
    /// At the start of a text.
    pub(super) fn new(keep_cr: bool) -> Self {
        Self {
            keep_cr,
            ..Self::default()
        }
    }

    /// What became of the pieces so far.
    pub(super) fn changes(&self) -> Changes {
        self.changes
    }

    /// The next piece as it counts.
    pub(super) fn push<'a>(&mut self, piece: &'a str) -> Cow<'a, str> {
        let ends = !self.keep_cr && (self.after_cr || piece.contains('\r'));
        if !ends && !piece.contains(MARK) {
            return Cow::Borrowed(piece);
        }
        let mut out = String::with_capacity(piece.len());
        for c in piece.chars() {
            let after_cr = std::mem::take(&mut self.after_cr);
            match c {
                MARK => {
                    self.changes.marks += 1;
                    self.after_cr = after_cr;
                }
                '\r' if !self.keep_cr => {
                    self.changes.cr += 1;
                    self.after_cr = true;
                    out.push('\n');
                }
                '\n' if after_cr => {
                    self.changes.cr -= 1;
                    self.changes.cr_lf += 1;
                }
                c => out.push(c),
            }
        }
        Cow::Owned(out)
    }
}

/// The whole of a text as it counts.
pub(super) fn plain(text: &str, keep_cr: bool) -> Cow<'_, str> {
    Plain::new(keep_cr).push(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn line_ends_are_one_thing_and_marks_are_none() {
        let text = "a\r\nb\rc\nd\r\r\ne\n\rf\r";
        assert_eq!(plain(text, false), "a\nb\nc\nd\n\ne\n\nf\n");
        assert_eq!(plain(text, true), text);
        assert_eq!(plain("\u{feff}a\r\u{feff}\nb\u{feff}", false), "a\nb");
        let mut all = Plain::new(false);
        all.push(text);
        let (cr_lf, cr, marks) = (2, 4, 0);
        assert_eq!(all.changes(), Changes { cr_lf, cr, marks });
    }

    proptest! {
        #[test]
        fn pieces_give_what_the_whole_gives(
            pieces in proptest::collection::vec("[ab\r\n\u{feff}]{0,4}", 0..9),
            keep_cr in any::<bool>(),
        ) {
            let (mut one, mut many) = (Plain::new(keep_cr), Plain::new(keep_cr));
            let whole = one.push(&pieces.concat()).into_owned();
            let parts: String = pieces.iter().map(|piece| many.push(piece).into_owned()).collect();
            prop_assert_eq!(&parts, &whole);
            prop_assert_eq!(one.changes(), many.changes());
            let ends = pieces.concat().replace(MARK, "");
            let ends = ends.replace("\r\n", "\n").replace('\r', "\n");
            prop_assert!(keep_cr || whole == ends);
        }
    }
}
