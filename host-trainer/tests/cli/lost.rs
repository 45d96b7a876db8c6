//! Nothing that a user has is lost: every command that writes, and whatever can stand where it does.
//!
//! ```text
//! file outputs     export (of a checkpoint, of an image), random, suite
//! folder outputs   train, report, explain --plot, sweep
//! all others write to standard output only
//! ```

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{FileTypeExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::place::{Place, TEXT, signal, until};

/// What stands where: bytes of files, targets of links, kinds of everything else; links are not followed.
fn look(place: &Place) -> BTreeMap<String, String> {
    fn walk(folder: &Path, all: &mut BTreeMap<String, String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let about = fs::symlink_metadata(&path).unwrap();
            let what = if about.is_symlink() {
                format!("link to {}", fs::read_link(&path).unwrap().display())
            } else if about.is_dir() {
                walk(&path, all);
                "folder".to_owned()
            } else if about.is_file() {
                fs::read(&path).unwrap().escape_ascii().to_string()
            } else {
                format!("{:?}", about.file_type())
            };
            all.insert(path.display().to_string(), what);
        }
    }
    let mut all = BTreeMap::new();
    walk(&place.path(""), &mut all);
    all
}

/// Runs a command that has to be refused in one line and to change nothing.
fn refused(place: &Place, line: &[&str], case: &str) -> String {
    let before = look(place);
    let output = place.run(line);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{case}: {line:?}: {said}");
    assert!(
        said.starts_with("error: ") && said.lines().count() == 1,
        "{case}: {line:?}: {said}"
    );
    assert!(
        look(place) == before,
        "{case}: {line:?} has changed something"
    );
    said
}

fn pipe(path: &Path) {
    let made = Command::new("mkfifo").arg(path).status().unwrap();
    assert!(made.success());
}

fn read_only(path: &Path) {
    let mut permissions = fs::metadata(path).unwrap().permissions();
    permissions.set_readonly(true);
    fs::set_permissions(path, permissions).unwrap();
}

/// A place with a run and an image; and the file outputs: the command, its inputs, something of its kind.
fn place() -> Place {
    let place = Place::new();
    place.train("run");
    place.good(&["export", "run/best.safetensors", "--out", "m.gatelet"]);
    place.good(&["suite", "m.gatelet", "--steps", "5", "--out", "s.suite"]);
    place
}

const COMMANDS: [(&str, &[&str], &str); 4] = [
    (
        "export run/best.safetensors --out",
        &["run/best.safetensors", "text.txt"],
        "m.gatelet",
    ),
    (
        "export m.gatelet --target cortex-m4 --out",
        &["m.gatelet"],
        "m.gatelet",
    ),
    ("random --hidden 4 --vocab 4 --out", &[], "m.gatelet"),
    ("suite m.gatelet --steps 3 --out", &["m.gatelet"], "s.suite"),
];

fn words<'a>(command: &'a str, out: &'a str, force: bool) -> Vec<&'a str> {
    let words = command.split(' ').chain([out]);
    words.chain(force.then_some("--force")).collect()
}

#[test]
fn no_output_replaces_an_input_whatever_its_name_is() {
    let place = place();
    for (command, inputs, _) in COMMANDS {
        for input in inputs {
            symlink(place.path(input), place.path("link")).unwrap();
            fs::hard_link(place.path(input), place.path("second")).unwrap();
            let around = format!("run/../{input}");
            for out in [*input, &around, "link", "second"] {
                for force in [false, true] {
                    let said = refused(&place, &words(command, out, force), input);
                    assert!(said.contains(out) && said.contains("reads"), "{said}");
                }
            }
            fs::remove_file(place.path("link")).unwrap();
            fs::remove_file(place.path("second")).unwrap();
        }
    }
}

