//! The net that sequences ask for, and whether one that is given fits them.
//!
//! ```text
//! numbers   features [width] -> cells -> [projection] -> head, a number for each class or value
//! tokens    a token -> [embedding] -> the same
//! ```

use gatelet::net::{Net, Output, Precision, Value};
use gatelet_series::Set;

use super::options::SeriesOptions;
use super::part::Part;
use crate::error::{Error, Result};
use crate::net::Interface;
use crate::train::config::Config;
use crate::train::layers::Layers;

/// A net that is gone on from.
#[derive(Clone, Debug)]
pub struct Given {
    /// The net.
    pub net: Net,
    /// Its names.
    pub interface: Interface,
    /// Whether it is trained for integers: those are of the data's numbers, so that nothing is
    /// taken away from them.
    pub for_integers: bool,
}

/// The net of the options, for a part's data.
///
/// # Errors
/// A net that cannot be.
pub(super) fn net(part: &Part, options: &SeriesOptions, config: &Config) -> Result<Net> {
    let outputs = part.set().outputs();
    let shape = config.shape(options.tokens);
    let net = match options.tokens {
        0 => {
            let plain = Layers {
                embedding: 0,
                tied: false,
                ..shape
            };
            plain.over(Net::features(Precision::F32, part.set().width()), outputs)
        }
        tokens => shape.over(Net::tokens(Precision::F32, tokens), outputs),
    };
    let net = match options.task.is_of_classes() {
        true => net.scores(),
        false => net.values(),
    };
    net.checked()
        .map_err(|error| Error::Some(error.to_string()))
}

/// Checks that a net takes these features and gives what is asked for.
pub(super) fn check(net: &Net, part: &Part, options: &SeriesOptions) -> Result<()> {
    let (width, outputs) = (part.set().width(), part.set().outputs());
    let scores = matches!(net.output(0), Some(Output::Scores(_)));
    let say = |what: String| Err(Error::Some(what));
    let tokens = options.tokens;
    if tokens > 0 || net.takes_tokens() {
        if net.vocab() != tokens {
            return say(format!(
                "the net takes one of {} tokens a step, and --tokens is {tokens}",
                net.vocab()
            ));
        }
    } else if net.width(Value::INPUT) != width {
        return say(format!(
            "the net takes {} numbers a step, and the data has {width} ({})",
            net.width(Value::INPUT),
            part.set().features().join(", ")
        ));
    }
    if scores != options.task.is_of_classes() || net.output_width(0) != outputs {
        return say(format!(
            "the net gives {} {}, and --task {} asks for {outputs} {}",
            net.output_width(0),
            if scores { "scores" } else { "values" },
            options.task,
            if options.task.is_of_classes() {
                "scores"
            } else {
                "values"
            },
        ));
    }
    Ok(())
}

/// Checks that two sets have the same columns and classes.
pub(super) fn alike(set: &Set, other: &Set) -> Result<()> {
    let parts = [
        ("features", set.features(), other.features()),
        ("classes", set.classes(), other.classes()),
        ("targets", set.targets(), other.targets()),
    ];
    for (what, own, found) in parts {
        if own != found {
            return Err(Error::Some(format!(
                "the {what} of --valid are {}, and those that are learnt from {}",
                found.join(", "),
                own.join(", ")
            )));
        }
    }
    Ok(())
}
