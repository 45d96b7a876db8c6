//! A conformance suite (`gatelet suite`) on every kernel of this processor, each in its own layout.
//!
//! Prints a line of JSON a case and kernel: `{"kernel","net","steps","first_difference"}`, the last one
//! null where every state is the specification's.

use std::io::Read;

use gatelet::conformance::{Case, CaseError, cases};
use gatelet::format::{repack, repacked_len};
use gatelet::{Isa, Kernel, Model, WithKernel};

struct Run<'a>(Case<'a>, Model<'a>);

impl WithKernel for Run<'_> {
    type Output = Result<(), CaseError>;

    fn run<K: Kernel>(self, kernel: K) -> Self::Output {
        let Self(case, model) = self;
        case.run(&model, kernel, &mut vec![0; model.session_words()])
    }
}

/// A buffer's part that starts at a cache line, `len` bytes long.
fn aligned(buffer: &mut Vec<u8>, len: usize) -> &mut [u8] {
    buffer.resize(len + 64, 0);
    let start = buffer.as_ptr().align_offset(64);
    &mut buffer[start..start + len]
}

/// Reads the suite from stdin and runs it.
pub(crate) fn run() -> Result<(), String> {
    let mut bytes = Vec::new();
    let mut stdin = std::io::stdin().lock();
    stdin
        .read_to_end(&mut bytes)
        .map_err(|why| format!("cannot read the suite: {why}"))?;
    let (mut own, mut packed) = (Vec::new(), Vec::new());
    let suite = aligned(&mut own, bytes.len());
    suite.copy_from_slice(&bytes);
    let text = |why: &dyn std::fmt::Display| why.to_string();
    for case in cases(suite) {
        let case = case.map_err(|why| text(&why))?;
        let mut place = None;
        let given = case.model(&mut place).map_err(|why| text(&why))?;
        for isa in Isa::available() {
            let layout = isa.layout(given.net());
            let most = repacked_len(given, layout).map_err(|why| text(&why))?;
            let room = aligned(&mut packed, most);
            let len = repack(given, layout, room).map_err(|why| text(&why))?;
            let model = Model::from_bytes(&room[..len]).map_err(|why| text(&why))?;
            let difference = match isa.run(Run(case, model)) {
                Ok(()) => "null".to_owned(),
                Err(CaseError::Differs { step }) => step.to_string(),
                Err(why) => return Err(text(&why)),
            };
            println!(
                r#"{{"kernel":"{}","net":"{}","steps":{},"first_difference":{difference}}}"#,
                isa.name(),
                given.net(),
                case.steps(),
            );
        }
    }
    Ok(())
}
