//! The states before the last few tokens: backspace is a restore.

use crate::kernel::Kernel;
use crate::session::Session;
use crate::session::error::SnapshotError;

/// A ring of the `DEPTH` newest snapshots, each of `WORDS` words
/// ([`Net::snapshot_words`](crate::net::Net::snapshot_words)).
///
/// Push before a step, pop to undo it. When the ring is full, the oldest snapshot makes room.
#[derive(Debug, Default)]
pub struct History<const DEPTH: usize, const WORDS: usize> {
    snapshots: heapless::Deque<[u32; WORDS], DEPTH>,
}

impl<const DEPTH: usize, const WORDS: usize> History<DEPTH, WORDS> {
    /// Empty.
    pub const fn new() -> Self {
        History {
            snapshots: heapless::Deque::new(),
        }
    }

    /// Steps that can be undone.
    pub fn len(&self) -> usize {
        self.snapshots.len()
    }

    /// Whether no step can be undone.
    pub fn is_empty(&self) -> bool {
        self.snapshots.is_empty()
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.snapshots.clear();
    }

    /// Keeps the session's state.
    ///
    /// # Errors
    /// When `WORDS` is not the length of a snapshot of the session's model.
    pub fn push<K: Kernel>(&mut self, session: &Session<'_, '_, K>) -> Result<(), SnapshotError> {
        let mut snapshot = [0; WORDS];
        session.snapshot(&mut snapshot)?;
        if self.snapshots.is_full() {
            self.snapshots.pop_front();
        }
        // There is room now; a ring of depth 0 keeps nothing.
        let _ = self.snapshots.push_back(snapshot);
        Ok(())
    }

    /// Brings the session back to the newest state kept, and drops it. `false` if there is none: the session is then
    /// unchanged.
    ///
    /// # Errors
    /// When `WORDS` is not the length of a snapshot of the session's model.
    pub fn pop<K: Kernel>(
        &mut self,
        session: &mut Session<'_, '_, K>,
    ) -> Result<bool, SnapshotError> {
        match self.snapshots.pop_back() {
            Some(snapshot) => session.restore(&snapshot).map(|()| true),
            None => Ok(false),
        }
    }
}
