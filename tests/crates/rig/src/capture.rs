//! Capture of the packets of a rig, in the format of `tcpdump`.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

/// File of packets as the server sees them: its own when it sends them, those of clients when they
/// arrive.
pub(super) struct Capture(Mutex<File>);

impl Capture {
    /// Creates a file in the folder that `LIFECYCLE_RIG_CAPTURE` names, if it is set.
    pub(super) fn from_environment() -> io::Result<Option<Self>> {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let Some(folder) = std::env::var_os("LIFECYCLE_RIG_CAPTURE") else { return Ok(None) };
        let name = format!("{}-{}.pcap", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let mut file = File::create(Path::new(&folder).join(name))?;
        // Magic number, version 2.4, two unused words, length of the longest packet, and the link
        // type of packets that begin with their IP header.
        let words = [0xa1b2_c3d4_u32, 4 << 16 | 2, 0, 0, 65_535, 101];
        file.write_all(&words.map(u32::to_ne_bytes).concat())?;
        Ok(Some(Self(Mutex::new(file))))
    }

    pub(super) fn record(&self, packet: &[u8]) {
        let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let length = u32::try_from(packet.len()).unwrap_or(u32::MAX);
        let seconds = u32::try_from(time.as_secs()).unwrap_or(u32::MAX);
        let mut record =
            [seconds, time.subsec_micros(), length, length].map(u32::to_ne_bytes).concat();
        record.extend(packet);
        // A capture that has no room any more must not change the traffic that it records.
        let _ = self.0.lock().unwrap_or_else(PoisonError::into_inner).write_all(&record);
    }
}
