//! Connections full of streams, by the client that Rust programs use: the crate `h2`.

#[expect(dead_code, reason = "the end-to-end tests do more with it")]
#[path = "../end_to_end/http2/client.rs"]
mod client;
#[expect(dead_code, reason = "the end-to-end tests do more with it")]
#[path = "../end_to_end/http2/load.rs"]
mod load;

use client::Over;
use load::Load;

use crate::at_each;
use crate::clients::Protocol;
use crate::site::{Site, expect_report, gate, joined};

#[test]
fn connections_full_of_streams_lose_none() {
    at_each(&[10, 40, 100, 300], &Protocol::HTTP2, |protocol, link| {
        let mut site = Site::start(protocol, link, |start| start);
        let (warm, is_warm) = gate();
        let client = site.client(move |target| {
            let over = target.tls().map_or(Over::Tcp, Over::Tls);
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                let load = Load::start(&target.address, over);
                load.wait_for(300).await;
                warm.open();
                load.end().await
            })
        });
        is_warm.wait();
        site.stop();
        let outcome = joined(client);
        println!("{protocol}, RTT {:?}: {outcome}", site.rtt);
        outcome.expect_nothing_lost();
        expect_report(&site.program.end(), outcome.answered.len(), 0);
    });
}
