//! Programs under test, started as every user with a binary starts them: by
//! `lifecycle_runtime::testing::process`.
#![cfg(unix)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::Duration;

use lifecycle_runtime::testing::Signal;
use lifecycle_runtime::testing::process::{Child, Command};

const SERVICE: &str = env!("CARGO_BIN_EXE_service");

/// Limit of a wait that has to be in vain: short, but long enough for a shell to start.
const SHORT: Duration = Duration::from_secs(2);

fn service(args: &[&str]) -> Child {
    Command::new(SERVICE).args(args).spawn()
}

fn shell(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    command
}

/// Returns the message of a panic.
fn failure<T>(test: impl FnOnce() -> T) -> String {
    let panic = catch_unwind(AssertUnwindSafe(test)).map(drop).expect_err("it fails");
    *panic.downcast::<String>().expect("a text")
}

#[track_caller]
fn check(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "no `{part}` in:\n{text}");
    }
}

/// Runs an ignored test of this program, in an environment of its own.
fn run_in(name: &str, value: &str, test: &str) {
    let mut command = Command::new(std::env::current_exe().expect("a path"));
    // The command takes settings out of its environment, but not one that it sets itself.
    command.args(["--exact", test, "--ignored", "--nocapture"]).env(name, value);
    command.output().assert_exit_code(0).assert_contains("1 passed");
}

#[test]
fn a_program_starts_on_free_ports_answers_and_stops() {
    let [mut one, mut other] = [service(&[]), service(&[])];
    for child in [&mut one, &mut other] {
        child.wait_until_ready();
        let response = child.get("/rows");
        assert_eq!((response.status, &*response.body), (200, "rows"));
        assert_eq!(child.get("/streamed").body, "0123456789".repeat(10));
        assert_eq!(child.get("/missing").status, 404);
        assert!(!child.has_ended());
    }
    let urls = [one.url(), one.admin_url(), other.url(), other.admin_url()];
    for (at, url) in urls.iter().enumerate() {
        assert!(url.starts_with("http://127.0.0.1:"), "{url}");
        assert!(!urls[..at].contains(url), "{urls:?}");
    }
    for child in [one, other] {
        let output = child.stop();
        output.assert_exit_code(0).assert_contains("stopping (SIGTERM)").assert_lacks("panicked");
        let did = ["db", "cache", "warm", "flush", "audit", "cache dropped", "close_db"];
        output.assert_stdout(&did);
        assert_eq!((output.code(), output.signal()), (Some(0), None));
    }
}

#[test]
fn the_probes_are_waited_for_until_they_answer_as_expected() {
    let mut child = service(&["warm=wait"]);
    let response = child.wait_for_probe("/readyz", |response| response.status == 503);
    check(&response.body, &["starting"]);
    child.write_line("warm");
    child.wait_until_ready();
    child.stop().assert_exit_code(0);
}

#[test]
fn a_program_without_an_address_for_its_probes_is_asked_where_it_serves() {
    let mut child = Command::new(SERVICE).env_remove("LIFECYCLE_ADMIN").spawn();
    child.wait_until_ready();
    child.stop().assert_exit_code(0).assert_lacks("probes on");
}

#[test]
fn a_program_whose_subscriber_says_it_is_found() {
    let mut child = service(&["log=info"]);
    child.wait_until_ready();
    assert_eq!(child.get("/rows").status, 200);
    child.stop().assert_exit_code(0).assert_lacks("lifecycle: listening on");
}

#[test]
fn settings_of_the_tests_themselves_are_none_of_the_program() {
    for name in ["LIFECYCLE_GRACE", "LIFECYCLE_NONSENSE"] {
        run_in(name, "nonsense", "starts_in_spite_of_the_environment");
    }
    run_in("KUBERNETES_SERVICE_HOST", "10.0.0.1", "knows_no_cluster");
    run_in("INHERITED", "yes", "inherits");
}

