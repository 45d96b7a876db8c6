//! Writing files so that nothing a user has is lost.
//!
//! ```text
//! replace:  all bytes to a new file of a random name in the same folder, fsync, rename, fsync the folder
//! append:   one line at the end, fsync; if that fails the file is cut back to what it was
//! Output:   replace, for a path that a user gave: what stands there decides whether it may be
//! ```
//! The rename is the instant of change: a kill leaves the old file or the new one, never half of
//! one. The first fsync makes sure that a power cut after it finds the content, not only the name;
//! the second that the new name itself is on the disk when the function returns.
//!
//! | at the path of an [`Output`] | what happens |
//! |---|---|
//! | nothing | the file is made; one that appears meanwhile stays |
//! | a file of the [`Kind`] that is written, or an empty one | replaced, if that was asked for |
//! | a file of another kind, a read-only one, an input of the command | refused, whatever was asked for |
//! | a link to a file | as that file, and the link stays |
//! | a link to nothing, a folder, a block device, a socket | refused |
//! | a pipe, a terminal, a character device | written to as what it is |
//!
//! The functions of this crate's root are for files whose names the program chose itself, in a
//! folder of its own: there a link has no business, and is refused.

mod bounded;
mod error;
mod output;
mod plain;
mod temporary;

pub use bounded::{read, read_from, read_plain};
pub use error::{Error, Result};
pub use output::{Kind, Output, folder, probe, same};
pub use plain::{
    append, open_to_append, plain, remove_if_there, replace, replace_after, set_aside,
    sync_folder_of,
};
pub use temporary::{Sweep, is_temporary, second_name, sweep};
