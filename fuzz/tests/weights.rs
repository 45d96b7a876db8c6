//! See `gatelet_fuzz::weights`.

#[test]
fn weights() {
    bolero::check!(name = "weights")
        .with_iterations(3_000)
        .with_max_len(64)
        .for_each(|input: &[u8]| gatelet_fuzz::weights::run(input));
}
