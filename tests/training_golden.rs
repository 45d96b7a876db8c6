//! The trainer's forward, backward and optimizers against PyTorch: 50 steps from the same weights over the same windows,
//! with carried state and clipped gradients. The runs and the script that makes them are in `tests/golden/`.

use std::path::Path;

use gatelet_trainer::net::{Packs, Shard};
use gatelet_trainer::train::checkpoint::Checkpoint;
use gatelet_trainer::train::optim::{Optimizer, OptimizerConfig, Updater};
use safetensors::SafeTensors;
use serde_json::Value;

/// Relative difference of a step's loss, at most.
const BOUND: f64 = 1e-4;
/// The same for the gradient's norm before clipping.
const NORM_BOUND: f64 = 1e-3;

/// Streams and steps of a window, as the script has them.
const BATCH: usize = 6;
const WINDOW: usize = 16;
const STEPS: usize = 50;

struct Golden {
    checkpoint: Checkpoint,
    bytes: Vec<u8>,
}

impl Golden {
    fn read(name: &str) -> Self {
        let path = format!("{}/golden/{name}.safetensors", env!("CARGO_MANIFEST_DIR"));
        let bytes = std::fs::read(&path).expect("the golden file");
        let checkpoint =
            Checkpoint::from_bytes(&bytes, Path::new(&path)).expect("PyTorch's tensors load");
        Golden { checkpoint, bytes }
    }

    fn tensor(&self, name: &str) -> Vec<f32> {
        let file = SafeTensors::deserialize(&self.bytes).expect("a safetensors file");
        let view = file.tensor(&format!("golden.{name}")).expect("the tensor");
        let (words, _) = view.data().as_chunks::<4>();
        words.iter().map(|&word| f32::from_le_bytes(word)).collect()
    }

    /// The recipes by name: learning rate and the optimizer's constants.
    fn recipes(&self) -> Vec<(String, f64, OptimizerConfig)> {
        let (_, header) = SafeTensors::read_metadata(&self.bytes).expect("a safetensors file");
        let metadata = header.metadata().as_ref().expect("metadata");
        let recipes: Value = serde_json::from_str(&metadata["recipes"]).expect("JSON");
        let recipes = recipes.as_object().expect("recipes by name");
        let recipe = |(name, recipe): (&String, &Value)| {
            let number = |key: &str| recipe[key].as_f64();
            let optimizer = match recipe["optimizer"].as_str() {
                Some("adamw") => Optimizer::AdamW,
                Some("adam") => Optimizer::Adam,
                Some("sgd") => Optimizer::Sgd,
                Some("rmsprop") => Optimizer::RmsProp,
                other => panic!("{other:?} is no optimizer"),
            };
            // What the script leaves to PyTorch's defaults is left to the trainer's.
            let defaults = OptimizerConfig::of(optimizer);
            let config = OptimizerConfig {
                momentum: number("momentum").unwrap_or(defaults.momentum),
                weight_decay: number("weight_decay").expect("weight decay"),
                clip: number("clip").expect("clip"),
                ..defaults
            };
            (name.clone(), number("lr").expect("lr"), config)
        };
        recipes.iter().map(recipe).collect()
    }
}

/// Trains as the recipe says; the loss in nats a character and the gradient's norm of every step.
fn train(golden: &Golden, learning_rate: f64, config: OptimizerConfig) -> Vec<(f64, f64)> {
    let net = golden.checkpoint.params.net();
    let streams: Vec<u16> = golden
        .tensor("streams")
        .iter()
        .map(|&id| id as u16)
        .collect();
    let length = STEPS * WINDOW + 1;
    assert_eq!(streams.len(), BATCH * length);
    let mut params = golden.checkpoint.params.clone();
    let mut shard = Shard::<f32>::new(net, BATCH, WINDOW);
    let mut updater = Updater::<f32>::new(config, net);
    let step = |step| {
        shard.load(|row, t| {
            let at = row * length + step * WINDOW + t;
            (streams[at], streams[at + 1])
        });
        let packs = Packs::of(&params);
        let sum = shard.forward(&packs, 1.0 / (BATCH * WINDOW) as f32);
        shard.backward(&packs);
        shard.carry();
        let gradient = &shard.gradient.data;
        let norm = updater.norm(gradient);
        updater.update(&mut params.data, gradient, norm, learning_rate);
        (sum / (BATCH * WINDOW) as f64, norm)
    };
    (0..STEPS).map(step).collect()
}

fn agrees(name: &str) {
    let golden = Golden::read(name);
    let recipes = golden.recipes();
    assert!(recipes.iter().any(|(recipe, ..)| recipe == "adamw"));
    for (recipe, learning_rate, config) in recipes {
        let (losses, norms) = (
            golden.tensor(&format!("{recipe}.losses")),
            golden.tensor(&format!("{recipe}.norms")),
        );
        assert_eq!((losses.len(), norms.len()), (STEPS, STEPS));
        // The run has to be one in which something happens.
        let clipped = norms
            .iter()
            .filter(|&&n| f64::from(n) > config.clip)
            .count();
        assert!(losses[STEPS - 1] < 0.7 * losses[0], "{name}, {recipe}");
        assert!(
            (5..=STEPS - 5).contains(&clipped),
            "{name}, {recipe}: {clipped} steps clipped"
        );

        let found = train(&golden, learning_rate, config);
        let mut worst = [0.0_f64; 2];
        for (step, (loss, norm)) in found.into_iter().enumerate() {
            let off = |found: f64, expected: f32| (found / f64::from(expected) - 1.0).abs();
            let (loss_off, norm_off) = (off(loss, losses[step]), off(norm, norms[step]));
            assert!(
                loss_off <= BOUND && norm_off <= NORM_BOUND,
                "{name}, {recipe}, step {step}: {loss} nats and norm {norm}, PyTorch {} and {}",
                losses[step],
                norms[step]
            );
            worst = [worst[0].max(loss_off), worst[1].max(norm_off)];
        }
        println!(
            "{name}, {recipe}: losses within {:.1e}, norms within {:.1e}",
            worst[0], worst[1]
        );
    }
}

#[test]
fn lstm_of_one_layer_follows_pytorch() {
    agrees("train_lstm_1");
}

#[test]
fn lstm_of_two_layers_follows_pytorch() {
    agrees("train_lstm_2");
}

#[test]
fn gru_of_one_layer_follows_pytorch() {
    agrees("train_gru_1");
}

#[test]
fn gru_of_two_layers_follows_pytorch() {
    agrees("train_gru_2");
}

#[test]
fn rnn_of_one_layer_follows_pytorch() {
    agrees("train_rnn_1");
}

#[test]
fn rnn_of_two_layers_follows_pytorch() {
    agrees("train_rnn_2");
}
