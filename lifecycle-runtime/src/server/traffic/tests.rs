use super::*;

fn entry(table: &Arc<RequestTable>, path: &'static str) -> RequestEntry {
    RequestEntry::new(table, Method::GET, Some(PathAndQuery::from_static(path)))
}

/// Returns the counts of requests so far, with those in flight counted as if they were cut off now.
fn requests(table: &RequestTable) -> crate::event::Requests {
    let rows = table.lock();
    let mut requests = rows.so_far.requests.clone();
    requests.cut.extend(rows.open.iter().map(|(_, row)| row.info()));
    requests
}

/// Checks the requests that finished, panicked and were abandoned, and those that were or would be
/// cut off, without their ages.
fn check(table: &RequestTable, expected: (u64, u64, u64, &[&str])) {
    let requests = requests(table);
    let cut: Vec<_> =
        requests.cut.iter().map(|cut| format!("{} {}", cut.method, cut.path)).collect();
    let cut: Vec<_> = cut.iter().map(String::as_str).collect();
    assert_eq!((requests.finished, requests.panicked, requests.abandoned, &*cut), expected);
}

#[test]
fn each_request_is_counted_once_by_what_it_came_to() {
    let table = Arc::default();
    let entries = ["/a", "/b", "/c", "/d"].map(|path| entry(&table, path));
    check(&table, (0, 0, 0, &["GET /a", "GET /b", "GET /c", "GET /d"]));
    let [a, b, c, d] = entries;
    a.end(RequestOutcome::Finished);
    b.panicked(None);
    b.end(RequestOutcome::Abandoned);
    c.end(RequestOutcome::Abandoned);
    check(&table, (1, 1, 1, &["GET /d"]));
    d.end(RequestOutcome::Finished);
    check(&table, (2, 1, 1, &[]));
}

#[test]
fn a_request_whose_handler_panicked_is_counted_so_whatever_becomes_of_the_answer() {
    let table = Arc::default();
    for end in [Some(RequestOutcome::Finished), Some(RequestOutcome::Abandoned), None] {
        let entry = entry(&table, "/a");
        entry.panicked(None);
        end.map_or_else(|| table.cut(), |end| entry.end(end));
    }
    check(&table, (0, 3, 0, &[]));
}

#[test]
fn a_request_that_nobody_ends_is_abandoned() {
    let table = Arc::default();
    drop(entry(&table, "/a"));
    check(&table, (0, 0, 1, &[]));
}

#[test]
fn what_is_cut_stays_cut_whatever_its_handler_still_does() {
    let table = Arc::default();
    let late = entry(&table, "/late");
    table.cut();
    check(&table, (0, 0, 0, &["GET /late"]));
    // The next request has the same key, and is another one.
    let next = entry(&table, "/next");
    late.end(RequestOutcome::Finished);
    check(&table, (0, 0, 0, &["GET /late", "GET /next"]));
    next.end(RequestOutcome::Finished);
    check(&table, (1, 0, 0, &["GET /late"]));
    table.cut();
    check(&table, (1, 0, 0, &["GET /late"]));
}

#[test]
fn what_comes_between_the_cut_and_the_end_of_its_worker_is_cut_too() {
    let table = Arc::default();
    RequestTable::cut(&table);
    table.open();
    drop(entry(&table, "/late"));
    table.close();
    check(&table, (0, 0, 0, &["GET /late"]));
    let connections = table.traffic().connections;
    assert_eq!((connections.closed, connections.cut), (0, 1));
}

#[test]
fn a_key_that_is_given_anew_belongs_to_its_new_request() {
    let table = Arc::default();
    entry(&table, "/first").end(RequestOutcome::Finished);
    let second = entry(&table, "/second");
    check(&table, (1, 0, 0, &["GET /second"]));
    second.end(RequestOutcome::Abandoned);
    check(&table, (1, 0, 1, &[]));
}

#[test]
fn a_report_names_method_path_and_age_and_no_query() {
    let table = Arc::default();
    let _entry = RequestEntry::new(
        &table,
        Method::POST,
        Some(PathAndQuery::from_static("/upload?token=secret")),
    );
    let line = requests(&table).cut.pop().expect("a request in flight").to_string();
    assert!(line.starts_with("POST /upload ") && line.ends_with('s'), "{line}");
    assert_eq!(line.split(' ').count(), 4, "{line}");
}

#[test]
fn connections_are_counted_until_they_are_cut() {
    let table = RequestTable::default();
    (0..3).for_each(|_| table.open());
    table.close();
    table.cut();
    // Those that were cut end as well.
    table.close();
    table.close();
    let connections = table.traffic().connections;
    assert_eq!((connections.closed, connections.cut), (1, 2));
}

#[test]
fn a_worker_is_left_behind_while_it_leaves() {
    let table = RequestTable::default();
    assert_eq!(table.traffic().workers_left, 0);
    table.leave();
    assert_eq!(table.traffic().workers_left, 1);
    table.go();
    assert_eq!(table.traffic().workers_left, 0);
}

