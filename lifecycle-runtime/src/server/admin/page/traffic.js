// Requests in flight and connections.

const MOST_REQUESTS = 100;

/** Returns a small chart of the last two minutes. */
function sparkline(field, height = 28) {
    const now = run.samples.at(-1)?.at ?? 0;
    const [width, top] = [240, 3];
    const most = run.samples.reduce((max, sample) => Math.max(max, sample[field]), 1);
    const points = run.samples.map(sample => [
        width - ((now - sample.at) / SAMPLES_OVER) * width,
        height - 1 - (sample[field] / most) * (height - top - 1),
    ]);
    const text = points.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join(" ");
    const first = points[0]?.[0] ?? width;
    return svg("svg", { class: "spark", viewBox: `0 0 ${width} ${height}`, role: "img",
        preserveAspectRatio: "none", "data-most": most,
        "aria-label": `${field} in the last two minutes, at most ${most}` },
        svg("polygon", { points: `${first.toFixed(1)},${height} ${text} ${width},${height}` }),
        svg("polyline", { points: text }));
}

function chart(title, field, value) {
    const most = run.samples.reduce((max, sample) => Math.max(max, sample[field]), 0);
    return el("section", { class: "card chart" },
        el("h2", {}, title, el("span", { class: "value" }, value.toLocaleString("en"))),
        sparkline(field, 70),
        el("p", { class: "muted legend" }, el("span", {}, "2 min ago"),
            el("span", {}, `at most ${most.toLocaleString("en")}`), el("span", {}, "now")));
}

function renderTraffic() {
    if (run.connections.servers.length === 0) {
        return el("p", { class: "card muted" }, "No server is open.");
    }
    return [
        el("div", { class: "charts" },
            chart("Requests in flight", "requests", run.requests.count),
            chart("Open connections", "connections", openConnections())),
        renderRequests(),
        run.connections.servers.map(renderConnections),
    ];
}

function renderRequests() {
    const heads = ["Request", "For", "Worker", "State"];
    const { requests, count, now } = run.requests;
    const rows = requests.slice(0, MOST_REQUESTS).map((request, place) =>
        row(`request ${place}`, heads, [
            el("code", {}, `${request.method} ${shortened(request.path, 300)}`),
            ticking(now - request.age),
            workerName(request),
            words(request.state),
        ]));
    const left = count - rows.length;
    return [
        el("h2", {}, "Requests in flight, the longest first"),
        table("requests", heads, rows, "No request is in flight."),
        left > 0 && el("p", { class: "muted" }, `and ${left.toLocaleString("en")} more`),
    ];
}

/** Returns the number of the worker of a request, and of its server if there are several. */
function workerName({ worker, server }) {
    return run.connections.servers.length > 1 ? `${worker} of server ${server}` : String(worker);
}

function renderConnections({ urls, workers }, place) {
    const counts = new Map();
    for (const { connections } of workers) {
        for (const { protocol, state, count } of connections ?? []) {
            const key = `${protocol} ${state}`;
            counts.set(key, { protocol, state, count: (counts.get(key)?.count ?? 0) + count });
        }
    }
    const silent = workers.flatMap((worker, number) => worker.connections ? [] : [number]);
    const heads = ["Protocol", "State", "Connections"];
    const most = [...counts.values()].reduce((max, { count }) => Math.max(max, count), 1);
    const rows = [...counts].sort().map(([key, { protocol, state, count }]) =>
        row(key, heads, [protocol, words(state), el("span", { class: "share" },
            el("span", { class: "fill", style: { width: `${(count / most) * 60}%` } }),
            count.toLocaleString("en"))]));
    return el("div", { "data-key": `server ${place}` },
        el("h2", {}, `Connections to ${urls.join(", ")}`),
        table(`connections-${place}`, heads, rows, "No connection is open."),
        el("p", { class: "muted" }, `Open by worker: ${workers.map(({ open }) => open).join(", ")}`
            + (silent.length ? `. ${plural(silent.length, "worker")} did not count: `
                + `${silent.join(", ")}, blocked or ended` : "")));
}
