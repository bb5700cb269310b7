//! Programs as services of systemd 252, which runs as the first process of namespaces of its own:
//! start, reload, restarts under load, watchdog, more time for a start and a stop, and a crash.
//!
//! A test prints `SKIPPED` and the reason where systemd is not installed, or can't run.
#![cfg(target_os = "linux")]

#[expect(dead_code, unused_imports, unused_macros, reason = "the end-to-end tests need more")]
#[path = "../end_to_end/harness/mod.rs"]
mod harness;
mod instance;

use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use harness::own_address;
use instance::Systemd;
use lifecycle_tests::http::Connection;
use lifecycle_tests::load::{Load, Shape};

/// Time that systemd leaves a start or a stop here, unless it is asked for more.
const SHORT: Duration = Duration::from_secs(4);

/// Returns the unit of a service.
fn service(program: &str, args: &str, settings: &str) -> String {
    format!(
        "[Unit]\n\
         DefaultDependencies=no\n\
         StartLimitIntervalSec=0\n\
         [Service]\n\
         Type=notify\n\
         ExecStart={program} {args}\n\
         ExecReload=/bin/kill -HUP $MAINPID\n\
         LimitCORE=0\n\
         {settings}\n"
    )
}

/// Starts systemd with this service, as `web.service`; `None` where that is impossible.
#[track_caller]
fn systemd(program: &str, args: &str, settings: &str) -> Option<Systemd> {
    Systemd::start(&[("web.service", service(program, args, settings))])
}

#[test]
fn a_service_is_active_once_it_is_ready_and_its_status_says_where_it_listens() {
    let address = own_address();
    let program = env!("CARGO_BIN_EXE_service");
    let settings = format!("Environment=LIFECYCLE_BIND={address}");
    let Some(systemd) = systemd(program, "db=wait", &settings) else { return };
    systemd.systemctl("start --no-block web");
    systemd.wait_until_said("db");
    assert_eq!(systemd.property("ActiveState"), "activating");
    systemd.tell("db");
    systemd.wait_for_property("ActiveState", "active");
    let status = systemd.systemctl("status web");
    let line = format!("Status: \"ready, listening on http://{address}\"");
    assert!(status.contains(&line), "{status}");
    systemd.systemctl("stop web");
    assert_eq!(systemd.property("ActiveState"), "inactive", "it has not failed");
}

#[test]
fn the_status_of_a_start_that_failed_is_its_failure() {
    let program = env!("CARGO_BIN_EXE_service");
    let settings = "Environment=LIFECYCLE_BIND=127.0.0.1:0";
    let Some(systemd) = systemd(program, "warm=fail", settings) else { return };
    systemd.systemctl("start web");
    assert_eq!(systemd.property("Result"), "exit-code");
    let status = systemd.property("StatusText");
    assert!(status.starts_with("start failed: hook `warm` "), "{status}");
}

#[test]
fn a_reload_is_over_with_the_hooks_of_its_signal() {
    let program = env!("CARGO_BIN_EXE_recurring");
    let Some(systemd) = systemd(program, "reload=wait announce", "") else { return };
    systemd.systemctl("start web");
    // It may return only when the reload is over.
    systemd.systemctl("reload --no-block web");
    systemd.wait_until_said("reload");
    systemd.wait_for_property("ActiveState", "reloading");
    systemd.tell("reload");
    systemd.wait_for_property("ActiveState", "active");
    assert_eq!(systemd.said(), ["db", "reload", "announce"]);
    assert_eq!(systemd.property("StatusText"), "ready");
}

/// Restarts the service under load 20 times, and checks that no request is lost.
#[track_caller]
fn check_restarts(systemd: &Systemd, address: &str) {
    let shapes = [Shape { clients: 8, ..Shape::THINKING }, Shape { clients: 4, ..Shape::FRESH }];
    let loads = shapes.map(|shape| Load::start(address, shape, |_, _| "GET /".to_owned()));
    for restart in 1..=20 {
        systemd.systemctl("restart web.service");
        assert_eq!(systemd.property("ActiveState"), "active");
        for load in &loads {
            load.wait_for(restart * 20);
        }
    }
    for load in loads {
        load.stop().expect_nothing_lost();
    }
}

