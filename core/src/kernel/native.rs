//! The kernel of a firmware.

#[cfg(armv7em)]
use super::Armv7em;
#[cfg(mve)]
use super::Mve;
#[cfg(not(target_arch = "arm"))]
use super::Portable;
#[cfg(all(target_arch = "arm", not(any(armv7em, mve))))]
use super::Thumb;

/// The kernel a firmware uses: the best one its target is known to have when it is compiled.
#[cfg(armv7em)]
pub type Native = Armv7em;
/// The kernel a firmware uses: the best one its target is known to have when it is compiled.
#[cfg(mve)]
pub type Native = Mve;
/// The kernel a firmware uses: the best one its target is known to have when it is compiled.
#[cfg(all(target_arch = "arm", not(any(armv7em, mve))))]
pub type Native = Thumb;
/// The kernel a firmware uses: the best one its target is known to have when it is compiled.
#[cfg(not(target_arch = "arm"))]
pub type Native = Portable;
