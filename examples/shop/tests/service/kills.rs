//! Kills at random moments: every order that was acknowledged is delivered.
//!
//! Fifteen kills by default, `SHOP_KILLS` for more. Moments and signals come from a seed, which is
//! printed; `SHOP_KILL_SEED` repeats it, as far as time can be repeated.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;
use std::sync::mpsc::{Sender, channel};
use std::thread;

use lifecycle_runtime::testing::Signal;
use lifecycle_runtime::testing::process::Command;

use crate::client::{Customer, an_order};
use crate::process::{command, ready_url, stop};
use crate::receiver::{Delivered, Receiver};

const CLIENTS: usize = 4;

fn from_environment<T: FromStr>(name: &str) -> Option<T> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name}={value} is not a number")))
}

#[test]
fn an_order_that_was_acknowledged_is_delivered_however_the_service_is_killed() {
    kill_again_and_again(from_environment("SHOP_KILLS").unwrap_or(15), |_| {});
}

/// Kills a service `kills` times. `with` adds to the command that starts it.
pub fn kill_again_and_again(kills: usize, with: impl Fn(&mut Command)) {
    let seed = from_environment("SHOP_KILL_SEED").unwrap_or_else(|| fastrand::u64(..));
    println!("SHOP_KILL_SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);

    // Now and then the receiver takes a delivery and answers with an error, or not at all.
    let receiver = Receiver::answering(move |number| {
        match fastrand::Rng::with_seed(seed ^ number as u64).u8(..) {
            0..8 => Some(500),
            8..12 => None,
            _ => Some(200),
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let start = || {
        let mut command = command(folder.path());
        let command =
            command.env("SHOP_WEBHOOK_URL", &receiver.url).env("SHOP_WEBHOOK_TIMEOUT", "1s");
        with(command);
        command.env("RUST_LOG", "warn").spawn()
    };
    let mut service = start();
    let url = ready_url(&mut service);
    let customer = Customer::sign_up(&url, "ana@example.org");
    stop(service);

    let mut acknowledged = BTreeSet::new();
    let (mut sigterms, mut sigkills) = (0, 0);
    for round in 0..kills {
        let mut service = start();
        let customer = customer.at(&ready_url(&mut service));
        let signal = if random.bool() { Signal::SIGTERM } else { Signal::SIGKILL };
        let before = acknowledged.len();
        order_until_gone(
            &customer,
            &format!("round {round}"),
            &mut acknowledged,
            random.usize(0..60),
            || {
                service.signal(signal);
            },
        );
        let ended = service.wait();
        match signal {
            Signal::SIGTERM => {
                sigterms += 1;
                assert_eq!(ended.code(), Some(0), "round {round}: {ended}");
            }
            _ => {
                sigkills += 1;
                assert_eq!(ended.signal(), Some(signal), "round {round}: {ended}");
            }
        }
        assert!(!ended.transcript().contains("panicked"), "round {round}: {ended}");
        println!("round {round}: {signal}, {} orders acknowledged", acknowledged.len() - before);
    }

    let mut service = start();
    ready_url(&mut service);
    let has_all = |delivered: &[Delivered]| {
        let notes: BTreeSet<_> = delivered.iter().map(Delivered::note).collect();
        acknowledged.iter().all(|note| notes.contains(&**note))
    };
    let delivered = receiver.wait_until(has_all);
    stop(service);

    let mut keys: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut notes: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for delivery in &delivered {
        keys.entry(delivery.note()).or_default().insert(&delivery.key);
        notes.entry(&delivery.key).or_default().insert(delivery.note());
    }
    assert!(keys.values().all(|keys| keys.len() == 1), "an order was delivered under two keys");
    assert!(
        notes.values().all(|notes| notes.len() == 1),
        "two orders were delivered under one key"
    );
    println!(
        "{kills} kills ({sigterms} SIGTERM, {sigkills} SIGKILL): {} orders acknowledged, \
         {} delivered in {} deliveries",
        acknowledged.len(),
        keys.len(),
        delivered.len()
    );
    assert!(!acknowledged.is_empty(), "nothing was tested");
}

/// Orders from several threads without a pause, until the service can't be reached. Calls `kill`
/// after `enough` acknowledgements.
pub fn order_until_gone(
    customer: &Customer,
    name: &str,
    acknowledged: &mut BTreeSet<String>,
    enough: usize,
    kill: impl FnOnce(),
) {
    let (sender, acknowledgements) = channel();
    thread::scope(|scope| {
        for client in 0..CLIENTS {
            let sender = sender.clone();
            scope.spawn(move || order(customer, &format!("{name}, client {client}"), &sender));
        }
        drop(sender);
        acknowledged.extend(acknowledgements.iter().take(enough));
        kill();
        acknowledged.extend(acknowledgements);
    });
}

fn order(customer: &Customer, name: &str, acknowledged: &Sender<String>) {
    let customer = customer.at(&customer.url);
    for number in 0.. {
        let note = format!("{name}, order {number}");
        let Ok((status, body)) = customer.try_post("/orders", &an_order(&note)) else { return };
        // This holds up to the last request: an answer is the right one, or there is none.
        assert_eq!(status, 201, "{body}");
        acknowledged.send(note).unwrap();
    }
}
