//! Units of systemd: a service, and a socket for the addresses of its server.

use std::net::{IpAddr, SocketAddr};

use super::addresses::{GivenAddress, SERVER_PORT};
use super::program::whole_seconds;
use super::quoting::{in_comment, systemd};
use super::{Program, ProgramServer, names};

/// Shortest time in seconds that a watchdog has, so that a busy machine is not taken for a program
/// that hangs.
const SHORTEST_WATCHDOG: u64 = 10;

/// Time in seconds that a watchdog has if `stall_timeout` is off.
const WATCHDOG: u64 = 30;

/// Last port for which a process needs a right.
const LAST_PRIVILEGED: u16 = 1023;

/// Protection that asks nothing of a program but to write where systemd gives it a folder. Netlink
/// is for the table of handshakes that a stop waits for.
const HARDENING: &str = "\
DynamicUser=yes
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM
";

/// Socket unit whose listeners the program takes by a name.
struct SocketUnit {
    /// Name of its listeners: `FileDescriptorName`.
    name: String,
    /// Lines of the section.
    lines: Vec<String>,
}

/// Returns the units one after the other, each behind a comment with the name of its file.
/// `reloads` is set if a hook is for SIGHUP.
pub(super) fn manifest(program: &Program, reloads: bool) -> String {
    let sockets = sockets(program);
    let label = program.label();
    let mut text = service(program, &label, &sockets, reloads);
    for (number, SocketUnit { name, lines }) in sockets.iter().enumerate() {
        let (file, lines) = (file(&label, number), lines.join("\n"));
        text.push_str(&format!(
            r"
# file: {file}
[Unit]
Description=Listeners of {label}

[Socket]
{lines}
FileDescriptorName={name}
Service={label}.service

[Install]
WantedBy=sockets.target
"
        ));
    }
    text
}

/// Returns the name of a socket unit: that of the program for the first.
fn file(label: &str, number: usize) -> String {
    if number == 0 { format!("{label}.socket") } else { format!("{label}-{}.socket", number + 1) }
}

fn service(program: &Program, label: &str, sockets: &[SocketUnit], reloads: bool) -> String {
    let heading = program.heading("systemd", program.drain_delay());
    let requires = (0..sockets.len()).map(|number| format!("Requires={}\n", file(label, number)));
    let requires: String = requires.collect();
    let path = names::file(&program.name);
    let reload = if reloads { "ExecReload=kill -HUP $MAINPID\n" } else { "" };
    let variables = variables(program, sockets).into_iter();
    let line = |(name, value): (String, String)| {
        format!("Environment={}\n", systemd(&format!("{name}={value}")))
    };
    let variables: String = variables.map(line).collect();
    let (start, stop) = (program.start_limit(), program.stop_limit());
    let watchdog = program.stall_timeout.map_or(WATCHDOG, whole_seconds).max(SHORTEST_WATCHDOG);
    let capabilities = if binds_privileged_port(program) {
        "AmbientCapabilities=CAP_NET_BIND_SERVICE"
    } else {
        "CapabilityBoundingSet="
    };
    format!(
        r"# file: {label}.service
{heading}[Unit]
Description={label}
After=network.target
{requires}
[Service]
Type=notify
NotifyAccess=main
# REPLACE the path.
ExecStart=/usr/local/bin/{path}
{reload}{variables}# More than startup_timeout and the grace period.
TimeoutStartSec={start}
TimeoutStopSec={stop}
# The program is silent once /livez fails.
WatchdogSec={watchdog}
Restart=on-failure
RestartSec=1
# A mistake in the configuration, which no restart mends.
RestartPreventExitStatus=2
# Folders in which the program may write.
StateDirectory={label}
RuntimeDirectory={label}
WorkingDirectory=%S/{label}
{HARDENING}{capabilities}

[Install]
WantedBy=multi-user.target
"
    )
}

