//! `kill -9` at any moment: a run that is killed and resumed many times ends at the bits of one that was left alone.
//!
//! ```text
//! reference: the run, left alone
//! until enough kills have hit: start or resume it, a checkpoint after every window, and SIGKILL it
//!     every second time after a random time: start, evaluation, picture, training
//!     the other times as soon as a temporary file is seen: in the middle of a write
//!     after each kill: one of the two generations is whole, --resume takes it
//! resume it to the end: parameters, optimizer, state, best net and metrics are those of the reference
//! ```

use std::fs;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use gatelet_trainer::train::checkpoint::Checkpoint;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;

use crate::place::Place;

/// On a text.
const TEXT: (&str, usize) = (
    "train text.txt --hidden 12 --layers 2 --batch 6 --window 16 --epochs 12 --eval-every 9 \
     --patience 0 -q",
    25,
);
/// On sequences of numbers, whose order and noise are others in every epoch.
const SEQUENCES: (&str, usize) = (
    "train waves.csv --task classify --features a,b --target kind --group id --noise 0.1 --cell gru \
     --hidden 12 --batch 4 --window 6 --epochs 12 --eval-every 9 --patience 0 -q",
    12,
);
/// Lives that end without a kill, or before their first step, at most: the test has to end.
const LIVES: usize = 400;

fn words<'a>(line: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    line.split(' ').chain(more.iter().copied()).collect()
}

/// Waits until a temporary file is there, or the child has ended, or for so long.
fn until_a_write(place: &Place, child: &mut Child, most: Duration) {
    let begin = Instant::now();
    let writing = || {
        let names = fs::read_dir(place.path("run"))
            .into_iter()
            .flatten()
            .flatten();
        names
            .into_iter()
            .any(|name| name.file_name().to_string_lossy().ends_with(".tmp"))
    };
    while begin.elapsed() < most && !writing() {
        if child.try_wait().unwrap().is_some() {
            return;
        }
    }
}

/// Steps of the newest whole checkpoint, and whether that is `last.safetensors`; `None` before the first.
fn newest(place: &Place) -> Option<(u64, bool)> {
    let read = |name: &str| {
        let path = place.path(name);
        let checkpoint = Checkpoint::from_bytes(&fs::read(&path).ok()?, &path)
            .unwrap_or_else(|error| panic!("a kill left half a file: {error}"));
        Some(checkpoint.meta.position.unwrap().step)
    };
    let (last, previous) = (
        read("run/last.safetensors"),
        read("run/previous.safetensors"),
    );
    last.map(|step| (step, true))
        .or(previous.map(|step| (step, false)))
}

#[test]
fn a_run_killed_at_any_moment_ends_at_the_same_bits() {
    kill_and_resume(&Place::new(), TEXT);
}

#[test]
fn a_run_on_sequences_killed_at_any_moment_ends_at_the_same_bits() {
    let place = Place::new();
    place.write("waves.csv", crate::sequences::table().as_bytes());
    kill_and_resume(&place, SEQUENCES);
}

/// Kills a run so often, and compares its end with that of one that was left alone.
fn kill_and_resume(place: &Place, (run, wanted): (&str, usize)) {
    place.good(&words(run, &["--out", "whole"]));

    let mut random = Pcg64::seed_from_u64(4);
    let (mut kills, mut torn, mut before_the_first) = (0, 0, 0);
    for life in 0.. {
        assert!(life < LIVES, "{kills} kills in {life} lives");
        let found = newest(place);
        let mode: &[&str] = if found.is_some() { &["--resume"] } else { &[] };
        let threads = (life % 3 + 1).to_string();
        let line = ["--out", "run", "--save-every", "0", "--threads", &threads];
        let mut child = place
            .command(&words(run, &[&line, mode].concat()))
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        // The first lives are short: killed before, in and just after the first checkpoint.
        let most = if life < 8 {
            4_000 + 1_000 * life as u64
        } else {
            60_000
        };
        let delay = Duration::from_micros(random.random_range(0..most));
        if life % 2 == 0 {
            std::thread::sleep(delay);
        } else {
            std::thread::sleep(delay);
            until_a_write(place, &mut child, Duration::from_secs(60));
        }
        // An error here would say that the child is gone already.
        let _ = child.kill();
        let status = child.wait().unwrap();
        if let Some(code) = status.code() {
            assert_eq!(code, 0, "a life that was not killed has to end well");
            if kills < wanted {
                // The run is over before all kills have hit: once more from the start.
                fs::remove_dir_all(place.path("run")).unwrap();
                continue;
            }
        } else {
            kills += 1;
            let names = if place.path("run").is_dir() {
                place.names("run")
            } else {
                Vec::new()
            };
            torn += usize::from(names.iter().any(|name| name.ends_with(".tmp")));
            let after = newest(place);
            before_the_first += usize::from(after.is_none());
            assert!(
                after.map(|a| a.0) >= found.map(|f| f.0),
                "{after:?} after {found:?}"
            );
        }
        if kills >= wanted {
            break;
        }
    }
    println!("{kills} kills: {torn} in a write, {before_the_first} before the first checkpoint");
    let mode: &[&str] = if newest(place).is_some() {
        &["--resume"]
    } else {
        &[]
    };
    place.good(&words(run, &[&["--out", "run"], mode].concat()));
    place.same("whole", "run");
    let names = place.names("run");
    assert!(
        !names.iter().any(|name| name.ends_with(".tmp")),
        "{names:?}"
    );
}
