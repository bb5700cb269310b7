//! The docs pages and CORS in a real browser, if one is installed.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use actix_web::rt::System;
use fantoccini::error::{CmdError, ErrorStatus};
use fantoccini::{Client, ClientBuilder, Locator};
use lifecycle_runtime::testing::Signal;
use nix::sys::signal::{SIGKILL, killpg};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::client::{Customer, PASSWORD};
use crate::kills::order_until_gone;
use crate::process::{LIMIT, command, ready_url, skipped, stop};
use crate::receiver::Receiver;

/// A browser without a window, and its driver.
struct Browser {
    driver: Child,
    url: String,
    profile: tempfile::TempDir,
}

impl Browser {
    /// Starts a browser; `None`, with a line that says so, if none is installed.
    fn start() -> Option<Self> {
        let mut command = Command::new("chromedriver");
        // The driver gets a group of its own, together with the browser that it starts and all
        // processes of that.
        let command =
            command.arg("--port=0").process_group(0).stdout(Stdio::piped()).stderr(Stdio::null());
        let Ok(mut driver) = command.spawn() else {
            skipped("no Chromium is installed (apt-get install chromium chromium-driver)");
            return None;
        };
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines().map_while(Result::ok);
        let port = lines.find_map(|line| {
            line.split_once("started successfully on port ").map(|(_, port)| port.to_owned())
        });
        let url = format!("http://127.0.0.1:{}", port.unwrap().trim_end_matches('.'));
        thread::spawn(move || lines.for_each(drop));
        Some(Self { driver, url, profile: tempfile::tempdir().unwrap() })
    }

    async fn client(&self) -> Client {
        let profile = format!("--user-data-dir={}", self.profile.path().display());
        let args = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-sync",
            "--disable-background-networking",
            "--disable-component-update",
            "--window-size=1400,2000",
            &profile,
        ];
        let wanted = json!({
            "goog:chromeOptions": { "args": args },
            "goog:loggingPrefs": { "browser": "ALL" },
        });
        let wanted = wanted.as_object().unwrap().clone();
        ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new())
            .capabilities(wanted)
            .connect(&self.url)
            .await
            .unwrap()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = killpg(Pid::from_raw(self.driver.id().try_into().unwrap()), SIGKILL);
        let _ = self.driver.wait();
    }
}

/// Clicks an element, and waits until it can be clicked: a page that is being drawn replaces and
/// moves its elements.
async fn click(page: &Client, selector: &str) {
    let begun = Instant::now();
    while let Err(error) = element(page, selector).await.click().await {
        let may_pass = matches!(&error, CmdError::Standard(said) if [
            ErrorStatus::StaleElementReference,
            ErrorStatus::ElementClickIntercepted,
            ErrorStatus::ElementNotInteractable,
        ].contains(&said.error));
        assert!(may_pass && begun.elapsed() < LIMIT, "{selector}: {error}");
    }
}

async fn element(page: &Client, selector: &str) -> fantoccini::elements::Element {
    let found =
        page.wait().at_most(Duration::from_secs(20)).for_element(Locator::Css(selector)).await;
    found.unwrap_or_else(|error| panic!("{selector}: {error}"))
}

/// Returns the origins of everything that the page has loaded. Blocked requests do not count.
async fn origins(page: &Client) -> Vec<Value> {
    let script = "
        const loaded = performance.getEntriesByType('resource')\
            .filter(entry => entry.responseStatus !== 0);
        return [...new Set(loaded.map(entry => new URL(entry.name).origin))]";
    page.execute(script, vec![]).await.unwrap().as_array().unwrap().clone()
}

/// Signs in on the docs page, and places the order of the description's example.
async fn order_from_the_docs(page: &Client, url: &str, name: &str) {
    page.goto(&format!("{url}/docs")).await.unwrap();
    click(page, ".auth-wrapper .authorize").await;
    element(page, "#oauth_username").await.send_keys(name).await.unwrap();
    element(page, "#oauth_password").await.send_keys(PASSWORD).await.unwrap();
    click(page, ".auth-container .modal-btn.authorize").await;
    // The sign-in is done: the button now signs out.
    let logout =
        Locator::XPath("//div[contains(@class, 'auth-container')]//button[text()='Logout']");
    page.wait().at_most(Duration::from_secs(20)).for_element(logout).await.unwrap();
    click(page, ".auth-container .btn-done").await;

    let order = "#operations-orders-place_order";
    click(page, &format!("{order} .opblock-summary-control")).await;
    click(page, &format!("{order} .try-out__btn")).await;
    click(page, &format!("{order} .execute")).await;
    let shown = "//*[@id='operations-orders-place_order']\
                 //table[contains(@class, 'live-responses-table')]/tbody/tr";
    let answer =
        format!("{shown}[td[starts-with(normalize-space(), '201')]][contains(., 'ring twice')]");
    if let Err(error) =
        page.wait().at_most(Duration::from_secs(20)).for_element(Locator::XPath(&answer)).await
    {
        let table = element(page, &format!("{order} .live-responses-table")).await.text().await;
        panic!("the answer is not shown ({error}): {table:?}");
    }
}