#[test]
fn what_stands_at_the_output_decides() {
    let place = place();
    for (command, _, same) in COMMANDS {
        let run = |out: &str, force: bool| place.run(&words(command, out, force));
        // What is refused, whatever is forced.
        place.write("notes.txt", b"of the user's");
        symlink("nowhere", place.path("dangling")).unwrap();
        symlink("notes.txt", place.path("to notes")).unwrap();
        symlink("circle", place.path("circle")).unwrap();
        fs::create_dir(place.path("folder")).unwrap();
        fs::copy(place.path(same), place.path("locked")).unwrap();
        read_only(&place.path("locked"));
        fs::copy(place.path("run/loss.png"), place.path("picture")).unwrap();
        let other = if same == "m.gatelet" {
            "s.suite"
        } else {
            "text.txt"
        };
        for out in [
            "notes.txt",
            "dangling",
            "to notes",
            "circle",
            "folder",
            "locked",
            "picture",
            other,
        ] {
            for force in [false, true] {
                let said = refused(&place, &words(command, out, force), out);
                assert!(said.contains(out), "{said}");
            }
        }
        assert!(refused(&place, &words(command, "dangling", true), "").contains("nowhere"));

        // What is replaced with force, and only then: its own kind, an empty file, a link to such.
        fs::copy(place.path(same), place.path("old")).unwrap();
        fs::copy(place.path(same), place.path("named")).unwrap();
        symlink("named", place.path("link")).unwrap();
        place.write("empty", b"");
        for out in ["old", "link", "empty"] {
            let said = refused(&place, &words(command, out, false), out);
            assert!(said.contains("--force"), "{said}");
            assert!(run(out, true).status.success(), "{command} {out}");
        }
        // What is written without a word: nothing there, or what takes bytes as they come.
        assert!(run("new", false).status.success(), "{command}");
        let written = fs::read(place.path("new")).unwrap();
        for out in ["old", "named", "empty"] {
            assert!(
                fs::read(place.path(out)).unwrap() == written,
                "{command} {out}"
            );
        }
        assert_eq!(
            fs::read_link(place.path("link")).unwrap(),
            Path::new("named")
        );
        pipe(&place.path("pipe"));
        let reader = Command::new("cat")
            .arg(place.path("pipe"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        assert!(run("pipe", true).status.success(), "{command}");
        assert!(
            reader.wait_with_output().unwrap().stdout == written,
            "{command}"
        );
        let kept = fs::symlink_metadata(place.path("pipe")).unwrap();
        assert!(kept.file_type().is_fifo(), "the pipe is still one");
        for force in [false, true] {
            assert!(run("/dev/null", force).status.success(), "{command}");
        }
        let device = fs::symlink_metadata("/dev/null").unwrap();
        assert!(device.file_type().is_char_device());
        assert!(!place.names("").iter().any(|name| name.ends_with(".tmp")));

        for name in [
            "notes.txt",
            "dangling",
            "to notes",
            "circle",
            "locked",
            "picture",
            "old",
            "named",
            "link",
            "empty",
            "new",
            "pipe",
        ] {
            fs::remove_file(place.path(name)).unwrap();
        }
        fs::remove_dir(place.path("folder")).unwrap();
    }
}

/// What is redirected into a command, and what its output is redirected into, is no output's place either.
#[test]
fn a_file_that_is_a_standard_stream_is_not_replaced() {
    let place = place();
    for (command, _, same) in COMMANDS {
        let model = fs::read(place.path(same)).unwrap();
        let file = || {
            fs::File::options()
                .read(true)
                .append(true)
                .open(place.path(same))
                .unwrap()
        };
        let line = words(command, same, true);
        for (stdin, stdout) in [
            (file().into(), Stdio::null()),
            (Stdio::null(), file().into()),
        ] {
            let run = place
                .command(&line)
                .stdin(stdin)
                .stdout(stdout)
                .stderr(Stdio::null())
                .status();
            assert_eq!(run.unwrap().code(), Some(1), "{line:?}");
            assert!(fs::read(place.path(same)).unwrap() == model, "{line:?}");
        }
    }
}

/// Earlier versions wrote to names that can be guessed; links put there beforehand were followed.
#[test]
fn no_link_is_followed_that_somebody_has_laid() {
    let place = place();
    place.write("precious", b"precious");
    for name in [
        "m.gatelet.tmp",
        "run/.writable.tmp",
        "run/last.safetensors.tmp",
        "run/previous.safetensors.tmp",
        "run/config.json.tmp",
        "run/.gatelet-00000000.tmp",
    ] {
        symlink(place.path("precious"), place.path(name)).unwrap();
    }
    fs::create_dir(place.path("run/report")).unwrap();
    symlink(
        place.path("precious"),
        place.path("run/report/index.html.tmp"),
    )
    .unwrap();
    let links = |place: &Place| -> Vec<_> {
        look(place)
            .into_iter()
            .filter(|(_, what)| what.starts_with("link"))
            .collect()
    };
    let before = links(&place);
    let resume = "train text.txt --out run --resume --epochs 3 -q";
    place.good(&resume.split(' ').collect::<Vec<_>>());
    place.good(&[
        "export",
        "run/best.safetensors",
        "--out",
        "m.gatelet",
        "--force",
    ]);
    place.good(&["report", "run"]);
    assert_eq!(fs::read(place.path("precious")).unwrap(), b"precious");
    assert_eq!(links(&place), before, "the links are still there");
}

#[test]
fn what_killed_processes_left_is_swept_and_nothing_else() {
    let place = place();
    for folder in ["", "run/"] {
        place.write(&format!("{folder}.gatelet-abcdEFG1.tmp"), b"half a file");
        place.write(&format!("{folder}.gatelet-mine.tmp"), b"of the user's");
        place.write(&format!("{folder}a.tmp"), b"of the user's");
    }
    place.good(&[
        "export",
        "run/best.safetensors",
        "--out",
        "m.gatelet",
        "--force",
    ]);
    let resume = "train text.txt --out run --resume --epochs 3 -q";
    place.good(&resume.split(' ').collect::<Vec<_>>());
    for folder in ["", "run"] {
        let names = place.names(folder);
        let left: Vec<_> = names.iter().filter(|name| name.ends_with(".tmp")).collect();
        assert_eq!(left, [".gatelet-mine.tmp", "a.tmp"], "in {folder:?}");
    }
}

const RUN_FILES: [&str; 7] = [
    "last.safetensors",
    "previous.safetensors",
    "best.safetensors",
    "metrics.jsonl",
    "samples.jsonl",
    "config.json",
    "loss.png",
];
const TRAIN: &str = "train text.txt --hidden 8 --epochs 2 --batch 4 --window 16 -q --out run";

fn train<'a>(more: &[&'a str]) -> Vec<&'a str> {
    TRAIN.split(' ').chain(more.iter().copied()).collect()
}

