//! The inner loop of `Int4`: a row of 4-bit weights with x, on cores without DSP or vector instructions. `armv7m4.S` says how
//! one multiplication does two columns.

use core::arch::global_asm;

use crate::weights::int4::WORD;

#[cfg(armv6m)]
global_asm!(include_str!("armv6m4.S"), options(raw));
#[cfg(all(armv7m, not(armv6m)))]
global_asm!(include_str!("armv7m4.S"), options(raw));

/// The most columns: more go to the loop in Rust.
const MAX_COLUMNS: usize = 512;
/// Words of x, of two columns each, to a word of weights.
const PAIRS: usize = WORD / 2;

unsafe extern "C" {
    /// `start + sum (w + 8) x`. Reads `groups` words of weights and [`PAIRS`] times as many of x; `groups` is not 0.
    fn gatelet_nibble_dot(weights: *const u32, x: *const u32, groups: usize, start: i32) -> i32;
}

/// x as the loop reads it: two columns to a word, the first in the high half; 0 behind the last.
pub(crate) struct PairsOfX {
    words: [[u32; PAIRS]; MAX_COLUMNS / WORD],
    /// Of them, one to a word of weights.
    groups: usize,
}

impl PairsOfX {
    /// Without an element: [`dot`](Self::dot) then does nothing.
    pub(crate) const NONE: Self = PairsOfX {
        words: [[0; PAIRS]; MAX_COLUMNS / WORD],
        groups: 0,
    };

    /// Takes x, if it is not too long. In place: this is a kilobyte of stack.
    #[inline(always)]
    pub(crate) fn set(&mut self, x: &[i8]) {
        let fits = x.len() <= MAX_COLUMNS;
        self.groups = if fits { x.len().div_ceil(WORD) } else { 0 };
        for (to, x) in self.words.iter_mut().zip(x.chunks(WORD)) {
            let mut group = [0; WORD];
            group.iter_mut().zip(x).for_each(|(to, &x)| *to = x);
            let [a, b, c, d, e, f, g, h] = group.map(i32::from);
            // The lower of two columns meets the weight in the low half of its word.
            *to = [(a, c), (b, d), (e, g), (f, h)].map(|(u, v)| ((u << 16) + v) as u32);
        }
    }

    /// `start + sum (w + 8) x` of the row that `weights` starts with; nothing if it is shorter.
    #[inline(always)]
    pub(crate) fn dot(&self, weights: &[u32], start: i32) -> Option<i32> {
        let groups = self.groups;
        if groups == 0 || weights.len() < groups {
            return None;
        }
        // SAFETY: `groups` is not 0, at most the words of `weights`, and was cut to the words of x when they were made.
        Some(unsafe {
            gatelet_nibble_dot(weights.as_ptr(), self.words.as_ptr().cast(), groups, start)
        })
    }
}
