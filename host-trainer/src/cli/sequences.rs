//! Sequences on the command line: `FILE`, or `NAME=FILE` for one of a net's inputs or outputs.

use std::path::{Path, PathBuf};

use gatelet::net::{Input as NetInput, Net};
use gatelet_arrays::{Format, Sequence};

use super::stream::Destination;
use crate::any_model::{AnyModel, LARGEST};
use crate::data::front::{FrontEnd, check_rate, features, integers, mixed};
use crate::error::{Error, Result};
use crate::files::{self, SEQUENCE};
use crate::quantize::Sequence as Steps;
use crate::train::checkpoint::{Interface, NamedInput, NamedOutput};

/// A model's names for what goes in and out, and its front end; numbers stand for names that it has
/// none of.
pub(super) fn interface(any: &AnyModel) -> Interface {
    let net = *any.given().net();
    let mut interface = match &any.checkpoint {
        Some(checkpoint) => checkpoint.meta.interface.clone(),
        None => Interface::default(),
    };
    interface.front_end = any.given().front_end().map(FrontEnd);
    if interface.inputs.is_empty() {
        interface.inputs.push(NamedInput {
            name: "input".to_owned(),
            width: width(&net),
        });
    }
    if interface.outputs.is_empty() {
        let name = |k: usize| match net.output_len() {
            1 => "output".to_owned(),
            _ => format!("output{k}"),
        };
        let outputs = (0..net.output_len()).map(|k| NamedOutput {
            name: name(k),
            softmax: false,
        });
        interface.outputs.extend(outputs);
    }
    interface
}

/// Numbers of a step of a net's input; a token is one.
fn width(net: &Net) -> usize {
    match net.input {
        NetInput::Tokens { .. } => 1,
        NetInput::Features { width, .. } => width,
    }
}

/// A word, and the name before its `=` if a net has it.
fn named<'w>(word: &'w str, names: &[&str]) -> (Option<usize>, &'w Path) {
    let split = word.split_once('=');
    let found = split.and_then(|(name, file)| {
        let index = names.iter().position(|known| *known == name)?;
        Some((Some(index), Path::new(file)))
    });
    found.unwrap_or((None, Path::new(word)))
}

/// Reads a sequence.
pub(super) fn read(path: &Path) -> Result<Sequence> {
    let bytes = files::read(path, LARGEST).map_err(|source| Error::Read {
        path: path.to_owned(),
        source,
    })?;
    Sequence::from_bytes(&bytes).map_err(|source| Error::Sequence {
        path: path.to_owned(),
        source,
    })
}

/// An error that names a file.
pub(super) fn wrong(path: &Path, what: impl Into<String>) -> Error {
    Error::Sequence {
        path: path.to_owned(),
        source: gatelet_arrays::Error::Form(what.into()),
    }
}

/// What a net is given of a file: of a recording, a net with a front end reads the features.
fn given(path: &Path, front: Option<FrontEnd>) -> Result<Sequence> {
    let sequence = read(path)?;
    let (Some(front), Some(rate)) = (front, sequence.sample_rate) else {
        return Ok(sequence);
    };
    check_rate(front.0.rate, rate).map_err(|what| wrong(path, what))?;
    let numbers = features(&front, &integers(&mixed(&sequence)));
    match numbers.is_empty() {
        true => Err(wrong(path, "it is shorter than one step of the front end")),
        false => Ok(Sequence {
            width: front.0.features(),
            numbers,
            sample_rate: None,
        }),
    }
}

/// The input of a net from the files that were named, side by side in the net's order.
/// `option` names them.
pub(super) fn input(option: &str, words: &[String], interface: &Interface) -> Result<Sequence> {
    let (inputs, front) = (&interface.inputs, interface.front_end);
    let names: Vec<&str> = inputs.iter().map(|input| &*input.name).collect();
    let all: usize = inputs.iter().map(|input| input.width).sum();
    if let [word] = words
        && let (None, path) = named(word, &names)
    {
        let sequence = given(path, front)?;
        return checked(sequence, path, ("the net", all));
    }
    let mut found: Vec<Option<Sequence>> = vec![None; inputs.len()];
    for (place, word) in words.iter().enumerate() {
        let (named, path) = named(word, &names);
        let index = named.unwrap_or(place);
        let Some((to, input)) = found.get_mut(index).zip(inputs.get(index)) else {
            return Err(Error::Usage(format!(
                "--{option} is given {} times, and the net has {} ({})",
                words.len(),
                inputs.len(),
                names.join(", ")
            )));
        };
        if to.is_some() {
            let what = format!("--{option} {} is given twice", input.name);
            return Err(Error::Usage(what));
        }
        let sequence = given(path, front)?;
        *to = Some(checked(sequence, path, (&input.name, input.width))?);
    }
    let missing = found.iter().zip(&names).find(|(of, _)| of.is_none());
    if let Some((_, name)) = missing {
        let what = format!("the net's input {name} is missing: --{option} {name}=FILE");
        return Err(Error::Usage(what));
    }
    let sequences: Vec<Sequence> = found.into_iter().flatten().collect();
    let lengths: Vec<usize> = sequences.iter().map(Sequence::len).collect();
    if lengths.iter().any(|len| *len != lengths[0]) {
        let what = format!("the inputs have {lengths:?} steps: all need as many");
        return Err(Error::Usage(what));
    }
    Ok(crate::stream::side_by_side(&sequences))
}

