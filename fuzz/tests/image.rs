//! Model images: see `gatelet_fuzz::image`.

#[test]
fn image() {
    bolero::check!(name = "image")
        .with_iterations(3_000)
        .with_max_len(96)
        .for_each(|input: &[u8]| gatelet_fuzz::image::run(input));
}
