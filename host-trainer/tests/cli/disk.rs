//! A full disk, for real: a file system of 4 MB that is filled to the last byte, and a limit on the size of files.
//!
//! The file system needs the right to mount, which a test may not have: then it says so and is skipped, and
//! `GATELET_REQUIRE_FULL_DISK=1` makes that a failure. The limit (`ulimit -f`) works everywhere.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::place::{Place, signal, until};

const NET: &str = "train text.txt --hidden 48 --batch 6 --window 16 --patience 0 --save-every 0 -q";

fn words<'a>(more: &[&'a str]) -> Vec<&'a str> {
    NET.split(' ').chain(more.iter().copied()).collect()
}

/// A run whose messages can be waited for.
struct Run {
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
}

impl Run {
    fn start(mut command: Command) -> Self {
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            stderr.lines().map_while(Result::ok).for_each(|line| {
                let _ = sender.send(line);
            });
        });
        Self {
            child,
            lines,
            seen: Vec::new(),
        }
    }

    /// Waits for a message that holds `part`.
    fn says(&mut self, part: &str) -> String {
        loop {
            match self.lines.recv_timeout(Duration::from_secs(120)) {
                Ok(line) if line.contains(part) => return line,
                Ok(line) => self.seen.push(line),
                Err(_) => panic!("never said {part:?}, but {:?}", self.seen),
            }
        }
    }

    /// Waits for the end; gives the last line too.
    fn ends(mut self) -> (ExitStatus, String) {
        let status = self.child.wait().unwrap();
        self.seen.extend(self.lines.iter());
        (status, self.seen.pop().unwrap_or_default())
    }
}

/// A file system of four megabytes, gone with this value.
struct SmallDisk {
    folder: PathBuf,
}

impl SmallDisk {
    /// `None` where nothing may be mounted.
    fn mount(folder: PathBuf) -> Option<Self> {
        fs::create_dir(&folder).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=4m", "gatelet-test"])
            .arg(&folder)
            .output()
            .is_ok_and(|output| output.status.success());
        mounted.then_some(Self { folder })
    }

    fn ballast(&self) -> PathBuf {
        self.folder.join("ballast")
    }

    /// Keeps the disk full to the last byte until the value is dropped: a running program frees some now and then.
    fn fill(&self) -> Full {
        let go_on = Arc::new(AtomicBool::new(true));
        let more = Arc::clone(&go_on);
        let mut file = File::options()
            .create(true)
            .append(true)
            .open(self.ballast())
            .unwrap();
        let mut all = move || {
            for size in [65_536, 512, 1] {
                while file.write_all(&vec![0; size]).is_ok() {}
            }
        };
        // Full before anything else is done: on a busy machine a thread may begin late.
        all();
        let thread = std::thread::spawn(move || {
            while more.load(Ordering::Relaxed) {
                all();
                std::thread::sleep(Duration::from_millis(2));
            }
        });
        Full {
            ballast: self.ballast(),
            go_on,
            thread: Some(thread),
        }
    }
}

/// A disk kept full; there is room again when this is dropped.
struct Full {
    ballast: PathBuf,
    go_on: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Full {
    fn drop(&mut self) {
        self.go_on.store(false, Ordering::Relaxed);
        self.thread.take().map(JoinHandle::join);
        let _ = fs::remove_file(&self.ballast);
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.folder).status();
    }
}

#[test]
fn a_full_disk_stops_neither_the_training_nor_what_it_has_saved() {
    let place = Place::new();
    let Some(disk) = SmallDisk::mount(place.path("small")) else {
        let required = std::env::var_os("GATELET_REQUIRE_FULL_DISK").is_some_and(|v| v == "1");
        assert!(
            !required,
            "GATELET_REQUIRE_FULL_DISK=1, and this process may not mount"
        );
        println!("skipped: a real full disk needs the right to mount a tmpfs");
        return;
    };
    let whole = |name: &str| place.checkpoint(name).meta.position.unwrap().step;
    // A try that fails while it is looked at has one for a moment.
    let no_temporary = || {
        until("no temporary file", || {
            let names = place.names("small/run");
            !names.iter().any(|name| name.ends_with(".tmp"))
        });
    };

    // Full while it trains: one line, and it trains on; when there is room again, it saves again.
    let endless = words(&[
        "--epochs",
        "200000",
        "--eval-every",
        "50",
        "--out",
        "small/run",
    ]);
    let mut run = Run::start(place.command(&endless));
    until("a few checkpoints", || {
        place.path("small/run/previous.safetensors").exists()
    });
    let full = disk.fill();
    let said = run.says("tries again");
    let on_disk = whole("small/run/last.safetensors");
    let parts = [
        "warning: cannot write small/run/",
        "No space left on device",
        &format!("on disk is step {on_disk}"),
    ];
    assert!(parts.iter().all(|part| said.contains(part)), "{said}");
    whole("small/run/previous.safetensors");
    no_temporary();
    drop(full);
    run.says("could be written again");
    assert!(
        whole("small/run/last.safetensors") > on_disk,
        "it has trained on meanwhile"
    );
    signal(&mut run.child, "-INT");
    assert_eq!(run.ends().0.code(), Some(0));
    no_temporary();

    // Not even the change of an option can be recorded on a full disk: refused, and nothing is lost.
    let position = place
        .checkpoint("small/run/last.safetensors")
        .meta
        .position
        .unwrap();
    let epochs = (position.epoch + 60).to_string();
    let rest = "train text.txt --out small/run --resume --save-every 0 -q --epochs";
    let rest: Vec<&str> = rest.split(' ').chain([&epochs[..]]).collect();
    let full = disk.fill();
    until("the disk is full", || {
        let output = place.run(&rest);
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{message}");
        assert!(
            message.starts_with("error: cannot write small/run/"),
            "{message}"
        );
        message.contains("No space left on device")
    });
    assert_eq!(whole("small/run/last.safetensors"), position.step);
    no_temporary();
    drop(full);

    // Full at the end: it waits, and when there is room it is done, with nothing lost.
    let mut run = Run::start(place.command(&rest));
    until("it goes on", || {
        whole("small/run/last.safetensors") > position.step
    });
    let full = disk.fill();
    run.says("waiting up to 10 minutes");
    assert!(run.child.try_wait().unwrap().is_none(), "it waits");
    drop(full);
    run.says("could be written again");
    assert_eq!(run.ends().0.code(), Some(0));
    no_temporary();
    let end = place
        .checkpoint("small/run/last.safetensors")
        .meta
        .position
        .unwrap();
    assert_eq!(end.epoch.to_string(), epochs);
    let lines = fs::read_to_string(place.path("small/run/metrics.jsonl")).unwrap();
    let steps = lines.lines().map(|line| {
        serde_json::from_str::<serde_json::Value>(line).unwrap()["step"]
            .as_u64()
            .unwrap()
    });
    let expected: Vec<u64> = (50..end.step).step_by(50).chain([end.step]).collect();
    assert!(steps.eq(expected), "every line is there, once");
}

