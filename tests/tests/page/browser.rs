//! Browser without a window, by its driver.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use fantoccini::error::CmdError;
use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder, Locator};
use http::Method;
use hyper_util::client::legacy::connect::HttpConnector;
use lifecycle_tests::{LIMIT, skipped};
use nix::sys::signal::{SIGKILL, killpg};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};
use url::{ParseError, Url};

/// Time between two looks at a condition.
const PAUSE: Duration = Duration::from_millis(25);

/// Script that runs before those of the page, and collects what they do wrong.
const WITNESS: &str = "
    window.complaints = [];
    addEventListener('securitypolicyviolation', event =>
        complaints.push(`${event.violatedDirective} ${event.blockedURI}`));
    addEventListener('error', event => complaints.push(`error ${event.message}`));
    addEventListener('unhandledrejection', event => complaints.push(`rejected ${event.reason}`));";

/// Browser that shows one page.
pub(crate) struct Browser {
    runtime: Runtime,
    page: Client,
    _driver: Driver,
    _profile: tempfile::TempDir,
}

/// Driver of a browser, with all processes of that.
struct Driver(Child);

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = killpg(Pid::from_raw(self.0.id().try_into().expect("a process id")), SIGKILL);
        let _ = self.0.wait();
    }
}

impl Browser {
    /// Opens a page; `None`, with a line that says so, if no browser is installed.
    #[track_caller]
    pub(crate) fn open(url: &str) -> Option<Self> {
        Self::open_with(url, "")
    }

    /// Opens a page, in which a script runs before those of the page.
    #[track_caller]
    pub(crate) fn open_with(url: &str, script: &str) -> Option<Self> {
        let mut command = Command::new("chromedriver");
        // The driver gets a group of its own, together with the browser that it starts.
        let command =
            command.arg("--port=0").process_group(0).stdout(Stdio::piped()).stderr(Stdio::null());
        let Ok(mut driver) = command.spawn() else {
            skipped("no Chromium is installed (apt-get install chromium chromium-driver)");
            return None;
        };
        let lines = BufReader::new(driver.stdout.take().expect("it is piped"));
        let driver = Driver(driver);
        let mut lines = lines.lines().map_while(Result::ok);
        let port = lines
            .find_map(|line| Some(line.split_once("started successfully on port ")?.1.to_owned()));
        let port = port.expect("a port");
        thread::spawn(move || lines.for_each(drop));
        let profile = tempfile::tempdir().expect("a folder");
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let at = format!("http://127.0.0.1:{}", port.trim_end_matches('.'));
        let page = runtime.block_on(connect(&at, &profile.path().display().to_string()));
        let browser = Self { runtime, page, _driver: driver, _profile: profile };
        let source = format!("{WITNESS}\n{script}");
        browser.command("Page.addScriptToEvaluateOnNewDocument", &json!({ "source": source }));
        browser.go_to(url);
        Some(browser)
    }

    pub(crate) fn go_to(&self, url: &str) {
        self.runtime.block_on(self.page.goto(url)).expect("a page");
    }

    /// Shows a view of the page.
    pub(crate) fn show(&self, view: &str) {
        self.value(&format!("document.getElementById('tab-{view}').click()"));
        self.wait_until(&format!("document.getElementById('view').dataset.view === '{view}'"));
    }