/// The sequence, if it has the right width. What was written flat is taken apart into steps.
fn checked(of: Sequence, path: &Path, (name, width): (&str, usize)) -> Result<Sequence> {
    if of.width == width {
        return Ok(of);
    }
    let what = format!(
        "a step of it has {} numbers, and {name} takes {width}",
        of.width
    );
    Err(wrong(path, what))
}

/// What a net is given, from the files that were named.
pub(super) enum Data {
    None,
    Tokens(Vec<u16>),
    Features(Vec<f32>),
}

impl Data {
    /// Reads the files that `option` names, for a net with these inputs; without any there is none.
    pub(super) fn read(
        option: &'static str,
        words: &[String],
        (interface, net): (&Interface, &Net),
    ) -> Result<Self> {
        if words.is_empty() {
            return Ok(Self::None);
        }
        let sequence = input(option, words, interface)?;
        let vocab = net.vocab();
        if vocab == 0 {
            return Ok(Self::Features(sequence.numbers));
        }
        let token = |&x: &f32| {
            let is_token = x.fract() == 0.0 && (0.0..vocab as f32).contains(&x);
            is_token.then_some(x as u16).ok_or_else(|| Error::Option {
                option,
                found: x.to_string(),
                rule: "the net is given tokens, which are numbers from 0 below its vocabulary's size",
            })
        };
        let tokens = sequence.numbers.iter().map(token);
        Ok(Self::Tokens(tokens.collect::<Result<_>>()?))
    }

    /// Nothing, or one sequence.
    pub(super) fn sequences(&self) -> Vec<Steps<'_>> {
        match self {
            Self::None => Vec::new(),
            Self::Tokens(tokens) => vec![Steps::Tokens(tokens)],
            Self::Features(features) => vec![Steps::Features(features)],
        }
    }
}

/// A file that outputs are written to.
pub(super) struct Written {
    /// The output, or all of them side by side.
    pub(super) index: Option<usize>,
    path: PathBuf,
    format: Format,
    output: files::Output,
}

/// The files that were named for outputs, checked before anything is computed.
pub(super) fn outputs(
    words: &[String],
    outputs: &[NamedOutput],
    (force, inputs): (bool, &[PathBuf]),
) -> Result<Vec<Written>> {
    let names: Vec<&str> = outputs.iter().map(|output| &*output.name).collect();
    let mut all: Vec<Written> = Vec::new();
    for word in words {
        let (index, path) = named(word, &names);
        let to = Destination::from(path.as_os_str().to_owned());
        let format = match to {
            Destination::Stdout => Format::Csv,
            Destination::File(_) => Format::of(path).map_err(|source| Error::Sequence {
                path: path.to_owned(),
                source,
            })?,
        };
        let output = match to {
            // Rows of text may go to a terminal.
            Destination::Stdout => {
                super::out::stdout_is_for_bytes();
                files::Output::new(to.path(), SEQUENCE, force)
            }
            Destination::File(_) => to.output(SEQUENCE, force)?.made_from(inputs),
        };
        output.check()?;
        if all.iter().any(|other| other.path == path) {
            let what = format!("{} is given for two outputs", path.display());
            return Err(Error::Usage(what));
        }
        all.push(Written {
            index,
            path: path.to_owned(),
            format,
            output,
        });
    }
    Ok(all)
}

impl Written {
    /// Writes what the net gave.
    pub(super) fn write(&self, all: &[Sequence]) -> Result<()> {
        let sequence = match self.index {
            Some(index) => all[index].clone(),
            None => crate::stream::side_by_side(all),
        };
        let bytes = sequence
            .to_bytes(self.format)
            .map_err(|source| Error::Sequence {
                path: self.path.clone(),
                source,
            })?;
        Ok(self.output.write(&bytes)?)
    }

    /// The file, for people.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

/// The files behind the words that name inputs.
pub(super) fn paths(words: &[String], inputs: &[NamedInput]) -> Vec<PathBuf> {
    let names: Vec<&str> = inputs.iter().map(|input| &*input.name).collect();
    let paths = words.iter().map(|word| named(word, &names).1.to_owned());
    paths.collect()
}
