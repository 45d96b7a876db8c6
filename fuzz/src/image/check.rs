//! What must hold of every image that is accepted.

use gatelet::format::{repack, repacked_len};
use gatelet::net::{Capabilities, Input};
use gatelet::{
    Batch, Dims, Isa, Kernel, Layout, Model, NativeInt4, Precision, Sampler, Scalar, Session,
    StateHash, TokenId, WithKernel,
};

use super::aligned::Aligned;
use super::bound::Bound;
use super::sound;
use crate::entropy::{Entropy, Source};

/// Tokens that a model takes.
const STEPS: usize = 32;

/// What a net is given in all steps: tokens, or `[steps, features]`.
#[derive(Clone, Debug)]
struct Given {
    tokens: Vec<TokenId>,
    features: Vec<f32>,
}

impl Given {
    fn new(model: &Model<'_>, entropy: &mut Entropy<'_>) -> Self {
        let (mut tokens, mut features) = (Vec::new(), Vec::new());
        match model.net().input {
            Input::Tokens { vocab } => {
                tokens = (0..STEPS)
                    .map(|_| TokenId(entropy.below(vocab) as u16))
                    .collect();
            }
            Input::Features { width, .. } => {
                let number = |_| {
                    let bits = entropy.random();
                    let x = (bits >> 40) as f32 / (1 << 22) as f32 - 2.0;
                    if bits.is_multiple_of(31) {
                        x * 32_768.0
                    } else {
                        x
                    }
                };
                features = (0..STEPS * width).map(number).collect();
            }
        }
        Self { tokens, features }
    }

    /// Takes step `index`.
    fn step<K: Kernel>(&self, session: &mut Session<'_, '_, K>, index: usize) {
        match self.tokens.get(index) {
            Some(&id) => {
                session.step(id).expect("a token of the vocabulary");
            }
            None => {
                let width = self.features.len() / STEPS;
                let features = &self.features[index * width..][..width];
                session.step(features).expect("numbers");
            }
        }
    }
}

/// What a pass left behind.
#[derive(Clone, Debug, PartialEq)]
struct Trace {
    /// Hash of the state after every step.
    hash: u64,
    /// The bits of all outputs after every step.
    outputs: Vec<u32>,
}

/// Feeds everything from the start state, in so many words of storage.
struct Pass<'a> {
    model: Model<'a>,
    given: &'a Given,
    words: usize,
}

impl WithKernel for Pass<'_> {
    type Output = Trace;

    fn run<K: Kernel>(self, kernel: K) -> Trace {
        let mut storage = vec![7; self.words];
        let mut session = Session::new(&self.model, kernel, &mut storage).expect("room enough");
        let (mut hash, mut outputs) = (StateHash::new(), Vec::new());
        for index in 0..STEPS {
            self.given.step(&mut session, index);
            for output in 0..self.model.net().output_len() {
                outputs.extend(session.values(output).map(f32::to_bits));
            }
            session.hash_into(&mut hash);
        }
        Trace {
            hash: hash.finish(),
            outputs,
        }
    }
}

/// One step from each of the specification's states. `states: [steps, snapshot_words]`: those
/// before the steps.
struct Steps<'a> {
    model: Model<'a>,
    tokens: &'a [TokenId],
    states: &'a [Vec<u32>],
}

impl WithKernel for Steps<'_> {
    /// The state and the scores after each.
    type Output = Vec<(Vec<u32>, Vec<f32>)>;

    fn run<K: Kernel>(self, kernel: K) -> Self::Output {
        let net = *self.model.net();
        let mut storage = vec![7; net.state_words() + net.pipeline_words()];
        let mut session = Session::new(&self.model, kernel, &mut storage).expect("room enough");
        let steps = self.tokens.iter().zip(self.states);
        let after = steps.map(|(&id, state)| {
            session.restore(state).expect("a snapshot's words");
            let logits = session.step(id).expect("a token of the vocabulary");
            let ids = (0..logits.len() as u16).map(TokenId);
            let scores = ids.map(|id| logits.get(id).expect("a score")).collect();
            let mut state = vec![0; net.snapshot_words()];
            session.snapshot(&mut state).expect("as many words");
            (state, scores)
        });
        after.collect()
    }
}

/// Three streams that take the same, each from another step on.
struct Streams<'a> {
    model: Model<'a>,
    given: &'a Given,
}

const STREAMS: usize = 3;

