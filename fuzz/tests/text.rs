//! See `gatelet_fuzz::text`.

#[test]
fn text() {
    bolero::check!(name = "text")
        .with_iterations(20_000)
        .with_max_len(256)
        .for_each(|input: &[u8]| gatelet_fuzz::text::run(input));
}
