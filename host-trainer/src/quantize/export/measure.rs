//! What a net gives on data, and how far that is from what it is to give.

use gatelet::{Isa, Kernel, Model, Session, TokenId, WithKernel};

use super::{Error, Image, KNOWN_ANSWER, Result, Scheme, Sequence, model_of};
use crate::image::storage;
use crate::net::Net;
use crate::quantize::scheme::features;

/// What a net gives: of each output [steps, width].
pub(super) type Given = Vec<Vec<f32>>;

struct Run<'a> {
    model: Model<'a>,
    data: &'a [Sequence<'a>],
}

impl WithKernel for Run<'_> {
    type Output = Result<Given>;

    fn run<K: Kernel>(self, kernel: K) -> Self::Output {
        let Run { model, data } = self;
        let mut storage = storage(model.net());
        let mut session = Session::new(&model, kernel, &mut storage).map_err(Error::inference)?;
        let width = features(model.net());
        let mut all = vec![Vec::new(); model.net().output_len()];
        for sequence in data {
            session.reset();
            for t in 0..sequence.steps(width) {
                match *sequence {
                    Sequence::Tokens(tokens) => session.step(TokenId(tokens[t])),
                    Sequence::Features(numbers) => session.step(&numbers[t * width..][..width]),
                }
                .map_err(Error::inference)?;
                for (output, all) in all.iter_mut().enumerate() {
                    all.extend(session.values(output));
                }
            }
        }
        Ok(all)
    }
}

/// What an image gives on data.
pub(super) fn given(image: &Image, isa: Isa, data: &[Sequence<'_>]) -> Result<Given> {
    let image = image.for_isa(isa)?;
    let model = model_of(&image)?;
    isa.run(Run { model, data })
}

/// Noise by signal, summed over the outputs.
pub(super) fn noise(found: &Given, want: &Given) -> f64 {
    let pairs = found.iter().zip(want);
    pairs
        .map(|(found, want)| powers(found, want))
        .map(|(noise, signal)| noise / signal.max(1e-30))
        .sum()
}

/// The powers of noise and signal.
pub(super) fn powers(found: &[f32], want: &[f32]) -> (f64, f64) {
    let pairs = found.iter().zip(want);
    pairs.fold((0.0, 0.0), |(noise, signal), (&a, &b)| {
        let (a, b) = (f64::from(a), f64::from(b));
        (noise + (a - b) * (a - b), signal + b * b)
    })
}

/// A part of noise by signal in dB.
pub(super) fn decibels(noise: f64) -> Option<f64> {
    (noise != 0.0).then(|| -10.0 * noise.log10())
}

/// The part of the steps whose largest score is the same.
pub(super) fn agreement(found: &[f32], want: &[f32], width: usize) -> f64 {
    let largest = |scores: &[f32]| {
        let best = scores.iter().enumerate().rev();
        best.max_by(|a, b| a.1.total_cmp(b.1)).map(|(k, _)| k)
    };
    let rows = found.chunks_exact(width).zip(want.chunks_exact(width));
    let (mut same, mut all) = (0, 0);
    for (found, want) in rows {
        same += usize::from(largest(found) == largest(want));
        all += 1;
    }
    same as f64 / all.max(1) as f64
}

/// The first sequences, of so many steps in all.
pub(super) fn within<'a>(
    data: &[Sequence<'a>],
    width: usize,
    mut steps: usize,
) -> Vec<Sequence<'a>> {
    let mut taken = Vec::new();
    for sequence in data {
        let part = sequence.first(steps, width);
        steps -= part.steps(width);
        if part.steps(width) > 0 {
            taken.push(part);
        }
    }
    taken
}

/// Stretches of one long sequence.
const STRETCHES: usize = 8;

/// So many steps in all: of one sequence that is longer, stretches from its beginning to its end;
/// of several the first.
pub(super) fn spread<'a>(data: &[Sequence<'a>], width: usize, steps: usize) -> Vec<Sequence<'a>> {
    let (all, length) = match data {
        [one] => (one.steps(width), steps / STRETCHES),
        _ => (0, 0),
    };
    if length == 0 || all <= steps {
        return within(data, width, steps);
    }
    let starts = (0..STRETCHES).map(|k| k * (all - length) / (STRETCHES - 1));
    let part = |start| move |of: &Sequence<'a>| of.part(start..start + length, width);
    starts
        .flat_map(|start| data.iter().map(part(start)))
        .collect()
}

