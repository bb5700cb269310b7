//! Snapshots of the attributes' expansions, formatted for people.
//!
//! `INSTA_UPDATE=always cargo test -p lifecycle-macros` updates the snapshots; read the diff.

use proc_macro2::TokenStream;

use super::{expand, expand_test};
use crate::kind::Kind;

fn pretty(kind: Kind, args: &str, item: &str) -> String {
    print(&expand(kind, args, item))
}

fn pretty_test(args: &str, item: &str) -> String {
    print(&expand_test(args, item))
}

fn print(tokens: &TokenStream) -> String {
    let file = syn::parse2(tokens.clone()).unwrap_or_else(|error| panic!("{error}: {tokens}"));
    prettyplease::unparse(&file)
}

#[test]
fn plain() {
    insta::assert_snapshot!(pretty(Kind::Startup, "", "async fn migrations() { run().await; }"));
}

#[test]
fn sync_with_arguments() {
    let item = "/// The cache.\n#[cfg(unix)] #[must_use] pub(crate) fn r#cache(db: Dep<db>, stop: \
                Stop) -> io::Result<Cache> { fill(&db) }";
    insta::assert_snapshot!(pretty(Kind::Startup, "", item));
}

#[test]
fn all_keys() {
    let args = "of = db, order = 2, after = [flush, super::mail], before = [bye], timeout \
                = \"1m30s\", crate = crate::lc";
    insta::assert_snapshot!(pretty(
        Kind::Shutdown,
        args,
        "pub async fn close(db: Dep<store::db>) { db.close().await }"
    ));
}

#[test]
fn teardown() {
    insta::assert_snapshot!(pretty(
        Kind::Shutdown,
        "of = db",
        "async fn close_db(db: Dep<db>) { db.close().await }"
    ));
}

#[test]
fn ready_and_drain() {
    let ready = pretty(
        Kind::Ready,
        "after = [db], timeout = \"5s\"",
        "async fn announce() -> io::Result<()> { call().await }",
    );
    let drain = pretty(
        Kind::Drain,
        "order = 1",
        "fn withdraw(db: Dep<db>, handle: StopHandle) { db.withdraw() }",
    );
    insta::assert_snapshot!(format!("{ready}\n{drain}"));
}

#[test]
fn service() {
    let keys = "after = [db], restart = \"on_failure\", backoff = \"1s..30s\", max_restarts = \"3 \
                in 10s\", \
                stop_timeout = \"7s\", on_exit = \"ignore\"";
    let item =
        "async fn outbox(db: Dep<db>, stop: Stop) -> Result<(), Error> { send(&db, stop).await }";
    let (plain, all) = (pretty(Kind::Service, "", item), pretty(Kind::Service, keys, item));
    insta::assert_snapshot!(format!("{plain}\n{all}"));
}

#[test]
fn health_check() {
    let keys = "kind = \"liveness\", interval = \"5s\", timeout = \"2s\", failures = 1";
    let item = "async fn ping(db: Dep<db>) -> Result<(), Error> { db.ping().await }";
    let (plain, all) = (pretty(Kind::HealthCheck, "", item), pretty(Kind::HealthCheck, keys, item));
    insta::assert_snapshot!(format!("{plain}\n{all}"));
}

#[test]
fn signal() {
    let item = "fn reload(settings: Dep<settings>) -> Result<(), Error> { settings.read() }";
    let (all, none) =
        (pretty(Kind::Signal, "SIGHUP, timeout = \"2s\"", item), pretty(Kind::Signal, "", item));
    insta::assert_snapshot!(format!("{all}\n{none}"));
}

/// Checks the expansion of a test with an app, and of one without.
#[test]
fn test() {
    let all = "setup = fakes::db, start_paused = false, crate = crate::lc";
    let item = "/// It answers.\n#[should_panic] #[cfg(unix)] async fn it_answers(mut app: \
                TestApp, db: Dep<store::db>) \
                -> io::Result<()> { app.stop().await }";
    let (with, without) =
        (pretty_test(all, item), pretty_test("", "async fn it_adds() { assert_eq!(1 + 1, 2) }"));
    insta::assert_snapshot!(format!("{with}\n{without}"));
}

#[test]
fn wrong_test() {
    insta::assert_snapshot!(pretty_test(
        "setup = 1",
        "#[ignore] fn it_answers(app: TestApp) { todo!() }"
    ));
}

#[test]
fn wrong_attribute() {
    insta::assert_snapshot!(pretty(
        Kind::Startup,
        "ordr = 1, after = [db]",
        "fn cache() -> Cache { Cache }"
    ));
}

#[test]
fn broken_function() {
    insta::assert_snapshot!(pretty(
        Kind::Startup,
        "after = [db]",
        "async unsafe fn cache<T>() -> Cache { Cache }"
    ));
}

#[test]
fn method() {
    let expanded = expand(Kind::Startup, "", "async fn open(&mut self) {}").to_string();
    assert!(expanded.contains("fn open") && !expanded.contains("struct"), "{expanded}");
}

#[test]
fn not_a_function() {
    insta::assert_snapshot!(pretty(Kind::Startup, "", "#[derive(Debug)] struct Db { size: u32 }"));
}

/// Returns the number of lines that the expansion adds to the function.
fn added(kind: Kind, args: &str, item: &str) -> usize {
    let function = prettyplease::unparse(&syn::parse_str(item).expect("a function"));
    pretty(kind, args, item).lines().count() - function.lines().count()
}

#[test]
fn expansions_stay_small() {
    let bare = added(Kind::Startup, "", "async fn a() {}");
    let returns = added(Kind::Startup, "", "async fn a() -> Result<u32, Error> {}");
    let one = added(Kind::Startup, "", "async fn a(b: Dep<b>) {}");
    let five = added(
        Kind::Startup,
        "",
        "async fn a(b: Dep<b>, c: Stop, d: Dep<d>, e: Dep<e>, f: Dep<f>) {}",
    );
    let seven = added(
        Kind::Startup,
        "",
        "async fn a(b: Dep<b>, c: Stop, d: Dep<d>, e: Dep<e>, f: Dep<f>, g: Dep<g>, h: Dep<h>) {}",
    );
    // Lines as prettyplease breaks them: it makes four lines, up to 89 columns wide, of what fits
    // into one of 120.
    println!(
        "{bare} lines, {returns} with a value, {one} with an argument, {five} with five, {seven} \
         with seven"
    );
    assert!(bare <= 21 && returns <= 27);
    assert!(one <= bare + 8);
    // One line names the argument's dependencies, and one injects it.
    assert_eq!(seven - five, 2 * 2);
}
