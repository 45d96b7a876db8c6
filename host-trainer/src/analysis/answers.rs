//! What an image answers to held-out sequences, beside the net in f32 that it was made of.

use gatelet::{Isa, Precision};
use serde::Serialize;

use crate::error::Result;
use crate::image::Image;
use crate::quantize::export::{NetReport, export_net, image_by, of_plan, own_image};
use crate::quantize::{Sequence, WeightBits};
use crate::train::checkpoint::Checkpoint;
use crate::train::series::answers::count;
use crate::train::series::tally::Tally;
use crate::train::series::{Part, Series};

/// Part of the answers that an image may get wrong beyond f32; one answer always may be.
const LOST: f64 = 0.005;
/// Part of the error of f32 by which that of an image may be larger, and what it may be at least.
const WORSE: (f64, f64) = (0.1, 0.001);

/// Steps that integers are chosen on, at most.
pub const CALIBRATED: usize = 20_000;

/// The image of a net, its integers chosen on features that it learnt from, or those that it was
/// trained for.
///
/// # Errors
/// A net that cannot have these numbers.
pub fn image_of(
    checkpoint: &Checkpoint,
    features: &[Sequence<'_>],
    (precision, bits): (Precision, WeightBits),
) -> Result<(Image, NetReport)> {
    let plan = checkpoint.plan();
    match plan.filter(|plan| precision == Precision::Int8 && bits == plan.scheme.bits) {
        Some(plan) => {
            let image = image_by(checkpoint, plan, features)?;
            let report = of_plan(&image, checkpoint.params.net(), plan.scheme);
            Ok((image, report))
        }
        None => export_net(checkpoint, features, precision, bits),
    }
}

/// How good the answers to a part are.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    /// Which part: `held out` or `test`.
    pub part: &'static str,
    /// Sequences of it.
    pub sequences: usize,
    /// Answers that were counted.
    pub answers: u64,
    /// The name of the figure.
    pub name: &'static str,
    /// In f32.
    pub float: f64,
    /// In the image.
    pub image: f64,
    /// Mean F1 of the classes, in f32 and in the image.
    pub f1: Option<[f64; 2]>,
}

/// The answers of an image to all parts that were not learnt from.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Answers {
    /// Of each part that there is.
    pub changes: Vec<Change>,
    /// What was counted of the image, in the same order.
    pub tallies: Vec<Tally>,
}

impl Answers {
    /// Those of an image in this kernel's layout.
    ///
    /// # Errors
    /// What reading the data says.
    pub fn of(checkpoint: &Checkpoint, data: &Series, image: &Image, isa: Isa) -> Result<Self> {
        let float = own_image(checkpoint)?.for_isa(isa)?;
        let described = checkpoint.meta.series.as_ref();
        let means = described.map_or(&[][..], |of| &of.means);
        let begin = (&data.tally(), means);
        let name = data.options().task.terms().figure.unwrap_or_default();
        let (mut changes, mut tallies) = (Vec::new(), Vec::new());
        let parts: [(&'static str, &Part); 2] = [("held out", data.valid()), ("test", data.test())];
        for (part, of) in parts.into_iter().filter(|of| !of.1.picked().is_empty()) {
            let counted = |image: &Image| {
                let model = image.model();
                let model =
                    model.map_err(|error| crate::error::Error::Export(error.to_string()))?;
                count(&model, isa, of, begin)
            };
            let (float, image) = (counted(&float)?, counted(image)?);
            changes.push(Change {
                part,
                sequences: of.picked().len(),
                answers: image.count(),
                name,
                float: float.figure(),
                image: image.figure(),
                f1: (image.classes > 0).then(|| [float.macro_f1(), image.macro_f1()]),
            });
            tallies.push(image);
        }
        Ok(Self { changes, tallies })
    }

    /// The bound that the image is past, in words.
    pub fn past_bound(&self) -> Option<String> {
        let past = |of: &&Change| match of.f1 {
            Some(_) => {
                let lost = of.float - of.image;
                lost > LOST && lost * of.answers as f64 > 1.5
            }
            None => of.image > WORSE.1 && of.image > (1.0 + WORSE.0) * of.float + WORSE.1,
        };
        let found = self.changes.iter().find(past)?;
        Some(format!(
            "{} on the part {} is {:.4}, and {:.4} in f32",
            found.name, found.part, found.image, found.float
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(float: f64, image: f64, answers: u64, f1: bool) -> Answers {
        let change = Change {
            part: "test",
            sequences: 1,
            answers,
            name: "figure",
            float,
            image,
            f1: f1.then_some([float, image]),
        };
        Answers {
            changes: vec![change],
            tallies: Vec::new(),
        }
    }

    #[test]
    fn half_a_point_may_be_lost_or_one_answer() {
        assert_eq!(change(0.97, 0.966, 1000, true).past_bound(), None);
        assert!(change(0.97, 0.964, 1000, true).past_bound().is_some());
        assert_eq!(change(1.0, 0.98, 50, true).past_bound(), None);
        assert!(change(1.0, 0.96, 50, true).past_bound().is_some());
    }

    #[test]
    fn an_error_may_grow_by_a_tenth() {
        assert_eq!(change(0.10, 0.109, 1000, false).past_bound(), None);
        assert!(change(0.10, 0.12, 1000, false).past_bound().is_some());
        assert_eq!(change(0.0001, 0.0011, 1000, false).past_bound(), None);
    }
}
