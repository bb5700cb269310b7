// The steps of a phase as a graph, which is moved and zoomed.

const PHASES = ["start", "ready", "drain", "stop"];
/** Number of steps that are drawn, at most. */
const DRAWN = 400;
/** Limits to the zoom, and the smallest at which names are read with ease. */
const [SMALLEST, LARGEST, READABLE] = [0.08, 3, 0.8];

const graph = { phase: null, search: "", layouts: new Map(), shown: null, view: null, at: 0,
    nodes: [], lines: [], found: 0, note: "", pointers: new Map(), dragged: 0 };

function forgetLayouts() {
    graph.layouts.clear();
    graph.shown = null;
}

const phaseOfGraph = () => graph.phase ?? ({ starting: "start", draining: "drain",
    stopping: "stop", stopped: "stop" }[stateOfRun()] ?? "start");

/** Returns the steps of a phase, each with the numbers of those right before it. What waits for all
 * lower orders, or for the services, waits for a step of its own that stands for them. */
function stepsOf(phase) {
    const known = graph.layouts.get(phase);
    if (known) return known;
    const planned = run.plan[phase];
    const steps = [];
    const numbers = new Map();
    const add = (label, before, isGroup) => {
        numbers.set(label, steps.length);
        steps.push({ label, before, isGroup, path: isGroup ? null : pathOfStep(label) });
        return steps.length - 1;
    };
    const orderOf = step => run.hooks.get(step.path)?.plan.order ?? null;
    const group = (label, order) => {
        const isOrder = label === "the lower orders" && order != null;
        const key = isOrder ? `orders below ${order}` : label;
        const isMember = step => isOrder ? orderOf(step) !== null && orderOf(step) < order
            : step.label.startsWith("stop ");
        const members = steps.flatMap((step, number) => isMember(step) ? [number] : []);
        return numbers.get(key) ?? add(key, members, true);
    };
    for (const { step, after } of planned) {
        const order = run.hooks.get(pathOfStep(step))?.plan.order;
        const before = after.map(label => numbers.get(label) ?? group(label, order));
        add(step, before, false);
    }
    graph.layouts.set(phase, steps);
    return steps;
}

const pathOfStep = label => run.named.get(label.replace(/^stop /, ""))?.path ?? null;

/** Returns the numbers of the steps to draw, in the order of the plan. */
function drawnOf(steps, phase) {
    const search = graph.search.trim().toLowerCase();
    if (steps.length <= DRAWN && !search) return steps.map((_, number) => number);
    const hooks = steps.map(step => run.hooks.get(step.path));
    const kept = new Set();
    const keep = number => { if (kept.size < DRAWN) kept.add(number); };
    if (search) {
        const isFound = step => step.label.toLowerCase().includes(search)
            || step.path?.toLowerCase().includes(search);
        const found = steps.flatMap((step, number) => isFound(step) ? [number] : []);
        found.slice(0, DRAWN / 2).forEach(keep);
        graph.found = found.length;
        // With what comes right before and right behind.
        for (const number of [...kept]) steps[number].before.forEach(keep);
        const hits = new Set(found);
        steps.forEach((step, number) => {
            if (step.before.some(from => hits.has(from))) keep(number);
        });
        return [...kept].sort((a, b) => a - b);
    }
    const side = phase === "start" || phase === "ready" ? "start" : "stop";
    const weight = number => {
        const hook = hooks[number];
        const status = hook ? statusInPhase(hook, side) : "wait";
        return (status === "bad" ? 4 : 0) + (status === "run" ? 3 : 0)
            + (hook?.time?.paths.includes(side) ? 2 : 0);
    };
    const order = steps.map((_, number) => number).filter(number => weight(number) > 0);
    order.sort((a, b) => weight(b) - weight(a)).forEach(keep);
    steps.forEach((_, number) => keep(number));
    return [...kept].sort((a, b) => a - b);
}

function zoomButton(direction, text, label) {
    return el("button", { type: "button", "data-zoom": direction, "aria-label": label }, text);
}

function renderGraph() {
    const phase = phaseOfGraph();
    const steps = stepsOf(phase);
    const choices = PHASES.map(name => el("button", {
        type: "button", "data-phase-choice": name, "aria-pressed": String(name === phase),
    }, el("span", {}, name), el("span", { class: "count" },
            run.plan[name].length.toLocaleString("en"))));
    return [
        el("div", { class: "bar-of-choices" }, choices,
            el("input", { type: "search", id: "graph-search", placeholder: "Find a hook",
                "aria-label": "Find a hook", autocomplete: "off", spellcheck: "false",
                value: graph.search }),
            el("span", { class: "zoom" }, zoomButton("out", "−", "Zoom out"),
                zoomButton("fit", "Fit", "Fit the whole graph"), zoomButton("in", "+", "Zoom in"))),
        el("p", { class: "muted", id: "graph-note" }, graph.note),
        steps.length === 0
            ? el("p", { class: "card muted" }, "This phase has no hooks.")
            : el("div", { class: "graph card", id: "graph", "data-own": "graph",
                "data-key": "graph" }),
    ];
}

