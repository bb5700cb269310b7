//! Manifests of several programs, as they were reviewed, and the names and texts in them.

#[cfg(feature = "testing")]
mod fits;
#[cfg(feature = "testing")]
mod settings;

use std::time::Duration;

use super::addresses::{GivenAddress, InContainer};
use super::{Program, ProgramServer, names, quoting};
use crate::plan::PlanFormat;
use crate::plan::sample::plan;
use crate::process::config::Config;
use crate::process::info::Info;

const SECOND: Duration = Duration::from_secs(1);

/// Returns a program with the default settings, and with servers that have these addresses.
fn program(servers: &[&[&str]]) -> Program {
    let server = |addresses: &&[&str]| ProgramServer {
        addresses: addresses.iter().map(|&address| address.to_owned()).collect(),
        is_tls: false,
        keep_alive: Some(75 * SECOND),
    };
    let info = Info::new("shop", "1.2.3");
    Program::new(&info, &Config::default(), servers.iter().map(server).collect())
}

/// Returns the manifest of a program with these hooks.
fn rendered(program: &Program, hooks: &str, format: PlanFormat) -> String {
    plan(hooks).expect("valid").of(program.clone()).render(format)
}

#[test]
fn a_program_with_a_server() {
    let shop = program(&[&["127.0.0.1:8080"]]);
    insta::assert_snapshot!("kubernetes", rendered(&shop, "start db", PlanFormat::Kubernetes));
    insta::assert_snapshot!("compose", rendered(&shop, "start db", PlanFormat::Compose));
    insta::assert_snapshot!("systemd", rendered(&shop, "start db", PlanFormat::Systemd));
    insta::assert_snapshot!("dockerfile", rendered(&shop, "start db", PlanFormat::Dockerfile));
}

#[test]
fn a_program_without_a_server_has_no_service_and_no_socket() {
    let worker = program(&[]);
    insta::assert_snapshot!("worker", rendered(&worker, "start db", PlanFormat::Kubernetes));
    let units = rendered(&worker, "start db", PlanFormat::Systemd);
    assert!(!units.contains(".socket") && !units.contains("LIFECYCLE_BIND"), "{units}");
}

#[test]
fn a_program_with_long_limits_has_probes_and_deadlines_that_fit() {
    let mut shop = program(&[&["[::]:8443"]]);
    shop.servers[0].is_tls = true;
    shop.grace = Some(120 * SECOND + Duration::from_millis(1));
    shop.drain_delay = Some(10 * SECOND);
    shop.startup_timeout = 900 * SECOND;
    shop.stall_timeout = None;
    shop.admin = Some("0.0.0.0:9100".to_owned());
    shop.version = None;
    insta::assert_snapshot!("long_limits", rendered(&shop, "", PlanFormat::Kubernetes));
    let units = rendered(&shop, "signal reload on SIGHUP", PlanFormat::Systemd);
    for line in ["TimeoutStopSec=126", "TimeoutStartSec=905", "ExecReload=kill -HUP $MAINPID"] {
        assert!(units.lines().any(|unit| unit == line), "{line}: {units}");
    }
}

#[test]
fn a_unix_socket_is_for_systemd_and_nothing_in_a_container() {
    let shop = program(&[&["unix:/run/shop.sock?mode=660", "127.0.0.1:80", "localhost:81"]]);
    insta::assert_snapshot!("unix_socket", rendered(&shop, "", PlanFormat::Systemd));
    let manifest = rendered(&shop, "", PlanFormat::Kubernetes);
    assert!(manifest.contains("# `unix:/run/shop.sock?mode=660` is left out: "), "{manifest}");
    assert!(manifest.contains("value: \"0.0.0.0:80,0.0.0.0:81\""), "{manifest}");
}

#[test]
fn several_servers_have_the_addresses_of_the_program() {
    let addresses: [&[&str]; 3] =
        [&["0.0.0.0:8080"], &["127.0.0.1:8081", "fd:internal"], &["0.0.0.0:443"]];
    let mut shop = program(&addresses);
    shop.servers[2].is_tls = true;
    insta::assert_snapshot!("servers", rendered(&shop, "", PlanFormat::Kubernetes));
    insta::assert_snapshot!("servers_units", rendered(&shop, "", PlanFormat::Systemd));
}

