//! The pickle of a state dict: a machine of a stack and a memo that builds values, and calls nothing.
//!
//! ```text
//! bytes -> opcodes -> nodes, which name each other by number: no recursion, whatever they say
//! GLOBAL       a storage type, or one of three functions that build a state dict; else refused
//! REDUCE       what that function would have made, made here
//! BINPERSID    a storage: the file of the archive that holds a tensor's numbers
//! ```
//! Every opcode makes one node at most, so memory is bounded by the length of the pickle.

use std::collections::HashMap;

use super::globals::{Element, Global, global};
use crate::error::{Error, Result, refused};

pub(super) const FORMAT: &str = "PyTorch";

/// How many axes a tensor has at most.
const AXES: usize = 8;
/// The longest key of a storage.
const KEY: usize = 64;

/// A node's number.
pub(super) type Id = usize;

/// A value of the pickle.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    /// Nothing, a truth value, a number with a point, bytes: no part of a tensor.
    Other,
    Int(i64),
    Text(String),
    Tuple(Vec<Id>),
    List(Vec<Id>),
    /// In the order in which the keys came.
    Dict(Vec<(Id, Id)>),
    Global(Global),
    Storage(Storage),
    Tensor(Strided),
}

/// A file of the archive: `data/KEY`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Storage {
    pub(super) element: Element,
    pub(super) key: String,
    /// How many numbers it says it has.
    pub(super) len: usize,
}

/// A tensor: some numbers of a storage.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Strided {
    /// The node of the storage.
    pub(super) storage: Id,
    pub(super) offset: usize,
    pub(super) shape: Vec<usize>,
    pub(super) strides: Vec<usize>,
}

/// All that a pickle made, and what it is.
#[derive(Debug)]
pub(super) struct Pickle {
    pub(super) nodes: Vec<Node>,
    pub(super) root: Id,
}

fn damaged(what: impl Into<String>) -> Error {
    Error::Damaged {
        format: FORMAT,
        what: format!("its pickle {}", what.into()),
    }
}

/// The machine.
struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    nodes: Vec<Node>,
    stack: Vec<Id>,
    /// How long the stack was at each mark.
    marks: Vec<usize>,
    memo: HashMap<usize, Id>,
}

/// Runs a pickle up to its end.
pub(super) fn read(bytes: &[u8]) -> Result<Pickle> {
    let mut machine = Machine {
        bytes,
        at: 0,
        nodes: Vec::new(),
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
    };
    loop {
        let at = machine.at;
        let [opcode] = machine.take()?;
        if opcode == b'.' {
            let root = machine.pop()?;
            return Ok(Pickle {
                nodes: machine.nodes,
                root,
            });
        }
        machine.run(opcode, at)?;
    }
}

