//! What a program that ends leaves for the next start, and the handler of faults.
//!
//! The stack has no memory below it. A fault of a full stack finds the stack pointer there, where
//! the processor could not save its registers and the handler could not either: it takes the whole
//! stack for itself first.

#![expect(
    unsafe_code,
    reason = "a section that no start clears, and what the processor has put on the stack"
)]

use core::hint::black_box;
use core::sync::atomic::{AtomicU32, Ordering};

use cortex_m::peripheral::SCB;
use gatelet_firmware::ending::{Ending, WORDS};

/// Neither cleared nor loaded at a start.
// SAFETY: the section `.uninit` of cortex-m-rt's linker script is RAM, and every value of the words
// is one.
#[unsafe(link_section = ".uninit.ending")]
static RECORD: [AtomicU32; WORDS] = [const { AtomicU32::new(0) }; WORDS];

/// Leaves a record.
fn leave(ending: &Ending) {
    for (place, word) in black_box(&RECORD).iter().zip(ending.words()) {
        place.store(word, Ordering::Relaxed);
    }
}

/// Leaves why it ends for the next start. Then: a board starts again, and so does QEMU in the test
/// that wants to see it; otherwise QEMU ends with a failure.
pub fn end(ending: &Ending) -> ! {
    leave(ending);
    #[cfg(all(feature = "log-semihosting", not(feature = "provoke")))]
    cortex_m_semihosting::debug::exit(cortex_m_semihosting::debug::EXIT_FAILURE);
    cortex_m::peripheral::SCB::sys_reset()
}

/// Takes the record of the run before, which nobody finds again.
pub fn take() -> Option<Ending> {
    // As if unknown: what stands there is not what the compiler sees.
    let record = black_box(&RECORD);
    let words = record.each_ref().map(|place| place.load(Ordering::Relaxed));
    record[0].store(0, Ordering::Relaxed);
    Ending::of_words(words)
}

/// Hands over the saved pc and lr, and whether there are any, with the whole stack to itself.
// SAFETY: the name is that of the vector in cortex-m-rt's table, which has no other handler. The
// words read are those that the processor has put on the stack; they are read only where the stack
// has them.
#[unsafe(no_mangle)]
#[unsafe(naked)]
extern "C" fn HardFault() -> ! {
    core::arch::naked_asm!(
        "mov r3, sp",
        "ldr r2, =_stack_end",
        "cmp r3, r2",
        "ite hs",
        "movhs r2, #1",
        "movlo r2, #0",
        "itt hs",
        "ldrhs r0, [r3, #24]",
        "ldrhs r1, [r3, #20]",
        "ldr r3, =_stack_start",
        "mov sp, r3",
        "b {fault}",
        fault = sym fault,
    )
}

extern "C" fn fault(at: u32, caller: u32, saved: bool) -> ! {
    // SAFETY: the address of a register block that is always there; it is only read.
    let status = unsafe { &*SCB::PTR }.cfsr.read();
    let ending = match saved {
        true => Ending::fault(at, caller, status),
        false => Ending::stack(),
    };
    end(&ending)
}
