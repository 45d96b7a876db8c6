//! Nets without a vocabulary: integers by the error at their outputs.
//!
//! ```text
//! signal to noise   10 log10( sum y^2 / sum (y' - y)^2 )       y in f32, y' in integers, over all steps
//! agreement         part of the steps whose largest score is the same
//! a second column   for features whose rounding makes most of what rounding features costs
//! ```

use gatelet::Isa;
use gatelet::net::{Kind, Output, Value};
use serde::Serialize;

use super::measure::{
    Given, agreement, check, decibels, given, known, largest_features, noise, powers, rounded,
    spread, within,
};
use super::{
    Begin, Image, KnownAnswer, Label, Magnitudes, Ordered, Params, Plan, Precision, Result, Scheme,
    Sequence, Source, WeightBits, calibrate, choose, isa, quantize,
};
use crate::net::Net;
use crate::quantize::integers::{Integers, put_on_device};
use crate::quantize::scheme::{adds_features, features};

/// Steps on which a choice is measured, at most.
const CALIBRATION: usize = 4_000;
/// Steps over which an image is measured, at most.
const MEASURED: usize = 50_000;
/// Multiply-accumulates that finding features with second columns may take.
const SEARCH: usize = 3_000_000_000;
/// Noise by signal that is fine as it is, 40 dB: features that fill their column are at 45.
const FINE: f64 = 1e-4;
/// What second columns have to leave of the error, at most.
const WORTH: f64 = 0.9;
/// Part of the other noise that features without second columns may add.
const SMALL: f64 = 0.25;

/// What an output of an image is against f32.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OutputReport {
    /// Its name, or its number.
    pub name: String,
    /// Numbers of a step.
    pub width: usize,
    /// Signal to noise in dB; `None` where there is no noise.
    pub decibels: Option<f64>,
    /// The largest error.
    pub largest_error: f64,
    /// The largest number in f32.
    pub largest: f64,
    /// Of scores: the part of the steps whose largest is the same.
    pub agreement: Option<f64>,
}

/// What rounding a part of a net alone costs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cost {
    /// The part.
    pub name: String,
    /// The operation whose weights it is, from 0.
    pub operation: Option<usize>,
    /// Signal to noise at the outputs in dB; `None` where there is no noise.
    pub decibels: Option<f64>,
}

/// What an export of such a net found out.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NetReport {
    /// Number format of the image.
    pub precision: String,
    /// Bits of the weights: `8`, `4` or `mixed`; `None` for f32.
    pub weight_bits: Option<&'static str>,
    /// Bytes of the image.
    pub bytes: usize,
    /// Steps over which it was measured.
    pub steps: usize,
    /// Of each output; empty for f32.
    pub outputs: Vec<OutputReport>,
    /// Of each operation, of the features, and of values and states; empty for f32.
    pub costs: Vec<Cost>,
    /// Integer bits of the states, an operation each; empty for f32.
    pub state_bits: Vec<u8>,
    /// Features with a second column.
    pub doubled: usize,
    /// Addends that did not fit Q3.12.
    pub saturated_inputs: usize,
}

/// A net on its way to integers.
struct Work<'a> {
    label: Label<'a>,
    params: &'a Params<f32>,
    isa: Isa,
}

