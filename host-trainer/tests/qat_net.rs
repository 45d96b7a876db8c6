//! Quantization-aware training of any net: its forward pass is the device's, bit for bit, at every
//! output of nets that mix the operations; and it trains.

mod made;

use gatelet::net::{
    Activation, Input, Kind, Net, Operation, Output, Precision, RnnActivation, Value,
};
use gatelet::{Scalar, Session, TokenId};
use gatelet_random::{SIZES, Seeded, Source, mixed};
use gatelet_trainer::engine::Engine;
use gatelet_trainer::image::{Image, storage};
use gatelet_trainer::net::{Packs, Params, Role, Shard};
use gatelet_trainer::quantize::export::{calibrated_net, image_by};
use gatelet_trainer::quantize::learned::Learned;
use gatelet_trainer::quantize::{Plan, Scheme, Sequence, WeightBits};
use gatelet_trainer::train::learner::Learner;
use gatelet_trainer::train::optim::{Optimizer, OptimizerConfig};

use self::made::checkpoint;

const STEPS: usize = 40;

/// What a net is given.
#[derive(Default)]
struct Given {
    tokens: Vec<u16>,
    features: Vec<f32>,
}

impl Given {
    fn of(net: &Net, seed: u64) -> Self {
        let mut choice = Seeded::new(seed);
        let mut given = Self::default();
        match net.input {
            Input::Tokens { vocab } => {
                given.tokens = (0..STEPS).map(|_| choice.below(vocab) as u16).collect();
            }
            Input::Features { width, .. } => {
                // Features of several sizes.
                let number =
                    |k: usize| (choice.below(2001) as f32 / 1000.0 - 1.0) * (1 + k % 5) as f32;
                given.features = (0..STEPS * width).map(number).collect();
            }
        }
        given
    }

    fn sequence(&self) -> Sequence<'_> {
        match self.tokens.is_empty() {
            true => Sequence::Features(&self.features),
            false => Sequence::Tokens(&self.tokens),
        }
    }
}

/// What the trainer computes: of each output all steps.
fn trained<F: Engine>(
    params: &Params<f32>,
    (scheme, learned): (&Scheme, Option<&Learned>),
    given: &Given,
) -> Vec<Vec<f32>> {
    let net = params.net();
    let mut packs = Packs::<F>::qat(net, scheme.clone()).expect("a scheme of the net");
    packs.update(&params.cast(), learned).expect("integers");
    let mut shard = Shard::<F>::new(net, 1, STEPS);
    let window = shard.window();
    window.tokens.copy_from_slice(&given.tokens);
    let features = window.features.iter_mut().zip(&given.features);
    features.for_each(|(to, &x)| *to = F::from_f64(x.into()));
    let mut all = vec![Vec::new(); net.output_len()];
    shard.forward_seen(&packs, F::zero(), &mut |seen| {
        all[seen.output].extend(seen.numbers.iter().map(|x| x.to_f64() as f32));
    });
    all
}

/// The same by core's session with the specification's kernel.
fn device(image: &Image, given: &Given) -> Vec<Vec<f32>> {
    let model = image.model().expect("a good image");
    let mut storage = storage(model.net());
    let mut session = Session::new(&model, Scalar, &mut storage).expect("room");
    let width = given.features.len() / STEPS;
    let mut all = vec![Vec::new(); model.net().output_len()];
    for t in 0..STEPS {
        match given.tokens.get(t) {
            Some(&token) => session.step(TokenId(token)),
            None => session.step(&given.features[t * width..][..width]),
        }
        .expect("a step");
        for (output, all) in all.iter_mut().enumerate() {
            all.extend(session.values(output));
        }
    }
    all
}

/// A random net for training: every value of it is an output too, as many as there can be.
fn random_net(seed: u64) -> Net {
    let all = mixed(&mut Seeded::new(seed), Precision::F32, &SIZES);
    let mut net = Net::new(Precision::F32, all.input);
    for operation in all.operations() {
        let mut operation = *operation;
        // What is for f32, or not trained for integers.
        match &mut operation.kind {
            Kind::Gru { candidate, .. } => *candidate = RnnActivation::Tanh,
            Kind::Dense { activation, .. }
                if matches!(activation, Activation::Elu | Activation::Softmax) =>
            {
                *activation = Activation::None;
            }
            _ => {}
        }
        net = net.with_operation(operation);
    }
    net = all.outputs().fold(net, Net::with_output);
    for index in 0..net.len().min(4 - net.output_len()) {
        net = net.with_output(Output::Values(Value::of(index)));
    }
    net.checked().expect("a net")
}

