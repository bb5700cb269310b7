//! Page about deploying: it shows the files as they are.

use std::fs;
use std::path::Path;

use lifecycle_deploy::balancer::Balancer;
use lifecycle_deploy::trial::DOCUMENTED;

/// Files that the page shows, besides those of balancers.
const OTHERS: [&str; 2] = ["copies.sh", "swarm/stack.yml"];

fn page() -> String {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = package.join("../lifecycle-runtime/docs/deploying.md");
    fs::read_to_string(page).expect("the page")
}

#[test]
fn the_page_shows_each_file_whole_and_says_where_it_is() {
    let page = page();
    let balancers = Balancer::ALL.into_iter().flat_map(Balancer::files);
    for path in balancers.map(|(path, _)| *path).chain(OTHERS) {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
        let text = fs::read_to_string(file).expect("a file");
        assert!(page.contains(&format!("\n{text}```\n")), "{path} is another one on the page");
        assert!(page.contains(&format!("`deploy/{path}`")), "the page doesn't say where {path} is");
    }
}

#[test]
fn the_page_has_the_settings_that_the_tests_use() {
    for (name, value) in DOCUMENTED {
        assert!(page().contains(&format!("{name}={value}")), "{name}={value}");
    }
}
