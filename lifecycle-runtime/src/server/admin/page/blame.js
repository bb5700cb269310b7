// What a start or a stop waits for, big and first; what is stalled; what needs a look.

const SHOWN_WAITS = 8;

function renderBlame() {
    const box = byId("blame");
    if (!run.timeline) return show(box);
    const state = stateOfRun();
    const parts = [renderStalls()];
    if (state === "starting") parts.push(renderStart());
    if (isStopping() || isHeldUp()) parts.push(renderStop());
    else if (state === "stopped") parts.push(renderStopped());
    if (run.timeline.start.error) parts.push(renderFailedStart());
    if (state === "ready") parts.push(renderTrouble());
    return show(box, parts);
}

/** Returns whether the process waits for something though its hooks have ended. */
const isHeldUp = () => stateOfRun() === "stopped" && run.link !== "lost"
    && run.timeline.waits.length > 0;

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
    const note = [progress(start), timeout && `of ${duration(timeout)} at most`,
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
    const note = [grace && `grace period ${duration(grace)}`, progress(stop),
        stop.hurried && "hurried"];
    const verb = isHeldUp() ? "Stopped, but the process goes on" : "Stopping";
    return el("div", { class: "card alarm warn", "data-key": "stop" },
        countdown("countdown", `${verb}${ofCause(stop)}`, stop.began, stop.deadline,
            note.filter(Boolean).join(" · ")),
        renderWaits());
}

const ofCause = stop => stop?.cause ? ` (${stop.cause})` : "";

/** Returns how a run went that is over: what failed, and what it cut off. */
function renderStopped() {
    const { stop, waits } = run.timeline;
    const took = stop?.ended == null ? "" : ` in ${duration(stop.ended - stop.began)}`;
    const failed = failedHooks();
    const isClean = isCleanRun();
    const code = stop?.exit_code == null ? "" : `, exit code ${stop.exit_code}`;
    // The process may have ended by force while something held it up.
    const wasHeldUp = waits.some(({ running }) => running >= 1000);
    const status = !isClean ? "bad" : wasHeldUp ? "warn" : "ok";
    const lost = lossesOf(stop?.traffic);
    const left = failed.length - SHOWN_WAITS;
    return el("div", { class: `card alarm ${status}`, id: "over", "data-key": "over" },
        el("p", { class: "title" }, `Stopped${ofCause(stop)}${took}${code}`),
        (failed.length > 0 || lost.length > 0) && el("ul", { class: "waits" },
            lost.map(({ text, isBad }) => el("li", { "data-key": text },
                mark(isBad ? "bad" : "warn"), el("span", {}, text))),
            failed.slice(0, SHOWN_WAITS).map(hook => el("li", { "data-key": hook.path },
                mark("bad"), hookButton(hook.path, hook.name),
                el("span", {}, shortened(errorOf(hook) ?? "", 200))))),
        left > 0 && el("p", { class: "muted" }, `and ${left.toLocaleString("en")} more`),
        wasHeldUp && renderWaits("Last seen waiting for"));
}

/** Returns what became of requests, tasks and connections other than a good end. */
function lossesOf(traffic) {
    if (!traffic) return [];
    const { requests, connections, tasks } = traffic;
    const text = ({ method, path, running }) =>
        `${method} ${shortened(path, 80)} ${duration(running)}`;
    const named = (list, what) => list.length === 0 ? null
        : `${plural(list.length, what)} cut off: ${list.slice(0, 3).map(text).join(", ")}`
            + (list.length > 3 ? `, and ${(list.length - 3).toLocaleString("en")} more` : "");
    const count = (number, noun, what, nouns) =>
        number > 0 ? `${plural(number, noun, nouns)} ${what}` : null;
    const losses = [
        [named(requests.cut, "request"), true],
        [named(tasks.cut, "task"), true],
        [count(connections.unaccepted, "connection", "reset before being accepted"), true],
        [count(traffic.workers_left, "worker thread", "left behind"), true],
        [count(requests.panicked, "request", "panicked"), false],
        [count(tasks.panicked, "task", "panicked"), false],
        [count(requests.failed, "response", "failed"), false],
        [count(requests.refused, "request", "refused"), false],
        [count(connections.cut, "connection", "cut off"), false],
    ];
    return losses.filter(([text]) => text).map(([text, isBad]) => ({ text, isBad }));
}

/** Returns how many steps of a phase are done, such as "3 of 8 steps done". */
const progress = ({ done, total }) =>
    `${done.toLocaleString("en")} of ${plural(total, "step")} done`;

/** Names of the waits whose text has a time in it, which the page shows itself. */
const NAMES_OF_WAITS = {
    observers: "an observer of events",
    publication: "the last publication of metrics",
    drain_delay: "the drain delay",
};

/** Returns what is waited for, each with the moment at which it began, and the number of requests
 * and tasks that are not among them. */
