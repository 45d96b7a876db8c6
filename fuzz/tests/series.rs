//! See `gatelet_fuzz::series`.

#[test]
fn series() {
    bolero::check!(name = "series")
        .with_iterations(3_000)
        .with_max_len(64)
        .for_each(|input: &[u8]| gatelet_fuzz::series::run(input));
}
