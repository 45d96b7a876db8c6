//! A text of 1 GiB, in less RAM than that: the kernel's own figure of what a process had resident at most.

use std::fs;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::place::Place;

/// Bytes of the large text.
const LARGE: u64 = 1 << 30;
/// Most RAM of the programs that read it.
const MOST_RAM: u64 = 1 << 30;

/// Writes 1 GiB: the novels again and again, each time with other capitals, accents and rare characters.
fn write_large(path: &std::path::Path) {
    use std::io::Write;
    let novels = concat!(env!("CARGO_MANIFEST_DIR"), "/../corpora/novels.txt");
    let novels = fs::read_to_string(novels).unwrap();
    let mut file = std::io::BufWriter::new(fs::File::create(path).unwrap());
    let (mut written, mut round) = (0, 0_u32);
    while written < LARGE {
        let letter = char::from(b'a' + (round % 26) as u8);
        let rare = char::from_u32(0x4e00 + round * 7 % 20_000).unwrap_or('漢');
        let other = ["e\u{301}", "ä", "😀", "Ж"][round as usize % 4];
        let mut varied = novels.replace(&format!(" {letter}"), &format!(" {other}{letter}{rare}"));
        varied.truncate(varied.floor_char_boundary((LARGE - written) as usize));
        // The rest of a character.
        let rest = if varied.is_empty() {
            "x".repeat((LARGE - written) as usize)
        } else {
            varied
        };
        file.write_all(rest.as_bytes()).unwrap();
        (written, round) = (written + rest.len() as u64, round + 1);
    }
    file.flush().unwrap();
}

/// Runs a command to its end, and gives the largest resident set it had, in bytes, and the last line it wrote.
fn peak_ram(mut command: Command) -> (u64, String) {
    let started = std::time::Instant::now();
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    loop {
        let status = fs::read_to_string(&status).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
        peak = peak.max(kib.unwrap_or(0) * 1024);
        if child.try_wait().unwrap().is_some() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let last = text.lines().last().unwrap_or_default().to_owned();
    println!(
        "{:?}: {} MiB, {:.1} s: {last}",
        command.get_args(),
        peak >> 20,
        started.elapsed().as_secs_f32()
    );
    (peak, last)
}

#[test]
#[ignore = "writes 1 GiB and reads it several times, minutes; run with `cargo test --release -p gatelet-trainer --test cli -- --ignored --nocapture gibibyte`"]
fn a_gibibyte_trains_in_less_ram_than_that() {
    let place = Place::new();
    write_large(&place.path("large.txt"));
    assert_eq!(fs::metadata(place.path("large.txt")).unwrap().len(), LARGE);
    // The evaluation at the end is most of it, so the held-out part is small.
    let train = "train large.txt --out run --max-vocab 256 --hidden 128 --minutes 0.1 --valid-fraction 0.0002 --json";
    let normalised = "train large.txt --out other --max-vocab 4000 --normalise nfkc --lower-case --fold-space --hidden 32 \
                      --minutes 0.05 --valid-fraction 0.0002 -q --json";
    let export = "export run/best.safetensors --out m.gatelet --json";
    let eval = "eval m.gatelet large.txt --split valid --json";
    for line in [train, normalised, export, eval] {
        let line: Vec<&str> = line.split_whitespace().collect();
        let (peak, last) = peak_ram(place.command(&line));
        assert!(peak > 1 << 20 && peak < MOST_RAM, "{line:?}: {peak} bytes");
        assert!(serde_json::from_str::<Value>(&last).is_ok(), "{last}");
    }
}
