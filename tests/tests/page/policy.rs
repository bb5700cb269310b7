//! Policy of the page: nothing comes from elsewhere, and no text becomes a part of it.

use lifecycle_tests::http::Connection;
use serde_json::json;

use crate::harness::program;
use crate::{open, patient, ready, start, url_of};

const VIEWS: [&str; 8] =
    ["overview", "graph", "timeline", "services", "checks", "traffic", "events", "about"];

#[test]
fn the_page_comes_with_a_policy_that_names_its_script_and_its_style_by_their_hashes() {
    let mut program = start("").start().ready();
    let url = url_of(&mut program);
    let address = url.trim_start_matches("http://").trim_end_matches('/');
    for method in ["GET", "HEAD", "POST"] {
        let mut connection = Connection::to(address).expect("it listens");
        let head = format!("{method} / HTTP/1.1\r\nhost: {address}\r\n\r\n");
        connection.write(head.as_bytes()).expect("it listens");
        let head = connection.response_head().expect("a response");
        if method == "POST" {
            assert!(head.starts_with("http/1.1 405 "), "{head}");
            continue;
        }
        for header in [
            "http/1.1 200 ok\r\n",
            "\r\ncontent-type: text/html; charset=utf-8\r\n",
            "\r\ncontent-security-policy: default-src 'none'; script-src 'sha256-",
            "; style-src 'sha256-",
            "; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; \
             frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'\r\n",
            "\r\nreferrer-policy: no-referrer\r\n",
            "\r\nx-content-type-options: nosniff\r\n",
            "\r\ncache-control: no-store\r\n",
        ] {
            assert!(head.contains(header), "{method}: no {header:?} in {head}");
        }
        assert!(!head.contains("unsafe"), "{head}");
    }
    program.stop().expect_code(0);
}

#[test]
fn no_view_breaks_the_policy_or_fetches_anything_from_elsewhere() {
    let Some((program, page)) = ready(start("")) else { return };
    for view in VIEWS {
        page.show(view);
    }
    let origins = "[...new Set(performance.getEntriesByType('resource')
        .map(entry => new URL(entry.name).origin))]";
    assert_eq!(page.value(origins), json!([page.value("location.origin")]));
    page.close();
    program.stop().expect_code(0);
}

#[test]
fn the_policy_lets_no_text_become_a_part_of_the_page() {
    let Some((program, page)) = ready(start("")) else { return };
    let tried = page.value(
        "(() => { try { document.body.innerHTML = '<b>text</b>'; } catch (error) {
            return error.name; } })()",
    );
    assert_eq!(tried, "TypeError");
    page.wait_until("complaints.some(complaint => complaint.includes('require-trusted-types'))");
    program.stop().expect_code(0);
}

#[test]
fn an_error_with_markup_is_shown_as_text() {
    let Some((mut program, page)) = ready(start("")) else { return };
    program.tell("pump");
    let error = "<script>alert(\"broken\")</script>";
    page.wait_for("#blame", error);
    for view in ["services", "events", "overview"] {
        page.show(view);
        page.wait_for("#view", error);
    }
    page.click("#blame [data-hook='admin::pump']");
    page.wait_for("#panel #last-error", error);
    assert_eq!(page.value("document.scripts.length"), 1);
    page.close();
    program.stop().expect_code(0);
}

#[test]
fn a_hook_whose_name_is_markup_is_shown_as_text() {
    let name = "<script>alert('name')</script>";
    let many = patient(program!("many")).args(&format!("3 last=wait name={name}"));
    let mut program = many.start();
    program.wait_until_said("last");
    let Some(page) = open(&mut program) else { return };
    page.wait_for("#blamed .what", name);
    page.show("graph");
    page.wait_until(&format!(
        "[...document.querySelectorAll('#graph title')].some(title => title.textContent === {})",
        json!(name)
    ));
    page.click("#blamed button.hook");
    page.wait_for("#panel h2", name);
    page.click("#panel [data-close]");
    program.tell("last");
    page.wait_for("#state", "ready");
    for view in ["timeline", "events"] {
        page.show(view);
        page.wait_for("#view", name);
    }
    assert_eq!(page.value("document.scripts.length"), 1);
    page.close();
    program.stop().expect_code(0);
}
