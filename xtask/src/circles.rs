//! `cargo xtask circles`: files of a crate that import each other, in a circle.
//!
//! ```text
//! kernel.rs -> layer.rs -> kernel.rs      neither can be read, tested or changed without the other
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::command::root;
use crate::imports::{self, Arrows};
use crate::workspace::packages;

/// Files each of which leads to each of the others.
type Circle = BTreeSet<PathBuf>;

/// Prints every circle there is.
pub(crate) fn run() -> Result<()> {
    for (package, (circles, text)) in all()? {
        println!("{package}: {} files in circles", files(&circles));
        print!("{text}");
    }
    Ok(())
}

/// Fails when a package has files in circles.
pub(crate) fn check() -> Result<()> {
    let mut wrong = String::new();
    for (package, (circles, text)) in all()? {
        if !circles.is_empty() {
            writeln!(wrong, "{package}: {} files in circles", files(&circles))?;
            wrong.push_str(&text);
        }
    }
    if !wrong.is_empty() {
        bail!("{}", wrong.trim_end());
    }
    Ok(())
}

fn files(circles: &BTreeSet<Circle>) -> usize {
    circles.iter().map(BTreeSet::len).sum()
}

/// The circles of every package of the workspace, also as text.
fn all() -> Result<BTreeMap<String, (BTreeSet<Circle>, String)>> {
    let base = root().canonicalize()?;
    let mut all = BTreeMap::new();
    for package in packages()? {
        let (mut found, mut text) = (BTreeSet::new(), String::new());
        for target in &package.targets {
            let arrows = imports::arrows(&target.src_path)?;
            for circle in circles(&arrows) {
                if !found.contains(&circle) {
                    text.push_str(&shown(&circle, &arrows, &base));
                    found.insert(circle);
                }
            }
        }
        all.insert(package.name, (found, text));
    }
    Ok(all)
}

/// A circle: each file with what it imports from the others.
fn shown(circle: &Circle, arrows: &Arrows, base: &Path) -> String {
    let name = |file: &PathBuf| {
        file.strip_prefix(base)
            .unwrap_or(file)
            .display()
            .to_string()
    };
    let mut text = format!("  a circle of {} files\n", circle.len());
    for from in circle {
        text.push_str(&format!("    {}\n", name(from)));
        for (to, names) in arrows[from].iter().filter(|(to, _)| circle.contains(*to)) {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            text.push_str(&format!("      -> {}: {}\n", name(to), names.join(", ")));
        }
    }
    text
}

fn circles(arrows: &Arrows) -> BTreeSet<Circle> {
    let reached: BTreeMap<&PathBuf, Circle> = arrows
        .keys()
        .map(|from| (from, reached_from(from, arrows)))
        .collect();
    let in_circles = reached.iter().filter(|(from, to)| to.contains(**from));
    let circle = |(from, to): (&&PathBuf, &Circle)| {
        to.iter()
            .filter(|to| reached[to].contains(*from))
            .cloned()
            .collect()
    };
    in_circles.map(circle).collect()
}

