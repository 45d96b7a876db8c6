//! The sum of two values.
//!
//! ```text
//! int8   y = sat8( round( a m_a >> s ) + round( b m_b >> s ) )        the multipliers bring both to y's scale
//! ```

use crate::fixed::{requantize, sat8};
use crate::weights::layer::AddInt8;

/// One step in int8. `a, b, y: [numbers]`.
#[inline(never)]
pub(crate) fn step_int8(add: &AddInt8<'_>, [a, b]: [&[i8]; 2], y: &mut [i8]) {
    let (of_a, of_b) = add
        .multipliers
        .split_at_checked(add.multipliers.len() / 2)
        .unwrap_or_default();
    let scaled = |x: &i8, m: &i32| requantize((*x).into(), *m, add.shift);
    let all = a.iter().zip(of_a).zip(b.iter().zip(of_b));
    for (y, ((a, of_a), (b, of_b))) in y.iter_mut().zip(all) {
        *y = sat8(scaled(a, of_a) + scaled(b, of_b));
    }
}
