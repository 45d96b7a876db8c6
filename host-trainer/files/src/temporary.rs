//! Temporary files: new, of a random name, following no link; and what killed processes left of them.
//!
//! ```text
//! write:  create .gatelet-XXXXXXXX.tmp (it must not exist), lock it, write it, rename it
//! sweep:  a plain file of that name that nobody holds locked was left by a process that is gone
//! ```
//! The lock is the operating system's and goes with the process, however that ends. Where a file
//! system has no locks nothing can be told about a file, and none is removed.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::path::Path;

use tempfile::{Builder, NamedTempFile, TempPath};

const PREFIX: &str = ".gatelet-";
const SUFFIX: &str = ".tmp";
/// Random letters and digits between the two.
const RANDOM: usize = 8;

/// Whether this is the name of a temporary file of ours.
pub fn is_temporary(name: &str) -> bool {
    let random = name
        .strip_prefix(PREFIX)
        .and_then(|name| name.strip_suffix(SUFFIX));
    random.is_some_and(|r| r.len() == RANDOM && r.bytes().all(|b| b.is_ascii_alphanumeric()))
}

fn builder<'a>() -> Builder<'a, 'a> {
    let mut builder = Builder::new();
    builder.prefix(PREFIX).suffix(SUFFIX).rand_bytes(RANDOM);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // As any new file: the user's mask decides.
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    builder
}

/// A new temporary file in `folder`.
pub(crate) fn new(folder: &Path) -> io::Result<NamedTempFile> {
    let file = builder().tempfile_in(folder).map_err(bare)?;
    // Without locks in the file system its leftover would stay: no reason not to write.
    let _ = file.as_file().try_lock();
    Ok(file)
}

/// The system's own error, without the random name that the library adds.
fn bare(error: io::Error) -> io::Error {
    let inner = error.get_ref().and_then(|error| error.source());
    let inner = inner.and_then(|error| error.downcast_ref::<io::Error>());
    match inner.and_then(io::Error::raw_os_error) {
        Some(code) => io::Error::from_raw_os_error(code),
        None => error,
    }
}

/// A second name of the file `path`, beside it.
///
/// # Errors
/// Those of the system: there may be no such file, or no second names.
pub fn second_name(path: &Path) -> io::Result<TempPath> {
    let link = |second: &Path| fs::hard_link(path, second);
    let made = builder().make_in(folder_of(path), link).map_err(bare)?;
    Ok(made.into_temp_path())
}

/// The folder that a path is in.
pub(crate) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Whose folder it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sweep {
    /// Other processes may be writing there.
    Shared,
    /// This process alone writes there.
    Own,
}

/// Removes temporary files in `folder` that killed processes have left; gives how many.
///
/// In a shared folder a file stays that is empty, since it may be locked in a moment, and one with
/// a second name, which may be about to get its own.
pub fn sweep(folder: &Path, whose: Sweep) -> usize {
    let Ok(entries) = fs::read_dir(folder) else {
        return 0;
    };
    let left = |path: &Path| -> io::Result<bool> {
        let about = fs::symlink_metadata(path)?;
        let moving = about.len() == 0 || names(&about) > 1;
        if !about.is_file() || (whose == Sweep::Shared && moving) {
            return Ok(false);
        }
        let file = open(path)?;
        // What was opened has to be what was looked at.
        let same = file.metadata()?.is_file()
            && same_file::Handle::from_file(file.try_clone()?)?
                == same_file::Handle::from_path(path)?;
        Ok(same && matches!(file.try_lock(), Ok(())))
    };
    let ours = entries.filter_map(|entry| {
        let entry = entry.ok()?;
        is_temporary(entry.file_name().to_str()?).then(|| entry.path())
    });
    ours.filter(|path| left(path).unwrap_or(false) && fs::remove_file(path).is_ok())
        .count()
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).open(path)
}

/// How many names a file has, where the system says.
pub(crate) fn names(about: &Metadata) -> u64 {
    #[cfg(unix)]
    {
        std::os::unix::fs::MetadataExt::nlink(about)
    }
    #[cfg(not(unix))]
    {
        let _ = about;
        1
    }
}