/// All files to which arrows lead from `file`.
fn reached_from(file: &PathBuf, arrows: &Arrows) -> Circle {
    let mut reached = Circle::new();
    let mut waiting = vec![file];
    while let Some(from) = waiting.pop() {
        waiting.extend(
            arrows[from]
                .keys()
                .filter(|to| reached.insert((*to).clone())),
        );
    }
    reached
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The circles of a crate of these files, by the names of their files.
    fn found(files: &[(&str, &str)]) -> Vec<Vec<String>> {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let arrows = imports::arrows(&folder.path().join("lib.rs")).unwrap();
        assert!(arrows.len() >= files.len());
        let base = folder.path().canonicalize().unwrap();
        let name = |file: PathBuf| file.strip_prefix(&base).unwrap().display().to_string();
        let circles = circles(&arrows).into_iter();
        circles
            .map(|files| files.into_iter().map(name).collect())
            .collect()
    }

    #[test]
    fn two_files_that_import_each_other() {
        let found = found(&[
            ("lib.rs", "mod a; mod b; mod c;"),
            ("a.rs", "use crate::b::{self, B as C};"),
            ("b.rs", "pub struct B; fn f() -> usize { super::a::g() }"),
            ("c.rs", "use super::{a::g, b::B};"),
        ]);
        assert_eq!(found, [["a.rs", "b.rs"]]);
    }

    #[test]
    fn one_direction_is_no_circle() {
        let found = found(&[
            ("lib.rs", "mod a; mod b; pub use a::A; pub use b::B;"),
            ("a.rs", "use crate::b::B; // use crate::A;\npub struct A;"),
            ("b.rs", "pub struct B; const TEXT: &str = \"crate::a::A\";"),
        ]);
        assert!(found.is_empty(), "{found:?}");
    }

    #[test]
    fn names_handed_on_lead_to_where_they_are_defined() {
        let files = |inner: &'static str| {
            [
                ("lib.rs", "mod a; mod b;"),
                (
                    "a/mod.rs",
                    "mod inner; pub use inner::Inner; pub struct Outer;",
                ),
                ("a/inner.rs", inner),
                ("b.rs", "use crate::a::Inner; pub struct B;"),
            ]
        };
        // What `b` uses is the inner file's, and not the folder's.
        let none = found(&files("pub struct Inner; use super::Outer;"));
        assert!(none.is_empty(), "{none:?}");
        let found = found(&files("pub struct Inner; use crate::b::B;"));
        assert_eq!(found, [["a/inner.rs", "b.rs"]]);
    }

    #[test]
    fn a_file_that_uses_what_it_hands_on_imports_it() {
        let found = found(&[
            ("lib.rs", "mod a;"),
            (
                "a.rs",
                "mod b; pub use b::B; pub trait T { fn t() -> B { B } }",
            ),
            ("a/b.rs", "use super::T; pub struct B;"),
        ]);
        assert_eq!(found, [["a/b.rs", "a.rs"]]);
    }

    /// `use<'a>` says what a type captures; `$crate` in a macro is the importing file's.
    #[test]
    fn what_looks_like_an_import() {
        let found = found(&[
            ("lib.rs", "mod a; mod b;"),
            (
                "a.rs",
                "fn f<'a>() -> impl T + use<'a> { g(); { h(); } } use crate::b::B;",
            ),
            (
                "b.rs",
                "pub struct B; macro_rules! m { () => { $crate::a::f() }; }",
            ),
        ]);
        assert!(found.is_empty(), "{found:?}");
    }

    /// Paths in macros, and paths that begin with a module or an imported name.
    #[test]
    fn paths_in_expressions() {
        let found = found(&[
            ("lib.rs", "mod a; mod b; fn f() { a::f() }"),
            ("a.rs", "fn f() { println!(\"{}\", crate::b::g()) }"),
            ("b.rs", "use crate as whole; fn g() { whole::f() }"),
        ]);
        assert_eq!(found, [["a.rs", "b.rs", "lib.rs"]]);
    }

    #[test]
    fn modules_within_a_file_and_tests() {
        let free = found(&[
            ("lib.rs", "mod a; mod b; #[path = \"else/where.rs\"] mod c;"),
            (
                "a.rs",
                "pub mod inner { use super::super::b::B; pub struct I; }",
            ),
            (
                "b.rs",
                "pub struct B; #[cfg(test)] mod tests { use crate::a::inner::I; }",
            ),
            ("else/where.rs", "use crate::a::inner::I;"),
        ]);
        assert!(free.is_empty(), "{free:?}");
        let found = found(&[
            ("lib.rs", "mod a; mod b;"),
            (
                "a.rs",
                "pub mod inner { use super::super::b::B; pub struct I; }",
            ),
            ("b.rs", "pub struct B; use crate::a::inner::I;"),
        ]);
        assert_eq!(found, [["a.rs", "b.rs"]]);
    }
}
