//! A step on this machine against what it could do at best: builds and runs the benchmarks' summary
//! program, which prints tables and writes a picture into cargo's target folder. The firmware's
//! instruction counts are `bench.rs`.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::command::{cargo, run as run_command, target_folder};

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
    let pictures = target_folder()?.join("bench");
    run_command(&mut summary(options, &pictures))
}

/// The command.
fn summary(options: &Options, pictures: &Path) -> Command {
    let mut command = cargo();
    command.args(["run", "--release", "-p", "gatelet-benches", "--bin"]);
    command.args(["summary", "--", "--out"]).arg(pictures);
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
            let options = Bench::parse_from(arguments).options;
            let line = shown(&summary(&options, Path::new("pictures")));
            line.split_once(" -- ").map(|(_, rest)| rest.to_owned())
        };
        assert_eq!(
            typed(&["--quick", "--isa", "portable", "--json"]).unwrap(),
            "--out pictures --json --isa portable --quick"
        );
        assert_eq!(typed(&[]).unwrap(), "--out pictures");
    }
}
