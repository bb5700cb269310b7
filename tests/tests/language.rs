//! Vocabulary of the code: types have names of their own, doc comments define the items that they
//! stand above, and retired words are gone. CONTRIBUTING.md has the words.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Packages whose code is checked.
const PACKAGES: [&str; 2] = ["lifecycle-runtime", "lifecycle-macros"];

/// Folders whose code is read, tests and examples included.
const FOLDERS: [&str; 6] =
    ["lifecycle-runtime", "lifecycle-macros", "tests", "benches", "deploy", "examples"];

/// Words with which a first line of a doc comment says nothing of what the item is.
const CLAUSES: [&str; 9] =
    ["What", "Whether", "How", "Who", "Whose", "That", "When", "Where", "Why"];

/// Longest line of code and of prose beside it.
const COLUMNS: usize = 100;

#[test]
fn no_two_types_of_a_crate_have_one_name() {
    for package in PACKAGES {
        let mut types: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (path, text) in sources(&workspace().join(package).join("src")) {
            for (line, name) in types_in(&text) {
                types.entry(name).or_default().push(format!("{path}:{line}"));
            }
        }
        types.retain(|_, places| places.len() > 1);
        assert!(types.is_empty(), "{package}: {types:#?}");
    }
}

#[test]
fn the_words_of_the_glossary_are_defined_once() {
    let mut words: Vec<_> = glossary().into_iter().flat_map(|entry| entry.words).collect();
    words.sort();
    let twice: Vec<_> = words.windows(2).filter(|pair| pair[0] == pair[1]).collect();
    assert!(twice.is_empty(), "{twice:?}");
    assert!(words.len() >= 40, "{}", words.len());
}

#[test]
fn retired_words_are_in_no_identifier_no_text_and_no_name_of_a_file() {
    let retired: Vec<_> = glossary().into_iter().flat_map(|entry| entry.retired).collect();
    let retired: BTreeSet<_> = retired.iter().flat_map(|word| inflections(word)).collect();
    assert!(!retired.is_empty());
    let mut texts = documents();
    for folder in FOLDERS {
        texts.extend(all_sources(&workspace().join(folder)));
    }
    let mut faults = Vec::new();
    for (path, text) in texts {
        for (number, line) in std::iter::once(&*path).chain(text.lines()).enumerate() {
            let found = words_of(line).into_iter().filter(|word| retired.contains(word));
            faults.extend(found.map(|word| format!("{path}:{number}: {word}")));
        }
    }
    assert_eq!(faults, Vec::<String>::new());
}

/// Checks that no test writes by `eprintln!`, whose output is hidden if the test passes: a test
/// that is skipped says so by `lifecycle_tests::skipped`.
#[test]
fn tests_say_nothing_that_nobody_sees() {
    let mut faults = Vec::new();
    for (path, text) in all_sources(&workspace().join("tests/tests")) {
        let hidden =
            text.lines().enumerate().filter(|(_, line)| line.trim_start().starts_with("eprint"));
        faults.extend(hidden.map(|(number, _)| format!("{path}:{}", number + 1)));
    }
    assert_eq!(faults, Vec::<String>::new());
}

#[test]
fn doc_comments_define_what_they_stand_above() {
    let mut faults = Vec::new();
    for folder in FOLDERS {
        for (path, text) in all_sources(&workspace().join(folder)) {
            faults.extend(clauses_in(&text).map(|number| format!("{path}:{number}")));
        }
    }
    assert_eq!(faults, Vec::<String>::new());
}

/// Returns the lines of doc comments that begin with a clause.
fn clauses_in(text: &str) -> impl Iterator<Item = usize> {
    let lines: Vec<_> = text.lines().map(str::trim_start).collect();
    let is_doc = |line: &str| line.starts_with("///") || line.starts_with("//!");
    let begins_with_clause = move |line: &str| {
        let first = line.trim_start_matches(['/', '!']).split_whitespace().next();
        first.is_some_and(|word| CLAUSES.contains(&word))
    };
    let first = |number: usize| number == 0 || !is_doc(lines[number - 1]);
    let found: Vec<_> = (0..lines.len())
        .filter(|&number| is_doc(lines[number]) && first(number))
        .filter(|&number| begins_with_clause(lines[number]))
        .map(|number| number + 1)
        .collect();
    found.into_iter()
}

#[test]
fn lines_of_code_end_at_100_columns() {
    let mut faults = Vec::new();
    for folder in FOLDERS {
        for (path, text) in all_sources(&workspace().join(folder)) {
            let is_long = |line: &&str| line.chars().count() > COLUMNS && !line.contains("://");
            let long = text.lines().enumerate().filter(|(_, line)| is_long(line));
            faults.extend(long.map(|(number, _)| format!("{path}:{}", number + 1)));
        }
    }
    assert_eq!(faults, Vec::<String>::new());
}

/// Entry of the glossary.
struct Entry {
    words: Vec<String>,
    retired: Vec<String>,
}

/// Returns the entries of the glossary: rows of three cells below its heading.
fn glossary() -> Vec<Entry> {
    let text = fs::read_to_string(workspace().join("CONTRIBUTING.md")).expect("a glossary");
    let table = text.split_once("\n## Words").expect("a glossary").1;
    let rows = table.lines().filter(|line| line.starts_with('|')).skip(2);
    let list = |cell: &str| -> Vec<String> {
        let words = cell.split(',').map(|word| word.trim().to_owned());
        words.filter(|word| !word.is_empty()).collect()
    };
    rows.map(|row| {
        let cells: Vec<_> = row.trim_matches('|').split('|').collect();
        assert_eq!(cells.len(), 3, "{row}");
        Entry { words: list(cells[0]), retired: list(cells[2]) }
    })
    .collect()
}

