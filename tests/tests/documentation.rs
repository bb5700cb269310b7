//! Checks of the documents: their defaults, excerpts of messages, links, and sizes have to be
//! right.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use lifecycle_runtime::hook::{Hook, HookMeta};
use lifecycle_runtime::plan::{Plan, PlanFormat};
use lifecycle_runtime::{health_check, service};
use serde_json::Value;

/// Relies on the defaults, as its attribute has no keys.
#[service]
async fn bare_service() {}

/// Names the defaults of the page in its attribute, except for `restart`: without restarts it could
/// not name the others.
#[service(
    restart = "on_failure",
    backoff = "100ms..30s",
    max_restarts = "5 in 1m",
    on_exit = "stop"
)]
async fn explicit_service() {}

#[service(restart = "never")]
async fn never() {}

#[health_check]
async fn bare_check() {}

#[health_check(kind = "readiness", interval = "10s", timeout = "1s", failures = 3)]
async fn explicit_check() {}

/// Returns the plan's entry for a hook.
fn planned(hook: &'static HookMeta) -> Value {
    let plan = Plan::new([hook]).expect("a valid plan").render(PlanFormat::Json);
    let mut plan: Value = serde_json::from_str(&plan).expect("JSON");
    plan["hooks"][0].take()
}

#[test]
fn the_defaults_of_a_service_are_those_of_the_page() {
    let (mut bare, explicit_service, never) =
        (planned(bare_service::META), planned(explicit_service::META), planned(never::META));
    assert_eq!(bare["service"], never["service"]);
    assert_eq!(bare["service"]["restart"].take(), "never");
    bare["service"]["restart"] = explicit_service["service"]["restart"].clone();
    assert_eq!(bare["service"], explicit_service["service"]);
    assert_eq!(bare["timeout_ms"], Value::Null, "no `stop_timeout`");
    expect_rows(&[
        "| `restart = \"on_failure\"` | after which ends a service is run again: `\"never\"` (the \
         default), ",
        "| `backoff = \"100ms..30s\"` | ",
        "; this by default |\n| `max_restarts = \"5 in 1m\"` | ",
        "beyond that the service has failed for good; this by default. `\"unlimited\"`",
        "by default, `\"stop\"`, the process stops |",
    ]);
}

#[test]
fn the_defaults_of_a_health_check_are_those_of_the_page() {
    let (bare, explicit) = (planned(bare_check::META), planned(explicit_check::META));
    assert_eq!(
        (&bare["check"], &bare["timeout_ms"]),
        (&explicit["check"], &explicit["timeout_ms"])
    );
    assert!(bare["check"].is_object() && bare["timeout_ms"] == 1_000, "{bare}");
    expect_rows(&[
        "| `timeout = \"1m30s\"` | how long the hook may take at most; a health check 1 s by \
         default.",
        "`/readyz` (the default)",
        "| `interval = \"10s\"` | from one run of a health check to the next, 10 s by default",
        "| `failures = 3` | how many failures of a health check in a row count, 3 by default",
    ]);
}

/// Checks that the page about hooks has these parts.
#[track_caller]
fn expect_rows(parts: &[&str]) {
    let page = include_str!("../../lifecycle-runtime/docs/hooks.md");
    for part in parts {
        assert!(page.contains(part), "no `{part}` on the page about hooks");
    }
}

#[test]
fn the_page_about_compile_errors_shows_what_rustc_says() {
    let page = include_str!("../../lifecycle-runtime/docs/compile-errors.md");
    let mut excerpts = page.split("```text\n").skip(1);
    let mut expect = |what: &str, from: &str, to: &str| {
        let excerpt = excerpts.next().expect("an excerpt").split("```").next().expect("its end");
        let mut rest = what;
        for line in excerpt.lines().filter(|line| *line != "…") {
            let line = line.replace(from, to);
            let (_, behind) =
                rest.split_once(&line).unwrap_or_else(|| panic!("no `{line}` in\n\n{rest}"));
            rest = behind;
        }
    };
    expect(include_str!("ui/fail/cycle_dep.stderr"), "", "");
    expect(include_str!("ui/fail/name_clash_module.stderr"), "`cache`", "`db`");
    let hooks = page.split("```rust,compile_fail\n").nth(1).expect("the cycle");
    let hooks = hooks.split("```").next().expect("its end");
    assert!(include_str!("ui/fail/cycle_dep.rs").contains(hooks.trim()));
}