#[test]
fn restarts_under_load_lose_nothing_with_a_socket_unit() {
    let address = own_address();
    let settings = "Environment=LIFECYCLE_BIND=fd:web LIFECYCLE_QUIET_WINDOW=2s\n\
                    Environment=LIFECYCLE_WORKERS=1";
    let socket = format!(
        "[Unit]\n\
         DefaultDependencies=no\n\
         [Socket]\n\
         ListenStream={address}\n\
         FileDescriptorName=web\n"
    );
    let units = [
        ("web.service", service(env!("CARGO_BIN_EXE_service"), "", settings)),
        ("web.socket", socket),
    ];
    let Some(systemd) = Systemd::start(&units) else { return };
    systemd.systemctl("start web.socket");
    systemd.systemctl("start web.service");
    check_restarts(&systemd, &address);
}

#[test]
fn restarts_under_load_lose_nothing_if_systemd_keeps_the_listener() {
    let address = own_address();
    let settings = format!(
        "FileDescriptorStoreMax=8\n\
         Environment=LIFECYCLE_BIND={address} LIFECYCLE_QUIET_WINDOW=2s FDSTORE=8\n\
         Environment=LIFECYCLE_WORKERS=1"
    );
    let Some(systemd) = systemd(env!("CARGO_BIN_EXE_service"), "", &settings) else { return };
    systemd.systemctl("start web");
    check_restarts(&systemd, &address);
}

#[test]
fn upgrades_in_place_lose_nothing_and_systemd_follows_the_successor() {
    let address = own_address();
    let settings = format!(
        "ExecReload=\n\
         ExecReload=/bin/kill -USR2 $MAINPID\n\
         WatchdogSec=30\n\
         Environment=LIFECYCLE_BIND={address}"
    );
    let Some(systemd) = systemd(env!("CARGO_BIN_EXE_service"), "", &settings) else { return };
    systemd.systemctl("start web");
    let shapes = [Shape { clients: 8, ..Shape::THINKING }, Shape { clients: 4, ..Shape::FRESH }];
    let loads = shapes.map(|shape| Load::start(&address, shape, |_, _| "GET /".to_owned()));
    for upgrade in 1..=5 {
        let before = systemd.property("MainPID");
        systemd.systemctl("reload web");
        systemd.wait_for_change("MainPID", &before);
        for load in &loads {
            load.wait_for(upgrade * 20);
        }
        assert_eq!(systemd.property("ActiveState"), "active");
        assert_eq!(systemd.parent_of_main_process(), "1", "systemd waits for its own child");
    }
    for load in loads {
        load.stop().expect_nothing_lost();
    }
    let mut client = Connection::<TcpStream>::to(&address).expect("it listens");
    client.send("GET /held").expect("it listens");
    systemd.wait_until_said("held");
    systemd.systemctl("stop --no-block web");
    systemd.wait_for_property("ActiveState", "deactivating");
    systemd.tell("held");
    assert_eq!(client.response().expect("a response").body, "held");
    systemd.wait_for_property("ActiveState", "inactive");
    assert_eq!(systemd.property("NRestarts"), "0");
}

#[test]
fn the_watchdog_ends_a_process_whose_runtime_is_blocked() {
    let program = env!("CARGO_BIN_EXE_stalls");
    let settings = "WatchdogSec=5\n\
                    Environment=LIFECYCLE_STALL_AFTER=1s LIFECYCLE_STALL_TIMEOUT=1s";
    let Some(systemd) = systemd(program, "", settings) else { return };
    systemd.systemctl("start web");
    systemd.tell("hooks");
    systemd.wait_for_property("ActiveState", "failed");
    assert_eq!(systemd.property("Result"), "watchdog");
}

