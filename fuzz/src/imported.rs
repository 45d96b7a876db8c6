//! What must hold of a file of another program, whatever is in it.

use gatelet_import::draft::Draft;
use gatelet_import::plain::Plain;
use gatelet_import::{Result, lower};

/// Whether what a reader made is accepted.
///
/// # Panics
/// When lowering or running panics, a net that is accepted has other outputs than it says, or a
/// refusal is not one line.
pub(crate) fn accepted(draft: Result<Draft>) -> bool {
    match draft.and_then(lower) {
        Ok(net) => {
            let inputs: usize = net.inputs.iter().map(|port| port.width).sum();
            let outputs: usize = net.outputs.iter().map(|port| port.width).sum();
            let mut stream = Plain::new(&net);
            for _ in 0..2 {
                assert_eq!(stream.step(&vec![0.5; inputs], 0).len(), outputs);
            }
            true
        }
        Err(error) => {
            let error = error.to_string();
            assert!(!error.is_empty() && !error.contains('\n'), "{error}");
            false
        }
    }
}
