// What a start or a stop waits for, big and first; what is stalled; what needs a look.

const SHOWN_WAITS = 8;

function renderBlame() {
    const box = byId("blame");
    if (!run.timeline) return show(box);
    const state = stateOfRun();
    const parts = [renderStalls()];
    if (state === "starting") parts.push(renderStart());
    if (isStopping()) parts.push(renderStop());
    if (state === "stopped") parts.push(renderStopped());
    if (run.timeline.start.error) parts.push(renderFailedStart());
    if (state === "ready") parts.push(renderTrouble());
    return show(box, parts);
}

/** Returns the countdown with its bar. `limit` is the moment at which time is up, if it is. */
function countdown(id, title, from, limit, note) {
    const bar = limit != null && el("div", { class: "bar", role: "presentation",
        "data-from": from, "data-to": limit, "data-own": "bar" }, el("span", {}));
    const isOver = limit != null && clock() >= limit;
    return el("div", { class: "countdown", id },
        el("p", { class: "title" }, title),
        el("p", { class: "left" }, limit == null ? ticking(from)
            : isOver ? "time is up" : [ticking(limit, "until"), " left"]),
        bar,
        el("p", { class: "muted" }, note));
}

function renderStart() {
    const timeout = setting("startup_timeout");
    const { start } = run.timeline;
    const note = [progress("start"), timeout && `of ${duration(timeout)} at most`,
        start.interrupted && "interrupted"];
    return el("div", { class: "card alarm run", "data-key": "start" },
        countdown("countdown", start.interrupted ? "The start is being undone" : "Starting",
            0, timeout, note.filter(Boolean).join(", ")),
        renderWaits());
}

function renderStop() {
    const { stop } = run.timeline;
    if (!stop) return null;
    const grace = stop.deadline == null ? null : stop.deadline - stop.began;
    const note = [grace && `grace period ${duration(grace)}`, progress("stop"),
        stop.hurried && "hurried"];
    const title = `Stopping${stop.cause ? ` (${stop.cause})` : ""}`;
    return el("div", { class: "card alarm warn", "data-key": "stop" },
        countdown("countdown", title, stop.began, stop.deadline,
            note.filter(Boolean).join(" · ")),
        renderWaits());
}

function renderStopped() {
    const { stop } = run.timeline;
    const took = stop?.ended == null ? "" : ` in ${duration(stop.ended - stop.began)}`;
    const failed = [...run.hooks.values()].filter(hook => statusOf(hook) === "bad");
    return el("div", { class: `card alarm ${failed.length ? "bad" : "ok"}`, "data-key": "over" },
        el("p", { class: "title" },
            `Stopped${stop?.cause ? ` (${stop.cause})` : ""}${took}`),
        failed.length > 0 && el("ul", { class: "waits" }, failed.slice(0, SHOWN_WAITS)
            .map(hook => el("li", {}, mark("bad"), hookButton(hook.path, hook.name),
                el("span", {}, shortened(errorOf(hook) ?? "", 200))))));
}

/** Returns how many steps of a phase are done, such as "3 of 8 steps done". */
function progress(phase) {
    const phases = phase === "start" ? ["start", "ready"] : ["drain", "stop"];
    let [count, done] = [0, 0];
    for (const name of phases) {
        for (const { step } of run.plan[name]) {
            const hook = run.named.get(step.replace(/^stop /, ""));
            if (!hook) continue;
            count += 1;
            if (!["wait", "run"].includes(statusInPhase(hook, phase))) done += 1;
        }
    }
    return `${done} of ${plural(count, "step")} done`;
}

