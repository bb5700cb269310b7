//! Search of the system's table of connections, for handshakes with a listener that are under way.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::hook::task::thread;

/// Search of the system's table of connections, on a thread of its own. It may take long, and other
/// listeners must not wait for it.
pub(super) struct HandshakeSearch {
    answer: Option<oneshot::Receiver<bool>>,
    began: Instant,
}

impl HandshakeSearch {
    /// Begins a search for handshakes with the port of this address. Those with another listener
    /// that has the port, on another address of the machine, are found as well: the kernel leaves
    /// out other ports, and no other addresses. They hold the close up for no longer than ours may.
    pub(super) fn begin(address: Option<SocketAddr>) -> Self {
        let answer = address.and_then(|address| {
            let (sender, answer) = oneshot::channel();
            let search = move || {
                let _ = sender.send(is_under_way_to(address));
            };
            thread("http-handshakes", search).ok()?;
            Some(answer)
        });
        Self { answer, began: Instant::now() }
    }

    /// Returns whether a handshake is under way, and the time that the search took; `false` where
    /// the system doesn't tell.
    pub(super) async fn found(self) -> (bool, Duration) {
        let Some(answer) = self.answer else { return (false, Duration::ZERO) };
        (answer.await.unwrap_or(false), self.began.elapsed())
    }
}

/// Returns whether a handshake with the port of this address has begun and not ended; `false` where
/// the system doesn't tell.
#[cfg(target_os = "linux")]
fn is_under_way_to(address: SocketAddr) -> bool {
    let port = address.port();
    // An IPv6 listener may have IPv4 clients, too.
    let families: &[Family] =
        if address.is_ipv4() { &[Family::V4] } else { &[Family::V4, Family::V6] };
    families.iter().any(|&family| {
        linux::ask(family, port, linux::SYN_RECV)
            .unwrap_or_else(|_| linux::read(family, port, linux::SYN_RECV))
    })
}

#[cfg(not(target_os = "linux"))]
fn is_under_way_to(_address: SocketAddr) -> bool {
    false
}

/// Version of the Internet Protocol.
#[cfg(target_os = "linux")]
#[derive(Clone, Copy)]
enum Family {
    V4,
    V6,
}

#[cfg(target_os = "linux")]
mod linux {
    use std::io;
    use std::os::fd::AsRawFd;

    use nix::sys::socket::{
        AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket,
    };

    use super::Family;

    // See sock_diag(7) and netlink(7).
    const SOCK_DIAG_BY_FAMILY: u16 = 20;
    const NLMSG_DONE: u16 = 3;
    const NLM_F_REQUEST: u16 = 0x001;
    const NLM_F_DUMP: u16 = 0x300;
    const IPPROTO_TCP: u8 = 6;
    // States of a connection, see net/tcp_states.h.
    #[cfg(test)]
    const ESTABLISHED: u8 = 1;
    pub(super) const SYN_RECV: u8 = 3;

    /// Asks the kernel for connections in this state. The kernel goes through its table and leaves
    /// out other sockets.
    ///
    /// # Errors
    ///
    /// The kernel can't be asked: sandboxes do without this kind of socket (systemd's
    /// `RestrictAddressFamilies`, gVisor).
    pub(super) fn ask(family: Family, port: u16, state: u8) -> io::Result<bool> {
        let flags = SockFlag::SOCK_CLOEXEC;
        let socket = socket(
            AddressFamily::Netlink,
            SockType::Datagram,
            flags,
            SockProtocol::NetlinkSockDiag,
        )?;
        send(socket.as_raw_fd(), &question(family, port, state), MsgFlags::empty())?;
        // The beginning of the answer is enough: the rest names further connections. The answer is
        // there once the question has been sent.
        let mut answer = [0; 64];
        let length = recv(socket.as_raw_fd(), &mut answer, MsgFlags::MSG_DONTWAIT)?;
        read_answer(&answer[..length])
    }

    /// Returns the question for all sockets of the family that have this port and are in this
    /// state.
    fn question(family: Family, port: u16, state: u8) -> Vec<u8> {
        let family = match family {
            Family::V4 => AddressFamily::Inet,
            Family::V6 => AddressFamily::Inet6,
        };
        // `struct inet_diag_req_v2`, of which the addresses, the interface and the cookie may be
        // any.
        let mut request = vec![family as u8, IPPROTO_TCP, 0, 0];
        request.extend((1_u32 << state).to_ne_bytes());
        request.extend(port.to_be_bytes());
        request.resize(48, 0);
        request.extend([0xff; 8]);
        // `struct nlmsghdr`, without a sequence number and with the kernel as receiver.
        let mut message =
            Vec::from(u32::try_from(16 + request.len()).unwrap_or_default().to_ne_bytes());
        message.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
        message.extend((NLM_F_REQUEST | NLM_F_DUMP).to_ne_bytes());
        message.resize(16, 0);
        message.extend(request);
        message
    }

