//! Tests that the pages and the attributes' documentation list the keys that the attributes take.

use std::fs;

use crate::args::Args;
use crate::check;
use crate::errors::Errors;
use crate::kind::{Key, Kind};
use crate::signal;
use crate::value::form;

/// Path of the page about hooks, with a table of the attributes and one of the keys.
const PAGE: &str = "../lifecycle-runtime/docs/hooks.md";

fn read(path: &str) -> String {
    let path = format!("{}/{path}", env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Returns the rows of tables, each as its cells.
fn rows(text: &str) -> Vec<Vec<&str>> {
    let rows = text.lines().filter_map(|line| line.strip_prefix("| "));
    rows.map(|row| row.trim_end_matches(" |").split(" | ").map(str::trim).collect()).collect()
}

/// Returns the texts between backticks.
fn code(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

fn names(kind: Kind) -> Vec<&'static str> {
    kind.syntax().keys.iter().map(|key| key.name()).collect()
}

/// Returns the row of a key in the second table of the page about hooks: the key with a value, and
/// its meaning.
fn row_of(page: &str, key: Key) -> (String, String) {
    let rows = rows(page);
    let is_it = |row: &&Vec<&str>| {
        code(row[0]).first().is_some_and(|code| code.split(" = ").next() == Some(key.name()))
    };
    let found: Vec<_> = rows
        .iter()
        .filter(|row| code(row[0])[..].len() == 1 && row[0].contains(" = "))
        .filter(is_it)
        .collect();
    let [row] = &found[..] else { panic!("{} rows for `{}`", found.len(), key.name()) };
    (code(row[0])[0].to_owned(), row[1].to_owned())
}

#[test]
fn the_page_lists_the_keys_of_every_attribute() {
    let page = read(PAGE);
    let rows = rows(&page);
    for kind in Kind::ALL {
        let begins = [
            format!("`#[{}]`", kind.syntax().attribute),
            format!("`#[{}(", kind.syntax().attribute),
        ];
        let row = rows.iter().find(|row| begins.iter().any(|begin| row[0].starts_with(begin)));
        let row = row.unwrap_or_else(|| panic!("no row for {begins:?}"));
        let (mut listed, mut taken) = (code(row[2]), names(kind));
        // Every attribute takes this key, and few programs need it.
        taken.retain(|key| *key != "crate");
        listed.sort_unstable();
        taken.sort_unstable();
        assert_eq!(listed, taken, "{row:?}");
    }
}

#[test]
fn the_readme_has_a_row_for_every_attribute() {
    let readme = read("../README.md");
    let rows = rows(&readme);
    for kind in Kind::ALL {
        let attribute = format!("`#[{}", kind.syntax().attribute);
        let listed = rows.iter().filter(|row| {
            row[0].strip_prefix(&attribute).is_some_and(|rest| rest.starts_with([']', '(']))
        });
        assert_eq!(listed.count(), 1, "{attribute}");
    }
}

#[test]
fn every_key_has_a_row_on_the_page_with_a_value_that_it_takes() {
    let page = read(PAGE);
    for kind in Kind::ALL {
        for &key in kind.syntax().keys {
            let (example, meaning) = row_of(&page, key);
            let signal = if kind.syntax().takes_signal { "SIGHUP, " } else { "" };
            // Without `restart` these keys mean nothing.
            let restart = if [Key::Backoff, Key::MaxRestarts].contains(&key) {
                ", restart = \"always\""
            } else {
                ""
            };
            // The interval must not be shorter than the timeout.
            let interval = if kind == Kind::HealthCheck && key == Key::Timeout {
                ", interval = \"5m\""
            } else {
                ""
            };
            let text = format!("{signal}{example}{restart}{interval}");
            let mut errors = Errors::default();
            let args = Args::parse(&kind.syntax(), super::parse(&text), &mut errors);
            check::keys(kind, &args, &mut errors);
            let errors = super::errors(errors.tokens().collect());
            assert!(errors.is_empty(), "{text}: {errors:?}");
            if let Key::Restart | Key::OnExit | Key::StopOn | Key::CheckKind = key {
                let written =
                    code(&example).into_iter().chain(code(&meaning)).collect::<Vec<_>>().join(" ")
                        + &example;
                let words = form(key);
                for word in words.split('"').skip(1).step_by(2) {
                    assert!(
                        written.contains(&format!("\"{word}\"")),
                        "`{}` knows {word}: {meaning}",
                        key.name()
                    );
                }
            }
        }
    }
}

#[test]
fn the_documentation_of_each_attribute_lists_its_keys() {
    for kind in [
        Kind::Startup,
        Kind::Ready,
        Kind::Drain,
        Kind::Shutdown,
        Kind::Service,
        Kind::HealthCheck,
        Kind::Signal,
    ] {
        let documentation = read(&format!("docs/{}.md", kind.syntax().attribute));
        let listed: Vec<_> = rows(&documentation)
            .iter()
            .filter_map(|row| row[0].strip_prefix('`')?.split(" = ").next())
            .collect();
        let (mut listed, mut taken) = (listed, names(kind));
        listed.sort_unstable();
        taken.sort_unstable();
        assert_eq!(listed, taken, "{}", kind.syntax().attribute);
        if kind.syntax().takes_signal {
            let listed = code(&documentation).into_iter().filter(|word| signal::is_name(word));
            let (free, others): (Vec<_>, Vec<_>) =
                listed.partition(|name| signal::parse(name).is_ok());
            for name in signal::FREE {
                assert!(free.contains(&name), "{name} is not listed");
            }
            assert!(
                others.iter().all(|name| ["SIGTERM", "SIGINT", "SIGQUIT"].contains(name)),
                "{others:?}"
            );
        }
    }
}
