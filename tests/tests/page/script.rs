//! Functions of the page's script, by themselves.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::browser::Browser;

/// Files of the script without `main.js`, which begins to show the page.
const SCRIPT: &str = concat!(
    include_str!("../../../lifecycle-runtime/src/server/admin/page/dom.js"),
    include_str!("../../../lifecycle-runtime/src/server/admin/page/run.js"),
    include_str!("../../../lifecycle-runtime/src/server/admin/page/feed.js"),
    include_str!("../../../lifecycle-runtime/src/server/admin/page/changes.js"),
    include_str!("../../../lifecycle-runtime/src/server/admin/page/state.js"),
    include_str!("../../../lifecycle-runtime/src/server/admin/page/blame.js"),
    include_str!("../../../lifecycle-runtime/src/server/admin/page/gantt.js"),
    include_str!("../../../lifecycle-runtime/src/server/admin/page/layout.js"),
    include_str!("../../../lifecycle-runtime/src/server/admin/page/graph.js"),
    include_str!("../../../lifecycle-runtime/src/server/admin/page/graph-moves.js"),
    include_str!("../../../lifecycle-runtime/src/server/admin/page/services.js"),
    include_str!("../../../lifecycle-runtime/src/server/admin/page/traffic.js"),
    include_str!("../../../lifecycle-runtime/src/server/admin/page/events.js"),
    include_str!("../../../lifecycle-runtime/src/server/admin/page/panel.js"),
);

/// Checks what a function returns whose body stands behind the script.
#[track_caller]
fn check(body: &str, expected: &Value) {
    let Some(page) = Browser::open("about:blank") else { return };
    let returned = page.returned(&format!("{SCRIPT}\n{body}"));
    assert_eq!(returned.expect("no error"), *expected);
    page.close();
}

#[test]
fn durations_are_rounded_as_the_console_rounds_them() {
    let table = [
        (0.0, "0 µs"),
        (0.999, "999 µs"),
        (1.0, "1.0 ms"),
        (9.94, "9.9 ms"),
        (9.96, "10 ms"),
        (999.4, "999 ms"),
        (999.6, "1 s"),
        (1_040.0, "1 s"),
        (4_210.0, "4.2 s"),
        (59_940.0, "59.9 s"),
        // The console writes the seconds even if they are 0.
        (59_960.0, "1 min"),
        (200_000.0, "3 min 20 s"),
        (3_600_000.0, "1 h"),
        (273_600_000.0, "3 d 4 h"),
    ];
    let times: Vec<_> = table.iter().map(|(time, _)| *time).collect();
    let texts: Vec<_> = table.iter().map(|(_, text)| *text).collect();
    check(&format!("return {}.map(duration)", json!(times)), &json!(texts));
}

#[test]
fn events_of_a_run_that_lasts_for_days_are_told_apart() {
    check(
        "run.info = { started_at: '2026-03-01T12:00:00Z' };
        const day = 86_400_000;
        const texts = [400, 5_000, 3 * day, 3 * day + 1_000].map(momentText);
        const isDated = text => /^2026-03-0\\d \\d\\d:\\d\\d:\\d\\d$/.test(text);
        const today = new Date();
        run.info.started_at = new Date(today - 3 * day).toISOString();
        return [texts.slice(0, 2), texts.slice(2).every(isDated), texts[2] !== texts[3],
            momentText(3 * day) === today.toLocaleTimeString('en-GB')];",
        &json!([["400 ms", "5.0 s"], true, true, true]),
    );
}

#[test]
fn a_panic_is_told_with_its_message() {
    check(
        "const request = { method: 'GET', path: '/report', running: 1_200 };
        const panic = { event: 'request_panicked', request, message: 'no idea', in_task: false,
            left_out: 2 };
        const ended = { event: 'hook_ended', name: 'db', result: 'panicked', took: 3,
            message: 'no route' };
        return [eventText(panic), eventStatus(panic),
            eventText({ ...panic, in_task: true, message: null, left_out: 0 }),
            eventText(ended)];",
        &json!([
            "the handler of GET /report panicked after 1.2 s: no idea; 2 more panics since the \
             last such event",
            "bad",
            "a task of GET /report panicked after 1.2 s",
            "db panicked in 3.0 ms: no route",
        ]),
    );
}

#[test]
fn a_stall_is_told_as_the_console_tells_it() {
    check(
        "const hooks = { runtime: 'hooks' };
        const worker = { runtime: 'worker', number: 1, url: 'http://127.0.0.1:8080' };
        const stall = (part, of, holders = []) =>
            eventText({ event: 'stalled', part, of, after: 5_000, holders });
        return [stall('runtime', hooks, ['pump 5.2 s']), stall('runtime', worker),
            stall('blocking_pool', hooks), stall('blocking_pool', worker),
            eventText({ event: 'stall_ended', part: 'runtime', of: hooks, took: 12_000 })];",
        &json!([
            "the hooks' runtime has been stalled for 5 s: blocked by pump 5.2 s",
            "worker 1 of http://127.0.0.1:8080 has been stalled for 5 s: the code that blocks it \
             is not known",
            "the hooks' blocking pool has been stalled for 5 s: all of its threads are busy",
            "the blocking pool of worker 1 of http://127.0.0.1:8080 has been stalled for 5 s: all \
             of its threads are busy",
            "the hooks' runtime goes on after a stall of 12 s",
        ]),
    );
}

