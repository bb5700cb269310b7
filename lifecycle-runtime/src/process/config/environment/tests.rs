//! Tests of the settings in the environment, and of the page that describes them.

use super::*;

fn check(variables: &[(&str, &str)]) -> Result<Config, String> {
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::default().with(variables).map_err(|error| error.to_string())
}

#[test]
fn the_environment_overrides_the_builder() {
    let config = check(&[
        ("LIFECYCLE_GRACE", "40s"),
        ("LIFECYCLE_BIND", "0.0.0.0:80, unix:/tmp/s"),
        ("PATH", "/bin"),
    ]);
    let config = config.expect("valid");
    assert_eq!(config.grace, Duration::from_secs(40));
    assert_eq!(config.bind, Some(vec!["0.0.0.0:80".to_owned(), "unix:/tmp/s".to_owned()]));
    assert_eq!(config.startup_timeout, Duration::from_secs(60));
}

#[test]
fn every_problem_is_named_with_what_is_valid() {
    let error = check(&[
        ("LIFECYCLE_GRACE", "soon"),
        ("LIFECYCLE_GRACEE", "1s"),
        ("LIFECYCLE_WORKERS", "0"),
    ]);
    let error = error.expect_err("three problems");
    let lines: Vec<_> = error.lines().collect();
    assert_eq!(
        lines[0],
        "LIFECYCLE_GRACE=soon: `soon` is not a duration; expected a duration such as 250ms, 5s or \
         1m30s"
    );
    assert_eq!(
        lines[1],
        "unknown environment variable LIFECYCLE_GRACEE, did you mean LIFECYCLE_GRACE?"
    );
    assert_eq!(
        lines[2],
        "LIFECYCLE_WORKERS=0: nothing would be served; expected a number of threads from 1 to 512"
    );
    assert!(
        lines[3].starts_with("valid names: LIFECYCLE_ADMIN, LIFECYCLE_ADMIN_DETAILS, "),
        "{error}"
    );
}

#[test]
fn the_page_about_settings_has_each_variable_and_its_default() {
    let page = include_str!("../../../../docs/settings.md");
    let rows: Vec<_> = page.lines().filter_map(|line| line.strip_prefix("| `LIFECYCLE_")).collect();
    assert_eq!(rows.len(), VARIABLES.len(), "{rows:#?}");
    let config = Config::default();
    for variable in VARIABLES {
        let name = variable.name.trim_start_matches(PREFIX);
        let row = rows.iter().find(|row| row.split('=').next() == Some(name)).expect(name);
        let default = row.trim_end_matches(" |").rsplit("| ").next().unwrap_or_default();
        let default = default.split(';').next().unwrap_or_default();
        let time = match name {
            "GRACE" => Some(config.grace),
            "STARTUP_TIMEOUT" => Some(config.startup_timeout),
            "DRAIN_DELAY" => Some(config.drain_delay),
            "QUIET_WINDOW" => Some(config.quiet_window),
            _ => None,
        };
        let switch = match name {
            "KEEP_RUNNING" => Some(config.keep_running),
            "STRICT_BUDGET" => Some(config.strict_budget),
            "READY_WHILE_DRAINING" => Some(config.ready_while_draining),
            _ => None,
        };
        if let Some(time) = time {
            // `25 s, inside …`
            let told = default.split(',').next().unwrap_or_default();
            assert_eq!(duration::parse(&told.replace(' ', "")), Ok(time), "{row}");
        }
        if let Some(on) = switch {
            assert_eq!(default, if on { "on" } else { "off" }, "{row}");
        }
        if name == "CONSOLE" {
            assert_eq!((default, config.console), ("auto", ConsoleMode::Auto), "{row}");
        }
        // The example is a value that it takes.
        let example = row.split('`').next().and_then(|row| row.split_once('=')).expect("a value").1;
        assert!((variable.set)(&mut Config::default(), example).is_ok(), "{row}");
    }
}

