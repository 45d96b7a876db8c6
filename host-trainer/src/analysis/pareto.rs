//! Which of many nets are worth their size: the Pareto front.
//!
//! ```text
//! a is on the front  <=>  no b is at most as costly and at most as lossy, and better in one of the two
//! ```

/// Whether each of the `(cost, loss)` points is on the front; points that are not finite never are. Of equal points the
/// first one is.
pub fn front(points: &[(f64, f64)]) -> Vec<bool> {
    let mut order: Vec<usize> = (0..points.len())
        .filter(|&i| points[i].0.is_finite() && points[i].1.is_finite())
        .collect();
    order.sort_by(|&a, &b| {
        let (a_point, b_point) = (points[a], points[b]);
        let cost = a_point.0.total_cmp(&b_point.0);
        cost.then(a_point.1.total_cmp(&b_point.1)).then(a.cmp(&b))
    });
    let mut on = vec![false; points.len()];
    let mut lowest = f64::INFINITY;
    for i in order {
        if points[i].1 < lowest {
            (on[i], lowest) = (true, points[i].1);
        }
    }
    on
}

#[cfg(test)]
mod tests {
    use super::front;
    use rand::{RngExt, SeedableRng};

    #[test]
    fn the_front_is_what_nothing_dominates() {
        let mut rng = rand_pcg::Pcg64::seed_from_u64(7);
        for count in 0..40 {
            // Few distinct numbers, so that there are ties.
            let points: Vec<(f64, f64)> = (0..count)
                .map(|_| {
                    let mut number = || f64::from(rng.random_range(0..8_u32));
                    (number(), number())
                })
                .collect();
            for (i, &on) in front(&points).iter().enumerate() {
                let (x, y) = points[i];
                let dominated = points
                    .iter()
                    .enumerate()
                    .any(|(j, &(a, b))| a <= x && b <= y && (a < x || b < y || j < i));
                assert_eq!(on, !dominated, "{points:?} {i}");
            }
        }
    }

    #[test]
    fn numbers_that_are_none_are_not_on_it() {
        let nan = f64::NAN;
        assert_eq!(
            front(&[(1.0, nan), (nan, 1.0), (2.0, 2.0), (f64::INFINITY, 0.0)]),
            [false, false, true, false]
        );
    }
}
