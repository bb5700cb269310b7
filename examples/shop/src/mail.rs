//! Mail, behind a trait: what sends it is chosen in one place, and a test has one that keeps what
//! it was given.

use futures_util::future::{BoxFuture, FutureExt, ready};
use lettre::address::AddressError;
use lettre::message::Mailbox;
use lettre::message::header::ContentType;
use lettre::{Address, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use lifecycle_runtime::{BoxError, Dep, on_startup};
use validator::ValidationError;

use crate::settings::settings;

/// A mail to a customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// Of a mail that is sent twice, because nobody knows whether it was sent, the same both times.
    pub id: String,
    pub to: String,
    pub subject: String,
    pub text: String,
}

/// Sends mail.
pub trait Mailer: Send + Sync {
    /// Sends it, and says so once whoever takes it on has it.
    fn send(&self, mail: Mail) -> BoxFuture<'_, Result<(), BoxError>>;
}

/// Gives mails to a server that sends them on.
struct SmtpMailer {
    server: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl Mailer for SmtpMailer {
    fn send(&self, mail: Mail) -> BoxFuture<'_, Result<(), BoxError>> {
        async move {
            let message = Message::builder()
                .message_id(Some(format!("<{}@{}>", mail.id, self.from.email.domain())))
                .from(self.from.clone())
                .to(Mailbox::new(None, mail.to.parse()?))
                .subject(mail.subject)
                .header(ContentType::TEXT_PLAIN)
                .body(mail.text)?;
            self.server.send(message).await?;
            Ok(())
        }
        .boxed()
    }
}

/// Writes mails to the log, for a shop that is being tried out and has no server.
struct LogMailer;

impl Mailer for LogMailer {
    fn send(&self, mail: Mail) -> BoxFuture<'_, Result<(), BoxError>> {
        tracing::info!(id = mail.id, to = mail.to, subject = mail.subject, "mail");
        ready(Ok(())).boxed()
    }
}

#[derive(Debug, thiserror::Error)]
#[error("SMTP_URL is not the URL of a mail server; it has to be like smtps://USER:PASSWORD@HOST")]
pub struct SmtpUrlError(#[source] lettre::transport::smtp::Error);

/// Whatever sends the shop's mail: the server that `SMTP_URL` names, and without one the log. The
/// URL has a password in it, so it stands in the environment only.
#[on_startup]
pub fn mailer(settings: Dep<settings>) -> Result<Box<dyn Mailer>, SmtpUrlError> {
    let Ok(url) = std::env::var("SMTP_URL") else { return Ok(Box::new(LogMailer)) };
    let server =
        AsyncSmtpTransport::<Tokio1Executor>::from_url(&url).map_err(SmtpUrlError)?.build();
    Ok(Box::new(SmtpMailer { server, from: settings.mail_from.clone() }))
}

/// A rule for addresses: a mail can be sent there.
pub fn mail_address(text: &str) -> Result<(), ValidationError> {
    let is_one: Result<Address, AddressError> = text.parse();
    is_one
        .map(drop)
        .map_err(|_| ValidationError::new("email").with_message("has to be a mail address".into()))
}
