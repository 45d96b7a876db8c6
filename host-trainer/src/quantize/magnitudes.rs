//! How large the numbers of a net get on data.

use std::ops::Range;

use gatelet::net::{Net, Value};
use serde::Serialize;

use super::scheme::features;
use crate::net::{Packs, Params, Role, Shard, Start};

/// What a net is given, step after step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Sequence<'a> {
    /// `[steps]`
    Tokens(&'a [u16]),
    /// `[steps, width]`
    Features(&'a [f32]),
}

impl<'a> Sequence<'a> {
    /// Steps, of features of so many numbers.
    pub fn steps(&self, width: usize) -> usize {
        match self {
            Self::Tokens(tokens) => tokens.len(),
            Self::Features(numbers) => numbers.len() / width.max(1),
        }
    }

    /// The first steps.
    pub fn first(self, steps: usize, width: usize) -> Self {
        self.part(0..steps.min(self.steps(width)), width)
    }

    /// Steps of it, all of which it has.
    pub(crate) fn part(self, steps: Range<usize>, width: usize) -> Self {
        match self {
            Self::Tokens(tokens) => Self::Tokens(&tokens[steps]),
            Self::Features(numbers) => {
                Self::Features(&numbers[steps.start * width..steps.end * width])
            }
        }
    }
}

/// Magnitudes of a layer's c on a text, in the float net.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct CellMagnitude {
    /// The largest.
    pub largest: f64,
    /// The 99.9th percentile.
    pub percentile_999: f64,
}

/// The magnitudes of a net's numbers.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Magnitudes {
    /// Of each feature the largest.
    pub(crate) features: Vec<f32>,
    /// Of each operation's value the largest; of an embedding over all of its table.
    pub(crate) values: Vec<f64>,
    /// Of each operation's c.
    pub(crate) cells: Vec<CellMagnitude>,
    /// Of each output the largest.
    pub(crate) outputs: Vec<f64>,
}

/// What begins a sequence.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Begin<'a> {
    pub(crate) starts: &'a [Start],
    /// The token before which the state is zero, of a text of lines.
    pub(crate) line_break: Option<u16>,
}

impl Magnitudes {
    /// Those of a net while it reads sequences, in f64.
    pub(crate) fn of(params: &Params<f32>, begin: Begin<'_>, sequences: &[Sequence<'_>]) -> Self {
        Self::seen(params, begin, sequences, &mut |_| ())
    }

    /// The same, with a look at every step.
    pub(crate) fn seen(
        params: &Params<f32>,
        begin: Begin<'_>,
        sequences: &[Sequence<'_>],
        see: &mut dyn FnMut(&Shard<f64>),
    ) -> Self {
        let net = *params.net();
        let packs = Packs::of(&params.cast::<f64>());
        let mut shard = Shard::<f64>::new(&net, 1, 1);
        shard.break_lines(begin.line_break);
        let recurrent: Vec<usize> = (0..net.len()).filter(|&i| recurs(&net, i)).collect();
        for start in begin.starts {
            let layer = recurrent.iter().position(|&of| of == start.operation);
            let wide = |all: &[f32]| all.iter().map(|&x| x.into()).collect::<Vec<f64>>();
            shard.start_from(layer.unwrap_or(0), &wide(&start.h), &wide(&start.c));
        }
        let mut found = Self {
            features: vec![0.0; features(&net)],
            values: vec![0.0; net.len()],
            cells: Vec::new(),
            outputs: vec![0.0; net.output_len()],
        };
        let mut cells = vec![Vec::new(); net.len()];
        for sequence in sequences {
            shard.reset();
            for t in 0..sequence.steps(net.width(Value::INPUT)) {
                found.load(&mut shard, *sequence, t);
                shard.forward_seen(&packs, 0.0, &mut |given| {
                    let most = &mut found.outputs[given.output];
                    *most = given
                        .numbers
                        .iter()
                        .fold(*most, |most, y| y.abs().max(most));
                });
                see(&shard);
                shard.each_value(|index, value, c| {
                    let most = &mut found.values[index];
                    *most = value.iter().fold(*most, |most, x| x.abs().max(most));
                    cells[index].extend(c.iter().map(|c| c.abs()));
                });
                shard.carry();
            }
        }
        for index in 0..net.len() {
            let table = params.tensor(index, Role::Table).iter();
            let most = table.fold(0.0_f32, |most, x| most.max(x.abs()));
            found.values[index] = found.values[index].max(most.into());
        }
        found.cells = cells.into_iter().map(of_cells).collect();
        found
    }

    /// Puts step `t` of a sequence into a window.
    fn load(&mut self, shard: &mut Shard<f64>, sequence: Sequence<'_>, t: usize) {
        let window = shard.window();
        match sequence {
            Sequence::Tokens(tokens) => window.tokens[0] = tokens[t],
            Sequence::Features(numbers) => {
                let width = self.features.len();
                let step = &numbers[t * width..][..width];
                for ((to, most), &x) in window.features.iter_mut().zip(&mut self.features).zip(step)
                {
                    *to = x.into();
                    *most = most.max(x.abs());
                }
            }
        }
    }
}

/// Whether an operation is recurrent.
pub(crate) fn recurs(net: &Net, index: usize) -> bool {
    net.operation(index)
        .is_some_and(|of| of.kind.is_recurrent())
}

fn of_cells(mut c: Vec<f64>) -> CellMagnitude {
    c.sort_unstable_by(f64::total_cmp);
    // The nearest rank: so many are at most as large.
    let rank = (c.len() * 999).div_ceil(1000);
    match c.last() {
        None => CellMagnitude::default(),
        Some(&largest) => CellMagnitude {
            largest,
            percentile_999: c[rank - 1],
        },
    }
}

#[cfg(test)]
mod tests {
    use gatelet::net::{Kind, Precision, RnnActivation};

    use super::*;

    #[test]
    fn the_largest_c_and_the_one_that_a_thousandth_is_above() {
        let net = |kind| Net::tokens(Precision::F32, 2).then(kind);
        let mut params = Params::<f32>::zeros(net(Kind::lstm(1)));
        // i, f and g are 1, so that c counts the steps.
        params.tensor_mut(0, Role::Bias).fill(100.0);
        let read = |params: &Params<f32>| {
            Magnitudes::of(params, Begin::default(), &[Sequence::Tokens(&[1; 2000])])
        };
        let found = read(&params).cells[0];
        assert_eq!((found.largest, found.percentile_999), (2000.0, 1998.0));
        let rnn = net(Kind::Rnn {
            units: 1,
            activation: RnnActivation::Tanh,
        });
        let found = read(&Params::zeros(rnn)).cells[0];
        assert_eq!(found, CellMagnitude::default());
    }
}
