//! What a run says of itself.

/// What the numbers of a run are called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// What counts once: `character`, `step`, `sequence`.
    pub unit: &'static str,
    /// The unit of the loss; nothing where it has none.
    pub loss: &'static str,
    /// The name of [`Judged::figure`](super::dataset::Judged::figure), if there is one.
    pub figure: Option<&'static str>,
}
