//! Manifests that programs print, as the tools read them that deploy by them. A tool that isn't
//! there is a test that is skipped.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use lifecycle_tests::skipped;
use serde_json::Value;
use tempfile::TempDir;

use crate::harness::{Signal, Start, program};
use crate::http::Connection;

/// Versions of Kubernetes whose schemas a manifest has to match.
const KUBERNETES: [&str; 3] = ["1.27", "1.32", "1.37"];

/// Folder with the manifests of several programs in one format: one with a name, a version and a
/// signal hook, several servers of which one has TLS, a Unix socket, a long grace period, and no
/// server.
struct Manifests {
    folder: TempDir,
    paths: Vec<PathBuf>,
}

impl Manifests {
    fn of(format: &str, file: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let certificate = folder.path().join("certificate.pem");
        let servers = format!("certificate={}", certificate.display());
        let programs: [Start; 5] = [
            program!("admin"),
            program!("servers").args(&servers),
            program!("service").env("LIFECYCLE_BIND", "unix:/run/service.sock,127.0.0.1:80"),
            program!("service").env("LIFECYCLE_GRACE", "10m"),
            program!("service").args("no-http"),
        ];
        let mut paths = Vec::new();
        for (number, start) in programs.into_iter().enumerate() {
            let folder = folder.path().join(number.to_string());
            fs::create_dir(&folder).expect("a folder");
            let ended = start.env("LIFECYCLE_PLAN", format).end();
            ended.expect_code(0).expect_not_said(&["listening"]);
            let path = folder.join(file);
            fs::write(&path, ended.did().join("\n") + "\n").expect("a file");
            paths.push(path);
        }
        Self { folder, paths }
    }
}

/// Runs a tool. Returns `None`, and says so, if it isn't installed.
#[track_caller]
fn run(tool: &str, args: &[&str], folder: &Path) -> Option<Output> {
    match Command::new(tool).args(args).current_dir(folder).output() {
        Ok(output) => Some(output),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            skipped(&format!("{tool} is not installed"));
            None
        }
        Err(error) => panic!("{tool}: {error}"),
    }
}

