//! Display names of hooks that have one name, and messages about two that have even their path in
//! common.

use super::super::sample::{self, plan};
use super::{check_error, sequence, snapshot};
use crate::hook::id::HookId;
use crate::hook::{HookMeta, Origin};
use crate::plan::Plan;
use crate::process::config::PlanFormat;

/// Two modules that have the same hooks.
const TWICE: &str = "start store::db; start cache::db after store::db; start config; service \
                     store::sync needs store::db; \
                     service cache::sync needs cache::db; stop store::close of store::db; stop \
                     cache::close of cache::db \
                     timeout 5000";

#[test]
fn hooks_of_one_name_are_told_apart_by_their_modules() {
    let snapshot = snapshot(TWICE);
    for line in [
        "  config  app\n",
        "  store::db  app::store\n",
        "  cache::db  app::cache  after store::db\n",
        "  stop store::sync  app::store\n",
        "  cache::close  app::cache  timeout 5s  teardown of cache::db  after stop cache::sync\n",
    ] {
        assert!(snapshot.contains(line), "no {line} in\n{snapshot}");
    }
    let plan = plan(TWICE).expect("valid");
    assert!(sequence(&plan).ends_with(", drop store::db"), "{}", sequence(&plan));
    assert_eq!(plan.hooks()[0].display_name(), "config");
    assert_eq!(plan.worst_case_stop().0[0].display_name(), "cache::close");
    let json: serde_json::Value =
        serde_json::from_str(&plan.render(PlanFormat::Json)).expect("JSON");
    assert_eq!(json["hooks"][1]["path"], "app::cache::db");
    assert_eq!(json["hooks"][1]["name"], "cache::db");
    let cycle = "stop a::x before b::x; stop b::x before a::x";
    check_error(
        cycle,
        &["these hooks wait for each other: a::x → b::x → a::x; take one of the dependencies \
             away: `a::x` (app.rs:1), \
           `b::x` (app.rs:2)"],
    );
}

#[test]
fn a_name_has_as_many_modules_before_it_as_it_takes() {
    for (hooks, shown) in [
        ("start db; start cache", "cache, db"),
        ("start db; start cache::db", "app::db, cache::db"),
        ("start a::x::db; start b::x::db; start c::y::db", "a::x::db, b::x::db, y::db"),
        // The end of one path is all of another.
        ("start app::db; start db", "app::db, app::app::db"),
        ("start a::db; stop b::db; check c::db", "a::db, c::db, b::db"),
    ] {
        let plan = plan(hooks).expect("valid");
        let names: Vec<_> = plan.hooks().iter().map(|hook| hook.display_name()).collect();
        assert_eq!(names.join(", "), shown, "{hooks}");
    }
}

#[test]
fn a_hook_of_one_plan_has_the_name_of_another_plan_there() {
    let both = plan("start store::db; start cache::db").expect("valid");
    let one = Plan::new([both.hooks()[0]]).expect("valid");
    assert_eq!(one.hooks()[0].display_name(), "db");
    let again = Plan::new(both.hooks().iter().copied()).expect("valid");
    assert!(std::ptr::eq(again.hooks()[0], both.hooks()[0]), "planned anew, it is what it was");
}

/// Checks the message about two hooks of one path. Each is `PACKAGE VERSION BINARY LINE`, with `-`
/// for what is not known.
#[track_caller]
fn check_clash(hooks: [&str; 2], expected: &str) {
    let hook = |number, text: &str| {
        let words: Vec<_> =
            text.split(' ').map(|word| (word != "-").then(|| &*word.to_owned().leak())).collect();
        let [package, version, binary, Some(line)] = words[..] else { panic!("{text}") };
        let (id, line) = (HookId::number(number), line.parse().expect("a number"));
        let origin = Origin { package, version, binary };
        &*Box::leak(Box::new(HookMeta { id, origin, line, ..*sample::hooks("start store::db")[0] }))
    };
    let hooks = [hook(1, hooks[0]), hook(2, hooks[1])];
    for hooks in [[hooks[0], hooks[1]], [hooks[1], hooks[0]]] {
        let error = Plan::new(hooks).expect_err("two hooks of one path");
        assert_eq!(error.problems(), [expected]);
    }
}

#[test]
fn two_hooks_of_one_path_are_told_how_they_come_to_have_it() {
    check_clash(
        ["- - - 1", "- - - 2"],
        "two hooks have the path `app::store::db`: app.rs:1 and app.rs:2; rename one of them",
    );
    check_clash(
        ["app 1.0.0 - 1", "app 1.0.0 - 2"],
        "two hooks have the path `app::store::db`: app.rs:1 and app.rs:2; rename one of them",
    );
    check_clash(
        ["app 1.0.0 - 3", "app 1.0.10 - 3"],
        "two versions of the package `app` are linked, 1.0.0 and 1.0.10, and both have the hook \
         `app::store::db`: app.rs:3 \
         and app.rs:3; have everything depend on one of them: `cargo tree --invert app@1.0.0` \
         shows what needs that one",
    );
    check_clash(
        ["app 1.0.0 - 1", "app-rs 1.0.0 - 2"],
        "two hooks have the path `app::store::db`: app.rs:1 and app.rs:2, as the packages `app` \
         1.0.0 and `app-rs` 1.0.0 \
         have libraries of one name; rename one of the hooks, or one of the libraries: `[lib]` in \
         its Cargo.toml",
    );
    check_clash(
        ["app 1.0.0 - 2", "app 1.0.0 app 2"],
        "`app::store::db` (app.rs:2) is compiled twice, into the library and into the binary `app` \
         of the package `app`; \
         keep the file in the library only: take `mod store;` out of the binary, and write `use \
         app::store;`",
    );
    check_clash(
        ["app 1.0.0 - 1", "app 1.0.0 app 2"],
        "two hooks have the path `app::store::db`: app.rs:1 and app.rs:2: one in the library and \
         one in the binary `app` of \
         the package `app`, which have one name; rename one of the hooks",
    );
}
