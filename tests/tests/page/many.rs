//! Graphs of many hooks.

use crate::browser::Browser;
use crate::harness::{Program, program};
use crate::{open, patient};

fn many(args: &str) -> Program {
    patient(program!("many")).args(args).start()
}

fn number(page: &Browser, expression: &str) -> u64 {
    page.value(expression).as_u64().expect("a number")
}

const DRAWN: &str = "document.querySelectorAll('#graph [data-number]').length";

#[test]
fn three_hundred_hooks_are_readable() {
    let mut program = many("300 last=wait");
    program.wait_until_said("last");
    let Some(page) = open(&mut program) else { return };
    page.wait_for("#blamed", "feed_299");
    page.show("graph");
    page.wait_until(&format!("{DRAWN} === 300"));
    // No step covers another, and each edge leads to the right.
    let covering = "(() => {
        const boxes = [...document.querySelectorAll('#graph [data-number] rect')]
            .map(rect => rect.getBoundingClientRect());
        return boxes.flatMap((a, place) => boxes.slice(place + 1).filter(b => a.left < b.right
            && b.left < a.right && a.top < b.bottom && b.top < a.bottom)).length;
    })()";
    assert_eq!(page.value(covering), 0);
    let backward = "[...document.querySelectorAll('#graph .edge')]
        .filter(edge => edge.getPointAtLength(0).x
            >= edge.getPointAtLength(edge.getTotalLength()).x).length";
    assert_eq!(page.value(backward), 0);
    // Names can be read, and the hook that runs is in sight.
    let height = "document.querySelector('#graph .run text:last-child').getBoundingClientRect()
        .height";
    assert!(page.value(height).as_f64().expect("a size") >= 11.0);
    let in_sight = "(() => {
        const graph = document.getElementById('graph').getBoundingClientRect();
        const box = document.querySelector('#graph .run').getBoundingClientRect();
        return box.left >= graph.left && box.right <= graph.right
            && box.top >= graph.top && box.bottom <= graph.bottom;
    })()";
    assert_eq!(page.value(in_sight), true);
    page.click("#graph .run");
    page.wait_for("#panel h2", "feed_299");
    page.wait_for("#panel", "tests/src/bin/many.rs:");
    program.tell("last");
    page.wait_for("#state", "ready");
    page.wait_until("document.querySelectorAll('#graph .node.ok').length === 300");
    page.close();
    program.stop().expect_code(0);
}

#[test]
fn of_ten_thousand_hooks_the_page_says_what_it_leaves_out() {
    let mut program = many("10000").ready();
    let Some(page) = open(&mut program) else { return };
    page.wait_for("#state", "ready");
    page.show("graph");
    page.wait_for("#graph-note", "400 of 10,000 steps drawn");
    page.wait_until(&format!("{DRAWN} === 400"));
    page.search("queue_9996");
    page.wait_for("#graph-note", "1 step of this phase found");
    page.wait_for("#found", "2 hooks found");
    page.wait_for("#found", "close_queue_9996");
    page.wait_until("document.querySelector('#graph [data-hook$=\"::queue_9996\"]')");
    let drawn = number(&page, DRAWN);
    assert!((2..100).contains(&drawn), "{drawn}");
    page.show("timeline");
    page.wait_for("#left-out", "150 of 10,000 hooks");
    // A page that draws little stays fast, however many hooks there are.
    for view in ["overview", "graph", "timeline", "events"] {
        page.show(view);
        let elements = number(&page, "document.querySelectorAll('*').length");
        assert!(elements < 5_000, "{view}: {elements}");
    }
    page.close();
    program.stop().expect_code(0);
}

#[test]
fn a_hook_that_hangs_later_is_drawn_among_many_and_the_view_stays() {
    let mut program = many("1000 first=wait last=wait");
    program.wait_until_said("first");
    let Some(page) = open(&mut program) else { return };
    page.show("graph");
    page.wait_for("#graph-note", "400 of 1,000 steps drawn");
    let last = "document.querySelector('#graph [data-hook$=\"::audit_999\"]')";
    assert_eq!(page.value(&format!("{last} === null")), true);
    let first = "document.querySelector('#graph [data-hook$=\"::pool_0\"]')";
    page.value(&format!("{first}.focus()"));
    page.press("+");
    let place = format!(
        "((step, graph) => [step.left - graph.left, step.top - graph.top, step.width]
            .map(Math.round))
            ({first}.querySelector('rect').getBoundingClientRect(),
            document.getElementById('graph').getBoundingClientRect())"
    );
    let before = page.value(&place);
    program.tell("first");
    program.wait_until_said("last");
    page.wait_until(&format!("{last}?.getAttribute('class').includes('run')"));
    assert_eq!(page.value(&format!("document.activeElement === {first}")), true);
    assert_eq!(page.value(&place), before);
    program.tell("last");
    page.wait_for("#state", "ready");
    page.close();
    program.stop().expect_code(0);
}
