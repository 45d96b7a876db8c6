use gatelet::net::{Operand, Precision, Reset, Value};

use super::*;
use crate::data::rows::Rows;
use crate::train::learner::Learner;
use crate::train::optim::{Optimizer, OptimizerConfig};

const fn dense(units: usize, activation: Activation) -> Kind {
    Kind::Dense { units, activation }
}

/// Features that are read beside other values, twice, and by a dense operation.
fn net(cell: Kind) -> Net {
    let net = Net::features(Precision::F32, 3)
        .then(dense(4, Activation::Tanh))
        .then(cell);
    let both = Operand::two(net.last(), Value::INPUT);
    net.with(dense(2, Activation::None), both).values()
}

fn answers(params: &Params<f32>, inputs: &[[f32; 3]]) -> Vec<f32> {
    let mut rows = Rows::new(3, 2);
    inputs.iter().for_each(|row| rows.push(row, &[0.0; 2]));
    let adam = OptimizerConfig::of(Optimizer::Adam);
    Learner::new(params.clone(), adam)
        .outputs(&rows, 0)
        .unwrap()
}

fn scaling() -> Scaling {
    Scaling {
        inputs: Units::of(&[1013.0, -0.2, 0.0], &[7.0, 0.01, 0.0]),
        outputs: Units::of(&[20.0, 0.5], &[9.0, 0.3]),
    }
}

const INPUTS: [[f32; 3]; 3] = [
    [1020.0, -0.19, 1.0],
    [1001.0, -0.22, 0.0],
    [1013.0, -0.2, -2.0],
];

#[test]
fn a_folded_net_gives_from_raw_numbers_what_the_trained_one_gives_in_its_units() {
    for cell in [
        Kind::lstm(5),
        Kind::gru(4, Reset::After),
        Kind::gru(4, Reset::Before),
    ] {
        let params = Params::<f32>::init(net(cell), 3);
        let scaling = scaling().foldable(params.net());
        assert!(!scaling.is_raw());
        let mut inputs = INPUTS;
        inputs.iter_mut().for_each(|row| scaling.inputs.scale(row));
        let mut want = answers(&params, &inputs);
        scaling.outputs.unscale(&mut want);
        let mut folded = params.clone();
        scaling.fold(&mut folded);
        let found = answers(&folded, &INPUTS);
        for (a, b) in want.iter().zip(&found) {
            assert!((a - b).abs() < 2e-3, "{cell:?}: {want:?} {found:?}");
        }
    }
}

#[test]
fn without_means_a_net_goes_there_and_back_to_the_bit() {
    let params = Params::<f32>::init(net(Kind::lstm(5)), 3);
    let scaling = Scaling {
        inputs: scaling().inputs.without_means(),
        outputs: Units::raw(2),
    };
    let mut changed = params.clone();
    scaling.unfold(&mut changed);
    assert_ne!(changed, params);
    scaling.fold(&mut changed);
    assert_eq!(changed, params);
    // What it computes in its units is what it computes of raw numbers, to the bit.
    scaling.unfold(&mut changed);
    let mut inputs = INPUTS;
    inputs.iter_mut().for_each(|row| scaling.inputs.scale(row));
    assert_eq!(answers(&changed, &inputs), answers(&params, &INPUTS));
}

#[test]
fn what_cannot_be_folded_stays_as_it_is() {
    let added = Net::features(Precision::F32, 3).then(dense(3, Activation::None));
    let sum = Operand::two(added.last(), Value::INPUT);
    let added = added.with(Kind::Add, sum).values();
    assert!(scaling().foldable(&added).inputs.is_raw());
    let behind = Net::features(Precision::F32, 3)
        .then(dense(2, Activation::Tanh))
        .values();
    let kept = scaling().foldable(&behind);
    assert!(kept.outputs.is_raw() && !kept.inputs.is_raw());
}

#[test]
fn numbers_come_back_and_constants_are_moved_alone() {
    let units = scaling().inputs;
    assert_eq!(units.exponent, [3, -7, 0]);
    let mut numbers = [1013.0, -0.2, 5.0, 1021.0, -0.2 + 2.0_f32.powi(-7), 5.0];
    units.scale(&mut numbers);
    assert_eq!(numbers[..4], [0.0, 0.0, 5.0, 1.0]);
    units.unscale(&mut numbers);
    assert_eq!(numbers[3], 1021.0);
}

#[test]
fn units_of_another_net_are_named() {
    let net = net(Kind::lstm(5));
    assert_eq!(scaling().check(&net), Ok(()));
    let mut wrong = scaling();
    wrong.inputs.exponent[1] = 99;
    let found = wrong.check(&net).unwrap_err();
    assert_eq!(
        found,
        "series.scaling.inputs.exponent: 1 is 99: it has to be from -60 to 60"
    );
    wrong.inputs.mean.pop();
    assert!(wrong.check(&net).unwrap_err().contains("[2, 3] of 3"));
}
