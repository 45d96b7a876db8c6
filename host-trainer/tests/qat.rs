//! Quantization-aware training: its forward pass is the device's, bit for bit, and it brings back what 4 bits cost.

use std::path::Path;

use gatelet::net::{Kind, Net};
use gatelet::{Precision, Scalar, Session, StateView, TokenId};
use gatelet_trainer::data::corpus::{Corpus, Text};
use gatelet_trainer::engine::Engine;
use gatelet_trainer::evaluate::evaluate;
use gatelet_trainer::image::storage;
use gatelet_trainer::net::{Packs, Params, Shard};
use gatelet_trainer::quantize::export::{calibrated, export, own_image};
use gatelet_trainer::quantize::{Scheme, WeightBits};
use gatelet_trainer::train::Trainer;
use gatelet_trainer::train::checkpoint::Checkpoint;
use gatelet_trainer::train::config::{Config, Qat};
use gatelet_trainer::train::layers::Cell;

const PATH: &str = "aware";

/// Every combination that the forward pass tells apart: nets, and bits of their weights.
fn nets() -> impl Iterator<Item = (Config, WeightBits)> {
    let plain = [
        (Cell::Lstm, 1, 13),
        (Cell::Lstm, 2, 24),
        (Cell::Rnn, 1, 33),
        (Cell::Rnn, 3, 8),
        (Cell::Gru, 1, 13),
        (Cell::Gru, 3, 8),
    ];
    let plain = plain.map(|(cell, layers, hidden)| config(cell, layers, hidden));
    // Embedding, projection, tied.
    let widths = [
        (9, 0, false),
        (0, 11, false),
        (7, 6, false),
        (10, 10, true),
        (24, 0, true),
        (9, 0, false),
        (8, 7, false),
        (0, 5, false),
        (10, 10, true),
    ];
    let with_widths = widths.into_iter().enumerate().map(|(index, widths)| {
        let cell = match index {
            5.. => Cell::Gru,
            index if index % 2 == 0 => Cell::Lstm,
            _ => Cell::Rnn,
        };
        let (embedding, projection, tied) = widths;
        Config {
            embedding,
            projection,
            tied,
            ..config(cell, 1 + index % 2, 24)
        }
    });
    let nets = plain.into_iter().chain(with_widths);
    nets.flat_map(|config| {
        let net = config.shape(2).net();
        let four = WeightBits::four(&net);
        let mixed = four.with(net.len() - 1, 8);
        [WeightBits::EIGHT, four, mixed].map(|bits| (config.clone(), bits))
    })
}

fn corpus() -> Corpus {
    let content = (0..6000_u32)
        .map(|i| char::from(b'a' + (i * i / 7 % 13 + i % 3) as u8))
        .collect::<String>();
    let text = Text::from_bytes("made up".to_owned(), content.into_bytes()).unwrap();
    Corpus::new(&text, 0.1).unwrap()
}

fn config(cell: Cell, layers: usize, hidden: usize) -> Config {
    Config {
        cell,
        layers,
        hidden,
        batch: 8,
        window: 16,
        epochs: 12,
        lr: 0.01,
        warmup: 0,
        ..Config::default()
    }
}

fn name_of(config: &Config, bits: WeightBits) -> String {
    let Config {
        cell,
        layers,
        hidden,
        embedding,
        projection,
        tied,
        ..
    } = config;
    format!("{cell} {layers} x {hidden}, {embedding} {projection} {tied}, {bits:?}")
}

fn trained(mut trainer: Trainer<'_>, epochs: usize) -> Trainer<'_> {
    while trainer.position().epoch < epochs {
        trainer.step().unwrap();
    }
    trainer
}

fn float(corpus: &Corpus, config: Config) -> Checkpoint {
    let epochs = config.epochs;
    trained(
        Trainer::new(corpus, config, "test".to_owned()).unwrap(),
        epochs,
    )
    .checkpoint(false)
}

fn aware<'c>(
    corpus: &'c Corpus,
    from: &Checkpoint,
    bits: WeightBits,
    cell_bits: u8,
) -> Trainer<'c> {
    let mut scheme = calibrated(from, corpus, corpus.split()).unwrap();
    let operations = from.params.net().operations();
    for (to, of) in scheme.state_bits.iter_mut().zip(operations) {
        if let Kind::Lstm { .. } = of.kind {
            *to = cell_bits;
        }
    }
    let config = Config {
        epochs: 6,
        qat: Some(Qat {
            from: PATH.to_owned(),
            from_sha256: String::new(),
            nats: None,
            scheme: scheme.with_bits(bits),
        }),
        ..from.config().unwrap().clone()
    };
    Trainer::qat(corpus, from, config, "test".to_owned()).unwrap()
}

/// The recurrent operations.
fn layers(net: &Net) -> impl Iterator<Item = (usize, Kind)> {
    let kinds = net.operations().map(|of| of.kind).enumerate();
    kinds.filter(|(_, kind)| kind.is_recurrent())
}

