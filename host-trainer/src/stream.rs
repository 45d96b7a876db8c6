//! A model over a sequence, step by step, as a board reads it.

use gatelet::net::Output;
use gatelet::{Isa, Kernel, Model, Session, StepError, TokenId, WithKernel};
use gatelet_arrays::Sequence;

use crate::error::{Error, Result};
use crate::image::storage;
use crate::net::softmax;

/// Every output of `model` over all steps of `input`: a sequence each. `softmaxed` says over which
/// of them the net's own file has a softmax.
///
/// # Errors
/// [`Error::Step`] with the step whose input the net does not take.
pub fn run(
    model: Model<'_>,
    isa: Isa,
    input: &Sequence,
    softmaxed: &[bool],
) -> Result<Vec<Sequence>> {
    isa.run(Steps {
        model: &model,
        input,
        softmaxed,
    })
}

struct Steps<'a> {
    model: &'a Model<'a>,
    input: &'a Sequence,
    softmaxed: &'a [bool],
}

/// The token that a number stands for.
fn token(number: f32) -> Option<TokenId> {
    let id = number as u16;
    (f32::from(id) == number).then_some(TokenId(id))
}

impl Steps<'_> {
    fn step<K: Kernel>(
        &self,
        session: &mut Session<'_, '_, K>,
        numbers: &[f32],
    ) -> std::result::Result<(), String> {
        let said = |error: StepError| error.to_string();
        if !self.model.net().takes_tokens() {
            return session.step(numbers).map(drop).map_err(said);
        }
        let token = match numbers {
            [number] => token(*number).ok_or_else(|| format!("{number} is no token")),
            numbers => Err(format!(
                "it has {} numbers, and a token is one",
                numbers.len()
            )),
        };
        session.step(token?).map(drop).map_err(said)
    }
}

impl WithKernel for Steps<'_> {
    type Output = Result<Vec<Sequence>>;

    fn run<K: Kernel>(self, kernel: K) -> Self::Output {
        let net = self.model.net();
        let mut memory = storage(net);
        let session = Session::new(self.model, kernel, &mut memory);
        let mut session = session.map_err(|error| Error::Export(error.to_string()))?;
        let outputs: Vec<Output> = net.outputs().collect();
        let mut all: Vec<Sequence> = (0..outputs.len())
            .map(|index| Sequence {
                width: net.output_width(index),
                numbers: Vec::new(),
                sample_rate: self.input.sample_rate,
            })
            .collect();
        for (step, numbers) in self.input.steps().enumerate() {
            let done = self.step(&mut session, numbers);
            done.map_err(|what| Error::Step { step, what })?;
            for (index, to) in all.iter_mut().enumerate() {
                let from = to.numbers.len();
                to.numbers.extend(session.values(index));
                if self.softmaxed.get(index) == Some(&true) {
                    softmax(&mut to.numbers[from..]);
                }
            }
        }
        Ok(all)
    }
}

/// All outputs side by side.
pub fn side_by_side(outputs: &[Sequence]) -> Sequence {
    let steps = outputs.first().map_or(0, Sequence::len);
    let step = |k: usize| {
        outputs
            .iter()
            .flat_map(move |of| of.steps().nth(k).unwrap_or(&[]))
    };
    Sequence {
        width: outputs.iter().map(|of| of.width).sum(),
        numbers: (0..steps).flat_map(step).copied().collect(),
        sample_rate: outputs.first().and_then(|of| of.sample_rate),
    }
}
