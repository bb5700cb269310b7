// Events in the picture: the process may be gone before the next look.

const PHASE_OF_KIND = { on_startup: "start", on_ready: "start", on_drain: "stop",
    on_shutdown: "stop" };

/** Changes of the picture by events. Each gets the document and the event. */
const CHANGES = {
    state: (timeline, { at, state }) => {
        Object.assign(timeline, { state, since: at });
        if (state === "ready") timeline.start.ended ??= at;
        if (state !== "stopped") return;
        if (timeline.stop) timeline.stop.ended = at;
        // All hooks have ended then.
        const kinds = ["observers", "publication"];
        timeline.waits = timeline.waits.filter(({ kind }) => kinds.includes(kind));
    },
    start_failed: ({ start }, { at, error }) => Object.assign(start, { error, ended: at }),
    start_interrupted: ({ start }, { at }) =>
        Object.assign(start, { interrupted: true, ended: at }),
    stop_begun: (timeline, { at, grace, cause, wanted }) => {
        timeline.stop ??= { began: at, ended: null, deadline: at + grace, cause, wanted,
            hurried: false, done: 0, total: run.plan.drain.length + run.plan.stop.length,
            traffic: null, exit_code: null, critical_path: [] };
    },
    hurried: ({ stop }) => { if (stop) stop.hurried = true; },
    late_failure: ({ stop }, { error }) => { if (stop) stop.late_failure = error; },
    drained: (timeline, { traffic }) => {
        if (timeline.stop) timeline.stop.traffic = traffic;
        const kinds = ["requests", "tasks", "connections"];
        timeline.waits = timeline.waits.filter(({ kind }) => !kinds.includes(kind));
    },
    hook_started: (timeline, { at, hook, name, kind }) => {
        if (kind === "health_check" || kind === "on_signal" || entryOf(timeline, hook)) return;
        timeline.hooks.push({ hook, name, kind, began: at, ended: null, outcome: null,
            error: null, is_drop: false, paths: [] });
        timeline.waits.push({ kind: "hook", hook, name, text: name, running: timeline.now - at });
    },
    hook_ended: (timeline, event) => {
        const { at, hook, kind, result } = event;
        timeline.waits = timeline.waits.filter(wait => wait.hook !== hook);
        const entry = entryOf(timeline, hook);
        if (!entry) return;
        entry.outcome = { result };
        entry.ended = at;
        if (result !== "succeeded") entry.error ??= `${words(result)}${reasonOf(event)}`;
        done(timeline[PHASE_OF_KIND[kind] ?? "stop"]);
    },
    service: (timeline, { at, hook, name, state }) => {
        const entry = entryOf(timeline, hook);
        if (!entry) return;
        if (state === "running") {
            if (entry.ready == null) done(timeline.start);
            entry.ready ??= at;
            timeline.waits = timeline.waits.filter(wait => wait.hook !== hook);
        } else if (state === "stopping") {
            entry.told_to_stop ??= at;
            const running = timeline.now - at;
            timeline.waits.push({ kind: "service", hook, name, text: name, running });
        }
    },
};

/** Counts one more step of a phase as done. */
function done(phase) {
    if (phase) phase.done = Math.min(phase.done + 1, phase.total);
}

/** Returns what the document has about a hook. */
const entryOf = (timeline, hook) =>
    timeline.hooks.find(entry => entry.hook === hook && !entry.is_drop);

/** Carries an event into the picture, unless the document is newer. */
function apply(event) {
    const { timeline } = run;
    if (!timeline || event.at <= timeline.now) return;
    if (!isRunOfCheck(event)) CHANGES[event.event]?.(timeline, event);
    if (run.link === "lost") run.stoodAt = Math.max(run.stoodAt, event.at);
}
