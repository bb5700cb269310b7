//! Yes or no in quotes.

#[lifecycle_runtime::test(start_paused = "no")]
async fn it_starts() {}

fn main() {}
