//! f32 parameters to the integers of the specification (docs/numerics.md), for any net.
//!
//! ```text
//! magnitudes    how large numbers get on data
//! choose        the scheme with the lowest cost: by the loss on a text, or the error at the outputs
//! label         everything of an image but its numbers
//! export        images, and what they lose; acceptance, what they may
//! ```
//! The integers themselves, and training through them, are the net's: [`net::device`](crate::net::device).

pub mod acceptance;
pub mod calibrate;
mod choose;
pub mod closed_loop;
pub mod export;
pub(crate) mod label;
mod magnitudes;

pub(crate) use self::magnitudes::{Begin, Magnitudes};
pub use self::magnitudes::{CellMagnitude, Sequence};
pub(crate) use crate::net::device::integers::SHIFT;
pub use crate::net::device::{Plan, Scheme, WeightBits, learned, qat, row_range};
pub(crate) use crate::net::device::{integers, order, scheme};

use self::integers::{Integers, Whole, put_on_device};
use self::order::{Floats, Order};
use crate::error::Result;
use crate::net::Params;

/// A net in the order of an image.
#[derive(Clone, Debug)]
pub(crate) struct Ordered {
    pub(crate) orders: Vec<Order>,
    pub(crate) floats: Vec<Floats>,
}

impl Ordered {
    /// The net of `params`, by the steps of a scheme.
    pub(crate) fn of(params: &Params<f32>, scheme: &Scheme) -> Self {
        let orders = Order::all(params.net(), scheme);
        let floats = Floats::all(params, &orders);
        Self { orders, floats }
    }

    /// In real numbers, as an f32 image has them.
    pub(crate) fn plain(params: &Params<f32>) -> Self {
        Self::of(params, &Scheme::plain(params.net()))
    }

    /// Its integers.
    ///
    /// # Errors
    /// [`Error::Quantize`](crate::error::Error::Quantize) when a matrix has numbers so large that no
    /// shift fits.
    pub(crate) fn integers(&self, plan: Plan<'_>) -> Result<Vec<Integers>> {
        let mut all = vec![Integers::default(); self.orders.len()];
        let whole = Whole {
            orders: &self.orders,
            floats: &self.floats,
        };
        whole.take(plan, &mut all)?;
        Ok(all)
    }
}

/// The integers of a net.
///
/// # Errors
/// As [`Ordered::integers`].
pub(crate) fn quantize(params: &Params<f32>, plan: Plan<'_>) -> Result<Vec<Integers>> {
    Ordered::of(params, plan.scheme).integers(plan)
}

/// The parameters with the weights that the integers of a plan stand for.
///
/// # Errors
/// As [`Ordered::integers`].
pub(crate) fn on_device(params: &Params<f32>, plan: Plan<'_>) -> Result<Params<f32>> {
    let ordered = Ordered::of(params, plan.scheme);
    let all = ordered.integers(plan)?;
    let mut to = params.clone();
    for (index, (order, of)) in ordered.orders.iter().zip(&all).enumerate() {
        put_on_device(&mut to, index, order, of);
    }
    Ok(to)
}
