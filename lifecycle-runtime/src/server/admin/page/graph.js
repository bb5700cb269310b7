// The steps of a phase as a graph, which is moved and zoomed.

const PHASES = ["start", "ready", "drain", "stop"];
/** Number of steps that are drawn, at most. */
const DRAWN = 400;
/** Limits to the zoom, and the smallest at which names are read with ease. */
const [SMALLEST, LARGEST, READABLE] = [0.08, 3, 0.8];

const graph = { phase: null, search: "", layouts: new Map(), shown: null, view: null, at: 0,
    /** Set until somebody moves the view. */
    isFitted: true,
    nodes: [], lines: [], drawn: new Set(), found: 0, note: "", pointers: new Map(), dragged: 0 };

function forgetLayouts() {
    graph.layouts.clear();
    graph.shown = null;
}

const phaseOfGraph = () => graph.phase ?? ({ starting: "start", draining: "drain",
    stopping: "stop", stopped: "stop" }[stateOfRun()] ?? "start");

const sideOf = phase => phase === "start" || phase === "ready" ? "start" : "stop";

const orderOf = path => run.hooks.get(path)?.plan.order ?? null;

/** Returns the steps of a phase, each with the numbers of those right before it. What waits for all
 * lower orders, or for the services, waits for a step of its own that stands for them. */
function stepsOf(phase) {
    const known = graph.layouts.get(phase);
    if (known) return known;
    const planned = run.plan[phase];
    const steps = [];
    const [numbers, groups, inOrder, stops] = [new Map(), new Map(), new Map(), []];
    const orders = planned.map(({ hook }) => orderOf(hook));
    const inUse = [...new Set(orders)].filter(order => order !== null).sort((a, b) => a - b);
    const lower = new Map(inUse.map((order, place) => [order, inUse[place - 1]]));
    const group = (label, members) => {
        if (!groups.has(label)) {
            groups.set(label, steps.length);
            steps.push({ label, before: [...members], isGroup: true, path: null });
        }
        return groups.get(label);
    };
    planned.forEach(({ step, hook, does, after, behind }, place) => {
        const order = orders[place];
        const before = after.filter(label => numbers.has(label)).map(label => numbers.get(label));
        for (const name of behind) {
            // Behind the order right below, as that is behind those below it.
            before.push(name === "services" ? group("the services", stops)
                : group(`orders below ${order}`, inOrder.get(lower.get(order)) ?? []));
        }
        const number = steps.length;
        numbers.set(step, number);
        if (does === "stop") stops.push(number);
        if (!inOrder.has(order)) inOrder.set(order, []);
        inOrder.get(order).push(number);
        steps.push({ label: step, before, isGroup: false, path: hook });
    });
    graph.layouts.set(phase, steps);
    return steps;
}

/** Returns the numbers of the steps that were searched, with those right before and behind them. */
function searched(steps, search) {
    const kept = new Set();
    const keep = number => { if (kept.size < DRAWN) kept.add(number); };
    const found = steps.flatMap((step, number) => isHit(step, search) ? [number] : []);
    graph.found = found.length;
    found.slice(0, DRAWN / 2).forEach(keep);
    for (const number of [...kept]) steps[number].before.forEach(keep);
    const hits = new Set(found);
    steps.forEach((step, number) => {
        if (step.before.some(from => hits.has(from))) keep(number);
    });
    return kept;
}

const isHit = ({ label, path }, search) => label.toLowerCase().includes(search)
    || Boolean(path?.toLowerCase().includes(search));

/** Returns the numbers of the steps that have to be drawn even if there are many. */
function urgentOf(steps, phase) {
    const side = sideOf(phase);
    const weights = steps.map(({ path }) => {
        const hook = run.hooks.get(path);
        return hook ? urgency(statusInGraph(hook, side), hook.time?.paths.includes(side)) : 0;
    });
    const urgent = steps.flatMap((_, number) => weights[number] > 0 ? [number] : []);
    return heaviest(urgent, DRAWN, number => weights[number]);
}

/** Returns the numbers of the steps to draw, in the order of the plan. */
function drawnOf(steps, phase) {
    const search = searchText();
    if (steps.length <= DRAWN && !search) return steps.map((_, number) => number);
    const kept = search ? searched(steps, search) : new Set(urgentOf(steps, phase));
    for (let number = 0; !search && kept.size < DRAWN; number += 1) kept.add(number);
    return [...kept].sort((a, b) => a - b);
}

const searchText = () => graph.search.trim().toLowerCase();

/** Returns the hooks that were searched, of whatever phase, as buttons. */
function renderFound() {
    const search = searchText();
    if (!search) return null;
    const hits = [...run.hooks.values()].filter(({ name, path }) =>
        isHit({ label: name, path }, search)).map(({ path }) => path);
    return el("div", { class: "found", id: "found", "data-key": "found" },
        names(`${plural(hits.length, "hook")} found`, hits));
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
        renderFound(),
        el("p", { class: "muted", id: "graph-note", "data-key": "note" },
            steps.length === 0 ? "" : graph.note),
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
    const steps = stepsOf(phase);
    const isLarge = steps.length > DRAWN;
    const key = `${run.id} ${phase} ${graph.search}`;
    const isOther = graph.shown !== key;
    // What was chosen of many steps may have ended, and others may hang.
    const isStale = isLarge && !graph.search.trim()
        && urgentOf(steps, phase).some(number => !graph.drawn.has(number));
    const isBuilt = isOther || isStale || !box.firstChild;
    const place = isOther ? null : placeInGraph();
    if (isBuilt) {
        graph.shown = key;
        build(box, phase, isLarge);
        sized(box);
    }
    const side = sideOf(phase);
    for (const { node, step } of graph.nodes) {
        const hook = run.hooks.get(step.path);
        const status = step.isGroup ? "wait" : hook ? statusInGraph(hook, side) : "wait";
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
    if (isBuilt && place) goBack(place);
    else if (isBuilt) fit();
}

/** Makes the graph as high as the rest of the window, if that is enough. */
function sized(box) {
    const top = box.getBoundingClientRect().top + scrollY;
    box.style.setProperty("height", `${Math.max(innerHeight - top - 24, 360)}px`);
}

function build(box, phase, isLarge) {
    const steps = stepsOf(phase);
    const drawn = drawnOf(steps, phase);
    graph.drawn = new Set(drawn);
    const places = new Map(drawn.map((number, place) => [number, place]));
    const before = drawn.map(number => steps[number].before
        .filter(from => places.has(from)).map(from => places.get(from)));
    const layout = laidOut(before);
    const shown = drawn.map(number => steps[number]);
    const countOf = list => list.filter(step => !step.isGroup).length;
    graph.note = graph.search.trim()
        ? `${plural(graph.found, "step")} of this phase found; drawn with what comes right before `
            + "and behind"
        : isLarge ? `${countOf(shown)} of ${plural(countOf(steps), "step")} drawn: those that `
            + "failed or run, the critical path, and the first of the others. The search finds "
            + "the rest."
            : `${plural(countOf(steps), "step")}. Drag to move, wheel or + and − to zoom, arrow `
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
