//! Any list of operations, trained: parameters, losses, and backpropagation through time.
//!
//! ```text
//! tensors        what an operation has, and where it lies
//! params, init   all numbers of a net in one flat buffer, by operation and role
//! packs          the same as products read them, once an optimizer step
//! shard, pass    one window of some streams, forward and backward: the operations in order
//! given          a window's inputs, what is asked, and what the net gives
//! operand        what an operation reads: one value, or several side by side
//! loss           cross entropy, binary, mean squared, mean absolute, Huber
//! embedding, rnn, lstm, gru, gru_before, dense, add      an operation each, forward beside backward
//! device         integers of a net, and training through them
//! interface      names of inputs and outputs; front_end: what makes features of sound
//! starts         the states that recurrent operations begin with
//! recurrent      what the recurrent ones share: the steps of a window, dropout, lines
//! step, cells    the buffers of a step of them, and which cell does it
//! ```
//! Everything is generic over [`Real`](crate::real::Real): `f32` to train, on the kernels of
//! [`engine`](crate::engine); `f64`, plainly, for the gradient tests. The list itself is core's
//! [`Net`].

mod add;
mod cells;
mod common;
mod dense;
pub mod device;
pub mod dropout;
mod embedding;
mod front_end;
mod gate;
mod given;
pub mod gru;
mod gru_before;
mod init;
mod interface;
mod loss;
pub mod lstm;
mod operand;
mod packs;
mod params;
mod pass;
mod recurrent;
pub mod rnn;
mod shard;
pub(crate) mod starts;
mod step;
pub(crate) mod stored;
mod sums;
mod tensors;
pub mod unroll;

pub use gatelet::net::Net;

pub use self::front_end::FrontEnd;
pub use self::given::{Seen, Window};
pub use self::init::glorot;
pub use self::interface::{Interface, NamedInput, NamedOutput};
pub use self::loss::{IGNORED, Loss, Targets, softmax};
pub use self::packs::Packs;
pub use self::params::Params;
pub use self::shard::Shard;
pub use self::starts::Start;
pub use self::tensors::{Role, Tensor, inputs, tensors};
