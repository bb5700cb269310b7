//! Addresses of a program: where it listens, and where it has to listen in a container, whose
//! clients come from outside.

use super::Program;

/// Port of a server that is not known to have one.
pub(super) const SERVER_PORT: u16 = 8080;

/// Port of the listener for operators, if the program gives it none.
const ADMIN_PORT: u16 = 9000;

/// Address as a setting gives it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum GivenAddress<'a> {
    Tcp {
        host: &'a str,
        port: u16,
    },
    Unix {
        path: &'a str,
        mode: Option<&'a str>,
    },
    /// Listener of the parent, by its name or number.
    Inherited(&'a str),
}

impl<'a> GivenAddress<'a> {
    /// Parses an address; `None` if it is none that a server takes.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        if let Some(name) = text.strip_prefix("fd:") {
            return Some(Self::Inherited(name));
        }
        if let Some(unix) = text.strip_prefix("unix:") {
            return Some(match unix.rsplit_once("?mode=") {
                Some((path, mode)) => Self::Unix { path, mode: Some(mode) },
                None => Self::Unix { path: unix, mode: None },
            });
        }
        let (host, port) = text.rsplit_once(':')?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        Some(Self::Tcp { host, port: port.parse().ok()? })
    }
}

/// Addresses of a program in a container, and the variables that give it these.
#[derive(Debug)]
pub(super) struct InContainer {
    pub(super) ports: Vec<NamedPort>,
    /// Port of the listener for operators.
    pub(super) admin: u16,
    /// Environment of the container, sorted by name.
    pub(super) variables: Vec<(String, String)>,
    /// Lines about addresses that the manifest can't make reachable.
    pub(super) notes: Vec<String>,
}

/// Port of a server.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NamedPort {
    /// `http`, `https`, and for more of one kind `http-2`.
    pub(super) name: String,
    pub(super) number: u16,
}

/// TCP address that clients from outside reach.
struct Reachable {
    port: u16,
    address: String,
    /// Set if it is the one that the setting gives.
    is_given: bool,
}

impl InContainer {
    pub(super) fn of(program: &Program) -> Self {
        let mut inside = Self {
            ports: Vec::new(),
            admin: ADMIN_PORT,
            variables: program.variables().collect(),
            notes: Vec::new(),
        };
        match &program.servers[..] {
            [server] => inside.add_only(program, &server.addresses, server.is_tls),
            servers => {
                for server in servers {
                    inside.add_one_of_several(&server.addresses, server.is_tls);
                }
            }
        }
        inside.set_admin(program);
        inside.variables.sort();
        inside
    }

    /// Adds the ports of a program's only server, whose addresses a variable can replace.
    fn add_only(&mut self, program: &Program, addresses: &[String], is_tls: bool) {
        let mut reached: Vec<_> = addresses.iter().filter_map(|given| reachable(given)).collect();
        for given in addresses.iter().filter(|given| reachable(given).is_none()) {
            self.notes.push(format!("`{given}` is left out: clients come from outside."));
        }
        let mut is_given = reached.iter().all(|address| address.is_given);
        is_given &= reached.len() == addresses.len();
        if reached.is_empty() {
            let address = format!("0.0.0.0:{SERVER_PORT}");
            reached.push(Reachable { port: SERVER_PORT, address, is_given: false });
        }
        let mut listened: Vec<String> = Vec::new();
        for address in reached {
            if self.add_port(address.port, is_tls) {
                listened.push(address.address);
            }
        }
        if !is_given || program.is_from_environment("LIFECYCLE_BIND") {
            self.variables.push(("LIFECYCLE_BIND".to_owned(), listened.join(",")));
        }
    }

    /// Adds the ports of a server beside others, which has its addresses from the program alone.
    fn add_one_of_several(&mut self, addresses: &[String], is_tls: bool) {
        for given in addresses {
            match reachable(given) {
                Some(address) if address.is_given => {
                    self.add_port(address.port, is_tls);
                }
                Some(address) => self.notes.push(format!(
                    "Nobody outside reaches `{given}`, and LIFECYCLE_BIND is for programs with one \
                     server: bind {} in the program.",
                    address.address
                )),
                None => self.notes.push(format!("Nobody outside reaches `{given}`.")),
            }
        }
    }

    /// Adds a port, unless it is there. Returns whether it has been added.
    fn add_port(&mut self, number: u16, is_tls: bool) -> bool {
        if self.ports.iter().any(|port| port.number == number) {
            return false;
        }
        let scheme = if is_tls { "https" } else { "http" };
        let is_of_scheme = |port: &&NamedPort| port.name.split('-').next() == Some(scheme);
        let name = match self.ports.iter().filter(is_of_scheme).count() {
            0 => scheme.to_owned(),
            others => format!("{scheme}-{}", others + 1),
        };
        self.ports.push(NamedPort { name, number });
        true
    }

    /// Sets the port of the listener for operators to one that no server has.
    fn set_admin(&mut self, program: &Program) {
        let given = program.admin.as_deref().and_then(reachable);
        let port = given.as_ref().map_or(ADMIN_PORT, |address| address.port);
        let is_taken = |number: &u16| self.ports.iter().any(|port| port.number == *number);
        self.admin = (port..=u16::MAX).chain(1..port).find(|port| !is_taken(port)).unwrap_or(port);
        let given = given.filter(|address| address.is_given && address.port == self.admin);
        if given.is_none() || program.is_from_environment("LIFECYCLE_ADMIN") {
            let address = given.map(|address| address.address);
            let address = address.unwrap_or_else(|| format!("0.0.0.0:{}", self.admin));
            self.variables.push(("LIFECYCLE_ADMIN".to_owned(), address));
        }
    }
}

/// Returns the address on all interfaces that has the port of this one; `None` if it is no TCP
/// address.
fn reachable(given: &str) -> Option<Reachable> {
    let GivenAddress::Tcp { host, port } = GivenAddress::parse(given)? else { return None };
    let is_given = matches!(host, "0.0.0.0" | "::") && port != 0;
    // Port 0 stands for a free one, which no manifest could name.
    let port = if port == 0 { SERVER_PORT } else { port };
    let host = if host.contains(':') { "[::]" } else { "0.0.0.0" };
    Some(Reachable { port, address: format!("{host}:{port}"), is_given })
}
