//! A step on this machine against what it could do at best: builds and runs the benchmarks' summary program.
//! The firmware's instruction counts are `bench.rs`.

use std::process::Command;

use anyhow::Result;

use crate::command::{cargo, run as run_command};

/// What to measure.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// One JSON object, and nothing else on stdout
    #[arg(long)]
    json: bool,
    /// Only this kernel [default: all of this machine]
    #[arg(long, value_name = "NAME")]
    isa: Option<String>,
    /// Fewer and shorter samples: for a look, not for figures
    #[arg(long)]
    quick: bool,
}

/// Builds the program and runs it. Cargo's progress goes to stderr.
pub(crate) fn run(options: &Options) -> Result<()> {
    run_command(&mut summary(options))
}

/// The command.
fn summary(options: &Options) -> Command {
    let mut command = cargo();
    command.args(["run", "--release", "-p", "gatelet-benches", "--bin"]);
    command.args(["summary", "--"]);
    if options.json {
        command.arg("--json");
    }
    if let Some(isa) = &options.isa {
        command.args(["--isa", isa]);
    }
    if options.quick {
        command.arg("--quick");
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::shown;
    use clap::Parser;

    #[derive(Parser)]
    struct Bench {
        #[command(flatten)]
        options: Options,
    }

    #[test]
    fn every_option_reaches_the_program() {
        let typed = |arguments: &[&str]| {
            let arguments = ["bench"].iter().chain(arguments);
            let line = shown(&summary(&Bench::parse_from(arguments).options));
            line.split_once(" -- ").map(|(_, rest)| rest.to_owned())
        };
        assert_eq!(
            typed(&["--quick", "--isa", "portable", "--json"]).unwrap(),
            "--json --isa portable --quick"
        );
        assert_eq!(typed(&[]), None, "no option, so nothing after the dashes");
    }
}