#[test]
fn an_event_brings_the_message_of_a_panic_into_the_picture() {
    check(
        "run.timeline = { now: 10, start: { done: 0, total: 3 }, stop: null, stalls: [],
            waits: [{ kind: 'hook', hook: 'app::db', text: 'db 10 ms', running: 10 }],
            hooks: [{ hook: 'app::db', began: 0, is_drop: false, error: null }] };
        apply({ event: 'hook_ended', at: 12, hook: 'app::db', name: 'db', kind: 'on_startup',
            result: 'panicked', message: 'no route' });
        apply({ event: 'start_interrupted', at: 13, cause: 'SIGTERM' });
        const { hooks, start, waits: left } = run.timeline;
        return [hooks[0].error, hooks[0].ended, left.length, start];",
        &json!(["panicked: no route", 12, 0,
            { "done": 1, "total": 3, "interrupted": true, "ended": 13 }]),
    );
}

#[test]
fn requests_of_several_servers_are_listed_once_and_the_rest_is_counted() {
    let mut requests = String::new();
    for number in 0..500 {
        let age = 1_000 - number;
        let _ = write!(
            requests,
            "{{ method: 'GET', path: '/{number}', age: {age},
            worker: 0, server: {}, state: 'running' }},",
            number % 2
        );
    }
    check(
        &format!(
            "const longest = number => [{{ method: 'GET', path: `/${{number}}`, running: 1_000 }}];
            run.timeline = {{ now: 2_000, state: 'draining', waits: [
                {{ kind: 'requests', count: 250, requests: longest(0), text: '' }},
                {{ kind: 'requests', count: 250, requests: longest(1), text: '' }},
                {{ kind: 'tasks', count: 3, requests: longest(7), text: '' }},
                {{ kind: 'drain_delay', left: 500, text: 'the drain delay, 500 ms left' }},
            ] }};
            run.requests = {{ now: 2_000, count: 500, requests: [{requests}] }};
            const [found, more] = waits();
            const keys = new Set(found.map(wait => wait.key));
            return [found.length, keys.size, more, found[0].request.path, found.at(-1).what,
                found.at(-1).until];"
        ),
        // Nine requests and a task; 491 more requests and two more tasks.
        &json!([11, 11, 493, "/0", "the drain delay", 2_500]),
    );
}

#[test]
fn the_outcome_of_a_run_is_its_exit_code_or_what_is_known_of_it() {
    check(
        "const traffic = (requests, others = {}) => ({
            requests: { cut: [], panicked: 0, failed: 0, refused: 0, ...requests },
            connections: { unaccepted: 0, cut: 0 }, tasks: { cut: [], panicked: 0 },
            workers_left: 0, ...others });
        const request = { method: 'GET', path: '/report', running: 4_200 };
        const stop = { exit_code: null, wanted: true, traffic: null };
        const shown = (changes, waits = [], hooks = []) => {
            run.timeline = { now: 9_000, state: 'stopped', waits, hooks, stalls: [], start: {},
                stop: { ...stop, ...changes } };
            run.link = 'lost';
            run.requests = { now: 0, count: 0, requests: [] };
            return renderStopped().className.split(' ').at(-1);
        };
        run.hooks = new Map([['app::spare', { plan: { service: { stops_the_process: false } } }]]);
        const failed = hook => [{ hook, is_drop: false, outcome: { result: 'failed' } }];
        const observer = running => [{ kind: 'observers', running, text: '' }];
        return [
            shown({}), shown({ exit_code: 0 }), shown({ exit_code: 3 }), shown({ wanted: false }),
            shown({ traffic: traffic({}) }), shown({ traffic: traffic({ panicked: 1 }) }),
            shown({ traffic: traffic({ cut: [request] }) }),
            shown({ traffic: traffic({}, { workers_left: 1 }) }),
            shown({}, [], failed('app::db')), shown({}, [], failed('app::spare')),
            shown({ exit_code: 0 }, observer(10)), shown({ exit_code: 0 }, observer(2_000)),
        ];",
        &json!(["ok", "ok", "bad", "bad", "ok", "ok", "bad", "bad", "bad", "ok", "ok", "warn"]),
    );
}

