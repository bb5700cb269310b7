// The run as it was last seen, and questions about it.

const run = {
    /** Whose run it is: process and start. */
    id: null,
    info: null,
    plan: null,
    timeline: null,
    services: null,
    checks: null,
    requests: null,
    connections: null,
    /** Latest first. */
    events: [],
    /** Numbers of the last two minutes. */
    samples: [],
    /** `connecting`, `live` or `lost`. */
    link: "connecting",
    trouble: null,
    /** Time of day of the last picture. */
    seenAt: null,
    /** The run before this one, if the page has seen it. */
    before: null,
    /** Moment of the last document by the page's own clock. */
    readAt: 0,
    /** The picture stands still at this moment, once nobody answers any more. */
    stoodAt: null,
    hooks: new Map(),
};

/** Returns the time since the beginning of the run, which stands still with the picture. */
function clock() {
    if (run.stoodAt != null) return run.stoodAt;
    return run.timeline ? run.timeline.now + performance.now() - run.readAt : 0;
}

const stateOfRun = () => run.timeline?.state ?? run.info?.state ?? "unknown";

const isStopping = () => ["draining", "stopping"].includes(stateOfRun());

/** Brings the documents together, by hook. */
function index() {
    const hooks = new Map();
    for (const hook of run.plan?.hooks ?? []) {
        hooks.set(hook.path, { path: hook.path, name: hook.name, kind: hook.kind, plan: hook });
    }
    const add = (entries, field) => {
        for (const entry of entries ?? []) {
            const known = hooks.get(entry.hook);
            if (known) known[field] = entry;
        }
    };
    add(run.timeline?.hooks.filter(hook => !hook.is_drop), "time");
    add(run.timeline?.hooks.filter(hook => hook.is_drop), "drop");
    add(run.timeline?.recurring, "recurring");
    add(run.services?.services, "service");
    add(run.checks?.checks, "check");
    run.hooks = hooks;
}

/** Returns a moment of the run as a time of day; in its first minute as the time since its
 * beginning, with as many digits as its neighbours in a list have. */
function momentText(at) {
    const began = Date.parse(run.info?.started_at ?? "");
    if (at >= 60_000 && !Number.isNaN(began)) return timeText(new Date(began + at));
    return at >= 1000 && at < 59_950 ? `${(at / 1000).toFixed(1)} s` : duration(at);
}

/** Statuses: their mark, which tells them apart without colour, and their word. */
const STATUS = {
    wait: ["○", "has not begun"],
    run: ["◐", "runs"],
    ok: ["✓", "succeeded"],
    up: ["●", "is up"],
    warn: ["!", "needs a look"],
    bad: ["✕", "failed"],
    skip: ["–", "did not run"],
};

const statusMark = status => STATUS[status][0];

function statusOfOutcome(outcome) {
    if (outcome == null) return "run";
    if (outcome.result === "succeeded") return "ok";
    return ["skipped", "not_begun", "cancelled"].includes(outcome.result) ? "skip" : "bad";
}

const STATUS_OF_SERVICE = {
    starting: "run",
    running: "up",
    failing: "bad",
    backing_off: "warn",
    stopping: "run",
    stopped: "ok",
    failed: "bad",
};

function statusOfCheck(check) {
    return { pending: "wait", pass: "ok", fail: "bad" }[check.status] ?? "wait";
}

/** Returns the status of a hook, whatever phase it belongs to. */
function statusOf(hook) {
    if (hook.drop) return "bad";
    if (hook.service) return STATUS_OF_SERVICE[hook.service.state] ?? "wait";
    if (hook.check) return statusOfCheck(hook.check);
    if (hook.recurring) {
        if (hook.recurring.running_since != null) return "run";
        const { last_outcome: outcome } = hook.recurring;
        if (!outcome) return "wait";
        return statusOfOutcome(outcome) === "bad" ? "warn" : statusOfOutcome(outcome);
    }
    if (!hook.time) return "wait";
    return hook.time.began == null && !hook.time.outcome
        ? "wait" : statusOfOutcome(hook.time.outcome);
}

