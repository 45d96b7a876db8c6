//! QEMU with the board's program in it: started, talked to over the emulated serial port, and ended
//! on every path.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::board::{self, Board};
use crate::command::{output, work_folder};
use crate::screen::{Line, Screen};

/// The longest wait for anything: many times what the slowest machine needs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Every QEMU that runs, so that a signal can end it.
static RUNNING: Mutex<Vec<Arc<Mutex<Child>>>> = Mutex::new(Vec::new());

/// A lock whose holder panicked still holds a process that has to be ended.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// On Ctrl-C, a hang-up or a request to end: ends every QEMU, gives the terminal back, and ends
/// this program.
pub(crate) fn kill_on_signals() {
    let handler = || {
        for child in lock(&RUNNING).iter() {
            let _ = lock(child).kill();
        }
        crate::lanes::end_child();
        crate::terminal::give_terminal_back();
        std::process::exit(130);
    };
    if let Err(error) = ctrlc::set_handler(handler) {
        eprintln!("warning: signals are not handled: {error}");
    }
}

/// QEMU's board, with the virtual clock counting instructions: 2^shift ns each, the same in every
/// run. What the program says by semihosting comes out of QEMU's stdout: some versions send it
/// there by themselves, the others by the chardev.
fn qemu(elf: &Path, board: &Board, shift: u32) -> Command {
    let mut qemu = Command::new("qemu-system-arm");
    qemu.args(["-M", board.id(), "-nographic", "-monitor", "none"])
        .args(["-icount", &format!("shift={shift}")])
        .args(["-chardev", "stdio,id=log,signal=off"])
        .args(["-semihosting-config", "enable=on,target=native,chardev=log"])
        .stdin(Stdio::null())
        .arg("-kernel")
        .arg(elf);
    qemu
}

