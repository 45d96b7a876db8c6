//! `cargo xtask architecture`: the pictures of docs/architecture.md, drawn from the code.
//!
//! ```text
//! crates.svg         packages of the workspace, with cargo's dependencies and descriptions
//! core.svg           folders of core, with their imports and the first sentence of each
//! host-trainer.svg   the same of the trainer
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::command::root;
use crate::generated::settle;
use crate::imports;
use crate::layered::{Graph, Node};
use crate::picture;
use crate::workspace::{Package, packages};

/// Where the pictures are.
const FOLDER: &str = "docs/architecture";
/// Packages with a picture of their folders: name, file and what it is called.
const INSIDE: [(&str, &str, &str); 2] = [
    ("gatelet", "core.svg", "core: folders of the engine"),
    (
        "gatelet-trainer",
        "host-trainer.svg",
        "host-trainer: folders of the trainer",
    ),
];
/// The node of the files beside the folders.
const LOOSE: &str = "files of src";
/// So many of them have a node each.
const FEW: usize = 3;

/// Writes the pictures; or, to check, fails when one is not what the code gives.
pub(crate) fn run(check: bool) -> Result<()> {
    let pictures = pictures()?.into_iter();
    let files: Vec<(PathBuf, String)> = pictures
        .map(|(name, picture)| (Path::new(FOLDER).join(name), picture))
        .collect();
    settle(&files, check, "architecture")
}

/// Every picture, by the name of its file.
fn pictures() -> Result<Vec<(&'static str, String)>> {
    let packages = packages()?;
    let crates = picture::svg(
        &of_packages(&packages),
        "Crates",
        "An arrow leads to what is used; arrows that follow from others are left out.",
    );
    let mut pictures = vec![("crates.svg", crates)];
    for (name, file, title) in INSIDE {
        let package = packages.iter().find(|package| package.name == name);
        let package = package.with_context(|| format!("no package {name}"))?;
        let caption = "An arrow leads to what is imported; arrows that follow from others are left \
                       out. Red: imports upwards.";
        pictures.push((file, picture::svg(&of_folders(package)?, title, caption)));
    }
    Ok(pictures)
}

/// Packages by their folders, and what they depend on.
fn of_packages(packages: &[Package]) -> Graph {
    let base = root();
    let name = |package: &Package| {
        let folder = package.manifest_path.parent().unwrap_or(Path::new(""));
        let folder = folder.strip_prefix(&base).unwrap_or(folder);
        folder.display().to_string()
    };
    let mut graph = Graph::default();
    for (from, package) in packages.iter().enumerate() {
        graph.nodes.push(Node {
            name: name(package),
            text: package
                .description
                .clone()
                .unwrap_or_default()
                .replace('`', ""),
        });
        for dependency in &package.dependencies {
            let to = packages
                .iter()
                .position(|package| package.name == dependency.name);
            if let Some(to) = to.filter(|to| *to != from) {
                graph.arrows.insert((from, to), 1);
            }
        }
    }
    graph
}

/// A library's folders, and what their files import from each other.
fn of_folders(package: &Package) -> Result<Graph> {
    let library = package
        .targets
        .iter()
        .find(|target| target.kind.iter().any(|kind| kind == "lib"));
    let library = library.with_context(|| format!("{} has no library", package.name))?;
    let first = library.src_path.canonicalize()?;
    let source = first.parent().context("a library without a folder")?;
    let arrows = imports::arrows(&first)?;

    let all = || arrows.keys().filter(|file| **file != first);
    let few = all()
        .filter(|file| folder_of(file, source) == LOOSE)
        .count()
        <= FEW;
    let node = |file: &Path| match folder_of(file, source) {
        name if few && name == LOOSE => file
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned(),
        name => name,
    };
    let mut files: BTreeMap<String, Vec<&PathBuf>> = BTreeMap::new();
    for file in all() {
        files.entry(node(file)).or_default().push(file);
    }
    let names: Vec<&String> = files.keys().collect();
    let index = |file: &Path| names.iter().position(|name| **name == node(file));
    let mut graph = Graph::default();
    for (name, files) in &files {
        graph.nodes.push(Node {
            name: name.clone(),
            text: described(name, files, source)?,
        });
    }
    for (from, imported) in &arrows {
        for (to, names) in imported {
            if let (Some(from), Some(to)) = (index(from), index(to))
                && from != to
            {
                *graph.arrows.entry((from, to)).or_default() += names.len();
            }
        }
    }
    Ok(graph)
}

/// The folder of `source` in which a file is: `a/b.rs`, and `a.rs` beside a folder `a`, are of `a`.
fn folder_of(file: &Path, source: &Path) -> String {
    let inside = file.strip_prefix(source).unwrap_or(file);
    let mut parts = inside.components();
    let first = parts
        .next()
        .map(|part| part.as_os_str().to_string_lossy().into_owned());
    let first = first.unwrap_or_default();
    let name = first.strip_suffix(".rs").unwrap_or(&first);
    if parts.next().is_some() || source.join(name).is_dir() {
        return name.to_owned();
    }
    LOOSE.to_owned()
}

/// The first sentence of a folder's documentation; or the names of the loose files.
fn described(name: &str, files: &[&PathBuf], source: &Path) -> Result<String> {
    if name == LOOSE {
        let names = files.iter().filter_map(|file| file.file_stem());
        let names: Vec<_> = names.map(|name| name.to_string_lossy()).collect();
        return Ok(names.join(", "));
    }
    let candidates = [
        source.join(name).join("mod.rs"),
        source.join(format!("{name}.rs")),
    ];
    let Some(file) = candidates.iter().find(|file| file.is_file()) else {
        return Ok(String::new());
    };
    Ok(first_sentence(&std::fs::read_to_string(file)?))
}

fn first_sentence(text: &str) -> String {
    let lines = text.lines().map_while(|line| line.strip_prefix("//!"));
    let lines: Vec<&str> = lines
        .map(str::trim)
        .take_while(|line| !line.is_empty())
        .collect();
    let text = lines.join(" ").replace(['`', '[', ']'], "");
    text.split_once(". ")
        .map_or(text.clone(), |(first, _)| first.to_owned())
        .trim_end_matches(['.', ':'])
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_of_the_folder_beside_them() {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path();
        std::fs::create_dir(source.join("a")).unwrap();
        let of = |name: &str| folder_of(&source.join(name), source);
        assert_eq!([of("a.rs"), of("a/b.rs"), of("a/b/c.rs")], ["a", "a", "a"]);
        assert_eq!(of("d.rs"), LOOSE);
    }

    #[test]
    fn a_sentence_of_documentation() {
        let text = "//! The [`Kernel`] seam:\n//! one. And more.\n//!\n//! Two.\nuse a;\n";
        assert_eq!(first_sentence(text), "The Kernel seam: one");
        assert_eq!(first_sentence("use a;"), "");
    }
}
