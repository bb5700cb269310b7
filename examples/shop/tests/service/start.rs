//! Starts that must fail: each with one message that says what to do, and without a moment in which
//! the service could be reached.

use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::thread;

use actix_web::rt::System;
use lifecycle_runtime::testing::process::Command;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};

use crate::client::Customer;
use crate::process::{command, log, ready_url, stop};

/// Checks that the start of this command fails with a message that has all of these parts on one
/// line.
#[track_caller]
fn refused(command: &mut Command, parts: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("socket");
    let service = command.env("LIFECYCLE_BIND", format!("unix:{}", socket.display())).spawn();
    let ended = thread::scope(|scope| {
        let ended = scope.spawn(|| service.wait());
        while !ended.is_finished() {
            assert!(UnixStream::connect(&socket).is_err(), "the service can be reached");
            thread::yield_now();
        }
        ended.join().unwrap()
    });
    ended.assert_exit_code(1).assert_lacks("listening on").assert_lacks("panicked");
    let log = log(&ended);
    let found = log.lines().any(|line| parts.iter().all(|part| line.contains(part)));
    assert!(found, "no line has all of {parts:?}: {ended}");
    log
}

#[test]
fn a_secret_that_is_missing_or_weak_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let advice = "`openssl rand -hex 32`";
    let hook = "hook `token_keys` (examples/shop/src/auth/tokens.rs:";
    refused(
        command(folder.path()).env_remove("JWT_SECRET"),
        &[hook, "JWT_SECRET is not set", advice],
    );
    let log = refused(
        command(folder.path()).env("JWT_SECRET", "hunter2"),
        &[hook, "has 7 bytes", advice],
    );
    assert!(!log.contains("hunter2"), "the secret was written down:\n{log}");
    refused(
        command(folder.path()).env("JWT_SECRET", "a".repeat(64)),
        &[hook, "repeats itself", advice],
    );
    refused(
        command(folder.path()).env("ADMIN_PASSWORD", "admin"),
        &["hook `first_admin`", "fewer than 12 characters"],
    );
}

#[test]
fn a_setting_that_is_wrong_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let hook = "hook `settings` (examples/shop/src/settings.rs:";
    refused(
        command(folder.path()).env("SHOP_WEBHOK_URL", "http://a"),
        &[hook, "unknown field `webhok_url`"],
    );
    refused(command(folder.path()).env("SHOP_BURST", "many"), &[hook, "burst"]);
    refused(command(folder.path()).env("SHOP_FILE", "missing.toml"), &[hook, "missing.toml"]);
    let log = refused(
        command(folder.path()).env("SMTP_URL", "mail://shop:s3cret@localhost"),
        &[
            "hook `mailer` (examples/shop/src/mail.rs:",
            "SMTP_URL is not the URL of a mail server",
            "smtps://USER:PASSWORD@HOST",
        ],
    );
    assert!(!log.contains("s3cret"), "the password was written down:\n{log}");
    std::fs::write(
        folder.path().join("shop.toml"),
        "jwt_secret = 'no place for a secret, however long'",
    )
    .unwrap();
    refused(&mut command(folder.path()), &[hook, "unknown field `jwt_secret`"]);
    std::fs::write(folder.path().join("shop.toml"), "token_lifetime = '90s'").unwrap();
    let mut service = command(folder.path()).spawn();
    ready_url(&mut service);
    stop(service);
}

#[test]
fn a_database_that_is_down_is_named_with_the_cause_and_without_its_password() {
    let folder = tempfile::tempdir().unwrap();
    // Nobody listens there any more.
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut command = command(folder.path());
    let command = command.env("DATABASE_URL", format!("postgres://shop:s3cret@{gone}/shop"));
    let hook = "start failed: hook `db` (examples/shop/src/store.rs:";
    let log = refused(
        command,
        &[hook, "can't open postgres://shop:***@127.0.0.1:", "Connection refused"],
    );
    assert!(!log.contains("s3cret"), "{log}");
    assert!(!log.contains("trying again"), "nobody asked for that:\n{log}");

    // With `database_patience` the start tries again for a while.
    let log = refused(command.env("SHOP_DATABASE_PATIENCE", "1s"), &[hook, "Connection refused"]);
    assert!(log.matches("trying again in").count() >= 2, "{log}");
    assert!(!log.contains("s3cret"), "{log}");

    refused(
        command.env("DATABASE_URL", "mysql://localhost/shop"),
        &[hook, "begins with `mysql:`", "postgres://"],
    );
    let folder_url = format!("sqlite://{}", folder.path().display());
    refused(
        command.env("DATABASE_URL", folder_url),
        &[hook, "can't open sqlite://", "unable to open database file"],
    );
}

#[test]
fn a_migration_that_fails_leaves_nothing_behind_and_nothing_is_served() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("shop.db");
    let tables = || {
        System::new().block_on(async {
            let options = SqliteConnectOptions::new().filename(&file).create_if_missing(true);
            let db = SqlitePool::connect_with(options).await.unwrap();
            // The table is in the way of the migration, but not of its first tables.
            sqlx::query("CREATE TABLE IF NOT EXISTS order_items (theirs TEXT)")
                .execute(&db)
                .await
                .unwrap();
            let tables: Vec<String> = sqlx::query_scalar(
                "SELECT name FROM sqlite_schema WHERE type = 'table' \
                 AND name NOT LIKE '\\_%' ESCAPE '\\'",
            )
            .fetch_all(&db)
            .await
            .unwrap();
            db.close().await;
            tables
        })
    };
    assert_eq!(tables(), ["order_items"]);
    refused(
        &mut command(folder.path()),
        &["hook `migrations`", "table order_items already exists"],
    );
    assert_eq!(
        tables().iter().filter(|name| *name != "sqlite_sequence").count(),
        1,
        "{:?}",
        tables()
    );

    // The service starts once nothing is in the way.
    std::fs::remove_file(&file).unwrap();
    let mut service = command(folder.path()).spawn();
    Customer::sign_up(&ready_url(&mut service), "ana@example.org").order("");
    stop(service);
}
