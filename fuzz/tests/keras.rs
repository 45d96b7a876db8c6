//! See `gatelet_fuzz::keras`.

#[test]
fn keras() {
    bolero::check!(name = "keras")
        .with_iterations(3_000)
        .with_max_len(64)
        .for_each(|input: &[u8]| gatelet_fuzz::keras::run(input));
}
