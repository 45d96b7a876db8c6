//! A step of several kernels and the reads that limit it, timed in turn.
//!
//! Every session has the type of its kernel and lives on the stack of the call that made it:
//!
//! ```text
//! enter(kernels, contestants):
//!     no kernel left: run the rounds
//!     otherwise:      make a session of the first, add "n steps of it" to the contestants, enter(the others)
//! ```

use std::hint::black_box;
use std::time::Instant;

use gatelet::{Isa, Kernel, Model, Session, SessionError, TokenId, WithKernel};
use gatelet_trainer::image::storage;

use crate::limit::{Footprint, Sweep};
use crate::next_token;
use crate::report::Medians;
use crate::rounds::{Effort, Repeat, medians};

/// The medians of reading `footprint` bytes in both orders, and of a step of every model with its kernel.
///
/// # Errors
/// When a session cannot be made.
pub fn run(
    models: &[(Isa, Model<'_>)],
    footprint: usize,
    effort: Effort,
) -> Result<Medians, SessionError> {
    let weights = Footprint::new(footprint);
    let reads = [Sweep::Forward, Sweep::Alternating];
    let seconds = enter(Contest {
        kernels: models,
        contestants: reads.map(|sweep| weights.contestant(sweep)).into(),
        effort,
    })?;
    let mut seconds = seconds.into_iter();
    Ok(Medians {
        forward: seconds.next().unwrap_or(f64::NAN),
        alternating: seconds.next().unwrap_or(f64::NAN),
        kernels: models
            .iter()
            .map(|(isa, _)| isa.name())
            .zip(seconds)
            .collect(),
    })
}

/// The contestants so far, and the kernels still to enter.
struct Contest<'a> {
    kernels: &'a [(Isa, Model<'a>)],
    contestants: Vec<Repeat<'a>>,
    effort: Effort,
}

fn enter(mut contest: Contest<'_>) -> Result<Vec<f64>, SessionError> {
    match contest.kernels.first() {
        Some((isa, _)) => isa.run(contest),
        None => Ok(medians(&mut contest.contestants, contest.effort)),
    }
}

impl WithKernel for Contest<'_> {
    type Output = Result<Vec<f64>, SessionError>;

    fn run<K: Kernel>(mut self, kernel: K) -> Self::Output {
        let Some((&(_, model), others)) = self.kernels.split_first() else {
            return enter(self);
        };
        let vocab = model.net().vocab();
        let mut memory = storage(model.net());
        let mut session = Session::new(&model, kernel, &mut memory)?;
        let mut id = 0;
        let mut contestants: Vec<Repeat<'_>> = std::mem::take(&mut self.contestants);
        contestants.push(Box::new(|n| {
            let start = Instant::now();
            for _ in 0..n {
                id = next_token(id, vocab);
                // Every token is in the vocabulary: the step cannot fail.
                let _ = black_box(session.step(TokenId(id)));
            }
            start.elapsed()
        }));
        enter(Contest {
            kernels: others,
            contestants,
            effort: self.effort,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{footprint, lstm, model};
    use gatelet::Precision;
    use std::time::Duration;

    #[test]
    fn every_kernel_takes_part_under_its_name() {
        let isas: Vec<Isa> = Isa::available().collect();
        let net = lstm(1, 8, 10);
        let images: Vec<_> = isas
            .iter()
            .map(|&isa| model(&net, Precision::Int8, isa).unwrap())
            .collect();
        let models: Vec<_> = isas
            .iter()
            .zip(&images)
            .map(|(&isa, image)| (isa, image.model().unwrap()))
            .collect();
        let effort = Effort {
            rounds: 1,
            sample: Duration::ZERO,
        };
        let found = run(&models, footprint(models[0].1.net()), effort).unwrap();
        let names: Vec<&str> = found.kernels.iter().map(|&(name, _)| name).collect();
        let expected: Vec<&str> = isas.iter().map(|isa| isa.name()).collect();
        assert_eq!(names, expected);
    }
}