impl WithKernel for Streams<'_> {
    /// Hash of every stream's states.
    type Output = Vec<u64>;

    fn run<K: Kernel>(self, kernel: K) -> Vec<u64> {
        let mut storage = vec![7; STREAMS * self.model.net().state_words()];
        let mut batch = Batch::new(&self.model, kernel, STREAMS, &mut storage).expect("room");
        let mut hashes = [StateHash::new(); STREAMS];
        let (tokens, features) = (&self.given.tokens, &self.given.features);
        let width = features.len() / STEPS;
        for step in 0..STEPS {
            let at: [usize; STREAMS] = std::array::from_fn(|stream| (step + stream) % STEPS);
            if tokens.is_empty() {
                let now = at.map(|at| &features[at * width..][..width]).concat();
                batch.step_features(&now).expect("numbers");
            } else {
                let now = at.map(|at| tokens[at]);
                batch.step(&now).expect("tokens of the vocabulary");
            }
            for (stream, hash) in hashes.iter_mut().enumerate() {
                batch.hash_into(stream, hash);
                assert!(batch.values(stream, 0).all(f32::is_finite));
            }
        }
        hashes.iter().map(StateHash::finish).collect()
    }
}

/// Runs everything that an accepted image must pass.
pub(super) fn accepted(model: &Model<'_>, bytes: &[u8], entropy: &mut Entropy<'_>) {
    let net = *model.net();
    assert_eq!(gatelet::format::net_of(bytes), Some(net));
    assert_eq!(gatelet::format::front_end_of(bytes), model.front_end());
    let words = gatelet::format::session_words(bytes);
    assert_eq!(words, Some(model.session_words()));
    assert_eq!(model.image_bytes(), bytes.len());
    assert!(model.sections().all(|s| s.offset + s.bytes <= bytes.len()));
    if !model.vocab().is_empty() {
        assert_eq!(model.vocab().words().count(), net.vocab());
    }
    let _ = (model.provenance(), model.rules().to_string());

    if let Some(front) = model.front_end() {
        sound::accepted(model, front, entropy);
    }
    let given = Given::new(model, entropy);
    let other = entropy.one(&Layout::ALL);
    let packed = layouts(model, bytes, other);
    let models: Vec<Model<'_>> = packed
        .iter()
        .map(|image| Model::from_bytes(image.bytes()).expect("another layout of a good image"))
        .collect();
    let in_layout = |layout| {
        models
            .iter()
            .find(|model| model.layout() == layout)
            .copied()
    };
    let words = net.state_words();
    let pass = |model, words| Pass {
        model,
        given: &given,
        words,
    };
    let expected = pass(*model, words).run(Scalar);
    let finite = |&bits: &u32| f32::from_bits(bits).is_finite();
    assert!(expected.outputs.iter().all(finite));
    if let Some(&id) = given.tokens.first() {
        choices(*model, id, entropy);
    }
    let _ = model.self_test(Scalar, &mut vec![0; words]);

    let exact = net.precision == Precision::Int8;
    let reference = match exact {
        true => None,
        false => Reference::new(*model, &given.tokens),
    };
    let mut seen = 0;
    for isa in Isa::available() {
        let own = in_layout(isa.layout(&net));
        // In the layout it is given in, a kernel that reads another leaves it to the specification.
        let as_given = entropy.rarely(4).then_some(*model);
        for model in own.iter().copied().chain(as_given) {
            let found = isa.run(pass(model, words));
            let pipelined = isa.run(pass(model, words + net.pipeline_words()));
            assert_eq!(found, pipelined, "{}", isa.name());
            assert!(found.outputs.iter().all(finite), "{}", isa.name());
            if exact {
                assert_eq!(found, expected, "{}", isa.name());
            }
            if let Some(reference) = &reference {
                reference.check(model, isa, &given.tokens);
            }
            seen += 1;
        }
    }
    assert!(seen >= 2);
    if exact && model.needs().has(Capabilities::FOUR_BITS) {
        let found = pass(*model, words).run(NativeInt4::default());
        assert_eq!(found, expected, "4-bit kernel");
    }
    if let Some(isa) = pick(entropy)
        && let Some(model) = in_layout(isa.layout(&net))
    {
        let hashes = isa.run(Streams {
            model,
            given: &given,
        });
        if exact {
            assert_eq!(hashes[0], expected.hash, "a batch, {}", isa.name());
        }
    }
}

/// A kernel of this machine.
fn pick(entropy: &mut Entropy<'_>) -> Option<Isa> {
    let count = Isa::available().count();
    Isa::available().nth(entropy.below(count))
}