/** Draws the graph if it is another one, and brings the statuses up to date. */
function drawGraph() {
    const box = byId("graph");
    if (!box) return;
    const phase = phaseOfGraph();
    const isLarge = stepsOf(phase).length > DRAWN;
    // Which steps of many matter most may change with the state.
    const key = `${run.id} ${phase} ${graph.search} ${isLarge ? stateOfRun() : ""}`;
    const isOther = graph.shown !== key || !box.firstChild;
    if (isOther) {
        graph.shown = key;
        build(box, phase, isLarge);
    }
    const side = phase === "start" || phase === "ready" ? "start" : "stop";
    for (const { node, step } of graph.nodes) {
        const hook = run.hooks.get(step.path);
        const status = step.isGroup ? "wait" : hook ? statusInPhase(hook, side) : "wait";
        const isCritical = hook?.time?.paths.includes(side) ?? false;
        const kind = `node ${status}${isCritical ? " critical" : ""}${step.isGroup ? " group" : ""}`
            + (step.path && step.path === panel.path ? " chosen" : "");
        if (node.getAttribute("class") === kind) continue;
        node.setAttribute("class", kind);
        node.querySelector(".sign").textContent = statusMark(status);
        const span = hook && spanIn(hook, side);
        const took = span?.ended == null ? "" : ` in ${duration(span.ended - span.began)}`;
        node.setAttribute("aria-label", step.isGroup ? step.label
            : `${step.label}, ${STATUS[status][1]}${took}, ${hook?.plan.place ?? ""}`
                + (isCritical ? ", on the critical path" : ""));
    }
    for (const { line, from, to } of graph.lines) {
        const [a, b] = [from, to].map(step => run.hooks.get(step.path)?.time?.paths.includes(side));
        line.classList.toggle("critical", Boolean(a && b));
    }
    if (isOther) {
        // As high as the rest of the window, if that is enough.
        const top = box.getBoundingClientRect().top + scrollY;
        box.style.setProperty("height", `${Math.max(innerHeight - top - 24, 360)}px`);
        fit();
    }
}

function build(box, phase, isLarge) {
    const steps = stepsOf(phase);
    const drawn = drawnOf(steps, phase);
    const places = new Map(drawn.map((number, place) => [number, place]));
    const before = drawn.map(number => steps[number].before
        .filter(from => places.has(from)).map(from => places.get(from)));
    const layout = laidOut(before);
    const shown = drawn.map(number => steps[number]);
    graph.note = graph.search.trim()
        ? `${plural(graph.found, "step")} found; drawn with what comes right before and behind`
        : isLarge ? `${drawn.length} of ${plural(steps.length, "step")} drawn: those that failed `
            + "or run, the critical path, and the first of the others. The search finds the rest."
            : `${plural(steps.length, "step")}. Drag to move, wheel or + and − to zoom, arrow `
                + "keys to go from step to step, Enter for details.";
    byId("graph-note").textContent = graph.note;
    graph.lines = layout.lines.map(({ from, to, line }) => ({
        from: shown[from], to: shown[to], a: from, b: to,
        line: svg("path", { d: line, class: "edge" }),
    }));
    graph.nodes = shown.map((step, number) => {
        const { x, y } = layout.places[number];
        const most = Math.floor((STEP.width - 40) / 7.4);
        const text = step.label.length > most
            ? `…${step.label.slice(step.label.length - most + 1)}` : step.label;
        const node = svg("g", { transform: `translate(${x} ${y - STEP.height / 2})`,
            role: "button", tabindex: "-1", "data-hook": step.path, "data-number": number },
            svg("title", {}, step.label),
            svg("rect", { width: STEP.width, height: STEP.height, rx: 8 }),
            svg("text", { x: 14, y: 22, class: "sign" }, ""),
            svg("text", { x: 32, y: 22 }, text));
        return { node, step, number, ...layout.places[number] };
    });
    graph.nodes[0]?.node.setAttribute("tabindex", "0");
    graph.at = 0;
    graph.layer = svg("g", {}, graph.lines.map(edge => edge.line),
        graph.nodes.map(each => each.node));
    graph.svg = svg("svg", { role: "group", "aria-label":
        `Steps of the phase ${phase}, in the order in which they may run` }, graph.layer);
    box.replaceChildren(graph.svg);
}
