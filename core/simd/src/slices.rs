//! A vector's numbers from anywhere in a slice, and back: what is past the end is zero.

/// Elements `at..at + U`, with zeros past the end.
#[inline(always)]
pub fn take<T: Copy + Default, const U: usize>(from: &[T], at: usize) -> [T; U] {
    let from = from.get(at..).unwrap_or_default();
    match from.first_chunk() {
        Some(all) => *all,
        None => {
            let mut some = [T::default(); U];
            for (to, from) in some.iter_mut().zip(from) {
                *to = *from;
            }
            some
        }
    }
}

/// Puts elements where [`take`] takes them from; nothing past the end.
#[inline(always)]
pub fn put<T: Copy, const U: usize>(elements: [T; U], to: &mut [T], at: usize) {
    let to = to.get_mut(at..).unwrap_or_default();
    match to.first_chunk_mut() {
        Some(all) => *all = elements,
        None => {
            for (to, from) in to.iter_mut().zip(elements) {
                *to = from;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_partly_and_past_the_end() {
        let from = [1, 2, 3, 4, 5];
        for at in 0..7 {
            let taken: [i32; 3] = take(&from, at);
            let expected = [0, 1, 2].map(|i| from.get(at + i).copied().unwrap_or(0));
            assert_eq!(taken, expected, "at {at}");
            let mut to = [9; 5];
            put(taken, &mut to, at);
            for (i, &x) in to.iter().enumerate() {
                let put = (at..at + 3).contains(&i);
                assert_eq!(x, if put { from[i] } else { 9 }, "at {at}, element {i}");
            }
        }
    }
}
