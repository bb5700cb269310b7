// What has happened, the latest first, and what the program is.

const EVENTS_SHOWN = 200;

/** Returns an event as a text. */
function eventText(event) {
    const { name } = event;
    const error = event.error ? `: ${event.error}` : "";
    const texts = {
        state: () => `the run is ${event.state}`,
        hook_started: () => `${name} begins`,
        hook_ended: () => `${name} ${words(event.result)} in ${duration(event.took)}`
            + reasonOf(event),
        health: () => `${name} ${event.passes ? "passes" : event.error ?? "fails"}`,
        service: () => `${name} is ${words(event.state)}`
            + (event.delay != null ? ` for ${duration(event.delay)}` : "")
            + (event.after ? reasonOf(event.after) : ""),
        drop_failed: () => `the drop of the value of ${name} ${words(event.result)}`
            + reasonOf(event),
        value_held: () => `the value of ${name} is held by ${plural(event.others, "other")}`,
        listening: () => `listening on ${event.url}`,
        admin_listening: () => `this page is at ${event.url}`,
        accept_failed: () => `connections can't be accepted${error}`,
        accept_recovered: () => `connections are accepted again after ${duration(event.after)}`,
        request_panicked: () => panicText(event),
        stalled: () => `${stalledPart(event)} has been stalled for ${duration(event.after)}: `
            + stallReason(event),
        stall_ended: () => `${stalledPart(event)} goes on after a stall of `
            + duration(event.took),
        start_failed: () => `the start failed${error}`,
        start_interrupted: () => `the start was interrupted (${event.cause})`,
        upgrade_begun: () => `an upgrade starts ${event.program}`,
        upgrade_failed: () => `no upgrade${error}`,
        upgraded: () => `process ${event.successor} has taken over`,
        took_over: () => `took over from process ${event.predecessor}`,
        late_failure: () => `the program failed${error}`,
        stop_begun: () => `the stop begins (${event.cause}), up to ${duration(event.grace)}`,
        stop_repeated: () => `${event.signal} once more${event.hurried ? ": hurried" : ""}`,
        hurried: () => "the stop hurries",
        waiting: () => `waiting for ${event.on.join(", ")}`,
        drained: () => drainText(event),
        budget_exceeded: () => `the stop may need ${duration(event.needed)}, `
            + `the grace period is ${duration(event.grace)}`,
        left_out: () => `an event of ${event.bytes.toLocaleString("en")} bytes`,
        missed: () => `${plural(event.count, "event")} missed: they are kept no longer`,
        closed: () => "another client has taken the place of this page among those that follow "
            + "the events; it comes again in a minute",
    };
    return texts[event.event]?.() ?? `${words(event.event)}${name ? ` ${name}` : ""}${error}`;
}

/** Returns the error or the panic of an outcome. */
function reasonOf({ error, message }) {
    const text = error ?? message;
    return text ? `: ${text}` : "";
}

function panicText({ request, message, in_task: inTask, left_out: leftOut }) {
    return `${inTask ? "a task" : "the handler"} of ${request.method} ${request.path} panicked `
        + `after ${duration(request.running)}${message ? `: ${message}` : ""}`
        + (leftOut > 0 ? `; ${plural(leftOut, "more panic")} since the last such event` : "");
}

function drainText({ took, traffic }) {
    const losses = lossesOf(traffic).map(({ text }) => text);
    return [`the server closed after ${duration(took)}`, ...losses].join(", ");
}

function stalledPart({ part, of }) {
    const runtime = of?.runtime === "worker" ? `worker ${of.number} of ${of.url}`
        : "the hooks' runtime";
    if (part !== "blocking_pool") return runtime;
    return of?.runtime === "worker" ? `the blocking pool of ${runtime}`
        : "the hooks' blocking pool";
}

function stallReason({ part, holders }) {
    if (part === "blocking_pool") return "all of its threads are busy";
    return holders.length === 0 ? "the code that blocks it is not known"
        : `blocked by ${holders.join(", ")}`;
}

function eventStatus(event) {
    if (event.event === "hook_ended") return statusOfOutcome({ result: event.result });
    if (event.event === "service") return STATUS_OF_SERVICE[event.state] ?? "wait";
    if (event.event === "health") return event.passes ? "ok" : "bad";
    if (event.event === "drained") {
        return lossesOf(event.traffic).some(({ isBad }) => isBad) ? "bad" : "ok";
    }
    const bad = ["start_failed", "late_failure", "accept_failed", "stalled", "drop_failed",
        "request_panicked", "upgrade_failed"];
    if (bad.includes(event.event)) return "bad";
    const warn = ["waiting", "stop_begun", "stop_repeated", "hurried", "value_held",
        "start_interrupted", "budget_exceeded", "missed", "closed"];
    return warn.includes(event.event) ? "warn" : "wait";
}

function renderEvents(most = EVENTS_SHOWN) {
    const rows = run.events.slice(0, most).map(event => el("li", { "data-key": event.id },
        el("span", { class: "muted at", title: `${duration(event.at)} after the beginning` },
            momentText(event.at)), mark(event.status, event.event),
        el("span", {}, event.hook && run.hooks.has(event.hook)
            ? hookButton(event.hook, "◇", { "aria-label": "About the hook" }) : null,
        ` ${event.text}`)));
    if (rows.length === 0) return el("p", { class: "card muted" }, "No event has come yet.");
    return el("ol", { class: "card events", id: "events" }, rows);
}

function renderAbout() {
    const { info } = run;
    const facts = [["Name", info.name], ["Version", info.version], ["Revision", info.revision],
        ["Built", info.built], ["Rust", info.rust], ["lifecycle", info.lifecycle],
        ["Process", String(info.pid)],
        ["Started", info.started_at?.replace(/\.\d+/, "").replace("T", " ")]];
    const heads = ["Setting", "Value", "From"];
    const settings = [
        ...Object.entries(info.settings),
        ...info.servers.flatMap((server, place) => Object.entries(server).map(([name, value]) =>
            [info.servers.length > 1 ? `server ${place}: ${name}` : name, value])),
    ];
    return [
        el("dl", { class: "card facts" }, facts.filter(([, value]) => value)
            .map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value)))),
        el("h2", {}, "Settings in force"),
        table("settings", heads, settings.map(([name, { value, from }]) => row(name, heads,
            [el("code", {}, name), settingText(name, value), el("span", { class: `from ${from}` },
                from)])), ""),
    ];
}

/** Returns the value of a setting. Numbers are times, but for the one of workers. */
function settingText(name, value) {
    if (value === null) return name === "stall_timeout" ? "off" : "–";
    if (Array.isArray(value)) return value.join(", ") || "–";
    if (typeof value === "boolean") return value ? "on" : "off";
    return typeof value === "number" && !name.endsWith("workers")
        ? duration(value) : String(value);
}
