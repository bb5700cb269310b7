//! One short program for each concept, to read in this order and to copy from.
//!
//! `cargo run -p tour --example 01_value` runs the first. Each listens on `127.0.0.1:8080` until
//! Ctrl-C; `LIFECYCLE_BIND=127.0.0.1:0` takes a free port instead.
//!
//! | program | shows |
//! |---|---|
//! | `01_value` | a value that is made at the start and saved at the stop, by its teardown |
//! | `02_service` | a background service, restarted when it fails, that ends with its work done |
//! | `03_health` | health checks, and the probes that report them |
//! | `04_order` | the order of hooks by what they take, and hooks that run at the same time |
//! | `05_drain` | an announcement that is withdrawn before the server closes |
//! | `06_reload` | a configuration that SIGHUP reads again |
//! | `07_tls` | TLS and HTTP/2 |
//! | `08_testing` | tests with fakes, with faults, and with hours that pass at once |
//!
//! `hello` is smaller than all of them; `worldclock`, `worker` and `shop` are whole services.
