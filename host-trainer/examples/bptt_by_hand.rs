//! Backpropagation through time with numbers one can follow: an RNN of one unit over three steps.
//!
//! ```text
//! forward, t = 1, 2, 3    z_t = u[x_t] + w h_(t-1) + b         h_t = tanh z_t          h_0 = 0
//!                         s_t = v h_t + k  (for a and b)       p_t = softmax s_t       L_t = -ln p_t[y_t]
//! backward, t = 3, 2, 1   ds_t = p_t - onehot(y_t)             dv += ds_t h_t          dk += ds_t
//!                         dh_t = v . ds_t + w dz_(t+1)         what its own prediction says, and what the later ones do
//!                         dz_t = dh_t (1 - h_t^2)
//!                         du[x_t] += dz_t                      dw += dz_t h_(t-1)      db += dz_t
//! ```
//! The same w is used in every step, so its gradient is a sum over the steps: that is all there is to "through time".
//! The eight gradients are computed by hand below, by the library, and by finite differences, and have to be equal.
//!
//! `cargo run --release --example bptt_by_hand`

use std::array::from_fn;

use gatelet_trainer::analysis::lag;
use gatelet_trainer::net::{Net, Packs, Params, Role, Shard};
use gatelet_trainer::train::config::Config;
use gatelet_trainer::train::layers::Cell;

/// Two tokens, and the text "abab": after a comes b, and after b comes a.
const NAMES: [&str; 2] = ["a", "b"];
const INPUTS: [usize; 3] = [0, 1, 0];
const TARGETS: [usize; 3] = [1, 0, 1];

/// Name, value and place (operation and role, and which number) of every parameter: round numbers.
const PARAMETERS: [(&str, f64, (usize, Role), usize); 8] = [
    ("u[a]", 0.5, (0, Role::Rows), 0),
    ("u[b]", -1.0, (0, Role::Rows), 1),
    ("w", 2.0, (0, Role::Recurrent), 0),
    ("b", 0.0, (0, Role::Bias), 0),
    ("v[a]", -1.0, (1, Role::Weight), 0),
    ("v[b]", 1.0, (1, Role::Weight), 1),
    ("k[a]", 0.0, (1, Role::Bias), 0),
    ("k[b]", 0.5, (1, Role::Bias), 1),
];

/// The loss of a window in the library, and the gradient it computes.
fn library(net: &Net, values: &[f64; 8]) -> (f64, [f64; 8]) {
    let mut params = Params::<f64>::zeros(*net);
    for (&(_, _, (operation, role), at), &value) in PARAMETERS.iter().zip(values) {
        params.tensor_mut(operation, role)[at] = value;
    }
    let mut shard = Shard::new(net, 1, INPUTS.len());
    shard.load(|_, t| (INPUTS[t] as u16, TARGETS[t] as u16));
    let packs = Packs::of(&params);
    let loss = shard.forward(&packs, 1.0);
    shard.backward(&packs);
    let gradient =
        PARAMETERS.map(|(_, _, (operation, role), at)| shard.gradient.tensor(operation, role)[at]);
    (loss, gradient)
}

