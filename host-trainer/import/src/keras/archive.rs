//! A `.keras`: a zip of `config.json`, `metadata.json` and `model.weights.h5`.

use std::io::{Cursor, Read};

use zip::ZipArchive;

use super::json::damaged;
use crate::error::Result;

/// Bytes that a configuration may have.
pub(super) const TEXT: u64 = 8 << 20;

/// What is in a `.keras`.
pub(super) struct Archive {
    /// `config.json`.
    pub(super) config: Vec<u8>,
    /// `metadata.json`; empty where there is none.
    pub(super) metadata: Vec<u8>,
    /// `model.weights.h5`.
    pub(super) weights: Vec<u8>,
}

/// Whether a zip is one of Keras.
pub(crate) fn is(bytes: &[u8]) -> bool {
    let zip = ZipArchive::new(Cursor::new(bytes));
    zip.is_ok_and(|zip| zip.index_for_name("config.json").is_some())
}

/// Bytes that what a file of so many unpacks to may have. Weights hardly shrink; a zip bomb does.
pub(super) const fn budget(file: usize) -> usize {
    file.saturating_mul(16).saturating_add(64 << 20)
}

/// Unpacks a `.keras`.
pub(super) fn open(bytes: &[u8]) -> Result<Archive> {
    let mut zip = ZipArchive::new(Cursor::new(bytes)).map_err(|e| damaged(e.to_string()))?;
    let weights = budget(bytes.len()) as u64;
    Ok(Archive {
        config: member(&mut zip, "config.json", TEXT)?,
        metadata: match zip.index_for_name("metadata.json") {
            Some(_) => member(&mut zip, "metadata.json", TEXT)?,
            None => Vec::new(),
        },
        weights: member(&mut zip, "model.weights.h5", weights)?,
    })
}

/// A member of at most `limit` bytes, whatever its header says.
fn member(zip: &mut ZipArchive<Cursor<&[u8]>>, name: &str, limit: u64) -> Result<Vec<u8>> {
    let of = |e: &dyn std::fmt::Display| damaged(format!("{name}: {e}"));
    let file = zip.by_name(name).map_err(|e| of(&e))?;
    let mut bytes = Vec::new();
    file.take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|e| of(&e))?;
    match bytes.len() as u64 > limit {
        true => Err(of(&format_args!("it unpacks to more than {limit} bytes"))),
        false => Ok(bytes),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::*;

    #[test]
    fn a_bomb_is_unpacked_to_its_limit_only() {
        let mut made = ZipWriter::new(Cursor::new(Vec::new()));
        let options = SimpleFileOptions::default();
        made.start_file("config.json", options).expect("a member");
        made.write_all(&[b' '; 1 << 20]).expect("its bytes");
        let bytes = made.finish().expect("a zip").into_inner();
        assert!(bytes.len() < 1 << 12);
        let mut zip = ZipArchive::new(Cursor::new(&*bytes)).expect("a zip");
        let error = member(&mut zip, "config.json", (1 << 20) - 1).expect_err("too much");
        assert!(
            error.to_string().contains("more than 1048575 bytes"),
            "{error}"
        );
        assert!(member(&mut zip, "config.json", 1 << 20).is_ok());
    }
}