#[test]
fn documents_name_variables_that_there_are() {
    let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/docs");
    let pages = std::fs::read_dir(docs).expect("a folder");
    let mut paths: Vec<_> = pages.map(|page| page.expect("a page").path()).collect();
    paths.push(concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md").into());
    for path in paths {
        let text = std::fs::read_to_string(&path).expect("a readable file");
        for (at, _) in text.match_indices(PREFIX) {
            let is_part = |c: char| c.is_ascii_uppercase() || c == '_';
            let name: String = text[at..].chars().take_while(|c| is_part(*c)).collect();
            let is_variable = VARIABLES.iter().any(|variable| variable.name == name);
            // All of them, one of the tests, one that Kubernetes sets, and one that is misspelt.
            let others = [PREFIX, "LIFECYCLE_SEED", "LIFECYCLE_SERVICE_HOST", "LIFECYCLE_GRCE"];
            assert!(is_variable || others.contains(&&*name), "{}: {name}", path.display());
        }
    }
}

#[test]
fn the_console_is_on_off_or_decides_itself() {
    let mode = |value| check(&[("LIFECYCLE_CONSOLE", value)]).map(|config| config.console);
    assert_eq!(mode("auto"), Ok(ConsoleMode::Auto));
    assert_eq!((mode("on"), mode("off")), (Ok(ConsoleMode::On), Ok(ConsoleMode::Off)));
    let error = "LIFECYCLE_CONSOLE=yes: `yes` is none of these; expected auto, on or off, and \
                 live, plain, time or json, separated by a comma";
    assert_eq!(mode("yes"), Err(error.to_owned()));
    assert!(mode("on,").is_err() && mode("json on").is_err());
}

#[test]
fn the_form_of_the_lines_leaves_the_choice_of_events_as_it_is() {
    let quiet = Config { console: ConsoleMode::Off, ..Config::default() };
    let set = |value: &str| {
        let variable = ("LIFECYCLE_CONSOLE".to_owned(), value.to_owned());
        let config = quiet.clone().with([variable]).expect("valid");
        (config.console, config.outputs.console)
    };
    assert_eq!(set("live"), (ConsoleMode::Off, ConsoleFormat::Live));
    assert_eq!(set("json"), (ConsoleMode::Off, ConsoleFormat::Json));
    assert_eq!(set("time"), (ConsoleMode::Off, ConsoleFormat::Time));
    assert_eq!(set("on"), (ConsoleMode::On, ConsoleFormat::Live));
    assert_eq!(set("on, json"), (ConsoleMode::On, ConsoleFormat::Json));
    assert_eq!(set("plain,auto"), (ConsoleMode::Auto, ConsoleFormat::Plain));
}

#[test]
fn the_files_of_the_end_are_paths_or_off() {
    let outputs = |variables: &[(&str, &str)]| check(variables).map(|config| config.outputs);
    let files = [("LIFECYCLE_REPORT", "run.json"), ("LIFECYCLE_TERMINATION_LOG", "/tmp/log")];
    let set = OutputSettings {
        report: Some("run.json".into()),
        termination_log: TerminationLog::File("/tmp/log".into()),
        ..OutputSettings::default()
    };
    assert_eq!(outputs(&files), Ok(set));
    let off = [("LIFECYCLE_REPORT", "off"), ("LIFECYCLE_TERMINATION_LOG", "off")];
    let none = OutputSettings { termination_log: TerminationLog::Off, ..OutputSettings::default() };
    assert_eq!(outputs(&off), Ok(none));
    let error = outputs(&[("LIFECYCLE_REPORT", "a\u{fffd}")]).expect_err("not Unicode");
    assert!(error.contains("the path is not Unicode"), "{error}");
}

#[test]
fn outputs_are_set_even_if_other_settings_are_refused() {
    let outputs = |variables: &[(&str, &str)]| {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Config::default().outputs_with(variables.iter().map(owned))
    };
    let variables =
        [("LIFECYCLE_GRACE", "soon"), ("LIFECYCLE_CONSOLE", "json"), ("LIFECYCLE_REPORT", "r")];
    let set = outputs(&variables);
    assert_eq!(set.console, ConsoleFormat::Json);
    // A hook may change the working directory.
    assert_eq!(set.report, Some(std::env::current_dir().expect("a folder").join("r")));
    assert_eq!(outputs(&[("LIFECYCLE_CONSOLE", "json,yes")]).console, ConsoleFormat::Live);
    assert_eq!(outputs(&[("LIFECYCLE_REPORT", " ")]), OutputSettings::default());
}

#[test]
fn no_time_is_too_long_to_be_told() {
    let forever =
        Config { grace: Duration::MAX, startup_timeout: Duration::MAX, ..Config::default() };
    let config =
        forever.with([("LIFECYCLE_DRAIN_TIMEOUT".to_owned(), "5000000000000h".to_owned())]);
    let config = config.expect("valid");
    assert_eq!(
        (config.grace, config.startup_timeout, config.drain_timeout),
        (LONGEST, LONGEST, Some(LONGEST))
    );
}

#[test]
fn malformed_values_are_refused() {
    for (name, value) in [
        ("LIFECYCLE_GRACE", "0s"),
        ("LIFECYCLE_GRACE", "5"),
        ("LIFECYCLE_GRACE", "-1s"),
        ("LIFECYCLE_BIND", "a:1,,b:2"),
        ("LIFECYCLE_CONSOLE", "yes"),
        ("LIFECYCLE_PLAN", "xml"),
        ("LIFECYCLE_WORKERS", "many"),
        ("lifecycle_x", "1"), /* not ours */
    ] {
        let refused = check(&[(name, value)]).is_err();
        assert_eq!(refused, name.starts_with(PREFIX), "{name}={value}");
    }
}

#[test]
fn what_a_test_is_told_is_nothing_to_the_programs_that_it_starts() {
    assert_eq!(check(&[("LIFECYCLE_SEED", "0.2.1")]), Ok(Config::default()));
    assert!(check(&[("LIFECYCLE_SEEDS", "0.2.1")]).is_err());
}

#[test]
fn a_name_is_meant_for_another_only_if_it_is_near() {
    for (name, said) in [
        ("LIFECYCLE_GRCE", "LIFECYCLE_GRCE, did you mean LIFECYCLE_GRACE?"),
        ("LIFECYCLE_WORKER", "LIFECYCLE_WORKER, did you mean LIFECYCLE_WORKERS?"),
        ("LIFECYCLE_TIMEOUT", "LIFECYCLE_TIMEOUT"),
    ] {
        let error = check(&[(name, "1s")]).expect_err("there is none");
        assert_eq!(error.lines().next(), Some(&*format!("unknown environment variable {said}")));
    }
}

#[test]
fn what_is_wrong_with_a_value_is_said_once() {
    let error = check(&[("LIFECYCLE_PLAN", "xml")]).expect_err("no format");
    assert_eq!(
        error,
        "LIFECYCLE_PLAN=xml: unknown format; expected text, snapshot, mermaid, dot, json, \
         kubernetes, compose, systemd or dockerfile"
    );
}

#[test]
fn more_workers_than_a_server_may_have_name_their_variable() {
    assert_eq!(check(&[("LIFECYCLE_WORKERS", "512")]).expect("valid").workers, Some(MAX_WORKERS));
    let error = check(&[("LIFECYCLE_WORKERS", "513")]).expect_err("too many");
    assert_eq!(
        error,
        "LIFECYCLE_WORKERS=513: too many for one server; expected a number of threads from 1 to 512"
    );
}

/// Returns the variables that Kubernetes sets in each container for a Service of this name, and
/// Docker for a link.
fn of_a_service(name: &str) -> Vec<(String, String)> {
    let port = "tcp://10.96.0.7:80";
    let variables = [
        ("SERVICE_HOST", "10.96.0.7"),
        ("SERVICE_PORT", "80"),
        ("SERVICE_PORT_HTTP", "80"),
        ("SERVICE_PORT_WEB_UI", "8080"),
        ("PORT", port),
        ("PORT_80_TCP", port),
        ("PORT_80_TCP_PROTO", "tcp"),
        ("PORT_80_TCP_PORT", "80"),
        ("PORT_80_TCP_ADDR", "10.96.0.7"),
        ("PORT_53_UDP", "udp://10.96.0.7:53"),
        ("PORT_9_SCTP_PROTO", "sctp"),
        ("PORT_8000_TCP_START", port),
        ("PORT_8000_TCP_END", port),
        ("NAME", "/web/lifecycle"),
        ("ENV_LIFECYCLE_GRACE", "10s"),
        ("ENV_path", "/bin"),
    ];
    variables
        .into_iter()
        .map(|(rest, value)| (format!("{name}_{rest}"), value.to_owned()))
        .collect()
}

#[test]
fn what_kubernetes_and_docker_set_for_a_service_is_nothing_to_a_program() {
    // The last has the name of a setting.
    for name in ["LIFECYCLE", "LIFECYCLE_WEB", "LIFECYCLE_SHOP_2_API", "LIFECYCLE_GRACE"] {
        assert_eq!(Config::default().with(of_a_service(name)), Ok(Config::default()), "{name}");
    }
    let port = "tcp://10.96.0.7:80";
    for (name, value) in [
        // A plain number there may be somebody's attempt at a setting.
        ("LIFECYCLE_PORT", "8080"),
        ("LIFECYCLE_ADMIN_PORT", "8080"),
        ("LIFECYCLE_PORTS", port),
        ("LIFECYCLE_PORT_HTTP", "80"),
        ("LIFECYCLE_PORT_80_TCP_HOST", "10.96.0.7"),
        ("LIFECYCLE_PORT_99999_TCP", port),
        ("LIFECYCLE_PORT_80_HTTP", port),
        ("LIFECYCLE_SERVICE_NAME", "lifecycle"),
        ("LIFECYCLE_SERVICE_PORT_", "80"),
        ("LIFECYCLE_WEB", "on"),
        ("LIFECYCLE_NAME", "shop"),
        ("LIFECYCLE_ENV", "production"),
        ("LIFECYCLE_ENV_", "production"),
        ("LIFECYCLEX_SERVICE_HOSTS", "on"),
    ] {
        let is_refused = check(&[(name, value)]).is_err();
        assert_eq!(is_refused, name.starts_with(PREFIX), "{name}={value}");
    }
}

#[test]
fn no_setting_looks_like_the_variable_of_a_service() {
    for variable in VARIABLES {
        for value in ["x", "1", "/x", "tcp://10.96.0.7:80"] {
            assert!(!is_of_a_service(variable.name, value), "{}={value}", variable.name);
        }
    }
}

#[test]
fn an_empty_variable_is_as_good_as_none() {
    for value in ["", " "] {
        let variables: Vec<_> = VARIABLES.iter().map(|variable| (variable.name, value)).collect();
        assert_eq!(check(&variables), Ok(Config::default()));
    }
}

#[test]
fn the_time_that_idle_connections_are_kept_is_one_or_off() {
    let kept = |value| check(&[("LIFECYCLE_KEEP_ALIVE", value)]).map(|config| config.keep_alive);
    assert_eq!(kept("620s"), Ok(Some(Duration::from_secs(620))));
    assert_eq!(kept("off"), Ok(Some(Duration::ZERO)));
    let error = kept("on").expect_err("neither");
    assert!(error.ends_with("expected off or a duration such as 250ms, 5s or 1m30s"), "{error}");
}

#[test]
fn a_run_without_any_time_is_refused_unless_the_environment_gives_it_some() {
    let none =
        Config { grace: Duration::ZERO, startup_timeout: Duration::ZERO, ..Config::default() };
    let error = none.clone().with([]).expect_err("no time").to_string();
    assert!(error.contains("`grace` is 0") && error.contains("`startup_timeout` is 0"), "{error}");
    let environment = ["LIFECYCLE_GRACE", "LIFECYCLE_STARTUP_TIMEOUT"]
        .map(|name| (name.to_owned(), "1s".to_owned()));
    assert!(none.with(environment).is_ok());
}

#[test]
fn host_names_are_taken_as_clients_write_them() {
    let hosts = |value| check(&[("LIFECYCLE_ADMIN_HOSTS", value)]).map(|config| config.admin_hosts);
    assert_eq!(hosts("Admin.internal, b-2"), Ok(vec!["admin.internal".into(), "b-2".into()]));
    for (value, reason) in [("a,,b", "a name is empty"), ("http://a", "`http://a` is no host name")]
    {
        let error = hosts(value).expect_err("no name");
        let expected = "expected host names such as admin.internal, separated by commas";
        assert!(error.contains(reason) && error.ends_with(expected), "{error}");
    }
    let own = Config { admin_hosts: vec!["Admin.Internal".to_owned()], ..Config::default() };
    assert_eq!(own.with([]).expect("valid").admin_hosts, ["admin.internal"]);
    let own = Config { admin_hosts: vec!["a:80".to_owned()], ..Config::default() };
    let error = own.with([]).expect_err("no name").to_string();
    assert!(error.starts_with("`admin_hosts`: `a:80` is no host name; expected "), "{error}");
}

#[test]
fn each_setting_has_a_value_and_an_origin() {
    // The plan is printed instead of a run, and the others belong to a server.
    let others = ["plan", "bind", "workers", "keep_alive"];
    let settings = Config::default().in_force();
    for variable in VARIABLES {
        let name = variable.setting();
        assert_eq!(settings.contains_key(&*name), !others.contains(&&*name), "{name}");
    }
    assert!(settings.values().all(|setting| setting.from == SettingOrigin::Default));
    let mut config = check(&[("LIFECYCLE_GRACE", "40s")]).expect("valid");
    config.origins.note("console", SettingOrigin::Builder);
    config.adapt_to(crate::process::config::Platform::Kubernetes, true);
    let settings = config.in_force();
    let of = |name: &str| (settings[name].value.clone(), settings[name].from);
    assert_eq!(of("grace"), (40_000.0.into(), SettingOrigin::Environment));
    assert_eq!(of("drain_delay"), (5_000.0.into(), SettingOrigin::Platform));
    assert_eq!(of("console"), ("auto".into(), SettingOrigin::Builder));
    assert_eq!(of("drain_timeout"), (serde_json::Value::Null, SettingOrigin::Default));
    assert_eq!(config.origin_for_server("workers", true), SettingOrigin::Builder);
    assert_eq!(config.origin_for_server("workers", false), SettingOrigin::Default);
    let config = check(&[("LIFECYCLE_WORKERS", "2")]).expect("valid");
    assert_eq!(config.origin_for_server("workers", true), SettingOrigin::Environment);
}
