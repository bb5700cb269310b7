//! Mails that customers get from a shop with a mail server.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use serde_json::json;

use crate::client::{Customer, agent, parts};
use crate::process::{LIMIT, command, ready_url, stop};

/// Starts a mail server that answers each mail with the next of these answers. Returns its URL, and
/// the mails that it is sent.
fn mail_server(answers: &'static [&'static str]) -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("smtp://shop:s3cret@{}", listener.local_addr().unwrap());
    let (sender, mails) = channel();
    // This lives as long as the test process.
    thread::spawn(move || {
        for (stream, answer) in listener.incoming().zip(answers) {
            receive(&stream.unwrap(), answer, &sender);
        }
    });
    (url, mails)
}

/// Receives a mail as [RFC 5321](https://www.rfc-editor.org/rfc/rfc5321) has it, from a client that
/// signs in.
fn receive(stream: &TcpStream, answer: &str, mails: &Sender<String>) {
    let (mut to, mut lines) = (stream, BufReader::new(stream).lines().map_while(Result::ok));
    let mut say = |line: &str| to.write_all(format!("{line}\r\n").as_bytes()).unwrap();
    say("220 mail.test");
    while let Some(line) = lines.next() {
        match line.split(' ').next().unwrap_or_default() {
            "EHLO" => say("250-mail.test\r\n250 AUTH PLAIN"),
            // The text is NUL, name, NUL, password.
            "AUTH" => say(if line.ends_with(" AHNob3AAczNjcmV0") { "235 in" } else { "535 who?" }),
            "DATA" => {
                say("354 go on");
                let mail: Vec<_> = lines.by_ref().take_while(|line| line != ".").collect();
                say(answer);
                mails.send(mail.join("\n")).unwrap();
            }
            "QUIT" => return say("221 bye"),
            _ => say("250 ok"),
        }
    }
}

#[test]
fn a_customer_gets_a_mail_that_the_server_did_not_take_at_first() {
    let folder = tempfile::tempdir().unwrap();
    let (server, mails) = mail_server(&["451 not now", "250 taken"]);
    let mut command = command(folder.path());
    let mut service =
        command.env("SMTP_URL", server).env("SHOP_MAIL_FROM", "The shop <hi@shop.example>").spawn();
    let ana = Customer::sign_up(&ready_url(&mut service), "ana@example.org");
    ana.order("ring twice");
    let [refused, taken] = [(); 2].map(|()| mails.recv_timeout(LIMIT).unwrap());
    for part in [
        "To: ana@example.org",
        "From: \"The shop\" <hi@shop.example>",
        "Subject: Your order",
        "ring twice",
    ] {
        assert!(taken.contains(part), "no `{part}` in\n{taken}");
    }
    let id = |mail: &str| {
        mail.lines().find(|line| line.starts_with("Message-ID: <")).unwrap().to_owned()
    };
    assert_eq!(id(&refused), id(&taken));
    assert!(id(&taken).ends_with("@shop.example>"), "{taken}");
    let log = stop(service);
    assert!(log.contains("451") && !log.contains("s3cret"), "{log}");
}

#[test]
fn an_address_that_no_mail_can_be_sent_to_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut service = command(folder.path()).spawn();
    let url = ready_url(&mut service);
    for address in [
        "",
        "ana",
        "ana@",
        "a..b@example.org",
        "ana@example.org\r\nBcc: ben@example.org",
        "a b@example.org",
    ] {
        let new = json!({ "email": address, "password": "correct horse battery" });
        let (status, said) = parts(agent().post(format!("{url}/users")).send_json(new).unwrap());
        let expected = json!([{
            "loc": ["body", "email"],
            "msg": "has to be a mail address",
            "type": "email",
            "input": address,
        }]);
        assert_eq!((status, &said["detail"]), (422, &expected), "{address:?}");
    }
    stop(service);
}
