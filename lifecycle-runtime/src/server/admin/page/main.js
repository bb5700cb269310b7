// The views, and what a click or a key does.

const VIEWS = {
    overview: ["Overview", renderOverview],
    graph: ["Graph", renderGraph],
    timeline: ["Timeline", renderTimeline],
    services: ["Services", () => renderServices()],
    checks: ["Checks", () => renderChecks()],
    traffic: ["Traffic", renderTraffic],
    events: ["Events", () => renderEvents()],
    about: ["About", renderAbout],
};

/** Returns the view that the address names. The slash keeps the browser from scrolling to an
 * element of that name. */
const viewShown = () => VIEWS[location.hash.slice(2)] ? location.hash.slice(2) : "overview";

function renderOverview() {
    const phase = run.timeline.stop ? "stop" : "start";
    const open = name => el("a", { class: "more", href: `#/${name}` }, "all");
    const list = (name, title, body) => el("section", { class: "part", "data-key": name },
        el("h2", {}, title, open(name)), body);
    const hasServices = run.services.services.length > 0;
    return [
        renderTiles(),
        el("div", { class: "columns" },
            list("timeline", phase === "start" ? "Start" : "Stop",
                el("div", { class: "card" }, renderGantt(phase, 14))),
            list("events", "Events", renderEvents(12))),
        hasServices && list("services", "Services", renderServices(10)),
        run.checks.checks.length > 0 && list("checks", "Checks", renderChecks(10)),
    ];
}

function renderTabs() {
    const shown = viewShown();
    const counts = {
        services: run.services?.services.filter(service =>
            ["bad", "warn"].includes(STATUS_OF_SERVICE[service.state])).length,
        checks: run.checks?.checks.filter(check => check.status === "fail").length,
    };
    show(byId("tabs"), Object.entries(VIEWS).map(([name, [title]]) => el("a", {
        id: `tab-${name}`, role: "tab", href: `#/${name}`, "aria-controls": "view",
        "aria-selected": String(name === shown), tabindex: name === shown ? "0" : "-1",
    }, title, counts[name] > 0 && el("span", { class: "badge" }, String(counts[name])))));
    byId("view").setAttribute("aria-labelledby", `tab-${shown}`);
}

let renderedAt = 0;

function render() {
    renderedAt = performance.now();
    renderHead();
    renderNotice();
    renderTabs();
    document.body.classList.toggle("still", run.link === "lost");
    if (!run.timeline) return;
    renderBlame();
    const view = byId("view");
    const name = viewShown();
    if (view.dataset.view !== name) {
        byId(`tab-${name}`).scrollIntoView({ block: "nearest", inline: "nearest" });
        view.replaceChildren();
        view.dataset.view = name;
    }
    show(view, VIEWS[name][1]());
    renderPanel();
    if (name === "graph") drawGraph();
    tick();
}

/** Goes to the tab beside the one that has the focus. */
function tabKey(event) {
    const tab = event.target.closest?.("[role=tab]");
    const step = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity }[event.key];
    if (!tab || step === undefined) return;
    const tabs = [...byId("tabs").children];
    const place = Math.min(Math.max(tabs.indexOf(tab) + step, 0), tabs.length - 1);
    tabs[place].click();
    tabs[place].focus();
    event.preventDefault();
}

document.addEventListener("click", event => {
    const target = event.target.closest?.("[data-hook], [data-close], [data-phase-choice], "
        + "[data-zoom], [data-gantt], [data-skip]");
    if (!target) return;
    const { hook, phaseChoice, zoom: direction, gantt: phase } = target.dataset;
    if (target.dataset.skip !== undefined) {
        byId("view").focus();
        event.preventDefault();
    } else if (target.dataset.close !== undefined) {
        closePanel();
    } else if (phaseChoice) {
        graph.phase = phaseChoice;
        render();
    } else if (direction === "fit") {
        fit(true);
    } else if (direction) {
        zoom(direction === "in" ? 1.25 : 0.8);
    } else if (phase) {
        gantt.phase = phase;
        render();
    } else if (hook && !(graph.dragged > 5 && target.closest("#graph"))) {
        openPanel(hook);
    }
});

document.addEventListener("keydown", event => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape" && panel.path !== null) closePanel();
    tabKey(event);
    graphKey(event);
});

document.addEventListener("input", event => {
    if (event.target.id !== "graph-search") return;
    graph.search = event.target.value;
    render();
});

document.addEventListener("focusin", lit);
document.addEventListener("pointerover", lit);
for (const name of ["pointerdown", "pointermove", "pointerup", "pointercancel"]) {
    document.addEventListener(name, graphPointer);
}
document.addEventListener("wheel", graphWheel, { passive: false });
addEventListener("hashchange", render);

let width = innerWidth;
addEventListener("resize", () => {
    // A phone changes the height of its window when somebody scrolls.
    if (width !== innerWidth && byId("graph")) {
        sized(byId("graph"));
        if (graph.isFitted) fit();
    }
    width = innerWidth;
});

const isStill = matchMedia("(prefers-reduced-motion: reduce)");
function goOn() {
    if (!document.hidden && run.stoodAt === null) {
        // The bars of what runs grow, whether a document comes or not.
        const isMoving = stateOfRun() !== "ready" && performance.now() - renderedAt > 1000;
        if (isMoving) render();
        tick();
    }
    setTimeout(goOn, isStill.matches ? 1000 : 100);
}

render();
follow();
look();
goOn();
