//! What an export has to know of a net.

use gatelet::front::FrontEnd;
use gatelet::{KnownAnswer, Provenance, TextRules};

use super::{Label, Params, Plan};
use crate::data::corpus::Vocabulary;
use crate::net::{NamedOutput, Start};

/// A net, and where it comes from.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// Its parameters.
    pub params: &'a Params<f32>,
    /// Its tokens, if it was trained on a text, and how that was prepared.
    pub vocab: Option<&'a Vocabulary>,
    /// See `vocab`.
    pub rules: TextRules,
    /// What makes the net's features of samples, if they are made of such.
    pub front_end: Option<FrontEnd>,
    /// States to begin with that are not zero.
    pub starts: &'a [Start],
    /// Names of its outputs, or none.
    pub outputs: &'a [NamedOutput],
    /// Origin; the losses are not known yet.
    pub provenance: Provenance<'a>,
    /// The integers that it was trained for, if it was.
    pub plan: Option<Plan<'a>>,
    /// Then the held-out loss in nats of the float net from which that began.
    pub float_nats: Option<f64>,
}

impl<'a> Source<'a> {
    /// A net without a vocabulary, which begins with zeros and was not trained for integers.
    pub fn of_net(params: &'a Params<f32>, provenance: Provenance<'a>) -> Self {
        Self {
            params,
            vocab: None,
            rules: TextRules::default(),
            front_end: None,
            starts: &[],
            outputs: &[],
            provenance,
            plan: None,
            float_nats: None,
        }
    }

    /// What its image says; without a known answer.
    pub(crate) fn label(&self) -> Label<'a> {
        Label {
            net: *self.params.net(),
            vocab: self.vocab,
            front_end: self.front_end,
            starts: self.starts,
            provenance: self.provenance,
            known_answer: KnownAnswer::default(),
            rules: self.rules,
        }
    }
}
