//! See `gatelet_fuzz::checkpoint`.

#[test]
fn checkpoint() {
    bolero::check!(name = "checkpoint")
        .with_iterations(3_000)
        .with_max_len(64)
        .for_each(|input: &[u8]| gatelet_fuzz::checkpoint::run(input));
}
