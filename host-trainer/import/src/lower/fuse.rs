//! Layers of a file that become part of the dense layer before them.
//!
//! ```text
//! dense, then factor y + offset      rows and bias of the dense layer are multiplied and moved
//! dense, then f                      f becomes the dense layer's function
//! ```

use crate::draft::{Draft, Function, Kind};

/// How often each value is read, outputs included.
pub(super) fn uses(draft: &Draft) -> Vec<usize> {
    let mut uses = vec![0; draft.layers.len() + 1];
    let reads = draft.layers.iter().flat_map(|layer| &layer.reads);
    for value in reads.chain(draft.outputs.iter().map(|output| &output.value)) {
        if let Some(count) = uses.get_mut(*value) {
            *count += 1;
        }
    }
    uses
}

/// The dense layer without a function that alone makes what layer `index` alone reads.
fn source(draft: &Draft, uses: &[usize], index: usize) -> Option<usize> {
    let [mut value] = draft.layers[index].reads[..] else {
        return None;
    };
    loop {
        let layer = value.checked_sub(1).filter(|_| uses[value] == 1)?;
        match &draft.layers[layer].kind {
            Kind::Identity => value = *draft.layers[layer].reads.first()?,
            Kind::Dense { function, .. } => {
                return (*function == Function::Linear).then_some(layer);
            }
            _ => return None,
        }
    }
}

/// Makes affine layers and functions part of the dense layer before them, where nothing else reads
/// that.
pub(super) fn fuse(draft: &mut Draft) {
    let uses = uses(draft);
    for index in 0..draft.layers.len() {
        let Some(dense) = source(draft, &uses, index) else {
            continue;
        };
        let taken = draft.layers[index].kind.clone();
        let Kind::Dense {
            weight,
            bias,
            function,
        } = &mut draft.layers[dense].kind
        else {
            continue;
        };
        match taken {
            Kind::Activation(of) => *function = of,
            Kind::Affine { factor, offset } => {
                let of = |all: &[f32], k: usize| match all {
                    [one] => Some(*one),
                    all => all.get(k).copied(),
                };
                let one = |len| len == 1 || len == weight.rows;
                if !(one(factor.len()) && factor.len() == offset.len()) {
                    continue;
                }
                for (row, bias) in bias.iter_mut().enumerate() {
                    let (Some(f), Some(o)) = (of(&factor, row), of(&offset, row)) else {
                        continue;
                    };
                    let row = weight.data.iter_mut().skip(row * weight.columns);
                    row.take(weight.columns).for_each(|w| *w *= f);
                    *bias = *bias * f + o;
                }
            }
            _ => continue,
        }
        let name = draft.layers[dense].name.clone();
        let layer = &mut draft.layers[index];
        layer.kind = Kind::Identity;
        layer.notes.push(format!("part of {name}"));
    }
}