impl<'a> Machine<'a> {
    fn slice(&mut self, len: usize) -> Result<&'a [u8]> {
        let end = self.at.checked_add(len);
        let slice = end.and_then(|end| self.bytes.get(self.at..end));
        let slice = slice.ok_or_else(|| damaged("ends too early"))?;
        self.at += len;
        Ok(slice)
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N]> {
        let slice = self.slice(N)?;
        slice.try_into().map_err(|_| damaged("ends too early"))
    }

    /// A length of `N` bytes before what it counts.
    fn counted<const N: usize>(&mut self) -> Result<&'a [u8]> {
        let mut wide = [0; 8];
        wide[..N].copy_from_slice(&self.take::<N>()?);
        let len = usize::try_from(u64::from_le_bytes(wide));
        self.slice(len.map_err(|_| damaged("ends too early"))?)
    }

    fn line(&mut self) -> Result<&'a str> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let len = rest.iter().position(|byte| *byte == b'\n');
        let len = len.ok_or_else(|| damaged("ends too early"))?;
        let line = self.slice(len + 1)?;
        std::str::from_utf8(&line[..len]).map_err(|_| damaged("has a name that is no UTF-8"))
    }

    fn push(&mut self, node: Node) {
        self.stack.push(self.nodes.len());
        self.nodes.push(node);
    }

    fn text(&mut self, bytes: &[u8]) -> Result<()> {
        let text =
            std::str::from_utf8(bytes).map_err(|_| damaged("has a text that is no UTF-8"))?;
        self.push(Node::Text(text.to_owned()));
        Ok(())
    }

    fn pop(&mut self) -> Result<Id> {
        let mark = self.marks.last().copied().unwrap_or(0);
        match self.stack.len() > mark {
            true => self
                .stack
                .pop()
                .ok_or_else(|| damaged("takes from nothing")),
            false => Err(damaged("takes from nothing")),
        }
    }

    fn top(&self) -> Result<Id> {
        let top = self.stack.last().copied();
        top.ok_or_else(|| damaged("takes from nothing"))
    }

    /// All above the last mark.
    fn marked(&mut self) -> Result<Vec<Id>> {
        let mark = self.marks.pop().ok_or_else(|| damaged("has no mark"))?;
        Ok(self.stack.split_off(mark.min(self.stack.len())))
    }

    fn last(&mut self, count: usize) -> Result<Vec<Id>> {
        let mut all = Vec::with_capacity(count);
        for _ in 0..count {
            all.push(self.pop()?);
        }
        all.reverse();
        Ok(all)
    }

    fn remember(&mut self, key: usize) -> Result<()> {
        let top = self.top()?;
        self.memo.insert(key, top);
        Ok(())
    }

    fn recall(&mut self, key: usize) -> Result<()> {
        let id = self.memo.get(&key).copied();
        self.stack
            .push(id.ok_or_else(|| damaged("recalls what it has not kept"))?);
        Ok(())
    }

    fn run(&mut self, opcode: u8, at: usize) -> Result<()> {
        match opcode {
            // PROTO, FRAME
            0x80 => drop(self.take::<1>()?),
            0x95 => drop(self.take::<8>()?),
            b'(' => self.marks.push(self.stack.len()),
            b'0' => drop(self.pop()?),
            b'1' => drop(self.marked()?),
            b'2' => {
                let top = self.top()?;
                self.stack.push(top);
            }
            b'N' | 0x88 | 0x89 => self.push(Node::Other),
            b'J' => {
                let value = i32::from_le_bytes(self.take()?);
                self.push(Node::Int(value.into()));
            }
            b'K' => {
                let [value] = self.take()?;
                self.push(Node::Int(value.into()));
            }
            b'M' => {
                let value = u16::from_le_bytes(self.take()?);
                self.push(Node::Int(value.into()));
            }
            0x8a => self.long()?,
            b'G' => {
                self.take::<8>()?;
                self.push(Node::Other);
            }
            // Bytes, then texts.
            b'B' | b'C' | 0x8e => {
                match opcode {
                    b'B' => self.counted::<4>()?,
                    b'C' => self.counted::<1>()?,
                    _ => self.counted::<8>()?,
                };
                self.push(Node::Other);
            }
            b'X' | b'T' | b'U' | 0x8c | 0x8d => {
                let bytes = match opcode {
                    b'X' | b'T' => self.counted::<4>()?,
                    0x8d => self.counted::<8>()?,
                    _ => self.counted::<1>()?,
                };
                self.text(bytes)?;
            }
            b')' => self.push(Node::Tuple(Vec::new())),
            b'}' => self.push(Node::Dict(Vec::new())),
            b']' => self.push(Node::List(Vec::new())),
            b't' => {
                let all = self.marked()?;
                self.push(Node::Tuple(all));
            }
            0x85..=0x87 => {
                let all = self.last(usize::from(opcode - 0x84))?;
                self.push(Node::Tuple(all));
            }
            b'a' => {
                let all = self.last(1)?;
                self.append(all)?;
            }
            b'e' => {
                let all = self.marked()?;
                self.append(all)?;
            }
            b's' => {
                let all = self.last(2)?;
                self.set(&all)?;
            }
            b'u' => {
                let all = self.marked()?;
                self.set(&all)?;
            }
            // The memo: BINPUT, LONG_BINPUT, MEMOIZE; BINGET, LONG_BINGET.
            b'q' => {
                let [key] = self.take()?;
                self.remember(key.into())?;
            }
            b'r' => {
                let key = u32::from_le_bytes(self.take()?);
                self.remember(key as usize)?;
            }
            0x94 => self.remember(self.memo.len())?,
            b'h' => {
                let [key] = self.take()?;
                self.recall(key.into())?;
            }
            b'j' => {
                let key = u32::from_le_bytes(self.take()?);
                self.recall(key as usize)?;
            }
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                self.push(Node::Global(global(module, name)?));
            }
            0x93 => {
                let [module, name] = self.texts()?;
                self.push(Node::Global(global(&module, &name)?));
            }
            b'R' => self.reduce()?,
            b'b' => self.build()?,
            b'Q' => self.storage()?,
            _ => {
                let what = format!(
                    "the pickle's opcode {opcode:#04x} at byte {at} is none that a state dict needs"
                );
                let remedy = "save the state dict alone: torch.save(model.state_dict(), FILE)";
                return Err(refused("the file", what, remedy));
            }
        }
        Ok(())
    }

    /// An integer of any length; one past 64 bits is none that counts anything here.
    fn long(&mut self) -> Result<()> {
        let bytes = self.counted::<1>()?;
        let sign = bytes.last().is_some_and(|byte| byte & 0x80 != 0);
        let mut wide = [if sign { 0xff } else { 0 }; 8];
        let node = match wide.get_mut(..bytes.len()) {
            Some(low) => {
                low.copy_from_slice(bytes);
                Node::Int(i64::from_le_bytes(wide))
            }
            None => Node::Other,
        };
        self.push(node);
        Ok(())
    }

    fn texts(&mut self) -> Result<[String; 2]> {
        let all = self.last(2)?;
        match (&self.nodes[all[0]], &self.nodes[all[1]]) {
            (Node::Text(a), Node::Text(b)) => Ok([a.clone(), b.clone()]),
            _ => Err(damaged("names something by what is no text")),
        }
    }

    fn append(&mut self, all: Vec<Id>) -> Result<()> {
        let top = self.top()?;
        match &mut self.nodes[top] {
            Node::List(list) => list.extend(all),
            _ => return Err(damaged("appends to what is no list")),
        }
        Ok(())
    }

    fn set(&mut self, all: &[Id]) -> Result<()> {
        let top = self.top()?;
        let (pairs, odd) = all.as_chunks::<2>();
        match &mut self.nodes[top] {
            Node::Dict(entries) if odd.is_empty() => {
                entries.extend(pairs.iter().map(|[key, value]| (*key, *value)));
                Ok(())
            }
            _ => Err(damaged("sets items of what is no dict")),
        }
    }

    /// What one of the three functions makes of its arguments.
    fn reduce(&mut self) -> Result<()> {
        let all = self.last(2)?;
        let (function, arguments) = (&self.nodes[all[0]], &self.nodes[all[1]]);
        let (Node::Global(function), Node::Tuple(arguments)) = (function, arguments) else {
            return Err(damaged("calls what is no function"));
        };
        match (function, arguments.as_slice()) {
            (Global::OrderedDict, []) => self.push(Node::Dict(Vec::new())),
            (Global::RebuildParameter, [tensor, ..]) => {
                let tensor = *tensor;
                self.stack.push(tensor);
            }
            (Global::RebuildTensor, [storage, offset, shape, strides, ..]) => {
                let tensor = Strided {
                    storage: *storage,
                    offset: self.count(*offset)?,
                    shape: self.counts(*shape)?,
                    strides: self.counts(*strides)?,
                };
                self.push(Node::Tensor(tensor));
            }
            _ => {
                return Err(damaged(
                    "calls a function with other arguments than it takes",
                ));
            }
        }
        Ok(())
    }

    fn count(&self, id: Id) -> Result<usize> {
        match self.nodes[id] {
            Node::Int(value) => usize::try_from(value).map_err(|_| damaged("has a negative size")),
            _ => Err(damaged("has a size that is no number")),
        }
    }

    fn counts(&self, id: Id) -> Result<Vec<usize>> {
        match &self.nodes[id] {
            Node::Tuple(all) if all.len() <= AXES => all.iter().map(|id| self.count(*id)).collect(),
            _ => Err(damaged("has a shape that is no short tuple")),
        }
    }

    /// The `_metadata` of a state dict: versions of its modules, which change no number.
    fn build(&mut self) -> Result<()> {
        let state = self.pop()?;
        let top = self.top()?;
        match (&self.nodes[top], &self.nodes[state]) {
            (Node::Dict(_), Node::Dict(_)) => Ok(()),
            _ => Err(damaged("sets the state of what is no dict")),
        }
    }

    fn storage(&mut self) -> Result<()> {
        let id = self.pop()?;
        let Node::Tuple(all) = &self.nodes[id] else {
            return Err(damaged("names a storage by what is no tuple"));
        };
        let of = |k: usize| all.get(k).map(|id| &self.nodes[*id]);
        let node = match (of(0), of(1), of(2), all.get(4)) {
            (
                Some(Node::Text(kind)),
                Some(Node::Global(Global::Type(element))),
                Some(Node::Text(key)),
                Some(len),
            ) if kind == "storage" && key.len() <= KEY => Node::Storage(Storage {
                element: *element,
                key: key.clone(),
                len: self.count(*len)?,
            }),
            _ => return Err(damaged("names a storage in an unknown way")),
        };
        self.push(node);
        Ok(())
    }
}