/// Full soon after the start, and full to the end: what was trained is saved elsewhere when the run
/// is stopped.
#[test]
fn a_run_on_a_disk_that_stays_full_is_saved_elsewhere() {
    let place = Place::new();
    let Some(disk) = SmallDisk::mount(place.path("small")) else {
        println!("skipped: a real full disk needs the right to mount a tmpfs");
        return;
    };
    fs::create_dir(place.path("tmp")).unwrap();
    let endless = words(&[
        "--epochs",
        "200000",
        "--eval-every",
        "50",
        "--out",
        "small/run",
    ]);
    let mut command = place.command(&endless);
    command.env("TMPDIR", place.path("tmp"));
    let mut run = Run::start(command);
    // A start that cannot be written fails at once: see below.
    until("a few checkpoints", || {
        place.path("small/run/previous.safetensors").exists()
    });
    let full = disk.fill();
    run.says("tries again");
    let last = "small/run/last.safetensors";
    let on_disk = place.checkpoint(last).meta.position.unwrap().step;
    std::thread::sleep(Duration::from_millis(300));
    signal(&mut run.child, "-INT");
    let (status, said) = run.ends();
    assert_eq!(status.code(), Some(1), "{said}");
    let made = place.names("tmp");
    assert!(
        made.len() == 1 && said.contains(&made[0]),
        "{made:?}: {said}"
    );
    assert_eq!(place.checkpoint(last).meta.position.unwrap().step, on_disk);
    let folder = format!("tmp/{}", made[0]);
    let position = || {
        let last = place.checkpoint(&format!("{folder}/last.safetensors"));
        last.meta.position.unwrap()
    };
    let saved = position();
    assert!(saved.step > on_disk, "what was trained since is there");
    let epochs = (saved.epoch + 1).to_string();
    let rest = [
        "train", "text.txt", "--resume", "-q", "--epochs", &epochs, "--out", &folder,
    ];
    place.good(&rest);
    assert!(position().step > saved.step);
    drop(full);
}

/// The same without a mount: every checkpoint is larger than a file may be.
#[test]
fn a_run_whose_last_state_cannot_be_written_fails_and_can_be_resumed() {
    let place = Place::new();
    let net = ["--epochs", "6", "--eval-every", "5", "--out"];
    place.good(&words(&[&net[..], &["whole"]].concat()));

    // A start fails at once, and leaves nothing in the way of the next one.
    let limited = |line: &[&str]| {
        // Ignored signals stay ignored: a write beyond the limit is an error instead of the end.
        let script = "trap '' XFSZ; ulimit -f 16; exec \"$0\" \"$@\"";
        let mut command = Command::new("sh");
        command
            .args(["-c", script, env!("CARGO_BIN_EXE_gatelet")])
            .args(line)
            .current_dir(place.path(""));
        command
    };
    let start = words(&[&net[..], &["run"]].concat());
    let refused = limited(&start).output().unwrap();
    let message = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(1), "{message}");
    assert!(
        message.starts_with("error: cannot write run/last.safetensors: ")
            && message.lines().count() == 1,
        "{message}"
    );
    assert_eq!(place.names("run"), [".lock"]);

    // A few windows without the limit, the rest with it.
    let mut run = Run::start(place.command(&start));
    until("an evaluation", || {
        place.path("run/best.safetensors").exists()
    });
    signal(&mut run.child, "-INT");
    assert_eq!(run.ends().0.code(), Some(0));
    let before = fs::read(place.path("run/last.safetensors")).unwrap();
    let mut run = Run::start(limited(&[
        "train", "text.txt", "--out", "run", "--resume", "-q",
    ]));
    run.says("training goes on and tries again");
    run.says("Ctrl-C writes it into");
    signal(&mut run.child, "-INT");
    let (status, last) = run.ends();
    assert_eq!(status.code(), Some(1), "{last}");
    assert!(
        last.starts_with("error: cannot write run/") && last.contains("make room"),
        "{last}"
    );
    assert!(before == fs::read(place.path("run/last.safetensors")).unwrap());
    let names = place.names("run");
    assert!(
        !names.iter().any(|name| name.ends_with(".tmp")),
        "{names:?}"
    );

    place.good(&["train", "text.txt", "--out", "run", "--resume", "-q"]);
    place.same("whole", "run");
}
