//! Which file of a crate imports from which, read from its tokens.
//!
//! A `use`, and a path that begins with `crate`, `super`, `self`, a module or an imported name,
//! imports from the file that defines the name: through any `pub use` on the way to it, which
//! imports nothing for itself unless its own file uses the name. Tests within a file import what
//! they like.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path as FilePath, PathBuf};

use anyhow::{Context, Result, anyhow};
use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// How many `use` may stand for each other on the way to where a name is defined.
const MOST_STEPS: usize = 16;

/// A module's path within its crate, or a path as it is written.
type Path = Vec<String>;

/// For each file of a crate, the files that it imports from, with the names it imports.
pub(crate) type Arrows = BTreeMap<PathBuf, BTreeMap<PathBuf, BTreeSet<String>>>;

/// The arrows of the crate that begins with the file `root`.
pub(crate) fn arrows(root: &FilePath) -> Result<Arrows> {
    let mut modules = Modules::default();
    modules.add(Path::new(), root, true)?;
    let mut arrows = Arrows::new();
    for source in &modules.sources {
        let from = arrows.entry(source.file.clone()).or_default();
        for (module, path, name) in &source.imports {
            let to = modules.file_of(module, path);
            let handed_on = source.public.contains(name) && !source.words.contains(name);
            if let Some(to) = to.filter(|to| **to != source.file && !handed_on) {
                let names: &mut BTreeSet<String> = from.entry(to.clone()).or_default();
                names.extend(path.last().cloned());
            }
        }
    }
    Ok(arrows)
}

/// What a file says.
#[derive(Default)]
struct Source {
    file: PathBuf,
    /// Modules in files of their own: the module they are declared in, name, `#[path]`.
    children: Vec<(Path, String, Option<String>)>,
    /// Modules within this file.
    inner: Vec<Path>,
    /// What is imported: the module that the import stands in, the path, and its name there: empty
    /// for a path in an expression or a type.
    imports: Vec<(Path, Path, String)>,
    /// Names of `pub use`.
    public: BTreeSet<String>,
    /// Words outside of `use`.
    words: BTreeSet<String>,
}

/// What stands before an item.
#[derive(Default)]
struct Before {
    test: bool,
    public: bool,
    path: Option<String>,
}

impl Before {
    /// `#[cfg(test)]` and `#[path = "..."]` count.
    fn attribute(&mut self, attribute: TokenStream) {
        let text = attribute.to_string();
        let has = |word| {
            text.split(|c: char| !c.is_alphanumeric())
                .any(|w| w == word)
        };
        self.test |=
            text.starts_with("cfg ") | text.starts_with("cfg(") && has("test") && !has("not");
        if text.starts_with("path") {
            self.path = text.split('"').nth(1).map(str::to_owned);
        }
    }
}

impl Source {
    /// Reads tokens of the module `module`.
    fn read(&mut self, tokens: TokenStream, module: &Path) {
        let trees: Vec<TokenTree> = tokens.into_iter().collect();
        let (mut at, mut before) = (0, Before::default());
        while let Some(tree) = trees.get(at) {
            let next = trees.get(at + 1);
            at += 1;
            match (tree, next) {
                (TokenTree::Punct(p), _) if p.as_char() == '#' => {
                    at += usize::from(is(next, '!'));
                    if let Some(TokenTree::Group(group)) = trees.get(at) {
                        before.attribute(group.stream());
                        at += 1;
                    }
                    continue;
                }
                _ if word(tree) == "pub" => {
                    before.public = true;
                    at += usize::from(group(next, Delimiter::Parenthesis).is_some());
                    continue;
                }
                _ if before.test => at = end_of_item(&trees, at - 1),
                (_, Some(name)) if word(tree) == "mod" && !word(name).is_empty() => {
                    let name = word(name);
                    if let Some(body) = group(trees.get(at + 1), Delimiter::Brace) {
                        let path = joined(module, &name);
                        self.inner.push(path.clone());
                        self.read(body, &path);
                    } else {
                        let path = before.path.take();
                        self.children.push((module.clone(), name, path));
                    }
                    at += 2;
                }
                // Not `use<'a>`, which says what a type captures.
                _ if word(tree) == "use" && !is(next, '<') => {
                    let end = end_of_item_at_semicolon(&trees, at);
                    let mut names = Vec::new();
                    use_tree(&trees[at..end], &[], &mut names);
                    if before.public {
                        self.public
                            .extend(names.iter().map(|(_, name)| name.clone()));
                    }
                    let imports = names
                        .into_iter()
                        .map(|(path, name)| (module.clone(), path, name));
                    self.imports.extend(imports);
                    at = end;
                }
                (TokenTree::Ident(_), _) => at = self.path(&trees, at - 1, module),
                (TokenTree::Group(group), _) => self.read(group.stream(), module),
                _ => {}
            }
            before = Before::default();
        }
    }

    /// A path in an expression or a type, or one word. Gives where it ends.
    fn path(&mut self, trees: &[TokenTree], begin: usize, module: &Path) -> usize {
        let (mut path, mut at) = (vec![word(&trees[begin])], begin + 1);
        while separator(trees, at) && trees.get(at + 2).is_some_and(|tree| !word(tree).is_empty()) {
            path.push(word(&trees[at + 2]));
            at += 3;
        }
        self.words.extend(path.iter().cloned());
        let inside = begin >= 2 && separator(trees, begin - 2);
        let of_macro = begin >= 1 && is(trees.get(begin - 1), '$');
        if path.len() > 1 && !inside && !of_macro {
            self.imports.push((module.clone(), path, String::new()));
        }
        at
    }
}

