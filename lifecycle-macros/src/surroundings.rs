//! Surroundings of an attribute in its file. An attribute gets only its function. Within an `impl`,
//! rustc refuses the items that the attribute adds beside it, in words about code that nobody
//! wrote.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// Name of the token that marks the attribute.
const MARK: &str = "__lifecycle_attribute";

/// Returns whether the attribute that is being expanded stands on a function of an `impl` or a
/// trait. `false` if the file doesn't tell.
pub fn are_an_impl() -> bool {
    // A unit test runs without the compiler.
    proc_macro::is_available()
        && marked_file(proc_macro::Span::call_site()).is_some_and(|file| is_in_impl(&file))
}

/// Returns the file of the attribute with a mark before the attribute, if it is worth parsing: that
/// takes longer the larger the file is.
fn marked_file(attribute: proc_macro::Span) -> Option<String> {
    if attribute.column() == 1 {
        return None;
    }
    let text = std::fs::read_to_string(attribute.local_file()?).ok()?;
    let (before, after) = split(&text, attribute.line(), attribute.column())?;
    // The compiler may have read other text than the file has now.
    let is_it = after.starts_with(&attribute.source_text()?);
    (is_it && may_be_in_impl(before)).then(|| format!("{before}{MARK} {after}"))
}

/// Splits the text at this column of this line; both count from 1.
fn split(text: &str, line: usize, column: usize) -> Option<(&str, &str)> {
    let start: usize = text.split_inclusive('\n').take(line.checked_sub(1)?).map(str::len).sum();
    let (in_line, _) = text.get(start..)?.char_indices().nth(column.checked_sub(1)?)?;
    text.split_at_checked(start + in_line)
}

/// Returns whether the braces around the end of this text may be those of an `impl` or a trait. It
/// looks at the line that opens them in indented code: `mod tests {` opens none.
fn may_be_in_impl(before: &str) -> bool {
    let (above, own) = before.rsplit_once('\n').unwrap_or(("", before));
    if !own.trim().is_empty() {
        return true;
    }
    let is_outer =
        |line: &&str| line.trim_start().len() + own.len() > line.len() && !line.trim().is_empty();
    above.rsplit('\n').find(is_outer).is_some_and(|line| {
        let line = line.trim();
        let opens_something_else = line.ends_with('{') && line != "{";
        !opens_something_else || ["impl", "trait"].iter().any(|word| line.contains(word))
    })
}

/// Innermost braces around the mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Braces {
    None,
    /// Braces of an `impl` or a trait.
    Impl,
    Other,
}

/// Returns whether the innermost braces around the mark are those of an `impl` or a trait.
fn is_in_impl(marked: &str) -> bool {
    marked.parse().is_ok_and(|tokens| braces(tokens) == Some(Braces::Impl))
}

/// Returns the innermost braces around the mark, if it is among the tokens.
fn braces(tokens: TokenStream) -> Option<Braces> {
    // The tokens since the last item or statement.
    let mut head = Vec::new();
    for token in tokens {
        match &token {
            TokenTree::Ident(ident) if ident == MARK => return Some(Braces::None),
            TokenTree::Group(group) => {
                if let Some(inner) = braces(group.stream()) {
                    return Some(outer(inner, group.delimiter(), &head));
                }
            }
            _ => {}
        }
        if ends_item(&token) {
            head.clear();
        } else {
            head.push(token);
        }
    }
    None
}

/// Returns the innermost braces around the mark, including those of a group that holds `inner`.
/// `head` has the tokens before the group.
fn outer(inner: Braces, delimiter: Delimiter, head: &[TokenTree]) -> Braces {
    // A macro may make anything of its tokens.
    if matches!(head.last(), Some(TokenTree::Punct(punct)) if punct.as_char() == '!') {
        return Braces::Other;
    }
    if inner != Braces::None || delimiter != Delimiter::Brace {
        return inner;
    }
    let mut words = head.iter().filter_map(|token| match token {
        TokenTree::Ident(ident) => Some(ident.to_string()),
        _ => None,
    });
    let is_modifier =
        |word: &String| ["pub", "unsafe", "const", "auto", "default"].contains(&&**word);
    match words.find(|word| !is_modifier(word)).as_deref() {
        Some("impl" | "trait") => Braces::Impl,
        _ => Braces::Other,
    }
}

