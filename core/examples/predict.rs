//! What a model expects after a few characters. Nothing here needs `std` but the printing.

use gatelet::{Native, Session};

fn main() -> Result<(), gatelet::Error> {
    let image = gatelet::include_model!("../../firmware/models/default.gatelet");
    let model = image.model()?; // checks everything, borrows the weights
    let mut state = image.state(); // storage of this model's size
    let mut session = Session::new(&model, Native::default(), state.as_mut())?;
    for character in "She was very m".chars() {
        if let Some(id) = model.vocab().id_of(character) {
            session.step(id)?; // the state is carried from step to step
        }
    }
    for likely in session.logits().top::<3>() {
        let character = model.vocab().char_of(likely.id);
        println!("{character:?} {} per mille", likely.permille);
    }
    Ok(())
}
