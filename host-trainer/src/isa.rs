//! The instruction set that everything runs on: the best of the machine, or that of `GATELET_ISA`.

use gatelet::Isa;

use crate::error::{Error, Result};

/// The kernel that commands run with: the one that the environment variable `GATELET_ISA` names, or else the fastest of
/// this machine.
///
/// # Errors
/// [`Error::Isa`] when this machine does not have the one that is named.
pub fn isa() -> Result<Isa> {
    match std::env::var("GATELET_ISA") {
        Ok(name) if !name.is_empty() => isa_named(&name),
        _ => Ok(Isa::detect()),
    }
}

/// The kernel of that name.
///
/// # Errors
/// [`Error::Isa`], with the names of those that this machine has.
pub fn isa_named(name: &str) -> Result<Isa> {
    Isa::from_name(name).ok_or_else(|| {
        let have: Vec<&str> = Isa::available().map(Isa::name).collect();
        Error::Isa {
            name: name.to_owned(),
            have: have.join(", "),
        }
    })
}