#[test]
fn what_the_environment_sets_is_set_in_the_manifest() {
    let mut shop = program(&[&["0.0.0.0:8080"]]);
    shop.admin = Some("0.0.0.0:9000".to_owned());
    shop.grace = Some(40 * SECOND);
    let variables = [
        ("LIFECYCLE_ADMIN", "0.0.0.0:9000"),
        ("LIFECYCLE_BIND", "0.0.0.0:8080"),
        ("LIFECYCLE_GRACE", "40s"),
        ("LIFECYCLE_REPORT", "/tmp/$HOME: \"100 %\".json"),
    ];
    shop.variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let manifest = rendered(&shop, "", PlanFormat::Kubernetes);
    for (name, value) in variables {
        let value = quoting::yaml(value);
        let entry = format!("            - name: {name}\n              value: {value}\n");
        assert!(manifest.contains(&entry), "{entry}: {manifest}");
    }
    let compose = rendered(&shop, "", PlanFormat::Compose);
    assert!(compose.contains(r#"REPORT: "/tmp/$$HOME: \"100 %\".json""#), "{compose}");
    let units = rendered(&shop, "", PlanFormat::Systemd);
    let line = r#"Environment="LIFECYCLE_REPORT=/tmp/$HOME: \"100 %%\".json""#;
    assert!(units.contains(line), "{units}");
    assert!(units.contains("Environment=\"LIFECYCLE_BIND=fd:http\"\n"), "{units}");
}

#[test]
fn a_setting_of_this_platform_is_none_of_the_manifests() {
    use crate::process::config::Platform;

    let mut config = Config::default();
    // A container without Kubernetes, whose grace period is 9 s.
    assert!(config.adapt_to(Platform::Container, true).is_some());
    let here = Program::new(&Info::new("shop", "1.2.3"), &config, Vec::new());
    assert_eq!((here.grace, here.grace_or_default()), (None, 25 * SECOND));
    let server = ProgramServer { addresses: Vec::new(), is_tls: false, keep_alive: None };
    let there = Program { servers: vec![server], ..here };
    assert_eq!(there.drain_delay_in_kubernetes(), 5 * SECOND);
    assert_eq!(there.drain_delay(), Duration::ZERO);
}

#[test]
fn the_listener_for_operators_has_a_port_of_its_own_that_others_reach() {
    let admin = |given: Option<&str>, server: &str| {
        let mut shop = program(&[&[server]]);
        shop.admin = given.map(str::to_owned);
        let inside = InContainer::of(&shop);
        let mut variables = inside.variables.into_iter();
        let variable = variables.find(|(name, _)| name == "LIFECYCLE_ADMIN");
        (inside.admin, variable.map(|(_, value)| value))
    };
    let set = |address: &str| Some(address.to_owned());
    let server = "0.0.0.0:8080";
    assert_eq!(admin(None, server), (9000, set("0.0.0.0:9000")));
    assert_eq!(admin(None, "0.0.0.0:9000"), (9001, set("0.0.0.0:9001")));
    assert_eq!(admin(Some("127.0.0.1:9100"), server), (9100, set("0.0.0.0:9100")));
    assert_eq!(admin(Some("0.0.0.0:9100"), server), (9100, None));
    assert_eq!(admin(Some("[::1]:9100"), server), (9100, set("0.0.0.0:9100")));
    assert_eq!(admin(Some("unix:/run/admin.sock"), server), (9000, set("0.0.0.0:9000")));
}

#[test]
fn a_name_is_a_label_and_never_that_of_the_framework() {
    for (name, label) in [
        ("shop", "shop"),
        ("My_Shop 2", "my-shop-2"),
        ("2048", "app-2048"),
        ("--", "app"),
        ("", "app"),
        ("größe", "gr-e"),
        ("a: b\n\"c\"", "a-b-c"),
        ("lifecycle", "app-lifecycle"),
        ("Lifecycle_web", "app-lifecycle-web"),
        ("lifecycles", "lifecycles"),
    ] {
        assert_eq!(names::label(name), label, "{name}");
    }
    assert!(names::label(&"x".repeat(100)).len() <= 63);
    assert!(!names::label(&format!("{}-y", "x".repeat(39))).ends_with('-'));
}

#[test]
fn a_version_is_the_value_of_a_label() {
    for (version, value) in [
        ("1.2.3", Some("1.2.3")),
        ("1.2.3-rc.1+build 7", Some("1.2.3-rc.1-build-7")),
        (" v1 ", Some("v1")),
        ("\n", None),
        ("", None),
    ] {
        assert_eq!(names::version(version).as_deref(), value, "{version}");
    }
    assert!(names::version(&"1.".repeat(100)).is_some_and(|value| value.len() <= 63));
}

#[test]
fn addresses_are_told_apart() {
    let parsed = |text| GivenAddress::parse(text);
    let tcp = |host, port| Some(GivenAddress::Tcp { host, port });
    assert_eq!(parsed("127.0.0.1:80"), tcp("127.0.0.1", 80));
    assert_eq!(parsed("[::1]:80"), tcp("::1", 80));
    assert_eq!(
        parsed("unix:/a?mode=660"),
        Some(GivenAddress::Unix { path: "/a", mode: Some("660") })
    );
    assert_eq!(parsed("unix:@a"), Some(GivenAddress::Unix { path: "@a", mode: None }));
    assert_eq!(parsed("fd:web"), Some(GivenAddress::Inherited("web")));
    for text in ["", "80", "host", "host:http", "host:99999"] {
        assert_eq!(parsed(text), None, "{text}");
    }
}

#[test]
fn a_text_can_break_out_of_no_manifest() {
    let text = "a: \"b\"\n# c\\ %n $HOME\u{2028}\u{7f}ü";
    assert_eq!(quoting::yaml(text), r#""a: \"b\"\U0000000A# c\\ %n $HOME\U00002028\U0000007Fü""#);
    assert!(quoting::compose("$HOME").contains("$$HOME"));
    assert_eq!(quoting::systemd("100 %\n"), r#""100 %%\U0000000a""#);
    assert_eq!(quoting::in_comment("a\nb\u{2028}c"), "a b c");
}