/// Of each feature the largest magnitude in all of the data.
pub(super) fn largest_features(net: &Net, data: &[Sequence<'_>]) -> Vec<f32> {
    let mut most = vec![0.0_f32; features(net)];
    for sequence in data {
        if let Sequence::Features(numbers) = sequence {
            for step in numbers.chunks_exact(most.len().max(1)) {
                for (most, x) in most.iter_mut().zip(step) {
                    *most = most.max(x.abs());
                }
            }
        }
    }
    most
}

/// Features as the integers of a scheme have them, of those that are `wanted`.
pub(super) fn rounded(
    scheme: &Scheme,
    data: &[Sequence<'_>],
    wanted: impl Fn(usize) -> bool,
) -> Vec<Vec<f32>> {
    let width = scheme.features.len();
    let of = |(at, &x): (usize, &f32)| {
        let feature = at % width;
        if !wanted(feature) {
            return x;
        }
        let scale = scheme.features[feature];
        let y = x * scale;
        let high = y.round().clamp(-128.0, 127.0);
        let low = match scheme.doubled.contains(&(feature as u16)) {
            true => (16.0 * (y - high)).round().clamp(-128.0, 127.0) / 16.0,
            false => 0.0,
        };
        (high + low) / scale
    };
    let all = data.iter().filter_map(|sequence| match sequence {
        Sequence::Features(numbers) => Some(numbers.iter().enumerate().map(of).collect()),
        Sequence::Tokens(_) => None,
    });
    all.collect()
}

/// Whether data are what a net is given.
pub(super) fn check(net: &Net, data: &[Sequence<'_>]) -> Result<()> {
    let width = features(net);
    let wrong = |what: String| Err(Error::Export(what));
    let mut steps = 0;
    for sequence in data {
        match sequence {
            Sequence::Tokens(tokens) if width == 0 => {
                if let Some(token) = tokens.iter().find(|&&of| usize::from(of) >= net.vocab()) {
                    return wrong(format!("token {token}, and the net has {}", net.vocab()));
                }
            }
            Sequence::Features(numbers) if width > 0 && numbers.len() % width == 0 => {
                if let Some(x) = numbers.iter().find(|x| !x.is_finite()) {
                    return wrong(format!("a feature is {x}"));
                }
            }
            Sequence::Features(_) => {
                return wrong(format!("the net is given {width} features a step"));
            }
            Sequence::Tokens(_) => return wrong("the net is given features".to_owned()),
        }
        steps += sequence.steps(width);
    }
    match steps {
        0 => wrong("calibration data without a step".to_owned()),
        _ => Ok(()),
    }
}

/// Steps of a known answer of a net of so many features, at most.
pub(crate) fn known_steps(width: usize) -> usize {
    KNOWN_ANSWER.min(gatelet::format::MAX_KNOWN_FEATURES / width.max(1))
}

/// What a known answer begins with: the first steps of the data, or numbers that are made up.
pub(super) fn known(net: &Net, data: &[Sequence<'_>]) -> (Vec<u16>, Vec<f32>) {
    let width = features(net);
    let most = match width {
        0 => KNOWN_ANSWER,
        width => known_steps(width),
    };
    let first = within(data, width, most);
    let (mut tokens, mut numbers) = (Vec::new(), Vec::new());
    for sequence in first {
        match sequence {
            Sequence::Tokens(of) => tokens.extend_from_slice(of),
            Sequence::Features(of) => numbers.extend_from_slice(of),
        }
    }
    if data.is_empty() && width == 0 {
        tokens = (0..most).map(|i| (i * 7 % net.vocab()) as u16).collect();
    } else if data.is_empty() {
        numbers = (0..most * width)
            .map(|i| (i * 7 % 13) as f32 / 6.5 - 1.0)
            .collect();
    }
    (tokens, numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_sequence_is_read_from_its_beginning_to_its_end() {
        let numbers: Vec<f32> = (0..2 * 1000).map(|x| x as f32).collect();
        let data = [Sequence::Features(&numbers)];
        let stretches = spread(&data, 2, 80);
        let Some(Sequence::Features(last)) = stretches.last() else {
            panic!("features");
        };
        assert_eq!(stretches.len(), STRETCHES);
        assert!(stretches.iter().all(|of| of.steps(2) == 10));
        assert_eq!(stretches[0], Sequence::Features(&numbers[..20]));
        assert_eq!(last.last(), numbers.last());
        // What is not longer, and what is not one, is as it is.
        assert_eq!(spread(&data, 2, 1000), data);
        let two = [data[0], data[0]];
        assert_eq!(spread(&two, 2, 1500), within(&two, 2, 1500));
        let net = Net::features(gatelet::Precision::F32, 2);
        assert_eq!(largest_features(&net, &data), [1998.0, 1999.0]);
    }
}
