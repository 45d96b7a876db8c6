//! Tensors that lie in the file.

use std::rc::Rc;

use super::proto;
use super::tensor::{Axis, Data, Num, Tensor};
use crate::error::{Error, Result, refused};

fn damaged(what: String) -> Error {
    Error::Damaged {
        format: "ONNX",
        what: gatelet::visible::line(&what).to_string(),
    }
}

/// Numbers of `N` bytes each, little-endian.
fn raw<const N: usize, T>(bytes: &[u8], number: impl Fn([u8; N]) -> T) -> Option<Vec<T>> {
    let (all, rest) = bytes.as_chunks::<N>();
    rest.is_empty()
        .then(|| all.iter().map(|bytes| number(*bytes)).collect())
}

/// An IEEE half as f32, exactly.
fn half(bits: u16) -> f32 {
    let (sign, rest) = (u32::from(bits & 0x8000) << 16, u32::from(bits & 0x7fff));
    let number = match rest >> 10 {
        0 => rest as f32 / 16_777_216.0,
        31 => f32::from_bits(0x7f80_0000 | (rest & 0x3ff) << 13),
        _ => f32::from_bits((rest << 13) + (112 << 23)),
    };
    f32::from_bits(number.to_bits() | sign)
}

fn brain(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

enum Numbers {
    Floats(Vec<f32>),
    Ints(Vec<i64>),
}

/// The numbers of a tensor of the types that nets use.
fn numbers(of: &proto::Tensor) -> std::result::Result<Numbers, Option<i32>> {
    let bytes = of.raw_data.as_deref();
    let ints = || of.int32_data.iter().map(|x| i64::from(*x)).collect();
    let halves = |float: fn(u16) -> f32| match bytes {
        Some(bytes) => raw(bytes, |x| float(u16::from_le_bytes(x))),
        None => Some(of.int32_data.iter().map(|x| float(*x as u16)).collect()),
    };
    let kind = of.data_type.unwrap_or(0);
    let found = match (kind, bytes) {
        (1, Some(bytes)) => raw(bytes, f32::from_le_bytes).map(Numbers::Floats),
        (1, None) => Some(Numbers::Floats(of.float_data.clone())),
        (11, Some(bytes)) => raw(bytes, |x| f64::from_le_bytes(x) as f32).map(Numbers::Floats),
        (11, None) => {
            let all = of.double_data.iter().map(|x| *x as f32);
            Some(Numbers::Floats(all.collect()))
        }
        (10, _) => halves(half).map(Numbers::Floats),
        (16, _) => halves(brain).map(Numbers::Floats),
        (7, Some(bytes)) => raw(bytes, i64::from_le_bytes).map(Numbers::Ints),
        (7, None) => Some(Numbers::Ints(of.int64_data.clone())),
        (6, Some(bytes)) => raw(bytes, |x| i64::from(i32::from_le_bytes(x))).map(Numbers::Ints),
        (12, Some(bytes)) => raw(bytes, |x| i64::from(u32::from_le_bytes(x))).map(Numbers::Ints),
        (5, Some(bytes)) => raw(bytes, |x| i64::from(i16::from_le_bytes(x))).map(Numbers::Ints),
        (4, Some(bytes)) => raw(bytes, |x| i64::from(u16::from_le_bytes(x))).map(Numbers::Ints),
        (3, Some(bytes)) => raw(bytes, |x| i64::from(i8::from_le_bytes(x))).map(Numbers::Ints),
        (2 | 9, Some(bytes)) => raw(bytes, |[x]| i64::from(x)).map(Numbers::Ints),
        (13, Some(bytes)) => {
            let wide = |x| i64::try_from(u64::from_le_bytes(x)).unwrap_or(i64::MAX);
            raw(bytes, wide).map(Numbers::Ints)
        }
        (12 | 13, None) => {
            let all = of.uint64_data.iter();
            let all = all.map(|x| i64::try_from(*x).unwrap_or(i64::MAX));
            Some(Numbers::Ints(all.collect()))
        }
        (2..=6 | 9, None) => Some(Numbers::Ints(ints())),
        (other, _) => return Err(Some(other)),
    };
    found.ok_or(None)
}

/// A tensor of the file as constants.
///
/// # Errors
/// For numbers that are not as many as its shape says, data in another file, and other types.
pub(super) fn constant(of: &proto::Tensor, fallback: &str) -> Result<Tensor> {
    let name = of.name.as_deref().filter(|name| !name.is_empty());
    let name = name.unwrap_or(fallback);
    if of.data_location == Some(1) {
        let what = "this tensor lies in another file (external data)";
        let remedy = "save the model with all its tensors in one file: onnx.load(it), onnx.save";
        return Err(refused(name, what, remedy));
    }
    let mut dims = Vec::new();
    for len in &of.dims {
        let wrong = |_| damaged(format!("the tensor {name} has an axis of {len}"));
        dims.push(usize::try_from(*len).map_err(wrong)?);
    }
    let data = match numbers(of) {
        Ok(Numbers::Floats(all)) => Data::Floats(Rc::new(all)),
        Ok(Numbers::Ints(all)) => Data::Ints(Rc::new(all.into_iter().map(Num::Known).collect())),
        Err(None) => {
            let what = format!("the tensor {name} ends within a number");
            return Err(damaged(what));
        }
        Err(Some(kind)) => {
            let what = format!("this tensor is of ONNX's type {kind}, which is no plain number");
            return Err(refused(name, what, "save the model with float32 weights"));
        }
    };
    // Axes of 0 count as 1, so that no product of sizes is past what can be counted.
    let sizes = dims.iter().map(|len| (*len).max(1));
    let volume = sizes.fold(1_usize, usize::saturating_mul);
    let needed = (volume <= 1 << 32).then(|| dims.iter().product());
    let tensor = Tensor {
        names: vec![name.to_owned()],
        ..Tensor::new(dims.iter().map(|len| Axis::fixed(*len)).collect(), data)
    };
    if needed != Some(tensor.count()) {
        let have = tensor.count();
        return Err(damaged(format!(
            "the tensor {name} of the shape {dims:?} has {have} numbers"
        )));
    }
    Ok(tensor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_exact() {
        let of = [0x3c00, 0xc000, 0x0001, 0x7bff, 0x3555, 0x8000].map(half);
        let right = [1.0, -2.0, 5.960_464_5e-8, 65504.0, 0.333_251_95, 0.0];
        assert_eq!(of, right);
        assert!(half(0x7c00).is_infinite() && half(0x7e00).is_nan());
        assert_eq!(brain(0x3f80), 1.0);
    }
}
