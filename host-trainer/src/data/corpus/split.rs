//! Which tokens of a text are trained on, and which are held out.

/// How long a text is, and how much of it, from its start, is trained on; the rest is held out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Split {
    /// Tokens of the training part.
    pub train: usize,
    /// Tokens of the text.
    pub len: usize,
}

impl Split {
    /// Holds out the last `fraction` of a text of `len` tokens.
    pub fn tail(len: usize, fraction: f64) -> Self {
        let held_out = ((len as f64 * fraction) as usize).min(len);
        let train = len - held_out;
        Self { train, len }
    }

    /// Tokens that are held out.
    pub fn held_out(&self) -> usize {
        self.len - self.train
    }
}

/// What there is to know about a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct List {
    /// Lines that are not blank.
    pub lines: usize,
    /// Those of them that are held out.
    pub held_out: usize,
    /// Tokens before the held-out part.
    pub train_tokens: usize,
    /// Whether it was sorted.
    pub sorted: bool,
}

/// How much is held out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum HeldOut {
    /// This part of the lines, or the least more than none.
    Fraction(f64),
    /// So many tokens, as an image says.
    Tokens(usize),
}
