//! Graph of a phase: its steps, their details, and the ways around in it.

use serde_json::json;

use crate::browser::Browser;
use crate::harness::program;
use crate::{ready, shown, start};

/// Returns the transformation of the graph as it stands.
fn view(page: &Browser) -> (f64, f64, f64) {
    let matrix = page.value(
        "(({ a, e, f }) => [a, e, f])
            (document.querySelector('#graph svg > g').transform.baseVal.consolidate().matrix)",
    );
    let number = |place: usize| matrix[place].as_f64().expect("a number");
    (number(0), number(1), number(2))
}

fn focused(page: &Browser) -> String {
    let name = "document.activeElement.dataset.hook ?? document.activeElement.id";
    page.value(name).as_str().unwrap_or_default().to_owned()
}

#[test]
fn a_click_on_a_step_shows_its_place_value_times_and_last_error() {
    let Some((mut program, page)) = ready(start("")) else { return };
    page.show("graph");
    page.wait_until("document.querySelectorAll('#graph [data-number]').length === 2");
    assert_eq!(page.value("document.querySelectorAll('#graph .edge').length"), 1);
    page.click("#graph [data-hook='admin::db']");
    page.wait_for("#panel h2", "db");
    let source = include_str!("../../src/bin/admin.rs");
    let db = source.lines().position(|line| line.contains("fn db(")).expect("a hook") + 1;
    page.wait_for("#panel", &format!("tests/src/bin/admin.rs:{db}"));
    page.wait_for("#panel [data-key=Value]", "alloc::string::String");
    page.wait_for("#panel [data-key='In the start']", "critical path");
    page.wait_for("#panel [data-key=Outcome]", "succeeded");
    program.tell("pump");
    page.click("#graph [data-hook='admin::pump']");
    page.wait_for("#panel h2", "pump");
    page.wait_for("#panel #last-error", "failed: <script>");
    page.wait_for("#panel [data-key='Next run']", "in ");
    // Its dependency leads on.
    page.click("#panel .names [data-hook='admin::db']");
    page.wait_for("#panel h2", "db");
    page.click("#panel [data-close]");
    page.wait_until("document.getElementById('panel').hidden");
    for (phase, hook) in [("ready", "announce"), ("drain", "withdraw"), ("stop", "close_db")] {
        page.click(&format!("[data-phase-choice={phase}]"));
        page.wait_until(&format!("document.querySelector('#graph [data-hook=\"admin::{hook}\"]')"));
    }
    page.wait_for("#graph", "stop pump");
    page.close();
    program.stop().expect_code(0);
}

#[test]
fn the_graph_is_moved_by_dragging_and_zoomed_by_the_wheel() {
    let Some((program, page)) = ready(start("")) else { return };
    page.show("graph");
    page.wait_until("document.querySelectorAll('#graph [data-number]').length === 2");
    let place = page.value(
        "(({ left, top }) => [left + 20, top + 20])
            (document.getElementById('graph').getBoundingClientRect())",
    );
    let (x, y) = (place[0].as_f64().expect("a place"), place[1].as_f64().expect("a place"));
    let before = view(&page);
    let button = json!({ "button": "left", "buttons": 1, "clickCount": 1 });
    page.mouse("mousePressed", x, y, &button);
    page.mouse("mouseMoved", x + 30.0, y + 40.0, &button);
    page.mouse("mouseReleased", x + 30.0, y + 40.0, &button);
    let after = view(&page);
    let moved = (after.1 - before.1, after.2 - before.2);
    assert!((moved.0 - 30.0).abs() < 0.1 && (moved.1 - 40.0).abs() < 0.1, "{moved:?}");
    page.mouse("mouseWheel", x, y, &json!({ "deltaX": 0, "deltaY": -200 }));
    page.wait_until(&format!(
        "document.querySelector('#graph svg > g').transform.baseVal.consolidate().matrix.a > {}",
        after.0
    ));
    assert_eq!(page.value("scrollY"), 0, "the page stays where it is");
    page.click("[data-zoom=fit]");
    page.wait_until(&format!(
        "Math.abs(document.querySelector('#graph svg > g').transform.baseVal.consolidate()
            .matrix.e - {}) < 1",
        before.1
    ));
    page.close();
    program.stop().expect_code(0);
}

#[test]
fn the_page_can_be_used_by_keys_alone() {
    let Some((program, page)) = ready(start("")) else { return };
    page.press("Tab");
    page.wait_until("document.activeElement.matches('.skip-link:focus-visible')");
    page.press("Tab");
    assert_eq!(focused(&page), "tab-overview");
    page.press("ArrowRight");
    page.wait_until("document.getElementById('view').dataset.view === 'graph'");
    assert_eq!(focused(&page), "tab-graph");
    page.wait_until("document.querySelectorAll('#graph [data-number]').length === 2");
    for _ in 0..20 {
        if focused(&page) == "admin::db" {
            break;
        }
        page.press("Tab");
    }
    assert_eq!(focused(&page), "admin::db");
    let outline = "getComputedStyle(document.activeElement.querySelector('rect')).strokeWidth";
    assert_eq!(page.value(outline), "4px");
    page.press("ArrowRight");
    assert_eq!(focused(&page), "admin::pump");
    page.press("ArrowLeft");
    assert_eq!(focused(&page), "admin::db");
    let before = view(&page).0;
    page.press("+");
    assert!(view(&page).0 > before);
    page.press("Enter");
    page.wait_for("#panel h2", "db");
    page.wait_until("document.activeElement.closest('#panel')");
    page.press("Escape");
    page.wait_until("document.getElementById('panel').hidden");
    assert_eq!(focused(&page), "admin::db");
    page.close();
    program.stop().expect_code(0);
}

#[test]
fn a_phase_without_steps_has_no_note_of_another() {
    let Some((program, page)) = ready(shown(program!("recurring"))) else { return };
    page.show("graph");
    page.wait_for("#graph-note", "1 step. ");
    page.click("[data-phase-choice=ready]");
    page.wait_for("#view", "This phase has no hooks.");
    assert_eq!(page.text("#graph-note"), "");
    page.click("[data-phase-choice=drain]");
    page.wait_for("#graph-note", "1 step. ");
    page.close();
    program.stop().expect_code(0);
}

#[test]
fn the_search_finds_hooks_of_every_phase_and_those_of_none() {
    let Some((program, page)) = ready(start("")) else { return };
    page.show("graph");
    // A health check is a step of no phase, and the drain is not shown.
    for hook in ["ping", "withdraw"] {
        page.search(hook);
        page.wait_for("#found", "1 hook found");
        page.wait_for(&format!("#found [data-hook='admin::{hook}']"), hook);
    }
    page.click("#found button.hook");
    page.wait_for("#panel h2", "withdraw");
    page.search("");
    page.wait_until("document.getElementById('found') === null");
    page.close();
    program.stop().expect_code(0);
}

#[test]
fn a_window_of_another_width_keeps_the_view_and_the_focus() {
    let Some((program, page)) = ready(start("")) else { return };
    page.show("graph");
    page.wait_until("document.querySelectorAll('#graph [data-number]').length === 2");
    page.value("document.querySelector('#graph [data-hook=\"admin::pump\"]').focus()");
    page.press("+");
    let before = view(&page);
    page.resize(700, 900);
    assert_eq!(view(&page), before);
    assert_eq!(focused(&page), "admin::pump");
    page.close();
    program.stop().expect_code(0);
}
