//! Imports between modules: the folders of the runtime are its layers, and no two modules of one
//! folder import each other, however indirectly. ARCHITECTURE.md shows the same picture.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Layers of the runtime, the lowest first. Each may import those before it.
const LAYERS: [&str; 9] =
    ["hook", "event", "process", "plan", "observe", "server", "engine", "lifecycle", "testing"];

/// Module that expansions name. It re-exports items of the layers, and the registry reads the
/// registered hooks through it.
const HIDDEN: &str = "__private";

#[test]
fn layers_import_only_those_below_them() {
    let tree = Tree::of("lifecycle-runtime");
    let mut faults = Vec::new();
    for (importer, imported) in tree.imports_between_children(&[]) {
        if importer == HIDDEN || imported == HIDDEN {
            continue;
        }
        let rank = |name: &str| LAYERS.iter().position(|layer| *layer == name);
        if rank(&imported).is_none() || rank(&importer) <= rank(&imported) {
            faults.push(format!("`{importer}` imports `{imported}`"));
        }
    }
    assert_eq!(faults, Vec::<String>::new());
}

#[test]
fn no_modules_of_a_folder_import_each_other() {
    for package in ["lifecycle-runtime", "lifecycle-macros"] {
        let tree = Tree::of(package);
        for folder in tree.folders() {
            if let Some(circle) = circle_among(&tree.imports_between_children(&folder)) {
                panic!("{package}, {}: {}", folder.join("/"), circle.join(" imports "));
            }
        }
    }
}

#[test]
fn only_the_server_knows_actix_web() {
    for name in ["actix_web", "actix_http", "actix_service"] {
        assert_eq!(files_with(name, &["server"]), Vec::<String>::new());
    }
}

#[test]
fn only_the_texts_of_metrics_know_their_encoder() {
    let encoder = files_with("prometheus_client", &["observe/metrics/text"]);
    assert_eq!(encoder, Vec::<String>::new());
    let facade = files_with("use metrics", &["observe/metrics/facade", "observe/metrics/tests"]);
    assert_eq!(facade, Vec::<String>::new());
}

#[test]
fn only_the_registry_knows_inventory() {
    assert_eq!(files_with("inventory", &["process/registry", HIDDEN]), Vec::<String>::new());
}

#[test]
fn the_plan_knows_no_async_runtime() {
    let async_files = files_with("tokio", &[]);
    let async_plan: Vec<_> = async_files.iter().filter(|path| path.starts_with("plan")).collect();
    assert_eq!(async_plan, Vec::<&String>::new());
}

/// Path of a module from the root of its crate.
type ModulePath = Vec<String>;

/// Modules of a package, each with its code.
struct Tree {
    modules: BTreeMap<ModulePath, String>,
}

impl Tree {
    fn of(package: &str) -> Self {
        let modules = sources(package)
            .into_iter()
            .map(|(path, text)| {
                let name = path.trim_end_matches(".rs").trim_end_matches("/mod");
                let module = if name == "lib" { "" } else { name };
                let module = module.split('/').filter(|part| !part.is_empty());
                (module.map(str::to_owned).collect(), code_of(&text))
            })
            .collect();
        Self { modules }
    }

    /// Returns the modules that have child modules.
    fn folders(&self) -> BTreeSet<ModulePath> {
        self.modules.keys().filter_map(|module| Some(module.split_last()?.1.to_vec())).collect()
    }

    /// Returns pairs of a folder's children, of which the first or a module below it imports the
    /// second.
    fn imports_between_children(&self, folder: &[String]) -> BTreeSet<(String, String)> {
        let mut imports = BTreeSet::new();
        let below =
            |module: &&ModulePath| module.len() > folder.len() && module.starts_with(folder);
        for module in self.modules.keys().filter(below) {
            // Tests may import anything.
            if module.iter().any(|name| name == "tests") {
                continue;
            }
            for path in paths_in(&self.modules[module]) {
                let imported = self.resolve(module, &path);
                if imported.len() > folder.len() && imported.starts_with(folder) {
                    let (from, to) = (&module[folder.len()], &imported[folder.len()]);
                    if from != to {
                        imports.insert((from.clone(), to.clone()));
                    }
                }
            }
        }
        imports
    }

