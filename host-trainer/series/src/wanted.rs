//! What is asked of a sequence.

/// What is asked of some steps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Wanted<'a> {
    /// The class of the sequence.
    Class(u16),
    /// A label of each step, `[steps]`; [`Wanted::UNLABELLED`] where there is none.
    Labels(&'a [u16]),
    /// Numbers of each step, `[steps, outputs]`; NaN where none is asked. A forecast's are
    /// `[steps, ahead, targets]`: all targets of the next step, then those of the one after it.
    Values(&'a [f32]),
    /// Numbers, `[outputs]`, asked after the last step of the sequence; NaN where none is.
    Value(&'a [f32]),
}

impl Wanted<'_> {
    /// A step without a label.
    pub const UNLABELLED: u16 = u16::MAX;
}

/// Which of them it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Kind {
    #[default]
    Class,
    Labels,
    Values,
    Value,
}

/// Room for what is asked, kept from read to read.
#[derive(Clone, Debug, Default)]
pub struct WantedBuffer {
    pub(crate) kind: Kind,
    pub(crate) class: u16,
    pub(crate) labels: Vec<u16>,
    pub(crate) values: Vec<f32>,
    /// Rows of the files, `[steps, columns]`.
    pub(crate) rows: Vec<f32>,
    /// Bytes of a file.
    pub(crate) bytes: Vec<u8>,
}

impl WantedBuffer {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// What the last read gave.
    pub fn wanted(&self) -> Wanted<'_> {
        match self.kind {
            Kind::Class => Wanted::Class(self.class),
            Kind::Labels => Wanted::Labels(&self.labels),
            Kind::Values => Wanted::Values(&self.values),
            Kind::Value => Wanted::Value(&self.values),
        }
    }
}