#[test]
#[ignore = "run by the test above"]
fn starts_in_spite_of_the_environment() {
    let mut child = service(&[]);
    child.wait_until_ready();
    child.stop().assert_exit_code(0);
    // A variable that the test itself sets counts.
    let (mut command, mut std) = (Command::new(SERVICE), std::process::Command::new(SERVICE));
    command.env("LIFECYCLE_GRACE", "soon");
    std.env("LIFECYCLE_GRACE", "soon");
    for mut command in [command, std.into()] {
        command.output().assert_exit_code(2).assert_contains("LIFECYCLE_GRACE=soon");
    }
}

#[test]
#[ignore = "run by the test above"]
fn knows_no_cluster() {
    shell("echo $KUBERNETES_SERVICE_HOST").output().assert_stdout(&[""]);
}

#[test]
#[ignore = "run by the test above"]
fn inherits() {
    shell("echo $INHERITED").output().assert_stdout(&["yes"]);
    shell("echo $INHERITED").env_remove("INHERITED").output().assert_stdout(&[""]);
}

#[test]
fn what_a_command_of_the_standard_library_sets_stays() {
    let mut command = std::process::Command::new("sh");
    command.args(["-c", "echo $LIFECYCLE_BIND $LIFECYCLE_ADMIN"]).env("LIFECYCLE_BIND", "here");
    Command::from(command).output().assert_stdout(&["here 127.0.0.1:0"]);
}

#[test]
fn each_wait_is_for_another_line_of_its_stream() {
    let mut child = shell("echo a 1; echo b; echo c >&2; echo a 2; echo d; cat").spawn();
    assert_eq!(child.wait_for_line("a"), "a 1");
    assert_eq!(child.wait_for_line("a"), "a 2");
    assert_eq!(child.wait_for_line("c"), "c");
    assert_eq!(child.wait_for_line("d"), "d");
    child.close_stdin();
    let failure = failure(|| child.wait_for_line("b"));
    check(&failure, &["no line contains `b` behind the line that was waited for before, and "]);
}

#[test]
fn a_line_that_never_comes_fails_the_test_with_all_that_came() {
    let ended = failure(|| {
        let mut child = shell("echo one; echo two >&2; exit 7").spawn();
        child.wait_for_line("three");
    });
    check(&ended, &["no line contains `three`, and the process has ended (exit status: 7)"]);
    check(&ended, &["\n  stdout | one\n", "\n  stderr | two\n"]);

    let late = failure(|| {
        let mut child = shell("echo one; cat").limit(SHORT).spawn();
        child.wait_until("a wonder", |_| false);
    });
    check(&late, &["waited for a wonder, and 2s have passed", "\n  stdout | one\n"]);
}

#[test]
fn a_program_that_says_nothing_of_where_it_listens_is_told_how_it_could() {
    let failure = failure(|| {
        let mut command = Command::new(SERVICE);
        let mut child = command.env("LIFECYCLE_CONSOLE", "off").limit(SHORT).spawn();
        child.wait_until_ready();
    });
    check(&failure, &["no answer of /readyz was as expected", "LIFECYCLE_CONSOLE=on"]);
}

#[test]
fn a_program_that_never_gets_ready_is_shown_with_its_last_answer() {
    let failure = failure(|| {
        let mut child = Command::new(SERVICE).arg("warm=wait").limit(SHORT * 3).spawn();
        child.wait_until_ready();
    });
    check(
        &failure,
        &["no answer of /readyz was as expected", "; the last was 503 {", "start warm"],
    );
}

#[test]
fn assertions_show_how_it_ended_and_what_it_wrote() {
    let output = shell("echo one; echo two >&2; exit 3").output();
    let shown = "(exit status: 3) and wrote:\n";
    let lines = ["  stdout | one\n", "  stderr | two\n"];
    for (failure, begins) in [
        (failure(|| output.assert_exit_code(0).code()), "the exit code is not 0: "),
        (failure(|| output.assert_contains("x").code()), "no line contains `x`: "),
        (failure(|| output.assert_lacks("tw").code()), "a line contains `tw`: "),
        (failure(|| output.assert_stdout(&["two"]).code()), "stdout is not "),
        (failure(|| output.assert_killed_by(Signal::SIGTERM).code()), "SIGTERM did not kill it: "),
    ] {
        assert!(failure.starts_with(begins), "{failure}");
        check(&failure, &[shown]);
        check(&failure, &lines);
    }
}

