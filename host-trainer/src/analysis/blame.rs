//! What makes a net too large for the project's own board, and options with which one like it fits; before it is trained.
//!
//! ```text
//! vocabulary   bytes(net) - bytes(net with two tokens)        layers   the rest
//! remedy       the largest --max-vocab, --embedding with --projection and --tied, or --hidden whose image fits
//! ```
//! The firmware says the same of an image that is there (`firmware/src/remedy.rs`).

use gatelet::{Layout, Provenance};

use crate::analysis::device::{Board, fit};
use crate::analysis::footprint::{self, Contents};
use crate::train::layers::Layers;
use crate::units::{bytes, grouped};

/// The fewest tokens and units that are offered.
const LEAST: (usize, usize) = (20, 8);

/// A net with its names, as its image will have them.
#[derive(Clone, Copy, Debug)]
pub struct Planned<'a> {
    /// Its layers.
    pub layers: Layers,
    /// The words of a net of words, otherwise none.
    pub words: &'a [String],
    /// What its tokens are called: `character`.
    pub unit: &'static str,
    /// Where it comes from.
    pub from: Provenance<'a>,
}

impl Planned<'_> {
    /// Bytes of its int8 image in a layout; half of all there can be if it can have none.
    fn bytes(&self, layout: Layout) -> usize {
        let words = &self.words[..self.words.len().min(self.layers.vocab)];
        let contents = Contents {
            words,
            front_end: None,
            from: self.from,
        };
        let bytes = footprint::int8_bytes(&self.layers.net(), layout, contents);
        bytes.unwrap_or(usize::MAX / 2)
    }

    /// Whether the board's console has room for it.
    fn fits(&self) -> bool {
        let net = self.layers.net();
        fit(Board::HOME, (&net, None), |layout| self.bytes(layout)).fits
    }

    fn with(&self, layers: Layers) -> Self {
        Self { layers, ..*self }
    }

    /// What takes most of it and what to do, if it does not fit.
    pub fn blame(&self) -> Option<String> {
        if self.fits() {
            return None;
        }
        let own = self.layers;
        let without = Layers { vocab: 2, ..own };
        let all = self.bytes(Layout::Rows);
        let layers = self.with(without).bytes(Layout::Rows).min(all);
        let of_vocabulary = all - layers > layers;
        let mut remedies = Vec::new();
        if of_vocabulary {
            let with = |vocab| self.with(Layers { vocab, ..own });
            let most = largest(LEAST.0, own.vocab, &|vocab| with(vocab).fits());
            // All bytes are in a vocabulary of bytes.
            let most = most.filter(|_| self.unit != "byte");
            remedies.extend(most.map(|most| format!("--max-vocab {most}")));
            let with = |width| {
                let (embedding, projection) = (width, width);
                self.with(Layers {
                    embedding,
                    projection,
                    tied: true,
                    ..own
                })
            };
            let widths = [256, 192, 128, 96, 64, 48, 32, 24, 16, 8];
            let width = widths.into_iter().find(|&width| with(width).fits());
            let width = width.filter(|_| own.embedding == 0);
            let option = |width| format!("--embedding {width} --projection {width} --tied");
            remedies.extend(width.map(option));
        } else {
            let alone = own.tied && own.projection == 0;
            let with = |hidden| {
                let embedding = if alone { hidden } else { own.embedding };
                self.with(Layers {
                    hidden,
                    embedding,
                    ..own
                })
            };
            let most = largest(LEAST.1, own.hidden, &|hidden| with(hidden).fits());
            remedies.extend(most.map(|most| format!("--hidden {most}")));
        }
        let what = match of_vocabulary {
            true => format!(
                "its vocabulary of {} {}s takes {}",
                grouped(own.vocab),
                self.unit,
                bytes(all - layers)
            ),
            false => format!(
                "its {} take{} {}",
                vec![own.cell.kind(own.hidden).to_string(); own.layers].join(", "),
                if own.layers == 1 { "s" } else { "" },
                bytes(layers)
            ),
        };
        let what = format!(
            "too large for the console on the {}: {what}",
            Board::HOME.name
        );
        Some(match remedies.is_empty() {
            true => what,
            false => format!("{what}; what fits: {}", remedies.join(", or ")),
        })
    }
}

/// The largest of `least..most` that is good, in two digits; what is smaller than a good one is good.
fn largest(least: usize, most: usize, good: &dyn Fn(usize) -> bool) -> Option<usize> {
    if !good(least) {
        return None;
    }
    let (mut below, mut above) = (least, most);
    while above > below + 1 {
        let middle = below.midpoint(above);
        if good(middle) {
            below = middle;
        } else {
            above = middle;
        }
    }
    let digit = 10_usize.pow(below.ilog10().saturating_sub(1));
    Some((below / digit * digit).max(least))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::layers::Cell;

    fn planned(hidden: usize, vocab: usize) -> Planned<'static> {
        Planned {
            layers: Layers {
                cell: Cell::Lstm,
                layers: 1,
                hidden,
                vocab,
                ..Layers::PLAIN
            },
            words: &[],
            unit: "character",
            from: Provenance::default(),
        }
    }

    fn offered(said: &str, option: &str) -> usize {
        let (_, behind) = said.split_once(option).unwrap_or_else(|| panic!("{said}"));
        let digits = behind.trim_start().split([' ', ',']).next();
        digits.and_then(|digits| digits.parse().ok()).unwrap()
    }

    #[test]
    fn what_takes_most_is_named_and_what_is_offered_fits() {
        assert_eq!(planned(128, 96).blame(), None);
        let said = planned(32, 5995).blame().unwrap();
        assert!(said.contains("vocabulary of 5,995 characters"), "{said}");
        assert!(!said.contains("--hidden"), "{said}");
        assert!(planned(32, offered(&said, "--max-vocab")).fits());
        let width = offered(&said, "--embedding");
        let plain = planned(32, 5995);
        let layers = Layers {
            embedding: width,
            projection: width,
            tied: true,
            ..plain.layers
        };
        assert!(plain.with(layers).fits());
        let said = planned(1000, 64).blame().unwrap();
        assert!(said.contains("its lstm 1000 takes"), "{said}");
        assert!(!said.contains("--max-vocab"), "{said}");
        assert!(planned(offered(&said, "--hidden"), 64).fits());
    }
}