#[track_caller]
fn expect_success(output: &Output, path: &Path) -> String {
    let said = [&output.stdout[..], &output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    let manifest = fs::read_to_string(path).expect("a manifest");
    assert!(output.status.success(), "{}\n{said}\n{manifest}", output.status);
    said
}

#[test]
fn a_manifest_has_what_the_program_knows_of_itself() {
    let printed = |format: &str| {
        let start = program!("admin").without_env("LIFECYCLE_GRACE").env("LIFECYCLE_PLAN", format);
        let ended = start.end();
        ended.expect_code(0).expect_not_said(&["listening", "start"]);
        ended.did().join("\n") + "\n"
    };
    for (format, parts) in [
        ("kubernetes", &["image: registry.example/shop:1.2.3 #", "containerPort: 8080"]),
        ("compose", &["LIFECYCLE_GRACE: \"25s\"\n", "stop_grace_period: 30s\n"]),
        ("systemd", &["ListenStream=127.0.0.1:8080\n", "TimeoutStopSec=30\n"]),
        ("dockerfile", &["EXPOSE 8080\n", "ENTRYPOINT [\"/usr/local/bin/shop\"]\n"]),
    ] {
        let manifest = printed(format);
        let first = format!("shop 1.2.3, by LIFECYCLE_PLAN={format}. ");
        assert!(manifest.contains(&first), "{manifest}");
        for part in parts {
            assert!(manifest.contains(part), "no `{part}` in\n{manifest}");
        }
    }
}

#[test]
fn what_is_set_where_a_manifest_is_made_is_set_by_it() {
    let start = program!("admin").env("LIFECYCLE_GRACE", "40s").env("LIFECYCLE_PLAN", "kubernetes");
    let manifest = start.env("LIFECYCLE_STALL_TIMEOUT", " 9s ").end().did().join("\n");
    for part in [
        "terminationGracePeriodSeconds: 45\n",
        "- name: LIFECYCLE_GRACE\n              value: \"40s\"\n",
        "- name: LIFECYCLE_STALL_TIMEOUT\n              value: \"9s\"\n",
    ] {
        assert!(manifest.contains(part), "no `{part}` in\n{manifest}");
    }
    assert!(!manifest.contains("LIFECYCLE_PLAN\n"), "{manifest}");
}

/// Returns the variables of the container of a manifest for Kubernetes.
fn variables_of(manifest: &str) -> Vec<(&str, &str)> {
    let entries = manifest.split("            - name: LIFECYCLE_").skip(1);
    let variable = |entry| {
        let (name, rest): (&str, &str) = str::split_once(entry, '\n').expect("a name");
        (name, rest.split('"').nth(1).expect("a value in quotes"))
    };
    entries.map(variable).collect()
}

/// Starts a program with the variables of its manifest, as if in a pod. Only its addresses are
/// others, as they have to be free.
#[test]
fn a_program_in_a_pod_has_the_settings_that_its_manifest_names() {
    let start = || program!("admin").without_env("LIFECYCLE_GRACE");
    let printing = start().env("LIFECYCLE_PLAN", "kubernetes");
    let ended = printing.env("LIFECYCLE_STALL_TIMEOUT", "20s").end();
    let manifest = ended.did().join("\n");
    let named = "drain_delay 5s, startup_timeout 1m, stall_timeout 20s, keep_alive 1m15s.";
    assert!(manifest.lines().any(|line| line.ends_with(named)), "{manifest}");
    let start = variables_of(&manifest)
        .into_iter()
        .fold(start(), |start, (name, value)| start.env(&format!("LIFECYCLE_{name}"), value));
    let start = start.env("KUBERNETES_SERVICE_HOST", "10.0.0.1");
    let start = start.env("LIFECYCLE_BIND", "127.0.0.1:0").env("LIFECYCLE_ADMIN", "127.0.0.1:0");
    let mut program = start.start().ready();
    let line = program.wait_for("probes on http://");
    let address = line.rsplit('/').next().expect("a URL");
    let mut connection = Connection::to(address).expect("it listens");
    let request = format!("GET /info HTTP/1.1\r\nhost: {address}\r\n\r\n");
    connection.write(request.as_bytes()).expect("it listens");
    let info = connection.response().expect("a response").body;
    let info: Value = serde_json::from_str(&info).expect("JSON");
    for (setting, millis) in [
        ("grace", 25_000.0),
        ("drain_delay", 5_000.0),
        ("startup_timeout", 60_000.0),
        ("stall_timeout", 20_000.0),
    ] {
        assert_eq!(info["settings"][setting]["value"], millis, "{setting}: {info}");
    }
    assert_eq!(info["servers"][0]["keep_alive"]["value"], 75_000.0, "{info}");
    // A second signal waits for no delay.
    program.signal(Signal::SIGTERM);
    program.signal(Signal::SIGTERM);
    program.end();
}

#[test]
fn the_schemas_of_kubernetes_take_the_manifest() {
    let manifests = Manifests::of("kubernetes", "manifest.yaml");
    for path in &manifests.paths {
        for version in KUBERNETES {
            let file = path.to_str().expect("a path");
            let args = ["--strict", "--kubernetes-version", version, file];
            let Some(output) = run("kubernetes-validate", &args, manifests.folder.path()) else {
                return;
            };
            expect_success(&output, path);
        }
    }
}

/// Has `kubectl` read a Deployment into its type and write it again, without a cluster. A field
/// that the type doesn't have would get lost.
#[test]
fn kubectl_knows_each_field_of_the_deployment() {
    let manifests = Manifests::of("kubernetes", "manifest.yaml");
    for path in &manifests.paths {
        let folder = path.parent().expect("a folder");
        let text = fs::read_to_string(path).expect("a manifest");
        let deployment = text.split("\n---\n").next().expect("a document");
        fs::write(folder.join("deployment.yaml"), deployment).expect("a file");
        let args = ["set", "env", "--local", "-f", "deployment.yaml", "CHECKED=yes", "-o", "json"];
        let Some(output) = run("kubectl", &args, folder) else { return };
        let typed = expect_success(&output, path);
        let lines = deployment.lines().map(|line| line.trim_start_matches([' ', '-']));
        let entries = lines.filter(|line| !line.starts_with('#'));
        for (field, _) in entries.filter_map(|line| line.split_once(':')) {
            assert!(typed.contains(&format!("\"{field}\"")), "{field} is lost: {typed}");
        }
    }
}

/// Has the loader of `docker stack` read the file, which takes the same files as Swarm, and that of
/// `docker compose` where it is installed. Neither needs an engine.
#[test]
fn docker_takes_the_file_of_compose() {
    let manifests = Manifests::of("compose", "compose.yaml");
    let stack = &["stack", "config", "--compose-file", "compose.yaml"][..];
    let compose = &["compose", "--file", "compose.yaml", "config"][..];
    for path in &manifests.paths {
        let folder = path.parent().expect("a folder");
        let Some(output) = run("docker", stack, folder) else { return };
        let said = expect_success(&output, path);
        assert!(said.contains("stop_grace_period: "), "{said}");
        let version = run("docker", &["compose", "version"], folder).expect("it is there");
        if version.status.success() {
            expect_success(&run("docker", compose, folder).expect("it is there"), path);
        }
    }
}

#[test]
fn systemd_takes_the_units() {
    let manifests = Manifests::of("systemd", "units");
    for path in &manifests.paths {
        let folder = path.parent().expect("a folder");
        let text = fs::read_to_string(path).expect("units");
        let mut units = Vec::new();
        for unit in text.split("# file: ").skip(1) {
            let (name, unit) = unit.split_once('\n').expect("a unit");
            // The program isn't installed, and systemd looks for it.
            let is_exec = |line: &&str| line.starts_with("ExecStart=");
            let program = unit.lines().find(is_exec).unwrap_or("ExecStart=/bin/true");
            fs::write(folder.join(name), unit.replace(program, "ExecStart=/bin/true"))
                .expect("a file");
            units.push(format!("./{name}"));
        }
        assert!(units.iter().any(|name| name.ends_with(".service")), "{text}");
        let mut args = vec!["verify", "--man=no"];
        args.extend(units.iter().map(String::as_str));
        let Some(output) = run("systemd-analyze", &args, folder) else { return };
        let said = expect_success(&output, path);
        // It warns of what it doesn't know, and succeeds.
        let is_about_units = |line: &&str| units.iter().any(|unit| line.contains(&unit[2..]));
        let warnings: Vec<_> = said.lines().filter(is_about_units).collect();
        assert!(warnings.is_empty(), "{warnings:#?}\n{text}");
    }
}

#[test]
fn hadolint_takes_the_dockerfile() {
    let manifests = Manifests::of("dockerfile", "Dockerfile");
    for path in &manifests.paths {
        let args = ["--failure-threshold", "error", "Dockerfile"];
        let Some(output) = run("hadolint", &args, path.parent().expect("a folder")) else { return };
        expect_success(&output, path);
    }
}