/// The names of a `use`: each with its path.
fn use_tree(trees: &[TokenTree], prefix: &[String], names: &mut Vec<(Path, String)>) {
    for branch in trees.split(|tree| is(Some(tree), ',')) {
        let (mut path, mut name) = (prefix.to_vec(), None);
        let mut rest = branch.iter();
        let mut grouped = branch.is_empty();
        while let Some(tree) = rest.next() {
            match (tree, word(tree).as_str()) {
                (TokenTree::Group(group), _) => {
                    let inside: Vec<TokenTree> = group.stream().into_iter().collect();
                    use_tree(&inside, &path, names);
                    grouped = true;
                }
                (_, "as") => name = rest.next().map(word),
                (_, "") => {}
                // `a::{self}` is a.
                (_, "self") if !path.is_empty() => {}
                (_, word) => path.push(word.to_owned()),
            }
        }
        if !grouped {
            let name = name.or_else(|| path.last().cloned());
            names.push((path, name.unwrap_or_default()));
        }
    }
}

fn word(tree: &TokenTree) -> String {
    match tree {
        TokenTree::Ident(ident) => ident.to_string(),
        _ => String::new(),
    }
}

fn is(tree: Option<&TokenTree>, sign: char) -> bool {
    matches!(tree, Some(TokenTree::Punct(punct)) if punct.as_char() == sign)
}

/// Whether `::` stands there.
fn separator(trees: &[TokenTree], at: usize) -> bool {
    is(trees.get(at), ':') && is(trees.get(at + 1), ':')
}

fn group(tree: Option<&TokenTree>, delimiter: Delimiter) -> Option<TokenStream> {
    match tree {
        Some(TokenTree::Group(group)) if group.delimiter() == delimiter => Some(group.stream()),
        _ => None,
    }
}

/// Past the item that begins at `at`: its semicolon or its braces.
fn end_of_item(trees: &[TokenTree], at: usize) -> usize {
    let ends =
        |tree: &TokenTree| is(Some(tree), ';') || group(Some(tree), Delimiter::Brace).is_some();
    let length = trees[at..].iter().position(ends);
    length.map_or(trees.len(), |length| at + length + 1)
}

fn end_of_item_at_semicolon(trees: &[TokenTree], at: usize) -> usize {
    let length = trees[at..].iter().position(|tree| is(Some(tree), ';'));
    length.map_or(trees.len(), |length| at + length)
}

fn joined(module: &[String], name: &str) -> Path {
    let mut path = module.to_vec();
    path.push(name.to_owned());
    path
}

/// A crate's modules.
#[derive(Default)]
struct Modules {
    /// The file of each, by its path within the crate.
    files: BTreeMap<Path, PathBuf>,
    /// What a name of a module stands for: the module that `use` stands in, and its path.
    names: BTreeMap<(Path, String), (Path, Path)>,
    sources: Vec<Source>,
}

impl Modules {
    /// Reads a file, and those of the modules that it declares.
    fn add(&mut self, module: Path, file: &FilePath, root: bool) -> Result<()> {
        let cannot = || format!("cannot read {}", file.display());
        let text = std::fs::read_to_string(file).with_context(cannot)?;
        let tokens = text.parse::<TokenStream>();
        let tokens = tokens
            .map_err(|error| anyhow!("{error}"))
            .with_context(cannot)?;
        let file = file.canonicalize().with_context(cannot)?;
        let mut source = Source {
            file: file.clone(),
            ..Source::default()
        };
        source.read(tokens, &module);

        let folder = file.parent().unwrap_or(FilePath::new("")).to_owned();
        let stem = file.file_stem().unwrap_or_default();
        let below = if root || stem == "mod" {
            folder.clone()
        } else {
            folder.join(stem)
        };
        let mut found = Vec::new();
        for (parent, name, path) in &source.children {
            let at = parent
                .iter()
                .skip(module.len())
                .fold(below.clone(), |at, part| at.join(part));
            let candidates = match path {
                Some(path) => vec![folder.join(path)],
                None => vec![at.join(format!("{name}.rs")), at.join(name).join("mod.rs")],
            };
            let child = candidates.into_iter().find(|file| file.is_file());
            found.extend(child.map(|file| (joined(parent, name), file)));
        }
        for inner in &source.inner {
            self.files.insert(inner.clone(), file.clone());
        }
        self.files.insert(module, file);
        for (module, path, name) in source.imports.iter().filter(|import| !import.2.is_empty()) {
            let stands_for = (module.clone(), path.clone());
            self.names
                .insert((module.clone(), name.clone()), stands_for);
        }
        self.sources.push(source);
        found
            .into_iter()
            .try_for_each(|(module, file)| self.add(module, &file, false))
    }

    /// The file that defines what `path` names in `module`, if this crate does.
    fn file_of(&self, module: &Path, path: &Path) -> Option<&PathBuf> {
        let (mut at, mut path) = (module.clone(), path.clone());
        'names: for _ in 0..MOST_STEPS {
            let mut current = at.clone();
            for (index, part) in path.iter().enumerate() {
                match part.as_str() {
                    "crate" => current.clear(),
                    "self" => {}
                    "super" => drop(current.pop()?),
                    name if self.files.contains_key(&joined(&current, name)) => {
                        current.push(name.to_owned());
                    }
                    name => match self.names.get(&(current.clone(), name.to_owned())) {
                        Some((from, to)) => {
                            at = from.clone();
                            path = to.iter().chain(&path[index + 1..]).cloned().collect();
                            continue 'names;
                        }
                        // Another crate's, or defined here.
                        None if index == 0 => return None,
                        None => break,
                    },
                }
            }
            return self.files.get(&current);
        }
        None
    }
}
