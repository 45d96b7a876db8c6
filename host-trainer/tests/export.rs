//! Checkpoint to image: the f32 image computes what the trainer computes, and int8 stays close to it.

use gatelet::net::Kind;
use gatelet::{Isa, Model, Precision};
use gatelet_random::{RNN, stacked};
use gatelet_trainer::data::corpus::{Corpus, Text};
use gatelet_trainer::evaluate::{evaluate, trace};
use gatelet_trainer::image::Image;
use gatelet_trainer::net::{Packs, Shard};
use gatelet_trainer::quantize::acceptance::breaches;
use gatelet_trainer::quantize::export::{export, f32_image, random};
use gatelet_trainer::train::Trainer;
use gatelet_trainer::train::checkpoint::Checkpoint;
use gatelet_trainer::train::config::Config;
use gatelet_trainer::train::layers::Cell;

fn corpus() -> Corpus {
    let content = "a rose is a rose is a rose; so is the nose. ".repeat(40);
    Corpus::new(
        &Text::from_bytes("rose".to_owned(), content.into_bytes()).unwrap(),
        0.2,
    )
    .unwrap()
}

/// A net of an odd size, trained for a moment so that its weights are not those of the start.
fn trained(corpus: &Corpus, cell: Cell, layers: usize) -> Checkpoint {
    let size = Config {
        cell,
        layers,
        hidden: 13,
        batch: 4,
        window: 16,
        ..Config::default()
    };
    let config = Config {
        lr: 0.01,
        valid_fraction: 0.2,
        epochs: 8,
        warmup: 0,
        ..size
    };
    let mut trainer = Trainer::new(corpus, config, "gatelet train rose".to_owned()).unwrap();
    while trainer.position().epoch < 8 {
        trainer.step().unwrap();
    }
    trainer.checkpoint(false)
}

const NETS: [(Cell, usize); 4] = [
    (Cell::Lstm, 1),
    (Cell::Lstm, 2),
    (Cell::Rnn, 1),
    (Cell::Rnn, 3),
];

#[test]
fn the_f32_image_computes_the_trainers_loss() {
    let corpus = corpus();
    for (cell, layers) in NETS {
        let checkpoint = trained(&corpus, cell, layers);
        let mut tokens = [0; 201];
        corpus.fill(0, &mut tokens).unwrap();
        let mut shard = Shard::<f32>::new(checkpoint.params.net(), 1, 200);
        shard.load(|_, t| (tokens[t], tokens[t + 1]));
        let want = shard.forward(&Packs::of(&checkpoint.params), 0.0) / 200.0;
        let image = f32_image(&checkpoint).unwrap();
        let found = evaluate(image.model().unwrap(), &tokens).unwrap();
        assert!(
            (found.nats - want).abs() < 1e-5,
            "{cell} {layers}: {} {want}",
            found.nats
        );
        assert_eq!(found.tokens, 200);
    }
}

#[test]
fn int8_is_close_to_f32_reproducible_and_passes_its_known_answer_test() {
    let corpus = corpus();
    for (cell, layers) in NETS {
        let checkpoint = trained(&corpus, cell, layers);
        let make = |precision| export(&checkpoint, &corpus, corpus.split(), precision).unwrap();
        let (image, report) = make(Precision::Int8);
        assert_eq!(
            image.bytes(),
            make(Precision::Int8).0.bytes(),
            "{cell} {layers}: the same bytes"
        );
        assert!(report.loss_nats.abs() < 0.05, "{cell} {layers}: {report:?}");
        assert_eq!(breaches(&report), [], "{cell} {layers}: {report:?}");
        assert_eq!(report.bytes, image.bytes().len());
        let model = image.model().unwrap();
        let mut storage = vec![0; model.net().state_words()];
        model.self_test(gatelet::Scalar, &mut storage).unwrap();
        model
            .self_test(gatelet::Native::default(), &mut storage)
            .unwrap();
        assert_eq!(model.known_answer().tokens.len(), 32);
        let from = model.provenance();
        assert_eq!(
            (from.corpus, from.command, from.corpus_sha256),
            ("rose", "gatelet train rose", corpus.sha256)
        );
        assert_eq!(from.heldout_tokens as usize, corpus.validation_len());

        let with_c = if cell == Cell::Lstm { layers } else { 0 };
        assert_eq!(report.cell_ranges.len(), with_c);
        for (&bits, range) in report.cell_bits.iter().zip(&report.cell_ranges) {
            let taken = range.nats[usize::from(bits) - 3];
            let cheaper = &range.nats[..usize::from(bits) - 3];
            assert!(range.nats.iter().all(|&nats| nats >= taken), "{range:?}");
            assert!(cheaper.iter().all(|&nats| nats > taken), "{range:?}");
            assert!(range.magnitude.largest >= range.magnitude.percentile_999);
        }

        let (image, report) = make(Precision::F32);
        assert_eq!((report.loss_nats, report.closed_loop), (0.0, None));
        image
            .model()
            .unwrap()
            .self_test(gatelet::Native::default(), &mut vec![0; 10_000])
            .unwrap();
    }
}

#[test]
fn every_kernel_leaves_the_same_trace_of_an_int8_model() {
    let net = stacked(Precision::Int8, 40, 2, Kind::lstm(19));
    let image = random(&net, 7, "x").unwrap();
    let model: Model<'_> = image.model().unwrap();
    let tokens: Vec<u16> = (0..500_u16).map(|i| i * 17 % 40).collect();
    let mut hashes = Isa::available().map(|isa| trace(model, isa, &tokens).unwrap());
    let first = hashes.next().unwrap();
    assert!(hashes.all(|hash| hash == first));
    assert_ne!(first, trace(model, Isa::detect(), &tokens[1..]).unwrap());
}

#[test]
fn random_models_are_of_the_net_asked_for_and_the_same_bytes() {
    for precision in [Precision::F32, Precision::Int8] {
        let net = stacked(precision, 300, 1, Kind::lstm(128));
        let image = random(&net, 1, "x").unwrap();
        assert_eq!(image.bytes(), random(&net, 1, "x").unwrap().bytes());
        assert_ne!(image.bytes(), random(&net, 2, "x").unwrap().bytes());
        let model = image.model().unwrap();
        assert_eq!(*model.net(), net);
        assert_eq!(model.vocab().chars().next(), Some(' '));
        model
            .self_test(gatelet::Scalar, &mut vec![0; model.net().state_words()])
            .unwrap();
    }
}

#[test]
fn an_image_can_be_copied_to_any_place() {
    let net = stacked(Precision::Int8, 5, 1, RNN.with_units(3));
    let image = random(&net, 1, "x").unwrap();
    assert!(Image::from_bytes(image.bytes()).model().is_ok());
    assert!(
        Image::from_bytes(&image.bytes()[..image.bytes().len() - 1])
            .model()
            .is_err()
    );
}
