//! Rolling restarts of three copies of `worldclock` behind balancers, and the clients that count
//! what is lost.
//!
//! The folders beside `src` have the settings of each balancer and of Docker Swarm. The page
//! `docs/deploying.md` shows the files as they are, and the tests run them as they are, but for
//! their addresses: each [`Trial`](trial::Trial) has a [`Network`](network::Network) of its own.
//!
//! `cargo run --release -p lifecycle-deploy --bin rolling -- --all` measures the table of that
//! page, and `--bin swarm` updates a service of Docker Swarm under load.
//!
//! All of it needs Linux, where each address of 127.0.0.0/8 is this machine's.

pub mod balancer;
pub mod copies;
#[cfg(unix)]
pub mod kept;
pub mod load;
pub mod network;
pub mod program;
pub mod trial;