/** Returns the status of a hook as a step of a phase: a service is ready, or has stopped. */
function statusInPhase(hook, phase) {
    const { time } = hook;
    if (hook.kind !== "service" || !time) return statusOf(hook);
    if (phase === "start") {
        if (time.ready != null) return "ok";
        return time.ended == null ? "run" : statusOfOutcome(time.outcome);
    }
    if (time.ended != null) return statusOfOutcome(time.outcome);
    return time.told_to_stop == null ? "wait" : "run";
}

/** Returns the status of a hook as a step of the graph: once the run is ready, nobody asks any more
 * how a service became ready, if it is no longer. */
function statusInGraph(hook, phase) {
    return hook.service && phase === "start" && stateOfRun() === "ready"
        ? statusOf(hook) : statusInPhase(hook, phase);
}

/** Returns the beginning and the end of a hook in the start or in the stop, if it has begun. */
function spanIn(hook, phase) {
    const { time } = hook;
    if (!time) return null;
    if (hook.kind === "service") {
        if (phase === "start") {
            return { began: time.began, ended: time.ready ?? time.ended };
        }
        return time.told_to_stop == null
            ? null : { began: time.told_to_stop, ended: time.ended };
    }
    const phases = { on_startup: "start", on_ready: "start", on_drain: "stop",
        on_shutdown: "stop" };
    if (phases[hook.kind] !== phase || time.began == null) return null;
    return { began: time.began, ended: time.ended };
}

/** Returns the last error of a hook as a text, if it had one. */
function errorOf(hook) {
    return hook.time?.error ?? hook.drop?.error ?? hook.service?.last_error
        ?? hook.check?.last_error ?? hook.recurring?.last_error ?? null;
}

/** Returns the hooks that failed once and for all, and those whose value could not be dropped. */
const failedHooks = () => [...run.hooks.values()].filter(({ time, drop }) =>
    drop || (time?.outcome && statusOfOutcome(time.outcome) === "bad"));

/** Returns whether a run that is over was clean: by its exit code, or by what is known of it, as
 * the process may be gone before it could be asked. */
function isCleanRun() {
    const { start, stop, hooks } = run.timeline;
    if (start.error || !stop) return false;
    if (stop.exit_code != null) return stop.exit_code === 0;
    const counts = ({ hook, is_drop, outcome }) => {
        const isDispensable = run.hooks.get(hook)?.plan.service?.stops_the_process === false
            && ["failed", "panicked"].includes(outcome?.result);
        return is_drop || (outcome && statusOfOutcome(outcome) === "bad" && !isDispensable);
    };
    const { traffic } = stop;
    const isCut = traffic && (traffic.requests.cut.length > 0 || traffic.tasks.cut.length > 0
        || traffic.connections.unaccepted > 0 || traffic.workers_left > 0);
    return stop.wanted !== false && !stop.late_failure && !isCut && !hooks.some(counts);
}

/** Weights of the statuses that need a look. */
const URGENCY = { bad: 8, run: 4, warn: 2 };

/** Returns how much something is worth a look, by its status. */
const urgency = (status, isCritical = false) => (URGENCY[status] ?? 0) + (isCritical ? 1 : 0);

/** Returns up to `most` entries of a list, those first that weigh most. */
function heaviest(list, most, weight) {
    const weighed = list.map((entry, place) => ({ entry, place, weight: weight(entry) }));
    weighed.sort((a, b) => b.weight - a.weight || a.place - b.place);
    return weighed.slice(0, most).map(({ entry }) => entry);
}

/** Returns a button that opens the panel about a hook. */
function hookButton(path, name, attributes) {
    return el("button", { type: "button", class: "hook", "data-hook": path, ...attributes }, name);
}

function mark(status, word) {
    return el("span", { class: `mark ${status}`, role: "img",
        "aria-label": word ?? STATUS[status][1] }, statusMark(status));
}

const words = text => text.replaceAll("_", " ");

/** Returns the number of connections that are open, of all servers. */
function openConnections() {
    const workers = run.connections?.servers.flatMap(server => server.workers) ?? [];
    return workers.reduce((sum, worker) => sum + worker.open, 0);
}

/** Returns a setting in force, such as a time in milliseconds. */
const setting = name => run.info?.settings?.[name]?.value ?? null;
