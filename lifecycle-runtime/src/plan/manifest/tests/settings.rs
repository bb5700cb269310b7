//! Properties of manifests: whatever a program is called and whatever its settings are, its
//! manifests fit it, and are what they seem to be.

use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::plan::manifest::fits::misfits;

/// Generates a time of a setting, up to the longest.
fn time() -> impl Strategy<Value = Duration> {
    let millis = prop_oneof![1_u64..5_000, 1_u64..2_000_000, 1_u64..3_153_600_000_000];
    millis.prop_map(Duration::from_millis)
}

fn address() -> impl Strategy<Value = String> {
    let host =
        prop_oneof!["127\\.0\\.0\\.1", "0\\.0\\.0\\.0", "\\[::\\]", "localhost", "[a-z]{1,9}"];
    let tcp = (host, any::<u16>()).prop_map(|(host, port)| format!("{host}:{port}"));
    prop_oneof![tcp, "unix:/[a-z%\" ]{1,9}", "unix:@[a-z]{1,9}", "fd:[a-z0-9]{1,5}", ".{0,9}"]
}

fn any_program() -> impl Strategy<Value = Program> {
    let servers = vec((vec(address(), 1..4), any::<bool>()), 0..4);
    let times = (of(time()), of(time()), time(), of(time()));
    let names = (".{0,30}", of(".{0,20}"), of(address()));
    (names, servers, times).prop_map(|((name, version, admin), servers, times)| {
        let (grace, drain_delay, startup_timeout, stall_timeout) = times;
        let servers = servers.into_iter().map(|(addresses, is_tls)| ProgramServer {
            addresses,
            is_tls,
            keep_alive: None,
        });
        Program {
            name,
            version,
            servers: servers.collect(),
            admin,
            grace,
            drain_delay,
            startup_timeout,
            stall_timeout,
            variables: Vec::new(),
        }
    })
}

/// Parses YAML.
fn documents(text: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn each_manifest_fits_its_program(program in any_program()) {
        for format in [
            PlanFormat::Kubernetes,
            PlanFormat::Compose,
            PlanFormat::Systemd,
            PlanFormat::Dockerfile,
        ] {
            let manifest = rendered(&program, "start db", format);
            prop_assert_eq!(misfits(&program, &manifest), Vec::<String>::new(), "{}", manifest);
        }
    }

    #[test]
    fn a_manifest_is_what_it_seems_to_be(program in any_program()) {
        let manifest = rendered(&program, "start db", PlanFormat::Kubernetes);
        let parsed = documents(&manifest);
        let kinds: Vec<_> = parsed.iter().map(|document| document["kind"].clone()).collect();
        let inside = InContainer::of(&program);
        let service = (!inside.ports.is_empty()).then_some("Service");
        let expected: Vec<_> = [Some("Deployment"), service, Some("PodDisruptionBudget")]
            .into_iter()
            .flatten()
            .collect();
        prop_assert_eq!(kinds, expected, "{}", manifest);
        let containers = &parsed[0]["spec"]["template"]["spec"]["containers"];
        prop_assert_eq!(containers.as_array().map(Vec::len), Some(1));
        for (name, value) in inside.variables {
            let variable = serde_json::json!({ "name": name, "value": value });
            let env = containers[0]["env"].as_array();
            prop_assert!(env.is_some_and(|env| env.contains(&variable)), "{}", manifest);
        }
        // Each line is one of its parts, and none comes from a name.
        let compose = documents(&rendered(&program, "", PlanFormat::Compose));
        let services = compose[0]["services"].as_object().map(serde_json::Map::len);
        prop_assert_eq!((compose.len(), services), (1, Some(1)));
    }

    #[test]
    fn what_is_no_manifest_is_an_error_and_no_panic(text in ".{0,200}") {
        prop_assert_ne!(misfits(&program(&[]), &text), Vec::<String>::new());
    }
}
