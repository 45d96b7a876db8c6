//! A TFLite model: its operators and tensors, and weights as real numbers.
//!
//! ```text
//! weight = scale (q - zero point)      one scale a tensor, or one for each index of an axis
//! ```

use half::f16;

use super::flat::{Table, damaged};
use super::names::name;
use crate::draft::Matrix;
use crate::error::{Error, Result, refused};

/// Limits; a net for a microcontroller is far below.
const OPERATORS: usize = 4096;
const TENSORS: usize = 1 << 16;
const OPERANDS: usize = 64;
const AXES: usize = 8;

/// A file.
#[derive(Debug)]
pub(super) struct Model<'a> {
    root: Table<'a>,
    graph: Table<'a>,
    /// How many more numbers of weights are made; a file has no more than it has bytes.
    left: usize,
}

/// An operator of the graph.
#[derive(Debug)]
pub(super) struct Operator<'a> {
    /// `FULLY_CONNECTED`.
    pub(super) name: String,
    /// Its tensors; nothing where one is left out.
    pub(super) inputs: Vec<Option<usize>>,
    pub(super) outputs: Vec<usize>,
    options: Option<Table<'a>>,
}

/// A tensor: its shape, its name, its type, and its numbers if they are constant.
#[derive(Debug)]
pub(super) struct Tensor<'a> {
    pub(super) name: String,
    pub(super) shape: Vec<usize>,
    /// Whether an axis has a length that the file leaves open.
    pub(super) open: bool,
    pub(super) kind: Kind,
    data: &'a [u8],
    quantization: Option<Table<'a>>,
    pub(super) variable: bool,
}

/// The type of a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    F32,
    F16,
    I32,
    I64,
    I16,
    I8,
    U8,
    Other,
}

impl Kind {
    const fn size(self) -> usize {
        match self {
            Self::I8 | Self::U8 => 1,
            Self::F16 | Self::I16 => 2,
            Self::F32 | Self::I32 | Self::Other => 4,
            Self::I64 => 8,
        }
    }

    /// Whether numbers of it stand for real ones by a scale.
    pub(super) const fn quantized(self) -> bool {
        matches!(self, Self::I8 | Self::U8 | Self::I16)
    }
}

impl Operator<'_> {
    /// A byte of its options: zero where there are none.
    pub(super) fn byte(&self, id: usize) -> Result<u8> {
        self.options.map_or(Ok(0), |options| options.byte(id))
    }

    pub(super) fn int(&self, id: usize) -> Result<i32> {
        self.options.map_or(Ok(0), |options| options.int(id))
    }

    pub(super) fn float(&self, id: usize) -> Result<f32> {
        self.options.map_or(Ok(0.0), |options| options.float(id))
    }

    /// A tensor that must be there.
    pub(super) fn input(&self, index: usize) -> Result<usize> {
        let given = self.inputs.get(index).copied().flatten();
        given.ok_or_else(|| damaged(format!("{} has no input {index}", self.name)))
    }

    pub(super) fn output(&self) -> Result<usize> {
        let first = self.outputs.first().copied();
        first.ok_or_else(|| damaged(format!("{} has no output", self.name)))
    }
}

impl Tensor<'_> {
    /// Whether its numbers are in the file.
    pub(super) fn constant(&self) -> bool {
        !self.data.is_empty() && !self.variable
    }

    /// The axes that are longer than 1.
    pub(super) fn long_axes(&self) -> Vec<usize> {
        self.shape.iter().copied().filter(|len| *len != 1).collect()
    }

    /// Integers that are constant: a shape, an axis.
    pub(super) fn ints(&self) -> Option<Vec<i64>> {
        let all = self.data;
        match (self.kind, all.len() <= 8 * AXES) {
            (Kind::I32, true) => {
                let all = all.as_chunks::<4>().0.iter();
                Some(all.map(|bytes| i32::from_le_bytes(*bytes).into()).collect())
            }
            (Kind::I64, true) => {
                let all = all.as_chunks::<8>().0.iter();
                Some(all.map(|bytes| i64::from_le_bytes(*bytes)).collect())
            }
            _ => None,
        }
    }
}

