//! The next few tokens: the likeliest each time, through core's session, the code that also runs on the device.
//!
//! ```text
//! carried:   begin; read x_0 .. x_n;  repeat: y = argmax; read y                              one step a token
//! windowed:  repeat: reset; read the last W of all tokens so far; y = argmax                  W steps a token
//! ```
//! A net that was trained on windows from the zero state has been asked for nothing else than the second; the first is
//! what a stream can afford, and how far it comes then is worth knowing.

use gatelet::{Kernel, Model, Session, TokenId, WithKernel};

use crate::error::{Error, Result};
use crate::image::storage;
use crate::isa::isa;

struct WriteOn<'a> {
    model: Model<'a>,
    start: &'a [u16],
    count: usize,
    window: Option<usize>,
}

impl WithKernel for WriteOn<'_> {
    type Output = Result<Vec<u16>>;

    fn run<K: Kernel>(self, kernel: K) -> Self::Output {
        let mut storage = storage(self.model.net());
        let mut session =
            Session::new(&self.model, kernel, &mut storage).map_err(Error::inference)?;
        session.begin();
        let (mut all, mut read) = (self.start.to_vec(), 0);
        for _ in 0..self.count {
            if let Some(window) = self.window {
                session.reset();
                read = all.len().saturating_sub(window);
            }
            for &id in all.iter().skip(read) {
                session.read(TokenId(id)).map_err(Error::inference)?;
            }
            read = all.len();
            all.push(session.logits().argmax().0);
        }
        Ok(all.split_off(self.start.len()))
    }
}

/// The `count` tokens that `model` writes after `start`. With a `window`, each comes from the zero state and the last
/// so many tokens; without, the state is carried on.
///
/// # Errors
/// [`Error::Inference`] when a token is outside the vocabulary.
pub fn write_on(
    model: Model<'_>,
    start: &[u16],
    count: usize,
    window: Option<usize>,
) -> Result<Vec<u16>> {
    isa()?.run(WriteOn {
        model,
        start,
        count,
        window,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::unroll::Unrolled;
    use crate::quantize::export::random;
    use crate::train::config::Config;

    #[test]
    fn tokens_are_the_likeliest_ones() {
        let config = Config {
            hidden: 20,
            ..Config::default()
        };
        let net = config.shape(30).net();
        let image = random(&net, 5, "a test").expect("an image");
        let image = image.for_isa(isa().expect("a kernel")).expect("repacked");
        let model = image.model().expect("a model");
        let params = crate::net::Params::<f32>::init(net, 5);
        let start = [3, 1, 4, 1, 5];
        for window in [None, Some(3), Some(1), Some(100)] {
            let mut all = start.to_vec();
            for _ in 0..9 {
                let from = window.map_or(0, |window| all.len().saturating_sub(window));
                let net = Unrolled::new(&params.cast(), &all[from..]);
                let p = net.probabilities(all.len() - from - 1);
                let likeliest = (0..30).max_by(|&a, &b| p[a].total_cmp(&p[b]));
                all.push(likeliest.expect("a token") as u16);
            }
            let written = write_on(model, &start, 9, window).expect("written");
            assert_eq!(written, all[5..], "{window:?}");
        }
        let outside = write_on(model, &[99], 2, None);
        assert!(matches!(outside, Err(Error::Inference(_))));
    }
}
