//! `sweep`: jobs as plain commands, budgets, resuming, the front.

use std::fs;
use std::process::{Command, Stdio};

use crate::place::{Place, TEXT};

const LINE: [&str; 14] = [
    "sweep", "text.txt", "--out", "s", "--hidden", "4,12", "--cell", "rnn,lstm", "--epochs", "2",
    "--json", "--", "--batch", "4",
];

fn line(more: &[&'static str]) -> Vec<&'static str> {
    let mut line: Vec<&str> = LINE
        .iter()
        .filter(|word| **word != "--json")
        .copied()
        .collect();
    let at = line.iter().position(|word| *word == "--").unwrap();
    line.splice(at..at, more.iter().copied());
    line.extend(["--window", "16"]);
    line
}

#[test]
fn a_sweep_trains_every_job_once_and_finds_the_front() {
    let place = Place::new();
    let result = place.json(&line(&["--json"]));
    let jobs = result["jobs"].as_array().unwrap();
    assert_eq!(jobs.len(), 4);
    let on: Vec<&str> = result["front"]
        .as_array()
        .unwrap()
        .iter()
        .map(|name| name.as_str().unwrap())
        .collect();
    assert!(
        on.contains(&"rnn-1x4"),
        "the cheapest is always on it: {on:?}"
    );
    for job in jobs {
        assert_eq!(job["state"], "done");
        let of = |job: &serde_json::Value| {
            (
                job["flash"].as_f64().unwrap(),
                job["nats"].as_f64().unwrap(),
            )
        };
        let (flash, nats) = of(job);
        let beaten = jobs
            .iter()
            .map(of)
            .any(|(f, n)| f <= flash && n <= nats && (f, n) != (flash, nats));
        assert_eq!(on.contains(&job["name"].as_str().unwrap()), !beaten);
        // An ordinary run.
        let folder = job["folder"].as_str().unwrap();
        place.good(&["inspect", &format!("{folder}/best.safetensors")]);
    }
    assert!(
        fs::read(place.path("s/front.png"))
            .unwrap()
            .starts_with(b"\x89PNG")
    );
    // Again: nothing is trained, everything stays as it is.
    let before = place.snapshot();
    let output = place.run(&line(&[]));
    assert!(output.status.success() && output.stderr.is_empty());
    assert_eq!(place.snapshot(), before);
    assert_eq!(place.good(&line(&["--print-jobs"])), "");
    // A larger grid keeps what is done.
    let mut larger = line(&["--front", "--json"]);
    larger[5] = "4,12,20";
    let states: Vec<String> = place.json(&larger)["jobs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|job| job["state"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(states.iter().filter(|state| *state == "done").count(), 4);
    assert_eq!(states.iter().filter(|state| *state == "new").count(), 2);
}

#[cfg(unix)]
#[test]
fn jobs_are_plain_commands_that_a_shell_can_run() {
    let place = Place::new();
    place.write("it's a text.txt", TEXT.repeat(30).as_bytes());
    let mut line = line(&["--print-jobs"]);
    line[1] = "it's a text.txt";
    line[3] = "new sweep";
    let before = place.snapshot();
    let jobs = place.good(&line);
    assert_eq!(place.snapshot(), before, "printing leaves nothing");
    assert_eq!(jobs.lines().count(), 4);
    for job in jobs.lines() {
        assert!(
            job.contains(" train ") && job.contains("--epochs 2 --batch 4 --window 16"),
            "{job}"
        );
        let status = Command::new("sh")
            .args(["-c", &format!("{job} -q")])
            .current_dir(place.path(""))
            .stdout(Stdio::null())
            .status()
            .unwrap();
        assert!(status.success(), "{job}");
    }
    assert_eq!(place.good(&line), "", "all are done");
    let at = line
        .iter()
        .position(|word| *word == "--print-jobs")
        .unwrap();
    line[at] = "--front";
    let shown = place.good(&line);
    assert!(shown.contains("4 of 4 jobs done"), "{shown}");
}

#[cfg(unix)]
#[test]
fn begun_jobs_are_resumed_and_an_interrupt_ends_the_sweep() {
    let place = Place::new();
    let job = |out: &'static str| {
        [
            "train",
            "text.txt",
            "--out",
            out,
            "--cell",
            "rnn",
            "--hidden",
            "4",
            "--layers",
            "1",
            "--epochs",
            "40000",
            "--batch",
            "4",
            "--window",
            "16",
            "--patience",
            "0",
            "-q",
        ]
    };
    // A job that a kill has left behind.
    fs::create_dir(place.path("s")).unwrap();
    let mut child = place
        .command(&job("s/rnn-1x4"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while !place.path("s/rnn-1x4/last.safetensors").is_file() {
        assert!(
            child.try_wait().unwrap().is_none(),
            "the run ended by itself"
        );
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let sweep = |more: &[&'static str]| {
        let mut line = vec![
            "sweep", "text.txt", "--out", "s", "--hidden", "4", "--cell", "rnn", "--epochs",
            "40000",
        ];
        line.extend(more);
        line.extend(["--", "--batch", "4", "--window", "16", "--patience", "0"]);
        line
    };
    // Also when the kill came before the run had its config.json.
    let config = place.path("s/rnn-1x4/config.json");
    let _ = fs::remove_file(&config);
    let jobs = place.good(&sweep(&["--print-jobs"]));
    assert!(
        jobs.trim_end()
            .ends_with("train text.txt --out s/rnn-1x4 --resume"),
        "{jobs}"
    );
    assert!(place.good(&sweep(&["--front"])).contains("no front yet"));
    // Interrupt the sweep: the job leaves its checkpoint, and the sweep says how to go on.
    let mut child = place
        .command(&sweep(&[]))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group_of_its_own()
        .spawn()
        .unwrap();
    let lines = || {
        fs::read_to_string(place.path("s/rnn-1x4/metrics.jsonl"))
            .map_or(0, |text| text.lines().count())
    };
    let before = lines();
    while lines() < before + 20 {
        assert!(
            child.try_wait().unwrap().is_none(),
            "the sweep ended by itself"
        );
        std::thread::yield_now();
    }
    let group = format!("-{}", child.id());
    let status = Command::new("kill")
        .args(["-INT", "--", &group])
        .status()
        .unwrap();
    assert!(status.success());
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{stderr}");
    assert!(
        stderr.contains("interrupted; the same command goes on"),
        "{stderr}"
    );
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(
        stdout.contains("begun") && stdout.contains("0 of 1 jobs done"),
        "{stdout}"
    );
    place.good(&["inspect", "s/rnn-1x4/last.safetensors"]);
}

/// Ctrl-C reaches a program and its children: they are one process group.
#[cfg(unix)]
trait Group {
    fn process_group_of_its_own(&mut self) -> &mut Self;
}

#[cfg(unix)]
impl Group for Command {
    fn process_group_of_its_own(&mut self) -> &mut Self {
        std::os::unix::process::CommandExt::process_group(self, 0)
    }
}

#[test]
fn a_budget_leaves_out_and_says_when_nothing_is_left() {
    let place = Place::new();
    let some = place.json(&line(&["--max-instructions", "1.3k", "--front", "--json"]));
    let names: Vec<&str> = some["jobs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|job| job["name"].as_str().unwrap())
        .collect();
    assert!(!names.is_empty() && names.len() < 4, "{names:?}");
    assert!(!place.path("s").exists(), "looking leaves nothing");
    place.bad(
        &line(&["--max-flash", "1KiB"]),
        1,
        &[
            "the smallest, rnn-1x4, needs",
            "bytes of flash (--max-flash 1,024)",
        ],
    );
    place.bad(
        &line(&["--max-instructions", "10", "--board", "cortex-m0"]),
        1,
        &[
            "rnn-1x4",
            "instructions a character (--max-instructions 10)",
        ],
    );
}

#[test]
fn wrong_options_are_named_and_another_sweep_is_not_mixed_in() {
    let place = Place::new();
    place.bad(&line(&["--random", "0"]), 2, &["--random is 0"]);
    place.bad(&line(&["--hidden", "2000"]), 2, &["--hidden is 2000"]);
    let mut ours = line(&[]);
    ours.push("--resume");
    place.bad(&ours, 2, &["--resume", "the sweep sets it itself"]);
    place.bad(&["sweep", "nothing.txt", "--out", "s"], 1, &["nothing.txt"]);
    // A wrong option of the jobs is found before any is started.
    let with = |more: &[&'static str]| [&line(&[])[..], more].concat();
    place.bad(&with(&["--lr", "-1"]), 2, &["--lr is -1"]);
    let unknown = ["in the options of the jobs, after --", "--nonsense"];
    place.bad(&with(&["--nonsense"]), 1, &unknown);
    place.bad(&with(&["--max-vocab", "1"]), 2, &["--max-vocab"]);
    // One that makes the vocabulary smaller makes the nets smaller.
    let flash = |line: &[&str]| place.json(line)["jobs"][0]["flash"].as_u64().unwrap();
    let shown = line(&["--front", "--json"]);
    assert!(flash(&[&shown[..], &["--max-vocab", "9"]].concat()) < flash(&shown));

    place.good(&line(&[]));
    let mut other = line(&[]);
    let epochs = other.iter().position(|word| *word == "--epochs").unwrap();
    other[epochs + 1] = "3";
    place.bad(
        &other,
        1,
        &[
            "s holds a sweep with another set of options",
            "--epochs 2",
            "--epochs 3",
        ],
    );
    place.write("text.txt", TEXT.repeat(20).as_bytes());
    place.bad(&line(&[]), 1, &["s holds a sweep with another text"]);
}
