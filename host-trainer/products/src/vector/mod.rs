//! The products on vectors, once for all instruction sets.
//!
//! `panel.rs` holds what all share: a block of B rows times a panel of four vectors. `matmul.rs`,
//! `outer.rs` and `tape.rs` go through matrices with it; `tall.rs` and `tall_tape.rs` take sixteen
//! rows times one vector instead, where registers hold so many sums.

/// Does `$work::<.., N>(..)` with as many vectors as a panel has columns for.
macro_rules! with_vectors {
    ($places:expr, $work:ident::<$v:ident, $u:ident, $b:ident>$arguments:tt) => {
        match $places.iter().filter(|place| place.count > 0).count() {
            1 => $work::<$v, $u, $b, 1>$arguments,
            2 => $work::<$v, $u, $b, 2>$arguments,
            3 => $work::<$v, $u, $b, 3>$arguments,
            _ => $work::<$v, $u, $b, 4>$arguments,
        }
    };
}

mod cells;
pub(crate) mod matmul;
pub(crate) mod outer;
pub(crate) mod pack;
mod panel;
mod tall;
mod tall_tape;
pub(crate) mod tape;
