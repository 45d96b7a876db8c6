//! The order of modules where names and shapes leave one reading only.
//!
//! ```text
//! all chains through all modules in which each reads as many numbers as the one before makes
//! - the file's own order, where it has one, if it is among them
//! - else the only one with all recurrent modules before the linear ones, names counting up
//! ```
//! A state dict does not name functions. Where a linear module is followed by another module there
//! is most likely one between them, so that is not guessed.

use super::modules::{Gates, Kind, Module};
use super::order::{Item, Order, What};
use crate::error::{Error, Result, refused};

/// More modules than that are not tried in all orders.
const MANY: usize = 8;

/// The order, and what is to be said of it.
pub(super) fn order(modules: &[Module], ordered: bool) -> Result<(Order, Vec<String>)> {
    for module in modules {
        if let Kind::Other(what, remedy) = &module.kind {
            return Err(refused(&module.title(), what.as_str(), *remedy));
        }
    }
    if modules.is_empty() {
        return Err(Error::Order("the file holds no tensors".to_owned()));
    }
    let own: Vec<usize> = (0..modules.len()).collect();
    let chain = match ordered && fits(modules, &own) {
        true => Some(own.clone()),
        false => one(modules),
    };
    let Some(chain) = chain else {
        return Err(ask(
            modules,
            &own,
            "names and shapes leave more than one order, or none",
        ));
    };
    let chained = || chain.iter().map(|k| &modules[*k]);
    let mut before: Option<&Module> = None;
    for module in chained() {
        if let Kind::Recurrent {
            gates: Gates::Rnn, ..
        } = module.kind
        {
            let what = format!("whether {} is of tanh or relu is not in it", module.title());
            return Err(ask(modules, &chain, &what));
        }
        if let Some(linear) = before.filter(|_| !matches!(module.kind, Kind::Norm { .. })) {
            let what = format!(
                "between {} and {} there is most likely a function, and the file does not name it",
                linear.title(),
                module.title()
            );
            return Err(ask(modules, &chain, &what));
        }
        let linear = matches!(module.kind, Kind::Linear { .. }) && !embeds(modules, &chain, module);
        if linear {
            before = Some(module);
        }
    }
    let mut items = Vec::new();
    for module in chained() {
        let what = match &module.kind {
            Kind::Recurrent { gates, .. } => What::Recurrent(*gates),
            Kind::Norm { .. } => What::Norm,
            _ if embeds(modules, &chain, module) => What::Embedding,
            _ => What::Linear,
        };
        let mut item = Item::new(what, "");
        item.name = Some(module.name.clone());
        items.push(item);
    }
    let order = Order {
        input: None,
        items,
        outputs: Vec::new(),
    };
    let note = format!(
        "the order was found from names and shapes: {}; a state dict names no functions, so none \
         were added: if the net has one, write it with --net, as in --net \"{}, sigmoid\"",
        text(modules, &chain),
        text(modules, &chain)
    );
    Ok((order, vec![note]))
}

/// Whether a module is an embedding: the first, without a bias, and what follows reads its columns.
fn embeds(modules: &[Module], chain: &[usize], module: &Module) -> bool {
    let first = chain.first().and_then(|k| modules.get(*k));
    let next = chain.get(1).and_then(|k| modules.get(*k));
    first == Some(module) && next.is_some_and(|next| table(module, next))
}

/// Whether `a` can be the table of an embedding before `b`, and cannot be linear.
fn table(a: &Module, b: &Module) -> bool {
    let named = a.name.to_lowercase().contains("emb");
    match a.kind {
        Kind::Linear {
            bias: None,
            rows,
            columns,
            ..
        } => columns == b.widths().0 && (named || rows != columns),
        _ => false,
    }
}

/// Whether module `b` can read what `a` makes, which is the first or not.
fn follows(a: &Module, b: &Module, first: bool) -> bool {
    a.widths().1 == b.widths().0 || (first && table(a, b))
}

fn fits(modules: &[Module], chain: &[usize]) -> bool {
    let pairs = chain.windows(2).enumerate();
    let mut pairs = pairs.map(|(place, pair)| (place == 0, &modules[pair[0]], &modules[pair[1]]));
    pairs.all(|(first, a, b)| follows(a, b, first))
}

