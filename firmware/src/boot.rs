//! Is the embedded model sound, and what is it? Checked at every start, before the first key.
//!
//! Two checks, in this order: the image's structure and checksums ([`Model::from_bytes`]), then its
//! known-answer test: a few tokens through the very kernel that will run, against the states the
//! exporter saw. The first finds damaged flash, the second a kernel that computes something else.

use core::fmt::{self, Display, Formatter};

use embedded_io::Write;
use gatelet::net::Net;
use gatelet::{Kernel, LoadError, Model, Normalisation, SelfTestError};

use crate::ending::Ending;
use crate::tokens::{are_bytes, are_words};
use crate::view::View;
use crate::write::Writing;

/// Why a model is not used.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Refused {
    /// The image is damaged, or no model.
    Image(LoadError),
    /// The image is sound, but gives other states than the exporter saw.
    Answer(SelfTestError),
}

impl Display for Refused {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Refused::Image(error) => Display::fmt(error, f),
            Refused::Answer(error) => Display::fmt(error, f),
        }
    }
}

impl From<Refused> for gatelet::Error {
    fn from(why: Refused) -> Self {
        match why {
            Refused::Image(error) => error.into(),
            Refused::Answer(error) => error.into(),
        }
    }
}

/// Checks an image with the kernel that will run it, and puts its model into `place`. `storage`
/// holds at least the words of its session.
///
/// # Errors
/// Says what is wrong with the image.
pub fn check<'p, 'm, K: Kernel>(
    place: &'p mut Option<Model<'m>>,
    image: &'m [u8],
    kernel: K,
    storage: &mut [u32],
) -> Result<&'p Model<'m>, Refused> {
    let model = Model::load_in(place, image, kernel).map_err(Refused::Image)?;
    model.self_test(kernel, storage).map_err(Refused::Answer)?;
    Ok(model)
}

/// The layers of a net, each after a comma.
struct Layers<'a>(&'a Net);

impl Display for Layers<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let kinds = self.0.operations().map(|of| of.kind);
        for kind in kinds.filter(|kind| kind.is_recurrent()) {
            write!(f, ", {} {}", kind.name(), kind.units())?;
        }
        Ok(())
    }
}

/// Says what runs: the model's name, shape, size, and the kernel; and how it writes.
///
/// # Errors
/// Passes on what the terminal says.
pub fn greet<S: Writing, W: Write, K: Kernel>(
    view: &mut View<W>,
    name: &str,
    model: &Model<'_>,
    kernel: K,
) -> Result<(), W::Error> {
    let net = model.net();
    let tested = model.known_answer().tokens.len();
    let vocab = model.vocab();
    let (token, tokens) = match (are_words(&vocab), are_bytes(&vocab)) {
        (true, _) => ("word", "words"),
        (_, true) => ("byte", "bytes"),
        _ => ("character", "characters"),
    };
    view.line(format_args!(""))?;
    view.line(format_args!(
        "gatelet {}: predicts what you type",
        env!("CARGO_PKG_VERSION")
    ))?;
    view.line(format_args!(
        "model {name}: {}{}, {} {tokens}, {} bytes",
        net.precision,
        Layers(net),
        net.vocab(),
        model.image_bytes()
    ))?;
    view.line(format_args!(
        "kernel {}, {} multiply-accumulates a {token}",
        K::NAME,
        net.macs_per_step()
    ))?;
    let rules = model.rules();
    if !rules.is_plain() {
        view.line(format_args!("learnt on text {rules}"))?;
    }
    if rules.normalisation != Normalisation::None {
        view.line(format_args!(
            "letters are taken as typed: nothing is normalised here"
        ))?;
    }
    let best = kernel.layout(net);
    if best != model.layout() {
        view.line(format_args!(
            "weights in {}; this kernel is several times faster with {best} (gatelet export --target)",
            model.layout()
        ))?;
    }
    view.line(format_args!(
        "checksums ok, known-answer test ok ({tested} {tokens})"
    ))?;
    view.line(format_args!(
        "Tab completes, Backspace takes back, Enter starts again"
    ))?;
    view.line(format_args!(
        "Ctrl-G writes on from seed {} ({}), Ctrl-N takes the next seed",
        S::SEED,
        S::SAID
    ))?;
    view.line(format_args!(""))
}

