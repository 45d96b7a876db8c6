//! What README shows of the library is what is compiled and runs: `core/examples/predict.rs`.

#[test]
fn the_snippet_of_the_readme_is_the_example() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let read = |name: &str| std::fs::read_to_string(format!("{root}/{name}")).expect("a text");
    let readme = read("README.md");
    let (_, rest) = readme.split_once("```rust\n").expect("a snippet");
    let (snippet, _) = rest.split_once("```").expect("its end");
    let example = read("core/examples/predict.rs");
    let (_, code) = example
        .split_once("\n\n")
        .expect("a line of what it is, then code");
    assert_eq!(snippet, code);
}

/// A model in a program is aligned, and its storage is as long as it has to be: no word less would
/// do.
#[test]
fn an_included_model_is_aligned_and_has_storage_of_its_size() {
    let image = gatelet::include_model!("../firmware/models/default.gatelet");
    assert_eq!(image.image().as_ptr().align_offset(16), 0);
    let model = image.model().expect("a good image");
    let mut state = image.state();
    assert_eq!(state.as_mut().len(), model.net().state_words());
    let words = gatelet::include_model!("../firmware/models/chat-words.gatelet");
    let model = words.model().expect("a good image");
    let mut state = words.state();
    assert_eq!(state.as_mut().len(), model.net().state_words());
    let kernel = gatelet::Native::default();
    assert!(gatelet::Session::new(&model, kernel, state.as_mut()).is_ok());
    let too_few = &mut state.as_mut()[1..];
    assert!(gatelet::Session::new(&model, kernel, too_few).is_err());
}

/// One error type takes those of reading, running, going back and sampling a model.
#[test]
fn every_error_becomes_one() {
    fn all(which: usize) -> Result<(), gatelet::Error> {
        let image = gatelet::include_model!("../firmware/models/default.gatelet");
        let model = image.model()?;
        let (mut state, kernel) = (image.state(), gatelet::Native::default());
        match which {
            0 => gatelet::Model::from_bytes(&image.image()[..16]).map(|_| ())?,
            1 => gatelet::Session::new(&model, kernel, &mut []).map(|_| ())?,
            2 => {
                let mut session = gatelet::Session::new(&model, kernel, state.as_mut())?;
                session.step(gatelet::TokenId(u16::MAX))?;
            }
            3 => gatelet::Session::new(&model, kernel, state.as_mut())?.restore(&[])?,
            4 => gatelet::Sampler::new(1).with_top_k(0).map(|_| ())?,
            5 => model.self_test(kernel, &mut [])?,
            _ => model.self_test(kernel, state.as_mut())?,
        }
        Ok(())
    }
    let said: Vec<String> = (0..6)
        .map(|which| {
            let error: Box<dyn std::error::Error> = all(which).expect_err("an error").into();
            error.to_string()
        })
        .collect();
    for (index, part) in [
        "it was cut",
        "words",
        "65535",
        "words",
        "top-k",
        "known-answer",
    ]
    .into_iter()
    .enumerate()
    {
        assert!(said[index].contains(part), "{index}: {said:?}");
    }
    assert_eq!(all(6), Ok(()));
}
