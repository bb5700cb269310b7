//! Connection to a collector, which gets every written line and may be away for any length of time.
//!
//! The worker sends `SEQ LINE` over TCP. The collector answers `SEQ`, which acknowledges all lines
//! up to this one. Lines that were sent and not acknowledged are sent again under the same numbers,
//! so a collector that keeps the last number can drop those it already has.

use std::io;
use std::time::Duration;

use lifecycle_runtime::{Dep, Stop, health_check, service};
use sqlx::SqlitePool;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::batches::{batches, written};
use crate::settings::settings;
use crate::store::{db, migrations};

/// Most lines that are sent before the worker waits for an answer.
const MOST: i64 = 200;

/// Longest time that the collector may take to accept a connection, or to answer.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Debug, thiserror::Error)]
pub enum ForwardError {
    #[error("can't reach the collector at {0}")]
    Away(String, #[source] io::Error),
    #[error("the connection to the collector is broken")]
    Broken(#[from] io::Error),
    #[error("the collector has closed the connection")]
    Closed,
    #[error("the collector has not answered for {PATIENCE:?}")]
    Silent,
    #[error("the collector has acknowledged `{0}`, which it was not sent")]
    Wrong(String),
    #[error("can't use the database")]
    Database(#[from] sqlx::Error),
}

/// Sends lines to the collector. If that is away, the service fails and is restarted; `/readyz`
/// reports it, and everything else goes on.
///
/// The service is ready as soon as it runs, so the process can start without a collector.
#[service(
    after = [migrations, batches],
    restart = "on_failure",
    backoff = "100ms..5s",
    max_restarts = "unlimited",
    stop_timeout = "5s"
)]
pub async fn forward(
    settings: Dep<settings>,
    db: Dep<db>,
    written: Dep<written>,
    stop: Stop,
) -> Result<(), ForwardError> {
    let Some(address) = &settings.fixed.collector else { return Ok(()) };
    tokio::select! {
        end = send_all(address, &db, &written) => end,
        // It may end at any moment: lines that may not have arrived are sent again.
        () = stop.requested() => Ok(()),
    }
}

/// Sends the lines that are there and those that follow, until that fails.
async fn send_all(address: &str, db: &SqlitePool, written: &Notify) -> Result<(), ForwardError> {
    let mut collector = Collector::connect(address).await?;
    loop {
        let lines = unsent(db).await?;
        let Some(&(last, _)) = lines.last() else {
            tokio::select! {
                () = written.notified() => continue,
                error = collector.unasked() => return Err(error),
            }
        };
        timeout(PATIENCE, collector.send(&lines)).await.map_err(|_| ForwardError::Silent)??;
        while timeout(PATIENCE, collector.answer(last))
            .await
            .map_err(|_| ForwardError::Silent)??
            < last
        {}
        sqlx::query("UPDATE forwarded SET seq = ?").bind(last).execute(db).await?;
    }
}

/// Reads the next lines that the collector has not acknowledged.
async fn unsent(db: &SqlitePool) -> sqlx::Result<Vec<(i64, Vec<u8>)>> {
    let unsent =
        "SELECT seq, line FROM lines WHERE seq > (SELECT seq FROM forwarded) ORDER BY seq LIMIT ?";
    sqlx::query_as(unsent).bind(MOST).fetch_all(db).await
}

struct Collector {
    lines: OwnedWriteHalf,
    answers: Lines<BufReader<OwnedReadHalf>>,
}

impl Collector {
    async fn connect(address: &str) -> Result<Self, ForwardError> {
        let away = |error| ForwardError::Away(address.to_owned(), error);
        let connected = timeout(PATIENCE, TcpStream::connect(address)).await;
        let socket =
            connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())).map_err(away)?;
        let (answers, lines) = socket.into_split();
        Ok(Self { lines, answers: BufReader::new(answers).lines() })
    }

    async fn send(&mut self, lines: &[(i64, Vec<u8>)]) -> Result<(), ForwardError> {
        let mut text = Vec::new();
        for (seq, line) in lines {
            text.extend([seq.to_string().as_bytes(), b" ", line, b"\n"].concat());
        }
        Ok(self.lines.write_all(&text).await?)
    }

    /// Reads an answer: the number of the line up to which the collector has everything. A number
    /// beyond the last line that was sent is an error.
    async fn answer(&mut self, last: i64) -> Result<i64, ForwardError> {
        let answer = self.answers.next_line().await?.ok_or(ForwardError::Closed)?;
        answer.parse().ok().filter(|seq| *seq <= last).ok_or(ForwardError::Wrong(answer))
    }

    /// Waits while no answer is expected. Anything that arrives is an error, and usually the end of
    /// the connection.
    async fn unasked(&mut self) -> ForwardError {
        match self.answers.next_line().await {
            Ok(None) => ForwardError::Closed,
            Ok(Some(answer)) => ForwardError::Wrong(answer),
            Err(error) => error.into(),
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum Behind {
    #[error("{0} lines wait for the collector, and {1} are enough")]
    Lines(i64, i64),
    #[error("can't use the database")]
    Database(#[from] sqlx::Error),
}

/// Fails if too many lines wait. A collector that is there may still be too slow.
#[health_check(interval = "2s", failures = 3, after = [migrations])]
pub async fn keeps_up(settings: Dep<settings>, db: Dep<db>) -> Result<(), Behind> {
    if settings.fixed.collector.is_none() {
        return Ok(());
    }
    let wait = "SELECT coalesce(max(seq), 0) - (SELECT seq FROM forwarded) FROM lines";
    let (wait, enough) =
        (sqlx::query_scalar(wait).fetch_one(&*db).await?, settings.live.load().behind);
    if wait > enough { Err(Behind::Lines(wait, enough)) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpListener;

    use super::*;
    use crate::settings::tests::in_folder;
    use crate::store::tests::{migrated, piece};
    use crate::store::write;

    type Hooks = (tempfile::TempDir, Dep<settings>, Dep<db>, TcpListener);

    /// Makes a database in which two lines wait for a collector.
    async fn two_lines() -> Hooks {
        let (folder, pool) = migrated().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut settings = in_folder(folder.path());
        settings.fixed.collector = Some(listener.local_addr().unwrap().to_string());
        write(&pool, &[piece(1, 0, 2, "a"), piece(1, 2, 4, "b")]).await.unwrap();
        (folder, Dep::new(settings), Dep::new(pool), listener)
    }

    /// Runs the service against a collector that answers this and closes the connection. Returns
    /// the lines that it sent, and the error it ended with.
    async fn heard(hooks: &Hooks, answer: &str) -> (String, ForwardError) {
        let (_, settings, db, listener) = hooks;
        let service = forward(
            settings.clone(),
            db.clone(),
            Dep::new(crate::batches::written()),
            Stop::never(),
        );
        let collector = async {
            let mut socket = listener.accept().await.unwrap().0;
            let mut sent = vec![0; 8];
            socket.read_exact(&mut sent).await.unwrap();
            socket.write_all(answer.as_bytes()).await.unwrap();
            String::from_utf8(sent).unwrap()
        };
        let (end, sent) = tokio::join!(service, collector);
        (sent, end.unwrap_err())
    }

    #[tokio::test]
    async fn what_was_not_acknowledged_is_sent_again_under_the_same_number() {
        let hooks = two_lines().await;
        let (sent, error) = heard(&hooks, "").await;
        assert!(sent == "1 a\n2 b\n" && matches!(error, ForwardError::Closed), "{sent}: {error}");
        let (sent, error) = heard(&hooks, "3\n").await;
        assert!(
            sent == "1 a\n2 b\n" && error.to_string().contains("acknowledged `3`"),
            "{sent}: {error}"
        );
        let (sent, error) = heard(&hooks, "2\n").await;
        assert!(sent == "1 a\n2 b\n" && matches!(error, ForwardError::Closed), "{sent}: {error}");
        write(&hooks.2, &[piece(1, 4, 6, "c"), piece(1, 6, 8, "d")]).await.unwrap();
        assert_eq!(heard(&hooks, "4\n").await.0, "3 c\n4 d\n");
    }

    #[tokio::test]
    async fn too_many_lines_that_wait_are_not_well() {
        let (_folder, settings, db, _listener) = two_lines().await;
        keeps_up(settings.clone(), db.clone()).await.unwrap();
        let live = crate::settings::Live { behind: 1, ..(*settings.live.load_full()).clone() };
        settings.live.store(live.into());
        let error = keeps_up(settings, db).await.unwrap_err();
        assert_eq!(error.to_string(), "2 lines wait for the collector, and 1 are enough");
    }
}
