//! What is not in the file.

/// What a reader is told besides the file.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options<'a> {
    /// How layers follow each other, where the file does not say it: the text of a description
    /// (JSON), or a list such as `gru 24, linear 3`.
    pub order: Option<&'a str>,
}
