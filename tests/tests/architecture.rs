//! Who imports whom: a module may import from layers below its own, and within the pure-word layer
//! from words written above it in the list. ARCHITECTURE.md shows the same picture.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The layers of the runtime, the lowest first. In a layer marked `true` a module may import those
/// listed before it.
const RUNTIME: [(bool, &[&str]); 6] = [
    (
        true,
        &[
            "error",
            "id",
            "output",
            "task",
            "hook_runtime",
            "state",
            "stop",
            "service",
            "scope",
            "hook",
            "dep",
            "inject",
            "event",
            "health",
            "config",
        ],
    ),
    (true, &["plan", "report"]),
    (true, &["services", "executor", "recurring"]),
    (false, &["registry", "signals", "watchdog", "live", "trace", "console", "server"]),
    (true, &["lifecycle", "testing"]),
    (false, &[]),
];

/// The pipeline of the macros: each stage may import those before it.
const MACROS: [(bool, &[&str]); 1] = [(
    true,
    &[
        "errors",
        "kind",
        "words",
        "duration",
        "signal",
        "invisible",
        "surroundings",
        "value",
        "args",
        "signature",
        "check",
        "model",
        "expand",
        "attribute",
    ],
)];

#[test]
fn modules_of_the_runtime_import_only_what_is_below_them() {
    // `__private` is what expansions name: it re-exports words, and the registry reads what is
    // registered through it.
    assert_eq!(faults("lifecycle-runtime", &RUNTIME, &["__private"]), Vec::<String>::new());
}

#[test]
fn modules_of_the_macros_import_only_what_is_before_them() {
    assert_eq!(faults("lifecycle-macros", &MACROS, &["tests"]), Vec::<String>::new());
}

#[test]
fn only_the_server_knows_actix_web() {
    for name in ["actix_web", "actix_http", "actix_service"] {
        assert_eq!(files_with(name, &["server"]), Vec::<PathBuf>::new());
    }
}

#[test]
fn only_the_registry_knows_inventory() {
    assert_eq!(files_with("inventory", &["registry", "__private"]), Vec::<PathBuf>::new());
}

#[test]
fn the_plan_knows_no_async_runtime() {
    let plan = |path: &&PathBuf| module_of(path) == "plan";
    let async_plan: Vec<_> =
        files_with("tokio", &[]).into_iter().filter(|path| plan(&path)).collect();
    assert_eq!(async_plan, Vec::<PathBuf>::new());
}

fn faults(package: &str, layers: &[(bool, &[&str])], free: &[&str]) -> Vec<String> {
    let mut rank = BTreeMap::new();
    for (layer, (is_sequence, modules)) in layers.iter().enumerate() {
        for (place, module) in modules.iter().enumerate() {
            rank.insert(*module, (layer, if *is_sequence { place } else { 0 }, *is_sequence));
        }
    }
    let mut faults = Vec::new();
    let modules: BTreeSet<_> = sources(package).iter().map(|path| module_of(path)).collect();
    for path in sources(package) {
        let module = module_of(&path);
        if module == "lib" || free.contains(&module.as_str()) {
            continue;
        }
        let Some(&(layer, place, is_sequence)) = rank.get(module.as_str()) else {
            faults.push(format!("{}: `{module}` has no place in any layer", path.display()));
            continue;
        };
        for imported in imports(&path) {
            // What is no module stands in a text for people.
            if imported == module
                || free.contains(&imported.as_str())
                || !modules.contains(&imported)
            {
                continue;
            }
            let is_below =
                rank.get(imported.as_str()).is_some_and(|&(other_layer, other_place, _)| {
                    other_layer < layer
                        || (other_layer == layer && is_sequence && other_place < place)
                });
            if !is_below {
                faults.push(format!("{}: `{module}` imports `{imported}`", path.display()));
            }
        }
    }
    faults
}

/// The modules that a file names by `crate::…`.
fn imports(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).expect("a readable file");
    let code = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n");
    let named = code.split("crate::").skip(1).map(|rest| {
        rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>()
    });
    // `crate::{…}` and `crate::Type` would pass unseen: the habit is one module per import.
    named
        .inspect(|name| {
            assert!(
                name.starts_with(|c: char| c.is_lowercase() || c == '_'),
                "{}: crate::{name}",
                path.display()
            );
        })
        .collect()
}

/// The files, outside of these modules, that name a crate.
fn files_with(name: &str, allowed: &[&str]) -> Vec<PathBuf> {
    let names = |path: &PathBuf| {
        let text = fs::read_to_string(path).expect("a readable file");
        let mut code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        code.any(|line| line.contains(&format!("{name}::")))
    };
    sources("lifecycle-runtime")
        .into_iter()
        .filter(|path| !allowed.contains(&module_of(path).as_str()))
        .filter(names)
        .collect()
}

/// The module directly below `src` that a file belongs to.
fn module_of(path: &Path) -> String {
    let below = path
        .components()
        .map(|part| part.as_os_str().to_string_lossy())
        .skip_while(|part| part != "src")
        .nth(1);
    below.map(|name| name.trim_end_matches(".rs").to_owned()).unwrap_or_default()
}

fn sources(package: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    let mut open = vec![root.join(package).join("src")];
    let mut files = Vec::new();
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            match path.is_dir() {
                true => open.push(path),
                false if path.extension().is_some_and(|extension| extension == "rs") => {
                    files.push(path);
                }
                false => {}
            }
        }
    }
    assert!(!files.is_empty(), "{package} has no sources");
    files.sort();
    files
}