impl Work<'_> {
    fn integers(&self, scheme: &Scheme) -> Result<Vec<Integers>> {
        quantize(self.params, scheme.into())
    }

    fn image(&self, scheme: &Scheme) -> Result<Image> {
        self.label.int(&self.integers(scheme)?, scheme)
    }

    fn float(&self, params: &Params<f32>) -> Result<Image> {
        self.label.float(&Ordered::plain(params).floats)
    }

    /// Noise by signal of the image of a scheme.
    fn noise(&self, scheme: &Scheme, data: &[Sequence<'_>], want: &Given) -> Result<f64> {
        Ok(noise(&given(&self.image(scheme)?, self.isa, data)?, want))
    }

    /// The scheme with the least error on stretches of data. No feature of any of it saturates.
    fn choose(&self, bits: WeightBits, data: &[Sequence<'_>]) -> Result<Scheme> {
        let net = self.label.net;
        let most = calibrate::steps_within(&net, CALIBRATION);
        let all_features = largest_features(&net, data);
        let data = &spread(data, features(&net), most)[..];
        let begin = Begin {
            starts: self.label.starts,
            line_break: None,
        };
        let mut found = Magnitudes::of(self.params, begin, data);
        found.features = all_features;
        let want = given(&self.float(self.params)?, self.isa, data)?;
        let plain = Scheme::plain(&net).with_bits(bits);
        let held = choose::held(&net, &found, plain);
        let cost = |scheme: &Scheme| self.noise(scheme, data, &want);
        let (scheme, _) = choose::choose(&net, &found, held, &cost)?;
        match features(&net) {
            0 => Ok(scheme),
            _ => self.double(scheme, data, &want),
        }
    }

    /// The scheme with second columns for the features that need one.
    fn double(&self, plain: Scheme, data: &[Sequence<'_>], want: &Given) -> Result<Scheme> {
        let net = self.label.net;
        let width = features(&net);
        let mut all = plain.clone();
        all.doubled = (0..width as u16).collect();
        if adds_features(&net) || all.int8(&net).is_err() {
            return Ok(plain);
        }
        let (without, with) = (
            self.noise(&plain, data, want)?,
            self.noise(&all, data, want)?,
        );
        // NaN is not worth anything.
        let is_worth = without > FINE && with < WORTH * without;
        if !is_worth {
            return Ok(plain);
        }
        let work = net.macs_per_step().max(1) * width;
        let data = &within(data, width, (SEARCH / work).clamp(64, CALIBRATION))[..];
        let float = self.float(self.params)?;
        let exact = given(&float, self.isa, data)?;
        let mut costs = Vec::new();
        for feature in 0..width {
            let rounded = rounded(&plain, data, |k| k == feature);
            let sequences: Vec<Sequence<'_>> =
                rounded.iter().map(|all| Sequence::Features(all)).collect();
            let found = given(&float, self.isa, &sequences)?;
            costs.push((noise(&found, &exact), feature as u16));
        }
        costs.sort_by(|a, b| a.0.total_cmp(&b.0));
        // The cheapest keep one column.
        let mut left = SMALL * with;
        let cheap = costs.iter().take_while(|&&(cost, _)| {
            left -= cost;
            left >= 0.0
        });
        let cheap = cheap.count();
        let mut some = plain.clone();
        some.doubled = costs[cheap..].iter().map(|&(_, feature)| feature).collect();
        some.doubled.sort_unstable();
        let found = self.noise(&some, data, &exact)?;
        let plain_noise = self.noise(&plain, data, &exact)?;
        Ok(if found < plain_noise { some } else { plain })
    }

    /// What rounding each part alone costs, of an image with so much noise.
    fn costs(
        &self,
        scheme: &Scheme,
        (data, want, whole): (&[Sequence<'_>], &Given, f64),
    ) -> Result<Vec<Cost>> {
        let net = self.label.net;
        let ordered = Ordered::of(self.params, scheme);
        let all = ordered.integers(scheme.into())?;
        let (mut costs, mut sum) = (Vec::new(), 0.0);
        let mut add = |name: String, operation, noise: f64| {
            sum += noise;
            let decibels = decibels(noise);
            costs.push(Cost {
                name,
                operation,
                decibels,
            });
        };
        for (index, of) in net
            .operations()
            .enumerate()
            .filter(|of| of.1.kind != Kind::Add)
        {
            let mut params = self.params.clone();
            put_on_device(&mut params, index, &ordered.orders[index], &all[index]);
            let mut floats = Ordered::plain(&params).floats;
            for x in &mut floats[index].input {
                *x = (*x * 4096.0).round().clamp(-32768.0, 32767.0) / 4096.0;
            }
            let found = given(&self.label.float(&floats)?, self.isa, data)?;
            // Numbers as `gatelet import` has them, where 0 is the input.
            let name = format!("{}: weights of {}", index + 1, kind_name(of.kind));
            add(name, Some(index), noise(&found, want));
        }
        if features(&net) > 0 {
            let float = self.float(self.params)?;
            let rounded = rounded(scheme, data, |_| true);
            let sequences: Vec<Sequence<'_>> =
                rounded.iter().map(|all| Sequence::Features(all)).collect();
            let found = given(&float, self.isa, &sequences)?;
            add("features".to_owned(), None, noise(&found, want));
        }
        let rest = (whole - sum).max(0.0);
        costs.push(Cost {
            name: "values, states".to_owned(),
            operation: None,
            decibels: decibels(rest),
        });
        Ok(costs)
    }
}

/// An operation as it is called.
fn kind_name(kind: Kind) -> String {
    format!("{} {}", kind.name(), kind.units())
}

/// Makes the image of a net without a vocabulary; its steps, state bits and second columns are those
/// with the least error at the outputs on `data`. An f32 image needs no data.
///
/// # Errors
/// [`Error::Quantize`](crate::error::Error::Quantize), or
/// [`Error::Export`](crate::error::Error::Export), also for data that the net is not given.
pub fn export_net<'a>(
    source: impl Into<Source<'a>>,
    data: &[Sequence<'_>],
    precision: Precision,
    bits: WeightBits,
) -> Result<(Image, NetReport)> {
    let source = source.into();
    let net = *source.params.net();
    let width = features(&net);
    if !data.is_empty() || precision == Precision::Int8 {
        check(&net, data)?;
    }
    let (tokens, numbers) = known(&net, data);
    let label = Label {
        known_answer: KnownAnswer {
            tokens: &tokens,
            features: &numbers,
            hash: 0,
        },
        ..source.label()
    };
    let work = Work {
        label,
        params: source.params,
        isa: isa::isa()?,
    };
    let mut report = NetReport {
        precision: precision.to_string(),
        weight_bits: None,
        bytes: 0,
        steps: 0,
        outputs: Vec::new(),
        costs: Vec::new(),
        state_bits: Vec::new(),
        doubled: 0,
        saturated_inputs: 0,
    };
    if precision == Precision::F32 {
        let floats = Ordered::plain(source.params).floats;
        let image = label.finish(|label| label.float(&floats))?;
        report.bytes = image.bytes().len();
        return Ok((image, report));
    }
    let scheme = work.choose(bits, data)?;
    let all = work.integers(&scheme)?;
    let image = label.finish(|label| label.int(&all, &scheme))?;
    let most = calibrate::steps_within(&net, MEASURED);
    let measured = within(data, width, most);
    let want = given(&work.float(source.params)?, work.isa, &measured)?;
    let found = given(&image, work.isa, &measured)?;
    for (index, output) in net.outputs().enumerate() {
        let named = source.outputs.get(index);
        let name = named.map_or_else(|| index.to_string(), |of| of.name.clone());
        let (found, want) = (&found[index], &want[index]);
        report
            .outputs
            .push(of_output(name, &net, output, (found, want)));
    }
    let whole = noise(&found, &want);
    report.costs = work.costs(&scheme, (&measured, &want, whole))?;
    report.weight_bits = Some(bits.name(&net));
    report.bytes = image.bytes().len();
    report.steps = measured.iter().map(|of| of.steps(width)).sum();
    report.state_bits = scheme.state_bits;
    report.doubled = scheme.doubled.len();
    report.saturated_inputs = all.iter().map(|of| of.saturated).sum();
    Ok((image, report))
}

fn of_output(
    name: String,
    net: &Net,
    output: Output,
    (found, want): (&[f32], &[f32]),
) -> OutputReport {
    let value: Value = output.value();
    let width = net.width(value);
    let (noise, signal) = powers(found, want);
    let largest = |of: &mut dyn Iterator<Item = f32>| of.fold(0.0_f32, |a, b| a.max(b.abs()));
    let errors = found.iter().zip(want).map(|(a, b)| a - b);
    OutputReport {
        name,
        width,
        decibels: decibels(noise / signal.max(1e-30)),
        largest_error: largest(&mut errors.into_iter()).into(),
        largest: largest(&mut want.iter().copied()).into(),
        agreement: match output {
            Output::Scores(_) => Some(agreement(found, want, width)),
            Output::Values(_) => None,
        },
    }
}

/// The int8 image of a net by a plan, as it is trained for.
///
/// # Errors
/// As [`export_net`].
pub fn image_by<'a>(
    source: impl Into<Source<'a>>,
    plan: Plan<'_>,
    data: &[Sequence<'_>],
) -> Result<Image> {
    let source = source.into();
    let (tokens, numbers) = known(source.params.net(), data);
    let label = Label {
        known_answer: KnownAnswer {
            tokens: &tokens,
            features: &numbers,
            hash: 0,
        },
        ..source.label()
    };
    let all = quantize(source.params, plan)?;
    label.finish(|label| label.int(&all, plan.scheme))
}

/// What there is to say of an image that was made by a scheme.
pub fn of_plan(image: &Image, net: &Net, scheme: &Scheme) -> NetReport {
    NetReport {
        precision: Precision::Int8.to_string(),
        weight_bits: Some(scheme.bits.name(net)),
        bytes: image.bytes().len(),
        steps: 0,
        outputs: Vec::new(),
        costs: Vec::new(),
        state_bits: scheme.state_bits.clone(),
        doubled: scheme.doubled.len(),
        saturated_inputs: 0,
    }
}

/// The scheme that [`export_net`] would choose: what a net is trained on for.
///
/// # Errors
/// As [`export_net`].
pub fn calibrated_net<'a>(
    source: impl Into<Source<'a>>,
    data: &[Sequence<'_>],
    bits: WeightBits,
) -> Result<Scheme> {
    let source = source.into();
    let net = *source.params.net();
    check(&net, data)?;
    let work = Work {
        label: source.label(),
        params: source.params,
        isa: isa::isa()?,
    };
    work.choose(bits, data)
}
