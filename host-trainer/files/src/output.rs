//! A file that a command writes, at a path that its user gave.

use std::fs::{self, File, FileType, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use same_file::Handle;

use crate::error::{Error, Result};
use crate::plain::rename_over;
use crate::temporary::{self, Sweep, folder_of, sweep};

/// What a file is, told by its content.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// With its article: `a .gatelet image`.
    pub name: &'static str,
    /// Whether a file, read from its start, is one.
    pub is: fn(&mut dyn Read) -> io::Result<bool>,
}

impl Kind {
    /// Whether a plain file is of this kind; an empty one is of every kind.
    ///
    /// # Errors
    /// Those of the system.
    pub fn is_that_of(&self, path: &Path) -> io::Result<bool> {
        let mut file = File::open(path)?;
        if file.metadata()?.len() == 0 {
            return Ok(true);
        }
        file.rewind()?;
        (self.is)(&mut io::BufReader::new(file))
    }
}

/// A file to be written.
#[derive(Clone, Debug)]
pub struct Output {
    path: PathBuf,
    kind: Kind,
    force: bool,
    inputs: Vec<PathBuf>,
}

/// What stands where an output goes.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    /// Nothing.
    Free(PathBuf),
    /// A plain file that may be replaced; links on the way to it are resolved.
    File(PathBuf),
    /// A pipe, a terminal, a device: written to as what it is.
    Stream,
    /// Standard output by its name as a file.
    Stdout,
}

/// Names that Unix has for standard output.
const STDOUT: [&str; 3] = ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"];

impl Output {
    /// A file of `kind` at `path`; one that is there already is replaced with `force` only.
    pub fn new(path: &Path, kind: Kind, force: bool) -> Self {
        Self {
            path: path.to_owned(),
            kind,
            force,
            inputs: Vec::new(),
        }
    }

    /// Made from these files, which it does not replace.
    #[must_use]
    pub fn made_from<P: AsRef<Path>>(mut self, inputs: impl IntoIterator<Item = P>) -> Self {
        let inputs = inputs.into_iter().map(|input| input.as_ref().to_owned());
        self.inputs.extend(inputs);
        self
    }

    /// The path as it was given.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it goes to standard output, where nothing else should then go.
    pub fn is_stdout(&self) -> bool {
        STDOUT.iter().any(|name| self.path == Path::new(name))
    }

    /// Checks that it can be written later; writes nothing that stays.
    ///
    /// # Errors
    /// Every one that [`Output::write`] has.
    pub fn check(&self) -> Result<()> {
        match self.place()? {
            Place::Free(path) | Place::File(path) => {
                sweep(folder_of(&path), Sweep::Shared);
                let probe = temporary::new(folder_of(&path));
                probe.map_err(|source| Error::write(&self.path, source))?;
            }
            Place::Stream | Place::Stdout => {}
        }
        Ok(())
    }