/** Returns what is waited for, each with the moment at which it began. */
function waits() {
    const phase = stateOfRun() === "starting" ? "start" : "stop";
    const found = [];
    for (const text of run.timeline.waiting_for) {
        const hook = run.named.get(text.split(" ", 1)[0])
            ?? run.named.get(/^the (?:drop of the )?value of `([^`]*)`/.exec(text)?.[1]);
        const span = hook && spanIn(hook, phase);
        if (hook && text.startsWith("the ")) {
            found.push({ key: text, hook, what: text });
        } else if (span && span.ended == null) {
            found.push({ key: hook.path, hook, since: span.began });
        } else if (/^(\d+ requests: )?[A-Z]+ \//.test(text)) {
            const requests = waitingRequests();
            found.push(...requests.length > 0 ? requests : [{ key: text, what: text }]);
        } else {
            found.push({ key: text, what: text });
        }
    }
    // The longest first: it is the likeliest to be to blame. What has no beginning comes last.
    const since = wait => wait.since ?? Number.MAX_VALUE;
    return found.sort((a, b) => since(a) - since(b));
}

function waitingRequests() {
    const { requests, now } = run.requests;
    return requests.slice(0, SHOWN_WAITS).map((request, place) => ({
        key: `request ${place}`, request, since: now - request.age,
    }));
}

function renderWaits() {
    const all = waits();
    if (all.length === 0) return null;
    const [first, ...rest] = all;
    const left = rest.length - SHOWN_WAITS;
    return el("div", { class: "blamed" },
        el("p", { class: "title" }, "Waiting for"),
        el("div", { class: "first", id: "blamed" }, renderWait(first)),
        rest.length > 0 && el("ul", { class: "waits" }, rest.slice(0, SHOWN_WAITS)
            .map(wait => el("li", { "data-key": wait.key }, renderWait(wait)))),
        left > 0 && el("p", { class: "muted" }, `and ${left.toLocaleString("en")} more`));
}

function renderWait({ hook, request, what, since }) {
    const time = since != null && el("strong", { class: "time" }, ticking(since));
    if (hook) {
        const limit = hook.plan.timeout_ms;
        const about = [words(hook.kind), hook.plan.place,
            limit != null && `timeout ${duration(limit)}`, hook.service?.last_error];
        return [
            el("span", { class: "what" }, hookButton(hook.path, hook.name), " ", time),
            what && el("span", {}, what),
            el("span", { class: "muted place" }, about.filter(Boolean).join(" · ")),
        ];
    }
    if (request) {
        return [
            el("span", { class: "what" }, el("code", {}, `${request.method} ${request.path}`),
                " ", time),
            el("span", { class: "muted place" },
                `request in flight · worker ${request.worker} · ${words(request.state)}`),
        ];
    }
    return [el("span", { class: "what" }, what, " ", time)];
}

function renderFailedStart() {
    return el("div", { class: "card alarm bad", "data-key": "failed" },
        el("p", { class: "title" }, "The start failed"),
        el("p", { class: "error" }, run.timeline.start.error));
}

/** Returns what is stalled, with the code that holds it. */
function renderStalls() {
    const stalls = run.timeline.stalls ?? [];
    if (stalls.length === 0) return null;
    return el("div", { class: "card alarm bad", id: "stalls", "data-key": "stalls" },
        el("p", { class: "title" }, `Stalled: ${plural(stalls.length, "part")} of the process`
            + " no longer goes on"),
        stalls.map(stall => el("div", { class: "blamed", "data-key": stall.stalled },
            el("p", {}, `${stall.stalled}, for `, ticking(run.timeline.now - stall.time)),
            stall.holders.slice(0, SHOWN_WAITS).map((holder, place) =>
                el("p", { class: place === 0 ? "first" : "" },
                    el("span", { class: "by" }, "held by "), holder)),
            stall.holders.length === 0 && el("p", { class: "first" },
                "held by code that no hook or request answers for"))));
}

/** Returns what needs a look while the run is ready. */
function renderTrouble() {
    const troubled = [...run.hooks.values()].filter(hook =>
        (hook.service || hook.check || hook.recurring || hook.time)
            && ["bad", "warn"].includes(statusOf(hook)));
    if (troubled.length === 0) return null;
    return el("div", { class: "card alarm warn", "data-key": "trouble" },
        el("p", { class: "title" }, `${plural(troubled.length, "hook")} to look at`),
        el("ul", { class: "waits" }, troubled.slice(0, SHOWN_WAITS).map(hook =>
            el("li", { "data-key": hook.path }, mark(statusOf(hook)),
                hookButton(hook.path, hook.name),
                el("span", { class: "muted" }, stateWord(hook)),
                el("span", { class: "error" }, shortened(errorOf(hook) ?? "", 200))))),
        troubled.length > SHOWN_WAITS && el("p", { class: "muted" },
            `and ${troubled.length - SHOWN_WAITS} more`));
}

/** Returns the state of a hook in a word. */
function stateWord(hook) {
    if (hook.service) return words(hook.service.state);
    if (hook.check) return `${hook.check.kind} check, ${hook.check.status}`;
    return hook.time?.outcome ? words(hook.time.outcome.result) : words(hook.kind);
}
