//! Models with a front end: samples in pieces of any size, snapshots within a frame, the recipe in
//! every layout, and recipes that are refused.

use gatelet::format::{
    FeatureSpec, ImageSpec, OperationSpec, VocabSpec, front_end_of, image_len, session_words,
};
use gatelet::front::{FrontEnd as Recipe, FrontEndError};
use gatelet::net::{Activation, Capabilities, Kind, Net};
use gatelet::{
    Isa, Kernel, KnownAnswer, Layout, LoadError, Model, Only, Precision, Provenance, Scalar,
    Session, SessionError, StateHash, StepError, TextRules, WithKernel, WriteError,
};
use gatelet_tests::crc32;
use gatelet_trainer::data::front::{FrontEnd, features};
use gatelet_trainer::image::Image;
use gatelet_trainer::random;

const RECIPE: &str = "logmel:20,rate=8000,frame=25ms,hop=10ms,low=30";

fn front() -> FrontEnd {
    RECIPE.parse().expect("a recipe")
}

fn net(precision: Precision) -> Net {
    let head = Kind::Dense {
        units: 4,
        activation: Activation::None,
    };
    Net::features(precision, 20)
        .then(gatelet::Cell::Gru.kind(9))
        .then(head)
        .scores()
}

fn image(precision: Precision) -> Image {
    random::image_of_sound(&net(precision), front(), 5, "test").expect("a small net")
}

/// Noise that gets louder and fainter.
fn sound(len: usize) -> Vec<i16> {
    let mut seed = 9_u32;
    let mut next = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 16) as i16
    };
    (0..len).map(|n| next() >> (n / 300 % 14)).collect()
}

/// Outputs after every step, and the hash of all states.
struct Pieces<'a> {
    model: Model<'a>,
    samples: &'a [i16],
    size: usize,
}

impl WithKernel for Pieces<'_> {
    type Output = (Vec<u32>, u64);

    fn run<K: Kernel>(self, kernel: K) -> Self::Output {
        let mut storage = vec![7; self.model.session_words()];
        let mut session = Session::new(&self.model, kernel, &mut storage).expect("room");
        let (mut outputs, mut hash, mut steps) = (Vec::new(), StateHash::new(), 0);
        for piece in self.samples.chunks(self.size) {
            let made = session.push_samples(piece, |session| {
                outputs.extend(session.values(0).map(f32::to_bits));
                session.hash_into(&mut hash);
            });
            steps += made.expect("samples");
        }
        // 10 ms are 80 samples.
        assert_eq!(steps, self.samples.len() / 80);
        (outputs, hash.finish())
    }
}

#[test]
fn samples_are_steps_of_their_features_in_pieces_of_any_size() {
    let samples = sound(4_000);
    let all = features(&front(), &samples);
    for precision in [Precision::F32, Precision::Int8] {
        let image = image(precision);
        for isa in Isa::available() {
            let own = image.for_isa(isa).expect("a small net");
            let model = own.model().expect("a good image");
            struct Steps<'a>(Model<'a>, &'a [f32]);
            impl WithKernel for Steps<'_> {
                type Output = Vec<u32>;
                fn run<K: Kernel>(self, kernel: K) -> Vec<u32> {
                    let mut storage = vec![0; self.0.net().state_words()];
                    let mut session = Session::new(&self.0, kernel, &mut storage).expect("room");
                    let mut outputs = Vec::new();
                    for features in self.1.chunks_exact(20) {
                        session.step(features).expect("features");
                        outputs.extend(session.values(0).map(f32::to_bits));
                    }
                    outputs
                }
            }
            let stepped = isa.run(Steps(model, &all));
            let pieces = |size| {
                let samples = &samples;
                isa.run(Pieces {
                    model,
                    samples,
                    size,
                })
            };
            let whole = pieces(4_000);
            assert_eq!(whole.0, stepped, "{}", isa.name());
            for size in [1, 7, 80, 81, 333] {
                assert_eq!(pieces(size), whole, "{} {size}", isa.name());
            }
        }
    }
}

