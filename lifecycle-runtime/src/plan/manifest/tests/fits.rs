//! Manifests of users, and what doesn't fit in them.

use super::*;
use crate::plan::manifest::fits::misfits;

/// Returns a Deployment with these lines in its pod and in its only container.
fn deployment(pod: &str, container: &str) -> String {
    let lines = |text: &str, indentation: usize| {
        let line = |line: &str| format!("{}{line}\n", " ".repeat(indentation));
        text.lines().map(line).collect::<String>()
    };
    format!(
        r"apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  template:
    spec:
{}      containers:
        - name: web
          image: registry.example/web:1
{}",
        lines(pod, 6),
        lines(container, 10)
    )
}

/// Checks what doesn't fit the program with its default settings.
#[track_caller]
fn check(manifest: &str, expected: &[&str]) {
    check_with(&program(&[&["0.0.0.0:8080"]]), manifest, expected);
}

/// Checks what doesn't fit a program: as many texts, each with the expected part.
#[track_caller]
fn check_with(program: &Program, manifest: &str, expected: &[&str]) {
    let found = misfits(program, manifest);
    assert_eq!(found.len(), expected.len(), "{found:#?}\n{manifest}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.contains(expected), "no `{expected}` in\n{found}\n{manifest}");
    }
}

#[test]
fn a_pod_has_a_second_more_than_the_grace_period() {
    let limit = |seconds| deployment(&format!("terminationGracePeriodSeconds: {seconds}"), "");
    check(&limit(26), &[]);
    check(
        &limit(25),
        &["Deployment `web`, container `web`: terminationGracePeriodSeconds is 25, and the \
             program needs 26 s: its grace period of 25 s, and a second; raise it, or lower \
             `grace` or LIFECYCLE_GRACE"],
    );
    // The default is 30 s.
    check(&deployment("", ""), &[]);
    let mut slow = program(&[]);
    slow.grace = Some(40 * SECOND);
    let expected = "terminationGracePeriodSeconds is 30 by default, and the program needs 41 s";
    check_with(&slow, &deployment("", ""), &[expected]);
    check_with(&slow, &limit(41), &[]);
}

#[test]
fn a_variable_in_the_manifest_is_a_setting_of_that_program() {
    let grace = "env:\n  - name: LIFECYCLE_GRACE\n    value: 40s";
    check(&deployment("", grace), &["the program needs 41 s: its grace period of 40 s"]);
    check(&deployment("terminationGracePeriodSeconds: 45", grace), &[]);
    // Its value is known to the cluster alone.
    let from = "valueFrom: {secretKeyRef: {name: a, key: b}}";
    let secret = format!("env:\n  - name: LIFECYCLE_GRACE\n    {from}");
    check(&deployment("", &secret), &[]);
    let wrong = "env:\n  - name: LIFECYCLE_GRACEE\n    value: 40s";
    check(&deployment("", wrong), &["LIFECYCLE_GRACEE, did you mean LIFECYCLE_GRACE?"]);
    let bind = "env:\n  - name: LIFECYCLE_BIND\n    value: 0.0.0.0:80";
    let several = program(&[&["0.0.0.0:8080"], &["0.0.0.0:8081"]]);
    let expected = "container `web`: LIFECYCLE_BIND is for programs with one HTTP server";
    check_with(&several, &deployment("", bind), &[expected]);
}

#[test]
fn a_startup_probe_outlasts_the_startup_timeout() {
    let probe =
        |more: &str| format!("startupProbe:\n  httpGet: {{path: /startupz, port: 9000}}{more}");
    check(&deployment("", &probe("\n  periodSeconds: 2\n  failureThreshold: 31")), &[]);
    check(
        &deployment("", &probe("\n  periodSeconds: 2\n  failureThreshold: 30")),
        &["startupProbe gives up after 60 s (periodSeconds 2 × failureThreshold 30), and the \
           start may take 1 min 0 s; raise it, or lower `startup_timeout` or \
           LIFECYCLE_STARTUP_TIMEOUT"],
    );
    // By default it gives up after three failures, 10 s apart.
    check(&deployment("", &probe("")), &["startupProbe gives up after 30 s"]);
    let late = probe("\n  initialDelaySeconds: 31");
    check(&deployment("", &late), &[]);
    let quick = "\nenv:\n  - {name: LIFECYCLE_STARTUP_TIMEOUT, value: 20s}";
    check(&deployment("", &probe(quick)), &[]);
}

#[test]
fn a_pre_stop_hook_uses_time_of_the_stop_up() {
    let hook = |hook: &str| format!("lifecycle:\n  preStop:\n    {hook}");
    for (hook, seconds) in [
        (hook("sleep: {seconds: 5}"), "5 s"),
        (hook("exec: {command: [sleep, '15']}"), "15 s"),
        (hook("exec: {command: [/bin/sh, -c, 'sleep 10; true']}"), "10 s"),
    ] {
        let uses = format!(
            "terminationGracePeriodSeconds is 30 by default, of which a preStop hook uses \
             {seconds}, and the program needs 26 s"
        );
        check(&deployment("", &hook), &[&uses]);
        check(&deployment("terminationGracePeriodSeconds: 41", &hook), &[]);
    }
    check(&deployment("", &hook("httpGet: {path: /, port: 80}")), &[]);
    check(&deployment("", &hook("exec: {command: [sleep, '4']}")), &[]);
}

