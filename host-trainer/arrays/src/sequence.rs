//! A sequence of steps.

/// Samples a second of a `.wav` that came from no other.
pub const SAMPLE_RATE: u32 = 48_000;

/// A sequence of steps.
#[derive(Clone, Debug, PartialEq)]
pub struct Sequence {
    /// Numbers of a step.
    pub width: usize,
    /// `[steps, width]`.
    pub numbers: Vec<f32>,
    /// Samples a second, of a `.wav`.
    pub sample_rate: Option<u32>,
}

impl Sequence {
    /// Steps.
    pub fn len(&self) -> usize {
        self.numbers.len() / self.width.max(1)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.numbers.is_empty()
    }

    /// A step's numbers, one step after the other.
    pub fn steps(&self) -> impl Iterator<Item = &[f32]> {
        self.numbers.chunks_exact(self.width.max(1))
    }
}