/// Returns the environment of the service.
fn variables(program: &Program, sockets: &[SocketUnit]) -> Vec<(String, String)> {
    let mut variables: Vec<_> = program.variables().collect();
    if let ([server], [socket, ..]) = (&program.servers[..], sockets) {
        let address = format!("fd:{}", socket.name);
        if server.addresses != [address.clone()] || program.is_from_environment("LIFECYCLE_BIND") {
            variables.push(("LIFECYCLE_BIND".to_owned(), address));
        }
    }
    if let Some(admin) = &program.admin
        && program.is_from_environment("LIFECYCLE_ADMIN")
    {
        variables.push(("LIFECYCLE_ADMIN".to_owned(), admin.clone()));
    }
    variables.sort();
    variables
}

/// Returns the socket units: one for all addresses of an only server, and one for each other name
/// by which the program takes listeners. Servers beside others have the addresses that the program
/// gives them.
fn sockets(program: &Program) -> Vec<SocketUnit> {
    let mut sockets: Vec<SocketUnit> = Vec::new();
    let mut others: Vec<&String> = program.admin.iter().collect();
    if let [server] = &program.servers[..] {
        let scheme = if server.is_tls { "https" } else { "http" };
        let name = server.addresses.iter().find_map(|address| listener_name(address));
        let lines = server.addresses.iter().flat_map(|address| stream(address)).collect();
        sockets.push(SocketUnit { name: name.unwrap_or(scheme).to_owned(), lines });
    } else {
        others.extend(program.servers.iter().flat_map(|server| &server.addresses));
    }
    for address in others {
        let Some(name) = listener_name(address) else { continue };
        if !sockets.iter().any(|socket| socket.name == name) {
            let port = SERVER_PORT.saturating_add(u16::try_from(sockets.len()).unwrap_or(u16::MAX));
            let lines = vec!["# REPLACE".to_owned(), format!("ListenStream=127.0.0.1:{port}")];
            sockets.push(SocketUnit { name: name.to_owned(), lines });
        }
    }
    sockets
}

/// Returns the name of an inherited listener. A number is none: those of several sockets are in no
/// fixed order.
fn listener_name(address: &str) -> Option<&str> {
    let GivenAddress::Inherited(name) = GivenAddress::parse(address)? else { return None };
    let is_name = !name.is_empty() && !name.bytes().all(|byte| byte.is_ascii_digit());
    let is_plain = name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'%');
    (is_name && is_plain).then_some(name)
}

/// Returns the lines by which systemd listens on an address of a server.
fn stream(address: &str) -> Vec<String> {
    let unknown = || vec!["# REPLACE".to_owned(), format!("ListenStream=127.0.0.1:{SERVER_PORT}")];
    match GivenAddress::parse(address) {
        Some(GivenAddress::Tcp { host, port }) => {
            let port = if port == 0 { SERVER_PORT } else { port };
            let host = if host == "localhost" { "127.0.0.1" } else { host };
            match host.parse::<IpAddr>() {
                Ok(ip) => vec![format!("ListenStream={}", SocketAddr::new(ip, port))],
                // systemd looks no names up.
                Err(_) => vec![
                    format!("# REPLACE: {}", in_comment(address)),
                    format!("ListenStream={port}"),
                ],
            }
        }
        Some(GivenAddress::Unix { path, mode }) if path.starts_with(['/', '@']) => {
            let mut lines = vec![format!("ListenStream={}", in_comment(path).replace('%', "%%"))];
            let is_octal = |mode: &&str| mode.bytes().all(|byte| matches!(byte, b'0'..=b'7'));
            lines.extend(mode.filter(is_octal).map(|mode| format!("SocketMode=0{mode}")));
            lines
        }
        Some(GivenAddress::Unix { .. } | GivenAddress::Inherited(_)) | None => unknown(),
    }
}

/// Returns whether the program itself binds a port for which it needs a right: an only server has
/// all of its listeners from systemd.
fn binds_privileged_port(program: &Program) -> bool {
    let bound: &[ProgramServer] = if program.servers.len() == 1 { &[] } else { &program.servers };
    let addresses = bound.iter().flat_map(|server| &server.addresses);
    addresses.chain(&program.admin).any(|address| {
        let address = GivenAddress::parse(address);
        let is_privileged = |port| (1..=LAST_PRIVILEGED).contains(&port);
        matches!(address, Some(GivenAddress::Tcp { port, .. }) if is_privileged(port))
    })
}