fn main() {
    let values = PARAMETERS.map(|(_, value, _, _)| value);
    let [ua, ub, w, b, va, vb, ka, kb] = values;
    let (u, v, k) = ([ua, ub], [va, vb], [ka, kb]);
    println!("an RNN of one unit reads a, b, a and has to say b, a, b");
    for (name, value, ..) in PARAMETERS {
        print!("  {name} = {value}");
    }

    println!(
        "\n\nforward: z_t = u[x_t] + w h_(t-1) + b,  h_t = tanh z_t,  p_t = softmax(v h_t + k)"
    );
    // h[0] is the state before the first step: h[t] belongs to step t.
    let (mut h, mut p, mut loss) = ([0.0; 4], [[0.0; 2]; 4], 0.0);
    for t in 1..=3 {
        let (x, y) = (INPUTS[t - 1], TARGETS[t - 1]);
        let z = u[x] + w * h[t - 1] + b;
        h[t] = z.tanh();
        let s: [f64; 2] = from_fn(|n| v[n] * h[t] + k[n]);
        let sum = s[0].exp() + s[1].exp();
        p[t] = s.map(|s| s.exp() / sum);
        let nats = -p[t][y].ln();
        loss += nats;
        println!(
            "  t={t}  x={}  z = {:.1} + {w:.1} * {:.4} + {b:.1} = {z:.4}  h = {:.4}  p(a) = {:.4}  p(b) = {:.4}  \
             y={}  L = {nats:.4}",
            NAMES[x],
            u[x],
            h[t - 1],
            h[t],
            p[t][0],
            p[t][1],
            NAMES[y]
        );
    }
    println!("  L = L_1 + L_2 + L_3 = {loss:.6}");

    println!(
        "\nbackward: ds_t = p_t - onehot(y_t),  dh_t = v . ds_t + w dz_(t+1),  dz_t = dh_t (1 - h_t^2)"
    );
    let (mut du, mut dw, mut db) = ([0.0; 2], 0.0, 0.0);
    let (mut dv, mut dk) = ([0.0; 2], [0.0; 2]);
    // dz of the step after; there is none after the last.
    let mut later = 0.0;
    for t in [3, 2, 1] {
        let (x, y) = (INPUTS[t - 1], TARGETS[t - 1]);
        let mut ds = p[t];
        ds[y] -= 1.0;
        let own = v[0] * ds[0] + v[1] * ds[1];
        let through_time = w * later;
        let dz = (own + through_time) * (1.0 - h[t] * h[t]);
        println!(
            "  t={t}  ds = ({:.4}, {:.4})  dh = {own:.4} (its own) + {through_time:.4} (through time)  \
             dz = {:.4} * (1 - {:.4}) = {dz:.4}",
            ds[0],
            ds[1],
            own + through_time,
            h[t] * h[t]
        );
        println!(
            "       du[{}] += {dz:.4}   dw += {dz:.4} * {:.4} = {:.4}   db += {dz:.4}   dv += ({:.4}, {:.4})   dk += ds",
            NAMES[x],
            h[t - 1],
            dz * h[t - 1],
            ds[0] * h[t],
            ds[1] * h[t]
        );
        du[x] += dz;
        dw += dz * h[t - 1];
        db += dz;
        for n in 0..2 {
            dv[n] += ds[n] * h[t];
            dk[n] += ds[n];
        }
        later = dz;
    }
    let by_hand = [du[0], du[1], dw, db, dv[0], dv[1], dk[0], dk[1]];

    let config = Config {
        cell: Cell::Rnn,
        hidden: 1,
        ..Config::default()
    };
    let net = config.shape(NAMES.len()).net();
    let (library_loss, by_library) = library(&net, &values);
    assert!((library_loss - loss).abs() < 1e-12, "{library_loss} {loss}");
    println!("\ngradient    by hand      the library  (L(x + e) - L(x - e)) / 2e");
    for (index, (name, ..)) in PARAMETERS.iter().enumerate() {
        const STEP: f64 = 1e-5;
        let at = |by: f64| {
            let mut values = values;
            values[index] += by;
            library(&net, &values).0
        };
        let differences = (at(STEP) - at(-STEP)) / (2.0 * STEP);
        let (hand, found) = (by_hand[index], by_library[index]);
        println!("  {name:<6} {hand:>12.9} {found:>12.9} {differences:>12.9}");
        assert!(
            (hand - found).abs() < 1e-12,
            "{name}: by hand {hand}, the library {found}"
        );
        assert!(
            (hand - differences).abs() < 1e-8,
            "{name}: {hand}, differences {differences}"
        );
    }

    // What reaches the first step of the last loss has gone through w (1 - h^2) twice.
    let factors = [3, 2].map(|t| w * (1.0 - h[t] * h[t]));
    let product = factors[0] * factors[1];
    println!(
        "\nof L_3 reaches h_1: dL_3/dh_1 = dL_3/dh_3 * w (1 - h_3^2) * w (1 - h_2^2) = dL_3/dh_3 * {:.4} * {:.4} = \
         dL_3/dh_3 * {product:.4}",
        factors[0], factors[1]
    );
    let mut single = Params::<f32>::zeros(net);
    for (_, value, (operation, role), at) in PARAMETERS {
        single.tensor_mut(operation, role)[at] = value as f32;
    }
    let part = lag::of_last(&single, &[vec![0, 1, 0, 1]]).part(2);
    assert!((part - product.abs()).abs() < 1e-12, "{part} {product}");
    println!(
        "a factor below 1 at every step is the vanishing gradient, one above 1 the exploding one: vanishing_gradients"
    );
}
