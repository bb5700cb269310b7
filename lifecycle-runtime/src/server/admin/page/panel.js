// The panel about one hook.

const panel = { path: null, opener: null };

function openPanel(path) {
    if (!run.hooks.has(path)) return;
    if (panel.path === null) panel.opener = document.activeElement;
    panel.path = path;
    render();
    byId("panel").querySelector("h2")?.focus({ preventScroll: true });
}

function closePanel() {
    panel.path = null;
    render();
    if (panel.opener?.isConnected) panel.opener.focus({ preventScroll: true });
}

function renderPanel() {
    const box = byId("panel");
    const hook = run.hooks.get(panel.path);
    box.hidden = !hook;
    if (!hook) return show(box);
    const { plan } = hook;
    const status = statusOf(hook);
    return show(box,
        el("div", { class: "panel-head" },
            el("h2", { tabindex: "-1" }, mark(status), ` ${hook.name}`),
            el("button", { type: "button", "data-close": true, "aria-label": "Close" }, "✕")),
        el("p", { class: "muted" }, `#[${hook.kind}] · ${hook.service
            ? words(hook.service.state) : hook.check ? hook.check.status : STATUS[status][1]}`),
        errorOf(hook) && el("p", { class: "error", id: "last-error" }, errorOf(hook)),
        el("dl", {}, factsOf(hook).map(([name, value]) => el("div", { "data-key": name },
            el("dt", {}, name), el("dd", {}, value)))),
        hook.check && [el("h3", {}, "History"), historyOf(hook.check), resultsOf(hook.check)],
        names("Needs", plan.needs),
        names("Runs before", plan.before),
        names("Used by", [...run.hooks.values()].filter(other =>
            other.plan.needs.includes(hook.path)).map(other => other.path)));
}

function factsOf(hook) {
    const { plan, time, service, recurring, check } = hook;
    const facts = [["Place", el("code", {}, plan.place)], ["Path", el("code", {}, plan.path)]];
    const add = (name, value) => value != null && value !== "" && facts.push([name, value]);
    add("Value", plan.value && el("code", {}, plan.value));
    for (const phase of ["start", "stop"]) {
        const span = spanIn(hook, phase);
        if (!span) continue;
        const took = span.ended == null ? ["runs for ", ticking(span.began)]
            : [duration(span.ended - span.began)];
        const isOn = time.paths.includes(phase);
        add(phase === "start" ? "In the start" : "In the stop",
            [...took, `, from ${momentText(span.began)}`,
                isOn && el("strong", { class: "critical" }, " ◆ critical path")]);
    }
    add("Outcome", time?.outcome && words(time.outcome.result));
    add("Timeout", plan.timeout_ms != null && duration(plan.timeout_ms));
    add("Reserve", plan.reserve_ms != null && duration(plan.reserve_ms));
    add("Order", plan.order ? String(plan.order) : null);
    add("Teardown of", plan.of && hookName(plan.of));
    add("Signal", plan.signal);
    if (service) {
        add("Restarts", String(service.restarts));
        add("Next run", service.backoff_until != null
            && ["in ", ticking(service.backoff_until, "until")]);
        add("In this state", ticking(service.since));
    }
    if (plan.service) {
        add("Restart", words(plan.service.restart));
        add("Backoff", plan.service.backoff_ms.map(duration).join(" to "));
    }
    if (check) {
        add("Kind of check", check.kind);
        add("Every", duration(check.interval));
        add("Failures in a row", `${check.failures}; it fails after ${check.limit}`);
    }
    if (recurring) add("Runs", `${recurring.runs}, ${recurring.failures} failed`);
    return facts.filter(([, value]) => value !== false);
}

function hookName(path) {
    const hook = run.hooks.get(path);
    return hook ? hookButton(path, hook.name) : path;
}

/** Returns a list of hooks, of which few are shown. */
function names(title, paths) {
    if (paths.length === 0) return null;
    const shown = paths.slice(0, 30);
    return [el("h3", {}, title), el("ul", { class: "names" }, shown.map(path =>
        el("li", { "data-key": path }, hookName(path))),
    paths.length > shown.length && el("li", { class: "muted" },
        `and ${(paths.length - shown.length).toLocaleString("en")} more`))];
}
