// What has happened, the latest first, and what the program is.

const EVENTS_SHOWN = 200;

/** Returns an event as a text. */
function eventText(event) {
    const { name } = event;
    const holders = event.holders?.length ? `, held by ${event.holders.join(", ")}` : "";
    const error = event.error ? `: ${event.error}` : "";
    const texts = {
        state: () => `the run is ${event.state}`,
        hook_started: () => `${name} begins`,
        hook_ended: () => `${name} ${words(event.result)} in ${duration(event.took)}${error}`,
        health: () => `${name} ${event.passes ? "passes" : event.error ?? "fails"}`,
        service: () => `${name} is ${words(event.state)}`
            + (event.delay != null ? ` for ${duration(event.delay)}` : "")
            + (event.after?.error ? `: ${event.after.error}` : ""),
        drop_failed: () => `the drop of the value of ${name} ${words(event.result)}${error}`,
        value_held: () => `the value of ${name} is held by ${plural(event.others, "other")}`,
        listening: () => `listening on ${event.url}`,
        admin_listening: () => `this page is at ${event.url}`,
        accept_failed: () => `connections can't be accepted${error}`,
        accept_recovered: () => `connections are accepted again after ${duration(event.after)}`,
        stalled: () => `${stalledPart(event)} has not gone on for ${duration(event.after)}`
            + holders,
        stall_ended: () => `${stalledPart(event)} goes on after ${duration(event.took)}`,
        start_failed: () => `the start failed${error}`,
        start_interrupted: () => `the start was interrupted (${event.cause})`,
        upgrade_begun: () => `an upgrade starts ${event.program}`,
        upgrade_failed: () => `no upgrade${error}`,
        upgraded: () => `process ${event.successor} has taken over`,
        took_over: () => `took over from process ${event.predecessor}`,
        stop_begun: () => `the stop begins (${event.cause}), up to ${duration(event.grace)}`,
        stop_repeated: () => `${event.signal} once more${event.hurried ? ": hurried" : ""}`,
        hurried: () => "the stop hurries",
        waiting: () => `waiting for ${event.on.join(", ")}`,
        drained: () => `the server closed after ${duration(event.took)}`,
        budget_exceeded: () => `the stop may need ${duration(event.needed)}, `
            + `the grace period is ${duration(event.grace)}`,
        left_out: () => `an event of ${event.bytes.toLocaleString("en")} bytes`,
    };
    return texts[event.event]?.() ?? `${words(event.event)}${name ? ` ${name}` : ""}${error}`;
}

function stalledPart({ part, of }) {
    const runtime = of?.runtime === "worker" ? `worker ${of.number} of ${of.url}`
        : "the hooks' runtime";
    return part === "blocking_pool" ? `the blocking pool of ${runtime}` : runtime;
}

function eventStatus(event) {
    if (event.event === "hook_ended") return statusOfOutcome({ result: event.result });
    if (event.event === "service") return STATUS_OF_SERVICE[event.state] ?? "wait";
    if (event.event === "health") return event.passes ? "ok" : "bad";
    const bad = ["start_failed", "late_failure", "accept_failed", "stalled", "drop_failed",
        "upgrade_failed"];
    if (bad.includes(event.event)) return "bad";
    const warn = ["waiting", "stop_begun", "stop_repeated", "hurried", "value_held",
        "start_interrupted", "budget_exceeded"];
    return warn.includes(event.event) ? "warn" : "wait";
}

/** Returns a moment with as many digits as its neighbours in a list have. */
const momentText = at => at >= 1000 && at < 60_000 ? `${(at / 1000).toFixed(1)} s` : duration(at);

function renderEvents(most = EVENTS_SHOWN) {
    const rows = run.events.slice(0, most).map(event => el("li", { "data-key": event.id },
        el("span", { class: "muted at" }, momentText(event.at)), mark(event.status, event.event),
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
    if (value === null) return "–";
    if (Array.isArray(value)) return value.join(", ") || "–";
    if (typeof value === "boolean") return value ? "on" : "off";
    return typeof value === "number" && !name.endsWith("workers")
        ? duration(value) : String(value);
}
