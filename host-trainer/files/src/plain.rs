//! Files whose names the program chose itself, in a folder of its own.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::temporary::{self, folder_of};

/// Writes `bytes` to a new file, flushes it to the disk, and gives it the name `path`.
///
/// # Errors
/// [`Error::Write`]; then `path` is as it was. A link at `path`, or anything else that is no plain
/// file that may be written, is an error.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    replace_after(path, bytes, || Ok(()))
}

/// The same, with something to do when the new content is safe on the disk and before it takes the
/// name.
///
/// # Errors
/// [`Error::Write`]; then `path` is as it was, unless `before` changed it.
pub fn replace_after(
    path: &Path,
    bytes: &[u8],
    before: impl FnOnce() -> io::Result<()>,
) -> Result<()> {
    plain(path)
        .and_then(|()| rename_over(path, bytes, true, before))
        .map_err(|source| Error::write(path, source))
}

/// The steps of a write; without `over` nothing is replaced that is at `path` by then.
pub(crate) fn rename_over(
    path: &Path,
    bytes: &[u8],
    over: bool,
    before: impl FnOnce() -> io::Result<()>,
) -> io::Result<()> {
    let mut file = temporary::new(folder_of(path))?;
    file.as_file_mut().write_all(bytes)?;
    // A file that is replaced keeps its permissions; a new one has those of any new file.
    if let Ok(old) = fs::metadata(path)
        && over
    {
        file.as_file().set_permissions(old.permissions())?;
    }
    file.as_file().sync_all()?;
    before()?;
    let renamed = match over {
        true => file.persist(path),
        false => file.persist_noclobber(path),
    };
    renamed.map_err(|error| error.error)?;
    sync_folder_of(path);
    Ok(())
}

/// Checks that there is nothing at `path`, or a plain file that may be written.
///
/// # Errors
/// Says what else is there.
pub fn plain(path: &Path) -> io::Result<()> {
    let about = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    if about.is_symlink() {
        return Err(io::Error::other(
            "it is a symbolic link, and no file of this program's: remove it first",
        ));
    }
    if about.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if !about.is_file() {
        return Err(io::Error::other("it is no regular file: remove it first"));
    }
    if about.permissions().readonly() {
        return Err(io::Error::other(
            "it is read-only: make it writable (chmod u+w) or remove it first",
        ));
    }
    Ok(())
}

/// Flushes the names in the folder of `path` to the disk, where the system can do that.
///
/// Not every file system can (and Windows opens no folders); the new file is in place all the same,
/// so this cannot fail.
pub fn sync_folder_of(path: &Path) {
    let _ = File::open(folder_of(path)).and_then(|folder| folder.sync_all());
}

/// Opens a plain file to write at its end, or makes it; follows no link.
///
/// # Errors
/// Those of the system, and one for whatever is no plain file.
pub fn open_to_append(path: &Path) -> io::Result<File> {
    plain(path)?;
    let mut options = OpenOptions::new();
    options.append(true);
    let file = match options.open(path) {
        // A link that has appeared meanwhile is not followed by `create_new`.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            options.create_new(true).open(path)?
        }
        other => other?,
    };
    plain(path)?;
    let opened = same_file::Handle::from_file(file.try_clone()?)?;
    if opened != same_file::Handle::from_path(path)? {
        return Err(io::Error::other("it was replaced meanwhile"));
    }
    Ok(file)
}

