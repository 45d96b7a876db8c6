//! A model inside a program: aligned, and with storage of its size.

use crate::image::error::LoadError;
use crate::image::model::Model;
use crate::session::state::{AlignedBytes, StateBuf};

/// A model image inside a program, at a multiple of 16, with the words of a session's storage as a
/// constant. Made by [`include_model!`](crate::include_model).
#[derive(Debug)]
pub struct Included<const BYTES: usize, const WORDS: usize>(AlignedBytes<BYTES>);

impl<const BYTES: usize, const WORDS: usize> Included<BYTES, WORDS> {
    /// [`Model::session_words`] of the model.
    pub const STATE_WORDS: usize = WORDS;

    /// For [`include_model!`](crate::include_model), which finds out the words.
    #[doc(hidden)]
    pub const fn new(image: [u8; BYTES]) -> Self {
        Included(AlignedBytes(image))
    }

    /// The image.
    pub const fn image(&self) -> &[u8; BYTES] {
        &self.0.0
    }

    /// Checks the image and borrows its weights: [`Model::from_bytes`].
    ///
    /// # Errors
    /// As [`Model::from_bytes`].
    pub fn model(&self) -> Result<Model<'_>, LoadError> {
        Model::from_bytes(self.image())
    }

    /// Storage for a session: as many words as this model needs.
    pub const fn state(&self) -> StateBuf<WORDS> {
        StateBuf::new()
    }
}

/// Puts a model image into the program, where it is aligned: `&'static Included<BYTES, WORDS>`. The
/// path is relative to the file that it stands in, as that of `include_bytes!`; a file that is no
/// model stops the build.
///
/// ```
/// let image = gatelet::include_model!("../../../firmware/models/default.gatelet");
/// let model = image.model()?;
/// let mut state = image.state();
/// assert_eq!(state.as_mut().len(), model.net().state_words());
/// # Ok::<(), gatelet::Error>(())
/// ```
///
/// Storage that is to be a static names its size, which is the image's too:
///
/// ```
/// use gatelet::{Included, StateBuf};
///
/// const WORDS: usize = {
///     const fn of<const B: usize, const W: usize>(_: &Included<B, W>) -> usize { W }
///     of(gatelet::include_model!("../../../firmware/models/default.gatelet"))
/// };
/// static mut STATE: StateBuf<WORDS> = StateBuf::new();
/// ```
///
/// ```compile_fail
/// let image = gatelet::include_model!("../../README.md"); // no model
/// ```
#[macro_export]
macro_rules! include_model {
    ($path:expr $(,)?) => {{
        const BYTES: &[u8] = include_bytes!($path);
        const WORDS: usize = match $crate::format::session_words(BYTES) {
            Some(words) => words,
            None => panic!("not a Gatelet model: make one with `gatelet export`"),
        };
        static MODEL: $crate::Included<{ BYTES.len() }, WORDS> =
            $crate::Included::new(*include_bytes!($path));
        &MODEL
    }};
}