    /// Returns the module that a path in a module leads to.
    fn resolve(&self, module: &[String], path: &[String]) -> ModulePath {
        let (mut at, mut rest) = (module.to_vec(), path);
        while let [first, others @ ..] = rest {
            match first.as_str() {
                "crate" => at.clear(),
                "super" => drop(at.pop()),
                "self" => {}
                _ => break,
            }
            rest = others;
        }
        at.extend_from_slice(rest);
        while !self.modules.contains_key(&at) {
            at.pop();
        }
        at
    }
}

/// Returns modules that import each other in a circle, or nothing if no modules do.
fn circle_among(imports: &BTreeSet<(String, String)>) -> Option<Vec<String>> {
    let mut left = imports.clone();
    // A module that imports none of those that are left is in no circle.
    loop {
        let importers: BTreeSet<_> = left.iter().map(|(importer, _)| importer.clone()).collect();
        let before = left.len();
        left.retain(|(_, imported)| importers.contains(imported));
        if left.len() == before {
            break;
        }
    }
    let mut circle = vec![left.first()?.0.clone()];
    loop {
        let last = circle.last().expect("it begins with one");
        let (_, next) = left.iter().find(|(importer, _)| importer == last).expect("it goes on");
        if let Some(first) = circle.iter().position(|module| module == next) {
            circle.push(next.clone());
            return Some(circle.split_off(first));
        }
        circle.push(next.clone());
    }
}

/// Returns the code of a file, without comments and the tests in it.
fn code_of(text: &str) -> String {
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

/// Returns the paths in a file that begin with `crate`, `super` or `self`. A list
/// (`super::{a, b::C}`) gives one path for each item.
fn paths_in(code: &str) -> Vec<Vec<String>> {
    let mut paths = Vec::new();
    for root in ["crate::", "super::", "self::"] {
        for (at, _) in code.match_indices(root) {
            let is_begun = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
            if code[..at].ends_with(is_begun) {
                continue;
            }
            let whole = path_at(&code[at..]);
            let after = &code[at + whole.len()..];
            match after.strip_prefix('{') {
                None => paths.push(segments(&whole)),
                Some(list) => {
                    for item in items_of(list) {
                        paths.push(segments(&format!("{whole}{}", path_at(item))));
                    }
                }
            }
        }
    }
    paths
}

/// Returns the path that a text begins with.
fn path_at(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_' || *c == ':').collect()
}

fn segments(path: &str) -> Vec<String> {
    path.split("::").filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

/// Returns the items of a list in braces, of which the first has been read.
fn items_of(list: &str) -> Vec<&str> {
    let (mut depth, mut from, mut items) = (0, 0, Vec::new());
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            ',' if depth == 0 => {
                items.push(list[from..at].trim_start());
                from = at + 1;
            }
            '}' if depth == 0 => {
                items.push(list[from..at].trim_start());
                break;
            }
            '}' => depth -= 1,
            _ => {}
        }
    }
    items
}

/// Returns the files of the runtime, outside of these folders or files, that name a crate.
fn files_with(name: &str, allowed: &[&str]) -> Vec<String> {
    let names = |text: &str| code_of(text).contains(&format!("{name}::"));
    let is_allowed = |path: &str| allowed.iter().any(|allowed| path.starts_with(allowed));
    let sources = sources("lifecycle-runtime").into_iter();
    sources.filter(|(path, text)| !is_allowed(path) && names(text)).map(|(path, _)| path).collect()
}

/// Returns the source files of a package, each with its path below `src` and its text.
fn sources(package: &str) -> BTreeMap<String, String> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    let root = workspace.join(package).join("src");
    let mut open = vec![root.clone()];
    let mut files = BTreeMap::new();
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path: PathBuf = entry.expect("an entry").path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(&root).expect("it is below").to_string_lossy();
                let text = fs::read_to_string(&path).expect("a readable file");
                files.insert(name.into_owned(), text);
            }
        }
    }
    assert!(!files.is_empty(), "{package} has no sources");
    files
}
