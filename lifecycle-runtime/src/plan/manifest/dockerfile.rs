//! Dockerfile of a program: a step that builds it, and an image with the program alone.

use super::Program;
use super::addresses::InContainer;
use super::names;
use super::quoting::in_comment;

pub(super) fn manifest(program: &Program) -> String {
    let inside = InContainer::of(program);
    let mut text = program.heading("dockerfile", program.drain_delay());
    for note in &inside.notes {
        text.push_str(&format!("# {}\n", in_comment(note)));
    }
    let is_address = |name: &str| matches!(name, "LIFECYCLE_BIND" | "LIFECYCLE_ADMIN");
    let mut lines = String::new();
    for (name, value) in inside.variables.iter().filter(|(name, _)| is_address(name)) {
        lines.push_str(&format!("ENV {name}={value}\n"));
    }
    for port in &inside.ports {
        lines.push_str(&format!("EXPOSE {}\n", port.number));
    }
    let file = names::file(&program.name);
    text.push_str(&format!(
        r#"# What the build doesn't need stands in .dockerignore: target, .git, files with secrets.

ARG RUST=1
FROM rust:${{RUST}}-alpine AS build
RUN apk add --no-cache musl-dev
WORKDIR /src
COPY . .
# The mounts keep what was built of the dependencies for the next build.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --bin {file} && \
    cp target/release/{file} /usr/local/bin/{file}

# The program is static. Without a health check by wget, and if it needs no certificates of
# authorities, `FROM scratch` has all of it.
FROM alpine:3
COPY --from=build /usr/local/bin/{file} /usr/local/bin/{file}
# A number: of a name, Kubernetes could not tell that it isn't root.
USER 65532:65532
{lines}STOPSIGNAL SIGTERM
# This form makes the program process 1, which gets the signal. A shell would not pass it on.
ENTRYPOINT ["/usr/local/bin/{file}"]
"#
    ));
    text
}
