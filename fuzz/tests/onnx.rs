//! See `gatelet_fuzz::onnx`.

#[test]
fn onnx() {
    bolero::check!(name = "onnx")
        .with_iterations(3_000)
        .with_max_len(64)
        .for_each(|input: &[u8]| gatelet_fuzz::onnx::run(input));
}
