//! Commands with bytes on their standard input.

use std::io::Write;
use std::process::{Output, Stdio};

use crate::place::Place;

/// Runs a command with bytes on its standard input.
pub(crate) fn fed(place: &Place, line: &[&str], bytes: &[u8]) -> Output {
    let mut child = place
        .command(line)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let bytes = bytes.to_vec();
    // One that wants nothing closes it.
    let writer = std::thread::spawn(move || drop(stdin.write_all(&bytes)));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output
}

/// The same for a command that has to succeed.
pub(crate) fn good(place: &Place, line: &[&str], bytes: &[u8]) -> Output {
    let output = fed(place, line, bytes);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{line:?}: {stderr}");
    output
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}
