//! What a pickle may name: types of storages, and the functions that build a state dict.

use super::state::Real;
use crate::error::{Result, refused};

/// What a pickle may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Global {
    OrderedDict,
    RebuildTensor,
    RebuildParameter,
    Type(Element),
}

/// The type of a storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Element {
    Real(Real),
    /// Its name in PyTorch, and the bytes of one.
    Other(&'static str, usize),
}

/// The types of storages, by their names in PyTorch.
fn element(name: &str) -> Option<Element> {
    Some(match name {
        "HalfStorage" => Element::Real(Real::F16),
        "BFloat16Storage" => Element::Real(Real::Bf16),
        "FloatStorage" => Element::Real(Real::F32),
        "DoubleStorage" => Element::Real(Real::F64),
        "LongStorage" => Element::Other("int64", 8),
        "IntStorage" => Element::Other("int32", 4),
        "ShortStorage" => Element::Other("int16", 2),
        "CharStorage" => Element::Other("int8", 1),
        "ByteStorage" => Element::Other("uint8", 1),
        "BoolStorage" => Element::Other("bool", 1),
        "QInt8Storage" => Element::Other("qint8", 1),
        "QUInt8Storage" => Element::Other("quint8", 1),
        _ => return None,
    })
}

/// What a pickle may name; everything else is refused.
pub(super) fn global(module: &str, name: &str) -> Result<Global> {
    Ok(match (module, name) {
        ("collections", "OrderedDict") => Global::OrderedDict,
        ("torch._utils", "_rebuild_tensor_v2") => Global::RebuildTensor,
        ("torch._utils", "_rebuild_parameter") => Global::RebuildParameter,
        ("torch", storage) if element(storage).is_some() => {
            Global::Type(element(storage).unwrap_or(Element::Other("", 1)))
        }
        _ => {
            let short = |text: &str| text.chars().take(60).collect::<String>();
            let name = format!("{}.{}", short(module), short(name));
            let what = format!(
                "the pickle asks for {}, which no plain state dict needs; nothing was run",
                name.escape_debug()
            );
            let remedy = "save the state dict alone: torch.save(model.state_dict(), FILE)";
            return Err(refused("the file", what, remedy));
        }
    })
}
