//! See `gatelet_fuzz::console`.

#[test]
fn console() {
    bolero::check!(name = "console")
        .with_iterations(3_000)
        .with_max_len(160)
        .for_each(|input: &[u8]| gatelet_fuzz::console::run(input));
}