/// The states of a shard of one stream after every token, as integers: of each layer h and c; of a
/// GRU the h of 16 bits that it carries.
fn states<F: Engine>(checkpoint: &Checkpoint, tokens: &[u16]) -> Vec<Vec<i32>> {
    let net = checkpoint.params.net();
    let scheme = checkpoint.scheme().unwrap();
    let mut params = Params::<F>::zeros(*net);
    for (to, &from) in params.data.iter_mut().zip(&checkpoint.params.data) {
        *to = F::from_f64(from.into());
    }
    let mut packs = Packs::qat(net, scheme.clone()).unwrap();
    packs.update(&params, checkpoint.learned.as_ref()).unwrap();
    let mut shard = Shard::<F>::new(net, 1, 1);
    let step = |&token: &u16| {
        shard.load(|_, _| (token, token));
        shard.forward(&packs, F::zero());
        shard.carry();
        let numbers = |(layer, (operation, kind)): (usize, (usize, Kind))| {
            let (h, c) = shard.state(layer);
            let scale = f64::from(1_u32 << (15 - scheme.state_bits[operation]));
            let of = |x: &[F], scale: f64| -> Vec<i32> {
                let exact = x.iter().map(|x| x.to_f64() * scale);
                exact
                    .inspect(|x| assert_eq!(x.fract(), 0.0, "an integer"))
                    .map(|x| x as i32)
                    .collect()
            };
            match kind {
                Kind::Gru { .. } => of(h, 32_768.0),
                _ => [of(h, 128.0), of(c, scale)].concat(),
            }
        };
        layers(net).enumerate().flat_map(numbers).collect()
    };
    tokens.iter().map(step).collect()
}

/// The same of core's session with the specification's kernel.
fn states_of_image(checkpoint: &Checkpoint, tokens: &[u16]) -> Vec<Vec<i32>> {
    let image = own_image(checkpoint).unwrap();
    let model = image.model().unwrap();
    let mut storage = storage(model.net());
    let mut session = Session::new(&model, Scalar, &mut storage).unwrap();
    let step = |&token: &u16| {
        session.step(TokenId(token)).unwrap();
        let state = |(operation, kind): (usize, Kind)| match session.state(operation) {
            Some(StateView::Int8 { h, c }) => {
                let h = h.iter().map(|&h| i32::from(h));
                let h = h.filter(|_| !matches!(kind, Kind::Gru { .. }));
                h.chain(c.iter().map(|&c| c.into())).collect::<Vec<i32>>()
            }
            _ => Vec::new(),
        };
        layers(model.net()).flat_map(state).collect()
    };
    tokens.iter().map(step).collect()
}

#[test]
fn the_forward_pass_is_the_devices() {
    let corpus = corpus();
    let mut tokens = [0; 120];
    corpus.fill(500, &mut tokens).unwrap();
    for (config, bits) in nets() {
        let name = name_of(&config, bits);
        let config = Config {
            epochs: 2,
            ..config
        };
        let mut trainer = aware(&corpus, &float(&corpus, config), bits, 4);
        for _ in 0..3 {
            trainer.step().unwrap();
        }
        let checkpoint = trainer.checkpoint(false);
        let want = states_of_image(&checkpoint, &tokens);
        assert!(want.iter().flatten().any(|&x| x != 0), "{name}");
        assert_eq!(states::<f32>(&checkpoint, &tokens), want, "{name}");
        assert_eq!(states::<f64>(&checkpoint, &tokens), want, "{name}, in f64");

        // And so is the loss, of the head's integers too.
        let mut shard = Shard::<f32>::new(checkpoint.params.net(), 1, tokens.len() - 1);
        let mut packs = Packs::qat(
            checkpoint.params.net(),
            checkpoint.scheme().unwrap().clone(),
        )
        .unwrap();
        packs
            .update(&checkpoint.params, checkpoint.learned.as_ref())
            .unwrap();
        shard.load(|_, t| (tokens[t], tokens[t + 1]));
        let nats = shard.forward(&packs, 0.0) / (tokens.len() - 1) as f64;
        let image = own_image(&checkpoint).unwrap();
        let found = evaluate(image.model().unwrap(), &tokens).unwrap().nats;
        assert!((nats - found).abs() < 1e-5, "{name}: {nats} {found}");
    }
}

