//! Looks of the page: on a phone, in the dark, without motion.

use serde_json::json;

use crate::browser::Browser;
use crate::harness::Signal;
use crate::{open, ready, start};

/// Script that returns the texts whose contrast is below the 4.5 of WCAG's level AA.
const FAINT: &str = "(() => {
    const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
    const rgb = color => {
        canvas.clearRect(0, 0, 1, 1);
        canvas.fillStyle = color;
        canvas.fillRect(0, 0, 1, 1);
        return [...canvas.getImageData(0, 0, 1, 1).data];
    };
    const light = ([r, g, b]) => [r, g, b].map(part => part / 255)
        .map(part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
        .reduce((sum, part, place) => sum + part * [0.2126, 0.7152, 0.0722][place], 0);
    const ground = node => {
        for (; node; node = node.parentElement) {
            const color = rgb(getComputedStyle(node).backgroundColor);
            if (color[3] === 255) return color;
        }
        return [255, 255, 255];
    };
    // The text of a step stands on its rectangle.
    const drawn = node => {
        const rect = node.parentElement.querySelector(':scope > rect');
        const color = rect ? rgb(getComputedStyle(rect).fill) : [0, 0, 0, 0];
        return color[3] === 255 ? color : ground(node);
    };
    const faint = [];
    for (const node of document.querySelectorAll('body *')) {
        const hasText = [...node.childNodes].some(child =>
            child.nodeType === Node.TEXT_NODE && child.data.trim());
        if (!hasText || node.closest('title, [disabled], script, .pulse')) continue;
        if (node.getClientRects().length === 0) continue;
        const isDrawn = node.namespaceURI.endsWith('svg');
        const { fill, color } = getComputedStyle(node);
        const pair = [light(rgb(isDrawn ? fill : color)),
            light(isDrawn ? drawn(node) : ground(node))];
        const contrast = (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
        const name = node.getAttribute('class');
        if (contrast < 4.5) faint.push(`${name} ${node.textContent} ${contrast}`);
    }
    return faint;
})()";

fn assert_legible(page: &Browser) {
    let views =
        ["overview", "graph", "timeline", "services", "checks", "traffic", "events", "about"];
    for view in views {
        page.show(view);
        assert_eq!(page.value(FAINT), json!([]), "{view}");
    }
}

#[test]
fn the_page_follows_the_preference_for_light_or_dark_and_is_legible_in_both() {
    let Some((mut program, page)) = ready(start("close_db=wait")) else { return };
    program.tell("pump");
    program.tell("break ping");
    page.wait_for("#blame", "ping");
    page.wait_for("#blame", "pump");
    page.prefer("prefers-color-scheme", "light");
    let ground = "getComputedStyle(document.body).backgroundColor";
    assert_eq!(page.value(ground), "rgb(244, 245, 248)");
    assert_legible(&page);
    page.prefer("prefers-color-scheme", "dark");
    page.wait_until(&format!("{ground} === 'rgb(14, 18, 24)'"));
    assert_legible(&page);
    program.signal(Signal::SIGTERM);
    program.wait_until_said("close_db");
    page.wait_for("#blamed", "close_db");
    assert_legible(&page);
    program.tell("close_db");
    program.end();
    page.wait_for("#notice", "The process has ended");
    page.close();
}

#[test]
fn the_page_fits_a_phone() {
    let mut program = start("close_db=wait").start().ready();
    let Some(page) = open(&mut program) else { return };
    page.resize(360, 740);
    page.wait_for("#state", "ready");
    program.tell("pump");
    page.wait_for("#blame", "pump");
    let views =
        ["overview", "graph", "timeline", "services", "checks", "traffic", "events", "about"];
    let assert_fits = |what: &str| {
        let width = "document.documentElement.scrollWidth";
        assert_eq!(page.value(width), 360, "{what} is wider than the phone");
    };
    for view in views {
        page.show(view);
        assert_fits(view);
        // The tab in use is in sight.
        let place = format!("document.getElementById('tab-{view}').getBoundingClientRect()");
        assert_eq!(page.value(&format!("{place}.left >= 0 && {place}.right <= 360")), true);
    }
    page.click("#blame [data-hook='admin::pump']");
    page.wait_for("#panel h2", "pump");
    assert_fits("panel");
    page.click("#panel [data-close]");
    program.signal(Signal::SIGTERM);
    program.wait_until_said("close_db");
    page.wait_for("#blamed", "close_db");
    assert_fits("stop");
    program.tell("close_db");
    program.end();
    page.wait_for("#notice", "The process has ended");
    page.close();
}

#[test]
fn nothing_moves_for_those_who_prefer_that() {
    let mut program = start("").start().ready();
    let Some(page) = open(&mut program) else { return };
    page.wait_for("#link", "live");
    let animation = "getComputedStyle(document.querySelector('.pulse')).animationName";
    assert_eq!(page.value(animation), "pulse");
    page.prefer("prefers-reduced-motion", "reduce");
    page.wait_until(&format!("{animation} === 'none'"));
    page.close();
    program.stop().expect_code(0);
}