/// The only chain with recurrent modules before linear ones and names that count up.
fn one(modules: &[Module]) -> Option<Vec<usize>> {
    if modules.len() > MANY {
        return None;
    }
    let mut found = Vec::new();
    chains(modules, &mut Vec::new(), &mut found);
    found.retain(|chain| {
        let kinds = chain.iter().map(|k| &modules[*k].kind);
        let mut linear = false;
        kinds
            .into_iter()
            .enumerate()
            .all(|(place, kind)| match kind {
                // The first one may be an embedding.
                Kind::Linear { bias: None, .. } if place == 0 => true,
                Kind::Linear { .. } => {
                    linear = true;
                    true
                }
                Kind::Recurrent { .. } => !linear,
                _ => true,
            })
    });
    if found.len() > 1 {
        found.retain(|chain| counts_up(modules, chain));
    }
    match found.as_slice() {
        [one] => Some(one.clone()),
        _ => None,
    }
}

fn chains(modules: &[Module], chain: &mut Vec<usize>, found: &mut Vec<Vec<usize>>) {
    if chain.len() == modules.len() {
        found.push(chain.clone());
        return;
    }
    for next in 0..modules.len() {
        let first = chain.len() == 1;
        let last = chain.last().map(|last| &modules[*last]);
        let fits = last.is_none_or(|last| follows(last, &modules[next], first));
        if fits && !chain.contains(&next) {
            chain.push(next);
            chains(modules, chain, found);
            chain.pop();
        }
    }
}

/// Whether of all names that differ in a number at their end, the lower one comes first.
fn counts_up(modules: &[Module], chain: &[usize]) -> bool {
    let split = |k: &usize| {
        let name = modules[*k].name.as_str();
        let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
        (stem, name[stem.len()..].parse::<u64>().unwrap_or(0))
    };
    let names: Vec<_> = chain.iter().map(split).collect();
    let mut pairs = (0..names.len()).flat_map(|b| (0..b).map(move |a| (a, b)));
    pairs.all(|(a, b)| names[a].0 != names[b].0 || names[a].1 < names[b].1)
}

/// The text of `--net` for a chain.
pub(super) fn text(modules: &[Module], chain: &[usize]) -> String {
    let mut parts = Vec::new();
    for module in chain.iter().filter_map(|k| modules.get(*k)) {
        let same = modules.iter().filter(|other| {
            std::mem::discriminant(&other.kind) == std::mem::discriminant(&module.kind)
                && other.widths() == module.widths()
        });
        let name = match same.count() {
            1 => String::new(),
            _ => format!(" {}", module.name),
        };
        let output = module.widths().1;
        parts.push(match &module.kind {
            Kind::Recurrent {
                gates: Gates::Rnn, ..
            } => format!("rnn {output} tanh{name}"),
            Kind::Recurrent { gates, .. } => {
                format!("{} {output}{name}", gates.name().to_lowercase())
            }
            Kind::Linear { columns, .. } if embeds(modules, chain, module) => {
                format!("embedding {columns}{name}")
            }
            Kind::Linear { .. } => format!("linear {output}{name}"),
            Kind::Norm { .. } => format!("batchnorm1d {output}{name}"),
            Kind::Other(..) => format!("unused {}", module.name),
        });
    }
    parts.join(", ")
}

/// All modules, for a message.
fn listed(modules: &[Module]) -> String {
    let all: Vec<String> = modules.iter().take(16).map(ToString::to_string).collect();
    all.join(", ")
}

/// The error that shows what there is and what to write.
fn ask(modules: &[Module], chain: &[usize], why: &str) -> Error {
    Error::Order(format!(
        "the file does not say how its modules follow each other ({why}); it has {}; write the \
         order with its functions, as in --net \"{}\"",
        listed(modules),
        text(modules, chain)
    ))
}

/// The error for an order that does not fit the file.
pub(super) fn misfit(modules: &[Module], why: &str) -> Error {
    let all = listed(modules);
    Error::Order(format!(
        "the order does not fit the file: {why}; the file has {all}"
    ))
}