#[test]
fn hooks_that_failed_are_counted_if_there_are_too_many_to_name() {
    check(
        "run.hooks = new Map(Array.from({ length: 11 }, (_, number) => [`app::h${number}`, {
            path: `app::h${number}`, name: `h${number}`, kind: 'on_shutdown', plan: {},
            time: { outcome: { result: 'failed' }, error: 'failed: no route' },
        }]));
        run.timeline = { now: 9_000, state: 'stopped', waits: [], hooks: [], stalls: [], start: {},
            stop: { began: 0, ended: 100, exit_code: 3, cause: 'SIGTERM', traffic: null } };
        const card = renderStopped();
        return [card.querySelector('.title').textContent, card.querySelectorAll('li').length,
            card.lastChild.textContent];",
        &json!(["Stopped (SIGTERM) in 100 ms, exit code 3", 8, "and 3 more"]),
    );
}

#[test]
fn a_signal_hook_needs_no_look_once_it_has_succeeded_again() {
    check(
        "const status = outcome => statusOf({ kind: 'on_signal', recurring: { runs: 2, failures: 1,
            last_error: 'failed: no file', running_since: null, last_outcome: outcome } });
        return [status({ result: 'failed', error: 'no file' }), status({ result: 'succeeded' })];",
        &json!(["warn", "ok"]),
    );
}

#[test]
fn an_event_that_comes_again_with_a_new_stream_is_known() {
    check(
        "run.timeline = { now: 5, hooks: [], waits: [] };
        const come = (id, at) => {
            if (isNew(id)) happened({ event: 'hurried', at }, id);
            return run.events.length;
        };
        return [come('a-1', 1), come('a-2', 2), come('a-1', 1), come('a-2', 2), come('a-3', 3),
            come('b-1', 1)];",
        &json!([1, 2, 2, 2, 3, 1]),
    );
}

#[test]
fn messages_about_the_stream_of_events_are_shown() {
    check(
        "run.timeline = { now: 5 };
        noted({ event: 'missed', count: 7 });
        noted({ event: 'closed', reason: 'a newer client' });
        noted({ event: 'other_run' });
        return run.events.map(({ id, text, status }) => [id, text.slice(0, 15), status]);",
        &json!([["note 2", "another client ", "warn"], ["note 1", "7 events missed", "warn"]]),
    );
}

/// Checks that the steps of a phase are found with work that grows as their number does: their
/// orders are read a few times each, and no edge stands for what others say as well.
#[test]
fn hooks_with_orders_cost_work_by_their_number() {
    check(
        "const MANY = 4_000;
        let reads = 0;
        const hooks = Array.from({ length: MANY }, (_, number) => ({
            path: `app::h${number}`, name: `h${number}`, kind: 'on_startup',
            get order() { reads += 1; return Math.floor(number / 2); },
        }));
        run.hooks = new Map(hooks.map(plan => [plan.path, { path: plan.path, plan }]));
        run.plan = { start: hooks.map(({ path, name }, number) => ({ step: name, hook: path,
            does: 'run', after: number < 2 ? [] : ['the lower orders'],
            behind: number < 2 ? [] : ['lower_orders'] })) };
        const steps = stepsOf('start');
        const edges = steps.reduce((sum, { before }) => sum + before.length, 0);
        const last = steps.at(-1);
        return [steps.length, reads <= 4 * MANY, edges <= 4 * MANY,
            last.before.map(number => steps[number].label),
            steps[last.before[0]].before.map(number => steps[number].label)];",
        &json!([5_999, true, true, ["orders below 1999"], ["h3996", "h3997"]]),
    );
}

/// Script with clocks that stand still: a test lets timers run out.
const STILL: &str = "
    const timers = new Map();
    let number = 0;
    const setTimeout = run => { number += 1; timers.set(number, run); return number; };
    const clearTimeout = timer => timers.delete(timer);
    let part;
    const body = new ReadableStream({ start: controller => { part = controller; } });
    const text = new TextEncoder();
    const send = async chunk => {
        part.enqueue(text.encode(chunk));
        await new Promise(requestAnimationFrame);
    };
    const fetch = async (_, { signal }) => {
        signal.addEventListener('abort', () => part.error(signal.reason));
        return new Response(body);
    };";

#[test]
fn a_document_takes_as_long_as_it_takes_while_it_comes() {
    let Some(page) = Browser::open("about:blank") else { return };
    let returned = page.returned(&format!(
        "{STILL}\n{SCRIPT}\nreturn (async () => {{
            const document = get('plan');
            const waited = [];
            for (const chunk of ['[1', ',2', ',3]']) {{
                await send(chunk);
                waited.push([...timers.keys()].at(-1));
            }}
            part.close();
            return [await document, new Set(waited).size, timers.size];
        }})()"
    ));
    // Each part has a time of its own, and none is left over.
    assert_eq!(returned.expect("no error"), json!([[1, 2, 3], 3, 0]));
    let returned = page.returned(&format!(
        "{STILL}\n{SCRIPT}\nreturn (async () => {{
            const document = get('plan').catch(error => error.message);
            await send('[1');
            [...timers.values()].forEach(run => run());
            return document;
        }})()"
    ));
    assert_eq!(returned.expect("no error"), "no answer in 5 s");
    page.close();
}
