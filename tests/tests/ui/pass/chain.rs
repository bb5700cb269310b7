//! Hooks in a long chain, each before those that it needs: rustc goes down the whole chain at once.

#![deny(warnings)]

use lifecycle_runtime::hook::Hook;
use lifecycle_runtime::{Dep, on_startup};

#[on_startup]
fn h30(h29: Dep<h29>) -> u32 {
    *h29 + 1
}

#[on_startup]
fn h29(h28: Dep<h28>) -> u32 {
    *h28 + 1
}

#[on_startup]
fn h28(h27: Dep<h27>) -> u32 {
    *h27 + 1
}

#[on_startup]
fn h27(h26: Dep<h26>) -> u32 {
    *h26 + 1
}

#[on_startup]
fn h26(h25: Dep<h25>) -> u32 {
    *h25 + 1
}

#[on_startup]
fn h25(h24: Dep<h24>) -> u32 {
    *h24 + 1
}

#[on_startup]
fn h24(h23: Dep<h23>) -> u32 {
    *h23 + 1
}

#[on_startup]
fn h23(h22: Dep<h22>) -> u32 {
    *h22 + 1
}

#[on_startup]
fn h22(h21: Dep<h21>) -> u32 {
    *h21 + 1
}

#[on_startup]
fn h21(h20: Dep<h20>) -> u32 {
    *h20 + 1
}

#[on_startup]
fn h20(h19: Dep<h19>) -> u32 {
    *h19 + 1
}

#[on_startup]
fn h19(h18: Dep<h18>) -> u32 {
    *h18 + 1
}

#[on_startup]
fn h18(h17: Dep<h17>) -> u32 {
    *h17 + 1
}

#[on_startup]
fn h17(h16: Dep<h16>) -> u32 {
    *h16 + 1
}

#[on_startup]
fn h16(h15: Dep<h15>) -> u32 {
    *h15 + 1
}

#[on_startup]
fn h15(h14: Dep<h14>) -> u32 {
    *h14 + 1
}

#[on_startup]
fn h14(h13: Dep<h13>) -> u32 {
    *h13 + 1
}

#[on_startup]
fn h13(h12: Dep<h12>) -> u32 {
    *h12 + 1
}

#[on_startup]
fn h12(h11: Dep<h11>) -> u32 {
    *h11 + 1
}

#[on_startup]
fn h11(h10: Dep<h10>) -> u32 {
    *h10 + 1
}

#[on_startup]
fn h10(h9: Dep<h9>) -> u32 {
    *h9 + 1
}

#[on_startup]
fn h9(h8: Dep<h8>) -> u32 {
    *h8 + 1
}

#[on_startup]
fn h8(h7: Dep<h7>) -> u32 {
    *h7 + 1
}

#[on_startup]
fn h7(h6: Dep<h6>) -> u32 {
    *h6 + 1
}

#[on_startup]
fn h6(h5: Dep<h5>) -> u32 {
    *h5 + 1
}

#[on_startup]
fn h5(h4: Dep<h4>) -> u32 {
    *h4 + 1
}

#[on_startup]
fn h4(h3: Dep<h3>) -> u32 {
    *h3 + 1
}

#[on_startup]
fn h3(h2: Dep<h2>) -> u32 {
    *h2 + 1
}

#[on_startup]
fn h2(h1: Dep<h1>) -> u32 {
    *h1 + 1
}

#[on_startup]
fn h1(h0: Dep<h0>) -> u32 {
    *h0 + 1
}

#[on_startup]
fn h0() -> u32 {
    0
}

#[on_startup(after = [h30])]
async fn end(h30: Dep<h30>) {
    assert_eq!(*h30, 30);
}

#[path = "../start_and_stop.rs"]
mod start_and_stop;

fn main() -> std::process::ExitCode {
    assert_eq!(h30::META.needs().map(|hook| hook.name()).collect::<Vec<_>>(), ["h29"]);
    start_and_stop::start_and_stop()
}
