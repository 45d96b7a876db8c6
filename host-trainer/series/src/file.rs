//! Files of data: regular ones, and what they were when they were opened.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

/// A file, as it was when it was opened.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    /// Where it is.
    pub(crate) path: PathBuf,
    /// Bytes.
    pub(crate) len: u64,
}

impl Known {
    /// A regular file; to open a pipe may wait for somebody at its other end.
    pub(crate) fn new(path: &Path) -> Result<Self> {
        let about = std::fs::metadata(path).map_err(|source| Error::read(path, source))?;
        match (about.is_file(), about.len()) {
            (false, _) => Err(Error::read(path, io::Error::other("it is no regular file"))),
            (true, 0) => Err(Error::Empty {
                path: path.to_owned(),
                what: "it is empty",
            }),
            (true, len) => Ok(Self {
                path: path.to_owned(),
                len,
            }),
        }
    }

    /// Opens it again; its size tells whether it has changed.
    pub(crate) fn open(&self) -> Result<File> {
        let failed = |source| Error::read(&self.path, source);
        let file = File::open(&self.path).map_err(failed)?;
        match file.metadata().map_err(failed)?.len() == self.len {
            true => Ok(file),
            false => Err(Error::Changed(self.path.clone())),
        }
    }

    /// Its first bytes, at most `most`.
    pub(crate) fn head(&self, most: u64) -> Result<Vec<u8>> {
        let mut head = Vec::new();
        let read = self.open()?.take(most).read_to_end(&mut head);
        read.map_err(|source| Error::read(&self.path, source))?;
        Ok(head)
    }

    /// Adds its name inside DATA and its bytes to a hash.
    pub(crate) fn hash(&self, name: &str, hash: &mut Sha256) -> Result<()> {
        hash.update((name.len() as u64).to_le_bytes());
        hash.update(name);
        hash.update(self.len.to_le_bytes());
        let mut file = self.open()?;
        let mut bytes = vec![0; 1 << 16];
        loop {
            match file.read(&mut bytes) {
                Ok(0) => return Ok(()),
                Ok(len) => hash.update(&bytes[..len]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => return Err(Error::read(&self.path, source)),
            }
        }
    }
}
