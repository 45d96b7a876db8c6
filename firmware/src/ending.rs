//! Why the program ended, told by the start after it.
//!
//! ```text
//! panic, HardFault --> Ending --> RAM that no start clears --reset--> Ending --> console and log
//! words: kind | line, four letters of the file, 0   of a panic    | sum of the others
//!             | pc, lr, CFSR                        of a fault    |
//! ```
//! After power-up that RAM holds anything: only a record whose sum is right is one. Its words are
//! written as they stand: a program that has just failed does little.

use core::fmt::{self, Display, Formatter, Write as _};

/// Words of a record.
pub const WORDS: usize = 5;
/// What the sum starts with: "ende".
const START: u32 = 0x656e_6465;

/// The kinds.
const PANIC: u32 = 1;
const FAULT: u32 = 2;
const STACK: u32 = 3;

/// Why it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ending([u32; WORDS]);

impl Ending {
    /// With its sum.
    fn new(kind: u32, [a, b, c]: [u32; 3]) -> Self {
        let mut ending = Ending([kind, a, b, c, 0]);
        ending.0[WORDS - 1] = ending.sum();
        ending
    }

    /// A panic at a place of the source. Of the file's name the four letters before `.rs` are kept.
    pub fn panic(file: &str, line: u32) -> Self {
        let name = match file.as_bytes().last_chunk() {
            Some(&[a, b, c, d, _, _, _]) => u32::from_be_bytes([a, b, c, d]),
            _ => 0,
        };
        Self::new(PANIC, [line, name, 0])
    }

    /// A fault of the processor: the instruction, where its function returns to if it has called no
    /// other, and the register CFSR.
    pub fn fault(at: u32, caller: u32, status: u32) -> Self {
        Self::new(FAULT, [at, caller, status])
    }

    /// The stack ran over its end.
    pub fn stack() -> Self {
        Self::new(STACK, [0; 3])
    }

    /// Nobody fed the watchdog. It leaves no record: its reset is known otherwise.
    pub fn watchdog() -> Self {
        Self::new(0, [0; 3])
    }

    /// The record to leave.
    pub fn words(&self) -> [u32; WORDS] {
        self.0
    }

    /// What the program before has left, if it has.
    pub fn of_words(words: [u32; WORDS]) -> Option<Self> {
        let ending = Ending(words);
        (ending.0[WORDS - 1] == ending.sum()).then_some(ending)
    }

    /// Of all words but the last.
    #[inline(never)]
    fn sum(&self) -> u32 {
        let summed = self.0.iter().take(WORDS - 1);
        summed.fold(START, |sum, word| sum.rotate_left(7) ^ word)
    }
}

impl Display for Ending {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let [kind, a, b, c, _] = self.0;
        match kind {
            PANIC => {
                write!(f, "a panic, line {a} of ..")?;
                let mut name = b.to_be_bytes().into_iter();
                name.try_for_each(|byte| f.write_char(char::from(byte)))
            }
            FAULT => write!(f, "a fault at {a:08x}, called from {b:08x}, CFSR {c:08x}"),
            STACK => f.write_str("a full stack"),
            _ => f.write_str("the watchdog: it hung"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all() -> [Ending; 3] {
        [
            Ending::panic("firmware/src/line.rs", 123),
            Ending::fault(0x0800_1234, 0x0800_4321, 0x0001_0000),
            Ending::stack(),
        ]
    }

    #[test]
    fn a_record_is_read_as_it_was_left() {
        for ending in all() {
            assert_eq!(Ending::of_words(ending.words()), Some(ending));
        }
    }

    #[test]
    fn every_flipped_bit_of_a_record_is_noticed() {
        for ending in all() {
            for bit in 0..32 * WORDS {
                let mut words = ending.words();
                words[bit / 32] ^= 1 << (bit % 32);
                assert_eq!(Ending::of_words(words), None, "{ending} {bit}");
            }
        }
    }

    #[test]
    fn memory_without_a_record_says_nothing() {
        assert_eq!(Ending::of_words([0; WORDS]), None);
        assert_eq!(Ending::of_words([u32::MAX; WORDS]), None);
    }

    #[test]
    fn endings_name_their_place() {
        let [panic, fault, stack] = all().map(|ending| ending.to_string());
        assert_eq!(panic, "a panic, line 123 of ..line");
        assert_eq!(
            fault,
            "a fault at 08001234, called from 08004321, CFSR 00010000"
        );
        assert_eq!(stack, "a full stack");
        assert!(Ending::watchdog().to_string().contains("watchdog"));
    }

    proptest! {
        #[test]
        fn a_panic_anywhere_can_be_kept(file in any::<String>(), line in any::<u32>()) {
            let ending = Ending::panic(&file, line);
            prop_assert_eq!(Ending::of_words(ending.words()), Some(ending));
            let start = format!("a panic, line {line} of ");
            prop_assert!(ending.to_string().starts_with(&start));
        }
    }
}
