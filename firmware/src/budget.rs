//! Does a model fit a board? The memory plan of an image, as numbers.
//!
//! ```text
//! flash:  code + constants (CODE_BYTES kept)  |  model image
//! RAM:    stack (STACK_BYTES)  |  application (APPLICATION_BYTES)  |  state  |  completion's snapshots  |  history
//! ```
//!
//! The stack lies at the bottom of RAM, so that running over it is a bus fault and never a silently
//! changed state. The history (the snapshots that Backspace goes back through) takes what is left,
//! up to [`MAX_HISTORY`] of them. `build.rs` compiles this file too and stops the build with the
//! [`Shortage`]'s text.

use core::fmt::{self, Display, Formatter};

use gatelet_boards::{Board, Use};

/// Flash kept for code and constants; the console of words needs 86.5 KiB, 12 of them for the small
/// letters of capitals. The linker has the last word.
pub const CODE_BYTES: usize = 87 * 1024;
/// Flash kept besides for top-k and top-p, in a console that writes with one of them; 3,712 bytes
/// are needed.
pub const CUTS_BYTES: usize = 4 * 1024;
/// RAM kept for the stack. The console was seen to use 3448 bytes with snapshots of 384 (QEMU, the
/// stack dumped after a session of every kind of key); the largest snapshots that flash leaves room
/// for have 2 KiB, of which five lie on the stack at most.
pub const STACK_BYTES: usize = 16 * 1024;
/// RAM kept for the stack on a board that only runs the measuring programs. They hold no snapshots.
pub const MEASURING_STACK_BYTES: usize = 8 * 1024;
/// RAM kept for everything static that does not depend on the model: queues, the line, log buffers.
pub const APPLICATION_BYTES: usize = 8 * 1024;
/// Snapshots kept at most; a longer way back is computed again from the start of the line.
pub const MAX_HISTORY: usize = 64;
/// Snapshots below which the console would be recomputing all the time.
pub const MIN_HISTORY: usize = 8;
/// Snapshots that the completion's beam search holds: two beams and the state it starts from.
pub const BEAM_SNAPSHOTS: usize = 2 * BEAM + 1;
/// Hypotheses of the completion's beam search. One more costs up to fifteen steps a key.
pub const BEAM: usize = 2;

/// What a model asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Demand {
    /// Bytes of the image.
    pub model_bytes: usize,
    /// Words of 4 bytes of a session's storage.
    pub state_words: usize,
    /// Words of 4 bytes of one snapshot.
    pub snapshot_words: usize,
}

/// How the memory is divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Snapshots kept for Backspace.
    pub history_depth: usize,
    /// RAM of the session's storage, in bytes.
    pub state_bytes: usize,
    /// RAM of the history, in bytes.
    pub history_bytes: usize,
}

/// What is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shortage {
    /// The image does not fit beside the code.
    Flash {
        /// The part's name.
        part: &'static str,
        /// Bytes of the model image.
        model: usize,
        /// Bytes needed.
        need: usize,
        /// Bytes of flash.
        have: usize,
    },
    /// State and the fewest useful snapshots do not fit beside stack and application.
    Ram {
        /// The part's name.
        part: &'static str,
        /// Bytes of the session's storage.
        state: usize,
        /// Bytes of [`MIN_HISTORY`] + [`BEAM_SNAPSHOTS`] snapshots.
        snapshots: usize,
        /// Bytes needed.
        need: usize,
        /// Bytes of RAM.
        have: usize,
    },
}

impl Display for Shortage {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match *self {
            Shortage::Flash {
                part,
                model,
                need,
                have,
            } => write!(
                f,
                "the model does not fit the flash of the {part}: need {need} bytes (model {model} + code {CODE_BYTES}), \
                 have {have}"
            ),
            Shortage::Ram {
                part,
                state,
                snapshots,
                need,
                have,
            } => write!(
                f,
                "the model does not fit the RAM of the {part}: need {need} bytes (state {state} + snapshots \
                 {snapshots} + stack {STACK_BYTES} + application {APPLICATION_BYTES}), have {have}"
            ),
        }
    }
}

/// RAM kept for the stack of a part.
pub const fn stack_bytes(part: &Board) -> usize {
    match part.runs {
        Use::Console => STACK_BYTES,
        Use::Engine => MEASURING_STACK_BYTES,
    }
}

