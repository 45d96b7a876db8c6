//! `--target`: the processor an image is for, and so the layout of its weights.

use gatelet::net::Net;
use gatelet::{Layout, Precision};

use crate::error::Result;
use crate::image::Image;

/// The processor an image is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Target {
    /// Weights in rows, which every processor reads.
    #[default]
    Any,
    /// Weights packed for the DSP instructions of a Cortex-M4, M7 or M33.
    #[value(name = "cortex-m4", alias = "cortex-m7", alias = "cortex-m33")]
    CortexM4,
}

impl Target {
    /// The layout its kernel reads; rows for what it has no kernel for.
    fn layout(self, net: &Net) -> Layout {
        match self {
            Target::CortexM4 if net.precision == Precision::Int8 => Layout::Pairs,
            Target::CortexM4 | Target::Any => Layout::Rows,
        }
    }

    /// The image in this target's layout. Where the model cannot have it, the image stays as it is, and the second
    /// value says why.
    pub(super) fn apply(self, image: Image) -> Result<(Image, Option<String>)> {
        let Ok(model) = image.model() else {
            return Ok((image, None));
        };
        let layout = self.layout(model.net());
        if layout == model.layout() {
            return Ok((image, None));
        }
        match image.repacked(layout) {
            Ok(packed) => Ok((packed, None)),
            Err(why) => Ok((
                image,
                Some(format!("{why}; it stays in rows and runs slower")),
            )),
        }
    }
}
