// The start and the stop as a chart of bars, with the critical path.

const ROWS = 150;
const gantt = { phase: null };

/** Returns the phase that was chosen, or the latest. */
const phaseShown = () => gantt.phase ?? (run.timeline.stop ? "stop" : "start");

/** Returns the moments between which a phase is shown. */
function rangeOf(phase) {
    const { start, stop } = run.timeline;
    if (phase === "start") {
        // A start that failed or was interrupted has no end.
        return [0, start.ended ?? stop?.began ?? clock()];
    }
    return [stop.began, stop.ended ?? stop.deadline ?? clock()];
}

/** Returns the bars of a phase, in the order in which they began. */
function barsOf(phase) {
    const bars = [];
    for (const hook of run.hooks.values()) {
        const span = spanIn(hook, phase);
        if (!span) continue;
        const isCritical = hook.time.paths.includes(phase);
        bars.push({ key: hook.path, hook, name: hook.name, ...span, isCritical,
            status: statusInPhase(hook, phase) });
    }
    if (phase === "stop") bars.push(...requestsBar());
    return bars.sort((a, b) => a.began - b.began);
}

/** Returns the time in which the requests of a stop ended. */
function requestsBar() {
    const { stop } = run.timeline;
    const drained = run.events.find(event => event.event === "drained");
    const name = "requests and connections";
    if (drained) {
        const isCut = stop.traffic?.requests.cut.length > 0;
        return [{ key: "requests", name, began: stop.began, ended: drained.at,
            status: isCut ? "bad" : "ok" }];
    }
    const isOpen = stateOfRun() === "draining" && run.connections.servers.length > 0;
    return isOpen ? [{ key: "requests", name, began: stop.began, ended: null, status: "run" }] : [];
}

/** Returns the bars that matter most, if there are too many: what runs or failed, the critical
 * path, and what took longest. */
function chosen(bars, most) {
    if (bars.length <= most) return bars;
    const took = bar => (bar.ended ?? clock()) - bar.began;
    const weight = bar => 1e15 * urgency(bar.status, bar.isCritical) + took(bar);
    const kept = new Set(heaviest(bars, most, weight));
    return bars.filter(bar => kept.has(bar));
}

/** Returns a chart of a phase with up to `most` bars. */
function renderGantt(phase, most = ROWS) {
    const isLive = phase === "start" ? stateOfRun() === "starting" : isStopping();
    return charted(phase, barsOf(phase), most, rangeOf(phase), isLive && phase === "stop");
}

/** Returns the stop as a chart as long as it may take at worst, by the plan. */
function renderPlannedStop() {
    const bars = run.plan.time_table.map(({ what, hook, from_ms: began, to_ms: ended }, place) => ({
        key: `${place}`, hook: run.hooks.get(hook), name: run.hooks.get(hook)?.name ?? what,
        title: what, began, ended, isCritical: false, status: "wait",
    }));
    const end = bars.reduce((last, bar) => Math.max(last, bar.ended), setting("grace") ?? 0);
    return charted("planned", bars, ROWS, [0, end], false);
}

function charted(phase, bars, most, [from, to], hasNow) {
    const shown = chosen(bars, most);
    const length = Math.max(to - from, 0.001);
    const percent = at => `${(Math.min(Math.max((at - from) / length, 0), 1) * 100).toFixed(3)}%`;
    const now = clock();
    const left = bars.length - shown.length;
    return el("div", { class: "gantt", role: "table", "data-phase": phase,
        "aria-label": `${phase}, ${duration(to - from)}` },
        axis(length),
        el("div", { class: "rows", role: "rowgroup" },
            shown.map(bar => renderBar(bar, percent, now)),
            hasNow && el("div", { class: "nowline", "aria-hidden": "true",
                "data-key": "now", style: { "--at": Math.min((now - from) / length, 1) } })),
        bars.length === 0 && el("p", { class: "muted" }, "Nothing has begun."),
        left > 0 && el("p", { class: "muted", id: "left-out" },
            `${shown.length} of ${bars.length.toLocaleString("en")} hooks: those that failed or `
            + "run, the critical path, and those that took longest."));
}

function renderBar(bar, percent, now) {
    const ended = bar.ended ?? now;
    const width = `calc(${percent(ended)} - ${percent(bar.began)})`;
    const took = duration(ended - bar.began);
    const label = `${bar.isCritical ? "◆ " : ""}${took}`;
    const side = parseFloat(percent(ended)) < 80 ? "after"
        : parseFloat(percent(bar.began)) > 60 ? "before" : "inside";
    return el("div", { class: `row ${bar.isCritical ? "critical" : ""}`, role: "row",
        "data-key": bar.key },
        el("span", { class: "name", role: "rowheader" }, mark(bar.status),
            bar.hook ? hookButton(bar.hook.path, bar.name) : el("span", {}, bar.name)),
        el("span", { class: "track", role: "cell",
            title: bar.title ?? `${bar.name}: from ${momentText(bar.began)} for ${took}`
                + (bar.isCritical ? ", on the critical path" : "") },
            el("span", { class: `span ${bar.status}`,
                style: { left: percent(bar.began), width } }),
            el("span", { class: `took ${side}`,
                style: { left: side === "after" ? percent(ended) : percent(bar.began) } },
                bar.ended == null ? [label.replace(took, ""), ticking(bar.began)] : label)));
}

/** Returns the axis with four to eight marks at round times. */
function axis(length) {
    const rough = length / 5;
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map(factor => factor * power).find(size => size >= rough);
    const marks = [];
    for (let at = 0; at <= length * 0.95; at += step) {
        marks.push(el("span", { style: { left: `${(at / length) * 100}%` } },
            at === 0 ? "0" : roundTime(at)));
    }
    return el("div", { class: "axis", "aria-hidden": "true" },
        el("span", { class: "name" }), el("span", { class: "track" }, marks));
}

const roundTime = ms => ms >= 1000 ? `${+(ms / 1000).toFixed(2)} s`
    : ms >= 1 ? `${+ms.toFixed(1)} ms` : `${+(ms * 1000).toFixed(1)} µs`;

function renderTimeline() {
    const { start, stop } = run.timeline;
    const phase = phaseShown();
    const path = (phase === "start" ? start : stop)?.critical_path ?? [];
    const longest = [...path].sort((a, b) => b.took - a.took).slice(0, 12);
    const total = path.reduce((sum, step) => sum + step.took, 0);
    const choice = (name, title) => el("button", { type: "button", "data-gantt": name,
        "aria-pressed": String(phase === name) }, title);
    const isPlanned = phase === "stop" && !stop;
    const shownPath = path.length > 40 ? path.slice(-40) : path;
    return [
        el("div", { class: "bar-of-choices" }, choice("start", "Start"),
            choice("stop", "Stop"),
            el("span", { class: "muted legend" }, isPlanned
                ? "The stop has not begun: who may run from when to when at worst"
                : "◆ on the critical path")),
        el("section", { class: "card" }, isPlanned ? renderPlannedStop() : renderGantt(phase)),
        path.length > 0 && el("section", { class: "card" },
            el("h2", {}, `Critical path, ${duration(total)}`),
            el("ol", { class: "path" }, shownPath.map(step => el("li", { "data-key": step.hook },
                hookButton(step.hook, step.name), el("span", { class: "muted" },
                    ` ${duration(step.took)}`)))),
            path.length > 40 && el("p", { class: "muted" },
                `The last 40 of ${path.length.toLocaleString("en")}. The longest: `
                + `${longest.map(step => `${step.name} ${duration(step.took)}`).join(", ")}.`)),
    ];
}
