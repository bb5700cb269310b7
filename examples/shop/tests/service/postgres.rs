//! The service on PostgreSQL: a real server, if one is installed.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use lifecycle_runtime::testing::{Signal, process};
use nix::unistd::Uid;

use crate::accounts::use_twice_at_once;
use crate::client::{Customer, an_order, token};
use crate::kills;
use crate::process::{ADMIN_PASSWORD, command, ready_url, skipped, stop};
use crate::receiver::Receiver;

/// A server with an empty database in a folder of its own, which ends with the test.
struct Postgres {
    /// Process of the server, unless it has been ended.
    server: Option<process::Child>,
    folder: tempfile::TempDir,
}

/// Returns the folder with the programs of the newest installed PostgreSQL. Debian does not put
/// them on the `PATH`.
fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?;
    let newest = versions
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok()?.parse::<u32>().ok())
        .max()?;
    let programs = PathBuf::from(format!("/usr/lib/postgresql/{newest}/bin"));
    programs.join("initdb").exists().then_some(programs)
}

/// Returns a command that runs as a user other than root, as PostgreSQL refuses to run for root.
fn unprivileged(program: PathBuf) -> Command {
    if !Uid::effective().is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=nobody", "--regid=nogroup", "--clear-groups"]).arg(program);
    command
}

impl Postgres {
    /// Starts a server; `None`, with a line that says so, if none is installed.
    fn start() -> Option<Self> {
        let Some(programs) = programs() else {
            skipped("no PostgreSQL is installed (apt-get install postgresql)");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        if Uid::effective().is_root() {
            assert!(
                Command::new("chown")
                    .arg("nobody:nogroup")
                    .arg(folder.path())
                    .status()
                    .unwrap()
                    .success()
            );
        }
        let data = folder.path().join("data");
        let mut initdb = unprivileged(programs.join("initdb"));
        initdb.args(["--auth=trust", "--username=shop", "--no-sync", "--pgdata"]).arg(&data);
        let made = initdb.current_dir(folder.path()).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let mut postgres = Self { server: None, folder };
        postgres.serve();
        postgres.wait();
        Some(postgres)
    }

    /// Runs the server, on a socket in its folder and nowhere else.
    fn serve(&mut self) {
        let folder = self.folder.path();
        let mut server = unprivileged(programs().unwrap().join("postgres"));
        server.arg("-D").arg(folder.join("data")).arg("-k").arg(folder).current_dir(folder);
        server.args(["-c", "listen_addresses=", "-c", "lc_messages=C"]);
        self.server = Some(process::Command::from(server).spawn());
    }

    /// Waits until the server answers.
    fn wait(&mut self) {
        let server = self.server.as_mut().expect("a server that runs");
        server.wait_for_line("database system is ready to accept connections");
    }

    fn url(&self) -> String {
        format!("postgres://shop@localhost/postgres?host={}", self.folder.path().display())
    }

    /// Ends the server at once, and rolls back the transactions that have begun.
    fn end(&mut self) {
        if let Some(mut server) = self.server.take() {
            server.signal(Signal::SIGINT);
            server.wait();
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.end();
    }
}

#[test]
fn the_shop_runs_on_postgresql() {
    let Some(postgres) = Postgres::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let receiver = Receiver::start();
    let mut start = command(folder.path());
    let start = start.env("DATABASE_URL", postgres.url()).env("SHOP_WEBHOOK_URL", &receiver.url);
    let start = start.env("ADMIN_PASSWORD", ADMIN_PASSWORD);
    let mut service = start.spawn();
    let url = ready_url(&mut service);
    let (ana, ben) =
        (Customer::sign_up(&url, "ana@example.org"), Customer::sign_up(&url, "ben@example.org"));
    let (status, order) = ana.post("/orders", &an_order("on PostgreSQL"));
    assert_eq!((status, order["total"].as_i64()), (201, Some(2190)));
    let path = format!("/orders/{}", order["id"]);
    assert_eq!(ana.get(&path), (200, order.clone()));
    assert_eq!(
        (ben.get(&path).0, ben.get("/orders").1["orders"].as_array().unwrap().len()),
        (404, 0)
    );
    let admin = Customer::sign_in(&url, "admin@shop.test", ADMIN_PASSWORD);
    let tea = serde_json::json!({ "name": "tea", "price": 1 });
    assert_eq!(admin.post("/products", &tea).0, 409);
    // NUL is no text to PostgreSQL.
    let form = [("grant_type", "password"), ("username", "ana\0@example.org"), ("password", "\0")];
    assert_eq!(token(&url, &form).0, 400);
    assert_eq!(ana.post("/orders", &an_order("\0")).0, 422);
    assert_eq!(ana.get("/readyz").0, 200);
    let delivered = receiver.wait_until(|delivered| !delivered.is_empty());
    assert_eq!(delivered[0].body, order);
    stop(service);

    // Everything is there at the next start, whose migrations have nothing to do.
    let mut service = start.spawn();
    assert_eq!(ana.at(&ready_url(&mut service)).get(&path), (200, order));
    stop(service);
}

#[test]
fn an_order_that_was_acknowledged_on_postgresql_is_delivered_however_the_service_is_killed() {
    let Some(postgres) = Postgres::start() else { return };
    kills::kill_again_and_again(5, |command| {
        command.env("DATABASE_URL", postgres.url());
    });
}

#[test]
fn of_a_refresh_token_that_two_use_at_once_on_postgresql_nothing_is_left() {
    let Some(postgres) = Postgres::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    use_twice_at_once(command(folder.path()).env("DATABASE_URL", postgres.url()));
}

#[test]
fn a_database_that_goes_away_is_503_and_unready_until_it_is_back() {
    let Some(mut postgres) = Postgres::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut command = command(folder.path());
    let command = command.env("DATABASE_URL", postgres.url()).env("RUST_LOG", "warn");
    let mut service = command.spawn();
    let url = ready_url(&mut service);
    let ana = Customer::sign_up(&url, "ana@example.org");
    ana.order("before");
    postgres.end();
    let (status, said) = ana.post("/orders", &an_order("meanwhile"));
    assert_eq!(status, 503, "{said}");
    ana.wait_for(&mut service, "/readyz", 503);
    postgres.serve();
    postgres.wait();
    ana.wait_for(&mut service, "/readyz", 200);
    ana.order("after");
    assert_eq!(ana.get("/orders").1["orders"].as_array().unwrap().len(), 2);
    stop(service);

    // A start waits for the server if `database_patience` says so.
    postgres.end();
    let mut service = command.env("SHOP_DATABASE_PATIENCE", "30s").spawn();
    service.wait_for_line("trying again in");
    postgres.serve();
    assert_eq!(ana.at(&ready_url(&mut service)).get("/orders").0, 200);
    stop(service);
}