/// Divides a part's memory for a model. A part for measuring gets no history; the linker sees that
/// its state fits.
///
/// # Errors
/// Says which memory is short, with what is needed and what there is.
pub const fn plan(part: &Board, demand: &Demand) -> Result<Plan, Shortage> {
    let need = demand.model_bytes.saturating_add(CODE_BYTES);
    if need > part.flash_bytes {
        return Err(Shortage::Flash {
            part: part.name,
            model: demand.model_bytes,
            need,
            have: part.flash_bytes,
        });
    }
    let state_bytes = demand.state_words.saturating_mul(4);
    if let Use::Engine = part.runs {
        return Ok(Plan {
            history_depth: 0,
            state_bytes,
            history_bytes: 0,
        });
    }
    let snapshot_bytes = demand.snapshot_words.saturating_mul(4);
    let snapshots = snapshot_bytes.saturating_mul(MIN_HISTORY + BEAM_SNAPSHOTS);
    let fixed = state_bytes.saturating_add(STACK_BYTES + APPLICATION_BYTES);
    let need = fixed.saturating_add(snapshots);
    if need > part.ram_bytes {
        return Err(Shortage::Ram {
            part: part.name,
            state: state_bytes,
            snapshots,
            need,
            have: part.ram_bytes,
        });
    }
    // A snapshot is never empty: a layer has at least one unit.
    let fitting = match (part.ram_bytes - fixed).checked_div(snapshot_bytes) {
        Some(fitting) => fitting - BEAM_SNAPSHOTS,
        None => MAX_HISTORY,
    };
    let history_depth = if fitting > MAX_HISTORY {
        MAX_HISTORY
    } else {
        fitting
    };
    Ok(Plan {
        history_depth,
        state_bytes,
        history_bytes: history_depth * snapshot_bytes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use gatelet_boards::{MICROBIT, STM32F405};

    /// LSTM, hidden 128, int8, 64 tokens: state 96 + 32 + 64 words, a snapshot 96.
    const DEFAULT: Demand = Demand {
        model_bytes: 100_000,
        state_words: 192,
        snapshot_words: 96,
    };

    #[test]
    fn a_usual_model_gets_the_longest_history() {
        let plan = plan(&STM32F405, &DEFAULT).unwrap();
        assert_eq!(plan.history_depth, MAX_HISTORY);
        assert_eq!((plan.state_bytes, plan.history_bytes), (768, 64 * 384));
    }

    #[test]
    fn the_last_byte_of_flash_can_be_used_and_no_more() {
        let room = STM32F405.flash_bytes - CODE_BYTES;
        let with = |model_bytes| {
            plan(
                &STM32F405,
                &Demand {
                    model_bytes,
                    ..DEFAULT
                },
            )
        };
        assert!(with(room).is_ok());
        let shortage = with(room + 1).unwrap_err();
        assert!(
            matches!(shortage, Shortage::Flash { need, have, .. } if need == have + 1),
            "{shortage}"
        );
    }

    #[test]
    fn history_shrinks_before_the_build_stops() {
        let part = Board {
            ram_bytes: STACK_BYTES + APPLICATION_BYTES + 192 * 4 + (BEAM_SNAPSHOTS + 9) * 384 + 383,
            ..STM32F405
        };
        assert_eq!(plan(&part, &DEFAULT).unwrap().history_depth, 9);
        let part = Board {
            ram_bytes: part.ram_bytes - 2 * 384,
            ..part
        };
        let text = plan(&part, &DEFAULT).unwrap_err().to_string();
        assert!(text.contains("need 30336 bytes"), "{text}");
        assert!(text.contains("have 30335"), "{text}");
    }

    #[test]
    fn a_part_for_measuring_keeps_no_history() {
        let plan = plan(&MICROBIT, &DEFAULT).unwrap();
        assert_eq!((plan.history_depth, plan.state_bytes), (0, 768));
    }

    #[test]
    fn absurd_demands_do_not_wrap_around() {
        let absurd = Demand {
            model_bytes: 0,
            state_words: usize::MAX,
            snapshot_words: usize::MAX,
        };
        assert!(matches!(
            plan(&STM32F405, &absurd),
            Err(Shortage::Ram { .. })
        ));
        let absurd = Demand {
            model_bytes: usize::MAX,
            ..absurd
        };
        assert!(matches!(
            plan(&STM32F405, &absurd),
            Err(Shortage::Flash { .. })
        ));
    }
}
