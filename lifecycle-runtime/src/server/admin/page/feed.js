// Where the picture comes from: the documents, about once a second, and at once when an event says
// that something has changed.

const DOCUMENTS = ["timeline", "services", "checks", "requests", "connections"];

/** Time between two looks, in milliseconds: in front, and in a tab that nobody sees. */
const [PAUSE, PAUSE_HIDDEN] = [1000, 15_000];
/** A pause is this many times as long as the look before it, as documents may be large: up to so
 * many milliseconds. */
const [SHARE, LONGEST] = [2, 5000];
/** Shortest time between two looks that events ask for. */
const PAUSE_AFTER_EVENT = 150;
/** An answer of which nothing has come for longer does not come any more. */
const PATIENCE = 5000;
const [EVENTS_KEPT, SAMPLES_OVER] = [500, 120_000];
/** Number of events that may be newer than a document that is on its way. */
const RECENT = 200;

const feed = {
    timer: null,
    /** Set while a look is under way, and if another is to follow it soon. */
    looks: false,
    again: false,
    /** Moment and length of the last look. */
    lookedAt: 0,
    cost: 0,
    /** Set if the next look has to ask whose run it is. */
    mustMeet: true,
    source: null,
    /** Set while the stream of events is open. */
    isFollowed: false,
    /** Number of messages about the stream. */
    notes: 0,
    /** Last events of the run of the picture. */
    recent: [],
    /** Id of the last event: which run, and its number in that. */
    lastId: null,
    /** Run of the picture, as ids of events name it, as far as they have come. */
    metWith: null,
};

/** Reason why there is no document. */
class NoAnswer extends Error {}

async function get(name) {
    const patience = new Patience();
    try {
        const { signal } = patience.controller;
        const response = await fetch(name, { cache: "no-store", signal });
        const text = await textOf(response, patience);
        if (response.ok) return JSON.parse(text);
        throw new NoAnswer(`it answers ${response.status}: ${shortened(text.trim(), 300)}`);
    } catch (error) {
        if (error instanceof NoAnswer) throw error;
        throw new NoAnswer(patience.isOver ? `no answer in ${PATIENCE / 1000} s`
            : "nobody answers");
    } finally {
        clearTimeout(patience.timer);
    }
}

/** Time that an answer has until its head comes, and then until each next part: a large document
 * over a slow line takes as long as it takes. */
class Patience {
    constructor() {
        this.controller = new AbortController();
        this.isOver = false;
        this.renew();
    }

    renew() {
        clearTimeout(this.timer);
        this.timer = setTimeout(() => {
            this.isOver = true;
            this.controller.abort();
        }, PATIENCE);
    }
}

async function textOf(response, patience) {
    const [reader, decoder] = [response.body.getReader(), new TextDecoder()];
    let text = "";
    for (;;) {
        patience.renew();
        const { done, value } = await reader.read();
        if (done) return text + decoder.decode();
        text += decoder.decode(value, { stream: true });
    }
}

/** Looks at the documents, now or as soon as the look before is over. */
async function look() {
    clearTimeout(feed.timer);
    if (feed.looks) {
        feed.again = true;
        return;
    }
    feed.looks = true;
    const began = performance.now();
    try {
        const mustMeet = feed.mustMeet;
        feed.mustMeet = false;
        let met = mustMeet ? await meet() : null;
        let asked = performance.now();
        let read = await Promise.all(DOCUMENTS.map(get));
        if (!met && isOtherTime(read[0])) {
            // The clock of the run has gone back: another process has the address.
            met = await meet();
            asked = performance.now();
            read = await Promise.all(DOCUMENTS.map(get));
        }
        if (met) begin(met);
        DOCUMENTS.forEach((name, place) => { run[name] = read[place]; });
        // On the way the document has aged, and events have come that it does not have.
        run.readAt = (asked + performance.now()) / 2;
        feed.recent.forEach(apply);
        seen();
    } catch (error) {
        if (!(error instanceof NoAnswer)) throw error;
        lost(error);
    } finally {
        feed.looks = false;
        feed.lookedAt = performance.now();
        feed.cost = feed.lookedAt - began;
        schedule();
    }
    index();
    render();
}

const isOtherTime = timeline => run.timeline !== null && run.timeline.now - timeline.now > 50;

function schedule() {
    const pause = document.hidden ? PAUSE_HIDDEN : PAUSE;
    const wait = feed.again ? PAUSE_AFTER_EVENT : pause;
    feed.again = false;
    feed.timer = setTimeout(look, Math.max(wait, rest()));
}