/// With 8 bits the straight-through gradient is nearly that of the float net; with 4 it is another net's.
#[test]
fn the_gradient_points_where_the_float_nets_does() {
    let corpus = corpus();
    let mut tokens = [0; 65];
    corpus.fill(900, &mut tokens).unwrap();
    for (config, bits) in nets().filter(|net| net.1 == WeightBits::EIGHT) {
        let name = name_of(&config, bits);
        // The longer a GRU is trained on so little, the more its gradient is what rounding makes of it.
        let epochs = if config.cell == Cell::Gru { 4 } else { 12 };
        let checkpoint = float(&corpus, Config { epochs, ..config });
        let trainer = aware(&corpus, &checkpoint, bits, 4);
        let checkpoint = trainer.checkpoint(true);
        let net = *checkpoint.params.net();
        let gradient = |packs: &Packs<f32>| {
            let mut shard = Shard::<f32>::new(&net, 1, 64);
            shard.load(|_, t| (tokens[t], tokens[t + 1]));
            shard.forward(packs, 1.0 / 64.0);
            shard.backward(packs);
            shard.gradient.data
        };
        let mut packs = Packs::qat(&net, checkpoint.scheme().unwrap().clone()).unwrap();
        packs
            .update(&checkpoint.params, checkpoint.learned.as_ref())
            .unwrap();
        let found = gradient(&packs);
        let want = gradient(&Packs::of(&checkpoint.params));
        let dot =
            |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(a * b)).sum::<f64>();
        let cosine = dot(&found, &want) / (dot(&found, &found) * dot(&want, &want)).sqrt();
        assert!(cosine > 0.98, "{name}: {cosine}");
        // A range that is missing somewhere leaves the direction of the whole nearly as it was, but not of its tensor.
        for tensor in checkpoint.params.tensors() {
            let (found, want) = (&found[tensor.range.clone()], &want[tensor.range.clone()]);
            let ratio = (dot(found, found) / dot(want, want)).sqrt();
            assert!((0.7..1.4).contains(&ratio), "{name}, {tensor:?}: {ratio}");
        }
    }
}

#[test]
fn four_bits_cost_little_once_trained_for() {
    let corpus = corpus();
    for cell in Cell::ALL {
        let from = float(&corpus, config(cell, 1, 24));
        let mut before = aware(&corpus, &from, WeightBits::four(from.params.net()), 4);
        let untrained = before.evaluate().unwrap();
        let mut after = trained(before, 6);
        let trained = after.evaluate().unwrap();
        assert!(trained < untrained - 0.01, "{cell}: {untrained} {trained}");
        let checkpoint = after.checkpoint(false);
        let (image, report) =
            export(&checkpoint, &corpus, corpus.split(), Precision::Int8).unwrap();
        assert!(
            (report.after.nats - trained).abs() < 2e-3,
            "{report:?} {trained}"
        );
        let own = own_image(&checkpoint).unwrap();
        let (a, b) = (image.model().unwrap(), own.model().unwrap());
        let weights = |model: &gatelet::Model<'_>| match model.weights(0) {
            gatelet::Weights::CellInt8(layer) => (0..cell.kind(24).gates() * 24)
                .flat_map(|row| layer.weights.row(row))
                .collect::<Vec<i8>>(),
            gatelet::Weights::RecurrentInt8(of) => (0..2 * of.kind.units())
                .flat_map(|row| of.matrices[0].weights.row(row))
                .collect(),
            _ => panic!("a recurrent layer"),
        };
        assert_eq!(
            weights(&a),
            weights(&b),
            "what was trained is what is exported"
        );
        assert!(weights(&a).iter().all(|w| (-7..=7).contains(w)));
    }
}

#[test]
fn a_resumed_run_ends_at_the_same_bits() {
    let corpus = corpus();
    let wide = Config {
        embedding: 8,
        projection: 6,
        ..config(Cell::Lstm, 2, 12)
    };
    let from = float(&corpus, wide);
    for bits in [WeightBits::EIGHT, WeightBits::four(from.params.net())] {
        let whole = trained(aware(&corpus, &from, bits, 5), 2);
        let mut half = aware(&corpus, &from, bits, 5);
        for _ in 0..17 {
            half.step().unwrap();
        }
        let bytes = half.checkpoint(true).to_bytes().unwrap();
        let stored = Checkpoint::from_bytes(&bytes, Path::new(PATH)).unwrap();
        assert_eq!(stored, half.checkpoint(true), "{bits:?}: read back");
        let resumed = trained(Trainer::resume(&corpus, stored).unwrap(), 2);
        assert_eq!(
            whole.checkpoint(true).params.data,
            resumed.checkpoint(true).params.data,
            "{bits:?}"
        );
        assert_eq!(
            whole.checkpoint(true).learned,
            resumed.checkpoint(true).learned
        );
    }
}

#[test]
fn what_cannot_be_trained_so_is_refused() {
    let corpus = corpus();
    // 520 numbers from below and 520 of its own.
    let wide = Config {
        epochs: 1,
        batch: 1,
        window: 4,
        ..config(Cell::Rnn, 2, 520)
    };
    let from = Trainer::new(&corpus, wide, String::new()).unwrap();
    let from = from.checkpoint(false);
    let config = Config {
        qat: Some(Qat {
            from: PATH.to_owned(),
            from_sha256: String::new(),
            nats: None,
            scheme: Scheme::plain(from.params.net()),
        }),
        ..from.config().unwrap().clone()
    };
    let error = Trainer::qat(&corpus, &from, config, String::new()).unwrap_err();
    assert!(error.to_string().contains("1040 numbers"), "{error}");
}
