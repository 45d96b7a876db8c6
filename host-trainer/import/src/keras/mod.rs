//! Keras: `.keras` and `.h5`, as Keras 2 and Keras 3 write them.
//!
//! ```text
//! .keras   a zip: config.json, metadata.json, model.weights.h5
//! .h5      HDF5: the attributes model_config and keras_version, the group model_weights
//! ```
//! A configuration is read, never run: what is code of Python is refused.

mod archive;
mod build;
mod builder;
mod function;
mod graph;
mod hdf5;
mod inbound;
mod json;
mod pointwise;
mod ports;
mod recurrent;
mod refuse;
mod weights;

use serde_json::Value;

pub(crate) use archive::is;

use crate::draft::Draft;
use crate::error::{Result, refused};
use function::Version;
use graph::Graph;
use json::{damaged, text};
use weights::Store;

/// Reads a `.keras`.
pub(crate) fn read_zip(bytes: &[u8]) -> Result<Draft> {
    let archive = archive::open(bytes)?;
    let metadata: Value = serde_json::from_slice(&archive.metadata).unwrap_or_default();
    let version = metadata
        .as_object()
        .and_then(|all| text(all, "keras_version"));
    let store = Store::Counted(hdf5::File::open(&archive.weights)?);
    draft(&archive.config, store, version)
}

/// Reads a `.h5`.
pub(crate) fn read_h5(bytes: &[u8]) -> Result<Draft> {
    let file = hdf5::File::open(bytes)?;
    let Some(config) = file.text("", "model_config")? else {
        let weights = ["layers", "model_weights", "top_level_model_weights"];
        let mut known = file.texts("", "layer_names")?.is_some();
        for group in weights {
            known |= file.group(group)?.is_some();
        }
        if !known {
            return Err(damaged("it is an HDF5 file, but none of Keras"));
        }
        let what = "it holds weights only: nothing in it says how the layers follow each other";
        let remedy = "load them into the model and save all of it with model.save(\"net.keras\")";
        return Err(refused("the file", what, remedy));
    };
    let version = file.text("", "keras_version")?;
    let store = Store::Named(file);
    draft(config.as_bytes(), store, version.as_deref())
}

fn draft(config: &[u8], store: Store, version: Option<&str>) -> Result<Draft> {
    if config.len() as u64 > archive::TEXT {
        return Err(damaged("its configuration is larger than that of any net"));
    }
    let config: Value = serde_json::from_slice(config)
        .map_err(|error| damaged(format!("its configuration is no JSON: {error}")))?;
    let Value::Object(model) = &config else {
        return Err(damaged("its configuration is no object"));
    };
    let graph = Graph::of(model)?;
    build::draft(&graph, store, Version::of(version.unwrap_or_default()))
}
