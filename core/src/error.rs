//! One error for programs that only pass errors on; and all errors, each of which stands beside the
//! operation that fails. Variants carry the numbers; the sentence is made only when somebody prints
//! it, so a program that never prints pays no flash for formatting.

use core::fmt::{self, Display, Formatter};

pub use crate::front::FrontEndError;
pub use crate::image::error::{LoadError, WriteError};
pub use crate::image::format::SectionName;
pub use crate::net::dims::DimsError;
pub use crate::net::{LayoutError, NetError};
pub use crate::session::error::{SessionError, SnapshotError, StepError};
pub use crate::session::self_test::SelfTestError;
pub use crate::text::sample::SamplerError;

macro_rules! errors {
    ($($(#[$doc:meta])* $name:ident($error:ident),)*) => {
        /// Any error of this crate, for `?` in a program that has no error type of its own. Every
        /// operation returns the narrower one.
        ///
        /// A program that prints it has the sentences of all of them in its flash.
        #[derive(Clone, Copy, Debug, PartialEq)]
        #[cfg_attr(feature = "defmt", derive(defmt::Format))]
        #[non_exhaustive]
        pub enum Error {
            $($(#[$doc])* $name($error),)*
        }

        impl Display for Error {
            fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
                match self {
                    $(Error::$name(error) => Display::fmt(error, f),)*
                }
            }
        }

        impl core::error::Error for Error {}

        $(impl From<$error> for Error {
            fn from(error: $error) -> Self {
                Error::$name(error)
            }
        })*
    };
}

errors!(
    /// An image was refused.
    Load(LoadError),
    /// A session could not be made.
    Session(SessionError),
    /// A token was not taken.
    Step(StepError),
    /// A snapshot was not taken, or not restored.
    Snapshot(SnapshotError),
    /// The known-answer test failed.
    SelfTest(SelfTestError),
    /// A shape is outside the supported ranges.
    Dims(DimsError),
    /// A net is none that can be.
    Net(NetError),
    /// A model cannot have a layout.
    Layout(LayoutError),
    /// An image could not be written.
    Write(WriteError),
    /// A front end is none that can be.
    FrontEnd(FrontEndError),
    /// A setting of a sampler is out of range.
    Sampler(SamplerError),
);
