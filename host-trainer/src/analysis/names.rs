//! A net's layers in words.

use gatelet::net::{Kind, Net};

/// The recurrent operations.
fn layers(net: &Net) -> impl Iterator<Item = Kind> {
    net.operations()
        .map(|of| of.kind)
        .filter(|of| of.is_recurrent())
}

/// The cells that there are: `lstm`, `gru and lstm`.
pub fn cells(net: &Net) -> String {
    let mut names: Vec<&str> = layers(net).map(Kind::name).collect();
    names.sort_unstable();
    names.dedup();
    names.join(" and ")
}

/// Units of the layers: `2 x 64` of equal ones, `64, 32` of others.
pub fn sizes(net: &Net) -> String {
    let units: Vec<usize> = layers(net).map(Kind::units).collect();
    match units[..] {
        [first, ..] if units.iter().all(|&units| units == first) => {
            format!("{} x {first}", units.len())
        }
        _ => {
            let units: Vec<String> = units.iter().map(ToString::to_string).collect();
            units.join(", ")
        }
    }
}

/// Layers and what is around them: `lstm, 2 layers of 64 units, an embedding of 16`, or `gru 64,
/// lstm 32`.
pub fn described(net: &Net) -> String {
    let layers: Vec<Kind> = layers(net).collect();
    let mut text = match layers[..] {
        [first, ..] if layers.iter().all(|&kind| kind == first) => {
            let s = if layers.len() == 1 { "" } else { "s" };
            let (name, units) = (first.name(), first.units());
            format!("{name}, {} layer{s} of {units} units", layers.len())
        }
        _ => {
            let layers: Vec<String> = layers.iter().map(ToString::to_string).collect();
            layers.join(", ")
        }
    };
    for (index, of) in net.operations().enumerate() {
        match of.kind {
            Kind::Embedding { units } => text += &format!(", an embedding of {units}"),
            Kind::Dense { units, .. } if index + 1 < net.len() => {
                text += &format!(", a projection to {units}");
            }
            _ => {}
        }
    }
    let tied = net.operations().any(|of| of.tied.is_some());
    text + if tied { ", tied" } else { "" }
}

#[cfg(test)]
mod tests {
    use gatelet::Precision;
    use gatelet_random::{GRU, LSTM, stacked, with_widths};

    use super::*;

    #[test]
    fn nets_of_equal_and_of_other_layers_have_names() {
        let equal = stacked(Precision::F32, 9, 2, LSTM.with_units(64));
        let found = (cells(&equal), sizes(&equal), described(&equal));
        let expected = ("lstm", "2 x 64", "lstm, 2 layers of 64 units");
        assert_eq!((&*found.0, &*found.1, &*found.2), expected);
        let wide = with_widths(Precision::F32, 9, 1, GRU.with_units(8), (4, 4, true));
        let line = "gru, 1 layer of 8 units, an embedding of 4, a projection to 4, tied";
        assert_eq!(described(&wide), line);
        let net = Net::tokens(Precision::F32, 9).then(LSTM.with_units(64));
        let net = net.then(GRU.with_units(32));
        let found = (cells(&net), sizes(&net), described(&net));
        let expected = ("gru and lstm", "64, 32", "lstm 64, gru 32");
        assert_eq!((&*found.0, &*found.1, &*found.2), expected);
    }
}
