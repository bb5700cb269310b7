//! Tests of the listeners that an address selects.

use super::*;

/// Checks the places that `which` selects with these variables: `fds=2 pid=7 names=a:b first=5`, in
/// the process 7.
#[track_caller]
fn check(pairs: &str, which: &str, expected: Result<&[usize], &str>) {
    let value = |name: &str| {
        pairs
            .split(' ')
            .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
            .map(str::to_owned)
    };
    let first = value("first").map(|first| first.parse().expect("a number"));
    let variables =
        ParentVariables { fds: value("fds"), pid: value("pid"), names: value("names"), first };
    let places = variables.places(which, 7);
    match expected {
        Ok(expected) => assert_eq!(places.as_deref(), Ok(expected)),
        Err(begin) => {
            assert!(places.as_ref().is_err_and(|error| error.starts_with(begin)), "{places:?}");
        }
    }
}

#[test]
fn a_number_is_counted_from_the_first() {
    check("fds=2", "3", Ok(&[0]));
    check("fds=2", "4", Ok(&[1]));
    check("fds=2 pid=7 first=10", "11", Ok(&[1]));
    check("fds=2", "5", Err("LISTEN_FDS=2: it has 3 to 4"));
    check("fds=2", "", Err("LISTEN_FDS=2: it has 3 to 4"));
    check("fds=0", "3", Err("LISTEN_FDS=0: the parent has left no listener open"));
}

#[test]
fn a_name_means_each_listener_that_has_it() {
    check("fds=3 names=web:admin:web", "web", Ok(&[0, 2]));
    check("fds=3 names=web:admin:web", "admin", Ok(&[1]));
    // There are no more listeners than that.
    check(
        "fds=2 names=web:admin:more",
        "more",
        Err("no listener is named `more`: LISTEN_FDNAMES=web:admin:more"),
    );
    check("fds=2", "web", Err("no listener is named `web`: LISTEN_FDNAMES is not set"));
}

#[test]
fn what_is_for_another_process_is_told_by_both_numbers() {
    check("fds=1 pid=6", "3", Err("LISTEN_PID is 6, and this process is 7: "));
    check("fds=1 pid=x", "web", Err("LISTEN_PID is x, and this process is 7: "));
    check("pid=6", "3", Err("LISTEN_FDS is not set"));
    check("fds=x", "3", Err("LISTEN_FDS=x is no number"));
}

/// Checks the line about listeners that were taken by their numbers, with these names.
#[track_caller]
fn check_swappable(names: &str, taken: &[(usize, &str)], expected: Option<&str>) {
    let names = (!names.is_empty()).then(|| names.to_owned());
    let variables = ParentVariables { names, ..ParentVariables::default() };
    let taken: Vec<_> =
        taken.iter().map(|(place, address)| (*place, (*address).to_owned())).collect();
    assert_eq!(variables.swappable(&taken).as_deref(), expected);
}

#[test]
fn listeners_of_several_units_that_are_taken_by_number_are_told_with_their_names() {
    let both = [(0, "127.0.0.1:80"), (1, "unix:/run/admin")];
    let line = "fd:3 is `web` (127.0.0.1:80), fd:4 is `admin` (unix:/run/admin): another start may \
                have another order; take listeners by name: fd:admin, fd:web";
    check_swappable("web:admin", &both, Some(line));
    check_swappable("web:web", &both, None);
    check_swappable("", &both, None);
    // One of them that is taken by its name is in nobody's place.
    check_swappable("web:admin", &[], None);
    // What the service manager keeps for an address is found by that.
    check_swappable("web:lifecycle-stored-127.0.0.1%3A9000", &both[..1], None);
}
