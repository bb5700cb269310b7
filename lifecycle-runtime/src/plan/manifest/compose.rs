//! Manifest for Docker: a file of compose with one service.

use super::Program;
use super::addresses::InContainer;
use super::quoting::{self, in_comment};
use crate::process::config::written;

pub(super) fn manifest(program: &Program) -> String {
    let mut inside = InContainer::of(program);
    // By default it is shorter in a container, as `docker stop` kills after 10 s; here the service
    // has its own limit.
    if program.grace.is_none() {
        let grace = written(program.grace_or_default());
        inside.variables.push(("LIFECYCLE_GRACE".to_owned(), grace));
        inside.variables.sort();
    }
    let mut text = program.heading("compose", program.drain_delay());
    for note in &inside.notes {
        text.push_str(&format!("# {}\n", in_comment(note)));
    }
    let mut variables = String::new();
    if !inside.variables.is_empty() {
        variables.push_str("    environment:\n");
    }
    for (name, value) in &inside.variables {
        variables.push_str(&format!("      {name}: {}\n", quoting::compose(value)));
    }
    let mut ports = String::new();
    if !inside.ports.is_empty() {
        ports.push_str("    ports:\n");
    }
    for port in &inside.ports {
        ports.push_str(&format!("      - \"{0}:{0}\"\n", port.number));
    }
    let (label, image, admin) = (program.label(), program.image(), inside.admin);
    let (stop, start) = (program.stop_limit(), program.start_limit());
    text.push_str(&format!(
        r#"services:
  {label}:
    image: {image} # REPLACE
    build: .
{variables}{ports}    # More than the grace period.
    stop_grace_period: {stop}s
    stop_signal: SIGTERM
    # The image of LIFECYCLE_PLAN=dockerfile has this wget. In Swarm ask /startupz: it replaces what
    # fails its check, and /readyz may fail by what the program needs.
    healthcheck:
      test: ["CMD", "wget", "-q", "-O", "/dev/null", "http://127.0.0.1:{admin}/readyz"]
      interval: 5s
      timeout: 5s
      retries: 3
      start_period: {start}s
    restart: on-failure
    user: "65532:65532"
    read_only: true
    # The only folder that can be written. REPLACE it by a volume for what has to stay.
    working_dir: /tmp
    tmpfs:
      - /tmp
    cap_drop:
      - ALL
    security_opt:
      - no-new-privileges:true
"#
    ));
    text
}
