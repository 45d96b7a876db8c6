//! FNV-1a over states: one number that says whether two machines computed the same thing.

/// FNV-1a, 64 bits, over the state after every step (<http://www.isthe.com/chongo/tech/comp/fnv/>).
///
/// Not a checksum against damage (images have CRC-32 for that), but the shortest function that is the same everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateHash(u64);

impl StateHash {
    const OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;

    /// The hash of nothing.
    pub const fn new() -> Self {
        StateHash(Self::OFFSET_BASIS)
    }

    /// Takes bytes in.
    pub fn update(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(Self::PRIME);
        }
    }

    /// The hash of everything taken in.
    pub const fn finish(&self) -> u64 {
        self.0
    }
}

impl Default for StateHash {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Test vectors of the FNV authors.
    #[test]
    fn published_vectors() {
        let hash = |text: &str| {
            let mut hash = StateHash::new();
            hash.update(text.as_bytes());
            hash.finish()
        };
        assert_eq!(hash(""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(hash("a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(hash("foobar"), 0x8594_4171_f739_67e8);
    }
}
