//! A picture of a graph in layers: an arrow leads from a box downwards to what it needs.
//!
//! ```text
//! order    the one with the fewest imports upwards, found by dynamic programming over all sets
//! layer    one below the lowest box that points at it
//! arrows   without those that follow from others; one that passes a layer has a narrow place there
//! places   each layer is sorted by the middle of its neighbours and moved there, a few times over
//! ```

use std::collections::{BTreeMap, BTreeSet};

/// Sizes in pixels.
pub(crate) const BOX: f32 = 204.0;
const PASSAGE: f32 = 10.0;
const GAP: f32 = 22.0;
/// Times that places are improved.
const SWEEPS: usize = 24;
/// Boxes of a graph; the sets of all of them are looked at.
const MOST: usize = 18;

/// A box.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) name: String,
    /// What it is, in a sentence.
    pub(crate) text: String,
}

/// A graph: arrows between boxes, each with the number of imports behind it.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    pub(crate) nodes: Vec<Node>,
    pub(crate) arrows: BTreeMap<(usize, usize), usize>,
}

/// A box, or the place of an arrow that passes a layer.
pub(crate) struct Place {
    pub(crate) layer: usize,
    pub(crate) node: Option<usize>,
    /// The middle.
    pub(crate) x: f32,
}

impl Place {
    pub(crate) fn width(&self) -> f32 {
        if self.node.is_some() { BOX } else { PASSAGE }
    }
}

/// Where everything is.
pub(crate) struct Layout {
    /// The boxes in the order of the graph; then where arrows pass a layer.
    pub(crate) places: Vec<Place>,
    /// Each arrow downwards as the places it joins.
    pub(crate) chains: Vec<Vec<usize>>,
    /// The arrows upwards, from box to box.
    pub(crate) up: BTreeSet<(usize, usize)>,
}

/// Gives everything its place.
///
/// # Panics
/// With more than [`MOST`] boxes.
pub(crate) fn lay_out(graph: &Graph) -> Layout {
    assert!(graph.nodes.len() <= MOST, "{} boxes", graph.nodes.len());
    let order = order(graph);
    let position = |node: usize| order.iter().position(|n| *n == node).unwrap_or_default();
    let (down, up): (BTreeSet<_>, BTreeSet<_>) = graph
        .arrows
        .keys()
        .copied()
        .partition(|(from, to)| position(*from) < position(*to));
    let mut layers = vec![0; graph.nodes.len()];
    for from in &order {
        for (_, to) in down.iter().filter(|(f, _)| f == from) {
            layers[*to] = layers[*to].max(layers[*from] + 1);
        }
    }
    let (mut places, chains) = places(&layers, &reduced(&down));
    arrange(&mut places, &chains);
    Layout { places, chains, up }
}

/// The order of the boxes with the fewest imports against it; among equals, the first.
fn order(graph: &Graph) -> Vec<usize> {
    let count = graph.nodes.len();
    // For each set of boxes above all others: the fewest imports upwards, and the lowest box.
    let mut best = vec![(usize::MAX, 0); 1 << count];
    best[0].0 = 0;
    for above in 0..best.len() {
        for next in (0..count).filter(|next| above & (1 << next) == 0) {
            let upwards = (0..count).filter(|to| above & (1 << to) != 0);
            let upwards = upwards.filter_map(|to| graph.arrows.get(&(next, to)));
            let cost = best[above].0 + upwards.sum::<usize>();
            let with = &mut best[above | (1 << next)];
            if cost < with.0 {
                *with = (cost, next);
            }
        }
    }
    let mut order = Vec::new();
    let mut set = best.len() - 1;
    while set != 0 {
        order.push(best[set].1);
        set &= !(1 << best[set].1);
    }
    order.reverse();
    order
}

/// The arrows that do not follow from others.
fn reduced(arrows: &BTreeSet<(usize, usize)>) -> BTreeSet<(usize, usize)> {
    let follows = |&(from, to): &(usize, usize)| {
        let others = arrows.iter().filter(|(f, t)| *f == from && *t != to);
        others
            .into_iter()
            .any(|(_, through)| leads(arrows, *through, to))
    };
    arrows
        .iter()
        .filter(|arrow| !follows(arrow))
        .copied()
        .collect()
}

fn leads(arrows: &BTreeSet<(usize, usize)>, from: usize, to: usize) -> bool {
    let mut next = arrows.iter().filter(|arrow| arrow.0 == from);
    next.any(|arrow| arrow.1 == to || leads(arrows, arrow.1, to))
}