#[test]
fn a_snapshot_goes_on_within_a_frame() {
    let image = image(Precision::Int8);
    let model = image.model().expect("a good image");
    let samples = sound(1_000);
    let [mut one, mut two] = [(); 2].map(|()| vec![0; model.session_words()]);
    let mut session = Session::new(&model, Scalar, &mut one).expect("room");
    let mut other = Session::new(&model, Scalar, &mut two).expect("room");
    let (before, after) = samples.split_at(517);
    session.push_samples(before, |_| {}).expect("samples");
    assert_eq!(session.snapshot_words(), model.snapshot_words());
    let mut state = vec![0; model.snapshot_words()];
    session.snapshot(&mut state).expect("as many words");
    other.restore(&state).expect("as many words");
    let rest = |session: &mut Session<'_, '_, Scalar>, samples: &[i16]| {
        let mut outputs: Vec<f32> = Vec::new();
        let each = |session: &Session<'_, '_, Scalar>| outputs.extend(session.values(0));
        session.push_samples(samples, each).expect("samples");
        outputs
    };
    let gone_on = rest(&mut session, after);
    assert_eq!(gone_on.len(), 4 * (1_000 / 80 - 517 / 80));
    assert_eq!(rest(&mut other, after), gone_on);
    other.reset();
    session.reset();
    let fresh = rest(&mut session, &samples);
    assert_eq!(rest(&mut other, &samples), fresh);
    assert_eq!(fresh[4 * (517 / 80)..], gone_on);
    let short = &state[..model.net().snapshot_words()];
    assert!(session.restore(short).is_err());
}

#[test]
fn the_recipe_is_in_every_layout() {
    for precision in [Precision::F32, Precision::Int8] {
        let image = image(precision);
        let model = image.model().expect("a good image");
        assert!(model.needs().has(Capabilities::FRONT_END));
        assert_eq!(model.front_end(), Some(front().0));
        let words = model.net().state_words() + front().0.words();
        assert_eq!(model.session_words(), words);
        for layout in Layout::ALL {
            if layout.check(model.net()).is_err() {
                continue;
            }
            let packed = image.repacked(layout).expect("a layout it can have");
            assert_eq!(front_end_of(packed.bytes()), Some(front().0), "{layout}");
            assert_eq!(session_words(packed.bytes()), Some(words));
            assert_eq!(packed.model().expect("good").front_end(), Some(front().0));
            let back = packed.repacked(Layout::Rows).expect("its own layout");
            assert!(back.bytes() == image.bytes(), "{layout}");
        }
        let plain = random::image(&net(precision), false, 5, "test").expect("a small net");
        assert_eq!(front_end_of(plain.bytes()), None);
        let plain_words = session_words(plain.bytes());
        assert_eq!(plain_words, Some(model.net().state_words()));
    }
}

#[test]
fn a_session_without_a_front_end_takes_no_samples() {
    let with = image(Precision::Int8);
    let model = with.model().expect("a good image");
    let mut storage = vec![0; model.session_words() - 1];
    let mut session = Session::new(&model, Scalar, &mut storage).expect("room for the net");
    let need = front().0.words();
    let refused = session.push_samples(&[0; 100], |_| {});
    assert_eq!(refused, Err(StepError::Samples { need }));
    assert!(session.step(&[1.0; 20]).is_ok());

    let plain = random::image(&net(Precision::Int8), false, 5, "test").expect("a small net");
    let plain = plain.model().expect("a good image");
    let mut storage = vec![0; 10_000];
    let mut session = Session::new(&plain, Scalar, &mut storage).expect("room");
    let refused = session.push_samples(&[0; 100], |_| {});
    assert_eq!(refused, Err(StepError::Samples { need: 0 }));
    // GRU, features, dense operation, int8: as a program is that was made for `plain`.
    const NET: u32 = Capabilities::FEATURES
        .and(Capabilities::GRU)
        .and(Capabilities::DENSE)
        .and(Capabilities::INT8)
        .bits();
    type OnlyNet = Only<Scalar, NET>;
    assert_eq!(plain.needs().bits(), NET);
    let mut storage = vec![0; 10_000];
    let refused = Session::new(&model, OnlyNet::default(), &mut storage).map(|_| ());
    let missing = Capabilities::FRONT_END;
    assert_eq!(refused, Err(SessionError::Lacks { missing }));
    let unknown = Capabilities::FRONT_END;
    let refused = Model::from_bytes_for(with.bytes(), OnlyNet::default()).map(|_| ());
    assert_eq!(refused, Err(LoadError::Needs { unknown }));
}

