//! A type that is not a hook, in `of`.

use lifecycle_runtime::on_shutdown;

#[on_shutdown(of = String)]
async fn close_db() {}

#[on_shutdown(after = [close_db])]
async fn last_words() {}

fn main() {}
