//! The program itself: command forms, exit codes, messages, and that nothing is overwritten.

mod models;
mod place;
mod train;
