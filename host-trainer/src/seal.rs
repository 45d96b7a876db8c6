//! The seal of a checkpoint: a checksum inside the file, so that a flipped bit or a lost end is noticed and named.
//!
//! ```text
//! 8 bytes: length of the header | {"__metadata__":{"sha256":"<64 hex digits>","gatelet":... | numbers
//! digits = SHA-256 of the whole file with zeros ("000...0") in place of the digits
//! ```
//! safetensors has no checksum of its own. This one is the first metadata key when it is written, and covers every byte:
//! the header, its padding and the numbers. To other readers it is one more string of metadata, which they may write in
//! another place: it is checked wherever the header has it. Files without it (PyTorch's) are taken as they are.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::hex::hex;

/// What every header with metadata begins with.
const OPENING: &[u8] = b"{\"__metadata__\":{";
/// The key, up to its digits.
const KEY: &[u8] = b"\"sha256\":\"";
/// Hexadecimal digits of the checksum.
const DIGITS: usize = 64;
/// The header's member for what is no tensor, and the seal's in that.
const METADATA: &str = "__metadata__";
const SHA256: &str = "sha256";
/// Bytes of the longest header that the library reads.
pub(crate) const LONGEST_HEADER: u64 = 100_000_000;
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
    /// It has several checksums, or one that is none.
    Unclear,
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
            Self::Unclear => write!(
                f,
                "its metadata has several sha256, or one that is none: 64 digits 0-9 and a-f, written out, once"
            ),
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

/// Checksum of a file whose digits begin at `at`.
fn checksum(bytes: &[u8], at: usize) -> String {
    let mut hash = Sha256::new();
    hash.update(&bytes[..at]);
    hash.update([b'0'; DIGITS]);
    hash.update(&bytes[at + DIGITS..]);
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
    let digits = checksum(&sealed, AT);
    sealed[AT..AT + DIGITS].copy_from_slice(digits.as_bytes());
    sealed
}

/// Where the digits of a seal stand.
#[derive(Debug, PartialEq, Eq)]
enum Place {
    /// There is no seal.
    None,
    /// They begin at this byte of the file.
    At(usize),
    /// There is no telling which digits count.
    Unclear,
}

/// An object's members in their order, with those that come twice.
struct Members<V>(Vec<(String, V)>);

impl<'d, V: Deserialize<'d>> Deserialize<'d> for Members<V> {
    fn deserialize<D: Deserializer<'d>>(from: D) -> Result<Self, D::Error> {
        struct All<V>(PhantomData<V>);
        impl<'d, V: Deserialize<'d>> Visitor<'d> for All<V> {
            type Value = Members<V>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'d>>(self, mut map: A) -> Result<Members<V>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        from.deserialize_map(All(PhantomData))
    }
}

/// Finds the seal by reading the header as what it is, whatever the order of its keys, the space
/// between them and the escapes in them.
fn place(bytes: &[u8]) -> Place {
    // The digits at their usual place tell a seal too: one whose key is damaged is not taken for a
    // file that never had one.
    let usual = bytes.get(AT..AT + DIGITS).is_some_and(|digits| {
        digits.iter().all(u8::is_ascii_hexdigit) || &bytes[AT - KEY.len()..AT] == KEY
    });
    let unread = if usual { Place::At(AT) } else { Place::None };
    let Some(header) = header(bytes) else {
        return unread;
    };
    // Its members are objects: metadata and tensors.
    let Ok(Members(members)) = serde_json::from_slice::<Members<Members<Value>>>(header) else {
        return unread;
    };
    let metadata = members.into_iter().filter(|(key, _)| key == METADATA);
    let seals: Vec<_> = metadata
        .flat_map(|(_, inner)| inner.0.into_iter().filter(|(key, _)| key == SHA256))
        .collect();
    match &seals[..] {
        [] => unread,
        [(_, Value::String(digits))] if is_digest(digits) => {
            let quoted = format!("\"{digits}\"");
            let mut places = header
                .windows(quoted.len())
                .enumerate()
                .filter(|(_, window)| *window == quoted.as_bytes());
            match (places.next(), places.next()) {
                (Some((at, _)), None) => Place::At(LENGTH + at + 1),
                // Written with escapes, or in two places.
                _ => Place::Unclear,
            }
        }
        _ => Place::Unclear,
    }
}

