//! Core and trainer against PyTorch: two layers, 120 steps, start states that are not zero. The vectors and the script
//! that makes them are in `tests/golden/`.

use std::path::Path;

use gatelet::net::Value;
use gatelet::{Scalar, Session, TokenId};
use gatelet_trainer::image::storage;
use gatelet_trainer::net::{Packs, Shard};
use gatelet_trainer::quantize::export::f32_image;
use gatelet_trainer::train::checkpoint::Checkpoint;
use safetensors::SafeTensors;

/// PyTorch sums in another order and has another exp: 120 steps of f32 differ by less than this.
const BOUND: f32 = 5e-5;

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

    fn tokens(&self) -> Vec<u16> {
        self.tensor("tokens").iter().map(|&id| id as u16).collect()
    }
}

fn assert_close(what: &str, found: impl IntoIterator<Item = f32>, expected: &[f32]) {
    let found: Vec<f32> = found.into_iter().collect();
    assert_eq!(found.len(), expected.len(), "{what}");
    let worst = found
        .iter()
        .zip(expected)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f32::max);
    assert!(worst <= BOUND, "{what}: off by {worst}");
}

/// Core's session from the start state PyTorch had, restored as a snapshot.
fn core_agrees(name: &str) {
    let golden = Golden::read(name);
    let image = f32_image(&golden.checkpoint).expect("an image");
    let model = image.model().expect("a good image");
    let net = model.net();
    let mut memory = storage(net);
    let mut session = Session::new(&model, Scalar, &mut memory).expect("room enough");

    let hidden = net.width(Value::of(0));
    // A snapshot is h of every layer, then c of every layer, each padded to the stride.
    let padded = |flat: Vec<f32>| -> Vec<u32> {
        let pad = vec![0; net.stride(Value::of(0)) - hidden];
        let vectors = flat.chunks(hidden);
        vectors
            .flat_map(|v| v.iter().map(|x| x.to_bits()).chain(pad.clone()))
            .collect()
    };
    let mut snapshot = padded(golden.tensor("h0"));
    snapshot.extend(padded(golden.tensor("c0")));
    assert!(snapshot.iter().any(|&word| word != 0));
    session
        .restore(&snapshot)
        .expect("a snapshot of this shape");

    let expected = golden.tensor("logits");
    let tokens = golden.tokens();
    assert!(tokens.len() >= 100 && net.recurrent_count() == 2 && hidden >= 2);
    for (t, (&id, expected)) in tokens.iter().zip(expected.chunks(net.vocab())).enumerate() {
        let logits = session.step(TokenId(id)).expect("in range");
        let found = (0..net.vocab() as u16).filter_map(|id| logits.get(TokenId(id)));
        assert_close(&format!("{name}, logits of step {t}"), found, expected);
    }
    session.snapshot(&mut snapshot).expect("the right length");
    let mut last = padded(golden.tensor("h"));
    last.extend(padded(golden.tensor("c")));
    let last: Vec<f32> = last.into_iter().map(f32::from_bits).collect();
    assert_close(
        &format!("{name}, last state"),
        snapshot.into_iter().map(f32::from_bits),
        &last,
    );
}

/// The trainer's forward pass: the carried state after the window, and the loss PyTorch's logits give.
fn trainer_agrees(name: &str) {
    let golden = Golden::read(name);
    let net = golden.checkpoint.params.net();
    let tokens = golden.tokens();
    let steps = tokens.len();
    let mut shard = Shard::<f32>::new(net, 1, steps);
    let (h0, c0) = (golden.tensor("h0"), golden.tensor("c0"));
    let hidden = net.width(Value::of(0));
    for layer in 0..net.recurrent_count() {
        let part = layer * hidden..(layer + 1) * hidden;
        let (h, c) = shard.state_mut(layer);
        h.copy_from_slice(&h0[part.clone()]);
        if !c.is_empty() {
            c.copy_from_slice(&c0[part]);
        }
    }
    let target = |t: usize| tokens[(t + 1) % steps];
    shard.load(|_, t| (tokens[t], target(t)));
    let loss = shard.forward(&Packs::of(&golden.checkpoint.params), 1.0);

    let logits = golden.tensor("logits");
    let expected: f64 = logits
        .chunks(net.vocab())
        .enumerate()
        .map(|(t, row)| {
            let sum: f64 = row.iter().map(|&x| f64::from(x).exp()).sum();
            sum.ln() - f64::from(row[usize::from(target(t))])
        })
        .sum();
    assert!(
        (loss - expected).abs() < 1e-3,
        "{name}: {loss} nats, PyTorch {expected}"
    );

    shard.carry();
    let (last_h, last_c) = (golden.tensor("h"), golden.tensor("c"));
    let hidden = net.width(Value::of(0));
    for layer in 0..net.recurrent_count() {
        let part = layer * hidden..(layer + 1) * hidden;
        let (h, c) = shard.state(layer);
        assert_close(
            &format!("{name}, h of layer {layer}"),
            h.iter().copied(),
            &last_h[part.clone()],
        );
        if !c.is_empty() {
            assert_close(
                &format!("{name}, c of layer {layer}"),
                c.iter().copied(),
                &last_c[part],
            );
        }
    }
}

#[test]
fn core_lstm_agrees_with_pytorch() {
    core_agrees("lstm");
}

#[test]
fn core_rnn_agrees_with_pytorch() {
    core_agrees("rnn");
}

#[test]
fn trainer_gru_agrees_with_pytorch() {
    trainer_agrees("gru");
}

#[test]
fn trainer_lstm_agrees_with_pytorch() {
    trainer_agrees("lstm");
}

#[test]
fn trainer_rnn_agrees_with_pytorch() {
    trainer_agrees("rnn");
}