/// Says why the run before ended.
///
/// # Errors
/// Passes on what the terminal says.
pub fn tell<W: Write>(view: &mut View<W>, ending: Ending) -> Result<(), W::Error> {
    view.line(format_args!("error: the run before ended with {ending}"))
}

/// Says why a model is refused and what to do.
///
/// # Errors
/// Passes on what the terminal says.
pub fn refuse<W: Write>(view: &mut View<W>, name: &str, why: Refused) -> Result<(), W::Error> {
    view.line(format_args!(""))?;
    view.line(format_args!("error: model {name} refused: {why}"))?;
    view.line(format_args!(
        "Nothing is predicted with it. Flash an image with a sound model."
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{self, NET};
    use gatelet::Native;

    fn checked(image: &[u8]) -> Result<Model<'_>, Refused> {
        let storage = &mut [0; NET.state_words()];
        check(&mut None, image, Native::default(), storage).copied()
    }

    #[test]
    fn a_sound_model_is_greeted() {
        let image = fixtures::image();
        let model = checked(fixtures::image_bytes(&image)).unwrap();
        let mut view = View::new(Vec::new());
        greet::<fixtures::Settings, _, _>(&mut view, "small", &model, Native::default()).unwrap();
        let said = String::from_utf8(view.out().clone()).unwrap();
        assert!(
            said.contains("model small: int8, lstm 6, lstm 6, 12 characters"),
            "{said}"
        );
        assert!(
            said.contains("known-answer test ok (6 characters)"),
            "{said}"
        );
    }

    #[test]
    fn a_model_of_words_says_so() {
        let image = fixtures::image_of_words();
        let storage = &mut [0; fixtures::WORD_NET.state_words()];
        let image = fixtures::image_bytes(&image);
        let mut place = None;
        let model = check(&mut place, image, Native::default(), storage).unwrap();
        let mut view = View::new(Vec::new());
        greet::<fixtures::Settings, _, _>(&mut view, "small", model, Native::default()).unwrap();
        let said = String::from_utf8(view.out().clone()).unwrap();
        for part in ["14 words", "accumulates a word", "ok (6 words)"] {
            assert!(said.contains(part), "{said}");
        }
    }

    #[test]
    fn rules_for_the_text_are_said() {
        let rules = gatelet::TextRules {
            lower_case: true,
            normalisation: Normalisation::Nfc,
            unknown: true,
            ..gatelet::TextRules::default()
        };
        let image = fixtures::image_with(rules);
        let model = checked(fixtures::image_bytes(&image)).unwrap();
        let mut view = View::new(Vec::new());
        greet::<fixtures::Settings, _, _>(&mut view, "small", &model, Native::default()).unwrap();
        let said = String::from_utf8(view.out().clone()).unwrap();
        let line = "learnt on text lower case, NFC, unknown characters as U+FFFD";
        assert!(said.contains(line) && said.contains("as typed"), "{said}");
    }

    #[test]
    fn every_flipped_byte_is_refused_with_a_reason() {
        let mut image = fixtures::image();
        let length = fixtures::image_bytes(&image).len();
        for offset in 0..length {
            image.0[offset] ^= 1;
            let why = checked(&image.0[..length]).unwrap_err();
            let mut view = View::new(Vec::new());
            refuse(&mut view, "small", why).unwrap();
            let said = String::from_utf8(view.out().clone()).unwrap();
            assert!(
                said.contains("error: model small refused: "),
                "{offset}: {said}"
            );
            image.0[offset] ^= 1;
        }
    }

    #[test]
    fn a_wrong_answer_is_refused_though_the_checksums_are_right() {
        let image = fixtures::image_with_wrong_answer();
        let why = checked(fixtures::image_bytes(&image)).unwrap_err();
        assert!(
            matches!(why, Refused::Answer(SelfTestError::Mismatch { .. })),
            "{why}"
        );
    }
}
