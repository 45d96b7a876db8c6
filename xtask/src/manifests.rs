//! What the packages of the workspace have in common, as tests.

use std::collections::{BTreeMap, BTreeSet};

use crate::command::{cargo, output, root};

/// A table of a manifest: its heading, and its keys with their values as they are written.
type Table = (String, BTreeMap<String, String>);

/// The tables of a manifest, in their order.
fn tables(text: &str) -> Vec<Table> {
    let mut tables = vec![(String::new(), BTreeMap::new())];
    for line in text.lines() {
        if let Some(name) = line.strip_prefix('[') {
            tables.push((name.trim_end_matches(']').to_owned(), BTreeMap::new()));
        } else if let (Some((key, value)), Some(table)) = (line.split_once('='), tables.last_mut())
        {
            table
                .1
                .insert(key.trim().to_owned(), value.trim().to_owned());
        }
    }
    tables
}

/// The manifests of the members, with their folders.
fn members() -> Vec<(String, Vec<Table>)> {
    let read = |folder: &str| std::fs::read_to_string(root().join(folder).join("Cargo.toml"));
    let workspace = tables(&read("").unwrap());
    let list = &workspace
        .iter()
        .find(|table| table.0 == "workspace")
        .unwrap()
        .1["members"];
    let members = list.trim_matches(['[', ']']).split(',');
    members
        .map(|member| member.trim().trim_matches('"').to_owned())
        .filter(|member| !member.is_empty())
        .map(|member| (member.clone(), tables(&read(&member).unwrap())))
        .collect()
}

#[test]
fn every_package_says_what_it_is() {
    let members = members();
    assert!(members.len() >= 7);
    for (folder, tables) in members {
        let package = &tables.iter().find(|table| table.0 == "package").unwrap().1;
        let mut keys = vec![
            "description",
            "license.workspace",
            "readme.workspace",
            "rust-version.workspace",
        ];
        if !package.contains_key("publish") {
            keys.extend(["keywords", "categories"]);
        }
        for key in keys {
            assert!(
                package.contains_key(key),
                "{folder}/Cargo.toml has no {key}"
            );
        }
    }
}

/// Otherwise it ends in the tests of every crate, ignored one by one.
#[test]
fn cargo_bench_runs_benchmarks_only() {
    for (folder, tables) in members() {
        let here = |path: &str| root().join(&folder).join(path).exists();
        let off = |kind: &str| {
            let of_kind = tables.iter().filter(|table| table.0 == kind);
            let all: Vec<bool> = of_kind
                .map(|table| table.1.get("bench").is_some_and(|x| x == "false"))
                .collect();
            (all.len(), all.into_iter().all(|off| off))
        };
        let (libraries, no_library) = off("lib");
        let (programs, no_program) = off("[bin");
        assert!(
            no_library && no_program,
            "{folder}/Cargo.toml: bench = false is missing"
        );
        assert!(
            libraries == 1 || !here("src/lib.rs"),
            "{folder}/Cargo.toml: [lib] with bench = false"
        );
        assert!(
            programs > 0 || !here("src/main.rs"),
            "{folder}/Cargo.toml: [[bin]] with bench = false"
        );
    }
}

/// Otherwise the trainer's program, and what the docs are made from, are compiled once more after
/// the tests. The remedy is to name the feature among the trainer's dependencies.
#[test]
fn programs_have_their_dependencies_with_the_features_that_tests_have_them_with() {
    let packages = |arguments: &[&str]| -> BTreeSet<String> {
        let mut tree = cargo();
        tree.args(["tree", "--locked", "--prefix", "none"])
            .args(["-f", "{p} {f}", "-e"])
            .args(arguments);
        let text = output(&mut tree).unwrap();
        text.lines()
            .map(|line| line.trim_end_matches(" (*)").to_owned())
            .collect()
    };
    let tests = packages(&["normal,build,dev", "--workspace"]);
    assert!(tests.iter().any(|line| line.starts_with("proptest ")));
    for programs in [&["normal,build"][..], &["normal,build", "--workspace"]] {
        let programs = packages(programs);
        let only: Vec<&String> = programs.difference(&tests).collect();
        assert!(only.is_empty(), "{only:?}");
    }
}
