//! `.pt` and `.pth`: a zip with a pickle of a state dict, and a file for the numbers of each tensor.
//!
//! ```text
//! NAME/data.pkl      which tensors there are, and where they lie
//! NAME/data/KEY      numbers, not compressed
//! NAME/byteorder     little
//! ```

use std::collections::HashSet;
use std::io::Cursor;
use std::ops::Range;

use zip::{CompressionMethod, ZipArchive};

use super::globals::Element;
use super::pickle::{self, FORMAT, Id, Node, Pickle, Storage, Strided};
use super::state::{Numbers, State, Tensor};
use crate::error::{Error, Result, refused};

/// Keys under which trainers put a state dict beside other things.
const INSIDE: [&str; 6] = [
    "state_dict",
    "model_state_dict",
    "model",
    "net",
    "network",
    "weights",
];

/// How many entries of a dict are searched for a state dict.
const MANY: usize = 64;

fn damaged(what: impl Into<String>) -> Error {
    Error::Damaged {
        format: FORMAT,
        what: what.into(),
    }
}

type Zip<'a> = ZipArchive<Cursor<&'a [u8]>>;

/// A zip, and the folder in it where the pickle lies.
struct Archive<'a> {
    bytes: &'a [u8],
    zip: Zip<'a>,
    folder: String,
}

/// Whether a zip is one of PyTorch.
pub(crate) fn is(bytes: &[u8]) -> bool {
    ZipArchive::new(Cursor::new(bytes)).is_ok_and(|zip| folder(&zip).is_some())
}

/// Where the pickle lies.
fn folder(zip: &Zip<'_>) -> Option<String> {
    let names = zip.file_names().filter_map(std::result::Result::ok);
    let mut folders = names.filter_map(|name| name.strip_suffix("data.pkl").map(str::to_owned));
    folders.find(|folder| folder.is_empty() || folder.find('/') == Some(folder.len() - 1))
}

impl<'a> Archive<'a> {
    /// The bytes of a file, which is not compressed.
    fn file(&mut self, name: &str) -> Result<Option<&'a [u8]>> {
        let name = format!("{}{name}", self.folder);
        let Some(index) = self.zip.index_for_name(&name) else {
            return Ok(None);
        };
        let wrong = |error: zip::result::ZipError| damaged(format!("{name}: {error}"));
        let file = self.zip.by_index_raw(index).map_err(wrong)?;
        if file.compression() != CompressionMethod::Stored || file.encrypted() {
            let remedy = "unpack it and pack it again with zip -0 -r, or save it again";
            return Err(refused(
                &name,
                "it is compressed, which torch.save never does",
                remedy,
            ));
        }
        let range = || -> Option<Range<usize>> {
            let start = usize::try_from(file.data_start()?).ok()?;
            let len = usize::try_from(file.compressed_size()).ok()?;
            (file.size() == file.compressed_size()).then_some(start..start.checked_add(len)?)
        };
        let bytes = range().and_then(|range| self.bytes.get(range));
        bytes
            .map(Some)
            .ok_or_else(|| damaged(format!("{name} reaches past the file's end")))
    }
}

/// Reads a file.
pub(super) fn read(bytes: &[u8]) -> Result<State> {
    let zip = ZipArchive::new(Cursor::new(bytes)).map_err(|error| damaged(error.to_string()))?;
    let folder = folder(&zip).ok_or_else(|| {
        let remedy = "save the state dict: torch.save(model.state_dict(), FILE)";
        refused(
            "the file",
            "it is a zip without a pickle (data.pkl) in it",
            remedy,
        )
    })?;
    let mut archive = Archive { bytes, zip, folder };
    let constants = format!("{}constants.pkl", archive.folder);
    if archive.zip.index_for_name(&constants).is_some() {
        let what = "it is a TorchScript archive: a program, not weights alone";
        let remedy = "save its state dict: torch.save(torch.jit.load(FILE).state_dict(), OTHER)";
        return Err(refused("the file", what, remedy));
    }
    if archive
        .file("byteorder")?
        .is_some_and(|order| order != b"little")
    {
        let what = "its numbers are not little-endian";
        return Err(refused(
            "the file",
            what,
            "save it on a little-endian machine",
        ));
    }
    let pickle = archive.file("data.pkl")?.unwrap_or_default();
    let pickle = pickle::read(pickle)?;
    let mut state = State {
        format: FORMAT,
        tensors: Vec::new(),
        ordered: true,
        notes: Vec::new(),
    };
    let entries = state_dict(&pickle, &mut state)?;
    // Tensors may share a storage, as tied weights do; not so often that a small file fills memory.
    let mut left = bytes.len();
    let mut names = HashSet::new();
    for (key, value) in entries {
        let name = match &pickle.nodes[key] {
            Node::Text(name) => name.clone(),
            _ => return Err(damaged("its state dict has a key that is no text")),
        };
        let Node::Tensor(tensor) = &pickle.nodes[value] else {
            let what = "entries of the state dict that are no tensors were left out";
            state.note(what);
            continue;
        };
        if !names.insert(name.clone()) {
            return Err(damaged(format!("the tensor {name} is there twice")));
        }
        let numbers = numbers(&mut archive, &pickle, &name, tensor, &mut left, &mut state)?;
        state.tensors.push(Tensor {
            name,
            shape: tensor.shape.clone(),
            numbers,
        });
    }
    Ok(state)
}

