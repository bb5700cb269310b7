//! The page for a browser.

use std::process::Command;

use crate::process::{client, command};

#[test]
fn the_page_leads_to_the_routes_and_its_commands_work() {
    let folder = tempfile::tempdir().unwrap();
    let mut service = command(folder.path()).spawn();
    let (url, client) = (service.url(), client());
    let mut response = client.get(format!("{url}/")).call().unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "text/html; charset=utf-8");
    let page = response.body_mut().read_to_string().unwrap();
    assert!(page.contains("A shared board of clocks"), "{page}");

    let links: Vec<_> =
        page.split("href=\"").skip(1).map(|rest| rest.split_once('"').unwrap().0).collect();
    assert!(links.contains(&"/clocks") && links.contains(&"/zones"), "{page}");
    for link in links {
        let answer = client.get(format!("{url}{link}")).call().unwrap();
        assert_eq!(answer.status(), 200, "{link}");
    }

    let commands = page.split_once("<pre>").unwrap().1.split_once("</pre>").unwrap().0;
    assert_eq!(commands.lines().count(), 3, "{commands}");
    let commands = commands.replace("http://127.0.0.1:8080", &url).replace("curl ", "curl -sSf ");
    let run = Command::new("bash").args(["-ec", &commands]).output().unwrap();
    assert!(run.status.success(), "{commands}\n{}", String::from_utf8_lossy(&run.stderr));
    let said = String::from_utf8(run.stdout).unwrap();
    assert!(said.contains("America/Lima") && said.contains("Asia/Tokyo"), "{said}");
    service.stop().assert_exit_code(0);
}