/// Appends `line` (with its line feed) and flushes it to the disk. A file with several names is
/// copied first: what somebody else keeps under another name does not grow.
///
/// # Errors
/// [`Error::Write`]; then the file is as it was.
pub fn append(path: &Path, line: &str) -> Result<()> {
    let attempt = || {
        let mut file = open_to_append(path)?;
        let about = file.metadata()?;
        if temporary::names(&about) > 1 {
            let bytes = [&fs::read(path)?, line.as_bytes()].concat();
            return rename_over(path, &bytes, true, || Ok(()));
        }
        file.write_all(line.as_bytes())
            .and_then(|()| file.sync_data())
            .inspect_err(|_| {
                // A torn line would run into the next one; if this fails too, the reader skips both.
                let _ = file.set_len(about.len());
            })
    };
    attempt().map_err(|source| Error::write(path, source))
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
    let part = |part: Option<&OsStr>| {
        part.map_or_else(String::new, |part| part.to_string_lossy().into_owned())
    };
    let (stem, extension) = (part(path.file_stem()), part(path.extension()));
    let free = (1_u32..)
        .map(|n| path.with_file_name(format!("{stem}.damaged-{n}.{extension}")))
        .find(|path| fs::symlink_metadata(path).is_err())
        .unwrap_or_else(|| path.with_extension("damaged"));
    // A second name cannot replace a file that has appeared meanwhile; a rename could.
    match fs::hard_link(path, &free) {
        Ok(()) => fs::remove_file(path),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
        Err(_) => fs::rename(path, &free),
    }
    .map_err(|source| Error::write(path, source))?;
    sync_folder_of(path);
    Ok(free)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::temporary::{Sweep, is_temporary, sweep};

    fn count(folder: &tempfile::TempDir) -> usize {
        fs::read_dir(folder.path()).unwrap().count()
    }

    #[test]
    fn a_write_replaces_the_whole_file_and_leaves_nothing_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.bin");
        replace(&path, b"first, longer").unwrap();
        replace(&path, b"second").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"second");
        assert!(matches!(
            replace(&path.join("below"), b""),
            Err(Error::Write { .. })
        ));
        assert_eq!(count(&folder), 1);
    }

    #[test]
    fn a_write_that_fails_before_the_rename_leaves_the_old_file_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.bin");
        replace(&path, b"old").unwrap();
        let refused = replace_after(&path, b"new", || Err(io::ErrorKind::StorageFull.into()));
        assert!(matches!(refused, Err(Error::Write { .. })));
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(count(&folder), 1);
    }

    #[cfg(unix)]
    #[test]
    fn permissions_stay_and_new_files_have_those_of_any_new_file() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let mode = |name: &str| {
            let about = fs::metadata(folder.path().join(name)).unwrap();
            about.permissions().mode() & 0o777
        };
        File::create(folder.path().join("any")).unwrap();
        let path = folder.path().join("a.bin");
        replace(&path, b"1").unwrap();
        assert_eq!(mode("a.bin"), mode("any"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        replace(&path, b"2").unwrap();
        assert_eq!(mode("a.bin"), 0o640);
    }

    #[cfg(unix)]
    #[test]
    fn nothing_is_written_through_a_link_or_over_what_is_no_plain_file() {
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().unwrap();
        let [link, other, nothing] = ["link", "other", "nothing"].map(|n| folder.path().join(n));
        fs::write(&other, "precious").unwrap();
        for to in [&other, &nothing] {
            symlink(to, &link).unwrap();
            for refused in [replace(&link, b"new"), append(&link, "line\n")] {
                let said = refused.unwrap_err().to_string();
                assert!(said.contains("symbolic link"), "{said}");
            }
            assert_eq!(fs::read_link(&link).unwrap(), **to);
            fs::remove_file(&link).unwrap();
        }
        assert_eq!(fs::read_to_string(&other).unwrap(), "precious");
        assert!(!nothing.exists());
        fs::create_dir(&link).unwrap();
        assert!(replace(&link, b"new").is_err() && append(&link, "line\n").is_err());
        let mut readonly = fs::metadata(&other).unwrap().permissions();
        readonly.set_readonly(true);
        fs::set_permissions(&other, readonly).unwrap();
        assert!(replace(&other, b"new").is_err() && append(&other, "line\n").is_err());
        assert_eq!(fs::read_to_string(&other).unwrap(), "precious");
    }

    #[test]
    fn a_file_that_somebody_keeps_under_a_second_name_does_not_grow_there() {
        let folder = tempfile::tempdir().unwrap();
        let [path, kept] = ["lines", "kept"].map(|name| folder.path().join(name));
        append(&path, "one\n").unwrap();
        fs::hard_link(&path, &kept).unwrap();
        append(&path, "two\n").unwrap();
        append(&path, "three\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\ntwo\nthree\n");
        if cfg!(unix) {
            assert_eq!(fs::read_to_string(&kept).unwrap(), "one\n");
        }
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

    #[test]
    fn only_what_a_process_that_is_gone_has_left_is_swept() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let ours = ".gatelet-aB3dE6gH.tmp";
        let theirs = ["a.tmp", ".gatelet-short.tmp", ".gatelet-aB3d_6gH.tmp"];
        assert!(is_temporary(ours) && !theirs.iter().any(|name| is_temporary(name)));
        for name in theirs.iter().chain([&ours]) {
            fs::write(path(name), "left").unwrap();
        }
        fs::create_dir(path(".gatelet-folder00.tmp")).unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink(path("a.tmp"), path(".gatelet-link0000.tmp")).unwrap();
        let before = count(&folder);
        // A process that is alive holds its file.
        let held = temporary::new(folder.path()).unwrap();
        fs::write(held.path(), "being written").unwrap();
        let fresh = path(".gatelet-00000000.tmp");
        fs::write(&fresh, "").unwrap();
        assert_eq!(sweep(folder.path(), Sweep::Shared), 1);
        assert!(!path(ours).exists() && held.path().exists() && fresh.exists());
        assert_eq!(sweep(folder.path(), Sweep::Own), 1);
        assert!(!fresh.exists() && held.path().exists());
        drop(held);
        assert_eq!(count(&folder), before - 1);
        assert_eq!(fs::read_to_string(path("a.tmp")).unwrap(), "left");
    }
}
