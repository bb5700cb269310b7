//! Module of the library, and by mistake of the binary of the same name as well.

use lifecycle_runtime::on_startup;

/// Does nothing.
#[on_startup]
pub async fn db() {}

/// Does nothing either: another hook of the file that is declared twice.
#[on_startup]
pub async fn table() {}