function waits() {
    const { timeline } = run;
    const found = [];
    const groups = { requests: { count: 0, known: [] }, tasks: { count: 0, known: [] } };
    timeline.waits.forEach((wait, place) => {
        const group = groups[wait.kind];
        if (group) {
            group.count += wait.count;
            group.known.push(...wait.requests);
            return;
        }
        const hook = run.hooks.get(wait.hook);
        const isValue = wait.kind === "value";
        found.push({
            key: `${wait.kind} ${wait.hook ?? place}`,
            hook,
            what: hook && !isValue ? null : NAMES_OF_WAITS[wait.kind] ?? wait.text,
            since: wait.running == null ? null : timeline.now - wait.running,
            until: wait.left == null ? null : timeline.now + wait.left,
        });
    });
    let more = 0;
    for (const [kind, { count, known }] of Object.entries(groups)) {
        const listed = kind === "requests" && count > 0 ? waitingRequests(known)
            : known.map(request => ({ request, since: timeline.now - request.running }));
        listed.forEach((wait, place) => found.push({ key: `${kind} ${place}`, kind, ...wait }));
        more += Math.max(count - listed.length, 0);
    }
    // The longest first: it is the likeliest to be to blame. What has no beginning comes last.
    const since = wait => wait.since ?? Number.MAX_VALUE;
    return [found.sort((a, b) => since(a) - since(b)), more];
}

/** Returns the requests that have been in flight the longest: with their workers, if the document
 * about requests has come. */
function waitingRequests(known) {
    const { requests, now } = run.requests;
    if (requests.length === 0) {
        return known.map(request => ({ request, since: run.timeline.now - request.running }));
    }
    return requests.slice(0, SHOWN_WAITS + 1)
        .map(request => ({ request, since: now - request.age }));
}

function renderWaits(title = "Waiting for") {
    const [all, more] = waits();
    if (all.length === 0) return null;
    const [first, ...rest] = all;
    const left = Math.max(rest.length - SHOWN_WAITS, 0) + more;
    return el("div", { class: "blamed" },
        el("p", { class: "title" }, title),
        el("div", { class: "first", id: "blamed" }, renderWait(first)),
        rest.length > 0 && el("ul", { class: "waits" }, rest.slice(0, SHOWN_WAITS)
            .map(wait => el("li", { "data-key": wait.key }, renderWait(wait)))),
        left > 0 && el("p", { class: "muted", id: "more-waits" },
            `and ${left.toLocaleString("en")} more`));
}

function renderWait({ hook, request, kind, what, since, until }) {
    const time = since != null ? el("strong", { class: "time" }, ticking(since))
        : until != null && el("strong", { class: "time" }, ticking(until, "until"), " left");
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
        const about = [kind === "tasks" ? "background task of a request" : "request in flight",
            request.worker != null && `worker ${workerName(request)}`,
            request.state && words(request.state)];
        return [
            el("span", { class: "what" }, el("code", {}, `${request.method} ${request.path}`),
                " ", time),
            el("span", { class: "muted place" }, about.filter(Boolean).join(" · ")),
        ];
    }
    return [el("span", { class: "what" }, what, " ", time)];
}

function renderFailedStart() {
    return el("div", { class: "card alarm bad", "data-key": "failed" },
        el("p", { class: "title" }, "The start failed"),
        el("p", { class: "error" }, run.timeline.start.error));
}

/** Returns what is stalled, with the code that blocks it. */
function renderStalls() {
    const { stalls } = run.timeline;
    if (stalls.length === 0) return null;
    return el("div", { class: "card alarm bad", id: "stalls", "data-key": "stalls" },
        el("p", { class: "title" }, `Stalled: ${plural(stalls.length, "part")} of the process`),
        stalls.map(stall => el("div", { class: "blamed", "data-key": stall.stalled },
            el("p", {}, `${stall.stalled} has been stalled for `,
                ticking(run.timeline.now - stall.time)),
            renderHolders(stall))));
}

/** Returns the code that blocks a runtime, or the reason if there is none to name. */
function renderHolders({ part, holders, reason }) {
    if (part === "blocking_pool" || holders.length === 0) {
        return el("p", { class: "first" }, reason);
    }
    const left = holders.length - SHOWN_WAITS;
    return [
        holders.slice(0, SHOWN_WAITS).map((holder, place) =>
            el("p", { class: place === 0 ? "first" : "" },
                el("span", { class: "by" }, "blocked by "), holder)),
        left > 0 && el("p", { class: "muted" }, `and ${left.toLocaleString("en")} more`),
    ];
}

/** Returns what needs a look while the run is ready. */
function renderTrouble() {
    const troubled = [...run.hooks.values()].filter(hook =>
        (hook.service || hook.check || hook.recurring || hook.time)
            && ["bad", "warn"].includes(statusOf(hook)));
    if (troubled.length === 0) return null;
    const left = troubled.length - SHOWN_WAITS;
    return el("div", { class: "card alarm warn", id: "trouble", "data-key": "trouble" },
        el("p", { class: "title" }, `${plural(troubled.length, "hook")} to look at`),
        el("ul", { class: "waits" }, troubled.slice(0, SHOWN_WAITS).map(hook =>
            el("li", { "data-key": hook.path }, mark(statusOf(hook)),
                hookButton(hook.path, hook.name),
                el("span", { class: "muted" }, stateWord(hook)),
                el("span", { class: "error" }, shortened(errorOf(hook) ?? "", 200))))),
        left > 0 && el("p", { class: "muted" }, `and ${left.toLocaleString("en")} more`));
}

/** Returns the state of a hook in a word. */
function stateWord(hook) {
    if (hook.service) return words(hook.service.state);
    if (hook.check) return `${hook.check.kind} check, ${hook.check.status}`;
    const outcome = hook.time?.outcome ?? hook.recurring?.last_outcome;
    return outcome ? words(outcome.result) : words(hook.kind);
}
