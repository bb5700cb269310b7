//! Property tests: for any tokens under an attribute or in its parentheses, the output is tokens,
//! with a registration or an error, and never a panic.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use proptest::prelude::*;
use proptest::sample::Index;

use super::parse;
use crate::attribute;
use crate::kind::Kind;

const WORDS: &[&str] = &[
    "a",
    "db",
    "order",
    "after",
    "before",
    "of",
    "timeout",
    "restart",
    "backoff",
    "max_restarts",
    "kind",
    "interval",
    "failures",
    "setup",
    "start_paused",
    "true",
    "SIGHUP",
    "SIGTERM",
    "crate",
    "self",
    "Self",
    "super",
    "fn",
    "async",
    "unsafe",
    "const",
    "extern",
    "pub",
    "struct",
    "impl",
    "dyn",
    "where",
    "mut",
    "ref",
    "r#type",
    "Dep",
    "Result",
    "_",
    "'a",
    "'static",
    "cfg",
    "on_startup",
    "on_shutdown",
    "service",
    "test",
    "1",
    "-1",
    "0",
    "1u8",
    "1.5",
    "99999999999999999999999",
    "\"5s\"",
    "\"\"",
    "\"5 s\"",
    "\"99999999999999999999h\"",
    "\"1s..5s\"",
    "\"..\"",
    "\"5 in 1m\"",
    "\" in \"",
    "\"never\"",
    "b\"5s\"",
    "c\"\"",
    "'x'",
    "=",
    ",",
    ";",
    ":",
    "::",
    "->",
    "#",
    "!",
    "&",
    "&&",
    "*",
    "<",
    ">",
    ">>",
    "..",
    "...",
    "?",
    "@",
    "$",
    "|",
    "=>",
    "~",
];

fn word() -> impl Strategy<Value = TokenStream> {
    proptest::sample::select(WORDS).prop_map(parse)
}

fn tokens() -> impl Strategy<Value = TokenStream> {
    let many = |token: BoxedStrategy<TokenStream>| {
        prop::collection::vec(token, 0..12).prop_map(TokenStream::from_iter)
    };
    let delimiter = prop::sample::select(vec![
        Delimiter::Parenthesis,
        Delimiter::Bracket,
        Delimiter::Brace,
        Delimiter::None,
    ]);
    let grouped = word().boxed().prop_recursive(4, 64, 12, move |inner| {
        (delimiter.clone(), many(inner))
            .prop_map(|(delimiter, inner)| TokenTree::from(Group::new(delimiter, inner)).into())
    });
    many(prop_oneof![3 => word().boxed(), 1 => grouped.boxed()].boxed())
}

/// Change of one token, at any depth.
#[derive(Debug, Clone)]
enum Change {
    Delete,
    Double,
    Swap,
    Replace(TokenStream),
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        Just(Change::Delete),
        Just(Change::Double),
        Just(Change::Swap),
        tokens().prop_map(Change::Replace),
    ]
}

fn count(tokens: &TokenStream) -> usize {
    let inner = |token| match token {
        TokenTree::Group(group) => count(&group.stream()),
        _ => 0,
    };
    tokens.clone().into_iter().map(|token| 1 + inner(token)).sum()
}

/// Returns the tokens with the change of the one at the given position, counted at any depth.
fn changed(tokens: TokenStream, place: &mut usize, change: &Change) -> TokenStream {
    let mut result: Vec<TokenTree> = Vec::new();
    let mut tokens = tokens.into_iter();
    while let Some(mut token) = tokens.next() {
        let is_it = *place == 0;
        *place = place.wrapping_sub(1);
        if is_it {
            match change {
                Change::Delete => {}
                Change::Double => result.extend([token.clone(), token]),
                Change::Swap => result.extend(tokens.next().into_iter().chain([token])),
                Change::Replace(other) => result.extend(other.clone()),
            }
            continue;
        }
        if let TokenTree::Group(group) = &token {
            token = Group::new(group.delimiter(), changed(group.stream(), place, change)).into();
        }
        result.push(token);
    }
    result.into_iter().collect()
}

