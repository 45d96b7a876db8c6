//! What a net learns from.

use crate::error::Result;
use crate::net::Window;

/// Examples of one length.
pub trait Data<F>: Sync {
    /// How many there are.
    fn len(&self) -> usize;

    /// Steps of each.
    fn steps(&self) -> usize;

    /// Steps of an example that count.
    fn counted(&self, example: usize) -> usize;

    /// Writes an example's inputs and targets as row `row` of a window; `room` is a place for
    /// tokens.
    ///
    /// # Errors
    /// What reading them says.
    fn fill(
        &self,
        example: usize,
        row: usize,
        window: &mut Window<'_, F>,
        room: &mut Vec<u16>,
    ) -> Result<()>;

    /// Whether there is none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