/// A file of the user's under a name that a run writes, a link there, a folder.
#[test]
fn a_run_replaces_its_own_files_only() {
    let place = Place::new();
    place.train("run");
    // A safetensors file of another program, JSON of another program, lines, a picture.
    let header =
        br#"{"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;
    let tensors = [&(header.len() as u64).to_le_bytes()[..], header, &[0; 4]].concat();
    for name in RUN_FILES {
        let path = format!("run/{name}");
        let own = fs::read(place.path(&path)).unwrap();
        let foreign: &[u8] = match name {
            _ if name.ends_with("safetensors") => &tensors,
            "config.json" => b"{\"name\": \"another program\"}",
            "loss.png" => b"\x89PNG\r\n\x1a\n of another program",
            _ => b"{\"event\": \"of another program\"}\n",
        };
        place.write(&path, foreign);
        refused(&place, &train(&["--force"]), name);
        for to in [place.path("text.txt"), place.path("nowhere")] {
            fs::remove_file(place.path(&path)).unwrap();
            symlink(to, place.path(&path)).unwrap();
            refused(&place, &train(&["--force"]), name);
            if name != "last.safetensors" {
                refused(&place, &train(&["--resume"]), name);
            }
        }
        fs::remove_file(place.path(&path)).unwrap();
        fs::create_dir(place.path(&path)).unwrap();
        refused(&place, &train(&["--force"]), name);
        fs::remove_dir(place.path(&path)).unwrap();
        place.write(&path, &own);
        read_only(&place.path(&path));
        refused(&place, &train(&["--force"]), name);
        fs::remove_file(place.path(&path)).unwrap();
        place.write(&path, &own);
    }
    // Its own are replaced; a damaged checkpoint of which nobody can say whose it was is kept.
    place.write("run/notes.txt", b"of the user's");
    place.write("run/best.safetensors", b"no header at all, but 8 bytes");
    place.good(&train(&["--force"]));
    let names = place.names("run");
    assert!(
        names.contains(&"best.damaged-1.safetensors".to_owned()),
        "{names:?}"
    );
    assert_eq!(
        fs::read(place.path("run/notes.txt")).unwrap(),
        b"of the user's"
    );
    place.checkpoint("run/best.safetensors");
}