#[test]
fn pods_are_found_wherever_they_are() {
    let short = "terminationGracePeriodSeconds: 5\ncontainers: [{name: web}]";
    let indented = |by: usize| {
        short.lines().map(|line| format!("{}{line}\n", " ".repeat(by))).collect::<String>()
    };
    let pod = format!("kind: Pod\nmetadata: {{name: web}}\nspec:\n{}", indented(2));
    let set = format!("kind: StatefulSet\nspec:\n  template:\n    spec:\n{}", indented(6));
    let job = format!(
        "kind: CronJob\nspec:\n  jobTemplate:\n    spec:\n      template:\n        spec:\n{}",
        indented(10)
    );
    check(&pod, &["Pod `web`, container `web`: "]);
    check(&set, &["StatefulSet `?`, container `web`: "]);
    check(&job, &["CronJob `?`, container `web`: "]);
    let service = "kind: Service\nmetadata: {name: web}\nspec: {ports: [{port: 80}]}";
    check(&format!("{service}\n---\n{pod}---\n# nothing\n---\n{set}"), &["Pod", "StatefulSet"]);
    let list = r#"{"kind":"List","items":[{"kind":"Pod","spec":{"containers":[{"name":"a"}]}}]}"#;
    check(list, &[]);
}

#[test]
fn of_several_containers_those_of_the_program_count() {
    let pod = |names: &[&str], more: &str| {
        let containers = names.iter().map(|name| format!("    - name: {name}\n{more}"));
        let containers: String = containers.collect();
        format!("kind: Pod\nspec:\n  terminationGracePeriodSeconds: 5\n  containers:\n{containers}")
    };
    check(&pod(&["proxy", "shop"], ""), &["container `shop`: "]);
    check(
        &pod(&["proxy", "web"], ""),
        &["Pod `?`: which container is this program: proxy, web? name it `shop`, or give it a \
           variable of the program"],
    );
    let probe = "      livenessProbe: {httpGet: {path: /livez, port: admin}}\n";
    check(&pod(&["web", "jobs"], probe), &["container `web`: ", "container `jobs`: "]);
}

#[test]
fn a_service_of_compose_has_a_second_more_than_the_grace_period() {
    let service = |lines: &str| format!("services:\n  web:\n    image: web:1\n{lines}");
    // 9 s of the 10 s of Docker.
    check(&service(""), &[]);
    check(&service("    stop_grace_period: 9s\n"), &["stop_grace_period is 9s, and the program"]);
    let mut slow = program(&[]);
    slow.grace = Some(25 * SECOND);
    let expected = "service `web`: stop_grace_period is 10s by default, and the program needs 26 s";
    check_with(&slow, &service(""), &[expected]);
    check_with(&slow, &service("    stop_grace_period: 1m30s\n"), &[]);
    check_with(&slow, &service("    stop_grace_period: ${STOP}\n"), &[]);
    check_with(&slow, &service("    stop_grace_period: 30\n"), &["stop_grace_period: 30 is no"]);
    check_with(&slow, &service("    stop_grace_period: soon\n"), &["`soon` is no duration"]);
    for variables in ["      LIFECYCLE_GRACE: 20s\n", "      - LIFECYCLE_GRACE=20s\n"] {
        let service = service(&format!("    environment:\n{variables}"));
        check(&service, &["its grace period of 20 s"]);
    }
    check(&service("    stop_signal: SIGKILL\n"), &["stop_signal is SIGKILL, which begins no"]);
    let several = "services:\n  db: {image: a}\n  shop: {image: b, stop_grace_period: 1s}";
    check(several, &["service `shop`: stop_grace_period is 1s"]);
    check("services:\n  db: {image: a}\n  web: {image: b}", &["which service is this program: "]);
}

#[test]
fn a_unit_has_a_second_more_than_the_grace_period() {
    let unit = |lines: &str| format!("# a unit\n[Unit]\nAfter=a.target\n\n[Service]\n{lines}\n");
    check(&unit("ExecStart=/bin/shop"), &[]);
    check(
        &unit("TimeoutStopSec=5"),
        &["TimeoutStopSec is 5, and the program needs 26 s: its grace period of 25 s, and a \
           second"],
    );
    for fits in ["TimeoutStopSec=infinity", "TimeoutSec=1min", "TimeoutStopSec=5\nTimeoutStopSec=0"]
    {
        check(&unit(fits), &[]);
    }
    check(&unit("TimeoutStopSec=1min 30s\nTimeoutSec=2s500ms"), &["TimeoutSec is 2s500ms"]);
    let mut slow = program(&[]);
    slow.grace = Some(120 * SECOND);
    let expected = "TimeoutStopSec is 90 by default, and the program needs 2 min 1 s";
    check_with(&slow, &unit(""), &[expected]);
    let grace = "Environment=A=1 \\\n  \"LIFECYCLE_GRACE=100s\"";
    check(&unit(grace), &["its grace period of 1 min 40 s"]);
    check(&unit(&format!("{grace}\nEnvironment=")), &[]);
    // Only such a unit waits for the start.
    check(&unit("TimeoutStartSec=10"), &[]);
    check(
        &unit("Type=notify\nTimeoutStartSec=10"),
        &["TimeoutStartSec is 10, and the start may take 1 min 0 s"],
    );
}

