//! Files of the documentation that are made from code or data: written, or compared.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::command::root;

/// Writes those that differ from what is there. To check, fails instead, and names the command that
/// writes them.
///
/// Paths count from the clone's root.
pub(crate) fn settle(files: &[(PathBuf, String)], check: bool, command: &str) -> Result<()> {
    let mut stale = Vec::new();
    for (name, text) in files {
        let path = root().join(name);
        if std::fs::read_to_string(&path).is_ok_and(|now| now == *text) {
            continue;
        }
        stale.push(name.display().to_string());
        if !check {
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder)?;
            }
            std::fs::write(&path, text)
                .with_context(|| format!("cannot write {}", name.display()))?;
            println!("{}", name.display());
        }
    }
    if check && !stale.is_empty() {
        bail!(
            "{} is out of date: run cargo xtask {command}",
            stale.join(", ")
        );
    }
    Ok(())
}
