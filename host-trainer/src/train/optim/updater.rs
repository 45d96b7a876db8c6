//! An optimizer at work: its memory, and the walk over all parameters.
//!
//! ```text
//! for each tile of 8192 elements, in any order, on any thread:
//!     for each stretch of it that decays, or does not:     rule(weights, gradient, slots)
//! ```
//! A rule is a loop over numbers, blind to shapes. What it remembers stands in named slots of the parameters' length,
//! so that checkpoints and resuming know nothing of it either. No number depends on another, so the result does not
//! depend on the threads. Nothing is allocated after the start.

use std::ops::Range;

use pulp::Arch;
use rayon::prelude::*;

use super::{Common, Optimizer, OptimizerConfig, Rule, TILE, adam, norm, rmsprop, sgd};
use crate::net::{Net, tensors};
use crate::real::Real;

/// A stretch of the parameters that decays, or does not.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Stretch {
    end: usize,
    decays: bool,
}

/// The parameters' stretches in their order; neighbours of a kind are one.
fn stretches(net: &Net, decay_biases: bool) -> Vec<Stretch> {
    let mut stretches: Vec<Stretch> = Vec::new();
    for tensor in tensors(net) {
        let (end, decays) = (tensor.range.end, decay_biases || !tensor.role.is_bias());
        match stretches.last_mut() {
            Some(last) if last.decays == decays => last.end = end,
            _ => stretches.push(Stretch { end, decays }),
        }
    }
    stretches
}

/// An optimizer at work: its constants and its memory.
#[derive(Clone, Debug, PartialEq)]
pub struct Updater<F> {
    config: OptimizerConfig,
    steps: u64,
    slots: Vec<Vec<F>>,
    stretches: Vec<Stretch>,
    /// Sum of squares of each tile of the gradient.
    squares: Vec<f64>,
}

impl<F: Real> Updater<F> {
    /// No steps done yet, for parameters of this net.
    pub fn new(config: OptimizerConfig, net: &Net) -> Self {
        let stretches = stretches(net, config.decay_biases);
        let count = stretches.last().map_or(0, |last| last.end);
        Self {
            stretches,
            ..Self::of_count(config, count)
        }
    }

    /// No steps done yet, for `count` parameters that all decay, if any does.
    pub fn of_count(config: OptimizerConfig, count: usize) -> Self {
        Self {
            steps: 0,
            slots: vec![vec![F::zero(); count]; config.slots().len()],
            stretches: vec![Stretch {
                end: count,
                decays: true,
            }],
            squares: vec![0.0; count.div_ceil(TILE)],
            config,
        }
    }

    /// Updates done.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Counts an update that is not made.
    pub(crate) fn skip(&mut self) {
        self.steps += 1;
    }

    /// The constants.
    pub fn config(&self) -> &OptimizerConfig {
        &self.config
    }

    /// What is remembered, as [`OptimizerConfig::slots`] names it; each in the order of the parameters.
    pub fn slots(&self) -> &[Vec<F>] {
        &self.slots
    }

    /// Goes on after `steps` updates with the memory of [`Updater::slots`].
    ///
    /// # Panics
    /// When the slots are not as many and as long as this optimizer's.
    pub fn restore(&mut self, steps: u64, slots: Vec<Vec<F>>) {
        let lengths = |slots: &[Vec<F>]| slots.iter().map(Vec::len).collect::<Vec<_>>();
        assert_eq!(
            lengths(&slots),
            lengths(&self.slots),
            "slots of another optimizer or shape"
        );
        (self.steps, self.slots) = (steps, slots);
    }

    /// Global norm of a gradient: the root of the sum of its squares, which are summed tile by tile.
    pub fn norm(&mut self, gradient: &[F]) -> f64 {
        norm::with_room(gradient, &mut self.squares)
    }

