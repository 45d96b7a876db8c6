//! Counts instructions in QEMU, exact to one: with SysTick, from `-icount`'s virtual time
//! (`firmware/boards`).
//!
//! That is not taken on trust: delay loops of known length are counted first, and the program gives
//! up when a count is not exact.

use core::hint::black_box;

use cortex_m::peripheral::{Peripherals, SYST, syst::SystClkSource};
use cortex_m_semihosting::hprintln;

use crate::embedded::QEMU;
use crate::stream::Count;

/// SysTick's reload value: all of its 24 bits.
const RELOAD: u32 = 0x00ff_ffff;

/// SysTick, whose ticks are instructions in QEMU.
#[derive(Debug)]
pub struct Counter(());

/// Instructions cannot be counted; why not has been printed.
#[derive(Clone, Copy, Debug)]
pub struct Uncountable;

impl Counter {
    /// Starts it, and counts loops of known length. Says what is wrong, if anything is.
    pub fn start() -> Result<Self, Uncountable> {
        let mut timer = Peripherals::take()
            .ok_or_else(|| {
                hprintln!("error: the peripherals are taken");
                Uncountable
            })?
            .SYST;
        timer.set_clock_source(SystClkSource::Core);
        timer.set_reload(RELOAD);
        timer.clear_current();
        timer.enable_counter();
        let counter = Counter(());
        // Lengths that have nothing in common with the period of the clock.
        let [mut before, mut length] = [counter.loops(black_box(1_000)), 1_000];
        for more in [1, 2, 3, 10, 77, 1_003, 20_011, 250_007] {
            length += more;
            let after = counter.loops(black_box(length));
            if after.wrapping_sub(before) != 2 * more {
                hprintln!(
                    "error: {} instructions count as {}: start QEMU's {} with -icount shift={}",
                    2 * more,
                    after.wrapping_sub(before),
                    QEMU.machine,
                    QEMU.icount_shift
                );
                return Err(Uncountable);
            }
            before = after;
        }
        Ok(counter)
    }

    /// `asm::delay(n)` is a loop of two instructions, n + 1 times round. One copy of this code
    /// counts all lengths.
    #[inline(never)]
    fn loops(&self, rounds: u32) -> u32 {
        self.instructions(|| cortex_m::asm::delay(rounds))
    }

    /// Instructions from one look at the timer, which counts down, to the next.
    #[inline(always)]
    pub fn instructions<T>(&self, work: impl FnOnce() -> T) -> u32 {
        let before = SYST::get_current();
        black_box(work());
        QEMU.instructions(before.wrapping_sub(SYST::get_current()) & RELOAD)
    }
}

impl Count for Counter {
    #[inline(always)]
    fn instructions(&self, work: impl FnOnce()) -> u32 {
        Counter::instructions(self, work)
    }
}