/// Runs a program that prints by semihosting and ends by itself; gives what it printed.
pub(crate) fn run_to_end(elf: &Path, board: &Board) -> Result<String> {
    let shift = board
        .qemu
        .context("the board is none of QEMU's")?
        .icount_shift;
    let mut qemu = qemu(elf, board, shift);
    qemu.args(["-serial", "null"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let child = qemu
        .spawn()
        .context("cannot start qemu-system-arm; `cargo xtask setup` gets it")?;
    let running = Running::new(child);
    let (mut out, mut err) = {
        let mut child = lock(&running.0);
        (child.stdout.take(), child.stderr.take())
    };
    let reader = std::thread::spawn(move || {
        let (mut said, mut complained) = (String::new(), String::new());
        // What cannot be read is not there: the exit status and the output's check below find it.
        let _ = out.as_mut().map(|o| o.read_to_string(&mut said));
        let _ = err.as_mut().map(|e| e.read_to_string(&mut complained));
        (said, complained)
    });
    // A self-test runs some thousand steps.
    let status = running.wait(5 * PATIENCE)?;
    let (said, complained) = reader.join().unwrap_or_default();
    if !status.success() {
        let both = format!("{said}\n{complained}");
        let reason = both.trim().lines().last().unwrap_or("it printed nothing");
        bail!(
            "the board's program failed: {}",
            reason.trim_start_matches("error: ")
        );
    }
    Ok(said)
}

/// Starts a program and connects to the board's serial port. What it says by semihosting goes to
/// `log`.
pub(crate) fn connect(
    elf: &Path,
    board: &Board,
    shift: u32,
    log: Stdio,
) -> Result<(Running, UnixStream)> {
    let port = Port::listen()?;
    let mut qemu = qemu(elf, board, shift);
    qemu.args(["-chardev", &port.chardev(), "-serial", "chardev:serial"])
        .stdout(log)
        .stderr(Stdio::piped());
    let mut child = qemu
        .spawn()
        .context("cannot start qemu-system-arm; `cargo xtask setup` gets it")?;
    let complaints = child.stderr.take();
    let running = Running::new(child);
    let Some(stream) = port.accept(&running)? else {
        let mut text = String::new();
        let _ = complaints.map(|mut c| c.read_to_string(&mut text));
        bail!("QEMU does not start: {}", text.trim());
    };
    Ok((running, stream))
}

/// A QEMU that is ended when this value goes.
pub(crate) struct Running(Arc<Mutex<Child>>);

impl Running {
    fn new(child: Child) -> Self {
        let child = Arc::new(Mutex::new(child));
        lock(&RUNNING).push(Arc::clone(&child));
        Running(child)
    }

    /// The exit status, once it has ended.
    fn status(&self) -> Result<Option<ExitStatus>> {
        lock(&self.0).try_wait().context("QEMU vanished")
    }

    fn wait(&self, patience: Duration) -> Result<ExitStatus> {
        let start = Instant::now();
        while start.elapsed() < patience {
            if let Some(status) = self.status()? {
                return Ok(status);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        bail!(
            "the board's program did not end within {} s",
            patience.as_secs()
        )
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut child = lock(&self.0);
        // It may have ended already.
        let _ = child.kill();
        let _ = child.wait();
        lock(&RUNNING).retain(|other| !Arc::ptr_eq(other, &self.0));
    }
}

/// The screen, and what the reading thread shares with the rest.
struct Shared {
    screen: Mutex<Screen>,
    changed: Condvar,
    /// Whether everything also goes to this program's stdout.
    mirror: AtomicBool,
    ended: AtomicBool,
}

/// The socket that the emulated serial port is connected to. QEMU's stdin and stdout are not used
/// for it: by some versions the log comes out there too.
struct Port {
    listener: UnixListener,
    path: PathBuf,
}

impl Port {
    /// In the folder for temporary files: a socket's path must be short.
    fn listen() -> Result<Self> {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("gatelet-{}-{count}.sock", std::process::id());
        let path = std::env::temp_dir().join(name);
        let listener = UnixListener::bind(&path)
            .and_then(|l| l.set_nonblocking(true).map(|()| l))
            .with_context(|| format!("cannot make the socket {}", path.display()))?;
        Ok(Port { listener, path })
    }

    /// QEMU's end.
    fn chardev(&self) -> String {
        let path = self.path.display().to_string().replace(',', ",,");
        format!("socket,id=serial,path={path}")
    }

    /// Waits for QEMU to connect; `None` if it has ended instead.
    fn accept(self, running: &Running) -> Result<Option<UnixStream>> {
        let start = Instant::now();
        while start.elapsed() < PATIENCE && running.status()?.is_none() {
            match self.listener.accept() {
                Ok((stream, _)) => {
                    stream.set_nonblocking(false)?;
                    return Ok(Some(stream));
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    std::thread::sleep(Duration::from_millis(2));
                }
                Err(error) => return Err(error).context("QEMU cannot connect its serial port"),
            }
        }
        Ok(None)
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        // Connected or not, nobody else is to find it.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// A board whose serial console this program is connected to.
pub(crate) struct Emulator {
    running: Running,
    keyboard: UnixStream,
    shared: Arc<Shared>,
    /// The log that came by semihosting; defmt-print decodes it.
    pub(crate) log: PathBuf,
}

impl Emulator {
    /// Starts a console's image.
    pub(crate) fn boot(elf: &Path, mirror: bool) -> Result<Self> {
        let log = work_folder()?.join("console.defmt");
        // A new file, and no link to another one.
        gatelet_files::replace(&log, &[])?;
        let to_log = gatelet_files::open_to_append(&log)
            .with_context(|| format!("cannot write {}", log.display()))?;
        let (running, keyboard) = connect(elf, board::default(), 0, to_log.into())?;
        let mut output = keyboard
            .try_clone()
            .context("the serial port has one end only")?;
        let shared = Arc::new(Shared {
            screen: Mutex::new(Screen::new()),
            changed: Condvar::new(),
            mirror: AtomicBool::new(mirror),
            ended: AtomicBool::new(false),
        });
        let to = Arc::clone(&shared);
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = output.read(&mut bytes) {
                let bytes = bytes.get(..count).unwrap_or_default();
                if to.mirror.load(Ordering::Relaxed) {
                    let mut stdout = std::io::stdout();
                    // A closed stdout ends this program elsewhere.
                    let _ = stdout.write_all(bytes).and_then(|()| stdout.flush());
                }
                lock(&to.screen).feed(bytes);
                to.changed.notify_all();
            }
            to.ended.store(true, Ordering::Relaxed);
            to.changed.notify_all();
        });
        Ok(Emulator {
            running,
            keyboard,
            shared,
            log,
        })
    }

    /// Types bytes into the serial port.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> Result<()> {
        self.keyboard
            .write_all(bytes)
            .and_then(|()| self.keyboard.flush())
            .context("QEMU has ended")
    }

    /// Waits until the screen is as wanted.
    pub(crate) fn wait_for<T>(
        &self,
        what: &str,
        wanted: impl Fn(&Screen) -> Option<T>,
    ) -> Result<T> {
        let start = Instant::now();
        let mut screen = lock(&self.shared.screen);
        loop {
            if let Some(found) = wanted(&screen) {
                return Ok(found);
            }
            if self.ended() {
                bail!(
                    "QEMU ended while waiting for {what}; the screen:\n{}",
                    screen.text()
                );
            }
            if start.elapsed() > PATIENCE {
                bail!(
                    "no {what} within {} s; the screen:\n{}",
                    PATIENCE.as_secs(),
                    screen.text()
                );
            }
            let tick = Duration::from_millis(100);
            screen = match self.shared.changed.wait_timeout(screen, tick) {
                Ok((screen, _)) => screen,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
    }

    /// The console's line once it has been drawn for the first time.
    pub(crate) fn prompt(&self) -> Result<Line> {
        self.wait_for("prompt", |screen| {
            screen.line().filter(|line| !line.panel.is_empty())
        })
    }

    /// Presses one key and waits until the console has drawn its line again.
    pub(crate) fn press(&mut self, key: &str) -> Result<Line> {
        let before = lock(&self.shared.screen).redraws();
        // Enter draws the old line once more, then the new one.
        let draws = if key == "\r" { 2 } else { 1 };
        self.send(key.as_bytes())?;
        self.wait_for(&format!("answer to the key {key:?}"), |screen| {
            (screen.redraws() >= before + draws)
                .then(|| screen.line())
                .flatten()
        })
    }

    /// Types a text key by key, as a person would; gives the line after the last one.
    pub(crate) fn type_text(&mut self, text: &str) -> Result<Line> {
        let mut line = self.press("\x0c")?;
        for character in text.chars() {
            line = self.press(character.encode_utf8(&mut [0; 4]))?;
            if line.panel.contains("not in vocabulary") {
                bail!("the model does not know {character:?}: leave it out of the text");
            }
            if line.panel.contains("line is full") {
                bail!("the text is longer than the console's line");
            }
        }
        Ok(line)
    }

    /// Looks at the screen.
    pub(crate) fn look<T>(&self, at: impl FnOnce(&Screen) -> T) -> T {
        at(&lock(&self.shared.screen))
    }

    /// Whether QEMU has ended.
    pub(crate) fn ended(&self) -> bool {
        self.shared.ended.load(Ordering::Relaxed) || !matches!(self.running.status(), Ok(None))
    }
}

/// QEMU's version, which is also whether it starts at all.
pub(crate) fn version() -> Result<String> {
    let text = output(Command::new("qemu-system-arm").arg("--version"))?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}
