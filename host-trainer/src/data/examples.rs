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

/// The features of the first examples of `data`, [steps, width] each.
///
/// # Errors
/// What reading them says.
pub fn features(data: &dyn Data<f32>, width: usize, examples: usize) -> Result<Vec<Vec<f32>>> {
    let one = |example| {
        let mut features = vec![0.0; data.steps() * width];
        let mut window = Window {
            rows: 1,
            tokens: &mut [],
            features: &mut features,
            targets: &mut [],
        };
        data.fill(example, 0, &mut window, &mut Vec::new())?;
        Ok(features)
    };
    (0..data.len().min(examples)).map(one).collect()
}