/// Scores are chosen from, whatever they are.
fn choices(model: Model<'_>, id: TokenId, entropy: &mut Entropy<'_>) {
    let mut storage = vec![0; model.net().state_words()];
    let mut session = Session::new(&model, Scalar, &mut storage).expect("room enough");
    let logits = session.step(id).expect("a token of the vocabulary");
    let unknown = model.vocab().unknown();
    let top = logits.top::<3>();
    assert!(
        top.iter()
            .all(|s| s.permille <= 1000 && Some(s.id) != unknown)
    );
    assert!(top.first().is_none_or(|best| best.id == logits.argmax()));
    let temperature = entropy.one(&[0.0, 0.01, 0.8, 1.0, 100.0]);
    let sampler = Sampler::new(entropy.random()).with_temperature(temperature);
    let sampler = sampler.and_then(|sampler| sampler.with_top_k(2));
    let sampler = sampler.and_then(|sampler| sampler.with_top_p(0.9));
    let drawn = sampler.expect("settings in range").sample(&logits);
    assert!(drawn.index() < model.net().output_width(0) && Some(drawn) != unknown);
}

/// The image in every layout that a kernel of this machine reads, and in one `other`. Written again
/// in its own it is the same bytes: nothing that a writer would not write was accepted.
fn layouts(model: &Model<'_>, bytes: &[u8], other: Layout) -> Vec<Aligned> {
    let net = *model.net();
    let same = repacked(model, model.layout()).expect("its own layout");
    assert!(same.bytes() == bytes, "a writer writes other bytes");
    let mut all = Vec::new();
    for layout in Layout::ALL {
        let read = Isa::available().any(|isa| isa.layout(&net) == layout);
        if !read && layout != other {
            continue;
        }
        // A shift that the layout's kernel does not have is refused.
        let Some(packed) = repacked(model, layout) else {
            assert!(layout == Layout::Pairs && layout != model.layout());
            continue;
        };
        if layout == other {
            let there = Model::from_bytes(packed.bytes()).expect("another layout of a good image");
            assert_eq!(*there.net(), net);
            let back = repacked(&there, model.layout()).expect("the layout it came from");
            assert!(back.bytes() == bytes, "there and back it is other bytes");
        }
        all.push(packed);
    }
    all
}

fn repacked(model: &Model<'_>, layout: Layout) -> Option<Aligned> {
    let mut packed = Aligned::zeroed(repacked_len(model, layout).ok()?);
    packed.len = repack(model, layout, packed.bytes_mut()).expect("as long as it said");
    Some(packed)
}

/// The specification's steps of an f32 model, and how far another kernel's may be from them.
struct Reference {
    /// The states before each step.
    states: Vec<Vec<u32>>,
    after: Vec<(Vec<u32>, Vec<f32>)>,
    bound: Bound,
    dims: Dims,
}

impl Reference {
    /// Nothing where there is no bound.
    fn new(model: Model<'_>, tokens: &[TokenId]) -> Option<Self> {
        let (bound, dims) = Bound::new(&model, STEPS)?;
        let mut storage = vec![0; dims.state_words()];
        let mut session = Session::new(&model, Scalar, &mut storage).expect("room enough");
        let states = tokens.iter().map(|&id| {
            let mut state = vec![0; dims.snapshot_words()];
            session.snapshot(&mut state).expect("as many words");
            session.step(id).expect("a token of the vocabulary");
            state
        });
        let states: Vec<Vec<u32>> = states.collect();
        let after = Steps {
            model,
            tokens,
            states: &states,
        }
        .run(Scalar);
        Some(Self {
            states,
            after,
            bound,
            dims,
        })
    }

    /// Every step of a kernel from the same state as the specification's is within the bound.
    fn check(&self, model: Model<'_>, isa: Isa, tokens: &[TokenId]) {
        let found = isa.run(Steps {
            model,
            tokens,
            states: &self.states,
        });
        let dims = &self.dims;
        for ((state, scores), (expected, expected_scores)) in found.iter().zip(&self.after) {
            let hidden = dims.layers * dims.stride();
            for (index, (&a, &b)) in state.iter().zip(expected).enumerate() {
                let layer = index % hidden / dims.stride();
                let bound = match index < hidden {
                    true => self.bound.hidden[layer],
                    false => self.bound.cell[layer],
                };
                let (a, b) = (f32::from_bits(a), f32::from_bits(b));
                within(a, b, bound, isa.name());
            }
            for (&a, &b) in scores.iter().zip(expected_scores) {
                assert!(a.abs() < 32_768.0);
                within(a, b, self.bound.logits, isa.name());
            }
        }
    }
}

fn within(found: f32, expected: f32, bound: f64, isa: &str) {
    let off = (f64::from(found) - f64::from(expected)).abs();
    // Not a number is not within it either.
    assert!(
        off <= bound,
        "{isa}: {found}, not {expected}, is off by {off}, more than {bound}"
    );
}