// --- the documents themselves ---

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Returns the files of a folder whose names have this ending.
fn files(folder: &str, end: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(workspace().join(folder)).expect("a folder");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let mut files: Vec<_> = paths.filter(|path| path.to_string_lossy().ends_with(end)).collect();
    files.sort();
    files
}

/// Returns every document that people read.
fn documents() -> Vec<PathBuf> {
    let mut documents = files("", ".md");
    documents.extend(files("lifecycle-runtime/docs", ".md"));
    documents.extend(files("benches", ".md"));
    documents.extend(files("deploy", ".md"));
    for example in files("examples", "") {
        documents.extend(Some(example.join("README.md")).filter(|path| path.exists()));
    }
    assert!(documents.len() > 20, "{documents:?}");
    documents
}

/// Returns the lines outside of blocks of code, each with its number.
fn prose(text: &str) -> Vec<(usize, &str)> {
    let mut is_code = false;
    let mut lines = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
        } else if !is_code {
            lines.push((index + 1, line));
        }
    }
    lines
}

#[test]
fn the_readme_and_the_map_of_the_code_are_short() {
    for name in ["README.md", "ARCHITECTURE.md"] {
        let lines = read(&workspace().join(name)).lines().count();
        assert!(lines <= 200, "{name} has {lines} lines, and 200 are allowed");
    }
}

#[test]
fn lines_of_prose_end_at_100_columns() {
    for document in documents() {
        for (number, line) in prose(&read(&document)) {
            let is_exempt = line.starts_with('|') || line.contains("://");
            let length = line.chars().count();
            let place = format!("{}:{number}", document.display());
            assert!(is_exempt || length <= 100, "{place} has {length} characters");
        }
    }
}

/// Returns the anchor of a heading.
fn anchor(heading: &str) -> String {
    let heading = heading.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
    heading.chars().filter(|c| c.is_alphanumeric() || ['-', '_'].contains(c)).collect()
}

/// Returns the targets of the links in a document, except those to the web.
fn local_links(text: &str) -> BTreeSet<String> {
    let mut links = BTreeSet::new();
    for (_, line) in prose(text) {
        for rest in line.split("](").skip(1) {
            links.insert(rest.split(')').next().unwrap_or_default().to_owned());
        }
        links.extend(definition(line).map(|(_, target)| target.to_owned()));
    }
    links.retain(|link| !link.contains("://"));
    links
}

/// Returns the label and the target of a line that defines a link.
fn definition(line: &str) -> Option<(&str, &str)> {
    line.strip_prefix('[')?.split_once("]: ")
}

#[test]
fn links_lead_to_files_and_headings() {
    for document in documents() {
        let text = read(&document);
        for link in local_links(&text) {
            let (path, heading) = link.split_once('#').unwrap_or((&link, ""));
            let target = document.parent().expect("a folder").join(path);
            let target = if path.is_empty() { document.clone() } else { target };
            assert!(target.exists(), "{}: no file for {link}", document.display());
            if !heading.is_empty() {
                let text = read(&target);
                let mut headings =
                    prose(&text).into_iter().filter(|(_, line)| line.starts_with('#'));
                let is_there = headings.any(|(_, line)| anchor(line) == heading);
                assert!(is_there, "{}: no heading for {link}", document.display());
            }
        }
    }
}