fn ends_item(token: &TokenTree) -> bool {
    match token {
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
        TokenTree::Punct(punct) => punct.as_char() == ';',
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns whether an attribute in the place of `@` stands in an `impl` or a trait.
    fn within(text: &str) -> bool {
        let (line, found) =
            text.split('\n').enumerate().find(|(_, line)| line.contains('@')).expect("a place");
        let column = found.chars().position(|char| char == '@').expect("a place");
        let text = text.replace('@', "#[on_startup]");
        let (before, after) = split(&text, line + 1, column + 1).expect("a place");
        may_be_in_impl(before) && is_in_impl(&format!("{before}{MARK} {after}"))
    }

    #[test]
    fn a_function_of_an_impl_or_a_trait_is_told_by_what_is_around_it() {
        for text in [
            "impl A { @ fn a() {} }",
            "impl<const N: usize> A for [u8; N] where [u8; N]: B { fn b() {} @ fn a() {} }",
            "unsafe impl A for B {\n    /// ä { \" impl\n    @\n    fn a() {}\n}",
            "use x; pub(crate) unsafe auto trait A: B { const C: &str = \"}\"; @ fn a() {} }",
            "fn x() {} #[cfg(a)] impl A { #[cfg_attr(x, @)] fn a() {} }",
            "fn x() { impl A { @ fn a() {} } }",
            "macro_rules! x { ($a:ty) => { impl $a { @ fn a() {} } } }",
            "impl A {\n    const B: u8 = 1;\n\n    fn b() {\n    }\n    #[x]\n    @\n    fn a() \
             {}\n}",
            "impl<const N: usize> A\n    for [u8; N]\nwhere\n    [u8; N]: B,\n{\n    @\n    fn a() \
             {}\n}",
            "mod a {\n    impl A {\n        const B: &str = \"\n\";\n        @\n        fn a() \
             {}\n    }\n}",
        ] {
            assert!(within(text), "{text}");
        }
        for text in [
            "@ fn a() {}",
            "mod a { @ fn a() {} }",
            "impl A {} mod a { @ fn a() {} }",
            "impl A { fn b() { @ fn a() {} } }",
            "impl A { fn b() {} } fn c() -> impl D { @ fn a() {} }",
            "fn a() { let x = impls; { @ fn a() {} } }",
            "x! { impl A { @ fn a() {} } }",
            "x!(impl A { @ fn a() {} });",
            "impl A {}\n\nmod tests {\n    @\n    fn a() {}\n}",
            "impl A {\n    fn b() -> impl C {\n        @\n        fn a() {}\n    }\n}",
        ] {
            assert!(!within(text), "{text}");
        }
    }

    #[test]
    fn a_file_is_parsed_only_for_a_line_that_may_open_an_impl() {
        for (text, expected) in [
            ("impl A {\n    ", true),
            ("pub(crate) trait A {\n\n    fn x() {}\n    ", true),
            ("impl A\n{\n    ", true),
            ("impl A { ", true),
            ("impl A {\n}\nmod tests {\n    use x;\n    ", false),
            ("impl A {\n    fn x() {\n        ", false),
            ("    ", false),
        ] {
            assert_eq!(may_be_in_impl(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_place_that_is_not_in_the_file_is_none() {
        for (line, column) in [(0, 1), (1, 0), (1, 9), (4, 1)] {
            assert_eq!(split("fn a() {", line, column), None, "{line}:{column}");
        }
    }
}
