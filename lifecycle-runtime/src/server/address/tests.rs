//! Tests of hosts with addresses of several kinds.

use super::*;

/// Makes a socket as on a system without IPv6, which has no such sockets.
fn without_v6(address: SocketAddr) -> io::Result<(Socket, Place)> {
    #[cfg(unix)]
    let none = rustix::io::Errno::AFNOSUPPORT.raw_os_error();
    #[cfg(not(unix))]
    let none = 10047;
    if address.is_ipv6() { Err(io::Error::from_raw_os_error(none)) } else { tcp(address) }
}

fn bound(addresses: &[&str]) -> Result<usize, String> {
    let resolved = addresses.iter().map(|address| address.parse().expect("an address")).collect();
    match bind_each("localhost:0", resolved, "`bind`", &mut Taken::default(), without_v6) {
        Ok(bound) => Ok(bound.len()),
        Err(BindError::Malformed(text) | BindError::Refused(text)) => Err(text),
    }
}

#[test]
fn one_address_of_a_host_is_enough_where_there_are_none_of_the_other_kind() {
    assert_eq!(bound(&["[::1]:0", "127.0.0.1:0"]), Ok(1));
    assert_eq!(bound(&["127.0.0.1:0", "[::1]:0"]), Ok(1));
    let error = bound(&["[::1]:0"]).expect_err("there is no other");
    assert!(error.starts_with("can't listen on localhost:0: "), "{error}");
    assert!(
        error.ends_with("this machine has no such address: choose another address with `bind`"),
        "{error}"
    );
}