#[test]
fn a_run_does_not_replace_what_it_is_made_from() {
    let place = Place::new();
    place.train("run");
    for input in ["run/samples.jsonl", "run/metrics.jsonl", "run/config.json"] {
        let line: Vec<&str> =
            format!("train {input} --hidden 4 --batch 2 --window 4 --out run --force -q")
                .leak()
                .split(' ')
                .collect();
        assert!(refused(&place, &line, input).contains(input));
    }
    for name in ["best", "last", "previous"] {
        let from = format!("run/{name}.safetensors");
        let line = [
            "train", "text.txt", "--qat", &from, "--out", "run", "--force", "-q",
        ];
        assert!(refused(&place, &line, name).contains(&from));
    }
    fs::remove_file(place.path("run/metrics.jsonl")).unwrap();
    fs::hard_link(place.path("text.txt"), place.path("run/metrics.jsonl")).unwrap();
    refused(&place, &train(&["--force"]), "the text by another name");
    assert_eq!(
        fs::read_to_string(place.path("text.txt")).unwrap(),
        TEXT.repeat(30)
    );
}

#[test]
fn a_folder_for_outputs_is_a_folder() {
    let place = Place::new();
    place.train("run");
    symlink("nowhere", place.path("dangling")).unwrap();
    pipe(&place.path("pipe"));
    for out in ["text.txt", "dangling", "pipe"] {
        for line in [
            &["train", "text.txt", "--force", "-q", "--out", out][..],
            &["report", "run", "--force", "--out", out],
            &["explain", "run/best.safetensors", "--plot", out],
            &[
                "sweep", "text.txt", "--hidden", "4", "--epochs", "1", "--out", out,
            ],
        ] {
            let before = look(&place);
            let output = place.run(line);
            let said = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(1), "{line:?}: {said}");
            assert!(
                said.lines().last().unwrap().contains(out),
                "{line:?}: {said}"
            );
            assert!(look(&place) == before, "{line:?} has changed something");
        }
    }
    // A link to a folder is as good as the folder.
    fs::create_dir(place.path("real")).unwrap();
    symlink("real", place.path("link")).unwrap();
    place.good(&["report", "run", "--out", "link"]);
    assert!(place.path("real/index.html").is_file());
}

/// Report, explain and sweep write under names of their own choice.
#[test]
fn pictures_pages_and_numbers_of_others_stay() {
    let place = Place::new();
    place.train("run");
    let report = ["report", "run", "--out", "r", "--force"];
    let explain = ["explain", "run/best.safetensors", "--plot", "r"];
    let sweep = "sweep text.txt --out r --hidden 4 --epochs 1 --front";
    let sweep: Vec<&str> = sweep.split(' ').collect();
    fs::create_dir(place.path("r")).unwrap();
    for (line, name) in [
        (&report[..], "index.html"),
        (&report, "report.json"),
        (&report, "confusion.png"),
        (&explain, "explain.png"),
        (&explain, "explain.svg"),
        (&sweep, "sweep.json"),
        (&sweep, "front.json"),
        (&sweep, "front.png"),
    ] {
        let path = place.path(&format!("r/{name}"));
        for foreign in ["{}", "of the user's"] {
            fs::write(&path, foreign).unwrap();
            refused(&place, line, name);
        }
        for to in ["../text.txt", "nowhere"] {
            fs::remove_file(&path).unwrap();
            symlink(to, &path).unwrap();
            refused(&place, line, name);
        }
        fs::remove_file(&path).unwrap();
    }
    // The pictures of a run are what its report reads: the report does not write there.
    refused(
        &place,
        &["report", "run", "--out", "run", "--force"],
        "the run itself",
    );
    // All of it once, and once more over its own.
    for line in [&report[..], &explain, &report, &explain] {
        place.good(line);
    }
}

