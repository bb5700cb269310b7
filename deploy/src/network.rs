//! Addresses of one trial.

use std::sync::atomic::{AtomicU32, Ordering};

/// Addresses that the files name.
const WRITTEN: &str = "127.0.0.";

/// Number of networks that one process may have before it could meet those of another.
const OF_A_PROCESS: u32 = 16;

/// Addresses of a balancer and its copies, which no other trial on this machine has.
///
/// The files name `127.0.0.1` for the balancer and `127.0.0.11` to `127.0.0.13` for the copies. A
/// network has another 24 bits in their place, so that ports may stay as they are.
#[derive(Debug)]
pub struct Network {
    prefix: String,
}

impl Network {
    /// Returns the network of the files themselves, for a trial that has the machine for itself.
    #[must_use]
    pub fn as_written() -> Self {
        Self { prefix: WRITTEN.to_owned() }
    }

    /// Makes a network.
    #[must_use]
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let own = COUNT.fetch_add(1, Ordering::Relaxed) % OF_A_PROCESS;
        let number = std::process::id().wrapping_mul(OF_A_PROCESS).wrapping_add(own);
        let [.., high, low] = number.to_be_bytes();
        // 127.64.0.0 and above: other programs listen below.
        Self { prefix: format!("127.{}.{low}.", high | 64) }
    }

    /// Replaces the addresses in the text of a file.
    #[must_use]
    pub fn rewrite(&self, text: &str) -> String {
        text.replace(WRITTEN, &self.prefix)
    }

    /// Returns the address of the balancer.
    #[must_use]
    pub fn front(&self) -> String {
        format!("{}1:8080", self.prefix)
    }

    /// Returns the address of a copy, by its number from 0.
    #[must_use]
    pub fn copy(&self, number: usize) -> String {
        format!("{}{}:8080", self.prefix, 11 + number)
    }

    /// Returns the address of a copy's listener for operators.
    #[must_use]
    pub fn admin(&self, number: usize) -> String {
        format!("{}{}:9000", self.prefix, 11 + number)
    }
}

impl Default for Network {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_of_a_process_are_told_apart() {
        let (one, other) = (Network::new(), Network::new());
        assert_ne!(one.front(), other.front());
        assert!(one.front().starts_with("127."), "{one:?}");
    }

    #[test]
    fn a_file_gets_the_addresses_of_its_network() {
        let network = Network { prefix: "127.80.7.".to_owned() };
        let text = network.rewrite("bind 127.0.0.1:8080; server 127.0.0.11:8080");
        assert_eq!(text, format!("bind {}; server {}", network.front(), network.copy(0)));
        assert_eq!(network.admin(2), "127.80.7.13:9000");
        assert_eq!(Network::as_written().rewrite("127.0.0.1"), "127.0.0.1");
    }
}