/// The image with another recipe and right checksums; none where those have not the same lengths.
fn forged(image: &Image, word: usize, value: u32) -> Option<Vec<u8>> {
    let model = image.model().expect("a good image");
    let section = model.sections().next().expect("the recipe comes first");
    assert_eq!(section.name.to_string(), "front end");
    let mut bytes = image.bytes().to_vec();
    let recipe = section.offset..section.offset + section.bytes;
    bytes[recipe.start + 4 * word..][..4].copy_from_slice(&value.to_le_bytes());
    let number = |mut n: u32| {
        let mut bytes = Vec::new();
        while n >= 0x80 {
            bytes.push(n as u8 | 0x80);
            n >>= 7;
        }
        bytes.push(n as u8);
        bytes
    };
    let (old, new) = (number(section.crc32), number(crc32(&bytes[recipe])));
    if old.len() != new.len() {
        return None;
    }
    let header = 32..32 + u32::from_le_bytes(bytes[12..16].try_into().ok()?) as usize;
    let at = bytes[header.clone()]
        .windows(old.len())
        .position(|found| found == old)?;
    bytes[header.start + at..][..old.len()].copy_from_slice(&new);
    let sum = crc32(&bytes[header]);
    bytes[20..24].copy_from_slice(&sum.to_le_bytes());
    Some(bytes)
}

/// Why the first of these values that can be put there is refused.
fn refused(word: usize, values: impl IntoIterator<Item = u32>) -> LoadError {
    let image = image(Precision::Int8);
    let mut all = values.into_iter();
    let bytes = all.find_map(|value| forged(&image, word, value));
    let bytes = Image::from_bytes(&bytes.expect("one of them"));
    let error = bytes.model().map(|_| ()).expect_err("a bad recipe");
    assert_eq!(
        front_end_of(bytes.bytes()).is_some(),
        matches!(error, LoadError::FrontEnd(FrontEndError::Width { .. }))
    );
    error
}

#[test]
fn a_recipe_that_cannot_be_is_refused_by_its_field() {
    use FrontEndError as E;
    use LoadError::FrontEnd as F;
    assert!(matches!(
        refused(0, 0..1_000),
        F(E::Rate { found: 0..1_000 })
    ));
    assert!(matches!(
        refused(1, 1_025..2_000),
        F(E::Frame { found: 1_025.. })
    ));
    assert!(matches!(
        refused(2, 201..2_000),
        F(E::Hop {
            found: 201..,
            frame: 200
        })
    ));
    assert!(matches!(
        refused(3, 3_800..9_000),
        F(E::Range { most: 4_000, .. })
    ));
    assert!(matches!(
        refused(4, 4_001..9_000),
        F(E::Range { most: 4_000, .. })
    ));
    assert!(matches!(
        refused(5, 122..200),
        F(E::Bands {
            found: 122..,
            most: 121
        })
    ));
    assert!(matches!(
        refused(6, 21..200),
        F(E::Coefficients {
            found: 21..,
            bands: 20
        })
    ));
    assert!(matches!(
        refused(5, 21..100),
        F(E::Width {
            found: 21..,
            net: 20
        })
    ));
    assert!(matches!(
        refused(6, 1..20),
        F(E::Width {
            found: 1..20,
            net: 20
        })
    ));
}

#[test]
fn a_writer_refuses_what_a_reader_would() {
    let length = |net, front_end| {
        let spec = ImageSpec {
            net,
            layout: Layout::Rows,
            vocab: VocabSpec::None,
            features: FeatureSpec {
                front_end: Some(front_end),
                ..FeatureSpec::default()
            },
            operations: &[OperationSpec::default(); 2][..net.len()],
            outputs: Default::default(),
            provenance: Provenance::default(),
            known_answer: KnownAnswer::default(),
            rules: TextRules::default(),
        };
        image_len(&spec)
    };
    let good = front().0;
    assert!(length(net(Precision::F32), good).is_ok());
    let error = FrontEndError::Rate { found: 7 };
    let bad = Recipe { rate: 7, ..good };
    assert_eq!(
        length(net(Precision::F32), bad),
        Err(WriteError::FrontEnd(error))
    );
    let tokens = Net::tokens(Precision::F32, 20)
        .then(gatelet::Cell::Gru.kind(9))
        .scores();
    let error = FrontEndError::Width { found: 20, net: 0 };
    assert_eq!(length(tokens, good), Err(WriteError::FrontEnd(error)));
}

/// The bit alone, on an image of tokens or without the section.
#[test]
fn the_bit_of_a_front_end_needs_the_section() {
    let image = random::image(&net(Precision::Int8), false, 5, "test").expect("a small net");
    let mut bytes = image.bytes().to_vec();
    bytes[24..28].copy_from_slice(&{
        let needs = image.model().expect("good").needs();
        needs.and(Capabilities::FRONT_END).bits().to_le_bytes()
    });
    let error = Image::from_bytes(&bytes)
        .model()
        .map(|_| ())
        .expect_err("no recipe");
    assert!(
        matches!(
            error,
            LoadError::HeaderEncoding | LoadError::Field { .. } | LoadError::SectionCount { .. }
        ),
        "{error}"
    );
}