/// A folder that has the name of a job's and is somebody's.
#[test]
fn a_sweep_takes_no_folder_of_others() {
    let place = Place::new();
    fs::create_dir_all(place.path("s/lstm-1x4")).unwrap();
    place.write("s/lstm-1x4/config.json", b"{}");
    place.write("s/lstm-1x4/best.safetensors", b"of the user's");
    let sweep = "sweep text.txt --out s --hidden 4,6 --epochs 1 -- --batch 4 --window 16";
    let output = place.run(&sweep.split(' ').collect::<Vec<_>>());
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.lines().last().unwrap().contains("lstm-1x4"), "{said}");
    assert_eq!(
        fs::read(place.path("s/lstm-1x4/config.json")).unwrap(),
        b"{}"
    );
    assert_eq!(
        place.names("s/lstm-1x4"),
        ["best.safetensors", "config.json"]
    );
    place.checkpoint("s/lstm-1x6/best.safetensors");
}

const ENDLESS: &str = "train text.txt --hidden 8 --batch 4 --window 16 --eval-every 7 --save-every 0 \
                       --epochs 200000 --patience 0 -q --out run";

/// The lock is the folder's: nothing in it can be deleted to get in.
#[test]
fn deleting_the_lock_lets_nobody_in() {
    let place = Place::new();
    let line: Vec<&str> = ENDLESS.split_whitespace().collect();
    let mut child = place.command(&line).stdout(Stdio::null()).spawn().unwrap();
    until("the first evaluation", || {
        place.path("run/loss.png").exists()
    });
    fs::remove_file(place.path("run/.lock")).unwrap();
    for mode in ["--resume", "--force"] {
        let output = place.run(&[&line[..], &[mode]].concat());
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.starts_with("error: run is in use"), "{said}");
    }
    signal(&mut child, "-INT");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

/// A run whose folder is moved away does not write into the next one of that name, and is not lost.
#[test]
fn a_run_whose_folder_is_gone_is_saved_elsewhere() {
    let place = Place::new();
    let line: Vec<&str> = ENDLESS.split_whitespace().collect();
    let line = [&line[..], &["--fallback-dir", "elsewhere"]].concat();
    let child = place
        .command(&line)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = child.unwrap();
    until("the first evaluation", || {
        place.path("run/loss.png").exists()
    });
    fs::rename(place.path("run"), place.path("moved")).unwrap();
    fs::create_dir(place.path("run")).unwrap();
    place.write("run/notes.txt", b"of the user's");
    let lines = fs::read_to_string(place.path("moved/metrics.jsonl")).unwrap();
    // It trains on for a while: what comes now is in memory only.
    std::thread::sleep(std::time::Duration::from_millis(200));
    signal(&mut child, "-INT");
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert_eq!(place.names("run"), ["notes.txt"]);
    let made = place.names("elsewhere");
    assert!(
        made.len() == 1 && made[0].starts_with("gatelet-run-"),
        "{made:?}"
    );
    let folder = format!("elsewhere/{}", made[0]);
    let last = said.lines().last().unwrap();
    assert!(
        last.starts_with("error: ") && last.contains(&folder),
        "{said}"
    );
    // The whole run is there, what was in memory too, and goes on there.
    let position = place
        .checkpoint(&format!("{folder}/last.safetensors"))
        .meta
        .position
        .unwrap();
    let all = fs::read_to_string(place.path(&folder).join("metrics.jsonl")).unwrap();
    assert!(all.lines().count() >= lines.lines().count() && !all.is_empty());
    place.checkpoint(&format!("{folder}/best.safetensors"));
    let epochs = (position.epoch + 2).to_string();
    place.good(&[
        "train", "text.txt", "--resume", "-q", "--epochs", &epochs, "--out", &folder,
    ]);
    let after = place
        .checkpoint(&format!("{folder}/last.safetensors"))
        .meta
        .position
        .unwrap();
    assert_eq!(after.epoch.to_string(), epochs);
}
