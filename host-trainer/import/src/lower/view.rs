//! What a layer of a file reads, in terms of the values of a net.
//!
//! ```text
//! view     segments side by side
//! segment  factor x + offset, number by number, of some numbers of one value
//! ```
//! Concatenations, slices and normalisations are views and take no operation. A product takes them
//! into its weights: columns move, are multiplied by the factors, and the offsets go into the bias.

use crate::draft::Matrix;

/// Some numbers of one value, each multiplied and moved.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Segment {
    /// The value: 0 is the input, one more than its number what an operation makes.
    pub(super) value: usize,
    /// The first of them.
    start: usize,
    /// `[len]`.
    factor: Vec<f32>,
    /// `[len]`.
    offset: Vec<f32>,
}

/// Segments side by side.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct View {
    pub(super) segments: Vec<Segment>,
}

/// A product of a view: what it reads, its weights, and what the offsets add.
pub(super) struct Product {
    /// The values, each once.
    pub(super) reads: Vec<usize>,
    /// `[rows, their widths]`.
    pub(super) weight: Matrix,
    /// `[rows]`.
    pub(super) bias: Vec<f32>,
}

impl View {
    /// All numbers of a value.
    pub(super) fn of(value: usize, width: usize) -> Self {
        Self {
            segments: vec![Segment {
                value,
                start: 0,
                factor: vec![1.0; width],
                offset: vec![0.0; width],
            }],
        }
    }

    /// Numbers.
    pub(super) fn width(&self) -> usize {
        self.segments.iter().map(|s| s.factor.len()).sum()
    }

    /// The value, if this is all of it as it is.
    pub(super) fn whole(&self, widths: &[usize]) -> Option<usize> {
        let [of] = &*self.segments else {
            return None;
        };
        let plain = of.factor.iter().all(|f| *f == 1.0) && of.offset.iter().all(|o| *o == 0.0);
        (plain && of.start == 0 && of.factor.len() == widths[of.value]).then_some(of.value)
    }

    /// `len` numbers from `start` on, which it has.
    pub(super) fn slice(&self, start: usize, len: usize) -> Self {
        let (mut skip, mut left) = (start, len);
        let mut segments = Vec::new();
        for of in &self.segments {
            let have = of.factor.len();
            if skip >= have {
                skip -= have;
                continue;
            }
            let take = left.min(have - skip);
            if take > 0 {
                segments.push(Segment {
                    value: of.value,
                    start: of.start + skip,
                    factor: of.factor[skip..skip + take].to_vec(),
                    offset: of.offset[skip..skip + take].to_vec(),
                });
            }
            (skip, left) = (0, left - take);
        }
        Self { segments }
    }

    /// Multiplied and moved number by number; one number stands for all.
    pub(super) fn affine(&self, factor: &[f32], offset: &[f32]) -> Self {
        let of = |all: &[f32], k: usize| if all.len() == 1 { all[0] } else { all[k] };
        let mut view = self.clone();
        let numbers = view.segments.iter_mut();
        let numbers = numbers.flat_map(|s| s.factor.iter_mut().zip(&mut s.offset));
        for (k, (f, o)) in numbers.enumerate() {
            *f *= of(factor, k);
            *o = *o * of(factor, k) + of(offset, k);
        }
        view
    }

    /// `weight`, of which each column is for a number of this, over whole values.
    pub(super) fn product(&self, weight: &Matrix, widths: &[usize]) -> Product {
        let mut reads: Vec<usize> = Vec::new();
        for segment in &self.segments {
            if !reads.contains(&segment.value) {
                reads.push(segment.value);
            }
        }
        let first = |value: usize| -> usize {
            let before = reads.iter().take_while(|read| **read != value);
            before.map(|read| widths[*read]).sum()
        };
        let columns = reads.iter().map(|read| widths[*read]).sum();
        let mut product = Matrix::zeros(weight.rows, columns);
        let mut bias = vec![0.0; weight.rows];
        for (row, bias) in bias.iter_mut().enumerate() {
            let from = &weight.data[row * weight.columns..][..weight.columns];
            let to = &mut product.data[row * columns..][..columns];
            let (mut column, mut sum) = (0, 0.0_f64);
            for segment in &self.segments {
                let to = &mut to[first(segment.value) + segment.start..];
                let pairs = segment.factor.iter().zip(&segment.offset);
                for (to, (factor, offset)) in to.iter_mut().zip(pairs) {
                    *to += from[column] * factor;
                    sum += f64::from(from[column]) * f64::from(*offset);
                    column += 1;
                }
            }
            *bias = sum as f32;
        }
        Product {
            reads,
            weight: product,
            bias,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_product_takes_slices_and_normalisation_into_its_weights() {
        let widths = [3, 2];
        let mut view = View::of(1, 2);
        view.segments.extend(View::of(0, 3).slice(1, 2).segments);
        let view = view.affine(&[1.0, 2.0, 3.0, 4.0], &[0.0, 0.0, 1.0, 0.5]);
        assert_eq!((view.width(), view.whole(&widths)), (4, None));
        let weight = Matrix::new(1, 4, vec![1.0, 10.0, 100.0, 1000.0]).expect("a matrix");
        let product = view.product(&weight, &widths);
        assert_eq!(product.reads, [1, 0]);
        assert_eq!(product.weight.data, [1.0, 20.0, 0.0, 300.0, 4000.0]);
        assert_eq!(product.bias, [100.0 + 500.0]);
        assert_eq!(View::of(1, 2).whole(&widths), Some(1));
        assert_eq!(View::of(0, 3).slice(0, 2).whole(&widths), None);
        assert_eq!(view.slice(1, 2).width(), 2);
    }
}
