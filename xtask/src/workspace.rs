//! The packages of the workspace, as cargo tells them.

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::command::{cargo, output};

/// A package of the workspace.
#[derive(Debug, serde::Deserialize)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) manifest_path: PathBuf,
    pub(crate) targets: Vec<Target>,
    pub(crate) dependencies: Vec<Dependency>,
}

/// A program, library or test of a package: its first file.
#[derive(Debug, serde::Deserialize)]
pub(crate) struct Target {
    pub(crate) kind: Vec<String>,
    pub(crate) src_path: PathBuf,
}

#[derive(Debug, serde::Deserialize)]
pub(crate) struct Dependency {
    pub(crate) name: String,
}

/// All packages.
pub(crate) fn packages() -> Result<Vec<Package>> {
    #[derive(serde::Deserialize)]
    struct Metadata {
        packages: Vec<Package>,
    }
    let mut metadata = cargo();
    metadata.args(["metadata", "--format-version", "1", "--no-deps"]);
    let text = output(&mut metadata)?;
    let Metadata { packages } =
        serde_json::from_str(&text).context("cargo metadata gave no JSON")?;
    Ok(packages)
}