/// Checks `guide/links.md`, which has the same links: on docs.rs, the pages are modules.
#[test]
fn links_between_pages_lead_to_the_same_pages_in_the_documentation_of_the_crate() {
    let links = read(&workspace().join("lifecycle-runtime/src/guide/links.md"));
    let links: Vec<_> = links.lines().map(|line| definition(line).expect(line)).collect();
    for document in files("lifecycle-runtime/docs", ".md") {
        let text = read(&document);
        for (_, line) in prose(&text) {
            for rest in line.split("](").skip(1) {
                let is_fine = rest.starts_with('#') || rest.starts_with("http");
                assert!(is_fine, "{}: define this link at the end: {rest}", document.display());
            }
            let Some((label, target)) = definition(line) else { continue };
            let place = format!("{}: {line}", document.display());
            let linked = links.iter().find(|(known, _)| *known == label).map(|(_, target)| *target);
            if target.starts_with("https://") {
                assert_eq!(linked, None, "{place}");
                continue;
            }
            let (file, heading) = target.split_once(".md").expect(&place);
            let module = match file {
                "testing" => "../../testing/guide/index.html".to_owned(),
                file => format!("crate::guide::{}{heading}", file.replace('-', "_")),
            };
            assert_eq!(linked, Some(module.as_str()), "{place}");
        }
    }
}

#[test]
fn every_page_is_in_the_documentation_of_the_crate_and_has_its_code_tested() {
    let guide = read(&workspace().join("lifecycle-runtime/src/guide.rs"));
    let tested = read(&workspace().join("tests/src/lib.rs"));
    let databases = read(&workspace().join("tests/crates/databases/src/lib.rs"));
    let readme = read(&workspace().join("README.md"));
    for page in files("lifecycle-runtime/docs", ".md") {
        let name = page.file_name().expect("a name").to_string_lossy().into_owned();
        assert!(readme.contains(&format!("lifecycle-runtime/docs/{name})")), "{name}: README.md");
        // That page has a module and tests of its own: `guide.rs` beside this file.
        if name == "testing.md" {
            continue;
        }
        assert!(guide.contains(&format!("\"{name}\"")), "{name}: guide.rs");
        let is_tested =
            tested.contains(&format!("\"{name}\"")) || databases.contains(&format!("{name}\")"));
        assert!(is_tested, "{name}: tests/src/lib.rs");
    }
}

/// Checks that each example which is a whole service has its listener for operators where its
/// README says, on a port of its own.
#[test]
fn the_examples_show_operators_what_goes_on_where_they_say() {
    let mut addresses = BTreeSet::new();
    for (example, file) in [("worldclock", "main.rs"), ("worker", "lib.rs"), ("shop", "main.rs")] {
        let folder = workspace().join("examples").join(example);
        let source = read(&folder.join("src").join(file));
        let (_, rest) = source.split_once(".admin(\"").expect("a listener");
        let address = rest.split('"').next().expect("its end").to_owned();
        assert!(address.starts_with("127.0.0.1:"), "{example}: {address}");
        let line = format!("lifecycle: probes on http://{address}\n");
        assert!(read(&folder.join("README.md")).contains(&line), "{example}: no {line}");
        assert!(addresses.insert(address), "{example} has the port of another");
    }
}

/// Checks places, as in ``hook `db` (examples/worldclock/src/store.rs:39) failed``.
#[test]
fn places_of_hooks_are_where_they_are() {
    let mut count = 0;
    for document in documents() {
        for line in read(&document).lines() {
            for (at, _) in line.match_indices("` (examples/") {
                let name = line[..at].rsplit('`').next().expect("a name");
                let place = line[at + 3..].split(')').next().expect("a place");
                let (path, number) = place.split_once(':').expect("a line");
                let number: usize = number.parse().expect("a number");
                let source = read(&workspace().join(path));
                let found = source.lines().nth(number - 1).unwrap_or_default();
                let is_there = found.contains(&format!("fn {name}("));
                assert!(is_there, "{}: `{name}` is not at {place}", document.display());
                count += 1;
            }
        }
    }
    assert!(count > 3, "{count}");
}