/// Whether a text is a SHA-256 as it is written here.
fn is_digest(text: &str) -> bool {
    let digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    text.len() == DIGITS && text.bytes().all(digit)
}

/// Checks the seal of a file, if it has one.
///
/// # Errors
/// [`Damage`].
pub fn check(bytes: &[u8]) -> Result<(), Damage> {
    let at = match place(bytes) {
        Place::None => return Ok(()),
        Place::Unclear => return Err(Damage::Unclear),
        Place::At(at) => at,
    };
    let digits = &bytes[at..at + DIGITS];
    let found = checksum(bytes, at);
    // At the usual place the key has to be whole too.
    let keyed = at != AT || &bytes[AT - KEY.len()..AT] == KEY;
    if found.as_bytes() == digits && keyed {
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

/// Where the header of the file that `start` begins ends, if it is no longer than any may be.
pub(crate) fn header_end(start: &[u8]) -> Option<u64> {
    let length = u64::from_le_bytes(*start.first_chunk::<LENGTH>()?);
    (length <= LONGEST_HEADER).then_some(LENGTH as u64 + length)
}

/// Length of the file that the header describes, if the header can be read.
pub(crate) fn promised(bytes: &[u8]) -> Option<usize> {
    let length = u64::from_le_bytes(*bytes.first_chunk::<LENGTH>()?);
    let Some(header) = header(bytes) else {
        return usize::try_from(length).ok()?.checked_add(LENGTH);
    };
    let tensors: serde_json::Map<String, Value> = serde_json::from_slice(header).ok()?;
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

    /// A header as another program would write it, around the same numbers.
    fn with(metadata: &str) -> Vec<u8> {
        let header =
            format!(r#"{{ {metadata}, "a" : {{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}}}"#);
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend_from_slice(header.as_bytes());
        bytes.extend_from_slice(&[1, 2, 3, 4, 5, 6, 7, 8]);
        bytes
    }

    /// A digest is found wherever a reader of JSON finds it, and a stale one is refused.
    #[test]
    fn a_seal_is_checked_however_its_header_is_written() {
        let zeros = "0".repeat(DIGITS);
        for form in [
            r#""__metadata__":{"sha256":"D"}"#,
            r#""__metadata__" : { "gatelet" : "{}" , "sha256" :  "D" }"#,
            "\"__metadata__\":\n{\t\"a\":\"\\\"\",\"sh\\u0061256\":\n\"D\"}",
            r#""b":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},"__metadata__":{"x":"","sha256":"D"}"#,
        ] {
            let mut bytes = with(&form.replace('D', &zeros));
            assert!(
                matches!(check(&bytes), Err(Damage::Changed { .. })),
                "stale: {form}"
            );
            let at = bytes
                .windows(DIGITS)
                .position(|w| w == zeros.as_bytes())
                .unwrap();
            let digits = checksum(&bytes, at);
            bytes[at..at + DIGITS].copy_from_slice(digits.as_bytes());
            assert_eq!(check(&bytes), Ok(()), "{form}");
            *bytes.last_mut().unwrap() ^= 1;
            assert!(check(&bytes).is_err(), "{form}");
        }
    }

    #[test]
    fn what_is_no_single_digest_is_refused() {
        let (zeros, ones) = ("0".repeat(DIGITS), "1".repeat(DIGITS));
        for form in [
            format!(r#""__metadata__":{{"sha256":"{zeros}","sha256":"{ones}"}}"#),
            format!(r#""__metadata__":{{"sha256":"{zeros}","sha256":"{zeros}"}}"#),
            format!(
                r#""__metadata__":{{"sha256":"{ones}"}},"__metadata__":{{"sha256":"{zeros}"}}"#
            ),
            format!(r#""__metadata__":{{"x":"{zeros}","sha256":"{zeros}"}}"#),
            format!(r#""__metadata__":{{"sha256":"{}"}}"#, "A".repeat(DIGITS)),
            format!(r#""__metadata__":{{"sha256":"\u0030{}"}}"#, &zeros[1..]),
            r#""__metadata__":{"sha256":""}"#.to_owned(),
            r#""__metadata__":{"sha256":7}"#.to_owned(),
        ] {
            assert_eq!(check(&with(&form)), Err(Damage::Unclear), "{form}");
        }
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