fn mutated(tokens: TokenStream, changes: &[(Index, Change)]) -> TokenStream {
    changes.iter().fold(tokens, |tokens, (index, change)| match count(&tokens) {
        0 => tokens,
        count => changed(tokens, &mut index.index(count), change),
    })
}

fn kind() -> impl Strategy<Value = Kind> {
    prop::sample::select(vec![
        Kind::Startup,
        Kind::Shutdown,
        Kind::Service,
        Kind::HealthCheck,
        Kind::Signal,
    ])
}

fn valid_args() -> impl Strategy<Value = TokenStream> {
    let texts = [
        "",
        "order = 10, after = [db, crate::store::migrations], timeout = \"1m30s\"",
        "of = db, order = 1, after = [a], before = [b::c], timeout = \"5s\", crate = ::lc",
        "restart = \"always\", backoff = \"1s..1m\", max_restarts = \"5 in 1m\", stop_timeout \
         = \"5s\", on_exit = \"ignore\"",
        "kind = \"liveness\", interval = \"10s\", timeout = \"1s\", failures = 3, after = [db]",
        "SIGHUP, after = [db], timeout = \"5s\"",
        "setup = tests::faked, start_paused = false, crate = ::lc",
    ];
    prop::sample::select(texts.to_vec()).prop_map(parse)
}

fn valid_item() -> impl Strategy<Value = TokenStream> {
    let texts = [
        "async fn db() -> sqlx::Result<Pool> { Pool::connect(\"sqlite::memory:\").await }",
        "/// The cache.\n#[cfg(unix)] #[must_use] pub(crate) fn cache(db: Dep<db>, mut stop: Stop) \
         -> io::Result<&'static Cache> { fill(&db) }",
        "#[on_shutdown(of = db)] pub const unsafe extern \"C\" fn a<'a, T: B, const N: u8>(&mut \
         self, #[cfg(x)] _: impl C) -> impl Sized + '_ where T: D {}",
        "#[should_panic] async fn it_is_there(app: TestApp, db: Dep<db>) -> Result<(), Error> { \
         app.stop().await }",
        "pub struct Db { size: u32 }",
    ];
    prop::sample::select(texts.to_vec()).prop_map(parse)
}

fn check(kind: Kind, args: &TokenStream, item: &TokenStream) -> Result<(), TestCaseError> {
    // rustc never passes half a lifetime.
    prop_assume!(
        [args, item].into_iter().all(|tokens| tokens.to_string().parse::<TokenStream>().is_ok())
    );
    let output = attribute::hook(kind, args.clone(), item).to_string();
    prop_assert!(output.parse::<TokenStream>().is_ok(), "{}", output);
    prop_assert!(output.contains("compile_error") || output.contains("submit"), "{}", output);
    let output = attribute::test(args.clone(), item).to_string();
    prop_assert!(output.parse::<TokenStream>().is_ok(), "{}", output);
    prop_assert!(output.contains("compile_error") || output.contains("testing"), "{}", output);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 512,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn random_arguments(kind in kind(), args in tokens(), item in valid_item()) {
        check(kind, &args, &item)?;
    }

    #[test]
    fn random_items(kind in kind(), args in valid_args(), item in tokens()) {
        check(kind, &args, &item)?;
    }

    #[test]
    fn nearly_valid_arguments(
        kind in kind(), args in valid_args(), item in valid_item(),
        changes in prop::collection::vec((any::<Index>(), change()), 1..4),
    ) {
        check(kind, &mutated(args, &changes), &item)?;
    }

    #[test]
    fn nearly_valid_items(
        kind in kind(), args in valid_args(), item in valid_item(),
        changes in prop::collection::vec((any::<Index>(), change()), 1..4),
    ) {
        check(kind, &args, &mutated(item, &changes))?;
    }
}
