//! A test that takes `self`.

struct Tests;

impl Tests {
    #[lifecycle_runtime::test]
    async fn it_starts(self) {}
}

fn main() {
    let _ = Tests;
}
