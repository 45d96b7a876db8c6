//! Windows of their own out of one that is longer.

use super::{Made, Tape};
use crate::engine::Engine;
use crate::memory::Memory;

impl<F: Engine> Tape<F> {
    /// What came before and with each of `ends`, (stream, step), as a window of so many steps of as
    /// many streams, for the way back.
    pub(in crate::net) fn cut(&self, ends: &[(usize, usize)], steps: usize) -> Self {
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
        let columns = self.kind.gates() * self.units;
        let all = self.gates.len() / columns;
        let gradients = |full: &[F]| Memory::zeroed(full.len() / all.max(1) * steps * ends.len());
        let state = |full: &[F]| vec![F::zero(); ends.len() * full.len() / self.rows];
        Self {
            rows: ends.len(),
            gates: cut(&self.gates, columns, 0),
            h: cut(&self.h, self.units, 1),
            c: cut(&self.c, self.units, 1),
            kept: cut(&self.kept, self.units, 0),
            dropped: Vec::new(),
            seen: cut(&self.seen, self.units, 0).to_vec(),
            dc: state(&self.dc),
            product: Vec::new(),
            carried: self.carried.each_ref().map(|room| state(room)),
            dh: state(&self.dh),
            made: self.made.as_ref().map(|made| Made {
                q: cut(&made.q, self.units, 0),
                d_gates: gradients(&made.d_gates),
                d_candidate: gradients(&made.d_candidate),
                through: state(&made.through),
            }),
            start: Default::default(),
            ..*self
        }
    }
}

#[cfg(test)]
mod tests {
    use gatelet::net::{Activation, Kind, Net, Precision};

    use crate::net::common::Common;
    use crate::net::packs::Pack;
    use crate::net::{Packs, Params, Shard};

    const UNITS: usize = 5;
    const STEPS: usize = 7;

    /// Of every cell: two streams taken whole, and the end of the second, go back as the window
    /// does.
    #[test]
    fn what_is_taken_goes_back_as_the_whole() {
        for kind in Kind::CELLS {
            let head = Kind::Dense {
                units: 4,
                activation: Activation::None,
            };
            let net = Net::tokens(Precision::F32, 4);
            let net = net.then(kind.with_units(UNITS)).then(head).scores();
            let packs = Packs::of(&Params::<f64>::init(net, 3));
            let Pack::Recurrent(pack) = &packs.operations[0] else {
                panic!("{kind:?} is recurrent");
            };
            let mut shard = Shard::<f64>::new(&net, 2, STEPS);
            shard.load(|row, t| (((row * 3 + t * t) % 4) as u16, 0));
            shard.record(&packs);
            // Only the last step is asked, of each stream something else.
            let asked = |row: usize| (0..UNITS).map(move |k| ((row * 7 + k) as f64).sin());
            let back = |ends: Option<(&[(usize, usize)], usize)>| {
                let (mut tape, mut common) = (shard.layer(0).clone(), shard.common.clone());
                let mut rows = vec![0, 1];
                if let Some((ends, steps)) = ends {
                    tape = tape.cut(ends, steps);
                    rows = ends.iter().map(|end| end.0).collect();
                    common = Common {
                        rows: ends.len(),
                        window: steps,
                        ..common
                    };
                }
                let mut d = vec![0.0; (common.window - 1) * rows.len() * UNITS];
                d.extend(rows.into_iter().flat_map(asked));
                let (mut all, mut first) = (Vec::new(), 0);
                tape.reach(&mut common, pack, (&mut d, &mut []), |t, dh, dc| {
                    all.push((dh.to_vec(), dc.to_vec()));
                    first = t;
                });
                assert_eq!(first, 0, "from the last step to the first");
                all
            };
            let whole = back(None);
            let last = STEPS - 1;
            assert_eq!(
                back(Some((&[(0, last), (1, last)], STEPS))),
                whole,
                "{kind:?}"
            );
            assert!(whole[2].0.iter().any(|d| d.abs() > 1e-6), "{kind:?}");
            for ((dh, dc), (whole_h, whole_c)) in back(Some((&[(1, last)], 3))).iter().zip(&whole) {
                for (one, both) in [(dh, whole_h), (dc, whole_c)] {
                    let both = &both[both.len() / 2..];
                    assert_eq!(one.len(), both.len());
                    for (one, both) in one.iter().zip(both) {
                        assert!((one - both).abs() < 1e-12, "{kind:?}: {one} {both}");
                    }
                }
            }
        }
    }
}
