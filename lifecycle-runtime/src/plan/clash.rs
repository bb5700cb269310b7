//! Hooks that have the same path: the causes, and the advice for each.

use crate::hook::{HookMeta, Origin};

/// Two hooks that have the same path.
type Pair = (&'static HookMeta, &'static HookMeta);

/// Cause for which two hooks have the same path.
#[derive(PartialEq)]
enum Cause {
    /// Two libraries of one name.
    Packages,
    /// Two versions of this package.
    Versions(&'static str, Origin, Origin),
    /// A file that belongs to two targets of this package.
    File(&'static str, &'static str, Origin, Origin),
    /// Two hooks in two targets of this package that have one name.
    Targets(&'static str),
    /// Two hooks in one module.
    Module,
}

/// Returns the messages for hooks that have the same path: one for each cause that is not the hooks
/// themselves.
pub(super) fn describe(pairs: impl IntoIterator<Item = Pair>) -> Vec<String> {
    let mut causes: Vec<(Cause, Pair, usize)> = Vec::new();
    for pair in pairs {
        let cause = cause(pair);
        let is_one_for_many = matches!(cause, Cause::Versions(..) | Cause::File(..));
        match causes.iter_mut().find(|(known, ..)| is_one_for_many && *known == cause) {
            Some((.., more)) => *more += 1,
            None => causes.push((cause, pair, 0)),
        }
    }
    causes.into_iter().map(|(cause, pair, more)| message(&cause, pair, more)).collect()
}

fn cause((first, second): Pair) -> Cause {
    let (a, b) = (first.origin, second.origin);
    match (a.package, b.package) {
        (Some(one), Some(other)) if one != other => Cause::Packages,
        (Some(package), Some(_)) if a.version != b.version => Cause::Versions(package, a, b),
        (Some(package), Some(_)) if a.binary != b.binary => {
            if first.place() == second.place() {
                Cause::File(package, first.file, a, b)
            } else {
                Cause::Targets(package)
            }
        }
        _ => Cause::Module,
    }
}

/// Returns the message for a cause, with the first two hooks that have it, and the number of
/// further ones.
fn message(cause: &Cause, (first, second): Pair, more: usize) -> String {
    let (path, place, other_place) = (first.path(), first.place(), second.place());
    let both = format!("`{path}`: {place} and {other_place}");
    let (one, other) = (target(first), target(second));
    match cause {
        Cause::Module => format!("two hooks have the path {both}; rename one of them"),
        Cause::Packages => format!(
            "two hooks have the path {both}, as the packages {} and {} have libraries of one name; \
             rename one of the \
             hooks, or one of the libraries: `[lib]` in its Cargo.toml",
            package(first),
            package(second),
        ),
        Cause::Targets(package) => format!(
            "two hooks have the path {both}: one in {one} and one in {other} of the package \
             `{package}`, which have one \
             name; rename one of the hooks"
        ),
        Cause::Versions(package, old, new) => {
            let (old, new) = (version(old), version(new));
            let hook = match more {
                0 => format!("the hook {both}"),
                more => format!("the hook {both}, and {more} more"),
            };
            format!(
                "two versions of the package `{package}` are linked, {old} and {new}, and both \
                 have {hook}; have \
                 everything depend on one of them: `cargo tree --invert {package}@{old}` shows \
                 what needs that one"
            )
        }
        Cause::File(package, file, ..) => {
            let hooks = match more {
                0 => format!("`{path}` ({place}) is"),
                1 => format!("`{path}` ({place}) and 1 more hook of {file} are"),
                more => format!("`{path}` ({place}) and {more} more hooks of {file} are"),
            };
            format!(
                "{hooks} compiled twice, into {one} and into {other} of the package `{package}`; \
                 keep the file in the \
                 library only{}",
                instead(first)
            )
        }
    }
}

/// Returns the advice for a binary that declares a module of the library once more.
fn instead(hook: &HookMeta) -> String {
    let mut segments = hook.module.split("::");
    match (segments.next(), segments.next()) {
        (Some(library), Some(module)) => {
            format!(
                ": take `mod {module};` out of the binary, and write `use {library}::{module};`"
            )
        }
        _ => String::new(),
    }
}

fn target(hook: &HookMeta) -> String {
    hook.origin
        .binary
        .map_or_else(|| "the library".to_owned(), |binary| format!("the binary `{binary}`"))
}

fn package(hook: &HookMeta) -> String {
    format!("`{}` {}", hook.origin.package.unwrap_or_default(), version(&hook.origin))
}

fn version(origin: &Origin) -> &'static str {
    origin.version.unwrap_or("without a version")
}
