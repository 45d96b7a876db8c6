use super::*;

#[test]
fn sizes_of_the_default_model_shape() {
    let dims = Dims::new(Cell::Lstm, Precision::Int8, 1, 128, 64).unwrap();
    assert_eq!(dims.macs_per_step(), 512 * 128 + 64 * 128);
    assert_eq!(dims.snapshot_words(), 128 / 4 + 128 / 2);
    assert_eq!(dims.state_words(), 96 + 32 + 64);
    assert_eq!(dims.pipeline_words(), 4 * 128);
    let two = Dims::new(Cell::Lstm, Precision::Int8, 2, 65, 64).unwrap();
    assert_eq!(two.pipeline_words(), 4 * 128);
    let gru = Dims::new(Cell::Gru, Precision::Int8, 1, 128, 64).unwrap();
    assert_eq!(gru.macs_per_step(), 384 * 128 + 64 * 128);
    // h of 8 and of 16 bits, h being computed, four sums a unit, the scores.
    assert_eq!(gru.state_words(), 32 + 64 + 32 + 512 + 64);
    assert_eq!(gru.pipeline_words(), 0);
}

#[test]
fn every_bound_is_enforced() {
    let new = |l, h, v| Dims::new(Cell::Rnn, Precision::F32, l, h, v);
    assert_eq!(new(0, 8, 8), Err(DimsError::Layers { found: 0 }));
    assert_eq!(new(5, 8, 8), Err(DimsError::Layers { found: 5 }));
    assert_eq!(new(1, 0, 8), Err(DimsError::Hidden { found: 0 }));
    assert_eq!(new(1, 1025, 8), Err(DimsError::Hidden { found: 1025 }));
    assert_eq!(new(1, 8, 1), Err(DimsError::Vocab { found: 1 }));
    assert_eq!(new(1, 8, 16_385), Err(DimsError::Vocab { found: 16_385 }));
    assert!(new(4, 1024, 16_384).unwrap().net().checked().is_ok());
}

#[test]
fn sizes_of_a_word_model() {
    let plain = Dims::new(Cell::Lstm, Precision::Int8, 1, 256, 5000).unwrap();
    let dims = plain.with_widths(94, 94, true).unwrap();
    assert_eq!((dims.columns(0), dims.head_columns()), (96 + 256, 96));
    let macs = 1024 * (256 + 94) + 94 * 256 + 5000 * 94;
    assert_eq!(dims.macs_per_step(), macs);
    assert_eq!(dims.snapshot_words(), plain.snapshot_words());
    // The embedding, the projection as a kernel gives it, and as the head reads it.
    let scratch = 96 / 4 + 94 + 96 / 4;
    assert_eq!(dims.state_words(), plain.state_words() + scratch);
    assert_eq!(plain.with_widths(0, 0, false), Ok(plain));
    assert!(plain.is_plain() && !dims.is_plain());
}

#[test]
fn widths_have_bounds_and_only_equal_ones_are_tied() {
    let plain = Dims::new(Cell::Rnn, Precision::F32, 1, 32, 50).unwrap();
    for found in [1, 3, 1025] {
        let embedding = plain.with_widths(found, 0, false);
        assert_eq!(embedding, Err(DimsError::Embedding { found }));
        let projection = plain.with_widths(0, found, false);
        assert_eq!(projection, Err(DimsError::Projection { found }));
    }
    for (embedding, projection, head) in [(0, 0, 32), (0, 16, 16), (16, 0, 32), (16, 20, 20)] {
        let tied = plain.with_widths(embedding, projection, true);
        assert_eq!(tied, Err(DimsError::Tied { embedding, head }));
        assert!(plain.with_widths(embedding, projection, false).is_ok());
    }
    assert!(plain.with_widths(32, 0, true).is_ok());
    assert!(plain.with_widths(4, 4, true).is_ok());
}

#[test]
fn the_shorthand_of_a_net_is_that_it_was_made_of() {
    for cell in [Cell::Rnn, Cell::Lstm, Cell::Gru] {
        for (layers, widths) in [(1, (0, 0)), (3, (8, 0)), (2, (0, 12)), (4, (12, 12))] {
            let plain = Dims::new(cell, Precision::Int8, layers, 12, 50).unwrap();
            for tied in [false, true] {
                let Ok(dims) = plain.with_widths(widths.0, widths.1, tied) else {
                    continue;
                };
                assert_eq!(dims.net().checked(), Ok(dims.net()));
                assert_eq!(dims.net().dims(), Some(dims));
                let four = FourBits::new([true, false, false, false], !tied);
                let dims = dims.with_four_bits(four).unwrap();
                assert_eq!(dims.net().dims(), Some(dims));
            }
        }
    }
    let other = Net::features(Precision::Int8, 4).then(Kind::lstm(8));
    assert_eq!(other.values().dims(), None);
    let two_sizes = Net::tokens(Precision::Int8, 9).then(Kind::lstm(8));
    let two_sizes = two_sizes.then(Kind::lstm(4));
    assert_eq!(two_sizes.then(Cell::Rnn.kind(9)).scores().dims(), None);
}
