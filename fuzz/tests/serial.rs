//! See `gatelet_fuzz::console`.

#[test]
fn serial() {
    bolero::check!(name = "serial")
        .with_iterations(2_000)
        .with_max_len(160)
        .for_each(|input: &[u8]| gatelet_fuzz::console::serial(input));
}
