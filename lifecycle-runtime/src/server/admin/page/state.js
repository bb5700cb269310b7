// The head of the page: the program, its state, and how fresh the picture is.

const STATES = {
    starting: ["◐", "starting", "run"],
    ready: ["●", "ready", "ok"],
    draining: ["◒", "draining", "warn"],
    stopping: ["◓", "stopping", "warn"],
    stopped: ["■", "stopped", "skip"],
    unknown: ["?", "unknown", "skip"],
};

/** Returns the mark, the words and the status of the state, with a reason if it is not well, by
 * what the probes answer. */
function stateShown() {
    const state = stateOfRun();
    const [shape, word, status] = STATES[state] ?? STATES.unknown;
    if (!run.timeline) return [shape, word, status];
    const { probes, stalls } = run.timeline;
    if (state === "ready") {
        const failing = [probes.liveness, probes.readiness, probes.startup]
            .find(({ passes }) => !passes);
        if (failing) return ["✕", `ready, but ${failing.path} fails`, "bad", failing.reason];
        if (stalls.length > 0) {
            return ["!", `ready, but ${plural(stalls.length, "part")} stalled`, "warn"];
        }
    }
    if (isHeldUp()) return ["!", "stopped, but the process goes on", "warn"];
    return [shape, word, status];
}

function renderHead() {
    const info = run.info ?? {};
    const [shape, word, status, reason] = stateShown();
    const name = info.name ?? "lifecycle";
    document.title = `${run.link === "lost" ? "✕ " : `${shape} `}${name}: ${word}`;
    const facts = [
        info.version && `version ${info.version}`,
        info.revision && shortened(info.revision, 12),
        info.pid && `process ${info.pid}`,
    ];
    show(byId("top"),
        el("div", { class: "who" },
            el("h1", {}, name),
            el("p", { class: "muted" }, facts.filter(Boolean).join(" · "))),
        el("div", { class: "now" },
            el("span", { class: `state ${status}`, id: "state" },
                el("span", { "aria-hidden": "true" }, shape), ` ${word}`),
            run.timeline && el("span", { class: "muted" },
                word === stateOfRun() ? "for " : `${stateOfRun()} for `,
                ticking(run.timeline.since)),
            reason && el("span", { class: "error", id: "reason" }, shortened(reason, 200))),
        renderLink());
    const spoken = byId("spoken");
    if (spoken.textContent !== word) spoken.textContent = word;
}

/** Returns the line about the picture: live, or of when. */
function renderLink() {
    if (run.link === "lost") {
        return el("p", { id: "link", class: "lost" }, "✕ disconnected");
    }
    if (run.link === "connecting") {
        return el("p", { id: "link", class: "muted" }, "connecting…");
    }
    if (!feed.isFollowed) {
        return el("p", { id: "link", class: "muted" },
            `no events, every ${PAUSE / 1000} s`);
    }
    return el("p", { id: "link", class: "live" },
        el("span", { class: "pulse", "aria-hidden": "true" }),
        el("span", { id: "age" }, ageText()));
}

/** Returns how old the picture is, if it is older than it should be. */
function ageText() {
    const age = performance.now() - run.readAt;
    return age < 3 * PAUSE ? "live" : `${Math.round(age / 1000)} s old`;
}

/** Says what the picture is of, if it is not of the run that the page began with. */
function renderNotice() {
    const notice = byId("notice");
    let text = "";
    if (run.link === "lost" && run.timeline) {
        const at = timeText(run.seenAt);
        const what = stateOfRun() === "stopped" ? "The process has ended"
            : isStopping() ? "The process has ended, or no longer answers"
                : "The process is gone, or does not answer";
        text = `${what} (${run.trouble}). This is the last picture, of ${at}. `
            + "The page goes on by itself as soon as a process answers.";
    } else if (run.link === "lost") {
        text = `Nothing to show yet: ${run.trouble}.`;
    } else if (run.before) {
        const { pid, startedAt, seenAt, state } = run.before;
        text = `This is another run: process ${run.info.pid}${begunText(run.info.started_at)}. `
            + `The one before, process ${pid}${begunText(startedAt)}, was last seen ${state} at `
            + `${timeText(seenAt)}.`;
    }
    notice.className = run.link === "lost" ? "notice lost" : "notice";
    if (notice.textContent !== text) notice.textContent = text;
}

/** Returns since when a process has been running, if that is known. */
const begunText = startedAt => startedAt ? `, begun ${timeText(new Date(startedAt))}` : "";

/** Returns a tile: a number, its title and what there is to add. */
function tile(view, title, value, note, status, chart) {
    return el("a", { class: `tile ${status ?? ""}`, href: `#/${view}`, "data-key": title },
        el("span", { class: "title" }, title),
        el("span", { class: "value" }, value),
        el("span", { class: "note" }, note),
        chart);
}

function renderTiles() {
    const { timeline, plan } = run;
    const { start, stop } = timeline;
    const hooks = [...run.hooks.values()];
    const failed = hooks.filter(hook => statusOf(hook) === "bad").length;
    const services = run.services.services;
    const up = services.filter(service => STATUS_OF_SERVICE[service.state] === "up").length;
    const planned = plan.hooks.filter(hook => hook.kind === "service").length;
    const restarts = services.reduce((sum, service) => sum + service.restarts, 0);
    const checks = run.checks.checks;
    const pass = checks.filter(check => check.status === "pass").length;
    const fail = checks.filter(check => check.status === "fail").length;
    const longest = run.requests.requests[0];
    const value = start.ended == null ? ticking(0) : duration(start.ended);
    const verb = start.error ? "failed" : start.interrupted ? "was interrupted"
        : start.ended == null ? "goes on" : "until ready";
    return el("div", { class: "tiles" },
        tile("timeline", "Start", value, verb, start.error ? "bad" : ""),
        stop && tile("timeline", "Stop",
            stop.ended == null ? ticking(stop.began) : duration(stop.ended - stop.began),
            stop.cause ?? "", "warn"),
        tile("graph", "Hooks", plan.hooks.length.toLocaleString("en"),
            failed ? `${failed} failed` : "none failed", failed ? "bad" : ""),
        planned > 0 && tile("services", "Services", `${up} of ${planned}`,
            `up, ${plural(restarts, "restart")}`,
            services.some(it => ["bad", "warn"].includes(STATUS_OF_SERVICE[it.state]))
                ? "bad" : ""),
        checks.length > 0 && tile("checks", "Checks", `${pass} of ${checks.length}`,
            fail ? `pass, ${fail} failed` : "pass", fail ? "bad" : ""),
        run.connections.servers.length > 0 && [
            tile("traffic", "Requests in flight", run.requests.count.toLocaleString("en"),
                longest ? ["the longest for ", ticking(run.requests.now - longest.age)]
                    : "none waits", "",
                sparkline("requests")),
            tile("traffic", "Connections", openConnections().toLocaleString("en"),
                "open", "", sparkline("connections")),
        ]);
}
