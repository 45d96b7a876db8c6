//! Blocks on a serial line that may lose a byte.
//!
//! ```text
//! block    length (u16) | that many bytes | sum of all bytes before it (u16)        little-endian
//! host  -> board   a block of samples; an empty one is the end
//! board -> host    amplifier: a block of as many samples      detector: lines of text, then ACK
//! ```
//! The host sends a block when the one before has been answered. So the board needs no queue and no
//! flow control: while it computes, nothing arrives.

/// What the detector answers a block with, behind what it has to say.
pub const ACK: u8 = 0x06;
/// Bytes of a block besides what it carries.
pub const AROUND: usize = 4;

/// A block whose sum or length is wrong: a byte was lost or changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damaged;

/// Takes blocks of up to `N` bytes in all.
#[derive(Clone, Debug)]
pub struct Receiver<const N: usize> {
    bytes: [u8; N],
    have: usize,
}

fn sum(bytes: &[u8]) -> u16 {
    let add = |sum: u16, &byte: &u8| sum.wrapping_add(byte.into());
    bytes.iter().fold(0, add)
}

fn word(bytes: &[u8], at: usize) -> Option<u16> {
    let rest = bytes.get(at..)?;
    rest.first_chunk().map(|&two| u16::from_le_bytes(two))
}

/// The block that carries `bytes`: what stands before, and behind them.
pub fn around(bytes: &[u8]) -> ([u8; 2], [u8; 2]) {
    let length = (bytes.len() as u16).to_le_bytes();
    let sum = sum(&length).wrapping_add(sum(bytes));
    (length, sum.to_le_bytes())
}

impl<const N: usize> Default for Receiver<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> Receiver<N> {
    /// Before the first block.
    pub const fn new() -> Self {
        Receiver {
            bytes: [0; N],
            have: 0,
        }
    }

    /// Takes a byte in; at the end of a block, what it carries. After a damaged one the next byte
    /// begins a block.
    pub fn push(&mut self, byte: u8) -> Option<Result<&[u8], Damaged>> {
        if let Some(to) = self.bytes.get_mut(self.have) {
            *to = byte;
        }
        self.have += 1;
        let length = word(self.bytes.get(..self.have)?, 0)?;
        let end = usize::from(length) + AROUND;
        if end > N {
            self.have = 0;
            return Some(Err(Damaged));
        }
        if self.have < end {
            return None;
        }
        self.have = 0;
        let (block, behind) = self.bytes.get(..end)?.split_at_checked(end - 2)?;
        let right = word(behind, 0) == Some(sum(block));
        Some(block.get(2..).filter(|_| right).ok_or(Damaged))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(bytes: &[u8]) -> Vec<u8> {
        let (before, behind) = around(bytes);
        [&before[..], bytes, &behind].concat()
    }

    fn received(bytes: &[u8]) -> Vec<Result<Vec<u8>, Damaged>> {
        let mut receiver = Receiver::<104>::new();
        let take = |&byte: &u8| receiver.push(byte).map(|block| block.map(<[u8]>::to_vec));
        bytes.iter().filter_map(take).collect()
    }

    #[test]
    fn blocks_arrive_as_they_were_sent() {
        let blocks = [vec![], vec![7], (0..100).collect(), vec![255; 100]];
        let sent: Vec<u8> = blocks.iter().flat_map(|bytes| block(bytes)).collect();
        assert_eq!(received(&sent), blocks.map(Ok));
    }

    #[test]
    fn a_byte_that_is_lost_or_changed_is_noticed() {
        let sent = block(&(1..=100).collect::<Vec<u8>>());
        for at in 2..sent.len() {
            let mut changed = sent.clone();
            changed[at] ^= 0x40;
            assert_eq!(received(&changed), [Err(Damaged)], "{at}");
            let mut short = sent.clone();
            short.remove(at);
            assert_eq!(received(&short), [], "{at}: it waits for the last byte");
            // The next block's first byte is none of its sum.
            short.push(sent[0]);
            assert_eq!(received(&short), [Err(Damaged)], "{at}");
        }
    }

    #[test]
    fn a_length_that_cannot_be_is_damage() {
        assert_eq!(received(&[101, 0]), [Err(Damaged)]);
        assert_eq!(received(&[0xFF, 0xFF]), [Err(Damaged)]);
    }
}
