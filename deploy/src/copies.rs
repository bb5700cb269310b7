//! Copies of a service, each at an address of its own.

use std::collections::BTreeSet;
use std::path::Path;

use lifecycle_runtime::testing::Signal;
use lifecycle_runtime::testing::process::{Child, Command, Output};
use tempfile::TempDir;

use crate::network::Network;
use crate::program::Program;

/// Number of copies that the files name.
pub const COPIES: usize = 3;

/// Setting of a service: an environment variable and its value.
pub type Setting = (&'static str, &'static str);

/// Processes of a service. Each has a database of its own, which stays over its restarts.
pub struct Copies {
    program: Program,
    path: &'static Path,
    folder: TempDir,
    addresses: Vec<[String; 2]>,
    settings: Vec<Setting>,
    running: Vec<Option<Child>>,
}

impl Copies {
    /// Starts the copies, and waits until they are ready.
    ///
    /// # Panics
    ///
    /// One of them does not start.
    #[must_use]
    pub fn start(program: Program, network: &Network, settings: &[Setting]) -> Self {
        let addresses = (0..COPIES).map(|number| [network.copy(number), network.admin(number)]);
        let mut copies = Self {
            program,
            path: program.path(),
            folder: tempfile::tempdir().expect("a folder"),
            addresses: addresses.collect(),
            settings: settings.to_vec(),
            running: (0..COPIES).map(|_| None).collect(),
        };
        for number in 0..COPIES {
            copies.start_one(number);
        }
        copies
    }

    fn start_one(&mut self, number: usize) {
        let [address, admin] = &self.addresses[number];
        let mut command = Command::new(self.path);
        command.env("LIFECYCLE_BIND", address).env("LIFECYCLE_ADMIN", admin);
        command.env("WORLDCLOCK_DB", self.folder.path().join(format!("{number}.db")));
        command.envs(self.settings.iter().copied());
        let mut child = command.spawn();
        child.wait_until_ready();
        self.running[number] = Some(child);
    }

    /// Stops a copy by SIGTERM, waits for its end, and starts it again. Returns the end.
    ///
    /// # Panics
    ///
    /// The copy does not end, or does not start.
    pub fn restart(&mut self, number: usize) -> Output {
        let mut child = self.running[number].take().expect("a copy that runs");
        child.signal(Signal::SIGTERM);
        let ended = child.wait();
        self.start_one(number);
        ended
    }

    /// Returns the labels of all clocks that the copies have. `Program::Bare` has none.
    ///
    /// # Panics
    ///
    /// A copy does not answer.
    #[must_use]
    pub fn labels(&mut self) -> BTreeSet<String> {
        if self.program == Program::Bare {
            return BTreeSet::new();
        }
        let boards = self.running.iter_mut().flatten().map(|copy| copy.get("/clocks").body);
        boards.flat_map(|board| labels(&board)).collect()
    }
}

/// Returns the labels of the clocks in an answer of `GET /clocks`.
///
/// # Panics
///
/// The answer is another one.
#[must_use]
pub fn labels(board: &str) -> Vec<String> {
    let clocks: Vec<serde_json::Value> = serde_json::from_str(board).expect("a board");
    let label = |clock: &serde_json::Value| clock["label"].as_str().expect("a label").to_owned();
    clocks.iter().map(label).collect()
}
