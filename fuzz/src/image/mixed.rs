//! Small nets of any operations, with tokens or features in, any outputs, and states to start from.

use gatelet::format::{FeatureSpec, ImageSpec, OutputSpec, VocabSpec};
use gatelet::front::{FrontEnd, FrontEndKind};
use gatelet::net::{Input, Kind, Net, Output, Value};
use gatelet::{KnownAnswer, Layout, Precision, Provenance, TextRules};
use gatelet_random::{Operations, layers};

use super::aligned::written;
use super::numbers::{Maker, Size};
use crate::entropy::{Entropy, Source};

/// Sizes of values, small ones most often.
const SIZES: [usize; 22] = [
    1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 33,
];

/// A net that can be.
fn net(entropy: &mut Entropy<'_>) -> Net {
    let precision = entropy.one(&[Precision::F32, Precision::Int8, Precision::Int8]);
    let mut net = layers(entropy, precision, &SIZES);
    for _ in 0..1 + entropy.below(3) {
        let value = Value::of(entropy.below(net.len()));
        net = net.with_output(match net.width(value) > 1 && entropy.rarely(2) {
            true => Output::Scores(value),
            false => Output::Values(value),
        });
    }
    // An output may be what no output can be, such as an embedding: the net is then taken without.
    match net.checked() {
        Ok(net) => net,
        Err(_) => Net::features(precision, 2).then(Kind::lstm(3)).values(),
    }
}

/// What makes the net's features of samples, if there can be such.
fn front_end(entropy: &mut Entropy<'_>, net: &Net) -> Option<FrontEnd> {
    let Input::Features { width, .. } = net.input else {
        return None;
    };
    let rate = entropy.one(&[1_000, 8_000, 16_000, 44_100, 96_000]);
    let frame = entropy.one(&[32, 36, 64, 100, 128, 200, 256]);
    let hop = 1 + entropy.below(frame.into()) as u16;
    let (bands, kind) = match entropy.rarely(2) {
        true => {
            let coefficients = width as u8;
            let kind = FrontEndKind::Mfcc { coefficients };
            (width + entropy.below(8), kind)
        }
        false => (width, FrontEndKind::LogMel),
    };
    let low = entropy.one(&[0, 20, 100]);
    let front = FrontEnd {
        low,
        kind,
        ..FrontEnd::log_mel(rate, frame, hop, bands as u8)
    };
    front.check().is_ok().then_some(front)
}

/// An image of random numbers.
///
/// # Panics
/// When the writer refuses it.
pub(super) fn image(entropy: &mut Entropy<'_>) -> Vec<u8> {
    let net = net(entropy);
    let layout = entropy.one(&Layout::ALL);
    let layout = layout.check(&net).map_or(Layout::Rows, |()| layout);
    let size = Size::any(entropy);
    let mut maker = Maker {
        entropy,
        layout,
        size,
    };
    let numbers = Operations::new(&net, &mut maker);
    let operations = numbers.specs();
    let float = net.precision == Precision::F32;
    let entropy = maker.entropy;
    let (mut tokens, mut features): (Vec<u16>, Vec<f32>) = (Vec::new(), Vec::new());
    let (mut scales, mut doubled): (Vec<f32>, Vec<u16>) = (Vec::new(), Vec::new());
    let steps = entropy.one(&[0, 1, 6]);
    match net.input {
        Input::Tokens { vocab } => {
            tokens.extend((0..steps).map(|_| entropy.below(vocab) as u16));
        }
        Input::Features {
            width,
            doubled: twice,
        } => {
            let number = |_| entropy.random() as i16 as f32 / 64.0;
            features.extend((0..steps * width).map(number));
            if !float {
                scales.extend((0..width).map(|_| entropy.one(&[1.0, 63.5, 1e-3, 3e38, 1e-38])));
                doubled.extend((0..width as u16).rev().take(twice).rev());
            }
        }
    }
    let mut outputs = [OutputSpec::default(); 4];
    for (spec, output) in outputs.iter_mut().zip(net.outputs()) {
        if let (Output::Values(_), false) = (output, float) {
            spec.scale = entropy.one(&[1.0, 0.25, 1e6]);
        }
    }
    let front_end = match entropy.rarely(3) {
        true => front_end(entropy, &net),
        false => None,
    };
    let spec = ImageSpec {
        net,
        layout,
        vocab: VocabSpec::None,
        features: FeatureSpec {
            scales: &scales,
            doubled: &doubled,
            front_end,
        },
        operations: &operations,
        outputs,
        provenance: Provenance::default(),
        known_answer: KnownAnswer {
            tokens: &tokens,
            features: &features,
            hash: entropy.random(),
        },
        rules: TextRules::default(),
    };
    written(&spec)
}