const rest = () => Math.min(feed.cost * SHARE, LONGEST);

/** Asks whose run it is, and for what never changes in it. */
const meet = () => Promise.all(["info", "plan"].map(get));

/** Begins with a run, or goes on with the one that is shown. */
function begin([info, plan]) {
    const id = `${info.pid} ${info.started_at}`;
    if (run.id !== null && run.id !== id) {
        const { info: { pid, started_at: startedAt }, seenAt } = run;
        run.before = { pid, startedAt, seenAt, state: stateOfRun() };
        Object.assign(run, { timeline: null, samples: [] });
        feed.recent = [];
        // Events of the new run may have come before its documents.
        if (feed.metWith === feed.lastId?.which) run.events = [];
        forgetLayouts();
    }
    Object.assign(run, { id, info, plan });
    feed.metWith = feed.lastId?.which;
}

function seen() {
    Object.assign(run, { link: "live", trouble: null, seenAt: new Date(), stoodAt: null });
    const at = performance.now();
    run.samples.push({ at, requests: run.requests.count, connections: openConnections() });
    while (run.samples[0].at < at - SAMPLES_OVER) run.samples.shift();
    if (!feed.source || feed.source.readyState === EventSource.CLOSED) follow();
}

function lost(error) {
    run.stoodAt ??= clock();
    run.trouble = error.message;
    run.link = "lost";
    feed.mustMeet = true;
}

/** Follows the events, from the last one that has come. */
function follow() {
    if (document.hidden) return;
    feed.source?.close();
    const source = new EventSource("events");
    feed.source = source;
    source.onopen = () => followed(true);
    source.onmessage = message => {
        const event = JSON.parse(message.data);
        if (event.event === "other_run") {
            feed.mustMeet = true;
        } else if (event.at === undefined) {
            noted(event);
        } else if (isNew(message.lastEventId)) {
            happened(event, message.lastEventId);
        }
        if (!isRunOfCheck(event)) soon();
    };
    // The browser comes again by itself, unless the answer was an error.
    source.onerror = () => {
        followed(false);
        soon();
    };
}

/** Notes whether events come. */
function followed(isFollowed) {
    feed.isFollowed = isFollowed;
    renderHead();
}

/** Notes a message about the stream itself. */
function noted(event) {
    if (!["missed", "closed"].includes(event.event)) return;
    feed.notes += 1;
    run.events.unshift({ id: `note ${feed.notes}`, at: clock(), event: event.event,
        text: eventText(event), status: eventStatus(event) });
}

/** Returns whether an event is about one run of a health check: a change has an event of its
 * own, and nobody wants to read of each run. */
const isRunOfCheck = ({ event, kind }) => kind === "health_check"
    && ["hook_started", "hook_ended"].includes(event);

/** Returns whether an event comes for the first time: a new stream begins with old ones. */
function isNew(id) {
    const [which, number] = [id.slice(0, id.lastIndexOf("-")), Number(id.split("-").at(-1))];
    const last = feed.lastId;
    if (last?.which === which && number <= last.number) return false;
    if (!last) {
        feed.metWith = which;
    } else if (last.which !== which) {
        run.events = [];
        feed.mustMeet = true;
    }
    feed.lastId = { which, number };
    return true;
}

function happened(event, id) {
    if (feed.lastId.which === feed.metWith) {
        apply(event);
        feed.recent.push(event);
        if (feed.recent.length > RECENT) feed.recent.shift();
    }
    if (isRunOfCheck(event)) return;
    const text = shortened(eventText(event), 1000);
    run.events.unshift({ id, at: event.at, event: event.event, hook: event.hook, text,
        status: eventStatus(event) });
    run.events.length = Math.min(run.events.length, EVENTS_KEPT);
}

/** Looks soon, however many events ask for it. */
function soon() {
    if (feed.looks) {
        feed.again = true;
        return;
    }
    clearTimeout(feed.timer);
    const wait = Math.max(PAUSE_AFTER_EVENT, rest());
    const since = performance.now() - feed.lookedAt;
    feed.timer = setTimeout(look, Math.max(wait - since, 0));
}

document.addEventListener("visibilitychange", () => {
    // A browser has six connections for a page's host, over all tabs.
    if (document.hidden) {
        feed.source?.close();
        feed.source = null;
        feed.isFollowed = false;
        return;
    }
    look();
});