#[test]
fn the_program_is_process_1_of_its_image_and_gets_a_signal_that_stops() {
    let image = |lines: &str| format!("# syntax=docker/dockerfile:1\nFROM scratch\n{lines}\n");
    check(&image("ENTRYPOINT [\"/shop\"]\nSTOPSIGNAL SIGINT"), &[]);
    check(&image("CMD [\"/shop\"]"), &[]);
    check(&image("ENTRYPOINT exec /shop"), &[]);
    check(
        &image("ENTRYPOINT /shop \\\n  # its port\n  --port 80"),
        &["ENTRYPOINT /shop --port 80: process 1 is a shell, which passes no signal on; write"],
    );
    check(&image("entrypoint [\"/shop\"]\nCMD --port 80"), &[]);
    check(&image("CMD /shop"), &["CMD /shop: process 1 is a shell"]);
    // Only the last base is that of the image.
    check(&format!("FROM rust AS build\nCMD /a\n{}", image("CMD [\"/shop\"]")), &[]);
    check(&image("STOPSIGNAL SIGKILL"), &["STOPSIGNAL is SIGKILL, which begins no stop"]);
    check(&image("ENV A=1 LIFECYCLE_GRACE=\"40s\""), &[]);
    check(&image("ENV LIFECYCLE_GRACE soon"), &["ENV: LIFECYCLE_GRACE=soon: `soon` is not a"]);
    check(&image("ENV LIFECYCLE_GRACE=$GRACE"), &[]);
    check(&image("ENV A=\"1"), &["a quote is open"]);
}

#[test]
fn what_is_no_manifest_is_told_with_its_line() {
    check("kind: Pod\nspec:\n  containers: [\n", &["this is no manifest: "]);
    let found = misfits(&program(&[]), "kind: Pod\nspec: {a: b: c}\n");
    assert!(found[0].contains("line 2"), "{found:?}");
    check("name: web\nport: 80\n", &["neither `kind`, as one for Kubernetes, nor `services`"]);
    check("", &["nothing in it has containers"]);
    check("kind: Service\nspec: {}\n", &["nothing in it has containers"]);
    check("services: [web]\n", &["`services` has no names with services"]);
    check("[Unit]\nDescription=x\nnonsense\n", &["this is no unit: line 3: `nonsense`"]);
    check("[Socket]\nListenStream=80\n", &["this unit has no section [Service]"]);
    check("[Service]\nEnvironment=\"A=1\n", &["a quote is open"]);
    check("[Service]\nTimeoutStopSec=soon\n", &["TimeoutStopSec: `soon` is no duration"]);
    let grace = "terminationGracePeriodSeconds: soon";
    check(&deployment(grace, ""), &["terminationGracePeriodSeconds: \"soon\" is no number"]);
}

#[test]
#[should_panic(expected = "terminationGracePeriodSeconds is 5, and the program needs 26 s")]
fn a_plan_that_does_not_fit_panics() {
    let plan = plan("start db").expect("valid").of(program(&[]));
    plan.assert_fits(&deployment("terminationGracePeriodSeconds: 5", ""));
}

/// Checks the files that the page about deploying shows.
#[test]
fn the_manifests_of_the_documentation_fit() {
    let page = include_str!("../../../../docs/deploying.md");
    let blocks = page.split("\n```");
    let has_limit = |block: &&str| {
        let limits = ["terminationGracePeriodSeconds:", "stop_grace_period:", "TimeoutStopSec="];
        limits.iter().any(|limit| block.contains(limit))
    };
    let languages = ["yaml\n", "ini\n"];
    let manifests: Vec<_> = blocks
        .filter_map(|block| languages.iter().find_map(|language| block.strip_prefix(*language)))
        .filter(has_limit)
        .collect();
    assert!(manifests.len() >= 3, "{manifests:?}");
    let mut program = program(&[&["127.0.0.1:8080"]]);
    program.name = "my-service".to_owned();
    for manifest in manifests {
        check_with(&program, manifest, &[]);
    }
    let example = page.split("let manifest = \"").nth(1).and_then(|rest| rest.split("\";").next());
    let short = example.expect("an example").replace("Seconds: 45", "Seconds: 30");
    program.grace = Some(40 * SECOND);
    let message = misfits(&program, &short).join("\n");
    assert!(page.contains(&format!("```text\n{message}\n```")), "{message}");
}