/// The entries of the state dict: the pickle itself, or one of its entries.
fn state_dict(pickle: &Pickle, state: &mut State) -> Result<Vec<(Id, Id)>> {
    let tensors = |id: Id| match &pickle.nodes[id] {
        Node::Dict(entries) => {
            let is = |(_, value): &&(Id, Id)| matches!(pickle.nodes[*value], Node::Tensor(_));
            entries.iter().filter(is).count()
        }
        _ => 0,
    };
    let Node::Dict(root) = &pickle.nodes[pickle.root] else {
        let remedy = "save the state dict: torch.save(model.state_dict(), FILE)";
        return Err(refused("the file", "it holds no dict of tensors", remedy));
    };
    if tensors(pickle.root) > 0 {
        return Ok(root.clone());
    }
    let named = |(key, value): &(Id, Id)| match &pickle.nodes[*key] {
        Node::Text(name) if tensors(*value) > 0 => Some((name.clone(), *value)),
        _ => None,
    };
    let found: Vec<(String, Id)> = root.iter().take(MANY).filter_map(named).collect();
    let known = INSIDE
        .iter()
        .find_map(|key| found.iter().find(|(name, _)| name == key));
    let one = match found.as_slice() {
        [one] => Some(one),
        _ => known,
    };
    match one.map(|(name, id)| (name, &pickle.nodes[*id])) {
        Some((name, Node::Dict(entries))) => {
            let what = "the rest (an optimizer's state, counters) is no part of the net";
            state.note(&format!(
                "the state dict was taken from the entry {name}: {what}"
            ));
            Ok(entries.clone())
        }
        _ => {
            let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
            let what = match names.is_empty() {
                true => "no entry of its dict is a tensor or a state dict".to_owned(),
                false => format!("it holds several state dicts: {}", names.join(", ")),
            };
            let remedy = "save the state dict alone: torch.save(model.state_dict(), FILE)";
            Err(refused("the file", what, remedy))
        }
    }
}

/// The numbers of a tensor, row after row; `left` is how many more may be taken.
fn numbers(
    archive: &mut Archive<'_>,
    pickle: &Pickle,
    name: &str,
    tensor: &Strided,
    left: &mut usize,
    state: &mut State,
) -> Result<Numbers> {
    let wrong = |what: &str| damaged(format!("the tensor {name} {what}"));
    let Node::Storage(storage) = &pickle.nodes[tensor.storage] else {
        return Err(wrong("has no storage"));
    };
    let count = check(tensor, storage).ok_or_else(|| wrong("reaches past its storage"))?;
    let real = match storage.element {
        Element::Real(real) => real,
        Element::Other(kind, _) => return Ok(Numbers::Other(kind.to_owned())),
    };
    let bytes = archive.file(&format!("data/{}", storage.key))?;
    let bytes = bytes.ok_or_else(|| wrong("has no file of numbers in the archive"))?;
    if storage
        .len
        .checked_mul(real.size())
        .is_none_or(|need| need > bytes.len())
    {
        return Err(wrong("has a file of numbers that is too short"));
    }
    *left = left
        .checked_sub(count)
        .ok_or_else(|| wrong("repeats numbers of its storage"))?;
    if let Some(note) = real.note() {
        state.note(note);
    }
    let mut all = Vec::with_capacity(count);
    let mut index = vec![0; tensor.shape.len()];
    for _ in 0..count {
        let steps = index.iter().zip(&tensor.strides);
        let at = tensor.offset + steps.map(|(k, stride)| k * stride).sum::<usize>();
        all.push(
            real.at(bytes, at * real.size())
                .ok_or_else(|| wrong("is too short"))?,
        );
        for (k, len) in index.iter_mut().zip(&tensor.shape).rev() {
            *k += 1;
            if *k < *len {
                break;
            }
            *k = 0;
        }
    }
    Ok(Numbers::Real(all))
}

/// How many numbers a tensor has, if all of them lie in its storage.
fn check(tensor: &Strided, storage: &Storage) -> Option<usize> {
    if tensor.shape.len() != tensor.strides.len() {
        return None;
    }
    let count = tensor
        .shape
        .iter()
        .try_fold(1_usize, |n, len| n.checked_mul(*len))?;
    if count == 0 {
        return Some(0);
    }
    let mut last = tensor.offset;
    for (len, stride) in tensor.shape.iter().zip(&tensor.strides) {
        last = last.checked_add((len - 1).checked_mul(*stride)?)?;
    }
    (last < storage.len).then_some(count)
}