    /// Returns whether an answer names a socket.
    fn read_answer(answer: &[u8]) -> io::Result<bool> {
        let kind = answer.get(4..6).and_then(|kind| kind.try_into().ok()).map(u16::from_ne_bytes);
        let status =
            answer.get(16..20).and_then(|status| status.try_into().ok()).map(i32::from_ne_bytes);
        match (kind, status) {
            (Some(SOCK_DIAG_BY_FAMILY), _) => Ok(true),
            (Some(NLMSG_DONE), Some(0)) => Ok(false),
            _ => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// Reads the kernel's whole table as text, and looks for a connection in this state.
    pub(super) fn read(family: Family, port: u16, state: u8) -> bool {
        let path = match family {
            Family::V4 => "/proc/thread-self/net/tcp",
            Family::V6 => "/proc/thread-self/net/tcp6",
        };
        std::fs::read_to_string(path).is_ok_and(|table| has_connection(&table, port, state))
    }

    /// Looks for a socket that has this port and is in this state, see proc(5).
    fn has_connection(table: &str, port: u16, state: u8) -> bool {
        let (port, state) = (format!(":{port:04X}"), format!("{state:02X}"));
        table.lines().skip(1).any(|line| {
            let mut fields = line.split_whitespace().skip(1);
            let local = fields.next().is_some_and(|local| local.ends_with(&port));
            local && fields.nth(1) == Some(&*state)
        })
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_handshake_is_found_by_its_port_and_state() {
            let table = "  sl  local_address rem_address   st tx_queue rx_queue\n\
                         \x20  0: 0100007F:1F90 00000000:0000 0A 00000000:00000000\n\
                         \x20  1: 0100007F:1F91 0200000A:C001 03 00000000:00000000\n\
                         \x20  2: 0100007F:1F92 0200000A:1F93 01 00000000:00000000\n";
            let has_handshake = |table, port| has_connection(table, port, SYN_RECV);
            assert!(has_handshake(table, 0x1f91));
            assert!(!has_handshake(table, 0x1f90));
            assert!(!has_handshake(table, 0x1f92));
            assert!(!has_handshake(table, 0xc001));
            assert!(!has_handshake("", 1));
        }

        #[test]
        fn a_connection_is_found_by_its_state_in_the_tables_of_this_machine() {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
            let address = listener.local_addr().expect("bound");
            let _client = std::net::TcpStream::connect(address).expect("it listens");
            let port = address.port();
            for (state, expected) in [(ESTABLISHED, true), (SYN_RECV, false)] {
                assert_eq!(read(Family::V4, port, state), expected, "{state}");
                match ask(Family::V4, port, state) {
                    Ok(found) => assert_eq!(found, expected, "{state}"),
                    Err(error) => eprintln!("SKIPPED, the kernel can't be asked: {error}"),
                }
            }
        }

        fn answer(kind: u16, status: i32) -> Vec<u8> {
            let mut answer = vec![0; 16];
            answer[4..6].copy_from_slice(&kind.to_ne_bytes());
            answer.extend(status.to_ne_bytes());
            answer
        }

        #[test]
        fn an_answer_names_a_socket_or_none_or_is_none() {
            assert!(read_answer(&answer(SOCK_DIAG_BY_FAMILY, 0)).expect("an answer"));
            assert!(!read_answer(&answer(NLMSG_DONE, 0)).expect("an answer"));
            // The kernel has no table of this kind, or understands nothing.
            assert!(read_answer(&answer(NLMSG_DONE, -2)).is_err());
            assert!(read_answer(&answer(2, -22)).is_err());
            assert!(read_answer(&[]).is_err());
        }

        #[test]
        fn a_question_has_the_length_that_it_names() {
            let question = question(Family::V4, 80, SYN_RECV);
            assert_eq!(question.len(), 72);
            assert_eq!(question[..4], 72_u32.to_ne_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whoever_has_connected_is_not_under_way() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        let _client = std::net::TcpStream::connect(address).expect("it listens");
        assert!(!HandshakeSearch::begin(Some(address)).found().await.0);
        assert!(!HandshakeSearch::begin(None).found().await.0);
    }
}
