//! Changes of the bytes of a file.

use crate::entropy::{Entropy, Source};

/// Any place of some bytes; 0 where there is none.
pub(crate) fn place(bytes: &[u8], entropy: &mut Entropy<'_>) -> usize {
    entropy.word() as usize % bytes.len().max(1)
}

/// Cuts the end off, takes a byte out or puts one in, or changes up to eight, often to what is an
/// edge of a size.
pub(crate) fn bytes(bytes: &mut Vec<u8>, entropy: &mut Entropy<'_>) {
    const EDGES: [u8; 7] = [0, 1, 2, 4, 0x7f, 0x80, 0xff];
    let at = place(bytes, entropy);
    match entropy.below(16) {
        _ if bytes.is_empty() => {}
        0 => bytes.truncate(at),
        1 => drop(bytes.remove(at)),
        2 => bytes.insert(at, entropy.byte()),
        _ => {
            for byte in bytes.iter_mut().skip(at).take(1 << entropy.below(4)) {
                *byte = match entropy.below(3) {
                    0 => entropy.byte(),
                    1 => *byte ^ (1 << entropy.below(8)),
                    _ => entropy.one(&EDGES),
                };
            }
        }
    }
}
