//! Texts and the scores of what comes next: vocabularies, words, the rules of a text, sampling.

pub(crate) mod logits;
pub(crate) mod rules;
pub(crate) mod sample;
pub(crate) mod tokenizer;
pub mod visible;
pub(crate) mod vocab;
pub mod words;