    /// One update of `weights` by `gradient`, whose global norm is `norm` and which is clipped.
    ///
    /// Weights and gradient have the length of the parameters.
    pub fn update(&mut self, weights: &mut [F], gradient: &[F], norm: f64, learning_rate: f64) {
        let c = self.config;
        self.steps += 1;
        let decoupled = c.optimizer == Optimizer::AdamW;
        let common = Common {
            scale: F::from_f64(if norm > c.clip { c.clip / norm } else { 1.0 }),
            keep: F::from_f64(if decoupled {
                1.0 - learning_rate * c.weight_decay
            } else {
                1.0
            }),
            l2: F::from_f64(if decoupled { 0.0 } else { c.weight_decay }),
        };
        match c.optimizer {
            Optimizer::AdamW | Optimizer::Adam => self.sweep(
                adam::Step::new(&c, self.steps, learning_rate),
                common,
                weights,
                gradient,
            ),
            Optimizer::Sgd => {
                self.sweep(sgd::Step::new(&c, learning_rate), common, weights, gradient)
            }
            Optimizer::RmsProp => self.sweep(
                rmsprop::Step::new(&c, learning_rate),
                common,
                weights,
                gradient,
            ),
        }
    }

    /// Applies a rule to all tiles.
    fn sweep(&mut self, rule: impl Rule<F>, common: Common<F>, weights: &mut [F], gradient: &[F]) {
        let stretches = &self.stretches;
        let undecayed = Common {
            keep: F::one(),
            l2: F::zero(),
            ..common
        };
        // A tile's stretches, one after the other.
        let tile = |index: usize, weights: &mut [F], gradient: &[F], slots: [&mut [F]; 2]| {
            let [first, second] = slots;
            let (start, mut from) = (index * TILE, index * TILE);
            for stretch in stretches {
                let to = stretch.end.clamp(from, start + weights.len());
                let part = from - start..to - start;
                from = to;
                if !part.is_empty() {
                    let common = if stretch.decays { common } else { undecayed };
                    let slots = [part_of(first, &part), part_of(second, &part)];
                    let (weights, gradient) = (&mut weights[part.clone()], &gradient[part]);
                    rule.apply(Arch::new(), common, weights, gradient, slots);
                }
            }
        };
        let tiles = weights
            .par_chunks_mut(TILE)
            .zip(gradient.par_chunks(TILE))
            .enumerate();
        match &mut self.slots[..] {
            [] => tiles.for_each(|(index, (w, g))| tile(index, w, g, [&mut [], &mut []])),
            [first] => tiles
                .zip(first.par_chunks_mut(TILE))
                .for_each(|((index, (w, g)), first)| tile(index, w, g, [first, &mut []])),
            [first, second, ..] => tiles
                .zip(first.par_chunks_mut(TILE).zip(second.par_chunks_mut(TILE)))
                .for_each(|((index, (w, g)), (first, second))| tile(index, w, g, [first, second])),
        }
    }
}

/// The part of a slot; nothing of an unused one.
fn part_of<'a, F>(slot: &'a mut [F], part: &Range<usize>) -> &'a mut [F] {
    if slot.is_empty() {
        slot
    } else {
        &mut slot[part.clone()]
    }
}

#[cfg(test)]
pub(super) mod tests {
    use crate::train::layers::{Cell, Layers};

    use super::*;

    /// A gradient, and the weight after the update by it.
    pub(in crate::train::optim) struct Expect {
        gradient: f64,
        weight: f64,
    }

    impl From<(f64, f64)> for Expect {
        fn from((gradient, weight): (f64, f64)) -> Self {
            Self { gradient, weight }
        }
    }

    /// Updates of one weight that starts at 1, in a net whose other gradients are zero.
    pub(in crate::train::optim) fn one_weight(
        config: OptimizerConfig,
        learning_rate: f64,
        expect: &[Expect],
    ) {
        let shape = Layers {
            cell: Cell::Rnn,
            layers: 1,
            hidden: 1,
            vocab: 2,
            ..Layers::PLAIN
        };
        let mut updater = Updater::<f64>::new(config, &shape.net());
        let mut weights = vec![1.0; shape.parameters()];
        let mut gradient = vec![0.0; shape.parameters()];
        for (step, expect) in expect.iter().enumerate() {
            gradient[0] = expect.gradient;
            let norm = updater.norm(&gradient);
            assert_eq!(norm, expect.gradient.abs());
            updater.update(&mut weights, &gradient, norm, learning_rate);
            let (found, expected) = (weights[0], expect.weight);
            assert!(
                (found - expected).abs() < 1e-14,
                "update {step}: {found}, expected {expected}"
            );
        }
    }

