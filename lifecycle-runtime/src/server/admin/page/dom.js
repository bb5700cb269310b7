"use strict";
// Elements. All text gets in as text, never as markup, and styles as properties: the policy of the
// page allows nothing else.

const SVG = "http://www.w3.org/2000/svg";

function el(tag, attributes, ...children) {
    return filled(document.createElement(tag), attributes, children);
}

function svg(tag, attributes, ...children) {
    return filled(document.createElementNS(SVG, tag), attributes, children);
}

function filled(node, attributes, children) {
    for (const [name, value] of Object.entries(attributes ?? {})) {
        if (value == null || value === false) continue;
        if (name === "style") {
            for (const [property, set] of Object.entries(value)) {
                node.style.setProperty(property, set);
            }
        } else {
            node.setAttribute(name, value === true ? "" : value);
        }
    }
    node.append(...children.flat(Infinity).filter(child => child != null && child !== false));
    return node;
}

/** Gives an element these children, and keeps those that it has as far as they are the same: so
 * focus, selection and scrolling stay. */
function show(parent, ...children) {
    children = children.flat(Infinity).filter(child => child != null && child !== false);
    morphChildren(parent, children.map(child =>
        typeof child === "string" ? document.createTextNode(child) : child));
}

function morph(old, fresh) {
    for (const { name } of [...old.attributes]) {
        if (name !== "style" && !fresh.hasAttribute(name)) old.removeAttribute(name);
    }
    for (const { name, value } of fresh.attributes) {
        if (name !== "style" && old.getAttribute(name) !== value) old.setAttribute(name, value);
    }
    // Such an element has its own code, which looks after its style and its children.
    if (fresh.dataset.own !== undefined) return;
    const { cssText } = fresh.style;
    if (old.style.cssText !== cssText) old.style.cssText = cssText;
    morphChildren(old, [...fresh.childNodes]);
}

function morphChildren(parent, children) {
    const keyed = new Map();
    for (const child of parent.children) {
        if (child.dataset.key !== undefined) keyed.set(child.dataset.key, child);
    }
    let at = parent.firstChild;
    for (const child of children) {
        const key = child.dataset?.key;
        const match = key === undefined ? at : keyed.get(key);
        if (match == null || !areSame(match, child)) {
            parent.insertBefore(child, at);
            continue;
        }
        if (match === at) {
            at = at.nextSibling;
        } else {
            parent.insertBefore(match, at);
        }
        if (child.nodeType !== Node.TEXT_NODE) {
            morph(match, child);
        } else if (match.data !== child.data) {
            match.data = child.data;
        }
    }
    while (at) {
        const next = at.nextSibling;
        at.remove();
        at = next;
    }
}

function areSame(a, b) {
    return a.nodeName === b.nodeName && a.dataset?.key === b.dataset?.key;
}

const byId = id => document.getElementById(id);

// Texts.

/** Returns a duration as the console writes it, and one of hours in hours: each limit is where the
 * unit below would round up to the next one. */
function duration(ms) {
    if (ms == null) return "–";
    const time = Math.max(ms, 0);
    if (time < 0.9995) return `${(time * 1000).toFixed(0)} µs`;
    if (time < 9.95) return `${time.toFixed(1)} ms`;
    if (time < 999.5) return `${time.toFixed(0)} ms`;
    if (time < 59_950) return `${(time / 1000).toFixed(1)} s`.replace(".0 s", " s");
    const seconds = Math.round(time / 1000);
    const parts = [
        [Math.floor(seconds / 86_400), "d"],
        [Math.floor(seconds / 3600) % 24, "h"],
        [Math.floor(seconds / 60) % 60, "min"],
        [seconds % 60, "s"],
    ];
    const first = parts.findIndex(([number]) => number > 0);
    return parts.slice(first, first + 2).filter(([number]) => number > 0)
        .map(([number, unit]) => `${number} ${unit}`).join(" ");
}

function plural(count, noun, nouns = `${noun}s`) {
    return `${count.toLocaleString("en")} ${count === 1 ? noun : nouns}`;
}

/** Returns a time of day, with its date if that is not today's. */
function timeText(date) {
    const time = date.toLocaleTimeString("en-GB");
    if (date.toDateString() === new Date().toDateString()) return time;
    const [month, day] = [date.getMonth() + 1, date.getDate()].map(part =>
        String(part).padStart(2, "0"));
    return `${date.getFullYear()}-${month}-${day} ${time}`;
}

function shortened(text, length) {
    return text.length > length ? `${text.slice(0, length)}…` : text;
}

/** Returns a span whose time goes on by itself, up or down. */
function ticking(moment, direction = "since") {
    const text = tickingText(moment, direction);
    return el("span", { class: "tick", [`data-${direction}`]: moment }, text);
}

function tickingText(moment, direction) {
    const now = clock();
    const time = direction === "since" ? now - moment : moment - now;
    // One digit, even if it is a zero, as the width would change otherwise.
    return time < 59_950 ? `${(Math.max(time, 0) / 1000).toFixed(1)} s` : duration(time);
}

function tick() {
    for (const direction of ["since", "until"]) {
        for (const span of document.querySelectorAll(`[data-${direction}]`)) {
            const text = tickingText(Number(span.dataset[direction]), direction);
            if (span.textContent !== text) span.textContent = text;
        }
    }
    const age = byId("age");
    if (age && age.textContent !== ageText()) age.textContent = ageText();
    for (const bar of document.querySelectorAll("[data-from][data-to]")) {
        const [from, to] = [Number(bar.dataset.from), Number(bar.dataset.to)];
        const part = Math.min(Math.max((clock() - from) / (to - from), 0), 1);
        bar.style.setProperty("--part", part.toFixed(4));
    }
}
