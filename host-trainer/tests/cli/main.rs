//! The program itself: command forms, exit codes, messages, and that nothing is overwritten.

mod acceptance;
mod amounts;
mod bad_data;
mod compare_sequences;
mod corpora;
#[cfg(unix)]
mod disk;
mod fed;
#[cfg(unix)]
mod hostile;
mod import;
mod keep;
#[cfg(unix)]
mod kill;
#[cfg(target_os = "linux")]
mod large;
mod lines;
mod listen;
#[cfg(unix)]
mod lost;
mod marks;
mod models;
mod nets;
mod place;
mod qat;
mod report;
mod sequences;
mod sequences_report;
mod streams;
mod sweep;
mod sweep_sequences;
mod sweep_words;
mod texts;
mod tones;
mod train;
mod words;
