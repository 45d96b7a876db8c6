//! Nets of operations against PyTorch and Keras, on every f32 kernel of this machine: every output
//! of every step, and the states at the end.

use gatelet::format::FeatureSpec;
use gatelet::net::{Capabilities, Input, Precision};
use gatelet::{Isa, Kernel, Model, Session, StateView, TokenId, WithKernel};
use gatelet_trainer::image::Image;

use crate::convert::Numbered;
use crate::file::{self, Golden};

/// The frameworks sum in another order and have another exp: outputs and states differ by less than
/// this, of numbers above 1 by less than so much of them.
const BOUND: f32 = 3e-6;

/// The image of a golden file's net, with its start states.
fn image(golden: &Golden) -> Image {
    let net = golden.net(Precision::F32);
    let numbers: Vec<_> = (0..net.len())
        .map(|index| golden.numbered(&net, index))
        .collect();
    let operations: Vec<_> = numbers.iter().map(Numbered::spec).collect();
    file::image(net, FeatureSpec::default(), &operations)
}

/// The largest difference, of numbers above 1 relative.
fn off(what: &str, found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len(), "{what}");
    let differences = found.iter().zip(expected);
    let worst = differences
        .map(|(a, b)| (a - b).abs() / b.abs().max(1.0))
        .fold(0.0, f32::max);
    assert!(worst <= BOUND, "{what}: off by {worst}");
    worst
}

/// A golden file's steps with one kernel; the largest difference.
struct Run<'a>(&'a str, &'a Golden, Model<'a>);

impl WithKernel for Run<'_> {
    type Output = f32;

    fn run<K: Kernel>(self, kernel: K) -> f32 {
        let Self(name, golden, model) = self;
        let net = *model.net();
        let name = format!("{name}, {} in {}", K::NAME, model.layout());
        let mut storage = vec![7; net.state_words()];
        let mut session = Session::new(&model, kernel, &mut storage).expect("room enough");
        let (inputs, mut worst) = (golden.tensor("golden.input"), 0_f32);
        let outputs: Vec<_> = (0..net.output_len())
            .map(|index| golden.tensor(&format!("golden.output.{index}")))
            .collect();
        let width = match net.input {
            Input::Tokens { .. } => 1,
            Input::Features { width, .. } => width,
        };
        assert!(inputs.len() >= 100 * width && !outputs.is_empty());
        for (t, input) in inputs.chunks_exact(width).enumerate() {
            match (net.takes_tokens(), input) {
                (true, &[id]) => session.step(TokenId(id as u16)).map(|_| ()),
                _ => session.step(input).map(|_| ()),
            }
            .expect("an input of the net");
            for (index, expected) in outputs.iter().enumerate() {
                let numbers = net.output_width(index);
                let expected = &expected[t * numbers..(t + 1) * numbers];
                let found: Vec<f32> = session.values(index).collect();
                let what = format!("{name}, output {index} of step {t}");
                worst = worst.max(off(&what, &found, expected));
            }
        }
        for index in (0..net.len()).filter(|&index| net.recurrent(index).is_some()) {
            let Some(StateView::F32 { h, c }) = session.state(index) else {
                panic!("{name}: operation {index} has no state in f32");
            };
            for (part, found) in [("h", h), ("c", c)] {
                let expected = golden.find(&format!("golden.{index}.{part}"));
                let what = format!("{name}, last {part} of operation {index}");
                worst = worst.max(off(&what, found, &expected.unwrap_or_default()));
            }
        }
        worst
    }
}

fn agrees(name: &str) {
    let golden = Golden::read(name);
    let rows = image(&golden);
    let starts = rows.model().expect("a good image").needs();
    assert!(starts.has(Capabilities::START));
    for isa in Isa::available() {
        let own = rows.for_isa(isa).expect("a small net");
        for image in [&rows, &own] {
            let model = image.model().expect("a good image");
            let worst = isa.run(Run(name, &golden, model));
            println!("{name}, {}: within {worst:.1e}", isa.name());
        }
    }
}

#[test]
fn gru_agrees_with_pytorch() {
    agrees("torch_gru");
}

#[test]
fn stacked_lstms_agree_with_pytorch() {
    agrees("torch_lstm");
}

#[test]
fn relu_rnn_agrees_with_pytorch() {
    agrees("torch_relu");
}

#[test]
fn a_net_that_mixes_operations_agrees_with_pytorch() {
    agrees("torch_mixed");
}

#[test]
fn tokens_that_a_gru_reads_agree_with_pytorch() {
    agrees("torch_tokens");
}

#[test]
fn gru_with_reset_after_agrees_with_keras() {
    agrees("keras_gru_after");
}

#[test]
fn gru_with_reset_before_agrees_with_keras() {
    agrees("keras_gru_before");
}

#[test]
fn lstm_under_a_relu_rnn_agrees_with_keras() {
    agrees("keras_lstm");
}

#[test]
fn a_noise_suppressors_wiring_agrees_with_keras() {
    agrees("keras_mixed");
}

#[test]
fn tokens_agree_with_keras() {
    agrees("keras_tokens");
}

#[test]
fn hard_sigmoids_and_relu_candidates_agree_with_keras() {
    agrees("keras_functions");
}