/// A place for each box and each layer that an arrow passes; and each arrow as the places it joins.
fn places(layers: &[usize], arrows: &BTreeSet<(usize, usize)>) -> (Vec<Place>, Vec<Vec<usize>>) {
    let place = |layer, node| Place {
        layer,
        node,
        x: 0.0,
    };
    let boxes = layers.iter().enumerate();
    let mut places: Vec<Place> = boxes
        .map(|(node, layer)| place(*layer, Some(node)))
        .collect();
    let mut chains = Vec::new();
    for &(from, to) in arrows {
        let mut chain = vec![from];
        for layer in layers[from] + 1..layers[to] {
            chain.push(places.len());
            places.push(place(layer, None));
        }
        chain.push(to);
        chains.push(chain);
    }
    (places, chains)
}

/// Gives every place its x.
fn arrange(places: &mut [Place], chains: &[Vec<usize>]) {
    let mut neighbours = vec![Vec::new(); places.len()];
    for pair in chains.iter().flat_map(|chain| chain.windows(2)) {
        neighbours[pair[0]].push(pair[1]);
        neighbours[pair[1]].push(pair[0]);
    }
    let last = places
        .iter()
        .map(|place| place.layer)
        .max()
        .unwrap_or_default();
    let mut rows: Vec<Vec<usize>> = (0..=last)
        .map(|layer| {
            (0..places.len())
                .filter(|p| places[*p].layer == layer)
                .collect()
        })
        .collect();
    rows.iter()
        .for_each(|row| pack(places, row, &vec![0.0; row.len()]));
    for sweep in 0..SWEEPS {
        let downwards = sweep % 2 == 0;
        for step in 0..=last {
            let layer = if downwards { step } else { last - step };
            let wanted = |place: usize, places: &[Place]| {
                // Sorting looks at one side, the last moves at both.
                let side = neighbours[place].iter().filter(|other| {
                    sweep + 4 >= SWEEPS || (places[**other].layer < layer) == downwards
                });
                let (sum, count) = side.fold((0.0, 0.0), |(sum, count), p| {
                    (sum + places[*p].x, count + 1.0)
                });
                if count == 0.0 {
                    places[place].x
                } else {
                    sum / count
                }
            };
            let row = &mut rows[layer];
            if sweep + 4 < SWEEPS {
                row.sort_by(|a, b| wanted(*a, places).total_cmp(&wanted(*b, places)));
            }
            let wish: Vec<f32> = row.iter().map(|place| wanted(*place, places)).collect();
            pack(places, row, &wish);
        }
    }
}

/// Puts a row's places near where they wish to be, in their order and with gaps: the middle of what
/// a pass from the left and one from the right give.
fn pack(places: &mut [Place], row: &[usize], wish: &[f32]) {
    let apart = |a: usize, b: usize| (places[a].width() + places[b].width()) / 2.0 + GAP;
    let (mut left, mut right) = (wish.to_vec(), wish.to_vec());
    for i in 1..row.len() {
        left[i] = left[i].max(left[i - 1] + apart(row[i - 1], row[i]));
        let j = row.len() - 1 - i;
        right[j] = right[j].min(right[j + 1] - apart(row[j], row[j + 1]));
    }
    for (i, place) in row.iter().enumerate() {
        places[*place].x = (left[i] + right[i]) / 2.0;
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn graph(count: usize, arrows: &[(usize, usize)]) -> Graph {
        let node = |i: usize| Node {
            name: format!("n{i}"),
            text: "a & b".to_owned(),
        };
        Graph {
            nodes: (0..count).map(node).collect(),
            arrows: arrows.iter().map(|arrow| (*arrow, 1)).collect(),
        }
    }

    #[test]
    fn the_fewest_imports_lead_upwards() {
        let mut graph = graph(3, &[(2, 1), (1, 0), (0, 2)]);
        graph.arrows.insert((2, 1), 5);
        graph.arrows.insert((1, 0), 5);
        assert_eq!(order(&graph), [2, 1, 0]);
    }

    #[test]
    fn arrows_that_follow_from_others_are_left_out() {
        let arrows = BTreeSet::from([(0, 1), (1, 2), (0, 2), (0, 3)]);
        assert_eq!(reduced(&arrows), BTreeSet::from([(0, 1), (1, 2), (0, 3)]));
    }

    /// One box a layer has all of its neighbours' middle; boxes of a layer do not touch.
    #[test]
    fn boxes_of_a_layer_stand_apart() {
        let arrows = BTreeSet::from([(0, 1), (0, 2), (0, 3), (1, 4), (2, 4), (0, 5), (3, 5)]);
        let layers = [0, 1, 1, 1, 2, 2];
        let (mut places, chains) = places(&layers, &arrows);
        // The arrow from 0 to 5 passes a layer.
        assert_eq!(places.len(), 7);
        arrange(&mut places, &chains);
        for (i, a) in places.iter().enumerate() {
            for b in places.iter().skip(i + 1).filter(|b| b.layer == a.layer) {
                let room = (a.x - b.x).abs() - (a.width() + b.width()) / 2.0;
                assert!(room > GAP - 0.1, "{room}");
            }
        }
    }
}
