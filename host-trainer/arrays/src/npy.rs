//! NumPy's `.npy`.

use npyz::{DType, NpyFile, Order, TypeChar, WriterBuilder};

use crate::error::{Result, form};
use crate::sequence::Sequence;

/// Steps and width of an array of this shape.
fn sizes(shape: &[u64]) -> Result<(u64, u64)> {
    match *shape {
        [steps] => Ok((steps, 1)),
        [steps, width] | [1, steps, width] | [steps, 1, width] => Ok((steps, width)),
        _ => Err(form(format!(
            "its shape is {shape:?}: it has to be [steps], [steps, width] or one batch of that"
        ))),
    }
}

/// Numbers of one type as f32.
fn numbers<T: npyz::Deserialize>(
    file: NpyFile<&[u8]>,
    of: impl Fn(T) -> f32,
) -> std::io::Result<Vec<f32>> {
    let all = file
        .data::<T>()
        .map_err(|error| std::io::Error::other(error.to_string()))?;
    all.map(|number| number.map(&of)).collect()
}

#[expect(
    clippy::cast_precision_loss,
    reason = "the engine reads f32: integers past 2^24 are rounded"
)]
pub(crate) fn read(bytes: &[u8]) -> Result<Sequence> {
    let damaged = |error: std::io::Error| form(format!("the .npy is damaged: {error}"));
    let file = NpyFile::new(bytes).map_err(damaged)?;
    let shape = file.shape().to_vec();
    let (steps, width) = sizes(&shape)?;
    let fortran = file.order() == Order::Fortran;
    let DType::Plain(of) = file.dtype() else {
        return Err(form("it holds records, not numbers"));
    };
    let (kind, size) = (of.type_char(), of.size_field());
    // What is declared has to be in the file, before memory is taken for it.
    let count = steps.checked_mul(width);
    let declared = count.and_then(|count| count.checked_mul(size));
    if declared.is_none_or(|declared| declared > bytes.len() as u64) {
        return Err(form(format!(
            "the .npy is damaged: it declares {shape:?} and has {} bytes",
            bytes.len()
        )));
    }
    let all = match (kind, size) {
        (TypeChar::Float, 4) => numbers::<f32>(file, |x| x),
        (TypeChar::Float, 8) => numbers::<f64>(file, |x| x as f32),
        (TypeChar::Int, 1) => numbers::<i8>(file, f32::from),
        (TypeChar::Int, 2) => numbers::<i16>(file, f32::from),
        (TypeChar::Int, 4) => numbers::<i32>(file, |x| x as f32),
        (TypeChar::Int, 8) => numbers::<i64>(file, |x| x as f32),
        (TypeChar::Uint, 1) => numbers::<u8>(file, f32::from),
        (TypeChar::Uint, 2) => numbers::<u16>(file, f32::from),
        (TypeChar::Uint, 4) => numbers::<u32>(file, |x| x as f32),
        (TypeChar::Uint, 8) => numbers::<u64>(file, |x| x as f32),
        (TypeChar::Bool, 1) => numbers::<bool>(file, |x| f32::from(u8::from(x))),
        _ => {
            return Err(form(format!(
                "it holds numbers of the type {of}: save it as float32"
            )));
        }
    };
    let mut all = all.map_err(damaged)?;
    let (steps, width) = (steps as usize, width as usize);
    if fortran && steps > 0 {
        let columns = (0..steps).flat_map(|step| (0..width).map(move |k| k * steps + step));
        all = columns.map(|at| all[at]).collect();
    }
    Ok(Sequence {
        width,
        numbers: all,
        sample_rate: None,
    })
}

pub(crate) fn write(of: &Sequence) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let shape = [of.len() as u64, of.width as u64];
    let written = npyz::WriteOptions::new()
        .default_dtype()
        .shape(&shape)
        .writer(&mut bytes)
        .begin_nd()
        .and_then(|mut writer| {
            writer.extend(of.numbers.iter().copied())?;
            writer.finish()
        });
    written.map_err(|error| form(error.to_string()))?;
    Ok(bytes)
}
