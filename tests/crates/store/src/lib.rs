//! Hooks of a library: a program that depends on this crate has them, and its own hooks can name
//! them.

/// Storage with a connection.
pub mod db {
    use lifecycle_runtime::{Dep, on_shutdown, on_startup};

    /// Connection that reports what happens to it on standard output.
    #[derive(Debug)]
    pub struct Connection {
        /// Address of the store.
        pub address: &'static str,
    }

    /// Opens the connection.
    #[on_startup]
    pub async fn connection() -> Connection {
        println!("store: connected");
        Connection { address: "memory" }
    }

    /// Closes the connection once nobody uses it any more.
    #[on_shutdown(of = connection)]
    async fn disconnect(connection: Dep<connection>) {
        println!("store: disconnected from {}", connection.address);
    }

    /// Tables of the store.
    pub mod tables {
        use lifecycle_runtime::{Dep, on_startup};

        /// Reads the names of the tables.
        #[on_startup]
        pub fn names(connection: Dep<super::connection>) -> Vec<String> {
            println!("store: tables read");
            vec![format!("{}.users", connection.address)]
        }
    }
}
