//! Reading with a bound: a path may name something that never ends.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// What is there, of at most `most` bytes.
///
/// # Errors
/// Those of the system, and one for what is larger.
pub fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    read_from(&mut File::open(path)?, most)
}

/// The same of a regular file; a pipe or a device is refused.
///
/// # Errors
/// As [`read`].
pub fn read_plain(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    // Looked at before it is opened: to open a pipe may wait for somebody at its other end.
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    read(path, most)
}

/// What is left of a file, of at most `most` bytes.
///
/// # Errors
/// As [`read`].
pub fn read_from(file: &mut impl Read, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        let size = match most >> 20 {
            0 => format!("{most} bytes"),
            mib => format!("{mib} MiB"),
        };
        let what = format!("it has more than {size}, which is the most that is read here");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, what));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_larger_than_the_bound_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, [7; 10]).unwrap();
        assert_eq!(read(&path, 10).unwrap(), [7; 10]);
        let error = read(&path, 9).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
        assert!(read_plain(&path, 9).is_err() && read_plain(folder.path(), 9).is_err());
        assert!(read_plain(&folder.path().join("b"), 9).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn what_never_ends_is_not_read_to_its_end() {
        assert!(read(Path::new("/dev/zero"), 1 << 20).is_err());
        assert!(read_plain(Path::new("/dev/zero"), 1 << 20).is_err());
    }
}
