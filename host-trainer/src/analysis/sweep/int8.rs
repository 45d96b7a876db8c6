//! What the int8 image of a job answers, and what it takes.
//!
//! ```text
//! best.safetensors -> image, integers chosen on what was learnt from -> held-out answers
//! ```
//! Only the image tells which features take a second column, which makes it larger. Measuring one
//! takes seconds, so what is known is kept in the sweep's own `front.json`, by the checkpoint.

use std::collections::BTreeMap;
use std::path::Path;

use gatelet::Precision;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::analysis::answers::{Answers, CALIBRATED, image_of};
use crate::analysis::device::Processor;
use crate::error::{Error, Result};
use crate::files;
use crate::hex::hex;
use crate::isa::isa;
use crate::quantize::WeightBits;
use crate::train::checkpoint::Checkpoint;
use crate::train::series::Series;

/// The int8 image of a job that has ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Int8 {
    /// SHA-256 of the checkpoint that it is made of, in hexadecimal.
    pub checkpoint_sha256: String,
    /// Name of the processor that it is for.
    pub processor: String,
    /// How good its answers to what is held out are.
    pub figure: f64,
    /// Answers that were counted.
    pub answers: u64,
    /// Its bytes.
    pub flash: usize,
    /// Bytes of a session.
    pub ram: usize,
    /// Estimated instructions a step.
    pub instructions: u64,
}

impl Int8 {
    /// Makes the image of a checkpoint for a processor, and asks it what was held out of the data.
    fn of(
        path: &Path,
        (sha256, bytes): (String, &[u8]),
        (data, processor): (&Series, Processor),
    ) -> Result<Self> {
        let checkpoint = Checkpoint::from_bytes(bytes, path)?;
        let inputs = data.train().inputs(CALIBRATED)?;
        let features = inputs.sequences();
        let as_int8 = (Precision::Int8, WeightBits::EIGHT);
        let (image, _) = image_of(&checkpoint, &features, as_int8)?;
        let isa = isa()?;
        let answers = Answers::of(&checkpoint, data, &image.for_isa(isa)?, isa)?;
        let failed = |error: &dyn ToString| Error::Export(error.to_string());
        let held_out = answers.changes.first();
        let held_out = held_out.ok_or_else(|| failed(&"nothing is held out"))?;
        let model = image.model().map_err(|error| failed(&error))?;
        let net = model.net();
        let packed = image.repacked(processor.layout(net));
        Ok(Self {
            checkpoint_sha256: sha256,
            processor: processor.name().to_owned(),
            figure: held_out.image,
            answers: held_out.answers,
            flash: packed.map_or(image.bytes().len(), |image| image.bytes().len()),
            ram: 4 * model.session_words(),
            instructions: processor.instructions(net, model.front_end().as_ref()),
        })
    }
}

/// The images that were measured before.
#[derive(Clone, Debug, Default)]
pub struct Known(BTreeMap<String, Int8>);

impl Known {
    /// Those in a sweep's `front.json`; none of one that is not there, or is of another version.
    pub fn read(front: &Path) -> Self {
        let bytes = files::read_plain(front, files::JSON).unwrap_or_default();
        let value: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        let jobs = value["jobs"].as_array().map_or(&[][..], Vec::as_slice);
        let of = |job: &Value| {
            let int8: Int8 = serde_json::from_value(job["int8"].clone()).ok()?;
            Some((int8.checkpoint_sha256.clone(), int8))
        };
        Self(jobs.iter().filter_map(of).collect())
    }

    /// The image of a checkpoint on a processor, measured now if it is not known; none without a
    /// checkpoint.
    ///
    /// # Errors
    /// A net that cannot be in integers, or what reading says.
    pub fn of(&self, path: &Path, data: &Series, processor: Processor) -> Result<Option<Int8>> {
        if !path.is_file() {
            return Ok(None);
        }
        let bytes = crate::any_model::model_bytes(path)?;
        let sha256 = hex(&Sha256::digest(&bytes));
        let known = self.0.get(&sha256);
        let known = known.filter(|of| of.processor == processor.name());
        match known {
            Some(of) => Ok(Some(of.clone())),
            None => Int8::of(path, (sha256, &bytes), (data, processor)).map(Some),
        }
    }
}
