//! Commands in the README, which print what it shows, word for word.

use std::process::Command;

use crate::process::{command, ready_url, stop};

/// Returns the lines of the first block of commands behind this heading.
fn block(heading: &str) -> Vec<&'static str> {
    let readme = include_str!("../../README.md");
    let from = readme.split_once(heading).expect("the heading").1;
    let block = from.split_once("```console\n").expect("a block").1;
    block.split_once("```").expect("its end").0.lines().filter(|line| !line.is_empty()).collect()
}

/// Returns a line without the part that differs each time.
fn timeless(line: &str) -> String {
    match line.split_once("\"created_at\":\"") {
        Some((before, after)) => format!("{before}…{}", after.split_once('"').expect("its end").1),
        None => line.to_owned(),
    }
}

#[test]
fn the_readme_can_be_tried_word_for_word() {
    let folder = tempfile::tempdir().unwrap();
    let mut service = command(folder.path()).spawn();
    let url = ready_url(&mut service);
    let expected = block("## Try it\n");
    let mut script = String::new();
    for line in expected.iter().filter_map(|line| line.strip_prefix("$ ")) {
        let line = line.replace("http://127.0.0.1:8080", &url);
        script += &format!("cat <<'COMMAND'\n$ {line}\nCOMMAND\n{line}\necho\n");
    }
    let run = Command::new("bash").args(["-c", &script]).output().unwrap();
    let said = String::from_utf8(run.stdout).unwrap().replace(&url, "http://127.0.0.1:8080");
    let said: Vec<_> = said.lines().filter(|line| !line.is_empty()).map(timeless).collect();
    let expected: Vec<_> = expected.into_iter().map(timeless).collect();
    assert_eq!(said, expected, "{}", String::from_utf8_lossy(&run.stderr));
    stop(service);
}