#[test]
fn the_forward_pass_is_the_devices() {
    let mut doubled = 0;
    for seed in 0..120 {
        let net = random_net(seed);
        let given = Given::of(&net, seed + 1000);
        let checkpoint = checkpoint(Params::init(net, seed));
        let data = [given.sequence()];
        let bits = match seed % 3 {
            0 => WeightBits::four(&net),
            _ => WeightBits::EIGHT,
        };
        let mut scheme = calibrated_net(&checkpoint, &data, bits).expect("a scheme");
        // Second columns too, where there can be: whether they pay is not the question here.
        let mut with = scheme.clone();
        with.doubled = (0..scheme.features.len() as u16)
            .filter(|k| k % 2 == 0)
            .collect();
        let adds = net
            .operations()
            .any(|of| of.kind == Kind::Add && of.operand.parts().any(|part| part == Value::INPUT));
        if seed % 2 == 0 && !adds {
            scheme = with;
            doubled += usize::from(!scheme.doubled.is_empty());
        }
        let params = &checkpoint.params;
        let adam = OptimizerConfig::of(Optimizer::Adam);
        let learner = Learner::qat(params.clone(), scheme.clone(), adam).expect("a learner");
        let learned = learner.learned();
        let plan = Plan {
            scheme: &scheme,
            learned,
        };
        let image = image_by(&checkpoint, plan, &data).expect("an image");
        let want = device(&image, &given);
        let single = trained::<f32>(params, (&scheme, learned), &given);
        assert_eq!(single, want, "seed {seed}: {net}");
        let double = trained::<f64>(params, (&scheme, learned), &given);
        assert_eq!(double, want, "seed {seed}, in f64: {net}");
    }
    assert!(doubled > 10, "{doubled} nets with second columns");
}

/// The same net without kinks, at which a rounding changes a gradient: what is relu is none, or has a
/// bias that keeps it on one side.
fn smooth(net: Net) -> Net {
    let mut to = Net::new(Precision::F32, net.input);
    for of in net.operations() {
        let kind = match of.kind {
            Kind::Dense { units, activation } => Kind::Dense {
                units,
                activation: match activation {
                    Activation::Relu => Activation::None,
                    Activation::HardSigmoid => Activation::Tanh,
                    smooth => smooth,
                },
            },
            Kind::Lstm { units, .. } => Kind::lstm(units),
            Kind::Gru { units, reset, .. } => Kind::gru(units, reset),
            kind => kind,
        };
        to = to.with_operation(Operation { kind, ..*of });
    }
    net.outputs().fold(to, Net::with_output)
}

/// With 8 bits the straight-through gradient is nearly that of the float net, for every tensor: a
/// step that is missing somewhere is seen.
#[test]
fn the_gradient_points_where_the_float_nets_does() {
    let mut bad: Vec<String> = Vec::new();
    for seed in 0..60 {
        let net = smooth(random_net(seed));
        let given = Given::of(&net, seed + 1000);
        let mut params = Params::init(net, seed);
        for (index, of) in net.operations().enumerate() {
            let relu = RnnActivation::Relu;
            if matches!(of.kind, Kind::Rnn { activation, .. } if activation == relu) {
                // Small, so that h stays within a range.
                for role in [Role::Recurrent, Role::Input, Role::Rows] {
                    let weights = params.tensor_mut(index, role).iter_mut();
                    weights.for_each(|w| *w *= 0.1);
                }
                params.tensor_mut(index, Role::Bias).fill(1.0);
            }
        }
        let checkpoint = checkpoint(params);
        let params = &checkpoint.params;
        let scheme = calibrated_net(&checkpoint, &[given.sequence()], WeightBits::EIGHT);
        let gradient = |packs: &Packs<f64>| {
            let mut shard = Shard::<f64>::new(&net, 1, STEPS);
            let window = shard.window();
            window.tokens.copy_from_slice(&given.tokens);
            let features = window.features.iter_mut().zip(&given.features);
            features.for_each(|(to, &x)| *to = x.into());
            let mut choice = Seeded::new(seed);
            for targets in window.targets.iter_mut() {
                targets.counts.fill(true);
                let numbers = targets.numbers.iter_mut();
                numbers.for_each(|to| *to = choice.below(100) as f64 / 50.0 - 1.0);
                targets
                    .tokens
                    .iter_mut()
                    .for_each(|to| *to = choice.below(2) as u16);
            }
            shard.forward(packs, 1.0 / STEPS as f64);
            shard.backward(packs);
            shard.gradient.data
        };
        let mut packs = Packs::<f64>::qat(&net, scheme.expect("a scheme")).expect("a net");
        packs.update(&params.cast(), None).expect("integers");
        let found = gradient(&packs);
        let want = gradient(&Packs::of(&params.cast()));
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let whole = dot(&want, &want).sqrt();
        for tensor in params.tensors() {
            let (found, want) = (&found[tensor.range.clone()], &want[tensor.range.clone()]);
            let (found_norm, norm) = (dot(found, found).sqrt(), dot(want, want).sqrt());
            let cosine = dot(found, want) / (found_norm * norm);
            // What is next to nothing, behind a saturated gate, is made of roundings.
            let good =
                norm < 1e-3 * whole || (cosine > 0.9 && (0.7..1.4).contains(&(found_norm / norm)));
            if !good {
                let (operation, role) = (tensor.operation, tensor.role);
                let ratio = found_norm / norm;
                bad.push(format!(
                    "seed {seed}, {operation} {role:?}: {cosine} {ratio}: {net}"
                ));
            }
        }
    }
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}
