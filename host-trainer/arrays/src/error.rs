//! What is wrong with a file.

/// What is wrong with a file. Its name is for the caller to say.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file is damaged, or of a form that is none of a sequence.
    #[error("{0}")]
    Form(String),
    /// A number that is no number.
    #[error("number {column} of step {step} is {found}: every one has to be finite")]
    NotFinite {
        /// The step, from 0.
        step: usize,
        /// Which of its numbers, from 0.
        column: usize,
        /// What it is.
        found: f32,
    },
    /// No kind of file has this ending.
    #[error("its name has to end in .npy, .csv or .wav, which says what is to be written")]
    Ending,
}

/// The result of reading or writing.
pub type Result<T> = std::result::Result<T, Error>;

pub(crate) fn form(what: impl Into<String>) -> Error {
    Error::Form(what.into())
}
