//! Handshakes of the TCP connections on a link, as the server's side sees them.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::Direction;

/// Kind of packet that begins, answers or refuses a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Segment {
    /// First packet of the client, or a repetition of it.
    Syn,
    /// Answer of the server to it.
    SynAck,
    /// Reset by the server: its refusal, or its end of a connection that it does not know or want
    /// any more.
    Reset,
}

/// Handshake of a connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Handshake {
    /// Time at which the server got the first packet.
    pub began: Option<Instant>,
    /// Packets of the handshake, in the order in which the server got and sent them. The last one
    /// is a reset if the connection was reset.
    pub segments: Vec<Segment>,
    /// Set if the packet was lost that tells the server that the client is connected, so that the
    /// server had to learn it from a later packet.
    pub is_end_lost: bool,
    /// Set once the server has got a packet behind the first one.
    is_known: bool,
}

impl Handshake {
    /// Returns whether the server's side has silently dropped the client's first packet, so that
    /// the client sent it again.
    #[must_use]
    pub fn is_first_dropped(&self) -> bool {
        self.segments.starts_with(&[Segment::Syn, Segment::Syn])
    }
}

/// Handshakes by the port of the client.
#[derive(Default)]
pub(super) struct Handshakes(Mutex<HashMap<u16, Handshake>>);

/// TCP packet, reduced to its part in a handshake.
pub(super) struct Packet {
    /// Port of the client.
    pub(super) port: u16,
    is_syn: bool,
    is_ack: bool,
    is_reset: bool,
}

impl Packet {
    /// Reads a TCP packet over IPv4. Returns nothing if it is none.
    pub(super) fn read(packet: &[u8], direction: Direction) -> Option<Self> {
        const TCP: u8 = 6;
        let first = *packet.first()?;
        if first >> 4 != 4 || *packet.get(9)? != TCP {
            return None;
        }
        let header = packet.get(usize::from(first & 0xf) * 4..)?;
        let offset = match direction {
            Direction::ToServer => 0,
            Direction::ToClient => 2,
        };
        let port = u16::from_be_bytes(header.get(offset..offset + 2)?.try_into().ok()?);
        let flags = *header.get(13)?;
        let has = |flag: u8| flags & flag != 0;
        Some(Self { port, is_syn: has(0x02), is_ack: has(0x10), is_reset: has(0x04) })
    }
}

impl Handshakes {
    fn all(&self) -> MutexGuard<'_, HashMap<u16, Handshake>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn get(&self) -> HashMap<u16, Handshake> {
        self.all().clone()
    }

    /// Notes a packet that the server gets.
    pub(super) fn arrived(&self, packet: &Packet) {
        let mut all = self.all();
        let handshake = all.entry(packet.port).or_default();
        if !packet.is_syn {
            handshake.is_known = true;
            return;
        }
        if handshake.is_known {
            // This packet begins another connection from the same port.
            *handshake = Handshake::default();
        }
        handshake.began.get_or_insert_with(Instant::now);
        handshake.segments.push(Segment::Syn);
    }

    /// Notes a packet that the server sends.
    pub(super) fn answered(&self, packet: &Packet) {
        let segment = match packet {
            Packet { is_reset: true, .. } => Segment::Reset,
            Packet { is_syn: true, is_ack: true, .. } => Segment::SynAck,
            _ => return,
        };
        self.all().entry(packet.port).or_default().segments.push(segment);
    }

    /// Notes a packet that was lost on its way to the server.
    pub(super) fn lost(&self, packet: &Packet) {
        let mut all = self.all();
        let handshake = all.entry(packet.port).or_default();
        handshake.is_end_lost |= !packet.is_syn && !handshake.is_known;
    }
}
