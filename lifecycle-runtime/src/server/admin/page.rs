//! Page for operators, which shows the documents and the events in a browser.
//!
//! It is one document without anything from elsewhere, put together of the files in `page/`. The
//! browser runs the one script in it and takes the one style sheet, as the policy has their hashes,
//! and makes no markup of text: a hook or an error can't become a part of the page.

use std::sync::LazyLock;

use actix_web::HttpResponse;
use actix_web::http::header::{self, ContentType};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest, Sha256};

const DOCUMENT: &str = include_str!("page/page.html");

const STYLE: &str = concat!(include_str!("page/page.css"), include_str!("page/views.css"));

/// Script, whose files share one scope: each uses functions of the others.
const SCRIPT: &str = concat!(
    include_str!("page/dom.js"),
    include_str!("page/run.js"),
    include_str!("page/feed.js"),
    include_str!("page/changes.js"),
    include_str!("page/state.js"),
    include_str!("page/blame.js"),
    include_str!("page/gantt.js"),
    include_str!("page/layout.js"),
    include_str!("page/graph.js"),
    include_str!("page/graph-moves.js"),
    include_str!("page/services.js"),
    include_str!("page/traffic.js"),
    include_str!("page/events.js"),
    include_str!("page/panel.js"),
    include_str!("page/main.js"),
);

/// Page with the policy for browsers that belongs to it.
struct Page {
    html: String,
    policy: String,
}

static PAGE: LazyLock<Page> = LazyLock::new(|| Page {
    html: DOCUMENT.replace("/* style */", STYLE).replace("/* script */", SCRIPT),
    policy: format!(
        "default-src 'none'; script-src '{}'; style-src '{}'; connect-src 'self'; img-src data:; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
         require-trusted-types-for 'script'; trusted-types 'none'",
        hash(SCRIPT),
        hash(STYLE)
    ),
});

/// Returns the hash of a script or a style sheet, as a policy names it.
fn hash(text: &str) -> String {
    format!("sha256-{}", BASE64_STANDARD.encode(Sha256::digest(text)))
}

/// Answers by the page.
pub(super) async fn show() -> HttpResponse {
    HttpResponse::Ok()
        .content_type(ContentType::html())
        .insert_header((header::CONTENT_SECURITY_POLICY, &*PAGE.policy))
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
        .body(PAGE.html.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the text between two others.
    fn between<'t>(text: &'t str, from: &str, to: &str) -> &'t str {
        text.split_once(from).and_then(|(_, rest)| rest.split_once(to)).expect("both").0
    }

    #[test]
    fn the_policy_has_the_hashes_of_the_one_script_and_the_one_style_sheet() {
        let Page { html, policy } = &*PAGE;
        let script = between(html, "<script type=\"module\">", "</script>");
        let style = between(html, "<style>", "</style>");
        assert!(script.ends_with(include_str!("page/main.js")));
        assert!(policy.contains(&format!("; script-src '{}'; ", hash(script))));
        assert!(policy.contains(&format!("; style-src '{}'; ", hash(style))));
        for (tag, count) in [("<script", 1), ("<style", 1), ("</script", 1), ("</style", 1)] {
            assert_eq!(html.matches(tag).count(), count, "{tag}");
        }
        // The hash of an empty text, as a check of the form.
        assert_eq!(hash(""), "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
    }

    #[test]
    fn the_page_makes_no_markup_of_text() {
        for call in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("] {
            assert!(!SCRIPT.contains(call), "{call}");
        }
    }
}