    /// Enters a text into the search of the graph.
    #[track_caller]
    pub(crate) fn search(&self, text: &str) {
        self.value(&format!(
            "(() => {{
                const search = document.getElementById('graph-search');
                search.value = {};
                search.dispatchEvent(new Event('input', {{ bubbles: true }}));
            }})()",
            Value::from(text)
        ));
    }

    /// Returns the value of an expression in the page.
    #[track_caller]
    pub(crate) fn value(&self, expression: &str) -> Value {
        match self.returned(&format!("return {expression}")) {
            Ok(value) => value,
            Err(error) => panic!("{expression}: {error}"),
        }
    }

    /// Returns what the body of a function returns, which may be a promise of that.
    pub(crate) fn returned(&self, body: &str) -> Result<Value, CmdError> {
        self.runtime.block_on(self.page.execute(body, Vec::new()))
    }

    /// Returns the text of the first element of a selector, or nothing if there is none.
    #[track_caller]
    pub(crate) fn text(&self, selector: &str) -> String {
        let selector = json!(selector);
        let text = self.value(&format!("document.querySelector({selector})?.textContent ?? ''"));
        text.as_str().expect("a text").to_owned()
    }

    /// Waits until an expression in the page is true.
    #[track_caller]
    pub(crate) fn wait_until(&self, condition: &str) {
        let began = Instant::now();
        while self.value(&format!("Boolean({condition})")) != true {
            if began.elapsed() > LIMIT {
                let text = self.value("document.body.innerText");
                panic!("{condition} in {LIMIT:?}: {text} {}", self.complaints());
            }
            thread::sleep(PAUSE);
        }
    }

    /// Waits until an element has this text in it.
    #[track_caller]
    pub(crate) fn wait_for(&self, selector: &str, text: &str) {
        let (selector, text) = (json!(selector), json!(text));
        self.wait_until(&format!(
            "document.querySelector({selector})?.textContent.includes({text})"
        ));
    }

    /// Clicks an element as a person does: at its place.
    #[track_caller]
    pub(crate) fn click(&self, selector: &str) {
        self.wait_until(&format!("document.querySelector({})", json!(selector)));
        let found = self.page.find(Locator::Css(selector));
        let clicked = self.runtime.block_on(async { found.await?.click().await });
        clicked.unwrap_or_else(|error| panic!("{selector}: {error}"));
    }

    /// Presses a key, such as `ArrowRight` or `+`, wherever the focus is.
    pub(crate) fn press(&self, key: &str) {
        let text = if key.chars().count() == 1 { key } else { "" };
        let text = if key == "Enter" { "\r" } else { text };
        let code = match key {
            "Tab" => 9,
            "Enter" => 13,
            "Escape" => 27,
            _ => 0,
        };
        let down = if text.is_empty() { "rawKeyDown" } else { "keyDown" };
        for (kind, text) in [(down, text), ("keyUp", "")] {
            let event = json!({
                "type": kind, "key": key, "text": text, "windowsVirtualKeyCode": code,
            });
            self.command("Input.dispatchKeyEvent", &event);
        }
    }

    /// Does something with the mouse at a place of the window.
    pub(crate) fn mouse(&self, kind: &str, x: f64, y: f64, details: &Value) {
        let mut event = json!({ "type": kind, "x": x, "y": y });
        let fields = event.as_object_mut().expect("an object");
        fields.extend(details.as_object().expect("an object").clone());
        self.command("Input.dispatchMouseEvent", &event);
    }

    /// Sends a command of the browser's own protocol.
    #[track_caller]
    pub(crate) fn command(&self, name: &str, parameters: &Value) {
        self.post("goog/cdp/execute", &json!({ "cmd": name, "params": parameters }));
    }

    /// Makes the page look to what a person prefers, such as a dark page.
    pub(crate) fn prefer(&self, name: &str, value: &str) {
        let features = json!([{ "name": name, "value": value }]);
        self.command("Emulation.setEmulatedMedia", &json!({ "features": features }));
    }

    /// Gives the page a window of this size, as a phone has it.
    pub(crate) fn resize(&self, width: u32, height: u32) {
        let size = json!({
            "width": width, "height": height, "deviceScaleFactor": 2, "mobile": true,
        });
        let began = Instant::now();
        loop {
            // A page that is just being laid out forgets it.
            self.command("Emulation.setDeviceMetricsOverride", &size);
            if self.value("innerWidth") == width {
                return;
            }
            assert!(began.elapsed() < LIMIT, "the window is not {width} wide in {LIMIT:?}");
            thread::sleep(PAUSE);
        }
    }

    /// Returns errors of the page and what its policy has forbidden, one a line. Requests that
    /// nobody answered are none: the browser writes them to its log.
    pub(crate) fn complaints(&self) -> String {
        let mut complaints = String::new();
        for complaint in self.value("window.complaints").as_array().into_iter().flatten() {
            let _ = writeln!(complaints, "{complaint}");
        }
        let log = self.post("se/log", &json!({ "type": "browser" }));
        for line in log.as_array().into_iter().flatten() {
            let message = line["message"].as_str().unwrap_or_default();
            if !message.contains("net::ERR_") {
                let _ = writeln!(complaints, "{message}");
            }
        }
        complaints
    }

    /// Closes the page, which must not have had an error.
    #[track_caller]
    pub(crate) fn close(self) {
        assert_eq!(self.complaints(), "");
        self.runtime.block_on(self.page.clone().close()).expect("it is open");
    }

    #[track_caller]
    fn post(&self, path: &'static str, body: &Value) -> Value {
        let command = Post { path, body: body.to_string() };
        match self.runtime.block_on(self.page.issue_cmd(command)) {
            Ok(value) => value,
            Err(error) => panic!("{path} {body}: {error}"),
        }
    }
}

/// Command of Chromium's driver that other drivers don't have.
#[derive(Debug)]
struct Post {
    path: &'static str,
    body: String,
}

impl WebDriverCompatibleCommand for Post {
    fn endpoint(&self, base_url: &Url, session_id: Option<&str>) -> Result<Url, ParseError> {
        let session = session_id.unwrap_or_default();
        base_url.join(&format!("session/{session}/{}", self.path))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(self.body.clone()))
    }
}

/// Starts a browser through its driver.
async fn connect(driver: &str, profile: &str) -> Client {
    let profile = format!("--user-data-dir={profile}");
    let args = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-sync",
        "--disable-background-networking",
        "--disable-component-update",
        "--window-size=1400,1000",
        &profile,
    ];
    let wanted = json!({
        "goog:chromeOptions": { "args": args },
        "goog:loggingPrefs": { "browser": "ALL" },
    });
    let wanted = wanted.as_object().expect("an object").clone();
    ClientBuilder::new(HttpConnector::new())
        .capabilities(wanted)
        .connect(driver)
        .await
        .expect("a browser")
}
