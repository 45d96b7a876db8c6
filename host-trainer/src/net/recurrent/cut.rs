//! Windows of their own out of one that is longer.

use super::Tape;
use crate::engine::Engine;
use crate::memory::Memory;

impl<F: Engine> Tape<F> {
    /// What came before and with each of `ends`, (stream, step), as a window of so many steps of as
    /// many streams. Of a cell that makes something of h nothing can be taken.
    pub(in crate::net) fn cut(&self, ends: &[(usize, usize)], steps: usize) -> Self {
        debug_assert!(self.made.is_none(), "a cell whose products read h alone");
        // `more` is 1 of states, which have that before the window as well.
        let cut = |numbers: &[F], width: usize, more: usize| {
            let mut to = Memory::zeroed(width.min(numbers.len()) * (steps + more) * ends.len());
            for (at, to) in to.chunks_exact_mut(width).enumerate() {
                let (row, end) = ends[at % ends.len()];
                let t = end + 1 + at / ends.len() - steps;
                to.copy_from_slice(&numbers[(t * self.rows + row) * width..][..width]);
            }
            to
        };
        let state = |full: &[F]| vec![F::zero(); ends.len() * full.len() / self.rows];
        Self {
            rows: ends.len(),
            gates: cut(&self.gates, self.kind.gates() * self.units, 0),
            h: cut(&self.h, self.units, 1),
            c: cut(&self.c, self.units, 1),
            kept: cut(&self.kept, self.units, 0),
            dropped: Vec::new(),
            seen: cut(&self.seen, self.units, 0).to_vec(),
            dc: state(&self.dc),
            product: Vec::new(),
            carried: self.carried.each_ref().map(|room| state(room)),
            dh: state(&self.dh),
            made: None,
            start: Default::default(),
            ..*self
        }
    }
}