    /// Writes it. What stands there is looked at again: minutes may have passed since the check.
    ///
    /// # Errors
    /// [`Error`] says why it is not written; then what stands there is as it was.
    pub fn write(&self, bytes: &[u8]) -> Result<()> {
        let written = match self.place()? {
            Place::Free(path) => rename_over(&path, bytes, false, || Ok(())),
            Place::File(path) => rename_over(&path, bytes, true, || Ok(())),
            Place::Stream => OpenOptions::new()
                .write(true)
                .open(&self.path)
                .and_then(|mut stream| stream.write_all(bytes)),
            Place::Stdout => {
                let mut stdout = io::stdout().lock();
                stdout.write_all(bytes).and_then(|()| stdout.flush())
            }
        };
        written.map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => Error::Exists(self.path.clone()),
            _ => Error::write(&self.path, source),
        })
    }

    /// What stands at the path, if that may be written.
    fn place(&self) -> Result<Place> {
        if self.is_stdout() {
            return Ok(Place::Stdout);
        }
        let failed = |source| Error::write(&self.path, source);
        let Some(about) = at(&self.path)? else {
            return Ok(Place::Free(self.path.clone()));
        };
        if !about.is_file() {
            return match found(about.file_type()) {
                None => Ok(Place::Stream),
                Some(found) => Err(Error::NotAFile {
                    path: self.path.clone(),
                    found,
                }),
            };
        }
        // What --force does not help against is said first.
        self.check_inputs()?;
        if !self.kind.is_that_of(&self.path).map_err(failed)? {
            return Err(Error::OtherKind {
                path: self.path.clone(),
                kind: self.kind.name,
            });
        }
        if about.permissions().readonly() {
            return Err(Error::ReadOnly(self.path.clone()));
        }
        if !self.force {
            return Err(Error::Exists(self.path.clone()));
        }
        Ok(Place::File(fs::canonicalize(&self.path).map_err(failed)?))
    }

    /// Checks that the file is none of the inputs, nor what standard input or output is.
    fn check_inputs(&self) -> Result<()> {
        let path = || self.path.clone();
        if let Some(input) = self.inputs.iter().find(|input| same(input, &self.path)) {
            return Err(Error::Input {
                path: path(),
                input: input.clone(),
            });
        }
        let own = Handle::from_path(&self.path);
        for (handle, stream) in [
            (Handle::stdin(), "standard input"),
            (Handle::stdout(), "standard output"),
        ] {
            if let (Ok(handle), Ok(own)) = (handle, &own)
                && handle == *own
            {
                return Err(Error::Stream {
                    path: path(),
                    stream,
                });
            }
        }
        Ok(())
    }
}

/// Whether two paths name one plain file: by links, second names, or letters of another case.
pub fn same(one: &Path, other: &Path) -> bool {
    // Opening anything else could wait for somebody at its other end.
    let plain = |path| fs::metadata(path).is_ok_and(|about| about.is_file());
    plain(one) && plain(other) && same_file::is_same_file(one, other).unwrap_or(false)
}

/// What a path names, through links.
fn at(path: &Path) -> Result<Option<fs::Metadata>> {
    match fs::metadata(path) {
        Ok(about) => Ok(Some(about)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => match fs::read_link(path) {
            Ok(to) => Err(Error::Dangling {
                path: path.to_owned(),
                to,
            }),
            Err(_) => Ok(None),
        },
        Err(source) => Err(Error::write(path, source)),
    }
}

/// What no output can be written to; nothing for what takes bytes as they come.
fn found(kind: FileType) -> Option<&'static str> {
    if kind.is_dir() {
        return Some("a folder, and the output is a file");
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        if kind.is_block_device() {
            return Some("a disk");
        }
        if kind.is_socket() {
            return Some("a socket");
        }
    }
    None
}

/// Checks that files can be made in a folder; leaves none.
///
/// # Errors
/// [`Error::Write`].
pub fn probe(folder: &Path) -> Result<()> {
    let made = temporary::new(folder);
    made.map(drop)
        .map_err(|source| Error::write(folder, source))
}