    /// Several tiles, whose edges lie inside tensors.
    const SHAPE: Layers = Layers {
        cell: Cell::Lstm,
        layers: 2,
        hidden: 37,
        vocab: 23,
        ..Layers::PLAIN
    };

    fn number(index: usize, step: usize) -> f64 {
        ((index * 7 + step * 13) as f64).sin()
    }

    fn all_rules() -> Vec<OptimizerConfig> {
        let base = |optimizer| OptimizerConfig {
            weight_decay: 0.1,
            decay_biases: false,
            clip: f64::INFINITY,
            ..OptimizerConfig::of(optimizer)
        };
        let rules = [
            Optimizer::AdamW,
            Optimizer::Adam,
            Optimizer::Sgd,
            Optimizer::RmsProp,
        ];
        let with = |momentum| {
            rules.map(move |rule| OptimizerConfig {
                momentum,
                ..base(rule)
            })
        };
        [with(0.0), with(0.7)].concat()
    }

    fn run(config: OptimizerConfig, threads: usize) -> (Vec<f64>, Updater<f64>) {
        let count = SHAPE.parameters();
        assert!(count > 2 * TILE && !count.is_multiple_of(TILE));
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| {
            let mut updater = Updater::new(config, &SHAPE.net());
            let mut weights: Vec<f64> = (0..count).map(|i| number(i, 100)).collect();
            for step in 0..3 {
                let gradient: Vec<f64> = (0..count).map(|i| number(i, step)).collect();
                let norm = updater.norm(&gradient);
                updater.update(&mut weights, &gradient, norm, 0.01);
            }
            (weights, updater)
        })
    }

    #[test]
    fn tiles_and_threads_do_not_matter_and_biases_may_stay_out_of_the_decay() {
        for config in all_rules() {
            let (weights, updater) = run(config, 1);
            assert_eq!(
                (&weights, &updater),
                (&run(config, 3).0, &run(config, 3).1),
                "{config:?}"
            );
            let tensors = tensors(&SHAPE.net());
            for (index, &found) in weights.iter().enumerate() {
                // The same element alone, as the first weight of a net too small to be cut.
                let role = tensors
                    .iter()
                    .find(|t| t.range.contains(&index))
                    .unwrap()
                    .role;
                let bias = role.is_bias();
                if !(bias || index % 97 == 0 || index % TILE < 2 || index % TILE > TILE - 2) {
                    continue;
                }
                let alone = Layers {
                    cell: Cell::Rnn,
                    layers: 1,
                    hidden: 1,
                    vocab: 2,
                    ..Layers::PLAIN
                };
                let weight_decay = if bias { 0.0 } else { config.weight_decay };
                let mut other = Updater::new(
                    OptimizerConfig {
                        weight_decay,
                        ..config
                    },
                    &alone.net(),
                );
                let mut weight = vec![0.0; alone.parameters()];
                weight[0] = number(index, 100);
                for step in 0..3 {
                    let mut gradient = vec![0.0; alone.parameters()];
                    gradient[0] = number(index, step);
                    other.update(&mut weight, &gradient, 1.0, 0.01);
                }
                assert_eq!(found, weight[0], "{config:?}: element {index}, {role:?}");
            }
        }
    }

    #[test]
    fn slots_are_what_the_rule_remembers() {
        for config in all_rules() {
            let (_, updater) = run(config, 2);
            assert_eq!(updater.slots().len(), config.slots().len());
            for (slot, name) in updater.slots().iter().zip(config.slots()) {
                assert!(slot.iter().any(|&x| x != 0.0), "{config:?}: {name}");
            }
        }
    }
}
