//! Requests made from the API's own description: none is answered with a 500, and no answer breaks
//! the description.
//!
//! By default there are 25 for each operation, and always the same ones. `SHOP_FUZZ_EXAMPLES` makes
//! more, and others each time. The seed of those that fail is printed; `SHOP_FUZZ_SEED` repeats it.

use std::path::Path;
use std::process::Command;

use crate::client::Customer;
use crate::process::{ADMIN_PASSWORD, command, ready_url, skipped, stop};

#[test]
fn no_answer_breaks_the_description_of_the_api() {
    let Ok(version) = Command::new("schemathesis").arg("--version").output() else {
        return skipped("schemathesis is not installed (pip install schemathesis)");
    };
    let folder = tempfile::tempdir().unwrap();
    let mut service = command(folder.path()).env("ADMIN_PASSWORD", ADMIN_PASSWORD).spawn();
    let url = ready_url(&mut service);
    let admin = Customer::sign_in(&url, "admin@shop.test", ADMIN_PASSWORD);
    let (examples, seed) =
        (std::env::var("SHOP_FUZZ_EXAMPLES").ok(), std::env::var("SHOP_FUZZ_SEED").ok());
    let seed = seed.or_else(|| examples.is_none().then(|| "1".to_owned()));
    let examples = examples.unwrap_or_else(|| "25".to_owned());
    let run = Command::new("schemathesis")
        .arg("--config-file")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("schemathesis.toml"))
        .args(["run", &format!("{url}/openapi.json"), "--no-color", "--max-examples", &examples])
        .args(["--header", &format!("Authorization: Bearer {}", admin.token)])
        .args(seed.iter().flat_map(|seed| ["--seed", seed]))
        // It leaves files in its working directory.
        .current_dir(folder.path())
        .output()
        .unwrap();
    let (said, version) =
        (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&version.stdout));
    assert!(run.status.success(), "{version}{said}\n{}", String::from_utf8_lossy(&run.stderr));
    assert!(said.contains("Tested: 7"), "{said}");
    // `stop` also finds any line of the log that reports a bug.
    stop(service);
}