/// Returns the words of a line in lower case. A name, such as `running_tasks` or `RunningTasks`,
/// gives each of its words.
fn words_of(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    for c in line.chars() {
        let begins = c.is_uppercase() && word.chars().last().is_some_and(char::is_lowercase);
        if !c.is_alphabetic() || begins {
            words.push(std::mem::take(&mut word).to_lowercase());
        }
        if c.is_alphabetic() {
            word.push(c);
        }
    }
    words.push(word.to_lowercase());
    words.retain(|word| !word.is_empty());
    words
}

/// Returns a word with each of its regular endings.
fn inflections(word: &str) -> Vec<String> {
    let endings = ["", "s", "es", "d", "ed", "ing", "r", "er", "rs", "ers"];
    let silent = word.strip_suffix('e').map(|stem| format!("{stem}ing"));
    endings.iter().map(|ending| format!("{word}{ending}")).chain(silent).collect()
}

/// Returns the types that a file defines outside of functions and tests, each with its line. A type
/// that depends on the platform or on a feature counts once.
fn types_in(text: &str) -> Vec<(usize, String)> {
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let mut types: Vec<(usize, String)> = Vec::new();
    for (number, line) in code.lines().enumerate() {
        let item = line.trim_start();
        let depth = line.len() - item.len();
        let item = match item.split_once(") ") {
            Some((visibility, item)) if visibility.starts_with("pub(") => item,
            _ => item.strip_prefix("pub ").unwrap_or(item),
        };
        let Some((keyword, rest)) = item.split_once(' ') else { continue };
        let is_type = matches!(keyword, "struct" | "enum" | "trait" | "union")
            || (keyword == "type" && depth == 0);
        // Types inside of a function are visible only there.
        if !is_type || depth > 4 {
            continue;
        }
        let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        if !types.iter().any(|(_, known)| *known == name) {
            types.push((number + 1, name));
        }
    }
    types
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned()
}

/// Returns the documents of the workspace, its packages and its examples, and the pages of the
/// guide, each with its path and text. CONTRIBUTING.md has the retired words themselves.
fn documents() -> Vec<(String, String)> {
    let root = workspace();
    let entries = |folder: &str| {
        let entries = fs::read_dir(root.join(folder)).expect("a folder");
        entries.map(|entry| entry.expect("an entry").path()).collect::<Vec<_>>()
    };
    let examples = entries("examples").into_iter().map(|example| example.join("README.md"));
    let names = ["README.md", "ARCHITECTURE.md", "CHANGELOG.md"];
    let names = names.into_iter().chain(["benches/README.md", "deploy/README.md"]);
    let mut paths = entries("lifecycle-runtime/docs");
    paths.extend(examples.filter(|path| path.exists()));
    paths.extend(names.map(|name| root.join(name)));
    paths.sort();
    let text = |path: PathBuf| {
        let text = fs::read_to_string(&path).expect("a readable file");
        (path.strip_prefix(&root).unwrap_or(&path).display().to_string(), text)
    };
    paths.into_iter().map(text).collect()
}

/// Returns the source files below a folder, without those of tests, each with its path and text.
fn sources(root: &Path) -> Vec<(String, String)> {
    let is_test = |path: &str| {
        let mut parts = path.split('/');
        parts.any(|part| matches!(part, "tests" | "tests.rs" | "sample.rs"))
    };
    let mut files = all_sources(root);
    files.retain(|(path, _)| !is_test(path));
    files
}

/// Returns all source files below a folder, each with its path and text.
fn all_sources(root: &Path) -> Vec<(String, String)> {
    let mut open = vec![root.to_owned()];
    let mut files = Vec::new();
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            // Lines of compile errors depend on those of their programs.
            let is_skipped = path.ends_with("target") || path.ends_with("tests/tests/ui");
            if path.is_dir() && !is_skipped {
                open.push(path);
            } else if is_source(&path) {
                let shown = path.strip_prefix(workspace()).unwrap_or(&path).to_string_lossy();
                let text = fs::read_to_string(&path).expect("a readable file");
                files.push((shown.into_owned(), text));
            }
        }
    }
    files.sort();
    assert!(!files.is_empty(), "{} has no sources", root.display());
    files
}

/// Returns whether a file is code, or documentation or a part of the page that code includes.
fn is_source(path: &Path) -> bool {
    let is_code = path.extension().is_some_and(|extension| extension == "rs");
    let folder = path.parent().expect("a folder");
    let included = ["lifecycle-macros/docs", "server/admin/page"];
    is_code || included.iter().any(|included| folder.ends_with(included))
}

#[test]
fn words_of_names_are_told_apart() {
    assert_eq!(
        words_of("let RunningTasks = running_tasks(2);"),
        ["let", "running", "tasks", "running", "tasks"]
    );
}

#[test]
fn a_word_is_known_by_its_endings() {
    for (word, inflected) in [("drain", "drains"), ("drain", "drained"), ("scale", "scaling")] {
        assert!(inflections(word).contains(&inflected.to_owned()), "{inflected}");
    }
}
