//! The seal of a checkpoint: a checksum inside the file, so that a flipped bit or a lost end is noticed and named.
//!
//! ```text
//! 8 bytes: length of the header | {"__metadata__":{"sha256":"<64 hex digits>","gatelet":... | numbers
//! digits = SHA-256 of the whole file with zeros ("000...0") in place of the digits
//! ```
//! safetensors has no checksum of its own. This one is the first metadata key, at a fixed place, and covers every byte:
//! the header, its padding and the numbers. To other readers it is one more string of metadata. Files without it (older
//! ones, PyTorch's) are taken as they are.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::corpus::hex;

/// What every header with metadata begins with.
const OPENING: &[u8] = b"{\"__metadata__\":{";
/// The key, up to its digits.
const KEY: &[u8] = b"\"sha256\":\"";
/// Hexadecimal digits of the checksum.
const DIGITS: usize = 64;
/// Bytes before the header: its length.
const LENGTH: usize = 8;
/// Where the digits stand in the file.
const AT: usize = LENGTH + OPENING.len() + KEY.len();

/// How a file differs from what was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Damage {
    /// It ends too early.
    Cut {
        /// Bytes there.
        have: usize,
        /// Bytes that its header promises.
        need: usize,
    },
    /// Its bytes are not those that were written.
    Changed {
        /// Checksum written in it.
        expected: String,
        /// Checksum of its bytes.
        found: String,
    },
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cut { have, need } => write!(f, "it ends after {have} of {need} bytes"),
            Self::Changed { expected, found } => write!(
                f,
                "its bytes are not those that were written (sha256 {:.12}..., the file says {:.12}...)",
                found, expected
            ),
        }
    }
}

/// Length of the header, if all of it is there.
fn header(bytes: &[u8]) -> Option<&[u8]> {
    let (length, rest) = bytes.split_first_chunk::<LENGTH>()?;
    rest.get(..usize::try_from(u64::from_le_bytes(*length)).ok()?)
}

/// Checksum of a sealed file.
fn checksum(bytes: &[u8]) -> String {
    let mut hash = Sha256::new();
    hash.update(&bytes[..AT]);
    hash.update([b'0'; DIGITS]);
    hash.update(&bytes[AT + DIGITS..]);
    hex(&hash.finalize())
}

/// Puts the seal into a safetensors file that has metadata and no seal; any other comes back as it was.
pub fn seal(bytes: &[u8]) -> Vec<u8> {
    let Some(old) = header(bytes).filter(|header| header.starts_with(OPENING)) else {
        return bytes.to_vec();
    };
    let mut new = [OPENING, KEY, &[b'0'; DIGITS], b"\","].concat();
    new.extend_from_slice(old[OPENING.len()..].trim_ascii_end());
    // The format wants the numbers at a multiple of eight.
    new.resize(new.len().next_multiple_of(LENGTH), b' ');
    let mut sealed = Vec::with_capacity(bytes.len() + new.len() - old.len());
    sealed.extend_from_slice(&(new.len() as u64).to_le_bytes());
    sealed.extend_from_slice(&new);
    sealed.extend_from_slice(&bytes[LENGTH + old.len()..]);
    let digits = checksum(&sealed);
    sealed[AT..AT + DIGITS].copy_from_slice(digits.as_bytes());
    sealed
}

/// Checks the seal of a file, if it has one.
///
/// # Errors
/// [`Damage`].
pub fn check(bytes: &[u8]) -> Result<(), Damage> {
    let Some(digits) = bytes.get(AT..AT + DIGITS) else {
        return Ok(());
    };
    // The digits alone tell a seal: one whose key is damaged is not taken for a file that never had one.
    if !digits.iter().all(u8::is_ascii_hexdigit) && &bytes[AT - KEY.len()..AT] != KEY {
        return Ok(());
    }
    let found = checksum(bytes);
    if found.as_bytes() == digits && &bytes[AT - KEY.len()..AT] == KEY {
        return Ok(());
    }
    Err(match promised(bytes) {
        Some(need) if need > bytes.len() => Damage::Cut {
            have: bytes.len(),
            need,
        },
        _ => Damage::Changed {
            expected: String::from_utf8_lossy(digits).into_owned(),
            found,
        },
    })
}

/// Length of the file that the header describes, if the header can be read.
fn promised(bytes: &[u8]) -> Option<usize> {
    let length = u64::from_le_bytes(*bytes.first_chunk::<LENGTH>()?);
    let Some(header) = header(bytes) else {
        return usize::try_from(length).ok()?.checked_add(LENGTH);
    };
    let tensors: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(header).ok()?;
    let ends = tensors
        .values()
        .filter_map(|tensor| tensor.get("data_offsets")?.get(1)?.as_u64());
    usize::try_from(ends.max()?)
        .ok()?
        .checked_add(LENGTH + header.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> Vec<u8> {
        let header = br#"{"__metadata__":{"gatelet":"{}"},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}  "#;
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend_from_slice(header);
        bytes.extend_from_slice(&[1, 2, 3, 4, 5, 6, 7, 8]);
        bytes
    }

    #[test]
    fn a_sealed_file_is_still_safetensors_with_the_same_content() {
        let sealed = seal(&file());
        assert_eq!(check(&sealed), Ok(()));
        let read = safetensors::SafeTensors::deserialize(&sealed).unwrap();
        assert_eq!(read.tensor("a").unwrap().data(), [1, 2, 3, 4, 5, 6, 7, 8]);
        let (length, header) = safetensors::SafeTensors::read_metadata(&sealed).unwrap();
        let metadata = header.metadata().clone().unwrap();
        assert_eq!((metadata.len(), &metadata["gatelet"][..]), (2, "{}"));
        assert_eq!(length % 8, 0);
    }

    #[test]
    fn every_flipped_bit_and_every_lost_end_is_noticed() {
        let sealed = seal(&file());
        let whole = |bytes: &[u8]| {
            check(bytes).is_ok() && safetensors::SafeTensors::deserialize(bytes).is_ok()
        };
        for at in 0..sealed.len() {
            for bit in 0..8 {
                let mut bytes = sealed.clone();
                bytes[at] ^= 1 << bit;
                assert!(!whole(&bytes), "bit {bit} of byte {at}");
            }
        }
        for cut in 0..sealed.len() {
            assert!(!whole(&sealed[..cut]), "{cut} bytes");
        }
        assert_eq!(
            check(&sealed[..sealed.len() - 3]),
            Err(Damage::Cut {
                have: sealed.len() - 3,
                need: sealed.len()
            })
        );
    }

    #[test]
    fn files_without_a_seal_are_taken_as_they_are() {
        assert_eq!(check(&file()), Ok(()));
        assert_eq!(check(b""), Ok(()));
        assert_eq!(check(&[7; 300]), Ok(()));
        let plain = [&3_u64.to_le_bytes()[..], b"{} "].concat();
        assert_eq!(seal(&plain), plain);
    }
}