impl<'a> Model<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Result<Self> {
        let root = Table::root(bytes)?;
        Ok(Self {
            root,
            graph: root.element(2, 0)?,
            left: bytes.len(),
        })
    }

    fn ids(&self, of: Table<'_>, field: usize) -> Result<Vec<Option<usize>>> {
        let tensors = self.graph.len(0)?.min(TENSORS);
        let id = |id: i32| match usize::try_from(id) {
            Ok(id) if id < tensors => Ok(Some(id)),
            Ok(_) => Err(damaged("an operator names a tensor that is not there")),
            Err(_) => Ok(None),
        };
        of.ints(field, OPERANDS)?.into_iter().map(id).collect()
    }

    pub(super) fn inputs(&self) -> Result<Vec<usize>> {
        Ok(self.ids(self.graph, 1)?.into_iter().flatten().collect())
    }

    pub(super) fn outputs(&self) -> Result<Vec<usize>> {
        Ok(self.ids(self.graph, 2)?.into_iter().flatten().collect())
    }

    /// The operators, in the order in which they are run.
    pub(super) fn operators(&self) -> Result<Vec<Operator<'a>>> {
        let count = self.graph.len(3)?;
        if count > OPERATORS {
            return Err(damaged(format!(
                "{count} operators, of at most {OPERATORS}"
            )));
        }
        (0..count).map(|index| self.operator(index)).collect()
    }

    fn operator(&self, index: usize) -> Result<Operator<'a>> {
        let of = self.graph.element(3, index)?;
        let code = self.root.element(1, of.index(0)?)?;
        let kind = code.int(3)?.max(code.byte(0)?.into());
        Ok(Operator {
            name: match kind {
                32 => format!("the custom operator {}", code.text(1)?.escape_debug()),
                _ => name(kind),
            },
            inputs: self.ids(of, 1)?,
            outputs: self.ids(of, 2)?.into_iter().flatten().collect(),
            options: of.table(4)?,
        })
    }

    pub(super) fn tensor(&self, index: usize) -> Result<Tensor<'a>> {
        let of = self.graph.element(0, index)?;
        let axis = |len: i32| usize::try_from(len).map_err(|_| damaged("a negative axis"));
        let shape = of
            .ints(0, AXES)?
            .into_iter()
            .map(axis)
            .collect::<Result<_>>()?;
        let buffer = self.root.element(4, of.index(2)?)?;
        let name = of.text(3)?;
        if buffer.long(1)? > 1 || of.table(6)?.is_some() {
            let what = "its numbers are sparse, or behind the model";
            return Err(refused(
                &name,
                what,
                "convert the net without these options",
            ));
        }
        Ok(Tensor {
            name,
            shape,
            open: of.ints(7, AXES)?.iter().any(|len| *len < 0),
            kind: match of.byte(1)? {
                0 => Kind::F32,
                1 => Kind::F16,
                2 => Kind::I32,
                3 => Kind::U8,
                4 => Kind::I64,
                7 => Kind::I16,
                9 => Kind::I8,
                _ => Kind::Other,
            },
            data: buffer.bytes(0)?,
            quantization: of.table(4)?,
            variable: of.byte(5)? != 0,
        })
    }

    /// The numbers of a constant tensor, as real numbers.
    pub(super) fn numbers(&mut self, tensor: &Tensor<'_>) -> Result<Vec<f32>> {
        let wrong = |what: &str| damaged(format!("the tensor {} {what}", tensor.name));
        let axes = tensor.shape.iter();
        let count = axes.clone().try_fold(1_usize, |n, len| n.checked_mul(*len));
        let size = tensor.kind.size();
        let count = count.filter(|n| n.checked_mul(size) == Some(tensor.data.len()));
        let count = count.ok_or_else(|| wrong("has not as many bytes as its shape needs"))?;
        let left = self.left.checked_sub(count);
        self.left = left.ok_or_else(|| wrong("is one of too many that repeat their numbers"))?;
        let words = tensor.data.as_chunks::<4>().0.iter();
        let halves = tensor.data.as_chunks::<2>().0.iter();
        let raw: Vec<f64> = match tensor.kind {
            Kind::F32 => return Ok(words.map(|bytes| f32::from_le_bytes(*bytes)).collect()),
            Kind::F16 => {
                return Ok(halves
                    .map(|bytes| f16::from_le_bytes(*bytes).to_f32())
                    .collect());
            }
            Kind::I32 => words
                .map(|bytes| i32::from_le_bytes(*bytes).into())
                .collect(),
            Kind::I16 => halves
                .map(|bytes| i16::from_le_bytes(*bytes).into())
                .collect(),
            Kind::I8 => tensor
                .data
                .iter()
                .map(|byte| (*byte as i8).into())
                .collect(),
            Kind::U8 => tensor.data.iter().map(|byte| (*byte).into()).collect(),
            Kind::I64 => tensor
                .data
                .as_chunks::<8>()
                .0
                .iter()
                .map(|bytes| i64::from_le_bytes(*bytes) as f64)
                .collect(),
            Kind::Other => {
                let what = "its numbers are of a type that is not known here (4 bits, or none)";
                return Err(refused(
                    &tensor.name,
                    what,
                    "convert the net in f32 or int8",
                ));
            }
        };
        let quantization = tensor.quantization.ok_or_else(|| wrong("has no scale"))?;
        let scales = quantization.floats(2, count)?;
        let zeros = quantization.longs(3, count)?;
        // How many numbers lie beside each other under one scale.
        let (axis, run) = match scales.len() {
            1 => (1, count.max(1)),
            _ => {
                let axis = usize::try_from(quantization.int(6)?).unwrap_or(usize::MAX);
                let len = tensor.shape.get(axis).copied().unwrap_or(0);
                if len != scales.len() || len == 0 {
                    return Err(wrong("has another number of scales than its axis is long"));
                }
                (len, axes.skip(axis + 1).product::<usize>().max(1))
            }
        };
        let real = raw.iter().enumerate().map(|(index, q)| {
            let channel = index / run % axis;
            let scale = scales.get(channel).copied().unwrap_or(0.0);
            let zero = zeros.get(channel).or(zeros.first()).copied().unwrap_or(0);
            (f64::from(scale) * (q - zero as f64)) as f32
        });
        Ok(real.collect())
    }

    /// A constant tensor as a matrix of `[rows, columns]`, for a layer.
    pub(super) fn matrix(&mut self, layer: &str, tensor: &Tensor<'_>) -> Result<Matrix> {
        if !tensor.constant() {
            let what = format!("its weights {} are made by other operators", tensor.name);
            return Err(refused(
                layer,
                what,
                "convert the net so that weights are constants",
            ));
        }
        let &[rows, columns] = tensor.shape.as_slice() else {
            return Err(Error::Shape {
                name: layer.to_owned(),
                tensor: tensor.name.clone(),
                found: format!("{:?}", tensor.shape),
                expected: "[rows, columns]".to_owned(),
            });
        };
        let numbers = self.numbers(tensor)?;
        Matrix::new(rows, columns, numbers).ok_or_else(|| damaged("a matrix of no size"))
    }
}
