//! Manifest for Kubernetes: a Deployment, a Service and a `PodDisruptionBudget`.

use std::time::Duration;

use super::Program;
use super::addresses::InContainer;
use super::names;
use super::program::whole_seconds;
use super::quoting::{in_comment, yaml};
use crate::process::config::written;

/// Time in seconds between two startup probes.
const STARTUP_PERIOD: u64 = 2;

/// Failures that startup probes have beyond the startup timeout: it is the program that ends a
/// start which takes too long, as it says why.
const MORE_FAILURES: u64 = 5;

/// Longest time in seconds between two liveness probes.
const LIVENESS_PERIOD: u64 = 10;

/// Seconds for which a new pod has to be ready before an old one is stopped: by then the endpoints
/// of all nodes have it.
const MIN_READY: u64 = 5;

/// Seconds after which Kubernetes takes a rollout for one that has failed, by default.
const PROGRESS_DEADLINE: u64 = 600;

pub(super) fn manifest(program: &Program) -> String {
    let inside = InContainer::of(program);
    let label = program.label();
    let mut text = program.heading("kubernetes", program.drain_delay_in_kubernetes());
    text.push_str("# Apply all of it: kubectl apply -f FILE\n");
    for note in &inside.notes {
        text.push_str(&format!("# {}\n", in_comment(note)));
    }
    text.push_str(&deployment(program, &label));
    text.push_str(&pod(program, &label, &inside));
    if !inside.ports.is_empty() {
        text.push_str(&service(&label, &inside));
    }
    text.push_str(&format!(
        r"---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {label}
spec:
  maxUnavailable: 1
  selector:
    matchLabels:
      app.kubernetes.io/name: {label}
"
    ));
    text
}

/// Returns the Deployment down to its pods.
fn deployment(program: &Program, label: &str) -> String {
    let start = program.start_limit().saturating_add(MIN_READY);
    let mut deadline = String::new();
    if start >= PROGRESS_DEADLINE {
        deadline = format!("  progressDeadlineSeconds: {}\n", bounded(start));
    }
    let mut text = format!(
        r"apiVersion: apps/v1
kind: Deployment
metadata:
  name: {label}
  labels:
    app.kubernetes.io/name: {label}
spec:
  replicas: 3
  # The endpoints have a new pod by then, before an old one goes.
  minReadySeconds: {MIN_READY}
{deadline}  strategy:
    rollingUpdate:
      maxUnavailable: 0
      maxSurge: 1
  selector:
    matchLabels:
      app.kubernetes.io/name: {label}
  template:
    metadata:
      labels:
        app.kubernetes.io/name: {label}
"
    );
    if let Some(version) = program.version.as_deref().and_then(names::version) {
        text.push_str(&format!("        app.kubernetes.io/version: {}\n", yaml(&version)));
    }
    text
}

/// Returns the specification of a pod. There is no `preStop` hook: the drain delay does what its
/// sleep is for.
fn pod(program: &Program, label: &str, inside: &InContainer) -> String {
    let grace = written(program.grace_or_default());
    let delay = program.drain_delay_in_kubernetes();
    let mut delayed = String::new();
    if !delay.is_zero() {
        let delay = written(delay);
        delayed = format!(
            r" The drain delay of {delay} is a part of that, and does
      # what a preStop hook would be for."
        );
    }
    let (limit, image) = (program.stop_limit(), program.image());
    let (probes, mut variables) = (probes(program), String::new());
    if !inside.variables.is_empty() {
        variables.push_str("          env:\n");
    }
    for (name, value) in &inside.variables {
        let value = yaml(value);
        variables.push_str(&format!("            - name: {name}\n              value: {value}\n"));
    }
    let ports = inside.ports.iter().map(|port| container_port(&port.name, port.number));
    let ports: String = ports.chain([container_port("admin", inside.admin)]).collect();
    format!(
        r"    spec:
      # More than the grace period of {grace}.{delayed}
      terminationGracePeriodSeconds: {limit}
      # Variables of Services could look like settings of the program.
      enableServiceLinks: false
      securityContext:
        runAsNonRoot: true
        runAsUser: 65532
        runAsGroup: 65532
        seccompProfile:
          type: RuntimeDefault
      containers:
        - name: {label}
          image: {image} # REPLACE
          # The only folder that can be written. REPLACE it by a volume for what has to stay.
          workingDir: /tmp
{variables}          ports:
{ports}{probes}          resources: # REPLACE
            requests:
              cpu: 100m
              memory: 64Mi
            limits:
              memory: 256Mi
          securityContext:
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            capabilities:
              drop:
                - ALL
          volumeMounts:
            - name: tmp
              mountPath: /tmp
      volumes:
        - name: tmp
          emptyDir: {{}}
"
    )
}

fn container_port(name: &str, number: u16) -> String {
    format!("            - name: {name}\n              containerPort: {number}\n")
}

fn probes(program: &Program) -> String {
    let startup = program.startup_timeout;
    let failures = whole_seconds(startup).div_ceil(STARTUP_PERIOD).saturating_add(MORE_FAILURES);
    let startup_probe = probe("startupProbe", "/startupz", STARTUP_PERIOD, bounded(failures));
    let readiness_probe = probe("readinessProbe", "/readyz", 5, 3);
    // A process that is stalled for so long has been asked three times.
    let often = |timeout: Duration| (timeout.as_secs() / 3).clamp(1, LIVENESS_PERIOD);
    let period = program.stall_timeout.map_or(LIVENESS_PERIOD, often);
    let liveness_probe = probe("livenessProbe", "/livez", period, 3);
    let startup = written(startup);
    let stalled = program.stall_timeout.map_or_else(
        || "stall_timeout is off: only liveness checks make it fail".to_owned(),
        |timeout| format!("It fails once the process has been stalled for {}", written(timeout)),
    );
    format!(
        "          # Longer than startup_timeout, {startup}.\n\
         {startup_probe}{readiness_probe}          # {stalled}.\n{liveness_probe}"
    )
}

fn probe(kind: &str, path: &str, period: u64, failures: u64) -> String {
    format!(
        r"          {kind}:
            httpGet:
              path: {path}
              port: admin
            periodSeconds: {period}
            timeoutSeconds: 5
            failureThreshold: {failures}
"
    )
}

/// Returns a number as one that a field of 32 bits takes.
fn bounded(number: u64) -> u64 {
    number.min(u64::from(i32::MAX.unsigned_abs()))
}

/// Returns the Service, without the listener for operators: its probes name requests.
fn service(label: &str, inside: &InContainer) -> String {
    let mut text = format!(
        r"---
apiVersion: v1
kind: Service
metadata:
  name: {label}
spec:
  selector:
    app.kubernetes.io/name: {label}
  ports:
"
    );
    for port in &inside.ports {
        let (name, number) = (&port.name, port.number);
        text.push_str(&format!(
            "    - name: {name}\n      port: {number}\n      targetPort: {name}\n"
        ));
    }
    text
}