/// Returns the requests and connections that a stop waits for, without ages.
fn waits(paths: &[&'static str], connections: usize) -> Vec<String> {
    let table = Arc::new(RequestTable::default());
    let _entries: Vec<_> = paths.iter().map(|path| entry(&table, path)).collect();
    (0..connections).for_each(|_| table.open());
    let is_age = |word: &str| {
        word.starts_with(|c: char| c.is_ascii_digit()) || ["ns", "µs", "ms"].contains(&word)
    };
    let without_ages = |wait: Wait| {
        let line = wait.to_string();
        let (count, rest) = line.split_once(' ').expect("words");
        let rest = rest
            .split_inclusive([' ', ','])
            .filter(|word| !is_age(word.trim_end_matches([' ', ','])));
        format!("{count} {}", rest.collect::<String>())
    };
    RequestTables::new([table]).waits().into_iter().map(without_ages).collect()
}

#[test]
fn what_a_stop_waits_for_is_named() {
    assert_eq!(waits(&[], 0), [""; 0]);
    assert_eq!(waits(&["/a"], 1).len(), 1);
    assert!(waits(&["/a"], 1)[0].starts_with("GET /a"));
    assert_eq!(waits(&[], 1), ["a connection without a request"]);
    assert_eq!(waits(&[], 2), ["2 connections without a request"]);
    let many = waits(&["/a", "/b", "/c", "/d", "/e", "/f"], 6).concat();
    assert!(
        many.starts_with("6 requests: GET /a") && many.contains("GET /e") && many.ends_with('…'),
        "{many}"
    );
    assert!(!many.contains("GET /f"), "{many}");
}

#[test]
fn the_longest_request_is_named_first_whichever_worker_has_it() {
    let tables = [(); 3].map(|()| Arc::new(RequestTable::default()));
    let _entries =
        [(2, "/first"), (0, "/second"), (1, "/third")].map(|(at, path)| entry(&tables[at], path));
    let named = RequestTables::new(tables).requests().expect("three requests").to_string();
    let places =
        ["/first", "/second", "/third"].map(|path| named.find(path).expect("each is named"));
    assert!(places.is_sorted(), "{named}");
}

#[test]
fn a_response_whose_body_fails_is_named_with_its_error() {
    let table = Arc::default();
    entry(&table, "/export?page=2").end(RequestOutcome::Failed("the disk is full".to_owned()));
    let requests = table.traffic().requests;
    assert_eq!((requests.failed, requests.abandoned), (1, 0));
    let last_failure = requests.last_failure.expect("a failure").to_string();
    assert_eq!(last_failure, "GET /export: the disk is full");
}

#[test]
fn a_response_that_is_written_is_finished_even_if_the_time_is_up() {
    let table = Arc::default();
    let written = entry(&table, "/written");
    written.written();
    let _open = entry(&table, "/open");
    assert_eq!(table.in_flight(), 2, "it is still waited for");
    table.cut();
    check(&table, (1, 0, 0, &["GET /open"]));
}

#[test]
fn a_blocked_worker_is_held_by_the_request_that_is_polled() {
    let table = Arc::default();
    let holders = |table: &Arc<RequestTable>| {
        let paths = |wait: Wait| match wait {
            Wait::Requests { longest, .. } => longest,
            other => panic!("{other}"),
        };
        let requests = table.holders().into_iter().flat_map(paths);
        requests.map(|request| request.path).collect::<Vec<_>>()
    };
    let [waits, blocks] = ["/waits", "/blocks"].map(|path| entry(&table, path));
    let poll = blocks.poll();
    assert_eq!(holders(&table), ["/blocks"]);
    drop(poll);
    drop(waits.poll());
    assert_eq!(holders(&table), ["/waits", "/blocks"], "a task of one of them may block");
    let poll = waits.poll();
    table.cut();
    assert!(holders(&table).is_empty(), "what is cut is known already");
    drop(poll);
}

#[test]
fn operators_see_the_requests_that_have_been_in_flight_the_longest() {
    let tables = [Arc::<RequestTable>::default(), Arc::default()];
    let entries = [
        entry(&tables[1], "/a"),
        entry(&tables[0], "/b"),
        entry(&tables[0], "/c"),
        entry(&tables[0], "/d"),
    ];
    entries[1].written();
    entries[2].panicked(None);
    let shown = |most| {
        let (count, longest) = RequestTables::new(tables.clone()).longest(most);
        let line = |row: &super::in_flight::RequestInFlight| {
            format!("{} {} {}", row.info.path, row.worker, row.state)
        };
        let mut lines: Vec<_> = longest.iter().map(line).collect();
        lines.sort();
        (count, lines)
    };
    let all = ["/a 1 running", "/b 0 written", "/c 0 panicked", "/d 0 running"];
    assert_eq!(shown(3), (4, all.map(str::to_owned).to_vec()));
    assert_eq!(shown(2), (4, all[..3].iter().map(|line| (*line).to_owned()).collect()));
    tables[0].open();
    assert_eq!(RequestTables::new(tables.clone()).connections(), [1, 0]);
}
