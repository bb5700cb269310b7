//! Filters of packets that the system drops while a listener closes, and on a connection that is
//! left to the system.

use std::io;

#[cfg(target_os = "linux")]
use linux::Filtered;
#[cfg(not(target_os = "linux"))]
use other::Filtered;

/// Makes the system drop the first packet of each new connection, while handshakes that have begun
/// go on to their end.
///
/// A listener that is closed resets the connections that wait in it, and some may come between the
/// last `accept` and the close. A client whose first packet is dropped sends it again a second
/// later. By then the client is refused, or received by the process that has taken over the port.
pub(super) fn refuse_handshakes(listener: &impl Filtered) -> io::Result<()> {
    listener.refuse(Refused::Handshakes)
}

/// Makes the system drop the data that the client of a connection still sends, but not its
/// acknowledgements.
///
/// A socket that is closed answers data by a reset, which destroys what is still on its way to the
/// client. Without the reset the system sends what it has, even after the end of the process.
pub(super) fn refuse_data(connection: &impl Filtered) -> io::Result<()> {
    connection.refuse(Refused::Data)
}

/// Kind of packets that the system drops.
#[derive(Clone, Copy)]
pub(super) enum Refused {
    Handshakes,
    Data,
}

#[cfg(target_os = "linux")]
mod linux {
    use std::io;
    use std::os::fd::AsFd;

    use socket2::{SockFilter, SockRef};

    use super::Refused;

    // Opcodes of the classic filter machine, see linux/bpf_common.h; it sees a packet from its TCP
    // header on.
    const LOAD_BYTE: u16 = 0x30; // BPF_LD | BPF_B | BPF_ABS
    const LOAD_LENGTH: u16 = 0x80; // BPF_LD | BPF_W | BPF_LEN
    const AND: u16 = 0x54; // BPF_ALU | BPF_AND | BPF_K
    const SHIFT_RIGHT: u16 = 0x74; // BPF_ALU | BPF_RSH | BPF_K
    const MOVE_TO_X: u16 = 0x07; // BPF_MISC | BPF_TAX
    const SUBTRACT_X: u16 = 0x1c; // BPF_ALU | BPF_SUB | BPF_X
    const JUMP_IF_EQUAL: u16 = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
    const RETURN: u16 = 0x06; // BPF_RET | BPF_K

    const ALL: u32 = u32::MAX;
    const NOTHING: u32 = 0;

    // In the TCP header, see RFC 9293, section 3.1.
    const DATA_OFFSET: u32 = 12;
    const FLAGS: u32 = 13;
    const SYN: u32 = 0x02;
    const ACK: u32 = 0x10;

    pub(in crate::server) trait Filtered: AsFd + Sized {
        fn refuse(&self, packets: Refused) -> io::Result<()> {
            let filter = match packets {
                Refused::Handshakes => &HANDSHAKES[..],
                Refused::Data => &DATA,
            };
            SockRef::from(self).attach_filter(filter)
        }
    }

    impl<T: AsFd> Filtered for T {}

    const HANDSHAKES: [SockFilter; 5] = [
        SockFilter::new(LOAD_BYTE, 0, 0, FLAGS),
        SockFilter::new(AND, 0, 0, SYN | ACK),
        SockFilter::new(JUMP_IF_EQUAL, 0, 1, SYN),
        SockFilter::new(RETURN, 0, 0, NOTHING),
        SockFilter::new(RETURN, 0, 0, ALL),
    ];

    const DATA: [SockFilter; 9] = [
        // The header's length, which is given in words, in the upper half of a byte.
        SockFilter::new(LOAD_BYTE, 0, 0, DATA_OFFSET),
        SockFilter::new(AND, 0, 0, 0xf0),
        SockFilter::new(SHIFT_RIGHT, 0, 0, 2),
        SockFilter::new(MOVE_TO_X, 0, 0, 0),
        SockFilter::new(LOAD_LENGTH, 0, 0, 0),
        SockFilter::new(SUBTRACT_X, 0, 0, 0),
        SockFilter::new(JUMP_IF_EQUAL, 1, 0, 0),
        SockFilter::new(RETURN, 0, 0, NOTHING),
        SockFilter::new(RETURN, 0, 0, ALL),
    ];
}

#[cfg(not(target_os = "linux"))]
mod other {
    use std::io;

    use super::Refused;

    pub(in crate::server) trait Filtered {
        fn refuse(&self, _packets: Refused) -> io::Result<()> {
            Err(io::ErrorKind::Unsupported.into())
        }
    }

    impl<T> Filtered for T {}
}