#[test]
fn a_start_has_more_time_than_systemd_leaves_it_as_long_as_it_goes_on() {
    let program = env!("CARGO_BIN_EXE_service");
    let settings =
        format!("TimeoutStartSec={}\nEnvironment=LIFECYCLE_BIND=127.0.0.1:0", SHORT.as_secs());
    let Some(systemd) = systemd(program, "db=wait", &settings) else { return };
    systemd.systemctl("start --no-block web");
    systemd.wait_until_said("db");
    // What is tested is that the start has this time.
    thread::sleep(2 * SHORT);
    assert_eq!(systemd.property("ActiveState"), "activating");
    systemd.tell("db");
    systemd.wait_for_property("ActiveState", "active");
}

#[test]
fn a_stop_has_more_time_than_systemd_leaves_it_as_long_as_it_goes_on() {
    let program = env!("CARGO_BIN_EXE_service");
    let settings = format!(
        "TimeoutStopSec={}\nEnvironment=LIFECYCLE_BIND=127.0.0.1:0 LIFECYCLE_GRACE=2m",
        SHORT.as_secs()
    );
    let Some(systemd) = systemd(program, "withdraw=wait", &settings) else { return };
    systemd.systemctl("start web");
    systemd.systemctl("stop --no-block web");
    systemd.wait_until_said("withdraw");
    // What is tested is that the stop has this time.
    thread::sleep(2 * SHORT);
    assert_eq!(systemd.property("ActiveState"), "deactivating");
    systemd.tell("withdraw");
    systemd.wait_for_property("ActiveState", "inactive");
    assert_eq!(systemd.said().last().map(String::as_str), Some("close_db"));
}

#[test]
fn a_stop_that_hangs_has_no_more_time_than_it_has_asked_for() {
    let program = env!("CARGO_BIN_EXE_service");
    let settings = "TimeoutStopSec=1\nEnvironment=LIFECYCLE_BIND=127.0.0.1:0 LIFECYCLE_GRACE=10m";
    let Some(systemd) = systemd(program, "withdraw=wait", settings) else { return };
    systemd.systemctl("start web");
    systemd.systemctl("stop --no-block web");
    systemd.wait_until_said("withdraw");
    systemd.systemctl("kill --signal STOP web");
    systemd.wait_for_property("ActiveState", "failed");
    assert_eq!(systemd.property("Result"), "timeout");
}

#[test]
fn a_crash_loses_no_connection_that_waits_if_systemd_keeps_the_listeners() {
    let [web, more, admin] = [(); 3].map(|()| own_address());
    let settings = format!(
        "FileDescriptorStoreMax=8\n\
         Restart=always\n\
         RestartSec=0\n\
         Environment=LIFECYCLE_BIND={web},{more} LIFECYCLE_ADMIN={admin} FDSTORE=8"
    );
    let Some(systemd) = systemd(env!("CARGO_BIN_EXE_service"), "", &settings) else { return };
    systemd.systemctl("start web");
    assert_eq!(systemd.property("NFileDescriptorStore"), "3");
    for _ in 0..3 {
        let before = systemd.property("MainPID");
        // It accepts nothing from now on.
        systemd.systemctl("kill --signal STOP web");
        let targets = [(&web, "GET /"), (&more, "GET /"), (&admin, "GET /livez")];
        let clients = targets.map(|(address, target)| {
            let mut client = Connection::<TcpStream>::to(address).expect("it listens");
            client.send(target).expect("it listens");
            client
        });
        systemd.systemctl("kill --signal KILL web");
        for mut client in clients {
            assert_eq!(client.response().expect("a response").status, 200);
        }
        assert_ne!(systemd.property("MainPID"), before);
        systemd.wait_for_property("ActiveState", "active");
    }
    assert_eq!(systemd.property("NFileDescriptorStore"), "3", "none is kept twice");
}
