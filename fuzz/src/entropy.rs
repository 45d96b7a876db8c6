//! Choices, made of the bytes of an input.

pub(crate) use gatelet_random::Source;

/// Reads choices from bytes; when they are used up, from a generator (SplitMix64) that all of the
/// bytes have seeded. So a short input decides the shape of things, and large things are filled at
/// little cost.
#[derive(Clone, Debug)]
pub struct Entropy<'a> {
    bytes: &'a [u8],
    state: u64,
}

impl<'a> Entropy<'a> {
    /// Of an input.
    pub fn new(bytes: &'a [u8]) -> Self {
        let state = bytes
            .iter()
            .fold(0xcbf2_9ce4_8422_2325, |hash: u64, &byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
            });
        Self { bytes, state }
    }

    /// 64 bits of the generator, whatever is left of the bytes: for weights.
    pub fn random(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = self.state;
        let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A byte.
    pub fn byte(&mut self) -> u8 {
        match self.bytes.split_first() {
            Some((&byte, rest)) => {
                self.bytes = rest;
                byte
            }
            None => self.random() as u8,
        }
    }

    /// 64 bits.
    pub fn word(&mut self) -> u64 {
        (0..8).fold(0, |word, _| word << 8 | u64::from(self.byte()))
    }

    /// True in one of `n` cases.
    pub fn rarely(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}

impl Source for Entropy<'_> {
    /// `n` is at most 2^16.
    fn below(&mut self, n: usize) -> usize {
        if n <= 256 {
            return usize::from(self.byte()) * n / 256;
        }
        (usize::from(self.byte()) << 8 | usize::from(self.byte())) * n / 65_536
    }
}
