// Services with their restarts, and health checks with their history.

/** Returns a table that is a list of cards on a narrow screen. */
function table(id, heads, rows, empty) {
    if (rows.length === 0) return el("p", { class: "card muted" }, empty);
    return el("div", { class: "card scroll" }, el("table", { id },
        el("thead", {}, el("tr", {}, heads.map(head => el("th", { scope: "col" }, head)))),
        el("tbody", {}, rows)));
}

function row(key, heads, cells, attributes) {
    return el("tr", { "data-key": key, ...attributes }, cells.map((cell, place) =>
        el("td", { "data-head": heads[place] }, cell)));
}

/** Number of rows of a table. */
const MOST_ROWS = 200;

/** Returns up to `most` entries of a list, those first that need a look, and a line about the
 * others. */
function firstOf(list, most, status) {
    if (list.length <= most) return [list, null];
    return [heaviest(list, most, each => urgency(status(each))), el("p", { class: "muted" },
        `${most} of ${list.length.toLocaleString("en")} shown, those to look at first.`)];
}

function renderServices(most = MOST_ROWS) {
    const heads = ["Service", "State", "For", "Restarts", "Last error"];
    const status = service => STATUS_OF_SERVICE[service.state] ?? "wait";
    const [services, note] = firstOf(run.services.services, most, status);
    const rows = services.map(service => row(service.hook, heads, [
        [mark(status(service)), hookButton(service.hook, service.name)],
        [el("span", { class: `word ${status(service)}` }, words(service.state)),
            service.backoff_until != null && el("span", { class: "backoff" },
                " next run in ", ticking(service.backoff_until, "until"))],
        ticking(service.since),
        [String(service.restarts), mostRestarts(service)],
        service.last_error
            ? el("span", { class: "error" }, shortened(service.last_error, 400)) : "–",
    ]));
    return [table("services", heads, rows, "No service has begun."), note];
}

/** Returns the limit to the restarts of a service, as its attribute says it. */
function mostRestarts({ hook }) {
    const policy = run.hooks.get(hook)?.plan.service;
    if (policy?.restart === "never") return el("span", { class: "muted" }, " never restarted");
    if (policy?.max_restarts == null) return null;
    return el("span", { class: "muted" },
        ` (at most ${policy.max_restarts} in ${duration(policy.within_ms)})`);
}

function renderChecks(most = MOST_ROWS) {
    const heads = ["Check", "Status", "Last", "Every", "History", "Last error"];
    const [checks, note] = firstOf(run.checks.checks, most, statusOfCheck);
    const rows = checks.map(check => row(check.hook, heads, [
        [mark(statusOfCheck(check)), hookButton(check.hook, check.name)],
        [el("span", { class: `word ${statusOfCheck(check)}` }, check.status),
            el("span", { class: "muted" }, ` ${check.kind}`),
            check.failures > 0 && el("span", { class: "muted" },
                `, ${plural(check.failures, "failure")} in a row`)],
        check.age == null ? "–" : [ticking(run.checks.now - check.age), " ago, took ",
            duration(check.took)],
        duration(check.interval),
        historyOf(check),
        check.last_error ? el("span", { class: "error" }, shortened(check.last_error, 400)) : "–",
    ]));
    return [table("checks", heads, rows, "There is no health check."), note];
}

/** Returns the last results of a check, the latest on the right: its height is the time taken. */
function historyOf(check) {
    const { history } = check;
    const longest = history.reduce((most, result) => Math.max(most, result.took), 0.001);
    const failed = history.filter(result => result.error).length;
    const bars = [...history].reverse().map((result, place) => {
        const height = 5 + 17 * (result.took / longest);
        const bar = result.error
            ? svg("path", { class: "bad", d: `M${place * 8} 4 l6 8 m0 -8 l-6 8` })
            : svg("rect", { class: "ok", x: place * 8, y: 24 - height, width: 6, height, rx: 1 });
        bar.append(svg("title", {}, resultText(result)));
        return bar;
    });
    return svg("svg", { class: "history", viewBox: "0 0 160 24", role: "img",
        "aria-label": `${plural(history.length, "result")}, ${failed} failed` }, bars);
}

const resultText = ({ age, took, error }) =>
    `${duration(age)} ago, took ${duration(took)}${error ? `: ${shortened(error, 400)}` : ""}`;

/** Returns the last results of a check as a list, the latest first. */
function resultsOf({ history }) {
    return el("ol", { class: "results" }, history.map(result => el("li", {},
        mark(result.error ? "bad" : "ok"), resultText(result))));
}
