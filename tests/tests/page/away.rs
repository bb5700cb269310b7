//! Process that goes away, and another one at its address.

use crate::browser::Browser;
use crate::harness::{Signal, own_address};
use crate::start;

#[test]
fn the_last_picture_stays_when_the_process_has_gone_and_the_next_process_is_shown() {
    let address = own_address();
    let begin = || start("").env("LIFECYCLE_ADMIN", &address).start().ready();
    let mut program = begin();
    let Some(page) = Browser::open(&format!("http://{address}/")) else { return };
    page.wait_for("#state", "ready");
    page.show("graph");
    let first = program.pid();
    program.signal(Signal::SIGKILL);
    program.end();
    page.wait_for("#notice", "This is the last picture");
    page.wait_for("#notice", "The process is gone, or does not answer (nobody answers)");
    page.wait_for("#link", "disconnected");
    // The clock stands still with the picture.
    let time = page.text("#top .now .tick");
    page.show("services");
    page.wait_for("#services", "pump");
    page.show("graph");
    page.wait_until("document.querySelectorAll('#graph [data-number]').length === 2");
    assert_eq!(page.text("#top .now .tick"), time);

    let mut program = begin();
    page.wait_for("#link", "live");
    // In a container each process has the same number.
    page.wait_for("#notice", &format!("This is another run: process {}, begun ", program.pid()));
    page.wait_for("#notice", &format!("The one before, process {first}, begun "));
    page.wait_for("#notice", ", was last seen ready at ");
    page.wait_for("#state", "ready");
    page.wait_until("document.querySelectorAll('#graph [data-number]').length === 2");
    // The events are those of the new process, and go on.
    page.show("events");
    program.tell("pump");
    page.wait_for("#events", "pump is backing off");
    let starts = "[...document.querySelectorAll('#events li')]
        .filter(event => event.textContent.includes('the run is ready')).length";
    assert_eq!(page.value(starts), 1);
    page.close();
    program.stop().expect_code(0);
}

#[test]
fn a_picture_that_gets_old_says_so_and_a_process_that_goes_on_is_shown_again() {
    let address = own_address();
    let mut program = start("").env("LIFECYCLE_ADMIN", &address).start().ready();
    let Some(page) = Browser::open(&format!("http://{address}/")) else { return };
    page.wait_for("#state", "ready");
    page.value(
        "(() => {
            window.ages = new Set();
            const note = () => ages.add(document.getElementById('link').textContent);
            new MutationObserver(note).observe(document.getElementById('top'),
                { childList: true, subtree: true, characterData: true });
        })()",
    );
    // A suspended process takes connections, and answers none.
    program.signal_at_once(Signal::SIGSTOP);
    page.wait_for("#notice", "no answer in 5 s");
    page.wait_until("[...ages].some(age => age.endsWith('s old'))");
    program.signal_at_once(Signal::SIGCONT);
    page.wait_for("#link", "live");
    page.wait_until("document.getElementById('notice').textContent === ''");
    page.close();
    program.stop().expect_code(0);
}