#[test]
fn a_second_signal_is_one_of_its_own_however_soon_it_is_sent() {
    let mut child = service(&["flush=hang"]);
    child.wait_until_ready();
    child.signal(Signal::SIGTERM);
    child.signal(Signal::SIGTERM);
    child.wait_for_line("hurrying");
    child.signal(Signal::SIGTERM);
    child.wait().assert_exit_code(128 + 15);
}

#[test]
fn signals_in_one_instant_are_one() {
    let mut child = service(&["flush=wait"]);
    child.wait_until_ready();
    child.signal_at_once(Signal::SIGTERM);
    child.signal_at_once(Signal::SIGTERM);
    child.wait_for_line("flush");
    child.write_line("flush");
    child.wait().assert_exit_code(0).assert_lacks("hurrying");
}

#[test]
fn a_process_that_was_killed_says_by_what() {
    for name in ["SIGKILL", "SIGUSR1"] {
        let mut child = shell("exec sleep 600").spawn();
        child.signal(Signal::named(name));
        let output = child.wait();
        output.assert_killed_by(Signal::named(name));
        assert_eq!((output.code(), output.signal()), (None, Some(Signal::named(name))));
    }
}

#[test]
fn no_signal_goes_to_a_process_that_is_gone_or_is_one_that_does_not_exist() {
    let mut child = shell("exit 4").spawn();
    while !child.has_ended() {}
    check(
        &failure(|| child.signal(Signal::SIGTERM)),
        &["can't send SIGTERM: the process has ended (exit status: 4)"],
    );
    let mut child = shell("cat").spawn();
    check(
        &failure(|| child.signal(Signal::named("SIGNONSENSE"))),
        &["can't send SIGNONSENSE", "there is no SIGNONSENSE on this system"],
    );
}

#[test]
fn what_is_left_is_killed_and_reaped() {
    let child = shell("exec sleep 600").spawn();
    let process = nix::unistd::Pid::from_raw(child.id().try_into().expect("a process id"));
    assert_eq!(nix::sys::signal::kill(process, None), Ok(()));
    drop(child);
    assert_eq!(nix::sys::signal::kill(process, None), Err(nix::errno::Errno::ESRCH));
}

#[test]
fn a_test_that_fails_beside_it_shows_what_it_wrote() {
    let mut command = Command::new(std::env::current_exe().expect("a path"));
    let output = command.args(["--exact", "fails_beside_it", "--ignored", "--nocapture"]).output();
    output.assert_exit_code(101).assert_contains("  stdout | one").assert_contains("a wrong guess");
}

#[test]
#[ignore = "run by the test above"]
fn fails_beside_it() {
    let mut child = shell("echo one; cat").spawn();
    child.wait_for_line("one");
    panic!("a wrong guess");
}

#[test]
fn a_process_that_is_still_running_is_not_waited_for_without_end() {
    let message = failure(|| shell("echo one; exec sleep 600").limit(SHORT).output());
    check(&message, &["the process is still running after 2s", "  stdout | one\n"]);

    // The pipe is open as long as any process has it.
    let message = failure(|| shell("sleep 600 & echo $!").limit(SHORT).output());
    let (_, sleep) = message.split_once("  stdout | ").expect("it was written");
    let sleep = nix::unistd::Pid::from_raw(sleep.trim().parse().expect("a process id"));
    nix::sys::signal::kill(sleep, nix::sys::signal::SIGKILL).expect("it runs");
    check(&message, &["the process has ended, and for 2s another has kept its output open"]);
}

#[test]
fn everything_that_is_written_is_collected_as_text() {
    let output = shell(
        "printf 'a\\377b\\r\\nlast'; i=0; while [ $i -lt 5000 ]; do echo $i >&2; i=$((i + 1)); \
         done",
    )
    .output();
    output.assert_stdout(&["a\u{fffd}b", "last"]);
    let expected = (0..5000).map(|number| number.to_string());
    assert!(output.transcript().stderr().map(str::to_owned).eq(expected), "{output}");
}

#[test]
fn a_program_that_can_not_be_started_is_named() {
    let missing = Path::new("/no/such/program");
    let failure = failure(|| Command::new(missing).spawn());
    check(&failure, &["can't start /no/such/program: No such file"]);
}
