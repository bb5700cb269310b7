//! Process that is no child of this one: its end is noticed, and signals reach it and no other.

/// Process that is followed though it may be no child of this one.
#[cfg(target_os = "linux")]
pub(super) struct OtherProcess {
    pub(super) id: u32,
    descriptor: std::os::fd::OwnedFd,
}

#[cfg(target_os = "linux")]
mod linux {
    use std::io;
    use std::time::{Duration, Instant};

    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

    use super::OtherProcess;

    impl OtherProcess {
        /// Begins to follow a process.
        ///
        /// # Errors
        ///
        /// The system's error: there is no such process, or the system is older than Linux 5.3.
        pub(in super::super) fn open(id: u32) -> io::Result<Self> {
            let pid = id.try_into().ok().and_then(Pid::from_raw);
            let pid = pid.ok_or(io::ErrorKind::InvalidInput)?;
            Ok(Self { id, descriptor: pidfd_open(pid, PidfdFlags::empty())? })
        }

        /// Waits until it has ended, for this time at most, and returns whether it has.
        pub(in super::super) fn ends_within(&self, limit: Duration) -> bool {
            let until = Instant::now() + limit;
            loop {
                let left = until.saturating_duration_since(Instant::now());
                let left = Timespec::try_from(left).ok();
                // The descriptor is readable once the process has ended.
                let mut polled = [PollFd::new(&self.descriptor, PollFlags::IN)];
                match poll(&mut polled, left.as_ref()) {
                    Err(rustix::io::Errno::INTR) => {}
                    result => return result.is_ok_and(|ended| ended > 0),
                }
            }
        }

        /// Asks it to end, by SIGTERM.
        pub(in super::super) fn terminate(&self) {
            let _ = pidfd_send_signal(&self.descriptor, Signal::TERM);
        }

        /// Kills it.
        pub(in super::super) fn kill(&self) {
            let _ = pidfd_send_signal(&self.descriptor, Signal::KILL);
        }
    }
}

/// Process that can't be followed here, and so there is none.
#[cfg(not(target_os = "linux"))]
pub(super) struct OtherProcess {
    pub(super) id: u32,
    never: std::convert::Infallible,
}

#[cfg(not(target_os = "linux"))]
impl OtherProcess {
    pub(super) fn open(_id: u32) -> std::io::Result<Self> {
        Err(std::io::ErrorKind::Unsupported.into())
    }

    pub(super) fn ends_within(&self, _limit: std::time::Duration) -> bool {
        match self.never {}
    }

    pub(super) fn terminate(&self) {
        match self.never {}
    }

    pub(super) fn kill(&self) {
        match self.never {}
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::{Command, id};
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_end_of_a_process_is_noticed_before_anybody_reaps_it() {
        let mut sleep = Command::new("sleep").arg("600").spawn().expect("a process");
        let process = OtherProcess::open(sleep.id()).expect("it is there");
        assert!(!process.ends_within(Duration::ZERO));
        process.terminate();
        assert!(process.ends_within(Duration::from_secs(60)));
        assert_eq!(sleep.wait().expect("a status").signal(), Some(15));
        assert!(OtherProcess::open(sleep.id()).is_err());
    }

    #[test]
    fn a_number_that_is_no_process_is_followed_by_nobody() {
        assert!(OtherProcess::open(0).is_err());
        assert!(OtherProcess::open(u32::MAX).is_err());
        assert!(!OtherProcess::open(id()).expect("this process").ends_within(Duration::ZERO));
    }
}
