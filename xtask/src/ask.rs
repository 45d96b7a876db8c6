//! Asking before something is changed on this machine.

use std::io::{self, IsTerminal, Write};

/// Whether a person is there to answer.
pub(crate) fn person() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal() && !ci()
}

/// Whether this runs in a CI job.
fn ci() -> bool {
    std::env::var("CI").is_ok_and(|v| !v.is_empty() && v != "false" && v != "0")
}

/// Asks a yes-or-no question; Enter means `default`, the end of the input means no.
pub(crate) fn yes(question: &str, default: bool) -> bool {
    let choices = if default { "[Y/n]" } else { "[y/N]" };
    eprint!("{question} {choices} ");
    let mut answer = String::new();
    if io::stderr().flush().is_err() || !matches!(io::stdin().read_line(&mut answer), Ok(1..)) {
        eprintln!();
        return false;
    }
    meant(&answer, default)
}

fn meant(answer: &str, default: bool) -> bool {
    match answer.trim().to_lowercase().as_str() {
        "" => default,
        "y" | "yes" => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_yes_and_enter_mean_yes() {
        assert!(meant("\n", true) && !meant("\n", false));
        assert!(meant("Y\n", false) && meant(" yes ", false));
        assert!(!meant("n\n", true) && !meant("what?\n", true));
    }
}