#[test]
fn an_order_from_the_docs_page_and_a_burst_that_ctrl_c_ends_are_delivered_once_it_is_started_again()
{
    let Some(browser) = Browser::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut service = command(folder.path()).spawn();
    let url = ready_url(&mut service);
    let ana = Customer::sign_up(&url, "ana@example.org");
    System::new().block_on(async {
        let page = browser.client().await;
        order_from_the_docs(&page, &url, "ana@example.org").await;
        assert_eq!(origins(&page).await, [json!(url)], "something was fetched from elsewhere");
        page.close().await.unwrap();
    });
    let mut acknowledged = BTreeSet::from(["ring twice".to_owned()]);
    order_until_gone(&ana, "burst", &mut acknowledged, 100, || service.signal(Signal::SIGINT));
    let ended = service.wait();
    ended.assert_exit_code(0);

    let receiver = Receiver::start();
    let mut service = command(folder.path()).env("SHOP_WEBHOOK_URL", &receiver.url).spawn();
    ready_url(&mut service);
    let delivered = receiver.wait_until(|delivered| delivered.len() >= acknowledged.len());
    stop(service);
    let delivered: BTreeSet<_> =
        delivered.iter().map(|delivery| delivery.note().to_owned()).collect();
    // This holds up to the last order: a stop cuts nobody off, so no order was taken without an
    // acknowledgement.
    assert_eq!(delivered, acknowledged);
}

#[test]
fn the_reference_is_shown_from_bundled_files() {
    let Some(browser) = Browser::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut service = command(folder.path()).spawn();
    let url = ready_url(&mut service);
    System::new().block_on(async {
        let page = browser.client().await;
        page.goto(&format!("{url}/redoc")).await.unwrap();
        let place = Locator::XPath("//h2[contains(., 'Places an order')]");
        page.wait().at_most(Duration::from_secs(20)).for_element(place).await.unwrap();
        assert_eq!(origins(&page).await, [json!(url)], "something was fetched from elsewhere");
        page.close().await.unwrap();
    });
    stop(service);
}

#[test]
fn a_browser_ends_with_its_test() {
    let Some(browser) = Browser::start() else { return };
    let profile = browser.profile.path().display().to_string();
    let processes = || {
        let all = fs::read_dir("/proc")
            .unwrap()
            .filter_map(|entry| fs::read(entry.ok()?.path().join("cmdline")).ok());
        all.filter(|command| String::from_utf8_lossy(command).contains(&profile)).count()
    };
    System::new().block_on(async {
        browser.client().await;
        assert!(processes() > 1);
    });
    // Nobody has closed the page, as in a test that fails.
    drop(browser);
    let ended = Instant::now();
    // Nothing reports the end of processes that are nobody's children any more.
    while processes() > 0 {
        assert!(ended.elapsed() < LIMIT, "processes are left");
        thread::yield_now();
    }
}

/// Serves an empty page of another origin, and returns its URL.
fn other_origin() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    // This lives as long as the test process.
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let _ = stream.set_read_timeout(Some(LIMIT));
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(
                b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 12\r\n\
                  connection: close\r\n\r\n<p>a page</p>",
            );
        }
    });
    url
}

#[test]
fn a_page_of_an_allowed_origin_may_call_and_another_may_not() {
    let Some(browser) = Browser::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let (friend, stranger) = (other_origin(), other_origin());
    let mut service = command(folder.path()).env("SHOP_ALLOWED_ORIGINS", &friend).spawn();
    let url = ready_url(&mut service);
    let ana = Customer::sign_up(&url, "ana@example.org");
    // The header and the body make a browser send a preflight request.
    let script = "
        const [url, token, done] = arguments;
        const headers = { 'authorization': `Bearer ${token}`, 'content-type': 'application/json' };
        const body = JSON.stringify({ items: [{ product: 1, quantity: 1 }], \
            note: location.origin });
        fetch(`${url}/orders`, { method: 'POST', headers, body })
            .then(async answer => done([answer.status, answer.headers.get('location'), \
                await answer.json()]))
            .catch(error => done(String(error)));";
    System::new().block_on(async {
        let page = browser.client().await;
        page.goto(&friend).await.unwrap();
        let call = || page.execute_async(script, vec![json!(url), json!(ana.token)]);
        let answer = call().await.unwrap();
        assert_eq!((&answer[0], &answer[1]), (&json!(201), &json!("/orders/1")), "{answer}");
        page.goto(&stranger).await.unwrap();
        assert_eq!(call().await.unwrap(), "TypeError: Failed to fetch");
        page.close().await.unwrap();
    });
    let (_, listed) = ana.get("/orders");
    assert_eq!(listed["orders"].as_array().unwrap().len(), 1, "the stranger's order was taken");
    assert_eq!(listed["orders"][0]["note"], friend);
    stop(service);
}
