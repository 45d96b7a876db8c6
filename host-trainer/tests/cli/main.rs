//! The program itself: command forms, exit codes, messages, and that nothing is overwritten.

mod corpora;
#[cfg(unix)]
mod disk;
mod gate;
mod keep;
#[cfg(unix)]
mod kill;
#[cfg(target_os = "linux")]
mod large;
mod lines;
mod marks;
mod models;
mod place;
mod qat;
mod report;
mod sweep;
mod texts;
mod train;
mod words;
