//! Runs two lists of steps side by side, and shows them one after the other.
//!
//! ```text
//! this process     host:    format -> lints -> docs -> tests ...       as it comes
//! a process a step boards:  lints -> images -> QEMU ...                kept until the step has ended
//! between two steps of the first list, those of the second that have ended are shown
//! ```
//! Either list alone leaves half of a small machine idle: it waits for one large crate, for the
//! link of a whole program, for an emulator. A list compiles in a profile of its own, so that
//! cargo's locks do not make it wait for the other.

use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Instant;

use anyhow::{Context, Result, anyhow, bail};

/// A heading and what stands behind it.
pub(crate) type Step = (&'static str, fn() -> Result<()>);

/// The process of the step that runs in the background; 0 without one.
static CHILD: AtomicU32 = AtomicU32::new(0);

/// Ends the step in the background, if there is one; it ends the emulator that it has started.
pub(crate) fn end_child() {
    let child = CHILD.load(Ordering::Relaxed);
    if child != 0 {
        // It may have ended already.
        let _ = Command::new("kill").arg(child.to_string()).status();
    }
}

/// Runs the first steps, then those of both lists, the second in the background unless it is the
/// only one. After one has failed, none is begun.
pub(crate) fn run(
    first: &[&Step],
    front: Vec<&'static Step>,
    back: Vec<&'static Step>,
) -> Result<()> {
    let start = Instant::now();
    let mut log = Log {
        steps: first.len() + front.len() + back.len(),
        shown: 0,
    };
    first.iter().try_for_each(|step| log.run(step))?;
    let (front, back) = match front.is_empty() {
        true => (back, front),
        false => (front, back),
    };
    let (sender, ended) = mpsc::channel();
    std::thread::scope(|scope| {
        scope.spawn(move || in_background(&back, &sender));
        let result = show_all(&front, ended, &mut log);
        if result.is_err() && CHILD.load(Ordering::Relaxed) != 0 {
            eprintln!("waiting for the end of the step in the background");
        }
        result
    })?;
    println!(
        "\n{} steps in {:.0} s",
        log.steps,
        start.elapsed().as_secs_f32()
    );
    println!("{} passed, 0 failed", log.steps);
    Ok(())
}

/// Runs steps, and shows those that have ended in the background; after a failure nobody listens to
/// them any more.
fn show_all(front: &[&'static Step], ended: Receiver<Ended>, log: &mut Log) -> Result<()> {
    for step in front {
        log.run(step)?;
        ended.try_iter().try_for_each(|step| log.show(step))?;
    }
    ended.into_iter().try_for_each(|step| log.show(step))
}

/// A step of the background that has ended.
struct Ended {
    name: &'static str,
    output: Vec<u8>,
    seconds: f32,
    result: Result<()>,
}

/// Runs steps until one fails or nobody listens.
fn in_background(steps: &[&'static Step], listener: &Sender<Ended>) {
    for (name, _) in steps {
        let begun = Instant::now();
        let mut output = Vec::new();
        let result = in_child(name, &mut output);
        let failed = result.is_err();
        if failed {
            eprintln!("\n== {name}: failed; what it says is shown after the step that runs now");
        }
        let seconds = begun.elapsed().as_secs_f32();
        let ended = Ended {
            name,
            output,
            seconds,
            result,
        };
        if listener.send(ended).is_err() || failed {
            break;
        }
    }
}

/// Runs a step in a process of its own, and keeps what it prints.
fn in_child(name: &str, output: &mut Vec<u8>) -> Result<()> {
    let (mut reader, writer) = std::io::pipe().context("no pipe")?;
    let program = std::env::current_exe().context("this program has no path")?;
    let mut command = Command::new(program);
    command
        .args(["test", "--alone", "--only", name])
        .stdin(Stdio::null())
        .stdout(writer.try_clone().context("no second end of a pipe")?)
        .stderr(writer);
    let mut child = command.spawn().context("cannot start this program")?;
    CHILD.store(child.id(), Ordering::Relaxed);
    // The pipe ends when all writers are gone: also this one.
    drop(command);
    let read = reader.read_to_end(output);
    // First forgotten, then waited for: after that its number may be another process's.
    CHILD.store(0, Ordering::Relaxed);
    let status = child.wait();
    read.context("its output cannot be read")?;
    if !status.context("it vanished")?.success() {
        bail!("it failed; its last lines say why");
    }
    Ok(())
}

/// What is on the terminal.
struct Log {
    steps: usize,
    shown: usize,
}

impl Log {
    fn heading(&self, name: &str) {
        println!("\n== {}/{} {name}", self.shown + 1, self.steps);
    }

    /// Runs a step here.
    fn run(&mut self, (name, step): &Step) -> Result<()> {
        self.heading(name);
        let begun = Instant::now();
        let result = step();
        self.ended(name, begun.elapsed().as_secs_f32(), result)
    }

    /// Shows one that has run elsewhere.
    fn show(&mut self, step: Ended) -> Result<()> {
        self.heading(step.name);
        let mut stdout = std::io::stdout();
        stdout
            .write_all(&step.output)
            .and_then(|()| stdout.flush())
            .map_err(|error| anyhow!("stdout: {error}"))?;
        self.ended(step.name, step.seconds, step.result)
    }

    fn ended(&mut self, name: &str, seconds: f32, result: Result<()>) -> Result<()> {
        match result {
            Ok(()) => println!("== ok, {seconds:.1} s"),
            Err(error) => {
                println!("\n{} passed, 1 failed", self.shown);
                return Err(error.context(format!("step {name:?}")));
            }
        }
        self.shown += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: Step = ("good", || Ok(()));
    const BAD: Step = ("bad", || bail!("broken"));
    const NEVER: Step = ("never", || panic!("it was begun"));

    /// What a step that ran elsewhere has left.
    fn ended(result: Result<()>) -> Ended {
        Ended {
            name: "elsewhere",
            output: b"said\n".to_vec(),
            seconds: 0.0,
            result,
        }
    }

    #[test]
    fn a_failure_names_its_step_and_none_is_begun_after_it() {
        let error = run(&[], vec![&GOOD, &BAD, &NEVER], Vec::new()).unwrap_err();
        assert_eq!(format!("{error:#}"), "step \"bad\": broken");
        let error = run(&[&BAD], vec![&NEVER], Vec::new()).unwrap_err();
        assert!(format!("{error:#}").contains("bad"));
    }

    #[test]
    fn all_steps_are_counted_and_a_second_list_alone_runs_here() {
        run(&[&GOOD], vec![&GOOD], Vec::new()).unwrap();
        run(&[], Vec::new(), vec![&GOOD, &GOOD]).unwrap();
        assert!(run(&[], Vec::new(), vec![&GOOD, &BAD]).is_err());
    }

    #[test]
    fn a_failure_in_the_background_ends_the_list_in_front() {
        let (sender, receiver) = mpsc::channel();
        sender.send(ended(Ok(()))).unwrap();
        sender.send(ended(Err(anyhow!("broken")))).unwrap();
        let mut log = Log { steps: 4, shown: 0 };
        let error = show_all(&[&GOOD, &NEVER], receiver, &mut log).unwrap_err();
        assert_eq!(format!("{error:#}"), "step \"elsewhere\": broken");
        assert_eq!(log.shown, 2);
        // The background learns that nobody listens.
        assert!(sender.send(ended(Ok(()))).is_err());
    }
}