/// Makes a folder for outputs, where it is missing.
///
/// # Errors
/// [`Error::NotAFolder`], [`Error::Dangling`] or [`Error::Write`].
pub fn folder(path: &Path) -> Result<()> {
    match at(path)? {
        Some(about) if !about.is_dir() => Err(Error::NotAFolder(path.to_owned())),
        _ => fs::create_dir_all(path).map_err(|source| Error::write(path, source)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTE: Kind = Kind {
        name: "a note",
        is: |file| {
            let mut start = [0; 5];
            Ok(file.read_exact(&mut start).is_ok() && &start == b"note:")
        },
    };

    /// Every thing that can stand at an output's path: what a write without and with force does.
    #[cfg(unix)]
    #[test]
    fn what_stands_there_decides() {
        use std::os::unix::fs::symlink;
        use std::os::unix::net::UnixListener;
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let input = path("input");
        for name in ["input", "same kind", "named"] {
            fs::write(path(name), "note: old").unwrap();
        }
        fs::write(path("other kind"), "a letter").unwrap();
        fs::write(path("empty"), "").unwrap();
        fs::hard_link(&input, path("second name")).unwrap();
        symlink("input", path("link to input")).unwrap();
        symlink("named", path("link")).unwrap();
        symlink("nowhere", path("dangling")).unwrap();
        symlink("loop", path("loop")).unwrap();
        fs::create_dir(path("folder")).unwrap();
        let _socket = UnixListener::bind(path("socket")).unwrap();
        fs::write(path("read-only"), "note: old").unwrap();
        let mut locked = fs::metadata(path("read-only")).unwrap().permissions();
        locked.set_readonly(true);
        fs::set_permissions(path("read-only"), locked).unwrap();

        let said = |name: &str, force| {
            let output = Output::new(&path(name), NOTE, force).made_from([&input]);
            let (check, write) = (output.check(), output.write(b"note: new"));
            assert_eq!(check.is_ok(), write.is_ok(), "{name}");
            match write {
                Ok(()) => "written",
                Err(Error::Exists(_)) => "exists",
                Err(Error::Input { .. }) => "input",
                Err(Error::Stream { .. }) => "stream",
                Err(Error::OtherKind { .. }) => "other kind",
                Err(Error::ReadOnly(_)) => "read-only",
                Err(Error::Dangling { .. }) => "dangling",
                Err(Error::NotAFile { .. }) => "no file",
                Err(Error::NotAFolder(_)) => "no folder",
                Err(Error::Write { .. }) => "failed",
            }
        };
        for (name, plain, forced) in [
            ("input", "input", "input"),
            ("second name", "input", "input"),
            ("link to input", "input", "input"),
            ("other kind", "other kind", "other kind"),
            ("same kind", "exists", "written"),
            ("empty", "exists", "written"),
            ("link", "exists", "written"),
            ("read-only", "read-only", "read-only"),
            ("dangling", "dangling", "dangling"),
            ("loop", "failed", "failed"),
            ("folder", "no file", "no file"),
            ("socket", "no file", "no file"),
            ("new", "written", "written"),
            ("no such folder/new", "failed", "failed"),
        ] {
            assert_eq!(said(name, false), plain, "{name}, without force");
            assert_eq!(said(name, true), forced, "{name}, with force");
        }
        for (name, content) in [
            ("input", "note: old"),
            ("read-only", "note: old"),
            ("other kind", "a letter"),
            ("named", "note: new"),
            ("same kind", "note: new"),
        ] {
            assert_eq!(fs::read_to_string(path(name)).unwrap(), content, "{name}");
        }
        assert!(fs::symlink_metadata(path("link")).unwrap().is_symlink());
        assert!(fs::symlink_metadata(path("dangling")).unwrap().is_symlink());
        let names = fs::read_dir(folder.path()).unwrap();
        let left = names.filter(|e| {
            temporary::is_temporary(&e.as_ref().unwrap().file_name().to_string_lossy())
        });
        assert_eq!(left.count(), 0);
    }

    #[cfg(unix)]
    #[test]
    fn a_pipe_is_written_to_and_stays_a_pipe() {
        use std::os::unix::fs::FileTypeExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&path).status();
        assert!(made.unwrap().success());
        let reader = std::thread::spawn({
            let path = path.clone();
            move || fs::read(path).unwrap()
        });
        let output = Output::new(&path, NOTE, false);
        output.check().unwrap();
        output.write(b"note: through").unwrap();
        assert_eq!(reader.join().unwrap(), b"note: through");
        assert!(fs::metadata(&path).unwrap().file_type().is_fifo());
        Output::new(Path::new("/dev/null"), NOTE, true)
            .write(b"note: gone")
            .unwrap();
        assert!(
            fs::metadata("/dev/null")
                .unwrap()
                .file_type()
                .is_char_device()
        );
    }

    #[test]
    fn what_appears_after_the_check_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let output = Output::new(&path, NOTE, true);
        output.check().unwrap();
        fs::write(&path, "a letter").unwrap();
        assert!(matches!(
            output.write(b"note: x"),
            Err(Error::OtherKind { .. })
        ));
        assert_eq!(fs::read_to_string(&path).unwrap(), "a letter");
    }
}
