//! Writing files so that a kill at any instant leaves the old file or the new one, never half of one.
//!
//! ```text
//! write:   all bytes to NAME.tmp, fsync it, rename it to NAME, fsync the folder
//! append:  one line at the end, fsync; if that fails the file is cut back to what it was
//! ```
//! The rename is the instant of change. The first fsync makes sure that a power cut after it finds the content, not only
//! the name; the second that the new name itself is on the disk when the function returns.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Name of the temporary file that becomes `path`.
pub fn temporary(path: &Path) -> PathBuf {
    let mut name = path.file_name().map_or_else(OsString::new, OsString::from);
    name.push(".tmp");
    path.with_file_name(name)
}

/// Writes `bytes` to a temporary file beside `path`, flushes them to the disk, and renames it to `path`.
///
/// # Errors
/// [`Error::Write`]; then `path` is as it was.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    write_after(path, bytes, || Ok(()))
}

/// The same, with something to do when the new content is safe on the disk and before it takes the name.
///
/// # Errors
/// [`Error::Write`]; then `path` is as it was, unless `before` changed it.
pub fn write_after(
    path: &Path,
    bytes: &[u8],
    before: impl FnOnce() -> io::Result<()>,
) -> Result<()> {
    let temporary = temporary(path);
    let result = File::create(&temporary)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| before())
        .and_then(|()| fs::rename(&temporary, path));
    match result {
        Ok(()) => {
            sync_folder_of(path);
            Ok(())
        }
        Err(source) => {
            // Nothing more can be done about a temporary file that cannot be removed either.
            let _ = fs::remove_file(&temporary);
            Err(Error::Write {
                path: path.to_owned(),
                source,
            })
        }
    }
}

/// Flushes the names in the folder of `path` to the disk, where the system can do that.
///
/// Not every file system can (and Windows opens no folders); the new file is in place all the same, so this cannot fail.
pub fn sync_folder_of(path: &Path) {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let _ = File::open(folder).and_then(|folder| folder.sync_all());
}

/// Appends `line` (with its line feed) and flushes it to the disk.
///
/// # Errors
/// [`Error::Write`]; then the file is as it was.
pub fn append(path: &Path, line: &str) -> Result<()> {
    let attempt = || {
        let mut file = OpenOptions::new().create(true).append(true).open(path)?;
        let length = file.metadata()?.len();
        file.write_all(line.as_bytes())
            .and_then(|()| file.sync_data())
            .inspect_err(|_| {
                // A torn line would run into the next one; if this fails too, the reader skips both.
                let _ = file.set_len(length);
            })
    };
    attempt().map_err(|source| Error::Write {
        path: path.to_owned(),
        source,
    })
}

/// Removes a file; that it is not there is fine.
///
/// # Errors
/// Those of the system, except that there is no such file.
pub fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Gives a file another name, `STEM.damaged-N.EXTENSION` with the first free N, and returns that.
///
/// # Errors
/// [`Error::Write`].
pub fn set_aside(path: &Path) -> Result<PathBuf> {
    let part = |part: Option<&std::ffi::OsStr>| {
        part.map_or_else(String::new, |part| part.to_string_lossy().into_owned())
    };
    let (stem, extension) = (part(path.file_stem()), part(path.extension()));
    let free = (1_u32..)
        .map(|n| path.with_file_name(format!("{stem}.damaged-{n}.{extension}")))
        .find(|path| !path.exists())
        .unwrap_or_else(|| path.with_extension("damaged"));
    fs::rename(path, &free).map_err(|source| Error::Write {
        path: path.to_owned(),
        source,
    })?;
    sync_folder_of(path);
    Ok(free)
}

/// Checks that `path` can be written later, and is free or may be replaced; writes nothing that stays.
///
/// # Errors
/// [`Error::FileExists`] or [`Error::Write`].
pub fn check_writable(path: &Path, force: bool) -> Result<()> {
    if !force && path.exists() {
        return Err(Error::FileExists(path.to_owned()));
    }
    let error = |source| Error::Write {
        path: path.to_owned(),
        source,
    };
    if path.is_dir() {
        return Err(error(io::ErrorKind::IsADirectory.into()));
    }
    let temporary = temporary(path);
    File::create(&temporary)
        .and_then(|_| fs::remove_file(&temporary))
        .map_err(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_replaces_the_whole_file_and_leaves_nothing_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.bin");
        write(&path, b"first, longer").unwrap();
        write(&path, b"second").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"second");
        assert!(matches!(
            check_writable(&path, false),
            Err(Error::FileExists(_))
        ));
        check_writable(&path, true).unwrap();
        assert!(matches!(
            write(&path.join("below"), b""),
            Err(Error::Write { .. })
        ));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_write_that_fails_before_the_rename_leaves_the_old_file_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.bin");
        write(&path, b"old").unwrap();
        let refused = write_after(&path, b"new", || Err(io::ErrorKind::StorageFull.into()));
        assert!(matches!(refused, Err(Error::Write { .. })));
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    /// `/dev/full` answers every write as a full disk does.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_leaves_the_old_file_and_no_temporary_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.bin");
        write(&path, b"old").unwrap();
        std::os::unix::fs::symlink("/dev/full", temporary(&path)).unwrap();
        let error = write(&path, b"new").unwrap_err().to_string();
        assert!(error.contains("No space left on device"), "{error}");
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        write(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
    }

    #[test]
    fn files_set_aside_keep_their_bytes_under_names_that_were_free() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("last.safetensors");
        for (content, name) in [
            ("one", "last.damaged-1.safetensors"),
            ("two", "last.damaged-2.safetensors"),
        ] {
            fs::write(&path, content).unwrap();
            let aside = set_aside(&path).unwrap();
            assert_eq!(aside, folder.path().join(name));
            assert_eq!(fs::read_to_string(aside).unwrap(), content);
            assert!(!path.exists());
        }
    }
}
