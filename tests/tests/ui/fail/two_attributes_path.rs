//! Two attributes on one function, the second by its path.

use lifecycle_runtime::on_shutdown;

#[on_shutdown]
/// A comment between them.
#[lifecycle_runtime::on_startup(order = 1)]
async fn db() {}

#[on_shutdown(after = [db])]
async fn last_words() {}

fn main() {}
