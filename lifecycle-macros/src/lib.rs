//! Attributes of [`lifecycle-runtime`](https://docs.rs/lifecycle-runtime), which re-exports them:
//! depend on that crate, not on this one.

mod args;
mod attribute;
mod check;
mod duration;
mod errors;
mod expand;
mod invisible;
mod kind;
mod model;
mod signal;
mod signature;
mod surroundings;
#[cfg(test)]
mod tests;
mod value;
mod words;

use proc_macro::TokenStream;

use kind::Kind;

/// Runs the function before the server listens. Its return value is the value of `Dep<name>`.
///
#[doc = include_str!("../docs/on_startup.md")]
#[proc_macro_attribute]
pub fn on_startup(args: TokenStream, item: TokenStream) -> TokenStream {
    attribute::hook(Kind::Startup, args.into(), &item.into()).into()
}

/// Runs the function once every startup hook is done and the server listens, so that others can
/// already reach it.
///
#[doc = include_str!("../docs/on_ready.md")]
#[proc_macro_attribute]
pub fn on_ready(args: TokenStream, item: TokenStream) -> TokenStream {
    attribute::hook(Kind::Ready, args.into(), &item.into()).into()
}

/// Runs the function when the stop begins, while requests are still served.
///
#[doc = include_str!("../docs/on_drain.md")]
#[proc_macro_attribute]
pub fn on_drain(args: TokenStream, item: TokenStream) -> TokenStream {
    attribute::hook(Kind::Drain, args.into(), &item.into()).into()
}

/// Runs the function while the process stops, after the server has drained, the drain hooks have
/// ended, and the services that it does not precede have stopped.
///
#[doc = include_str!("../docs/on_shutdown.md")]
#[proc_macro_attribute]
pub fn on_shutdown(args: TokenStream, item: TokenStream) -> TokenStream {
    attribute::hook(Kind::Shutdown, args.into(), &item.into()).into()
}

/// Runs the function in the background, from the start until the process stops.
///
#[doc = include_str!("../docs/service.md")]
#[proc_macro_attribute]
pub fn service(args: TokenStream, item: TokenStream) -> TokenStream {
    attribute::hook(Kind::Service, args.into(), &item.into()).into()
}

/// Runs the function again and again, to find out if the process is well.
///
#[doc = include_str!("../docs/health_check.md")]
#[proc_macro_attribute]
pub fn health_check(args: TokenStream, item: TokenStream) -> TokenStream {
    attribute::hook(Kind::HealthCheck, args.into(), &item.into()).into()
}

/// Runs the function each time that a signal arrives while the process serves.
///
#[doc = include_str!("../docs/on_signal.md")]
#[proc_macro_attribute]
pub fn on_signal(args: TokenStream, item: TokenStream) -> TokenStream {
    attribute::hook(Kind::Signal, args.into(), &item.into()).into()
}

/// Runs the function as a test, with an app of the registered hooks beside it. With the feature
/// `testing`.
///
#[doc = include_str!("../docs/test.md")]
#[proc_macro_attribute]
pub fn test(args: TokenStream, item: TokenStream) -> TokenStream {
    attribute::test(args.into(), &item.into()).into()
}
