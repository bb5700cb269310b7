//! Lists and documents that name the programs.

use std::fs;
use std::path::Path;

#[test]
fn every_program_says_how_it_is_run_and_is_named_in_the_list_and_in_the_documentation() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| fs::read_to_string(package.join(path)).unwrap();
    let list = read("src/lib.rs");
    let attributes = fs::read_dir(package.join("../../lifecycle-macros/docs")).unwrap();
    let attributes = attributes.map(|page| fs::read_to_string(page.unwrap().path()).unwrap());
    let types =
        ["../../lifecycle-runtime/src/server.rs", "../../lifecycle-runtime/src/testing/app.rs"];
    let documentation: String = attributes.chain(types.map(read)).collect();
    let files = fs::read_dir(package.join("examples")).unwrap();
    let mut number = 0;
    for path in files.map(|entry| entry.unwrap().path()) {
        let name = path.file_stem().and_then(|name| name.to_str()).unwrap();
        let program = fs::read_to_string(&path).unwrap();
        let head = program.split("\nuse ").next().unwrap();
        assert!(head.contains(&format!("cargo run -p tour --example {name}")), "{name}");
        assert!(list.contains(&format!("| `{name}` | ")), "{name}");
        let file = format!("`examples/tour/examples/{name}.rs`");
        assert!(documentation.contains(&file), "nothing leads to {file}");
        number += 1;
    }
    assert_eq!(number, list.matches("| `0").count());
}
